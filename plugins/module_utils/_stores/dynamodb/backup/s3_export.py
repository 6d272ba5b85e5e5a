# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports that AWS writes to S3 from point-in-time recovery: started, followed, compared with their manifest, removed.

The data itself is not read: AWS names the files, their numbers of items and their ETags, and S3 says what it has.
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import json
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ...._core.aws import Connection, Exhausted, Refused, Service, hint_for
from ...._core.errors import Day2Error, InvalidRequest, SourceError
from ...._core.progress import Progress
from ...._core.units import format_time, parse_time
from ..client import describe_failure
from ..tables import Table
from . import increments
from .native import Reference, Steps, ask, follow

if TYPE_CHECKING:
    from .store import DynamodbStore

_GONE = ("NoSuchKey", "404", "NoSuchBucket")
_MANY = 1000  # objects that one call removes
_SUMMARY, _FILES = "manifest-summary", "manifest-files"


class Place(NamedTuple):
    """Where an export is: a "folder" ends with a slash."""

    bucket: str
    folder: str

    @property
    def address(self) -> str:
        return f"s3://{self.bucket}/{self.folder}"


class DataFile(NamedTuple):
    """A file of an export, as its manifest says."""

    key: str
    items: int
    etag: str


class _Wrong(Exception):
    """What an export lacks, as a clause."""


class _NoManifest(_Wrong):
    """It was removed, or is not complete."""


