# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each value as a declared column has it, or the reason why it can't."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.column_types import (
    Codec,
    Column,
    Given,
    codec,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.records.model import Refused
from ansible_collections.day2.ops.plugins.module_utils._stores.records.times import TimeOptions, zone_named

UTC = timezone.utc
BERLIN = TimeOptions(zone=zone_named("Europe/Berlin"))
MS = TimeOptions("ms", UTC)


def codec_of(kind: str, times: TimeOptions = MS, given: Given = Given(), **more: Any) -> Codec:  # noqa: B008
    if kind == "bytea" and times is MS:
        times = TimeOptions()  # its unit says how text stands for bytes
    found = codec(Column("c", kind, kind, **more), times, given)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("kind", "more", "value", "expected"),
    [
        ("bool", {}, "t", True),
        ("bool", {}, 0, False),
        ("bool", {}, "False", False),
        ("bool", {}, True, True),
        ("int4", {}, 1.0, 1),
        ("int4", {}, "-7", -7),
        ("int8", {}, Decimal(2**63 - 1), 2**63 - 1),
        ("numeric", {"size": (10, 2)}, 0.1, Decimal("0.1")),
        ("numeric", {"size": (3, -2)}, 12300, Decimal("123E+2")),
        ("numeric", {}, Decimal("NaN"), Decimal("NaN")),
        ("float8", {}, 3, 3.0),
        ("float8", {}, Decimal("0.1"), 0.1),
        ("float4", {}, 0.1, 0.1),
        ("float4", {}, "1e+20", 1e20),
        ("bytea", {}, "é", "é".encode()),
        ("varchar", {"size": (3,)}, 1.5, "1.5"),
        ("bpchar", {"size": (3,)}, "a  ", "a"),
        ("timestamptz", {}, 1711846800000, datetime(2024, 3, 31, 1, tzinfo=UTC)),
        ("timestamptz", {}, "2024-03-31T01:00:00.5+05:30", datetime(2024, 3, 30, 19, 30, 0, 500000, tzinfo=UTC)),
        ("timestamptz", {}, "2024-03-31", datetime(2024, 3, 31, tzinfo=UTC)),
        ("timestamptz", {}, "infinity", "infinity"),
        ("timestamp", {}, "2024-03-31 01:02:03.000000000", datetime(2024, 3, 31, 1, 2, 3)),
        ("timestamp", {}, date(2024, 3, 31), datetime(2024, 3, 31)),
        ("date", {}, "2024-02-29 00:00:00", date(2024, 2, 29)),
        ("time", {}, "08:00", "08:00:00"),
        ("interval", {}, 1500, 1_500_000),
        ("interval", {}, timedelta(days=-1, microseconds=1), -86_399_999_999),
        ("uuid", {}, "0123456789ABCDEF0123456789ABCDEF", "01234567-89ab-cdef-0123-456789abcdef"),
        ("uuid", {}, bytes(range(16)), "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        ("inet", {}, "10.0.0.1/32", "10.0.0.1"),
        ("inet", {}, "2001:DB8::1/64", "2001:db8::1/64"),
        ("jsonb", {}, '{"a": 1.50, "b": [null]}', {"a": Decimal("1.5"), "b": [None]}),
        ("jsonb", {}, "null", None),
        ("json", {}, '{"a":1,"a":2}', '{"a":1,"a":2}'),
        ("text", {"labels": ("a", "b")}, "b", "b"),
    ],
)
def test_a_value_that_the_column_has_another_form_for_is_converted(
    kind: str, more: dict[str, Any], value: Any, expected: Any
) -> None:
    found = codec_of(kind, **more).model(value)
    assert (found, type(found)) == (expected, type(expected)) or str(found) == str(expected) == "NaN"


