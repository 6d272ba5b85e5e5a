# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutants: change one condition, number or operator of the code at a time, and see whether a test fails.

    soak.py STATE-DIRECTORY TREE...

A tree is a copy of the clone in which one mutant at a time is tested: as many trees as may be tested side by side.
The environment says which mutants (see Makefile): FILES, SAMPLE, SEED, MINUTES, AGAIN, TESTS, BUDGET. Results stay in
the state directory, so that the same call goes on where it was stopped; they are for this code, and AGAIN=1 tests
survivors anew.

Cosmic Ray makes the mutants. A mutant is tested with the tests that run its line, its module's own first, as many as
fit into BUDGET seconds of processor time: what survives has survived these. A test that fails is also run without the
mutant, and counts only if it passes then. soak_places.py leaves out what would say nothing, and tests/mutants.md has
the survivors that were looked at, with a reason.
"""

from __future__ import annotations

import ast
import fnmatch
import hashlib
import json
import os
import queue
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Optional

from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkItem, WorkResult
from soak_places import Silent
from soak_trees import Job, Test, Tree, diff_of

PLUGINS = "plugins/module_utils"
PACKAGES = ("_core", "_repository", "_verbs")


class Reach:
    """Which tests run which line."""

    def __init__(self, files: Sequence[Path]) -> None:
        told = [json.loads(line) for file in sorted(files) for line in file.open(encoding="utf-8")]
        setups: dict[str, float] = defaultdict(float)
        for one in told:
            file = one["test"].partition("::")[0]
            setups[file] = max(setups[file], one["setup"])
        self._tests: dict[str, dict[int, set[Test]]] = defaultdict(lambda: defaultdict(set))
        for one in told:
            if one["passed"]:
                test = Test(one["test"], one["call"], setups[one["test"].partition("::")[0]])
                for name, numbers in one["lines"].items():
                    for number in numbers:
                        self._tests[f"{PLUGINS}/{name}"][number].add(test)

    def of(self, path: str, lines: range) -> list[Test]:
        """The tests that run one of the lines: those of the module's own name, then the fastest."""
        known = self._tests.get(path, {})
        return ordered(path, {test for line in lines for test in known.get(line, ())})

    def near(self, path: str) -> list[Test]:
        """The tests of a module, if only other processes run the line; of its directory, if it has only constants."""
        beside = [one for one in self._tests if Path(one).parent == Path(path).parent]
        return ordered(path, self._in([path]) or self._in(beside))

    def _in(self, paths: Iterable[str]) -> set[Test]:
        return {test for path in paths for tests in self._tests.get(path, {}).values() for test in tests}


def ordered(path: str, tests: Iterable[Test]) -> list[Test]:
    return sorted(tests, key=lambda test: (-closeness(path, test.file), test.seconds + test.setup, test.id))


def closeness(path: str, test: str) -> int:
    """How many words of the module's name, and of the directory's below its package, the name of the tests has."""
    module = Path(path)
    words = module.stem.split("_") + ([module.parent.name] if not module.parent.name.startswith("_") else [])
    return len(set(words) & set(Path(test).stem.split("_")))


def within(tests: Iterable[Test], budget: float) -> list[Test]:
    """As many tests, from the first, as fit; one at least."""
    chosen: list[Test] = []
    started: set[str] = set()
    for test in tests:
        budget -= test.seconds + (0 if test.file in started else test.setup)
        if budget < 0 and chosen:
            break
        chosen.append(test)
        started.add(test.file)
    return chosen


def lines_of(source: str, line: int) -> range:
    """The lines whose execution tells that the mutant's was executed.

    A statement's, of a compound one the head; the whole function of a mutant in its signature; else the whole module.
    """
    best: Optional[ast.stmt] = None
    for node in ast.walk(ast.parse(source)):
        holds = isinstance(node, ast.stmt) and first_line(node) <= line <= (node.end_lineno or line)
        if holds and (best is None or first_line(node) >= first_line(best)):
            best = node
    if isinstance(best, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return range(best.body[0].lineno, (best.end_lineno or line) + 1)
    # What runs when the module is imported runs in no test's time.
    if best is None or isinstance(best, ast.ClassDef) or not best.col_offset:
        return range(1, source.count("\n") + 2)
    body = getattr(best, "body", None) or getattr(best, "handlers", None)
    last = max(best.lineno, body[0].lineno - 1) if body else (best.end_lineno or line)
    return range(best.lineno, max(last, line) + 1)


def first_line(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(one.lineno for one in decorators)])


