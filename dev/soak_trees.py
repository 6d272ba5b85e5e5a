# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For dev/soak.py: tests mutants in a copy of the clone, with pytest and soak_forks.py."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkItem, WorkResult
from soak_forks import ELSEWHERE, PASSED

ENDED, IMPORTED = "pytest", "import"  # what has failed, where it is no test


class Test(NamedTuple):
    """A test that passes without mutants."""

    id: str
    seconds: float
    setup: float  # of the slowest first test of its file: servers that start

    @property
    def file(self) -> str:
        return self.id.partition("::")[0]


class Job(NamedTuple):
    item: WorkItem
    before: str
    after: str
    tests: Sequence[Test]


class Tree:
    """A copy of the clone, with a process that has collected all tests (soak_forks.py)."""

    def __init__(self, path: Path, state: Path, files: Sequence[str]) -> None:
        self._path, self._log = path, state / f"{path.name}.log"
        self._files = files
        self._server: Optional[Server] = self._started()
        self._relied: dict[str, bool] = {}

    def test(self, job: Job) -> tuple[str, WorkResult]:
        """With the first test that fails with the mutant and passes without."""
        spec = job.item.mutations[0]
        tests = [test for test in job.tests if self._relied.get(test.id, True)]
        self._server = self._server or self._started()  # not from code that is changed
        with self._mutated(spec.module_path, job.after):
            result = self._ask(self._server, job, tests)
        if result["verdict"] == ENDED:
            self.close()
        if result["test"] and not self._relies_on(next(test for test in tests if test.id == result["test"])):
            return self.test(job)
        outcome = TestOutcome.SURVIVED if result["verdict"] == PASSED else TestOutcome.KILLED
        told = f"{result['verdict']} {result['test']}"
        return job.item.job_id, WorkResult(WorkerOutcome.NORMAL, told, outcome, diff_of(job.before, job.after))

    def _ask(self, server: Server, job: Job, tests: Sequence[Test]) -> dict[str, str]:
        path = str(job.item.mutations[0].module_path)
        result = server.tell(request_for(tests, path=path, before=job.before, after=job.after))
        if result["verdict"] != ELSEWHERE:
            return result
        with Server(self._path, self._log, sorted({test.file for test in tests})) as another:
            result = another.tell(request_for(tests))
        return {**result, "verdict": IMPORTED} if result["verdict"] == ENDED else result

    def _started(self) -> Server:
        server = Server(self._path, self._log, self._files)
        if server.tell(request_for([]))["verdict"] != PASSED:
            sys.exit(f"The tests could not be collected: see {self._log}")
        return server

    def _relies_on(self, test: Test) -> bool:
        if test.id not in self._relied:
            self._server = self._server or self._started()
            self._relied[test.id] = self._server.tell(request_for([test]))["verdict"] == PASSED
            if not self._relied[test.id]:
                print(f"fails without a mutant, and counts for nothing: {test.id}", file=sys.stderr, flush=True)
        return self._relied[test.id]

    @contextlib.contextmanager
    def _mutated(self, module: Path, code: str) -> Iterator[None]:
        path = self._path / module
        before, info = path.read_bytes(), path.stat()
        path.write_text(code, encoding="utf-8")
        try:
            yield
        finally:
            path.write_bytes(before)
            os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))  # what is compiled remains valid

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._server = None


def request_for(tests: Sequence[Test], **mutant: str) -> dict[str, Any]:
    return {"tests": [(test.id, test.seconds + test.setup) for test in tests], **mutant}


class Server:
    """pytest with soak_forks.py."""

    def __init__(self, tree: Path, log: Path, files: Sequence[str]) -> None:
        ours, theirs = socket.socketpair()
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parent),
            "SOAK_SOCKET": str(theirs.fileno()),
            # A mutant of the same size, compiled in the same second, would pass for another.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "soak_forks", *files]
        with theirs, log.open("wb") as output:
            self._process = subprocess.Popen(
                command, cwd=tree, env=environment, pass_fds=[theirs.fileno()], stdout=output, stderr=subprocess.STDOUT
            )
        with ours:
            self._channel = ours.makefile("rw", encoding="utf-8")

    def tell(self, request: Mapping[str, Any]) -> dict[str, str]:
        """The result. A mutant can end even this process."""
        line = ""
        with contextlib.suppress(OSError):
            self._channel.write(json.dumps(request) + "\n")
            self._channel.flush()
            line = self._channel.readline()
        return dict(json.loads(line)) if line else {"verdict": ENDED, "test": ""}

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._channel.close()
        self._process.wait()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def diff_of(before: str, after: str) -> str:
    return "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))
