# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports progress to the controller while the work runs, and tells the work that the controller wants to stop.

The action plugin (plugin_utils/progress.py) names a file that does not exist yet. It is created here and holds one JSON
record that is rewritten in place; the controller reads it over a second connection. A separate thread writes and
watches the file, so that for the work, reporting is as cheap as setting an attribute.

The contract with the reader:

- The first line is the record. Its `n` (first key) and `z` (last key) are equal, otherwise the reading was torn.
- The file always has RECORD_SIZE bytes. Making it longer requests a stop. (Removing it does not, as cleaners of /tmp do
    that.)
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, Callable, Optional

from .errors import Cancelled
from .files import CREATE_FILE
from .units import format_duration, format_size

VARIABLE = "DAY2_PROGRESS"  # environment variable: candidates for the file, joined with ":"
RECORD_SIZE = 1024

_INTERVAL = 0.25  # seconds between two records
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_DEADLY = (signal.SIGTERM, signal.SIGHUP)


_reporting: weakref.WeakSet[Progress] = weakref.WeakSet()


def waiting(reason: str) -> None:
    """Show why there is no progress, for callers without a Progress: a process has only one."""
    for progress in list(_reporting):
        progress.waiting(reason)


class _Handler:
    """Passes signals to a `Progress` as long as it exists."""

    def __init__(self, progress: Progress) -> None:
        self._progress = weakref.ref(progress)

    def __call__(self, number: int, frame: Optional[FrameType]) -> None:
        progress = self._progress()
        if progress is not None:
            progress.interrupted_by(number)


def _unhook(handlers: dict[signal.Signals, tuple[_Handler, Any]]) -> None:
    """Restore the previous handler, unless it has been replaced by another one meanwhile."""
    for number, (handler, before) in handlers.items():
        with contextlib.suppress(ValueError):  # not in the main thread
            if signal.getsignal(number) is handler:
                signal.signal(number, before)


