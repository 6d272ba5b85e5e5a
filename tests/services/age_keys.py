# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys for tests of encryption."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple


class Key(NamedTuple):
    """A recipient, and the file with its identity."""

    recipient: str
    file: str

    @property
    def identity(self) -> str:
        """What is in the file."""
        return Path(self.file).read_text()


def new_key(directory: Path, name: str = "identity") -> Key:
    """A key of age."""
    path = directory / f"{name}.txt"
    subprocess.run(["age-keygen", "-o", str(path)], check=True, capture_output=True)
    done = subprocess.run(["age-keygen", "-y", str(path)], check=True, capture_output=True, text=True)
    return Key(done.stdout.strip(), str(path))


def new_ssh_key(directory: Path, name: str = "ssh", passphrase: str = "") -> Key:
    """An SSH key."""
    path = directory / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)], check=True)
    return Key(path.with_name(name + ".pub").read_text().strip(), str(path))
