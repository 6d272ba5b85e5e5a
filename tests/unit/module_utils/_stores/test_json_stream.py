# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scanner: the same verdicts as json.loads, exact positions, errors with a place, bounded memory."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.errors import SourceError
from ansible_collections.day2.ops.plugins.module_utils._stores.documents import stream as json_stream
from ansible_collections.day2.ops.plugins.module_utils._stores.documents.document import Document
from ansible_collections.day2.ops.plugins.module_utils._stores.documents.stream import records, scan

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([10**50, "\0", '"', "\\", "😀", "\ud800", "[{", "]}", 1e-300])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5)
)
FORMATS = st.sampled_from(
    [{}, {"ensure_ascii": False}, {"indent": 2}, {"indent": "\t", "ensure_ascii": False}, {"separators": (",", ":")}]
)
# Small windows cut every token somewhere.
WINDOWS = st.sampled_from([16, 23, 64, 300, 512 * 1024])


def encode(value: Any, options: dict[str, Any]) -> bytes:
    return json.dumps(value, **options).encode("utf-8", "replace")


def scan_bytes(data: bytes, window: int = json_stream.WINDOW, step: int = 1 << 30) -> Document:
    stream = io.BytesIO(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "WINDOW", window)
        if window < 1000:
            patch.setattr(json_stream, "_MANY", 1)
        return scan(lambda size: stream.read(min(size, step)), "/data/doc.json", "doc")


def is_valid(data: bytes) -> bool:
    try:
        json.loads(data.decode("utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8"))
    except ValueError:
        return False
    return True


def pairs_of(data: bytes) -> Any:
    """The document with mappings as tuples of pairs, so that equal keys stay."""
    return json.loads(data.decode("utf-8-sig"), object_pairs_hook=tuple)