class S3Exports:
    """Those of one region into one bucket."""

    def __init__(self, store: DynamodbStore) -> None:
        self._client = store.client
        self._bucket, self._prefix = (str(store.export_to.get(one) or "").strip("/") for one in ("bucket", "prefix"))
        self._full_every = store.full_every
        given: Mapping[str, Any] = {**store.connection, "endpoint_url": store.export_to.get("endpoint_url")}
        self._s3 = Service("s3", "S3", Connection(**given), retries={"mode": "standard", "total_max_attempts": 4})

    def steps(self, name: str, table: Table, earlier: Sequence[Reference]) -> Steps:
        """How the table of a collection is exported: only what was written since, if full_every allows it.

        :raises SourceError: AWS does not tell what it can export, or has exported too much of it.
        :raises MissingDependency: boto3 knows no incremental exports.
        """
        if self._full_every is not None:
            self._client.check_knows("export_table_to_point_in_time", "IncrementalExportSpecification")
        window = None if self._full_every is None else increments.window_of(self._client, table)
        if window is None or self._full_every is None:
            return Steps((), (functools.partial(self.start, name, table),))
        until = window.last.replace(microsecond=0)
        if not increments.continues(earlier, table, window, self._full_every) or any(map(self.trouble, earlier)):
            return Steps((), (functools.partial(self.start, name, table, until),))
        spans = increments.spans(parse_time(earlier[-1].created), until, table)
        return Steps(earlier, [functools.partial(self.start, name, table, end, since) for since, end in spans])

    def start(
        self, name: str, table: Table, until: Optional[datetime] = None, since: Optional[datetime] = None
    ) -> Reference:
        """Begin an export of the table of a collection as it is now, or was; or of what was written since a time.

        :raises SourceError: AWS refuses it.
        """
        arguments: dict[str, Any] = {
            "TableArn": table.described["TableArn"],
            "S3Bucket": self._bucket,
            "ExportFormat": "DYNAMODB_JSON",
            "ClientToken": str(uuid.uuid4()),  # a call that is repeated starts no second export
            **({"S3Prefix": self._prefix} if self._prefix else {}),
        }
        if since is not None:
            span = {"ExportFromTime": since, "ExportToTime": until, "ExportViewType": increments.VIEW}
            arguments.update(ExportType=increments.INCREMENTAL, IncrementalExportSpecification=span)
        elif until is not None:
            arguments["ExportTime"] = until
        what = f"Exporting the DynamoDB table {table.name} to {self._bucket}"
        made = ask(self._client, what, "export_table_to_point_in_time", **arguments)["ExportDescription"]
        return Reference(
            *(name, table.name, str(table.described["TableArn"]), str(table.described.get("TableId", ""))),
            *(made["ExportArn"], self._place(made["ExportArn"]).address),
            format_time(until or made.get("ExportTime") or made["StartTime"]),
            since=None if since is None else format_time(since),
        )

    def complete(self, reference: Reference, progress: Progress) -> Reference:
        """Wait until an export is complete, and compare it with its manifest. Returns it with its size.

        :raises SourceError: it failed, or S3 does not have all of it.
        """
        found: list[Mapping[str, Any]] = []
        what = f"Following the export of the DynamoDB table {reference.table}"

        def complete() -> bool:
            found.append(ask(self._client, what, "describe_export", ExportArn=reference.arn)["ExportDescription"])
            return bool(found[-1]["ExportStatus"] != "IN_PROGRESS")

        follow(progress, complete)
        told = found[-1]
        trouble = ""
        if told["ExportStatus"] != "COMPLETED":
            trouble = f"{told.get('FailureCode') or told['ExportStatus']}: {told.get('FailureMessage') or 'no reason'}"
        reference = reference._replace(
            bytes=int(told["BilledSizeBytes"]) if "BilledSizeBytes" in told else None, records=told.get("ItemCount")
        )
        trouble = trouble or self.trouble(reference)
        if trouble:
            raise SourceError(
                f"The export of the DynamoDB table {reference.table} is not usable: {trouble}.", "Run again."
            )
        return reference

    def trouble(self, reference: Reference) -> str:
        """Why an export can't be imported, as a clause; "" if it can. Raises SourceError if S3 does not tell."""
        try:
            place = place_of(reference)
            files = self._files(reference, place)
            objects = dict(self._objects(_data(reference, place)))
            for one in files:
                if one.key not in objects:
                    return f"{place.bucket} has no {one.key}"
                if objects[one.key] != one.etag:
                    return f"{one.key} in {place.bucket} was changed since it was exported"
            items = sum(one.items for one in files)
            if reference.records is not None and items != reference.records:
                return f"the files of {place.address} have {items} items instead of {reference.records}"
        except _Wrong as exc:
            return str(exc)
        return ""

    def records(self, reference: Reference) -> Iterator[dict[str, Any]]:
        """What an incremental export has. Raises SourceError if it is not complete."""
        place = place_of(reference)
        try:
            for one in self._files(reference, place):
                yield from self._lines(place, one)
        except _Wrong as exc:
            raise SourceError(f"The export of the DynamoDB table {reference.table} is not usable: {exc}.") from None

    def _lines(self, place: Place, file: DataFile) -> Iterator[dict[str, Any]]:
        """The records in a file. Raises _Wrong when it has others than its manifest says."""
        count = 0
        try:
            answer = self._s3.ask("get_object", Bucket=place.bucket, Key=file.key, IfMatch=f'"{file.etag}"')
            with self._s3.reading(), gzip.GzipFile(fileobj=answer["Body"]) as lines:
                for line in lines:
                    yield json.loads(line)
                    count += 1
        except (Refused, Exhausted) as exc:
            raise _failure(f"Reading s3://{place.bucket}/{file.key}", exc) from None
        except (EOFError, OSError, ValueError, zlib.error) as exc:
            raise _Wrong(f"{file.key} can't be read ({type(exc).__name__}: {exc})") from None
        if count != file.items:
            raise _Wrong(f"{file.key} has {count} items instead of {file.items}")

    def remove(self, reference: Reference) -> None:
        """Remove the files of an export, and at last its manifest. Raises SourceError.

        Only what the manifest of that export names is removed, and what AWS writes beside it.
        """
        place = place_of(reference)
        try:
            files = self._files(reference, place)
        except _NoManifest:
            self._check_gone(reference, place)
            return
        except _Wrong as exc:
            raise SourceError(f"{reference.label} was not removed: {exc}.") from None
        self._delete(place, [one.key for one in files])
        last = [f"{place.folder}{name}" for name in ("_started", *_named(_FILES), *_named(_SUMMARY))]
        self._delete(place, last[:-1])
        self._delete(place, last[-1:])  # what was interrupted is found again by it

    def _check_gone(self, reference: Reference, place: Place) -> None:
        """Raise SourceError when there is something of an export that has no manifest."""
        status = ""
        try:
            told = self._client.ask("describe_export", ExportArn=reference.arn)["ExportDescription"]
            status = told["ExportStatus"]
        except (Refused, Exhausted) as exc:
            if not isinstance(exc, Refused) or exc.code != "ExportNotFoundException":
                raise describe_failure(SourceError, f"Describing {reference.arn}", exc) from None
        if status == "IN_PROGRESS":
            raise SourceError(f"AWS is still exporting to {place.address}, which can't be stopped.")
        if next(self._objects(place), None) is not None:
            raise SourceError(f"{place.address} contains files, but no manifest that lists those of the export.")

    def _files(self, reference: Reference, place: Place) -> list[DataFile]:
        """Those that the manifest names. Raises _Wrong."""
        try:
            summary = json.loads(self._checked(place, _SUMMARY))
            if summary["exportArn"] != reference.arn:
                raise _Wrong(f"{place.address} contains another export, {summary['exportArn']}")
            wrong = increments.difference(summary, reference) if reference.since else ""
            if wrong:
                raise _Wrong(f"{place.address} is not the expected export: {wrong}")
            lines = self._checked(place, _FILES).splitlines()
            files = [_data_file(json.loads(line)) for line in lines if line.strip()]
        except (KeyError, TypeError, ValueError, InvalidRequest) as exc:
            raise _Wrong(f"the manifest in {place.address} can't be read ({type(exc).__name__}: {exc})") from None
        data = _data(reference, place).folder
        foreign = [one.key for one in files if not one.key.startswith(data)]
        if foreign:
            raise _Wrong(f"the manifest in {place.address} names {foreign[0]}, which is elsewhere")
        items = sum(one.items for one in files)
        if items != summary.get("itemCount", items):
            raise _Wrong(f"the manifest in {place.address} has {summary['itemCount']} items, but its files {items}")
        return files

    def _checked(self, place: Place, name: str) -> bytes:
        """A file of the manifest, which has the MD5 that is beside it. Raises _Wrong."""
        document, wanted = (self._read(place, f"{place.folder}{one}") for one in _named(name)[::-1])
        found = base64.b64encode(hashlib.new("md5", document, usedforsecurity=False).digest())
        if wanted.strip() != found:
            raise _Wrong(f"{place.address}{name}.json does not have the MD5 in {name}.md5")
        return document

    def _read(self, place: Place, key: str) -> bytes:
        try:
            body = self._s3.ask("get_object", Bucket=place.bucket, Key=key)["Body"]
            with self._s3.reading():
                content: bytes = body.read()
            return content
        except (Refused, Exhausted) as exc:
            if isinstance(exc, Refused) and exc.code in _GONE:
                raise _NoManifest(f"{place.address} has no manifest") from None
            raise _failure(f"Reading s3://{place.bucket}/{key}", exc) from None

    def _objects(self, place: Place) -> Iterator[tuple[str, str]]:
        """The keys and ETags of what S3 has of an export."""
        arguments: dict[str, Any] = {"Bucket": place.bucket, "Prefix": place.folder}
        while True:
            try:
                answer = self._s3.ask("list_objects_v2", **arguments)
            except (Refused, Exhausted) as exc:
                raise _failure(f"Listing {place.address}", exc) from None
            for one in answer.get("Contents", ()):
                yield one["Key"], str(one["ETag"]).strip('"')
            if not answer.get("NextContinuationToken"):
                return
            arguments["ContinuationToken"] = answer["NextContinuationToken"]

    def _delete(self, place: Place, keys: Sequence[str]) -> None:
        for first in range(0, len(keys), _MANY):
            objects = [{"Key": key} for key in keys[first : first + _MANY]]
            try:
                answer = self._s3.ask("delete_objects", Bucket=place.bucket, Delete={"Objects": objects, "Quiet": True})
            except (Refused, Exhausted) as exc:
                raise _failure(f"Removing {place.address}", exc) from None
            for one in answer.get("Errors", ()):
                raise SourceError(f"{one.get('Key')} in {place.bucket} could not be removed: {one.get('Message')}.")

    def _place(self, arn: str) -> Place:
        """Where AWS writes an export: it documents the folder."""
        folder = f"AWSDynamoDB/{arn.rpartition('/')[2]}/"
        return Place(self._bucket, f"{self._prefix}/{folder}" if self._prefix else folder)


