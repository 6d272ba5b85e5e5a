# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds logs: from globs to open directories, and in these to logs with their rotated files.

A file that a glob matches counts as rotated only if its log exists beside it. An application may write app.1, app.2 …
itself, in a ring or one for each process: if there is no "app", such files are skipped with a note.
"""

from __future__ import annotations

import bisect
import fnmatch
import glob
import os
import re
import stat
from collections.abc import Sequence
from typing import NamedTuple, Optional

from .._core.errors import Day2Error, TargetError
from .._core.files import PREPARED
from .._core.open_files import file_id
from .._core.owners import user_name
from .._core.secure_directory import SecureDirectory
from .in_place import parse_interrupted
from .names import Naming, Parsed, is_compressed
from .new_directory import NewDirectory

_PREPARED = re.compile(rf"(?s){re.escape(PREPARED)}(.+)\.[0-9a-f]{{8}}")
# Leftovers of a killed run: a copy of lines that may have been cut out, a log that is not in place yet, or anything
# else.
CUT, NEW, REST = "cut", "new", "rest"
_CUT_AT = 196  # bytes of the name of a log that are part of every prepared name
_MAGIC = re.compile(r"[*?[]")


class Rotated(NamedTuple):
    """A rotated file."""

    place: SecureDirectory
    name: str
    parsed: Parsed
    info: os.stat_result

    @property
    def when(self) -> float:
        """When its last line was written, within the limits of a date in its name."""
        return self.parsed.within(self.info.st_mtime)

    @property
    def rotated_at(self) -> float:
        """When its inode last changed, within the limits of its name: it had been renamed or written by then."""
        return self.parsed.within(self.info.st_ctime)

    @property
    def path(self) -> str:
        return self.place.of(self.name)

    @property
    def compressed(self) -> bool:
        return is_compressed(self.name)

    @property
    def written_since(self) -> bool:
        """Whether it was written to after it got its name. (A rename changes the inode, and comes after the last
        line.)"""
        return not self.compressed and self.info.st_mtime_ns >= self.info.st_ctime_ns


class Found(NamedTuple):
    """A log, which may be missing while rotated files of it exist; or an error of the matched file."""

    place: SecureDirectory
    name: str
    info: Optional[os.stat_result]
    error: Optional[Day2Error] = None

    @property
    def path(self) -> str:
        return self.place.of(self.name)


class Place:
    """A directory that is read once."""

    def __init__(self, directory: SecureDirectory, naming: Naming) -> None:
        self.directory = directory
        self.naming = naming
        self.names = directory.names()
        self.rotated: dict[str, list[tuple[str, Parsed]]] = {}
        self._leftovers: dict[str, list[tuple[str, str]]] = {}
        self.parsed: dict[str, Parsed] = {}
        self._unfinished: set[str] = set()  # logs that a killed run had renamed or cut
        for name in self.names:
            if name.startswith(PREPARED):
                self._note_prepared(name)
                continue
            parsed = naming.parse(name)
            if parsed is not None:
                self.parsed[name] = parsed
                self.rotated.setdefault(parsed.base, []).append((name, parsed))

    def _note_prepared(self, name: str) -> None:
        purpose = purpose_of(name)
        interrupted = parse_interrupted(name)
        parsed = self.naming.parse(purpose)
        if interrupted is not None:
            base, kind = interrupted[0], CUT
        elif purpose.endswith(".new"):
            base, kind = purpose[: -len(".new")], NEW
        elif purpose.endswith(".copy"):
            base, kind = purpose[: -len(".copy")], REST
        else:
            base, kind = parsed.base if parsed is not None else purpose, REST
        self._leftovers.setdefault(base, []).append((kind, name))
        if kind != REST:
            self._unfinished.add(base)

    def leftovers(self, base: str) -> list[tuple[str, str]]:
        """Files that a killed run has prepared for a log: CUT, NEW or REST, and the name."""
        found = self._leftovers.get(base, [])
        shortened = os.fsdecode(os.fsencode(base)[:_CUT_AT])
        if shortened == base:
            return found
        # prepared names of long ones are truncated
        others = [one for name, some in self._leftovers.items() if name.startswith(shortened) for one in some]
        return found + [(REST, name) for kind, name in others if kind == REST and (kind, name) not in found]

    def has(self, name: str) -> bool:
        """Whether an entry of that name exists."""
        at = bisect.bisect_left(self.names, name)
        return at < len(self.names) and self.names[at] == name

    def matching(self, pattern: str) -> tuple[list[str], list[str]]:
        """The logs whose names match a pattern, and files that could also be rotated files of a missing log."""
        if not _MAGIC.search(pattern):
            exists = self.has(pattern) or pattern in self.rotated or pattern in self._unfinished
            return [pattern] if exists else [], []
        expression = re.compile(fnmatch.translate(pattern))

        def matches(name: str) -> bool:
            return expression.match(name) is not None and (not name.startswith(".") or pattern.startswith("."))

        logs: list[str] = []
        unclear: list[str] = []
        for name in self.names:
            if not matches(name) or name.startswith(PREPARED) or is_compressed(name):
                continue
            base = self._log_of(name)
            if not base:
                logs.append(name)
            elif self.has(base) or base in self._unfinished:
                continue  # its rotated file
            else:
                (unclear if matches(base) else logs).append(name)
        logs += [base for base in self._unfinished if matches(base) and not self.has(base)]
        return sorted(logs), unclear

    def _log_of(self, name: str) -> str:
        """The log that this may be a rotated file of; "" if there is none."""
        if name in self.parsed:
            return self.parsed[name].base
        if name.endswith(".0"):  # the first file of a ring, or of logrotate with "start 0"
            return name[:-2]
        usual = self.naming.usual_base(name)
        return usual if usual and self.has(usual) else ""

    def history(self, base: str) -> list[Rotated]:
        """The rotated files of a log, regular files only. (A link with such a name is not ours.)"""
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
        """Open a directory. Raises Day2Error when it can't be opened, read or locked."""
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

    def open_or_plan(self, path: str, like: SecureDirectory) -> Place:
        """The same for a directory that may be missing: it is created with the attributes of `like` when it is first
        used.
        """
        path = os.path.normpath(path)
        if path in self._by_path or os.path.lexists(path):
            return self.open(path)
        directory = NewDirectory(path, like, self._lock_timeout)
        self._by_path[path] = place = Place(directory, self._naming)
        return place

    def close(self) -> None:
        for place in {id(one): one for one in [*self._opened.values(), *self._by_path.values()]}.values():
            place.directory.close()


