# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""records_update beside rules of the database and odd commands: no other row is changed, and what was not is not
counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._stores.records.editor import Change
from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import open_editor
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import transform
from tests.services.waiting import has_ended, wait_for
from tests.unit.module_utils._verbs.migrations import Stores, sql
from tests.unit.module_utils._verbs.migrations import run as migrate
from tests.unit.module_utils._verbs.test_records_update import command, failed, run

BINARY_KEY = "CREATE TABLE requests (name TEXT COLLATE NOCASE, v TEXT, PRIMARY KEY (name COLLATE BINARY))"


@pytest.mark.parametrize("create", [BINARY_KEY, "CREATE TABLE requests (name TEXT COLLATE NOCASE, v TEXT)"])
def test_keys_that_the_database_takes_for_equal(create: str, stores: Stores) -> None:
    store = stores("sqlite")
    sql(store, create)
    sql(store, "INSERT INTO requests VALUES ('A', 'old'), ('a', 'old')")
    params: dict[str, Any] = {"set": {"v": "new"}, "where": [{"field": "name", "is": "A"}], "safety_backup": False}
    result = failed(store, key=None if create == BINARY_KEY else ["name"], **params)
    assert "the keys of 2 records equal" in result["errors"][0]["error"]
    assert (result["changed"], sql(store, "SELECT DISTINCT v FROM requests")) == (False, [("old",)])


