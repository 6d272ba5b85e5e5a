# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""log_report over records: what HawkFish's operators ask of its audit log, in each type of store."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import TYPES
from ansible_collections.day2.ops.plugins.module_utils._verbs.logs import report as log_report
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import store_info, validate
from tests.services.stores import Store
from tests.unit.module_utils._verbs.migrations import Stores
from tests.unit.module_utils._verbs.migrations import run as migrate
from tests.unit.module_utils.verbs import run_verb

COLLECTIONS = Path(__file__).resolve().parents[4] / ".cache" / "collections"
Audit = Callable[..., Store]

RUN = """
import importlib, json, sys
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
verb = importlib.import_module("ansible_collections.day2.ops.plugins.module_utils._verbs." + sys.argv[1])
try:
    found = verb.run(json.loads(sys.argv[2]), False, Progress(""))
    print(found.get("total", found.get("valid")))
except Day2Error as exc:
    print(exc)
"""
NOW = datetime.now(timezone.utc).replace(microsecond=0)
ACTIONS = (("login", "session", 200), ("login", "session", 401), ("create", "system", 201), ("delete", "system", 403))
COUNTS = [
    {"name": "users", "by": ["user_id"], "where": [], "since": None},
    {"name": "actions", "by": ["resource_type", "action"], "where": [], "since": None},
    {"name": "failures", "by": [], "where": [{"field": "success", "is": False}], "since": None},
    {
        "name": "failed_logins",
        "by": ["user_id"],
        "where": [{"field": "action", "is": "login"}, {"field": "status_code", "is": 401}],
        "since": None,
    },
    {"name": "forbidden", "by": ["user_id"], "where": [{"field": "status_code", "is": 403}], "since": None},
]


@pytest.fixture(autouse=True)
def _when_the_test_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not when its file was read: half an hour later, the last hour of seven days would be another one."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(timezone.utc).replace(microsecond=0))


def entries(count: int = 240) -> list[dict[str, Any]]:
    """One for each hour before now, the newest first."""
    found = []
    for number in range(count):
        action, resource, status = ACTIONS[number % 4]
        found.append(
            {
                "id": number,
                "timestamp": (NOW - timedelta(hours=number, minutes=30)).strftime("%Y-%m-%dT%H:%M:%S.250Z"),
                "user_id": ("admin", "operator", "mallory")[number % 3],
                "action": action,
                "resource_type": resource,
                "success": status < 400,
                "status_code": status,
                "error_message": None if status < 400 else "denied",
            }
        )
    return found


@pytest.fixture
def audit(tmp_path: Path, stores: Stores) -> Audit:
    """A store with an audit log."""

    def fill(kind: str, records: Any = None) -> Store:
        rows = entries() if records is None else records
        if kind == "sqlite":
            return {"type": "sqlite", "path": str(table(tmp_path / "hawkfish.db", rows))}
        document = tmp_path / "audit.json"
        document.write_text(json.dumps({"audit_log": {str(one["id"]): one for one in rows}}))
        source = {"type": "json", "path": str(document)}
        if kind == "json":
            return source
        target = stores(kind)
        migrate(source=source, target=target, repository=str(tmp_path / "backups"), name="audit")
        return target

    return fill


def table(path: Path, rows: list[dict[str, Any]], journal: str = "wal") -> Path:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(f"PRAGMA journal_mode={journal}")
        connection.execute(
            "CREATE TABLE audit_log (id INTEGER PRIMARY KEY, timestamp TEXT, user_id TEXT, action TEXT,"
            " resource_type TEXT, success INTEGER, status_code INTEGER, error_message TEXT)"
        )
        connection.executemany(
            "INSERT INTO audit_log VALUES(:id, :timestamp, :user_id, :action, :resource_type, :success, :status_code,"
            " :error_message)",
            rows,
        )
    connection.close()
    return path


def report(store: Store, check: bool = False, **params: Any) -> dict[str, Any]:
    values = {name: one.get("default") for name, one in log_report.ARGUMENTS["argument_spec"].items()}
    values.update(source=store, collection="audit_log")
    values.update(params)
    return run_verb(log_report, values, check)


def refused(store: Store, **params: Any) -> str:
    words = []
    for check in (True, False):
        with pytest.raises(Day2Error) as caught:
            report(store, check, **params)
        words.append(str(caught.value))
    assert words[0] == words[1]
    return words[0]


