# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects in a bucket of S3."""

from __future__ import annotations

import contextlib
import io
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO, Callable, Optional, cast
from urllib.parse import urlsplit

from .._core.errors import Day2Error, Interrupted, NoSpace, RepositoryError, TaskEnded, Unreachable
from .._core.pace import Pace
from .._core.s3 import MISSING, S3Client, code_of, cuts, explain, failures
from . import s3_locking
from . import s3_small as small
from .anchors import FOLDER as ANCHORS
from .manifest import CHECKSUM
from .objects import CONDITIONAL, VERSIONS, Object
from .remote import RemoteRepository
from .remote_options import grace_of, locking_of, rate_of
from .s3_checksums import FULL, refuses_wrong_ones
from .s3_locking import date_of as _date
from .s3_upload import Pool, S3Upload
from .s3_versions import all_versions, remove, remove_all

_TRIES = 5
_ENABLED = "Enabled"
_NO_VERSION = "null"  # what was written while the bucket kept none


def _is_rewritten(key: str) -> bool:
    """Whether the newest version of an object counts, and not the oldest."""
    return (key.startswith(".day2/") and not key.startswith(ANCHORS)) or "/.state/" in key


def open_s3(address: str, params: Mapping[str, Any]) -> RemoteRepository:
    """The repository at s3://bucket/prefix."""
    objects = S3Objects(address, params.get("s3") or {}, rate_of(params))
    objects.checksums = params.get("read_back") == CHECKSUM
    return RemoteRepository(objects, grace_of(params), locking_of(params))


