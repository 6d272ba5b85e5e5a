# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chain of a journal of evidence: each line has the SHA-256 of the line before (docs/EVIDENCE.md).

Nothing here reads or writes a file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from .._core.host_key import canonical

FIRST = "0" * 64  # what the first line of a journal has for the digest of the line before it
BEGUN, CUT, TORN = "begun", "cut", "torn"  # events of the journal itself
_LONGEST = 64 << 10  # bytes of a line


class Line(NamedTuple):
    """A line of the journal. `digest` is the SHA-256 of its bytes, without the line break."""

    count: int  # type: ignore[assignment]  # as in the file; the method of tuples is not used
    digest: str
    entry: dict[str, Any]


class Head(NamedTuple):
    """The last line of a journal: its number, its digest and its time. It stands for all lines before it."""

    journal: str
    count: int  # type: ignore[assignment]  # as in the file; the method of tuples is not used
    digest: str
    time: str


class Fault(NamedTuple):
    """Where a chain is broken: the number of the line (0: of none), and why, as a sentence."""

    line: int
    why: str


class Chain(NamedTuple):
    """The lines of a journal up to the first fault, and sentences about what is unusual but no fault."""

    lines: Sequence[Line]
    fault: Optional[Fault]
    notes: Sequence[str]
    unended: bytes  # what follows the last line: a run was killed while it wrote

    @property
    def head(self) -> Optional[Head]:
        """None: there is no line."""
        return head_of(self.lines[-1]) if self.lines else None


def head_of(line: Line) -> Head:
    """The head of a journal that ends with this line."""
    return Head(line.entry["journal"], line.count, line.digest, line.entry["time"])


def encode(entry: dict[str, Any]) -> bytes:
    """The bytes of a line, without the line break. Equal entries have equal bytes."""
    return canonical(entry).encode("ascii")


def digest_of(line: bytes) -> str:
    """What the next line has as `previous`."""
    return hashlib.sha256(line).hexdigest()


def parsed(line: bytes) -> Optional[Line]:
    """A parsed line; None if it is not a line, or not in the form in which the journal writes lines."""
    try:
        entry = json.loads(line) if len(line) <= _LONGEST else None
        if not isinstance(entry, dict) or encode(entry) != line:
            return None
    except (ValueError, RecursionError):
        return None
    texts = all(isinstance(entry.get(key), str) for key in ("journal", "previous", "event", "time", "host"))
    count = entry.get("count")
    if not texts or isinstance(count, bool) or not isinstance(count, int) or count < 1:
        return None
    return Line(count, digest_of(line), entry)


def verified(data: bytes) -> Chain:
    """Verify each line against the one before it."""
    *whole, rest = data.split(b"\n")
    last = parsed(rest) if rest else None
    if last is not None:  # only its line break is missing
        whole.append(rest)
        rest = b""
    lines: list[Line] = []
    notes: list[str] = []
    torn: list[bytes] = []
    for raw in whole:
        line = parsed(raw)
        if line is None:
            torn.append(raw)
            continue
        why = _torn_fault(line, torn) or _fault(lines[-1] if lines else None, line)
        if why:
            return Chain(lines, why, notes, b"")
        if torn:
            notes.append(
                f"A run was interrupted while it wrote line {line.count}. The incomplete text is still in the file, "
                "and the line that has this number now records its digest."
            )
            torn = []
        lines.append(line)
    if torn:
        number = lines[-1].count + 1 if lines else 1
        after = f"The text after line {number - 1}" if lines else "The beginning of the file"
        return Chain(lines, Fault(number, f"{after} is not a line of a journal."), notes, b"")
    fault = _start_fault(lines)
    if rest:
        notes.append("A run was interrupted while it wrote the last line. The next run records this.")
    return Chain(lines, fault, notes, rest)


def _torn_fault(line: Line, torn: Sequence[bytes]) -> Optional[Fault]:
    """Text that is not a line must be recorded by the line after it."""
    if not torn:
        return None
    left = b"\n".join(torn)
    if line.entry["event"] in (TORN, BEGUN) and line.entry.get("sha256") == digest_of(left):
        return None
    return Fault(line.count - 1 or 1, f"The text before line {line.count} is not a line of a journal: it was changed.")


def _fault(before: Optional[Line], line: Line) -> Optional[Fault]:
    if before is None:
        if line.count == 1 and (line.entry["previous"] != FIRST or line.entry["event"] != BEGUN):
            return Fault(1, "The first line is not the first line of a journal.")
        return None
    if line.count != before.count + 1:
        return Fault(
            before.count + 1,
            f"Line {line.count} follows line {before.count}: lines were removed, added or reordered.",
        )
    if line.entry["previous"] != before.digest:
        return Fault(
            before.count,
            f"Line {line.count} does not have the digest of line {before.count}: one of them was changed or inserted.",
        )
    if line.entry["journal"] != before.entry["journal"]:
        return Fault(line.count, f"Line {line.count} belongs to another journal.")
    return None


def _start_fault(lines: Sequence[Line]) -> Optional[Fault]:
    """Lines at the beginning may be missing only if a later line says that they were cut."""
    if not lines or lines[0].count == 1:
        return None
    first = lines[0]
    wanted = (first.count - 1, first.entry["previous"])
    if any(
        one.entry["event"] == CUT and (one.entry.get("through"), one.entry.get("digest")) == wanted for one in lines
    ):
        return None
    return Fault(
        first.count - 1, f"The journal begins with line {first.count}, but has no cut line for the lines before it."
    )
