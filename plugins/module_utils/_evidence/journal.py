# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of evidence of this host (of this user, if it is not root): a file that is only appended to.

It lies beside the state, but is none: it can't be made again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from .._core.errors import Day2Error
from .._core.files import (
    check_own_file,
    fsync_directory,
    make_private_directory,
    need_space,
    open_regular,
    os_errors,
    write_atomically,
)
from .._core.host_state import JOURNAL, evidence
from .._core.units import format_time
from .chain import BEGUN, CUT, FIRST, TORN, Chain, Fault, Head, Line, digest_of, encode, head_of, parsed, verified

_OLDER = re.compile(r"journal-([0-9]{12})\.jsonl")  # named by the number of its first line
_TAIL = 1 << 18  # bytes at the end, in which the last line must be
_LARGEST = 16 << 20  # bytes: then the older half is moved into a file of its own
_PATIENCE = 30.0  # seconds for which others may hold the lock
_PAUSE = 0.05  # seconds


class Damaged(Day2Error):
    """The journal does not end with a line of a journal, so that no line can be added."""


class _End(NamedTuple):
    """How the file ends: its last line, and what follows it."""

    last: Optional[Line]
    unended: bytes
    complete: bool  # the last line has its line break


def append(entries: Sequence[Mapping[str, Any]], host: str, mark: str) -> Head:
    """Add a line for each entry, durably, and return the last one. The first call begins the journal.

    :param host: the name of this host.
    :param mark: what its anchors are found by.
    :raises Day2Error: nothing was added.
    """
    where = evidence(JOURNAL)
    with os_errors(Day2Error, "Can't write", where):
        make_private_directory(evidence())
        check_own_file(where, Day2Error)
        with _lock():
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(where, flags, 0o600)
            try:
                lines, data = _new_lines(_end_of(fd), entries, host, mark)
                size = _write(fd, data)
            finally:
                os.close(fd)
            head = head_of(lines[-1])
            if lines[0].count == 1:
                fsync_directory(evidence())
            if size > _LARGEST:
                head = _cut(where, lines[-1], host, mark) or head
    return head


def _end_of(fd: int) -> _End:
    """:raises Damaged: the last line is not one, although it has a line break."""
    size = os.fstat(fd).st_size
    tail = os.pread(fd, min(size, _TAIL), max(0, size - _TAIL))
    *whole, rest = tail.split(b"\n")
    alone = parsed(rest) if rest else None
    if alone is not None:
        return _End(alone, b"", False)
    unended = [rest]
    while whole:
        last = parsed(whole[-1])
        if last is not None:
            return _End(last, b"\n".join(unended), True)
        if not rest:
            break
        unended.insert(0, whole.pop())  # the run that was to record it was interrupted, too
    if whole or size > _TAIL:
        raise Damaged(
            f"{evidence(JOURNAL)} is damaged: its last line is not a line of a journal.",
            "Move it elsewhere and find out why: the next run then begins a new journal. See docs/EVIDENCE.md.",
        )
    return _End(None, b"\n".join(unended), True)


def _new_lines(end: _End, entries: Sequence[Mapping[str, Any]], host: str, mark: str) -> tuple[list[Line], bytes]:
    """The lines to add, and what is written."""
    more: list[Mapping[str, Any]] = list(entries)
    torn = {"bytes": len(end.unended), "sha256": digest_of(end.unended)} if end.unended else {}
    if torn or end.last is None:
        more.insert(0, {"event": TORN, **torn} if end.last else {"event": BEGUN, "mark": mark, **torn})
    journal = end.last.entry["journal"] if end.last else secrets.token_hex(8)
    last, lines, data = end.last, [], b"" if end.complete and not end.unended else b"\n"
    for one in more:
        raw = encode(_line(one, last, journal, host))
        data += raw + b"\n"
        last = parsed(raw)
        if last is None:
            raise Day2Error(f"An entry can't be written into {evidence(JOURNAL)}: it is too long.")
        lines.append(last)
    return lines, data


