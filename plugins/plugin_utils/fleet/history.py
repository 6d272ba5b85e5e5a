# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reports of a fleet remember: when each host was heard last, what it said of its sets, 90 days of sizes and runs.

It is a file beside the report, and belongs to the fleet of that name. Without it, a report knows only today.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Optional

from .words import DAY, iso, seconds

FILE = "history.json"
DAYS = 90
WORST = "fmou-"  # of the runs of a day, the worst first
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class NotOurs(Exception):
    """The file is not the history of this fleet: its message says why."""


class History:
    """:param data: the content of the file; {}: there is none.

    :raises NotOurs: it is damaged, or that of another fleet.
    """

    def __init__(self, fleet: str, data: bytes = b"") -> None:
        self._fleet = fleet
        known = _parsed(data, fleet) if data else {"hosts": {}, "files": []}
        self._hosts: dict[str, dict[str, Any]] = known["hosts"]
        self.files: list[str] = [str(name) for name in known["files"]]  # that the last report has written

    def host(self, name: str) -> HostHistory:
        return HostHistory(self._hosts.setdefault(name, {}))

    def forget(self, name: str, known: dict[str, Any]) -> None:
        """Put back what was known of a host (HostHistory.copy)."""
        self._hosts[name] = known

    def dump(self, now: float) -> bytes:
        """The content of the file, without what is older than 90 days."""
        oldest = _day(now - DAYS * DAY)
        hosts = {name: _recent(one, oldest) for name, one in self._hosts.items()}
        hosts = {name: one for name, one in hosts.items() if str(one.get("heard") or "")[:10] > oldest}
        whole = {"format": 1, "fleet": self._fleet, "files": sorted(self.files), "hosts": hosts}
        return json.dumps(whole, sort_keys=True, separators=(",", ":")).encode() + b"\n"


class HostHistory:
    """What is remembered of a host."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def copy(self) -> dict[str, Any]:
        copied: dict[str, Any] = json.loads(json.dumps(self._data))
        return copied

    def believe(self, latest: str) -> None:
        """Forget what was heard later than now: the clock was wrong, and a host would seem heard until then."""
        if str(self._data.get("heard") or "") > latest:
            del self._data["heard"]
        for one in self._data.get("sets", {}).values():
            if (one.get("seen") or {}).get("at", "") > latest:
                del one["seen"]
            if (one.get("drill") or {}).get("at", "") > latest:
                del one["drill"]

    @property
    def last_report_at(self) -> Optional[str]:
        return self._data.get("heard")

    def heard(self, now: float) -> None:
        self._data["heard"] = iso(now)

    def disk(self, path: str) -> Samples:
        return Samples(self._data.setdefault("disks", {}).setdefault(path, {}))

    def set(self, name: str) -> SetHistory:
        return SetHistory(self._data.setdefault("sets", {}).setdefault(name, {}))


class Samples:
    """One number a day."""

    def __init__(self, data: dict[str, int]) -> None:
        self._data = data

    def add(self, value: int, now: float) -> None:
        self._data[_day(now)] = value

    def last(self, now: float) -> list[int]:
        """One a day up to today, oldest first. Days without one lie on the line between their neighbours."""
        known = sorted((round((now - seconds(f"{day}T00:00:00Z")) // DAY), value) for day, value in self._data.items())
        known = [(age, value) for age, value in known if 0 <= age < DAYS]
        samples: list[int] = []
        for (age, value), (older, before) in zip(known, known[1:]):
            samples += [value + (before - value) * step // (older - age) for step in range(older - age)]
        return [*samples, *(value for _age, value in known[-1:])][::-1]


class SetHistory:
    """What is remembered of a backup set."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    @property
    def last_seen(self) -> Any:
        """What the last look at its backups said (gathered.py); None: nobody has looked."""
        return self._data.get("seen")

    def seen(self, look: Mapping[str, Any]) -> None:
        self._data["seen"] = dict(look)

    @property
    def last_drill(self) -> Any:
        """The last drill that the host has reported; None: there was none."""
        return self._data.get("drill")

    def drilled(self, drill: Mapping[str, Any]) -> None:
        self._data["drill"] = dict(drill)

    @property
    def sizes(self) -> Samples:
        return Samples(self._data.setdefault("sizes", {}))

    def ran(self, days: Mapping[str, str]) -> None:
        """Take in the worst runs of days, {"2026-11-29": "o"}."""
        runs = self._data.setdefault("runs", {})
        for day, letter in days.items():
            runs[day] = min(letter, runs.get(day, "-"), key=WORST.index)

    def runs(self, now: float, due_until: str) -> str:
        """A letter a day, the last is today. Days without a run are missing, from the first one to `due_until`."""
        known: Mapping[str, str] = self._data.get("runs", {})
        first = min(known, default="9")
        days = [_day(now - age * DAY) for age in reversed(range(DAYS))]
        return "".join(known.get(day) or ("m" if first < day < due_until else "-") for day in days)


def _day(at: float) -> str:
    return iso(at)[:10]


def _recent(host: Mapping[str, Any], oldest: str) -> dict[str, Any]:
    def late(days: Mapping[str, Any]) -> dict[str, Any]:
        return {day: value for day, value in days.items() if day > oldest}

    sets = {}
    for name, one in host.get("sets", {}).items():
        times = [(one.get(key) or {}).get("at", "") for key in ("seen", "drill")]
        if max(times) > oldest or late(one.get("runs", {})):
            sets[name] = {**one, "sizes": late(one.get("sizes", {})), "runs": late(one.get("runs", {}))}
    disks = {path: late(days) for path, days in host.get("disks", {}).items()}
    return {**host, "disks": {path: days for path, days in disks.items() if days}, "sets": sets}


def _parsed(data: bytes, fleet: str) -> dict[str, Any]:
    try:
        known = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise NotOurs("it is damaged") from exc
    if not isinstance(known, dict) or known.get("format") != 1:
        raise NotOurs("it is damaged, or of a newer version")
    if known.get("fleet") != fleet:
        raise NotOurs(f"it belongs to the fleet {known.get('fleet')}")
    if not isinstance(known.get("hosts"), dict) or not isinstance(known.get("files"), list):
        raise NotOurs("it is damaged")
    if not all(_is_host(one) for one in known["hosts"].values()):
        raise NotOurs("it is damaged")
    return known


def _is_host(one: Any) -> bool:
    """Whether all that is used of a host is of the right type."""
    if not isinstance(one, dict) or not (one.get("heard") is None or _matches(_TIME, one["heard"])):
        return False
    disks, sets = one.get("disks", {}), one.get("sets", {})
    return (
        isinstance(disks, dict)
        and all(_is_days(days, int) for days in disks.values())
        and isinstance(sets, dict)
        and all(_is_set(each) for each in sets.values())
    )


def _is_set(one: Any) -> bool:
    if not isinstance(one, dict) or not _is_days(one.get("sizes", {}), int) or not _is_days(one.get("runs", {}), str):
        return False
    dated = [each for each in (one.get("seen"), one.get("drill")) if each is not None]
    good_runs = all(letter in WORST and len(letter) == 1 for letter in one.get("runs", {}).values())
    return good_runs and all(isinstance(each, dict) and _matches(_TIME, each.get("at")) for each in dated)


def _is_days(days: Any, kind: type) -> bool:
    return isinstance(days, dict) and all(_matches(_DAY, day) and _is(value, kind) for day, value in days.items())


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    """Whether it is a time, or a day, that exists."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        return False
    try:
        return bool(seconds(value))
    except ValueError:
        return False
