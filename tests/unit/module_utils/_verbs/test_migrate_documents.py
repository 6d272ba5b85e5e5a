# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents through other stores and back: nulls, gaps, lists, empty mappings, and names that we use ourselves."""

from __future__ import annotations

import decimal
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, TargetError
from tests.services.stores import Store
from tests.unit.module_utils._verbs.migrations import Stores, connected, four_steps, run, sql

NAMES = st.sampled_from(
    [
        *("_key", "_value", "_document", "_missing", "_key_", "_KEY", "day2_migration", "document", "ctid", "xmin"),
        *("id", "ID", "name", "$time", "$number", "$$time", "sqlite_x", "note", "*/", 'a"b', "é", "", "a\0b", "l" * 70),
    ]
)
PLAIN_NAMES = NAMES.filter(lambda name: "\0" not in name)  # no database keeps it in a value
TEXTS = st.one_of(
    st.sampled_from(["", "soonZ", "2024-01-01", "*/", "null", "\t\n\\N", "day2 {}"]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
)
SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN_NAMES, inner, max_size=3),
    max_leaves=6,
)
RECORD = st.dictionaries(NAMES, st.one_of(st.none(), VALUE), max_size=5)
COLLECTION = st.one_of(
    st.lists(RECORD, max_size=5),
    st.dictionaries(PLAIN_NAMES, RECORD, max_size=5),
    st.dictionaries(PLAIN_NAMES, VALUE, max_size=3),
    SCALAR,
    st.lists(VALUE, max_size=3),
)
DOCUMENT = st.one_of(
    st.dictionaries(PLAIN_NAMES, COLLECTION, min_size=1, max_size=4),
    st.lists(RECORD, max_size=4),
)


