# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier runs of a recovery have done, which of it is still true, and what this run adds."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..module_utils._core.errors import InvalidRequest
from ..module_utils._core.files import is_within
from .recovery_sets import Facts, Set, digest_of

State = dict[str, Any]

FORMAT = 1
STAGES = ("check", "application", "data", "services", "verify", "schedule", "backup", "health")
FAILED, CHANGED, OK, KEPT, MISSING = "failed", "changed", "ok", "kept", "missing"


def earlier_state(facts: Facts) -> State:
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
            f"The machine has no ID (/etc/machine-id), so {where} may belong to another machine.",
            "Set recover_restart=true to begin a new recovery.",
        )
    return {**state, "run": new["run"]}


def is_done(one: Set, state: State) -> bool:
    """Whether the state says that a set was restored to where it is to be."""
    noted = state["sets"].get(one["name"], {})
    return "at" in noted and noted["digest"] == digest_of(one)


def believed_sets(sets: Sequence[Set], state: State, facts: Facts) -> list[str]:
    """Sets that an earlier run has restored, that have been in use since, and that can be read. Until they were
    in use, the restore itself finds that nothing is left to do."""
    readable = {look["name"] for look in facts.get("doubts") or [] if not look.get("failed")}
    done = [one for one in sets if state["in_use"] and is_done(one, state)]
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


def lost_sets(sets: Sequence[Set], state: State, believed: Sequence[str], facts: Facts) -> list[str]:
    """Sets that cannot be read after they were in use. Their backup is an older state, and the cause may be the
    repository, a lock or a mount: nothing replaces such data unless somebody has looked at it."""
    if facts.get("doubts") is None or not state["in_use"]:
        return []
    return [one["name"] for one in sets if is_done(one, state) and one["name"] not in believed]


def why_lost(one: Set, state: State, facts: Facts) -> str:
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


def noted_state(sets: Sequence[Set], state: State, believed: Sequence[str], facts: Facts) -> State:
    """The state with what this run has decided and done."""
    new = copy.deepcopy(state)
    for one in sets:
        kept = is_done(one, state) and (
            one["name"] in believed or state["sets"][one["name"]]["backup"] == one.get("backup")
        )
        if "backup" in one and not kept:
            repository = one["place"]["repository"]
            new["sets"][one["name"]] = {"digest": digest_of(one), "backup": one["backup"], "repository": repository}
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
