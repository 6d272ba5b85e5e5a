# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook "recover" decides: which backup each set comes from, what an earlier run has done, what is missing.

All of it follows from facts that the playbook has gathered. The playbook keeps the state on the host.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .recovery_choice import choose_backups
from .recovery_report import line_of, objective_of, result_of, rows_of
from .recovery_sets import UNSET, Facts, Set, double_names, given, sets_of
from .recovery_state import (
    FAILED,
    STAGES,
    State,
    believed_sets,
    earlier_state,
    is_done,
    lost_sets,
    noted_state,
    why_lost,
)

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


def recovery(facts: Facts) -> dict[str, Any]:
    """What to do and what to report, from the facts that are known so far. The filter documents both.

    Raises InvalidRequest for sets that make no sense, and for a state that is not one of this recovery.
    """
    # Without native types (ansible-core before 2.19), a number that a template has computed is a text.
    log = [{**event, "seconds": float(event["seconds"])} for event in facts.get("log") or []]
    facts = {**facts, "log": log}
    sets = sets_of(facts)
    state = earlier_state(facts)
    asked = [(one, place) for one in sets for place in one["places"]]
    problems = double_names(sets) + choose_backups(sets, asked, state, facts)
    believed = believed_sets(sets, state, facts)
    lost = lost_sets(sets, state, believed, facts)
    problems += [why_lost(one, state, facts) for one in sets if one["name"] in lost]
    new = noted_state(sets, state, believed, facts)
    rows = list(rows_of(sets, new, facts))
    failed = {event.get("set") for event in log if event["status"] == FAILED}
    passed = {event["stage"] for event in log if not event.get("set") and event["status"] != FAILED}
    return {
        "sets": [_public(one, one["name"] in believed) for one in sets],
        "looks": [_look(one, place) for one, place in asked],
        "doubts": [_doubt(one) for one in sets if state["in_use"] and is_done(one, state)],
        "restores": {one["name"]: _restore(one, state, facts) for one in sets if "backup" in one},
        "stores": [_store_look(one, target) for one in sets for target in one["targets"] if _has_look(target)],
        "backups": [one["job"] for one in sets if one["job"]],
        "problems": problems,
        "warnings": [note for one in sets for note in one["notes"]],
        "state": new,
        "resumed": bool(state["sets"]),
        "finished": state["finished"],
        "table": [line_of(row) for row in rows],
        "results": [result_of(row) for row in rows],
        "missing": [
            one["name"]
            for one in sets
            if one["name"] in failed or one["name"] in lost or "at" not in new["sets"].get(one["name"], {})
        ],
        "unfinished": [stage for stage in STAGES if stage not in passed],
        "objective": objective_of(sets, new, facts),
    }


def _look(one: Set, place: Mapping[str, Any]) -> dict[str, Any]:
    arguments = {"name": one["name"], "verify": "quick", **place, **one["identity"]}
    return {"name": f"{one['name']} in {place.get('repository')}", "verb": "backup_info", "arguments": arguments}


def _doubt(one: Set) -> dict[str, Any]:
    """A backup in check mode reads the stores in full."""
    options = {**one["places"][0], **given(one, ("host",))}
    arguments = {"name": one["name"], "sources": one["targets"], "take_over": True, **options}
    if len(one["targets"]) == 1:
        arguments["source"] = arguments.pop("sources")[0]
    return {"name": one["name"], "verb": "backup", "arguments": arguments}


def _restore(one: Set, state: State, facts: Facts) -> dict[str, Any]:
    arguments = {"name": one["name"], "backup": one["backup"], **one["place"], **one["identity"]}
    arguments.update(given(one, ("host",)), **given(facts["defaults"], _RESTORE))
    if state["in_use"]:  # of a set that was added or moved since: what is there is newer than any backup
        arguments.pop("on_existing", None)
    if len(one["targets"]) == 1:
        arguments["target"] = one["targets"][0]
    else:
        arguments["targets"] = one["targets"]
    return {"name": one["name"], "verb": "restore", "arguments": arguments}


def _has_look(target: Mapping[str, Any]) -> bool:
    options = _LOOKS.get(str(target.get("type")))
    return options is not None and target.get(options[0]) not in UNSET


def _store_look(one: Set, target: Mapping[str, Any]) -> dict[str, Any]:
    options = _LOOKS[target["type"]]
    name = f"{one['name']}: {target.get('name') or target[options[0]]}"
    return {"name": name, "verb": "store_info", "arguments": {"store": given(target, options)}}


def _public(one: Set, believed: bool) -> dict[str, Any]:
    """A set without secrets. `paths` are its targets, `parents` the directories in which they will be."""
    repository = one["place"]["repository"] if "place" in one else None
    shown = {"backup": one.get("backup"), "repository": repository, "believed": believed}
    paths = [target["path"] for target in one["targets"] if target.get("path")]
    where = {"paths": paths, "parents": sorted({os.path.dirname(path) for path in paths})}
    return {"name": one["name"], "stage": one["stage"], "rto": one["rto"], **shown, **where}
