# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""references in JSON documents and SQLite databases."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest

Check = Callable[..., dict[str, Any]]

MACHINES = [("m1", "req-1"), ("m2", "req-9"), ("m3", None), ("m4", "req-9"), ("m5", "req-8")]
REFERENCES = [{"from": "machines.request_id", "to": "requests.request_id"}]
FOUND = "3 records of machines with a request_id that does not exist in requests: 'req-9'"


def test_json(check: Check, tmp_path: Path) -> None:
    path = tmp_path / "db.json"
    document = {
        "requests": [{"request_id": "req-1"}, {"request_id": 7}],
        "machines": {name: {"request_id": request} for name, request in MACHINES},
    }
    path.write_text(json.dumps(document))
    options = {"store": "json", "path": str(path)}
    result = check("references", references=REFERENCES, **options)
    assert (result["status"], result["value"], result["unit"]) == ("critical", 3, "count")
    assert FOUND in result["message"]
    assert check("references", references=REFERENCES, crit=3, **options)["status"] == "ok"
    by_key = [{"from": "requests.request_id", "to": "machines._key"}]
    assert check("references", references=by_key, **options)["value"] == 2
    assert (
        "no collection none" in check("references", references=[{"from": "none.a", "to": "b.c"}], **options)["message"]
    )


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"from": "machines.requestid", "to": "requests.request_id"}, "no record of machines has a field requestid"),
        ({"from": "machines.request_id", "to": "requests.id"}, "no record of requests has a field id"),
        ({"from": "machines.unset", "to": "requests.request_id"}, ""),
        ({"from": "none_yet.a", "to": "none_yet.b"}, ""),
        ({"from": "requests.request_id", "to": "requests._key"}, ""),
    ],
)
def test_a_field_that_no_record_has(check: Check, tmp_path: Path, given: dict[str, str], wrong: str) -> None:
    path = tmp_path / "db.json"
    machines = {"m1": {"request_id": "req-1"}, "m2": {"request_id": "req-1", "unset": None}}
    path.write_text(json.dumps({"requests": {"req-1": {"request_id": "req-1"}}, "machines": machines, "none_yet": {}}))
    result = check("references", references=[given], store="json", path=str(path))
    assert result["status"] == ("critical" if wrong else "ok"), result["message"]
    assert wrong in result["message"]


def test_sqlite(check: Check, tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE requests (request_id TEXT)")
    connection.execute("CREATE TABLE machines (name TEXT, request_id TEXT)")
    connection.execute("INSERT INTO requests VALUES ('req-1')")
    connection.executemany("INSERT INTO machines VALUES (?, ?)", MACHINES)
    connection.commit()
    options = {"store": "sqlite", "path": str(path)}
    result = check("references", references=REFERENCES, **options)
    assert (result["status"], result["value"]) == ("critical", 3)
    assert FOUND in result["message"]
    connection.execute("DELETE FROM machines WHERE request_id > 'req-1'")
    connection.commit()
    result = check("references", references=REFERENCES, **options)
    assert (result["status"], result["message"]) == ("ok", f"all references of {path} have their targets")
    assert (
        "no table none"
        in check("references", references=[{"from": "none.a", "to": "requests.b"}], **options)["message"]
    )
    wrong = check("references", references=[{"from": "machines.none", "to": "requests.request_id"}], **options)
    assert wrong["status"] == "critical"
    assert "no such column" in wrong["message"]
    connection.close()


@pytest.mark.parametrize(
    "options",
    [
        {"store": "sqlite"},
        {"store": "postgresql", "path": "/x"},
        {"store": "json", "path": "/x", "host": "y"},
        {"store": "json", "path": "/x", "references": [{"from": "machines", "to": "a.b"}]},
        {"store": "json", "path": "/x", "references": [{"from": "a.b", "into": "a.b"}]},
    ],
)
def test_what_is_wrong(check: Check, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        check("references", **dict({"references": REFERENCES}, **options))
