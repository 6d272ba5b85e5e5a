# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incremental exports: which ones continue those of the newest backup, and how their records are written to a table.

AWS exports what was written within 15 minutes to 24 hours, and of each item only how it was at the end. What was both
made and deleted within that time is in no record. So each export begins exactly, to the second, when the one before it
ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Optional

from ...._core.errors import SourceError, TargetError
from ...._core.units import format_time, parse_time
from ..client import Client
from ..tables import Table
from ..values import KeyField
from .items import DELETE, PUT, key_text, text_of
from .native import Reference, ask

INCREMENTAL = "INCREMENTAL_EXPORT"
VIEW = "NEW_IMAGE"
_LEAST, _MOST = timedelta(minutes=15), timedelta(hours=24)
# A table that is being restored has this tag, with the last export: AWS does not tell what was written to it.
MARK = "day2-restore"
STARTED, COMPLETE = "started", "complete"


class Window(NamedTuple):
    """What point-in-time recovery has of a table."""

    first: datetime
    last: datetime


def window_of(client: Client, table: Table) -> Optional[Window]:
    """None: it is off, or has nothing yet. Raises SourceError."""
    what = f"Reading the point-in-time recovery of the DynamoDB table {table.name}"
    answer = ask(client, what, "describe_continuous_backups", TableName=table.name)["ContinuousBackupsDescription"]
    found = answer.get("PointInTimeRecoveryDescription") or {}
    first, last = (found.get(f"{one}RestorableDateTime") for one in ("Earliest", "Latest"))
    return Window(first, last) if first and last else None


def continues(chain: Sequence[Reference], table: Table, window: Window, longest: float) -> bool:
    """Whether the next export of a table can be an incremental one.

    :param longest: seconds after which there must be a full one.
    """
    if not chain or chain[0].table_id != str(table.described.get("TableId", "")):
        return False
    full, since = parse_time(chain[0].created), parse_time(chain[-1].created)
    exact = not since.microsecond  # of a full export, AWS has chosen the time if it had none to offer
    return exact and since >= window.first and (window.last - full).total_seconds() <= longest


def spans(since: datetime, until: datetime, table: Table) -> list[tuple[datetime, datetime]]:
    """The times of the exports that are needed. Raises SourceError if AWS can't make any."""
    if until - since < _LEAST:
        raise SourceError(
            f"The newest export of the DynamoDB table {table.name} has its state at {format_time(since)}. AWS can now "
            f"export that of {format_time(until)}, but an incremental export covers 15 minutes or more.",
            "Run again later, or omit full_every to make a full export.",
        )
    number = math.ceil((until - since) / _MOST)
    step = timedelta(seconds=math.ceil((until - since).total_seconds() / number))
    ends = [min(since + step * (one + 1), until) for one in range(number)]
    return list(zip([since, *ends], ends))


def difference(summary: Mapping[str, Any], reference: Reference) -> str:
    """How the manifest of an incremental export is not of its time, as a clause; "" if it is.

    :raises KeyError, Day2Error: it does not say.
    """
    if summary["exportType"] != INCREMENTAL or summary["outputView"] != VIEW:
        return f"its manifest describes {summary['exportType']} with {summary['outputView']}"
    for key, wanted in (("exportFromTime", reference.since), ("exportToTime", reference.created)):
        if wanted is None or parse_time(str(summary[key])) != parse_time(wanted):
            return f"its manifest has the {key} {summary[key]} instead of {wanted}"
    return ""


def requests(records: Iterator[Mapping[str, Any]], key: Sequence[KeyField]) -> Iterator[bytes]:
    """The changes to write for the records of an incremental export. Raises TargetError for an invalid record."""
    for record in records:
        try:
            image = record.get("NewImage")
            yield DELETE % key_text(record["Keys"], key) if image is None else PUT % text_of(image)
        except (AttributeError, KeyError, TypeError) as exc:
            raise TargetError(f"The export has a record that can't be read ({type(exc).__name__}: {exc}).") from None


def mark_of(client: Client, table: Table) -> str:
    """The mark of a table; "" if it has none. Raises TargetError."""
    arguments = {"ResourceArn": table.described["TableArn"]}
    while True:
        what = f"Reading the tags of the DynamoDB table {table.name}"
        answer = ask(client, what, "list_tags_of_resource", TargetError, **arguments)
        for one in answer.get("Tags", ()):
            if one["Key"] == MARK:
                return str(one["Value"])
        if not answer.get("NextToken"):
            return ""
        arguments["NextToken"] = answer["NextToken"]


def mark(client: Client, table: Table, last: Reference, state: str) -> None:
    """Note how far the restore of a table has come. Raises TargetError."""
    what = f"Tagging the DynamoDB table {table.name}"
    tags = [{"Key": MARK, "Value": mark_with(last, state)}]
    ask(client, what, "tag_resource", TargetError, ResourceArn=table.described["TableArn"], Tags=tags)


def mark_with(last: Reference, state: str) -> str:
    """The mark of a table that is restored up to an export."""
    return f"{last.arn.rpartition('/')[2]}:{state}"