@settings(max_examples=60, deadline=None)
@given(VALUES, FORMATS, WINDOWS, st.sampled_from([1, 5, 1 << 30]), st.sampled_from([b"", b"\xef\xbb\xbf", b" \r\n\t"]))
def test_members_are_where_the_scanner_says(value: Any, options: Any, window: int, step: int, lead: bytes) -> None:
    data = lead + encode(value, options) + b"\n"
    document = scan_bytes(data, window, step)
    root = document.root
    assert repr(pairs_of(data[root.start : root.end])) == repr(pairs_of(data))
    if not isinstance(value, dict):
        assert document.members is None
        expected = ("list", len(value)) if isinstance(value, list) else ("value", 0)
        assert (root.kind, root.records) == expected
        return
    if document.members is None:
        assert any(len(key) > window // 16 for key in value)
        return
    pairs = pairs_of(data)
    assert len(document.members) == len(pairs)
    for member, (key, inner) in zip(document.members, pairs):
        assert member.name == key.encode("utf-8", "backslashreplace").decode()
        assert repr(pairs_of(data[member.start : member.end])) == repr(inner)
        token, colon = data[member.key : member.start].rstrip()[:-1], data[member.key : member.start].rstrip()[-1:]
        assert (json.loads(token), colon) == (key, b":")
        assert data[member.lead - 1 : member.lead] in (b"{", b",")
        assert not data[member.lead : member.key].strip()
        json_value = json.loads(data[member.start : member.end])
        kinds = {list: "list", dict: "mapping"}
        assert member.kind == kinds.get(type(json_value), "value")
        assert member.records == (len(inner) if isinstance(json_value, (list, dict)) else 0)


@settings(max_examples=150, deadline=None)
@given(VALUES, FORMATS, WINDOWS, st.data())
def test_damaged_documents_get_the_verdict_of_json_loads(value: Any, options: Any, window: int, data: Any) -> None:
    document = bytearray(encode(value, options))
    place = data.draw(st.integers(0, len(document) - 1))
    how = data.draw(st.sampled_from(["cut", "flip", "drop", "insert"]))
    if how == "cut":
        del document[place:]
    elif how == "flip":
        document[place] ^= 1 << data.draw(st.integers(0, 7))
    elif how == "drop":
        del document[place]
    else:
        document[place:place] = data.draw(st.sampled_from(list(b',:[]{}"\\ 01.-eE+tn\0\xc3')), label="byte").to_bytes(
            1, "big"
        )
    try:
        scan_bytes(bytes(document), window)
        verdict = True
    except SourceError:
        verdict = False
    assert verdict == is_valid(bytes(document))


# Members that look alike, and hold what looks like the place between two of them.
ALIKE = st.sampled_from([{"a": 1}, {"$number": "NaN"}, [{}, {"b": {}}], "}, {", '},"a'])
RECORDS = st.lists(
    st.dictionaries(st.sampled_from("abc"), SCALARS | ALIKE),
    min_size=2,
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(RECORDS, st.booleans(), FORMATS, st.sampled_from([64, 150, 300]), st.data())
def test_windows_of_records_are_read_as_they_are(
    members: Any, keyed: bool, options: Any, window: int, data: Any
) -> None:
    keys = data.draw(st.lists(st.sampled_from("xyz"), min_size=len(members), max_size=len(members))) if keyed else []
    separator, colon = options.get("separators", (", ", ": "))
    texts = [json.dumps(member, **options) for member in members]
    texts = [json.dumps(key) + colon + text for key, text in zip(keys, texts)] if keyed else texts
    written = ("{%s}" if keyed else "[%s]") % separator.join(texts)
    document = (f'{{"first": {written}, "second": [{{}}, {{}}, {{"a": 1}}]}}').encode("utf-8", "replace")
    found = scan_bytes(document, window)
    first, second = found.members or ()
    assert (first.kind, first.records) == ("mapping" if keyed else "list", len(members))
    assert (second.kind, second.records) == ("list", 3)
    assert document[second.start : second.end] == b'[{}, {}, {"a": 1}]'

    expected = list(records(io.BytesIO(document[first.start : first.end]).read, "/data/doc.json"))
    bounds = [(first.start, 0), *first.marks, (first.end, first.records)]
    seen: list[Any] = []
    for (start, done), (end, until) in zip(bounds, bounds[1:]):
        part = document[start:end]
        some = json_stream.whole(part, first.kind, until - done, start == first.start, end == first.end)
        here = keys[done:until]
        assert (some is None) == (until == done or len(set(here)) < len(here))
        seen += zip(*some) if some is not None else expected[done:until]
    assert repr(seen) == repr(expected)


NUMBERS = ["0", "-0", "1.5", "1e5", "1E-05", "-1.25e+10", "NaN", "-Infinity", "01", "1.", ".5", "1e", "1e+", "-", "+1"]
LITERALS = ["tru", "nul", "Nan", "-NaN", "Infinit", '"\\x"', '"\\u12g4"', '"\t"', "'a'", "[1,]", '{"a":1,}', "{a:1}"]


@pytest.mark.parametrize("text", [*NUMBERS, *LITERALS, "{}", "[]", "[[],{}]", '"\x7f"', "[1 2]", '{"a" 1}', "[}", "{]"])
@pytest.mark.parametrize("frame", ["%s", "[%s]", '{"k": [1, %s]}', "[%s x", '{"a": %s, "b": [0]}', '{"long key": %s}'])
@pytest.mark.parametrize("window", [16, 1 << 19])
def test_tokens_get_the_verdict_of_json_loads(text: str, frame: str, window: int) -> None:
    data = (frame % text).encode()
    try:
        scan_bytes(data, window)
        verdict = True
    except SourceError:
        verdict = False
    assert verdict == is_valid(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "/data/doc.json is empty."),
        (b" \n\t\r\n", "/data/doc.json contains only white space."),
        (
            b'{"requests": {"a": {"x": 1},\n  "b": {"x"',
            'is incomplete: it ends at line 2, column 12 (byte 40), in key "requests", where a colon is expected.',
        ),
        (
            '{"ä": 1,\n "b": ["é😀"; 2]}'.encode(),
            """expected a comma or ], found ';' at line 2, column 12 (byte 25), in key "b".""",
        ),
        (b'{"a": [1, 2', "where a comma or ] is expected."),
        (b'{"a": tr', 'is incomplete: it ends at line 1, column 9 (byte 8), in key "a", where a value is expected.'),
        (b'["abc', "where the end of a string is expected."),
        (b'["ab\\u00', "where a valid escape is expected."),
        (b'["\xc3', "where the rest of a character is expected."),
        (b'["\xff"]', "is not JSON in UTF-8: byte 0xff at line 1, column 3 (byte 2)."),
        ('{"a": 1}'.encode("utf-16"), "is not JSON in UTF-8"),
        (b'{"a": 1} x', "expected the end of the document, found 'x' at line 1, column 10 (byte 9)."),
        (b"SQLite format 3\0", "expected a value, found 'S' at line 1, column 1 (byte 0)."),
        (b"\0\0\0\0", r"found '\x00'"),
    ],
)
def test_errors_say_what_and_where(data: bytes, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        scan_bytes(data)
    assert message in caught.value.message
    assert caught.value.hint


def test_places_are_right_far_behind_the_window() -> None:
    data = ('{"a": [\n' + '"é😀",\n' * 5000 + '"é" x]}').encode()
    with pytest.raises(SourceError, match=rf"at line 5002, column 5 \(byte {len(data) - 3}\)"):
        scan_bytes(data, 64)


@pytest.mark.parametrize("padding", range(12))
def test_wrong_bytes_are_placed_wherever_the_window_cuts(padding: int) -> None:
    data = b'["' + b"x" * padding + b"\xe6\xbc(" + b'"]'
    with pytest.raises(SourceError, match=rf"byte 0xe6 at line 1, column {padding + 3} \(byte {padding + 2}\)"):
        scan_bytes(data, 8, step=1)


def test_what_python_can_not_convert_is_only_read() -> None:
    data = b'{"n": [%s, 1.%s, {"m": -%s}], "o": []}' % ((b"7" * 5000,) * 3)
    assert [(one.name, one.records) for one in scan_bytes(data).collections()] == [("n", 3), ("o", 0)]


@pytest.mark.parametrize("patience", [0, 16])
def test_deep_nesting(patience: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "_PATIENCE", patience)
    deep = b'[{"a":' * 4000 + b"1" + b"}]" * 4000
    document = scan_bytes(b'{"x": [%s, %s], "y": [1, 2, 3]}' % (deep, deep), 4096)
    assert [(one.name, one.records) for one in document.collections()] == [("x", 2), ("y", 3)]


def test_too_deep_nesting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "DEEPEST", 5000)
    with pytest.raises(SourceError, match=r"nested more than 5000 levels deep at line 1, column \d+"):
        scan_bytes(b"[" * 40000 + b"]" * 40000)


