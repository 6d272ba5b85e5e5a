# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an update of records has done, or would do, and which batches failed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Optional

from ..._core.errors import Cancelled
from ..._core.plain_json import plain
from ..._core.units import plural
from ..._stores.records.editor import Change
from ..._stores.records.model import Info, Record
from .collection import shown_key

_SHOWN = 20  # changed records in the diff


class TooManyErrors(Exception):
    """More batches failed than the user allows: the others are not tried."""


class Outcome:
    """Counts of records and batches. `gone`: records that were removed meanwhile, or no longer meet the conditions.
    `not_tried`: records of batches that were left after too many had failed.

    :param max_errors: how many batches may fail before the rest is not tried; None: any number.
    """

    def __init__(self, max_errors: Optional[int]) -> None:
        self.total = self.updated = self.unchanged = self.gone = self.conflicts = self.retried = self.batches = 0
        self.not_tried = 0
        self.errors: list[dict[str, Any]] = []
        self.warnings: list[str] = []
        self.backup: Optional[str] = None
        self._max_errors = max_errors
        self._before: list[str] = []
        self._after: list[str] = []

    def begin(self) -> None:
        """What was planned is now done: count what is written."""
        self.updated = 0

    def failed(self, info: Info, records: Sequence[Record], error: str) -> None:
        """Record that a batch, or the rest of one, was not written.

        :raises TooManyErrors: it was one too many.
        """
        self.errors.append(
            {
                "first_key": shown_key(info, records[0]),
                "last_key": shown_key(info, records[-1]),
                "records": len(records),
                "error": error.rstrip("."),
            }
        )
        if self._max_errors is not None and len(self.errors) > self._max_errors:
            raise TooManyErrors

    def give_up(self) -> None:
        """Too many batches can't be changed as planned: nothing is written."""
        self.updated = 0
        self.not_tried = self.total - self.unchanged - self._failed()
        self._before, self._after = [], []

    def stopped(self, exc: Cancelled) -> Cancelled:
        """A cancellation, with what was written before it."""
        self.not_tried = self.total - self.updated - self.unchanged - self.gone - self._failed()
        result = self.result(check=False)
        told = result.pop("msg")
        del result["diff"]  # of all that was planned
        return Cancelled(f"{exc.message} Before that: {told}" if self.updated else exc.message, exc.hint, result)

    def _failed(self) -> int:
        return sum(one["records"] for one in self.errors)

    def show(self, info: Info, changes: Sequence[Change]) -> None:
        """Add changes to the diff: the fields that differ, of the first records."""
        for old, new, _absent in changes[: _SHOWN - len(self._before)]:
            differing = [name for name in sorted({**old, **new}) if (name, old.get(name)) != (name, new.get(name))]
            for texts, record in ((self._before, old), (self._after, new)):
                fields = {name: plain(record[name]) for name in differing if name in record}
                texts.append(f"{shown_key(info, record)}: {json.dumps(fields, default=str, ensure_ascii=False)}\n")

    def result(self, check: bool) -> dict[str, Any]:
        """The result of the module, without its duration."""
        failed = self._failed() + self.not_tried
        not_tried = f", {self.not_tried} not tried" if self.not_tried else ""
        words = f"{self.updated} of {plural(self.total, 'record')} {'would be ' if check else ''}updated"
        more = f"\n... of {self.updated} records\n" if self.updated > len(self._before) else ""
        return {
            "changed": bool(self.updated),
            "msg": f"{words}, {self.unchanged} unchanged{not_tried}.",
            "total": self.total,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "not_tried": self.not_tried,
            "gone": self.gone,
            "conflicts": self.conflicts,
            "retried": self.retried,
            "batches": self.batches,
            "errors": self.errors,
            "success_rate": round(1 - failed / self.total, 4) if self.total else None,
            "safety_backup": self.backup,
            "diff": {"before": "".join(self._before) + more, "after": "".join(self._after) + more},
            "warnings": self.warnings,
        }
