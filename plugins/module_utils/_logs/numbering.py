# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of rotated files after the run, and which of them are kept."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

from .._core.compress_file import OTHER, PART, SAME, compare
from .._core.compression import COMPRESSIONS
from .._core.errors import TargetError
from .._core.secure_directory import SecureDirectory
from .._core.sparse import is_hollow
from .find import Rotated
from .log_plan import NO_PAIRS, LogPlan, Options
from .names import Naming
from .rules import Keep

_LONGEST_NAME = 255  # bytes


class Entry(NamedTuple):
    """A rotated file under its name after the rotation. `file` is None for the one that this run makes."""

    place: SecureDirectory
    name: str
    when: float
    bytes: int
    file: Optional[Rotated]


def find_pairs(history: Sequence[Rotated]) -> Mapping[str, int]:
    """By name, how compressed files compare with their plain files beside them: SAME, PART or OTHER.

    A run or a compressor that was killed leaves both; then they are the same. Reads both, which is rarely necessary.
    """
    plain = {one.parsed.stem: one for one in history if not one.compressed}
    pairs = {}
    for one in history:
        beside = plain.get(one.parsed.stem)
        if beside is None or not one.compressed:
            continue
        suffix = one.name[len(one.parsed.stem) :]
        compression = next((each for each in COMPRESSIONS.values() if each.suffix == suffix), None)
        if compression is None or compression.missing() or is_hollow(beside.info):
            pairs[one.name] = OTHER
        else:
            pairs[one.name] = compare(beside.place, beside.name, one.place, one.name, compression)[0]
    return pairs or NO_PAIRS


def groups(log: LogPlan) -> list[list[Rotated]]:
    """The rotated files, newest first; copies of one another are in one group."""
    copies = [one for one in log.history if one.compressed and log.pairs.get(one.name) in (SAME, PART)]
    if not copies:
        return [[one] for one in log.history]
    result = [[one] for one in log.history if one not in copies]
    plain = {group[0].parsed.stem: group for group in result if not group[0].compressed}
    for one in copies:
        plain[one.parsed.stem].append(one)
    return result


def decide_names(log: LogPlan, options: Options, now: float) -> None:
    """The name of the rotated log, and the numbers that increase.

    Raises TargetError when the name is taken or too long.
    """
    log.new_name = options.naming.new_name(log.name, now)
    final = log.new_name + options.compression.suffix
    length = len(os.fsencode(final))
    if length > _LONGEST_NAME:
        raise TargetError(
            f"The name of {log.path} is too long to be rotated: {final} would have {length} bytes, and the "
            f"maximum is {_LONGEST_NAME}.",
            "Choose a shorter name for the log.",
        )
    if not options.naming.dated:
        log.shifts = _shifts(log, options.naming)
    leaving = {(place.fd, old) for place, old, _new in log.shifts}
    for place in log.places:
        for name in (log.new_name, final):
            if place.exists(name) and (place.fd, name) not in leaving:
                raise TargetError(
                    f"{place.of(name)} already exists and was not overwritten. {log.path} was not rotated.",
                    "Move it elsewhere, or set a date_format that includes seconds."
                    if options.naming.dated
                    else "Move it elsewhere.",
                )


def _shifts(log: LogPlan, naming: Naming) -> tuple[tuple[SecureDirectory, str, str], ...]:
    """All numbers up to the first free one increase, the highest first. Two files with the same number get different
    ones.
    """
    numbered: dict[int, list[list[Rotated]]] = {}
    for group in groups(log):
        number = group[0].parsed.number
        if number is not None:
            numbered.setdefault(number, []).append(group)
    shifts = []
    number, following = 1, 2
    while number < following:
        for group in numbered.get(number, ()):
            for one in group:
                suffix = one.name[len(one.parsed.stem) :]
                shifts.append((one.place, one.name, naming.numbered(log.name, following) + suffix))
            following += 1
        number += 1
    return tuple(reversed(shifts))


def after_rotation(log: LogPlan, now: float) -> list[list[Entry]]:
    """The rotated files after the run, newest first; copies of one another are in one group."""
    moved = log.moved_up()
    entries = []
    if log.due:
        when = now if log.info is None else log.info.st_mtime
        entries.append([Entry(log.first_place, log.new_name, when, log.rotated_bytes, None)])
    for group in groups(log):
        entries.append(
            [
                Entry(one.place, moved.get((one.place.fd, one.name), one.name), one.when, one.info.st_size, one)
                for one in group
            ]
        )
    return entries


def ranks(entries: Sequence[Sequence[Entry]]) -> list[int]:
    """The age rank of each group (0 is the newest), by its order or its time, whichever makes it newer.

    If an application numbers its files in a ring, a file with a high number may be new.
    """
    by_age = sorted(range(len(entries)), key=lambda index: -max(one.when for one in entries[index]))
    age = {index: rank for rank, index in enumerate(by_age)}
    return [min(index, age[index]) for index in range(len(entries))]


def why(keep: Keep, rank: int) -> str:
    """The rule by which a file is removed."""
    if keep.last is not None and rank >= keep.last:
        return f"keep.last is {keep.last}"
    return "it is older than keep.within"
