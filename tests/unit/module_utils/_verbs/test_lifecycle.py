# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json
import threading
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    Day2Error,
    InvalidRequest,
    SourceError,
    TargetError,
)
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import lifecycle, lifecycle_info
from ansible_collections.day2.ops.plugins.module_utils._verbs.records.machine import machine_from
from tests.services.stores import Store
from tests.unit.module_utils._verbs.migrations import Stores, sql
from tests.unit.module_utils.verbs import run_verb

MACHINE: dict[str, Any] = {
    "name": "customer",
    "collection": "customers",
    "key": "username",
    "state_field": "stage",
    "initial": "registered",
    "states": ["registered", "verified", "active", "suspended", "closed"],
    "final": ["closed"],
    "register": {
        "required": ["email", "user_type"],
        "patterns": {"email": r"[^@\s]+@[^@\s]+\.[^@\s]+"},
        "values": {"user_type": ["customer", "reseller"]},
    },
    "transitions": [
        {"name": "verify", "from": "registered", "to": "verified", "requires": ["email"], "set": {"verified": True}},
        {"name": "provision", "from": "verified", "to": "active", "service": "internet"},
        {"name": "suspend", "from": "active", "to": "suspended", "requires_reason": True},
        {"name": "reactivate", "from": "suspended", "to": "active"},
        {
            "name": "close",
            "from": ["active", "suspended", "verified", "registered"],
            "to": "closed",
            "requires_reason": True,
            "service": "internet",
            "service_status": "removed",
            "shortcut": False,
        },
    ],
}
RECORD = {"email": "john@example.com", "user_type": "customer"}
KINDS = ["sqlite", "postgresql"]


def with_hooks() -> dict[str, Any]:
    machine = copy.deepcopy(MACHINE)
    machine["transitions"][1]["before"] = "provision.yml"
    machine["transitions"][2]["after"] = "notify.yml"
    return machine


def run(store: Store, check: bool = False, verb: Any = lifecycle, **params: Any) -> dict[str, Any]:
    spec = verb.ARGUMENTS["argument_spec"]
    values = {name: one.get("default") for name, one in spec.items()}
    values.update(store=store, machine=MACHINE)
    return run_verb(verb, {**values, **params}, check)


def refused(message: str, store: Store, check: bool = False, **params: Any) -> Day2Error:
    with pytest.raises(Day2Error) as caught:
        run(store, check, **params)
    assert message in str(caught.value)
    json.dumps(caught.value.details)
    return caught.value


def info(store: Store, subject: str = "john", **params: Any) -> dict[str, Any]:
    return run(store, verb=lifecycle_info, subject=subject, **params)


def went(store: Store, subject: str = "john") -> list[tuple[str, str]]:
    return [(one["transition"], one["outcome"]) for one in info(store, subject)["history"]]


@pytest.fixture(params=KINDS)
def customers(request: pytest.FixtureRequest, stores: Stores) -> Store:
    store = stores(request.param)
    sql(
        store,
        "CREATE TABLE customers (username VARCHAR(40) PRIMARY KEY, email TEXT, user_type TEXT NOT NULL,"
        " verified BOOLEAN DEFAULT false, stage TEXT)",
    )
    return store


@pytest.fixture
def john(customers: Store) -> Store:
    run(customers, subject="john", state="registered", record=RECORD, history={"create": True})
    return customers


