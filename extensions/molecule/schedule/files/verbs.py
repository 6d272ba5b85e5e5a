# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs jobs in their units and then with all rights, each on new data, and compares what they did."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

DATA = Path("/srv/records")
JOURNAL = Path("/var/lib/day2/state/jobs/journal.jsonl")


def new_data() -> sqlite3.Connection:
    """A database and a document of an application that runs as another user, and keeps the database open."""
    shutil.rmtree(DATA, ignore_errors=True)
    for name in ("exports", "sizes", "copies"):
        shutil.rmtree(f"/var/backups/{name}", ignore_errors=True)
    DATA.mkdir()
    connection = sqlite3.connect(DATA / "app.db")
    connection.execute("PRAGMA journal_mode=wal")
    connection.execute("CREATE TABLE people (id TEXT PRIMARY KEY, state TEXT, note TEXT)")
    connection.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, at TEXT)")
    connection.executemany("INSERT INTO people VALUES (?, 'new', '')", [("a",), ("b",), ("c",)])
    connection.executemany(
        "INSERT INTO events VALUES (?, ?)", [(one, f"20{one % 40 + 10}-01-01T00:00:00Z") for one in range(3000)]
    )
    connection.commit()
    document = {"people": [{"id": one, "note": ""} for one in ("a", "b")]}
    DATA.joinpath("doc.json").write_text(json.dumps(document), encoding="utf-8")
    with socket.create_connection(("127.0.0.1", 6379)) as redis:
        redis.sendall(b"SET app:1 x\r\n")
        redis.recv(100)
    for path in [DATA, *DATA.iterdir()]:
        shutil.chown(path, "app", "app")
        path.chmod(0o750 if path.is_dir() else 0o640)
    return connection


def what_is_there() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in [DATA, *sorted(DATA.iterdir())]:
        info = path.stat()
        found[str(path)] = [path.owner(), path.group(), oct(info.st_mode)]
    connection = sqlite3.connect(DATA / "app.db")
    found["people"] = connection.execute("SELECT * FROM people").fetchall()
    found["events"] = connection.execute("SELECT * FROM events").fetchall()
    connection.close()
    found["doc"] = json.loads(DATA.joinpath("doc.json").read_text(encoding="utf-8"))
    for kept in ("exports", "copies"):
        path = Path("/var/backups", kept)
        found[kept] = len(list(path.rglob("manifest.json"))) if path.exists() else 0
    return found


def last_run(name: str) -> dict[str, Any]:
    lines = JOURNAL.read_text(encoding="utf-8").splitlines() if JOURNAL.exists() else []
    runs = [one for one in map(json.loads, lines) if one["job"] == name]
    return {key: runs[-1][key] for key in ("status", "changed", "warnings", "msg")} if runs else {}


def run(name: str, *command: str) -> dict[str, Any]:
    connection = new_data()
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    entry = last_run(name)
    # Backups have names of their own, and sizes of the history differ.
    message = entry.pop("msg", "")
    found = {**what_is_there(), "entry": entry, "exit": done.returncode}
    connection.close()
    print(f"{name}: {entry.get('status')}: {message[:150]}{done.stderr[-300:]}")
    return found


problems = []
for job in sys.argv[1:]:
    in_unit = run(job, "systemctl", "start", f"day2-{job}.service")
    with_all = run(job, "/usr/local/bin/day2", "run", job)
    if in_unit != with_all:
        different = {key: (in_unit.get(key), with_all[key]) for key in with_all if in_unit.get(key) != with_all[key]}
        problems.append(f"{job}: in its unit, and with all rights: {different}"[:2000])
    elif in_unit["exit"] or in_unit["entry"].get("status") != "ok":
        problems.append(f"{job}: {in_unit['entry']}")
sys.exit("\n".join(problems) or None)
