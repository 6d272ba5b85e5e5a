# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which message is due: what a channel was sent last is recorded, so that it gets one message for each state."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, Callable

from .._core.files import make_private_directory, write_atomically
from .message import FAILURE, RECOVERY, SILENCE

LIMIT = 20.0  # seconds, for everything that is sent at once
PROBLEMS = (FAILURE, SILENCE)
_AHEAD = 60.0  # seconds that a clock may be set back


def wanted(event: str, before: Any, run: Any, now: float, cooldown: float) -> str:
    """The message that a channel needs, or "".

    :param event: what is wrong, "" for nothing.
    :param before: what the channel was sent last, as `sent` returns it; {} for nothing.
    :param run: what identifies the run that `event` is about.
    """
    before = before if isinstance(before, Mapping) else {}
    state_before, at = before.get("event"), before.get("at", 0)
    if not event:
        return RECOVERY if state_before in PROBLEMS else ""
    known = isinstance(at, (int, float)) and 0 < at <= now + _AHEAD
    if known and now - at < cooldown:
        return ""
    if event == state_before == FAILURE and before.get("run") == run:
        return ""
    return event


def sent(event: str, before: Any, run: Any, now: float) -> dict[str, Any]:
    """What to record of a message that was sent. A recovery does not begin a new cooldown."""
    at = now if event in PROBLEMS else (before.get("at", 0) if isinstance(before, Mapping) else 0)
    return {"event": event, "run": run, "at": at}


@contextlib.contextmanager
def recorded(path: str, complain: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """What was sent, which is written back. Another process that has it is waited for. State that cannot be written
    is no reason not to send: `complain` gets the reason."""
    record: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        try:
            make_private_directory(os.path.dirname(path))
            fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            stack.callback(os.close, fd)
            fcntl.flock(fd, fcntl.LOCK_EX)
        except OSError as exc:
            complain(f"Notifications can't be recorded, so they may be repeated: {exc}.")
        record.update(_read(path))
        before = json.dumps(record)
        yield record
        after = json.dumps(record)
        if after != before:
            try:
                write_atomically(path, after.encode())
            except OSError as exc:
                complain(f"Notifications can't be recorded, so they may be repeated: {exc}.")


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as handle:
            value = json.load(handle)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
