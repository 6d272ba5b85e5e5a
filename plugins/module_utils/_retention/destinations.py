# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Destinations that would not serve their purpose: archived files must end up elsewhere, and without collisions."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

from .._core.files import is_within
from .actions import Action, archive_key
from .entries import Entry, Problem, fixed_part, pattern_for
from .rules import COLD, Rule, destinations


def inside_own_globs(rule: Rule) -> list[Problem]:
    """A problem for each destination that would itself become an entry of the rule."""
    problems = []
    for destination, place in _places(rule).items():
        above = place
        while above != "/":
            pattern = pattern_for(rule, above)
            if pattern:
                problems.append(Problem(rule.name, destination, _matched(destination, above, pattern)))
                break
            above = os.path.dirname(above)
    return problems


def check_destinations(rule: Rule, entries: Sequence[Entry]) -> tuple[list[Entry], list[Problem]]:
    """The entries that can be archived in the directories of the rule, and problems of the others."""
    places = _places(rule)
    # only there can something become an entry
    own = [os.path.realpath(fixed_part(pattern)) for pattern in rule.paths]
    near = {one for one, place in places.items() if any(is_within(place, above) for above in own)}
    real = {folder: os.path.realpath(folder) for folder in {one.directory for one in entries}} if places else {}
    fine: list[Entry] = []
    problems: list[Problem] = []
    for entry in entries:
        reasons = [
            _overlap(os.path.join(real[entry.directory], entry.name), entry, destination, place)
            or (_would_match(rule, entry, destination, place) if destination in near else "")
            for destination, place in places.items()
        ]
        reason = next(filter(None, reasons), "")
        if reason:
            problems.append(Problem(rule.name, entry.path, reason))
        else:
            fine.append(entry)
    return fine, problems


def _overlap(path: str, entry: Entry, destination: str, place: str) -> str:
    """Why an entry can't be archived in itself or in its parents; "" if it is elsewhere."""
    if is_within(place, path) or is_within(path, place):
        return (
            f"{entry.path} contains the destination {destination}, or lies inside it. Choose another "
            "destination, or exclude that entry (exclude)."
        )
    return ""


def _would_match(rule: Rule, entry: Entry, destination: str, place: str) -> str:
    """Why the archived files of an entry would be an entry themselves; "" if they would not."""
    archived = os.path.join(place, entry.key)
    while archived != place:
        pattern = pattern_for(rule, archived)
        if pattern:
            return _matched(destination, archived, pattern)
        archived = os.path.dirname(archived)
    return ""


def _places(rule: Rule) -> dict[str, str]:
    """The archive directories of the rule, and their real paths."""
    return {one: os.path.realpath(one) for one in destinations([rule]) if one.startswith("/")}


def _matched(destination: str, path: str, pattern: str) -> str:
    return (
        f"The destination {destination} lies inside the paths of this rule: {path} would become an entry "
        f"({pattern}). Choose another destination, or exclude it (exclude)."
    )


def frees_nothing(rule: Rule, entries: Sequence[Entry]) -> list[Problem]:
    """A problem if a full disk is to be relieved by copying to the same disk."""
    devices = {one.device for one in entries}
    return [
        Problem(
            rule.name,
            tier.destination,
            f"{tier.destination} is on the file system whose use when_disk_above limits: archiving there frees "
            "nothing. Choose a destination on another file system.",
        )
        for tier in rule.tiers
        if tier.tier == COLD
        and tier.when_disk_above is not None
        and tier.destination.startswith("/")
        and _device(tier.destination) in devices
    ]


def _device(path: str) -> int:
    """The device of the directory, or of its nearest parent that exists."""
    path = os.path.realpath(path)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return os.stat(path).st_dev


def check_keys(actions: Sequence[Action]) -> tuple[list[Action], list[Problem]]:
    """The actions that archive each file under a unique key, and problems of the others."""
    count = Counter(one for action in actions for one in _keys(action))
    fine: list[Action] = []
    problems: list[Problem] = []
    for action in actions:
        shared = next((one for one in _keys(action) if count[one] > 1), None)
        if shared is None:
            fine.append(action)
            continue
        problems.append(
            Problem(
                action.entry.rule,
                action.entry.path,
                "another entry would also be archived as {}/{}. Set different destinations.".format(*shared),
            )
        )
    return fine, problems


def _keys(action: Action) -> list[tuple[str, str]]:
    if not action.archived:
        return []
    place = action.tier.destination.rstrip("/")
    if place.startswith("/"):
        place = os.path.realpath(place)
    return [(place, archive_key(action.entry, member)) for member in action.archived]
