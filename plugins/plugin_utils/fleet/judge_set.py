# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the facts of a backup set to its state: whether it meets its objectives, and the reasons if it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .commands import Commands
from .words import DAY, iso, seconds, span, trend

# Known not to meet an objective; not known; met today, but not for long; met. The worst is the state.
FAILING, UNKNOWN, SOON, MEETING = "failing", "unknown", "soon", "meeting"
RANK = {FAILING: 3, UNKNOWN: 2, SOON: 1, MEETING: 0}
SOON_FULL = 14 * DAY  # a disk that will be full within this time is named
_SOON_DUE = 3 * DAY  # a drill that is due within this time and is not scheduled is named
MISSED = 3  # a host, or a repository that is read from elsewhere, is silent after this many missed reports


@dataclass(frozen=True)
class Reason:
    """Why a set is not simply meeting its objectives. Those with the same level, code and cause are one thing to do.

    `weight`: the more, the more urgent, among those of the same level.
    """

    level: str
    code: str
    text: str
    do: str
    command: str
    weight: float
    cause: str = ""


@dataclass(frozen=True)
class Known:
    """What is known of a set, and when."""

    facts: Mapping[str, Any]
    commands: Commands
    now: float
    silent: bool  # nobody has looked at it for too long

    @property
    def objectives(self) -> Mapping[str, Any]:
        objectives: Mapping[str, Any] = self.facts["objectives"]
        return objectives

    def ago(self, at: str) -> float:
        return self.now - seconds(at)


def judge_set(host: Mapping[str, Any], facts: Mapping[str, Any], inventory: str, now: float) -> dict[str, Any]:
    """What is `judged` of a set. The host has been judged."""
    known = Known(facts, Commands(inventory, host["name"]), now, _unseen(host, facts, now))
    rpo, rto, copies = _age(known), _drill(known), _copies(known)
    verified, unverified = _verification(known)
    reasons = [*rpo.pop("reasons"), *rto.pop("reasons"), *copies.pop("reasons"), *unverified, *_unreadable(known)]
    reasons.sort(key=lambda reason: (-RANK[reason.level], -reason.weight))
    disk = next((one["judged"] for one in host["disks"] if one["path"] == facts["disk"]), None)
    level = _worst([*(reason.level for reason in reasons), *_of_host(known.silent, disk)])
    near = _near(rpo["ratio"], rto["ratio"], disk)
    return {
        "state": MEETING if level == SOON else level,
        "soon": level == SOON,
        "silent": known.silent,
        # What the page sorts by
        "risk": round(1000 * RANK[level] + sum(reason.weight for reason in reasons) + 10 * min(near, 9.0), 2),
        "near": round(near, 3),
        "reasons": [asdict(reason) for reason in reasons],
        "rpo": rpo,
        "rto": rto,
        "copies": copies,
        "verified": verified,
        "growth_bytes_per_day": _growth(facts["size"]),
        "full_in_days": disk["full_in_days"] if disk else None,
        "disk_state": disk["state"] if disk else MEETING,
        "never_drilled": not facts["last_drill"],
        "runs": {name: facts["runs"].count(letter) for name, letter in _RUNS.items()},
    }


_RUNS = {"ok": "o", "unchanged": "u", "failed": "f", "missing": "m"}


def _unseen(host: Mapping[str, Any], facts: Mapping[str, Any], now: float) -> bool:
    """Whether nobody has looked at the set's backups for too long. Some repositories can be read without the host."""
    read_at, allowed = facts["read_at"], MISSED * host["report_every_s"]
    return bool(host["judged"]["silent"]) and not (read_at and now - seconds(read_at) <= allowed)


def _of_host(silent: bool, disk: Any) -> Iterator[str]:
    if silent:
        yield UNKNOWN
    if disk and disk["state"] != MEETING:
        yield SOON  # the disk is told once, for the host


def _worst(levels: list[str]) -> str:
    return max(levels, key=lambda level: RANK[level], default=MEETING)


def _near(age: Any, restored: Any, disk: Any) -> float:
    """The largest part of a limit that is used up."""
    near = max([part for part in (age, restored) if part is not None], default=0.0)
    if disk and disk["full_in_days"] is not None:
        near = max(near, min(1.0, SOON_FULL / DAY / max(1.0, disk["full_in_days"])))
    return float(near)


def _growth(size: Any) -> float:
    return trend(size["samples"]) / size["sample_every_s"] * DAY if size else 0.0


