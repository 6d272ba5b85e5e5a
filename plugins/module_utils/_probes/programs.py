# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs programs with a deadline, including their child processes."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Optional

from .._core.programs import environment
from .base import UNKNOWN, Deadline, ProbeFailed

_MOST = 1 << 20  # maximum bytes of output, after which a program is ended
_TICK = 0.05  # seconds between two checks of a silent program, whose children may keep its pipes open

# vfork holds the interpreter until the program runs, which it never does if its file system hangs.
subprocess._USE_VFORK = False  # type: ignore[attr-defined]


def execute(
    argv: Sequence[str], deadline: Deadline, chdir: Optional[str] = None, variables: Optional[Mapping[str, str]] = None
) -> tuple[int, str, str]:
    """The exit status, output and errors of a program.

    Raises TimeUp when the time has passed, ProbeFailed when it can't be run or prints too much.
    """
    try:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=chdir,
            env=environment(**(variables or {})),
            start_new_session=True,
        )
    except OSError as exc:
        raise ProbeFailed(f"{argv[0]} can't be run: {exc.strerror}", UNKNOWN) from None
    try:
        with deadline.stop_with(lambda: _end(process)):
            output, errors = _gather(process, deadline)
            process.wait(deadline.left())
    except subprocess.TimeoutExpired:
        deadline.stop()
        deadline.left()
    finally:
        _end(process)
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    return process.returncode, output, errors


def _gather(process: subprocess.Popen[bytes], deadline: Deadline) -> tuple[str, str]:
    """Its output and errors, until it closes both or has ended. Raises TimeUp when the time has passed, ProbeFailed
    when it prints too much.
    """
    streams = [one for one in (process.stdout, process.stderr) if one is not None]
    said = {stream.fileno(): bytearray() for stream in streams}
    still = set(said)
    poll = select.poll()
    for fd in said:
        os.set_blocking(fd, False)
        poll.register(fd, select.POLLIN)
    while still:
        ready = poll.poll(min(_TICK, deadline.left()) * 1000)
        if not ready and process.poll() is not None:
            break
        for fd, _event in ready:
            data = os.read(fd, 65536)
            said[fd] += data
            if not data:
                poll.unregister(fd)
                still.discard(fd)
        if sum(map(len, said.values())) > _MOST:
            raise ProbeFailed("it printed more than 1 MiB and was ended", UNKNOWN)
    output, errors = (bytes(said[stream.fileno()]).decode("utf-8", "replace") for stream in streams)
    return output, errors


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the program and its children: a probe has nothing to clean up."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
