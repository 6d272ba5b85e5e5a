# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a recovery reports: a row for each stage and each set, and whether the objective was met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ..module_utils._core.units import format_duration, parse_duration, parse_time
from .recovery_sets import Facts, Set
from .recovery_state import FAILED, KEPT, MISSING, STAGES, State

UP = "verify"  # the stage after which users have the system back


def rows_of(sets: Sequence[Set], new: State, facts: Facts) -> Iterator[dict[str, Any]]:
    """A row for each stage, and for each set."""
    said = {(event["stage"], event.get("set") or ""): event for event in facts.get("log") or []}
    for stage in STAGES:
        if stage != "data":
            yield {
                "stage": stage,
                "name": "",
                "rto": "",
                **_outcome(said.get((stage, "")), new["stages"].get(stage, {})),
            }
            continue
        for one in sets:
            noted = new["sets"].get(one["name"], {})
            row = {"stage": one["stage"], "name": one["name"], "rto": one["rto"]}
            row.update(_outcome(said.get(("data", one["name"])), noted))
            if "at" in noted and row["status"] != FAILED:
                row["after"] = _between(new["started"], noted["at"])
            yield row


def _outcome(event: Optional[Mapping[str, Any]], noted: Mapping[str, Any]) -> dict[str, Any]:
    if "at" in noted and (event is None or event["status"] == KEPT):
        return {"status": KEPT, "seconds": noted["seconds"], "msg": f"done at {noted['at']}, by an earlier run"}
    if event is None:
        return {"status": MISSING, "seconds": None, "msg": ""}
    return {key: event[key] for key in ("status", "seconds", "msg")}


def _between(began: str, ended: str) -> float:
    return round((parse_time(ended) - parse_time(began)).total_seconds(), 1)


def line_of(row: Mapping[str, Any]) -> str:
    """A row as an aligned line."""
    took = "" if row["seconds"] is None else format_duration(row["seconds"])
    back = ""
    if row.get("after") is not None:
        back = f"back after {format_duration(max(row['after'], 0))}"
        if row["rto"]:
            within = row["after"] <= parse_duration(row["rto"])
            back += f", {'within' if within else 'longer than'} its rto of {row['rto']}"
    text = "; ".join(part for part in (back, row["msg"]) if part)
    return f"{row['stage']:<13} {row['name'] or '-':<24} {row['status']:<8} {took:>7}  {text}".rstrip()


def result_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as an entry of an artifact."""
    name = f"{row['stage']}: {row['name']}" if row["name"] else row["stage"]
    return {
        "name": name,
        "status": row["status"],
        "seconds": row["seconds"],
        "after": row.get("after"),
        "msg": row["msg"],
    }


def objective_of(sets: Sequence[Set], new: State, facts: Facts) -> dict[str, Any]:
    """How long it took until users had the system back, and how long it may take: the longest objective of the sets,
    unless the system has one."""
    rto = facts.get("rto") or max((one["rto"] for one in sets if one["rto"]), key=parse_duration, default="")
    up = new["stages"].get(UP, {}).get("at")
    after = _between(new["started"], up) if up else None
    within = None if after is None or not rto else after <= parse_duration(rto)
    msg = "The system is not back."
    if after is not None:
        msg = f"The system was back after {format_duration(max(after, 0))}"
        msg += "." if within is None else f", {'within' if within else 'longer than'} the objective of {rto}."
    return {"rto": rto or None, "after": after, "within": within, "msg": msg}
