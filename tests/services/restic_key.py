# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a repository of restic quick to open, and another one of it.

restic makes guessing a password expensive: it chooses parameters of scrypt with which each call computes for half a
second, which is most of the time of tests. They are in the file of the key, which this writes again with small ones.
The key in it, and everything else, stays as restic made it. Choosing them takes long, too: a copy with an id of its own
is as good as a new repository.

A key of restic: scrypt gives 32 bytes for AES-256 in counter mode, and 16 and 16 (K, R) for Poly1305-AES. The data are
the 16 bytes of the counter, what is encrypted, and its 16 bytes of authentication.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

_SMALL = {"N": 16, "r": 8, "p": 1}


def make_cheap(repository: Path, password: bytes) -> None:
    """Write the only key of a repository again."""
    (path,) = (repository / "keys").iterdir()
    key = json.loads(path.read_text())
    data = base64.b64decode(key["data"])
    old, counter, encrypted = _derived(key, password), data[:16], data[16:-16]
    if data[-16:] != _authentication(old, counter, encrypted):
        raise ValueError(f"{path}: another password, or not a key of restic as this knows it")
    plain = _aes("aes-256-ctr", old[:32], encrypted, counter)
    key.update(_SMALL, salt=base64.b64encode(os.urandom(64)).decode())
    new, counter = _derived(key, password), os.urandom(16)
    encrypted = _aes("aes-256-ctr", new[:32], plain, counter)
    key["data"] = base64.b64encode(counter + encrypted + _authentication(new, counter, encrypted)).decode()
    text = json.dumps(key).encode()
    path.with_name(hashlib.sha256(text).hexdigest()).write_bytes(text)
    path.unlink()


def renumber(repository: Path, password: bytes) -> None:
    """Give an empty repository, whose key is cheap, another id."""
    (path,) = (repository / "keys").iterdir()
    key = json.loads(path.read_text())
    data = base64.b64decode(key["data"])
    inner = json.loads(_aes("aes-256-ctr", _derived(key, password)[:32], data[16:-16], data[:16]))
    keys = b"".join(map(base64.b64decode, (inner["encrypt"], inner["mac"]["k"], inner["mac"]["r"])))
    config = repository / "config"
    old, counter = config.read_bytes(), os.urandom(16)
    plain = {**json.loads(_aes("aes-256-ctr", keys[:32], old[16:-16], old[:16])), "id": os.urandom(32).hex()}
    encrypted = _aes("aes-256-ctr", keys[:32], json.dumps(plain).encode(), counter)
    config.unlink()  # it is read-only
    config.write_bytes(counter + encrypted + _authentication(keys, counter, encrypted))


def _derived(key: dict[str, Any], password: bytes) -> bytes:
    salt, memory = base64.b64decode(key["salt"]), 256 * key["r"] * (key["N"] + key["p"]) + (1 << 20)
    return hashlib.scrypt(password, salt=salt, n=key["N"], r=key["r"], p=key["p"], maxmem=memory, dklen=64)


def _aes(mode: str, key: bytes, data: bytes, counter: bytes = b"") -> bytes:
    words = ["openssl", "enc", f"-{mode}", "-K", key.hex(), "-nopad", *(["-iv", counter.hex()] if counter else [])]
    return subprocess.run(words, input=data, stdout=subprocess.PIPE, check=True).stdout


def _authentication(derived: bytes, counter: bytes, data: bytes) -> bytes:
    """Poly1305-AES."""
    r = int.from_bytes(derived[48:64], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for start in range(0, len(data), 16):
        total = (total + int.from_bytes(data[start : start + 16] + b"\1", "little")) * r % ((1 << 130) - 5)
    total += int.from_bytes(_aes("aes-128-ecb", derived[32:48], counter), "little")
    return (total % (1 << 128)).to_bytes(16, "little")
