# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects in a bucket of S3."""

from __future__ import annotations

import contextlib
import io
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, Optional, cast

from .._core.errors import NoSpace, RepositoryError, Unreachable
from .._core.s3 import CUT, ERRORS, MISSING, S3Client, code_of, explain
from .objects import CONDITIONAL, Object
from .remote import RemoteRepository
from .s3_upload import Pool, S3Upload

GRACE = 24 * 3600.0  # seconds
_TRIES = 5
_AT_ONCE = 1000  # keys in a request to remove them


def open_s3(address: str, params: Mapping[str, Any]) -> RemoteRepository:
    """The repository at s3://bucket/prefix."""
    return RemoteRepository(S3Objects(address, params.get("s3") or {}), GRACE)


class S3Objects:
    """A bucket and a prefix."""

    def __init__(self, address: str, options: Mapping[str, Any]) -> None:
        self._client = S3Client(address, options, "for a repository in S3", _TRIES)
        self._bucket = self._client.bucket
        self._top = f"{self._client.prefix}/" if self._client.prefix else ""
        self._pool = Pool()
        self.location = f"s3://{self._bucket}/{self._client.prefix}".rstrip("/")

    @contextlib.contextmanager
    def errors(self, doing: str, key: str) -> Iterator[None]:
        """Turn what requests raise into the family's words."""
        try:
            yield
        except ERRORS as exc:
            told = explain(exc, self._client)
            text = f"Can't {doing} {self.location}{'/' * bool(key)}{key.removeprefix(self._top)}: {told.text}."
            if told.full:
                raise NoSpace(text, told.hint) from exc
            raise Unreachable(text, told.hint) from exc

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._top + key}

    def trouble(self) -> str:
        with self.errors("list", ""):
            try:
                self._client.api.list_objects_v2(Bucket=self._bucket, Prefix=self._top, MaxKeys=1)
            except ERRORS as exc:
                if code_of(exc) != "NoSuchBucket":
                    raise
                return "does not exist: there is no such bucket"
        return ""

    def walk(self, prefix: str) -> Iterator[Object]:
        for page in self._pages(Prefix=self._top + prefix):
            now = _date(page)
            for one in page.get("Contents", ()):
                age = (now - one["LastModified"]).total_seconds()
                yield Object(one["Key"][len(self._top) :], one["Size"], age, one["ETag"])

    def folders(self) -> list[str]:
        found = [
            one["Prefix"][len(self._top) : -1]
            for page in self._pages(Prefix=self._top, Delimiter="/")
            for one in page.get("CommonPrefixes", ())
        ]
        return sorted(found)

    def _pages(self, **asked: Any) -> Iterator[Any]:
        more: dict[str, str] = {}
        while True:
            with self.errors("list", asked["Prefix"].rstrip("/")):
                page = self._client.api.list_objects_v2(Bucket=self._bucket, **asked, **more)
            yield page
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def read(self, key: str) -> Optional[bytes]:
        with self.errors("read", key):
            try:
                body: bytes = self._client.api.get_object(**self._place(key))["Body"].read()
            except ERRORS as exc:
                if code_of(exc) in MISSING:
                    return None
                raise
            return body

    def open(self, key: str) -> BinaryIO:
        return cast(BinaryIO, _Body(self, key))

    def get(self, key: str, start: int) -> Any:
        """The body of an object from a position on; None: it is not there."""
        asked = {"Range": f"bytes={start}-"} if start else {}
        try:
            return self._client.api.get_object(**self._place(key), **asked)["Body"]
        except ERRORS as exc:
            if code_of(exc) in MISSING:
                return None
            raise

    def put(self, key: str, data: bytes) -> None:
        with self.errors("write", key):
            self._client.api.put_object(**self._place(key), **self._client.extra, Body=data)

    def create(self, key: str, data: bytes) -> bool:
        with self.errors("write", key):
            made = self._client.create(
                lambda: self._client.api.put_object(**self._place(key), **self._client.extra, Body=data)
            )
        # an answer that was lost makes the next try meet what this one has written
        return made or (bool(data) and self.read(key) == data)

    def upload(self, key: str) -> S3Upload:
        return S3Upload(self._client, self._top, key, self._pool, self.errors)

    def remove(self, keys: Iterable[str]) -> None:
        waiting = [self._top + key for key in keys]
        for start in range(0, len(waiting), _AT_ONCE):
            some = waiting[start : start + _AT_ONCE]
            with self.errors("remove", some[0]):
                done = self._client.api.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True}
                )
            for failed in done.get("Errors", ()):
                raise Unreachable(
                    f"Can't remove s3://{self._bucket}/{failed['Key']}: {failed.get('Message') or failed.get('Code')}.",
                    "Allow the key s3:DeleteObject.",
                )

    def abort_uploads(self, prefix: str) -> int:
        with self.errors("list the unfinished uploads of", prefix.rstrip("/")):
            found = [
                one
                for page in self._client.api.get_paginator("list_multipart_uploads").paginate(
                    Bucket=self._bucket, Prefix=self._top + prefix
                )
                for one in page.get("Uploads", ())
                if one["Key"].startswith(self._top + prefix)
            ]
            for one in found:
                with contextlib.suppress(self._client.api.exceptions.NoSuchUpload):
                    self._client.api.abort_multipart_upload(
                        Bucket=self._bucket, Key=one["Key"], UploadId=one["UploadId"]
                    )
        return len(found)

    def probe(self) -> str:
        key = f".day2/probe-{secrets.token_hex(8)}"
        try:
            if self.create(key, b"first") and not self.create(key, b"second") and self._client.conditions:
                return CONDITIONAL
        finally:
            self.remove([key])
        raise RepositoryError(
            f"{self.location} can't be a repository: its server does not refuse to create an object that exists.",
            "Two runs could not exclude each other there. Use a bucket without versions, or another server.",
        )


def _date(page: Mapping[str, Any]) -> datetime:
    """The server's time."""
    told = page["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(told) if told else datetime.now(timezone.utc)


class _Body(io.RawIOBase):
    """An object that is read from its beginning; where the connection is cut, a new one goes on."""

    def __init__(self, objects: S3Objects, key: str) -> None:
        super().__init__()
        self._objects = objects
        self._key = key
        self._position = 0
        with objects.errors("read", key):
            self._body = objects.get(key, 0)
        if self._body is None:
            raise RepositoryError(f"{objects.location}/{key} is missing.")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        for left in reversed(range(_TRIES)):
            try:
                data: bytes = self._body.read(None if size < 0 else size)
            except CUT as exc:
                if not left:
                    raise Unreachable(
                        f"The connection was cut while {self._objects.location}/{self._key} was read: {exc}.",
                        "Run again.",
                    ) from exc
                time.sleep(0.1 * 2 ** (_TRIES - left))
                self._again()
            else:
                self._position += len(data)
                return data
        return b""

    def _again(self) -> None:
        self._body.close()
        with self._objects.errors("read", self._key):
            self._body = self._objects.get(self._key, self._position)
        if self._body is None:
            raise RepositoryError(f"{self._objects.location}/{self._key} was removed while it was read.")

    def close(self) -> None:
        if not self.closed and self._body is not None:
            self._body.close()
        super().close()
