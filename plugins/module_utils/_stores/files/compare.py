# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the entries that a restore wants with those of the target."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from typing import Callable, NamedTuple, Optional

from ..._core.errors import InvalidRequest
from ..._core.walk import LEFT_OUT, Found, walk
from .attributes import Target, as_here
from .index import DIRECTORY, FILE, HARDLINK, KINDS, SYMLINK, Entry, order, shown
from .keep import Kept
from .read import Describer, content_digest, kind_of, open_file
from .selection import Selection, matcher

_MOST_DIFFERENCES = 100


class Step(NamedTuple):
    """An entry of the index, and what the restore does with it."""

    recorded: Optional[Entry]  # the next member of the archive; None: nothing is read for this step
    wanted: Optional[Entry]  # what to create; None: nothing
    leads: bool = False  # `wanted` is a directory that is only on the way to what is wanted


def whole(entries: Iterable[Entry]) -> Iterator[Step]:
    """The steps of a restore of everything."""
    for entry in entries:
        yield Step(entry, None if entry.superseded else entry)


class Partial:
    """The steps of a restore of what a selection selects.

    :param again: returns the entries of the index; called more than once.
    """

    def __init__(self, again: Callable[[], Iterator[Entry]], selection: Selection) -> None:
        self._again = again
        self._selection = selection
        # Files that are not wanted themselves, but under another name that is a hard link to them.
        self.hidden: dict[bytes, Optional[Entry]] = {}
        for entry in again():
            wanted = entry.kind == HARDLINK and selection.selects_path(entry.path)
            if wanted and not selection.selects_path(entry.target):
                self.hidden[entry.target] = None

    def steps(self) -> Iterator[Step]:
        """All steps. Directories that only lead to selected entries come immediately before them."""
        levels: list[tuple[Entry, int, bool]] = []  # directory, state, whether it was given
        promoted: dict[bytes, bytes] = {}  # hidden file: the first name that is wanted
        for entry in self._again():
            if entry.superseded:
                yield Step(entry, None)
                continue
            while levels and levels[-1][0].path != entry.path.rpartition(b"/")[0]:
                levels.pop()
            state = self._selection.enter(entry.path, levels[-1][1]) if entry.path else 0
            selected = bool(entry.path) and state != LEFT_OUT and self._selection.selects(state)
            if entry.path in self.hidden and entry.kind == FILE:
                self.hidden[entry.path] = entry
            yield from self._given(entry, selected, levels, promoted)
            if entry.kind == DIRECTORY:
                levels.append((entry, state, selected))

    def _given(
        self, entry: Entry, selected: bool, levels: list[tuple[Entry, int, bool]], promoted: dict[bytes, bytes]
    ) -> Iterator[Step]:
        if not selected:
            yield Step(entry, None)
            return
        for number, (directory, state, given) in enumerate(levels):
            if not given:
                levels[number] = (directory, state, True)
                yield Step(None, directory, True)
        hidden = self.hidden.get(entry.target) if entry.kind == HARDLINK else None
        if hidden is None:
            yield Step(entry, entry)
        elif entry.target in promoted:
            yield Step(entry, entry._replace(target=promoted[entry.target]))
        else:
            promoted[entry.target] = entry.path
            yield Step(entry, hidden._replace(path=entry.path))


def check_only(only: Iterable[str], entries: Iterable[Entry], backup: str) -> None:
    """Raise InvalidRequest for a pattern that matches nothing in a backup."""
    missing = [(pattern, matcher(pattern)) for pattern in only]
    for entry in entries:
        if not missing:
            return
        text = entry.path.decode("utf-8", "surrogateescape")
        missing = [one for one in missing if not one[1].fullmatch(text)]
    if missing:
        names = ", ".join(repr(pattern) for pattern, _matcher in missing)
        raise InvalidRequest(f"Nothing in {backup} matches only={names}.", "The index of the archive lists its paths.")


