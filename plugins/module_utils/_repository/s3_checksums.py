# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checksums that a server of S3 computes of what it has stored, in place of reading it back."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Mapping
from typing import Any, Optional

from .._core.errors import RepositoryError
from .._core.s3 import S3Client, code_of, failures
from .pieces import Piece

# How servers refuse data that does not have the checksum that was sent with it
_REFUSED = ("BadDigest", "InvalidDigest", "InvalidRequest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch")
FULL = "Set read_back=full."


class Checksum:
    """What was sent of an object: of all of it, and of its parts, of which the server computes its own.

    :param used: False: nothing is computed.
    """

    def __init__(self, used: bool) -> None:
        self.used = used
        self.bytes = 0
        self._whole = hashlib.sha256()
        self._parts: list[bytes] = []

    def add(self, data: bytearray) -> dict[str, str]:
        """The next part. Returns what goes with its request."""
        if not self.used:
            return {}
        self.bytes += len(data)
        self._whole.update(data)
        self._parts.append(hashlib.sha256(data).digest())
        return {"ChecksumSHA256": _text(self._parts[-1])}

    def of_part(self, number: int) -> dict[str, str]:
        """What goes with a part when the object is completed."""
        return {"ChecksumSHA256": _text(self._parts[number - 1])} if self.used else {}

    def confirmed(self, client: S3Client, place: Mapping[str, str], key: str, whole: bool) -> Piece:
        """The object, if the server has the same checksum of it. Raises RepositoryError if not.

        :param whole: it was sent in one request, and not in parts.
        """
        head = client.api.head_object(**place, ChecksumMode="ENABLED")
        told = str(head.get("ChecksumSHA256") or "")
        of_parts = _text(hashlib.sha256(b"".join(self._parts)).digest())
        expected = (_text(self._whole.digest()),) if whole else (of_parts, f"{of_parts}-{len(self._parts)}")
        if not told:
            raise RepositoryError(f"The server returned no checksum of s3://{client.bucket}/{key}.", FULL)
        if told not in expected or head["ContentLength"] != self.bytes:
            raise RepositoryError(
                f"The checksum of s3://{client.bucket}/{key} on the server differs from that of the uploaded data.",
                "Nothing was published. Run again.",
            )
        return Piece(key, self.bytes, self._whole.hexdigest())


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def refuses_wrong_ones(client: S3Client, place: Mapping[str, str]) -> bool:
    """Whether the server refuses data with a wrong checksum, as an object and as a part. Nothing is left of it."""
    wrong = {"Body": b"data", "ChecksumSHA256": _text(hashlib.sha256(b"other data").digest())}
    upload: Optional[str] = None
    try:
        made = client.api.create_multipart_upload(**place, ChecksumAlgorithm="SHA256")
        upload = made["UploadId"]
        part = {"UploadId": upload, "PartNumber": 1}
        return _is_refused(client.api.put_object, **place, **wrong) and _is_refused(
            client.api.upload_part, **place, **part, **wrong
        )
    finally:
        if upload is not None:
            with contextlib.suppress(*failures()):
                client.api.abort_multipart_upload(**place, UploadId=upload)


def _is_refused(call: Any, **asked: Any) -> bool:
    try:
        call(**asked)
    except failures() as exc:
        if code_of(exc) in _REFUSED:
            return True
        raise
    return False
