# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations against what a user would pick instead. Ours are tasks, with verification; the peers verify nothing.

Writing to DynamoDB is measured by bench/dynamodb.py.
"""
# peers: pgloader=pgloader sqlite3=sqlite3 psql=postgresql-client pg_ctlcluster=postgresql

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from typing import Any, Callable

from common import REPEAT, ROOT, SCALE, WORK, Table, fresh, module, settle, shell

sys.path.insert(0, str(ROOT))

from tests.services.postgresql import cluster

RECORDS = 1_000_000 // SCALE
PEERS = WORK / "peers"
VERSIONS = ("sqlite-utils==3.38", "db-to-sqlite==1.5", "psycopg2-binary==2.9.10")


def install_peers() -> None:
    """The peers that are on PyPI only, in an environment of their own."""
    if not (PEERS / "bin" / "db-to-sqlite").exists():
        shell(f"{sys.executable} -m venv {PEERS} && {PEERS}/bin/pip install --quiet {' '.join(VERSIONS)}")


def write_document() -> None:
    """Records of about 300 bytes, as a document and (what sqlite-utils reads in bounded memory) as lines."""
    with open(WORK / "machines.json", "w") as document, open(WORK / "machines.jsonl", "w") as lines:
        document.write('{"machines": {\n')
        comma = ""
        for number in range(RECORDS):
            text = json.dumps(
                {
                    "machine_id": f"m-{number:08d}",
                    "request_id": f"req-{number // 3:08d}",
                    "status": "running",
                    "cpus": number % 64,
                    "price": number * 0.25,
                    "address": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
                    "text": "x" * 140,
                }
            )
            document.write(f'{comma}"m-{number:08d}": {text}')
            comma = ",\n"
            lines.write(text + "\n")
        document.write("}}\n")


def write_database() -> None:
    """One wide table, and Chinook's shape: tables that point to each other."""
    (path,) = fresh("wide.db")
    with sqlite3.connect(path) as connection:
        columns = ", ".join(f"c{n} {'INTEGER' if n % 2 else 'TEXT'}" for n in range(16))
        connection.execute(f"CREATE TABLE wide (id INTEGER PRIMARY KEY, {columns})")
        connection.executemany(
            f"INSERT INTO wide VALUES (?{', ?' * 16})",
            ((number, *[number * n if n % 2 else f"value {number}" for n in range(16)]) for number in range(RECORDS)),
        )
        connection.execute("CREATE TABLE artist (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        connection.execute(
            "CREATE TABLE track (id INTEGER PRIMARY KEY, name TEXT, artist INTEGER REFERENCES artist (id), ms INTEGER)"
        )
        connection.execute("CREATE INDEX track_artist ON track (artist)")
        connection.executemany("INSERT INTO artist VALUES (?, ?)", ((n, f"Artist {n}") for n in range(1, 276)))
        connection.executemany(
            "INSERT INTO track VALUES (?, ?, ?, ?)", ((n, f"Track {n}", 1 + n % 275, n * 100) for n in range(35_000))
        )
    connection.close()


def in_turn(*measures: Callable[[], tuple[float, float]]) -> list[tuple[float, float]]:
    """The best time of each, taken in turns: a busy moment of the machine is everybody's. And the most memory."""
    seen: list[list[tuple[float, float]]] = [[] for dummy in measures]
    for dummy in range(1 if SCALE > 1 else REPEAT):
        for measure, times in zip(measures, seen):
            settle()
            times.append(measure())
    return [(min(one for one, _peak in times), max(peak for _one, peak in times)) for times in seen]


def ours(
    clean: Callable[[], Any], source: dict[str, Any], target: dict[str, Any], workers: int = 2
) -> tuple[float, float]:
    """Seconds, and the memory of a run of its own: both cores work, and whoever looks on takes time of one."""
    clean()
    watched = module("migrate", source=source, target=target, workers=workers)
    clean()
    settle()
    result = module("migrate", watched=False, source=source, target=target, workers=workers)
    return result["duration_s"], watched["peak_mib"]


def peer(clean: Callable[[], Any], command: str) -> tuple[float, float]:
    clean()
    return shell(command), 0.0


def told(table: Table, name: str, measured: tuple[float, float], count: int) -> None:
    memory = f", {measured[1]:.0f} MiB" if measured[1] else ""
    table.row(name, measured[0], f"{count / measured[0]:.0f} records/s{memory}")


