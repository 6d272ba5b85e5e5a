# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Joins lines that belong together, such as the lines of a stack trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

from .._core.errors import InvalidRequest
from .._core.patterns import NotAPattern, compile_pattern
from .searching import TOO_SLOW, Expression, Search, Searching
from .unwrap import NEWLINE

_LONGEST = 1 << 20  # bytes of a record; the rest is dropped


def expression(first: str) -> Expression:
    """The pattern of a first line. Raises InvalidRequest when it is not valid."""
    try:
        return Expression(compile_pattern(first.encode("utf-8")), _starts)
    except NotAPattern as exc:
        raise InvalidRequest(
            f"multiline is not a valid regular expression: {exc}.", "Use the syntax of Python."
        ) from exc


def _starts(search: Search, lines: Sequence[bytes], at: Callable[[int], object]) -> list[bool]:
    found = []
    for number, line in enumerate(lines):
        at(number)
        found.append(search(line) is not None)
    return found


class Records:
    """Joins the lines of one log file. `joined` counts those that were appended to the one before.

    A record replaces its first line, and empty lines replace the others: positions remain right.

    :param number: number of the expression for first lines among those of `searching`.
    :param for_json: whether lines are read as JSON: lines after a complete object are dropped.
    :param bad: called with each line that takes too long, its number, from 0, and the reason.
    """

    def __init__(
        self, searching: Searching, number: int, for_json: bool, bad: Callable[[bytes, int, str], None]
    ) -> None:
        self.joined = 0
        self._searching = searching
        self._number = number
        self._for_json = for_json
        self._bad = bad
        self._lines: list[bytes] = []
        self._size = 0
        self._count = 0  # of the lines that were seen

    def block(self, data: bytes) -> bytes:
        """Add lines, each preceded by a newline, with one after the last. Returns the records that are complete."""
        done: list[bytes] = []
        lines = data.split(b"\n")[1:-1]
        for first, starts in self._searching.collect(self._number, lines):
            if starts is None:
                # It may be the first line of a record or not, so that what follows is a record of its own.
                self._bad(lines[first], self._count + first, TOO_SLOW)
                done += [*self._record(), b""]
                self._lines = []
                continue
            for line, start in zip(lines[first:], starts):
                self._add(line, start, done)
        self._count += len(lines)
        return _as_block(done)

    def _add(self, line: bytes, start: bool, done: list[bytes]) -> None:
        if self._lines and not start:
            self._size += len(line)
            self._lines.append(line if self._size <= _LONGEST else b"")
        else:
            done.extend(self._record())
            self._lines, self._size = [line], len(line)

    def skip(self) -> None:
        """A line was too long to be looked at."""
        self._count += 1

    def flush(self) -> bytes:
        """The last record of a file."""
        done = self._record()
        self._lines = []
        return _as_block(done)

    def _record(self) -> list[bytes]:
        if not self._lines:
            return []
        others = len(self._lines) - 1
        self.joined += others
        complete = self._for_json and self._lines[0].rstrip().endswith(b"}")
        whole = self._lines[0] if complete else NEWLINE.join(line.rstrip(b"\r") for line in self._lines)
        return [whole] + [b""] * others


def _as_block(lines: list[bytes]) -> bytes:
    return b"\n" + b"\n".join(lines) + b"\n" if lines else b""
