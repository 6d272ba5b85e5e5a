# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what modules returned for each host to the facts of the fleet (schema.py)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...module_utils._core.addresses import without_password
from ...module_utils._core.errors import InvalidRequest
from ...module_utils._core.units import parse_duration
from ...module_utils._repository.objective import Objective
from .history import History, HostHistory, Samples
from .intervals import days_of, interval_of
from .schema import fault_of
from .words import DAY, iso, seconds

_Facts = dict[str, Any]
_AHEAD = 600.0  # seconds that the clock of a host may be ahead
_TIMES = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z?|\b\d{8}T\d{6}Z(-[0-9a-f]{8})?")
_NUMBERS = re.compile(r"\b(pid|process)( |=)\d+|\.day2-[^\s/]*|\b\d+(\.\d+)?(?=( ?(s|ms|min|h|d|bytes|B|kB|MB|GB)\b))")


def host_facts(one: Mapping[str, Any], earlier: HostHistory, now: float, fault: str = "") -> _Facts:
    """The facts of a host. `one`: an entry of the option `hosts`. `fault`: why nothing that it says can be judged.

    :raises InvalidRequest: its `report_every` is no length of time.
    """
    if not one.get("problem"):
        earlier.heard(now)
    mounts = [mount for mount in one.get("mounts") or () if mount.get("size_total")]
    used = {_mount_of(str(wanted.get("repository") or ""), mounts) for wanted in one.get("sets") or ()}
    looks = {str(look["name"]): look for look in one.get("backups") or ()}
    return {
        "name": str(one["name"]),
        "groups": [str(group) for group in one.get("groups") or ()],
        "last_report_at": earlier.last_report_at,
        "report_every_s": _report_every(one),
        "problem": one.get("problem") or None,
        "fault": fault or None,
        "health": _health(one.get("health"), now),
        "evidence": _evidence(one.get("evidence"), now),
        "disks": [_disk(mount, earlier.disk(mount["mount"]), now) for mount in mounts if mount["mount"] in used],
        "sets": [
            {**_set(wanted, looks.get(str(wanted["name"])), one, earlier, now), **({"problem": fault} if fault else {})}
            for wanted in one.get("sets") or ()
        ],
    }


def _report_every(one: Mapping[str, Any]) -> float:
    try:
        return parse_duration(one.get("report_every") or "1d") or DAY
    except InvalidRequest as exc:
        raise InvalidRequest(f"report_every of {one['name']}: {exc.message}", exc.hint) from exc


def events_of(one: Mapping[str, Any], now: float) -> Iterator[_Facts]:
    """How the scheduled jobs of a host ended last, if that was within a day."""
    for job in (one.get("jobs") or {}).get("jobs", ()):
        at = _when(job.get("last_run"), now)
        if at and now - seconds(at) <= DAY:
            good = job.get("status") == "ok"
            text = f"{job['name']}: " + ("done" if good else _cause(str(job.get("msg") or job.get("status")), one))
            result = "ok" if good else "failed"
            yield {"at": at, "host": str(one["name"]), "set": None, "kind": job["verb"], "result": result, "text": text}


def _objectives(wanted: Mapping[str, Any]) -> tuple[_Facts, str]:
    """The objectives of a set, and what is wrong with them in the inventory ("": nothing)."""
    goals: _Facts = {}
    wrong = ""
    for option in ("rpo", "rto", "drill_every", "verify_every"):
        try:
            goals[f"{option}_s"] = parse_duration(wanted.get(option) or 0) or None
        except InvalidRequest as exc:
            wrong = f"{option}: {exc}"
    try:
        objective = Objective.from_options(wanted.get("copies") or None)
    except InvalidRequest as exc:
        return goals, str(exc)
    goals["copies"] = {"min": objective.min, "offsite": objective.offsite} if objective else None
    return goals, wrong


