# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks, and searches for patterns, in processes that can be left behind (_core/apart.py).

The kernel ends a worker whose time is over by its own timer; one that hangs in a file system stays until that answers,
and nobody waits for it. One that searches for long gets the lowest priority, and is not used again: it must not take
the time of other checks.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from collections.abc import Sequence
from typing import Any, Callable

from .._core.apart import Nursery, Tell
from .base import UNKNOWN, Deadline, ProbeFailed, TimeUp

Task = Callable[[Deadline], Any]

_LATE = 0.25  # seconds after which the kernel ends a worker whose time has passed
_LONG = 0.1  # seconds after which a search counts as long
_LOWEST = 19
_DONE, _OVER = "done", "over"


class Apart:
    """Runs tasks and searches in workers. Create it before there are threads, and close it at the end."""

    def __init__(self, tasks: Sequence[Task], searching: Sequence[bool] = ()) -> None:
        """Raises OSError when no process can be started. `searching`: numbers of the tasks that use regular
        expressions.
        """
        self._searching = searching
        self._nursery = Nursery(_Answers(tasks))

    def run(self, number: int, deadline: Deadline) -> Any:
        """The result of the task with this number. Raises TimeUp when its time has passed, ProbeFailed when it
        failed."""
        return self._ask(("run", number), deadline, any(self._searching[number : number + 1]))

    def search(self, pattern: re.Pattern[str], texts: Sequence[str], deadline: Deadline) -> list[bool]:
        """For each text, whether the pattern matches. Raises TimeUp when the time has passed, ProbeFailed when it
        failed.
        """
        found: list[bool] = self._ask(("search", pattern.pattern, pattern.flags, list(texts)), deadline, True)
        return found

    def close(self) -> None:
        """End all workers that can be ended."""
        self._nursery.close()

    def _ask(self, question: tuple[Any, ...], deadline: Deadline, searches: bool) -> Any:
        try:
            worker = self._nursery.take()
        except OSError as exc:
            raise ProbeFailed(f"no process can be started: {exc.strerror or exc}", UNKNOWN) from None
        long = False
        try:
            with deadline.stop_with(lambda: worker.channel.shutdown(socket.SHUT_RDWR)):
                worker.ask((deadline.left(), *question), deadline.left())
                done = False
                while not done:
                    if searches and not long and not worker.ready(_LONG):
                        long = True
                        with contextlib.suppress(OSError):
                            os.setpriority(os.PRIO_PROCESS, worker.pid, _LOWEST)
                    done, answer = worker.receive(deadline.left)
                    if not done:
                        deadline.doing = answer
        except BaseException as exc:
            worker.close()
            if isinstance(exc, (TimeoutError, socket.timeout)):
                raise TimeUp from None
            if isinstance(exc, OSError):
                deadline.left()
                raise ProbeFailed("the process that ran the check was killed", UNKNOWN) from None
            raise
        if long:
            worker.close()
        else:
            self._nursery.give_back(worker)
        kind, value = answer
        if kind == _OVER:
            raise TimeUp
        return value


# In the other processes


class _Told(Deadline):
    """A deadline that reports what the task is waiting for."""

    def __init__(self, seconds: float, tell: Tell) -> None:
        super().__init__(seconds)
        self._tell = tell

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "doing" and value:
            self._tell(value)


class _Answers:
    """What a worker does: one of the tasks, or a search."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks

    def __call__(self, question: tuple[Any, ...], tell: Tell) -> tuple[str, Any]:
        seconds, kind, *rest = question
        signal.setitimer(signal.ITIMER_REAL, seconds + _LATE)
        try:
            if kind == "run":
                return _DONE, self._tasks[rest[0]](_Told(seconds, tell))
            pattern, flags, texts = rest
            compiled = re.compile(pattern, flags)
            return _DONE, [compiled.search(text) is not None for text in texts]
        except TimeUp:
            return _OVER, None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
