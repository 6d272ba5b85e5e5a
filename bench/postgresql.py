# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# peers: pg_dump=postgresql-client zstd=zstd
"""Backups of PostgreSQL beside pg_dump, in one run, on a server of this machine without fsync.

Our time is the module's own `duration_s`: dump, digests of all rows, compression, and reading back. Theirs is the wall
time of the command. pg_dump -Fd is measured with its own default fsync.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from common import REPEAT, ROOT, SCALE, WORK, Table, du, fresh, module, settle, shell

sys.path.insert(0, str(ROOT))

from tests.services.postgresql import binaries, cluster

BIN = binaries()
EVENTS = f"""
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO customers SELECT g, 'customer ' || g FROM generate_series(1, 1000) g;
CREATE TABLE events (id bigserial PRIMARY KEY, customer int NOT NULL REFERENCES customers, at timestamptz NOT NULL,
  kind text NOT NULL, token uuid NOT NULL, payload jsonb, note text, amount numeric(12,2));
INSERT INTO events (customer, at, kind, token, payload, note, amount)
SELECT 1 + (random() * 999)::int, timestamptz '2024-01-01' + g * interval '17 seconds',
  (ARRAY['login', 'order', 'refund', 'view'])[1 + g % 4], gen_random_uuid(),
  jsonb_build_object('ip', '10.' || (random() * 255)::int || '.1.1', 'session', md5(random()::text), 'n', g),
  md5(random()::text) || md5(random()::text), round((random() * 10000)::numeric, 2)
