# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook "recover" decides: which backup each set comes from, what an earlier run has done, what is missing.

All of it follows from facts that the playbook has gathered. The playbook keeps the state on the host.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ..module_utils._core.errors import InvalidRequest
from ..module_utils._core.files import is_within
from ..module_utils._core.units import format_duration, parse_duration, parse_time
from ..module_utils._host.job import put

Facts = Mapping[str, Any]
Set = dict[str, Any]  # a backup set of the host, and what was decided about it
State = dict[str, Any]

FORMAT = 1
STAGES = ("check", "application", "data", "services", "verify", "schedule", "backup", "health")
ORDER = ("configuration", "data", "templates")
UP = "verify"  # the stage after which users have the system back
FAILED, CHANGED, OK, KEPT, MISSING = "failed", "changed", "ok", "kept", "missing"
_ACCESS = ("s3", "rclone", "engine", "restic", "names_key", "limit", "grace")
_RESTORE = ("on_existing", "encrypt_to", "lock_timeout", "timeout")
# Stores that store_info can look at: the option without which it cannot, and the others that it needs.
_LOOKS = {
    "sqlite": ("path", "type"),
    "postgresql": ("database", "type", "host", "port", "username", "password", "sslmode"),
    "dynamodb": (
        *("prefix", "type", "region", "endpoint_url", "profile"),
        *("access_key_id", "secret_access_key", "session_token"),
    ),
}
_UNSET: tuple[Any, ...] = (None, "", {}, [])


def recovery(facts: Facts) -> dict[str, Any]:
    """What to do and what to report, from the facts that are known so far. The filter documents both.

    Raises InvalidRequest for sets that make no sense, and for a state that is not one of this recovery.
    """
    # Without native types (ansible-core before 2.19), a number that a template has computed is a text.
    log = [{**event, "seconds": float(event["seconds"])} for event in facts.get("log") or []]
    facts = {**facts, "log": log}
    sets = _sets(facts)
    state = _state(facts)
    asked = [(one, place) for one in sets for place in one["places"]]
    problems = _double(sets) + _choices(sets, asked, state, facts)
    believed = _believed(sets, state, facts)
    lost = _lost(sets, state, believed, facts)
    problems += [_why_lost(one, state, facts) for one in sets if one["name"] in lost]
    new = _noted(sets, state, believed, facts)
    rows = list(_rows(sets, new, facts))
    failed = {event.get("set") for event in log if event["status"] == FAILED}
    passed = {event["stage"] for event in log if not event.get("set") and event["status"] != FAILED}
    return {
        "sets": [_public(one, one["name"] in believed) for one in sets],
        "looks": [_look(one, place) for one, place in asked],
        "doubts": [_doubt(one) for one in sets if state["in_use"] and _is_done(one, state)],
        "restores": {one["name"]: _restore(one, state, facts) for one in sets if "backup" in one},
        "stores": [_store_look(one, target) for one in sets for target in one["targets"] if _has_look(target)],
        "backups": [one["job"] for one in sets if one["job"]],
        "problems": problems,
        "warnings": [note for one in sets for note in one["notes"]],
        "state": new,
        "resumed": bool(state["sets"]),
        "finished": state["finished"],
        "table": [_line(row) for row in rows],
        "results": [_result(row) for row in rows],
        "missing": [
            one["name"]
            for one in sets
            if one["name"] in failed or one["name"] in lost or "at" not in new["sets"].get(one["name"], {})
        ],
        "unfinished": [stage for stage in STAGES if stage not in passed],
        "objective": _objective(sets, new, facts),
    }


def _sets(facts: Facts) -> list[Set]:
    """The sets of a host, in the order in which they are restored."""
    defaults = facts["defaults"]
    found = [_of_store(one, defaults) for one in facts.get("stores") or []]
    known = {one["name"] for one in found}
    for job in facts.get("jobs") or []:
        if job.get("verb") == "backup" and (job.get("arguments") or {}).get("name") not in known:
            found.append(_of_job(job, facts.get("credentials") or {}, defaults))
    wanted = [one for one in found if one["stage"] is not False]
    for one in wanted:
        if one["stage"] not in ORDER:
            raise InvalidRequest(
                f"recover of the set {one['name']} is {one['stage']!r}.",
                f"Set it to {', '.join(ORDER)}, or to false if the set is not to be recovered.",
            )
    return sorted(wanted, key=lambda one: ORDER.index(one["stage"]))


