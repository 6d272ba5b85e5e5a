# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distributes work to child processes, so that it uses more than one core.

They are forked: a module runs from an archive, from which a new Python could not import anything. A task opens whatever
it uses; it must not touch connections, threads and files of the parent process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pickle
import signal
import struct
import threading
import traceback
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Callable, TypeVar

from .errors import Cancelled, Day2Error, NoSpace, SourceError, TargetError, TaskEnded

Item = TypeVar("Item")
Task = Callable[[], Iterable[Item]]

MOST = 4  # by default
_PIPE = 1 << 20  # bytes that a worker may be ahead
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ of Linux, which fcntl names from Python 3.10 on
_LENGTH = struct.Struct(">Q")
_ITEM, _END, _ERROR = b"i", b"e", b"x"


def usual_number() -> int:
    """As many as there are cores for us, up to a limit."""
    return min(MOST, len(os.sched_getaffinity(0)))


def in_order(
    tasks: Sequence[Task[Item]], workers: int, option: str = "workers", nice: int = 10
) -> Generator[Item, None, None]:
    """The items that the tasks yield, in the order of the tasks. With one worker they run in this process.

    Items are pickled. A worker is ahead by as much as a pipe holds: prefer small tasks to large ones.

    :param option: with which the user sets the number of workers; "": there is none.
    :param nice: by how much the process that waits for the results, and a server that gets them, take priority.

    Raises Day2Error when a task has raised it or a worker has died.
    """
    count = min(workers, len(tasks))
    if count < 2:
        for task in tasks:
            yield from task()
        return
    with _Crew(tasks, count, option, nice) as crew:
        for number in range(len(tasks)):
            yield from crew.items_of(number % count)


def be_nice(nice: int) -> None:
    """Lower the CPU priority of the calling thread, and of the programs that it starts."""
    with contextlib.suppress(OSError):  # the sandbox of a unit, which has a weight of its own, refuses this
        os.nice(nice)


class _Crew:
    """The workers; each runs every n-th task. None of them outlives the block, or this process."""

    def __init__(self, tasks: Sequence[Task[Any]], count: int, option: str, nice: int) -> None:
        self._option, self._nice = option, nice
        self._pids: list[int] = []
        self._results: list[BinaryIO] = []
        self._watched, self._alive = os.pipe()  # ends with this process, however that ends
        try:
            for number in range(count):
                self._start(tasks[number::count])
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop()

    def _start(self, tasks: Sequence[Task[Any]]) -> None:
        ours, theirs = os.pipe()
        with contextlib.suppress(OSError):  # more than the system allows
            fcntl.fcntl(ours, _SET_PIPE_SIZE, _PIPE)
        with warnings.catch_warnings():
            # Python 3.12 warns about threads: the one that reports progress is the only one, and tasks do not use it
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            os.close(ours)
            self._work(tasks, theirs)
        os.close(theirs)
        self._pids.append(pid)
        self._results.append(os.fdopen(ours, "rb", buffering=1 << 16))

    def _work(self, tasks: Sequence[Task[Any]], out: int) -> None:
        """The main loop of a worker; it never returns."""
        status = 1
        try:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            os.close(self._alive)
            be_nice(self._nice)
            for results in self._results:
                os.close(results.fileno())
            threading.Thread(target=self._watch, daemon=True).start()
            with os.fdopen(out, "wb", buffering=1 << 16) as handle:
                try:
                    for task in tasks:
                        for item in task():
                            _send(handle, _ITEM, pickle.dumps(item, pickle.HIGHEST_PROTOCOL))
                        _send(handle, _END, b"")
                except Exception as exc:  # raised again where the results are consumed
                    _send(handle, _ERROR, _packed(exc))
            status = 0
        finally:
            os._exit(status)

    def _watch(self) -> None:
        os.read(self._watched, 1)
        os._exit(1)

    def items_of(self, number: int) -> Iterator[Any]:
        """The items of the next task of the worker."""
        results = self._results[number]
        while True:
            head = results.read(1 + _LENGTH.size)
            size = _LENGTH.unpack(head[1:])[0] if len(head) == 1 + _LENGTH.size else -1
            data = results.read(size) if size >= 0 else b""
            if len(data) != size:
                raise self._death(number)
            if head[:1] == _END:
                return
            item = pickle.loads(data)  # noqa: S301 from a process of ours
            if head[:1] == _ERROR:
                raise item
            yield item

    def _death(self, number: int) -> Day2Error:
        pid = self._pids.pop(number)
        _pid, status = os.waitpid(pid, 0)
        how = f"was killed by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "ended unexpectedly"
        return Day2Error(
            f"A worker process ({pid}) {how}.",
            "Check whether there is enough memory, and run again"
            + (f", or set {self._option}=1." if self._option else "."),
        )

    def _stop(self) -> None:
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
        for pid in self._pids:
            os.waitpid(pid, 0)
        for results in self._results:
            results.close()
        os.close(self._alive)
        os.close(self._watched)
        self._pids, self._results = [], []


def _send(handle: BinaryIO, kind: bytes, data: bytes) -> None:
    handle.write(kind + _LENGTH.pack(len(data)))
    handle.write(data)
    handle.flush()


def _packed(exc: Exception) -> bytes:
    """The error in a form that can be raised in another process. For a bug, this includes where it happened."""
    if not isinstance(exc, TaskEnded):
        return pickle.dumps(RuntimeError(f"in a worker: {traceback.format_exc()}"))
    kind = type(exc) if type(exc) in (SourceError, TargetError, NoSpace, Cancelled) else Day2Error
    return pickle.dumps(kind(exc.message, exc.hint, exc.details))
