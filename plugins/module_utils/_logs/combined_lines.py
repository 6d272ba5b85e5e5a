# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads access logs in the formats "common" and "combined" of Apache and nginx.

Every line that a server writes counts, including those of clients that sent no request, or not HTTP.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Callable, Optional

from .fields import Columns, Fields
from .tally import Tally

INVALID = b"(invalid request)"

_QUOTED = r'[^"\\]*(?:\\.[^"\\]*)*'
_START = r'\[(?P<time>[^]["]{1,64})\] "'
_STATUS = r'" (?P<status>[0-9]{3}|-) \S+'
# Servers escape quotes within a field by default.
_ESCAPED = re.compile(
    f"(?s){_START}(?P<request>{_QUOTED}){_STATUS}"
    # the main format of nginx has the forwarded address, and $request_time may follow, plain, quoted or as rt=0.005
    rf'(?:(?: "{_QUOTED}" "{_QUOTED}"(?: "{_QUOTED}")??)?'
    r' (?:[A-Za-z_]+=)?"?(?P<duration>[0-9]+\.[0-9]+)"?(?= |\r?$))?'.encode()
)
_BEGIN = re.compile(_START.encode())
_RAW = re.compile(f"(?P<request>.*?){_STATUS}(?:.* (?P<duration>[0-9]+\\.[0-9]+)\\r?$)?".encode())
_BEGINNINGS = 4  # from each, the rest of the line is searched: a client may send thousands of what looks like one
_METHOD = re.compile(rb"[A-Za-z][A-Za-z_-]{0,30}")


class CombinedLines:
    """Adds blocks of lines to a tally.

    :param bad: called with each line that is not in the format.
    """

    def __init__(self, fields: Fields, tally: Tally, bad: Callable[[bytes], None]) -> None:
        self._unit = fields.unit("")
        self._tally = tally
        self._bad = bad

    def block(self, data: bytes) -> int:
        """Add lines, each preceded by a newline, with one after the last. Returns their number."""
        found = []
        lines = data.split(b"\n")[1:-1]
        for line in lines:
            match = _ESCAPED.search(line)
            values = match.group("time", "request", "status", "duration") if match is not None else _raw(line)
            if values:
                found.append(values)
            elif line.strip():
                self._bad(line)
        if found:
            times, requests, statuses, durations = zip(*found)
            operations = [_operation(one) for one in requests]
            self._tally.add(Columns(len(found), times, operations, durations, statuses, unit=self._unit))
        return len(lines)


def _raw(line: bytes) -> tuple[Optional[bytes], ...]:
    """Time, request, status and duration of a line whose quotes nobody has escaped; empty when it is none."""
    for begin in islice(_BEGIN.finditer(line), _BEGINNINGS):
        match = _RAW.match(line, begin.end())
        if match is not None:
            return (begin["time"], *match.group("request", "status", "duration"))
    return ()


def _operation(request: bytes) -> Optional[bytes]:
    """Method and path, without the query, which can contain secrets."""
    method, _space, rest = request.partition(b" ")
    if not rest or not _METHOD.fullmatch(method):
        return INVALID
    return method + b" " + rest.partition(b" ")[0].partition(b"?")[0]
