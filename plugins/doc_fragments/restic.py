# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access to repositories of the program restic.

Written by "make docs" from dev/options/restic.yml and the argument specs: ansible-test requires literal text.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  restic:
    description:
      - Access to a repository of restic, with O(engine=restic). One of O(restic.password) and O(restic.password_file)
        is required.
      - This requires the program C(restic), 0.14 or newer, on the host.
    type: dict
    suboptions:
      password:
        description:
          - Password of the repository. It is passed to restic through a pipe and never shown. If it is lost, the
            backups are lost, too.
        type: str
      password_file:
        description: File on the host with the password.
        type: path
      environment:
        description:
          - Environment variables for restic, such as the credentials of its back ends (C(B2_ACCOUNT_ID),
            C(RESTIC_REST_USERNAME), …). They are never shown.
        type: dict
"""
