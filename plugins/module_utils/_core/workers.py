# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that is shared out to processes of our own, so that it takes more than one core.

They are forked: a module runs from an archive, from which a new Python could import nothing. What a task uses it opens
itself; it must not touch the connections, threads and files of the process that it comes from.
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

from .errors import Day2Error, NoSpace, SourceError, TargetError

Item = TypeVar("Item")
Task = Callable[[], Iterable[Item]]

MOST = 4  # by default
_PIPE = 1 << 20  # bytes that a worker may be ahead
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ of Linux, which fcntl names from Python 3.10 on
_LENGTH = struct.Struct(">Q")
_ITEM, _END, _ERROR = b"i", b"e", b"x"


def usual_number() -> int:
    """As many as there are cores for us, but not more than a few."""
    return min(MOST, len(os.sched_getaffinity(0)))


def in_order(tasks: Sequence[Task[Item]], workers: int) -> Generator[Item, None, None]:
    """The items that the tasks give, in the order of the tasks. With one worker they run here.

    Items are pickled. A worker is ahead by as much as a pipe holds: make tasks small rather than large.

    :raises Day2Error: what a task raised; or a worker died.
    """
    count = min(workers, len(tasks))
    if count < 2:
        for task in tasks:
            yield from task()
        return
    with _Crew(tasks, count) as crew:
        for number in range(len(tasks)):
            yield from crew.items_of(number % count)


class _Crew:
    """The workers; each does every n-th task. None of them outlives the block, or this process."""

    def __init__(self, tasks: Sequence[Task[Any]], count: int) -> None:
        self._pids: list[int] = []
        self._results: list[BinaryIO] = []
        self._watched, self._alive = os.pipe()  # ends when this process does, however it does
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
        with contextlib.suppress(OSError):  # more than the system allows us
            fcntl.fcntl(ours, _SET_PIPE_SIZE, _PIPE)
        with warnings.catch_warnings():
            # Python 3.12 warns of threads: the one that reports progress is the only one, and not used by tasks
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            os.close(ours)
            self._work(tasks, theirs)
        os.close(theirs)
        self._pids.append(pid)
        self._results.append(os.fdopen(ours, "rb", buffering=1 << 16))

    def _work(self, tasks: Sequence[Task[Any]], out: int) -> None:
        """What a worker does; it never returns."""
        status = 1
        try:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            os.close(self._alive)
            os.nice(10)  # who waits for the results, and a server that they go to, come first
            for results in self._results:
                os.close(results.fileno())
            threading.Thread(target=self._watch, daemon=True).start()
            with os.fdopen(out, "wb", buffering=1 << 16) as handle:
                try:
                    for task in tasks:
                        for item in task():
                            _send(handle, _ITEM, pickle.dumps(item, pickle.HIGHEST_PROTOCOL))
                        _send(handle, _END, b"")
                except Exception as exc:  # told where the results are wanted
                    _send(handle, _ERROR, _packed(exc))
            status = 0
        finally:
            os._exit(status)

    def _watch(self) -> None:
        os.read(self._watched, 1)
        os._exit(1)

    def items_of(self, number: int) -> Iterator[Any]:
        """The items of the worker's next task."""
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
        how = "was killed by signal %d" % os.WTERMSIG(status) if os.WIFSIGNALED(status) else "ended too early"
        return Day2Error(
            "A worker process (%d) %s." % (pid, how), "Is there enough memory? Run again to continue, or set workers=1."
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
    """The error as it can be raised elsewhere: a mistake of ours with the place where it happened."""
    if not isinstance(exc, Day2Error):
        return pickle.dumps(RuntimeError("in a worker: %s" % traceback.format_exc()))
    kind = type(exc) if type(exc) in (SourceError, TargetError, NoSpace) else Day2Error
    return pickle.dumps(kind(exc.message, exc.hint, exc.details))
