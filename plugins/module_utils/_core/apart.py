# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes for work that cannot be interrupted, which can be left behind.

A regular expression holds the interpreter for as long as it searches, and a thread that waits for a file system that
hangs keeps its process, with the descriptors that Ansible waits for. So both are done by workers: processes that have
no descriptor of ours, and answer questions one at a time.

Workers are forked by a nursery, which is forked before there are threads: a process forked beside threads may wait
for ever for a lock that one of them held. Workers are used again, so that a question costs one exchange of messages.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import socket
import struct
import threading
import time
import warnings
from typing import Any, Callable, NoReturn, Optional

Tell = Callable[[Any], None]
Answer = Callable[[Any, Tell], Any]

_LENGTH = struct.Struct("!I")
_PID = struct.Struct("!i")
_NURSERY = 60.0  # seconds to wait for the nursery, which only forks, on a host that may be busy
_TOLD, _DONE = "told", "done"


class Worker:
    """A worker, seen from the process that asks it."""

    def __init__(self, channel: socket.socket, pid: int) -> None:
        self.channel = channel
        self.pid = pid

    def ask(self, question: Any, left: Optional[float]) -> None:
        """Send a question. Raises OSError; socket.timeout where that takes longer than `left` seconds."""
        self.channel.settimeout(left)
        _send(self.channel, question)

    def ready(self, seconds: float) -> bool:
        """Is there something to receive, within so many seconds?"""
        poll = select.poll()
        poll.register(self.channel, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def receive(self, left: Callable[[], Optional[float]]) -> tuple[bool, Any]:
        """Whether the next message is the answer, and what it says. Raises like `ask`."""
        try:
            kind, value = _receive(self.channel, left)
        except EOFError:
            raise ConnectionResetError from None
        return kind == _DONE, value

    def cpu_seconds(self) -> float:
        """Its processor time in seconds; 0 when it has ended."""
        try:
            with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as handle:
                fields = handle.read().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self, kill: bool = False) -> None:
        """Let it end; `kill`: also in the middle of an answer."""
        if kill and not self._is_gone():
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)
        self.channel.close()

    def _is_gone(self) -> bool:
        """Has it ended? Then its pid may be another's."""
        self.channel.setblocking(False)
        try:
            return not self.channel.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True


class Nursery:
    """Has workers, each of which answers questions with `answer(question, tell)`; `tell` sends a message before."""

    def __init__(self, answer: Answer) -> None:
        """To be made before there are threads, and closed at the end. Raises OSError: no process can be started."""
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
                _fork_workers(theirs, answer)
        self._control.settimeout(_NURSERY)

    def take(self) -> Worker:
        """A worker that nobody else asks. Raises OSError when there can be no further process."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    socket.send_fds(self._control, [b"f"], [theirs.fileno()])
                    pid = _PID.unpack(_exactly(self._control, _PID.size, lambda: _NURSERY))[0]
                except (OSError, EOFError):
                    pid = -1
            if pid > 0:
                return Worker(ours, pid)
            ours.close()
            raise OSError("this host or its limits (ulimit -u) allow no more")

    def give_back(self, worker: Worker) -> None:
        """Use a worker again, which has answered."""
        with self._lock:
            if self._closed:
                worker.close()
            else:
                self._idle.append(worker)

    def close(self) -> None:
        """End all workers that can be ended."""
        with self._lock:
            self._closed = True
            self._control.close()
            while self._idle:
                self._idle.pop().close()
        end = time.monotonic() + _NURSERY
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(self._pid, os.WNOHANG) == (0, 0) and time.monotonic() < end:
                time.sleep(0.001)


# In the other processes


def _fork_workers(control: socket.socket, answer: Answer) -> NoReturn:
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
                _work(socket.socket(fileno=fds[0]), answer)
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


def _work(channel: socket.socket, answer: Answer) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        while True:
            question = _receive(channel, lambda: None)
            _send(channel, (_DONE, answer(question, lambda value: _send(channel, (_TOLD, value)))))
    finally:
        os._exit(0)


def _send(channel: socket.socket, message: Any) -> None:
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    channel.sendall(_LENGTH.pack(len(data)) + data)


def _receive(channel: socket.socket, left: Callable[[], Optional[float]]) -> Any:
    size = _LENGTH.unpack(_exactly(channel, _LENGTH.size, left))[0]
    return pickle.loads(_exactly(channel, size, left))  # noqa: S301 from a process of ours


def _exactly(channel: socket.socket, size: int, left: Callable[[], Optional[float]]) -> bytearray:
    """Raises EOFError when the other side is gone."""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        channel.settimeout(left())
        count = channel.recv_into(view)
        if not count:
            raise EOFError
        view = view[count:]
    return data
