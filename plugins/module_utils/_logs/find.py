# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding logs: globs to directories that are open, and in them to logs with their rotated files."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from .._core.errors import Day2Error, TargetError
from .._core.files import PREPARED
from .._core.open_files import file_id
from .._core.owners import user_name
from .._core.secure_directory import SecureDirectory
from .names import Naming, Parsed, is_compressed

_PREPARED = re.compile(r"(?s)%s(.+)\.[0-9a-f]{8}" % re.escape(PREPARED))
_MAGIC = re.compile(r"[*?[]")


class Rotated(NamedTuple):
    """A rotated file. `when`: of its rotation by its name, else when its last line was written."""

    place: SecureDirectory
    name: str
    parsed: Parsed
    info: os.stat_result

    @property
    def when(self) -> float:
        return self.info.st_mtime if self.parsed.when is None else self.parsed.when

    @property
    def rotated_at(self) -> float:
        """By its name; else when its inode last changed: it was renamed or written by then."""
        return self.info.st_ctime if self.parsed.when is None else self.parsed.when

    @property
    def path(self) -> str:
        return self.place.of(self.name)

    @property
    def compressed(self) -> bool:
        return is_compressed(self.name)


class Found(NamedTuple):
    """A log, which may be missing while rotated files of it are there; or what is wrong with what was matched."""

    place: SecureDirectory
    name: str
    info: Optional[os.stat_result]
    error: Optional[Day2Error] = None

    @property
    def path(self) -> str:
        return self.place.of(self.name)


class Place:
    """A directory, read once."""

    def __init__(self, directory: SecureDirectory, naming: Naming) -> None:
        self.directory = directory
        self.names = directory.names()
        self.rotated: dict[str, list[tuple[str, Parsed]]] = {}
        self.prepared: list[tuple[str, str]] = []  # what for, name
        self.parsed: dict[str, Parsed] = {}
        for name in self.names:
            if name.startswith(PREPARED):
                match = _PREPARED.fullmatch(name)
                purpose = match[1] if match else name[len(PREPARED) :]
                self.prepared.append((purpose, name))
                if purpose.endswith(".new"):  # of a log that was renamed when the run was killed
                    self.rotated.setdefault(purpose[: -len(".new")], [])
                continue
            parsed = naming.parse(name)
            if parsed is not None:
                self.parsed[name] = parsed
                self.rotated.setdefault(parsed.base, []).append((name, parsed))

    def matching(self, pattern: str) -> Iterator[str]:
        """The logs that a pattern for names matches: entries, and what only rotated files are left of."""
        if not _MAGIC.search(pattern):
            if pattern in self.names or pattern in self.rotated:
                yield pattern
            return
        expression = re.compile(fnmatch.translate(pattern))

        def matches(name: str) -> bool:
            return expression.match(name) is not None and (not name.startswith(".") or pattern.startswith("."))

        bases = {base for base in self.rotated if matches(base)}
        # a rotated file of something that the pattern matches is no log
        entries = {
            name
            for name in self.names
            if matches(name)
            and not name.startswith(PREPARED)
            and not (name in self.parsed and (self.parsed[name].base in bases or self.parsed[name].base in self.names))
        }
        # "app.log.1" matches "*", and so does its base's "app"
        yield from sorted(entries | {base for base in bases if base not in self.parsed})

    def history(self, base: str) -> list[Rotated]:
        """The rotated files of a log, regular ones. (A link of such a name is not ours.)"""
        found = []
        for name, parsed in self.rotated.get(base, ()):
            try:
                info = self.directory.stat(name)
                self.directory.check_regular(name, info)
            except (OSError, Day2Error):
                continue
            found.append(Rotated(self.directory, name, parsed, info))
        return found


