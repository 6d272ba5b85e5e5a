# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds entries: the matches of the globs of a rule, with everything that decisions depend on, without following
links."""

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
from .._core.files import PREPARED, is_directory
from .._core.mounts import is_mounted
from .._core.open_files import FileId, file_id
from .._core.secure_directory import SecureDirectory
from .rules import Rule
from .space import Names, allocated, allocated_once

_MAGIC = re.compile(r"[*?[]")
_MOST_FILES = 1_000_000  # of one entry
_PREPARED = re.compile(rf"(?s){re.escape(PREPARED)}(.+)\.[0-9a-f]{{8}}")


class Member(NamedTuple):
    """A file of an entry. `path` is relative to the entry; "" if the entry is the file itself."""

    path: str
    info: os.stat_result

    @property
    def plain(self) -> str:
        """The path without the suffix of a compression, which globs are matched against."""
        return plain_name(self.path)


class Entry(NamedTuple):
    """A file or directory to which a rule applies.

    `key` is its path below the fixed part of the glob, which identifies it in an archive. `bytes` is the size of its
    files, `own` what its directories take on disk (in bytes), `mtime` when the newest of its files was written.
    """

    rule: str
    path: str
    key: str
    info: os.stat_result
    members: tuple[Member, ...]
    bytes: int
    own: int
    mtime: float
    leftovers: tuple[str, ...] = ()  # of a killed run, relative to the entry
    links: tuple[str, ...] = ()  # symbolic links, relative to the entry
    specials: tuple[Member, ...] = ()  # FIFOs, sockets, devices
    folders: tuple[str, ...] = ()  # below it, relative to the entry, each after its content
    home: Optional[int] = None  # the device of its directory

    @property
    def device(self) -> int:
        """The device of its file system: on an overlay, a file itself has the number of its layer."""
        return self.info.st_dev if self.home is None else self.home

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
        """The identities of its files in the kernel."""
        return [file_id(one.info) for one in self.files()]

    def files(self) -> list[Member]:
        """Everything except directories and links."""
        return [*self.members, *self.specials]

    @property
    def blocks(self) -> int:
        """Bytes that it takes on disk."""
        return self.own + allocated_once(one.info for one in self.files())


class Problem(NamedTuple):
    """An error of an entry, or of a whole rule."""

    rule: str
    path: str
    problem: str


class Found(NamedTuple):
    """Everything that a rule matches.

    `leftovers` are paths that killed runs left beside files, `links` symbolic links that globs matched, `unmatched`
    globs that matched nothing; `seen` identifies entries by directory and name, whatever path leads there.
    """

    entries: list[Entry]
    problems: list[Problem]
    leftovers: list[str]
    links: list[str]
    unmatched: list[str]
    seen: set[tuple[FileId, str]]


def _is_leftover(name: str, names: Collection[str]) -> bool:
    """Whether it is a compressed copy that a killed run had prepared; its original then still exists."""
    match = _PREPARED.fullmatch(name)
    return bool(match and by_suffix(match[1])[0].suffix and by_suffix(match[1])[1] in names)


def plain_name(name: str) -> str:
    """The name without the suffix of a compression: "run.log" of "run.log.zst"."""
    return by_suffix(name)[1]


def matches(name: str, globs: Sequence[str]) -> bool:
    """Whether a relative path, or its last part, matches one of the globs."""
    return any(fnmatch.fnmatchcase(name, one) or fnmatch.fnmatchcase(os.path.basename(name), one) for one in globs)


def find(rule: Rule) -> Found:
    """Find the entries of the rule."""
    found = Found([], [], [], [], [], set())
    for pattern in rule.paths:
        fixed = fixed_part(pattern)
        parent, last = os.path.split(pattern.rstrip("/"))
        parents = sorted(glob.glob(parent)) if _MAGIC.search(parent) else [parent]
        try:
            exists = is_directory(fixed, TargetError)
        except TargetError as exc:
            found.problems.append(Problem(rule.name, pattern, exc.message))
            continue
        if not exists:
            if not rule.missing_ok:
                problem = f"the directory {fixed} does not exist (missing_ok)"
                found.problems.append(Problem(rule.name, pattern, problem))
            continue
        where = _Pattern(rule, fixed, last)
        matched = sum(_look_into(where, one, found) for one in parents if os.path.isdir(one))
        if matched or rule.missing_ok:
            continue
        if _MAGIC.search(pattern):
            found.unmatched.append(pattern)
        else:
            found.problems.append(Problem(rule.name, pattern, f"{pattern} does not exist (missing_ok)"))
    return found


def fixed_part(pattern: str) -> str:
    """The directory above the first part that is a glob."""
    parts = pattern.rstrip("/").split("/")[:-1]
    for index, part in enumerate(parts):
        if _MAGIC.search(part):
            return "/".join(parts[:index]) or "/"
    return "/".join(parts) or "/"


class _Pattern(NamedTuple):
    """One of the paths of a rule: the directory above its first glob, and its last part."""

    rule: Rule
    fixed: str
    last: str


def _look_into(pattern: _Pattern, path: str, found: Found) -> bool:
    """Add the entries of a directory. Returns whether anything in it matched, including excluded entries."""
    rule = pattern.rule
    try:
        with SecureDirectory(path) as directory:
            with directory.errors("Can't list", ""):
                names = directory.names()
            matched = [name for name in names if not name.startswith(PREPARED) and _fits(rule, pattern.last, name)]
            found.leftovers.extend(
                directory.of(name) for name in names if name.startswith(PREPARED) and _is_leftover(name, names)
            )
            where = file_id(os.fstat(directory.fd))
            for name in matched:
                if (where, name) not in found.seen and not _is_excluded(rule, name):
                    found.seen.add((where, name))
                    _look_at(pattern, directory, name, found)
            return bool(matched)
    except Day2Error as exc:
        if _leads_over_a_link(path, pattern.fixed):
            found.links.append(path)
        else:
            found.problems.append(Problem(rule.name, path, exc.message))
        return True


def _look_at(pattern: _Pattern, directory: SecureDirectory, name: str, found: Found) -> None:
    path, rule = directory.of(name), pattern.rule
    try:
        if _MAGIC.search(pattern.last) and stat.S_ISLNK(directory.stat(name).st_mode):
            found.links.append(path)
        else:
            key = os.path.relpath(path, pattern.fixed)
            found.entries.append(_entry(rule.name, rule.directories, directory, name, key))
    except (Day2Error, OSError) as exc:
        found.problems.append(Problem(rule.name, path, _words(exc)))


def _leads_over_a_link(path: str, fixed: str) -> bool:
    """Whether there is a link between the fixed part of a glob and a directory that it matches."""
    while path not in (fixed, "/"):
        if os.path.islink(path):
            return True
        path = os.path.dirname(path)
    return False


def _words(exc: Exception) -> str:
    return exc.strerror or str(exc) if isinstance(exc, OSError) else str(exc)


def _fits(rule: Rule, pattern: str, name: str) -> bool:
    """Whether the last part of a pattern matches the name."""
    return _is_shown(name, pattern) and any(fnmatch.fnmatchcase(one, pattern) for one in _names_of(rule, name))


def _is_excluded(rule: Rule, name: str) -> bool:
    return any(matches(one, rule.exclude) for one in _names_of(rule, name))


def _names_of(rule: Rule, name: str) -> set[str]:
    return {name} if rule.directories else {name, plain_name(name)}


def pattern_for(rule: Rule, path: str) -> str:
    """The first of the patterns of a rule that an entry of this (resolved) path would match; "" if none does."""
    for pattern in rule.paths:
        fixed = fixed_part(pattern)
        globs = os.path.relpath(pattern, fixed).split("/")
        parts = os.path.relpath(path, os.path.realpath(fixed)).split("/")
        if len(parts) != len(globs) or ".." in parts or not _fits(rule, globs[-1], parts[-1]):
            continue
        if _is_excluded(rule, parts[-1]):
            continue
        if all(fnmatch.fnmatchcase(*pair) and _is_shown(*pair) for pair in zip(parts[:-1], globs[:-1])):
            return pattern
    return ""


def _is_shown(name: str, pattern: str) -> bool:
    return not name.startswith(".") or pattern.startswith(".")


def look_again(entry: Entry, directory: SecureDirectory) -> Optional[Entry]:
    """The current state of an entry; None if it does not exist any more. Raises OSError or Day2Error when it can't be
    read.
    """
    try:
        return _entry(entry.rule, entry.is_directory, directory, entry.name, entry.key)
    except FileNotFoundError:
        return None


def same(first: Entry, second: Entry, unlinked: Names) -> bool:
    """Whether nothing has been written to, added or removed.

    :param unlinked: files of which this run has removed other names, which sets ctime.
    """
    return (
        os.path.samestat(first.info, second.info)
        and [_state(one, unlinked) for one in first.files()] == [_state(one, unlinked) for one in second.files()]
        and (first.links, first.folders) == (second.links, second.folders)
    )


def _state(member: Member, unlinked: Names) -> tuple[object, ...]:
    info = member.info
    # ctime: mtime can be set back, but ctime can't
    changed = 0 if info in unlinked else info.st_ctime_ns
    return member.path, info.st_ino, info.st_size, info.st_mtime_ns, changed


def _entry(rule: str, is_directory: bool, directory: SecureDirectory, name: str, key: str) -> Entry:
    info = directory.stat(name)
    path = directory.of(name)
    if not is_directory:
        directory.check_regular(name, info)
        return Entry(rule, path, key, info, (Member("", info),), info.st_size, 0, info.st_mtime, home=directory.device)
    if not stat.S_ISDIR(info.st_mode):
        raise TargetError(f"{path} is not a directory.", "Set type=file in another rule, or exclude it.")
    if is_mounted(path, info, directory.device):
        raise TargetError(f"{path} is a mount point.", "Exclude it, or add a rule for its content.")
    below = _Below([], [], [], [], [])
    own = _walk(path, "", info, below)
    return Entry(
        rule=rule,
        path=path,
        key=key,
        info=info,
        members=tuple(sorted(below.members)),
        bytes=sum(one.info.st_size for one in below.members),
        own=own,
        # not the time of the directory itself: removing files would make it young again
        mtime=max((one.info.st_mtime for one in below.members + below.specials), default=info.st_mtime),
        leftovers=tuple(below.leftovers),
        links=tuple(below.links),
        specials=tuple(sorted(below.specials)),
        folders=tuple(below.folders),
        home=directory.device,
    )


class _Below(NamedTuple):
    """The content of an entry while it is collected."""

    members: list[Member]
    leftovers: list[str]
    links: list[str]
    specials: list[Member]
    folders: list[str]


def _walk(path: str, below: str, expected: os.stat_result, into: _Below) -> int:
    """Collect the content of a directory. Returns what this and the directories in it take on disk."""
    with SecureDirectory(os.path.join(path, below) if below else path) as directory:
        info = os.fstat(directory.fd)
        if not os.path.samestat(info, expected):
            raise TargetError(f"{directory.path} was replaced while it was being read.")
        own = allocated(info)
        names = directory.names()
        for name in names:
            relative = os.path.join(below, name)
            one = directory.stat(name)
            if is_mounted(directory.of(name), one, info.st_dev):
                raise TargetError(f"{directory.of(name)} is on another file system.", "Exclude the entry.")
            if stat.S_ISDIR(one.st_mode):
                own += _walk(path, relative, one, into)
                into.folders.append(relative)
            elif stat.S_ISLNK(one.st_mode):
                into.links.append(relative)
            elif _is_leftover(name, names):
                into.leftovers.append(relative)
            elif stat.S_ISREG(one.st_mode):
                into.members.append(Member(relative, one))
            else:
                into.specials.append(Member(relative, one))
        if len(into.members) > _MOST_FILES:
            raise TargetError(f"{path} contains more than {_MOST_FILES} files.", "Add a rule for directories below it.")
    return own
