# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin of pytest for dev/soak.py: tests mutants in processes that are forked when all tests have been collected.

soak.py writes a line of JSON for each mutant to the socket $SOAK_SOCKET, and reads one with the result:

    {"tests": [[ID, SECONDS], ...], "path": PATH, "before": CODE, "after": CODE}
    {"verdict": VERDICT, "test": ID, "text": TEXT}

SECONDS is the processor time that a test takes without a mutant; it may take several times as much. The mutant has been
written to the file of its module by then, for processes that tests start. Without a path, the code stays as imported.
The verdict is PASSED if all tests passed; ELSEWHERE if the mutant changes what runs when modules are imported, so that
it takes a new run of pytest; otherwise, a word for how the test failed.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import inspect
import json
import os
import resource
import select
import shutil
import signal
import socket
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NoReturn, Optional

import pytest
from _pytest.runner import runtestprotocol
from soak_lines import MARK, monitoring

Tests = Sequence[tuple[pytest.Item, float]]
Swaps = Sequence[tuple[FunctionType, CodeType]]  # functions, and the code that a mutant has for them
PASSED, ELSEWHERE = "passed", "elsewhere"
_SET_CHILD_SUBREAPER = 36
_imported: set[CodeType] = set()  # functions that ran when modules were imported or tests collected


def pytest_configure() -> None:
    monitoring.use_tool_id(monitoring.COVERAGE_ID, "soak")
    monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.PY_START, _ran)
    monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.PY_START)


def _ran(code: CodeType, _offset: int) -> Any:
    if MARK in code.co_filename:
        _imported.add(code)
    return monitoring.DISABLE


def pytest_runtestloop(session: pytest.Session) -> bool:
    monitoring.free_tool_id(monitoring.COVERAGE_ID)
    # Orphans of a mutant become children of this process, which ends them.
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    items, functions = {item.nodeid: item for item in session.items}, functions_here()
    with socket.socket(fileno=int(os.environ["SOAK_SOCKET"])) as channel, channel.makefile("rw") as file:
        for line in file:
            request = json.loads(line)
            swaps = swaps_for(request, functions) if "path" in request else []
            tests = [(items[name], seconds) for name, seconds in request["tests"]]
            result = {"verdict": ELSEWHERE} if swaps is None else tested(tests, swaps)
            file.write(json.dumps(result) + "\n")
            file.flush()
    return True


def functions_here() -> Mapping[CodeType, Sequence[FunctionType]]:
    """All functions of the collection, by their code."""
    found = defaultdict(list)
    gc.unfreeze()  # tests/conftest.py
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and MARK in one.__code__.co_filename:
            found[one.__code__].append(one)
    gc.freeze()
    return found


def swaps_for(request: Mapping[str, str], functions: Any) -> Optional[Swaps]:
    """None: the mutant changes more than functions that have not run yet."""
    before, after = (compile(request[key], request["path"], "exec", dont_inherit=True) for key in ("before", "after"))
    pairs = list(zip(functions_in(before), functions_in(after)))
    changed = {old: new for old, new in pairs if old != new}
    mine = [one for old in changed for one in functions.get(old, ()) if is_of(one.__code__, request["path"])]
    early = any(old in changed and is_of(old, request["path"]) for old in _imported)
    if early or rest_of(before) != rest_of(after) or any(old.co_freevars != new.co_freevars for old, new in pairs):
        return None
    return [(one, changed[one.__code__]) for one in mine]


def is_of(code: CodeType, path: str) -> bool:
    return code.co_filename.endswith("/" + path)


def functions_in(code: CodeType) -> Iterator[CodeType]:
    """The code of all functions in a module's, those in classes and in other functions, too."""
    for one in code.co_consts:
        if isinstance(one, CodeType):
            if is_function(one):
                yield one
            yield from functions_in(one)


def rest_of(code: CodeType) -> CodeType:
    """A module's code without the functions."""
    parts = (
        one if not isinstance(one, CodeType) else None if is_function(one) else rest_of(one) for one in code.co_consts
    )
    return code.replace(co_consts=tuple(parts), co_linetable=b"")


def is_function(code: CodeType) -> bool:
    return bool(code.co_flags & inspect.CO_OPTIMIZED)


def tested(tests: Tests, swaps: Swaps) -> dict[str, str]:
    temporary = tempfile.mkdtemp(prefix="soak-")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = temporary
        run(tests, swaps, writing)
    os.close(writing)
    try:
        return heard(reading, {item.nodeid: seconds for item, seconds in tests})
    finally:
        os.close(reading)
        end_children()
        shutil.rmtree(temporary, ignore_errors=True)


def run(tests: Tests, swaps: Swaps, told: int) -> NoReturn:
    """In the forked process: the tests up to the first that fails."""
    try:
        for function, code in swaps:
            function.__code__ = code
        following = [item for item, _seconds in tests[1:]]
        for (item, seconds), next_item in zip(tests, [*following, None]):
            tell(told, test=item.nodeid, verdict="ended")
            limit(seconds)
            reports = runtestprotocol(item, log=False, nextitem=next_item)
            if wrong := [one for one in reports if not one.passed]:
                tell(told, test=item.nodeid, verdict="failed", text=wrong[0].longreprtext[-1500:])
                # As at the end of a run: file systems are unmounted, servers ended.
                item.session._setupstate.teardown_exact(None)
                break
        else:
            tell(told, test="", verdict=PASSED)
    finally:
        os._exit(0)


def tell(told: int, **what: str) -> None:
    os.write(told, json.dumps(what).encode() + b"\n")


def limit(seconds: float) -> None:
    """The processor time of each process that a test runs in. The other kind of time depends on what else runs."""
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + 5 + 5 * seconds) + 1, resource.RLIM_INFINITY))


def heard(reading: int, seconds: Mapping[str, float]) -> dict[str, str]:
    """What the forked process tells last. One that waits forever uses no processor time, but is ended, too."""
    told, last, waited = b"", {"test": "", "verdict": "ended"}, 0
    while waited < 60 + 20 * seconds.get(last["test"], 0):
        if not select.select([reading], [], [], 1)[0]:
            waited += not any(wants_to_run(task) for one in descendants(os.getpid()) for task in tasks_of(one))
        elif more := os.read(reading, 1 << 16):
            told, waited = told + more, 0
            last = [last, *map(json.loads, told.splitlines()[: told.count(b"\n")])][-1]
        else:
            return last
    return {**last, "verdict": "waited"} if last["verdict"] == "ended" else last


def wants_to_run(task: Path) -> bool:
    """If it waits for a processor, others are to blame."""
    with contextlib.suppress(OSError):
        return (task / "stat").read_text(errors="replace").rpartition(")")[2].split()[0] in "RD"
    return False


def descendants(pid: int) -> Iterator[int]:
    for task in tasks_of(pid):
        with contextlib.suppress(OSError):
            for one in map(int, (task / "children").read_text(encoding="ascii").split()):
                yield one
                yield from descendants(one)


def tasks_of(pid: int) -> list[Path]:
    with contextlib.suppress(OSError):
        return list(Path(f"/proc/{pid}/task").iterdir())
    return []


def end_children() -> None:
    """And what they have left, which are then children of this process."""
    while left := list(descendants(os.getpid())):
        for one in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)
