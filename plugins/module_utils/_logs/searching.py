# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's expressions on the lines of logs: in another process, where a line may take so long and no longer.

The worker notes the line that it is at in shared memory. Where it has spent a second of processor time on one line, it
is ended, and another one goes on behind that line.
"""

from __future__ import annotations

import mmap
import re
import signal
from collections.abc import Iterator, Sequence
from typing import Any, Callable, NamedTuple, Optional

from .._core.apart import Nursery, Tell, Worker
from .._core.errors import Day2Error
from .._core.patterns import may_take_long

LIMIT = 1  # seconds of processor time for a line
MOST_SLOW = 10  # lines that may take longer, before the search is given up
TOO_SLOW = f"the search takes longer than {LIMIT} s"

_LOOK = 0.1  # seconds after which it is looked what a worker that says nothing does
_TOGETHER = 32  # lines for which the kernel's timer is set once: nobody may be left who would end the worker

Search = Callable[[bytes], Any]
Collect = Callable[[Search, Sequence[bytes], Callable[[int], None]], Any]


class TooSlow(Exception):
    """So many lines took too long that there is no sense in going on."""


class Expression(NamedTuple):
    """An expression, and what is wanted of lines: `collect(search, lines, at)` tells each line's number before it."""

    pattern: re.Pattern[bytes]
    collect: Collect


class Searching:
    """Applies expressions to lines. A context manager: the workers end with it.

    To be made before there are threads.
    """

    def __init__(self, expressions: Sequence[Expression]) -> None:
        """Raises Day2Error when no process can be started."""
        self.slow = 0  # lines that took too long
        self._expressions = expressions
        self._apart = [may_take_long(one.pattern) for one in expressions]
        self._worker: Optional[Worker] = None
        self._nursery: Optional[Nursery] = None
        if any(self._apart):
            from .._core.apart import Nursery  # most logs need nothing of this

            self._place = mmap.mmap(-1, 8)
            try:
                self._nursery = Nursery(_Answers(expressions, self._place))
            except OSError as exc:
                raise _no_process(exc) from None

    def __enter__(self) -> Searching:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._worker is not None:
            self._worker.close(kill=True)
        if self._nursery is not None:
            self._nursery.close()

    def collect(self, number: int, lines: Sequence[bytes]) -> Iterator[tuple[int, Any]]:
        """What the expression of that number collects of the lines, in parts, each with the number of its first line.

        None stands for one line that takes too long. Raises TooSlow at the last that may.
        """
        nursery = self._nursery
        if nursery is None or not self._apart[number]:
            pattern, collect = self._expressions[number]
            yield 0, collect(pattern.search, lines, _unwatched)
            return
        first = 0
        while first < len(lines):
            end, answer = self._ask(nursery, number, lines[first:])
            if answer is not None:
                yield first, answer
                return
            # What is before that line was searched in good time, but its results went with the worker.
            if end:
                yield first, self._ask(nursery, number, lines[first : first + end])[1]
            yield first + end, None
            first += end + 1
            self.slow += 1
            if self.slow >= MOST_SLOW:
                raise TooSlow

    def _ask(self, nursery: Nursery, number: int, lines: Sequence[bytes]) -> tuple[int, Any]:
        """How many lines were searched, and what was collected of them: None if the next takes too long."""
        self._place[:] = bytes(8)
        try:
            worker = self._worker = self._worker or nursery.take()
        except OSError as exc:
            raise _no_process(exc) from None
        try:
            worker.ask((number, lines), None)
            stuck = self._wait(worker)
            if stuck is None:
                return len(lines), worker.receive(lambda: None)[1]
        except OSError:
            raise Day2Error(
                "The process that searches the logs was killed.", "Check whether the host ran out of memory."
            ) from None
        worker.close(kill=True)
        self._worker = None
        return stuck, None

    def _wait(self, worker: Worker) -> Optional[int]:
        """Until there is an answer; returns the number of the line that takes too long."""
        at, since = -1, 0.0
        while not worker.ready(_LOOK):
            now, used = int.from_bytes(self._place[:], "little"), worker.cpu_seconds()
            if now != at:
                at, since = now, used
            elif used - since >= LIMIT:
                return at
        return None


def _no_process(exc: OSError) -> Day2Error:
    return Day2Error(f"Can't start a process for the search: {exc.strerror or exc}.")


def _unwatched(number: int) -> None:
    """Here no line takes long."""


class _Answers:
    """In the worker."""

    def __init__(self, expressions: Sequence[Expression], place: mmap.mmap) -> None:
        self._expressions = expressions
        self._place = memoryview(place).cast("Q")

    def __call__(self, question: tuple[int, Sequence[bytes]], tell: Tell) -> Any:
        number, lines = question
        pattern, collect = self._expressions[number]
        answer = collect(pattern.search, lines, self._at)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return answer

    def _at(self, number: int) -> None:
        if not number % _TOGETHER:
            signal.setitimer(signal.ITIMER_VIRTUAL, (_TOGETHER + 1) * LIMIT)
        self._place[0] = number
