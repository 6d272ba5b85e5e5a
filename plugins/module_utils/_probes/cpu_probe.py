# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cpu: the usage of the processors over an interval."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, ClassVar

from .._core.errors import InvalidRequest
from .._core.units import format_duration
from .base import UNKNOWN, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed

LONGEST = 60.0  # maximum interval in seconds
_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")  # time of guests is included in user


class CpuProbe(BaseProbe):
    SUMMARY = "Measures the usage of all CPUs over an interval. For the load average, see `load`."
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "duration": Option("duration", ("Length of the interval, at most 60s."), "1s")
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("percent", "Time that is neither idle nor spent waiting for disks (CPU usage).", warn=90),
        Limit("percent", "Time spent in user space.", name="user"),
        Limit("percent", "Time spent in the kernel.", name="system"),
        Limit("percent", "Time spent waiting for disks.", name="iowait"),
        Limit("percent", "Time that the hypervisor assigned to other machines.", name="steal"),
    )

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        super().__init__(options, limits)
        self.duration = interval(options["duration"], "duration")

    def run(self, deadline: Deadline) -> Finding:
        before = _read()
        wait(self.duration, deadline)
        spent = {name: max(0, now - before[name]) for name, now in _read().items()}
        total = sum(spent.values())
        if not total:
            raise ProbeFailed("the kernel counted no time: increase duration", UNKNOWN)
        percent = {name: round(100.0 * one / total, 2) for name, one in spent.items()}
        used = round(100.0 * (total - spent["idle"] - spent["iowait"]) / total, 2)
        finding = self.finding()
        finding.good = f"{used:.0f}% CPU usage over {format_duration(self.duration)}"
        finding.measure(used, what="the CPU usage")
        finding.measure(percent["user"] + percent["nice"], "user", "the time in user space")
        finding.measure(percent["system"] + percent["irq"] + percent["softirq"], "system", "the time in the kernel")
        finding.measure(percent["iowait"], "iowait", "the time spent waiting for disks")
        finding.measure(percent["steal"], "steal", "the time assigned to other machines")
        return finding


def interval(seconds: float, name: str) -> float:
    """The seconds of an interval option. Raises InvalidRequest when it is not valid."""
    if not 0.05 <= seconds <= LONGEST:
        raise InvalidRequest(f"{name} must be from 50ms to {LONGEST:g}s.")
    return seconds


def wait(seconds: float, deadline: Deadline) -> None:
    """Sleep for a number of seconds. Raises TimeUp as soon as the check must end."""
    deadline.doing = "measuring"
    over = threading.Event()
    with deadline.stop_with(over.set):
        over.wait(min(seconds, deadline.left()))
    deadline.left()


def _read() -> dict[str, int]:
    try:
        with open("/proc/stat", encoding="ascii") as lines:
            words = lines.readline().split()
        return dict(zip(_FIELDS, map(int, words[1:9])))
    except (OSError, ValueError) as exc:
        raise ProbeFailed(f"/proc/stat can't be read: {exc}", UNKNOWN) from None
