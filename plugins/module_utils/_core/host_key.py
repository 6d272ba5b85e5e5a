# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key that never leaves this host: with it, a host recognizes its backups without being able to decrypt them."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from typing import Any, Optional

from . import host_state
from .errors import Day2Error
from .files import make_private_directory, os_errors, prepared_name

MACHINE = "/etc/machine-id"  # differs between a host and its copies
_NAME = "key"
_BYTES = 32


def mac(key: bytes, purpose: str, *fields: str) -> str:
    """HMAC-SHA-256 over length-prefixed fields, so that no two lists of fields give the same bytes."""
    encoded = [one.encode("utf-8", "surrogateescape") for one in (purpose, *fields)]
    data = b"".join(len(one).to_bytes(8, "big") + one for one in encoded)
    return hmac.new(key, data, hashlib.sha256).hexdigest()


def canonical(document: Any) -> str:
    """JSON that is the same for the same document."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def machine() -> bytes:
    """What distinguishes this host from others, also after its key was lost; b"" if nothing does."""
    try:
        with open(MACHINE, "rb") as handle:
            return handle.read(100).strip()
    except OSError:
        return b""


def known() -> Optional[bytes]:
    """The key of this host; None if it has none (yet), or was copied from another host with its key."""
    value = host_state.read(_NAME)
    try:
        key = bytes.fromhex(value["key"])
    except (KeyError, TypeError, ValueError):
        return None
    return key if len(key) == _BYTES and value.get("machine") == _mark(key) else None


def made() -> bytes:
    """The key of this host, which is made if there is none."""
    key = known()
    while key is None:
        new = secrets.token_bytes(_BYTES)
        _create({"key": new.hex(), "machine": _mark(new)})
        key = known()
    return key


def _mark(key: bytes) -> str:
    return mac(key, "machine", machine().decode("latin-1"))


def _create(value: dict[str, str]) -> None:
    """Exclusively, unless what is there is not of this host: two first runs at once must find the same key."""
    path = os.path.join(host_state.directory(), _NAME + ".json")
    with os_errors(Day2Error, "Can't write", path):
        make_private_directory(os.path.dirname(path))
        temporary = os.path.join(os.path.dirname(path), prepared_name(_NAME))
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as handle:
                handle.write(json.dumps(value).encode())
                handle.flush()
                os.fsync(handle.fileno())
            if host_state.read(_NAME):
                os.rename(temporary, path)
                return
            os.link(temporary, path)
        except FileExistsError:
            if not host_state.read(_NAME):  # it is damaged
                os.rename(temporary, path)
        finally:
            if os.path.lexists(temporary):
                os.unlink(temporary)
