# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of retention as they are given: which entries, and what becomes of them when.

An entry is a file or directory that a glob of a rule matches. Tiers are listed from young to old; an entry belongs to
the last tier whose conditions hold, and is hot (unchanged) if none do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .._core.compression import COMPRESSIONS, choose
from .._core.errors import InvalidRequest
from .._core.paths import complaint, expand
from .._core.units import parse_duration, parse_size

HOT, WARM, COLD, REMOVE = "hot", "warm", "cold", "remove"
DIRECTORY, RULE = "directory", "rule"  # which entries share the limits of a rule

_PERCENT = re.compile(r"([0-9]{1,2}(?:\.[0-9]+)?|100)\s*%")

# Options of each tier, in addition to the conditions.
_CONDITIONS = ("older_than", "larger_than", "when_disk_above", "when_total_above")
_OPTIONS = {  # from mild to harsh
    HOT: (),
    WARM: ("exclude", "remove", "compression"),
    COLD: ("include", "destination"),
    REMOVE: (),
}

TIER_SPEC: dict[str, Any] = {
    "tier": {"type": "str", "required": True, "choices": list(_OPTIONS)},
    "older_than": {"type": "str"},
    "larger_than": {"type": "str"},
    "when_disk_above": {"type": "str"},
    "when_total_above": {"type": "str"},
    "exclude": {"type": "list", "elements": "str"},
    "remove": {"type": "list", "elements": "str"},
    "compression": {"type": "str", "choices": sorted(set(COMPRESSIONS) - {"none"})},
    "include": {"type": "list", "elements": "str"},
    "destination": {"type": "str"},
}
RULE_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "paths": {"type": "list", "elements": "str", "required": True},
    "type": {"type": "str", "choices": ["file", "directory"], "default": "file"},
    "exclude": {"type": "list", "elements": "str"},
    "missing_ok": {"type": "bool", "default": False},
    "keep": {"type": "dict", "options": {"last": {"type": "int"}}},
    "group_by": {"type": "str", "choices": [DIRECTORY, RULE], "default": DIRECTORY},
    "tiers": {"type": "list", "elements": "dict", "required": True, "options": TIER_SPEC},
}


class Tier(NamedTuple):
    """A tier, and the conditions, all of which must hold. Globs match names without the suffix of a compression.

    `older_than` is in seconds, `larger_than` and `when_total_above` are in bytes on disk, `when_disk_above` in percent.
    """

    tier: str
    older_than: Optional[float] = None
    larger_than: Optional[int] = None
    when_disk_above: Optional[float] = None
    when_total_above: Optional[int] = None
    exclude: tuple[str, ...] = ()  # warm: files of a directory that are not changed
    remove: tuple[str, ...] = ()  # warm: files of a directory that are removed; the other files are compressed
    compression: str = ""
    include: tuple[str, ...] = ()  # cold: files of a directory that are archived; empty means all
    destination: str = ""


class Rule(NamedTuple):
    """Entries, and their tiers. `group_by`: which entries share `keep.last` and `when_total_above`."""

    name: str
    paths: tuple[str, ...]
    directories: bool
    exclude: tuple[str, ...]
    missing_ok: bool
    keep_last: int
    tiers: tuple[Tier, ...]
    group_by: str = DIRECTORY


