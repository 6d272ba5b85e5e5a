# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions under which a job may run: a time of day, the load of the host, mains power.

systemd has conditions, too, but a run that they prevent leaves no record, and is not tried again.
"""

from __future__ import annotations

import ctypes
import math
import os
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from .._core.errors import InvalidRequest
from .._verbs.health.windows import Window, read_windows

_SUPPLIES = "/sys/class/power_supply"
LONGEST = 24 * 3600.0  # seconds that a job without a window waits; with one, twice that: until it opens, and ends


class Conditions(NamedTuple):
    """`windows` are times of day or dates in one of which it may run; none: at any time. `given`: as the job file has
    them."""

    given: Any
    windows: tuple[Window, ...]
    load_below: Optional[float]
    on_ac_power: bool


def conditions_of(window: Any, load_below: Any, on_ac_power: Any) -> Conditions:
    """The conditions as a job file has them. Raises InvalidRequest."""
    given = window if isinstance(window, list) else [] if window is None else [window]
    if not all(isinstance(one, Mapping) for one in given):
        raise InvalidRequest("window is not a dictionary.", 'Write for example {start: "22:00", end: "06:00"}.')
    number = isinstance(load_below, (int, float)) and not isinstance(load_below, bool) and not math.isnan(load_below)
    if load_below is not None and not number:
        raise InvalidRequest("when_load_below is not a number.")
    if on_ac_power not in (None, True, False):
        raise InvalidRequest("on_ac_power is not true or false.")
    problems: list[str] = []
    windows = read_windows(given, problems)
    if problems:
        raise InvalidRequest("; ".join(one.replace("maintenance[", "window[") for one in problems) + ".")
    # Like the timer of the job, in the time zone of the host.
    local = [one if given[number].get("timezone") else one._replace(zone=None) for number, one in enumerate(windows)]
    return Conditions(window, tuple(local), load_below, bool(on_ac_power))


def is_open(conditions: Conditions) -> bool:
    """Whether one of the windows is open."""
    now = datetime.fromtimestamp(time.time(), timezone.utc)
    return not conditions.windows or any(one.holds(now) for one in conditions.windows)


def unmet(conditions: Conditions) -> str:
    """The reason why the job may not run now, or ""."""
    if not is_open(conditions):
        return "The current time is outside its window."
    if conditions.load_below is not None:
        load = _load()
        if load >= conditions.load_below:
            return f"The load is {load:.2f}, not below {conditions.load_below:g}."
    if conditions.on_ac_power and not _on_ac_power():
        return "The host runs on battery."
    return ""


class _SystemInformation(ctypes.Structure):
    """sysinfo(2). A unit that sees only processes in /proc has no /proc/loadavg."""

    _fields_ = (("uptime", ctypes.c_long), ("loads", ctypes.c_ulong * 3), ("rest", ctypes.c_byte * 512))


def _load() -> float:
    """The load average of the last minute."""
    information = _SystemInformation()
    if ctypes.CDLL(None, use_errno=True).sysinfo(ctypes.byref(information)):
        raise InvalidRequest("The load of the host is unknown.", "Leave out when_load_below.")
    return float(information.loads[0]) / 65536


def _on_ac_power(supplies: str = _SUPPLIES) -> bool:
    """False if a battery is discharging and no other supply is online. A host without a battery is on mains power."""
    discharging = False
    try:
        names = os.listdir(supplies)
    except FileNotFoundError:
        return True
    for name in names:
        kind = _read(supplies, name, "type")
        if kind in ("Mains", "USB") and _read(supplies, name, "online") == "1":
            return True
        # Devices are mice and such.
        if kind == "Battery" and _read(supplies, name, "scope") != "Device":
            discharging = discharging or _read(supplies, name, "status") == "Discharging"
    return not discharging


def _read(*steps: str) -> str:
    try:
        with open(os.path.join(*steps), encoding="ascii", errors="replace") as handle:
            return handle.read().strip()
    except OSError:
        return ""