def counted(found: dict[str, Any]) -> dict[str, Any]:
    return {
        one["name"]: Counter({tuple(group["group"].values()): group["count"] for group in one["groups"]})
        if one["by"]
        else one["count"]
        for one in found["counts"]
    }


def expected(rows: list[dict[str, Any]]) -> dict[str, Any]:
    logins = [one for one in rows if one["action"] == "login" and one["status_code"] == 401]
    return {
        "users": Counter((one["user_id"],) for one in rows),
        "actions": Counter((one["resource_type"], one["action"]) for one in rows),
        "failures": len([one for one in rows if not one["success"]]),
        "failed_logins": Counter((one["user_id"],) for one in logins),
        "forbidden": Counter((one["user_id"],) for one in rows if one["status_code"] == 403),
    }


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_the_audit_examples_of_hawkfish(kind: str, audit: Audit, tmp_path: Path) -> None:
    store, rows = audit(kind), entries()
    found = report(store, counts=COUNTS, error_status=400)
    assert counted(found) == expected(rows)
    assert (found["total"], found["errors"], found["changed"], found["failed"]) == (240, 120, False, False)
    assert [one["name"] for one in found["errors_by_code"]] == ["401", "403"]
    # of the last seven days, the newest hundred, and of one user
    week = report(store, counts=COUNTS, since="7d")
    assert counted(week) == expected(rows[:168])
    assert week["outside_window"] == 72
    assert (week["first"] or "") < (week["last"] or "")
    newest = report(store, newest=100, show=["timestamp", "user_id"])["newest"]
    assert [one["user_id"] for one in newest] == [one["user_id"] for one in rows[:100]]
    assert {len(one) for one in newest} == {2}
    admin = report(store, where=[{"field": "user_id", "is": "admin"}], counts=COUNTS)
    assert counted(admin) == expected([one for one in rows if one["user_id"] == "admin"])
    # the export for further analysis is one for the report, too
    path = tmp_path / "private" / "audit.jsonl"
    path.parent.mkdir(mode=0o700)
    steps = [report(store, check, counts=COUNTS, since="7d", export=str(path)) for check in (True, False, True, False)]
    assert [one["changed"] for one in steps] == [True, True, False, False]
    assert {one["exported"] for one in steps} == {168}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["audit.jsonl"]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(one["id"] for one in lines) == list(range(168))
    again = report(None, collection=None, paths=[str(path)], counts=COUNTS)  # type: ignore[arg-type]
    assert counted(again) == {**expected(rows[:168]), **({"failures": 0} if kind == "sqlite" else {})}


def test_a_count_with_a_window_of_its_own(audit: Audit) -> None:
    store = audit("sqlite")
    day = {**COUNTS[2], "name": "failures_today", "since": "24h"}
    found = report(store, counts=[COUNTS[2], day])
    assert [one["count"] for one in found["counts"]] == [120, 12]
    assert [one["count"] for one in report(store, counts=[day], until="24h")["counts"]] == [0]


def test_thresholds_fail_the_task_with_the_report(audit: Audit) -> None:
    store = audit("sqlite")
    limits = [
        {"count": "failed_logins", "at_least": 61, "per_group": False},
        {"count": "failed_logins", "at_least": 20, "per_group": True},
        {"count": "errors", "at_least": 1, "per_group": False},
    ]
    for check in (True, False):
        found = report(store, check, counts=COUNTS, fail_when=limits)
        assert found["failed"]
        assert counted(found) == expected(entries())
    users = [{"user_id": name} for name in ("admin", "mallory", "operator")]
    known = {"count": "failed_logins", "at_least": 20, "found": 20}
    assert found["exceeded"] == [{**known, "group": one} for one in users]
    assert "failed_logins (user_id=mallory) is 20, and fails the task from 20 on" in found["msg"]
    limits[1]["at_least"] = 21
    assert not report(store, counts=COUNTS, fail_when=limits)["failed"]


def test_a_table_for_people_shows_no_terminal_codes(audit: Audit) -> None:
    rows = [dict(one, user_id="\x1b[2Jmallory") for one in entries(8)]
    found = report(audit("sqlite", rows), counts=COUNTS)["table"]
    assert "failed_logins: 2\n  user_id      count\n  ?[2Jmallory  2" in found
    assert "\x1b" not in found