def _of_store(store: Mapping[str, Any], defaults: Mapping[str, Any]) -> Set:
    own = {key: defaults.get(key) for key in _ACCESS}
    own["repository"] = store.get("repository") or defaults["repository"]
    copies = store["copy_to"] if store.get("copy_to") is not None else defaults.get("copy_to")
    return _set(store, store, [own, *(copies or [])], defaults)


def _of_job(job: Mapping[str, Any], credentials: Mapping[str, Any], defaults: Mapping[str, Any]) -> Set:
    arguments = copy.deepcopy(dict(job["arguments"]))
    for place, credential in (job.get("secrets") or {}).items():
        if credential not in credentials:
            raise InvalidRequest(
                f"The job {job.get('name')} needs the credential {credential}.", "Set it in schedule_credentials."
            )
        put(arguments, place, credentials[credential])
    places = [arguments, *(arguments.get("copy_to") or [])]
    return {**_set(job, arguments, places, defaults), "job": str(job["name"])}


def _set(
    entry: Mapping[str, Any],
    arguments: Mapping[str, Any],
    places: Sequence[Mapping[str, Any]],
    defaults: Mapping[str, Any],
) -> Set:
    stage = entry.get("recover")
    return {
        "name": str(arguments.get("name", "")),
        "stage": "data" if stage in (None, True, "") else stage,
        "targets": [dict(one) for one in arguments.get("sources") or [arguments.get("source") or {}]],
        "host": arguments.get("host") or defaults.get("host") or "",
        "rto": str(entry.get("rto") or defaults.get("rto") or ""),
        "places": [_given(one, ("repository", *_ACCESS)) for one in places],
        "identity": _given(defaults, ("identity_file", "identity")),
        "job": "",
        "notes": [],
    }


def _given(values: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: values[key] for key in keys if values.get(key) not in _UNSET}


def _double(sets: Sequence[Set]) -> list[str]:
    names = [one["name"] for one in sets]
    return [
        f"Two sets are called {name}. Give them different names." for name in sorted({*names}) if names.count(name) > 1
    ]


def _digest(one: Set) -> str:
    """Of where a set is restored to, but not of how that is reached."""
    said = [
        {key: value for key, value in target.items() if "password" not in key and "secret" not in key}
        for target in one["targets"]
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def _state(facts: Facts) -> State:
    """The state that an earlier run has left, or a new one."""
    new: State = {
        "format": FORMAT,
        "host": facts["host"],
        "machine": facts["machine"],
        "run": facts["now"],
        "started": facts["now"],
        "in_use": None,
        "finished": None,
        "sets": {},
        "stages": {},
    }
    text = facts.get("state") or ""
    if not text or facts.get("restart"):
        return new
    where = facts.get("state_path") or "The state"
    again = "Set recover_restart=true to begin a new recovery."
    try:
        state = json.loads(text)
    except ValueError:
        state = None
    if (
        not isinstance(state, dict)
        or {*state} != {*new}
        or state["format"] != FORMAT
        or not all(isinstance(state[key], dict) for key in ("sets", "stages"))
    ):
        raise InvalidRequest(f"{where} is not the state of a recovery, or is damaged.", again)
    for key, what in (("host", "of the host"), ("machine", "on the machine")):
        if state[key] != new[key]:
            raise InvalidRequest(f"{where} belongs to a recovery {what} {state[key]}, not {new[key]}.", again)
    if not new["machine"]:
        raise InvalidRequest(
            f"The machine has no ID (/etc/machine-id), so that {where} may be of another one.",
            "Set recover_restart=true to begin a new recovery.",
        )
    return {**state, "run": new["run"]}


def _is_done(one: Set, state: State) -> bool:
    """Whether the state says that a set was restored to where it is to be."""
    noted = state["sets"].get(one["name"], {})
    return "at" in noted and noted["digest"] == _digest(one)


def _believed(sets: Sequence[Set], state: State, facts: Facts) -> list[str]:
    """Sets that an earlier run has restored, that have been in use since, and that can be read. Until they were
    in use, the restore itself finds that nothing is left to do."""
    readable = {look["name"] for look in facts.get("doubts") or [] if not look.get("failed")}
    done = [one for one in sets if state["in_use"] and _is_done(one, state)]
    return [one["name"] for one in done if one["name"] in readable and not _unmounted(one, state, facts)]


def _mounts(one: Set, facts: Facts) -> list[str]:
    """The mount points of the file systems of a set. Without the list of mounts of the host: none."""
    # /proc/self/mounts has spaces and tabs of names as \040 and \011.
    fields = [line.split(" ") for line in (facts.get("mounts") or "").splitlines()]
    points = [re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), line[1]) for line in fields if len(line) > 1]
    paths = [os.path.normpath(target["path"]) for target in one["targets"] if target.get("path")]
    above = [[point for point in points if is_within(path, point)] for path in paths]
    return sorted({max(own, key=len) for own in above if own})


