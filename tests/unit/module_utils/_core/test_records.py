# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import enum
import hashlib
import json
import re
from collections import OrderedDict
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.errors import SourceError
from ansible_collections.day2.ops.plugins.module_utils._core.records import (
    CollectionDigest,
    canonical,
    record_digest,
    written,
)

UTC = timezone.utc
EAST = timezone(timedelta(hours=5, minutes=30))
NAN, INFINITY = float("nan"), float("inf")


class Color(enum.IntEnum):
    RED = 7


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (1.0, "1"),
        (Decimal("1.00"), "1"),
        (Decimal("1E+2"), "100"),
        (-0.0, "0"),
        (Decimal("-0.00"), "0"),
        (0, "0"),
        (Color.RED, "7"),
        (0.1, "0.1"),
        (Decimal("0.100"), "0.1"),
        (-1.5, "-1.5"),
        (1e-7, "0.0000001"),
        (1e23, "1" + "0" * 23),
        (10**23, "1" + "0" * 23),
        (Decimal("1E-399"), "0." + "0" * 398 + "1"),
        (Decimal("1.50E-401"), "1.5e-401"),
        (10**399, "1" + "0" * 399),
        (10**400, "1e+400"),
        (Decimal("-12.30E+400"), "-1.23e+401"),
        pytest.param(15 * 10**5000, "1.5e+5001", id="longer than Python writes"),
        (Decimal("1E+999999"), "1e+999999"),
        (2**64 + 1, "18446744073709551617"),
        (9007199254740993, "9007199254740993"),
        (NAN, '{"$number":"NaN"}'),
        (Decimal("sNaN123"), '{"$number":"NaN"}'),
        (INFINITY, '{"$number":"Infinity"}'),
        (Decimal("-Infinity"), '{"$number":"-Infinity"}'),
        ("", '""'),
        (Text("a"), '"a"'),
        ('"\\/\n\x00\x1f\x7f', '"\\"\\\\/\\n\\u0000\\u001f\x7f"'),
        ("\u00e4\U0001f600\u2028", '"\u00e4\U0001f600\u2028"'),
        ("\udc80", '"\\udc80"'),
        ("\\udc80", '"\\\\udc80"'),
        (b"\x00\xff", '{"$bytes":"AP8="}'),
        (bytearray(b"\x00\xff"), '{"$bytes":"AP8="}'),
        (memoryview(b"\x00\xff"), '{"$bytes":"AP8="}'),
        (datetime(2025, 6, 30, 10, tzinfo=UTC), '{"$time":"2025-06-30T10:00:00Z"}'),
        (datetime(2025, 6, 30, 15, 30, 0, 5, tzinfo=EAST), '{"$time":"2025-06-30T10:00:00.000005Z"}'),
        (datetime(2025, 6, 30, 10), '{"$time":"2025-06-30T10:00:00"}'),
        (date(2025, 6, 30), '{"$time":"2025-06-30"}'),
        ([], "[]"),
        ((1, [2.0]), "[1,[2]]"),
        ({}, "{}"),
        ({"b": 1, "a": {"d": [], "c": None}}, '{"a":{"c":null,"d":[]},"b":1}'),
        ({"a b": 1, "a": 2, "a!": 3}, '{"a":2,"a b":1,"a!":3}'),
        ({"\U0001f600": 1, "\uffff": 2}, '{"\uffff":2,"\U0001f600":1}'),  # by code point, not by UTF-16
        (OrderedDict(a=1), '{"a":1}'),
        (MappingProxyType({"a": 1}), '{"a":1}'),
        ({"$bytes": "AP8="}, '{"$$bytes":"AP8="}'),
        ({"$$bytes": "AP8="}, '{"$$$bytes":"AP8="}'),
        ({"100%": "%s", "%d": "%"}, '{"%d":"%","100%":"%s"}'),
        ({f"k{number:03d}": number for number in range(100)}, None),  # more fields than are remembered
    ],
)
def test_canonical_json(value, text):
    if text is None:
        text = json.dumps(value, separators=(",", ":"))
    assert canonical(value) == text.encode("utf-8", "backslashreplace")


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ({1, 2}, "set"),
        (object(), "object"),
        (1j, "complex"),
        (time(12), "time"),
        ({"a": [{"b": {1}}]}, "set"),
        ({1: "a"}, "int"),
        ({10**5000: "a"}, "int"),
        ({"a": 1, 2: "b"}, "int"),
        ({b"a": 1}, "bytes"),
        ({None: 1}, "NoneType"),
        (datetime(1, 1, 1, tzinfo=EAST), "years"),
    ],
)
def test_what_is_not_of_the_model(value, word):
    with pytest.raises(SourceError) as caught:
        canonical(value)
    assert word in str(caught.value)


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"a": inner}, lambda inner: (inner,)])
def test_deep_nesting(wrap):
    value = 1
    for dummy in range(150):
        value = wrap(value)
    canonical(value)
    for dummy in range(100_000):
        value = wrap(value)
    with pytest.raises(SourceError, match="too deeply"):
        canonical(value)


