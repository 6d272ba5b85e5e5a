# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of DynamoDB and their restores, killed at each of their calls, and run again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from ansible_collections.day2.ops.tests.faults.support import run
from ansible_collections.day2.ops.tests.faults.verb import run_verb
from tests.services.dynamodb import CREDENTIALS, REGION, dynoxide, options
from tests.services.throttle_proxy import Proxy, killed_at_call, proxy

ITEMS = 60
STEP = 7  # odd, so that the server gets every other call; with 1, each call is tried, which takes minutes


class Case:
    """Two tables, of which one is empty, and their backups in a directory."""

    def __init__(self, url: str, server: Proxy, directory: Path) -> None:
        self.server, self.directory = server, directory
        self.boto: Any = boto3.client(
            "dynamodb",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["access_key_id"],
            aws_secret_access_key=CREDENTIALS["secret_access_key"],
        )

    def make(self, prefix: str) -> None:
        for name in ("full", "empty"):
            self.boto.create_table(
                TableName=prefix + name,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
                Tags=[{"Key": "team", "Value": "ops"}],
            )
        self.boto.update_time_to_live(
            TableName=prefix + "full", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
        )
        self.fill(prefix, 0, ITEMS)

    def fill(self, prefix: str, first: int, last: int, version: int = 1) -> None:
        for number in range(first, last):
            item = {"id": {"S": f"i{number}"}, "version": {"N": str(version)}}
            self.boto.put_item(TableName=prefix + "full", Item=item)

    def remove(self, prefix: str) -> None:
        for name in self.boto.list_tables()["TableNames"]:
            if name.startswith(prefix):
                self.boto.delete_table(TableName=name)

    def items(self, prefix: str) -> dict[str, str]:
        found = self.boto.scan(TableName=prefix + "full")["Items"]
        return {one["id"]["S"]: one["version"]["N"] for one in found}

    def params(self, kind: str, prefix: str, **more: Any) -> dict[str, Any]:
        store = {"type": "dynamodb", "jobs": 1, **options(self.server.url, prefix)}
        return {"name": "set", "repository": str(self.directory / "repository"), kind: store, **more}

    def done(self, verb: str, params: dict[str, Any]) -> dict[str, Any]:
        finished = run(verb, params)
        assert finished.status == 0, finished.error
        return finished.result

    def killed(self, verb: str, params: dict[str, Any], at: int) -> bool:
        """Run a verb that is killed at its at-th call, which the server gets or not. False: it made fewer calls."""
        return killed_at_call(self.server, at, lambda: run_verb(verb, params))


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    with dynoxide(tmp_path) as url, proxy(url) as server:
        yield Case(url, server, tmp_path)


@pytest.mark.once
def test_a_killed_backup_is_made_by_the_next_run(case: Case) -> None:
    case.make("a_")
    params = case.params("source", "a_")
    for at in itertools.count(1, STEP):
        case.fill("a_", 0, 1, version=at)  # so that each run has something to do
        if not case.killed("backup", params, at):
            break
        assert case.done("backup", params)["reason"] in ("new", "changed")
        assert case.done("backup", params)["reason"] == "unchanged"
    assert at > 10
    new = case.params("target", "b_")
    case.done("restore", new)
    assert case.items("b_") == case.items("a_")


@pytest.mark.once
def test_a_killed_restore_into_new_tables_is_completed_by_the_next_run(case: Case) -> None:
    case.make("a_")
    case.done("backup", case.params("source", "a_"))
    params = case.params("target", "b_")
    for at in itertools.count(1, STEP):
        if not case.killed("restore", params, at):
            break
        case.done("restore", params)  # on_existing=fail: what was written is in the backup
        assert case.items("b_") == case.items("a_")
        again = case.done("restore", params)
        assert (again["changed"], again["warnings"]) == (False, [])
        case.remove("b_")
    assert at > 15


@pytest.mark.once
def test_a_killed_restore_over_a_table_is_completed_and_has_its_way_back(case: Case) -> None:
    case.make("a_")
    case.done("backup", case.params("source", "a_"))
    params = case.params("target", "a_", on_existing="replace", backup="latest")
    restored = case.items("a_")
    for at in itertools.count(1, STEP):
        case.fill("a_", 0, 40, version=at + 1)
        case.fill("a_", ITEMS, ITEMS + 30, version=at + 1)
        before = case.items("a_")
        known = safety_backups(case)
        if not case.killed("restore", params, at):
            break
        case.done("restore", params)
        assert case.items("a_") == restored
        first = sorted(safety_backups(case) - known)[0]
        if at % 5 == 3:
            case.done("restore", case.params("target", "a_", on_existing="replace", backup=first, safety_backup=False))
            assert case.items("a_") == before
            case.done("restore", params)
    assert at > 20


def safety_backups(case: Case) -> set[str]:
    found = case.done("backup_info", {"name": "set", "repository": str(case.directory / "repository")})
    return {one["id"] for one in found["sets"][0]["backups"] if one["kind"] == "safety"}
