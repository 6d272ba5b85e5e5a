# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    Day2Error,
    InvalidRequest,
    SourceError,
    TargetError,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import TYPES, open_source
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import update, validate
from tests.services.stores import Store
from tests.unit.module_utils._verbs.migrations import Stores, sql
from tests.unit.module_utils._verbs.migrations import run as migrate
from tests.unit.module_utils.verbs import run_verb

Filled = Callable[[str], Store]

REQUESTS = {
    f"req-{number:03}": {
        "status": "PENDING" if number % 2 else "DONE",
        "hits": number,
        "note": None if number % 3 else "é",
    }
    for number in range(25)
}
# A command that makes JSON lines of JSON lines.
COMMAND = [
    sys.executable,
    "-c",
    "import json, sys\nfor line in sys.stdin:\n r = json.loads(line)\n {}\n print(json.dumps(r))",
]


def command(statement: str) -> list[str]:
    return [*COMMAND[:-1], COMMAND[-1].replace("{}", statement)]


def run(store: Store, check: bool = False, verb: Any = update, **params: Any) -> dict[str, Any]:
    values = {name: one.get("default") for name, one in verb.ARGUMENTS["argument_spec"].items()}
    return run_verb(verb, {**values, "store": store, "collection": "requests", **params}, check)


def failed(store: Store, check: bool = False, verb: Any = update, **params: Any) -> dict[str, Any]:
    with pytest.raises(Day2Error) as caught:
        run(store, check, verb, **params)
    json.dumps(caught.value.details)
    return {"msg": str(caught.value), **caught.value.details}


def records(store: Store) -> dict[str, dict[str, Any]]:
    with open_source(store, {}) as source:
        (info,) = [one for one in source.collections() if one.name == "requests"]
        found = {record[info.key[0]]: dict(record) for record in source.read(info)}
    return {key: {name: value for name, value in one.items() if name != info.key[0]} for key, one in found.items()}


@pytest.fixture
def filled(tmp_path: Path, stores: Stores) -> Filled:
    """A store of a type with requests."""

    def fill(kind: str) -> Store:
        document = tmp_path / "requests.json"
        document.write_text(json.dumps({"requests": REQUESTS, "others": {"a": {"x": 1}}}))
        source = {"type": "json", "path": str(document)}
        if kind == "json":
            return source
        store = stores(kind)
        migrate(source=source, target=store, safety_backup=False)
        return store

    return fill


@pytest.fixture
def repository(tmp_path: Path) -> str:
    return str(tmp_path / "backups")


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_four_steps_and_back(kind: str, filled: Filled, repository: str) -> None:
    store, wanted = filled(kind), {"set": {"status": "FAILED", "hits": 7}, "repository": repository}
    before = records(store)
    params = {**wanted, "where": [{"field": "status", "is": "PENDING"}, {"field": "hits", "more": 10}], "batch_size": 3}
    first = run(store, True, **params)
    assert records(store) == before
    done = run(store, **params)
    expected = {
        key: {**one, "status": "FAILED", "hits": 7} if one["status"] == "PENDING" and one["hits"] > 10 else one
        for key, one in before.items()
    }
    assert records(store) == expected
    for result in (first, done):
        assert (result["changed"], result["total"], result["updated"], result["unchanged"]) == (True, 7, 7, 0)
        assert (result["batches"], result["success_rate"], result["errors"]) == (3, 1.0, [])
    assert first["diff"] == done["diff"]
    assert ("PENDING" in done["diff"]["before"], "FAILED" in done["diff"]["after"]) == (True, True)
    assert (first["safety_backup"], bool(done["safety_backup"])) == (None, True)
    for check in (True, False):
        assert run(store, check, **params)["changed"] is False
    migrate(target=store, state="reverted", repository=repository)
    assert records(store) == before


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_a_command(kind: str, filled: Filled) -> None:
    store = filled(kind)
    before = records(store)
    params = {
        "command": command("r['status'] = r['status'].lower(); r['hits'] += r['status'] == 'x'"),
        "safety_backup": False,
    }
    assert run(store, True, **params)["updated"] == len(before)
    done = run(store, batch_size=10, workers=3, **params)
    assert (done["updated"], done["batches"]) == (25, 3)
    assert records(store) == {key: {**one, "status": one["status"].lower()} for key, one in before.items()}
    again = run(store, **params)
    assert (again["changed"], again["unchanged"]) == (False, 25)