def parse_rule(options: Mapping[str, Any]) -> Rule:
    """A rule from the suboptions of the module (RULE_SPEC). Raises InvalidRequest when it is not valid,
    MissingDependency when a required library is missing.
    """
    directories = options["type"] == "directory"
    paths = tuple(expand(path) for path in options["paths"])
    for path in paths:
        wrong = complaint(path)
        if wrong:
            raise InvalidRequest(f"An entry of paths {wrong}.")
        if ".." in path.split("/"):
            raise InvalidRequest(f"The path {path} contains '..'.", "Write the path without it.")
        if directories and os.path.dirname(os.path.normpath(path)) in ("/", "//"):
            # "{{ directory }}/*" with an empty variable
            raise InvalidRequest(
                f"{path} matches system directories directly below /.", "Set it to entries of a directory below /."
            )
    last = (options["keep"] or {}).get("last") or 0
    if last < 0:
        raise InvalidRequest(f"keep: last is {last}.", "Set it to the number of newest entries to keep unchanged.")
    tiers = tuple(_parse_tier(one, directories) for one in options["tiers"])
    if not tiers:
        raise InvalidRequest("The rule has no tiers.", "Set tiers, for example to [{tier: remove}].")
    check_order(tiers)
    return Rule(
        name=options["name"],
        paths=paths,
        directories=directories,
        exclude=tuple(options["exclude"] or ()),
        missing_ok=options["missing_ok"],
        keep_last=last,
        tiers=tiers,
        group_by=options["group_by"],
    )


def _parse_tier(options: Mapping[str, Any], directories: bool) -> Tier:
    kind = options["tier"]
    foreign = sorted(
        name
        for name, value in options.items()
        if value is not None and name not in ("tier", *_CONDITIONS, *_OPTIONS[kind])
    )
    if foreign:
        raise InvalidRequest(f"{', '.join(foreign)} is not an option of the tier {kind}.")
    for name in ("exclude", "remove", "include"):
        if options[name] is not None and not directories:
            raise InvalidRequest(f"{name} selects files of a directory.", "Set type=directory.")
    if kind == COLD and not options["destination"]:
        raise InvalidRequest(
            "The tier cold has no destination.", "Set destination to a directory, or to s3://bucket/prefix."
        )
    if kind == COLD and (not options["destination"].startswith(("/", "s3://")) or "\0" in options["destination"]):
        raise InvalidRequest(
            f"The destination {options['destination']} is neither an absolute path nor s3://bucket/prefix."
        )
    return Tier(
        tier=kind,
        older_than=None if options["older_than"] is None else parse_duration(options["older_than"]),
        larger_than=None if options["larger_than"] is None else parse_size(options["larger_than"]),
        when_disk_above=None if options["when_disk_above"] is None else parse_percent(options["when_disk_above"]),
        when_total_above=None if options["when_total_above"] is None else parse_size(options["when_total_above"]),
        exclude=tuple(options["exclude"] or ()),
        remove=tuple(options["remove"] or ()),
        compression=choose(options["compression"] or "")[0].name if kind == WARM else "",
        include=tuple(options["include"] or ()),
        destination=options["destination"] or "",
    )


def check_order(tiers: Sequence[Tier]) -> None:
    """Raise InvalidRequest when a second run would have something to do that the first one left."""
    ages = [one.older_than or 0 for one in tiers]
    if ages != sorted(ages):
        raise InvalidRequest(
            "older_than of a tier is less than that of the tier before it.", "List tiers from young to old."
        )
    harshness = list(_OPTIONS)
    for index, one in enumerate(tiers):
        if one.when_disk_above is None and one.when_total_above is None:
            continue
        if any(harshness.index(before.tier) > harshness.index(one.tier) for before in tiers[:index]):
            # entries that it protects would be removed as soon as the run has freed space
            raise InvalidRequest(
                f"The tier {one.tier} with when_disk_above or when_total_above comes after a harsher tier.",
                "List tiers in the order hot, warm, cold, remove.",
            )


def parse_percent(text: str) -> float:
    """80 from "80%". Raises InvalidRequest when it is not a percentage."""
    match = _PERCENT.fullmatch(text.strip())
    if match is None:
        raise InvalidRequest(f"{text!r} is not a percentage.", "Write for example 80%.")
    return float(match[1])


def destinations(rules: Sequence[Rule]) -> list[str]:
    """All places that entries may be archived in."""
    return sorted({tier.destination for rule in rules for tier in rule.tiers if tier.destination})
