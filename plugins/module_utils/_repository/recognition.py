# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said of a backup that may be encrypted: its content, its tags, and whether this host has sealed it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from .envelope import equal, marks_of
from .manifest import Manifest, SourcePart

Identity = Sequence[tuple[str, str, str, str]]  # of all sources of a backup, in order


def identity_of(parts: Iterable[SourcePart]) -> Identity:
    """Backups with equal identities contain the same data."""
    return [part.identity() for part in parts]


def is_recognized(manifest: Manifest) -> bool:
    """Whether an encrypted backup says that it was sealed with the key that this host has now."""
    return manifest.envelope is not None and equal(manifest.envelope.key, marks_of(manifest.id).key())


def holds(manifest: Manifest, identity: Identity) -> bool:
    """Whether a backup contains this data. False for a backup that is not recognized."""
    if manifest.opened or manifest.envelope is None:
        return list(identity_of(manifest.sources)) == list(identity)
    return is_recognized(manifest) and equal(manifest.envelope.same, marks_of(manifest.id).same(identity))


def is_copy_of(manifest: Manifest, original: Manifest) -> bool:
    """Whether this host has made an encrypted backup as the copy of another one. False for backups of other hosts."""
    if manifest.envelope is None or manifest.envelope.copy_of is None:
        return False
    return equal(manifest.envelope.copy_of, marks_of(manifest.id).copy_of(original.id))


def has_tags(manifest: Manifest, tags: Collection[str], *, unknown: bool = False) -> bool:
    """Whether a backup has all of these tags.

    :param unknown: the answer if this cannot be determined.
    """
    if manifest.opened or manifest.envelope is None:
        return set(tags) <= set(manifest.tags)
    if not is_recognized(manifest):
        return unknown or not tags
    marks = marks_of(manifest.id)
    return {marks.tag(tag) for tag in tags} <= set(manifest.envelope.tags)
