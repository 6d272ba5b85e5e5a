# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access to repositories through the program rclone.

Written by "make docs" from dev/options/rclone.yml and the argument specs: ansible-test requires literal text.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  rclone:
    description:
      - Access through the program rclone, for addresses C(rclone:REMOTE:path). REMOTE is the name of a remote in its
        configuration file, or of the one that O(rclone.settings) describes.
      - This requires the program C(rclone), 1.60 or newer, on the host.
    type: dict
    suboptions:
      config:
        description:
          - Configuration file of rclone that describes the remote. The default is that of the user, unless
            O(rclone.settings) is set. A file that is encrypted cannot be used.
        type: path
      settings:
        description:
          - Settings of the remote, as they are named in the configuration file of rclone. Those of a file are
            overridden.
          - C(type) selects the kind of storage, for example V(sftp), V(smb), V(webdav), V(azureblob), V(b2) or
            V(swift). For V(sftp), C(known_hosts_file) is required, as rclone trusts every server without it.
        type: dict
      secrets:
        description:
          - Settings that are secret, such as passwords, which must be written as C(rclone obscure) prints them. They
            are passed to rclone in its environment and are never shown.
        type: dict
      settle:
        description:
          - How long to wait until listings of the remote show what other hosts have written, V(20s) at most. The
            default is V(0s), which is right for remotes whose listings are up to date, such as SFTP.
        type: str
      server:
        description:
          - Whether to start one rclone for all small requests of a task, which keeps its connections, instead of one
            for each of them. It listens on a free port of loopback (C(rclone rcd)), requires a password that only this
            task knows, and ends with the task. With SFTP, a request then takes milliseconds instead of a connection. If
            settings are added to a remote of a configuration file, it is not started where the name of the remote has a
            dot, a dash, C(+) or C(@).
        type: bool
        default: false
      ca_bundle:
        description: File with the certificates of the authorities that are trusted, if the system does not trust them.
        type: path
"""
