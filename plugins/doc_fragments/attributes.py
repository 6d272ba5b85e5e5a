# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Support of check mode, diff mode and idempotence."""

from __future__ import annotations


class ModuleDocFragment:
    """One fragment for each kind of module."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled or queried by the module has not changed in a relevant way.
"""

    VERB = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Check mode makes the same plan as a real run, but does not apply it.
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - In results, messages and diffs, each byte of a file name that is not valid UTF-8 is shown as C(\xNN), with two
    hexadecimal digits.
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This action does not modify state.
  diff_mode:
    support: N/A
    details:
      - This action does not modify state.
  idempotent:
    support: full
    details:
      - This action does not modify state.
"""

    CHECKS = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Checks do not modify anything, and also run in check mode. No report or history is written in check mode.
  diff_mode:
    support: N/A
    details:
      - Reports and the history only contain the values just measured.
  idempotent:
    support: partial
    details:
      - Without O(report) and O(history), nothing is modified. Reports and the history contain the values just measured.
"""