def test_equal_keys_are_noted_and_the_last_counts() -> None:
    data = b'{"a": [1], "b": {}, "a": [1, 2]}'
    document = scan_bytes(data)
    assert dict(document.collections()) == {"a": 2, "b": 0}
    assert document.notes() == ('The key "a" occurs 2 times: the last one counts.',)
    member = document.find("a")
    assert member is not None
    assert data[member.start : member.end] == b"[1, 2]"


def test_values_are_told_from_collections() -> None:
    document = scan_bytes(b'{"version": 3, "name": "x", "users": {"a": 1}, "list": []}')
    assert document.values() == 2
    assert dict(document.collections()) == {"users": 1, "list": 0}


def test_a_top_level_list_is_one_collection() -> None:
    document = scan_bytes(b" [1, [2], {}] ")
    assert document.collections() == (("doc", 3),)
    assert document.values() == 0


@pytest.mark.parametrize("data", [b"null", b"17", b'"text"', b"true"])
def test_a_single_value_is_no_collection(data: bytes) -> None:
    document = scan_bytes(data)
    assert (document.collections(), document.values()) == ((), 1)


def test_names_are_printable() -> None:
    document = scan_bytes(b'{"a\\"b\\n\\u00e9\\ud83d\\ude00": [], "\\ud800": [], "": []}')
    assert [one.name for one in document.collections()] == ['a"b\né😀', "\\ud800", ""]


def test_too_many_names_make_one_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    data = json.dumps({f"key {number}": {"n": number} for number in range(1000)}).encode()
    assert len(scan_bytes(data).collections()) == 1000
    monkeypatch.setattr(json_stream, "MOST_NAMES", 999)
    assert scan_bytes(data).collections() == (("doc", 1000),)


@pytest.mark.parametrize("length", [json_stream.LONGEST_NAME, 3 * json_stream.WINDOW])
def test_a_very_long_name_makes_one_collection(length: int) -> None:
    data = b'{"a": [], "%s": [1], "b": []}' % (b"k" * length)
    assert scan_bytes(data).collections() == (("doc", 3),)


