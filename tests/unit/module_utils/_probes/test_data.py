# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sqlite, json and backup on real data."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._verbs import backup, backup_info

Check = Callable[..., dict[str, Any]]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "hawkfish.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA user_version=7")
    connection.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, text TEXT, state TEXT)")
    connection.execute("CREATE INDEX states ON tasks (state)")
    connection.executemany(
        "INSERT INTO tasks (text, state) VALUES (?, ?)", [("x" * 500, f"state-{n}") for n in range(2000)]
    )
    connection.commit()
    connection.close()
    return path


def test_a_sound_database(check: Check, database: Path) -> None:
    result = check("sqlite", path=str(database), schema_version=[7], query="SELECT count(*) FROM tasks", warn=2000)
    assert (result["status"], result["value"]) == ("ok", 2000), result["message"]
    assert result["message"] == f"{database} is sound, the query returned 2000"


def test_an_empty_file_is_no_sound_database(check: Check, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    for kind in ("quick", "none"):
        result = check("sqlite", path=str(tmp_path / "empty.db"), check=kind)
        assert (result["status"], result["message"]) == ("critical", f"{tmp_path}/empty.db is empty: it has no tables")


@pytest.mark.parametrize(
    "written", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400, '"NaN"', '"1e999"', "true"]
)
def test_no_threshold_lets_through_what_is_no_finite_number(check: Check, tmp_path: Path, written: str) -> None:
    path = tmp_path / "status.json"
    path.write_text(f'{{"part": {written}, "whole": 10}}')
    result = check("json", path=str(path), json=[{"path": "part", "min": -1, "max": 1}])
    assert result["status"] == "critical"
    assert "which is not a finite number" in result["message"]
    result = check("json", path=str(path), ratio={"part": "part", "whole": "whole"})
    assert result["status"] == "critical"
    assert "not finite numbers" in result["message"]


@pytest.mark.parametrize(
    ("written", "condition", "good"),
    [
        ('"12"', {"min": 10, "max": 12}, True),
        ('"12"', {"max": 11}, False),
        ('" -0.5 "', {"max": 0}, True),
        ('"12 apples"', {"min": 1}, False),
        ('"12"', {"equals": 12}, True),
        ('"12.0"', {"equals": 12}, True),
        ("12", {"equals": "12.0"}, True),
        ('"13"', {"equals": 12}, False),
        ('"012"', {"equals": "12"}, False),  # two texts
        ('"9007199254740993"', {"equals": 9007199254740992}, False),
    ],
)
def test_numbers_that_arrive_as_text(
    check: Check, tmp_path: Path, written: str, condition: dict[str, Any], good: bool
) -> None:
    path = tmp_path / "status.json"
    path.write_text(f'{{"value": {written}}}')
    result = check("json", path=str(path), json=[{"path": "value", **condition}])
    assert (result["status"] == "ok") is good, result["message"]


WRITER = """
import sqlite3, sys
writer = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.stdin:
    writer.execute(statement)
    print("done", flush=True)
"""


