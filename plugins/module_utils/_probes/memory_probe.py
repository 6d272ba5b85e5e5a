# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""memory, swap and load: the state of the whole host from the kernel."""

from __future__ import annotations

import os
from typing import ClassVar

from .._core.units import format_size
from .base import BELOW, UNKNOWN, BaseProbe, Deadline, Finding, Limit, ProbeFailed


def read_meminfo() -> dict[str, int]:
    """/proc/meminfo in bytes. Raises ProbeFailed when it can't be read."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            pairs = (line.split() for line in lines)
            return {words[0].rstrip(":"): int(words[1]) * 1024 for words in pairs if len(words) > 2}
    except (OSError, ValueError) as exc:
        raise ProbeFailed(f"/proc/meminfo can't be read: {exc}", UNKNOWN) from None


class MemoryProbe(BaseProbe):
    SUMMARY = (
        "Checks memory usage. Memory counts as used if programs cannot get it without swapping (as reported by `free`)."
    )
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("percent", "Used memory.", warn=90, crit=95),
        Limit("bytes", "Memory available to programs.", BELOW, name="available"),
    )

    def run(self, deadline: Deadline) -> Finding:
        found = read_meminfo()
        total, available = found["MemTotal"], found.get("MemAvailable", found.get("MemFree", 0))
        percent = 100.0 * (total - available) / total
        finding = self.finding()
        finding.good = f"{percent:.0f}% of {format_size(total)} are used"
        finding.measure(round(percent, 2), what="the used memory")
        finding.measure(available, "available", "the available memory")
        return finding


class SwapProbe(BaseProbe):
    SUMMARY = "Checks swap usage. A host without swap space is ok."
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("percent", "Used swap space.", warn=50, crit=80),
        Limit("bytes", "Free swap space.", BELOW, name="free"),
    )

    def run(self, deadline: Deadline) -> Finding:
        found = read_meminfo()
        total, free = found.get("SwapTotal", 0), found.get("SwapFree", 0)
        finding = self.finding()
        if not total:
            finding.good = "this host has no swap space"
            finding.value = 0.0
            return finding
        percent = 100.0 * (total - free) / total
        finding.good = f"{percent:.0f}% of {format_size(total)} swap space are used"
        finding.measure(round(percent, 2), what="the used swap space")
        finding.measure(free, "free", "the free swap space")
        return finding


class LoadProbe(BaseProbe):
    SUMMARY = "Checks the load average per CPU. For CPU usage, see `cpu`. For load tests, see `load_test`."
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("", "Load average of the last 5 minutes, divided by the number of CPUs.", warn=2, crit=4),
        Limit("", "The same for the last minute.", name="load1"),
        Limit("", "The same for the last 15 minutes.", name="load15"),
    )

    def run(self, deadline: Deadline) -> Finding:
        finding = self.finding()
        cpus = os.cpu_count() or 1
        loads = os.getloadavg()
        finding.good = f"load average {loads[0]:.2f}, {loads[1]:.2f}, {loads[2]:.2f} on {cpus} CPUs"
        one, five, fifteen = (round(load / cpus, 3) for load in loads)
        finding.measure(five, what="the load per CPU")
        finding.measure(one, "load1", "the load per CPU over the last minute")
        finding.measure(fifteen, "load15", "the load per CPU over the last 15 minutes")
        return finding
