# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backup each set is restored from, and from which place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..module_utils._core.errors import InvalidRequest
from .recovery_sets import Facts, Set, digest_of
from .recovery_state import State


def choose_backups(
    sets: Sequence[Set], asked: Sequence[tuple[Set, Mapping[str, Any]]], state: State, facts: Facts
) -> list[str]:
    """Adds the backup and the place that each set is restored from, and returns what is in the way."""
    looks = facts.get("looks") or []
    if not looks:
        return []
    if len(looks) != len(asked):
        raise InvalidRequest("The results in looks do not belong to these sets.")
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
    if noted.get("digest") != digest_of(one):
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
        hint = f"Set store_backup_host: {min(others)} to recover the sets of that host and continue them."
        return [f"{name} has no backups of the host {wanted}, but of {', '.join(sorted(others))}. {hint}"]
    if closed:
        return [f"{name} is encrypted, and cannot be decrypted. Set store_restore_identity_file."]
    return [f"{name} has no good backup ({'; '.join(silent)})."]