def test_a_database_beside_its_writer(check: Check, database: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None

        def write(statement: str) -> None:
            writer.stdin.write(statement + "\n")
            assert writer.stdout.readline() == "done\n"

        write("BEGIN IMMEDIATE")
        write("INSERT INTO tasks (text) VALUES ('y')")
        assert check("sqlite", path=str(database), query="SELECT count(*) FROM tasks")["value"] == 2000
        write("COMMIT")
        assert check("sqlite", path=str(database), query="SELECT count(*) FROM tasks")["value"] == 2001
        writer.stdin.close()


def test_sqlite_thresholds(check: Check, database: Path) -> None:
    query = "SELECT count(*) FROM tasks"
    assert check("sqlite", path=str(database), query=query, crit=1999)["status"] == "critical"
    assert "schema version 7" in check("sqlite", path=str(database), schema_version="8-9")["message"]
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM tasks")
    connection.close()
    result = check("sqlite", path=str(database))
    assert result["status"] == "warning"
    assert "the free space in" in result["message"]


def test_a_damaged_database(check: Check, database: Path) -> None:
    data = bytearray(database.read_bytes())
    for at in range(20 * 4096, 30 * 4096):
        data[at] ^= 0x55
    database.write_bytes(data)
    result = check("sqlite", path=str(database))
    assert result["status"] == "critical"
    assert "is damaged according to quick_check" in result["message"] or "malformed" in result["message"]
    assert check("sqlite", path=str(database), check="none")["status"] == "ok"


def test_an_index_that_misses_rows_is_found_by_integrity(check: Check, database: Path) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA writable_schema=ON")
    connection.execute("DELETE FROM sqlite_master WHERE name = 'states'")
    connection.close()
    connection = sqlite3.connect(database, isolation_level=None)
    page = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute("INSERT INTO tasks (text, state) VALUES ('new', 'new')")
    connection.execute("PRAGMA writable_schema=ON")
    root = 3
    connection.execute(
        "INSERT INTO sqlite_master VALUES ('index', 'states', 'tasks', ?, 'CREATE INDEX states ON tasks (state)')",
        (root,),
    )
    connection.close()
    assert page > root
    assert check("sqlite", path=str(database), check="quick")["status"] == "ok"
    assert check("sqlite", path=str(database), check="full")["status"] == "critical"


def test_databases_that_are_none(check: Check, tmp_path: Path) -> None:
    assert "does not exist" in check("sqlite", path=str(tmp_path / "none.db"))["message"]
    (tmp_path / "text.db").write_text("hello" * 1000)
    result = check("sqlite", path=str(tmp_path / "text.db"))
    assert result["status"] == "critical"
    assert "not a database" in result["message"]


def test_a_query_that_takes_too_long(check: Check, database: Path) -> None:
    query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    result = check("sqlite", path=str(database), query=query, timeout="2s")
    assert (result["status"], result["message"]) == ("unknown", f"no answer within 2s while checking {database}")
    assert check("sqlite", path=str(database), query="SELECT * FROM nothing")["status"] == "unknown"
    assert check("sqlite", path=str(database), query="DELETE FROM tasks")["status"] == "unknown"
    assert check("sqlite", path=str(database), query="SELECT count(*) FROM tasks")["value"] == 2000


def test_json_documents(check: Check, tmp_path: Path) -> None:
    path = tmp_path / "requests.json"
    path.write_text(json.dumps({"machines": {"a": {"id": 1}, "b": {"id": 2}}, "requests": [], "version": 3}))
    result = check("json", path=str(path), collections={"machines": "1-10", "requests": 0}, warn=1)
    assert (result["status"], result["value"]) == ("ok", 2), result["message"]
    assert check("json", path=str(path), warn=3)["status"] == "warning"
    assert "has 2 records in machines" in check("json", path=str(path), collections={"machines": 3})["message"]
    assert "no collection none" in check("json", path=str(path), collections={"none": 1})["message"]
    assert check("json", path=str(path), json=[{"path": "machines.*.id", "min": 1}])["status"] == "ok"
    result = check("json", path=str(path), json=[{"path": "machines.*.id", "max": 1}])
    assert (result["status"], result["message"]) == ("critical", "$.machines.b.id is 2, more than 1")
    assert check("json", path=str(path), json=[{"path": "version"}], max_size=10)["status"] == "unknown"


def test_json_that_is_none(check: Check, tmp_path: Path) -> None:
    path = tmp_path / "half.json"
    path.write_text('{"machines": {"a": ')
    result = check("json", path=str(path))
    assert result["status"] == "critical"
    assert "half.json" in result["message"]
    assert "does not exist" in check("json", path=str(tmp_path / "none.json"))["message"]


def test_backups(check: Check, tmp_path: Path) -> None:
    document, repository = tmp_path / "data.json", tmp_path / "backups"
    document.write_text('{"a": {"1": {}}}')

    def verb(module: Any, **params: Any) -> dict[str, Any]:
        values = {name: one.get("default") for name, one in module.ARGUMENTS["argument_spec"].items()}
        values.update(name="app", repository=str(repository), **params)
        result: dict[str, Any] = module.run(values, False, Progress())
        return result

    where = {"repository": str(repository), "backup_set": "app"}
    missing = check("backup", **where)["message"]
    assert f"the repository {repository} does not exist; is its file system mounted?" in missing
    repository.mkdir(mode=0o700)
    assert f"{repository} has no set app" in check("backup", **where)["message"]
    made = verb(backup, source={"type": "json", "path": str(document)})["backup"]
    result = check("backup", max_age="26h", **where)
    assert result["status"] == "ok"
    assert (result["unit"], result["crit"]) == ("s", 26 * 3600)
    assert 0 <= result["value"] < 60
    assert made["id"] in result["message"]
    assert check("backup", max_age=0, **where)["status"] == "critical"
    assert "last fully verified" in check("backup", verified_within=0, **where)["message"]
    verb(backup_info, verify="full")
    assert check("backup", verified_within="1d", **where)["status"] == "ok"
    (data,) = (Path(made["path"]) / "data").iterdir()
    data.write_bytes(b"short")
    result = check("backup", **where)
    assert result["status"] == "critical"
    assert "app has no good backup; 1 backup of app damaged" in result["message"]


@pytest.mark.parametrize("kind", ["sqlite", "references"])
def test_what_can_not_be_looked_at_is_unknown(check: Check, tmp_path: Path, kind: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    more = {"store": "sqlite", "references": [{"from": "a.b", "to": "c.d"}]} if kind == "references" else {}
    for path, status, why in (
        (tmp_path / "loop" / "a.db", "unknown", "Too many levels of symbolic links"),
        (tmp_path / "none.db", "critical", "does not exist"),
        (tmp_path, "critical", "is a directory, not a file"),
    ):
        result = check(kind, path=str(path), **more)
        assert (result["status"], why in result["message"]) == (status, True), result


def test_a_repository_that_is_not_mounted(check: Check, tmp_path: Path) -> None:
    result = check("backup", repository=str(tmp_path / "none"), backup_set="app")
    assert (result["status"], "is its file system mounted?" in result["message"]) == ("critical", True), result


def test_copies_of_backups(check: Check, tmp_path: Path) -> None:
    document = tmp_path / "a.json"
    document.write_text('{"a": {"1": {}}}')
    values = {name: one.get("default") for name, one in backup.ARGUMENTS["argument_spec"].items()}
    values.update(name="app", source={"type": "json", "path": str(document)}, repository=str(tmp_path / "backups"))
    places = [{"repository": str(tmp_path / "copies"), "offsite": True, "lock_for": "30d"}]
    backup.run({**values, "copy_to": [{"repository": str(tmp_path / "copies")}]}, False, Progress())
    where = {"repository": str(tmp_path / "backups"), "backup_set": "app", "copy_to": places}
    result = check("backup", copies={"min": 3, "offsite": 1}, max_age="1h", **where)
    assert (result["status"], "3 copies, 1 offsite" in result["message"]) == ("ok", True), result
    result = check("backup", copies={"min": 4}, **where)
    assert result["status"] == "critical"
    assert "app has 3 copies, 1 offsite (the objective is 4, 0 offsite)" in result["message"]
    twice = {**where, "copy_to": [*places, {"repository": str(tmp_path / "copies")}]}
    result = check("backup", copies={"min": 4}, **twice)
    assert (result["status"], "can't hold copies of itself" in result["message"]) == ("unknown", True), result
    shutil.rmtree(tmp_path / "copies")
    result = check("backup", copies={"min": 2}, **where)
    assert result["status"] == "unknown"
    assert f"the copies in {tmp_path}/copies are unknown: it does not exist" in result["message"]
    for wrong, why in (([{"s3": {}}], "needs a repository"), ("geheim", "must be a list of mappings, not .hidden.")):
        with pytest.raises(InvalidRequest, match=why):
            check("backup", **{**where, "copy_to": wrong})
