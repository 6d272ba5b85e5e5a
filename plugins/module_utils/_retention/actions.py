# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a decision means for each file of an entry, and carrying it out.

An entry that was written to since the plan, or that a process has open for writing, is left alone. Nothing is removed
before its copy has been verified.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from collections.abc import Iterator, Sequence
from typing import Callable, NamedTuple, Optional

from .._core.compress_file import PART, compare, compress_file, compressed_size, existing_size
from .._core.compression import COMPRESSIONS, by_suffix
from .._core.compression.base import Compression
from .._core.errors import TargetError
from .._core.secure_directory import SecureDirectory
from .archive import Archive
from .choice import Decision
from .entries import Entry, Member, look_again, matches, same
from .parents import Parents
from .rules import COLD, REMOVE, Tier
from .space import Names, allocation

_UNMOUNT = "Unmount it, or exclude it (exclude)."


class Action(NamedTuple):
    """The action on an entry. `whole`: all of it is removed, and `archived` are kept elsewhere."""

    entry: Entry
    tier: Tier
    why: str
    whole: bool
    archived: tuple[Member, ...] = ()
    compressed: tuple[Member, ...] = ()
    removed: tuple[Member, ...] = ()


def action_for(decision: Decision) -> Optional[Action]:
    """The action for an entry, or None if there is nothing to do.

    Raises TargetError when the tier can't be applied to this entry.
    """
    entry, tier = decision.entry, decision.tier
    if tier is None:
        return None
    if tier.tier == REMOVE:
        return Action(entry, tier, decision.why, whole=True)
    if tier.tier == COLD:
        strange = [*(f"the symbolic link {one}" for one in entry.links), *(one.path for one in entry.specials)]
        if strange and not tier.include:
            raise TargetError(
                f"{entry.path} contains {strange[0]}, which is not a regular file and can't be archived.",
                "Set include to the files to archive; everything else is removed.",
            )
        wanted = tuple(one for one in entry.members if not tier.include or matches(one.plain, tier.include))
        if entry.members and not wanted:
            raise TargetError(
                f"{entry.path} contains no file to archive (include: {', '.join(tier.include)}), and everything else "
                "would be removed.",
                "Correct include, or remove such entries with another rule.",
            )
        return Action(entry, tier, decision.why, whole=True, archived=wanted)
    compressed = []
    removed = []
    for member in entry.members:
        if matches(member.plain, tier.exclude):
            continue
        if matches(member.plain, tier.remove):
            removed.append(member)
        elif member.info.st_size and not by_suffix(member.path or entry.name)[0].suffix:
            compressed.append(member)
    if not compressed and not removed:
        return None
    return Action(entry, tier, decision.why, whole=False, compressed=tuple(compressed), removed=tuple(removed))


def predict(action: Action, archive: Optional[Archive], names: Names) -> int:
    """The bytes on disk that the action will free. Reads the files to be compressed or archived; writes nothing.

    Raises Day2Error when the run would refuse it.

    :param names: of what the actions before this one would have removed.
    """
    entry = action.entry
    check_rights(action)
    if archive is not None:
        for member in action.archived:
            with _home(entry, member) as (directory, name):
                archive.check(directory, name, archive_key(entry, member))
    if action.whole:
        return _free_whole(entry, names)
    freed = names.remove(one.info for one in action.removed)
    compression = COMPRESSIONS[action.tier.compression]
    for member in action.compressed:
        with _home(entry, member) as (directory, name):
            size = _existing(directory, name, compression)
            stored = compressed_size(directory, name, compression) if size is None else size
            freed += names.remove([member.info]) - allocation(stored, directory)
    return freed


def _existing(directory: SecureDirectory, name: str, compression: Compression) -> Optional[int]:
    """The size of a copy that is in place already; None: there is none, or an incomplete one that is replaced."""
    final = name + compression.suffix
    if directory.exists(final) and compare(directory, name, directory, final, compression)[0] == PART:
        return None
    return existing_size(directory, name, compression)


def _free_whole(entry: Entry, names: Names) -> int:
    return entry.own + names.remove(one.info for one in entry.files())


def check_rights(action: Action) -> None:
    """Raise Day2Error when the system would not permit the action, as far as that can be seen. Changes nothing."""
    entry, compressed = action.entry, set(action.compressed)
    if action.whole and entry.is_directory:
        with SecureDirectory(entry.directory) as parent:
            parent.check_writable()
            parent.check_movable(entry.name, _UNMOUNT)
    leaving = entry.files() if action.whole else [*action.removed, *action.compressed]
    for folder, group in itertools.groupby(leaving, key=lambda one: os.path.dirname(_path(entry, one))):
        with SecureDirectory(folder) as directory:
            directory.check_writable()
            for member in group:
                name = os.path.basename(_path(entry, member))
                directory.check_movable(name, _UNMOUNT)
                if member in compressed:
                    final = name + COMPRESSIONS[action.tier.compression].suffix
                    with directory.errors("Can't stat", final):  # a name that is too long, for instance
                        directory.exists(final)


