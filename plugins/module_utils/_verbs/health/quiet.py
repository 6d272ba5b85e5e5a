# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an alarm is suppressed: during maintenance, within the cooldown, and before enough consecutive bad runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from ..._core.outcome import CRITICAL, OK, STATUSES, UNKNOWN, WARNING, Outcome
from .specification import Check

ALARMING = (WARNING, CRITICAL, UNKNOWN)


def quieted(
    outcomes: Sequence[Outcome], checks: Sequence[Check], history: str, now: float
) -> tuple[list[Outcome], list[str]]:
    """The outcomes, marked as quiet if their alarm is suppressed; and the names of the checks that have recovered.

    A check has recovered if it is ok, and an alarm was raised since it was last ok.

    :param history: the file with the outcomes of earlier runs, or "".
    """
    moment = datetime.fromtimestamp(now, timezone.utc)
    past = _Past(history, now)
    with past:
        judged = [
            one._replace(quiet=True)
            if one.status in ALARMING and (_maintained(check, moment) or past.holds_back(one, check))
            else one
            for one, check in zip(outcomes, checks)
        ]
        return judged, [one.name for one in outcomes if one.status == OK and past.alarmed(one)]


def _maintained(check: Check, moment: datetime) -> bool:
    if check.quiet_until is not None and moment < check.quiet_until:
        return True
    return any(window.holds(moment) for window in check.maintenance)


class _Past:
    """Results of earlier runs that decide on alarms."""

    def __init__(self, path: str, now: float) -> None:
        self._path, self._now = path, now
        self._stack = contextlib.ExitStack()
        self._history: Any = None
        self._known: dict[str, Any] = {}

    def __enter__(self) -> None:
        from ..._history.database import History

        if self._path and os.path.exists(self._path) and os.path.getsize(self._path):
            self._history = self._stack.enter_context(History(self._path, self._now))
            self._known = {check.name: check for check in self._history.checks()}

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def holds_back(self, outcome: Outcome, check: Check) -> bool:
        """Whether there are too few consecutive bad runs, or an alarm at least as bad was raised within the
        cooldown."""
        runs, raised = 1, -1
        since = self._now - check.cooldown
        rows = self._history.bad_runs(self._known[outcome.name]) if outcome.name in self._known else ()
        for row in rows:
            if runs >= check.failures and row.checked_at < since:
                break
            runs += 1
            if check.cooldown and not row.quiet and since <= row.checked_at <= self._now:
                raised = max(raised, STATUSES.index(row.status))
        return runs < check.failures or STATUSES.index(outcome.status) <= raised

    def alarmed(self, outcome: Outcome) -> bool:
        """Whether an alarm was raised since this check was last ok."""
        last = self._known.get(outcome.name)
        if last is None or last.status == OK:
            return False
        return any(not row.quiet for row in self._history.bad_runs(last))
