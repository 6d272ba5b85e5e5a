# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a fleet for programs: a table (CSV) and metrics, from facts that were judged."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from ...module_utils._reports.prometheus import exposition
from .judge_set import FAILING, MEETING, SOON, UNKNOWN
from .page import group_of
from .words import seconds

COLUMNS = (
    *("host", "set", "group", "store", "state", "soon", "age_s", "rpo_s", "drilled_at", "drill", "restore_s", "rto_s"),
    *("copies", "copies_min", "offsite", "offsite_min", "verified_at", "verified", "bytes", "disk_full_at", "reason"),
)
_CODES = {MEETING: 0, SOON: 1, FAILING: 2, UNKNOWN: 3}  # as the statuses of health checks
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(fleet: Mapping[str, Any]) -> bytes:
    """A line for each backup set, in the order of the inventory. What is not known is empty."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for host, one in _sets(fleet):
        row = _row(host, one)
        rows.writerow([_cell(row[column]) for column in COLUMNS])
    return text.getvalue().encode()


def metrics(fleet: Mapping[str, Any]) -> bytes:
    """Metrics in the text format of Prometheus, for the textfile collector of node_exporter."""
    labels = {"fleet": fleet["fleet"]}
    count, families = fleet["judged"]["count"], _Families()
    families.add(
        "day2_fleet_status",
        "Verdict of the fleet: 0 meeting, 1 soon, 2 failing, 3 unknown.",
        labels,
        _CODES[fleet["judged"]["verdict"]],
    )
    for state in (FAILING, UNKNOWN, MEETING, SOON):
        families.add(
            "day2_fleet_sets",
            "Number of backup sets by state. Sets that will soon fail also count as meeting.",
            {**labels, "state": state},
            count[state],
        )
    families.add("day2_fleet_hosts", "Number of hosts.", labels, count["hosts"])
    families.add("day2_fleet_silent_hosts", "Number of hosts that have missed three reports.", labels, count["silent"])
    families.add("day2_fleet_report_timestamp_seconds", "When the report was made.", labels, seconds(fleet["made_at"]))
    if fleet["next_due_at"]:
        families.add(
            "day2_fleet_report_due_timestamp_seconds",
            "When the next report is due.",
            labels,
            seconds(fleet["next_due_at"]),
        )
    if fleet["evidence"]:
        families.add(
            "day2_fleet_evidence_verified",
            "1 if the chain of evidence is unbroken.",
            labels,
            int(fleet["evidence"]["verified"]),
        )
    for host, one in _sets(fleet):
        _of_set(families, {**labels, "host": host["name"], "set": one["name"]}, one)
    return exposition(families.all)


class _Families:
    """Series by metric."""

    def __init__(self) -> None:
        self.all: dict[tuple[str, str], list[tuple[Mapping[str, str], float]]] = {}

    def add(self, name: str, words: str, labels: Mapping[str, str], value: Any) -> None:
        """One series. What is not known (None) has none."""
        if value is not None:
            self.all.setdefault((name, words), []).append((labels, value))


def _of_set(families: _Families, labels: Mapping[str, str], one: Mapping[str, Any]) -> None:
    judged, goals = one["judged"], one["objectives"]
    state = SOON if judged["soon"] else judged["state"]
    families.add("day2_fleet_set_status", "State of a backup set, as day2_fleet_status.", labels, _CODES[state])
    families.add(
        "day2_fleet_set_age_seconds",
        "Age of the newest good backup when the report was made.",
        labels,
        judged["rpo"]["age_s"],
    )
    families.add("day2_fleet_set_rpo_seconds", "Allowed age.", labels, goals["rpo_s"])
    families.add("day2_fleet_set_restore_seconds", "Time that the last drill took.", labels, judged["rto"]["total_s"])
    families.add("day2_fleet_set_rto_seconds", "Allowed time of a restore.", labels, goals["rto_s"])
    families.add(
        "day2_fleet_set_copies",
        "Copies of the newest good backup, the data itself included.",
        labels,
        judged["copies"]["count"],
    )
    families.add("day2_fleet_set_offsite_copies", "Copies on another site.", labels, judged["copies"]["offsite"])
    families.add("day2_fleet_set_bytes", "Size of all backups of a set.", labels, (one["size"] or {}).get("bytes"))


def _sets(fleet: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for host in fleet["hosts"]:
        for one in host["sets"]:
            yield host, one


def _row(host: Mapping[str, Any], one: Mapping[str, Any]) -> dict[str, Any]:
    judged, goals, drill, size = one["judged"], one["objectives"], one["last_drill"] or {}, one["size"] or {}
    disk: Mapping[str, Any] = next((each["judged"] for each in host["disks"] if each["path"] == one["disk"]), {})
    return {
        "host": host["name"],
        "set": one["name"],
        "group": group_of(host),
        "store": one["store"],
        "state": judged["state"],
        "soon": "yes" if judged["soon"] else "no",
        "age_s": judged["rpo"]["age_s"],
        "rpo_s": goals["rpo_s"],
        "drilled_at": drill.get("at"),
        "drill": drill.get("result"),
        "restore_s": judged["rto"]["total_s"],
        "rto_s": goals["rto_s"],
        "copies": judged["copies"]["count"],
        "copies_min": judged["copies"]["min"],
        "offsite": judged["copies"]["offsite"],
        "offsite_min": judged["copies"]["offsite_min"],
        "verified_at": (one["verification"] or {}).get("at"),
        "verified": judged["verified"],
        "bytes": size.get("bytes"),
        "disk_full_at": disk.get("full_at"),
        "reason": " ".join(reason["text"] for reason in judged["reasons"]),
    }


def _cell(value: Any) -> str:
    """Text that a spreadsheet would take for a formula begins with an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.1f}"
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