def document_to_sqlite(table: Table) -> None:
    table.title(f"{RECORDS} records of about 300 bytes from a JSON document to SQLite")
    write_document()
    insert = f"{PEERS}/bin/sqlite-utils insert {WORK}/peer.db machines {WORK}/machines.jsonl --nl --pk machine_id"
    source = {"type": "json", "path": str(WORK / "machines.json")}
    target = {"type": "sqlite", "path": str(WORK / "ours.db")}
    one, shared, two = in_turn(
        lambda: ours(lambda: fresh("ours.db"), source, target, 1),
        lambda: ours(lambda: fresh("ours.db"), source, target),
        lambda: peer(lambda: fresh("peer.db"), insert),
    )
    told(table, "day2.ops, verified", one, RECORDS)
    told(table, "day2.ops with two workers", shared, RECORDS)
    told(table, "sqlite-utils insert", two, RECORDS)
    table.at_least("of sqlite-utils' rate", two[0] / one[0], 1.3)
    table.at_least("records per second", RECORDS / one[0], 40_000, "")
    table.at_least("two workers, of one's rate", one[0] / shared[0], 1.5)
    table.ratio("peak memory", max(one[1], shared[1]), 200, "MiB")


def to_postgresql(table: Table, options: dict[str, Any]) -> None:
    count = RECORDS + 35_275
    table.title(f"{count} rows of a wide table and of Chinook's shape from SQLite to PostgreSQL")
    write_database()
    place = f"-h {options['host']} -U {options['username']}"
    path = WORK / "wide.db"

    def clean() -> None:
        shell(f"dropdb {place} --if-exists --force bench && createdb {place} bench")

    load = WORK / "bench.load"
    load.write_text(
        f"LOAD DATABASE FROM sqlite://{path} INTO "
        f"postgresql://{options['username']}@unix:{options['host']}:/bench WITH include drop, create tables;\n"
    )
    columns = ", ".join(f"c{n} {'bigint' if n % 2 else 'text'}" for n in range(16))
    copy = (
        f"psql -Xq {place} -d bench -c 'CREATE TABLE wide (id bigint PRIMARY KEY, {columns})' && "
        f"sqlite3 -csv {path} 'SELECT * FROM wide' | psql -Xq {place} -d bench -c '\\copy wide FROM STDIN CSV'"
    )
    target = {**options, "database": "bench"}
    one, two, three = in_turn(
        lambda: ours(clean, {"type": "sqlite", "path": str(path)}, target),
        lambda: peer(clean, f"pgloader --quiet {load}"),
        lambda: peer(clean, copy),
    )
    told(table, "day2.ops, verified", one, count)
    told(table, "pgloader", two, count)
    told(table, "sqlite3 -csv | \\copy, wide only", three, RECORDS)
    table.at_least("of pgloader's rate", two[0] / one[0], 1.0)
    table.at_least("of the plain copy's rate", three[0] / one[0], 0.35)
    table.ratio("peak memory", one[1], 200, "MiB")
    ours(clean, {"type": "sqlite", "path": str(path)}, target)
    from_postgresql(table, target, count)


def from_postgresql(table: Table, source: dict[str, Any], count: int) -> None:
    table.title("and back")
    url = f"postgresql+psycopg2:///bench?host={source['host']}&user={source['username']}"
    one, two = in_turn(
        lambda: ours(lambda: fresh("ours.db"), source, {"type": "sqlite", "path": str(WORK / "ours.db")}),
        lambda: peer(lambda: fresh("peer.db"), f"{PEERS}/bin/db-to-sqlite '{url}' {WORK}/peer.db --all"),
    )
    told(table, "day2.ops, verified", one, count)
    told(table, "db-to-sqlite", two, count)
    table.at_least("of db-to-sqlite's rate", two[0] / one[0], 2.0)
    table.ratio("peak memory", one[1], 200, "MiB")


def main() -> None:
    install_peers()
    table = Table()
    document_to_sqlite(table)
    with cluster() as options:
        to_postgresql(table, options)
    table.end()
    fresh("machines.json", "machines.jsonl", "wide.db", "ours.db", "peer.db", "bench.load")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as exc:
        raise SystemExit(str(exc)) from exc
