# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs other programs: as lists of words, in an environment that extends the caller's."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Optional

_LONGEST = 10_000  # bytes of what a program has printed last
_F_SETPIPE_SZ = 1031  # fcntl.F_SETPIPE_SZ exists from Python 3.10 on
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(**extra: str) -> dict[str, str]:
    """The environment of the caller with messages in English, a PATH, and `extra` (secrets go here)."""
    result = {**os.environ, "LC_ALL": "C", **extra}
    result["PATH"] = result.get("PATH") or PATH
    return result


def run_to_end(
    argv: Sequence[str],
    variables: Mapping[str, str],
    data: bytes = b"",
    output: bool = False,
    limit: Optional[float] = None,
) -> tuple[int, str]:
    """Run a program of the user, which may leave another one running.

    :param data: what it reads from its standard input.
    :param output: whether its standard output counts as what it has printed, too, and not only its errors.
    :param limit: seconds after which it is killed.
    :returns: its exit status, and the last line that it has printed.
    :raises OSError, ValueError: it can't be run.
    :raises subprocess.TimeoutExpired: it was killed.
    """
    # Not a pipe, whose end would have to be waited for.
    with open(os.memfd_create("printed"), "r+b") as printed:
        status = subprocess.run(  # pylint: disable=ansible-bad-function
            list(argv),
            input=data,
            stdout=printed if output else subprocess.DEVNULL,
            stderr=printed,
            env=variables,
            check=False,
            timeout=limit,
        ).returncode
        printed.seek(max(0, os.fstat(printed.fileno()).st_size - _LONGEST))
        lines = printed.read().decode("utf-8", "replace").strip().splitlines()
    return status, lines[-1] if lines else ""


def wide_pipe(stream: Optional[IO[bytes]]) -> None:
    """Enlarge a pipe to 1 MiB, so that bulk data takes a sixteenth of the system calls. A smaller pipe works as
    well."""
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(stream.fileno(), _F_SETPIPE_SZ, 1 << 20)  # type: ignore[union-attr]


@contextlib.contextmanager
def piped(data: bytes) -> Iterator[int]:
    """A descriptor that a program reads a secret from, so that it is in no argument and no file.

    Raises ValueError for more than a pipe holds (64 KiB).
    """
    reading, writing = os.pipe()
    try:
        try:
            os.set_blocking(writing, False)
            if os.write(writing, data) < len(data):
                raise ValueError("stdin is too long")
        finally:
            os.close(writing)
        yield reading
    finally:
        os.close(reading)