def _age(known: Known) -> dict[str, Any]:
    """The age of the newest good backup against the RPO."""
    good, allowed = known.facts["newest_good"], known.objectives["rpo_s"]
    if not good:
        unknown = known.silent or known.facts["problem"]
        reasons = [] if unknown else [_no_backup(known)]
        state = UNKNOWN if unknown else FAILING
        return {"state": state, "age_s": None, "ratio": None, "until": None, "reasons": reasons}
    at = seconds(good["confirmed_at"] or good["made_at"])
    age = known.now - at
    verdict = {
        "age_s": age,
        "ratio": age / allowed if allowed else None,
        "until": iso(at + allowed) if allowed else None,
    }
    if not allowed:
        reasons = list(_failing_job(known, at))
        state = FAILING if any(one.level == FAILING for one in reasons) else MEETING
        return {**verdict, "state": state, "reasons": reasons}
    if age <= allowed:
        return {**verdict, "state": MEETING, "reasons": list(_tight(known))}
    if known.silent:  # newer ones may exist
        return {**verdict, "state": UNKNOWN, "reasons": []}
    return {**verdict, "state": FAILING, "reasons": [_too_old(known, at)]}


def _unreadable(known: Known) -> Iterator[Reason]:
    problem = known.facts["problem"]
    if problem and not known.silent:
        command = known.commands.status()
        yield Reason(UNKNOWN, "unreadable", f"Its state is unknown: {problem}", "Check it again", command, 70, problem)


def _no_backup(known: Known) -> Reason:
    return Reason(FAILING, "no_backup", "Has no good backup.", "Back it up now", known.commands.backup(), 400)


def _tight(known: Known) -> Iterator[Reason]:
    every, allowed = known.facts["run_every_s"], known.objectives["rpo_s"]
    if not every or every <= allowed / 2 or known.silent:
        return
    text = (
        f"Runs every {span(every)}, and may be {span(allowed)} old: after a single failed run, it is too old."
        if every < allowed
        else f"Runs every {span(every)}, but may be only {span(allowed)} old: too old before each run."
    )
    yield Reason(SOON, "tight", text, "Run it at least twice within its RPO", "", 20)


def _failing_job(known: Known, at: float) -> Iterator[Reason]:
    """Of a set without an RPO: whether its job fails since its newest good backup."""
    failure, every = known.facts["last_failure"], known.facts["run_every_s"]
    if known.silent or not failure or seconds(failure["at"]) <= at:
        return
    for_long = failure["runs"] >= MISSED or (every and known.now - at > MISSED * every)
    runs = "run" if failure["runs"] == 1 else f"{failure['runs']} runs"
    text = f"Newest good backup is {span(known.now - at)} old, and no RPO is set."
    text += f" The last {runs} failed: {failure['error']}"
    command, do = known.commands.backup(), "Back it up now"
    if failure["job"]:
        command, do = known.commands.jobs(), "Find out why the job fails"
    yield Reason(FAILING if for_long else SOON, "job", text, do, command, 280 if for_long else 25, failure["error"])


def _too_old(known: Known, at: float) -> Reason:
    allowed = known.objectives["rpo_s"]
    age = known.now - at
    text = f"Newest good backup is {span(age)} old; {span(allowed)} is allowed."
    weight = 300 + min(90.0, age / allowed)
    failure = known.facts["last_failure"]
    if not failure or seconds(failure["at"]) <= at:
        text += " No run has failed since then: none has started."
        return Reason(FAILING, "rpo", text, "Back it up now", known.commands.backup(), weight, "no run")
    runs = "run" if failure["runs"] == 1 else f"{failure['runs']} runs"
    text += f" The last {runs} failed: {failure['error']}"
    job = failure["job"]
    if job:
        return Reason(
            FAILING, "rpo", text, "Find out why the job fails", known.commands.jobs(), weight, failure["error"]
        )
    return Reason(FAILING, "rpo", text, "Back it up now", known.commands.backup(), weight, failure["error"])


def _verification(known: Known) -> tuple[str, list[Reason]]:
    """The state of the last full verification, and the reasons."""
    seen, allowed = known.facts["verification"], known.objectives["verify_every_s"]
    command = known.commands.verify()
    if seen and seen["damaged"]:
        text = f"{len(seen['damaged'])} of {seen['backups']} backups damaged: {seen['damaged'][0]['problem']}"
        return FAILING, [
            Reason(
                FAILING,
                "damaged",
                text,
                "Verify all backups again, and make a new one",
                command,
                350,
            )
        ]
    if seen and seen["at"] and (not allowed or known.ago(seen["at"]) <= allowed):
        return MEETING, []
    if known.silent or not known.facts["newest_good"] or not allowed:
        return UNKNOWN, []
    if not seen or not seen["at"]:
        return UNKNOWN, [
            Reason(
                UNKNOWN,
                "unverified",
                "Never read in full since it was made.",
                "Verify all backups in full",
                command,
                60,
            )
        ]
    text = f"Not read in full for {span(known.ago(seen['at']))}; required every {span(allowed)}."
    return UNKNOWN, [Reason(UNKNOWN, "unverified", text, "Verify all backups in full", command, 50)]


