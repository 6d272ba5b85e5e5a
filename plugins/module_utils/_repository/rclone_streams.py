# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An object behind the program rclone as a stream: what is written to it, and what is read."""

from __future__ import annotations

import contextlib
import io
import os
import select
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import Any, BinaryIO, Callable, Optional, cast

from .._core.errors import Day2Error, RepositoryError, Unreachable
from .._core.programs import wide_pipe
from .._core.rclone import Rclone, file_of, is_definite
from .pieces import Piece
from .upload_pipe import upload_pipe

SEGMENT = 4 << 30  # bytes of one object: less than what any remote can store as a stream
_BLOCK = 1 << 20
_STALL = 300.0  # seconds without a byte
_TRIES = 5
_PAUSE = 0.3  # seconds, and twice as long before each further try
_HELD = 8 << 20  # bytes of an object that is written again when the connection is cut


class _Program:
    """A call whose data is streamed. What it says is read by a thread, so that it never waits for us."""

    def __init__(self, rclone: Rclone, *words: str, **streams: Any) -> None:
        with rclone.errors():
            self.process = rclone.start(*words, stderr=subprocess.PIPE, **streams)
        self._said = b""
        self.hung = False  # it had to be killed
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            for data in iter(lambda: self.process.stderr.read(4096), b""):  # type: ignore[union-attr]
                self._said = (self._said + data)[-16384:]

    def end(self, more: float = 0.0) -> str:
        """Wait for its end. Returns what it said if it failed, "" otherwise.

        :param more: seconds that it may take beyond those for which nothing may move.
        """
        limit = _STALL + more
        try:
            status = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.hung = True
            self.kill()
            return f"it did not end within {limit:.0f} s"
        self._listener.join(5)
        self.process.stderr.close()  # type: ignore[union-attr]
        return "" if status == 0 else self._said.decode(errors="replace") or f"rclone ended with status {status}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class RcloneUpload:
    """One file; its first 4 GiB under the key, the rest under KEY.002, KEY.003, …

    :param sizes: what is told of the objects that were written.
    :param most: bytes of one object.
    :param check: is called before each block, and before the end. If it raises, the object is not completed.
    """

    def __init__(
        self,
        rclone: Rclone,
        key: str,
        sizes: dict[str, int],
        remove: Any,
        *,
        most: int,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._rclone = rclone
        self._key = key
        self._sizes = sizes
        self._most = most
        self._check = check
        self._remove = remove
        self._keys: list[str] = []
        self._error: Optional[Exception] = None
        self._program: Optional[_Program] = None
        self._given_up = False
        reading, self.handle = upload_pipe(self.finish)
        self._thread = threading.Thread(target=self._run, args=(reading,), daemon=True)
        self._thread.start()

    def _run(self, fd: int) -> None:
        try:
            with os.fdopen(fd, "rb", buffering=0) as source:
                data = source.read(_BLOCK)
                while (data or not self._keys) and not self._given_up:
                    data = self._write(source, data)
        except Exception as exc:  # whatever it is, the thread that writes is to hear of it
            self._error = exc

    def _write(self, source: Any, data: bytes) -> bytes:
        """Write one object. Returns what is for the next one."""
        number = len(self._keys) + 1
        key = self._key if number == 1 else f"{self._key}.{number:03d}"
        self._keys.append(key)
        held = bytearray()
        while data and len(held) < min(_HELD, self._most):
            held += data
            data = source.read(_BLOCK)
        if not data and len(held) <= self._most:
            self._store(key, bytes(held))
            return b""
        return self._stream(key, source, bytes(held), data)

    def _store(self, key: str, data: bytes) -> None:
        """Write a small object, several times if need be."""
        for left in reversed(range(_TRIES)):
            self._check()
            if self._rclone.served(("rcat", self._rclone.at(key)), data, _STALL) is not None:
                self._sizes[key] = len(data)
                return
            with file_of(data) as source:
                self._program = _Program(self._rclone, "rcat", self._rclone.at(key), stdin=source)
                said = self._program.end(self._rclone.seconds_for(len(data)))
            if not said:
                self._sizes[key] = len(data)
                return
            if not left or self._given_up or self._program.hung or is_definite(said):
                self._rclone.fail("write", key, said)
            time.sleep(_PAUSE * 2 ** (_TRIES - 1 - left))

    def _stream(self, key: str, source: Any, held: bytes, data: bytes) -> bytes:
        self._program = _Program(self._rclone, "rcat", self._rclone.at(key), stdin=subprocess.PIPE)
        written = 0
        target: Any = self._program.process.stdin
        try:
            with contextlib.suppress(BrokenPipeError):
                wide_pipe(target)
                self._send(target, held)
                written = len(held)
                while data and written < self._most:
                    self._send(target, data)
                    written += len(data)
                    data = source.read(_BLOCK)
                self._check()
        except BaseException:
            self._program.kill()  # before its input ends, which it would take for that of the object
            raise
        finally:
            with contextlib.suppress(BrokenPipeError):
                target.close()
        # it has read ahead, and where a remote takes no streams, it has only begun
        said = self._program.end(self._rclone.seconds_for(written))
        if said:
            self._rclone.fail("write", key, said)
        self._sizes[key] = written
        return data

    def _send(self, target: Any, data: bytes) -> None:
        self._check()
        _feed(target, data, _STALL + (2 * _BLOCK / self._rclone.rate if self._rclone.rate else 0))

    def finish(self) -> None:
        """Wait until all is written."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def seal(self) -> Sequence[str]:
        return self._keys

    def confirm(self, key: str) -> Optional[Piece]:
        return None

    def discard(self, remove: bool = True) -> None:
        self._given_up = True
        if self._program is not None:
            self._program.process.kill()
        with contextlib.suppress(Day2Error, OSError):  # of the program that was killed
            self.handle.close()
        if remove:
            with contextlib.suppress(Day2Error):
                self._remove(self._keys)


def _feed(target: Any, data: bytes, stall: float) -> None:
    """Write all of it to a pipe, and do not wait for ever."""
    view = memoryview(data)
    os.set_blocking(target.fileno(), False)
    while view:
        if not select.select([], [target], [], stall)[1]:
            raise Unreachable(
                f"The remote has accepted no data for {stall:.0f} s.", "Check whether its storage is full."
            )
        with contextlib.suppress(BlockingIOError):
            view = view[os.write(target.fileno(), view) :]


class RcloneBody(io.RawIOBase):
    """An object that is read from its beginning; if the connection is lost, another call continues."""

    def __init__(self, rclone: Rclone, key: str, size: int) -> None:
        super().__init__()
        self._rclone = rclone
        self._key = key
        self._size = size
        self._position = 0
        self._left = _TRIES
        self._program: Optional[_Program] = None
        self._begin()

    def readable(self) -> bool:
        return True

    def _begin(self) -> None:
        words = ["cat", self._rclone.at(self._key), *([f"--offset={self._position}"] if self._position else [])]
        self._program = _Program(self._rclone, *words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        wide_pipe(self._program.process.stdout)

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(_BLOCK), b""))
        while self._position < self._size:
            stream = cast(Any, self._program).process.stdout
            ready = select.select([stream], [], [], _STALL)[0]
            data: bytes = os.read(stream.fileno(), min(size, self._size - self._position)) if ready else b""
            self._position += len(data)
            if data:
                return data
            self._again()
        return b""

    def _again(self) -> None:
        """It ended, or hangs, before all was read."""
        said = self._end()
        self._left -= 1
        if not self._left:
            self._rclone.fail("read", self._key, said or f"it ended after {self._position} of {self._size} bytes")
        time.sleep(0.1 * 2 ** (_TRIES - self._left))
        self._begin()

    def _end(self) -> str:
        program, self._program = self._program, None
        if program is None:
            return ""
        program.process.stdout.close()  # type: ignore[union-attr]
        if self._position == self._size:
            program.kill()  # it may still have something to say to itself
            return ""
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.process.wait(1)
        if program.process.poll() is None:
            program.kill()
        return program.end()

    def close(self) -> None:
        if not self.closed:
            if self._program is not None:
                program = self._program
                program.kill()
                program.process.stdout.close()  # type: ignore[union-attr]
                program.end()
            super().close()


def open_body(rclone: Rclone, key: str, size: Optional[int]) -> BinaryIO:
    """An object as a stream. Raises RepositoryError if it is not there (None)."""
    if size is None:
        raise RepositoryError(f"{rclone.location}/{key} is missing.")
    return cast(BinaryIO, RcloneBody(rclone, key, size))
