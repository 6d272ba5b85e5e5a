# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs and health checks that try what was restored."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.errors import InvalidRequest, MissingDependency, TargetError
from ..._core.outcome import CRITICAL, UNKNOWN, WARNING
from ..._core.programs import environment, run_to_end
from ..._core.progress import Progress
from ..._core.units import format_duration, plural
from .outcome import Report, Unsound

_PLACEHOLDER = re.compile(r"\{(path|dsn|database|prefix)(?:\.([^{}]+))?\}")
_ABSENT = "/nonexistent/day2-drill"  # stands for a location that is not known yet


class Probe(NamedTuple):
    """`entries` are the words of a command, or health checks. `seconds` is the timeout."""

    entries: Sequence[Any]
    seconds: float

    @property
    def is_command(self) -> bool:
        return isinstance(self.entries[0], str)

    def describe(self) -> str:
        return "a command" if self.is_command else plural(len(self.entries), "health check")


class Locations(NamedTuple):
    """Where what was restored is. `values` by placeholder ("path", "path.database"); `secrets` are variables of the
    environment that are not placeholders."""

    values: Mapping[str, str]
    secrets: Mapping[str, str]

    def variables(self) -> dict[str, str]:
        """DAY2_DRILL_PATH, DAY2_DRILL_PATH_DATABASE, DAY2_DRILL_DSN …"""
        named = {f"DAY2_DRILL_{re.sub(r'[^A-Za-z0-9]', '_', name).upper()}": one for name, one in self.values.items()}
        return {**named, **self.secrets}

    def fill(self, value: Any) -> Any:
        """The value with its placeholders replaced. Raises InvalidRequest for one that does not exist."""
        if isinstance(value, str):
            return _PLACEHOLDER.sub(self._value, value)
        if isinstance(value, Mapping):
            return {name: self.fill(one) for name, one in value.items()}
        return [self.fill(one) for one in value] if isinstance(value, list) else value

    def _value(self, found: re.Match[str]) -> str:
        name = found[0][1:-1]
        if name not in self.values:
            known = ", ".join(f"{{{one}}}" for one in self.values)
            raise InvalidRequest(f"probe has the placeholder {found[0]}.", f"This backup has: {known}.")
        return self.values[name]


def probe_from(given: Optional[Sequence[Any]], seconds: float) -> Optional[Probe]:
    """Check the option. Raises InvalidRequest."""
    if not given:
        return None
    if not all(isinstance(one, str) for one in given) and not all(isinstance(one, Mapping) for one in given):
        raise InvalidRequest(
            "probe is neither a command nor a list of health checks.",
            "Set it to the words of a command ([program, argument]), or to a list of checks as in health_check.",
        )
    if seconds <= 0:
        raise InvalidRequest("probe_timeout must be more than 0.", "Set it to a duration, for example 5m.")
    return Probe(given, seconds)


def check_probe(probe: Probe, locations: Locations) -> None:
    """What can be known before the restore. Raises InvalidRequest, MissingDependency.

    :param locations: with the names that there will be.
    """
    entries = Locations(dict.fromkeys(locations.values, _ABSENT), {}).fill(list(probe.entries))
    if not probe.is_command:
        _checks(entries, probe.seconds)
    elif _ABSENT not in entries[0] and not shutil.which(entries[0], path=environment()["PATH"]):
        raise MissingDependency(entries[0], "by probe", "Install it, or correct probe.")


def run_probe(probe: Probe, locations: Locations, report: Report, progress: Progress) -> None:
    """Try what was restored. Raises Unsound when it is not as it should be, another Day2Error if that is not known."""
    entries = locations.fill(list(probe.entries))
    if probe.is_command:
        progress.start(f"Probing with {os.path.basename(entries[0])}")
        _run_command(entries, locations, probe.seconds)
    else:
        _run_checks(entries, probe.seconds, report, progress)
    report.checks.append(f"the probe ({probe.describe()}) succeeded")


def _run_command(argv: list[str], locations: Locations, seconds: float) -> None:
    try:
        status, said = run_to_end(argv, environment(**locations.variables()), output=True, limit=seconds)
    except (OSError, ValueError) as exc:
        raise TargetError(f"The probe {argv[0]} can't be run: {exc}.", "Correct probe.") from exc
    except subprocess.TimeoutExpired:
        raise Unsound(f"The probe {argv[0]} did not end within {format_duration(seconds)}.") from None
    if status:
        raise Unsound(f"The probe {argv[0]} ended with status {status}: {said or 'it has printed nothing'}")


def _checks(entries: Sequence[Any], seconds: float) -> Any:
    from ..health.specification import read_checks  # only here: most drills have none

    return read_checks(entries, {"timeout": f"{seconds:.3f}s", "retries": 0, "interval": "1s", "failures": 1})


def _run_checks(entries: Sequence[Any], seconds: float, report: Report, progress: Progress) -> None:
    from ..health.pool import Pool

    outcomes = Pool(_checks(entries, seconds), 16, progress).run()
    worst = {status: [one for one in outcomes if one.status == status] for status in (CRITICAL, UNKNOWN, WARNING)}
    report.warnings += [f"The health check {one.name} has a warning: {one.message}" for one in worst[WARNING]]
    for status, kind in ((CRITICAL, Unsound), (UNKNOWN, TargetError)):
        if worst[status]:
            said = "; ".join(f"{one.name} is {status}: {one.message}" for one in worst[status])
            raise kind(f"The restored data does not pass the health checks: {said}")
