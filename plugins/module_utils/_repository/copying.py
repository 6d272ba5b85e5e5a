# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies a backup from one repository to another: the same id and bytes, verified where they arrive."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from typing import Callable, NamedTuple, TypeVar

from .._core.compression import plain
from .._core.compression.base import BLOCK
from .._core.errors import DamagedBackup, Interrupted, LeaseLost, RepositoryError
from .._core.files import os_errors
from .._core.progress import Progress
from .base import Repository, Staging
from .manifest import Manifest, parse
from .pieces import Piece
from .reading import difference, load, open_piece, quick_problems, read_documents
from .sink import HashingWriter
from .stored_reader import HashingReader
from .storing import BAD_DISK

_TRIES = 3
_PAUSE = 2.0  # seconds, and three times as long before the next try
_Result = TypeVar("_Result")


class Copying(NamedTuple):
    """A set that is copied from one repository to another. The caller holds the lock of the target."""

    source: Repository
    target: Repository
    name: str
    progress: Progress

    def copy(self, backup_id: str) -> Manifest:
        """Copy a backup that the target lacks, or continue an interrupted copy.

        Raises DamagedBackup when the source differs from its manifest.
        """
        with self.source.hold(self.name, backup_id):
            listed = self.source.look(self.name, backup_id)
            documents = read_documents(listed)
            manifest = parse(backup_id, *documents)
            problems = quick_problems(listed, manifest)
            if problems:
                raise DamagedBackup(backup_id, problems)
            with self.target.stage_copy(self.name, backup_id, manifest.pieces) as staging:
                self._bring_all(backup_id, manifest.objects, staging)
                if not staging.publish(backup_id, *documents):
                    raise taken_over(self.target.path(self.name, backup_id))
        self._check_published(manifest)
        return manifest

    def _bring_all(self, backup_id: str, objects: Sequence[Piece], staging: Staging) -> None:
        """All objects, and all of them read back, whoever wrote them."""
        left = frozenset(staging.found)
        size = sum(one.bytes for one in objects)
        self.progress.start(f"Copying {self.name}/{backup_id}", size, "bytes")
        for piece in objects:
            if piece.path in left:
                self.progress.advance(piece.bytes)
            else:
                self._bring(backup_id, piece, staging)
        wrong = self._differing(backup_id, objects, staging)
        if wrong and all(piece.path in left for piece in wrong):  # an interrupted run left another one
            for piece in wrong:
                self._bring(backup_id, piece, staging)
            wrong = self._differing(backup_id, objects, staging)
        for piece in wrong:
            raise RepositoryError(
                f"{self.target.path(self.name, backup_id)}/{piece.path} differs when it is read back after writing.",
                BAD_DISK,
            )

    def _bring(self, backup_id: str, piece: Piece, staging: Staging) -> None:
        def again() -> None:
            staging.discard(piece.path)

        self._patiently(lambda: self._bring_once(backup_id, piece, staging), again)

    def _differing(self, backup_id: str, objects: Sequence[Piece], staging: Staging) -> list[Piece]:
        """What is not there as it is in the source."""
        self.progress.start(f"Reading back {self.name}/{backup_id}", sum(one.bytes for one in objects), "bytes")
        return [one for one in objects if self._patiently(functools.partial(self._read_back, one.path, staging)) != one]

    def _patiently(self, call: Callable[[], _Result], before_each_more: Callable[[], None] = lambda: None) -> _Result:
        """Call it once more where the connection was cut."""
        done = self.progress.done
        for left in reversed(range(_TRIES)):
            try:
                return call()
            except Interrupted as exc:
                if not left:
                    raise
                self.progress.update(done)
                self.progress.waiting(f"retrying: {exc.message}")
                time.sleep(_PAUSE * 3 ** (_TRIES - 1 - left))
                before_each_more()
        raise AssertionError("the last try returns or fails")

    def _bring_once(self, backup_id: str, piece: Piece, staging: Staging) -> None:
        with staging.create(piece.path) as handle, plain.writer(handle.fileno()) as target:
            with HashingWriter(target, piece.path, self.progress) as writer:
                for data in self._read(backup_id, piece):
                    writer.write(data)
        problem = difference(Piece(piece.path, writer.bytes, writer.sha256()), piece)
        if problem:
            raise _damaged(backup_id, piece, problem)
        staging.seal(piece.path)

    def _read(self, backup_id: str, piece: Piece) -> Iterator[bytes]:
        left = piece.bytes
        with open_piece(self.source, self.name, backup_id, piece.path) as handle:
            while left >= 0:  # one block more than there should be is enough to know
                try:
                    data = handle.read(BLOCK)
                except OSError as exc:
                    raise _damaged(backup_id, piece, f"it can't be read ({exc.strerror})") from exc
                if not data:
                    return
                left -= len(data)
                yield data

    def _read_back(self, path: str, staging: Staging) -> Piece:
        with os_errors(RepositoryError, "Can't read back", path), staging.reopen(path) as handle:
            reader = HashingReader(handle)
            for data in iter(lambda: reader.read(BLOCK), b""):
                self.progress.advance(len(data))
            return Piece(path, reader.bytes, reader.sha256())

    def _check_published(self, manifest: Manifest) -> None:
        """Look at what everybody sees now."""
        listed = self.target.look(self.name, manifest.id)
        try:
            whole = load(listed) == manifest and not quick_problems(listed, manifest)
        except DamagedBackup:
            whole = False
        if not whole:
            raise RepositoryError(
                f"{self.target.path(self.name, manifest.id)} was published, and differs from what was written.",
                "Run backup_info with verify=full on that repository, and check the disk and the memory of its host.",
            )


def taken_over(path: str) -> LeaseLost:
    """What a publication that was refused means."""
    return LeaseLost(f"Another run has written to {path}.", "Nothing was published. Run again.")


def _damaged(backup_id: str, piece: Piece, problem: str) -> DamagedBackup:
    return DamagedBackup(backup_id, [{"path": piece.path, "problem": problem}])
