# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications with real stores, and verbs that run as processes of their own, some of them with faults."""

from __future__ import annotations

import ctypes
import errno
import gc
import hashlib
import itertools
import json
import os
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import traceback
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Callable, NoReturn

from ansible_collections.day2.ops.plugins.module_utils._core.errors import TaskEnded
from ansible_collections.day2.ops.tests.faults import seccomp
from ansible_collections.day2.ops.tests.faults.verb import run_verb
from tests.conftest import TIMES

CLONE_NEWUTS = 0x04000000
COLLECTIONS = Path(__file__).resolve().parents[2] / ".cache" / "collections"

# Every call that changes a file system, and what makes changes durable; those that this machine's kernel knows.
CHANGING = (
    *("write", "pwrite64", "writev", "pwritev", "sendfile", "copy_file_range", "fsync", "fdatasync", "sync_file_range"),
    *("syncfs", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat", "link", "linkat"),
    *("symlink", "symlinkat", "truncate", "ftruncate", "fallocate", "chmod", "fchmod", "fchmodat", "chown", "fchown"),
    *("lchown", "fchownat", "utimensat", "setxattr", "lsetxattr", "fsetxattr", "mknod", "mknodat"),
)


class Verb:
    """The end of a verb: exit status as verb.py gives it, error text, result."""

    def __init__(self, status: int, error: str, result: dict[str, Any]) -> None:
        self.status = status
        self.error = error
        self.result = result

    @property
    def killed(self) -> bool:
        return self.status in (-9, 137)

    @property
    def ended_early(self) -> bool:
        """Whether a fault had an effect: tests of faults count this, or they would pass without any fault."""
        return self.killed or self.status == 3


def run(verb: str, params: dict[str, Any]) -> Verb:
    """Run a verb right here."""
    try:
        return Verb(0, "", run_verb(verb, params))
    except TaskEnded as exc:
        return Verb(3, str(exc), {})


class Running:
    """A verb in a process of its own, forked from this one: starting Python would be most of a run's time."""

    def __init__(self, verb: str, params: dict[str, Any], before: Callable[[], object] = lambda: None) -> None:
        self.told, theirs = socket.socketpair()
        gc.freeze()  # what this process left to be closed is not the child's to close
        self.pid = os.fork()
        if self.pid == 0:
            self.told.close()
            before()
            report_verb(theirs, verb, params)
        gc.unfreeze()
        theirs.close()

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def has_ended(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def end(self) -> Verb:
        """Wait for its end, and that of all who could tell something."""
        with self.told:
            return self.reap(b"".join(iter(lambda: self.told.recv(65536), b"")))

    def reap(self, told: bytes) -> Verb:
        _pid, status = os.waitpid(self.pid, 0)
        return Verb(*json.loads(told)) if told else Verb(os.waitstatus_to_exitcode(status), "", {})


class Calls:
    """The calls of a kind that a process and its children made: how many of each, by process."""

    def __init__(self, names: Iterable[str], fault: str = "", at: int = 0) -> None:
        """
        :param fault: what happens to the at-th call of each process: "signal=KILL" or "error=ENOSPC".
        """
        self.counts: Counter[tuple[int, str]] = Counter()
        self._names = {number: name for name in names for number in [seccomp.number_of(name)] if number >= 0}
        self._fault, self._at = fault, at

    @property
    def names(self) -> Iterable[str]:
        return self._names.values()

    def meet(self, question: seccomp.Question) -> None:
        """Let a call be done, or not."""
        one = (question.process, self._names[question.number])
        self.counts[one] += 1
        kind, _is, what = self._fault.partition("=")
        if self.counts[one] != self._at:
            question.answer()
        elif kind == "error":
            question.answer(getattr(errno, what))
        else:
            os.kill(question.process, getattr(signal, f"SIG{what}"))


def run_watched(calls: Calls, verb: str, params: dict[str, Any]) -> Verb:
    """Run a verb as a process of its own, whose calls are met."""
    near, far = socket.socketpair()

    def ask() -> None:
        near.close()
        listener = seccomp.ask_before(calls.names)
        socket.send_fds(far, [b"x"], [listener])
        os.close(listener)
        far.close()

    process = Running(verb, params, ask)
    far.close()
    with near:
        _message, (listener,), _flags, _address = socket.recv_fds(near, 1, 1)
    done, told = None, b""
    with process.told:
        waiting, talking = select.poll(), {listener, process.told.fileno()}
        for one in talking:
            waiting.register(one, select.POLLIN)
        while talking:
            for one, event in waiting.poll():
                if one == listener and event & select.POLLIN:
                    question = seccomp.next_question(listener)
                    if question is not None:
                        calls.meet(question)
                    continue
                data = b"" if one == listener else process.told.recv(65536)
                told += data
                if data:
                    continue
                waiting.unregister(one)  # nobody is left who could ask, or tell something
                talking.remove(one)
                if one != listener:
                    done = process.reap(told)
    os.close(listener)
    assert done is not None
    return done


def report_verb(out: socket.socket, verb: str, params: dict[str, Any]) -> NoReturn:
    """What the forked process does."""
    try:
        report: tuple[int, str, dict[str, Any]] = (0, "", run_verb(verb, params))
    except TaskEnded as exc:
        report = (3, str(exc), {})
    except BaseException:
        report = (1, traceback.format_exc(), {})
    try:
        out.sendall(json.dumps(report).encode())
    finally:
        os._exit(0)


def steps(verb: str, params: dict[str, Any]) -> list[str]:
    """Where a fault can be, to meet every changing call of an undisturbed run: "rename:2", the second of a process."""
    calls = Calls(CHANGING)
    done = run_watched(calls, verb, params)
    if done.status != 0:
        raise AssertionError(done.error)
    most: Counter[str] = Counter()
    for (_process, call), count in calls.counts.items():
        most[call] = max(most[call], count)
    return [f"{call}:{number}" for call in sorted(most) for number in range(1, most[call] + 1)]


def spread(every: list[str], most: int = 12) -> list[str]:
    """At most so many of the steps of a run, or one of each kind of call if that is more; others in each test.

    "make soak" takes every step.
    """
    if TIMES > 1:
        return every
    begin = zlib.crc32(os.environ["PYTEST_CURRENT_TEST"].encode())
    kinds: dict[str, list[str]] = {}
    for step in every:
        kinds.setdefault(step.partition(":")[0], []).append(step)
    for distance in itertools.count(1):
        chosen = [step for kind in kinds.values() for step in kind[begin % min(distance, len(kind)) :: distance]]
        if len(chosen) <= max(most, len(kinds)):
            break
    return chosen


def run_with(fault: str, step: str, verb: str, params: dict[str, Any]) -> Verb:
    """Run a verb with a fault ("signal=KILL", "error=ENOSPC") at a step."""
    call, _colon, number = step.partition(":")
    return run_watched(Calls([call], fault, int(number)), verb, params)


class Application:
    """One store with two states; `state` reads the real thing back."""

    type = ""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()

    @property
    def path(self) -> Path:
        return self.directory / "store"

    @property
    def store(self) -> dict[str, Any]:
        return {"type": self.type, "path": str(self.path)}

    def make(self, version: int) -> None:
        raise NotImplementedError

    def state(self) -> Any:
        raise NotImplementedError

    def leftovers(self) -> list[str]:
        return [name for name in os.listdir(self.directory) if name.startswith(".day2-")]


class JsonApplication(Application):
    type = "json"

    def make(self, version: int) -> None:
        self.path.write_text(
            json.dumps({"requests": {f"req-{n}": {"id": n, "version": version} for n in range(40 * version)}})
        )

    def state(self) -> Any:
        return json.loads(self.path.read_text()) if self.path.exists() else None


class SqliteApplication(Application):
    type = "sqlite"

    def make(self, version: int) -> None:
        connection = sqlite3.connect(self.path)
        connection.execute("PRAGMA journal_mode=WAL")
        with connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS audit_log (id INTEGER PRIMARY KEY, version INTEGER, text TEXT)"
            )
            connection.execute("DELETE FROM audit_log")
            connection.executemany(
                "INSERT INTO audit_log (version, text) VALUES (?, ?)",
                ((version, "x" * 100) for dummy in range(20 * version)),
            )
        connection.close()

    def state(self) -> Any:
        if not self.path.exists():
            return None
        connection = sqlite3.connect(self.path)
        try:
            if connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                return "corrupt"
            return connection.execute("SELECT * FROM audit_log").fetchall()
        finally:
            connection.close()


class RollbackApplication(SqliteApplication):
    """The same database with a rollback journal."""

    def make(self, version: int) -> None:
        super().make(version)
        connection = sqlite3.connect(self.path)
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.close()


class FilesApplication(Application):
    type = "files"

    def make(self, version: int) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        for number in range(version):
            folder = self.path / f"run-{number}"
            folder.mkdir(parents=True)
            (folder / "report.json").write_text(str(version) * 1000)
            (folder / "link").symlink_to("report.json")
            os.link(folder / "report.json", folder / "hard")

    def state(self) -> Any:
        if not self.path.exists():
            return None
        return {
            str(one.relative_to(self.path)): os.readlink(one)
            if one.is_symlink()
            else one.read_text()
            if one.is_file()
            else "directory"
            for one in sorted(self.path.rglob("*"))
        }


APPLICATIONS = {
    "json": JsonApplication,
    "sqlite-wal": SqliteApplication,
    "sqlite-rollback": RollbackApplication,
    "files": FilesApplication,
}


def backups(repository: Path) -> list[Path]:
    """The published backups of the set; anything else that is visible is a bug."""
    set_path = repository / "app"
    if not set_path.exists():
        return []
    visible = [one for one in sorted(set_path.iterdir()) if not one.name.startswith(".")]
    for one in visible:
        _check_sums(one)
    return visible


def _check_sums(backup: Path) -> None:
    """What `sha256sum -c SHA256SUMS` does; a process for each would be much of the time of thousands of checks."""
    lines = (backup / "SHA256SUMS").read_text().splitlines()
    assert lines
    for line in lines:
        digest, path = line.split("  ", 1)
        assert hashlib.sha256((backup / path).read_bytes()).hexdigest() == digest, (backup, path)


def unmount(path: Path) -> None:
    """Nobody sees what is mounted there any more; it goes when it is no longer used."""
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def copy(source: Path, target: Path) -> None:
    """A fresh copy with everything as it was: links, owners, times."""
    shutil.rmtree(target, ignore_errors=True)
    if source.exists():
        shutil.copytree(source, target, symlinks=True)


def files_below(path: Path) -> Iterable[Path]:
    return (one for one in sorted(path.rglob("*")) if one.is_file())


def run_on(host: str, verb: str, params: dict[str, Any]) -> Verb:
    """Run a verb as a process of its own, on a host of this name."""

    def rename() -> None:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUTS):
            raise OSError(ctypes.get_errno(), "unshare")
        socket.sethostname(host)

    return Running(verb, params, rename).end()


def run_at(moment: str, verb: str, params: dict[str, Any]) -> Verb:
    """Run a verb as a program of its own, for which the clock says `moment` ("2040-01-01 12:00:00", UTC)."""
    ours, theirs = socket.socketpair()
    program = [sys.executable, "-B", str(Path(__file__).with_name("verb.py")), verb, json.dumps(params)]
    # the files' own times are those of the kernel, as they are when a clock is set
    clock = {"TZ": "UTC", "NO_FAKE_STAT": "1", "DONT_FAKE_MONOTONIC": "1"}
    with ours, theirs:
        done = subprocess.run(
            ["faketime", "-f", f"@{moment}", *program, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, **clock, "PYTHONPATH": str(COLLECTIONS)},
            capture_output=True,
            text=True,
            check=False,
        )
        theirs.close()
        told = b"".join(iter(lambda: ours.recv(65536), b""))
    if not told:
        raise AssertionError(f"{verb} ended with {done.returncode}: {done.stderr}")
    return Verb(*json.loads(told))