class Problem(NamedTuple):
    """An error that concerns a path, but no log."""

    path: str
    error: Day2Error


class Search:
    """The logs that patterns match, in their order; errors in patterns; and notes."""

    def __init__(self, places: Places, exclude: Sequence[str] = ()) -> None:
        self._places = places
        self._exclude = exclude
        self._logs: dict[tuple[int, str], Found] = {}
        self._matched_by: dict[object, tuple[str, str]] = {}
        self._noted: set[str] = set()
        self.problems: list[Problem] = []
        self.notes: list[str] = []

    @property
    def logs(self) -> list[Found]:
        return list(self._logs.values())

    def look(self, patterns: Sequence[str], missing_ok: bool) -> None:
        """Find what they match."""
        for pattern in patterns:
            if not self._look(pattern) and not missing_ok:
                error = TargetError(f"No log matches {pattern}.", "Set missing_ok=true if this is not an error.")
                self.problems.append(Problem(pattern, error))
        self._mark_same()

    def _look(self, pattern: str) -> int:
        """Read the matches of one pattern. Returns their number."""
        count = 0
        folder, name_pattern = os.path.split(pattern)
        seen = set()
        for path in _folders(folder):
            try:
                place = self._places.open(path)
            except Day2Error as exc:
                if _MAGIC.search(folder) and os.path.islink(path):
                    self._note(
                        f"{path} is a symbolic link in a directory that other users can write to and was skipped."
                    )
                    continue
                self.problems.append(Problem(pattern, exc))
                count += 1
                continue
            if id(place) in seen:  # through a link beside the directory itself
                continue
            seen.add(id(place))
            names, unclear = place.matching(name_pattern)
            count += len(unclear)
            self._note_unclear(place, [one for one in unclear if not self._excluded(place, one)])
            for name in names:
                if self._excluded(place, name):
                    count += 1
                else:
                    count += self._take(place, name, pattern, bool(_MAGIC.search(name_pattern)))
        return count

    def _take(self, place: Place, name: str, pattern: str, by_glob: bool) -> bool:
        found = _look(place, name)
        if by_glob and found.info is not None:
            if stat.S_ISLNK(found.info.st_mode):
                self._note(f"{found.path} is a symbolic link and was skipped.")
                return False
            if stat.S_ISDIR(found.info.st_mode):
                return False
        # by inode, as a file can have two names
        key: object = file_id(found.info) if found.info else (place.directory.fd, name)
        if key in self._matched_by:
            first, path_of_first = self._matched_by[key]
            error = TargetError(
                f"{found.path} is matched by two entries of paths ({first}, {pattern}) and was not changed."
                if path_of_first == found.path
                else f"{found.path} and {path_of_first} are the same file, which was not changed.",
                "Change the patterns so that only one of them matches it.",
            )
            found = found._replace(error=error)
        else:
            self._matched_by[key] = (pattern, found.path)
        self._logs[place.directory.fd, name] = found
        return True

    def _mark_same(self) -> None:
        """The first of two names for one file is an error, too."""
        wrong = {
            file_id(one.info) for one in self._logs.values() if one.error and one.info and "same file" in str(one.error)
        }
        for key, one in self._logs.items():
            if one.info and not one.error and file_id(one.info) in wrong:
                error = TargetError(
                    f"{one.path} is also matched under another name, and was not changed.",
                    "Change the patterns so that only one of them matches it.",
                )
                self._logs[key] = one._replace(error=error)

    def _excluded(self, place: Place, name: str) -> bool:
        return any(fnmatch.fnmatchcase(place.directory.of(name) if "/" in one else name, one) for one in self._exclude)

    def _note_unclear(self, place: Place, names: Sequence[str]) -> None:
        if not names:
            return
        some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        self._note(
            f"{place.directory.path}: skipped {some}, which could be logs, or rotated files of a missing log. "
            "Give the exact path of the log, use a glob that matches only these files, or exclude them. For "
            "files that the application numbers or dates itself, use day2.ops.retention."
        )

    def _note(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self.notes.append(text)


def purpose_of(name: str) -> str:
    """The purpose of a prepared name."""
    match = _PREPARED.fullmatch(name)
    return match[1] if match else name[len(PREPARED) :]


def _folders(folder: str) -> list[str]:
    if _MAGIC.search(folder):
        # of two paths to one directory, the one without a link is used
        found = [path for path in glob.glob(folder, recursive=True) if not _is_other_than_directory(path)]
        return sorted(found, key=lambda path: (os.path.realpath(path) != path, path))
    try:
        os.stat(folder or os.sep)
    except FileNotFoundError:
        return []
    except OSError:  # other errors are reported when it is opened
        pass
    return [folder or os.sep]


def _is_other_than_directory(path: str) -> bool:
    """Whether this is not a directory. A glob matches files beside directories; errors are left to `open`."""
    try:
        return not stat.S_ISDIR(os.stat(path).st_mode)
    except OSError:
        return False


def _look(place: Place, name: str) -> Found:
    directory = place.directory
    try:
        info = directory.stat(name)
    except FileNotFoundError:
        return Found(directory, name, None)
    except OSError as exc:
        return Found(directory, name, None, TargetError(f"Can't stat {directory.of(name)}: {exc.strerror}."))
    try:
        directory.check_regular(name, info)
        if is_compressed(name):
            raise TargetError(
                f"{directory.of(name)} is a compressed file, not a log.", "Give the path of the log itself."
            )
        if directory.all_write and info.st_uid not in (0, os.geteuid(), directory.owner):
            raise TargetError(
                f"{directory.of(name)} belongs to {user_name(info.st_uid) or info.st_uid}, and everybody can "
                "write to its directory. It was not changed.",
                "Set run_as to that user, or remove the write permission.",
            )
    except Day2Error as exc:
        return Found(directory, name, info, exc)
    return Found(directory, name, info)