def test_the_digest_of_a_record_and_of_a_collection():
    one, two = {"id": 1, "name": "a"}, {"name": "b", "id": 2.0}
    digests = [int(hashlib.sha256(text).hexdigest(), 16) for text in (b'{"id":1,"name":"a"}', b'{"id":2,"name":"b"}')]
    assert [record_digest(one), record_digest(two)] == digests
    collection = CollectionDigest()
    assert (collection.count, collection.hexdigest()) == (0, "0" * 64)
    for record in (one, two, two):
        collection.add(record)
    assert (collection.count, int(collection.hexdigest(), 16)) == (3, (digests[0] + 2 * digests[1]) % 2**256)


def test_a_rejected_record_is_not_counted():
    collection = CollectionDigest()
    with pytest.raises(SourceError):
        collection.add({"a": {1}})
    assert (collection.count, collection.hexdigest()) == (0, "0" * 64)


# --- properties ----------------------------------------------------------------------------------------------------

any_text = st.text(st.characters(exclude_categories=()), max_size=5)  # lone surrogates and NUL included
numbers = (
    st.integers()
    | st.integers(-(10**420), 10**420)
    | st.floats()
    | st.decimals()
    | st.builds(lambda digits, exponent: Decimal(digits).scaleb(exponent), st.integers(-99, 99), st.integers(-900, 900))
)
times = (
    st.dates()
    | st.datetimes()
    | st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.sampled_from([UTC, EAST]))
)
# Where values that differ look alike, and equal ones do not.
confusable = st.sampled_from(
    [
        None,
        "null",
        True,
        "true",
        1,
        1.0,
        Decimal("1.0"),
        "1",
        b"1",
        10,
        Decimal("1E1"),
        0,
        -0.0,
        "",
        b"",
        [],
        {},
        NAN,
        Decimal("NaN"),
        "NaN",
        INFINITY,
        {"$number": "NaN"},
        {"$$number": "NaN"},
        {"$bytes": "MQ=="},
        {"$bytes": ""},
        date(2025, 1, 1),
        datetime(2025, 1, 1),
        datetime(2025, 1, 1, tzinfo=UTC),
        {"$time": "2025-01-01"},
        "2025-01-01",
        "\ud83d\ude00",
        "\U0001f600",
        "\\ud83d",
        "\ud83d",
        "$",
        {"$": 1},
        {"$$": 1},
        1e23,
        10**23,
        0.1,
        Decimal("0.1"),
    ]
)
values = st.recursive(
    st.none() | st.booleans() | numbers | any_text | st.binary(max_size=5) | times | confusable,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=4,
)
lookalikes = st.recursive(
    confusable,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "$", "$$", "$bytes"]), inner, max_size=2)
    ),
    max_leaves=3,
)


def meaning(value):
    """What a value means, in other words than canonical JSON: equal exactly for values that are the same."""
    if value is None or isinstance(value, (bool, str, bytes)):
        return type(value).__name__, value
    if isinstance(value, (int, float, Decimal)):
        number = Decimal(repr(value) if isinstance(value, float) else value)
        if number.is_nan():
            return ("nan",)
        return ("number", Fraction(number)) if number.is_finite() else ("infinite", number > 0)
    if isinstance(value, datetime):
        return ("clock", value) if value.tzinfo is None else ("instant", value.astimezone(UTC))
    if isinstance(value, date):
        return "date", value
    if isinstance(value, (list, tuple)):
        return "list", tuple(map(meaning, value))
    return "mapping", frozenset((key, meaning(item)) for key, item in value.items())


