# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Joins lines that belong together, such as the lines of a stack trace."""

from __future__ import annotations

import re

from .._core.errors import InvalidRequest
from .unwrap import NEWLINE

_LONGEST = 1 << 20  # bytes of a record; the rest is dropped


def compile_first(expression: str) -> re.Pattern[bytes]:
    """The compiled pattern of a first line. Raises InvalidRequest when it is not valid."""
    try:
        return re.compile(expression.encode("utf-8"))
    except re.error as exc:
        raise InvalidRequest(
            f"multiline is not a valid regular expression: {exc}.", "Use the syntax of Python."
        ) from exc


class Records:
    """Joins the lines of one log file. `joined` counts those that were appended to the one before.

    A record replaces its first line, and empty lines replace the others: positions remain right.

    :param first: pattern of the first line of a record.
    :param for_json: whether lines are read as JSON: lines after a complete object are dropped.
    """

    def __init__(self, first: re.Pattern[bytes], for_json: bool) -> None:
        self.joined = 0
        self._first = first
        self._for_json = for_json
        self._lines: list[bytes] = []
        self._size = 0

    def block(self, data: bytes) -> bytes:
        """Add lines, each preceded by a newline, with one after the last. Returns the records that are complete."""
        done: list[bytes] = []
        for line in data.split(b"\n")[1:-1]:
            if self._lines and not self._first.search(line):
                self._size += len(line)
                self._lines.append(line if self._size <= _LONGEST else b"")
            else:
                done.extend(self._record())
                self._lines, self._size = [line], len(line)
        return _as_block(done)

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
