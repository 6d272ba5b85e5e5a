# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running programs that end in time, with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO, Optional

from .._core.process import environment
from .base import UNKNOWN, Deadline, ProbeFailed

_MOST = 1 << 20  # bytes of output that are looked at


def execute(
    argv: Sequence[str], deadline: Deadline, chdir: Optional[str] = None, variables: Optional[Mapping[str, str]] = None
) -> tuple[int, str, str]:
    """The exit status, the output and the errors of a program. Raises TimeUp; ProbeFailed when it can't be run."""
    # Files, not pipes: a child that is left behind with our pipe in its hands would keep us waiting.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=chdir,
                env=environment(**(variables or {})),
                start_new_session=True,
            )
        except OSError as exc:
            raise ProbeFailed("%s can't be run: %s" % (argv[0], exc.strerror), UNKNOWN) from None
        try:
            with deadline.stop_with(lambda: _end(process)):
                process.wait(deadline.left())
        except subprocess.TimeoutExpired:
            deadline.stop()
            deadline.left()
        finally:
            _end(process)
            process.wait()
        return process.returncode, _head(out), _head(err)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and all that it started, at once: a probe has nothing to clean up."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _head(handle: IO[bytes]) -> str:
    handle.seek(0)
    return handle.read(_MOST).decode("utf-8", "replace")