FROM generate_series(1, {1_200_000 // SCALE}) g;
CREATE INDEX ON events (customer, at);
VACUUM ANALYZE;
"""
MANY = f"""
DO $$ BEGIN FOR i IN 1..{1000 // SCALE} LOOP
  EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, v text, at timestamptz DEFAULT now())', i);
  EXECUTE format('INSERT INTO t%s SELECT g, md5(g::text) FROM generate_series(1, 50) g', i);
  IF i % 100 = 0 THEN COMMIT; END IF;
END LOOP; END $$;
VACUUM ANALYZE;
"""


class Server:
    """The server, and both ways to back up one of its databases."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.store = {name: options[name] for name in ("type", "host", "username")}
        self.address = f"-h {options['host']} -U {options['username']}"

    def make(self, name: str, statements: str) -> None:
        for database, text in (("postgres", f'CREATE DATABASE "{name}"'), (name, statements)):
            command = [BIN / "psql", "-Xqv", "ON_ERROR_STOP=1", *self.address.split(), "-d", database]
            subprocess.run(command, input=text.encode(), check=True, stdout=subprocess.DEVNULL)

    def theirs(self, name: str, recipe: str) -> float:
        """Seconds of a command in which DB is the dump's target."""
        (target,) = fresh("theirs")
        return shell(recipe.format(dump=f"{BIN}/pg_dump {self.address}", database=name, target=target))

    def ours(self, name: str, watched: bool = False) -> dict[str, Any]:
        source = dict(self.store, database=name)
        return module("backup", watched=watched, name=name, source=source, repository=str(WORK / "ours"))

    def restored(self, name: str, database: str, compare: str) -> float:
        """Seconds of a restore into a database that does not exist."""
        target = dict(self.store, database=database, from_database=name, compare=compare)
        done = module("restore", watched=False, name=name, target=target, repository=str(WORK / "ours"))
        return float(done["duration_s"])

    def drop(self, name: str) -> None:
        self._admin(f'DROP DATABASE IF EXISTS "{name}"')

    def make_again(self, name: str) -> None:
        """An empty database."""
        self.drop(name)
        self._admin(f'CREATE DATABASE "{name}" TEMPLATE template0')

    def _admin(self, statement: str) -> None:
        subprocess.run([BIN / "psql", "-Xq", *self.address.split(), "-d", "postgres", "-c", statement], check=True)


class Scratch(threading.Thread):
    """Watches how much space the dump takes at any time until it is in the repository."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._done = threading.Event()
        self._peak = 0

    def run(self) -> None:
        while not self._done.wait(0.02):
            self._peak = max(self._peak, sum(map(space, (WORK / "ours").glob("*/.staging-*/scratch"))))

    def stop(self) -> float:
        """MB at the most."""
        self._done.set()
        self.join()
        return self._peak / 1e6


def space(directory: Path) -> int:
    """Bytes on the disk. Files come and go meanwhile, and have holes where they were read."""
    total = 0
    for parent, _directories, names in os.walk(directory):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return total


def compare(table: Table, server: Server, name: str, recipe: str, limit: float) -> None:
    """In turns; the fastest of each counts."""
    first: list[dict[str, Any]] = []
    peer: list[float] = []
    for _time in range(REPEAT):
        settle()
        peer.append(server.theirs(name, recipe))
        fresh("ours")
        settle()
        first.append(server.ours(name))
    best = min(first, key=lambda one: float(one["duration_s"]))
    table.row(recipe.split("{target}")[0].format(dump="pg_dump", database="", target="").strip(), min(peer))
    table.row("ours", best["duration_s"], f"{best['backup']['stored_bytes'] / 1e6:.0f} MB stored")
    table.ratio("ours against that", best["duration_s"] / min(peer), limit)
    fresh("ours")
    watch = Scratch()
    watch.start()
    table.ratio("peak memory", server.ours(name, watched=True)["peak_mib"], 96, "MiB")
    scratch = watch.stop()
    server.theirs(name, "{dump} -Fd -Z0 --no-sync -f {target} {database}")
    table.ratio("scratch against the dump", scratch / du("theirs"), 0.6)


def compare_restore(table: Table, server: Server, name: str) -> None:
    """In turns, from the backup that is there; theirs neither verifies nor analyzes."""
    (dump,) = fresh("dump")
    shell(f"{BIN}/pg_dump {server.address} -Fd -j2 -f {dump} {name}")
    peer: list[float] = []
    ours: dict[str, list[float]] = {"counts": [], "digests": []}
    for _time in range(REPEAT):
        server.make_again("peer")
        settle()
        peer.append(shell(f"{BIN}/pg_restore {server.address} -j2 -d peer {dump}"))
        for how, seconds in ours.items():
            server.drop("mine")
            settle()
            seconds.append(server.restored(name, "mine", how))
    table.row("pg_restore -j2", min(peer))
    for how, limit in (("counts", 1.15), ("digests", 1.5)):
        table.row(f"ours, verified by {how}", min(ours[how]))
        table.ratio("ours against that", min(ours[how]) / min(peer), limit)


def main() -> None:
    table = Table()
    with cluster() as options:
        server = Server(options)
        server.make("real", EVENTS)
        table.title(f"One large table ({1_200_000 // SCALE} rows), backed up, digested and read back")
        compare(table, server, "real", "{dump} -Fc -f {target} {database}", 0.30)
        unchanged(table, server)
        table.title("The same, restored into a new database: verified, analyzed, and renamed")
        compare_restore(table, server, "real")
        server.make("pgbench", "")
        shell(f"{BIN}/pgbench -i -q -s {max(1, 35 // SCALE)} {server.address} pgbench 2>/dev/null")
        table.title(f"pgbench -s {max(1, 35 // SCALE)}")
        recipe = "{dump} -Fd -j2 -Z0 -f {target} {database}; cd {target}; ls | xargs -n 200 -P2 zstd -q -1 --rm"
        compare(table, server, "pgbench", recipe, 1.9)
        server.make("many", MANY)
        table.title(f"{1000 // SCALE} small tables")
        compare(table, server, "many", "{dump} -Fd -j2 -f {target} {database}", 1.0)
    table.end()


def unchanged(table: Table, server: Server) -> None:
    """What a task takes that finds nothing to do, beside a task that does nothing; and the memory of the module."""
    server.ours("real")
    again = [server.ours("real") for _time in range(REPEAT)]
    if any(one["changed"] for one in again):
        raise SystemExit("an unchanged database was backed up again")
    table.ratio("unchanged", min(one["duration_s"] for one in again), 0.1, "s")


if __name__ == "__main__":
    main()