def _line(entry: Mapping[str, Any], last: Optional[Line], journal: str, host: str) -> dict[str, Any]:
    return {
        **entry,
        "time": format_time(datetime.now(timezone.utc).replace(microsecond=0)),
        "host": host,
        "journal": journal,
        "count": last.count + 1 if last else 1,
        "previous": last.digest if last else FIRST,
    }


def _write(fd: int, data: bytes) -> int:
    """Append durably, all or nothing. Returns the size of the file."""
    size = os.fstat(fd).st_size
    try:
        left = data
        while left:
            left = left[os.write(fd, left) :]
        os.fdatasync(fd)
    except OSError:
        with contextlib.suppress(OSError):  # else the next run finds what is left of it, and records that
            os.ftruncate(fd, size)
        raise
    return size + len(data)


def _cut(where: str, last: Line, host: str, mark: str) -> Optional[Head]:
    """Move the older half of the lines into a file of its own, which may be removed. Returns the head, if it is another
    one now. Where there is no space, the next run tries again."""
    try:
        with open(where, "rb") as handle:
            data = handle.read()
        at = data.find(b"\n", len(data) // 2) + 1
        through = parsed(data[:at].rstrip(b"\n").rpartition(b"\n")[2])
        first = parsed(data.partition(b"\n")[0])
        if through is None or first is None:  # damaged: that is for evidence_info to say
            return None
        need_space(evidence(), 2 * len(data), "Dividing the journal of evidence")
        write_atomically(evidence(f"journal-{first.count:012d}.jsonl"), data[:at])
        cut = {"event": CUT, "mark": mark, "through": through.count, "digest": through.digest}
        raw = encode(_line(cut, last, last.entry["journal"], host))
        write_atomically(where, data[at:] + raw + b"\n")
    except (OSError, Day2Error):
        return None
    line = parsed(raw)
    return head_of(line) if line else None


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """The directory is private, so that nobody else can hold it."""
    where = evidence("lock")
    fd = os.open(where, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Day2Error(
                        f"Another run has held {where} for {_PATIENCE:g} s.", "Check whether that run hangs."
                    ) from None
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(fd)


def read() -> Chain:
    """Verify the journal, with the files that older lines were moved to, as far as they are there. No lock is needed:
    a line that is being written is seen as the last one, or not at all.

    :raises Day2Error: it can't be read.
    """
    data = _content(evidence(JOURNAL))
    older, notes = _older(), []
    first = _first_count(data)
    for number in sorted(older, reverse=True):
        content = _content(older[number])
        last = parsed(content.rstrip(b"\n").rpartition(b"\n")[2])
        if last is None and content:
            return Chain([], Fault(number, f"The last line of {older[number]} was changed."), [], b"")
        if last is not None and first is not None and last.count == first - 1:
            data, first = content + data, _first_count(content)
        elif last is not None and first is not None and last.count < first - 1:
            missing = f"lines {last.count + 1} to {first - 1}"
            notes.append(f"{older[number]} was not read, as {missing} after it are missing.")
            break
    chain = verified(data)
    return chain._replace(notes=[*notes, *chain.notes])


def _older() -> dict[int, str]:
    with os_errors(Day2Error, "Can't list", evidence()):
        try:
            names = os.listdir(evidence())
        except FileNotFoundError:
            return {}
    found = {name: _OLDER.fullmatch(name) for name in names}
    return {int(match[1]): evidence(name) for name, match in found.items() if match}


def _first_count(data: bytes) -> Optional[int]:
    line = parsed(data.partition(b"\n")[0])
    return line.count if line else None


def _content(where: str) -> bytes:
    if not os.path.lexists(where):
        return b""
    with os_errors(Day2Error, "Can't read", where), open(open_regular(where, Day2Error), "rb") as handle:
        return handle.read()