@pytest.mark.parametrize("action", ["REPLACE", "IGNORE", "ROLLBACK", "FAIL"])
def test_a_conflict_removes_and_hides_nothing(action: str, stores: Stores) -> None:
    store = stores("sqlite")
    sql(store, f"CREATE TABLE requests (id INTEGER PRIMARY KEY, v TEXT UNIQUE ON CONFLICT {action})")
    sql(store, "INSERT INTO requests VALUES (1, 'a'), (2, 'b')")
    result = failed(store, set={"v": "c"}, safety_backup=False)
    assert "UNIQUE constraint failed" in result["errors"][0]["error"]
    assert sql(store, "SELECT id, v FROM requests ORDER BY id") == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_trigger_that_keeps_a_record_as_it_is(kind: str, stores: Stores) -> None:
    store = stores(kind)
    sql(store, "CREATE TABLE requests (id INTEGER PRIMARY KEY, v TEXT)")
    sql(store, "INSERT INTO requests VALUES (1, 'a'), (2, 'b')")
    if kind == "sqlite":
        sql(store, "CREATE TRIGGER t BEFORE UPDATE ON requests WHEN old.id = 1 BEGIN SELECT RAISE(IGNORE); END")
    else:
        sql(store, "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
        sql(store, "CREATE TRIGGER t BEFORE UPDATE ON requests FOR EACH ROW WHEN (old.id = 1) EXECUTE FUNCTION keep()")
    result = failed(store, set={"v": "c"}, batch_size=1, safety_backup=False)
    assert "a trigger or rule of the database has prevented it" in result["errors"][0]["error"]
    assert (result["updated"], len(result["errors"])) == (1, 1)
    assert sql(store, "SELECT id, v FROM requests ORDER BY id") == [(1, "a"), (2, "c")]


def test_keys_that_are_not_unicode(stores: Stores) -> None:
    store = stores("sqlite")
    sql(store, "CREATE TABLE requests (name TEXT PRIMARY KEY, v TEXT)")
    sql(store, "INSERT INTO requests VALUES (CAST(x'61ff' AS TEXT), 'old')")
    assert run(store, set={"v": "new"}, safety_backup=False)["updated"] == 1
    assert sql(store, "SELECT v FROM requests") == [("new",)]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_key_that_is_null(kind: str, stores: Stores) -> None:
    store = stores(kind)
    sql(store, "CREATE TABLE requests (name TEXT, v TEXT)")
    sql(store, "INSERT INTO requests VALUES (NULL, 'old'), ('a', 'old')")
    params: dict[str, Any] = {"set": {"v": "new"}, "key": ["name"], "safety_backup": False}
    done = run(store, where=[{"field": "name", "exists": False}], **params)
    assert (done["updated"], done["gone"]) == (1, 0)
    assert sql(store, "SELECT name FROM requests WHERE v = 'new'") == [(None,)]


@pytest.mark.parametrize("key", ["0.1::real", "0.1::float8", "1.50::numeric(5,2)", "'ab'::char(5)", "'infinity'::date"])
def test_keys_of_types_that_are_compared_in_their_own_way(key: str, stores: Stores) -> None:
    store = stores("postgresql")
    sql(store, f"CREATE TABLE requests (id {key.partition('::')[2]} PRIMARY KEY, v text)")
    sql(store, f"INSERT INTO requests VALUES ({key}, 'old')")
    done = run(store, set={"v": "new"}, safety_backup=False)
    assert (done["updated"], done["gone"]) == (1, 0)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_check_mode_refuses_what_a_column_cannot_hold(kind: str, stores: Stores) -> None:
    store = stores(kind)
    sql(store, "CREATE TABLE requests (id INTEGER PRIMARY KEY, hits INTEGER)")
    sql(store, "INSERT INTO requests VALUES (1, 1), (2, 2)")
    checked, done = (failed(store, check, set={"hits": "5"}, safety_backup=False) for check in (True, False))
    assert "can't be written" in done["errors"][0]["error"]
    assert checked["errors"] == done["errors"]


def test_bytes_are_no_json(tmp_path: Path) -> None:
    document = tmp_path / "requests.json"
    document.write_text('{"requests": {"a": {"v": 1}}}')
    store, given = {"type": "json", "path": str(document)}, command("r['v'] = {'$bytes': 'AAE='}")
    for check in (True, False):
        result = failed(store, check, command=given, safety_backup=False)
        assert "JSON has no bytes and no times" in result["errors"][0]["error"]


def test_an_item_of_dynamodb_that_got_a_field_meanwhile(stores: Stores, tmp_path: Path) -> None:
    """It met the conditions when it was read, and does not any more."""
    store = stores("dynamodb")
    document = tmp_path / "requests.json"
    document.write_text('{"requests": {"a": {"v": 1}, "b": {"v": 1}}}')
    migrate(source={"type": "json", "path": str(document)}, target=store, safety_backup=False)
    run(store, set={"cancelled": True}, where=[{"field": "_key", "is": "b"}], safety_backup=False)
    with open_editor(store, {}) as editor:
        (info,) = [one for one in editor.collections() if one.name == "requests"]
        changes = [Change({"_key": key, "v": 1}, {"_key": key, "v": 2}, frozenset({"cancelled"})) for key in ("a", "b")]
        assert editor.change(info, changes) == [{"_key": "b", "v": 1}]


def test_an_item_of_dynamodb_with_too_many_attributes_to_compare(stores: Stores, tmp_path: Path) -> None:
    store = stores("dynamodb")
    document = tmp_path / "requests.json"
    sizes = {"a": 148, "b": 149, "c": 1}
    document.write_text(
        json.dumps({"requests": {key: dict.fromkeys(map(str, range(n)), 1) for key, n in sizes.items()}})
    )
    migrate(source={"type": "json", "path": str(document)}, target=store, safety_backup=False)
    for check in (True, False):
        result = failed(store, check, set={"new": 2}, batch_size=1, safety_backup=False)
        assert result["updated"] == 2
        (error,) = result["errors"]
        assert "record _key=b can't be written: it has 150 attributes to compare" in error["error"]


def test_a_batch_of_dynamodb_that_fails_halfway_counts_what_it_has_written(stores: Stores, tmp_path: Path) -> None:
    store = stores("dynamodb")
    document = tmp_path / "requests.json"
    document.write_text('{"requests": {"a": {"v": "x"}, "b": {"v": "x"}, "c": {"v": "x"}}}')
    migrate(source={"type": "json", "path": str(document)}, target=store, safety_backup=False)
    much = command("r['v'] = 'y' * (500000 if r['_key'] == 'b' else 1)")
    result = failed(store, command=much, safety_backup=False)
    assert sum(one["records"] for one in result["errors"]) + result["updated"] == 3
    assert result["changed"] is bool(result["updated"])


@pytest.fixture
def one_request(stores: Stores) -> Any:
    store = stores("sqlite")
    sql(store, "CREATE TABLE requests (id INTEGER PRIMARY KEY, v TEXT)")
    sql(store, "INSERT INTO requests VALUES (1, 'a')")
    return store


@pytest.mark.parametrize("script", ["sleep 600 & echo $! > {}; cat", "sleep 600 & echo $! > {}; exec sleep 600"])
def test_children_of_a_command_are_ended(script: str, one_request: Any, tmp_path: Path) -> None:
    number = tmp_path / "number"
    result = failed(one_request, command=["sh", "-c", script.format(number)], timeout="5s", safety_backup=False)
    assert "did not end within 5s" in result["errors"][0]["error"]
    wait_for(lambda: has_ended(int(number.read_text())))


def test_a_command_that_prints_without_end(one_request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transform, "_OUTPUT", 1 << 20)
    result = failed(one_request, command=["yes"], safety_backup=False)
    assert "the command printed more than 1.0 MiB" in result["errors"][0]["error"]


def test_a_command_that_does_not_read(one_request: Any) -> None:
    sql(one_request, "UPDATE requests SET v = printf('%.*c', 300000, 'x')")
    result = failed(one_request, command=["true"], safety_backup=False)
    assert "the command returned 0 of 1 records" in result["errors"][0]["error"]


def test_a_command_is_ended_with_the_task(one_request: Any, tmp_path: Path) -> None:
    sql(one_request, "INSERT INTO requests VALUES (2, 'b'), (3, 'c')")
    marker = tmp_path / "marker"

    given = ["sh", "-c", f"echo begun >> {marker}; sleep 60; echo done >> {marker}"]
    program = (
        "import json, sys; from tests.unit.module_utils._verbs.test_records_update import run; "
        "run(*map(json.loads, sys.argv[1:2]), command=json.loads(sys.argv[2]), batch_size=1, safety_backup=False)"
    )
    # a process of its own: other tests may have left handlers of signals here
    with subprocess.Popen(
        [sys.executable, "-c", program, json.dumps(one_request), json.dumps(given)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
    ) as process:
        wait_for(marker.exists)
        process.terminate()
        assert b"Cancelled" in process.communicate()[1]
    assert marker.read_text() == "begun\n"
