# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# peers: age=age zstd=zstd
"""Encrypted backups beside unencrypted ones, in turns: the median of the ratios of pairs."""

from __future__ import annotations

import resource
import statistics
import subprocess
from typing import Any, Callable, NamedTuple

from backup import make_database, make_tree
from common import SCALE, WORK, Table, fresh, module, settle

PAIRS = 5
LIMIT = 1.15


class Took(NamedTuple):
    """One run of a module. `cpu`: of everything that it started, Ansible included."""

    seconds: float
    cpu: float
    peak: float


def measured(verb: str, **arguments: Any) -> Took:
    settle()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = module(verb, **arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Took(float(result["duration_s"]), cpu, float(result["peak_mib"]))


def compare(table: Table, title: str, plain: Callable[[], Took], encrypted: Callable[[], Took]) -> None:
    table.title(title)
    pairs = [(plain(), encrypted()) for _pair in range(PAIRS)]
    table.row("unencrypted", min(one.seconds for one, _other in pairs))
    peak = max(other.peak for _one, other in pairs)
    table.row("encrypted", min(other.seconds for _one, other in pairs), f"peak with its programs {peak:.0f} MiB")
    table.ratio("encrypted to unencrypted", statistics.median(b.seconds / a.seconds for a, b in pairs), LIMIT)
    cpu = statistics.median(b.cpu / a.cpu for a, b in pairs)
    print(f"  {'the same by CPU time':34}{cpu:9.2f} x")
    table.ratio("peak memory", peak, 160, "MiB")


def bench(table: Table, what: str, source: dict[str, Any], target: dict[str, Any], key: tuple[str, str]) -> None:
    names = {False: "plain-backups", True: "encrypted-backups"}

    def backup(encrypted: bool) -> Took:
        (repository,) = fresh(names[encrypted])
        more = {"encrypt_to": [key[0]]} if encrypted else {}
        return measured("backup", name="bench", repository=str(repository), source=source, **more)

    def restore(encrypted: bool) -> Took:
        (place,) = fresh("restored")
        place.mkdir()
        more = {"identity_file": key[1]} if encrypted else {}
        repository = str(WORK / names[encrypted])
        return measured("restore", name="bench", repository=repository, target=target, **more)

    compare(table, f"{what}: first backup, read back", lambda: backup(False), lambda: backup(True))
    compare(table, f"{what}: restore with verification", lambda: restore(False), lambda: restore(True))
    fresh("restored", *names.values())


def main() -> None:
    table = Table()
    (identity,) = fresh("identity.txt")
    subprocess.run(["age-keygen", "-o", str(identity)], check=True, capture_output=True)
    recipient = subprocess.run(["age-keygen", "-y", str(identity)], check=True, capture_output=True, text=True).stdout
    key = (recipient.strip(), str(identity))
    database, tree = fresh("encrypted.db", "encrypted-tree")
    restored = WORK / "restored"
    make_database(database, 10**9 // SCALE)
    source = {"type": "sqlite", "path": str(database)}
    bench(table, "SQLite of 1 GB", source, {"type": "sqlite", "path": str(restored / "a.db")}, key)
    make_tree(tree, 20_000 // SCALE, 10**9 // 4 // SCALE)
    source = {"type": "files", "path": str(tree)}
    bench(table, "tree of 20,000 files", source, {"type": "files", "path": str(restored / "tree")}, key)
    fresh("encrypted.db", "encrypted-tree", "identity.txt")
    table.end()


if __name__ == "__main__":
    main()
