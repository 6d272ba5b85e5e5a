# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._stores.records.inspection import (
    OF_COLLECTION,
    OF_INDEX,
    OF_STORE,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import TYPES
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import growth, store_info
from tests.services.stores import Store
from tests.unit.module_utils._verbs.migrations import Stores, connected, sql
from tests.unit.module_utils._verbs.migrations import run as migrate
from tests.unit.module_utils.verbs import run_verb

ROWS = 2000
USER = "user_id INTEGER REFERENCES users (id)"
NUMBERS = f"WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {ROWS - 1})"


def info(store: Store, check: bool = False, **params: Any) -> dict[str, Any]:
    values = {name: one.get("default") for name, one in store_info.ARGUMENTS["argument_spec"].items()}
    return run_verb(store_info, {**values, "store": store, **params}, check)


def refused(message: str, store: Store, **params: Any) -> None:
    with pytest.raises(Day2Error) as caught:
        info(store, **params)
    assert message in str(caught.value)


def named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [one for one in entries if one["name"] == name]
    return found


def half_empty(store: Store) -> Store:
    """Two tables, of which one has lost every other row."""
    for statement in (
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)",
        f"CREATE TABLE sessions (id INTEGER PRIMARY KEY, {USER}, host_id INTEGER REFERENCES users (id), note TEXT)",
        "CREATE INDEX by_host ON sessions (host_id, note)",
        "CREATE INDEX few ON sessions (user_id) WHERE user_id > 5",
        "INSERT INTO users VALUES (1, 'a')",
        f"{NUMBERS} INSERT INTO sessions SELECT n, 1, 1, '{'x' * 200}' FROM numbers",
        "DELETE FROM sessions WHERE id % 2 = 0",
    ):
        sql(store, statement)
    return store


@pytest.fixture(params=sorted(TYPES))
def store(request: pytest.FixtureRequest, stores: Stores, tmp_path: Path) -> Store:
    """A store of each type with one collection of 50 records."""
    document = tmp_path / "source.json"
    document.write_text(json.dumps({"hosts": [{"id": f"m{number:03}", "cpus": number} for number in range(50)]}))
    made = stores(request.param)
    migrate(
        source={"type": "json", "path": str(document)},
        target=made,
        primary_keys=[{"collection": "hosts", "fields": ["id"]}],
        safety_backup=False,
    )
    return made


@pytest.mark.parametrize("deep", [False, True])
def test_every_figure_has_a_source_or_a_reason(store: Store, deep: bool) -> None:
    before = sorted(os.listdir(Path(store["path"]).parent)) if "path" in store else []
    result = info(store, deep=deep)
    assert result["changed"] is False
    hosts = named(result["collections"], "hosts")
    if deep or store["type"] in ("json", "sqlite"):
        assert (hosts["records"], "records" in hosts["estimated"]) == (50, False)
    for names, entry in [
        (OF_STORE, result),
        *((OF_COLLECTION, one) for one in result["collections"]),
        *((OF_INDEX, one) for one in result["indexes"] or ()),
    ]:
        for name in (*names, "growth") if names != OF_INDEX else names:
            assert (entry[name] is None) == (name in entry["unknown"]), (name, entry)
            assert (entry[name] is not None) == (name in entry["sources"]), (name, entry)
        assert set(entry["estimated"]) <= set(entry["sources"])
    assert (sorted(os.listdir(Path(store["path"]).parent)) if "path" in store else []) == before


def test_free_space_within_pages_is_seen_only_by_reading_them(stores: Stores) -> None:
    database = half_empty(stores("sqlite"))
    shallow, deep = info(database), info(database, deep=True)
    # the free list, which has next to nothing, is all that a database itself knows
    assert shallow["free_page_bytes"] < shallow["bytes"] // 10
    assert shallow["free_bytes"] is shallow["free_percent"] is None
    assert "deep" in shallow["unknown"]["free_percent"]
    assert 40 < deep["free_percent"] < 60
    assert named(deep["collections"], "sessions")["records"] == ROWS // 2
    assert deep["unused_indexes"] is None
    assert deep["invalid_indexes"] == []
    assert deep["schema_version"] == 0
    assert deep["journal_mode"] == "delete"


def test_dead_rows_and_free_space_of_postgresql_are_two_figures(stores: Stores) -> None:
    database = half_empty(stores("postgresql"))
    server = connected(database)
    server.execute("CREATE EXTENSION IF NOT EXISTS pgstattuple SCHEMA public")
    unknown = named(info(database)["collections"], "users")
    assert unknown["last_analyze"] is None
    assert "none since" in unknown["unknown"]["last_analyze"]
    server.execute("VACUUM ANALYZE sessions")
    server.execute("VACUUM ANALYZE users")
    shallow, deep = info(database), info(database, deep=True)
    for result, estimated in ((shallow, True), (deep, False)):
        sessions = named(result["collections"], "sessions")
        assert ("free_percent" in sessions["estimated"]) is estimated
        assert 40 < sessions["free_percent"] < 60
        assert sessions["records"] == ROWS // 2
        assert sessions["last_vacuum"] is not None
        assert sessions["last_analyze"] is not None
    assert "by_host" in deep["unused_indexes"]
    assert "sessions_pkey" not in deep["unused_indexes"]
    # a half of the entries has gone, and the pages stay
    assert named(deep["indexes"], "sessions_pkey")["leaf_density"] < 60
    assert named(deep["indexes"], "by_host")["leaf_density"] > 20
    assert "postgres" in [one["name"] for one in deep["databases"]]


