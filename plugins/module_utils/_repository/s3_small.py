# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small requests that a run makes which finds nothing to do: without boto3, where that is possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Optional
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from .._core.s3 import MISSING, S3Client, code_of, failures

_LISTING = "ListBucketResult"
_TIME = "%Y-%m-%dT%H:%M:%S"


def read(client: S3Client, key: str, version: Mapping[str, str]) -> Optional[bytes]:
    """The content of an object; None: it is not there."""
    answer = None if version else client.ask("GetObject", key)
    if answer is not None:
        return answer.body if answer.status == 200 else None
    try:
        body: bytes = client.api.get_object(Bucket=client.bucket, Key=key, **version)["Body"].read()
    except failures() as exc:
        if code_of(exc) in (*MISSING, "NoSuchBucket"):
            return None
        raise
    return body


def put(client: S3Client, key: str, data: bytes) -> Mapping[str, Any]:
    """Write an object."""
    answer = None if client.extra else client.ask("PutObject", key, data)
    if answer is not None and answer.status < 300:
        return {"VersionId": answer.headers.get("x-amz-version-id")}
    # of bytes, boto3 would ask first whether they are welcome, which takes another round trip
    made: Mapping[str, Any] = client.api.put_object(Bucket=client.bucket, Key=key, Body=bytearray(data), **client.extra)
    return made


def versioning(client: S3Client) -> str:
    """Enabled, Suspended, or "" for a bucket that never kept versions."""
    root = _document(client, "GetBucketVersioning", "VersioningConfiguration", versioning="")
    if root is not None:
        return root.findtext("Status") or ""
    told = client.api.get_bucket_versioning(Bucket=client.bucket)
    return told.get("Status") or ""


def page(client: S3Client, **asked: Any) -> Mapping[str, Any]:
    """One page of a listing, as boto3 gives it."""
    names = {"Prefix": "prefix", "Delimiter": "delimiter", "ContinuationToken": "continuation-token"}
    query = {names[name]: value for name, value in asked.items()}
    answer = client.ask("ListObjectsV2", **{"list-type": "2", **query})
    if answer is not None and answer.status == 200:
        try:
            root = answer.document
            if root.tag != _LISTING:  # it may be an error, in spite of the status
                raise ValueError(root.tag)
            return {
                "Contents": [_object(one) for one in root.findall("Contents")],
                "CommonPrefixes": [{"Prefix": one.findtext("Prefix") or ""} for one in root.findall("CommonPrefixes")],
                "IsTruncated": root.findtext("IsTruncated") == "true",
                "NextContinuationToken": root.findtext("NextContinuationToken"),
                "ResponseMetadata": {"HTTPHeaders": answer.headers},
            }
        except (ParseError, ValueError):  # of names that XML can't have, only boto3 makes sense
            pass
    told: Mapping[str, Any] = client.api.list_objects_v2(Bucket=client.bucket, **asked)
    return told


def _object(one: Element) -> dict[str, Any]:
    moment = datetime.strptime((one.findtext("LastModified") or "")[:19], _TIME).replace(tzinfo=timezone.utc)
    size = int(one.findtext("Size") or "")
    return {"Key": one.findtext("Key") or "", "Size": size, "LastModified": moment, "ETag": one.findtext("ETag") or ""}


def uploads(client: S3Client, prefix: str) -> Iterator[Mapping[str, Any]]:
    """The unfinished uploads below a prefix, as boto3 gives them."""
    root = _document(client, "ListMultipartUploads", "ListMultipartUploadsResult", uploads="", prefix=prefix)
    if root is not None and root.find("Upload") is None and root.findtext("IsTruncated") != "true":
        return
    for some in client.api.get_paginator("list_multipart_uploads").paginate(Bucket=client.bucket, Prefix=prefix):
        for one in some.get("Uploads", ()):
            if one["Key"].startswith(prefix):
                yield one


def delete(client: S3Client, objects: Sequence[Mapping[str, str]]) -> Sequence[Mapping[str, Any]]:
    """Remove objects or versions. Returns what the server refused."""
    top = Element("Delete", xmlns="http://s3.amazonaws.com/doc/2006-03-01/")
    for one in objects:
        entry = SubElement(top, "Object")
        for name in sorted(one):
            SubElement(entry, name).text = one[name]
    SubElement(top, "Quiet").text = "true"
    root = _document(client, "DeleteObjects", "DeleteResult", tostring(top), delete="")
    if root is not None:
        return [{part.tag: part.text or "" for part in one} for one in root.findall("Error")]
    asked = {"Objects": list(objects), "Quiet": True}
    refused: Sequence[Mapping[str, Any]] = client.api.delete_objects(Bucket=client.bucket, Delete=asked).get(
        "Errors", ()
    )
    return refused


def _document(client: S3Client, operation: str, tag: str, body: bytes = b"", **query: str) -> Optional[Element]:
    answer = client.ask(operation, "", body, **query)
    try:
        root = answer.document if answer is not None and answer.status == 200 else None
    except ParseError:
        return None
    return root if root is not None and root.tag == tag else None  # it may be an error, in spite of the status