def same(one: Any, other: Any) -> bool:
    """Equal, numbers by their values: jsonb keeps them as decimals."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) in (int, float) and type(other) in (int, float):
        return one == other or decimal.Decimal(repr(one)) == decimal.Decimal(repr(other))
    return type(one) is type(other) and bool(one == other)


def write(store: Store, document: Any) -> Store:
    Path(store["path"]).write_text(json.dumps(document))
    return store


def back(store: Store) -> Any:
    return json.loads(Path(store["path"]).read_text())


@given(DOCUMENT)
@example({"": {"": {"_key": 1, "_KEY": None}}, "_document": 1, "day2_migration": [1, None, {}], "c": [], "C": {}})
@example([{"a": None}, {}, {"a": 1}])
@example({"_key": {"_key": {"": None}}, "l": [{"": None}]})
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_document_comes_back_from_two_databases(stores: Stores, document: Any) -> None:
    chain = [write(stores("json"), document), stores("sqlite"), stores("postgresql"), stores("json")]
    for source, target in zip(chain, chain[1:]):
        assert run(source=source, target=target)["changed"]
        assert not run(source=source, target=target)["changed"]
    assert same(back(chain[-1]), document), back(chain[-1])


RECORDS: dict[str, Any] = {
    "lists": [{"n": 3, "a": None}, {"n": 1}, {"n": 2, "a": "x"}, {}],
    "scalars": [3, None, "x", {"a": 1}, [1, {}], {}],
    "empty_list": [],
    "empty_mapping": {},
    "arangodb": {"x": {"_key": "y", "v": 1}, "y": {"_key": "x", "v": 2}},
    "values": {"a": 1, "b": None, "c": {"_value": 7}, "d": {}, "e": []},
    "nulls": {"a": {"id": "a", "all": None, "some": None, "both": None}, "b": {"id": "b", "all": None, "some": 1}},
    "by_name": {"1": {"id": 1}, "2": {"id": 2, "when": {"$time": "soonZ"}, "exact": {"$time": "2025-01-01"}}},
    "_document": {"a": {"_document": True}},
    "version": 3,
    "nothing": None,
}


# From and to JSON each of them goes anyway.
@pytest.mark.parametrize("first", ["sqlite", "postgresql", "dynamodb"])
@pytest.mark.parametrize("second", ["sqlite", "postgresql", "dynamodb"])
def test_every_pair_and_back(stores: Stores, first: str, second: str) -> None:
    chain = [write(stores("json"), RECORDS), stores(first), stores(second), stores("json")]
    for source, target in zip(chain, chain[1:]):
        four_steps(source, target)
    assert back(chain[-1]) == RECORDS


# What each of the four stores holds exactly.
HELD = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.sampled_from([0.5, -1.25, 1e20]) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN_NAMES.filter(bool), inner, max_size=3),
    max_leaves=5,
)
HELD_RECORD = st.dictionaries(PLAIN_NAMES.filter(bool), HELD, max_size=5)
HELD_COLLECTION = st.one_of(
    st.lists(HELD_RECORD, max_size=5),
    st.dictionaries(PLAIN_NAMES.filter(bool), HELD_RECORD, max_size=5),
    st.dictionaries(PLAIN_NAMES.filter(bool), HELD, max_size=3),
    st.lists(HELD, max_size=3),
)


@pytest.mark.once
@given(
    st.dictionaries(st.sampled_from(["one", "two", "day2_migration", "_document"]), HELD_COLLECTION, min_size=1),
    st.lists(st.sampled_from(["json", "sqlite", "postgresql", "dynamodb"]), min_size=2, max_size=3),
)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_document_comes_back_from_any_stores(stores: Stores, document: Any, kinds: list[str]) -> None:
    chain = [write(stores("json"), document), *map(stores, kinds), stores("json")]
    for source, target in zip(chain, chain[1:]):
        run(source=source, target=target)
        assert not run(True, source=source, target=target)["changed"]
    assert same(back(chain[-1]), document), back(chain[-1])


def test_a_table_of_whole_records_has_no_columns_for_their_fields(stores: Stores) -> None:
    source, target = write(stores("json"), {"t": {"x": {"id": "x", "size": 1}}}), stores("sqlite")
    run(source=source, target=target, shape="document")
    columns = [name for (name,) in sql(target, "SELECT name FROM pragma_table_info('t')")]
    assert len(columns) == 2
    assert "size" not in columns


@pytest.mark.grid
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("document", [RECORDS, [1, "x", None], 42, {"a": 1, "b": None}, [{"a": None}, {}]])
def test_records_kept_whole_come_back(stores: Stores, kind: str, document: Any) -> None:
    source, target, last = write(stores("json"), document), stores(kind), stores("json")
    four_steps(source, target, shape="document")
    four_steps(target, last)
    assert back(last) == document


@pytest.mark.grid
@pytest.mark.parametrize(
    ("first", "second"), [("sqlite", "postgresql"), ("postgresql", "sqlite"), ("sqlite", "sqlite")]
)
@pytest.mark.parametrize("shape", ["document", "columns"])
def test_records_kept_whole_move_on(stores: Stores, first: str, second: str, shape: str) -> None:
    document = {"m": {"k": {"a": 1, "document": "x"}, "l": {}}, "l": [{"_key": 1}, {"document": None}]}
    source, between = write(stores("json"), document), stores(first)
    target, last = stores(second), stores("json")
    run(source=source, target=between, shape="document")
    run(source=between, target=target, shape=shape)
    assert not run(True, source=between, target=target, shape=shape)["changed"]
    run(source=target, target=last)
    assert back(last) == document


@pytest.mark.grid
@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "dynamodb"])
@pytest.mark.parametrize(
    "document", [[{"id": 2, "a": None}, {"id": 1}], [], [1, "x", None], 42, None, "text", {"a": 1, "b": None}]
)
def test_a_document_that_is_no_mapping_of_collections(stores: Stores, kind: str, document: Any) -> None:
    chain = [write(stores("json"), document), stores(kind), stores("json")]
    for source, target in zip(chain, chain[1:]):
        four_steps(source, target)
    assert back(chain[-1]) == document


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_lists_of_keyed_records_keep_their_order(stores: Stores, kind: str) -> None:
    document = {
        "ordered": [{"id": 1, "a": 1}, {"id": 5, "a": None}, {"id": 30, "a": 2}],
        "other": [{"id": "b", "_key": 1}, {"id": "a"}, {"id": "c", "_key": None}],
    }
    keys = [{"collection": name, "fields": ["id"]} for name in document]
    chain = [write(stores("json"), document), stores(kind), stores("json")]
    four_steps(chain[0], chain[1], primary_keys=keys)
    assert [row[0] for row in sql(chain[1], "SELECT id FROM other ORDER BY _key_")] == ["b", "a", "c"]
    assert len(sql(chain[1], "SELECT * FROM ordered")[0]) == 2
    four_steps(chain[1], chain[2])
    assert back(chain[-1]) == document


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_field_that_is_always_null_is_a_column_of_text(stores: Stores, kind: str) -> None:
    source, target = write(stores("json"), {"c": {"a": {"id": "a", "v": None}}}), stores(kind)
    four_steps(source, target)
    assert sql(target, "SELECT id, v FROM c") == [("a", None)]
    sql(target, "UPDATE c SET v = 'text'")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_only_a_field_with_both_gets_a_marker(stores: Stores, kind: str) -> None:
    records = {
        "a": {"id": "a", "gap": 1, "null": None, "both": None},
        "b": {"id": "b", "null": 2},
        "c": {"id": "c", "gap": 2, "null": None, "both": "x"},
    }
    source, target, last = (
        write(stores("json"), {"c": records, "d": {"a": {"id": "a", "v": None}}}),
        stores(kind),
        stores("json"),
    )
    four_steps(source, target)
    rows = sql(target, 'SELECT id, gap, "null", "both", _missing FROM c ORDER BY id')
    marked = json.loads(rows[1][4]) if kind == "sqlite" else rows[1][4]
    assert [*rows[0], *rows[1][:4], *rows[2], marked] == [
        *("a", 1, None, None, None),
        *("b", None, 2, None),
        *("c", 2, None, "x", None),
        ["both"],
    ]
    assert len(sql(target, "SELECT * FROM d")[0]) == 2
    # the application goes on: a value counts, whatever the marker says, and its own NULL is null
    sql(target, "UPDATE c SET \"both\" = 'y' WHERE id = 'b'")
    sql(target, "INSERT INTO c (id) VALUES ('e')")
    four_steps(target, last)
    wanted = {**records, "b": {**records["b"], "both": "y"}, "e": {"id": "e", "null": None, "both": None}}
    assert back(last)["c"] == wanted


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_null_in_a_table_of_an_application_is_null(stores: Stores, kind: str) -> None:
    source, target = stores(kind), stores("json")
    sql(source, "CREATE TABLE t (_key INTEGER PRIMARY KEY, _value TEXT, document TEXT)")
    sql(source, "INSERT INTO t VALUES (1, NULL, 'x')")
    four_steps(source, target)
    assert back(target) == {"t": {"1": {"_key": 1, "_value": None, "document": "x"}}}


@pytest.mark.grid
@pytest.mark.parametrize("kind", ["json", "sqlite", "postgresql", "dynamodb"])
@pytest.mark.parametrize("own", [True, False])
def test_of_equal_keys_in_a_mapping_the_last_counts(stores: Stores, kind: str, own: bool) -> None:
    source, target, last = stores("json"), stores(kind), stores("json")
    records = [(f"k{number % 900}", {"id": f"k{number % 900}", "n": number}) for number in range(1000)]
    if not own:
        records = [(key, {"n": record["n"]}) for key, record in records]
    text = ", ".join(f"{json.dumps(key)}: {json.dumps(record)}" for key, record in records)
    Path(source["path"]).write_text(f'{{"c": {{{text}}}}}')
    for done in (run(True, source=source, target=target), four_steps(source, target)):
        assert [one for one in done["warnings"] if "k0" in one] == [
            'The key "k0" of c occurs 2 times: the last one counts. 99 more keys occur several times.'
        ]
        assert done["migration"]["total"] == 900
    four_steps(target, last)
    assert back(last) == json.loads(Path(source["path"]).read_text())


@pytest.mark.parametrize("kind", ["json", "sqlite", "postgresql", "dynamodb"])
@pytest.mark.parametrize("check", [True, False])
def test_equal_keys_in_a_list_are_an_error_that_names_them(stores: Stores, kind: str, check: bool) -> None:
    source = write(stores("json"), {"c": [{"id": "a"}, {"id": "twin"}, {"id": "b"}, {"id": "twin"}]})
    words = r'The records 2, 4 of the list have the same key, \["twin"\]'
    keys = [{"collection": "c", "fields": ["id"]}]
    with pytest.raises(Day2Error, match=words):
        run(check, source=source, target=stores(kind), primary_keys=keys)


def test_an_existing_document_keeps_its_nulls(stores: Stores) -> None:
    source, target = stores("sqlite"), stores("json")
    sql(source, "CREATE TABLE t (id TEXT PRIMARY KEY, v TEXT)")
    sql(source, "INSERT INTO t VALUES ('a', NULL), ('b', 'new')")
    write(target, {"t": {"a": {"id": "a", "v": None}, "b": {"id": "b", "v": "old"}}, "other": {"x": {"y": None}}})
    done = run(source=source, target=target, on_existing="replace", safety_backup=False)
    row = done["migration"]["collections"][0]
    assert (row["changed"], row["left"]) == (1, 1)
    assert back(target) == {
        "t": {"a": {"id": "a", "v": None}, "b": {"id": "b", "v": "new"}},
        "other": {"x": {"y": None}},
    }


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_table_of_an_application_takes_records_with_gaps(stores: Stores, kind: str) -> None:
    source, target = stores("json"), stores(kind)
    write(source, {"t": {"a": {"id": "a"}, "b": {"id": "b", "v": None}, "c": {"id": "c", "v": "x"}}})
    sql(target, "CREATE TABLE t (id TEXT PRIMARY KEY, v TEXT)")
    four_steps(source, target)
    assert sql(target, "SELECT * FROM t ORDER BY id") == [("a", None), ("b", None), ("c", "x")]
    assert not [said for said in run(True, source=source, target=target)["warnings"] if "distinguish" in said]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_table_of_documents_that_does_not_know_nulls_says_so(stores: Stores, kind: str) -> None:
    source, target = stores("json"), stores(kind)
    write(source, {"t": {"a": {"id": "a", "v": 1, "w": None}, "b": {"id": "b", "w": 2}}})
    run(source=source, target=target)
    write(source, {"t": {"c": {"id": "c", "v": None, "w": 3}, "d": {"id": "d"}}})
    for check in (True, False):
        done = run(check, source=source, target=target, on_existing="merge", safety_backup=False)
        assert "The table t of the target does not distinguish null from missing in v, w." in done["warnings"]


def test_records_that_are_known_by_their_places_are_not_put_over_others(stores: Stores) -> None:
    source, target = stores("json"), write(stores("json"), {"l": [{"id": 1}]})
    given = {"source": source, "target": target, "on_existing": "merge", "safety_backup": False}
    write(source, {"l": [{"id": 2}, {"id": 3}]})
    for check in (True, False):
        with pytest.raises(TargetError, match="of l, and nothing says which of them belong together"):
            run(check, **given)
    assert back(target) == {"l": [{"id": 1}]}
    keys = [{"collection": "l", "fields": ["id"]}]
    run(**given, primary_keys=keys)
    assert back(target) == {"l": [{"id": 1}, {"id": 2}, {"id": 3}]}
    # A list that has only grown.
    write(source, {"l": [*back(target)["l"], {"id": 4}]})
    run(**given)
    assert len(back(target)["l"]) == 4
    # What has a key is put over what has the same one.
    write(target, {"l": [{"id": 1, "v": 1}], "m": {"a": {"v": 1}}})
    write(source, {"l": [{"id": 1, "v": 2}], "m": {"a": {"v": 2}}})
    run(**given, primary_keys=keys)
    assert back(target) == back(source)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_table_that_is_called_like_ours_is_the_users(stores: Stores, kind: str) -> None:
    source, target = stores("sqlite"), stores(kind)
    sql(source, "CREATE TABLE day2_migration (collection TEXT PRIMARY KEY, position TEXT)")
    sql(source, "INSERT INTO day2_migration VALUES ('*', '{}')")
    four_steps(source, target)
    assert sql(target, "SELECT * FROM day2_migration") == [("*", "{}")]
    last = stores("json")
    four_steps(target, last)
    assert back(last) == {"day2_migration": {"*": {"collection": "*", "position": "{}"}}}


def test_a_note_survives_what_applications_do(stores: Stores) -> None:
    document = {"c": {"a": {"id": "a", "v": 1}, "b": {"id": "b"}}}
    source, middle, last = write(stores("json"), document), stores("sqlite"), stores("json")
    run(source=source, target=middle)
    connection = sqlite3.connect(middle["path"])
    connection.execute("ALTER TABLE c RENAME TO d")
    connection.execute("ALTER TABLE d ADD COLUMN more TEXT")
    connection.execute("ALTER TABLE d RENAME COLUMN more TO most")
    connection.execute("VACUUM")
    dump = "\n".join(connection.iterdump())
    connection.close()
    other = stores("sqlite")
    connection = sqlite3.connect(other["path"])
    connection.executescript(dump)
    connection.close()
    four_steps(other, last)
    assert back(last) == {"d": {"a": {"id": "a", "v": 1, "most": None}, "b": {"id": "b", "most": None}}}


def test_a_note_follows_the_users_own_comment(stores: Stores) -> None:
    document = {"c": {"a": {"id": "a", "v": 1}, "b": {"id": "b"}}}
    source, middle, last = write(stores("json"), document), stores("postgresql"), stores("json")
    run(source=source, target=middle)
    with connected(middle) as server:
        (text,) = server.execute("SELECT obj_description('c'::regclass)").fetchone()
        assert text.startswith("day2 {")
        server.execute("COMMENT ON TABLE c IS '{}'".format(("Ours, day2 {\"or\": 'not'}.\n" + text).replace("'", "''")))
    four_steps(middle, last)
    assert back(last) == document


def test_names_in_lower_case(stores: Stores) -> None:
    source, target, last = stores("sqlite"), stores("postgresql"), stores("json")
    sql(source, "CREATE TABLE Users (Id INTEGER PRIMARY KEY AUTOINCREMENT, userName TEXT UNIQUE)")
    sql(source, "CREATE TABLE Orders (Id INTEGER PRIMARY KEY, UserId INTEGER REFERENCES Users (Id))")
    sql(source, "CREATE INDEX ByUser ON Orders (UserId)")
    sql(source, "INSERT INTO Users VALUES (1, 'a')")
    sql(source, "INSERT INTO Orders VALUES (7, 1)")
    four_steps(source, target, names="lower")
    assert sql(target, "SELECT o.id, username FROM orders o JOIN users u ON u.id = o.userid") == [(7, "a")]
    with pytest.raises(Exception, match="foreign key"):
        sql(target, "INSERT INTO orders VALUES (8, 9)")
    assert sql(target, "INSERT INTO users (username) VALUES ('b') RETURNING id") == [(2,)]
    sql(source, "INSERT INTO Users VALUES (3, 'c')")
    done = run(source=source, target=target, names="lower", on_existing="merge", safety_backup=False)
    assert done["migration"]["collections"][1]["added"] == 1
    assert sql(target, "SELECT count(*) FROM users") == [(3,)]
    four_steps(target, last)
    assert sorted(back(last)) == ["orders", "users"]


def test_a_table_that_would_stand_beside_another_is_told(stores: Stores) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    sql(source, "CREATE TABLE Users (id INTEGER PRIMARY KEY)")
    sql(target, "CREATE TABLE users (id bigint PRIMARY KEY)")
    for check in (True, False):
        done = run(check, source=source, target=target, safety_backup=False)
        assert any("The table Users exists beside users" in one for one in done["warnings"])
    # In other stores, each has its name.
    assert run(source=source, target=write(stores("json"), {"users": {}}))["warnings"] == []
    other = stores("postgresql")
    sql(source, 'CREATE TABLE t (id INTEGER PRIMARY KEY, "ä" TEXT, "Ä" TEXT)')
    with pytest.raises(Day2Error, match="have the same name in the target"):
        run(True, source=source, target=other, names="lower")
    with pytest.raises(Day2Error, match="names=lower requires tables"):
        run(True, source=source, target=stores("json"), names="lower")


def test_documents_can_have_names_that_no_database_has(stores: Stores) -> None:
    names = [
        "a\0b",
        "A\0b",
        "a0b",
        "^a0b",
        "a^b",
        "^publishing",
        "publishing",
        "sqlite_x",
        "Sqlite_x",
        "^sqlite_x",
        "\0",
    ]
    source, target = write(stores("json"), {name: {"k\0": {"n\0": name}} for name in names}), stores("json")
    four_steps(source, target)
    assert back(target) == back(source)


def test_a_target_with_the_longest_name_there_is(tmp_path: Path, stores: Stores) -> None:
    source = write(stores("json"), {"c": {"a": {"n": 1}}})
    target = {"type": "json", "path": str(tmp_path / ("ä" * 127 + "x"))}
    four_steps(source, target)
    assert sorted(one.name for one in tmp_path.iterdir() if one.name.startswith(".day2-")) == []
    assert back(target) == {"c": {"a": {"n": 1}}}
