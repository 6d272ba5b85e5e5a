# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a run, and what it would do and has done to each log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Optional

from .._core.compression.base import Compression
from .._core.errors import Cancelled, Day2Error, TargetError, TaskEnded
from .._core.open_files import FileId, Writer
from .._core.secure_directory import SecureDirectory
from . import in_place
from .find import Found, Place, Problem, Rotated
from .names import Naming
from .rules import Keep, Rules

RENAME = "rename"
IN_PLACE = "in_place"


class NewFile(NamedTuple):
    """The empty log that replaces the old one. Attributes that are None are copied from it."""

    create: bool = True
    mode: Optional[int] = None
    owner: Optional[int] = None
    group: Optional[int] = None


class Options(NamedTuple):
    """The options of a run, without those for notifying processes."""

    paths: tuple[str, ...]
    rules: Rules
    method: str
    allow_loss: bool
    naming: Naming
    old_dir: Optional[str]
    keep: Keep
    max_total_size: Optional[int]
    compression: Compression
    delay_compress: bool
    missing_ok: bool
    reopens: bool  # a process is notified to reopen its log
    new_file: NewFile = NewFile()
    exclude: tuple[str, ...] = ()
    create_old_dir: bool = False


class Removal(NamedTuple):
    """A rotated file to remove, and the reason."""

    file: Rotated
    reason: str


class ToCompress(NamedTuple):
    """A rotated file to compress, or only to move (`plain`): one that consists of holes is copied without them."""

    place: SecureDirectory
    name: str
    bytes: int
    plain: bool = False

    def final(self, compression: Compression) -> str:
        """The name of the copy."""
        return self.name if self.plain else self.name + compression.suffix


class Compressed(NamedTuple):
    """A rotated file and the compressed (or moved) one that replaced it, as in results."""

    name: str
    to: str
    bytes: int
    stored_bytes: int


class Removed(NamedTuple):
    """A rotated file that was removed, as in results."""

    name: str
    bytes: int
    reason: str


NOBODY: Mapping[FileId, list[Writer]] = {}
NO_PAIRS: Mapping[str, int] = {}


class LogPlan:
    """One log: its files, and what happens to them. apply records here what has happened."""

    # A run may have ten thousand of them. (Empty tuples are one object; empty lists are not.)
    __slots__ = (
        *("found", "directory", "target", "name", "path", "info", "error", "history", "leftovers", "new_file"),
        *("interrupted", "due", "reason", "new_name", "shifts", "cut", "lossy", "moves", "held", "reopen", "removals"),
        *("remove_new", "pairs", "written", "compress", "rotated_to", "rotated_bytes", "window_bytes", "compressed"),
        *("removed", "mended", "freed", "notes", "shifted", "untouched"),
    )

    def __init__(self, found: Found, place: Place, target: Place) -> None:
        self.found = found
        self.directory = place.directory
        self.target = target.directory
        self.name = found.name
        self.path = found.path
        self.info = found.info
        self.error: Optional[TaskEnded] = found.error
        self.history: tuple[Rotated, ...] = ()  # newest first, as before the run
        self.leftovers: tuple[tuple[SecureDirectory, str], ...] = ()
        self.new_file = ""  # of a killed run, not in place yet
        self.interrupted: Optional[in_place.Interrupted] = None
        self.due = False
        self.reason = ""
        self.new_name = ""
        self.shifts: tuple[tuple[SecureDirectory, str, str], ...] = ()
        self.cut: Optional[in_place.Cut] = None
        self.lossy = False
        self.moves = (
            False  # the rotated file is first kept in the directory of the log: old_dir is on another file system
        )
        self.held: Mapping[FileId, list[Writer]] = NOBODY  # rotated files that processes still write to
        self.reopen = False
        self.removals: tuple[Removal, ...] = ()
        self.remove_new = ""  # why a file that this run rotates is removed at once
        self.pairs: Mapping[str, int] = NO_PAIRS  # plain files beside a compressed one: how they compare
        self.written: tuple[str, ...] = ()  # rotated files that were written to since; never removed
        self.compress: tuple[ToCompress, ...] = ()
        # results
        self.rotated_to = ""
        self.rotated_bytes = 0
        self.window_bytes: Optional[int] = None
        self.compressed: tuple[Compressed, ...] = ()
        self.removed: tuple[Removed, ...] = ()
        self.mended = False
        self.freed = 0  # bytes on the disk
        self.notes: tuple[str, ...] = ()
        self.shifted = False
        self.untouched = False  # the plan found an error: nothing of it changes

    @property
    def first_place(self) -> SecureDirectory:
        """The first directory of a rotated file."""
        return self.directory if self.moves else self.target

    @property
    def places(self) -> list[SecureDirectory]:
        """The directories of the log and its rotated files."""
        return [self.directory] if self.target is self.directory else [self.directory, self.target]

    def moved_up(self) -> dict[tuple[int, str], str]:
        """By directory and name, the new names of the rotated files whose numbers increase."""
        return {(place.fd, old): new for place, old, new in self.shifts}

    def fail(self, error: TaskEnded) -> None:
        """Record an error. Only the first one is reported."""
        self.error = self.error or error

    def leave_alone(self) -> None:
        """Change nothing."""
        self.untouched = True
        self.due = self.reopen = False
        self.shifts = self.removals = self.compress = ()
        self.remove_new = ""

    def catch(self, error: BaseException) -> bool:
        """Record an error that concerns only this log. False: it concerns all logs.

        An error of one log (including a bug of ours) must not keep the others from being rotated.
        """
        if isinstance(error, Cancelled) or not isinstance(error, Exception):
            return False
        if isinstance(error, OSError):
            error = TargetError(f"{self.path}: {error.strerror or error}.")
        elif not isinstance(error, Day2Error):
            error = TargetError(f"{self.path}: {type(error).__name__}: {error}.", "This is a bug: please report it.")
        self.fail(error)
        return True


class RotationPlan:
    """A run."""

    def __init__(self, options: Options, logs: list[LogPlan], problems: list[Problem], now: float) -> None:
        self.options = options
        self.logs = logs
        self.problems = problems
        self.now = now
        self.notes: list[str] = []

    @property
    def rotating(self) -> list[LogPlan]:
        return [log for log in self.logs if log.due and log.error is None]

    @property
    def removing(self) -> bool:
        """Whether rotated files will be removed, as far as that is known before their compressed sizes are."""
        return any(log.removals or log.remove_new for log in self.logs if log.error is None)

    @property
    def notified(self) -> bool:
        """Whether processes will be notified to reopen their logs."""
        return any(log.due or log.reopen for log in self.logs if log.error is None)
