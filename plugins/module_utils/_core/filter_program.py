# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program as a filter: it reads data and writes data, and is trusted only if it exits with status 0."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Callable, Optional

from .compression.base import BLOCK, Readable
from .programs import environment, wide_pipe


def start(argv: Sequence[str], **streams: Any) -> subprocess.Popen[bytes]:
    """Raises FileNotFoundError when the program is missing."""
    # run_command is a module's, and does not stream
    return subprocess.Popen(  # pylint: disable=ansible-bad-function
        argv, stderr=subprocess.PIPE, env=environment(), bufsize=0, **streams
    )


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """The program does not outlive the block, whatever happens in it."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def closed(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Tell the program that this is the end, and wait: its exit status, and what it said."""
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()  # type: ignore[union-attr]
    said = process.stderr.read().decode(errors="replace").strip()  # type: ignore[union-attr]
    return process.wait(), said


class _Reader:
    def __init__(
        self, process: subprocess.Popen[bytes], source: Readable, failed: Callable[[int, str], Exception]
    ) -> None:
        self._process = process
        self._source = source
        self._failed = failed
        self._error: Optional[BaseException] = None
        self._feeder = threading.Thread(target=self._feed, daemon=True)
        self._feeder.start()

    def _feed(self) -> None:
        try:
            with self._process.stdin as stdin:  # type: ignore[union-attr]
                while True:
                    view = memoryview(self._source.read(BLOCK))
                    if not view:
                        return
                    while view:
                        view = view[stdin.write(view) :]
        except BrokenPipeError:
            return  # the program has said why, with its exit status
        except Exception as exc:  # whatever it is, the reader raises it: the program only tells of an early end
            self._error = exc

    def read(self, size: int) -> bytes:
        data: bytes = self._process.stdout.read(size)  # type: ignore[union-attr]
        if not data:
            self._feeder.join()
            said = self._process.stderr.read().decode(errors="replace").strip()  # type: ignore[union-attr]
            status = self._process.wait()
            if self._error is not None:
                raise self._error
            if status != 0:
                raise self._failed(status, said)
        return data


@contextlib.contextmanager
def reading(
    process: subprocess.Popen[bytes], source: Readable, failed: Callable[[int, str], Exception]
) -> Iterator[Readable]:
    """What the program makes of the source. b"" is returned only after both have ended well.

    :param failed: makes the exception of an exit status and of what the program said.
    """
    with ended(process):
        wide_pipe(process.stdin)
        wide_pipe(process.stdout)
        yield _Reader(process, source, failed)