class Mutants:
    """All mutants of the files that fit, with the results that there are. Those of all files take minutes to find."""

    def __init__(self, state: Path, tree: Path, patterns: str) -> None:
        self.tree = tree
        paths = sorted(path for one in PACKAGES for path in (tree / PLUGINS / one).rglob("*.py"))
        self.sources = {str(path.relative_to(tree)): path.read_text(encoding="utf-8") for path in paths}
        names = {path: path.removeprefix(PLUGINS + "/") for path in self.sources}
        self.wanted = [path for path in names if any(fnmatch.fnmatch(names[path], one) for one in patterns.split())]
        code = hashlib.sha256(json.dumps([self.sources, self.wanted], sort_keys=True).encode()).hexdigest()[:12]
        file = state / f"mutants-{code}.sqlite"
        new = not file.exists()
        self.db = WorkDB(file, WorkDB.Mode.create)
        if new:
            print("--- finding mutants", file=sys.stderr)
            init(sorted(map(Path, self.wanted)), self.db, {})

    def sample(self, size: int, seed: int) -> list[WorkItem]:
        """Places by chance, and at each of them one of its mutants by chance: a `+` has eleven, a condition one."""
        silent = {path: Silent(self.sources[path]) for path in self.wanted}
        places: dict[tuple[str, tuple[int, int]], list[WorkItem]] = defaultdict(list)
        for item in self.db.work_items:
            spec = item.mutations[0]
            path, start = str(spec.module_path), tuple(spec.start_pos)
            if not silent[path].holds(spec):
                places[path, start].append(item)
        chance = random.Random(seed)
        chosen = chance.sample(sorted(places), min(size or len(places), len(places)))
        return [chance.choice(sorted(places[one], key=what)) for one in chosen]

    def results(self) -> dict[str, WorkResult]:
        return dict(self.db.results)


def what(item: WorkItem) -> tuple[str, int]:
    return item.mutations[0].operator_name, item.mutations[0].occurrence


def start_servers(tree: Path) -> None:
    """Those of tests/services/shared.py, once for all mutants: to start one takes longer than most tests."""
    os.environ["DAY2_TESTS_PARENT"] = str(os.getpid())
    program = "from tests.services.shared import SERVERS, url_of\nfor name in SERVERS:\n    url_of(name)"
    subprocess.run([sys.executable, "-c", program], cwd=tree, check=True)


def test_files(tree: Path, patterns: str) -> list[str]:
    found = (path for one in patterns.split() for path in tree.glob(one))
    files = {file for path in found for file in ([path] if path.is_file() else path.rglob("test_*.py"))}
    return sorted(str(file.relative_to(tree)) for file in files)


def reach(state: Path, trees: Sequence[Path], files: Sequence[str], end: float) -> Reach:
    """Runs all tests once, some files at a time, except those that have not changed since, nor has what they run."""
    lines, new = state / "lines", state / "lines" / "new"
    services = digest_of((trees[0] / "tests" / "services").rglob("*.py"))
    known = {name: lines / digest_of([trees[0] / name], services) for name in files}
    plugins = trees[0] / PLUGINS
    code = {str(one.relative_to(plugins)): digest_of([one]) for one in plugins.rglob("*.py")}
    lines.mkdir(exist_ok=True)
    while left := [name for name, told in known.items() if not is_valid(told, code)][:24]:
        if time.monotonic() > end:
            sys.exit("The time is over before all tests were run once; the same call goes on here.")
        print(f"--- which lines do the tests of {left[0]} to {left[-1]} run?", file=sys.stderr, flush=True)
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(len(trees)), "-p", "soak_lines", "--tb=line", *left]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "SOAK_LINES": str(new)}
        done = subprocess.run(command, cwd=trees[0], env=environment, check=False)
        if done.returncode not in (0, 1):
            sys.exit("The tests ended before their end.")
        told = [line for file in new.iterdir() for line in file.read_text(encoding="utf-8").splitlines()]
        for name in left:
            mine = [line for line in told if json.loads(line)["test"].startswith(name + "::")]
            known[name].write_text("".join(line + "\n" for line in mine), encoding="utf-8")
            ran = {module: code.get(module, "") for line in mine for module in json.loads(line)["lines"]}
            modules_of(known[name]).write_text(json.dumps(ran), encoding="utf-8")
    return Reach(list(known.values()))


def is_valid(told: Path, code: Mapping[str, str]) -> bool:
    """Are all modules that the tests of a file have run as they were then?"""
    if not modules_of(told).exists():
        return False
    ran = json.loads(modules_of(told).read_text(encoding="utf-8"))
    return all(code.get(module) == digest for module, digest in ran.items())


def modules_of(told: Path) -> Path:
    return told.with_suffix(".modules")


def digest_of(files: Iterable[Path], more: str = "") -> str:
    digest = hashlib.sha256(more.encode())
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:20]


def jobs_for(items: Sequence[WorkItem], mutants: Mutants, known: Reach, budget: float) -> Iterator[Job]:
    """What to run for each mutant. What no test runs has survived without; what does not compile is left out."""
    for item in items:
        spec = item.mutations[0]
        path = str(spec.module_path)
        before = mutants.sources[path]
        after = mutate_code(before, get_operator(spec.operator_name)(**spec.operator_args), spec.occurrence)
        if not is_code(after):
            mutants.db.set_result(item.job_id, WorkResult(WorkerOutcome.SKIPPED))
            continue
        reached = known.of(path, lines_of(before, spec.start_pos[0]))
        tests = within(reached or known.near(path), budget)
        if tests:
            yield Job(item, before, after, tests)
        else:
            outcome, diff = TestOutcome.SURVIVED, diff_of(before, after)
            mutants.db.set_result(item.job_id, WorkResult(WorkerOutcome.NO_TEST, "unreached", outcome, diff))