def disguised(value, random):
    """The same value, held otherwise."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float, Decimal)):
        number = Decimal(repr(value) if isinstance(value, float) else value)
        if not number.is_finite():
            return float(number) if not number.is_snan() else NAN
        digits = number.as_tuple()
        zeros = random.randrange(4)
        more = Decimal((digits.sign, digits.digits + (0,) * zeros, digits.exponent - zeros))
        alternatives = [more] + [int(number)] * (number == number.to_integral_value() and abs(number) < 10**430)
        if -300 < number.adjusted() < 300 and Decimal(repr(float(number))) == number:
            alternatives.append(float(number))
        return random.choice(alternatives)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(random.choice([UTC, EAST]))
    if isinstance(value, (bytes, bytearray)):
        return random.choice([bytes, bytearray, memoryview])(value)
    if isinstance(value, list):
        return random.choice([list, tuple])([disguised(item, random) for item in value])
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: disguised(value[key], random) for key in keys}
    return value


@settings(deadline=None, max_examples=100)
@given(values, st.randoms(use_true_random=False))
def test_the_same_value_has_the_same_bytes(value, random):
    assert canonical(disguised(value, random)) == canonical(value)


@settings(deadline=None, max_examples=50)
@given(values, values)
def test_other_values_have_other_bytes(one, other):
    assert (canonical(one) == canonical(other)) == (meaning(one) == meaning(other))


@settings(deadline=None, max_examples=200)
@given(lookalikes, lookalikes)
@example("\ud83d\ude00", "\U0001f600")
@example({"$bytes": "MQ=="}, b"1")
@example({"$$bytes": "MQ=="}, {"$bytes": "MQ=="})
def test_lookalikes_are_told_apart(one, other):
    assert (canonical(one) == canonical(other)) == (meaning(one) == meaning(other))


def restored(value):
    """A value from its canonical JSON, as any JSON library would read it."""
    if isinstance(value, list):
        return [restored(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, item),) = value.items()
        if key == "$bytes":
            return base64.b64decode(item)
        if key == "$number":
            return Decimal(item)
        if key == "$time":
            if len(item) == 10:
                return date.fromisoformat(item)
            return datetime.fromisoformat(item.replace("Z", "+00:00"))
    return {key[1:] if key.startswith("$") else key: restored(item) for key, item in value.items()}


@settings(deadline=None, max_examples=100)
@given(values)
def test_nothing_is_lost(value):
    data = canonical(value)
    # two lone surrogates in a row are one character to every JSON parser; canonical JSON itself tells them apart
    assume(not re.search(rb"\\ud[89ab]..\\ud[c-f]", data))
    assert meaning(restored(json.loads(data, parse_int=Decimal, parse_float=Decimal))) == meaning(value)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.dictionaries(any_text, values, max_size=3), max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_matter(records, random):
    one, other = CollectionDigest(), CollectionDigest()
    for record in records:
        one.add(record)
    shuffled = [disguised(record, random) for record in records]
    random.shuffle(shuffled)
    for record in shuffled:
        other.add(record)
    assert (one.count, one.hexdigest()) == (other.count, other.hexdigest())


@pytest.mark.parametrize("value", [{1: "a"}, {"a": {None: 1}}, [{b"a": 1}], {("a",): 1}])
def test_keys_of_mappings_are_text(value):
    with pytest.raises(SourceError, match="keys of a mapping in a record are text, not"):
        canonical(value)


@pytest.mark.parametrize(
    "column",
    [
        [1.5, float("nan")],
        [float("inf"), 1.5],
        [-float("inf")],
        [1e300, 1.5],
        [1e-9, 1.5],
        [-0.0, 1.5],
        [0.0, 1.5],
        [2.0, 1.5, -3.0],
        [1, 2, -(10**40)],
        [10**15, 1],
    ],
)
def test_a_column_is_written_as_its_values_are(column):
    assert list(written(column)) == [canonical(value).decode() for value in column]
