# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cold entries in S3, or what speaks its protocol: uploaded with a checksum, then downloaded and hashed."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .._core.compression.base import BLOCK
from .._core.errors import InvalidRequest, MissingDependency, TargetError
from .._core.secure_directory import SecureDirectory

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    boto3 = None

# S3 takes no more in one piece; larger files go in parts.
_ONE_PIECE = 5 << 30
_PART = 64 << 20
_PARTS = 10_000
_MISSING = ("404", "NoSuchKey", "NotFound")
_UNKNOWN = ("NotImplemented", "501")
_TAKEN = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409")


class S3Archive:
    """A bucket and a prefix.

    :param destination: s3://bucket/prefix
    :param options: endpoint_url, region, profile, access_key_id, secret_access_key, session_token; what is None is
        found by boto3 the usual ways (environment, ~/.aws, instance profile).
    :raises InvalidRequest: credentials are incomplete.
    :raises MissingDependency: boto3 is not installed.
    """

    def __init__(self, destination: str, options: Mapping[str, Any]) -> None:
        options = {name: value or None for name, value in options.items()}
        _check_credentials(options)
        if boto3 is None:
            raise MissingDependency("boto3", "for a destination in S3")
        self._bucket, _slash, prefix = destination[len("s3://") :].partition("/")
        if not self._bucket:
            raise InvalidRequest(f"{destination} names no bucket.", "Write s3://bucket/prefix.")
        self._prefix = prefix.strip("/")
        with _s3_errors("use", destination):
            session = boto3.session.Session(
                aws_access_key_id=options.get("access_key_id"),
                aws_secret_access_key=options.get("secret_access_key"),
                aws_session_token=options.get("session_token"),
                region_name=options.get("region"),
                profile_name=options.get("profile"),
            )
            self._client = session.client(
                "s3",
                endpoint_url=options.get("endpoint_url"),
                config=Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=10, read_timeout=60),
            )
        self._conditions = True
        for call in ("PutObject", "CompleteMultipartUpload"):
            self._client.meta.events.register(f"before-call.s3.{call}", self._only_if_new)

    def _only_if_new(self, params: dict[str, Any], **_more: Any) -> None:
        """The server itself is to refuse what exists: between our look and our upload others may write."""
        if self._conditions:  # a header, as older releases of boto3 have no argument for it
            params["headers"]["If-None-Match"] = "*"

    def put(self, source: SecureDirectory, name: str, key: str) -> None:
        key, where = self._place(key)
        with source.errors("Can't read", name):
            fd = source.open_file(name)
        with os.fdopen(fd, "rb") as handle:
            digest = _digest(handle)
            if not self._is_kept(key, where, digest):
                with _s3_errors("upload to", where):
                    mine = self._upload_new(handle, os.fstat(fd).st_size, key, digest)
                if not mine:
                    if self._is_kept(key, where, digest):
                        return
                    raise TargetError(
                        f"{where} was refused as one that exists, and then was not there: somebody else works on it.",
                        "The local copy stays. Run again.",
                    )
                with _s3_errors("read back", where):
                    there = self._kept(key)
                if there != digest:
                    raise TargetError(
                        f"{where} did not read back as it was uploaded.",
                        "The local copy stays.",
                    )

    def check(self, source: SecureDirectory, name: str, key: str) -> None:
        key, where = self._place(key)
        with source.errors("Can't read", name):
            fd = source.open_file(name)
        with os.fdopen(fd, "rb") as handle:
            self._is_kept(key, where, _digest(handle))

    def _place(self, key: str) -> tuple[str, str]:
        """The key with the prefix, and its address for people."""
        key = f"{self._prefix}/{key}" if self._prefix else key
        return key, f"s3://{self._bucket}/{key}"

    def _is_kept(self, key: str, where: str, digest: bytes) -> bool:
        with _s3_errors("look at", where):
            there = self._kept(key)
        if there not in (None, digest):
            raise TargetError(
                f"{where} exists already, with another content: not overwritten.", "Move it away and run again."
            )
        return there is not None

    def _kept(self, key: str) -> Optional[bytes]:
        """SHA-256 of the bytes that are kept under a key, downloaded; None: there are none."""
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
        except ClientError as exc:
            if exc.response.get("Error", {}).get("Code") in _MISSING:
                return None
            raise
        digest = hashlib.sha256()
        for data in body.iter_chunks(BLOCK):
            digest.update(data)
        return digest.digest()

    def _upload_new(self, handle: Any, size: int, key: str, digest: bytes) -> bool:
        """False: somebody else was first (or this upload, whose answer was lost)."""
        try:
            self._upload(handle, size, key, digest)
        except ClientError as exc:
            code = exc.response.get("Error", {}).get("Code")
            if code in _TAKEN:
                return False
            if code not in _UNKNOWN or not self._conditions:
                raise
            self._conditions = False  # not every server knows conditions
            self._upload(handle, size, key, digest)
        return True

    def _upload(self, handle: Any, size: int, key: str, digest: bytes) -> None:
        place = {"Bucket": self._bucket, "Key": key}
        handle.seek(0)
        if size <= _ONE_PIECE:
            self._client.put_object(
                **place,
                Body=handle,
                ContentLength=size,
                ChecksumSHA256=base64.b64encode(digest).decode(),
                Metadata={"sha256": digest.hex()},
            )
            return
        started = self._client.create_multipart_upload(**place, Metadata={"sha256": digest.hex()})["UploadId"]
        try:
            parts: list[dict[str, Any]] = []
            length = max(_PART, size // _PARTS + 1)
            while True:
                data = handle.read(length)
                if not data:
                    break
                number = len(parts) + 1
                made = self._client.upload_part(**place, UploadId=started, PartNumber=number, Body=data)
                parts.append({"PartNumber": number, "ETag": made["ETag"]})
            self._client.complete_multipart_upload(**place, UploadId=started, MultipartUpload={"Parts": parts})
        except BaseException:
            # Parts that belong to nothing would be paid for. Why the upload failed is what has to be said.
            with contextlib.suppress(BotoCoreError, ClientError):
                self._client.abort_multipart_upload(**place, UploadId=started)
            raise


def _check_credentials(options: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for half of them: the rest would be taken from elsewhere, and not belong to it."""
    key, secret = options.get("access_key_id"), options.get("secret_access_key")
    if bool(key) != bool(secret):
        given, missing = ("access_key_id", "secret_access_key") if key else ("secret_access_key", "access_key_id")
        raise InvalidRequest(f"s3 has {given} without {missing}.", "Set both, or neither.")
    if options.get("session_token") and not key:
        raise InvalidRequest(
            "s3 has session_token without access_key_id and secret_access_key.", "Set all three, or none of them."
        )
    if key and options.get("profile"):
        raise InvalidRequest("s3 has both profile and access_key_id.", "Set one of them.")


def _digest(handle: Any) -> bytes:
    digest = hashlib.sha256()
    while True:
        data = handle.read(BLOCK)
        if not data:
            return digest.digest()
        digest.update(data)


@contextlib.contextmanager
def _s3_errors(doing: str, where: str) -> Iterator[None]:
    """Turn what boto3 raises into the family's words."""
    try:
        yield
    except (BotoCoreError, ClientError, ValueError) as exc:  # ValueError: an address that is none
        raise TargetError(f"Can't {doing} {where}: {exc}.", "Nothing local was removed.") from exc