@pytest.mark.parametrize(
    ("kind", "more", "value", "reason"),
    [
        ("bool", {}, 2, "is not a boolean"),
        ("bool", {}, 1.0, "is not a boolean"),
        ("int2", {}, 2**15, "is out of range for int2"),
        ("int4", {}, 1.5, "is not an integer"),
        ("int4", {}, "lots", "is not an integer"),
        ("int4", {}, float("nan"), "is not an integer"),
        ("numeric", {"size": (10, 2)}, 1.005, "has more than 2 digits after the decimal point"),
        ("numeric", {"size": (4, 2)}, 100, "has more than 2 digits before the decimal point"),
        ("numeric", {}, "", "is not a number"),
        ("float8", {}, 2**53 + 1, "would be rounded"),
        ("float8", {}, b"", "is not a number"),
        ("float4", {}, 0.123456789012, "has more digits than real can store"),
        ("float4", {}, 1e300, "is out of range for real"),
        ("bytea", {}, 1, "is not bytes"),
        ("text", {}, b"x", "is not text"),
        ("text", {}, "\0", "contains a NUL, which PostgreSQL can't store"),
        ("text", {}, "\udcff", "is not valid UTF-8"),
        ("varchar", {"size": (3,)}, "abcd", "is longer than 3 characters"),
        ("timestamptz", {}, "", "is not a time"),
        ("timestamptz", {}, "2024-02-30", "is not a time"),
        ("timestamp", {}, "2024-03-31 01:02:03.0000001", "is finer than a microsecond"),
        ("timestamp", {"precision": 3}, "2024-03-31 01:02:03.0001", "has more than 3 fractional digits of a second"),
        ("timestamp", {}, "2024-03-31 01:00:00+01", "has an offset, but the column has none"),
        ("timestamptz", {}, "0001-01-01T00:00:00+14:00", "is outside the years 1 to 9999 in UTC"),
        ("timestamptz", {}, 10**20, "is outside the years 1 to 9999"),
        ("date", {}, "2024-03-31 01:00", "has a time of day, but the column has none"),
        ("time", {}, "25:00", "is not a time of day"),
        ("interval", {}, "soon", "is not a number"),
        ("uuid", {}, "", "is not a UUID"),
        ("inet", {}, "localhost", "is not an address"),
        ("jsonb", {}, '{"a":1,"a":2}', "contains a duplicate name in a JSON object"),
        ("jsonb", {}, "NaN", "is not JSON"),
        ("jsonb", {}, r'"\u0000"', "contains a NUL or invalid Unicode, which PostgreSQL can't store in JSON"),
        ("jsonb", {}, "[" * 5000, "is not JSON"),
        ("json", {}, "{", "is not JSON"),
        ("text", {"labels": ("a", "b")}, "c", "is not one of the labels"),
    ],
)
def test_a_value_that_the_column_cannot_hold_is_refused_with_the_reason(
    kind: str, more: dict[str, Any], value: Any, reason: str
) -> None:
    with pytest.raises(Refused) as caught:
        codec_of(kind, **more).model(value)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-07-01 12:00:00", datetime(2024, 7, 1, 10, tzinfo=UTC)),
        ("2024-03-31 02:30:00", "is a time that Europe/Berlin skipped"),
        ("2024-10-27 02:30:00", "is a time that occurred twice in Europe/Berlin"),
        ("2024-10-27 02:30:00+02:00", datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_clock_without_a_zone_is_read_in_the_one_that_is_given(text: str, expected: Any) -> None:
    convert = codec_of("timestamptz", BERLIN).model
    if isinstance(expected, datetime):
        assert convert(text) == expected
    else:
        with pytest.raises(Refused, match=expected):
            convert(text)


@pytest.mark.parametrize(
    ("kind", "value"), [("timestamptz", "2024-07-01 12:00:00"), ("timestamptz", 0), ("interval", 1)]
)
def test_without_unit_and_zone_nothing_is_guessed(kind: str, value: Any) -> None:
    with pytest.raises(Refused, match=r"timezone|set it in types"):
        codec_of(kind, TimeOptions()).model(value)


@pytest.mark.parametrize(
    ("printed", "value", "expected"),
    [(True, 0.1 + 0.2, Decimal("0.3")), (False, 0.1 + 0.2, Decimal("0.30000000000000004"))],
)
def test_of_a_numeric_column_of_sqlite_the_digits_that_it_prints_count(
    printed: bool, value: float, expected: Decimal
) -> None:
    assert codec_of("numeric", given=Given(printed=printed)).model(value) == expected


@pytest.mark.parametrize(
    ("kind", "given", "value", "text"),
    [
        ("jsonb", Given(), '{"a": 1.00}', '{"a": 1.00}'),
        ("jsonb", Given(structured=True), "text", '"text"'),
        ("jsonb", Given(structured=True), [Decimal("1.10"), True, None], "[1.10, true, null]"),
        ("interval", Given(), -1, "-1 days 86399 seconds 999000 microseconds"),
        ("text", Given(), "a\tb\\\n", r"a\tb\\\n"),
        ("bytea", Given(), b"\xff", r"\\xff"),
        ("bool", Given(), "f", "False"),
    ],
)
def test_copy_takes_the_value_as_text(kind: str, given: Given, value: Any, text: str) -> None:
    convert = codec_of(kind, given=given)
    assert convert.text(value, convert.model(value)) == text


def test_an_unknown_type_is_for_what_postgresql_itself_wrote() -> None:
    column = Column("c", "tsvector", "tsvector")
    assert codec(column, TimeOptions(), Given()) is None
    known: Optional[Codec] = codec(column, TimeOptions(), Given(same_type=True))
    assert known is not None
    assert known.model("'a':1") == "'a':1"