def _set(wanted: Mapping[str, Any], look: Any, one: Mapping[str, Any], earlier: HostHistory, now: float) -> _Facts:
    """A set that the inventory expects. `look`: what backup_info said of it; None: nobody could ask."""
    name, (goals, wrong) = str(wanted["name"]), _objectives(wanted)
    job, of_set = _job(name, "backup", one), earlier.set(name)
    found = next(iter((look or {}).get("sets") or ()), None)
    if found:
        of_set.seen(
            _from_elsewhere(_seen(found, now), of_set.last_seen) if look.get("elsewhere") else _seen(found, now)
        )
        if found.get("bytes") is not None:
            of_set.sizes.add(int(found["bytes"]), now)
    elif look and not _unreadable(name, look, found):  # what was there is gone
        of_set.seen(_seen({}, now))
        of_set.sizes.add(0, now)
    drill = wanted.get("last_drill") or _last_drill(wanted, one, of_set.last_seen, now)
    if drill:
        of_set.drilled(drill)
    of_set.ran(days_of(str(job.get("days") or ""), now))
    seen, every = of_set.last_seen or {}, interval_of(job.get("schedule") or {})
    problem = wrong or _unreadable(name, look, found)
    repository, sizes = str(wanted.get("repository") or ""), of_set.sizes.last(now)
    heard = str(earlier.last_report_at or "")[:10]
    return {
        "name": name,
        "store": str(wanted.get("type") or ""),
        "run_every_s": every,
        "drill_scheduled": bool(_job(name, "restore_drill", one)),
        "disk": _mount_of(repository, one.get("mounts") or ()),
        "problem": problem or None,
        "read_at": seen.get("at") if look and look.get("elsewhere") else None,
        "objectives": goals,
        "newest_good": seen.get("newest_good"),
        "last_failure": _failure(job, one, now),
        "verification": seen.get("verification"),
        "last_drill": of_set.last_drill,
        "copies": _copies(seen, repository, goals.get("rpo_s"), now),
        "size": {"bytes": sizes[-1], "sample_every_s": DAY, "samples": sizes} if sizes else None,
        "runs": of_set.runs(now, heard if every and every <= DAY else ""),
    }


def _last_drill(wanted: Mapping[str, Any], one: Mapping[str, Any], seen: Any, now: float) -> Any:
    """What the host has recorded of the last drills of a set (restore_drill). A failure of the newest backup, or of a
    sample, counts until such a drill passes. Drills of what other hosts have backed up under this name do not count,
    and neither do failures of repositories that the set has no more (`seen`: what is known of its copies).
    Raises ValueError for a record that makes no sense."""
    sets = json.loads(base64.b64decode(one.get("drills") or "", validate=True) or b"{}").get("sets") or {}
    drills = [drill for drill in (sets.get(str(wanted["name"])) or {}).values() if _when(drill["at"], now)]
    own = (None, str(wanted.get("host") or "").casefold())
    drills = [
        {key: drill[key] for key in drill if key != "host"}
        for drill in drills
        if (drill.get("host") and str(drill["host"]).casefold()) in own
    ]
    places = [str(wanted.get("repository") or ""), *(place["repository"] for place in (seen or {}).get("copies") or ())]
    here = {without_password(place).rstrip("/") for place in places}
    failed = [drill for drill in drills if drill["result"] == "fail" and str(drill["from"]).rstrip("/") in here]
    return max(failed or drills, key=lambda drill: str(drill["at"]), default=None)


def _unreadable(name: str, look: Any, found: Any) -> str:
    """Why the backups of a set could not be read. A set that is not in its repository has none: that is known."""
    if look and found is None:
        message = str(look.get("msg") or "there is no result")
        return "" if f"has no set {name}." in message else message
    problems = [problem for problem in (found or {}).get("problems") or () if not problem.get("backup")]
    return "; ".join(f"{problem['path']}: {problem['problem']}" for problem in problems)


def _job(name: str, verb: str, one: Mapping[str, Any]) -> _Facts:
    """The scheduled job that runs the verb for the set: its state, and its entry in the inventory (`schedule`)."""
    states = {job["name"]: job for job in (one.get("jobs") or {}).get("jobs", ())}
    for scheduled in one.get("schedule") or ():
        if scheduled.get("verb") == verb and (scheduled.get("arguments") or {}).get("name") == name:
            return {**states.get(scheduled.get("name"), {}), "schedule": scheduled}
    return {}


def _failure(job: Mapping[str, Any], one: Mapping[str, Any], now: float) -> Any:
    at = _when(job.get("last_run"), now)
    if not job.get("failures") or not at:
        return None
    error = _cause(str(job.get("msg") or job["status"]), one)
    return {"at": at, "runs": job["failures"], "error": error, "job": job["name"]}


def _cause(text: str, one: Mapping[str, Any]) -> str:
    """A message without what differs from host to host and from run to run, so that one cause has one text."""
    for name in sorted({str(one["name"]), str(one["name"]).split(".", maxsplit=1)[0]}, key=len, reverse=True):
        text = re.sub(rf"\b{re.escape(name)}\b", "HOST", text)
    return _NUMBERS.sub("…", _TIMES.sub("TIME", text))


