# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Destinations that would not do what they are for: what is archived must end up elsewhere, and by itself."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

from .._core.files import is_within
from .actions import Action, archive_key
from .entries import Entry, Problem
from .rules import COLD, Rule, destinations


def check_destinations(rule: Rule, entries: Sequence[Entry]) -> tuple[list[Entry], list[Problem]]:
    """The entries that the rule's directories for archives have nothing to do with, and problems with the others."""
    places = {one: os.path.realpath(one) for one in destinations([rule]) if one.startswith("/")}
    fine: list[Entry] = []
    problems: list[Problem] = []
    for entry in entries:
        path = os.path.join(os.path.realpath(entry.directory), entry.name)
        near = [one for one, place in places.items() if is_within(place, path) or is_within(path, place)]
        if near:
            problems.append(
                Problem(
                    rule.name,
                    entry.path,
                    f"{entry.path} holds the destination {near[0]}, or lies inside it. Choose another destination, or "
                    "exclude that entry (exclude).",
                )
            )
        else:
            fine.append(entry)
    return fine, problems


def frees_nothing(rule: Rule, entries: Sequence[Entry]) -> list[Problem]:
    """A problem where a full disk is to be relieved by copying to the same disk."""
    devices = {one.device for one in entries}
    return [
        Problem(
            rule.name,
            tier.destination,
            f"{tier.destination} is on the file system that when_disk_above is about: archiving there frees nothing. "
            "Choose a destination on another one.",
        )
        for tier in rule.tiers
        if tier.tier == COLD
        and tier.when_disk_above is not None
        and tier.destination.startswith("/")
        and _device(tier.destination) in devices
    ]


def _device(path: str) -> int:
    """Of the directory, or of the nearest one above that exists."""
    path = os.path.realpath(path)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return os.stat(path).st_dev


def check_keys(actions: Sequence[Action]) -> tuple[list[Action], list[Problem]]:
    """The actions that archive each file in a place of its own, and problems with the others."""
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
                "another entry would be archived as {}/{}, too. Give them destinations of their own.".format(*shared),
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