def _drill(known: Known) -> dict[str, Any]:
    """The last drill against the RTO, and whether it is too long ago."""
    last, every = known.facts["last_drill"], known.objectives["drill_every_s"]
    verdict: dict[str, Any] = {"state": UNKNOWN, "total_s": None, "ratio": None, "age_s": None, "due_at": None}
    if not last:
        asked = every or known.objectives["rto_s"]
        return {**verdict, "reasons": [_never_drilled(known)] if asked else []}
    total, allowed = sum(last["stages"].values()), known.objectives["rto_s"]
    verdict.update(
        total_s=total,
        ratio=total / allowed if allowed else None,
        age_s=known.ago(last["at"]),
        due_at=iso(seconds(last["at"]) + every) if every else None,
    )
    reason = _drill_reason(known, verdict)
    if reason is None or reason.level == SOON:
        verdict["state"] = MEETING
    else:
        verdict["state"] = reason.level
    return {**verdict, "reasons": [reason] if reason else []}


def _never_drilled(known: Known) -> Reason:
    text = "Never drilled: whether it can be restored, and how fast, is unproven."
    return Reason(UNKNOWN, "never_drilled", text, "Drill it", _drill_it(known), 45)


def _drill_it(known: Known) -> str:
    return known.commands.drill(known.facts["name"])


def _drill_reason(known: Known, verdict: Mapping[str, Any]) -> Reason | None:
    last, every, age = known.facts["last_drill"], known.objectives["drill_every_s"], verdict["age_s"]
    if last["result"] == "fail":
        text = f"The drill {span(age)} ago failed: {last['reason']}"
        return Reason(FAILING, "drill_failed", text, "Drill it again", _drill_it(known), 320)
    if last["result"] == "inconclusive":
        text = f"The drill {span(age)} ago was inconclusive: {last['reason']}"
        return Reason(UNKNOWN, "drill_inconclusive", text, "Drill it again", _drill_it(known), 40, last["reason"])
    if verdict["ratio"] is not None and verdict["ratio"] > 1:
        slow = max(last["stages"], key=lambda stage: last["stages"][stage])
        text = (
            f"A restore took {span(verdict['total_s'])} in the drill; {span(known.objectives['rto_s'])} is allowed."
            f" Slowest: {slow}, {span(last['stages'][slow])}."
        )
        return Reason(FAILING, "rto", text, "Drill it again, with nothing else running", _drill_it(known), 250)
    if every and age > every:
        text = f"Last drilled {span(age)} ago; required every {span(every)}."
        return Reason(UNKNOWN, "drill_overdue", text, "Drill it", _drill_it(known), 30)
    if every and every - age < _SOON_DUE and not known.silent and not known.facts["drill_scheduled"]:
        text = f"A drill is due within {span(every - age)}, and none is scheduled."
        return Reason(SOON, "drill_due", text, "Drill it", _drill_it(known), 5)
    return None


def _copies(known: Known) -> dict[str, Any]:
    """The copies of the newest good backup, and whether the 3-2-1 rule holds (three, two media, one off-site)."""
    asked, places = known.objectives["copies"] or {}, known.facts["copies"]
    current = [one for one in places if one["ok"]]
    offsite = sum(1 for one in current if one["offsite"])
    # The live data is the first of the three, on a disk.
    rule = {"three": len(current) >= 2, "two": any(one["medium"] != "disk" for one in current), "one": offsite >= 1}
    enough = len(current) + 1 >= (asked.get("min") or 0) and offsite >= (asked.get("offsite") or 0)
    verdict = {
        "count": len(current) + 1,
        "min": asked.get("min"),
        "offsite": offsite,
        "offsite_min": (asked.get("offsite") or 0),
        "rule": rule,
        "holds": all(rule.values()),
    }
    if not known.facts["newest_good"]:
        return {**verdict, "state": UNKNOWN, "reasons": []}
    if enough:
        return {**verdict, "state": MEETING, "reasons": []}
    if known.silent:
        return {**verdict, "state": UNKNOWN, "reasons": []}
    return {**verdict, "state": FAILING, "reasons": [_too_few(known, verdict)]}


def _too_few(known: Known, verdict: Mapping[str, Any]) -> Reason:
    text = f"{verdict['count']} of {verdict['min'] or 1} copies, the data itself included"
    text += "." if verdict["offsite"] >= verdict["offsite_min"] else f"; {verdict['offsite'] or 'none'} off-site."
    bad = next((one for one in known.facts["copies"] if not one["ok"]), None)
    if bad:
        text += f" {bad['repository']}: {bad['problem']}"
    cause = bad["problem"] if bad else "none is configured"
    return Reason(FAILING, "copies", text, "Back it up and copy it", known.commands.backup(), 200, cause)
