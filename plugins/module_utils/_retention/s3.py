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
from .._core.errors import InvalidRequest, MissingDependency, TargetError
from .._core.secure_directory import SecureDirectory

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    boto3 = None

# The largest object that S3 accepts in one piece; larger files are uploaded in parts.
_ONE_PIECE = 5 << 30
_PART = 64 << 20
_PARTS = 10_000
_MISSING = ("404", "NoSuchKey", "NotFound")
_UNKNOWN = ("NotImplemented", "501")
_TAKEN = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409")


class S3Archive:
    """A bucket and a prefix.

    Raises InvalidRequest when credentials are incomplete, MissingDependency when boto3 is not installed.

    :param destination: s3://bucket/prefix
    :param options: endpoint_url, region, profile, access_key_id, secret_access_key, session_token. If None, boto3 uses
        its usual sources (environment, ~/.aws, instance profile).
    """

    def __init__(self, destination: str, options: Mapping[str, Any]) -> None:
        options = {name: value or None for name, value in options.items()}
        _check_credentials(options)
        if boto3 is None:
            raise MissingDependency("boto3", "for a destination in S3")
        self._bucket, _slash, prefix = destination[len("s3://") :].partition("/")
        if not self._bucket:
            raise InvalidRequest(f"{destination} has no bucket.", "Write s3://bucket/prefix.")
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
        """Let the server reject an object that exists, as others may upload between our check and our upload."""
        if self._conditions:  # a header, as older releases of boto3 lack an argument for it
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
                        f"The upload to {where} was rejected because the object exists, but then it did not "
                        "exist: another process is using it.",
                        "The local copy was kept. Run again.",
                    )
                with _s3_errors("read back", where):
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
        with _s3_errors("look at", where):
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
        """Upload a new object. False: it exists (uploaded by others, or by us if the response was lost)."""
        try:
            self._upload(handle, size, key, digest)
        except ClientError as exc:
            code = exc.response.get("Error", {}).get("Code")
            if code in _TAKEN:
                return False
            if code not in _UNKNOWN or not self._conditions:
                raise
            self._conditions = False  # some servers do not support conditions
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
            # Orphaned parts would cost money. The error of the upload is the one to report.
            with contextlib.suppress(BotoCoreError, ClientError):
                self._client.abort_multipart_upload(**place, UploadId=started)
            raise


def _check_credentials(options: Mapping[str, Any]) -> None:
    """Raise InvalidRequest when credentials are incomplete: the rest would come from another source and not match."""
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
    """Turn exceptions of boto3 into Day2Error."""
    try:
        yield
    except (BotoCoreError, ClientError, ValueError) as exc:  # ValueError: the URL is not valid
        raise TargetError(f"Can't {doing} {where}: {exc}.", "No local file was removed.") from exc
