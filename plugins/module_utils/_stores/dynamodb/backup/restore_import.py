# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has AWS import its own exports from S3 into new tables."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from ...._core.errors import TargetError
from ...._core.progress import Progress
from ..tables import Table
from ..write import Writer
from .increments import COMPLETE, STARTED, mark, mark_of, mark_with, requests
from .native import ask, follow
from .restore_reference import NewTable
from .s3_export import S3Exports, creation_parameters, place_of

_UNDERWAY = "IN_PROGRESS"


class ImportedTable(NewTable):
    """A table that AWS makes from a full export. Every item of it is counted, none is read.

    What incremental exports have is written to it afterwards, by us, as AWS can't import them.
    """

    _arn = ""  # of the import

    def begin(self) -> None:
        """Have AWS begin. Raises TargetError."""
        answer = self._ask(
            "import_table",
            ClientToken=str(uuid.uuid4()),  # a call that is repeated begins no second import
            S3BucketSource=self._source(),
            InputFormat="DYNAMODB_JSON",
            InputCompressionType="GZIP",
            TableCreationParameters=self._creation(),
        )
        self._arn = answer["ImportTableDescription"]["ImportArn"]

    def check(self, trouble: str) -> None:
        """As of others, and whether an import can make such a table."""
        super().check(trouble)
        if self.missing:
            self._creation()

    def finish(self, progress: Progress) -> None:
        """Wait for the import, compare the number of items, and add the settings. Raises TargetError."""
        found: list[Mapping[str, Any]] = []

        def ended() -> bool:
            found.append(self._ask("describe_import", ImportArn=self._arn)["ImportTableDescription"])
            return bool(found[-1]["ImportStatus"] != _UNDERWAY)

        if self._arn:
            follow(progress, ended)
            self._check_items(found[-1])
        super().finish(progress)

    def check_origin(self, table: Table) -> None:
        """A table that exists is only accepted if AWS says that it was imported from the same export."""
        wanted, arguments = self._source(), {"TableArn": table.described["TableArn"]}
        while True:
            answer = self._ask("list_imports", **arguments)
            for one in answer.get("ImportSummaryList", ()):
                source = one.get("S3BucketSource") or {}
                same = {name: source.get(name) for name in wanted} == wanted
                if same and one.get("ImportStatus") in ("COMPLETED", _UNDERWAY) and self._has_made(one, table):
                    self.underway = one["ImportStatus"] == _UNDERWAY
                    self._arn = one["ImportArn"] if self.underway else ""
                    self._check_mark(table)
                    return
            if not answer.get("NextToken"):
                raise self.exists()
            arguments["NextToken"] = answer["NextToken"]

    def _has_made(self, one: Mapping[str, Any], table: Table) -> bool:
        """Whether an import has made this table, and not one of this name that was there before: both have one ARN."""
        told = self._ask("describe_import", ImportArn=one["ImportArn"])["ImportTableDescription"]
        return bool(told.get("TableId") == table.described.get("TableId"))

    def complete(self, table: Table, progress: Progress) -> None:
        """Write what the incremental exports have, in order. Raises TargetError."""
        if not self.references[1:] or not (self.made or self.underway or self.unfinished):
            return
        client, last, exports = self.store.client, self.references[-1], S3Exports(self.store)
        mark(client, table, last, STARTED)
        for one in self.references[1:]:
            with Writer(client, table, self.store.jobs) as writer:
                for request in requests(exports.records(one), table.key):
                    progress.check()
                    writer.put_texts((request,))
                writer.flush()
                if writer.rejects:
                    raise TargetError(
                        f"The DynamoDB table {self.name} rejects {len(writer.rejects)} items of {one.label}, such as "
                        f"{', '.join(map(str, writer.rejects[0].key or ()))}: {writer.rejects[0].reason}"
                    )
        mark(client, table, last, COMPLETE)

    def _check_mark(self, table: Table) -> None:
        """Whether what the incremental exports have was written to a table. Raises TargetError if that is not known."""
        if self.underway:
            return
        found, last = mark_of(self.store.client, table), self.references[-1]
        wanted = {mark_with(last, COMPLETE): False, mark_with(last, STARTED): True}
        if not self.references[1:]:
            wanted = {"": False}
        if found not in wanted:
            raise TargetError(
                f"The DynamoDB table {self.name} was imported from the same full export, but may not have been "
                "restored from this backup.",
                "Remove or rename the table, or set another prefix of the target, and run again.",
            )
        self.unfinished = wanted[found]

    def _check_items(self, told: Mapping[str, Any]) -> None:
        if told["ImportStatus"] != "COMPLETED":
            raise TargetError(
                f"AWS did not import the DynamoDB table {self.name}: "
                f"{told.get('FailureCode') or told['ImportStatus']}: {told.get('FailureMessage') or 'no reason'}",
                "The log group /aws-dynamodb/imports lists the rejected items.",
            )
        imported = int(told.get("ImportedItemCount") or 0)
        if self.reference.records is not None and imported != self.reference.records:
            raise TargetError(
                f"AWS imported {imported} of {self.reference.records} items into the DynamoDB table {self.name}.",
                "The log group /aws-dynamodb/imports lists the rejected items.",
            )

    def _source(self) -> dict[str, str]:
        place = place_of(self.reference)
        return {"S3Bucket": place.bucket, "S3KeyPrefix": f"{place.folder}data/"}

    def _creation(self) -> dict[str, Any]:
        parameters = creation_parameters(self.name, self.settings.arguments)
        if parameters is None:
            raise TargetError(
                f"AWS can't import the DynamoDB table {self.reference.table}, as it has local secondary indexes.",
                "Import it manually into a table without them, or choose a backup that was made with another method.",
            )
        return parameters

    def _ask(self, operation: str, **arguments: Any) -> Any:
        what = f"Importing the DynamoDB table {self.reference.table} as {self.name} from S3"
        return ask(self.store.client, what, operation, TargetError, **arguments)