@pytest.mark.parametrize("kind", ["json", "dynamodb"])
def test_a_new_field_of_documents(kind: str, filled: Filled) -> None:
    store = filled(kind)
    run(store, set={"owner": {"name": "ops", "tags": [1]}}, where=[{"field": "hits", "is": 3}], safety_backup=False)
    found = records(store)
    assert found["req-003"]["owner"] == {"name": "ops", "tags": [1]}
    assert "owner" not in found["req-004"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "dynamodb"])
def test_the_application_writes_meanwhile(kind: str, filled: Filled, tmp_path: Path) -> None:
    """A command that takes its time: meanwhile one record is written, one removed, and one no longer meets the
    conditions."""
    store = filled(kind)
    marker, over = tmp_path / "meanwhile", tmp_path / "over"
    wait = (
        f"import os, time; open({str(marker)!r}, 'a').close()\n"
        f" while not os.path.exists({str(over)!r}): time.sleep(0.01)\n"
        " r['status'] = 'FAILED'"
    )
    threads = [threading.Thread(target=meanwhile, args=(store, marker, over))]
    threads[0].start()
    where = [{"field": "status", "is": "PENDING"}]
    done = run(store, command=command(wait), where=where, safety_backup=False)
    threads[0].join()
    found = records(store)
    assert found["req-001"] == {**REQUESTS["req-001"], "hits": 1000, "status": "FAILED"}
    assert "req-003" not in found
    assert found["req-005"] == {**REQUESTS["req-005"], "status": "DONE"}
    assert found["req-007"]["status"] == "FAILED"
    assert (done["total"], done["updated"], done["gone"], done["retried"]) == (12, 10, 2, 1)


def meanwhile(store: Store, marker: Path, over: Path) -> None:
    while not marker.exists():
        time.sleep(0.005)
    try:
        write(store)
    finally:
        over.touch()


def write(store: Store) -> None:
    if store["type"] == "dynamodb":
        run(store, set={"hits": 1000}, where=[{"field": "hits", "is": 1}], safety_backup=False)
        run(store, set={"status": "DONE"}, where=[{"field": "hits", "is": 5}], safety_backup=False)
        from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import open_target

        with open_target(store, {}) as target:
            (info,) = [one for one in target.collections() if one.name == "requests"]
            target.delete(info, [("req-003",)])
        return
    key = "_key"
    sql(store, f"UPDATE requests SET hits = 1000 WHERE {key} = 'req-001'")
    sql(store, f"DELETE FROM requests WHERE {key} = 'req-003'")
    sql(store, f"UPDATE requests SET status = 'DONE' WHERE {key} = 'req-005'")


