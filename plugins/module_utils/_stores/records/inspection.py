# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a store of records says of itself: figures with their sources, and why others could not be seen."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any, Callable, NamedTuple, Optional, Protocol

from ..._core import files
from ..._core.errors import SourceError
from ..._core.progress import Progress
from ..._core.units import format_time

# The figures that every store, collection and index has in a result, if only as null with the reason.
OF_STORE = (
    *("bytes", "free_bytes", "free_percent", "schema_version", "journal_mode", "databases", "collections", "indexes"),
    *("unused_indexes", "invalid_indexes", "foreign_keys_without_index"),
)
OF_COLLECTION = (
    *("records", "bytes", "index_bytes", "free_bytes", "free_percent", "dead_rows", "dead_percent"),
    *("last_vacuum", "last_analyze"),
)
OF_INDEX = ("bytes", "scans", "leaf_density")


class Figures:
    """Named values with their sources. What could not be seen is None, with the reason, and never 0."""

    def __init__(self, **facts: Any) -> None:
        """:param facts: values that need no source, such as a name."""
        self._values: dict[str, Any] = dict(facts)
        self._sources: dict[str, str] = {}
        self._unknown: dict[str, str] = {}
        self._estimated: list[str] = []

    def know(self, name: str, value: Any, source: str, *, estimated: bool = False) -> None:
        """A value, and where it is from."""
        self._values[name] = value
        self._sources[name] = source
        self._unknown.pop(name, None)
        if estimated:
            self._estimated.append(name)

    def unknown(self, name: str, reason: str) -> None:
        """A value that could not be seen."""
        self._values[name] = None
        self._unknown[name] = reason

    def get(self, name: str) -> Any:
        """The value; None if it is not known."""
        return self._values.get(name)

    def is_estimated(self, name: str) -> bool:
        return name in self._estimated

    def complete(self, names: Iterable[str], reason: str) -> None:
        """Give all names that were not looked for this reason."""
        for name in names:
            if name not in self._values:
                self.unknown(name, reason)

    def result(self) -> dict[str, Any]:
        """As JSON. Figures within are converted, too."""
        values = {name: _result(value) for name, value in self._values.items()}
        return {**values, "sources": self._sources, "unknown": self._unknown, "estimated": self._estimated}


def _result(value: Any) -> Any:
    if isinstance(value, Figures):
        return value.result()
    return [_result(one) for one in value] if isinstance(value, (list, tuple)) else value


class Inspection(Protocol):
    """A store that is looked at. It is a context manager, and never writes anything."""

    type: str
    location: str  # for people, without secrets

    def __enter__(self) -> Inspection: ...

    def __exit__(self, *exc: object) -> None: ...

    def figures(self, deep: bool, progress: Progress) -> Figures:
        """Those of the store, with lists of `Figures` for its databases, collections and indexes.

        :param deep: read all data, where the store does not know a figure by itself.
        :raises SourceError: it does not exist, or cannot be read.
        """


def percent(part: float, whole: float) -> Optional[float]:
    """The share in percent; None of nothing."""
    return round(100.0 * part / whole, 2) if whole else None


def moment(when: Optional[datetime]) -> Optional[str]:
    """A time as results show it."""
    return None if when is None else format_time(when.astimezone(timezone.utc).replace(microsecond=0))


class Listed(NamedTuple):
    """A file in a directory, and its attributes. `note` says what it is, or why that could not be seen."""

    name: str
    path: str
    info: os.stat_result
    note: str


def listed(directory: str, look: Callable[[str], str]) -> Iterator[Listed]:
    """The regular files of a directory by name, without hidden ones; links are not followed.

    :param look: says what the file at a path is; "" leaves it out.
    :raises SourceError: the directory cannot be read.
    """
    with files.os_errors(SourceError, "Can't read the directory", directory):
        with os.scandir(directory) as entries:
            found = sorted(one.name for one in entries if not one.name.startswith("."))
        for name in found:
            path = os.path.join(directory, name)
            try:
                info = os.lstat(path)
            except FileNotFoundError:  # removed meanwhile
                continue
            if stat.S_ISREG(info.st_mode):
                note = look(path)
                if note:
                    yield Listed(name, path, info, note)


def file_figures(name: str, path: str, info: os.stat_result, sides: Sequence[str] = ()) -> Figures:
    """A database that is a file.

    :param sides: suffixes of files that belong to it.
    """
    figures = Figures(name=name, path=path)
    size, source = info.st_size, "size of the file"
    for side in sides:
        try:
            size += os.lstat(path + side).st_size
            source = "sizes of the file and its log"
        except FileNotFoundError:
            pass
    figures.know("bytes", size, source)
    figures.know("modified", moment(datetime.fromtimestamp(int(info.st_mtime), timezone.utc)), "modification time")
    return figures