def test_from_registration_to_closing(customers: Store) -> None:
    params: dict[str, Any] = {"subject": "john", "state": "active", "record": RECORD, "history": {"create": True}}
    first = run(customers, True, **params)
    assert sql(customers, "SELECT count(*) FROM customers")[0][0] == 0
    done = run(customers, **params)
    for result in (first, done):
        assert [one["name"] for one in result["path"]] == ["register", "verify", "provision"]
        assert (result["changed"], result["moved"], result["events"], result["state"]) == (True, 1, 3, None)
    assert first["diff"] == done["diff"] == {"before": "john: \n", "after": "john: active\n"}
    for check in (True, False):
        again = run(customers, check, **params)
        assert (again["changed"], again["path"], again["state"]) == (False, [], "active")
    assert went(customers) == [("register", "done"), ("verify", "done"), ("provision", "done")]
    assert bool(sql(customers, "SELECT verified FROM customers")[0][0])
    refused("requires a reason", customers, subject="john", state="suspended")
    run(customers, subject="john", state="suspended", reason="unpaid")
    run(customers, subject="john", state="active")
    run(customers, subject="john", state="closed", reason="moved away", actor="jane")
    found = info(customers)
    assert found["states"] == {"registered": 0, "verified": 0, "active": 0, "suspended": 0, "closed": 1}
    assert (found["history"][-1]["reason"], found["history"][-1]["actor"]) == ("moved away", "jane")
    assert [(one["service"], one["status"]) for one in found["services"]] == [("internet", "removed")]
    refused("closed can't become active. closed is final.", customers, subject="john", state="active")


