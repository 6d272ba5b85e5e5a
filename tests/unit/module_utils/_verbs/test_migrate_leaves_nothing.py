# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is refused leaves the target and the repository as they were, however late it turns out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import open_target
from tests.unit.module_utils._verbs.migrations import Store, Stores, run, sql

FINE = {str(n): {"id": str(n), "v": n} for n in range(30)}
ODD = {"sqlite": {"v": "lots"}, "postgresql": {"v": "lots"}, "dynamodb": {"v": 1e-131}}


def document(store: Store, **collections: Any) -> Store:
    Path(store["path"]).write_text(json.dumps(collections))
    return store


def holds(store: Store) -> dict[str, int]:
    """The number of records in each collection, unfinished migrations included."""
    with open_target(store, {}) as target:
        infos = target.collections()
        assert not target.checkpoints([info.name for info in infos])
        return {info.name: len(list(target.read(info))) for info in infos}


def refused(source: Store, target: Store, words: str, **params: Any) -> None:
    told = []
    for check in (True, False):
        with pytest.raises(Day2Error, match=words) as caught:
            run(check, source=source, target=target, batch_size=7, **params)
        told.append(caught.value.message)
    assert told[0] == told[1]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "dynamodb"])
def test_of_collections_that_it_has_made(stores: Stores, tmp_path: Path, kind: str) -> None:
    odd = {str(n): {"id": str(n), **ODD[kind]} for n in range(100, 103)}
    source, target = document(stores("json"), a=FINE, b={**FINE, **odd}), stores(kind)
    words = "can't store 3 records of b"
    params = {"repository": str(tmp_path / "backups"), "name": "app", "odd": "reject"}
    refused(source, target, words, **params)
    assert holds(target) == {}
    assert kind != "sqlite" or not Path(target["path"]).exists()
    with pytest.raises(Day2Error, match="[Nn]o migration|no backup|does not exist"):
        run(target=target, state="reverted", repository=str(tmp_path / "backups"), name="app")
    # one that was there is kept, and is the one that is reverted
    run(source=source, target=target, only=["a"], **params)
    refused(source, target, words, **params)
    assert holds(target) == {"a": 30}
    run(target=target, state="reverted", repository=str(tmp_path / "backups"), name="app")
    assert holds(target) == {}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_tables_that_were_empty(stores: Stores, kind: str) -> None:
    source, target = document(stores("json"), a=FINE, b={**FINE, "x": {"id": "x"}}), stores(kind)
    sql(target, "CREATE TABLE b (id TEXT PRIMARY KEY, v BIGINT NOT NULL)")
    refused(source, target, "can't store 1 record of b")
    assert holds(target) == {"b": 0}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_records_that_a_key_does_not_tell_apart(stores: Stores, kind: str) -> None:
    source, target = stores("sqlite"), stores(kind)
    sql(source, "CREATE TABLE t (a INTEGER, b TEXT)")
    sql(source, "INSERT INTO t SELECT value, 'x' || value FROM json_each('[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]')")
    sql(source, "INSERT INTO t VALUES (11, 'again'), (3, 'again')")
    key = [{"collection": "t", "fields": ["a"]}]
    refused(source, target, r"The collection t has several records with the key \[(3|11)\]", primary_keys=key)
    assert holds(target) == {}


def test_of_rows_that_point_nowhere_in_a_table_that_is_there(stores: Stores) -> None:
    source, target = document(stores("json"), child={"1": {"id": "1", "p": "gone"}}), stores("postgresql")
    sql(target, "CREATE TABLE parent (id TEXT PRIMARY KEY)")
    sql(target, "CREATE TABLE child (id TEXT PRIMARY KEY, p TEXT REFERENCES parent)")
    with pytest.raises(Day2Error, match="violates foreign key") as caught:
        run(source=source, target=target)
    assert "Earlier records remain" in caught.value.hint
