# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""zstd as a program: it uses all cores, and Python includes zstd only from 3.14 on."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from typing import Any, Optional

from ..errors import Day2Error, MissingDependency, NoSpace
from ..programs import environment, wide_pipe
from .base import BLOCK, CorruptStream, Readable, Writable

# Level 1: on databases and logs, within 4 % of the size at level 3, in two thirds of its time.
_COMPRESS = ["zstd", "-q", "-1", "-T0", "-c"]
_DECOMPRESS = ["zstd", "-q", "-d", "-c"]


def _start(argv: list[str], **streams: Any) -> subprocess.Popen[bytes]:
    try:
        # run_command is a module's, and does not stream
        return subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv, stderr=subprocess.PIPE, env=environment(), bufsize=0, **streams
        )
    except FileNotFoundError as exc:
        raise MissingDependency("The program zstd", "for compression: zstd", "Install the package zstd.") from exc


class _Writer:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._process.stdin.write(view) :]  # type: ignore[union-attr]
        except BrokenPipeError:
            self.finish()
            raise Day2Error("zstd ended before reading all of its input.") from None

    def finish(self) -> None:
        """Wait for the program and check its exit status."""
        self._process.stdin.close()  # type: ignore[union-attr]
        said = self._process.stderr.read().decode(errors="replace").strip()  # type: ignore[union-attr]
        if self._process.wait() == 0:
            return
        if "No space left" in said or "quota" in said:
            raise NoSpace(f"Can't write compressed data: {said}.", "Free some space and run again.")
        raise Day2Error(f"zstd failed with exit status {self._process.returncode}: {said}")


class _Reader:
    def __init__(self, process: subprocess.Popen[bytes], source: Readable) -> None:
        self._process = process
        self._source = source
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
                raise CorruptStream(f"its zstd data is damaged ({said or f'exit status {status}'})")
        return data


@contextlib.contextmanager
def writer(fd: int) -> Iterator[Writable]:
    """As `Compression.writer`."""
    process = _start(_COMPRESS, stdin=subprocess.PIPE, stdout=fd)
    with _ended(process):
        wide_pipe(process.stdin)
        one = _Writer(process)
        yield one
        one.finish()


@contextlib.contextmanager
def reader(source: Readable) -> Iterator[Readable]:
    """As `Compression.reader`."""
    process = _start(_DECOMPRESS, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with _ended(process):
        wide_pipe(process.stdin)
        wide_pipe(process.stdout)
        yield _Reader(process, source)


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
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
