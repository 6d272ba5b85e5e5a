# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cold entries in S3 or a compatible service: uploaded with a checksum, then downloaded and hashed."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .._core.compression.base import BLOCK
from .._core.errors import TargetError
from .._core.s3 import MISSING, S3Client, code_of, explain, failures
from .._core.secure_directory import SecureDirectory

# The largest object that S3 accepts in one piece; larger files are uploaded in parts.
_ONE_PIECE = 5 << 30
_PART = 64 << 20
_PARTS = 10_000


class S3Archive:
    """A bucket and a prefix.

    Raises InvalidRequest when credentials are incomplete, MissingDependency when boto3 is not installed.

    :param destination: s3://bucket/prefix
    :param options: see `_core/s3_options.py`.
    """

    def __init__(self, destination: str, options: Mapping[str, Any]) -> None:
        self._client = S3Client(destination, options, "for a destination in S3")
        self._bucket, self._prefix = self._client.bucket, self._client.prefix

    def put(self, source: SecureDirectory, name: str, key: str) -> None:
        key, where = self._place(key)
        with source.errors("Can't read", name):
            fd = source.open_file(name)
        with os.fdopen(fd, "rb") as handle:
            digest = _digest(handle)
            if not self._is_kept(key, where, digest):
                with self._errors("upload to", where):
                    mine = self._upload_new(handle, os.fstat(fd).st_size, key, digest)
                if not mine:
                    if self._is_kept(key, where, digest):
                        return
                    raise TargetError(
                        f"The upload to {where} was rejected because the object exists, but then it did not "
                        "exist: another process is using it.",
                        "The local copy was kept. Run again.",
                    )
                with self._errors("read back", where):
                    there = self._kept(key)
                if there != digest:
                    raise TargetError(
                        f"{where} differs from the uploaded content when read back.",
                        "The local copy was kept.",
                    )

    def check(self, source: SecureDirectory, name: str, key: str) -> None:
        key, where = self._place(key)
        with source.errors("Can't read", name):
            fd = source.open_file(name)
        with os.fdopen(fd, "rb") as handle:
            self._is_kept(key, where, _digest(handle))

    def _place(self, key: str) -> tuple[str, str]:
        """The key with the prefix, and its URL for people."""
        key = f"{self._prefix}/{key}" if self._prefix else key
        return key, f"s3://{self._bucket}/{key}"

    def _is_kept(self, key: str, where: str, digest: bytes) -> bool:
        with self._errors("look at", where):
            there = self._kept(key)
        if there not in (None, digest):
            raise TargetError(
                f"{where} already exists with other content and was not overwritten.",
                "Move it elsewhere and run again.",
            )
        return there is not None

    def _kept(self, key: str) -> Optional[bytes]:
        """SHA-256 of the object with a key, downloaded; None if it does not exist."""
        try:
            body = self._client.api.get_object(Bucket=self._bucket, Key=key)["Body"]
        except failures() as exc:
            if code_of(exc) in MISSING:
                return None
            raise
        digest = hashlib.sha256()
        for data in body.iter_chunks(BLOCK):
            digest.update(data)
        return digest.digest()

    @contextlib.contextmanager
    def _errors(self, doing: str, where: str) -> Iterator[None]:
        """Turn what requests raise into the family's words."""
        try:
            yield
        except failures() as exc:
            told = explain(exc, self._client)
            hint = f"{told.hint} No local file was removed.".lstrip()
            raise TargetError(f"Can't {doing} {where}: {told.text}.", hint) from exc

    def _upload_new(self, handle: Any, size: int, key: str, digest: bytes) -> bool:
        """Upload a new object. False: it exists (uploaded by others, or by us if the response was lost)."""
        return self._client.create(lambda: self._upload(handle, size, key, digest))

    def _upload(self, handle: Any, size: int, key: str, digest: bytes) -> None:
        place = {"Bucket": self._bucket, "Key": key}
        handle.seek(0)
        if size <= _ONE_PIECE:
            self._client.api.put_object(
                **place,
                **self._client.extra,
                Body=handle,
                ContentLength=size,
                ChecksumSHA256=base64.b64encode(digest).decode(),
                Metadata={"sha256": digest.hex()},
            )
            return
        started = self._client.api.create_multipart_upload(
            **place, **self._client.extra, Metadata={"sha256": digest.hex()}
        )["UploadId"]
        try:
            parts: list[dict[str, Any]] = []
            length = max(_PART, size // _PARTS + 1)
            while True:
                data = handle.read(length)
                if not data:
                    break
                number = len(parts) + 1
                made = self._client.api.upload_part(**place, UploadId=started, PartNumber=number, Body=data)
                parts.append({"PartNumber": number, "ETag": made["ETag"]})
            self._client.api.complete_multipart_upload(**place, UploadId=started, MultipartUpload={"Parts": parts})
        except BaseException:
            # Orphaned parts would cost money. The error of the upload is the one to report.
            with contextlib.suppress(*failures()):
                self._client.api.abort_multipart_upload(**place, UploadId=started)
            raise


def _digest(handle: Any) -> bytes:
    digest = hashlib.sha256()
    while True:
        data = handle.read(BLOCK)
        if not data:
            return digest.digest()
        digest.update(data)
