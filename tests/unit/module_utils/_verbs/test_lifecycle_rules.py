# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""lifecycle beside rules of the database: the history says what has happened, and to no other record."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled, InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import lifecycle_info
from ansible_collections.day2.ops.plugins.module_utils._verbs.records.machine import machine_from
from ansible_collections.day2.ops.plugins.module_utils._verbs.records.moves import Lifecycle
from tests.services.stores import Store
from tests.unit.module_utils._verbs.migrations import Stores, deadlock, sql
from tests.unit.module_utils._verbs.test_lifecycle import refused, run

MACHINE: dict[str, Any] = {
    "name": "m",
    "collection": "c",
    "key": "id",
    "state_field": "s",
    "initial": "a",
    "states": ["a", "b"],
    "transitions": [{"name": "go", "from": "a", "to": "b"}, {"name": "back", "from": "b", "to": "a"}],
}
TO_B: dict[str, Any] = {"machine": MACHINE, "state": "b", "history": {"create": True}}


def machine(**changes: Any) -> dict[str, Any]:
    found = copy.deepcopy(MACHINE)
    found["transitions"][0].update(changes)
    return found


def events(store: Store) -> list[tuple[Any, ...]]:
    return sql(store, "SELECT subject, transition, outcome FROM lifecycle_events ORDER BY id")


