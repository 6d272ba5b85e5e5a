# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Protocol of a store that is optimized: what is worth doing, and how it is done step by step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple, Optional, Protocol

from ..._core.progress import Progress
from .inspection import Figures

VACUUM, INCREMENTAL, ANALYZE, REINDEX = "vacuum", "incremental_vacuum", "analyze", "reindex"
DROP_INDEX, JOURNAL_MODE, AUTO_VACUUM = "drop_index", "journal_mode", "auto_vacuum"


class Wanted(NamedTuple):
    """The limits and wishes of the user.

    :param free, dead_rows: in percent.
    :param min_bytes_freed: bytes below which nothing is optimized.
    :param vacuum: auto, full or never.
    :param in_window: whether a window was given, and is open.
    """

    free: float
    dead_rows: float
    min_bytes_freed: int
    vacuum: str = "auto"
    analyze: bool = True
    reindex: bool = True
    journal_mode: Optional[str] = None
    auto_vacuum: Optional[str] = None
    in_window: bool = False


class OptimizeStep(NamedTuple):
    """Something to do.

    :param name: of the database, table or index.
    :param reason: why it is worth it.
    :param seconds: how long it should take.
    """

    action: str
    name: str
    reason: str
    seconds: float


class Held(NamedTuple):
    """Something that is not done. `refused`: the user has to do something about it."""

    action: str
    name: str
    reason: str
    refused: bool = False


class OptimizePlan(NamedTuple):
    """`irreversible`: why a safety backup is needed, or ""."""

    steps: Sequence[OptimizeStep]
    held: Sequence[Held]
    before: Figures
    irreversible: str = ""
    notes: Sequence[str] = ()


class Optimizer(Protocol):
    """A store. It is a context manager."""

    type: str
    location: str  # for people, without secrets

    def __enter__(self) -> Optimizer: ...

    def __exit__(self, *exc: object) -> None: ...

    def lock(self) -> bool:
        """Lock out other runs of the collection. False if one is running."""

    def plan(self, wanted: Wanted, progress: Progress) -> OptimizePlan:
        """Only reads.

        :raises SourceError: it cannot be read.
        :raises TargetError: it cannot be written at all.
        """

    def apply(self, step: OptimizeStep, until: Until, progress: Progress) -> list[str]:
        """Do one step. Returns sentences for the user.

        :raises NotDone: there is no reason to worry, but it was not done.
        :raises TargetError: it failed.
        """

    def after(self, progress: Progress) -> Figures:
        """The figures now."""


class NotDone(Exception):
    """A step that was not done, or not to its end. Never leaves the verb.

    :param reason: why.
    :param partly: whether a part of it was done.
    """

    def __init__(self, reason: str, *, partly: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.partly = partly


class OutOfTime(NotDone):
    """It was stopped by `Until`."""

    def __init__(self, *, partly: bool = False) -> None:
        super().__init__("stopped at the end of the time", partly=partly)


class Until:
    """A point in time on the monotonic clock, if there is one."""

    def __init__(self, seconds: Optional[float]) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    @property
    def left(self) -> Optional[float]:
        """Seconds; None: there is no limit."""
        return None if self._end is None else self._end - time.monotonic()

    def over(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end

    def fits(self, seconds: float) -> bool:
        """Whether something that takes so long ends in time."""
        left = self.left
        return left is None or seconds <= left
