# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores a directory of JSON documents: the new one is built and verified beside the old one, then exchanged."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Optional

from ..._core import files, tar_members
from ..._core.errors import TargetError
from ..._core.files import kind_of, look
from ..._core.mounts import check_exchange
from ..._core.owners import Owner, check_replaceable
from ..base import Change, Copy, Restoration
from .build import Build, put, state
from .index import Index, index_errors
from .place import Swap, ready
from .read import damaged
from .tar import read_tar

if TYPE_CHECKING:
    from .directory import Directory


class DirectoryRestore:
    """The restore of a directory, or of some collections of it."""

    def __init__(self, store: Directory, copy: Copy, only: Sequence[str]) -> None:
        self._store, self._copy, self._only = store, copy, only
        self.path, self._layout = store.path, store.layout
        self._parent, self._name = os.path.split(store.path)

    def prepare(self, scratch: str, dry: bool) -> Restoration:
        """As `Store.prepare`."""
        copy, only = self._copy, self._only
        notes = ready(self.path, dry)
        present = self._look_at_target()
        before = self._state()
        new = os.path.join(self._parent, files.prepared_name(self._name))
        with index_errors(TargetError, f"Can't restore {self.path}"), contextlib.ExitStack() as stack:
            target, backup = stack.enter_context(Index(scratch)), stack.enter_context(Index(scratch))
            damage = self._survey(target) if present else ""
            if damage:
                notes.append(damage)
            try:
                wanted = bool(only) or not present or target.digest() != copy.content_digest
                if wanted:
                    files.need_space(self._parent, int(copy.details.get("bytes") or 0), f"Restoring {self.path}")
                stack.enter_context(files.os_errors(TargetError, "Can't prepare", new))
                build = Build(new, self.path if present else "") if wanted and not dry else None
                if build is not None:
                    stack.callback(build.close)
                changed = self._build(build, target if present else None, backup)
                if build is None or not changed:
                    files.discard(new)
                    new = ""
                else:
                    notes += build.notes
            except BaseException:
                files.discard(new)
                raise
            changes = _changes(copy, only, target.collections())

        def check() -> None:
            if self._state() != before:
                raise TargetError(
                    f"{self.path} was changed while its restore was prepared.",
                    "Nothing was changed. Stop the application that writes to it and run again.",
                )

        return Swap(
            self.path,
            prepared=new,
            present=present,
            check=check,
            progress=copy.progress,
            changed=changed,
            changes=changes,
            notes=notes,
            damage=damage,
        )

    def _build(self, build: Optional[Build], target: Optional[Index], backup: Index) -> bool:
        """Read the backup into its index and into the new directory, and complete that. Returns whether it differs.

        :param build: the new directory; None if it is not needed.
        :param target: None if the directory does not exist.
        """
        self._unpack(backup, build)
        if target is not None:
            self._respect_others(target, backup)
            if target.digest(self._only) == backup.digest(self._only):
                return False
            self._check_exchange(target, backup)
        if build is not None:
            build.carry_over(self._replaced)
            build.finish(Owner.recorded(self._copy.details, self._parent, 0o700))
        return True

    def _replaced(self, name: str) -> bool:
        """Whether the restore replaces a name relative to the directory. Names of directories end in "/"."""
        collection = self._layout.collection(name)
        return collection is not None and (not self._only or collection in self._only)

    def _state(self) -> str:
        """The current state of the directory; "" if it does not exist."""
        with files.os_errors(TargetError, "Can't read", self.path):
            return state(self.path, self._replaced) if look(self.path, TargetError) is not None else ""

    def _check_exchange(self, target: Index, backup: Index) -> None:
        check_exchange(self.path)
        for row in target.rows(self._only):
            if backup.get(row.name) is not None:  # its successor takes after it
                check_replaceable(row.uid, row.gid, os.path.join(self.path, row.name.rstrip("/")))

    def _look_at_target(self) -> bool:
        """Whether the directory exists.

        :raises TargetError: there is something else.
        """
        info = look(self.path, TargetError)
        if info is None:
            if self._only:
                raise TargetError(
                    f"{self.path} does not exist, so that {', '.join(self._only)} can't be restored into it.",
                    "Restore everything (omit only).",
                )
            return False
        if not stat.S_ISDIR(info.st_mode):
            raise TargetError(f"{self.path} is {kind_of(info)}, not a directory.", "Set layout, or move it elsewhere.")
        return True

    def _respect_others(self, target: Index, backup: Index) -> None:
        """What does not belong to the store is kept. A directory that is kept only for that does not count as a
        difference.

        :raises TargetError: it is in the way of a directory of the backup.
        """
        for row in backup.rows():
            info = look(os.path.join(self.path, row.name[:-1]), TargetError) if row.name.endswith("/") else None
            if info is not None and not stat.S_ISDIR(info.st_mode) and self._replaced(row.name):
                raise TargetError(
                    f"{os.path.join(self.path, row.name[:-1])} is {kind_of(info)}, where the backup has a directory.",
                    "Nothing was changed. Move it elsewhere and run again.",
                )
        for row in list(target.rows()):
            if row.name.endswith("/") and backup.get(row.name) is None:
                names = os.listdir(os.path.join(self.path, row.name))
                if any(not self._replaced(row.name + name) for name in names):
                    target.forget(row.name)

    def _survey(self, target: Index) -> str:
        """List and read the existing files. Returns the problems of those that are not valid."""
        self._copy.progress.start(f"Reading {self.path}", unit="bytes")
        self._store.see_all(target, TargetError)
        with files.os_errors(TargetError, "Can't read", self.path):
            self._store.read_stale(target, None, self._copy.progress)
        unsteady = target.stale(1)
        if unsteady:
            raise TargetError(
                f"{os.path.join(self.path, unsteady[0].name)} was changed while it was read.",
                "Nothing was changed. Stop the application that writes to it and run again.",
            )
        broken = [name for name, records in target.collections().items() if records is None]
        return f"The data to be replaced is not valid JSON in: {', '.join(broken[:10])}" if broken else ""

    def _unpack(self, backup: Index, build: Optional[Build]) -> None:
        """Read all of the backup into the index, and the wanted files into the new directory."""
        name = self._copy.names()[0]
        self._copy.progress.start(f"Unpacking {name}", self._copy.details.get("bytes"), "bytes")
        try:
            with self._copy.open(name) as reader:
                for row, info, content in read_tar(reader, self._layout):
                    wanted = build if not self._only or row.collection in self._only else None
                    owner = Owner(row.mode, row.uid, row.gid, info.uname, info.gname)
                    digest = ""
                    if content is not None:
                        digest = put(content, row.name, owner, wanted)
                    elif wanted is not None:
                        wanted.add_directory(row.name[:-1], owner)
                    backup.put(row._replace(sha256=digest))
        except tar_members.ERRORS as exc:
            raise damaged(name, str(exc)) from exc
        if backup.digest() != self._copy.content_digest:
            raise damaged(name, f"its content has the digest {backup.digest()} instead of {self._copy.content_digest}")


def _changes(copy: Copy, only: Sequence[str], before: Mapping[str, Optional[int]]) -> list[Change]:
    after = {one.name: one.records for one in copy.collections}
    names = only or {**after, **before}
    return [Change(name, before.get(name), after.get(name, 0)) for name in names]
