# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is taken from lines by their shapes is what json.loads says of them, one by one."""

from __future__ import annotations

import json
import math
from collections import Counter
from datetime import datetime, timezone
from typing import Any, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._logs.fields import COMMON, Fields
from ansible_collections.day2.ops.plugins.module_utils._logs.json_lines import JsonLines
from ansible_collections.day2.ops.plugins.module_utils._logs.json_shape import shape_of
from ansible_collections.day2.ops.plugins.module_utils._logs.tally import Rules, Tally
from ansible_collections.day2.ops.plugins.module_utils._logs.times import Clock

LEVELS = frozenset({"error", "critical"})
SINCE, UNTIL = 1_700_000_000.0, 1_700_003_600.0


class Reference:
    """The same sums, as simply as they can be made."""

    def __init__(self, since: Optional[float], until: Optional[float]) -> None:
        self.since, self.until = since, until
        self.total = self.bad = self.outside = self.without_time = self.errors = self.bad_durations = 0
        self.codes: Counter[str] = Counter()
        self.operations: dict[Optional[str], list[int]] = {}
        self.durations: dict[Optional[str], list[float]] = {}

    def line(self, text: bytes) -> None:
        if not text.strip():
            return
        try:
            values = json.loads(text.decode("utf-8", "replace"), parse_int=Number, parse_float=Number)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            self.bad += 1
            return
        found = {role: self.find(values, role) for role in COMMON}
        moment = Clock().seconds(None if found["time"] is None else found["time"].encode("utf-8"))
        self.without_time += moment is None
        if self.since is not None and self.until is not None:
            if moment is None:
                return
            if not self.since <= moment < self.until:
                self.outside += 1
                return
        self.total += 1
        operation = found["operation"]
        operation = operation if operation is None else operation[:200].partition("?")[0]
        sums = self.operations.setdefault(operation, [0, 0])
        sums[0] += 1
        code = self.error(found["status"], found["level"], found["code"])
        if code is not None:
            self.errors += 1
            sums[1] += 1
            self.codes[code] += 1
        if found["duration"] is not None:
            try:
                seconds = float(found["duration"]) * self.unit(values)
            except ValueError:
                seconds = -1
            if 0 <= seconds <= 1e9:
                self.durations.setdefault(operation, []).append(seconds)
            else:
                self.bad_durations += 1

    @staticmethod
    def find(values: dict[str, Any], role: str) -> Optional[str]:
        for name in COMMON[role]:
            value: Any = values.get(name)
            if name not in values and "." in name:
                outer, _dot, inner = name.partition(".")
                value = values[outer].get(inner) if isinstance(values.get(outer), dict) else None
            if value is not None and not isinstance(value, (dict, list)):
                text = str(value).lower() if isinstance(value, bool) else str(value)
                if role == "status" and not (len(text) == 3 and text.isascii() and text.isdecimal() and text[0] != "0"):
                    continue
                return text.encode("utf-8", "backslashreplace").decode("utf-8")
        return None

    @staticmethod
    def unit(values: dict[str, Any]) -> float:
        name = next(
            one
            for one in COMMON["duration"]
            if values.get(one) is not None and not isinstance(values[one], (dict, list))
        )
        return {"ms": 1e-3, "us": 1e-6, "ns": 1e-9}.get(name.rpartition("_")[2], 1.0)

    @staticmethod
    def error(status: Optional[str], level: Optional[str], code: Optional[str]) -> Optional[str]:
        if code is not None and code.strip("0") and code.lower() not in ("false", "-", "ok", "none", "null", "success"):
            return code
        try:
            if status is not None and float(status) >= 500:
                return status
        except ValueError:
            pass
        return level if level is not None and level.lower() in (*LEVELS, "err") else None


class Number(str):
    """A number as it is written."""


def by_shape(data: bytes, since: Optional[float], until: Optional[float], size: int) -> tuple[Tally, list[bytes]]:
    bad: list[bytes] = []
    tally = Tally(Rules(since, until, LEVELS, 500), Clock())
    lines = JsonLines(Fields({}), tally, bad.append)
    split = data.split(b"\n")
    for start in range(0, len(split), size):
        part = split[start : start + size]
        assert lines.block(b"\n" + b"\n".join(part) + b"\n") == len(part)
    return tally, bad