def is_code(source: str) -> bool:
    """Operators are also replaced where they are none, as in `**options`: what does not compile says nothing."""
    try:
        compile(source, "", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def run_all(jobs: Sequence[Job], mutants: Mutants, trees: Sequence[Tree], end: float) -> None:
    """Tests mutants until all are or the time is over."""
    free: queue.SimpleQueue[Tree] = queue.SimpleQueue()
    for tree in trees:
        free.put(tree)

    def run(job: Job) -> Optional[tuple[str, WorkResult]]:
        tree = free.get()
        try:
            return tree.test(job) if time.monotonic() < end else None
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as pool:
        for count, done in enumerate(as_completed([pool.submit(run, job) for job in jobs]), 1):
            if (result := done.result()) is not None:
                mutants.db.set_result(*result)
                print(f"{count} of {len(jobs)}: {result[1].output}", file=sys.stderr, flush=True)
    if time.monotonic() > end:
        print("The time is over; the same call goes on here.")


def reasons(tree: Path) -> dict[tuple[str, str, str], str]:
    """The survivors that were looked at: by file, code, and the code that it was changed into."""
    found, path, file = {}, "", tree / "tests" / "mutants.md"
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        if line.startswith("## "):
            path = f"{PLUGINS}/{line[3:].strip()}"
        elif match := re.match(r"- `(.*)` → `(.*)`: (.+)", line):
            found[path, match[1], match[2]] = match[3]
    return found


def change(diff: str) -> tuple[str, str]:
    """What a mutant changes, in one line each."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    sides = ("\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    before, after = (" ".join(side.split()) for side in sides)
    return before, after


def describe(spec: MutationSpec, result: WorkResult) -> str:
    before, after = change(result.diff or "")
    operator = spec.operator_name.removeprefix("core/")
    place = f"{str(spec.module_path).removeprefix(PLUGINS + '/')}:{spec.start_pos[0]}"
    return f"{place} in {spec.definition_name}: " + (
        f"`{before}` → `{after}`" if before else f"{operator}: {result.output}"
    )


def report(items: Sequence[WorkItem], mutants: Mutants) -> bool:
    """What was found. False: less than nine tenths were caught."""
    results, known = mutants.results(), reasons(mutants.tree)
    items = [one for one in items if one.job_id not in results or results[one.job_id].test_outcome is not None]
    done = [(item.mutations[0], results[item.job_id]) for item in items if item.job_id in results]
    survivors = [(spec, one) for spec, one in done if one.test_outcome == TestOutcome.SURVIVED]
    new = [pair for pair in survivors if (str(pair[0].module_path), *change(pair[1].diff or "")) not in known]
    verdicts = Counter((one.output or "").partition(" ")[0] for _spec, one in done)
    ended = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    caught = len(done) - len(survivors)
    share = 100 * caught / max(len(done), 1)
    for spec, one in sorted(new, key=lambda pair: (str(pair[0].module_path), pair[0].start_pos)):
        print(describe(spec, one))
    print(
        f"{caught} of {len(done)} mutants were caught ({share:.1f} %; {ended}), "
        f"{len(survivors) - len(new)} survived for a reason that tests/mutants.md has, {len(new)} others did. "
        f"{len(items) - len(done)} of the sample are yet to be tested."
    )
    return share >= 90


def main() -> None:
    state, paths = Path(sys.argv[1]), [Path(one) for one in sys.argv[2:]]
    given = {name: os.environ.get(name) or default for name, default in DEFAULTS.items()}
    os.chdir(paths[0])
    mutants = Mutants(state, paths[0], given["FILES"])
    end = time.monotonic() + 60 * float(given["MINUTES"])
    start_servers(paths[0])
    files = test_files(paths[0], given["TESTS"])
    known = reach(state, paths, files, end)
    items = mutants.sample(int(given["SAMPLE"]), int(given["SEED"]))
    results = mutants.results()
    again = given["AGAIN"] == "1"
    left = [
        item
        for item in items
        if item.job_id not in results or (again and results[item.job_id].test_outcome == TestOutcome.SURVIVED)
    ]
    jobs = list(jobs_for(left, mutants, known, float(given["BUDGET"])))
    trees = [Tree(path, state, files) for path in paths[: len(jobs)]]
    run_all(jobs, mutants, trees, end)
    for tree in trees:
        tree.close()
    sys.exit(not report(items, mutants))


# SAMPLE=0: all.
DEFAULTS = {
    "FILES": "*",
    "SAMPLE": "300",
    "BUDGET": "20",
    "SEED": "1",
    "MINUTES": "120",
    "AGAIN": "",
    "TESTS": "tests/unit/module_utils tests/faults",
}

if __name__ == "__main__":
    main()
