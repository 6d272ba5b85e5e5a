# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends messages in processes of their own, with one deadline for all of them.

Time limits of sockets count from each read, so a server that sends a byte a second holds a caller for ever, and a
resolver has no time limit at all. A process can be killed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Sequence
from typing import Callable, NamedTuple

from .._core.errors import Day2Error
from .._core.units import format_duration

_LONGEST = 2000  # bytes of a reason


class NotSent(Day2Error):
    """The message was not delivered. Its text contains no secret."""


class PartlySent(NotSent):
    """Some got the message, and others never will: sending it again would only repeat it."""


class Outcome(NamedTuple):
    """`problem`: why the message was not sent to all, or ""."""

    problem: str
    delivered: bool


def send_all(sends: Sequence[Callable[[], None]], seconds: float) -> list[Outcome]:
    """Run all of them at the same time. One that has not ended by the deadline counts as not delivered."""
    deadline = time.monotonic() + seconds
    children: list[_Child] = []
    try:
        try:
            for send in sends:
                children.append(_Child(send))
            problem = ""
        except OSError as exc:
            problem = f"No process could be started: {exc}."
        ends = [child.end(deadline, seconds) for child in children]
        return ends + [Outcome(problem, False)] * (len(sends) - len(ends))
    finally:  # also if it is interrupted
        for child in children:
            child.kill()


class _Child:
    """A process that sends one message."""

    def __init__(self, send: Callable[[], None]) -> None:
        self._reader, writer = os.pipe()
        self._ended = False
        try:
            self._pid = os.fork()
        except OSError:
            os.close(self._reader)
            os.close(writer)
            raise
        if self._pid == 0:
            code = 1
            try:
                os.setsid()  # so that programs that it starts end with it
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    signal.signal(number, signal.SIG_DFL)
                code = _reported(send, writer)
            finally:
                os._exit(code)
        os.close(writer)

    def end(self, deadline: float, seconds: float) -> Outcome:
        """Wait for it until the deadline."""
        text, closed = b"", False
        while not closed:
            ready = select.select([self._reader], [], [], max(0.0, deadline - time.monotonic()))[0]
            if not ready:
                self.kill()
                return Outcome(f"It did not end within {format_duration(seconds)}.", False)
            part = os.read(self._reader, _LONGEST)
            text, closed = text + part, not part
        status = os.waitpid(self._pid, 0)[1]
        self._ended = True
        os.close(self._reader)
        if text or status == 0:
            return Outcome(text.decode("utf-8", "replace"), status == 0)
        return Outcome(f"The process that sends it ended with status {status}.", False)

    def kill(self) -> None:
        """Kill the process and those that it started, unless it has ended."""
        if self._ended:
            return
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self._ended = True
        os.close(self._reader)


def _reported(send: Callable[[], None], writer: int) -> int:
    try:
        send()
    except NotSent as exc:
        os.write(writer, str(exc).encode("utf-8", "replace")[:_LONGEST])
        return 0 if isinstance(exc, PartlySent) else 1
    except Exception as exc:  # its text could contain a secret
        os.write(writer, f"This is a bug: {type(exc).__name__}.".encode())
        return 1
    return 0
