# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums up lines of logs in bounded memory, many at a time."""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from itertools import compress, repeat
from typing import Any, NamedTuple, Optional

from .._core.percentiles import LARGEST, Histogram
from .durations import written_duration
from .fields import Columns
from .levels import common_name
from .times import Clock

MOST_NAMES = 500  # operations, and codes, that are counted separately; a histogram is 17 KB
OTHER = "(other)"
_PENDING = 1 << 14  # durations that are collected before they are counted
_LONGEST_NAME = 200
_SUCCESS = (b"", b"false", b"none", b"null", b"-", b"ok", b"success")


class Rules(NamedTuple):
    """Which lines count. `since` and `until` are in seconds since the epoch: since <= time < until.

    `error_levels` are in lower case; each includes other spellings of the same level.
    """

    since: Optional[float]
    until: Optional[float]
    error_levels: frozenset[str]
    error_status: int


class Operation:
    """The sums of one operation; durations in seconds."""

    def __init__(self, name: Optional[str]) -> None:
        self.name = name
        self.count = 0
        self.errors = 0
        self.durations = Histogram()


class Tally:
    """The sums. `errors_by_code` counts errors by code, otherwise by status, otherwise by level."""

    def __init__(self, rules: Rules, clock: Clock) -> None:
        self.rules = rules
        self.clock = clock
        self.total = 0
        self.errors = 0
        self.outside = 0
        self.without_time = 0
        self.without_level = 0  # without status and code, too: unknown whether they are errors
        self.bad_durations = 0
        self.first = math.inf
        self.last = -math.inf
        self.errors_by_code: Counter[str] = Counter()
        self._operations: dict[Optional[str], Operation] = {}
        self._pending: defaultdict[Optional[bytes], list[float]] = defaultdict(list)
        self._pending_count = 0
        self._judged: dict[tuple[Optional[bytes], ...], tuple[Optional[str], bool]] = {}

    def add(self, columns: Columns, seconds: Optional[Sequence[Optional[float]]] = None) -> Optional[list[bool]]:
        """Add lines that have the same fields. Returns which of them are in the window; None for all.

        :param seconds: their times, if the caller has read them.
        """
        if not columns.lines:
            return None
        inside = self._within(columns, seconds)
        if inside is not None:
            columns = _chosen(columns, inside)
            if not columns.lines:
                return inside
        self.total += columns.lines
        self._count(columns)
        self._measure(columns)
        return inside

    def _within(self, columns: Columns, seconds: Optional[Sequence[Optional[float]]]) -> Optional[list[bool]]:
        """Which lines are in the window; None for all. Records the first and last time of those."""
        since = -math.inf if self.rules.since is None else self.rules.since
        until = math.inf if self.rules.until is None else self.rules.until
        everything = since == -math.inf and until == math.inf
        times = columns.time
        if times is None:
            self.without_time += columns.lines
            return None if everything else [False] * columns.lines
        if columns.iso and self.clock.auto:
            # Times within the same second sort wrongly ("00.5Z" before "00Z"), so only whole seconds are compared this
            # way.
            first, last = (self.clock.seconds(one(times)) for one in (min, max))  # type: ignore[type-var]
            if first is not None and last is not None:
                low, high = math.floor(first), math.floor(last)
                if since <= low and high + 1 <= until:
                    self._seen(low, high)
                    return None
                if high + 1 <= since or low >= until:
                    self.outside += columns.lines
                    return [False] * columns.lines
        if seconds is None:
            seconds = [self.clock.seconds(one) for one in times]
        known = [one for one in seconds if one is not None and since <= one < until]
        if known:
            self._seen(math.floor(min(known)), math.floor(max(known)))
        lost = sum(1 for one in seconds if one is None)
        self.without_time += lost
        if everything:
            return None
        self.outside += columns.lines - lost - len(known)
        return [one is not None and since <= one < until for one in seconds]

    def _seen(self, low: float, high: float) -> None:
        self.first = min(self.first, low)
        self.last = max(self.last, high)

    def _count(self, columns: Columns) -> None:
        lists = (columns.operation, columns.status, columns.level, columns.code)
        kinds = Counter(zip(*(repeat(None, columns.lines) if one is None else one for one in lists)))
        for kind, count in kinds.items():
            operation = self._operation(kind[0])
            operation.count += count
            code = self._judge(kind[1:], count)
            if code is not None:
                operation.errors += count
                self.errors += count
                full = len(self.errors_by_code) >= MOST_NAMES and code not in self.errors_by_code
                self.errors_by_code[OTHER if full else code] += count

    def _judge(self, kind: tuple[Optional[bytes], ...], count: int) -> Optional[str]:
        """The key of each line with this status, level and code among errors; None if they are not errors."""
        if kind not in self._judged:
            if len(self._judged) > 10 * MOST_NAMES:
                self._judged.clear()
            self._judged[kind] = (self._error(*kind), self._tells(*kind))
        code, tells = self._judged[kind]
        if not tells:
            self.without_level += count
        return code

    def _tells(self, status: Optional[bytes], level: Optional[bytes], code: Optional[bytes]) -> bool:
        """Whether it is known if the line is an error."""
        name = (_text(level) or "").lower()
        return bool(code or _status(status) is not None or name in self.rules.error_levels or common_name(name))

    def _error(self, status: Optional[bytes], level: Optional[bytes], code: Optional[bytes]) -> Optional[str]:
        """The key of an error; None if it is not an error."""
        number = _status(status)
        if code is not None and not _is_success(code):
            return _text(code)
        if number is not None and number >= self.rules.error_status:
            return _text(status) or OTHER
        name = _text(level) or ""
        common = common_name(name)
        if name.lower() in self.rules.error_levels or common in self.rules.error_levels:
            return common if name.isdecimal() and common else name or OTHER
        return None

    def _measure(self, columns: Columns) -> None:
        texts = columns.duration
        if texts is None:
            return
        operations: Any = repeat(None) if columns.operation is None else columns.operation
        try:
            values: Sequence[float] = list(map(float, texts))  # type: ignore[arg-type]
            good = (
                bool(values)
                and min(values) >= 0
                and max(values) * columns.unit <= LARGEST
                and not math.isnan(sum(values))
            )
        except (TypeError, ValueError):
            good = False
        if good:
            if columns.unit != 1.0:
                values = list(map(columns.unit.__mul__, values))
        else:
            read = [_duration(text, columns.unit) for text in texts]
            self.bad_durations += sum(1 for text, one in zip(texts, read) if one is None and text is not None)
            known = [one is not None for one in read]
            operations = list(compress(operations, known))
            values = [one for one in read if one is not None]
        # pending[operation].append(value) for all of them, without a step of the interpreter
        deque(map(list.append, map(self._pending.__getitem__, operations), values), maxlen=0)
        self._pending_count += len(values)
        if self._pending_count >= _PENDING:
            self._flush()

    def _flush(self) -> None:
        measured: defaultdict[Optional[str], list[float]] = defaultdict(list)
        for name, values in self._pending.items():
            measured[self._operation(name).name].extend(values)
        self._pending.clear()
        for text, values in measured.items():
            self._operations[text].durations.add(values)
        self._pending_count = 0

    def _operation(self, name: Optional[bytes]) -> Operation:
        text = _text(name)
        if text is not None and "?" in text:
            text = text.partition("?")[0]  # a query can contain secrets, and does not make another operation
        if text not in self._operations:
            if len(self._operations) >= MOST_NAMES:
                text = OTHER
            self._operations.setdefault(text, Operation(text))
        return self._operations[text]

    def operations(self) -> list[Operation]:
        """All operations that were counted separately; the one named None has the lines without an operation."""
        self._flush()
        return list(self._operations.values())


def _chosen(columns: Columns, inside: list[bool]) -> Columns:
    lists = {
        role: None if column is None else list(compress(column, inside))
        for role, column in zip(Columns._fields[1:7], columns[1:7])
    }
    return columns._replace(lines=sum(inside), **lists)  # type: ignore[arg-type]


def _text(value: Optional[bytes]) -> Optional[str]:
    return None if value is None else value.decode("utf-8", "replace")[:_LONGEST_NAME]


def _status(value: Optional[bytes]) -> Optional[float]:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _is_success(code: bytes) -> bool:
    """Whether a code means success, such as 00000 of PostgreSQL."""
    return not code.strip(b"0") or code.lower() in _SUCCESS


def _duration(text: Optional[bytes], unit: float) -> Optional[float]:
    """Seconds of "12.5" (in the unit) or "12ms"; None if it is not a duration."""
    if text is None:
        return None
    try:
        value = float(text) * unit
    except ValueError:
        written = written_duration(text.decode("utf-8", "replace"))
        if written is None:
            return None
        value = written
    return value if 0 <= value <= LARGEST else None
