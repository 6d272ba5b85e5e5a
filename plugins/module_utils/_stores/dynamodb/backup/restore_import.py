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
from .native import ask, follow
from .restore_reference import NewTable
from .s3_export import creation_parameters, place_of

_UNDERWAY = "IN_PROGRESS"


class ImportedTable(NewTable):
    """A table that AWS makes from an export. Every item of the export is counted, none is read."""

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
                if same and one.get("ImportStatus") in ("COMPLETED", _UNDERWAY):
                    self.underway = one["ImportStatus"] == _UNDERWAY
                    self._arn = one["ImportArn"] if self.underway else ""
                    return
            if not answer.get("NextToken"):
                raise self.exists()
            arguments["NextToken"] = answer["NextToken"]

    def _check_items(self, told: Mapping[str, Any]) -> None:
        if told["ImportStatus"] != "COMPLETED":
            raise TargetError(
                f"AWS did not import the DynamoDB table {self.name}: "
                f"{told.get('FailureCode') or told['ImportStatus']}: {told.get('FailureMessage') or 'no reason'}",
                "Its log group /aws-dynamodb/imports has the items that were refused.",
            )
        imported = int(told.get("ImportedItemCount") or 0)
        if self.reference.records is not None and imported != self.reference.records:
            raise TargetError(
                f"AWS imported {imported} of {self.reference.records} items into the DynamoDB table {self.name}.",
                "Its log group /aws-dynamodb/imports has the items that were refused.",
            )

    def _source(self) -> dict[str, str]:
        place = place_of(self.reference)
        return {"S3Bucket": place.bucket, "S3KeyPrefix": f"{place.folder}data/"}

    def _creation(self) -> dict[str, Any]:
        parameters = creation_parameters(self.name, self.settings.arguments)
        if parameters is None:
            raise TargetError(
                f"AWS can't import the DynamoDB table {self.reference.table}, as it has local secondary indexes.",
                "Import it by hand into a table without them, or choose a backup that was made with another method.",
            )
        return parameters

    def _ask(self, operation: str, **arguments: Any) -> Any:
        what = f"Importing the DynamoDB table {self.reference.table} as {self.name} from S3"
        return ask(self.store.client, what, operation, TargetError, **arguments)
