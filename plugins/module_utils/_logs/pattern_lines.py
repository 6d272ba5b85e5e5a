# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads logs with a regular expression."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Callable, NamedTuple

from .._core.errors import InvalidRequest
from .._core.patterns import NotAPattern, compile_pattern
from .fields import ROLES, Columns, Fields
from .searching import TOO_SLOW, Expression, Search, Searching
from .tally import Tally
from .unwrap import NEWLINE

NOT_FOUND = "it does not match the pattern"


class _Found(NamedTuple):
    """Values of the lines that match the pattern, and the numbers of those that do not."""

    lines: int
    columns: dict[str, Any]
    missing: list[int]


def expression(pattern: str) -> Expression:
    """The expression, whose groups are named for roles. Raises InvalidRequest when it is not valid."""
    try:
        compiled = compile_pattern(pattern.encode("utf-8"))
    except NotAPattern as exc:
        raise InvalidRequest(f"pattern is not a valid regular expression: {exc}.", "Use the syntax of Python.") from exc
    unknown = sorted(set(compiled.groupindex) - set(ROLES))
    if unknown or not compiled.groupindex:
        raise InvalidRequest(
            "pattern has no named groups." if not unknown else f"pattern has an unknown group {unknown[0]}.",
            f"Name groups {', '.join(ROLES)}, for example (?P<duration>[0-9.]+).",
        )
    return Expression(compiled, _Collect(compiled))


class _Collect:
    """Takes lines apart."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self._groups = [(role, pattern.groupindex[role]) for role in ROLES if role in pattern.groupindex]

    def __call__(self, search: Search, lines: Sequence[bytes], at: Callable[[int], object]) -> _Found:
        found, missing = [], []
        for number, line in enumerate(lines):
            at(number)
            if not line.strip():
                continue
            match = search(line.rstrip(b"\r").replace(NEWLINE, b"\n"))
            if match is None:
                missing.append(number)
            else:
                found.append(match)
        return _Found(len(found), {role: [match[group] for match in found] for role, group in self._groups}, missing)


class PatternLines:
    """Adds blocks of lines to a tally. The pattern may match anywhere in a line.

    :param number: number of the pattern among the expressions of `searching`.
    :param bad: called with each line that does not match or takes too long, and the reason.
    """

    def __init__(
        self, searching: Searching, number: int, fields: Fields, tally: Tally, bad: Callable[[bytes, str], None]
    ) -> None:
        self._searching = searching
        self._number = number
        self._unit = fields.unit("")
        self._tally = tally
        self._bad = bad

    def block(self, data: bytes) -> int:
        """Add lines, each preceded by a newline, with one after the last. Returns their number."""
        lines = data.split(b"\n")[1:-1]
        for first, found in self._searching.collect(self._number, lines):
            if found is None:
                self._bad(lines[first], TOO_SLOW)
                continue
            for one in found.missing:
                self._bad(lines[first + one], NOT_FOUND)
            self._tally.add(Columns(found.lines, unit=self._unit, **found.columns))
        return len(lines)