class Comparison:
    """The result: the entries of each kind before and after (without the root), and the differences."""

    def __init__(self) -> None:
        self.before: dict[str, int] = dict.fromkeys(KINDS, 0)
        self.after: dict[str, int] = dict.fromkeys(KINDS, 0)
        self.differing = 0
        self.differences: list[tuple[str, str]] = []  # the first of them: path, and added, changed or removed

    def add(self, path: bytes, what: str) -> None:
        """Add a difference."""
        self.differing += 1
        if len(self.differences) < _MOST_DIFFERENCES:
            self.differences.append((shown(path), what))


def compare(
    wanted: Iterator[Entry],
    root: Optional[str],
    selection: Selection,
    *,
    leading: bool,
    target: Target,
    kept: Kept,
    failed: Callable[[bytes, OSError], None],
) -> Comparison:
    """Compare the wanted entries with the existing ones, first their attributes, then their content.

    :param root: None if nothing exists.
    :param leading: whether directories count that only lead to something selected.
    :param target: determines what entries will look like after the restore.
    :param kept: decides about everything that differs.
    :raises TargetError: something that is kept is in the way.
    """
    result = Comparison()
    found = walk(root, selection, failed) if root is not None else iter(())
    existing = (one for one in found if leading or (one.selected and one.path))
    describer = Describer()
    current = next(existing, None)
    for entry in wanted:
        if entry.path:
            result.after[entry.kind] += 1
        here = target.look(entry)
        key = order(entry.path)
        while current is not None and order(current.path) < key:
            _removed(current, describer, result, kept)
            current = next(existing, None)
        if current is None or current.path != entry.path:
            kept.check_free(entry)
            result.add(entry.path, "added")
            continue
        if not _is_same(here, current, describer, result, target.privileged):
            kept.make_way(entry, current)
            result.add(entry.path, "changed")
        current = next(existing, None)
    while current is not None:
        _removed(current, describer, result, kept)
        current = next(existing, None)
    return result


def _removed(found: Found, describer: Describer, result: Comparison, kept: Kept) -> None:
    """Handle an existing entry that the backup does not have."""
    if not kept.stays(found):
        _describe(found, describer, result)
        result.add(found.path, "removed")


def _describe(found: Found, describer: Describer, result: Comparison) -> None:
    """Count an entry that only exists in the target."""
    kind = kind_of(found.info) or ""
    link = describer.link(found.path, found.info)
    result.before[HARDLINK if link else kind] += 1
    if kind == FILE and link is None:
        describer.remember(describer.entry(found, found.info), found.info)


def _is_same(entry: Entry, found: Found, describer: Describer, result: Comparison, privileged: bool) -> bool:
    kind = kind_of(found.info)
    if kind is None:
        return False
    link = describer.link(found.path, found.info)
    if found.path:
        result.before[HARDLINK if link else kind] += 1
    if link is not None:
        return entry.kind == HARDLINK and entry.target == link.target
    opened, info = None, found.info
    try:
        if kind == FILE:
            opened = open_file(found)
            if opened is None:
                return False
            info = os.fstat(opened)
            if not stat.S_ISREG(info.st_mode):
                return False
        fd = -1 if opened is None else opened
        current = describer.entry(found, info, found.directory if kind == DIRECTORY else fd)
        if kind == FILE:
            describer.remember(current, info)
        if not _attributes_agree(entry, as_here(current, privileged), privileged):
            return False
        return kind != FILE or content_digest(fd, info, entry.sparse) == entry.sha256
    except FileNotFoundError:
        return False
    finally:
        if opened is not None:
            os.close(opened)


def _attributes_agree(entry: Entry, current: Entry, privileged: bool) -> bool:
    return (
        entry.kind == current.kind
        and (entry.kind == SYMLINK or entry.mode == current.mode)
        and (not privileged or (entry.uid, entry.gid) == (current.uid, current.gid))
        and (entry.kind == DIRECTORY or entry.mtime_ns == current.mtime_ns)
        and (entry.size, entry.target, entry.device) == (current.size, current.target, current.device)
        and entry.xattrs == current.xattrs
    )
