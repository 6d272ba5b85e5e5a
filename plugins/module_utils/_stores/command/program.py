# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a program that reads or writes a stream: its end counts only with the exit status 0."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, Optional

from ..._core.programs import environment, piped, wide_pipe
from ..._core.units import format_duration

_BLOCK = 1 << 20
_SAID = 4096  # bytes of its messages that are kept, from the end
_PATIENCE = 10.0  # seconds between SIGTERM and SIGKILL
_TICK = 1.0


class ProgramFailed(Exception):
    """What happened, as a sentence with the name of the program."""


class Program:
    """A program that was started. Leaving the block ends it and what is left of its process group, unless it has ended
    well: then, what it left running is meant to run.

    :param variables: added to its environment.
    :param timeout: seconds until it must have ended.
    :param given: its whole input, and its output is read; None: its input is written, and its output is dropped.
    :raises ProgramFailed: it can't be started.
    """

    def __init__(
        self, argv: Sequence[str], variables: Mapping[str, str], timeout: float, given: Optional[bytes] = None
    ) -> None:
        self._name = argv[0]
        self._timeout = timeout
        self._end = time.monotonic() + timeout
        self._said = bytearray()
        self._good = False
        try:
            with contextlib.nullcontext(subprocess.PIPE) if given is None else piped(given) as stdin:
                self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                    list(argv),
                    stdin=stdin,
                    stdout=subprocess.DEVNULL if given is None else subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=environment(**variables),
                    start_new_session=True,
                )
        except (OSError, ValueError) as exc:
            raise ProgramFailed(f"{self._name} can't be run: {getattr(exc, 'strerror', None) or exc}.") from None
        stream = self._process.stdin if given is None else self._process.stdout
        wide_pipe(stream)
        self._fd = stream.fileno() if stream is not None else -1
        os.set_blocking(self._fd, False)
        self._listener = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self._listener.start()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        # a child that left the group may keep it open
        self._listener.join(_TICK)

    def read(self) -> bytes:
        """The next of its output; b"" at the end, which `finish` judges.

        :raises ProgramFailed: its time is over.
        """
        self._wait_for(select.POLLIN)
        return os.read(self._fd, _BLOCK)

    def write(self, data: bytes) -> bool:
        """Hand it some input. False: it reads no more.

        :raises ProgramFailed: its time is over.
        """
        view = memoryview(data)
        while view:
            self._wait_for(select.POLLOUT)
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                return False
        return True

    def finish(self) -> None:
        """End its input and wait for its end.

        :raises ProgramFailed: its exit status is not 0, or its time is over.
        """
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            status = self._process.wait(max(0.0, self._end - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise self._late() from None
        self._listener.join(_TICK)
        if status:
            how = f"was ended by {_signal(-status)}" if status < 0 else f"failed with exit status {status}"
            raise ProgramFailed(f"{self._name} {how}{self._messages()}.")
        self._good = True

    def _wait_for(self, event: int) -> None:
        poll = select.poll()
        poll.register(self._fd, event)
        ready: list[tuple[int, int]] = []
        while not ready:
            if time.monotonic() > self._end:  # also of one that always has something to say
                raise self._late()
            ready = poll.poll(_TICK * 1000)

    def _late(self) -> ProgramFailed:
        return ProgramFailed(
            f"{self._name} did not end within {format_duration(self._timeout)}, and was ended{self._messages()}."
        )

    def _messages(self) -> str:
        said = bytes(self._said).decode("utf-8", "replace").strip().rstrip(".")
        return f": {said}" if said else ""

    def _listen(self, messages: IO[bytes]) -> None:
        with messages as stream:
            for data in iter(lambda: os.read(stream.fileno(), _BLOCK), b""):
                self._said = (self._said + data)[-_SAID:]

    def _stop(self) -> None:
        if self._good:
            return
        self._signal_group(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)
        # children may outlive their parent, and still write to what is put back next
        self._wait_for_group()
        self._signal_group(signal.SIGKILL)
        self._process.wait()
        self._wait_for_group()

    def _wait_for_group(self) -> None:
        """Not for long: where nobody asks for the status of a dead child, its process stays."""
        end = time.monotonic() + _TICK
        while self._signal_group(0) and time.monotonic() < end:
            time.sleep(_TICK / 50)

    def _signal_group(self, number: int) -> bool:
        """Signal all processes of its group. Returns whether there are any."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:  # they belong to another user now
            pass
        return True


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def run(argv: Sequence[str], variables: Mapping[str, str], timeout: float) -> None:
    """Run a program without input to its end.

    :raises ProgramFailed: it can't be started, its exit status is not 0, or its time is over.
    """
    with Program(argv, variables, timeout) as program:
        program.finish()