def check(data: bytes, since: Optional[float] = None, until: Optional[float] = None, size: int = 1000) -> Tally:
    reference = Reference(since, until)
    for line in data.split(b"\n"):
        reference.line(line)
    tally, bad = by_shape(data, since, until, size)
    operations = {one.name: one for one in tally.operations()}
    assert len(bad) == reference.bad
    assert tally.total == reference.total
    assert (tally.outside, tally.without_time) == (reference.outside, reference.without_time)
    assert tally.errors == reference.errors
    assert tally.errors_by_code == reference.codes
    assert tally.bad_durations == reference.bad_durations
    assert {name: [one.count, one.errors] for name, one in operations.items()} == reference.operations
    for name, one in operations.items():
        values = reference.durations.get(name, [])
        assert one.durations.count == len(values)
        assert math.isclose(one.durations.total, math.fsum(values), rel_tol=1e-9, abs_tol=1e-15)
    return tally


def iso(seconds: int, fraction: str) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=6) | st.sampled_from(
    ["a", "ERROR", "x?y=1", '"', "\\", "\n"]
)
NUMBER = st.integers(-3, 700) | st.floats(0, 1e6) | st.sampled_from([0, 500, 1e-7, 2.5e9, 10**30])
SCALAR = TEXT | NUMBER | st.booleans() | st.none()
TIME = st.one_of(
    st.floats(SINCE - 5000, UNTIL + 5000),
    st.integers(int(SINCE) - 3, int(SINCE) + 3).map(lambda seconds: iso(seconds, "")),
    st.builds(iso, st.integers(int(SINCE) - 5000, int(UNTIL) + 5000), st.sampled_from([".5", ".123", ""])),
    SCALAR,
)
VALUE = (
    SCALAR | st.lists(SCALAR, max_size=3) | st.dictionaries(st.sampled_from(["code", "level", "z"]), SCALAR, max_size=2)
)
# A value of its own kind for each name, so that lines have shapes in common.
LINE = st.fixed_dictionaries(
    {},
    optional={
        "timestamp": TIME,
        "level": st.sampled_from(["INFO", "ERROR", "critical", "err", None]),
        "message": VALUE,
        "operation": TEXT | st.none(),
        "op": TEXT,
        "status": st.sampled_from([200, 404, 500, "503", 5.5e2, 1, "ok", "0503", "503 x", "\\u0035", True, None]),
        "status_code": st.sampled_from([200, 503, "500", -500, None]),
        "duration_ms": NUMBER | st.sampled_from(["12", "x", None]),
        "duration": NUMBER,
        "error": VALUE,
        "error_code": VALUE,
        "error.code": SCALAR,
        "log": VALUE,
    },
)


def dumped(line: dict[str, Any], ascii_only: bool, wide: bool) -> bytes:
    separators = (", ", ": ") if wide else (",", ":")
    return json.dumps(line, ensure_ascii=ascii_only, separators=separators).encode()


LINES = st.lists(
    st.builds(dumped, LINE, st.booleans(), st.just(True))
    | st.sampled_from([b"", b"{", b"[1]", b'{"a":1}x', b"\xff{}"]),
    min_size=1,
    max_size=12,
).flatmap(lambda some: st.lists(st.sampled_from(some), min_size=1, max_size=60))


@settings(max_examples=100, deadline=None)
@given(LINES, st.booleans(), st.sampled_from([5, 1000]))
def test_any_lines(lines: list[bytes], window: bool, size: int) -> None:
    check(b"\n".join(lines), *((SINCE, UNTIL) if window else (None, None)), size=size)


@settings(max_examples=100, deadline=None)
@given(LINE, st.integers(0, 400), st.binary(min_size=1, max_size=2))
def test_a_damaged_line_is_judged_as_json_does(line: dict[str, Any], place: int, damage: bytes) -> None:
    whole = dumped(line, True, True)
    place %= len(whole) + 1
    damaged = (whole[:place] + damage + whole[place + 1 :]).replace(b"\n", b" ")
    check(b"\n".join([whole] * 4 + [damaged] * 3 + [whole[:place]]), size=2)


TYPICAL = (
    b'{"timestamp": "2023-11-14T22:20:00.123Z", "level": "INFO", "logger": "services.ingest", "message": "done",'
    b' "operation": "create", "status": 200, "duration_ms": 15.663, "tags": ["a", "b"], "http": {"method": "GET"}}'
)