def _unmounted(one: Set, state: State, facts: Facts) -> list[str]:
    """Mount points under which a set was restored, and where its data is not any more. The application may have made
    new files in their place."""
    return (
        sorted({*state["sets"][one["name"]].get("mounts", ())} - {*_mounts(one, facts)}) if facts.get("mounts") else []
    )


def _lost(sets: Sequence[Set], state: State, believed: Sequence[str], facts: Facts) -> list[str]:
    """Sets that cannot be read after they were in use. Their backup is an older state, and the cause may be the
    repository, a lock or a mount: nothing replaces such data unless somebody has looked at it."""
    if facts.get("doubts") is None or not state["in_use"]:
        return []
    return [one["name"] for one in sets if _is_done(one, state) and one["name"] not in believed]


def _why_lost(one: Set, state: State, facts: Facts) -> str:
    name, left = one["name"], _unmounted(one, state, facts)
    said = {look["name"]: look.get("msg") for look in facts["doubts"]}
    why = f"cannot be read now: {said.get(name) or 'no message.'}"
    if left:
        now = " and ".join(_mounts(one, facts))
        why = (
            "is not where it was restored:"
            f" that was the file system mounted at {' and '.join(left)}, and it is now in the one at {now}."
        )
    return (
        f"{name} was recovered at {state['sets'][name]['at']} and has been in use since, but {why}"
        " Remove the cause, or set recover_restart=true to recover everything again, from the newest backups."
    )


def _choices(
    sets: Sequence[Set], asked: Sequence[tuple[Set, Mapping[str, Any]]], state: State, facts: Facts
) -> list[str]:
    """Adds the backup and the place that each set is restored from, and returns what is in the way."""
    looks = facts.get("looks") or []
    if not looks:
        return []
    if len(looks) != len(asked):
        raise InvalidRequest("The results of looks are not those of these sets.")
    problems = []
    for one in sets:
        own = [
            (place, look["result"].get("sets") or [{"msg": look["msg"]}])
            for (other, place), look in zip(asked, looks)
            if other is one
        ]
        places = [(place, said[0]) for place, said in own]
        if not _keep_choice(one, places, state):
            problems += _choose(one, places, facts)
    return problems


def _keep_choice(one: Set, places: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], state: State) -> bool:
    """Adds what an earlier run has begun with, if it is still good."""
    noted = state["sets"].get(one["name"], {})
    if noted.get("digest") != _digest(one):
        return False
    for place, said in places:
        good = [backup["id"] for backup in said.get("backups") or [] if backup.get("good")]
        if place.get("repository") == noted["repository"] and noted["backup"] in good:
            one.update(backup=noted["backup"], place=place)
            return True
    return False


def _choose(one: Set, places: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], facts: Facts) -> list[str]:
    """Adds the newest backup of the host in all places; of equals, the first."""
    name, wanted = one["name"], str(one["host"] or facts["nodename"])
    found: list[tuple[str, int, str, Mapping[str, Any]]] = []
    others: set[str] = set()
    silent, closed = [], False
    for number, (place, said) in enumerate(places):
        created = {backup["id"]: str(backup.get("created", "")) for backup in said.get("backups") or []}
        for owner in said.get("owners") or []:
            if owner["host"] is None:
                closed = True
            elif owner["host"].casefold() == wanted.casefold():
                found.append((created.get(owner["newest"], ""), -number, owner["newest"], place))
            else:
                others.add(owner["host"])
        if not said.get("owners"):
            silent.append(f"{place.get('repository')}: {said.get('msg') or 'no backups'}")
    if found:
        _created, _number, backup, place = max(found, key=lambda each: each[:3])
        one.update(backup=backup, place=place)
        one["notes"] += [f"{name}: {line}" for line in silent]
        return []
    if others:
        hint = f"Set store_backup_host: {min(others)} to recover the sets of that host and to go on with them."
        return [f"{name} has no backups of the host {wanted}, but of {', '.join(sorted(others))}. {hint}"]
    if closed:
        return [f"{name} is encrypted, and cannot be decrypted. Set store_restore_identity_file."]
    return [f"{name} has no good backup ({'; '.join(silent)})."]


