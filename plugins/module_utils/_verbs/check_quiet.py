# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an alarm is held back: in a time of maintenance, and while it was raised only a moment ago."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timezone

from .._core.outcome import CRITICAL, STATUSES, UNKNOWN, WARNING, Outcome
from .check_specification import Check

ALARMING = (WARNING, CRITICAL, UNKNOWN)


def quieted(outcomes: Sequence[Outcome], checks: Sequence[Check], history: str, now: float) -> list[Outcome]:
    """The outcomes, marked as quiet where their alarm is held back.

    :param history: the file that knows the alarms of earlier runs, or "".
    """
    moment = datetime.fromtimestamp(now, timezone.utc)
    wanted = [
        (one, check)
        for one, check in zip(outcomes, checks)
        if one.status in ALARMING and not _maintained(check, moment)
    ]
    cooling = [(one, check.cooldown) for one, check in wanted if check.cooldown]
    raised = _alarms(history, cooling, now) if cooling else {}
    loud = {one.name for one, _check in wanted if STATUSES.index(one.status) > raised.get(one.name, -1)}
    return [one._replace(quiet=True) if one.status in ALARMING and one.name not in loud else one for one in outcomes]


def _maintained(check: Check, moment: datetime) -> bool:
    if check.quiet_until is not None and moment < check.quiet_until:
        return True
    return any(window.holds(moment) for window in check.maintenance)


def _alarms(path: str, cooling: Sequence[tuple[Outcome, float]], now: float) -> dict[str, int]:
    """How bad the worst alarm of each check was that was raised within its cooldown: an index in STATUSES."""
    from .._history.database import History

    if not os.path.exists(path) or not os.path.getsize(path):
        return {}
    worst: dict[str, int] = {}
    with History(path) as history:
        known = {check.name: check for check in history.checks()}
        for one, cooldown in cooling:
            if one.name in known:
                kept = history.kept(known[one.name], now - cooldown)
                raised = [STATUSES.index(old.status) for old in kept if old.status in ALARMING and not old.quiet]
                if raised:
                    worst[one.name] = max(raised)
    return worst
