# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From facts to a verdict: the one place where a fleet is judged.

What this adds (`judged` in the fleet, its hosts, disks and sets) is all that the page, the tables, the metrics and the
exit status show, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .attention import attention
from .commands import Commands, Limits
from .judge_set import FAILING, MEETING, MISSED, SOON, SOON_FULL, UNKNOWN, Reason, judge_set
from .words import DAY, iso, plural, seconds, span, trend

STAGES = ("fetch", "decrypt", "restore", "verify", "probe")
DAYS = 90
_EVENTS = 20
_FURTHEST = 10 * 365  # days after which a date would only seem exact


def judge(fleet: dict[str, Any]) -> dict[str, Any]:
    """Add `judged` to the facts, and return them. Every optional key must be there."""
    now, inventory = seconds(fleet["made_at"]), fleet["made_by"]["inventory"]
    for host in fleet["hosts"]:
        host["judged"] = _host(host, now)
        for disk in host["disks"]:
            disk["judged"] = _disk(disk, now)
        for one in host["sets"]:
            one["judged"] = judge_set(host, one, inventory, now)
    problems = [problem for host in fleet["hosts"] for problem in _problems(host, Commands(inventory, host["name"]))]
    limits = Limits()
    count = _count(fleet["hosts"])
    verdict, sentence = _verdict(count, problems, fleet["evidence"])
    sets = [one for host in fleet["hosts"] for one in host["sets"]]
    fleet["judged"] = {
        "verdict": verdict,
        "sentence": sentence,
        "count": count,
        "attention": attention(problems, limits),
        "limits": limits.files,
        "events": _recent(fleet["events"]),
        "stages": list(STAGES),
        "never_drilled": sum(1 for one in sets if one["judged"]["never_drilled"]),
        # Sets with a failed run, and sets with a missing one, per day
        "days": [[sum(1 for one in sets if one["runs"][day] == letter) for day in range(DAYS)] for letter in "fm"],
    }
    return fleet


def _host(host: Mapping[str, Any], now: float) -> dict[str, Any]:
    heard = host["last_report_at"]
    quiet = now - seconds(heard) if heard else None
    return {"silent": quiet is None or quiet > MISSED * host["report_every_s"], "silent_s": quiet}


def _disk(disk: Mapping[str, Any], now: float) -> dict[str, Any]:
    growth = trend(disk["used_samples"]) / disk["sample_every_s"] * DAY
    free = max(0, disk["capacity_bytes"] - disk["used_bytes"])
    days = 0.0 if not free else free / growth if growth > 0 else None
    return {
        "used_ratio": disk["used_bytes"] / disk["capacity_bytes"],
        "growth_bytes_per_day": growth,
        "full_in_days": days,
        "full_at": iso(now + days * DAY) if days is not None and days < _FURTHEST else None,
        "state": FAILING if not free else SOON if days is not None and days * DAY <= SOON_FULL else MEETING,
    }


def _problems(host: Mapping[str, Any], commands: Commands) -> Iterator[dict[str, Any]]:
    """The reasons of a host and of its sets. What a silent host said last of itself is not news."""
    found = [*(_silent(host, commands) if host["judged"]["silent"] else _of_host(host, commands))]
    for level, code, text, do, command, weight in found:
        yield {**asdict(Reason(level, code, text, do, command, weight)), "host": host["name"], "set": None}
    for one in host["sets"]:
        for reason in one["judged"]["reasons"]:
            yield {**reason, "host": host["name"], "set": one["name"]}


_Problem = tuple[str, str, str, str, str, float]


def _silent(host: Mapping[str, Any], commands: Commands) -> Iterator[_Problem]:
    quiet = host["judged"]["silent_s"]
    heard = f"Not heard from for {span(quiet)}" if quiet is not None else "Never heard from"
    text = f"{heard}; a report is due every {span(host['report_every_s'])}."
    if host["problem"]:
        text += f" {host['problem']}"
    yield UNKNOWN, "silent", text, "Check whether it answers", commands.ping(), 100


