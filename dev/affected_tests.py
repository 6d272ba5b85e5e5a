# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the unit tests that a change touches, the closest by import first, for as long as there is time.

affected_tests.py BASE SECONDS PYTEST-ARGUMENT...

A change is what differs from BASE (a commit), committed or not. A test that changed is at distance 0, one that imports
a changed module at 1, one that imports a module that imports it at 2, and so on. What is not reached in time is listed:
`make test` runs it.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
COLLECTION = "ansible_collections.day2.ops"
TESTS = ROOT / "tests" / "unit" / "module_utils"
sys.path.insert(0, str(ROOT / ".cache" / "collections"))
LIMIT = 12  # files in one run of pytest, so that the time is looked at now and then


def changed_files(base: str) -> list[str]:
    """Paths below the root: what git says, with what it does not know yet."""
    commands = (["diff", "--name-only", base], ["ls-files", "--others", "--exclude-standard"])
    output = [subprocess.check_output(["git", *command], cwd=ROOT, text=True) for command in commands]
    return sorted({line for text in output for line in text.splitlines()})


def module_of(path: str) -> str:
    return ".".join((COLLECTION, *Path(path).with_suffix("").parts))


def imports_of(test: Path) -> set[str]:
    """The modules of the collection that a test may use, by its imports and those of the conftest files above it."""
    files = [test, *(one / "conftest.py" for one in test.parents if ROOT in one.parents)]
    return {name for file in files if file.exists() for name in _imports(file)}


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(COLLECTION):
            yield from (str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names))


def distances(changed: list[str]) -> dict[Path, int]:
    """How far each affected test is from the change."""
    graph = grimp.build_graph(f"{COLLECTION}.plugins")
    near = {module_of(path): 1 for path in changed if path.startswith("plugins/")}
    frontier, distance = [module for module in near if module in graph.modules], 1
    while frontier:
        distance += 1
        frontier = sorted(
            {one for module in frontier for one in graph.find_modules_that_directly_import(module)} - near.keys()
        )
        near.update(dict.fromkeys(frontier, distance))
    found = {}
    for test in sorted(TESTS.rglob("test_*.py")):
        if str(test.relative_to(ROOT)) in changed:
            found[test] = 0
            continue
        steps = [near[module] for module in imports_of(test) if module in near]
        if steps:
            found[test] = min(steps)
    return found


def main() -> None:
    base, seconds, arguments = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    end = time.monotonic() + seconds
    found = distances(changed_files(base))
    ordered = sorted(found, key=lambda test: (found[test], test))
    print(f"{len(ordered)} files of unit tests are affected by what differs from {base}")
    failed = False
    while ordered and time.monotonic() < end:
        part, ordered = ordered[:LIMIT], ordered[LIMIT:]
        command = [sys.executable, "-m", "pytest", *arguments, *map(str, part)]
        failed = subprocess.run(command, cwd=ROOT, check=False).returncode != 0 or failed
    if ordered:
        print(f"No time for {len(ordered)} files of tests farther from the change; make test runs them.")
    sys.exit(failed)


main()