def test_ways(john: Store) -> None:
    error = refused("registered can't become active directly", john, subject="john", state="active", via="direct")
    assert "registered → verified → active" in error.hint
    refused("no state gone", john, subject="john", state="gone")
    # close is no shortcut to anything, but can be the last step
    assert [one["name"] for one in run(john, True, subject="john", state="closed", reason="x")["path"]] == ["close"]
    assert [one["name"] for one in run(john, True, subject="john", state="suspended", reason="x")["path"]] == [
        "verify",
        "provision",
        "suspend",
    ]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"email": "nomail", "user_type": "customer"}, "not allowed in email"),
        ({"email": "a@b.c", "user_type": "king"}, "not allowed in user_type"),
        ({"email": "a@b.c"}, "requires user_type"),
        ({"email": "a@b.c", "user_type": ""}, "requires user_type"),
        ({}, "There is no username jane in customers. To register it, set record."),
        ({**RECORD, "stage": "active"}, "record: stage is set by the machine"),
        ({**RECORD, "nickname": "J"}, "has no column nickname"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_registrations_that_are_refused(john: Store, record: dict[str, Any], message: str, check: bool) -> None:
    refused(message, john, check, subject="jane", state="registered", record=record)
    assert sql(john, "SELECT count(*) FROM customers")[0][0] == 1


def test_what_a_transition_requires(john: Store) -> None:
    sql(john, "UPDATE customers SET email = ''")
    refused("The transition verify of john requires email", john, subject="john", state="active")
    assert went(john) == [("register", "done")]


def test_tables_are_only_created_when_told(customers: Store) -> None:
    for check in (True, False):
        refused("Set history.create to true", customers, check, subject="john", state="registered", record=RECORD)
    history = {"collection": "past", "create": True}
    run(customers, subject="john", state="registered", record=RECORD, history=history)
    assert sql(customers, "SELECT subject, to_state FROM past") == [("john", "registered")]
    refused("Set history.create", customers, subject="john", state="verified")
    sql(customers, "DROP TABLE past_services")
    refused(
        "The table past exists, but not past_services", customers, subject="john", state="verified", history=history
    )
    sql(customers, "CREATE TABLE lifecycle_events (id INTEGER)")
    refused("is not a history of lifecycles", customers, subject="john", state="verified", history={"create": True})


def test_missing_tables_and_states(john: Store) -> None:
    machine = {**MACHINE, "collection": "people"}
    with pytest.raises(SourceError, match="has no table people"):
        run(john, subject="john", state="active", machine=machine)
    sql(john, "UPDATE customers SET stage = 'lost'")
    refused("is in the state 'lost', which the machine customer does not have", john, subject="john", state="active")
    assert info(john)["unknown_states"] == {"lost": 1}


def test_many_subjects(john: Store) -> None:
    for number in range(30):
        stage = "active" if number % 3 else "closed"
        sql(john, f"INSERT INTO customers (username, user_type, stage) VALUES ('c{number:02}', 'customer', '{stage}')")
    subjects = [f"c{number:02}" for number in range(30)]
    params: dict[str, Any] = {"state": "suspended", "reason": "unpaid", "batch_size": 7, "via": "direct"}
    error = refused(
        "20 of 32 subjects moved to suspended. 12 refused.", john, subjects=["john", "none", *subjects], **params
    )
    assert {one["subject"] for one in error.details["refused"]} == {"john", "none", *subjects[::3]}
    assert error.details["changed"] is True
    assert info(john)["states"] == {"registered": 1, "verified": 0, "active": 0, "suspended": 20, "closed": 10}
    assert went(john, "c01") == [("suspend", "done")]
    assert went(john, "c00") == []
    others = [one for one in subjects if one not in subjects[::3]]
    for check in (True, False):
        assert run(john, check, subjects=others, **params)["changed"] is False


def test_integers_as_keys(stores: Stores) -> None:
    for kind in KINDS:
        store = stores(kind)
        sql(store, "CREATE TABLE customers (username INTEGER PRIMARY KEY, email TEXT, verified INTEGER, stage TEXT)")
        sql(store, "INSERT INTO customers VALUES (5, 'a@b.c', 0, 'registered')")
        machine = copy.deepcopy(MACHINE)
        machine["transitions"][0]["set"] = {"verified": 1}
        done = run(store, subject="5", state="verified", machine=machine, history={"create": True})
        assert done["moved"] == 1
        assert sql(store, "SELECT verified, stage FROM customers") == [(1, "verified")]


def step(store: Store, name: str, transition: str, token: str = "t1", **params: Any) -> dict[str, Any]:
    return run(store, subject="john", step=name, transition=transition, token=token, machine=with_hooks(), **params)


def test_hooks(john: Store) -> None:
    """What the role does between the steps is what the user wants to be done."""
    machine = with_hooks()
    refused("Use the role", john, subject="john", state="active", machine=machine)
    plan = run(john, step="plan", subject="john", state="active", machine=machine)
    assert [(one["name"], one["before"], one["after"]) for one in plan["path"]] == [
        ("verify", None, None),
        ("provision", "provision.yml", None),
    ]
    for transition in ("verify", "provision"):
        step(john, "begin", transition)
        step(john, "commit", transition)
    step(john, "begin", "suspend", reason="unpaid")
    step(john, "commit", "suspend", reason="unpaid")
    # The state has changed, and the hook is still to be run.
    found = info(john)
    assert found["state"] == "suspended"
    assert [(one["transition"], one["phase"]) for one in found["attempts"]] == [("suspend", "after")]
    step(john, "fail", "suspend", reason="no mail server")
    plan = run(john, step="plan", subject="john", state="suspended", machine=machine)
    assert (plan["changed"], plan["path"], plan["pending"]["name"]) == (True, [], "suspend")
    step(john, "repeat", "suspend", token="t2")
    step(john, "finish", "suspend", token="t2")
    assert run(john, step="plan", subject="john", state="suspended", machine=machine)["changed"] is False
    assert went(john)[-2:] == [("suspend", "done"), ("suspend", "after_failed")]


def test_a_hook_before_that_fails(john: Store) -> None:
    run(john, subject="john", state="verified")
    step(john, "begin", "provision")
    assert info(john)["services"][0]["status"] == "provisioning"
    step(john, "fail", "provision", reason="radius server does not answer")
    found = info(john)
    assert (found["state"], found["services"][0]["status"], found["attempts"]) == ("verified", "failed", [])
    assert found["history"][-1]["reason"] == "radius server does not answer"
    step(john, "begin", "provision", token="t2")
    step(john, "commit", "provision", token="t2")
    assert info(john)["services"][0]["status"] == "active"


def test_two_runs_at_once(john: Store) -> None:
    run(john, subject="john", state="verified")
    step(john, "begin", "provision")
    words = "Another run has begun the transition provision of john"
    for name, params in (("plan", {"state": "active"}), ("begin", {"transition": "provision", "token": "t2"})):
        refused(words, john, subject="john", step=name, machine=with_hooks(), **params)
    refused(words, john, subject="john", state="closed", reason="x")
    # It is dead. What it still does is refused.
    step(john, "begin", "provision", token="t2", take_over_after="0s")
    refused(
        "or was taken over",
        john,
        subject="john",
        step="commit",
        transition="provision",
        token="t1",
        machine=with_hooks(),
    )
    step(john, "begin", "provision", token="t2")
    step(john, "commit", "provision", token="t2")
    assert went(john).count(("provision", "done")) == 1


def test_the_application_changes_the_state_meanwhile(john: Store) -> None:
    run(john, subject="john", state="verified")
    step(john, "begin", "provision")
    sql(john, "UPDATE customers SET stage = 'closed'")
    refused(
        "john is in the state closed by now", john, subject="john", step="commit", transition="provision", token="t1"
    )
    assert info(john)["state"] == "closed"
    refused("is in the state closed by now", john, subject="john", step="begin", transition="suspend", token="t2")


def test_one_of_many_at_once_wins(john: Store) -> None:
    results: list[str] = []

    def attempt() -> None:
        try:
            results.append(str(run(john, subject="john", state="verified")["moved"]))
        except Day2Error as exc:
            results.append(str(exc))

    threads = [threading.Thread(target=attempt) for dummy in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["0"] * 5 + ["1"]
    assert went(john) == [("register", "done"), ("verify", "done")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one.update(initial="new"), "the initial state new is not a state"),
        (lambda one: one.update(states=["registered", "registered"]), "the state registered is listed twice"),
        (lambda one: one.pop("key"), "key is missing"),
        (lambda one: one.update(colour="red"), "colour is not known"),
        (lambda one: one.update(final=["gone"]), "the final state gone is not a state"),
        (
            lambda one: one["transitions"].append({"name": "x", "from": "closed", "to": "active"}),
            "leaves the final state",
        ),
        (lambda one: one["transitions"].append({"name": "x", "from": "active", "to": "gone"}), "names gone, which"),
        (lambda one: one["transitions"].append({"name": "x", "to": "active"}), r"transitions\[5\] has no from"),
        (
            lambda one: one["transitions"].append({"name": "x", "from": "active", "to": "closed"}),
            "two transitions lead",
        ),
        (
            lambda one: one["transitions"].append({"name": "verify", "from": "active", "to": "verified"}),
            "are named verify",
        ),
        (lambda one: one["transitions"].append({"name": "x", "from": "a", "to": "b", "when": 1}), "has when, which"),
        (lambda one: one["transitions"].append("x"), "is not a dictionary"),
        (lambda one: one["transitions"].pop(0), "no transition leads to verified"),
        (lambda one: one["transitions"][0]["set"].update(stage="x"), "sets the key or the state"),
        (lambda one: one["transitions"][0].update(set=5), "set is not a dictionary"),
        (lambda one: one["register"].update(patterns={"email": "("}), "not a regular expression"),
        (lambda one: one["register"].update(optional=[]), "register is a dictionary"),
    ],
)
def test_what_is_no_machine(change: Callable[[dict[str, Any]], Any], message: str) -> None:
    machine = copy.deepcopy(MACHINE)
    change(machine)
    with pytest.raises(InvalidRequest, match=message):
        machine_from(machine)


def test_a_pattern_that_explodes_is_bounded() -> None:
    machine = copy.deepcopy(MACHINE)
    machine["register"]["patterns"] = {"email": "(a+)+"}
    from ansible_collections.day2.ops.plugins.module_utils._verbs.records.machine import check_registration

    with pytest.raises(InvalidRequest, match="takes too long"):
        check_registration(machine_from(machine), {"email": "a" * 60 + "b", "user_type": "customer"}, "john")


def test_a_rule_of_the_database(john: Store) -> None:
    sql(john, "CREATE UNIQUE INDEX mail ON customers (email)")
    with pytest.raises(TargetError):
        run(john, subject="jane", state="registered", record=RECORD)
    assert sql(john, "SELECT count(*) FROM lifecycle_events")[0][0] == 1
