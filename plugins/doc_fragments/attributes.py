# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules say of check mode, diff mode and idempotence."""

from __future__ import annotations


class ModuleDocFragment:
    """One fragment a kind of module."""

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
      - Check mode runs the same plan as a real run, and leaves out only its last step.
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - A byte of a file name that is not part of valid UTF-8 is shown as C(\xNN), two hexadecimal digits, in results, messages and diffs.
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
      - Checks only look, and run in check mode, too. Nothing is written.
  diff_mode:
    support: N/A
    details:
      - What it writes is what it has just measured.
  idempotent:
    support: partial
    details:
      - Without anything to write it changes nothing. What it writes is what it has just measured.
"""
