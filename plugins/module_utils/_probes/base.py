# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Protocol of probes, and the types that they use.

A probe checks one thing once and returns the result. When it runs, how often, and what happens with the result is
decided in _verbs/health/check.py.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import stat
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable, ClassVar, NamedTuple, Optional, Protocol

from .._core.files import kind_of
from .._core.outcome import CRITICAL, OK, STATUSES, UNKNOWN, WARNING, Metric
from .._core.units import format_duration, format_size

ABOVE, BELOW = "above", "below"


class Option(NamedTuple):
    """One option of a probe; `kind` is a key of options.py:KINDS. `secret`: its value is never shown."""

    kind: str
    help: str
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] = ()
    secret: bool = False


class Limit(NamedTuple):
    """A measured number with thresholds.

    The limit without a name is the value of the outcome, and has the options `warn` and `crit`; a limit with a name is
    a metric, and has the options NAME_warn and NAME_crit. `unit`: "s", "bytes", "percent", "count", "days" or "".
    """

    unit: str
    help: str
    worse: str = ABOVE
    warn: Optional[float] = None
    crit: Optional[float] = None
    name: str = ""
    open_ended: bool = False  # a percentage that can exceed 100

    @property
    def most(self) -> Optional[float]:
        """The largest value that can be measured; None if there is no bound."""
        return 100.0 if self.unit == "percent" and not self.open_ended else None

    @property
    def options(self) -> tuple[str, str]:
        """The names of its two options."""
        prefix = self.name + "_" if self.name else ""
        return prefix + "warn", prefix + "crit"

    @property
    def asked(self) -> bool:
        """Whether it has a threshold."""
        return self.warn is not None or self.crit is not None

    def status(self, value: float) -> str:
        """The status of a value. The threshold itself is still ok."""
        for limit, status in ((self.crit, CRITICAL), (self.warn, WARNING)):
            if limit is not None and (value > limit if self.worse == ABOVE else value < limit):
                return status
        return OK


class TimeUp(Exception):
    """The time of the check has passed."""


class ProbeFailed(Exception):
    """The result is known to be bad (or unknown), and the check can't continue."""

    def __init__(self, message: str, status: str = CRITICAL) -> None:
        super().__init__(message)
        self.status = status


def check_file(path: str) -> None:
    """Raise ProbeFailed when the file does not exist, or, as unknown, when this can't be determined."""
    try:
        info = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise ProbeFailed(f"{path} does not exist") from None
    except OSError as exc:
        raise ProbeFailed(f"{path}: {exc.strerror}", UNKNOWN) from None
    if not stat.S_ISREG(info.st_mode):
        raise ProbeFailed(f"{path} is {kind_of(info)}, not a file")


