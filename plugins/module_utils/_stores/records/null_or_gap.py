# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Determines which fields of a collection are null in some records and missing in others, and whether a table can
distinguish the two.
"""

from __future__ import annotations

from typing import NamedTuple

from .kinds import Kinds
from .model import Info

MARKER = "_missing"


class Holes(NamedTuple):
    """The fields, without those of the key, that may be null, and those that may be missing."""

    null: frozenset[str]
    gaps: frozenset[str]


def holes(info: Info, kinds: Kinds) -> Holes:
    """The holes of a source, from its note, or from all of its records.

    :param kinds: of documents.
    """
    fields = {field.name for field in info.fields if not field.required} - set(info.key)
    if info.native and not info.document:
        absent = fields & set(info.note.absent)
        rest = fields - absent
        return Holes(frozenset(rest), frozenset(fields if info.note.marker else absent))
    return Holes(frozenset(kinds.null() - set(info.key)), frozenset(kinds.gaps() - set(info.key)))


def with_note(info: Info, found: Holes, source: Info) -> Info:
    """A new table for these records: the fields in which NULL means missing, and a marker if some have both."""
    if source.native and not source.document:  # as it was in its own database
        return info
    both = found.null & found.gaps
    names = [field.name for field in info.fields]
    absent = tuple(name for name in names if name in found.gaps - both)
    marker = MARKER if both else ""
    while marker and marker.casefold() in {name.casefold() for name in names}:
        marker += "_"
    return info._replace(note=info.note._replace(absent=absent, marker=marker))


def mixed_up(existing: Info, found: Holes) -> set[str]:
    """The fields in which an existing table cannot distinguish null from missing in these records."""
    absent = set(existing.note.absent)
    required = {field.name for field in existing.fields if field.required}
    gaps = found.gaps & required if existing.note.marker else found.gaps
    return set(gaps - absent | found.null & absent)
