# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads logs with a regular expression."""

from __future__ import annotations

import re
from typing import Any, Callable

from .._core.errors import InvalidRequest
from .fields import ROLES, Columns, Fields
from .tally import Tally
from .unwrap import NEWLINE


def compile_pattern(pattern: str) -> re.Pattern[bytes]:
    """The compiled expression, whose groups are named for roles. Raises InvalidRequest when it is not valid."""
    try:
        expression = re.compile(pattern.encode("utf-8"))
    except re.error as exc:
        raise InvalidRequest(f"pattern is not a valid regular expression: {exc}.", "Use the syntax of Python.") from exc
    unknown = sorted(set(expression.groupindex) - set(ROLES))
    if unknown or not expression.groupindex:
        raise InvalidRequest(
            "pattern has no named groups." if not unknown else f"pattern has an unknown group {unknown[0]}.",
            f"Name groups {', '.join(ROLES)}, for example (?P<duration>[0-9.]+).",
        )
    return expression


class PatternLines:
    """Adds blocks of lines to a tally. The pattern may match anywhere in a line.

    :param bad: called with each line that it does not match.
    """

    def __init__(self, pattern: re.Pattern[bytes], fields: Fields, tally: Tally, bad: Callable[[bytes], None]) -> None:
        self._search = pattern.search
        self._numbers = [(role, pattern.groupindex[role]) for role in ROLES if role in pattern.groupindex]
        self._unit = fields.unit("")
        self._tally = tally
        self._bad = bad

    def block(self, data: bytes) -> int:
        """Add lines, each preceded by a newline, with one after the last. Returns their number."""
        found = []
        lines = data.split(b"\n")[1:-1]
        for line in lines:
            if not line.strip():
                continue
            match = self._search(line.rstrip(b"\r").replace(NEWLINE, b"\n"))
            if match is None:
                self._bad(line)
            else:
                found.append(match)
        lists: dict[str, Any] = {role: [match[number] for match in found] for role, number in self._numbers}
        self._tally.add(Columns(len(found), unit=self._unit, **lists))
        return len(lines)
