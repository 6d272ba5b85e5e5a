# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Protocol of a report format. To add one: a file like nagios.py, its test, and its lines in registry.py."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional, Protocol

from .._core.outcome import Outcome

# Characters that XML 1.0 does not allow and that do not belong in a line or on a terminal, including line ends.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")


class Report(NamedTuple):
    """The data of a report.

    `result` is the result of the task, of JSON types: `msg`, `checks`, `alarms`, `summary` (with `status` and `score`).
    `made_at` is in seconds since the epoch, UTC. No text contains a secret.
    """

    outcomes: Sequence[Outcome]
    result: Mapping[str, Any]
    made_at: float
    duration_s: float
    host: str = ""

    @property
    def status(self) -> str:
        """The worst status."""
        return str(self.result["summary"]["status"])

    @property
    def score(self) -> float:
        """0 to 100."""
        return float(self.result["summary"]["score"])


class Format(Protocol):
    """A format of reports.

    `answers` reads (name, status) of each check back from a report, in the order of `render`; None if the file is
    something else.
    """

    def render(self, report: Report, name: str) -> bytes: ...

    def answers(self, text: str) -> Optional[list[tuple[str, str]]]: ...


def plain(text: str) -> str:
    """One line that any format and terminal can show: each run of control characters becomes a space."""
    return _CONTROL.sub(" ", text).strip()
