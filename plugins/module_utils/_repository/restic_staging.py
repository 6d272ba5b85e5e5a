# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup in the making in a repository of restic: a private directory that is stored as a whole.

Its data is stored and read back as a provisional snapshot. With the manifest, it becomes another one, in which the data
is the same by restic's own digest of it; only that one counts.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Sequence
from datetime import datetime, timezone
from typing import BinaryIO, Callable, Optional, cast

from .._core.errors import Day2Error, RepositoryError
from .._core.files import make_private_directory, os_errors, remove, write_atomically
from .._core.scratch import scratch_directory
from .manifest import CONTENT, DATA, MANIFEST, SUMS
from .pieces import Piece
from .restic_pieces import SUFFIX, Cutter
from .restic_series import Dump, Series
from .restic_snapshots import GOOD, OURS, PROVISIONAL, Snapshots, tags_of

_DIFFERS = "Nothing was published. Check the disk and the memory of the host and of the repository."


class ResticStaging:
    """
    :param drop: forgets snapshots, as far as this can be done now, and whether that frees space.
    """

    found: Collection[str] = ()
    read_back = CONTENT

    def __init__(
        self,
        snapshots: Snapshots,
        where: tuple[str, str, str],
        created: datetime,
        drop: Callable[[Sequence[str], bool], None],
    ) -> None:
        self._snapshots = snapshots
        self._name, self._by, backup_id = where
        self.id: Optional[str] = backup_id
        self._created = created.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        self._drop = drop
        self._stack = contextlib.ExitStack()
        self._stored = ""  # the provisional snapshot of all that was written
        self._left: list[str] = []
        self._published = False
        self._cut: dict[str, Cutter] = {}
        self._series = Series(snapshots.restic)
        self.scratch = self._tree = ""

    def __enter__(self) -> ResticStaging:
        top = self._stack.enter_context(scratch_directory())
        self._tree, self.scratch = os.path.join(top, "backup"), os.path.join(top, "scratch")
        for path in (self._tree, self.scratch):
            with os_errors(RepositoryError, "Can't create", path):
                os.mkdir(path, 0o700)
        return self

    def __exit__(self, *exc: object) -> None:
        with self._stack:
            self._series.close()
            if self._left:
                self._drop(self._left, not self._published)

    def create(self, path: str) -> BinaryIO:
        if not path.endswith(".tar"):
            return self._create_file(path)
        full = os.path.join(self._tree, path)
        self._stored = ""
        with os_errors(RepositoryError, "Can't write", full):
            make_private_directory(os.path.dirname(full))
            cutter = self._cut[path] = Cutter(full)
        return cutter.handle

    def _create_file(self, path: str) -> BinaryIO:
        full = os.path.join(self._tree, path)
        self._stored = ""
        with os_errors(RepositoryError, "Can't write", full):
            make_private_directory(os.path.dirname(full))
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            return cast(BinaryIO, os.fdopen(os.open(full, flags, 0o600), "wb", buffering=0))

    def discard(self, path: str) -> None:
        full = os.path.join(self._tree, path)
        self._cut.pop(path, None)
        with os_errors(RepositoryError, "Can't remove", full):
            remove(full)
            remove(full + SUFFIX)

    def seal(self, path: str) -> Sequence[str]:
        return self._cut[path].names(path) if path in self._cut else [path]

    def reopen(self, piece: str) -> BinaryIO:
        self._store()
        whole = piece.rpartition("/")[0][: -len(SUFFIX)]
        if whole in self._cut:
            names = self._cut[whole].pieces
            return self._series.open(self._stored, piece, last=f"{whole}{SUFFIX}/{names[-1]}")
        return self._dump(piece)

    def _dump(self, piece: str) -> BinaryIO:
        return cast(BinaryIO, Dump(self._snapshots.restic, self._stored, piece))

    def _store(self) -> None:
        if not self._stored and os.path.isdir(os.path.join(self._tree, DATA)):
            self._stored = self._snapshot(PROVISIONAL, [DATA])
            self._left.append(self._stored)

    def _snapshot(self, state: str, entries: Sequence[str], *more: str, **tree: str) -> str:
        tags = tags_of(set=self._name, id=str(self.id), state=state, by=self._by, **tree)
        words = ["backup", "--json", "--quiet", f"--host={OURS}", f"--tag={tags}", f"--time={self._created}"]
        out = self._snapshots.restic.call("write to", *words, *more, "--", *entries, limit=None, directory=self._tree)
        self._snapshots.forget_listing()
        return snapshot_in(out)

    def confirm(self, piece: str) -> Optional[Piece]:
        return None

    def publish(self, backup_id: str, manifest: bytes, sums: bytes) -> bool:
        self._store()
        for name, data in ((MANIFEST, manifest), (SUMS, sums)):
            path = os.path.join(self._tree, name)
            with os_errors(RepositoryError, "Can't write", path):
                write_atomically(path, data, durable=False)
        parent = [f"--parent={self._stored}"] if self._stored else ["--force"]
        entries = sorted(os.listdir(self._tree))
        try:
            whole = self._snapshot(PROVISIONAL, entries, *parent)
            self._left.append(whole)
            self._check(whole, manifest)
            # It counts from the moment it is written, if it is the tree that was compared, and never if it is another.
            tree = next(one.tree for one in self._snapshots.of(self._name) if one.id.startswith(whole))
            self._snapshot(GOOD, entries, f"--parent={whole}", tree=tree)
            if self.id not in self._snapshots.good(self._name):
                raise RepositoryError("The backup differs from what was read back.", _DIFFERS)
        except BaseException:
            quietly(self._leave)
            raise
        self._published = True
        return True

    def _leave(self) -> None:
        """A call that fails may have written a snapshot nevertheless."""
        self._snapshots.forget_listing()
        found = [one for one in self._snapshots.of(self._name) if one.backup == self.id]
        self._left = [one.id for one in found if one.tags.get("by") == self._by]

    def _check(self, whole: str, manifest: bytes) -> None:
        """Raise RepositoryError unless a snapshot has the data that was read back, and this manifest."""
        restic = self._snapshots.restic
        with contextlib.closing(Dump(restic, whole, MANIFEST)) as handle:
            same = handle.read() == manifest
        if self._stored:
            told = restic.call("read back from", "diff", "--no-lock", self._stored, whole)
            same = same and _added(told) == {f"/{MANIFEST}", f"/{SUMS}"}
        if not same:
            raise RepositoryError("The backup differs from what was read back.", _DIFFERS)


def _added(told: bytes) -> Optional[set[str]]:
    """The files that a snapshot has and another one has not; None if they differ in more than that."""
    lines = [line.split(None, 1) for line in told.decode(errors="replace").splitlines()]
    differences = [line for line in lines if len(line) == 2 and line[1].startswith("/")]
    return {path for _sign, path in differences} if all(sign == "+" for sign, _path in differences) else None


def snapshot_in(out: bytes) -> str:
    """The id of the snapshot that a backup has printed. Raises RepositoryError."""
    for line in out.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return str(json.loads(line)["snapshot_id"])
    raise RepositoryError("restic did not report the ID of the snapshot that it wrote.")


def quietly(drop: Callable[[], object]) -> None:
    """What can't be removed now is removed by the next run."""
    with contextlib.suppress(Day2Error):
        drop()
