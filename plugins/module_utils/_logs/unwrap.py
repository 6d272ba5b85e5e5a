# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes the envelopes that log drivers and collectors put around lines of an application, line by line.

Supported are json-file of Docker, files of containerd (CRI), events of CloudWatch Logs and its exports, journalctl -o
json, and JSON after a time of syslog. A line of JSON without a time gets that of the envelope.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple, Optional

from .fields import WRAPPER_TIME

NEWLINE = b"\r"  # within a line that was split: white space for JSON, too

_LOOKED_AT = 5  # lines of a block
_PART = 16384  # bytes: Docker splits longer lines
_ISO = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_SYSLOG = rb"[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}"
_CRI = re.compile(b"(" + _ISO + rb") (stdout|stderr) ([FP])(?::\S*)? (.*)", re.DOTALL)
_STAMPED = re.compile(rb"(?:<[0-9]+>(?:1 )?)?(" + _ISO + b"|" + _SYSLOG + rb") [^{]{0,300}(\{.*\})\s*", re.DOTALL)
# A line of the application may have some of these names, but has others as well.
_DOCKER = {"log", "time", "attrs"}
_CLOUDWATCH = {"timestamp", "message", "id", "eventId", "ingestionTime", "logStreamName", "logGroupName"}
_AWS_LOGS = {"events", "searchedLogStreams", "nextToken", "nextForwardToken", "nextBackwardToken"}


class _Wrapped(NamedTuple):
    """The envelope: `partial` if the line continues in the next one of that stream."""

    text: bytes
    time: Any
    stream: Any = None
    partial: bool = False
    priority: Any = None


class Unwrapper:
    """Collects the parts of lines that were split until they are complete.

    :param for_json: whether lines are read as JSON; lines without JSON then remain unchanged.
    """

    def __init__(self, for_json: bool) -> None:
        self._for_json = for_json
        self._parts: dict[Any, list[bytes]] = {}

    def block(self, data: bytes) -> bytes:
        """Unwrap lines, each preceded by a newline, with one after the last. Returns as many lines.

        Only of the output of "aws logs", each event becomes a line.
        """
        first = _first(data)
        if any(b'"events":' in line for line in first):
            lines = [part for line in data.split(b"\n")[1:-1] for part in _events(line)]
            data = b"\n" + b"\n".join(lines) + b"\n"
            first = _first(data)
        if not self._parts and all(self._open(line) is None for line in first):
            return data
        return b"\n" + b"\n".join([self._line(line) for line in data.split(b"\n")[1:-1]]) + b"\n"

    def flush(self) -> bytes:
        """Parts of lines that are incomplete at the end of a file."""
        lines = [b"".join(parts).rstrip(b"\r\n").replace(b"\n", NEWLINE) for parts in self._parts.values()]
        self._parts.clear()
        return b"\n" + b"\n".join(lines) + b"\n" if lines else b""

    def _line(self, line: bytes) -> bytes:
        wrapped = self._open(line)
        if wrapped is None:
            return line
        if wrapped.partial:
            self._parts.setdefault(wrapped.stream, []).append(wrapped.text)
            return b""
        text = b"".join([*self._parts.pop(wrapped.stream, ()), wrapped.text])
        text = text.rstrip(b"\r\n").replace(b"\n", NEWLINE)
        if not self._for_json:
            return text
        return _with_time(text, wrapped) if text.lstrip().startswith(b"{") else line

    def _open(self, line: bytes) -> Optional[_Wrapped]:
        if line[:1] == b"{":
            return _object(line)
        match = _CRI.match(line)
        if match:
            return _Wrapped(match[4], match[1].decode("ascii"), match[2], match[3] == b"P")
        match = _STAMPED.fullmatch(line) if self._for_json else None
        return _Wrapped(match[2], match[1].decode("ascii")) if match else None


def _first(data: bytes) -> list[bytes]:
    """Some lines of a block, by which it is judged: to look at all of them takes a tenth of the time of a report."""
    return [line for line in data.split(b"\n", 4 * _LOOKED_AT + 1)[1:-1] if line.strip()][:_LOOKED_AT]


def _events(line: bytes) -> list[bytes]:
    """The events in a line of the output of "aws logs"; any other line unchanged."""
    if not line.startswith(b"{"):
        return [line]
    try:
        output = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return [line]
    events = output.get("events")
    known = isinstance(events, list) and all(isinstance(one, dict) and set(one) <= _CLOUDWATCH for one in events)
    if not known or not set(output) <= _AWS_LOGS:
        return [line]
    return [json.dumps(one).encode("ascii") for one in events]


def _object(line: bytes) -> Optional[_Wrapped]:
    try:
        values = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    if isinstance(values.get("log"), str) and (values.get("stream") in ("stdout", "stderr") or set(values) <= _DOCKER):
        text = _bytes(values["log"])
        split = len(text) >= _PART and not text.endswith(b"\n")
        return _Wrapped(text, values.get("time"), str(values.get("stream")), split)
    if (
        isinstance(values.get("message"), str)
        and isinstance(values.get("timestamp"), int)
        and set(values) <= _CLOUDWATCH
    ):
        return _Wrapped(_bytes(values["message"]), values["timestamp"])
    if isinstance(values.get("MESSAGE"), str) and "__REALTIME_TIMESTAMP" in values:
        return _Wrapped(_bytes(values["MESSAGE"]), values["__REALTIME_TIMESTAMP"], priority=values.get("PRIORITY"))
    return None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _with_time(text: bytes, wrapped: _Wrapped) -> bytes:
    """A JSON object with one more member. Anything else is returned unchanged."""
    around = {WRAPPER_TIME: wrapped.time, "PRIORITY": wrapped.priority}
    members = json.dumps({name: value for name, value in around.items() if value is not None})[1:-1].encode("ascii")
    head = text.rstrip()
    if not members or not head.endswith(b"}"):
        return text
    head = head[:-1].rstrip()
    return head + (b"" if head.endswith(b"{") else b", ") + members + b"}"
