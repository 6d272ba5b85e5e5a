# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding entries: what a rule's globs match, with all that decisions need to know, and without following a link."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import stat
from collections.abc import Collection, Sequence
from typing import NamedTuple, Optional

from .._core.compression import by_suffix
from .._core.errors import Day2Error, TargetError
from .._core.files import PREPARED
from .._core.open_files import FileId, file_id
from .._core.secure_directory import SecureDirectory
from .rules import Rule

_MAGIC = re.compile(r"[*?[]")
_BLOCK = 512  # the unit of st_blocks, whatever the file system's own
_MOST_FILES = 1_000_000  # of one entry
_PREPARED = re.compile(r"(?s)%s(.+)\.[0-9a-f]{8}" % re.escape(PREPARED))


class Member(NamedTuple):
    """A file of an entry. `path` is relative to the entry; "" when the entry is the file itself."""

    path: str
    info: os.stat_result

    @property
    def plain(self) -> str:
        """The path without a compression's suffix: what globs are matched against."""
        return plain_name(self.path)


class Entry(NamedTuple):
    """A file or a directory that a rule is about.

    `key` is its path below the fixed part of the glob, which tells it apart in an archive. `bytes` are those of its
    files, `blocks` what it takes on the disk (in bytes), `mtime` when the newest of its files was written.
    """

    rule: str
    path: str
    key: str
    info: os.stat_result
    members: tuple[Member, ...]
    bytes: int
    blocks: int
    mtime: float
    leftovers: tuple[str, ...] = ()  # of a killed run, relative to the entry
    links: tuple[str, ...] = ()  # symbolic ones, relative to the entry
    folders: tuple[str, ...] = ()  # below it, relative to the entry, a directory after those in it

    @property
    def device(self) -> int:
        return self.info.st_dev

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    @property
    def directory(self) -> str:
        return os.path.dirname(self.path)

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.info.st_mode)

    def ids(self) -> list[FileId]:
        """Its files, as the kernel tells them apart."""
        return [file_id(one.info) for one in self.members]


class Problem(NamedTuple):
    """What kept an entry, or a whole rule, from being worked on."""

    rule: str
    path: str
    problem: str


class Found(NamedTuple):
    """All that a rule matches. `leftovers` are paths that killed runs left beside files, `seen` those of entries."""

    entries: list[Entry]
    problems: list[Problem]
    leftovers: list[str]
    seen: set[str]


def _is_leftover(name: str, names: Collection[str]) -> bool:
    """Is it a compressed copy that a killed run had prepared? Then what it is a copy of is still there."""
    match = _PREPARED.fullmatch(name)
    return bool(match and by_suffix(match[1])[0].suffix and by_suffix(match[1])[1] in names)


def plain_name(name: str) -> str:
    """The name without a compression's suffix: "run.log" of "run.log.zst"."""
    return by_suffix(name)[1]


def matches(name: str, globs: Sequence[str]) -> bool:
    """Does a relative path, or its last part, match one of the globs?"""
    return any(fnmatch.fnmatchcase(name, one) or fnmatch.fnmatchcase(os.path.basename(name), one) for one in globs)


def find(rule: Rule) -> Found:
    """Look for the rule's entries."""
    found = Found([], [], [], set())
    for pattern in rule.paths:
        fixed = _fixed(pattern)
        parent, last = os.path.split(pattern.rstrip("/"))
        parents = sorted(glob.glob(parent)) if _MAGIC.search(parent) else [parent]
        if not os.path.isdir(fixed) and not rule.missing_ok:
            found.problems.append(Problem(rule.name, pattern, f"the directory {fixed} does not exist (missing_ok)"))
        for directory in parents:
            if os.path.isdir(directory):
                _look_into(rule, directory, last, fixed, found)
    return found


def _fixed(pattern: str) -> str:
    """The directory above the first part that is a glob."""
    parts = pattern.rstrip("/").split("/")[:-1]
    for index, part in enumerate(parts):
        if _MAGIC.search(part):
            return "/".join(parts[:index]) or "/"
    return "/".join(parts) or "/"


def _look_into(rule: Rule, path: str, last: str, fixed: str, found: Found) -> None:
    try:
        with SecureDirectory(path) as directory:
            with directory.errors("Can't list", ""):
                names = directory.names()
            for name in names:
                if name.startswith(PREPARED):
                    if _is_leftover(name, names):
                        found.leftovers.append(directory.of(name))
                    continue
                if not _selects(rule, last, name) or directory.of(name) in found.seen:
                    continue
                found.seen.add(directory.of(name))
                try:
                    key = os.path.relpath(directory.of(name), fixed)
                    found.entries.append(_entry(rule.name, rule.directories, directory, name, key))
                except (Day2Error, OSError) as exc:
                    found.problems.append(Problem(rule.name, directory.of(name), _words(exc)))
            if (
                not _MAGIC.search(last)
                and not rule.missing_ok
                and last not in map(plain_name, names)
                and last not in names
            ):
                found.problems.append(Problem(rule.name, directory.of(last), "it does not exist (missing_ok)"))
    except Day2Error as exc:
        found.problems.append(Problem(rule.name, path, exc.message))