def place_of(reference: Reference) -> Place:
    """Where an export is. Raises SourceError when what is recorded is no such place."""
    bucket, slash, folder = reference.label[len("s3://") :].partition("/")
    own = f"AWSDynamoDB/{reference.arn.rpartition('/')[2]}/"
    if not reference.label.startswith("s3://") or not slash or not f"/{folder}".endswith(f"/{own}"):
        raise SourceError(f"{reference.arn} was not exported to {reference.label}: the reference is wrong.")
    return Place(bucket, folder)


def _data(reference: Reference, place: Place) -> Place:
    """The folder of the data of an export. All incremental ones below a prefix have one in common."""
    folder = place.folder[: place.folder[:-1].rfind("/") + 1] if reference.since else place.folder
    return Place(place.bucket, f"{folder}data/")


def _named(name: str) -> tuple[str, str]:
    return f"{name}.md5", f"{name}.json"


def _data_file(line: Mapping[str, Any]) -> DataFile:
    return DataFile(str(line["dataFileS3Key"]), int(line["itemCount"]), str(line["etag"]).strip('"'))


def _failure(what: str, exc: Exception) -> Day2Error:
    return SourceError(f"{what}: {str(exc).rstrip('.')}.", hint_for(exc, "this bucket"))


def creation_parameters(name: str, arguments: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """What ImportTable creates a table with; None if it can't create one like that."""
    if arguments.get("LocalSecondaryIndexes"):
        return None
    wanted = ("AttributeDefinitions", "KeySchema", "BillingMode", "ProvisionedThroughput", "GlobalSecondaryIndexes")
    return {"TableName": name, **{one: arguments[one] for one in wanted if one in arguments}}