class Progress:
    """Reports progress, and raises `Cancelled` at points where the work may stop.

    :param paths: candidates for the progress file, joined with ":"; the first that can be created is used. Empty: there
        is no controller, nothing is written or watched, and only those signals are caught that would end the program at
        once (SIGTERM and SIGHUP, unless the program handles them).
    :param clean: removes secrets from a label.

    A cancellation is raised once in the main thread (whatever undoes the work may report progress too), interrupting
    whatever it does or waits for, and in other threads at each `update`, `advance` or `check`.
    """

    def __init__(self, paths: str = "", clean: Callable[[str], str] = str) -> None:
        self._clean = clean
        self.prefix = ""  # of labels: which of several verbs it is
        # Held while the file is accessed, but never by the signal handler, which may interrupt the holder.
        self._lock = threading.Lock()
        self._label, self._unit, self._waiting = "", "", ""
        self._total: Optional[int] = None
        self._done = 0
        self._started = time.monotonic()
        self._reason = ""  # the reason to stop
        self._told = False  # Cancelled was raised in the main thread
        self._critical = 0
        self._closed = False
        self._fd = -1
        self._path = ""
        self._sequence = 0
        self._written: object = None
        self._handlers: dict[signal.Signals, tuple[_Handler, Any]] = {}
        _reporting.add(self)
        if paths:
            self._create(paths)
            self._hook(_SIGNALS)
            atexit.register(self.close)
            self._watch()
        else:
            self._hook(number for number in _DEADLY if signal.getsignal(number) is signal.SIG_DFL)

    def start(self, label: str, total: Optional[int] = None, unit: str = "") -> None:
        """Begin a phase.

        :param label: the activity and its object: "Copying /var/lib/hawkfish/hawkfish.db".
        :param total: the final value of `done`, if known.
        :param unit: of `done` and `total`: "bytes", "records", "files".
        """
        with self._lock:
            self._label, self._unit = self._printable(self.prefix + label, 120), self._printable(unit, 20)
            self._total, self._done, self._started = total, 0, time.monotonic()
            self._publish()
        self.check()

    @property
    def done(self) -> int:
        """How much of this phase is done."""
        return self._done

    def update(self, done: int) -> None:
        """Set how much of this phase is done. Costs next to nothing: call it as often as you like."""
        self._done, self._waiting = done, ""
        if self._reason:
            self.check()

    def advance(self, count: int) -> None:
        """Add to how much of this phase is done."""
        with self._lock:
            self._done, self._waiting = self._done + count, ""
        if self._reason:
            self.check()

    def waiting(self, reason: str) -> None:
        """Show why there is no progress, until there is."""
        self._waiting = f" ({self._printable(reason, 60)})"

    @contextlib.contextmanager
    def limited(self, seconds: Optional[float]) -> Iterator[None]:
        """Stop what is done in the block if it takes longer. None: there is no limit."""
        if seconds is None:
            yield
            return
        ended, main = threading.Event(), threading.current_thread() is threading.main_thread()
        # a signal of its own, as the others may belong to the program
        before = signal.signal(signal.SIGALRM, lambda number, frame: self.check()) if main else None
        threading.Thread(target=self._stop_after, args=(seconds, ended, main), name="day2-limit", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                ended.set()
            if main:
                signal.signal(signal.SIGALRM, before)

    def _stop_after(self, seconds: float, ended: threading.Event, wake: bool) -> None:
        if ended.wait(seconds):
            return
        with self._lock:  # so that it does not end meanwhile
            if not ended.is_set() and not self._reason:
                self._reason = f"timeout ({format_duration(seconds)}) was exceeded{self._so_far()}"
                if wake:  # the main thread, whatever it waits for
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    def _so_far(self) -> str:
        """How far it came, as the end of a sentence."""
        if not self._label:
            return ""
        shown = format_size if self._unit == "bytes" else str
        total = "" if self._total is None else f" of {shown(self._total)}"
        unit = "" if self._unit in ("", "bytes") else f" {self._unit}"
        return f" during: {self._label}, {shown(self._done)}{total}{unit} done"

    def check(self) -> None:
        """Raise `Cancelled` when the work should stop, unless inside `critical`."""
        if not self._reason or self._critical:
            return
        if threading.current_thread() is threading.main_thread():
            if self._told:
                return
            self._told = True
        raise Cancelled(f"Stopped: {self._reason}.")

    @contextlib.contextmanager
    def critical(self) -> Iterator[None]:
        """For a block with a commit: a cancellation is raised only after the block has succeeded."""
        self._critical += 1
        try:
            yield
        finally:
            self._critical -= 1
        self.check()

    def close(self) -> None:
        """Stop reporting and watching, and remove the file. May be called twice."""
        self._told = True  # completed work can't be cancelled
        with self._lock:
            self._closed = True
            self._remove()
        # One event can cause several signals: after the first one, the others are ignored.
        if not self._reason:
            _unhook(self._handlers)
        self._handlers.clear()
        atexit.unregister(self.close)

    def _create(self, paths: str) -> None:
        for path in paths.split(":"):
            if not path.startswith("/"):
                continue
            try:
                self._fd = os.open(path, CREATE_FILE, 0o600)
            except OSError:
                continue  # the next candidate
            self._path = path
            try:
                # Blank until the first phase, but of full size: a longer file means "stop".
                os.pwrite(self._fd, b"".ljust(RECORD_SIZE - 1) + b"\n", 0)
                self._share(self._fd)
            except OSError:
                self._remove()
                continue
            return

    @staticmethod
    def _share(fd: int) -> None:
        """Let the login user read the file of the become user: reading then needs no become, and leaves no log
        lines."""
        login = os.environ.get("SUDO_UID", "0")
        if os.geteuid() == 0 and login.isdigit() and login != "0":
            os.fchown(fd, int(login), -1)
        else:
            os.fchmod(fd, 0o644)  # labels and counters only

    def _remove(self) -> None:
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        with contextlib.suppress(OSError):
            if os.path.samestat(os.lstat(self._path), os.fstat(fd)):
                os.unlink(self._path)
        os.close(fd)

    def _hook(self, numbers: Iterable[signal.Signals]) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        handler = _Handler(self)
        for number in numbers:
            self._handlers[number] = (handler, signal.signal(number, handler))
        weakref.finalize(self, _unhook, self._handlers)  # if it is never closed

    def interrupted_by(self, number: int) -> None:
        """Request a stop because of a signal."""
        self._reason = self._reason or f"it received {signal.Signals(number).name}"
        self.check()

    def _watch(self) -> None:
        # A signal that the kernel delivers to this thread would not wake the main one. The thread inherits the mask.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            threading.Thread(target=self._loop, name="day2-progress", daemon=True).start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _loop(self) -> None:
        # When the controller disconnects, sshd (or the local connection) closes the other end of our standard output.
        # In an async task that is the pipe of the wrapper, which outlives the connection, as it should.
        stdout = select.poll()
        with contextlib.suppress(AttributeError, OSError, ValueError):  # no standard output
            stdout.register(sys.__stdout__.fileno(), 0)  # type: ignore[union-attr]
        while True:
            events = stdout.poll(_INTERVAL * 1000)
            with self._lock:
                if self._closed:
                    return
                if any(event & (select.POLLERR | select.POLLHUP) for _fd, event in events):
                    self._reason = self._reason or "the controller disconnected"
                elif self._asked_to_stop():
                    self._reason = self._reason or "the controller requested it"
                self._publish()
                if self._reason:
                    if self._handlers:  # the main thread may be sleeping, or waiting for a program or a socket
                        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
                    return
            for fd, _event in events:  # POLLNVAL: closed by ourselves; it would be reported forever
                stdout.unregister(fd)

    def _asked_to_stop(self) -> bool:
        return self._fd >= 0 and os.fstat(self._fd).st_size > RECORD_SIZE

    def _publish(self) -> None:
        """Write the record if it has changed; the caller holds the lock."""
        state = (self._label + self._waiting, self._total, self._unit, self._started, self._done)
        if self._fd < 0 or not self._label or state == self._written:
            return
        self._written = state
        self._sequence += 1
        record = {
            "n": self._sequence,
            "label": self._label + self._waiting,
            "unit": self._unit,
            "total": self._total,
            "done": self._done,
            "seconds": round(time.monotonic() - self._started, 3),
            "z": self._sequence,
        }
        data = json.dumps(record, ensure_ascii=False).encode("utf-8")
        try:
            os.pwrite(self._fd, data[: RECORD_SIZE - 1].ljust(RECORD_SIZE - 1) + b"\n", 0)
        except OSError:  # a full disk: a failure to report progress never fails the work
            self._remove()

    def _printable(self, text: str, length: int) -> str:
        return "".join(char if char.isprintable() else " " for char in self._clean(text))[:length]
