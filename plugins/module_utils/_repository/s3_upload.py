# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An object of S3 that is written as a stream, in parts, with bounded memory."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, NamedTuple, Optional

from .._core.errors import Day2Error, RepositoryError
from .._core.s3 import MISSING, S3Client, code_of, failures
from .pieces import Piece
from .s3_checksums import Checksum
from .upload_pipe import upload_pipe

PART = 16 << 20  # bytes; some servers want all parts but the last to be equal
PARTS = 256  # of one object: 4 GiB, which is less than what a server copies in one request
WORKERS = 3
_MOST_PARTS = 10_000  # that a server takes


class Shape(NamedTuple):
    """How an object is cut."""

    part: int  # bytes
    parts: int  # at most


class Pool:
    """What all uploads of a repository share: as many parts are in memory as are under way, and one that is read."""

    def __init__(self) -> None:
        self.workers = ThreadPoolExecutor(WORKERS, "day2-upload")
        self.room = threading.Semaphore(WORKERS)


class S3Upload:
    """One file; its first 4 GiB under the key, the rest under KEY.002, KEY.003, …

    :param size: if it is known, and all of it is to lie under the key.
    :param check: is called before each request that writes.
    :param checksums: the server is to tell its own of what it has stored.
    """

    def __init__(
        self,
        client: S3Client,
        top: str,
        key: str,
        pool: Pool,
        errors_of: Any,
        *,
        size: Optional[int] = None,
        check: Callable[[], None] = lambda: None,
        checksums: bool = False,
    ) -> None:
        self._checksums = checksums
        self._client = client
        self._key = top + key
        self._below = len(top)
        self._pool = pool
        self._errors = errors_of
        self._is_held = check
        self._given_up = False
        self._shape = Shape(PART, PARTS) if size is None else Shape(max(PART, -(-size // _MOST_PARTS)), _MOST_PARTS)
        self._objects: list[_Object] = []
        self._error: Optional[Exception] = None
        reading, self.handle = upload_pipe(self.finish)
        self._thread = threading.Thread(target=self._run, args=(reading,), daemon=True)
        self._thread.start()

    def _run(self, fd: int) -> None:
        try:
            with os.fdopen(fd, "rb", buffering=0) as source:
                ahead = [_read(source, self._shape.part)]  # a name of its own would keep the first part in memory
                while ahead[0] or not self._objects:
                    number = len(self._objects) + 1
                    key = self._key if number == 1 else f"{self._key}.{number:03d}"
                    one = _Object(
                        self._client,
                        key,
                        self._pool,
                        self._shape,
                        check=self._check,
                        checksum=Checksum(self._checksums),
                    )
                    self._objects.append(one)
                    one.fill(ahead, source)
        except Exception as exc:  # whatever it is, the thread that writes is to hear of it
            self._error = exc

    def _check(self) -> None:
        if self._given_up:
            raise RepositoryError(f"The upload of {self._key} was abandoned.")
        self._is_held()

    def finish(self) -> None:
        """Wait until all parts are uploaded."""
        self._thread.join()
        for one in self._objects:
            try:
                one.wait()
            except Exception as exc:
                self._error = self._error or exc
        if self._error is not None:
            with self._errors("write", self._key):
                raise self._error

    def seal(self) -> Sequence[str]:
        with self._errors("write", self._key):
            for one in self._objects:
                one.complete()
        return [one.key[self._below :] for one in self._objects]

    def confirm(self, key: str) -> Optional[Piece]:
        if not self._checksums:
            return None
        with self._errors("look at", key):
            one = next(one for one in self._objects if one.key[self._below :] == key)
            return one.confirmed()._replace(path=key)

    def discard(self, remove: bool = True) -> None:
        self._given_up = True
        with contextlib.suppress(Day2Error):
            self.handle.close()
        for one in self._objects:
            with contextlib.suppress(*failures()):
                one.discard(remove)


def _read(source: Any, part: int) -> bytearray:
    """The next part, or less of it at the end."""
    buffer = bytearray(part)
    view, filled = memoryview(buffer), 0
    while filled < part:
        count = source.readinto(view[filled:])
        if not count:
            break
        filled += count
    view.release()
    del buffer[filled:]
    return buffer


class _Object:
    """One object: put as a whole if it is small, else in parts, which become an object when it is completed."""

    def __init__(
        self,
        client: S3Client,
        key: str,
        pool: Pool,
        shape: Shape,
        *,
        check: Callable[[], None],
        checksum: Checksum,
    ) -> None:
        self._checksum = checksum
        self._client = client
        self._check = check
        self._shape = shape
        self.key = key
        self._pool = pool
        self._place = {"Bucket": client.bucket, "Key": key}
        self._upload = ""
        self._version = ""
        self._whole = False
        self._size = 0
        self._tags: list[Future[str]] = []

    def fill(self, ahead: list[bytearray], source: Any) -> None:
        """Upload parts until the object is full or the source is at its end.

        :param ahead: the part that was read already; in the end, the one for the next object.
        """
        part, data = self._shape.part, ahead.pop()
        if len(data) < part:
            self._check()
            self._put(data)
            ahead.append(bytearray())
            return
        how = {"ChecksumAlgorithm": "SHA256"} if self._checksum.used else {}
        made = self._client.api.create_multipart_upload(**self._place, **self._client.extra, **how)
        self._upload = made["UploadId"]
        while data and len(self._tags) < self._shape.parts:
            self._send(data)
            data = _read(source, part) if len(data) == part else bytearray()
        ahead.append(data)

    def _put(self, data: bytearray) -> None:
        self._checksum.add(data)
        checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
        made = self._client.api.put_object(
            **self._place,
            **self._client.extra,
            Body=self._client.body(data, self._check),
            ChecksumSHA256=checksum,
        )
        self._whole, self._size = True, len(data)
        self._version = made.get("VersionId") or ""

    def _send(self, data: bytearray) -> None:
        self._pool.room.acquire()
        number = len(self._tags) + 1
        self._size += len(data)
        sent = self._pool.workers.submit(self._send_part, number, data, self._checksum.add(data))
        self._tags.append(sent)
        if self._shape.part > PART:  # of 156 GiB and more: one at a time, as they are large
            sent.exception()

    def _send_part(self, number: int, data: bytearray, checksum: dict[str, str]) -> str:
        try:
            self._check()
            made = self._client.api.upload_part(
                **self._place,
                **checksum,
                UploadId=self._upload,
                PartNumber=number,
                Body=self._client.body(data, self._check),
            )
            return str(made["ETag"])
        finally:
            self._pool.room.release()

    def wait(self) -> None:
        for one in self._tags:
            one.result()

    def complete(self) -> None:
        if self._whole:
            return
        parts = [
            {"PartNumber": number, "ETag": one.result(), **self._checksum.of_part(number)}
            for number, one in enumerate(self._tags, 1)
        ]
        try:
            made = self._client.api.complete_multipart_upload(
                **self._place, UploadId=self._upload, MultipartUpload={"Parts": parts}
            )
            self._version = made.get("VersionId") or ""
        except failures():
            # the answer may have been lost, and the code of a second one says nothing: whether it is there does
            if not self._is_there():
                raise
        self._whole = True

    def _is_there(self) -> bool:
        try:
            head = self._client.api.head_object(**self._place)
            there, self._version = head["ContentLength"], head.get("VersionId") or ""
        except failures() as exc:
            if code_of(exc) in MISSING:
                return False
            raise
        if there != self._size:
            raise RepositoryError(f"{self.key} has {there} bytes after the upload instead of {self._size}.")
        return True

    def confirmed(self) -> Piece:
        """Itself, if the server has the same checksum of it."""
        version = {"VersionId": self._version} if self._version else {}
        place = {**self._place, **version}
        return self._checksum.confirmed(self._client, place, self.key, whole=not self._upload)

    def discard(self, remove: bool) -> None:
        for one in self._tags:
            one.cancel() or one.exception()
        if self._upload and not self._whole:
            self._client.api.abort_multipart_upload(**self._place, UploadId=self._upload)
        elif self._whole and remove:
            version = {"VersionId": self._version} if self._version else {}
            self._client.api.delete_object(**self._place, **version)