class Deadline:
    """The time limit of a check.

    `doing` is what the probe does or waits for, for the message: "connecting to 192.0.2.1:443". A probe calls `left`
    before everything that it waits for. If a wait can't have a time limit, the probe passes a way to stop it to
    `stop_with`, which the supervisor uses when the time has passed. That callback must not wait for anything.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.began = time.monotonic()
        self.doing = ""
        self.apart: Any = None  # apart.py:Apart, if it is used
        self._stop: Optional[Callable[[], object]] = None
        self._stopped = False
        self._lock = threading.Lock()

    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def left(self) -> float:
        """The seconds that are left, always more than 0. Raises TimeUp when there are none."""
        left = self.seconds - self.elapsed()
        if left <= 0 or self._stopped:
            raise TimeUp
        return left

    @contextlib.contextmanager
    def stop_with(self, callback: Callable[[], object]) -> Any:
        """While the block runs, `callback` makes it end early; it is called from another thread."""
        with self._lock:
            self._stop = callback
        try:
            yield
        finally:
            with self._lock:
                self._stop = None
        if self._stopped:
            raise TimeUp

    def stop(self) -> None:
        """End the probe now."""
        with self._lock:
            self._stopped = True
            if self._stop is not None:
                self._stop()


class Finding:
    """The result of a probe: problems, numbers, and a message without problems."""

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        self._limits = limits
        self._problems: list[tuple[str, str]] = []
        self.good = ""
        self.value: Optional[float] = None
        self.metrics: list[Metric] = []

    def problem(self, text: str, status: str = CRITICAL) -> None:
        """Add a problem."""
        self._problems.append((status, text))

    def measure(self, value: float, name: str = "", what: str = "") -> None:
        """Add a number for the limit of that name. Beyond a threshold, it is a problem. `what`: its name in words.

        A value that is not finite exceeds no threshold, and is unknown.
        """
        limit = self._limits[name]
        if not math.isfinite(value):
            self.problem(f"{what or name or 'the value'} is {value}, which is not a finite number", UNKNOWN)
            return
        if name:
            self.metrics.append(Metric(name, value, limit.unit, limit.warn, limit.crit))
        else:
            self.value = value
        status = limit.status(value)
        if status != OK:
            threshold = limit.crit if status == CRITICAL else limit.warn
            self.problem(
                f"{what or name.replace('_', ' ') or 'the value'} is {format_value(value, limit.unit)}, {status} "
                f"{limit.worse} {format_value(threshold or 0.0, limit.unit)}",
                status,
            )

    def metric(self, name: str, value: float, unit: str = "") -> None:
        """Add a number without thresholds, unless it is not finite."""
        if math.isfinite(value):
            self.metrics.append(Metric(name, value, unit))

    @property
    def status(self) -> str:
        """The worst of all problems."""
        return max((status for status, _text in self._problems), key=STATUSES.index, default=OK)

    @property
    def message(self) -> str:
        """All problems, worst first; without problems, the good message."""
        ordered = sorted(self._problems, key=lambda one: -STATUSES.index(one[0]))
        return "; ".join(text for _status, text in ordered) or self.good


class Probe(Protocol):
    """One type of check.

    The constructor gets the parsed options with defaults; it raises InvalidRequest when they contradict each other, and
    must not read anything. `run` may be called more than once, each time with a new Deadline. It raises ProbeFailed,
    TimeUp, OSError or a Day2Error when it can't return a finding.
    """

    SUMMARY: ClassVar[str]
    OPTIONS: ClassVar[Mapping[str, Option]]
    LIMITS: ClassVar[tuple[Limit, ...]]
    ON_TIMEOUT: ClassVar[str]
    limits: Mapping[str, Limit]
    duration: float  # seconds that it takes by design: its timeout starts after them
    descriptors: int  # maximum number of files and sockets that it has open at the same time
    searches: bool  # it searches many texts, and runs in another process if its patterns have repetitions

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None: ...

    def patterns(self) -> Sequence[re.Pattern[str]]:
        """The regular expressions that it applies to external text."""

    def paths(self) -> Sequence[str]:
        """The paths that it reads on this host: it runs in another process if their file system may hang."""

    def secrets(self) -> Sequence[str]:
        """Texts that must never be shown, whatever message contains them."""

    def run(self, deadline: Deadline) -> Finding: ...


class BaseProbe:
    """The common parts of most probes."""

    SUMMARY: ClassVar[str] = ""
    OPTIONS: ClassVar[Mapping[str, Option]] = {}
    LIMITS: ClassVar[tuple[Limit, ...]] = ()
    # UNKNOWN if slowness says nothing about the object of the check.
    ON_TIMEOUT: ClassVar[str] = CRITICAL
    duration = 0.0
    descriptors = 4
    searches = False
    # Names of options by kind: a thousand checks of a type share them.
    _paths: ClassVar[tuple[str, ...]] = ()
    _patterns: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls._paths = tuple(name for name, one in cls.OPTIONS.items() if one.kind == "path")
        cls._patterns = tuple(name for name, one in cls.OPTIONS.items() if "regular expression" in one.kind)

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        self.options = options
        self.limits = limits

    def patterns(self) -> Sequence[re.Pattern[str]]:
        """The regular expressions among its options."""
        given = [self.options[name] for name in self._patterns if self.options[name]]
        return [one for value in given for one in (value.values() if isinstance(value, dict) else [value])]

    def paths(self) -> Sequence[str]:
        """The paths among its options."""
        return [self.options[name] for name in self._paths if self.options[name]]

    def secrets(self) -> Sequence[str]:
        """The values of secret options, which must never be shown."""
        hidden: list[str] = []
        for name, option in self.OPTIONS.items():
            value = self.options.get(name)
            if option.secret and value:
                hidden.extend(value.values() if isinstance(value, Mapping) else [str(value)])
        return hidden

    def finding(self) -> Finding:
        """An empty one."""
        return Finding(self.limits)


def format_value(value: float, unit: str) -> str:
    """A number with its unit, for people: "1.2s", "87.5%", "3.4 GiB", "12 days", "7"."""
    if unit == "s":
        return ("-" if value < 0 else "") + format_duration(abs(value))
    if unit == "bytes":
        return format_size(int(value))
    number = f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"
    if unit == "percent":
        return number + "%"
    return number if unit in ("", "count") else f"{number} {unit[:-1] if unit == 'days' and value == 1 else unit}"


__all__ = [
    "ABOVE",
    "BELOW",
    "CRITICAL",
    "OK",
    "UNKNOWN",
    "WARNING",
    "BaseProbe",
    "Deadline",
    "Finding",
    "Limit",
    "Option",
    "Probe",
    "ProbeFailed",
    "TimeUp",
    "format_value",
]
