# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regular expressions that users write.

With nested repetitions, a search in a text of forty characters takes years, and holds the interpreter meanwhile. So all
of them are compiled here, and one with repetitions is searched for by a process that can be left behind (apart.py):
in logs by _logs/searching.py, in checks by _probes/searching.py; one of a short text within a time limit.
"""

from __future__ import annotations

import re
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import AnyStr, NoReturn

HINT = "Write it without nested repetitions, such as (a+)+."
_REPEATS = re.compile(r"[*+{]|(?<!\()\?|\\\(\?")  # "(?" begins a group


class NotAPattern(ValueError):
    """The text is not a regular expression; the message says why."""


def compile_pattern(text: AnyStr) -> re.Pattern[AnyStr]:
    """The expression. Raises NotAPattern."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what may mean something else one day; nobody would see it
            return re.compile(text)
    except (RecursionError, MemoryError):
        raise NotAPattern("it is nested too deeply") from None
    except (re.error, OverflowError, ValueError) as exc:
        raise NotAPattern(str(exc)) from None


def may_take_long(pattern: re.Pattern[AnyStr]) -> bool:
    """Can a search take longer than the text is long? Without repetitions it cannot."""
    source = pattern.pattern
    return bool(_REPEATS.search(source if isinstance(source, str) else source.decode("latin-1")))


class TooLong(Exception):
    """The time limit was reached."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TooLong in the block after so many seconds. Searches for regular expressions look for signals.

    Only in the main thread.
    """

    def ring(_number: int, _frame: object) -> NoReturn:
        raise TooLong

    before = signal.signal(signal.SIGALRM, ring)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)  # that of the task, which goes on afterwards
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, before)
