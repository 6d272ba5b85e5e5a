# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a purge ends, what it has done, and the space that it gives back to the file system."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from ..._core.errors import Day2Error, InvalidRequest, TargetError
from ..._core.progress import Progress
from ..._core.units import format_size, plural
from ..._stores.records.optimizing import INCREMENTAL, VACUUM, NotDone, Until, Wanted
from ..._stores.records.purger import Removed
from ..._stores.records.registry import open_optimizer

_WANTED = Wanted(free=0.0, dead_rows=100.0, min_bytes_freed=0, analyze=False, reindex=False)


class Deadline(NamedTuple):
    """`end`: as of time.monotonic(), None if there is none. `option`: the one that has set it."""

    end: Optional[float] = None
    option: str = ""

    def over(self) -> bool:
        return self.end is not None and time.monotonic() > self.end


class Outcome:
    """What was done, or would be."""

    def __init__(self) -> None:
        self.removed = Removed()
        self.matched = self.exported = self.without_time = self.read = self.dependents = 0
        self.months: dict[str, int] = {}
        self.backup: Optional[str] = None
        self.resumed: Optional[str] = None
        self.stopped: Optional[str] = None
        self.removed_exports: list[str] = []
        self.incomplete = False  # the export, when it was stopped
        self.closed = False  # the window, when it began
        self.bytes_freed: Optional[int] = None
        self.warnings: list[str] = []

    def result(self, collection: str, check: bool) -> dict[str, Any]:
        """The result of the module, without its duration."""
        deleted = self.matched if check else self.removed.deleted
        months = "".join(f"{month}: {count}\n" for month, count in sorted(self.months.items()))
        return {
            "changed": bool(deleted or self.backup or self.removed_exports),
            "msg": self._words(collection, deleted, check),
            "matched": self.matched,
            "exported": self.exported,
            "deleted": deleted,
            "dependents": self.dependents if check else self.removed.kids,
            "left_changed": self.removed.changed,
            "gone": self.removed.gone,
            "without_time": self.without_time,
            "by_month": self.months,
            "stopped": self.stopped,
            "resumed": self.resumed,
            "backup": self.backup,
            "removed": self.removed_exports,
            "bytes_freed": self.bytes_freed,
            "longest_transaction_ms": round(1000 * self.removed.held, 1),
            "diff": {"before": months, "after": ""},
            "warnings": self.warnings,
        }

    def _words(self, collection: str, deleted: int, check: bool) -> str:
        if self.closed:
            return f"{collection}: nothing was done, as the current time is outside of the window."
        words = f"{plural(deleted, 'record')} of {collection} {'would be ' if check else ''}deleted"
        if self.removed.changed:
            words += f", {self.removed.changed} left that were changed meanwhile"
        if self.incomplete:
            words += f". Stopped by {self.stopped} before the export was complete: the next run starts it anew"
        elif self.stopped:
            words += f". Stopped by {self.stopped}: the next run continues"
        if self.bytes_freed:
            words += f". {format_size(self.bytes_freed)} were freed"
        return words + "."


def check_vacuum(params: Mapping[str, Any], progress: Progress) -> None:
    """Refuse what `vacuum` could not do.

    :raises InvalidRequest: it is not for this store, or would lock others out at any time.
    """
    if params["store"]["type"] != "sqlite":
        raise InvalidRequest("vacuum is for stores of type sqlite.", "Leave it out. PostgreSQL is vacuumed anyway.")
    if params["window"] is not None:
        return
    with open_optimizer(params["store"]) as store:
        automatic = store.plan(_WANTED._replace(vacuum="never"), progress).before.get("auto_vacuum")
    if automatic != "incremental":
        raise InvalidRequest(
            f"vacuum would lock out programs that write to {params['store']['path']}, and no window is set.",
            "Set window, or use store_optimize to set auto_vacuum of the database to incremental.",
        )


def give_back(params: Mapping[str, Any], left: Optional[float], outcome: Outcome, progress: Progress) -> str:
    """Give free space back: incrementally, or by VACUUM in the window. Returns why it failed, or "".

    :param left: the seconds for it.
    """
    until = Until(left)
    with open_optimizer(params["store"]) as store:
        plan = store.plan(_WANTED._replace(in_window=params["window"] is not None), progress)
        problems = [f"{one.action} was refused: {one.reason}." for one in plan.held if one.refused]
        if plan.irreversible and any(one.action == VACUUM for one in plan.steps):
            return f"vacuum was refused: {plan.irreversible}. Run store_optimize, which makes a safety backup."
        for step in plan.steps:
            if step.action not in (VACUUM, INCREMENTAL):
                continue
            if not until.fits(step.seconds):
                outcome.warnings.append(
                    f"Free space was not released: it takes about {step.seconds:.0f} s, which is more than the time "
                    "left."
                )
                continue
            try:
                outcome.warnings += store.apply(step, until, progress)
            except NotDone as exc:
                outcome.warnings.append(f"Free space was not released completely: {exc.reason}.")
            except Day2Error as exc:
                problems.append(str(exc))
        freed = plan.before.get("bytes") - store.after(progress).get("bytes")
    outcome.bytes_freed = max(0, int(freed))
    return " ".join(problems)


def failed(result: dict[str, Any], problem: str) -> TargetError:
    """The error of a run whose records are deleted, but whose space could not be given back."""
    return TargetError(
        f"{result['msg']} {problem}", details={name: one for name, one in result.items() if name != "msg"}
    )
