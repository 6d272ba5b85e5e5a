# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""records_update beside transactions of others, and values that a store writes in its own way."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._stores.documents.target import JsonTarget
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import update
from ansible_collections.day2.ops.plugins.module_utils._verbs.records.apply import Changing
from tests.services.stores import Store
from tests.services.throttle_proxy import NOTHING, Proxy, proxy
from tests.services.waiting import PATIENCE, has_ended, wait_for
from tests.unit.module_utils._verbs.migrations import Stores, deadlock, sql
from tests.unit.module_utils._verbs.migrations import run as migrate
from tests.unit.module_utils._verbs.test_records_update import command, failed, run

OWNER = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.mark.parametrize("retries", [0, 3])
def test_a_deadlock(retries: int, stores: Stores) -> None:
    store = stores("postgresql")
    sql(store, "CREATE TABLE requests (id int PRIMARY KEY, hits int, status text)")
    sql(store, "INSERT INTO requests VALUES (1, 0, 'A'), (2, 0, 'A')")
    params: dict[str, Any] = {"set": {"status": "B"}, "retries": retries, "safety_backup": False}
    with deadlock(store, *(f"UPDATE requests SET hits = hits + 1 WHERE id = {number}" for number in (2, 1))):
        if not retries:
            assert "deadlock detected" in failed(store, **params)["errors"][0]["error"]
        else:
            assert run(store, **params)["updated"] == 2
    status = "B" if retries else "A"
    assert sql(store, "SELECT id, hits, status FROM requests ORDER BY id") == [(1, 1, status), (2, 1, status)]


@pytest.fixture
def far(stores: Stores, tmp_path: Path) -> Iterator[tuple[Store, Proxy]]:
    """A table of DynamoDB behind a proxy."""
    store = stores("dynamodb")
    document = tmp_path / "requests.json"
    document.write_text('{"requests": {"a": {"v": 1}, "b": {"v": 1}}}')
    migrate(source={"type": "json", "path": str(document)}, target=store, safety_backup=False)
    with proxy(store["endpoint_url"]) as one:
        yield {**store, "endpoint_url": one.url}, one


def test_a_transaction_of_dynamodb_that_changes_the_same_item(far: tuple[Store, Proxy]) -> None:
    store, one = far

    def fault(operation: str, number: int) -> str:
        return "TransactionConflictException" if (operation, number) == ("UpdateItem", 1) else NOTHING

    one.fault = fault
    done = run(store, set={"v": 2}, safety_backup=False)
    assert (done["updated"], done["retried"], done["conflicts"]) == (2, 1, 0)


def test_a_task_that_is_cancelled_while_a_command_runs_again(stores: Stores, tmp_path: Path) -> None:
    store = stores("sqlite")
    sql(store, "CREATE TABLE requests (id INTEGER PRIMARY KEY, v TEXT)")
    sql(store, "INSERT INTO requests VALUES (1, 'a')")
    marker, number = tmp_path / "first", tmp_path / "number"
    again = (
        f"import os, pathlib, sqlite3, time; m = pathlib.Path({str(marker)!r})\n"
        f" if m.exists(): pathlib.Path({str(number)!r}).write_text(str(os.getpid())); time.sleep(600)\n"
        f" m.touch(); c = sqlite3.connect({store['path']!r}); c.execute(\"UPDATE requests SET v = 'b'\"); c.commit()\n"
        " r['v'] = 'c'"
    )
    program = (
        "import json, sys; from tests.unit.module_utils._verbs.test_records_update import run; "
        "run(json.loads(sys.argv[1]), command=json.loads(sys.argv[2]), timeout='20m', safety_backup=False)"
    )
    arguments = [sys.executable, "-c", program, json.dumps(store), json.dumps(command(again))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE) as task:
        wait_for(lambda: number.exists() and number.read_text())
        task.send_signal(signal.SIGTERM)
        _output, said = task.communicate(timeout=PATIENCE)  # the command alone would take ten minutes
    assert b"received SIGTERM" in said
    assert has_ended(int(number.read_text()))
    with sqlite3.connect(store["path"]) as connection:
        assert connection.execute("SELECT v FROM requests").fetchall() == [("b",)]


