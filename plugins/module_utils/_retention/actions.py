# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a decision comes to, file by file, and doing it.

Nothing is done to an entry that was written to since it was looked at, or that somebody has open for writing; nothing
goes before its copy is proven.
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

_UNMOUNT = "Unmount it, or leave it out (exclude)."


class Action(NamedTuple):
    """What will be done to an entry. `whole`: all of it goes, when `archived` are kept elsewhere."""

    entry: Entry
    tier: Tier
    why: str
    whole: bool
    archived: tuple[Member, ...] = ()
    compressed: tuple[Member, ...] = ()
    removed: tuple[Member, ...] = ()


def action_for(decision: Decision) -> Optional[Action]:
    """None when there is nothing (more) to do.

    :raises TargetError: the tier can't be applied to this entry.
    """
    entry, tier = decision.entry, decision.tier
    if tier is None:
        return None
    if tier.tier == REMOVE:
        return Action(entry, tier, decision.why, whole=True)
    if tier.tier == COLD:
        strange = [*(f"the symbolic link {one}" for one in entry.links), *(one.path for one in entry.specials)]
        if strange and not tier.only:
            raise TargetError(
                f"{entry.path} holds {strange[0]}, which is not a regular file and can't be archived.",
                "List the files to archive (only); everything else is removed.",
            )
        wanted = tuple(one for one in entry.members if not tier.only or matches(one.plain, tier.only))
        if entry.members and not wanted:
            raise TargetError(
                f"{entry.path} holds no file that is to be archived (only: {', '.join(tier.only)}), and all else "
                "would be removed.",
                "Correct only, or remove such entries by a rule of their own.",
            )
        return Action(entry, tier, decision.why, whole=True, archived=wanted)
    compressed = []
    removed = []
    for member in entry.members:
        if matches(member.plain, tier.keep):
            continue
        if matches(member.plain, tier.remove):
            removed.append(member)
        elif member.info.st_size and not by_suffix(member.path or entry.name)[0].suffix:
            compressed.append(member)
    if not compressed and not removed:
        return None
    return Action(entry, tier, decision.why, whole=False, compressed=tuple(compressed), removed=tuple(removed))


def predict(action: Action, archive: Optional[Archive], names: Names) -> int:
    """Bytes on disk that the action will free. Reads what would be compressed or archived; writes nothing.

    :param names: of what the actions before this one would have removed.
    :raises Day2Error: it would be refused.
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
    """Bytes of a copy that is in place already; None: there is none, or one that was not finished and is replaced."""
    final = name + compression.suffix
    if directory.exists(final) and compare(directory, name, directory, final, compression)[0] == PART:
        return None
    return existing_size(directory, name, compression)


def _free_whole(entry: Entry, names: Names) -> int:
    return entry.own + names.remove(one.info for one in entry.files())


def check_rights(action: Action) -> None:
    """Raise Day2Error when the system would not let us do it, as far as that can be seen. Changes nothing."""
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
    """Where a file of an entry goes in an archive."""
    return os.path.join(entry.key, member.path).rstrip("/")


def perform(
    action: Action, archive: Optional[Archive], parents: Parents, in_use: Callable[[Entry], str], names: Names
) -> Optional[int]:
    """Do it. Returns the bytes freed on disk; None when the entry was gone already.

    :param parents: locks the directory of the entry, and makes a removal durable later.
    :param names: of what the actions before this one have removed.
    :param in_use: who has the entry open for writing; "": nobody.
    :raises Day2Error: it was not done, or not all of it; what is there is whole.
    """
    entry = action.entry
    parent = parents.take(entry.directory)
    with parent.errors("Can't stat", entry.name):
        now = look_again(entry, parent)
    if now is None:
        return None
    if not same(entry, now, names):
        raise TargetError(f"{entry.path} changed since it was looked at.", "Skipped; the next run will retry.")
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
            raise TargetError(f"{entry.path} changed while it was archived.", "The entry stays; move the copy away.")
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
    """Remove what was planned for, and nothing else: a directory that something was put into meanwhile stays.

    What was archived goes last, so that a directory that a killed run began with still tells what it is.
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
    """The open directory of a member, and its name there."""
    folder, name = os.path.split(_path(entry, member))
    with SecureDirectory(folder) as directory:
        yield directory, name


def _path(entry: Entry, member: Member) -> str:
    return os.path.join(entry.path, member.path) if member.path else entry.path


def remove_leftovers(paths: Sequence[str], lock_timeout: float) -> list[str]:
    """Remove what killed runs had prepared, and nothing else. Returns what was removed."""
    removed = []
    for path in paths:
        folder, name = os.path.split(path)
        with SecureDirectory(folder) as directory:
            directory.lock(lock_timeout)
            with directory.errors("Can't remove", name):
                directory.unlink(name)
        removed.append(path)
    return removed
