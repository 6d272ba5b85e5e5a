# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SQLite writes itself is what reading its rows would have written."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.errors import SourceError
from ansible_collections.day2.ops.plugins.module_utils._core.record_batches import layouts
from ansible_collections.day2.ops.plugins.module_utils._core.records import CollectionDigest
from ansible_collections.day2.ops.plugins.module_utils._stores.records.kinds import Kinds
from ansible_collections.day2.ops.plugins.module_utils._stores.records.model import Info
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite import digest as sqlite_digest
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.file import connect
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.schema import identifier
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.target import SqliteTarget

NAMES = ["a", "b", "_c9", "Z", "null", "$t", "$$", 'q"uo\\te', "it's", "ä", "x y", "a:null", ",", "aa", "a1"]
TYPES = ["TEXT", "INTEGER", "VARCHAR(9)", "REAL", "BLOB", "", "BOOLEAN", "NUMERIC", "JSON_TEXT", "DECIMAL_TEXT"]
TEXTS = [
    *(
        "",
        ',"a":null',
        '"a":null',
        ":null",
        ',"',
        '{"b":null,"a":[null]}',
        "\\",
        "\\u0000",
        "a\0b",
        "\x7f\x1f\n\t",
        "1.50",
    ),
    *("ä\u2028\U0001f600", "1e5", "[1, null]"),
]
PLAIN = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.sampled_from(TEXTS), st.text(max_size=8))
VALUES = st.one_of(
    PLAIN, st.floats(allow_nan=False), st.binary(max_size=9), st.sampled_from([0, 1, -(2**53), 2**53 + 1])
)
BAD_TEXT = b"no \xff UTF-8 \xed\xa0\x80"


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[tuple[str, str]], list[list[Any]]]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique_by=str.lower))
    columns = [(name, draw(st.sampled_from(TYPES))) for name in names]
    of_text, of_numbers = st.one_of(st.none(), st.sampled_from(TEXTS)), st.one_of(st.none(), st.integers(-9, 9))
    by_column = [draw(st.sampled_from([of_text, of_numbers, st.none(), PLAIN, VALUES])) for _column in columns]
    return columns, draw(st.lists(st.tuples(*by_column).map(list), max_size=8))


def look(path: Path, rows: str = "") -> tuple[Any, Any]:
    """What the digest's own query tells of the table, and what reading it does."""
    with SqliteTarget(str(path)) as store, contextlib.closing(connect(str(path), "ro")) as connection:
        (info,) = store.collections()
        found = sqlite_digest.summary(connection, info, rows)
        assert found is not None
        digest, kinds = CollectionDigest(), Kinds()
        for record in store.read(info):
            digest.add(record)
            kinds.see(layouts([record]))

        def told(one: Kinds) -> dict[str, str]:
            return {field.name: field.kind for field in one.fields() if one.sole(field.name) != ""}

        return (
            (found.records, "%064x" % (found.digest % 2**256), told(found.kinds)),
            (digest.count, digest.hexdigest(), told(kinds)),
        )


def make(path: Path, columns: list[tuple[str, str]], rows: list[list[Any]], absent: Sequence[str] = ()) -> None:
    with contextlib.closing(connect(str(path), "rwc")) as connection:
        listed = ", ".join(f"{identifier(name)} {kind}" for name, kind in columns)
        note = "day2 {}".format(json.dumps({"absent": absent}).replace("*/", "*\\/"))
        connection.execute(f"CREATE TABLE it /* {note} */ ({listed})")
        for row in rows:
            marks = ", ".join("CAST(? AS TEXT)" if value == BAD_TEXT else "?" for value in row)
            connection.execute(f"INSERT INTO it VALUES ({marks})", row)


@given(tables(), st.sets(st.sampled_from(NAMES)))
@example(([("a", "TEXT"), ("b", "TEXT")], [[",", ',"b":null'], [None, '"'], ["x,", None], [None, None]]), {"b"})
@example(([("a", "TEXT"), ("n", "INTEGER")], [[BAD_TEXT, 1], ["good", None]]), {"n"})
@example(([("a", "INTEGER")], [[-(2**60)], [2**60], [0]]), set())
@settings(max_examples=100, deadline=None)
def test_the_same_as_by_reading(table: tuple[list[tuple[str, str]], list[list[Any]]], absent: set[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "some.db"
        make(path, *table, absent=sorted(absent))
        found, wanted = look(path)
        assert found == wanted


def test_sqlite_writes_text_and_integers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "some.db", [("a", "TEXT"), ("n", "INTEGER")], [["x", 2**60], [None, None], ['q"', -1]], ["n"])
    monkeypatch.setattr(sqlite_digest, "_by_values", None)  # not called
    found, wanted = look(tmp_path / "some.db")
    assert found == wanted


def test_a_blob_in_a_column_for_text(tmp_path: Path) -> None:
    blobs = [b"", b"\x00", b"\x01", b"\x1bnull", b"[1]"]  # some would be JSON to a newer SQLite
    make(tmp_path / "some.db", [("a", "TEXT"), ("b", "TEXT")], [["text", "text"], *([blob, "x"] for blob in blobs)])
    found, wanted = look(tmp_path / "some.db")
    assert found == wanted


def test_many_columns(tmp_path: Path) -> None:
    columns = [(f"c{number}", "TEXT" if number % 3 else "INTEGER") for number in range(300)]
    make(
        tmp_path / "some.db", columns, [[None if n % 7 == 0 else n if n % 3 == 0 else f"t{n}" for n in range(300)]] * 3
    )
    found, wanted = look(tmp_path / "some.db")
    assert found == wanted


def test_without_the_json_of_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "some.db", [("a", "TEXT"), ("n", "INTEGER")], [["x\0", 1], [None, 2]])
    # There is no SQLite here that was built without, or that writes text in another way.
    monkeypatch.setattr(sqlite_digest, "writes_as_we_do", lambda _connection: False)
    monkeypatch.setattr(sqlite_digest, "_kinds", None)  # not called
    found, wanted = look(tmp_path / "some.db")
    assert found == wanted


def test_nothing_is_told_of_a_key_that_is_null(tmp_path: Path) -> None:
    path = str(tmp_path / "some.db")
    make(tmp_path / "some.db", [("a", "TEXT PRIMARY KEY"), ("n", "INTEGER")], [["x", 1], [None, 2]])
    with SqliteTarget(path) as store, contextlib.closing(connect(path, "ro")) as connection:
        (info,) = store.collections()
        assert info.key == ()  # as SQLite allows it
        info = info._replace(key=("a",))
        assert sqlite_digest.summary(connection, info) is None
        assert sqlite_digest.summary(connection, info, " WHERE rowid < 2") is not None


def test_nested_too_deeply(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    make(path, [("id", "INTEGER PRIMARY KEY"), ("j", "JSON_TEXT")], [[1, "[" * 20_000 + "]" * 20_000]])
    with SqliteTarget(str(path)) as store, contextlib.closing(connect(str(path), "ro")) as connection:
        info: Info = store.collections()[0]
        with pytest.raises(SourceError, match="nested too deeply"):
            sqlite_digest.summary(connection, info)