def test_numbers_of_a_document_keep_their_types(tmp_path: Path) -> None:
    """An application for which 1.0 is no integer still finds none where it has written it."""
    numbers = {"x": 1.0, "e": 1e5, "zero": -0.0, "list": [2.0, {"y": 3.0}], "int": 10**400, "small": 7}
    written = {"a": {**numbers, "status": "A"}, "b": {**numbers, "status": "B"}}
    large = ', "large": 12345678901234567890.0, "huge": 1e400}'  # no float has these values
    text = json.dumps({"requests": written}).replace('"B"}', '"B"' + large).replace('"A"}', '"A"' + large)
    path = tmp_path / "requests.json"
    path.write_text(text)
    store = {"type": "json", "path": str(path)}
    run(store, set={"status": "Z"}, where=[{"field": "status", "is": "A"}], safety_backup=False)

    def shown(text: str) -> str:
        return repr(json.loads(text, parse_float=lambda one: f"float {float(one)!r} {one[-2:] == '.0'}"))

    assert shown(path.read_text()) == shown(text.replace('"A"', '"Z"'))


@pytest.fixture
def owned(stores: Stores) -> Store:
    """A table of PostgreSQL with a uuid as its key."""
    store = stores("postgresql")
    sql(store, "CREATE TABLE requests (id uuid PRIMARY KEY, owner uuid, code text)")
    sql(store, f"INSERT INTO requests VALUES ('{OWNER}', NULL, 'ab')")
    return store


@pytest.mark.parametrize("spelled", [OWNER.upper(), OWNER.replace("-", ""), f"{{{OWNER}}}"])
def test_a_uuid_has_several_spellings(spelled: str, owned: Store) -> None:
    params: dict[str, Any] = {"where": [{"any": [{"field": "id", "in": [spelled]}]}], "safety_backup": False}
    assert run(owned, set={"owner": spelled, "code": "cd"}, **params)["updated"] == 1
    assert run(owned, set={"owner": spelled, "code": "cd"}, **params)["changed"] is False
    made = command(f"r['id'] = r['owner'] = {spelled!r}; r['code'] = 'ef'")
    params["where"] = [{"field": "code", "is": "cd"}]
    assert run(owned, command=made, **params)["updated"] == 1
    assert run(owned, command=made, safety_backup=False)["changed"] is False
    assert sql(owned, "SELECT id::text, owner::text, code FROM requests") == [(OWNER, OWNER, "ef")]


def test_what_is_no_uuid_is_selected_by_nothing(owned: Store) -> None:
    for wanted in ("none", "", OWNER[:-1]):
        params: dict[str, Any] = {"where": [{"field": "id", "is": wanted}], "safety_backup": False}
        assert run(owned, True, set={"code": "x"}, **params)["total"] == 0


def test_the_progress_of_a_command(stores: Stores) -> None:
    store = stores("sqlite")
    sql(store, "CREATE TABLE requests (id INTEGER PRIMARY KEY, v TEXT)")
    sql(store, "INSERT INTO requests VALUES (1, 'a'), (2, 'a'), (3, 'a')")
    phases: list[tuple[str, Any, int]] = []

    class Recorded(Progress):
        def start(self, label: str, total: Any = None, unit: str = "") -> None:
            phases.append((label, total, self.done))  # of the phase before
            super().start(label, total, unit)

    values = {name: one.get("default") for name, one in update.ARGUMENTS["argument_spec"].items()}
    given = {"command": command("r['v'] = 'b'"), "batch_size": 2, "safety_backup": False}
    update.run({**values, "store": store, "collection": "requests", **given}, False, Recorded())
    assert phases == [
        ("Reading requests", None, 0),
        ("Planning the update of requests", 3, 3),
        ("Updating requests", 3, 3),
    ]


