# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be interrupted, done in processes that can be left behind.

A regular expression holds the interpreter for as long as it searches, and a thread that waits for a file system that
hangs keeps its process, with the descriptors that Ansible waits for. So both are done by workers: processes that have
no descriptor of ours. The kernel ends a worker whose time is over by its own timer; one that hangs in a file system
stays until that answers, and nobody waits for it.

Workers are forked by a nursery, which is forked before there are threads: a process forked beside threads may wait
for ever for a lock that one of them held. Workers are used again, so that most checks cost one exchange of messages.
One that searches for long gets the lowest priority, and is not used again: it must not take the time of other checks.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import select
import signal
import socket
import struct
import threading
import time
import warnings
from collections.abc import Sequence
from typing import Any, Callable, NamedTuple, NoReturn

from .base import UNKNOWN, Deadline, ProbeFailed, TimeUp

Task = Callable[[Deadline], Any]


class Worker(NamedTuple):
    """The connection to a worker, and its process."""

    channel: socket.socket
    pid: int


_LENGTH = struct.Struct("!I")
_PID = struct.Struct("!i")
_LATE = 0.25  # seconds after which the kernel ends a worker whose time is over
_NURSERY = 5.0  # seconds to wait for the nursery, which only forks
_LONG = 0.1  # seconds after which a search is a long one
_LOWEST = 19
_DOING, _DONE, _OVER = "doing", "done", "over"


class Apart:
    """Runs tasks, and searches, in workers. To be made before there are threads, and closed at the end."""

    def __init__(self, tasks: Sequence[Task], searching: Sequence[bool] = ()) -> None:
        """Raises OSError when no process can be started. `searching`: which of the tasks use regular expressions."""
        self._searching = searching
        self._idle: list[Worker] = []
        self._lock = threading.Lock()
        self._closed = False
        self._control, theirs = socket.socketpair()
        with theirs, warnings.catch_warnings():
            # Python 3.12 warns of threads: the one that reports progress is the only one, and not used here
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                self._pid = os.fork()
            except OSError:
                self._control.close()
                raise
            if self._pid == 0:
                _nursery(theirs, tasks)
        self._control.settimeout(_NURSERY)

    def run(self, number: int, deadline: Deadline) -> Any:
        """What the task of that number returns. Raises TimeUp, ProbeFailed."""
        return self._ask(("run", number), deadline, any(self._searching[number : number + 1]))

    def search(self, pattern: re.Pattern[str], texts: Sequence[str], deadline: Deadline) -> list[bool]:
        """In which of the texts the pattern is found. Raises TimeUp, ProbeFailed."""
        found: list[bool] = self._ask(("search", pattern.pattern, pattern.flags, list(texts)), deadline, True)
        return found

    def close(self) -> None:
        """End all workers that can be ended."""
        with self._lock:
            self._closed = True
            for one in (self._control, *(worker.channel for worker in self._idle)):
                one.close()
        end = time.monotonic() + 1
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(self._pid, os.WNOHANG) == (0, 0) and time.monotonic() < end:
                time.sleep(0.001)

    def _ask(self, question: tuple[Any, ...], deadline: Deadline, searches: bool) -> Any:
        worker = self._take()
        channel = worker.channel
        long = False
        try:
            with deadline.stop_with(lambda: channel.shutdown(socket.SHUT_RDWR)):
                channel.settimeout(deadline.left())
                _send(channel, (deadline.left(), *question))
                kind, value = _DOING, deadline.doing
                while kind == _DOING:
                    deadline.doing = value
                    if searches and not long and not _ready(channel, _LONG):
                        long = True
                        with contextlib.suppress(OSError):
                            os.setpriority(os.PRIO_PROCESS, worker.pid, _LOWEST)
                    kind, value = _receive(channel, deadline)
        except BaseException as exc:
            channel.close()
            if isinstance(exc, (TimeoutError, socket.timeout)):
                raise TimeUp from None
            if isinstance(exc, OSError):
                deadline.left()
                raise ProbeFailed("the process that looked at it was ended", UNKNOWN) from None
            raise
        with self._lock:
            if self._closed or long:
                channel.close()
            else:
                self._idle.append(worker)
        if kind == _OVER:
            raise TimeUp
        return value

    def _take(self) -> Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            try:
                ours, theirs = socket.socketpair()
            except OSError as exc:
                raise ProbeFailed(f"no process can be started: {exc.strerror}", UNKNOWN) from None
            with theirs:
                try:
                    socket.send_fds(self._control, [b"f"], [theirs.fileno()])
                    pid = _PID.unpack(_exactly(self._control, _PID.size, None))[0]
                    if pid > 0:
                        return Worker(ours, pid)
                except (OSError, EOFError):
                    pass
            ours.close()
            raise ProbeFailed("no process can be started: this host or its limits (ulimit -u) allow no more", UNKNOWN)


# In the other processes


class _Told(Deadline):
    """A deadline that tells what the task waits for."""

    def __init__(self, seconds: float, channel: socket.socket) -> None:
        super().__init__(seconds)
        self._channel = channel

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "doing" and value:
            _send(self._channel, (_DOING, value))


def _nursery(control: socket.socket, tasks: Sequence[Task]) -> NoReturn:
    try:
        _let_go(control.fileno())
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for workers
        while True:
            data, fds, _flags, _address = socket.recv_fds(control, 1, 1)
            if not data:
                break
            try:
                pid = os.fork()
            except OSError:
                pid = -1
            if pid == 0:
                control.close()
                _work(socket.socket(fileno=fds[0]), tasks)
            os.close(fds[0])
            control.sendall(_PID.pack(pid))
    finally:
        os._exit(0)


def _let_go(kept: int) -> None:
    """Keep nothing of what the task has open, and none of its signals."""
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != kept:
            with contextlib.suppress(OSError):
                os.close(int(name))


def _work(channel: socket.socket, tasks: Sequence[Task]) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        while True:
            seconds, kind, *question = _receive(channel, None)
            signal.setitimer(signal.ITIMER_REAL, seconds + _LATE)
            try:
                if kind == "run":
                    answer = (_DONE, tasks[question[0]](_Told(seconds, channel)))
                else:
                    pattern, flags, texts = question
                    compiled = re.compile(pattern, flags)
                    answer = (_DONE, [compiled.search(text) is not None for text in texts])
            except TimeUp:
                answer = (_OVER, None)
            signal.setitimer(signal.ITIMER_REAL, 0)
            _send(channel, answer)
    finally:
        os._exit(0)


def _send(channel: socket.socket, message: Any) -> None:
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    channel.sendall(_LENGTH.pack(len(data)) + data)


def _receive(channel: socket.socket, deadline: Any) -> Any:
    size = _LENGTH.unpack(_exactly(channel, _LENGTH.size, deadline))[0]
    return pickle.loads(_exactly(channel, size, deadline))  # noqa: S301 from a process of ours


def _ready(channel: socket.socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _exactly(channel: socket.socket, size: int, deadline: Any) -> bytes:
    data = b""
    while len(data) < size:
        if deadline is not None:
            channel.settimeout(deadline.left())
        more = channel.recv(size - len(data))
        if not more:
            raise EOFError if deadline is None else ConnectionResetError
        data += more
    return data
