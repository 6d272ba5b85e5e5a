# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is refused leaves the target and the repository as they were, however late it turns out."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, RepositoryError
from ansible_collections.day2.ops.plugins.module_utils._repository.base import Removal
from ansible_collections.day2.ops.plugins.module_utils._repository.directory import DirectoryRepository
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
    for check in (True, False):
        with pytest.raises(Day2Error, match=r"child: 1 record with a reference to parent \(p\) that does not exist"):
            run(check, source=source, target=target)
    assert holds(target) == {"parent": 0, "child": 0}


def before(
    monkeypatch: pytest.MonkeyPatch, target: Store, method: str, number: int, action: Callable[[], object]
) -> None:
    """Let somebody do something before the call with this number of a method of the target."""
    cls = type(open_target(target, {}))
    original, calls = getattr(cls, method), iter(range(1, 10000))

    def called(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == number:
            action()
        return original(*args, **kwargs)

    monkeypatch.setattr(cls, method, called)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "dynamodb"])
def test_but_what_appeared_since_the_plan(stores: Stores, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    source, other, target = document(stores("json"), a=FINE), document(stores("json"), a={"x": FINE["1"]}), stores(kind)

    def appears() -> None:
        if kind == "dynamodb":
            run(source=other, target=target)
        else:
            sql(target, "CREATE TABLE a (id TEXT PRIMARY KEY, v BIGINT)")
            sql(target, "INSERT INTO a VALUES ('mine', 1)")

    before(monkeypatch, target, "begin", 1, appears)
    with pytest.raises(Day2Error, match="a was created in .* since the migration was planned"):
        run(source=source, target=target)
    assert holds(target) == {"a": 1}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("mode", ["fail", "merge"])
@pytest.mark.parametrize("statement", ["INSERT INTO a VALUES ('mine', 1)", "UPDATE a SET v = 77 WHERE id = '0'"])
def test_but_what_others_have_written(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, mode: str, statement: str
) -> None:
    source, target = document(stores("json"), a={**FINE, "odd": {"id": "odd", **ODD[kind]}}), stores(kind)
    repository = {"repository": str(tmp_path / "backups"), "name": "app"}
    before(monkeypatch, target, "write", 3, lambda: sql(target, statement))
    with pytest.raises(Day2Error, match="can't store 1 record of a") as caught:
        run(source=source, target=target, batch_size=7, odd="reject", on_existing=mode, **repository)
    assert "Written records remain. Another program has written to" in caught.value.hint
    assert sql(target, "SELECT count(*) FROM a WHERE id = 'mine' OR v = 77") == [(1,)]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_a_run_that_merges(stores: Stores, kind: str) -> None:
    source, target = document(stores("json"), a={**FINE, "odd": {"id": "odd", **ODD[kind]}}), stores(kind)
    refused(source, target, "can't store 1 record of a", odd="reject", on_existing="merge")
    assert holds(target) == {}


def test_but_a_file_that_others_have_open(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = document(stores("json"), a={**FINE, "odd": {"id": "odd", **ODD["sqlite"]}}), stores("sqlite")
    with contextlib.ExitStack() as stack:

        def open_it() -> None:
            reader = subprocess.Popen(["sleep", "60"], stdin=stack.enter_context(open(target["path"], "rb")))
            stack.callback(lambda: [reader.kill(), reader.wait()])

        before(monkeypatch, target, "write", 1, open_it)
        with pytest.raises(Day2Error, match="can't store 1 record of a"):
            run(source=source, target=target, odd="reject")
        assert Path(target["path"]).exists()
        assert holds(target) == {}


@pytest.mark.parametrize("problem", ["", "stays", "raises"])
def test_the_reason_is_told_whatever_the_repository_says(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: str
) -> None:
    fine, target = document(stores("json"), a=FINE), stores("sqlite")
    source = document(stores("json"), b={**FINE, "odd": {"id": "odd", **ODD["sqlite"]}})
    repository = {"repository": str(tmp_path / "backups"), "name": "app"}
    run(source=fine, target=target, **repository)
    (damaged,) = (tmp_path / "backups").rglob("manifest.json")
    damaged.write_text("x")

    def remove(*_args: object) -> Removal:
        if problem == "raises":
            raise RepositoryError("The disk is gone.")
        return Removal("is locked until 2027")

    if problem:
        monkeypatch.setattr(DirectoryRepository, "remove", remove)
    with pytest.raises(Day2Error, match="can't store 1 record of b") as caught:
        run(source=source, target=target, odd="reject", **repository)
    told = {"": "", "stays": "of this run is locked until 2027.", "raises": "remains: The disk is gone."}[problem]
    assert told in caught.value.hint
    assert len(list((tmp_path / "backups").rglob("manifest.json"))) == (2 if problem else 1)
    assert damaged.exists()


def test_of_the_repository_if_it_did_not_begin(stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = document(stores("json"), a=FINE), stores("sqlite")
    before(monkeypatch, target, "begin", 1, lambda: sql(target, "CREATE TABLE a (id TEXT PRIMARY KEY, v BIGINT)"))
    with pytest.raises(Day2Error, match="since the migration was planned"):
        run(source=source, target=target, repository=str(tmp_path / "backups"), name="app")
    assert not list((tmp_path / "backups").rglob("manifest.json"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_table_of_others_is_dropped_by_the_way_back_that_remains(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    source, target = document(stores("json"), a={**FINE, "odd": {"id": "odd", **ODD[kind]}}), stores(kind)
    repository = {"repository": str(tmp_path / "backups"), "name": "app"}
    monkeypatch.setattr(DirectoryRepository, "remove", lambda *_args: Removal("is locked until 2027"))
    with pytest.raises(Day2Error, match="can't store 1 record of a"):
        run(source=source, target=target, odd="reject", **repository)
    sql(target, "CREATE TABLE a (id TEXT PRIMARY KEY, v BIGINT)")
    sql(target, "INSERT INTO a VALUES ('mine', 1)")
    for check in (True, False):
        with pytest.raises(Day2Error, match="a in .* has 1 record, not those that the migration wrote"):
            run(check, target=target, state="reverted", **repository)
    assert holds(target) == {"a": 1}
