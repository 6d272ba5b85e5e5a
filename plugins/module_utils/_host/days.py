# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runs of a job on each of its last 90 days (UTC), as a short text: the last day, then letters up to it, each with
a number of days. "2026-11-29 o30f-u5": ok for 30 days, a failed one, one without a run, five on which nothing changed.
"""

from __future__ import annotations

import calendar
import itertools
import re
import time

_KEPT = 90
_WORST = "fou-"  # of the runs of a day, the worst first: failed, ok with a change, ok without one, none
_FORM = re.compile(r"(\d{4}-\d\d-\d\d) ((?:[fou-]\d{0,2})+)")
_LETTER = re.compile(r"([fou-])(\d{0,2})")
_DAY = 86400


def with_run(text: str, ended: float, good: bool, changed: bool) -> str:
    """The text with one more run. `ended`: seconds since 1970. An invalid text is discarded.

    A run that ended before the last day (the clock was set back) counts for its own day, one long before for none.
    """
    letter = ("o" if changed else "u") if good else "f"
    day = int(ended // _DAY)
    last, letters = _read(text, day)
    letters += "-" * min(max(0, day - last), _KEPT)
    last = max(day, last)
    position = len(letters) - 1 - (last - day)
    if position >= 0:
        worst = min(letter, letters[position], key=_WORST.index)
        letters = letters[:position] + worst + letters[position + 1 :]
    return _write(last, letters[-_KEPT:].lstrip("-"))


def _read(text: str, today: int) -> tuple[int, str]:
    """The last day, in days since 1970, and a letter for each day up to it. A day in the future is not believed."""
    found = _FORM.fullmatch(text)
    if found:
        try:
            last = calendar.timegm(time.strptime(found[1], "%Y-%m-%d")) // _DAY
        except ValueError:
            last = today + 2
        if last <= today + 1:
            return last, "".join(letter * int(number or 1) for letter, number in _LETTER.findall(found[2]))
    return today, "-"


def _write(last: int, letters: str) -> str:
    runs = ((letter, len(list(days))) for letter, days in itertools.groupby(letters))
    short = "".join(letter + (str(count) if count > 1 else "") for letter, count in runs)
    return f"{time.strftime('%Y-%m-%d', time.gmtime(last * _DAY))} {short}"
