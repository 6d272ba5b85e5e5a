# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of a backup of another repository in the making in a repository of restic.

What is complete is stored now and then as a provisional snapshot, which a later run begins with.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import BinaryIO, Callable

from .._core.compression.base import CorruptStream
from .._core.errors import RepositoryError, Unreachable
from .._core.files import os_errors, remove
from .base import continues_later
from .directory_layout import regular_size
from .restic_pieces import SUFFIX
from .restic_snapshots import PROVISIONAL, Snapshot, Snapshots
from .restic_staging import ResticStaging, quietly

_EVERY = 1 << 30  # bytes after which what is complete is stored


class ResticCopyStaging(ResticStaging):
    """
    :param sizes: of all files that will be written, by path.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        where: tuple[str, str, str],
        drop: Callable[[Sequence[str], bool], None],
        sizes: Mapping[str, int],
    ) -> None:
        created = datetime.strptime(where[2][:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
        super().__init__(snapshots, where, created, drop)
        self._sizes = sizes
        self._new = 0  # bytes since they were last stored
        self._last: dict[str, str] = {}  # of each archive that is in pieces, the last one
        for path in sorted(sizes):
            self._last[os.path.dirname(path)] = path

    def __enter__(self) -> ResticCopyStaging:
        super().__enter__()
        try:
            self._begin()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _begin(self) -> None:
        found = [one for one in self._snapshots.of(self._name) if one.backup == self.id and one.state == PROVISIONAL]
        own = [one for one in found if one.tags.get("by") == self._by]
        self._left = [one.id for one in own]
        if own and not self._restored(max(own, key=self._bytes_in)):
            self.found = ()
            for name in os.listdir(self._tree):
                remove(os.path.join(self._tree, name))

    def _bytes_in(self, snapshot: Snapshot) -> int:
        """How much of the backup it contains, as far as sizes tell."""
        try:
            known = self._snapshots.known(snapshot).sizes
        except Unreachable:
            raise
        except (RepositoryError, CorruptStream):
            return -1
        return sum(size or 0 for path, size in known.items() if size == self._sizes.get(path))

    def _restored(self, snapshot: Snapshot) -> bool:
        """Begin with what an interrupted run has stored. False: nothing can be made of it."""
        try:
            known = self._snapshots.known(snapshot).sizes
            if None in known.values():  # it is not ours
                return False
            words = ("restore", "--no-lock", "--quiet", snapshot.id, f"--target={self._tree}")
            self._snapshots.restic.call("read", *words, limit=None)
        except Unreachable:
            raise
        except (RepositoryError, CorruptStream):
            return False
        ours = known.keys() & self._sizes.keys()
        wanted = {path for path in ours if regular_size(self._full(path)) == self._sizes[path]}
        with os_errors(RepositoryError, "Can't remove", self._tree):
            for path in known.keys() - wanted:
                remove(self._full(path))
            for path in self._sizes.keys() - wanted:  # a directory where a file belongs
                remove(self._full(path))
        self.found = frozenset(wanted)
        if len(wanted) == len(known):
            self._stored = snapshot.id
        return True

    def _full(self, path: str) -> str:
        return os.path.join(self._tree, path)

    def __exit__(self, *exc: object) -> None:
        if isinstance(exc[1], Unreachable) and self._new:
            quietly(self._store)
        if continues_later(exc[0]):
            self._left = []
        super().__exit__(*exc)

    def create(self, path: str) -> BinaryIO:
        if path in self.found:
            self.found = frozenset(self.found) - {path}
            with os_errors(RepositoryError, "Can't write", self._full(path)):
                os.unlink(self._full(path))
        return self._create_file(path)  # it is cut as it is elsewhere

    def seal(self, path: str) -> Sequence[str]:
        self._new += self._sizes.get(path, 0)
        if self._new >= _EVERY:
            self._store()
            self._new = 0
        return [path]

    def reopen(self, piece: str) -> BinaryIO:
        self._store()
        folder = os.path.dirname(piece)
        if folder.endswith(SUFFIX):
            return self._series.open(self._stored, piece, last=self._last[folder])
        return self._dump(piece)

    def publish(self, backup_id: str, manifest: bytes, sums: bytes) -> bool:
        self._snapshots.forget_listing()
        if backup_id in self._snapshots.good(self._name):  # by a run of another host
            return False
        return super().publish(backup_id, manifest, sums)
