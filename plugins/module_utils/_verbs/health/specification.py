# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the checks of a task from its arguments, and reports all errors together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ..._core.errors import InvalidRequest
from ..._probes.base import Option, Probe
from ..._probes.options import parse, parse_limits
from ..._probes.registry import PROBES, find_probe

if TYPE_CHECKING:
    from .windows import Window

COMMON: dict[str, Option] = {
    "name": Option(
        "text",
        ("Name of the check in results, in depends_on and in the history. It must be unique in the task."),
        required=True,
    ),
    "type": Option("text", "Type of the check.", required=True, choices=tuple(sorted(PROBES))),
    "timeout": Option("duration", "Timeout for each attempt. The default is that of the task."),
    "retries": Option(
        "count", ("Number of additional attempts while the check is not ok. The default is that of the task.")
    ),
    "interval": Option("duration", "Delay before each additional attempt. The default is that of the task."),
    "depends_on": Option("list", "Names of checks that this check depends on. It is skipped if one of them fails."),
    "weight": Option("number", "Weight in the score.", 1),
    "quiet_until": Option("time", ("Time until which the check raises no alarm. The default is that of the task.")),
    "maintenance": Option(
        "list of mappings", ("Windows in which the check raises no alarm, in addition to those of the task.")
    ),
    "cooldown": Option("duration", ("Time during which an alarm is not repeated. The default is that of the task.")),
    "failures": Option(
        "positive count", ("Number of consecutive bad runs that raise an alarm. The default is that of the task.")
    ),
}
_SHOWN = 50  # problems in one message


class Check(NamedTuple):
    """One check, ready to run. Durations are in seconds."""

    name: str
    type: str
    probe: Probe
    timeout: float
    retries: int
    interval: float
    depends_on: tuple[str, ...]
    weight: float
    quiet_until: Optional[datetime]
    maintenance: tuple[Window, ...]
    cooldown: float
    failures: int
    secrets: tuple[str, ...]


def read_checks(given: Sequence[Any], defaults: Mapping[str, Any]) -> list[Check]:
    """All checks of a task.

    Raises InvalidRequest, with all errors by name of the check, when one of them is not valid.

    :param defaults: timeout, retries, interval, quiet_until, maintenance, cooldown and failures of the task, as given.
    """
    problems: list[str] = []
    common = _common(defaults, problems)
    checks, names = [], set()
    for number, one in enumerate(given):
        found: list[str] = []
        check = _read(one, common, found) if isinstance(one, Mapping) else None
        if not isinstance(one, Mapping):
            found.append("must be a mapping with name and type")
        name = str(one.get("name") or "") if isinstance(one, Mapping) else ""
        if not name.isprintable():
            found.append("name must be one line of text")
        if name and name in names:
            found.append("two checks have this name")
        names.add(name)
        problems.extend(f"{name or f'check {number + 1}'}: {text.rstrip('.')}" for text in found)
        if check is not None:
            checks.append(check)
    if not given:
        problems.append("there are no checks")
    if not problems:
        problems.extend(_dependencies(checks))
    if problems:
        more = len(problems) - _SHOWN
        shown = problems[:_SHOWN] + ([f"and {more} more"] if more > 0 else [])
        raise InvalidRequest(
            f"Nothing was checked, as the specification has errors: {'; '.join(shown)}.",
            details={"problems": problems},
        )
    return checks


def _common(defaults: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    names = ("timeout", "retries", "interval", "quiet_until", "maintenance", "cooldown", "failures")
    common = parse({name: COMMON[name] for name in names}, defaults, problems)
    common["maintenance"] = _windows(common["maintenance"], problems)
    if common["timeout"] == 0:
        problems.append("timeout must not be 0")
    return common


def _read(given: Mapping[str, Any], defaults: Mapping[str, Any], problems: list[str]) -> Optional[Check]:
    common = parse(COMMON, given, problems)
    kind = common["type"]
    if kind not in PROBES:
        return None
    try:
        probe_type = find_probe(kind)
        limits = [name for limit in probe_type.LIMITS for name in limit.options]
        foreign = [
            name for name in given if name not in COMMON and name not in probe_type.OPTIONS and name not in limits
        ]
        for name in foreign:
            problems.append(f"{name} is not an option of type {kind}{_elsewhere(kind, name)}")
        options = parse(probe_type.OPTIONS, given, problems)
        held = parse_limits(probe_type.LIMITS, given, problems)
        windows = _windows(common["maintenance"], problems)
        if common["timeout"] == 0:
            problems.append("timeout must not be 0")
        if (common["weight"] or 0) < 0:
            problems.append("weight must not be negative")
        if problems:
            return None
        probe = probe_type(options, held)
    except InvalidRequest as exc:
        problems.append(str(exc))
        return None

    def own(name: str) -> Any:
        return defaults[name] if common[name] is None else common[name]

    return Check(
        name=common["name"],
        type=kind,
        probe=probe,
        timeout=own("timeout") + probe.duration,
        retries=own("retries"),
        interval=own("interval"),
        depends_on=tuple(common["depends_on"] or ()),
        weight=common["weight"],
        quiet_until=own("quiet_until"),
        maintenance=(*windows, *defaults["maintenance"]),
        cooldown=own("cooldown") or 0.0,
        failures=own("failures"),
        secrets=tuple(sorted({one for one in probe.secrets() if len(one) > 3}, key=len, reverse=True)),
    )


def _elsewhere(kind: str, name: str) -> str:
    if kind == "load" and name in ("url", "rate", "duration"):
        return " (the load average); for requests at a rate use type load_test"
    return ""


def _windows(given: Optional[Sequence[Mapping[str, Any]]], problems: list[str]) -> tuple[Window, ...]:
    if not given:
        return ()
    from .windows import read_windows

    return read_windows(given, problems)


def _dependencies(checks: Sequence[Check]) -> list[str]:
    """Errors in depends_on: unknown names, and cycles."""
    known = {check.name: check for check in checks}
    problems = [
        f"{check.name}: depends_on contains {other}, which is not a check of this task"
        for check in checks
        for other in check.depends_on
        if other not in known
    ]
    if problems:
        return problems
    done: set[str] = set()
    for check in checks:
        # Depth first without recursion: a chain may be long.
        path: list[str] = []
        stack = [(check.name, False)]
        while stack:
            name, leaving = stack.pop()
            if leaving:
                done.add(path.pop())
            elif name in path:
                cycle = path[path.index(name) :]
                return [f"{name}: depends_on contains a cycle: {' → '.join([*cycle, name])}"]
            elif name not in done:
                path.append(name)
                stack.append((name, True))
                stack.extend((other, False) for other in known[name].depends_on)
    return []
