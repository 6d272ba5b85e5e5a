# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""command: a program that reports like a monitoring plugin, by its exit status and performance data."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Optional

from .._core.errors import InvalidRequest
from .._core.outcome import Metric
from .base import CRITICAL, OK, UNKNOWN, WARNING, BaseProbe, Deadline, Finding, Limit, Option
from .programs import execute

_STATUSES = {0: OK, 1: WARNING, 2: CRITICAL, 3: UNKNOWN}
# 'label'=value[UOM];[warn];[crit];[min];[max]. Without bounds, a megabyte of other text would take hours.
_PERFORMANCE = re.compile(
    r"(?:'((?:[^']|''){1,100})'|([^\s='|]{1,100}))=(-?[0-9.]{1,40}(?:[eE][-+]?[0-9]{1,9})?)"
    r"([^;\s0-9]{0,40})(?:;([^;\s]{0,80}))?(?:;([^;\s]{0,80}))?"
)
_LONGEST = 1 << 16  # characters of performance data
# Factors to the base units of this collection.
_UNITS = {
    "s": ("s", 1.0), "ms": ("s", 1e-3), "us": ("s", 1e-6), "%": ("percent", 1.0), "c": ("count", 1.0),
    "B": ("bytes", 1.0), "KB": ("bytes", 2.0**10), "MB": ("bytes", 2.0**20), "GB": ("bytes", 2.0**30),
    "TB": ("bytes", 2.0**40), "": ("", 1.0),
}  # fmt: skip


class CommandProbe(BaseProbe):
    SUMMARY = (
        "Runs a program and interprets its exit status like that of a monitoring plugin: 0 ok, 1 warning,"
        " 2 critical, 3 (and all others) unknown. Performance data after a `|` in its output becomes "
        "metrics. The program also runs in check mode, so it must not modify anything."
    )
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "argv": Option("list", "The program and its arguments. It is not run in a shell."),
        "command": Option(
            "text", ("The program and its arguments in one line, with quotes around arguments that contain spaces.")
        ),
        "chdir": Option("path", "Working directory of the program.", "/"),
        "environment": Option(
            "mapping", "Environment variables. They can contain secrets, as their values are never shown.", secret=True
        ),
        "value": Option("text", "Label of the performance data to use as the value."),
        "exit_codes": Option(
            "ranges", "Exit statuses that are ok, overriding their usual meaning. All others are critical."
        ),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("", "The performance data named by `value`, in the unit reported by the program."),
        Limit("s", "Run time of the program.", name="time"),
    )

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        super().__init__(options, limits)
        if bool(options["argv"]) == bool(options["command"]):
            raise InvalidRequest("exactly one of argv and command is required.")
        try:
            self._argv = options["argv"] or shlex.split(options["command"])
        except ValueError as exc:
            raise InvalidRequest(f"command can't be split into words: {exc}.") from None
        main = limits[""]
        if (main.warn is not None or main.crit is not None) and not options["value"]:
            raise InvalidRequest("warn and crit require value, the label in the performance data.")

    descriptors = 8

    def paths(self) -> Sequence[str]:
        return []  # the program is another process, and is ended as such

    def run(self, deadline: Deadline) -> Finding:
        program = os.path.basename(self._argv[0])
        deadline.doing = f"running {program}"
        status, output, errors = execute(self._argv, deadline, self.options["chdir"], self.options["environment"] or {})
        taken = deadline.elapsed()
        finding = self.finding()
        text, performance = split_output(output)
        first = (text.splitlines() or errors.strip().splitlines()[-1:] or [""])[0].strip()[:500]
        finding.good = first or f"{program} exited with status {status}"
        good = self.options["exit_codes"]
        if good is not None:
            meaning = OK if any(low <= status <= high for low, high in good) else CRITICAL
        else:
            meaning = _STATUSES.get(status, UNKNOWN)
        if meaning != OK:
            if status < 0:
                first = f"{program} was killed by signal {-status}"
            finding.problem(first or f"{program} exited with status {status}", meaning)
        self._measure(parse_performance(performance), finding)
        finding.measure(taken, "time", f"the time of {program}")
        return finding

    def _measure(self, metrics: list[Metric], finding: Finding) -> None:
        wanted: Optional[str] = self.options["value"]
        for metric in metrics:
            if metric.name == wanted:
                finding.measure(metric.value, what=metric.name)
            else:
                finding.metrics.append(metric)
        if wanted and finding.value is None:
            finding.problem(f"the output has no performance data {wanted}", UNKNOWN)


def split_output(output: str) -> tuple[str, str]:
    """The text and the performance data of a monitoring plugin: "TEXT | DATA", then lines "MORE TEXT | MORE DATA"."""
    lines = output.strip().splitlines() or [""]
    text, _bar, data = lines[0].partition("|")
    long_text, _bar, more = "\n".join(lines[1:]).partition("|")
    return (text + "\n" + long_text).strip(), data + "\n" + more


def parse_performance(text: str) -> list[Metric]:
    """The performance data of a monitoring plugin; values that are not numbers are ignored."""
    metrics = []
    for quoted, plain, number, unit, warn, crit in _PERFORMANCE.findall(text[:_LONGEST]):
        name, factor = _UNITS.get(unit, (unit, 1.0))
        try:
            value = float(number) * factor
        except ValueError:
            continue
        if not math.isfinite(value):
            continue
        metrics.append(
            Metric(quoted.replace("''", "'") or plain, value, name, _upper(warn, factor), _upper(crit, factor))
        )
    return metrics


def _upper(text: str, factor: float) -> Optional[float]:
    """The upper end of a range ("10", "0:10"); other ranges (":", "@", "~") have no single threshold."""
    try:
        return float(text.rpartition(":")[2]) * factor
    except ValueError:
        return None
