# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""zstd as a program: it uses all cores, and Python includes zstd only from 3.14 on."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from typing import Any

from ..errors import Day2Error, MissingDependency, NoSpace
from ..filter_program import closed, ended, reading, start
from ..programs import wide_pipe
from .base import CorruptStream, Readable, Writable

# Level 1: on databases and logs, within 4 % of the size at level 3, in two thirds of its time.
_COMPRESS = ["zstd", "-q", "-1", "-T0", "-c"]
_DECOMPRESS = ["zstd", "-q", "-d", "-c"]


def _start(argv: list[str], **streams: Any) -> subprocess.Popen[bytes]:
    try:
        return start(argv, **streams)
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
        status, said = closed(self._process)
        if status == 0:
            return
        if "No space left" in said or "quota" in said:
            raise NoSpace(f"Can't write compressed data: {said}.", "Free some space and run again.")
        raise Day2Error(f"zstd failed with exit status {status}: {said}")


def _damaged(status: int, said: str) -> CorruptStream:
    return CorruptStream(f"its zstd data is damaged ({said or f'exit status {status}'})")


@contextlib.contextmanager
def writer(fd: int) -> Iterator[Writable]:
    """As `Compression.writer`."""
    process = _start(_COMPRESS, stdin=subprocess.PIPE, stdout=fd)
    with ended(process):
        wide_pipe(process.stdin)
        one = _Writer(process)
        yield one
        one.finish()


@contextlib.contextmanager
def reader(source: Readable) -> Iterator[Readable]:
    """As `Compression.reader`."""
    process = _start(_DECOMPRESS, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with reading(process, source, _damaged) as one:
        yield one