def test_what_a_cancelled_reindex_leaves_is_invalid(stores: Stores) -> None:
    database = stores("postgresql")
    server = connected(database)
    server.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (1)")
    with pytest.raises(Exception, match="could not create unique index"):
        server.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON t (id)")
    result = info(database)
    assert result["invalid_indexes"] == ["broken"]
    broken = named(result["indexes"], "broken")
    assert broken["valid"] is False
    assert "1 invalid index" in result["msg"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_foreign_keys_without_an_index(kind: str, stores: Stores) -> None:
    database = half_empty(stores(kind))
    # an index of some rows is none, and one that begins with the column is one
    missing = [{"collection": "sessions", "fields": ["user_id"], "references": "users"}]
    assert info(database)["foreign_keys_without_index"] == missing
    sql(database, "CREATE INDEX by_user ON sessions (user_id)")
    assert info(database)["foreign_keys_without_index"] == []


def test_tables_that_the_role_may_not_read_are_counted_by_others(stores: Stores) -> None:
    database = half_empty(stores("postgresql"))
    server = connected(database)
    role = "r_" + database["schema"]
    server.execute(f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {database['schema']} TO {role}")
    server.execute(f"GRANT SELECT ON users TO {role}; ANALYZE")
    result = info({**database, "username": role}, deep=True)
    assert named(result["collections"], "users")["records"] == 1
    sessions = named(result["collections"], "sessions")
    assert "records" in sessions["estimated"]


def test_a_directory_lists_its_databases(stores: Stores, tmp_path: Path) -> None:
    database = half_empty(stores("sqlite"))
    directory = Path(database["path"]).parent
    (directory / "notes.txt").write_text("none")
    (directory / "link.db").symlink_to(database["path"])
    os.mkfifo(directory / "fifo.db")
    result = info({"type": "sqlite", "path": str(directory)})
    assert [one["path"] for one in result["databases"]] == [database["path"]]
    assert result["bytes"] == os.path.getsize(database["path"])
    assert result["collections"] is None
    assert "directory" in result["unknown"]["collections"]
    (directory / "a.json").write_text("{}")
    assert [one["name"] for one in info({"type": "json", "path": str(directory)})["databases"]] == ["a.json"]


def test_growth_is_the_difference_from_an_earlier_run(stores: Stores, tmp_path: Path) -> None:
    database, file = half_empty(stores("sqlite")), tmp_path / "history" / "sizes.json"
    params = {"history": str(file)}
    assert info(database, check=True, **params)["growth"] is None
    assert not file.exists()
    first = info(database, **params)
    assert first["growth"] is None
    assert "no earlier entry" in first["unknown"]["growth"]
    history = json.loads(file.read_text())
    history["entries"][0]["at"] = "2020-01-01T00:00:00Z"
    file.write_text(json.dumps(history))
    sql(database, "INSERT INTO users SELECT id + 10, note FROM sessions")
    sql(database, "CREATE TABLE later (id INTEGER)")
    result = info(database, **params)
    assert result["growth"]["since"] == "2020-01-01T00:00:00Z"
    assert result["growth"]["bytes"] > 0
    users = named(result["collections"], "users")
    # sizes of tables were not read then
    assert users["growth"] == {"records": ROWS // 2, "bytes": None}
    assert "did not exist" in named(result["collections"], "later")["unknown"]["growth"]
    # an estimate is no earlier count
    assert info(database, deep=True, **params)["growth"] is None
    assert len(json.loads(file.read_text())["entries"]) == 3


def test_a_history_keeps_an_entry_an_hour_then_a_day() -> None:
    now = 1_750_000_000.0
    entries = [
        {"at": growth._time(now - minutes * 60), "deep": False, "minutes": minutes}
        for minutes in range(4 * 24 * 60, -1, -20)
    ]
    kept = list(growth._thinned(entries, now))
    assert kept[-1]["minutes"] == 0
    assert 50 <= len(kept) <= 53
    ages = [one["minutes"] for one in kept]
    assert ages[0] - ages[1] == 24 * 60
    assert ages[-2] - ages[-1] <= 60


def test_what_is_refused(stores: Stores, tmp_path: Path) -> None:
    database = half_empty(stores("sqlite"))
    refused("does not exist", {"type": "sqlite", "path": str(tmp_path / "none.db")})
    (tmp_path / "text").write_text("text" * 100)
    refused("is not an SQLite database", {"type": "sqlite", "path": str(tmp_path / "text")})
    refused("is not a history", database, history=str(tmp_path / "text"))
    os.mkfifo(tmp_path / "fifo")
    refused("FIFO", {"type": "sqlite", "path": str(tmp_path / "fifo")})
    refused("is not a duration", database, growth_over="week")
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"store": "/elsewhere", "entries": []}))
    refused("is the history of /elsewhere", database, history=str(other))
    entry = {"at": "2020-01-01T00:00:00Z", "deep": False, "bytes": 1, "collections": {}}
    for damage in ({"at": 5}, {"deep": None}, {"bytes": "x"}, {"collections": []}, {"collections": {"log": {}}}):
        other.write_text(json.dumps({"store": database["path"], "entries": [entry, {**entry, **damage}]}))
        refused("is not a history", database, history=str(other))
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    refused("other users can write", database, history=str(shared / "sizes.json"))
    refused("does not exist", {**stores("postgresql"), "schema": "nowhere"})
