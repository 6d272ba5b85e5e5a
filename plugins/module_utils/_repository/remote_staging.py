# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup in the making in a store of objects. Nothing can be renamed there: its id is fixed from the start."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from typing import BinaryIO, Optional

from .._core.errors import Day2Error, LeaseLost, RepositoryError
from .._core.scratch import scratch_directory
from .base import continues_later
from .lease import Lease
from .manifest import CHECKSUM, CONTENT, MANIFEST, SUMS
from .objects import LISTING, Objects, Upload
from .pieces import Piece


class RemoteStaging:
    """Objects below an id that no other run uses."""

    def __init__(
        self, objects: Objects, lease: Lease, name: str, backup_id: str, locking: Optional[tuple[float, str]] = None
    ) -> None:
        self.id: Optional[str] = backup_id
        self.scratch = ""
        self.read_back = CHECKSUM if objects.checksums else CONTENT
        self.found: Collection[str] = ()
        self._objects = objects
        self._lease = lease
        self._top = f"{name}/{self.id}/"
        self._locking = locking
        self._sealed: list[str] = []
        self._sources: dict[str, Upload] = {}  # of each piece
        self._uploads: dict[str, Upload] = {}
        self._tried = False  # the manifest may be there
        self._published = False
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> RemoteStaging:
        self.scratch = self._stack.enter_context(scratch_directory())
        return self

    def __exit__(self, *exc: object) -> None:
        with self._stack:
            if not self._published and (not self._tried or self._is_fenced()):
                for upload in self._uploads.values():
                    upload.discard()
                with contextlib.suppress(Day2Error):  # the next run tells what is left
                    self._objects.remove([self._top + SUMS])

    def _is_fenced(self) -> bool:
        """Keep a manifest whose answer was lost from appearing after its data is gone. False: it may be there, so that
        nothing must be removed; if it is not, the next run cleans up."""
        if self._objects.exclusive == LISTING:
            return False
        try:
            return self._objects.create(self._top + MANIFEST, b"")
        except Day2Error:
            return False

    def create(self, path: str) -> BinaryIO:
        return self._begin(path, None)

    def _begin(self, path: str, size: Optional[int]) -> BinaryIO:
        self._lease.check()
        upload = self._uploads[path] = self._objects.upload(self._top + path, size, self._lease.check)
        return upload.handle

    def discard(self, path: str) -> None:
        upload = self._uploads.pop(path, None)
        if upload is not None:
            upload.discard()

    def seal(self, path: str) -> Sequence[str]:
        self._lease.check()
        keys = self._uploads[path].seal()
        self._sealed += keys
        pieces = [key[len(self._top) :] for key in keys]
        self._sources.update(dict.fromkeys(pieces, self._uploads[path]))
        return pieces

    def confirm(self, piece: str) -> Optional[Piece]:
        upload = self._sources.get(piece)
        found = None if upload is None else upload.confirm(self._top + piece)
        return None if found is None else found._replace(path=piece)

    def reopen(self, piece: str) -> BinaryIO:
        return self._objects.open(self._top + piece)

    def publish(self, backup_id: str, manifest: bytes, sums: bytes) -> bool:
        self._lease.check()  # an encrypted copy of another run has the same id, and other sums
        self._objects.put(self._top + SUMS, sums)
        self._lease.check()
        if self._locking is not None:  # only now: what a failed run has locked would be paid for until then
            self._objects.retain([*self._sealed, self._top + SUMS], *self._locking)
            self._lease.check()
        self._tried = True
        self._published = self._create(self._top + MANIFEST, manifest)
        if self._published and self._objects.exclusive == LISTING:
            self._look_again(len(manifest))
        if self._published and self._locking is not None:
            self._objects.retain([self._top + MANIFEST], *self._locking)
        return self._published

    def _look_again(self, size: int) -> None:
        """Where nothing refuses a run that is late: whoever took it for dead may have removed data meanwhile."""
        time.sleep(self._objects.settle)
        there = {one.key: one.size for one in self._objects.walk(self._top)}
        missing = sorted({*self._sealed, self._top + SUMS} - set(there))
        if not missing and there.get(self._top + MANIFEST) == size:
            return
        self._published = False
        self._objects.remove([self._top + MANIFEST])
        gone = missing[0] if missing else self._top + MANIFEST
        raise LeaseLost(
            f"Another run considered this one dead and removed {self._objects.location}/{gone}.",
            "Nothing was published. Run again.",
        )

    def _create(self, key: str, manifest: bytes) -> bool:
        try:
            return self._objects.create(key, manifest)
        except RepositoryError:
            # the answer may have been lost: whether it is there tells more than the error
            with contextlib.suppress(RepositoryError):
                if self._objects.read(key) == manifest:
                    return True
            raise


COPYING = "copying"  # the mark of a copy that is not complete


class RemoteCopyStaging(RemoteStaging):
    """A copy of a backup in the making. Whoever copies it writes the same objects: what is complete need not be written
    again. A mark keeps runs that do not know of it from removing it."""

    def __init__(
        self,
        objects: Objects,
        lease: Lease,
        name: str,
        backup_id: str,
        *,
        sizes: Mapping[str, int],
        locking: Optional[tuple[float, str]] = None,
    ) -> None:
        super().__init__(objects, lease, name, backup_id, locking)
        self._sizes = sizes

    def __enter__(self) -> RemoteCopyStaging:
        there = {one.key[len(self._top) :]: one.size for one in self._objects.walk(self._top)}
        if MANIFEST in there:
            raise RepositoryError(
                f"Another run has written to {self._objects.location}/{self._top.rstrip('/')}.", "Run again later."
            )
        self._lease.check()
        self._objects.put(self._top + COPYING, b"")  # its time is that of the last attempt
        self.found = frozenset(path for path, size in there.items() if size == self._sizes.get(path, -1))
        # also the mark of an earlier removal
        self._objects.remove([self._top + path for path in there if path not in self.found and path != COPYING])
        super().__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        with self._stack:
            if self._published or self._tried:  # the manifest may be there: the next run looks
                return
            held = self._is_held()
            for path, upload in self._uploads.items():
                if path not in self._complete():
                    upload.discard(remove=held)
            if not continues_later(exc[0]):
                with contextlib.suppress(Day2Error):
                    self._lease.check()
                    self._objects.remove([self._top + path for path in {*self.found, *self._complete(), SUMS}])
                    self._objects.remove([self._top + COPYING])

    def _is_held(self) -> bool:
        """Whether nobody else can have gone on with the copy, whose objects have the same names."""
        try:
            self._lease.check()
        except LeaseLost:
            return False
        return True

    def _complete(self) -> Collection[str]:
        return {key[len(self._top) :] for key in self._sealed}

    def discard(self, path: str) -> None:
        upload = self._uploads.pop(path, None)
        if upload is not None:
            upload.discard(remove=self._is_held())
            self._sealed = [key for key in self._sealed if key != self._top + path]

    def create(self, path: str) -> BinaryIO:
        if path in self.found:
            self.found = frozenset(self.found) - {path}
            self._lease.check()
            self._objects.remove([self._top + path])
        return self._begin(path, self._sizes.get(path))

    def publish(self, backup_id: str, manifest: bytes, sums: bytes) -> bool:
        self._sealed = [self._top + path for path in self._sizes] or self._sealed
        published = super().publish(backup_id, manifest, sums)
        if published:
            with contextlib.suppress(Day2Error):  # else the next run removes it
                self._lease.check()
                self._objects.remove([self._top + COPYING])
        return published