@pytest.mark.parametrize(
    ("native", "given", "stored"),
    [
        ("inet", "10.0.0.1", "10.0.0.1/32"),
        ("macaddr", "08002b:010203", "08:00:2b:01:02:03"),
        ("time", "10:00", "10:00:00"),
        ("int4range", "[1,5]", "[1,6)"),
        ("tsvector", "b a", "'a' 'b'"),
        ("interval", "1440 minutes", "24:00:00"),
        ("real", 1.23456789012, "1.2345679"),
        ("varchar(3)", "A", "A"),
    ],
)
def test_a_second_run_changes_nothing(native: str, given: Any, stored: str, stores: Stores) -> None:
    store = stores("postgresql")
    sql(store, f"CREATE TABLE requests (id int PRIMARY KEY, v {native})")
    sql(store, "INSERT INTO requests VALUES (1, NULL)")
    made = command(f"r['v'] = {given!r}")
    for wanted in ({"set": {"v": given}}, {"command": made}):
        changed = [run(store, check, safety_backup=False, **wanted)["changed"] for check in (True, False, True, False)]
        assert changed == ([True, True, False, False] if "set" in wanted else [False] * 4)
    assert sql(store, "SELECT v::text FROM requests") == [(stored,)]
    if native != "real":
        where = [{"field": "v", "is": given}]
        assert run(store, True, set={"v": None}, where=where, safety_backup=False)["total"] == 1


def test_what_is_no_value_of_a_column_fails_in_its_batch(stores: Stores) -> None:
    store = stores("postgresql")
    sql(store, "CREATE TABLE requests (id int PRIMARY KEY, v inet)")
    sql(store, "INSERT INTO requests VALUES (1, NULL), (2, NULL), (3, NULL)")
    made = command("r['v'] = 'nonsense' if r['id'] == 2 else '10.0.0.1'")
    checked, done = (failed(store, check, command=made, batch_size=2, safety_backup=False) for check in (True, False))
    assert 'id=2 can\'t be written: the field v: invalid input syntax for type inet: "nonsense"' in done["msg"]
    assert checked["errors"] == done["errors"]
    assert sql(store, "SELECT id, v::text FROM requests ORDER BY id") == [(1, None), (2, None), (3, "10.0.0.1/32")]
    assert "nonsense" in failed(store, set={"v": "nonsense"}, safety_backup=False)["errors"][0]["error"]


def stopped(store: Store, **params: Any) -> Cancelled:
    """The error of a task that was told to stop."""
    with pytest.raises(Cancelled) as caught:
        run(store, safety_backup=False, **params)
    json.dumps(caught.value.details)
    return caught.value


def test_a_task_that_is_cancelled_tells_what_it_has_written(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stores("sqlite")
    sql(store, "CREATE TABLE requests (id INTEGER PRIMARY KEY, v TEXT)")
    sql(store, "INSERT INTO requests VALUES (1, 'a'), (2, 'a'), (3, 'a'), (4, 'b')")
    calls, real = itertools.count(1), Changing.change

    def change(*arguments: Any) -> None:
        if next(calls) == 2:
            raise Cancelled("Stopped: it received SIGTERM.")
        real(*arguments)

    monkeypatch.setattr(Changing, "change", change)
    told = stopped(store, set={"v": "b"}, batch_size=1)
    assert "Before that: 1 of 4 records updated, 1 unchanged, 2 not tried." in str(told)
    assert {name: told.details[name] for name in ("changed", "updated", "unchanged", "not_tried", "success_rate")} == {
        "changed": True,
        "updated": 1,
        "unchanged": 1,
        "not_tried": 2,
        "success_rate": 0.5,
    }
    assert sql(store, "SELECT v FROM requests ORDER BY id") == [("b",), ("a",), ("a",), ("b",)]


@pytest.mark.parametrize(("method", "updated"), [("write", 0), ("commit", 2)])
def test_a_task_that_is_cancelled_while_it_writes_a_document(
    method: str, updated: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = tmp_path / "requests.json"
    document.write_text('{"requests": {"a": {"v": 1}, "b": {"v": 1}}}')
    real = getattr(JsonTarget, method)

    def told_to_stop(*arguments: Any) -> Any:
        done = real(*arguments)
        os.kill(os.getpid(), signal.SIGTERM)
        return done

    monkeypatch.setattr(JsonTarget, method, told_to_stop)
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        told = stopped({"type": "json", "path": str(document)}, set={"v": 2})
    finally:
        signal.signal(signal.SIGTERM, before)
    assert [one["v"] for one in json.loads(document.read_text())["requests"].values()] == [2 if updated else 1] * 2
    assert told.details.get("updated", 0) == updated
    assert told.details.get("changed", False) == bool(updated)