def _seen(found: Mapping[str, Any], now: float) -> _Facts:
    """What one look at a set's backups says of it."""
    backups = [backup for backup in found.get("backups") or () if backup.get("kind") != "safety"]
    newest = next((backup for backup in backups if backup.get("good") and backup["id"] == found.get("newest")), None)
    return {
        "at": iso(now),
        "newest_good": {"id": newest["id"], "made_at": _ago(now, newest), "confirmed_at": _ago(now, found)}
        if newest
        else None,
        "verification": _verification(backups, found, now) if backups else None,
        "copies": [
            {"repository": place["repository"], "offsite": bool(place.get("offsite")), "status": place.get("status")}
            | {"newest_at": _ago(now, place)}
            for place in (found.get("copies") or {}).get("repositories") or ()
        ],
    }


def _from_elsewhere(seen: _Facts, before: Any) -> _Facts:
    """Of copies in directories of the host, what it said last: those that have their names elsewhere are others."""
    last = {place["repository"]: place for place in (before or {}).get("copies") or ()}
    copies = [
        last.get(place["repository"], {**place, "status": "unknown", "newest_at": None})
        if place["repository"].startswith("/")
        else place
        for place in seen["copies"]
    ]
    return {**seen, "copies": copies}


def _ago(now: float, aged: Mapping[str, Any]) -> Any:
    """The time of something that has an age: the clock of its host does not matter. An age below 0 is none."""
    age = aged.get("age_s")
    if age is not None and age < 0:
        raise ValueError(f"age_s is {age}")
    return iso(now - age) if age is not None else None


