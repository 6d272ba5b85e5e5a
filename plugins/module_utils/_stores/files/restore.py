# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores a tree: the new one is built and verified beside the old one, then the two are exchanged."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, Optional

from ..._core import files
from ..._core.errors import DamagedBackup, RepositoryError, TargetError
from ..._core.exchange import Exchange
from ..._core.files import OPEN_DIRECTORY, os_errors
from ..._core.mounts import check_exchange, mount_points
from ..._core.system_calls import syncfs
from ..._core.walk import refuse
from ..base import Change, Copy
from .archive import CHUNK, ArchiveReader
from .attributes import Target
from .build import Builder, write_file
from .compare import Comparison, Partial, Step, check_only, compare, whole
from .index import (
    ARCHIVE,
    BLOCK_DEVICE,
    CHARACTER_DEVICE,
    FILE,
    HARDLINK,
    INDEX,
    Entry,
    collections_of,
    read_index,
    shown,
)
from .keep import CarryOver, Kept, check_kept
from .selection import Selection


class TreeRestoration:
    """A prepared restore of a tree (`Restoration` in base.py).

    `differences` are the first entries that differ, as (path, "added" / "changed" / "removed"); `differing` counts all.
    """

    def __init__(
        self,
        path: str,
        copy: Copy,
        *,
        only: Sequence[str],
        scratch: str,
        dry: bool,
    ) -> None:
        self._copy = copy
        self._only = tuple(only)
        self._notes: list[str] = []
        self.damage = ""
        self._data_bytes = 0
        self._target = files.resolve(path, TargetError)
        self._parent, self._name = os.path.split(self._target)
        self._here = Target(self._parent, os.geteuid() == 0, copy.strict)
        self._prepared = ""
        self._existed = self._exists()
        self._archive, self._index = self._names()
        self._spool = os.path.join(scratch, "index")
        self._replaced = _recorded_selection(copy.details, self._damaged)
        self._partial: Optional[Partial] = None
        self._fetch_index()
        if only:
            self._replaced = self._replaced.narrowed(only)
            check_only(only, self._entries(), f"the backup of {path}")
            self._partial = Partial(self._entries, self._replaced)
        comparison = self._compare()
        self.changed = comparison.differing > 0
        self.changes = _changes(comparison, self._existed)
        self.differing = comparison.differing
        self.differences: tuple[tuple[str, str], ...] = tuple(comparison.differences)
        if self.changed:
            self._check_exchangeable()
            if self._existed and not self._replaced.everything:
                check_kept(self._target, self._replaced)
            files.need_space(self._parent, self._needed(), f"Restoring {self._target}")
        if not dry:
            self._remove_leftovers()
            if self.changed:
                self._prepare()
        elif self.changed:
            self._verify()
        if self.changed:
            self._notes += self._lost()
        self._exchange = Exchange(self._prepared, self._target, self._existed, copy.progress)
        self.notes: tuple[str, ...] = tuple(self._notes)

    def _verify(self) -> None:
        """Read what the run would read.

        :raises DamagedBackup: the archive is damaged.
        """
        with self._copy.open(self._archive) as reader:
            while reader.read(1 << 20):
                pass

    def __enter__(self) -> TreeRestoration:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._prepared:
            self.notes += tuple(files.discard(self._prepared))

    def apply(self) -> None:
        """Exchange the new tree and the old one."""
        if not self._prepared:
            return
        if self._exists() != self._existed:
            raise TargetError(f"{self._target} was created or removed while the restore was prepared.", "Run again.")
        self._check_exchangeable()
        if self._existed and not self._replaced.everything:  # what its users wrote meanwhile into what is kept
            self._carry_over()
        self._exchange.apply()

    def undo(self) -> None:
        """Exchange them back."""
        self._exchange.undo()

    def _exists(self) -> bool:
        """Whether the directory exists.

        :raises TargetError: there is something else.
        """
        with os_errors(TargetError, "Can't stat", self._target):
            try:
                info = os.lstat(self._target)
            except FileNotFoundError:
                return False
        if not stat.S_ISDIR(info.st_mode):
            raise TargetError(
                f"{self._target} is {files.kind_of(info)}, not a directory.", "Move it elsewhere and run again."
            )
        return True

    def _check_exchangeable(self) -> None:
        for point in mount_points():
            if files.is_within(point, self._target):
                raise TargetError(
                    f"{point} is a mount point, so that {self._target} can't be replaced as a whole.",
                    "Unmount it, or restore to another directory and copy from there.",
                )
        files.check_writable_parent(self._target)
        files.check_changeable(self._target)
        if self._existed:
            check_exchange(self._target)

    def _names(self) -> tuple[str, str]:
        names = {suffix: [name for name in self._copy.names() if name.endswith(suffix)] for suffix in (ARCHIVE, INDEX)}
        for suffix, found in names.items():
            if len(found) != 1:
                raise self._damaged("*" + suffix, f"there are {len(found)} instead of one")
        return names[ARCHIVE][0], names[INDEX][0]

    def _damaged(self, name: str, problem: str) -> DamagedBackup:
        return DamagedBackup(f"of {self._target}", [{"path": name, "problem": problem}])

    def _fetch_index(self) -> None:
        with self._copy.open(self._index) as reader, os_errors(RepositoryError, "Can't write", self._spool):
            with open(self._spool, "wb") as spool:
                while True:
                    data = reader.read(CHUNK)
                    if not data:
                        return
                    spool.write(data)

    def _entries(self) -> Iterator[Entry]:
        with open(self._spool, "rb") as spool:
            try:
                yield from read_index(spool, self._copy.content_digest)
            except ValueError as exc:
                raise self._damaged(self._index, str(exc)) from exc

    def _steps(self) -> Iterator[Step]:
        return self._partial.steps() if self._partial is not None else whole(self._entries())

    def _compare(self) -> Comparison:
        root = self._target if self._existed else None
        kept = Kept(root, self._replaced)
        with os_errors(TargetError, "Can't read", self._target):
            comparison = compare(
                self._considered(self._wanted(kept)),
                root,
                self._replaced,
                leading=self._partial is None,
                target=self._here,
                kept=kept,
                failed=refuse,
            )
        self._notes += kept.notes()
        return comparison

    def _wanted(self, kept: Kept) -> Iterator[Entry]:
        """The entries to compare. Directories that only lead to them are not changed, but it must be possible to create
        them.
        """
        for step in self._steps():
            if step.wanted is not None and step.leads:
                kept.check_free(step.wanted)
            elif step.wanted is not None:
                yield step.wanted

    def _considered(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Pass the entries on, and refuse those that cannot be created."""
        for entry in entries:
            self._copy.progress.check()
            self._data_bytes += entry.size
            if entry.kind in (BLOCK_DEVICE, CHARACTER_DEVICE) and not self._here.privileged:
                raise TargetError(
                    f"Only root can restore the device {shown(entry.path)}.", "Run as root (become: true)."
                )
            yield entry

    def _remove_leftovers(self) -> None:
        with os_errors(TargetError, "Can't look for leftovers of earlier runs in", self._parent):
            self._notes += files.remove_prepared(self._parent, self._name)

    def _prepare(self) -> None:
        try:
            self._prepared = self._make_directory()
            if self._existed:
                self._try_exchange()
            self._extract()
            with os_errors(TargetError, "Can't write", self._prepared):
                _sync_file_system(self._prepared)
            if self._existed:
                self._carry_over()
        except BaseException:
            if self._prepared:
                files.discard(self._prepared)
            raise

    def _lost(self) -> list[str]:
        try:
            return self._here.notes()
        except TargetError:
            if self._prepared:
                files.discard(self._prepared)
            raise

    def _needed(self) -> int:
        """The number of bytes to be written, at most: sizes count holes, and the archive also has entries that are not
        wanted.
        """
        archived = self._copy.details.get("archive_bytes")
        return min(self._data_bytes, archived) if isinstance(archived, int) else self._data_bytes

    def _make_directory(self) -> str:
        path = os.path.join(self._parent, files.prepared_name(self._name))
        with os_errors(TargetError, "Can't create", path):
            os.mkdir(path, 0o700)
        return path

    def _try_exchange(self) -> None:
        """Try the exchange now, not after hours of work."""
        other = self._make_directory()
        try:
            files.exchange(self._prepared, other)
        except OSError as exc:
            raise TargetError(
                f"The file system of {self._target} can't exchange two directories: {exc.strerror}.",
                "Nothing was changed. Move the directory elsewhere and run again: a directory that does not "
                "exist need not be exchanged.",
            ) from exc
        finally:
            with contextlib.suppress(OSError):  # the next run removes it
                os.rmdir(other)

    def _extract(self) -> None:
        with os_errors(TargetError, "Can't write", self._prepared):
            builder = Builder(self._prepared, self._here)
        try:
            with self._copy.open(self._archive) as reader, contextlib.ExitStack() as stack:
                hidden: Optional[_Hidden] = None
                if self._partial is not None:
                    hidden = _Hidden(self._make_directory(), self._partial.hidden, self._here)
                    stack.callback(hidden.remove)
                archive = ArchiveReader(reader)
                for step in self._steps():
                    self._copy.progress.check()
                    self._take(step, archive, builder, hidden)
                archive.finish()
            builder.finish()
        except ValueError as exc:
            raise self._damaged(self._archive, str(exc)) from exc
        finally:
            builder.close()

    def _take(self, step: Step, archive: ArchiveReader, builder: Builder, hidden: Optional[_Hidden]) -> None:
        recorded, wanted = step.recorded, step.wanted
        content: Iterator[tuple[int, bytes]] = iter(())
        if recorded is not None:
            content = archive.begin(recorded)
        digest = ""
        if wanted is not None:
            if hidden is not None and recorded is not None and (recorded.kind, wanted.kind) == (HARDLINK, FILE):
                builder.adopt(wanted, hidden.path(recorded.target))
                return
            digest = builder.add(wanted, content)
        elif hidden is not None and recorded is not None and hidden.wants(recorded):
            wanted, digest = recorded, hidden.add(recorded, content)
        for _rest in content:
            pass
        if wanted is not None and wanted.kind == FILE and digest != wanted.sha256:
            raise ValueError(f"the content of {shown(wanted.path)} differs from the index")

    def _carry_over(self) -> None:
        keeper = CarryOver(self._replaced, bool(self._only), self._here.attributes)
        if keeper.run(self._target, self._prepared):
            with os_errors(TargetError, "Can't write", self._prepared):
                _sync_file_system(self._prepared)


class _Hidden:
    """Files that are wanted under another name than in the archive, until that name comes."""

    def __init__(self, directory: str, wanted: Container[bytes], here: Target) -> None:
        self._directory = directory
        self._wanted = wanted
        self._here = here
        self._numbers: dict[bytes, int] = {}

    def wants(self, entry: Entry) -> bool:
        """Whether the entry is one of these files."""
        return entry.kind == FILE and entry.path in self._wanted

    def add(self, entry: Entry, content: Iterator[tuple[int, bytes]]) -> str:
        """Keep a file. Returns the SHA-256 of its content."""
        self._numbers[entry.path] = len(self._numbers)
        with os_errors(TargetError, "Can't restore", shown(entry.path)):
            fd = os.open(self._directory, OPEN_DIRECTORY)
            try:
                name = b"%d" % self._numbers[entry.path]
                return write_file(fd, name, self._here(entry), content, self._here.attributes)
            finally:
                os.close(fd)

    def path(self, name: bytes) -> str:
        """The path of a kept file."""
        return os.path.join(self._directory, str(self._numbers[name]))

    def remove(self) -> None:
        """Remove the files. Their names in the tree remain."""
        with os_errors(TargetError, "Can't remove", self._directory):
            files.remove(self._directory)


def _recorded_selection(details: Mapping[str, Any], damaged: Callable[[str, str], DamagedBackup]) -> Selection:
    lists = [details.get(name) or [] for name in ("include", "exclude")]
    if not all(isinstance(one, list) and all(isinstance(item, str) for item in one) for one in lists):
        raise damaged("manifest.json", "include and exclude are not lists of globs")
    return Selection(*lists)


def _changes(comparison: Comparison, existed: bool) -> tuple[Change, ...]:
    before = {one.name: one.records for one in collections_of(comparison.before)}
    after = {one.name: one.records for one in collections_of(comparison.after)}
    return tuple(
        Change(name, before.get(name, 0) if existed else None, after.get(name, 0)) for name in {**after, **before}
    )


def _sync_file_system(path: str) -> None:
    fd = os.open(path, OPEN_DIRECTORY)
    try:
        syncfs(fd, path)
    finally:
        os.close(fd)