def test_a_document_that_is_written_meanwhile(filled: Filled, tmp_path: Path) -> None:
    store = filled("json")
    path, marker = Path(store["path"]), tmp_path / "once"
    # The application writes while the command runs for the first time.
    again = (
        f"import os, pathlib; p = pathlib.Path({str(path)!r}); m = pathlib.Path({str(marker)!r})\n"
        " if not m.exists(): m.touch(); d = json.loads(p.read_text()); d['requests']['req-000']['hits'] = 99; "
        "n = p.with_name('n'); n.write_text(json.dumps(d)); n.rename(p)\n"
        " r['status'] = 'X'"
    )
    done = run(store, command=command(again), safety_backup=False)
    assert done["updated"] == 25
    assert records(store)["req-000"] == {**REQUESTS["req-000"], "hits": 99, "status": "X"}
    assert json.loads(path.read_text())["others"] == {"a": {"x": 1}}
    marker.unlink()
    with pytest.raises(TargetError, match="was written or replaced during this run"):
        run(store, command=command(again.replace("'X'", "'Y'")), retries=0, safety_backup=False)
    assert records(store)["req-000"]["status"] == "X"


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("raise SystemExit(3)", "exit status 3"),
        ("continue", "the command returned 0 of 4 records"),
        ("r['_key'] = 'other'", "which is not in its input"),
        ("print(json.dumps(r))", "twice"),
        ("print('nonsense')", "line 1 of the output of the command is not JSON: nonsense"),
        ("r['hits'] = float('nan')", "is not JSON"),
        ("print(5)", "line 1 of the output of the command is not a JSON object"),
        ("r['new'] = 1", "the field new, which the table lacks"),
        ("import time; time.sleep(600)", "did not end within 10s"),
        ("r['hits'] = 'many'", "can't be written"),
    ],
)
def test_a_bad_batch_fails_alone(statement: str, message: str, filled: Filled) -> None:
    store = filled("postgresql")
    before = records(store)
    only = f"if r['_key'] in ('req-004', 'req-005', 'req-006', 'req-007'):\n  {statement}\n r['status'] = 'X'"
    timeout = "10s" if "sleep" in statement else "10m"
    params = {"command": command(only), "batch_size": 4, "timeout": timeout, "safety_backup": False}
    result = failed(store, **params)
    (error,) = result["errors"]
    assert message in error["error"]
    assert (error["first_key"], error["last_key"], error["records"]) == ("req-004", "req-007", 4)
    assert (result["changed"], result["updated"], result["success_rate"]) == (True, 21, 0.84)
    assert "1 batch failed. req-004 to req-007" in result["msg"]
    expected = {key: one if "req-004" <= key <= "req-007" else {**one, "status": "X"} for key, one in before.items()}
    assert records(store) == expected


def test_max_errors_ends_before_anything_is_written(filled: Filled) -> None:
    store = filled("sqlite")
    result = failed(store, command=command("raise SystemExit(1)"), batch_size=5, max_errors=1, safety_backup=False)
    assert (len(result["errors"]), result["batches"], result["updated"]) == (2, 2, 0)


def test_no_error_allowed_means_that_nothing_is_written(filled: Filled) -> None:
    store = filled("sqlite")
    before = records(store)
    given = command("r['status'] = 'X' if r['_key'] != 'req-012' else 5 / 0")
    for check in (True, False):
        result = failed(store, check, command=given, batch_size=5, max_errors=0, safety_backup=False)
        assert (result["changed"], result["updated"], result["not_tried"], len(result["errors"])) == (False, 0, 20, 1)
        assert (result["total"], result["success_rate"], result["diff"]["after"]) == (25, 0.0, "")
        assert "0 of 25 records" in result["msg"]
        assert "20 not tried" in result["msg"]
    assert records(store) == before