def test_more_groups_than_are_counted_separately(audit: Audit) -> None:
    rows = [dict(one, user_id=f"user{one['id']:04}") for one in entries(620)]
    limits = [{"count": "users", "at_least": 2, "per_group": True}]
    found = report(audit("sqlite", rows), counts=COUNTS[:1], fail_when=limits)
    (users,) = found["counts"]
    assert (users["count"], len(users["groups"])) == (620, 501)
    assert users["groups"][-1] == {"group": {"user_id": "(other)"}, "count": 120}
    assert not found["failed"]
    assert "users has more than 500 groups: the others are not compared with fail_when." in found["warnings"]
    assert "and 481 more" in found["table"]


@pytest.mark.parametrize("kind", ["json", "sqlite"])
@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"where": [{"field": "userid", "is": "x"}]}, "where: no record of audit_log has a field userid."),
        ({"counts": [{**COUNTS[0], "by": ["user"]}]}, "counts[0].by: no record of audit_log has a field user."),
        (
            {"counts": [COUNTS[0], {**COUNTS[2], "where": [{"field": "ok", "is": True}]}]},
            "counts[1].where: no record of audit_log has a field ok.",
        ),
        ({"fields": {"time": "at"}}, "fields.time: no record of audit_log has a field at."),
        ({"newest": 3, "show": ["when"]}, "show: no record of audit_log has a field when."),
        ({"collection": "audit"}, "has no collection audit. The collections are audit_log."),
    ],
)
def test_fields_that_no_record_has(kind: str, params: dict[str, Any], words: str, audit: Audit, tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o700)
    export = tmp_path / "audit.jsonl"
    assert words in refused(audit(kind), **params, export=str(export))
    assert not export.exists()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"counts": [{**COUNTS[0], "name": "errors"}]}, "counts: the name errors is taken."),
        ({"fail_when": [{"count": "x", "at_least": 1, "per_group": False}]}, "The counts are total, errors."),
        ({"fail_when": [{"count": "total", "at_least": 0, "per_group": False}]}, "at_least is 0"),
        ({"fail_when": [{"count": "total", "at_least": 1, "per_group": True}]}, "total has no groups"),
        ({"newest": 3}, "newest and show require each other"),
        ({"collection": None}, "source and collection require each other"),
        ({"format": "combined"}, "format is for logs"),
        ({"multiline": "^x"}, "multiline is for logs"),
        ({"since": "1h", "until": "2h"}, "The window ends before it begins"),
        ({"where": [{"field": "id", "equals": 3}]}, "where[0] needs field and exactly one operator"),
        (
            {"source": None, "collection": None, "paths": ["/x"], "format": "combined", "newest": 1, "show": ["a"]},
            "json",
        ),
    ],
)
def test_options_that_do_not_fit(params: dict[str, Any], words: str, audit: Audit) -> None:
    assert words in refused(audit("sqlite"), **params)


def test_times_in_several_formats_and_none(audit: Audit) -> None:
    """All of one instant, and what is no time: compared as text, most of these would be in another window."""
    at = NOW - timedelta(hours=2)
    inside: list[Any] = [
        at.isoformat(),
        at.strftime("%Y-%m-%d %H:%M:%S"),
        at.astimezone(timezone(timedelta(hours=-5))).isoformat(),
        int(at.timestamp()),
        str(int(at.timestamp())),
        int(at.timestamp() * 1000),
    ]
    outside: list[Any] = [(at - timedelta(hours=2)).isoformat(), "2020-06-30", 1_500_000_000]
    never: list[Any] = ["", None, "30/08/2026", 5, "soon"]
    rows = [dict(entries(1)[0], id=number, timestamp=value) for number, value in enumerate([*inside, *outside, *never])]
    found = report(audit("sqlite", rows), since="3h", counts=COUNTS[:1])
    assert (found["total"], found["outside_window"], found["without_time"]) == (6, 3, 5)
    assert found["counts"][0]["count"] == 6
    assert any("5 of 14 records have no valid time and are ignored" in one for one in found["warnings"])
    assert report(audit("json", rows), counts=COUNTS[:1])["counts"][0]["count"] == 14


@pytest.mark.parametrize("more", [[], [[1]]])
def test_kinds_are_never_confused(more: list[Any], audit: Audit) -> None:
    values = [1, True, "1", None, *more]
    rows = [dict(entries(1)[0], id=number, status_code=value) for number, value in enumerate(values)]
    by = {**COUNTS[0], "by": ["status_code"]}
    one = {**COUNTS[0], "name": "one", "where": [{"field": "status_code", "is": 1}]}
    found = report(audit("json", rows), counts=[by, one])
    shown = [(type(one["group"]["status_code"]), one["count"]) for one in found["counts"][0]["groups"]]
    assert sorted(shown, key=str) == sorted(
        [(int, 1), (bool, 1), (str, 1), (type(None), 1), *[(str, 1) for _ in more]], key=str
    )
    assert found["counts"][1]["count"] == 1