def _words(exc: Exception) -> str:
    return exc.strerror or str(exc) if isinstance(exc, OSError) else str(exc)


def _selects(rule: Rule, pattern: str, name: str) -> bool:
    names = {name} if rule.directories else {name, plain_name(name)}
    if not _is_shown(name, pattern):
        return False
    return any(fnmatch.fnmatchcase(one, pattern) for one in names) and not any(
        matches(one, rule.exclude) for one in names
    )


def pattern_for(rule: Rule, path: str) -> str:
    """The first of the rule's patterns that an entry of this (resolved) path would match; "" when none does."""
    for pattern in rule.paths:
        fixed = _fixed(pattern)
        globs = os.path.relpath(pattern, fixed).split("/")
        parts = os.path.relpath(path, os.path.realpath(fixed)).split("/")
        if len(parts) != len(globs) or ".." in parts or not _selects(rule, globs[-1], parts[-1]):
            continue
        if all(fnmatch.fnmatchcase(*pair) and _is_shown(*pair) for pair in zip(parts[:-1], globs[:-1])):
            return pattern
    return ""


def _is_shown(name: str, pattern: str) -> bool:
    return not name.startswith(".") or pattern.startswith(".")


def look_again(entry: Entry, directory: SecureDirectory) -> Optional[Entry]:
    """The entry as it is now; None when it is gone. Raises OSError, Day2Error."""
    try:
        return _entry(entry.rule, entry.is_directory, directory, entry.name, entry.key)
    except FileNotFoundError:
        return None


def same(first: Entry, second: Entry) -> bool:
    """Has nothing been written to, added or taken away?"""
    return (
        os.path.samestat(first.info, second.info)
        and [_state(one) for one in first.members] == [_state(one) for one in second.members]
        and (first.links, first.folders) == (second.links, second.folders)
    )


def _state(member: Member) -> tuple[object, ...]:
    info = member.info
    # ctime: who writes can set mtime back, but not that
    return member.path, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns


def _entry(rule: str, is_directory: bool, directory: SecureDirectory, name: str, key: str) -> Entry:
    info = directory.stat(name)
    path = directory.of(name)
    if not is_directory:
        directory.check_regular(name, info)
        return Entry(rule, path, key, info, (Member("", info),), info.st_size, info.st_blocks * _BLOCK, info.st_mtime)
    if not stat.S_ISDIR(info.st_mode):
        raise TargetError(f"{path} is no directory.", "Set type=file in a rule of its own, or exclude it.")
    if info.st_dev != directory.device:
        raise TargetError(f"{path} is a mount point.", "Exclude it, or make a rule for what is below it.")
    below = _Below([], [], [], [])
    blocks = _walk(path, "", info, below)
    return Entry(
        rule=rule,
        path=path,
        key=key,
        info=info,
        members=tuple(sorted(below.members)),
        bytes=sum(one.info.st_size for one in below.members),
        blocks=blocks,
        # not the directory's own time: taking files out of it would make it young again
        mtime=max((one.info.st_mtime for one in below.members), default=info.st_mtime),
        leftovers=tuple(below.leftovers),
        links=tuple(below.links),
        folders=tuple(below.folders),
    )


class _Below(NamedTuple):
    """What lies below an entry, while it is collected."""

    members: list[Member]
    leftovers: list[str]
    links: list[str]
    folders: list[str]


def _walk(path: str, below: str, expected: os.stat_result, into: _Below) -> int:
    """Collect what lies below a directory; returns what it takes on the disk."""
    with SecureDirectory(os.path.join(path, below) if below else path) as directory:
        info = os.fstat(directory.fd)
        if not os.path.samestat(info, expected):
            raise TargetError(f"{directory.path} was replaced while it was looked at.")
        blocks = info.st_blocks * _BLOCK
        names = directory.names()
        for name in names:
            relative = os.path.join(below, name)
            one = directory.stat(name)
            if one.st_dev != info.st_dev:
                raise TargetError(f"{directory.of(name)} is on another file system.", "Exclude the entry.")
            if stat.S_ISDIR(one.st_mode):
                blocks += _walk(path, relative, one, into)
                into.folders.append(relative)
            elif stat.S_ISLNK(one.st_mode):
                into.links.append(relative)
            elif _is_leftover(name, names):
                into.leftovers.append(relative)
            elif stat.S_ISREG(one.st_mode):
                into.members.append(Member(relative, one))
                blocks += one.st_blocks * _BLOCK
            else:
                raise TargetError(f"{directory.of(name)} is neither a file, a directory nor a link.")
        if len(into.members) > _MOST_FILES:
            raise TargetError("%s holds over %d files." % (path, _MOST_FILES), "Make a rule for directories below it.")
    return blocks
