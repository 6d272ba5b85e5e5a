# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backup is drilled: the newest, a sample, or a named one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ..._core.errors import InvalidRequest
from ..._repository.history import History, select
from ..._repository.manifest import Manifest
from ..._repository.owner import this_host
from ..restore_choice import Choice, choice_from
from .outcome import Report

NEWEST, SAMPLE = "newest", "sample"
_TURN = 0x9E3779B97F4A7C15  # 2^64 / the golden ratio
_WHOLE = 1 << 64


def position(date: datetime, host: str, name: str, count: int) -> int:
    """Which of `count` backups, oldest first, has its turn on a date (UTC).

    The part of the line that has its turn moves on by the golden ratio each day. Whatever the number of days between
    two drills and the number of backups are, all of them get their turn, and close ones never follow each other. Hosts
    and sets begin at different places.
    """
    start = int.from_bytes(hashlib.sha256(f"{host}\0{name}".encode("utf-8", "surrogateescape")).digest()[:8], "big")
    return (start + date.toordinal() * _TURN) % _WHOLE * count // _WHOLE


def choice_of(params: Mapping[str, Any], report: Report) -> Choice:
    """The criteria. The rule that was applied is put into the report. Raises InvalidRequest."""
    which, wanted = params["which"], params["backup"]
    if which == SAMPLE and wanted != "latest":
        raise InvalidRequest("which=sample and backup are mutually exclusive.", "Set only one of them.")
    choice = choice_from({**params, "at": None})

    def pick(history: History, name: str) -> Manifest:
        newest = select(history, "latest", None, name)
        if which != SAMPLE:
            _warn_of_newer(history, newest, report)
            return newest
        good: Sequence[Manifest] = history.good
        number = position(datetime.now(timezone.utc), this_host(params["host"]), name, len(good))
        report.rule = f"{SAMPLE}: {number + 1} of {len(good)}, oldest first, is drilled today"
        return good[number]

    report.rule = NEWEST if wanted == "latest" else "named"
    return choice._replace(pick=pick)


def _warn_of_newer(history: History, newest: Manifest, report: Report) -> None:
    second = newest.id.partition("-")[0]  # ids begin with the time; that of a damaged backup is not known more exactly
    damaged = [entry.id for entry in history.entries if entry.problems and entry.id.partition("-")[0] >= second]
    if damaged:
        report.warnings.append(f"Newer backups of the set are damaged, and were not drilled: {', '.join(damaged)}.")
