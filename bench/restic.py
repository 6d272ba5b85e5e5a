# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# peers: restic=restic
"""Backups with engine=restic beside restic itself: a tree in a directory, and what three similar backups of it take."""

from __future__ import annotations

from pathlib import Path

from backup import make_tree
from common import SCALE, Table, best, du, fresh, module, shell

FILES = 8_000 // SCALE
BYTES = 40_000_000 // SCALE


def grow(tree: Path, number: int) -> None:
    """Add twenty files to it."""
    for count in range(20):
        (tree / f"added-{number}-{count}").write_bytes(bytes([number]) * 5_000)


def main() -> None:
    table = Table()
    tree, repository, theirs = fresh("restic-tree", "restic-ours", "restic-theirs")
    make_tree(tree, FILES, BYTES)
    command = f"restic -q -r {theirs}"
    arguments = {
        "name": "bench",
        "repository": str(repository),
        "engine": "restic",
        "restic": {"password": "bench"},
        "source": {"type": "files", "path": str(tree)},
    }

    def ours() -> float:
        return float(module("backup", **arguments)["duration_s"])

    def first() -> float:
        fresh("restic-ours")
        return ours()

    def restic() -> float:
        fresh("restic-theirs")
        shell(f"{command} init")
        return shell(f"{command} backup {tree}")

    table.title(f"tree of {FILES:,} files into a repository of restic: first backup, read back")
    mine, other = best(first), best(restic)
    table.row("day2.ops", mine)
    table.row("restic, not read back", other)
    print(f"  {'to restic':34}{mine / other:9.2f} x")

    table.title("the same tree: nothing changed")
    again, other = best(ours), best(lambda: shell(f"{command} backup {tree}"))
    table.row("day2.ops", again)
    table.row("restic", other)
    print(f"  {'to restic':34}{again / other:9.2f} x")

    table.title("three backups of it, twenty files added before each: space")
    one = du("restic-ours")
    for number in range(2):
        grow(tree, number)
        ours()
        shell(f"{command} backup {tree}")
    table.ratio("three backups to one", du("restic-ours") / one, 1.5)
    print(f"  {'to restic':34}{du('restic-ours') / du('restic-theirs'):9.2f} x")
    fresh("restic-tree", "restic-ours", "restic-theirs")
    table.end()


if __name__ == "__main__":
    main()