def test_batches_that_were_left_when_the_database_refused_one(filled: Filled) -> None:
    store = filled("sqlite")
    sql(
        store,
        "CREATE TRIGGER t BEFORE UPDATE ON requests WHEN old._key = 'req-007' BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    result = failed(store, set={"status": "X"}, batch_size=5, max_errors=0, safety_backup=False)
    assert (result["total"], result["updated"], result["not_tried"], result["success_rate"]) == (25, 5, 15, 0.2)


def test_new_records_have_to_fit_the_schema(filled: Filled) -> None:
    store = filled("sqlite")
    schema = {"properties": {"hits": {"maximum": 20}}}
    result = failed(store, command=command("r['hits'] += 10"), schema=schema, batch_size=5, safety_backup=False)
    assert [one["first_key"] for one in result["errors"]] == ["req-010", "req-015", "req-020"]
    assert "req-011 would be invalid: /hits: 21 is more than 20" in result["errors"][0]["error"]
    assert "3 batches failed. req-010 to req-014: " in result["msg"]
    assert records(store)["req-004"]["hits"] == 14
    assert records(store)["req-010"]["hits"] == 10


def test_rules_of_the_application_hold(filled: Filled) -> None:
    store = filled("sqlite")
    sql(store, "CREATE UNIQUE INDEX once ON requests (note, hits)")
    result = failed(store, set={"hits": 1}, where=[{"field": "note", "is": "é"}], batch_size=5, safety_backup=False)
    assert "UNIQUE constraint failed" in result["errors"][0]["error"]
    assert result["updated"] == 0


def test_no_update_of_an_application_is_lost(filled: Filled, tmp_path: Path) -> None:
    store = filled("sqlite")
    sql(store, "PRAGMA journal_mode=WAL")
    stop, made = threading.Event(), [0]

    def application() -> None:
        connection = sqlite3.connect(store["path"], isolation_level=None, timeout=120)
        while not stop.is_set():
            key = f"req-{made[0] % 25:03}"
            made[0] += connection.execute("UPDATE requests SET hits = hits + 1 WHERE _key = ?", (key,)).rowcount
            time.sleep(0.002)
        connection.close()

    hits = sum(one["hits"] for one in records(store).values())
    thread = threading.Thread(target=application)
    thread.start()
    retried = 0
    try:
        for status in map(str, range(200)):
            done = run(store, set={"status": status}, batch_size=2, retries=1000, safety_backup=False)
            retried += done["retried"]
            if retried and int(status) > 6:
                break
    finally:
        stop.set()
        thread.join()
    found = records(store)
    assert sum(one["hits"] for one in found.values()) == hits + made[0]
    assert {one["status"] for one in found.values()} == {status}
    assert retried


def test_times_of_columns(stores: Stores) -> None:
    store = stores("postgresql")
    sql(store, "CREATE TABLE requests (id int PRIMARY KEY, at timestamptz, day date, plain timestamp)")
    sql(store, "INSERT INTO requests VALUES (1, '2026-01-01T00:00:00Z', '2026-01-01', NULL), (2, now(), now(), now())")
    wanted = {"at": "2026-11-28T12:00:00+01:00", "day": "2026-11-28", "plain": "2026-11-28 12:00:00"}
    params: dict[str, Any] = {"set": wanted, "where": [{"field": "at", "older_than": "30d"}], "safety_backup": False}
    assert run(store, **params)["updated"] == 1
    assert sql(store, "SELECT at::text, day::text, plain::text FROM requests WHERE id = 1 AND at < now()") != []
    by_id = {**params, "where": [{"field": "id", "is": 1}]}
    assert run(store, **by_id)["changed"] is False
    with pytest.raises(InvalidRequest, match="is not a valid value of the column day"):
        run(store, set={"day": "soon"}, safety_backup=False)


def test_success_is_a_number_in_sqlite(stores: Stores) -> None:
    store = stores("sqlite")
    sql(store, "CREATE TABLE requests (id INTEGER PRIMARY KEY, success INTEGER, level INTEGER)")
    sql(store, "INSERT INTO requests VALUES (1, 0, 0), (2, 1, 2), (3, NULL, 1)")
    where = [{"field": "success", "is": False}]
    assert run(store, True, set={"level": 9}, where=where, safety_backup=False)["total"] == 1
    assert (
        run(store, True, set={"success": 0}, where=[{"field": "level", "is": True}], safety_backup=False)["total"] == 0
    )


def test_odd_tables(stores: Stores) -> None:
    """A composite key, names that have to be quoted, blobs, and a generated column."""
    store = stores("sqlite")
    sql(
        store,
        'CREATE TABLE requests ("a%b" TEXT, "c ""d" INT, x BLOB, g AS (length(x)),'
        ' PRIMARY KEY ("a%b", "c ""d")) WITHOUT ROWID',
    )
    sql(store, "INSERT INTO requests VALUES ('é%s', 1, x'00ff'), ('é%s', 2, NULL)")
    with open_source(store, {}) as source:
        (info,) = source.collections()
    done = run(store, set={"x": "text"}, where=[{"field": 'c "d', "is": 2}], safety_backup=False)
    assert done["updated"] == 1, info
    assert sql(store, "SELECT x, g FROM requests ORDER BY 1") == [("text", 4), (b"\x00\xff", 2)]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"set": {"status": "X"}, "where": [{"field": "staus", "is": 1}]}, "no record of requests has a field staus"),
        ({"set": {"staus": "X"}}, "set: requests has no field staus"),
        ({"set": {"_key": "X"}}, "set: _key is the key of requests"),
        ({"set": {"status": "X"}, "collection": "nothing"}, "has no collection nothing"),
        ({"set": {}}, "set is empty"),
        ({"command": []}, "command is empty"),
        ({"set": {"status": "X"}, "batch_size": 0}, "batch_size is 0"),
        ({"set": {"status": "X"}, "retries": -1}, "retries and max_errors must be at least 0"),
        ({"set": {"status": "X"}, "schema": {"contains": {}}}, "contains"),
        ({"set": {"status": "X"}, "safety_backup": True}, "no repository for their backup"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_what_is_refused(params: dict[str, Any], message: str, check: bool, filled: Filled) -> None:
    store = filled("sqlite")
    before = Path(store["path"]).read_bytes()
    with pytest.raises((InvalidRequest, SourceError, TargetError)) as caught:
        run(store, check, **{"safety_backup": False, **params})
    assert message in str(caught.value)
    assert Path(store["path"]).read_bytes() == before


def test_a_missing_store_and_a_table_without_key(tmp_path: Path, stores: Stores) -> None:
    with pytest.raises(SourceError, match="does not exist, or has no collections"):
        run({"type": "sqlite", "path": str(tmp_path / "none.db")}, set={"a": 1}, safety_backup=False)
    assert not (tmp_path / "none.db").exists()
    store = stores("sqlite")
    sql(store, "CREATE TABLE requests (a, b)")
    with pytest.raises(InvalidRequest, match="has no key"):
        run(store, set={"a": 1}, safety_backup=False)
    sql(store, "INSERT INTO requests VALUES (1, 2)")
    assert run(store, set={"b": 1}, key=["a"], safety_backup=False)["updated"] == 1
    sql(store, "INSERT INTO requests VALUES (1, 3)")
    for check in (True, False):
        with pytest.raises(InvalidRequest, match=r"several records of requests have the key \[1\]"):
            run(store, check, set={"b": 5}, key=["a"], safety_backup=False)
    for key, message in ((["x"], "has no field x"), (["_key"], "has no field _key")):
        with pytest.raises(InvalidRequest, match=message):
            run(store, set={"b": 1}, key=key, safety_backup=False)


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_validation(kind: str, filled: Filled) -> None:
    store = filled(kind)
    schema = {"properties": {"hits": {"maximum": 22}, "status": {"enum": ["PENDING", "DONE"]}}}
    result = failed(store, verb=validate, schema=schema)
    assert (result["valid"], result["invalid"]) == (23, 2)
    assert result["errors"][0] == {
        "key": "req-023",
        "path": "/hits",
        "keyword": "maximum",
        "message": "23 is more than 22",
    }
    assert "2 of 25 records of requests are invalid: req-023: /hits: 23 is more than 22" in result["msg"]
    done = run(store, verb=validate, schema=schema, max_invalid=2)
    assert (done["changed"], done["msg"]) == (False, "23 of 25 records of requests are valid.")
    where = [{"field": "hits", "at_most": 22}]
    done = run(store, True, verb=validate, schema=schema, where=where, max_invalid=1)
    assert (done["valid"], done["invalid"]) == (23, 0)


def test_validation_by_the_package(filled: Filled) -> None:
    store = filled("json")
    schema = {
        "properties": {"status": {"type": "string", "format": "ipv4"}},
        "patternProperties": {"^n": {"type": "null"}},
    }
    result = failed(store, verb=validate, schema=schema, validator="jsonschema")
    assert result["invalid"] == 25
    assert {one["keyword"] for one in result["errors"]} == {"format", "type"}
    for wrong, message in (
        ({"type": "text"}, "schema: type"),
        ({"$ref": "http://127.0.0.1/x"}, "not within the schema"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            run(store, verb=validate, schema=wrong, validator="jsonschema")


def test_at_most_a_hundred_errors(tmp_path: Path) -> None:
    path = tmp_path / "many.json"
    path.write_text(json.dumps({"requests": {str(number): {"a": "x", "b": "y"} for number in range(80)}}))
    schema = {"additionalProperties": False}
    result = failed({"type": "json", "path": str(path)}, verb=validate, schema=schema)
    assert (result["invalid"], len(result["errors"])) == (80, 100)