class S3Objects:
    """A bucket and a prefix."""

    ways: Sequence[str] = (CONDITIONAL, VERSIONS)
    settle = 0.0

    def __init__(self, address: str, options: Mapping[str, Any], rate: Optional[int] = None) -> None:
        self._client = S3Client(address, options, "for a repository in S3", _TRIES)
        self.pace = self._client.pace = None if rate is None else Pace(rate)
        self._bucket = self._client.bucket
        self._top = f"{self._client.prefix}/" if self._client.prefix else ""
        self._pool = Pool()
        self.exclusive = CONDITIONAL
        self.checksums = False
        self._probing = False
        self._versioning: Optional[str] = None
        self._chosen: dict[str, str] = {}  # the versions that count, by key, as far as they were seen
        self.location = f"s3://{self._bucket}/{self._client.prefix}".rstrip("/")
        self.place = f"{self.location} {urlsplit(self._client.endpoint).netloc.lower()}".rstrip()

    @contextlib.contextmanager
    def errors(self, doing: str, key: str) -> Iterator[None]:
        """Turn what requests raise into the family's words."""
        try:
            yield
        except failures() as exc:
            told = explain(exc, self._client)
            text = f"Can't {doing} {self.location}{'/' * bool(key)}{key.removeprefix(self._top)}: {told.text}."
            if told.full:
                raise NoSpace(text, told.hint) from exc
            raise (Interrupted if told.passing else Unreachable)(text, told.hint) from exc

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._top + key}

    def _is_versioned(self) -> bool:
        """Whether the bucket keeps versions, or has kept some."""
        if self._versioning is None:
            with self.errors("look at the versions of", ""):
                self._versioning = small.versioning(self._client)
        return bool(self._versioning)

    def trouble(self) -> str:
        with self.errors("list", ""):
            try:
                self._client.api.list_objects_v2(Bucket=self._bucket, Prefix=self._top, MaxKeys=1)
            except failures() as exc:
                if code_of(exc) != "NoSuchBucket":
                    raise
                return "does not exist: there is no such bucket"
        return ""

    def walk(self, prefix: str) -> Iterator[Object]:
        if self._is_versioned():
            yield from self._walk_versions(prefix)
            return
        for page in self._pages(Prefix=self._top + prefix):
            now = _date(page)
            for one in page.get("Contents", ()):
                age = (now - one["LastModified"]).total_seconds()
                yield Object(one["Key"][len(self._top) :], one["Size"], age, one["ETag"])

    def _walk_versions(self, prefix: str) -> Iterator[Object]:
        pages = all_versions(self._client, self._top + prefix)
        while True:
            with self.errors("list", prefix.rstrip("/")):
                page, found = next(pages, (None, []))
            if page is None:
                return
            now = _date(page)
            for one in found:
                if one.versions:
                    each, key = one.counts, one.key[len(self._top) :]
                    self._chosen[key] = each["VersionId"]
                    age = (now - each["LastModified"]).total_seconds()
                    yield Object(key, each["Size"], age, each["ETag"], one.strange)

    def _version(self, key: str) -> dict[str, str]:
        """What asks for the version of an object that counts, if there are versions."""
        if not self._is_versioned():
            return {}
        if key not in self._chosen:
            for one in self._walk_versions(key):
                if one.key == key:
                    break
        return {"VersionId": self._chosen[key]} if key in self._chosen else {}

    def folders(self) -> list[str]:
        found = [
            one["Prefix"][len(self._top) : -1]
            for page in self._folder_pages()
            for one in page.get("CommonPrefixes", ())
        ]
        return sorted(found)

    def _folder_pages(self) -> Iterator[Any]:
        if not self._is_versioned():
            yield from self._pages(Prefix=self._top, Delimiter="/")
            return
        # where somebody deleted everything, the versions are still there
        with self.errors("list", ""):
            pages = self._client.api.get_paginator("list_object_versions")
            yield from pages.paginate(Bucket=self._bucket, Prefix=self._top, Delimiter="/")

    def _pages(self, **asked: Any) -> Iterator[Any]:
        more: dict[str, str] = {}
        while True:
            with self.errors("list", asked["Prefix"].rstrip("/")):
                page = small.page(self._client, **asked, **more)
            yield page
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page.get("NextContinuationToken") or ""}
            if not more["ContinuationToken"]:
                raise Unreachable(
                    f"Can't list {self.location}: its server returned no token for the next page of objects.",
                    "Check whether the server at endpoint_url in s3 supports ListObjectsV2.",
                )

    def read(self, key: str) -> Optional[bytes]:
        version = {} if _is_rewritten(key) else self._version(key)
        with self.errors("read", key):
            return small.read(self._client, self._top + key, version)

    def open(self, key: str) -> BinaryIO:
        return cast(BinaryIO, _Body(self, key))

    def get(self, key: str, start: int) -> Any:
        """The body of an object from a position on; None: it is not there."""
        asked = {"Range": f"bytes={start}-"} if start else {}
        asked.update(self._version(key))
        try:
            return self._client.api.get_object(**self._place(key), **asked)["Body"]
        except failures() as exc:
            if code_of(exc) in MISSING:
                return None
            raise

    def put(self, key: str, data: bytes) -> None:
        with self.errors("write", key):
            made = small.put(self._client, self._top + key, data)
        if self._is_versioned():
            version = self._chosen[key] = made.get("VersionId") or _NO_VERSION
            with self.errors("remove the old versions of", key):
                remove_all(self._client, [self._top + key], [version, *self._first(key)])

    def _first(self, key: str) -> list[str]:
        """The version of a lock that says who created it."""
        if "/.state/lock/" not in key:
            return []
        return self._first_of(key)

    def _first_of(self, key: str) -> list[str]:
        found = [one for _page, some in all_versions(self._client, self._top + key) for one in some]
        return [one.versions[0]["VersionId"] for one in found if one.key == self._top + key and one.versions]

    def _no_versions(self) -> RepositoryError:
        return RepositoryError(
            f"{self.location} can't be used: versioning of its bucket is no longer enabled.",
            "Two runs could overwrite each other's objects. Enable it again.",
        )

    def create(self, key: str, data: bytes) -> bool:
        if self.exclusive == VERSIONS:
            return self._create_version(key, data)
        with self.errors("write", key):
            made = self._client.create(lambda: small.put(self._client, self._top + key, data), insist=not self._probing)
        # an answer that was lost makes the next try meet what this one has written
        return made or (bool(data) and self.read(key) == data)

    def _create_version(self, key: str, data: bytes) -> bool:
        """The oldest version counts: of all who try, one finds its own there."""
        if not self._is_versioned() or self._versioning != _ENABLED:  # it would be written over
            raise self._no_versions()
        with self.errors("write", key):
            made = self._client.api.put_object(**self._place(key), **self._client.extra, Body=bytearray(data))
            mine = made.get("VersionId") or _NO_VERSION
            if mine == _NO_VERSION:
                raise self._no_versions()
            first = next(iter(self._first_of(key)), None)
            if first is None:  # removed meanwhile, by who holds a later lock
                return False
            self._chosen[key] = first
            if first == mine:
                return True
            self._client.api.delete_object(**self._place(key), VersionId=mine)
            # an answer that was lost makes the next try meet what this one has written
            there = self._client.api.get_object(**self._place(key), VersionId=first)["Body"].read()
            return bool(data) and bool(there == data)

    def upload(self, key: str, size: Optional[int] = None, check: Callable[[], None] = lambda: None) -> S3Upload:
        return S3Upload(
            self._client, self._top, key, self._pool, self.errors, size=size, check=check, checksums=self.checksums
        )

    def remove(self, keys: Iterable[str]) -> None:
        gone = [self._top + key for key in keys]
        if not gone:
            return
        with self.errors("remove", gone[0]):
            if self._is_versioned():
                refused = remove_all(self._client, gone)
            else:
                refused = remove(self._client, [{"Key": key} for key in gone])
        for key in gone:
            self._chosen.pop(key[len(self._top) :], None)
        for failed in refused:
            raise Unreachable(
                f"Can't remove s3://{self._bucket}/{failed['Key']}: {failed.get('Message') or failed.get('Code')}.",
                "Allow the key s3:DeleteObject.",
            )

    def abort_uploads(self, prefix: str, is_left: Callable[[str], bool] = lambda key: True) -> int:
        with self.errors("list the unfinished uploads of", prefix.rstrip("/")):
            found = list(small.uploads(self._client, self._top + prefix))
            ended = 0
            for one in found:
                if not is_left(one["Key"][len(self._top) :]):
                    continue
                ended += 1
                with contextlib.suppress(self._client.api.exceptions.NoSuchUpload):
                    self._client.api.abort_multipart_upload(
                        Bucket=self._bucket, Key=one["Key"], UploadId=one["UploadId"]
                    )
        return ended

    def check_locking(self, wanted: bool) -> None:
        if wanted or self._is_versioned():
            with self.errors("look at the locks of", ""):
                s3_locking.check(self._client, self.location, wanted)

    def retain(self, keys: Iterable[str], seconds: float, mode: str) -> datetime:
        with self.errors("list", ""):
            page = self._client.api.list_objects_v2(Bucket=self._bucket, Prefix=self._top, MaxKeys=1)
        until = s3_locking.later(_date(page), seconds)
        for key in keys:
            version = self._version(key)
            with self.errors("lock", key):
                s3_locking.retain(self._client, {**self._place(key), **version}, until, mode)
        return until

    def locked_until(self, key: str) -> Optional[datetime]:
        if not self._is_versioned():
            return None
        version = self._version(key)
        with self.errors("look at", key):
            return s3_locking.until_of(self._client, {**self._place(key), **version})

    def traits(self) -> str:
        return f"{self.place} {self._versioning if self._is_versioned() else ''}"

    def prove_checksums(self) -> None:
        key = f".day2/probe-{secrets.token_hex(8)}"
        with self.errors("write", key):
            proved = refuses_wrong_ones(self._client, self._place(key))
        if not proved:
            self.remove([key])
            raise RepositoryError(
                f"read_back=checksum can't be used with {self.location}: its server stores data with a wrong checksum.",
                FULL,
            )

    def probe(self) -> str:
        key = f".day2/probe-{secrets.token_hex(8)}"
        self.exclusive, self._probing = CONDITIONAL, True
        try:
            refuses = self.create(key, b"first") and not self.create(key, b"second") and self._client.conditions
        except TaskEnded:
            with contextlib.suppress(Day2Error):  # the earlier error tells more
                self.remove([key])
            raise
        finally:
            self._probing = False
        self.remove([key])
        if refuses:
            return CONDITIONAL
        if self._versioning == _ENABLED:
            return VERSIONS
        raise RepositoryError(
            f"{self.location} can't be a repository: its server does not support conditional writes.",
            "Two runs could overwrite each other's objects. Enable versioning of the bucket, or use another server.",
        )


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
            except cuts() as exc:
                if not left:
                    raise Interrupted(
                        f"The connection was cut while {self._objects.location}/{self._key} was read: {exc}.",
                        "Run again.",
                    ) from exc
                time.sleep(0.1 * 2 ** (_TRIES - left))
                self._again()
            else:
                self._position += len(data)
                if self._objects.pace is not None:
                    self._objects.pace.take(len(data))
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
