# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# peers: restic=restic borg=borgbackup sqlite3=sqlite3 zstd=zstd tar=tar
"""Backups and restores beside restic, borg, tar and the shell recipe that the requirements start from, in one run.

Our time is the module's own `duration_s` (reading back and verifying included), theirs the wall time of the command.
Every repetition has a fresh repository and a fresh target.
"""

from __future__ import annotations

import json
import random
import sqlite3
import time
from pathlib import Path
from typing import Any

from common import SCALE, WORK, Table, best, du, fresh, module, settle, shell


def make_database(path: Path, size: int) -> None:
    """Audit rows as HawkFish's: about 270 bytes each, half of them words and half random digits."""
    chance = random.Random(1)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute(
        "CREATE TABLE audit_log (id INTEGER PRIMARY KEY, timestamp TEXT, user TEXT, path TEXT, detail TEXT)"
    )
    connection.execute("CREATE INDEX audit_log_timestamp ON audit_log (timestamp)")
    number = 0
    while path.stat().st_size < size:
        with connection:
            connection.executemany(
                "INSERT INTO audit_log VALUES (?, ?, ?, ?, ?)",
                (
                    (
                        number + offset,
                        f"2025-06-{offset % 30 + 1:02d}T12:00:{offset % 60:02d}.{offset % 1000:03d}Z",
                        ("admin", "operator", "system")[offset % 3],
                        f"/redfish/v1/Systems/{chance.getrandbits(128):032x}",
                        json.dumps(
                            {"request": f"{chance.getrandbits(128):032x}", "message": "state changed from On to Off"}
                        ),
                    )
                    for offset in range(50_000)
                ),
            )
        number += 50_000
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def make_tree(path: Path, files: int, size: int) -> None:
    """Run outputs as the profiler's: many small reports, some larger; text and random digits."""
    chance = random.Random(2)
    average = size // files
    for number in range(files):
        folder = path / f"{number % 100:03d}" / f"run-{number // 100 % 20:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        length = max(1, int(chance.expovariate(1 / average)))
        text = b"".join(
            b"column %d value %016x\n" % (index % 50, chance.getrandbits(64)) for index in range(length // 34 + 1)
        )
        (folder / f"report-{number}.json").write_bytes(text[:length])


def bench_sqlite(table: Table) -> None:
    size = 10**9 // SCALE
    (database,) = fresh("hawkfish.db")
    fresh("hawkfish.db-wal", "hawkfish.db-shm")
    make_database(database, size)
    table.title(f"SQLite, {database.stat().st_size / 1e6:.0f} MB: first backup, read back and checked")
    source = {"type": "sqlite", "path": str(database)}
    ours: dict[str, Any] = {}

    def our_first() -> float:
        (repository,) = fresh("ours")
        result = module("backup", name="bench", source=source, repository=str(repository))
        ours.setdefault("peak", 0.0)
        ours.update(result, peak=max(ours["peak"], result["peak_mib"]))
        return float(result["duration_s"])

    first = best(our_first)
    table.row("day2.ops", first, f"{ours['backup']['stored_bytes'] / 1e6:.0f} MB kept, peak {ours['peak']:.0f} MiB")
    restic = best(
        lambda: shell(f"restic -q init -r {fresh('restic')[0]}; restic -q -r {WORK}/restic backup {database}")
    )
    table.row("restic", restic, f"{du('restic'):.0f} MB kept")
    borg = best(
        lambda: shell(f"borg init -e none {fresh('borg-repo')[0]}; borg create -C zstd {WORK}/borg-repo::a {database}")
    )
    table.row("borg", borg, f"{du('borg-repo'):.0f} MB kept")

    def recipe() -> float:
        (folder,) = fresh("recipe")
        folder.mkdir()
        return shell(
            f"sqlite3 {database} '.backup {folder}/backup.db'; sqlite3 {database} .dump > {folder}/dump.sql;"
            f" gzip {folder}/backup.db; gzip {folder}/dump.sql"
        )

    # what verification can't do without, one after the other, and each as fast as it gets
    sequence = best(
        lambda: shell(
            f"zstd -q -1 -T0 -f {database} -o {WORK}/sequence.zst; zstd -q -dc {WORK}/sequence.zst | sha256sum;"
            f" sqlite3 {database} 'PRAGMA quick_check'"
        )
    )
    table.row("zstd -1, read back, quick_check", sequence)
    settle()
    by_shell = recipe()
    table.row("shell recipe (once)", by_shell, f"{du('recipe'):.0f} MB kept, not read back")
    table.ratio("to restic", first / restic, 0.6)
    table.ratio("to the shell recipe", first / by_shell, 0.12)
    table.ratio("to the sequence", first / sequence, 1.1)
    table.ratio("peak memory", ours["peak"], 128, "MiB")

    table.title("SQLite: nothing changed")
    again = best(
        lambda: float(module("backup", name="bench", source=source, repository=str(WORK / "ours"))["duration_s"])
    )
    restic_again = best(lambda: shell(f"restic -q -r {WORK}/restic backup {database}"))
    table.row("day2.ops", again)
    table.row("restic", restic_again)
    table.ratio("to restic", again / restic_again, 1)

    table.title("SQLite: restore with verification into a fresh target")

    def our_restore() -> float:
        (target,) = fresh("restored")
        target.mkdir()
        store = {"type": "sqlite", "path": str(target / "hawkfish.db")}
        result = module("restore", name="bench", target=store, repository=str(WORK / "ours"))
        ours["peak"] = max(ours["peak"], result["peak_mib"])
        return float(result["duration_s"])

    restore = best(our_restore)
    restic_restore = best(
        lambda: shell(f"restic -q -r {WORK}/restic restore latest --target {fresh('restored-restic')[0]}")
    )

    def borg_extract() -> float:
        (folder,) = fresh("restored-borg")
        folder.mkdir()
        return shell(f"cd {folder}; borg extract {WORK}/borg-repo::a")

    borg_restore = best(borg_extract)
    table.row("day2.ops", restore, f"peak {ours['peak']:.0f} MiB")
    table.row("restic (neither verified nor synced)", restic_restore)
    table.row("borg", borg_restore)
    table.ratio("to restic", restore / restic_restore, 1.2)
    table.ratio("peak memory", ours["peak"], 128, "MiB")
    fresh(
        "ours",
        "restic",
        "borg-repo",
        "recipe",
        "restored",
        "restored-restic",
        "restored-borg",
        "hawkfish.db",
        "sequence.zst",
    )


def bench_tree(table: Table) -> None:
    files, size = 20_000 // SCALE, 400_000_000 // SCALE
    (tree,) = fresh("tree")
    make_tree(tree, files, size)
    table.title(f"A tree of {files:,} files and {size / 1e6:.0f} MB: first backup, read back and verified")
    source = {"type": "files", "path": str(tree)}

    def our_first(watched: bool = False) -> dict[str, Any]:
        (repository,) = fresh("ours")
        return module("backup", watched=watched, name="bench", source=source, repository=str(repository))

    peak = float(our_first(watched=True)["peak_mib"])
    first = best(lambda: float(our_first()["duration_s"]))
    table.row("day2.ops", first, f"{du('ours'):.0f} MB kept, peak {peak:.0f} MiB")
    restic = best(lambda: shell(f"restic -q init -r {fresh('restic')[0]}; restic -q -r {WORK}/restic backup {tree}"))
    table.row("restic", restic, f"{du('restic'):.0f} MB kept")
    borg = best(
        lambda: shell(f"borg init -e none {fresh('borg-repo')[0]}; borg create -C zstd {WORK}/borg-repo::a {tree}")
    )
    table.row("borg", borg, f"{du('borg-repo'):.0f} MB kept")
    tar = best(lambda: shell(f"tar -C {tree} -cf - . | zstd -q -T0 -3 -f -o {WORK}/tree.tar.zst"))
    table.row("tar | zstd (not read back)", tar, f"{du('tree.tar.zst'):.0f} MB kept")
    table.ratio("to restic", first / restic, 0.8)
    table.ratio("to tar | zstd", first / tar, 1.15)
    table.ratio("peak memory", peak, 128, "MiB")

    table.title("The tree: nothing changed")
    again = best(
        lambda: float(module("backup", name="bench", source=source, repository=str(WORK / "ours"))["duration_s"])
    )
    restic_again = best(lambda: shell(f"restic -q -r {WORK}/restic backup {tree}"))
    borg_again = best(lambda: shell(f"borg create -C zstd {WORK}/borg-repo::$RANDOM-$(date +%s%N) {tree}"))
    table.row("day2.ops", again)
    table.row("restic", restic_again)
    table.row("borg", borg_again)
    table.ratio("to restic", again / restic_again, 0.5)

    table.title("The tree: restore with verification into a fresh target")

    def our_restore() -> float:
        fresh("restored")
        store = {"type": "files", "path": str(WORK / "restored")}
        return float(module("restore", name="bench", target=store, repository=str(WORK / "ours"))["duration_s"])

    table.row("day2.ops", best(our_restore))
    table.row(
        "restic (neither verified nor synced)",
        best(lambda: shell(f"restic -q -r {WORK}/restic restore latest --target {fresh('restored-restic')[0]}")),
    )
    fresh("ours", "restic", "borg-repo", "tree.tar.zst", "restored", "restored-restic", "tree")


def bench_holes(table: Table) -> None:
    """A sparse file: much room that was never written, such as a disk image or a lastlog."""
    size, written = (1 << 30) // SCALE, (256 << 20) // SCALE
    (tree,) = fresh("sparse")
    tree.mkdir()
    chance = random.Random(4)
    with open(tree / "image", "wb") as handle:
        handle.truncate(size)
        for offset in range(0, size, size // 64):
            handle.seek(offset)
            handle.write(chance.randbytes(written // 64))
    table.title(f"A file of {size / 1e6:.0f} MB of which {written / 1e6:.0f} MB are no holes: read back and verified")
    source = {"type": "files", "path": str(tree)}

    def ours(path: Path) -> float:
        result = module("backup", name="bench", source=source, repository=str(path), compression="none")
        return float(result["duration_s"])

    first = best(lambda: ours(fresh("ours")[0]))
    tar = best(lambda: shell(f"tar -C {tree} -Scf {WORK}/sparse.tar . && sync {WORK}/sparse.tar"))
    table.row("day2.ops", first, f"{du('ours'):.0f} MB kept")
    table.row("tar -S (not read back)", tar, f"{du('sparse.tar'):.0f} MB kept")
    table.ratio("to tar -S", first / tar, 2)
    fresh("ours", "sparse", "sparse.tar")


def bench_json(table: Table) -> None:
    records = 1_500_000 // SCALE
    (document,) = fresh("request_database.json")
    chance = random.Random(3)
    with open(document, "w") as handle:
        handle.write('{"machines": {')
        for number in range(records):
            record = {
                "machine_id": f"machine-{number}",
                "request_id": f"req-{chance.getrandbits(128):032x}",
                "tags": ["a"] * 20,
            }
            handle.write(f'{"," if number else ""}"machine-{number}": {json.dumps(record)}')
        handle.write("}}")
    table.title(
        f"A JSON document of {document.stat().st_size / 1e6:.0f} MB: first backup, every record parsed, read back"
    )
    fresh("ours")
    source = {"type": "json", "path": str(document)}
    result = module("backup", name="bench", source=source, repository=str(WORK / "ours"))
    table.row("day2.ops (once)", result["duration_s"])
    table.ratio("peak memory", result["peak_mib"], 128, "MiB")
    fresh("restored")
    store = {"type": "json", "path": str(WORK / "restored")}
    result = module("restore", name="bench", target=store, repository=str(WORK / "ours"))
    table.row("day2.ops restore (once)", result["duration_s"])
    table.ratio("peak memory", result["peak_mib"], 128, "MiB")
    fresh("ours", "restored", "request_database.json")


def bench_task(table: Table) -> None:
    """What a task costs that finds nothing to do, beside a ping."""
    count = 20
    (document,) = fresh("small.json")
    document.write_text('{"templates": {"a": {"id": 1}}}')
    fresh("ours")
    backup = {"name": "bench", "source": {"type": "json", "path": str(document)}, "repository": str(WORK / "ours")}
    time.sleep(0.3)
    module("backup", **backup)

    def play(tasks: list[dict[str, Any]]) -> float:
        path = WORK / "play.json"
        path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        return best(lambda: shell(f"ansible-playbook -i localhost, -c local {path}"))

    empty = play([{"ansible.builtin.meta": "noop"}])
    ping = (play([{"ansible.builtin.ping": {}}] * count) - empty) / count
    ours = (play([{"day2.ops.backup": backup}] * count) - empty) / count
    table.title("A task that finds nothing to do")
    table.row("ansible.builtin.ping", ping)
    table.row("day2.ops.backup", ours)
    table.ratio("to 1.2 x ping + 0.1 s", ours / (1.2 * ping + 0.1), 1)


def main() -> None:
    table = Table()
    for bench in (bench_task, bench_tree, bench_holes, bench_json, bench_sqlite):
        bench(table)
    table.end()


if __name__ == "__main__":
    main()
