# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that reads again what a purge is going to delete, on another core, while the records before are deleted.

It reads while the process that deletes holds the lock of the database, so that nobody changes what it has read before
that is deleted. Its answers are of no use once the lock is released.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
import warnings
from collections.abc import Iterable
from typing import Optional, Protocol

from ..records.purger import Batch

_AHEAD = 2  # batches that are asked for at once: what was read in vain delays the end of a transaction
_WIDTH = 120  # bytes of an answer
_PATIENCE = 0.01  # seconds until we read ourselves
_END = b"end\n"
_KEPT = 2 * _AHEAD  # batches that may be asked for again


class Reading(Protocol):
    """How the other process reads the table. It opens whatever it needs there."""

    def end(self) -> None:
        """What was read is of no use any more."""

    def digest(self, batch: Batch) -> str:
        """The digest of what the table has of a batch, "" if its keys are others."""


class SecondReader:
    """To be made while this process has no connection to the database.

    :param batches: which each process reads for itself.
    :raises OSError: no process can be started.
    """

    def __init__(self, batches: Iterable[Batch], reading: Reading) -> None:
        self._next = 0  # batch to ask for
        self._burst = 0
        self._late = False  # in this burst
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 warns about threads: the one that reports progress is the only one, and not used here
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                self._pid = os.fork()
            except OSError:
                for fd in (requests, answers, self._requests, self._answers):
                    os.close(fd)
                raise
        if self._pid == 0:
            os.close(self._requests)
            os.close(self._answers)
            _work(requests, answers, batches, reading)
        os.close(requests)
        os.close(answers)
        self._alive = True
        self._answer()  # it has begun with the batches
        os.set_blocking(self._requests, False)

    def begin(self, number: int) -> None:
        """The lock is held: answer from this batch on."""
        self._next = number
        self._burst += 1
        self._late = False

    def digest(self, number: int) -> Optional[str]:
        """The digest of what the table has of a batch, "" if its keys are others.

        None if nobody answers in time, as it may wait for a core, and writers for us.
        """
        if self._late:
            return None
        while self._alive and self._next < number + _AHEAD:
            self._ask(b"%d %d\n" % (self._burst, self._next))
            self._next += 1
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        until = time.monotonic() + _PATIENCE
        while self._alive and poll.poll(max(0.0, 1000 * (until - time.monotonic()))):
            burst, answered, found = self._answer()
            if (burst, answered) == (self._burst, number):
                return found
        self._late = True
        return None

    def end(self) -> None:
        """What it has read is of no use any more. It ends its read transaction."""
        self._ask(_END)

    def close(self) -> None:
        """End the process."""
        os.close(self._requests)
        os.close(self._answers)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def _ask(self, request: bytes) -> None:
        try:
            os.write(self._requests, request)
        except (BrokenPipeError, BlockingIOError):
            self._alive = False

    def _answer(self) -> tuple[int, int, str]:
        """The numbers of a burst and a batch, and the digest."""
        data = b""
        while len(data) < _WIDTH:
            more = os.read(self._answers, _WIDTH - len(data))
            if not more:
                self._alive = False
                return -1, -1, ""
            data += more
        burst, number, found = data.decode().split(" ", 2)
        return int(burst), int(number), found.strip()


def _work(requests: int, answers: int, batches: Iterable[Batch], reading: Reading) -> None:
    """What the other process does; it never returns."""
    try:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        known: dict[int, Batch] = {}
        numbered = enumerate(batches)

        def get(wanted: int) -> Optional[Batch]:
            while wanted not in known:
                found = next(numbered, None)
                if found is None:
                    return None
                known.update([found])
                known.pop(found[0] - _KEPT, None)
            return known[wanted]

        get(0)
        _answer_with(answers, 0, -1, "")
        with os.fdopen(requests, "rb") as lines:  # ends with the process that asks
            for line in lines:
                if line == _END:
                    reading.end()
                    continue
                burst, wanted = map(int, line.split())
                batch = get(wanted)
                _answer_with(answers, burst, wanted, reading.digest(batch) if batch is not None else "")
    finally:
        with contextlib.suppress(BaseException):
            os._exit(0)


def _answer_with(answers: int, burst: int, number: int, text: str) -> None:
    os.write(answers, f"{burst} {number} {text}".encode().ljust(_WIDTH))
