# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data of two example applications, made, written to, destroyed and counted.

applications.py make DIRECTORY               HostFactory's document, HawkFish's database
applications.py write DIRECTORY SECONDS      keep writing to HawkFish's audit log
applications.py check DIRECTORY BEFORE       compare with what `count` printed earlier; exit 1 on a difference
applications.py count DIRECTORY              print counts and digests of every collection as JSON
"""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
import sys
import time
import uuid
from pathlib import Path
from typing import Any

TEMPLATES, REQUESTS, MACHINES = 100, 1_250, 3_750  # the requirements' own figures
SYSTEMS, AUDIT = 500, 60_000


def document(directory: Path) -> Path:
    return directory / "hostfactory" / "data" / "request_database.json"


def database(directory: Path) -> Path:
    return directory / "hawkfish" / "hawkfish.db"


def make(directory: Path) -> None:
    chance = random.Random(2025)
    make_document(document(directory), chance)
    make_database(database(directory), chance)


def identifier(chance: random.Random, prefix: str) -> str:
    return f"{prefix}-{uuid.UUID(int=chance.getrandbits(128), version=4)}"


def make_document(path: Path, chance: random.Random) -> None:
    templates = [f"template-{chance.choice(['web', 'batch', 'gpu'])}-{number}" for number in range(TEMPLATES)]
    requests = [identifier(chance, "req") for dummy in range(REQUESTS)]
    machines = [f"machine-{number}" for number in range(MACHINES)]
    states = ["COMPLETED", "IN_PROGRESS", "FAILED"]
    content = {
        "version": "2.1",
        "templates": {
            one: {
                "template_id": one,
                "image": f"ami-{chance.getrandbits(64):016x}",
                "max_machines": chance.randint(1, 500),
            }
            for one in templates
        },
        "requests": {
            one: {"request_id": one, "template_id": chance.choice(templates), "status": chance.choice(states)}
            for one in requests
        },
        "machines": {
            one: {
                "machine_id": one,
                "request_id": chance.choice(requests),
                "private_ip": f"10.0.{chance.randrange(256)}.{chance.randrange(256)}",
                "tags": {"team": chance.choice(["plattform", "données", "物流"])},
            }
            for one in machines
        },
    }
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


def make_database(path: Path, chance: random.Random) -> None:
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.executescript(
        """
        PRAGMA journal_mode = WAL;
        CREATE TABLE hf_systems (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, power_state TEXT, host_id TEXT DEFAULT 'default');
        CREATE TABLE hf_profiles (name TEXT PRIMARY KEY, cpu INTEGER, memory_mib INTEGER);
        CREATE TABLE hf_tasks (id TEXT PRIMARY KEY, system_id TEXT REFERENCES hf_systems(id), state TEXT);
        CREATE TABLE audit_log (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            timestamp TEXT, user_id TEXT, action TEXT, resource TEXT, success INTEGER);
        CREATE INDEX audit_log_timestamp ON audit_log (timestamp);
        PRAGMA user_version = 7;
        """
    )
    systems = [identifier(chance, "sys") for dummy in range(SYSTEMS)]
    rows: dict[str, Any] = {
        "hf_systems (id, name, power_state)": (
            (one, f"vm-{number}", chance.choice(["On", "Off"])) for number, one in enumerate(systems)
        ),
        "hf_profiles": ((name, cpu, cpu * 2048) for name, cpu in (("small", 1), ("medium", 4), ("large", 16))),
        "hf_tasks": ((identifier(chance, "task"), chance.choice(systems), "completed") for dummy in range(2000)),
        "audit_log (timestamp, user_id, action, resource, success)": (
            audit_row(chance, systems) for dummy in range(AUDIT)
        ),
    }
    for table, values in rows.items():
        width = len(table.split(",")) if "(" in table else {"hf_profiles": 3, "hf_tasks": 3}[table]
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * width)})", values)
    connection.commit()
    connection.close()


def audit_row(chance: random.Random, systems: list[str]) -> tuple[Any, ...]:
    day, hour, minute = chance.randint(1, 30), chance.randrange(24), chance.randrange(60)
    moment = f"2025-06-{day:02d}T{hour:02d}:{minute:02d}:00.{chance.randrange(1000):03d}Z"
    resource = f"/redfish/v1/Systems/{chance.choice(systems)}"
    return (moment, chance.choice(["admin", "operator"]), "ComputerSystem.Reset", resource, 1)


def write(directory: Path, seconds: float) -> None:
    """About 200 transactions a second, until the time is over or somebody makes DIRECTORY/stop."""
    connection = sqlite3.connect(database(directory), timeout=30)
    chance = random.Random()
    systems = [row[0] for row in connection.execute("SELECT id FROM hf_systems")]
    end = time.monotonic() + seconds
    while time.monotonic() < end and not (directory / "stop").exists():
        with connection:
            connection.execute(
                "INSERT INTO audit_log (timestamp, user_id, action, resource, success) VALUES (?, ?, ?, ?, ?)",
                audit_row(chance, systems),
            )
        time.sleep(0.005)
    connection.close()


def count(directory: Path) -> dict[str, Any]:
    result: dict[str, Any] = {}
    content = json.loads(document(directory).read_text(encoding="utf-8"))
    for name, value in content.items():
        if isinstance(value, dict):
            result[f"hostfactory {name}"] = [len(value), digest(sorted(value.items()))]
    connection = sqlite3.connect(f"file:{database(directory)}?mode=ro", uri=True)
    connection.execute("BEGIN")
    for (table,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall():
        rows = connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
        result[f"hawkfish {table}"] = [len(rows), digest(rows)]
    connection.close()
    return result


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def main() -> int:
    verb, directory = sys.argv[1], Path(sys.argv[2])
    if verb == "make":
        make(directory)
    elif verb == "write":
        write(directory, float(sys.argv[3]))
    elif verb == "count":
        print(json.dumps(count(directory)))
    elif verb == "check":
        before, now = json.loads(sys.argv[3]), count(directory)
        for name, (records, content) in before.items():
            same = now.get(name) == [records, content]
            verdict = "all back, every byte" if same else f"DIFFERENT: {now.get(name)}"
            print(f"{name:28}{records:>8,} records   {verdict}")
        return int(before != now)
    else:
        raise SystemExit(__doc__)
    return 0


if __name__ == "__main__":
    sys.exit(main())