def _look(one: Set, place: Mapping[str, Any]) -> dict[str, Any]:
    arguments = {"name": one["name"], "verify": "quick", **place, **one["identity"]}
    return {"name": f"{one['name']} in {place.get('repository')}", "verb": "backup_info", "arguments": arguments}


def _doubt(one: Set) -> dict[str, Any]:
    """A backup in check mode reads the stores in full."""
    options = {**one["places"][0], **_given(one, ("host",))}
    arguments = {"name": one["name"], "sources": one["targets"], "take_over": True, **options}
    if len(one["targets"]) == 1:
        arguments["source"] = arguments.pop("sources")[0]
    return {"name": one["name"], "verb": "backup", "arguments": arguments}


def _restore(one: Set, state: State, facts: Facts) -> dict[str, Any]:
    arguments = {"name": one["name"], "backup": one["backup"], **one["place"], **one["identity"]}
    arguments.update(_given(one, ("host",)), **_given(facts["defaults"], _RESTORE))
    if state["in_use"]:  # of a set that was added or moved since: what is there is newer than any backup
        arguments.pop("on_existing", None)
    if len(one["targets"]) == 1:
        arguments["target"] = one["targets"][0]
    else:
        arguments["targets"] = one["targets"]
    return {"name": one["name"], "verb": "restore", "arguments": arguments}


def _has_look(target: Mapping[str, Any]) -> bool:
    options = _LOOKS.get(str(target.get("type")))
    return options is not None and target.get(options[0]) not in _UNSET


def _store_look(one: Set, target: Mapping[str, Any]) -> dict[str, Any]:
    options = _LOOKS[target["type"]]
    name = f"{one['name']}: {target.get('name') or target[options[0]]}"
    return {"name": name, "verb": "store_info", "arguments": {"store": _given(target, options)}}


def _public(one: Set, believed: bool) -> dict[str, Any]:
    """A set without secrets. `paths` are its targets, `parents` the directories in which they will be."""
    repository = one["place"]["repository"] if "place" in one else None
    shown = {"backup": one.get("backup"), "repository": repository, "believed": believed}
    paths = [target["path"] for target in one["targets"] if target.get("path")]
    where = {"paths": paths, "parents": sorted({os.path.dirname(path) for path in paths})}
    return {"name": one["name"], "stage": one["stage"], "rto": one["rto"], **shown, **where}


def _noted(sets: Sequence[Set], state: State, believed: Sequence[str], facts: Facts) -> State:
    """The state with what this run has decided and done."""
    new = copy.deepcopy(state)
    for one in sets:
        kept = _is_done(one, state) and (
            one["name"] in believed or state["sets"][one["name"]]["backup"] == one.get("backup")
        )
        if "backup" in one and not kept:
            repository = one["place"]["repository"]
            new["sets"][one["name"]] = {"digest": _digest(one), "backup": one["backup"], "repository": repository}
    mounts = {one["name"]: _mounts(one, facts) for one in sets}
    for event in facts.get("log") or []:
        _note(new, event, bool(state["finished"]), mounts)
    new["in_use"] = new["in_use"] or facts.get("in_use") or None
    return new


def _note(new: State, event: Mapping[str, Any], finished: bool, mounts: Mapping[str, Sequence[str]]) -> None:
    """Adds one event of this run. The first success counts unless something had to be done again."""
    done = {key: event[key] for key in ("at", "seconds", "status")}
    if event.get("set"):
        noted = new["sets"].get(event["set"], {})
        if event["status"] == CHANGED or (event["status"] == OK and "at" not in noted):
            noted.update(done, mounts=list(mounts.get(event["set"], ())))
    elif finished:
        return
    elif event["status"] == FAILED:
        new["stages"].pop(event["stage"], None)
    else:
        new["stages"].setdefault(event["stage"], done)
        if event["stage"] == STAGES[-1]:
            new["finished"] = event["at"]


def _rows(sets: Sequence[Set], new: State, facts: Facts) -> Iterator[dict[str, Any]]:
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


def _line(row: Mapping[str, Any]) -> str:
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


def _result(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as an entry of an artifact."""
    name = f"{row['stage']}: {row['name']}" if row["name"] else row["stage"]
    return {
        "name": name,
        "status": row["status"],
        "seconds": row["seconds"],
        "after": row.get("after"),
        "msg": row["msg"],
    }


def _objective(sets: Sequence[Set], new: State, facts: Facts) -> dict[str, Any]:
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