def _of_host(host: Mapping[str, Any], commands: Commands) -> Iterator[_Problem]:
    if host["fault"] and not host["sets"]:  # else it is told for its sets
        yield UNKNOWN, "unasked", f"Its state is unknown: {host['fault']}", "Check it again", commands.status(), 90
    for disk in host["disks"]:
        judged, path = disk["judged"], disk["path"]
        if judged["state"] != MEETING:
            days = judged["full_in_days"]
            text = f"{path} will be full in {span(days * DAY)} at its current growth." if days else f"{path} is full."
            weight = 150 - days if days else 395.0
            yield judged["state"], "disk", text, "Find out what fills it", commands.disk_usage(path), weight
    yield from _of_evidence(host, commands)
    health = host["health"] or {"problems": []}
    critical = [one for one in health["problems"] if one["status"] == "critical"]
    if critical:
        text = f"{critical[0]['name']}: {critical[0]['message']}"
        text += f" (and {len(critical) - 1} more)" if len(critical) > 1 else ""
        yield FAILING, "health", text, "Check it again", commands.health(), 180


def _of_evidence(host: Mapping[str, Any], commands: Commands) -> Iterator[_Problem]:
    known = host["evidence"] or {"chain": "intact"}
    if known["chain"] == "broken":
        text = f"Its journal of evidence was changed: {known['why']}"
        yield FAILING, "evidence", text, "Keep a copy of it, and find out why", commands.keep_evidence(), 398
    if known["chain"] == "unproven":
        text = known["why"] or "Its journal of evidence is unproven."
        yield SOON, "evidence_unproven", text, "Back it up now, which anchors the journal", commands.backup(), 10


def _count(hosts: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    states = [one["judged"]["state"] for host in hosts for one in host["sets"]]
    return {
        **{state: states.count(state) for state in (FAILING, UNKNOWN, MEETING)},
        "soon": sum(1 for host in hosts for one in host["sets"] if one["judged"]["soon"]),
        "sets": len(states),
        "hosts": len(hosts),
        "silent": sum(1 for host in hosts if host["judged"]["silent"]),
    }


def _verdict(count: Mapping[str, int], problems: Sequence[dict[str, Any]], evidence: Any) -> tuple[str, str]:
    sentence = _sentence(count)
    unasked = len({one["host"] for one in problems if one["code"] == "unasked"})
    if unasked:
        sentence = f"{sentence[:-1]}; {plural(unasked, 'host')} cannot be assessed."
    sick = len({one["host"] for one in problems if one["set"] is None and one["level"] == FAILING})
    if evidence and not evidence["verified"]:
        return FAILING, f"The evidence was changed after it was written, so nothing below is proven. {sentence}"
    if count[FAILING] or not count["sets"]:
        return FAILING, sentence
    if count[UNKNOWN] or count["silent"] or unasked:
        return UNKNOWN, sentence
    if sick:
        return SOON, f"{sentence[:-1]}, but {plural(sick, 'host')} {'is' if sick == 1 else 'are'} not healthy."
    return MEETING, sentence


def _sentence(count: Mapping[str, int]) -> str:
    sets, failing, unknown, meeting = count["sets"], count[FAILING], count[UNKNOWN], count[MEETING]
    silent = (
        f"; {plural(count['silent'], 'host')} {'is' if count['silent'] == 1 else 'are'} silent"
        if count["silent"]
        else ""
    )
    if not sets:
        return f"No backup set is known: nothing is backed up{silent}."
    if sets == 1:
        state = "fails its objectives" if failing else "is unknown" if unknown else "meets its objectives"
        return f"The one backup set {state}{silent}."
    if not failing and not unknown:
        return f"All {sets:,} backup sets meet their objectives{silent}."
    parts = []
    if failing:
        parts.append(f"{failing:,} of {sets:,} backup sets {'fails its' if failing == 1 else 'fail their'} objectives")
    if unknown:
        named = f"{unknown:,}" if failing else f"{unknown:,} of {sets:,} backup sets"
        parts.append(f"{named} {'is' if unknown == 1 else 'are'} unknown")
    met = f"{meeting:,} {'meets its' if meeting == 1 else 'meet their'}" if meeting else "none meets its"
    parts.append(f"{met} objectives")
    return f"{', '.join(parts[:-1])} and {parts[-1]}{silent}."


def _recent(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The newest events, newest first; those that differ in host and set alone are one."""
    shown: dict[tuple[str, str, str], dict[str, Any]] = {}
    for one in sorted(events, key=lambda event: str(event["at"]), reverse=True):
        first = shown.setdefault((one["kind"], one["result"], one["text"]), {**one, "count": 0})
        first["count"] += 1
        first["since"] = one["at"]
    return list(shown.values())[:_EVENTS]