def test_keys_that_the_database_takes_for_equal(stores: Stores) -> None:
    store = stores("sqlite")
    sql(store, "CREATE TABLE c (id TEXT COLLATE NOCASE, s TEXT)")
    sql(store, "INSERT INTO c VALUES ('A', 'a'), ('a', 'a')")
    refused("2 records of c match 1 value of id", store, subject="A", **TO_B)
    assert (sql(store, "SELECT DISTINCT s FROM c"), events(store)) == ([("a",)], [])


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_trigger_that_keeps_one_of_many_as_it_is(kind: str, stores: Stores) -> None:
    store = stores(kind)
    sql(store, "CREATE TABLE c (id INTEGER PRIMARY KEY, s TEXT)")
    sql(store, "INSERT INTO c VALUES (1, 'a'), (2, 'a'), (3, 'a')")
    if kind == "sqlite":
        sql(store, "CREATE TRIGGER t BEFORE UPDATE ON c WHEN old.id = 2 BEGIN SELECT RAISE(IGNORE); END")
    else:
        sql(store, "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
        sql(store, "CREATE TRIGGER t BEFORE UPDATE ON c FOR EACH ROW WHEN (old.id = 2) EXECUTE FUNCTION keep()")
    error = refused("2 of 3 subjects moved to b. 1 refused", store, subjects=["1", "2", "3"], **TO_B)
    assert [one["subject"] for one in error.details["refused"]] == ["2"]
    assert sql(store, "SELECT s FROM c ORDER BY id") == [("b",), ("a",), ("b",)]
    assert events(store) == [("1", "go", "done"), ("3", "go", "done")]


def test_a_conflict_removes_no_other_record(stores: Stores) -> None:
    store = stores("sqlite")
    sql(store, "CREATE TABLE c (id TEXT PRIMARY KEY, s TEXT, x TEXT UNIQUE ON CONFLICT REPLACE)")
    sql(store, "INSERT INTO c VALUES ('A', 'a', '1'), ('B', 'a', '2')")
    params = {**TO_B, "machine": machine(set={"x": "2"})}
    refused("UNIQUE constraint failed: c.x", store, subject="A", **params)
    refused("UNIQUE constraint failed: c.x", store, subject="N", record={"x": "2"}, **{**TO_B, "state": "a"})
    assert sql(store, "SELECT id, s, x FROM c ORDER BY id") == [("A", "a", "1"), ("B", "a", "2")]
    assert events(store) == []


def test_a_subject_that_can_be_no_key_does_not_stop_the_others(stores: Stores) -> None:
    store = stores("postgresql")
    sql(store, "CREATE TABLE c (id int PRIMARY KEY, s text)")
    sql(store, "INSERT INTO c VALUES (1, 'a'), (2, 'a')")
    for check in (True, False):
        error = refused("There is no id x in c", store, check, subjects=["1", "x", "2"], **TO_B)
        assert (error.details["moved"], [one["subject"] for one in error.details["refused"]]) == (2, ["x"])
    assert sql(store, "SELECT DISTINCT s FROM c") == [("b",)]


def test_keys_that_are_padded(stores: Stores) -> None:
    store = stores("postgresql")
    sql(store, "CREATE TABLE c (id char(5) PRIMARY KEY, s text)")
    sql(store, "INSERT INTO c VALUES ('ab', 'a')")
    assert run(store, subject="ab", **TO_B)["moved"] == 1
    assert (sql(store, "SELECT s FROM c"), events(store)) == ([("b",)], [("ab", "go", "done")])
    refused("There is no id abcdefg", store, subject="abcdefg", **TO_B)


OWNER = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.mark.parametrize(
    ("kind", "key", "name", "spelled"),
    [
        ("postgresql", "uuid", OWNER, OWNER.upper()),
        ("postgresql", "int", "7", "007"),
        ("sqlite", "INTEGER", "7", "007"),
        ("sqlite", "TEXT COLLATE NOCASE", "ab", "AB"),
    ],
)
def test_a_subject_has_one_name(kind: str, key: str, name: str, spelled: str, stores: Stores) -> None:
    store = stores(kind)
    sql(store, f"CREATE TABLE c (id {key} PRIMARY KEY, s TEXT)")
    sql(store, f"INSERT INTO c VALUES ('{name}', 'a')")
    assert run(store, True, subject=spelled, **TO_B)["moved"] == 1
    assert run(store, subjects=[spelled, name], **TO_B)["moved"] == 1
    for check in (True, False):
        assert run(store, check, subject=spelled, **TO_B)["changed"] is False
    for step in ("begin", "commit"):
        run(store, step=step, transition="back", token="t", subject=spelled, **TO_B)
    assert events(store) == [(name, "go", "done"), (name, "back", "done")]
    assert len(run(store, verb=lifecycle_info, subject=spelled, machine=TO_B["machine"])["history"]) == 2


@pytest.mark.parametrize(
    ("kind", "key", "name", "spelled"),
    [
        ("postgresql", "uuid", OWNER, OWNER.upper()),
        ("postgresql", "char(5)", "ab", "ab"),
        ("sqlite", "INTEGER", "7", "007"),
        ("sqlite", "TEXT", "007", "007"),
    ],
)
def test_the_name_of_a_new_subject(kind: str, key: str, name: str, spelled: str, stores: Stores) -> None:
    store = stores(kind)
    sql(store, f"CREATE TABLE c (id {key} PRIMARY KEY, s TEXT, x TEXT)")
    run(store, subject=spelled, record={"x": "2"}, **TO_B)
    assert events(store) == [(name, "register", "done"), (name, "go", "done")]
    for check in (True, False):
        assert run(store, check, subject=spelled, record={"x": "2"}, **TO_B)["changed"] is False


def test_a_subject_that_can_be_no_key_is_not_registered(stores: Stores) -> None:
    store = stores("postgresql")
    sql(store, "CREATE TABLE c (id int PRIMARY KEY, s text, x text)")
    refused("invalid input syntax for type integer", store, subject="x", record={"x": "2"}, **TO_B)
    assert sql(store, "SELECT * FROM c") == []


def test_a_deadlock_is_no_refusal(stores: Stores) -> None:
    """Another transaction has locked one record, and then wants that of the run, which waits for it."""
    store = stores("postgresql")
    sql(store, "CREATE TABLE c (id int PRIMARY KEY, s text, x text)")
    sql(store, "INSERT INTO c VALUES (1, 'a'), (2, 'a')")
    with deadlock(store, *(f"UPDATE c SET x = 'new' WHERE id = {number}" for number in (2, 1))):
        assert run(store, subjects=["1", "2"], **TO_B)["moved"] == 2
    assert sql(store, "SELECT id, s, x FROM c ORDER BY id") == [(1, "b", "new"), (2, "b", "new")]
    assert events(store) == [("1", "go", "done"), ("2", "go", "done")]


def test_a_hook_that_has_to_be_repeated_is_not_forgotten(stores: Stores) -> None:
    store = stores("sqlite")
    sql(store, "CREATE TABLE c (id TEXT PRIMARY KEY, s TEXT)")
    sql(store, "INSERT INTO c VALUES ('A', 'a')")
    params = {**TO_B, "machine": machine(after="x.yml"), "subject": "A"}
    for step in ("begin", "commit", "fail"):
        run(store, step=step, transition="go", token="first", **params)
    refused("The hook after go of A", store, step="begin", transition="back", token="second", **params)
    assert sql(store, "SELECT transition, phase FROM lifecycle_events_attempts") == [("go", "failed")]


@pytest.mark.parametrize(
    ("transition", "message"),
    [
        ({"name": ["go"]}, "has a name that is not a string"),
        ({"to": {"b": 1}}, "has a to that is not a string"),
        ({"before": ["x.yml"]}, "has a before that is not a string"),
        ({"shortcut": "false"}, "has a shortcut that is neither true nor false"),
        ({"requires_reason": "no"}, "has a requires_reason that is neither true nor false"),
        ({"set": [1]}, "set is not a dictionary"),
    ],
)
def test_transitions_of_wrong_types(transition: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        machine_from(machine(**transition))


@pytest.mark.parametrize(
    "register", [{"values": 5}, {"values": {"x": "abc"}}, {"patterns": ["x"]}, {"patterns": {"x": 5}}]
)
def test_rules_of_wrong_types(register: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="is not a dictionary of"):
        machine_from({**MACHINE, "register": register})


def test_a_task_that_is_cancelled_tells_what_it_has_moved(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stores("sqlite")
    sql(store, "CREATE TABLE c (id INTEGER PRIMARY KEY, s TEXT)")
    sql(store, "INSERT INTO c VALUES (1, 'a'), (2, 'a'), (3, 'a')")
    calls, real = itertools.count(1), Lifecycle.move

    def move(*arguments: Any) -> None:
        if next(calls) == 3:
            raise Cancelled("Stopped: it received SIGTERM.")
        real(*arguments)

    monkeypatch.setattr(Lifecycle, "move", move)
    with pytest.raises(Cancelled, match="Before that: 2 of 3 subjects moved to b.") as told:
        run(store, subjects=["1", "2", "3"], batch_size=1, **TO_B)
    assert told.value.details == {"changed": True, "moved": 2}
    assert sql(store, "SELECT s FROM c ORDER BY id") == [("b",), ("b",), ("a",)]
    assert [one[0] for one in events(store)] == ["1", "2"]