@settings(max_examples=30, deadline=None)
@given(st.lists(VALUES, max_size=8) | st.dictionaries(st.text(max_size=8), VALUES, max_size=8), FORMATS)
def test_records_come_in_order(value: Any, options: Any) -> None:
    data = encode({"before": 1, "c": value, "after": [1]}, options)
    expected = json.loads(data)["c"]
    member = scan_bytes(data).find("c")
    assert member is not None
    found = list(records(io.BytesIO(data[member.start :]).read, "doc"))
    pairs = list(expected.items()) if isinstance(expected, dict) else [(None, one) for one in expected]
    assert repr([(key, _plain(one)) for key, one in found]) == repr(pairs)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return {key: _plain(one) for key, one in value.items()} if isinstance(value, dict) else value


def test_records_lose_no_digit() -> None:
    texts = ["1.5", "0.1", "1e3", "0.12345678901234567890123", "1e400", "9" * 5000, "12345678901234567890"]
    found = [one for _key, one in records(io.BytesIO(("[{}]".format(",".join(texts))).encode()).read, "doc")]
    assert [Decimal(repr(one)) if isinstance(one, float) else Decimal(one) for one in found[:5]] == [
        Decimal(text) for text in texts[:5]
    ]
    assert [type(one) for one in found] == [float, float, float, Decimal, Decimal, Decimal, int]


def test_numbers_and_records_cut_by_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "WINDOW", 8)
    numbers = [number * 1.5 for number in range(-500, 500)]
    assert [one for _key, one in records(io.BytesIO(json.dumps(numbers).encode()).read, "doc")] == numbers


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'[1, "%s"]' % (b"x" * 16 * json_stream.WINDOW), "the record at line 1, column 5 (byte 4) can't be read"),
        (b"[1, " + b"[" * 40000 + b"]" * 40000 + b"]", "can't be read"),
        (b"[1, 1e99999999999999999999999]", "can't be read"),
        (b'[1, {"a": ]}]', "expected a value, found ']'"),
        (b"[1, 2", "incomplete"),
        (b"[1", "incomplete"),
    ],
    ids=["long", "deep", "no number", "no value", "cut", "cut in a number"],  # and not megabytes of data
)
def test_records_that_can_not_be_had(data: bytes, message: str) -> None:
    found = records(io.BytesIO(data).read, "doc")
    with pytest.raises(SourceError) as caught:
        list(found)
    assert message in caught.value.message


def test_nan_is_kept() -> None:
    ((_key, value),) = records(io.BytesIO(b"[NaN]").read, "doc")
    assert math.isnan(value)


MEASURE = """
import resource, sys
sys.path[:0] = {path!r}
from ansible_collections.day2.ops.plugins.module_utils._stores.documents.stream import scan

parts = [{head!r}] + [{unit!r} * (100_000 // len({unit!r}))] * {times} + [{tail!r}]
rest = b""

def read(size):
    global rest
    if not rest and parts:
        rest = parts.pop(0)
    data, rest = rest[:size], rest[size:]
    return data

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
scan(read, "doc", "doc")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize(
    ("head", "unit", "tail", "megabytes"),
    [
        pytest.param(b'{"a": {"x": 1', b', "key": {"n": [1, 2.5, "text"]}', b"}}", 8, id="records"),
        pytest.param(b'{"a": [{"x": 1', b', "key": "text"', b"}]}", 6, id="one record"),
        pytest.param(b'{"a": [[1', b",[]", b"]]}", 2, id="empty lists"),
        pytest.param(b'{"a": ["', b"\\u00e9\xc3\xa9", b'"]}', 10, id="one string"),
        pytest.param(b'{"', b"key", b'": 1}', 30, id="one key"),
        pytest.param(b'{"a": [', b"9", b"]}", 30, id="one number"),
        pytest.param(b"{", b"\n", b"}", 30, id="white space"),
    ],
)
def test_memory_does_not_grow_with_the_document(head: bytes, unit: bytes, tail: bytes, megabytes: int) -> None:
    program = MEASURE.format(path=sys.path, head=head, unit=unit, tail=tail, times=megabytes * 10)
    grown = int(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout)
    assert grown < 24 * 1024  # KiB
