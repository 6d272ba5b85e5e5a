# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where lines stand in their files: those that can't be read are told by path and number."""

from __future__ import annotations

from typing import Any, Protocol

_SHOWN = 5  # lines that can't be read, by their positions
_SHOWN_BYTES = 200
_TOO_LONG = "it is longer than 4 MiB"


class Lines(Protocol):
    """A reader of one format."""

    def block(self, data: bytes) -> int:
        """Add lines, each with a newline before it, and one after the last. Returns how many they are."""


class Unparsable:
    """Counts lines that can't be read, and finds where the first of them stand."""

    def __init__(self, show: bool) -> None:
        self.count = 0
        self.first: list[dict[str, Any]] = []
        self._show = show
        self._lines: dict[bytes, list[str]] = {}  # why, for each time that the line was added

    def add(self, line: bytes, reason: str) -> None:
        """One more, whose place is found by `locate`."""
        self.count += 1
        if len(self.first) < _SHOWN:
            self._lines.setdefault(line, []).append(reason)

    def add_at(self, path: str, number: int, line: bytes, reason: str) -> None:
        """One more, at this place."""
        self.count += 1
        self._show_at(path, number, line, reason)

    def locate(self, path: str, data: bytes, first: int) -> None:
        """Find the lines that this block has added; its first line has the number `first`."""
        if not self._lines:
            return
        for number, line in enumerate(data.split(b"\n"), first - 1):
            if self._lines.get(line):
                self._show_at(path, number, line, self._lines[line].pop())
        self._lines.clear()

    def _show_at(self, path: str, number: int, line: bytes, reason: str) -> None:
        if len(self.first) < _SHOWN:
            shown = {"text": line[:_SHOWN_BYTES].decode("utf-8", "replace")} if self._show else {}
            self.first.append({"path": path, "line": number, "reason": reason, **shown})


class Position:
    """Gives lines to a reader, and knows which numbers they have in their file."""

    def __init__(self, path: str, lines: Lines, bad: Unparsable) -> None:
        self._path = path
        self._lines = lines
        self._bad = bad
        self._number = 1

    def take(self, data: bytes) -> None:
        """Read lines, each with a newline before it, and one after the last; b"" are none."""
        if data:
            try:
                count = self._lines.block(data)
            finally:
                self._bad.locate(self._path, data, self._number)
            self._number += count

    def skip(self, data: bytes) -> None:
        """Count the beginning of a line that is too long to be read."""
        self._bad.add(data.strip(b"\n"), _TOO_LONG)
        self._bad.locate(self._path, data, self._number)
        self._number += 1

    def bad(self, line: bytes, number: int, reason: str) -> None:
        """Count a line that a reader will not see; its number begins at 0."""
        self._bad.add_at(self._path, number + 1, line, reason)