def test_typical_lines_have_a_shape() -> None:
    shape = shape_of(TYPICAL, Fields({}))
    assert shape is not None
    assert shape.roles == ("time", "level", "operation", "status", "duration")
    assert shape.iso
    assert shape.unit == 1e-3
    other = TYPICAL.replace(b"15.663", b"7").replace(b'["a", "b"]', b"[]").replace(b"create", b"delete")
    columns, rest = shape.take(b"\n" + TYPICAL + b"\nnone of it\n" + other + b"\r\n")
    assert rest == b"\nnone of it\n"
    assert columns.operation == [b"create", b"delete"]
    assert columns.duration == [b"15.663", b"7"]


@pytest.mark.parametrize(
    "line",
    [
        b'{"op": "a", "op": "b"}',  # which of them counts is not the shape's to say
        b'{"op": "a\\nb"}',
        b'{"a\\n": 1}',
        b'{"a": [[1]]}',
        b'{"a": ' * 9 + b"1" + b"}" * 9,
        b'{"log.level": "x", "log": {"level": "y"}}',
        b"[]",
        b"{} {}",
        b'{"a": 1,}',
        b'{"a": [1,]}',
        b'{"a" 1}',
        b'{"op": "' + b"x" * 70000 + b'"}',
    ],
)
def test_lines_without_a_shape(line: bytes) -> None:
    assert shape_of(line, Fields({})) is None
    check(b"\n".join([line] * 5))


@pytest.mark.parametrize(
    "number", ["01", "-", "1.", ".5", "+1", "1e", "0x1", "-01.5", "1_0", "NaN", "00", "1e5", "-0", "0.0"]
)
def test_what_is_no_number_is_no_line(number: str) -> None:
    for sample in ("1", "1.5", "1e5"):
        lines = [b'{"a": %s, "op": "x"}' % one.encode() for one in (sample, sample, sample, number, number)]
        check(b"\n".join(lines), size=3)


def test_a_field_of_somebody_elses_name_is_not_taken() -> None:
    """The text of a message can look like a member."""
    line = b'{"message": "\\"operation\\": \\"evil\\", ", "operation": "good", "nested": {"status": 500}}'
    tally = check(b"\n".join([line] * 10))
    assert [one.name for one in tally.operations()] == ["good"]
    assert tally.errors == 0


@pytest.mark.parametrize(
    ("first", "second"), [('"ok"', '"503"'), ('"503"', '"ok"'), ("1", "503"), ("503", "1"), ("true", "503")]
)
def test_the_first_status_of_http_counts(first: str, second: str) -> None:
    """Lines with the same members, in which one or another is taken."""
    line = b'{"status": %s, "status_code": 200}'
    lines = [line % one.encode() for one in (*[first] * 10, *[second] * 10, *[first] * 10)]
    tally = check(b"\n".join(lines), size=5)
    assert tally.errors in (10, 20)


def test_more_shapes_than_are_kept() -> None:
    lines = [b'{"field%d": 1, "operation": "op", "duration": %d}' % (number % 40, number) for number in range(2000)]
    tally = check(b"\n".join(lines), size=500)
    assert tally.total == 2000


def test_names_are_bounded() -> None:
    tally = Tally(Rules(None, None, LEVELS, 500), Clock())
    lines = JsonLines(Fields({}), tally, lambda line: None)
    for start in range(0, 3000, 100):
        block = b"\n".join(
            b'{"op": "o%d", "error_code": "E%d", "duration": 1}' % (one, one) for one in range(start, start + 100)
        )
        lines.block(b"\n" + block + b"\n")
    operations = {one.name: one for one in tally.operations()}
    assert len(operations) == 501
    assert operations["(other)"].count == operations["(other)"].durations.count == 2500
    assert len(tally.errors_by_code) == 501
    assert sum(tally.errors_by_code.values()) == 3000


def test_chosen_fields() -> None:
    tally = Tally(Rules(None, None, LEVELS, 500), Clock())
    fields = Fields({"operation": "req.name", "duration": "took"}, "us")
    lines = JsonLines(fields, tally, lambda line: None)
    lines.block(b'\n{"operation": "no", "req": {"name": "yes"}, "took": 1500}' * 10 + b"\n")
    (one,) = tally.operations()
    assert (one.name, one.count) == ("yes", 10)
    assert one.durations.mean == pytest.approx(0.0015)