def test_values_that_are_no_times_for_a_condition(audit: Audit) -> None:
    rows = [dict(one, timestamp="soon" if one["id"] % 2 else one["timestamp"]) for one in entries(20)]
    recent = {**COUNTS[0], "where": [{"field": "timestamp", "newer_than": "10h"}]}
    found = report(audit("sqlite", rows), counts=[recent])
    assert found["counts"][0]["count"] == 5
    assert "10 values are not times and were not selected by older_than or newer_than." in found["warnings"]


def test_no_writer_waits_while_a_database_that_is_not_in_wal_mode_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table(tmp_path / "hawkfish.db", entries(), journal="delete")

    class Writing(Progress):
        def start(self, label: str, *args: Any, **named: Any) -> None:
            if label == "Reading audit_log":
                connection = sqlite3.connect(path, timeout=0)
                with connection:
                    connection.execute("UPDATE audit_log SET action = 'other'")
                connection.close()

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    values = {name: one.get("default") for name, one in log_report.ARGUMENTS["argument_spec"].items()}
    values.update(source={"type": "sqlite", "path": str(path)}, collection="audit_log", counts=COUNTS)
    assert counted(log_report.run(values, False, Writing())) == expected(entries())
    assert [one.name for one in tmp_path.iterdir()] == ["hawkfish.db"]


def test_an_export_where_others_can_write(audit: Audit, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    assert f"export: other users can write to {shared}." in refused(audit("sqlite"), export=str(shared / "a.jsonl"))
    assert os.listdir(shared) == []


def test_a_file_that_others_can_read_is_replaced_by_a_private_one(audit: Audit, tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o700)
    path = tmp_path / "audit.jsonl"
    store = audit("sqlite")
    report(store, export=str(path))
    path.chmod(0o644)
    assert [report(store, check, export=str(path))["changed"] for check in (True, False, True)] == [True, True, False]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.root
@pytest.mark.parametrize(
    ("name", "verb", "given", "words"),
    [
        ("logs.report", log_report, {"source": True, "collection": "audit_log"}, "1\n"),
        ("records.validate", validate, {"store": True, "collection": "audit_log", "schema": {}}, "1\n"),
        ("records.store_info", store_info, {"store": True}, "is not writable. If the database is in WAL mode, SQLite "),
    ],
)
def test_a_database_in_a_directory_that_is_read_only(
    name: str, verb: Any, given: dict[str, Any], words: str, tmp_path: Path
) -> None:
    """As in the sandbox of a scheduled job; its application has stopped, and left no log to SQLite."""
    path = tmp_path / "audit.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=wal")
    with connection:
        connection.execute("CREATE TABLE audit_log (id INTEGER PRIMARY KEY, timestamp TEXT, level TEXT)")
        connection.execute("INSERT INTO audit_log VALUES (1, ?, 'info')", (entries(1)[0]["timestamp"],))
    connection.close()
    params = {option: one.get("default") for option, one in verb.ARGUMENTS["argument_spec"].items()}
    store = {"type": "sqlite", "path": str(path)}
    params.update({option: store if value is True else value for option, value in given.items()})
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    python = [sys.executable, "-c", RUN, name, json.dumps(params)]
    command = ["unshare", "--mount", "sh", "-c", mount, str(tmp_path), *python]
    environment = dict(os.environ, PYTHONPATH=str(COLLECTIONS))
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert words in done.stdout
    assert os.listdir(tmp_path) == ["audit.db"]


def test_durations_of_several_fields_with_and_without_units(audit: Audit) -> None:
    """Each has the unit of its name, unless its text has one."""
    durations = {"duration_ms": 12}, {"duration_ms": "40ms"}, {"duration_us": 1000}, {"elapsed": "2s"}
    records = [{**one, **more} for one, more in zip(entries(4), durations)]
    found = report(audit("json", records))
    latency = found["latency"]
    assert (latency["count"], latency["mean_s"], latency["max_s"], found["bad_durations"]) == (4, 0.51325, 2.0, 0)
