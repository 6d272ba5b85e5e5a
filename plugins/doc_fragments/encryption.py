# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encryption of backups.

Written by "make docs" from dev/options/encryption.yml and the argument specs: ansible-test requires literal text.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  identity_file:
    description:
      - File on the host with the identity (secret key) of one of the recipients that backups are encrypted to, as
        written by C(age-keygen), or an SSH key without passphrase. It may contain several identities.
      - It is only needed to read encrypted backups. This requires the program C(age) on the host.
    type: path
  identity:
    description:
      - The identity itself, instead of O(identity_file). It is passed to C(age) through a pipe and never written to a
        file.
    type: str
  allow_unencrypted:
    description:
      - Whether to accept a backup that is not encrypted, although an identity is given or the host encrypts the backups
        of the set. Without it, such a backup is refused, as another program may have written it.
    type: bool
    default: false
"""

    WRITE = r"""
options:
  encrypt_to:
    description:
      - Encrypt new backups to these recipients. Each of them can decrypt the backups with its identity. Recipients are
        public keys of C(age) (V(age1...)) or public SSH keys (V(ssh-ed25519 AAAA...), V(ssh-rsa AAAA...)).
      - This requires the program C(age), version 1.0 or newer, on the host. The host needs no identity, neither to
        write backups nor to detect that nothing has changed.
      - Keep the identities elsewhere. Without one of them, no backup can be read.
      - If the recipients change, a new backup is made. Older backups can still be read with the identities of their
        recipients.
    type: list
    elements: str
  encryption:
    description:
      - With V(required), a new backup that would not be encrypted is refused if others of the set are encrypted.
      - Set it to V(optional) to stop encrypting the backups of a set.
    type: str
    choices: [required, optional]
    default: required
"""