def archive_key(entry: Entry, member: Member) -> str:
    """The key of a file of an entry in an archive."""
    return os.path.join(entry.key, member.path).rstrip("/")


def perform(
    action: Action, archive: Optional[Archive], parents: Parents, in_use: Callable[[Entry], str], names: Names
) -> Optional[int]:
    """Carry out the action. Returns the bytes freed on disk, or None if the entry did not exist any more.

    Raises Day2Error when it was not done, or not completely; the remaining files are intact.

    :param parents: locks the directory of the entry, and makes a removal durable later.
    :param names: of what the actions before this one have removed.
    :param in_use: the process that has the entry open for writing, or "".
    """
    entry = action.entry
    parent = parents.take(entry.directory)
    with parent.errors("Can't stat", entry.name):
        now = look_again(entry, parent)
    if now is None:
        return None
    if not same(entry, now, names):
        raise TargetError(f"{entry.path} has changed since it was examined.", "Skipped; the next run will retry.")
    check_rights(action)
    if not action.whole:
        return _reduce(action, in_use, names)
    if archive is not None:
        for member in action.archived:
            with _home(entry, member) as (directory, name):
                archive.put(directory, name, archive_key(entry, member))
        with parent.errors("Can't stat", entry.name):
            now = look_again(entry, parent)
        if now is None or not same(entry, now, names):
            raise TargetError(
                f"{entry.path} was changed while it was being archived.", "The entry was kept. Move the copy elsewhere."
            )
        _refuse_used(entry, in_use)
    with parent.errors("Can't remove", entry.name):
        if entry.is_directory:
            _remove_directory(action, parent)
        else:
            parent.unlink(entry.name, only=entry.info)
    return _free_whole(entry, names)


def _refuse_used(entry: Entry, in_use: Callable[[Entry], str]) -> None:
    user = in_use(entry)
    if user:
        raise TargetError(f"{entry.path}: {user}.", "Skipped; the next run will retry.")


def _remove_directory(action: Action, parent: SecureDirectory) -> None:
    """Remove the planned files, and nothing else: a directory that was added to meanwhile is kept.

    Archived files are removed last, so that a directory that a killed run has begun with can still be recognised.
    """
    entry = action.entry
    archived = {one.path for one in action.archived}
    members = sorted(entry.files(), key=lambda one: (one.path in archived, one.path))
    for folder, group in itertools.groupby(members, key=lambda one: os.path.dirname(one.path)):
        with SecureDirectory(os.path.join(entry.path, folder)) as directory:
            for member in group:
                name = os.path.basename(member.path)
                with directory.errors("Can't remove", name):
                    directory.unlink(name, only=member.info)
    for path in entry.links:
        folder, name = os.path.split(os.path.join(entry.path, path))
        with SecureDirectory(folder) as directory:
            with directory.errors("Can't remove", name):
                if stat.S_ISLNK(directory.stat(name).st_mode):
                    directory.unlink(name)
    for path in entry.folders:
        folder, name = os.path.split(os.path.join(entry.path, path))
        with SecureDirectory(folder) as directory:
            with directory.errors("Can't remove", name):
                os.rmdir(name, dir_fd=directory.fd)
    os.rmdir(entry.name, dir_fd=parent.fd)


def _reduce(action: Action, in_use: Callable[[Entry], str], names: Names) -> int:
    freed = 0
    for member in action.removed:
        _refuse_used(action.entry, in_use)
        with _home(action.entry, member) as (directory, name):
            with directory.errors("Can't remove", name):
                directory.unlink(name, only=member.info)
                directory.sync()
        freed += names.remove([member.info])
    for member in action.compressed:
        _refuse_used(action.entry, in_use)
        with _home(action.entry, member) as (directory, name):
            done = compress_file(directory, name, COMPRESSIONS[action.tier.compression], replace_part=True)
            freed += names.remove([member.info]) - allocation(done.stored_bytes, directory)
    return freed


@contextlib.contextmanager
def _home(entry: Entry, member: Member) -> Iterator[tuple[SecureDirectory, str]]:
    """The open directory of a member, and its name in it."""
    folder, name = os.path.split(_path(entry, member))
    with SecureDirectory(folder) as directory:
        yield directory, name


def _path(entry: Entry, member: Member) -> str:
    return os.path.join(entry.path, member.path) if member.path else entry.path


def remove_leftovers(paths: Sequence[str], lock_timeout: float) -> list[str]:
    """Remove prepared files of killed runs, and nothing else. Returns what was removed."""
    removed = []
    for path in paths:
        folder, name = os.path.split(path)
        with SecureDirectory(folder) as directory:
            directory.lock(lock_timeout)
            with directory.errors("Can't remove", name):
                directory.unlink(name)
        removed.append(path)
    return removed
