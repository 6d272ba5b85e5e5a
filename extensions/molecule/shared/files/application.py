# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application that keeps writing to its store, so that what was lost or torn shows.

application.py run KIND PATH PORT    keep writing a request with its machine; answer HTTP with 200 while it works
application.py count KIND PATH       print how many requests there are; fail when one or its machine is missing
application.py digest KIND PATH      print a digest of all of them
application.py pause                 ask the one that runs to pause, and wait until what it was writing is there

KIND is json (PATH: a document), sqlite (PATH: a database) or files (PATH: a directory with a directory a run).
"""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any

# Beside what is written while it runs: one of the requirements' smaller installations.
TEMPLATES = 100
QUIET = Path("/run/application.quiet")
PAUSED = Path("/run/application/paused")  # made again and again


def replace(path: Path, text: str) -> None:
    """As careful applications write: completely or not at all."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(text, encoding="utf-8")
    with beside.open("rb") as stream:
        os.fsync(stream.fileno())
    beside.replace(path)


class Document:
    pause_s = 0.2

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self) -> None:
        if self.path.exists():
            content = json.loads(self.path.read_text(encoding="utf-8"))
        else:
            templates = {
                f"template-{one}": {"image": f"ami-{one:08x}", "tags": {"team": "données"}} for one in range(TEMPLATES)
            }
            content = {"version": "2.1", "templates": templates, "requests": {}, "machines": {}}
        number = len(content["requests"]) + 1
        content["requests"][f"req-{number}"] = {
            "request_id": f"req-{number}",
            "template_id": f"template-{number % TEMPLATES}",
        }
        content["machines"][f"machine-{number}"] = {"machine_id": f"machine-{number}", "request_id": f"req-{number}"}
        replace(self.path, json.dumps(content, indent=1, ensure_ascii=False))

    def read(self) -> list[Any]:
        content = json.loads(self.path.read_text(encoding="utf-8"))
        by_request = {one["request_id"]: one["machine_id"] for one in content["machines"].values()}
        return [(int(one.partition("-")[2]), by_request.get(one)) for one in content["requests"]]


class Database:
    pause_s = 0.02

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection: sqlite3.Connection | None = None

    def connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(str(self.path), timeout=30)
        connection.executescript(
            "PRAGMA journal_mode = WAL;"
            "CREATE TABLE IF NOT EXISTS requests (request_id TEXT PRIMARY KEY, template_id TEXT);"
            "CREATE TABLE IF NOT EXISTS machines"
            " (machine_id TEXT PRIMARY KEY, request_id TEXT REFERENCES requests (request_id));"
        )
        return connection

    def write(self) -> None:
        # Open all the time, as servers keep it.
        self.connection = connection = self.connection or self.connect()
        with connection:
            number = connection.execute("SELECT count(*) FROM requests").fetchone()[0] + 1
            connection.execute(
                "INSERT INTO requests (request_id, template_id) VALUES (?, ?)",
                (f"req-{number}", f"template-{number % TEMPLATES}"),
            )
            connection.execute(
                "INSERT INTO machines (machine_id, request_id) VALUES (?, ?)", (f"machine-{number}", f"req-{number}")
            )

    def read(self) -> list[Any]:
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            raise SystemExit(f"{self.path}: {verdict}")
        rows = connection.execute(
            "SELECT request_id, machine_id FROM requests LEFT JOIN machines USING (request_id)"
        ).fetchall()
        connection.close()
        return [(int(request.partition("-")[2]), machine) for request, machine in rows]


class Runs:
    """What the data profiler leaves of each run. A run is complete with its audit log; its report can be made again."""

    pause_s = 0.5

    def __init__(self, path: Path) -> None:
        self.path = path

    def complete(self) -> list[Path]:
        return sorted(log.parent for log in self.path.glob("run-*/audit.log.json"))

    def write(self) -> None:
        number = max((int(run.name.partition("-")[2]) for run in self.complete()), default=0) + 1
        run = self.path / f"run-{number:05d}"
        run.mkdir(exist_ok=True)
        (run / "report.html").write_text("<html></html>")
        replace(run / "profile.json", json.dumps({"run": number, "columns": {f"c{one}": one for one in range(50)}}))
        replace(run / "audit.log.json", json.dumps({"run": number, "lines": ["x" * 80] * 200}))

    def read(self) -> list[Any]:
        rows = []
        for run in self.complete():
            logs = [json.loads((run / name).read_text())["run"] for name in ("audit.log.json", "profile.json")]
            rows.append((logs[0], logs[1]))
        return rows


KINDS = {"json": Document, "sqlite": Database, "files": Runs}


class Answer(http.server.BaseHTTPRequestHandler):
    store: Any = None

    def do_GET(self) -> None:
        try:
            count = len(self.store.read())
        except Exception as error:
            self.send_error(503, str(error))
            return
        found: dict[str, Any] = {"status": "ok", "requests": count}
        if self.path.endswith("/libvirt-pool-metrics"):
            found = {"qemu:///system": {"checkout_count": 1000, "failure_count": 1}}
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *dummy: object) -> None:
        pass


def run(store: Any, port: int) -> None:
    Answer.store = store
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        # Whoever wants to compare what is there twice asks for quiet meanwhile.
        if QUIET.exists():
            PAUSED.touch()
        else:
            store.write()
        time.sleep(store.pause_s)


def checked(store: Any) -> list[Any]:
    rows: list[Any] = sorted(store.read())
    numbers = [row[0] for row in rows]
    if numbers != list(range(1, len(numbers) + 1)):
        raise SystemExit(f"{store.path}: requests are missing or twice there: {numbers}")
    lonely = [row[0] for row in rows if not row[1]]
    if lonely:
        raise SystemExit(f"{store.path}: requests without their machine: {lonely}")
    return rows


def pause() -> None:
    QUIET.touch()
    PAUSED.unlink(missing_ok=True)
    end = time.monotonic() + 120
    while not PAUSED.exists():
        if time.monotonic() > end:
            raise SystemExit("the application does not pause")
        time.sleep(0.05)


def main() -> None:
    if sys.argv[1] == "pause":
        pause()
        return
    verb, kind, path = sys.argv[1:4]
    store = KINDS[kind](Path(path))
    if verb == "run":
        run(store, int(sys.argv[4]))
    elif verb == "count":
        print(len(checked(store)))
    elif verb == "digest":
        print(hashlib.sha256(json.dumps(checked(store)).encode()).hexdigest())
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
