# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""state_write: keeps on the host how far a playbook is, unless another run has written it since it was read."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from .._core.errors import InvalidRequest, LockTimeout, TargetError
from .._core.file_lock import FileLock
from .._core.files import make_private_directory, os_errors, write_atomically
from .._core.progress import Progress

ARGUMENTS: dict[str, Any] = {
    "argument_spec": {
        "path": {"type": "path", "required": True},
        "state": {"type": "dict", "required": True},
        "replaces": {"type": "str", "required": True},
    },
}
_PATIENCE = 60.0  # seconds to wait for another run, which only writes a small file
_POLL = 0.05


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb. Check mode compares, and writes nothing."""
    path = params["path"]
    new = (json.dumps(params["state"], indent=4, sort_keys=True) + "\n").encode()
    try:
        known = base64.b64decode(params["replaces"], validate=True)
    except (ValueError, binascii.Error):
        raise InvalidRequest(
            "replaces is not Base64.", "Set it to the content that ansible.builtin.slurp returned."
        ) from None
    if not check:
        with os_errors(TargetError, "Can't create", os.path.dirname(path)):
            make_private_directory(os.path.dirname(path))
    with _alone(path, check, progress), os_errors(TargetError, "Can't keep the state in", path):
        found = _content(path)
        if found not in (known, new):  # new: the answer to this write was lost, and Ansible has repeated it
            raise TargetError(
                f"{path} has changed since this run has read it: another run is in progress, or has just ended.",
                "Nothing was written. Once the other run has ended, run again.",
                {"content": _encoded(found), "conflict": True},
            )
        if not check:
            write_atomically(path, new)
    return {
        "changed": found != new,
        "msg": f"{path} already has this content." if found == new else f"{'Would write' if check else 'Wrote'} {path}",
        "content": _encoded(new),
        "conflict": False,
    }


@contextlib.contextmanager
def _alone(path: str, check: bool, progress: Progress) -> Iterator[None]:
    if check:
        yield
        return
    lock, until = FileLock(path), time.monotonic() + _PATIENCE
    with os_errors(TargetError, "Can't lock", lock.path):
        while not lock.take():
            progress.check()
            if time.monotonic() > until:
                raise LockTimeout(f"Another run has locked {path} ({lock.path}).", "Wait for it to end, and run again.")
            time.sleep(_POLL)
    try:
        yield
    finally:
        lock.release()


def _content(path: str) -> bytes:
    """What the file has; b"" if it does not exist. A link is not followed, and nothing is waited for."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as handle:
            return handle.read()
    except FileNotFoundError:
        return b""


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
