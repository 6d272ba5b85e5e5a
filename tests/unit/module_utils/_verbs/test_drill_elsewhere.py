# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drills of tables and parameters of AWS, under prefixes of their own, and of the dumps of programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb import tables as dynamodb_tables
from ansible_collections.day2.ops.plugins.module_utils._verbs.drill import drill, notes
from tests.services.repositories import KINDS
from tests.unit.module_utils._stores.conftest import ssm_url
from tests.unit.module_utils._verbs.conftest import Application
from tests.unit.module_utils._verbs.test_drill import Killed, Lab

__all__ = ["ssm_url"]
pytestmark = pytest.mark.once
KEYS = {"region": "eu-central-1", "access_key_id": "x", "secret_access_key": "x"}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    return Lab(tmp_path)


class Tables:
    """Two tables in use, `drilled_a` and `drilled_b`."""

    names = ("drilled_a", "drilled_b")

    def __init__(self, url: str) -> None:
        self.options = {"type": "dynamodb", "endpoint_url": url, **KEYS}
        self.client = boto3.client(
            "dynamodb", endpoint_url=url, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
        )

    def make(self) -> None:
        for name in self.names:
            self.client.create_table(
                TableName=name,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
            for number in range(3):
                self.client.put_item(TableName=name, Item={"id": {"S": str(number)}})

    def all(self) -> set[str]:
        return set(self.client.list_tables()["TableNames"])

    def items(self) -> list[int]:
        return [self.client.scan(TableName=name)["Count"] for name in self.names]


@pytest.fixture
def tables(dynoxide_url: str) -> Iterator[Tables]:
    made = Tables(dynoxide_url)
    made.make()
    yield made
    for name in made.all():
        if name.startswith(("drilled_", "day2_drill_")):
            made.client.delete_table(TableName=name)


def test_tables_of_a_drill_have_a_prefix_of_their_own(lab: Lab, tables: Tables) -> None:
    lab.backup({**tables.options, "prefix": "drilled_"})
    before = tables.all()
    with pytest.raises(InvalidRequest, match="only possible for a backup that was made with method=native"):
        lab.drill(check=True, targets=[{**tables.options, "overrides": {"BillingModeOverride": "PAY_PER_REQUEST"}}])
    result = lab.drill(
        targets=[tables.options], probe=["sh", "-c", 'case "$DAY2_DRILL_PREFIX" in day2_drill_*_) ;; *) false; esac']
    )
    assert result["drill"]["verdict"] == "pass", result["msg"]
    assert (tables.all(), tables.items()) == (before, [3, 3])
    assert lab.drill(targets=[tables.options], negative=True)["drill"]["verdict"] == "pass"
    assert (tables.all(), tables.items()) == (before, [3, 3])
    assert not list((lab.root / "state" / "drill-places").iterdir())


def test_the_next_drill_removes_tables_that_a_killed_one_left(
    lab: Lab, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.backup({**tables.options, "prefix": "drilled_"})
    before = tables.all()

    def killed(*_args: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(drill, "_verify", killed)
        patched.setattr(notes, "_remove_at_last", lambda *_args: None)
        with pytest.raises(Killed):
            lab.drill(targets=[tables.options])
    left = sorted(tables.all() - before)
    assert len(left) == 2
    other = {**tables.options, "access_key_id": "y"}  # what it does not see may still be there
    assert lab.drill(targets=[other])["warnings"] == []
    find, drop = dynamodb_tables.find_table, dynamodb_tables.drop_table
    found: set[str] = set()
    dropped: list[str] = []

    def still_made(client: Any, name: str, *kind: Any) -> Any:
        """As AWS, which takes hours to make a table: when it is asked for the first time."""
        table, first = find(client, name, *kind), name not in found
        found.add(name)
        return table._replace(status="CREATING") if table and first and name == left[0] else table

    def noted(client: Any, name: str) -> None:
        dropped.append(name)
        drop(client, name)

    monkeypatch.setattr(dynamodb_tables, "find_table", still_made)
    monkeypatch.setattr(dynamodb_tables, "drop_table", noted)
    result = lab.drill(targets=[tables.options])
    assert result["drill"]["verdict"] == "pass"
    assert len(result["warnings"]) == 1
    assert "which a killed drill had left, was removed" in result["warnings"][0]
    assert [one for one in dropped if one in left] == [left[1], left[0]]
    assert tables.all() == before


def test_tables_that_exist_are_not_a_drills(lab: Lab, tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.backup({**tables.options, "prefix": "drilled_"})
    monkeypatch.setattr(notes, "new_name", lambda: "drilled")
    told = lab.drill(targets=[tables.options])["drill"]
    assert (told["verdict"], "exists already, and is not this drill's" in told["reason"]) == ("inconclusive", True)
    assert tables.items() == [3, 3]


def test_parameters_of_a_drill_have_a_prefix_of_their_own(lab: Lab, ssm_url: str) -> None:
    options = {"type": "ssm", "endpoint_url": ssm_url, **KEYS}
    client = boto3.client(
        "ssm", endpoint_url=ssm_url, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
    )

    def names() -> list[str]:
        return sorted(one["Name"] for one in client.describe_parameters()["Parameters"])

    for name in ("/drilled/a", "/drilled/b/c"):
        client.put_parameter(Name=name, Value="x", Type="String", Overwrite=True)
    before = names()
    for number, prefix in enumerate(("/drilled/", "/drilled")):
        lab.backup({**options, "prefix": prefix}, name=f"app{number}")
        result = lab.drill(targets=[options], name=f"app{number}")
        assert result["drill"]["verdict"] == "pass", result["msg"]
        assert names() == before


def test_a_dump_is_unpacked_for_the_probe(lab: Lab) -> None:
    lab.backup({"type": "command", "dump": ["printf", "a dump"]})
    result = lab.drill(probe=["sh", "-c", 'test "$(cat {path}/dump)" = "a dump"'])
    assert result["drill"]["verdict"] == "pass", result["msg"]
    assert lab.drill(negative=True)["drill"]["verdict"] == "pass"
    assert lab.drill(probe=["grep", "other", "{path}/dump"])["drill"]["verdict"] == "fail"


@pytest.mark.parametrize("kind", ["s3-rgw", "rclone-sftp", "restic"])
def test_a_backup_elsewhere(lab: Lab, tmp_path: Path, kind: str) -> None:
    application = Application("sqlite", tmp_path / "application" / "app.db")
    application.fill(20, settle=False)
    with KINDS[kind](tmp_path / "elsewhere") as place:
        backup_id = lab.backup(application.store, **place)
        told = lab.drill(**place)["drill"]
        assert (told["verdict"], told["backup"]) == ("pass", backup_id), told
        assert lab.drill(**place, negative=True)["drill"]["verdict"] == "pass"
        gone = lab.drill(**{**place, "name": "other"})["drill"]
        assert gone["verdict"] == "fail"
