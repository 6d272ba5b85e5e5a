# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives a dump back to the user's own program, and the old one if that fails."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator
from typing import IO, TYPE_CHECKING, Optional

from ..._core.errors import NoSpace, SourceError, TargetError, TaskEnded
from ..._core.files import os_errors
from ..base import Change, Copy, Restoration
from .program import Program, ProgramFailed, run

if TYPE_CHECKING:
    from .store import CommandStore

_BLOCK = 1 << 20
_NOT_ATOMIC = (
    "The restore was not atomic, as swap is not set: programs that read the target meanwhile may have seen only a part "
    "of the backup."
)

_OTHER = "prints something else than the backup contains. If the lines that differ are irrelevant, add them to ignore."


class CommandRestoration:
    """The dump of the backup was read, and that of the target kept in scratch, where it can be put back from.

    Without `swap`, loading is what changes the target. With it, `restore` prepares a place of the user's own (`build`).
    """

    differences: tuple[tuple[str, str], ...] = ()

    def __init__(self, store: CommandStore, copy: Copy, scratch: str, dry: bool) -> None:
        self._store = store
        self._copy = copy
        self._kept = os.path.join(scratch, "before")
        self._verified = os.path.join(scratch, "backup")
        self._prepared = False
        self.notes: tuple[str, ...] = ()
        self.damage = ""
        (self._name,) = copy.names()
        self._digest, size = self._check_backup(dry)
        digest, before = self._keep(dry)
        self.changed = digest != self._digest
        self.changes: tuple[Change, ...] = (Change("bytes", before, size),) if self.changed else ()

    def __enter__(self) -> Restoration:
        return self

    def __exit__(self, *caught: object) -> None:
        if not (self._prepared and self._store.discard):
            return
        try:
            self._run(self._store.discard)
        except TargetError as exc:
            error = caught[1]
            if not isinstance(error, TaskEnded):
                raise
            raise TargetError(f"{error.message} {exc.message}", error.hint, error.details) from error

    def build(self) -> None:
        if self._store.swap:
            self._prepared = True  # also if it fails in the middle
            self._load(self._read(self._verified))

    def apply(self) -> None:
        try:
            if self._store.swap:
                self._run(self._store.swap)
                self._prepared = False
            else:
                self._load(self._read(self._verified))
        except TaskEnded as exc:
            hint = exc.hint if isinstance(exc, TargetError) else ""  # others say that nothing was changed
            raise TargetError(f"{exc.message} {self._put_back()}", hint, exc.details) from exc
        if not self._store.swap:
            self.notes += (_NOT_ATOMIC,)
        self.notes += self._differs()

    def undo(self) -> None:
        if self.damage:
            raise TargetError(f"{self._store.path} can't be put back, as it could not be read before: {self.damage}")
        self._load(self._read(self._kept))
        if self._store.swap:
            self._run(self._store.swap)

    def _check_backup(self, dry: bool) -> tuple[str, int]:
        """Read all of the backup before anything is changed, and keep it: if it were read again, a program could be
        given the beginning of what turns out to be damaged. Returns its digest and bytes.

        The manifest has the digest without the lines that were to be ignored when the backup was made.
        """
        with contextlib.ExitStack() as stack:
            with os_errors(NoSpace, "Can't keep the backup in", self._verified):
                handle = stack.enter_context(open(os.devnull if dry else self._verified, "wb", buffering=0))
            verify = stack.enter_context(self._store.verifying(TargetError))
            return self._store.digest_of(self._copied(handle), verify)

    def _copied(self, handle: IO[bytes]) -> Generator[bytes, None, None]:
        for data in self._from_backup():
            with os_errors(NoSpace, "Can't keep the backup in", self._verified):
                view = memoryview(data)
                while view:
                    view = view[handle.write(view) :]
            yield data

    def _keep(self, dry: bool) -> tuple[Optional[str], Optional[int]]:
        """The digest and the bytes of the target as it is; None where its program fails (`damage` says why)."""
        with os_errors(NoSpace, "Can't keep a copy of the target in", self._kept):
            # buffered: the system writes only a part of a block where space ends within it
            with open(os.devnull if dry else self._kept, "wb") as handle:
                try:
                    return self._store.current(handle.write)
                except SourceError as exc:
                    self.damage = exc.message
                    return None, None

    def _put_back(self) -> str:
        """After a failure: what became of the target, for people."""
        if self._store.swap:
            return "The target remains as swap left it."
        try:
            self.undo()
        except TargetError as exc:
            return (
                f"The target may hold a part of the backup, and its former content could not be put back: {exc.message}"
            )
        return "The former content of the target was put back."

    def _differs(self) -> tuple[str, ...]:
        try:
            digest, _size = self._store.current(lambda _data: None)
        except SourceError as exc:
            return (f"The target could not be compared with the backup after the restore: {exc.message}",)
        if digest == self._digest:
            return ()
        return (f"{self._store.dump[0]} {_OTHER}",)

    def _from_backup(self) -> Generator[bytes, None, None]:
        """The dump, of which the last block comes only once the backup has been read to its verified end."""
        with self._copy.open(self._name) as reader:
            data = reader.read(_BLOCK)
            while data:
                following = reader.read(_BLOCK)
                yield data
                data = following

    @staticmethod
    def _read(path: str) -> Generator[bytes, None, None]:
        """What is kept in scratch."""
        with os_errors(TargetError, "Can't read", path), open(path, "rb") as handle:
            yield from iter(lambda: handle.read(_BLOCK), b"")

    def _load(self, blocks: Generator[bytes, None, None]) -> None:
        with _as_target_error(), contextlib.closing(blocks):
            with Program(self._store.restore, self._store.variables, self._store.timeout) as program:
                for data in blocks:
                    if not program.write(data):
                        program.finish()
                        raise ProgramFailed(f"{self._store.restore[0]} ended before it had read all of its input.")
                program.finish()

    def _run(self, argv: list[str]) -> None:
        with _as_target_error():
            run(argv, self._store.variables, self._store.timeout)


@contextlib.contextmanager
def _as_target_error() -> Iterator[None]:
    try:
        yield
    except ProgramFailed as exc:
        raise TargetError(str(exc)) from None