def _when(text: Any, now: float) -> Any:
    """A time that a host has told. None: it is none, or in the future."""
    try:
        at = seconds(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return iso(at) if at is not None and 0 < at <= now + _AHEAD else None


def _verification(backups: Sequence[Mapping[str, Any]], found: Mapping[str, Any], now: float) -> _Facts:
    good = [backup for backup in backups if backup.get("good")]
    read = [_when(backup.get("verified"), now) or "" for backup in good]
    return {
        "at": min(read, default="") or None,
        "backups": len(backups),
        "content": all(backup.get("verified_read") != "stored" for backup in good),
        "damaged": [
            {"backup": str(problem["backup"]), "problem": f"{problem['path']}: {problem['problem']}"}
            for problem in found.get("problems") or ()
            if problem.get("backup")
        ],
    }


_PROBLEMS = {
    "old": "its newest backup is too old",
    "behind": "another repository has a newer backup",
    "missing": "it has no good backup",
    "unknown": "it cannot be read",
}


def _copies(seen: Mapping[str, Any], repository: str, rpo: Any, now: float) -> list[_Facts]:
    places = seen.get("copies")
    newest = seen.get("newest_good")
    if not places and repository and newest:
        at = newest["confirmed_at"] or newest["made_at"]
        status = "current" if not rpo or now - seconds(at) <= rpo else "old"
        places = [{"repository": repository, "offsite": False, "status": status, "newest_at": at}]
    return [
        {
            "repository": place["repository"],
            "medium": _medium(place["repository"]),
            "offsite": place["offsite"],
            "ok": place["status"] == "current",
            "problem": _PROBLEMS.get(place["status"]),
            "newest_at": place["newest_at"],
        }
        for place in places or ()
    ]


def _medium(repository: str) -> str:
    scheme = repository.partition(":")[0] if ":" in repository else ""
    return {"s3": "S3", "rclone": "rclone", "": "disk"}.get(scheme, scheme)


def _mount_of(repository: str, mounts: Sequence[Mapping[str, Any]]) -> Any:
    """The mount point that has a directory; None for other repositories."""
    if not repository.startswith("/"):
        return None
    inside = [str(mount["mount"]) for mount in mounts if f"{repository}/".startswith(mount["mount"].rstrip("/") + "/")]
    return max(inside, key=len, default=None)


def _disk(mount: Mapping[str, Any], earlier: Samples, now: float) -> _Facts:
    # Space that is reserved for root cannot be used by others: a disk without available space is full.
    capacity = int(mount["size_total"])
    used = capacity - int(mount["size_available"])
    earlier.add(used, now)
    sizes = {"capacity_bytes": capacity, "used_bytes": used, "sample_every_s": DAY, "used_samples": earlier.last(now)}
    return {"path": str(mount["mount"]), **sizes}


def _health(info: Any, now: float) -> Any:
    """From the result of health_info. The score is the part of the checks that are ok; a warning counts half."""
    checks = [check for check in (info or {}).get("checks") or () if check["status"] != "skipped"]
    if not checks:
        return None
    worth = {"ok": 1.0, "warning": 0.5}
    rank = {"critical": 0, "unknown": 1, "warning": 2}
    bad = sorted((check for check in checks if check["status"] in rank), key=lambda check: rank[check["status"]])
    return {
        "score": round(100 * sum(worth.get(check["status"], 0.0) for check in checks) / len(checks)),
        "checked_at": max(filter(None, (_when(check["checked_at"], now) for check in checks)), default=iso(now)),
        "checks": len(checks),
        "problems": [{key: check[key] for key in ("name", "status", "message")} for check in bad],
    }


def _evidence(info: Any, now: float) -> Any:
    """From the result of evidence_info. None: nobody has asked for it."""
    if not info:
        return None
    head, problem = info.get("head"), info.get("problem")
    good = [one for one in info.get("anchors") or () if one.get("matches")]
    newest = max(good, key=lambda one: int(one["count"]), default=None)
    return {
        "chain": info.get("chain") or "unproven",
        "entries": head["count"] if head else 0,
        "head": head["digest"] if head else None,
        "why": problem["why"]
        if problem
        else None
        if info.get("chain") == "intact"
        else str(info.get("msg") or "") or None,
        "anchored_at": _when(newest["time"], now) if newest else None,
        "anchor": newest["repository"] if newest else None,
    }


def _evidence_of_all(hosts: Sequence[Mapping[str, Any]]) -> Any:
    """The journals of all hosts as one. None: there is none."""
    known = [host["evidence"] for host in hosts if host.get("evidence")]
    heads = [str(one["head"]) for one in known if one["head"]]
    if not heads and all(one["chain"] != "broken" for one in known):
        return None
    anchors = {one["anchor"] for one in known if one["anchor"]}
    return {
        "entries": sum(one["entries"] for one in known),
        "verified": all(one["chain"] != "broken" for one in known),
        "head": heads[0] if len(heads) == 1 else hashlib.sha256("\n".join(heads).encode()).hexdigest(),
        # The least that is proven
        "anchored_at": min((one["anchored_at"] for one in known if one["anchored_at"]), default=None),
        "anchor": anchors.pop() if len(anchors) == 1 else f"{len(anchors)} repositories" if anchors else None,
    }


def all_facts(hosts: Sequence[Mapping[str, Any]], history: History, now: float, **about: Any) -> _Facts:
    """The facts of the fleet. What is worth remembering is put into the history.

    :param about: the facts `fleet`, `made_by`, `next_due_at` and `evidence`.
    """
    told = [_told(one, history, now) for one in hosts]
    reached = sum(1 for host, _events in told if not host["problem"])
    about["evidence"] = about.get("evidence") or _evidence_of_all([host for host, _events in told])
    return {
        "format": 1,
        "made_at": iso(now),
        **about,
        "sources": [{"kind": f"of {len(hosts)} hosts", "count": reached}],
        "hosts": [host for host, _events in told],
        "events": [event for _host, events in told for event in events],
    }


def _told(one: Mapping[str, Any], history: History, now: float) -> tuple[_Facts, list[_Facts]]:
    """The facts and events of a host. An answer that makes no sense is a problem of that host alone."""
    name = str(one["name"])
    history.host(name).believe(iso(now + _AHEAD))
    known = history.host(name).copy()
    if one.get("problem") and "sets" not in one:  # nobody knows which sets it must have
        return _fault(
            one, history.host(name), [{"name": each} for each in known.get("sets", {})], one["problem"], now
        ), []
    try:
        host, events = host_facts(one, history.host(name), now), list(events_of(one, now))
        problem = fault_of(host, events)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as exc:
        problem = f"{type(exc).__name__}: {exc}"
    if not problem:
        return host, events
    history.forget(name, known)
    sets = one.get("sets") if isinstance(one.get("sets"), list) else []
    sets = [{"name": wanted["name"]} for wanted in sets or () if isinstance(wanted, Mapping) and wanted.get("name")]
    return _fault(one, history.host(name), sets, f"Its answer is not valid: {problem}", now), []


def _fault(one: Mapping[str, Any], earlier: HostHistory, sets: Sequence[_Facts], problem: str, now: float) -> _Facts:
    """A host that cannot be judged, nor any of its sets, however good they were."""
    nothing = {key: one.get(key) for key in ("name", "groups", "report_every")}
    return host_facts({**nothing, "sets": sets, "problem": str(problem)}, earlier, now, str(problem))