class Places:
    """The directories of a run; each is opened, locked and read once."""

    def __init__(self, naming: Naming, lock_timeout: Optional[float]) -> None:
        self._naming = naming
        self._lock_timeout = lock_timeout
        self._opened: dict[tuple[int, int], Place] = {}
        self._by_path: dict[str, Place] = {}

    def open(self, path: str) -> Place:
        """:raises Day2Error: it can't be opened, read or locked."""
        if path in self._by_path:
            return self._by_path[path]
        directory = SecureDirectory(path)
        try:
            one = file_id(os.fstat(directory.fd))
            if one in self._opened:
                directory.close()
                self._by_path[path] = self._opened[one]
                return self._opened[one]
            if self._lock_timeout is not None:
                directory.lock(self._lock_timeout)
            with directory.errors("Can't read the directory", ""):
                place = Place(directory, self._naming)
        except BaseException:
            directory.close()
            raise
        self._by_path[path] = self._opened[one] = place
        return place

    def all(self) -> list[Place]:
        """Every directory that was opened."""
        return list(self._opened.values())

    def close(self) -> None:
        for place in self._opened.values():
            place.directory.close()


class Problem(NamedTuple):
    """Something that is wrong with a path, and not with a log."""

    path: str
    error: Day2Error


def find_logs(places: Places, patterns: Sequence[str], missing_ok: bool) -> tuple[list[Found], list[Problem]]:
    """The logs that the patterns match, in their order, and what is wrong with patterns."""
    logs: dict[tuple[int, str], Found] = {}
    matched_by: dict[object, tuple[str, str]] = {}
    problems = []
    for pattern in patterns:
        count = 0
        folder, name_pattern = os.path.split(pattern)
        for path in _folders(folder):
            try:
                place = places.open(path)
            except Day2Error as exc:
                problems.append(Problem(pattern, exc))
                count += 1
                continue
            for name in place.matching(name_pattern):
                count += 1
                found = _look(place, name)
                # by its inode, to tell two names of one file as well
                key: object = file_id(found.info) if found.info else (place.directory.fd, name)
                if key in matched_by:
                    first, path_of_first = matched_by[key]
                    error = TargetError(
                        f"{found.path} is matched by two entries of paths ({first}, {pattern}): not touched."
                        if path_of_first == found.path
                        else f"{found.path} and {path_of_first} are the same file: not touched.",
                        "Let one entry match it.",
                    )
                    logs[place.directory.fd, name] = found._replace(error=error)
                    continue
                matched_by[key] = (pattern, found.path)
                logs[place.directory.fd, name] = found
        if not count and not missing_ok:
            problems.append(
                Problem(pattern, TargetError(f"{pattern} matches no log.", "Set missing_ok when that is no error."))
            )
    _mark_same(logs, matched_by)
    return list(logs.values()), problems


def _mark_same(logs: dict[tuple[int, str], Found], matched_by: dict[object, tuple[str, str]]) -> None:
    """The first of two names for one file is in error, too."""
    wrong = {file_id(one.info) for one in logs.values() if one.error and one.info and "same file" in one.error.message}
    for key, one in logs.items():
        if one.info and not one.error and file_id(one.info) in wrong:
            logs[key] = one._replace(
                error=TargetError(f"{one.path} has another name that is matched, too: not touched.", "Let one match.")
            )


def _folders(folder: str) -> list[str]:
    if _MAGIC.search(folder):
        return sorted(glob.glob(folder, recursive=True))
    try:
        os.stat(folder or os.sep)
    except FileNotFoundError:
        return []
    except OSError:  # what else is wrong with it is told when it is opened
        pass
    return [folder or os.sep]


def _look(place: Place, name: str) -> Found:
    directory = place.directory
    try:
        info = directory.stat(name)
    except FileNotFoundError:
        return Found(directory, name, None)
    except OSError as exc:
        return Found(directory, name, None, TargetError(f"Can't look at {directory.of(name)}: {exc.strerror}."))
    try:
        directory.check_regular(name, info)
        if directory.all_write and info.st_uid not in (0, os.geteuid(), directory.owner):
            raise TargetError(
                f"{directory.of(name)} belongs to {user_name(info.st_uid) or info.st_uid}, and everybody can write "
                "its directory: not touched.",
                "Work as that user (run_as), or take the write permission away.",
            )
    except Day2Error as exc:
        return Found(directory, name, info, exc)
    return Found(directory, name, info)
