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
        configuration file, or any name for the remote that O(rclone.settings) describes.
      - This requires the program C(rclone), 1.60 or newer, on the host.
    type: dict
    suboptions:
      config:
        description:
          - Configuration file of rclone that describes the remote. The default is that of the user, unless
            O(rclone.settings) is set. An encrypted file cannot be used.
        type: path
      settings:
        description:
          - Settings of the remote, named as in the configuration file of rclone. They override those of the file.
          - C(type) selects the kind of storage, for example V(sftp), V(smb), V(webdav), V(azureblob), V(b2) or
            V(swift). For V(sftp), C(known_hosts_file) is required, as rclone would trust every server without it.
        type: dict
      secrets:
        description:
          - Secret settings, such as passwords, in the form that C(rclone obscure) prints. They are passed to rclone in
            its environment and are never shown.
        type: dict
      settle:
        description:
          - How long it takes until listings of the remote show the writes of other hosts, V(20s) at most. The default
            is V(0s), for remotes whose listings are always up to date, such as SFTP.
        type: str
      server:
        description:
          - Whether to start one rclone process for all small requests of a task, which keeps its connections, instead
            of one for each of them. It listens on a free port of loopback (C(rclone rcd)), requires a password that
            only this task knows, and ends with the task. With SFTP, a request then takes milliseconds, as it needs no
            new connection. If settings are added to a remote of a configuration file, it is not started if the name of
            the remote contains a dot, a dash, C(+) or C(@).
        type: bool
        default: false
      ca_bundle:
        description: File with the certificates of trusted CAs, if the system does not trust them.
        type: path
"""
