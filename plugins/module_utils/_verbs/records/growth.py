# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes of a store in earlier runs, in a file, and how much it has grown since."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, Optional

from ..._core import files
from ..._core.errors import InvalidRequest, SourceError, TargetError
from ..._core.units import format_time, parse_time
from ..._stores.records.inspection import Figures

_HOUR, _DAY = 3600, 86400
_FIRST = "there is no earlier entry in history"
_NONE = "history is not set"
_NAMES = ("records", "bytes")


class SizeHistory:
    """The file of one store. Of each hour of the last two days, and of each earlier day, it keeps the newest entry.

    :raises InvalidRequest: other users can write to its directory, or it belongs to another store.
    :raises SourceError: it cannot be read, or is no history.
    """

    def __init__(self, path: str, location: str) -> None:
        self._path = files.resolve(path, InvalidRequest)
        self._location = location
        directory = os.path.dirname(self._path)
        if os.path.isdir(directory) and files.others_can_write(directory):
            raise InvalidRequest(f"history: other users can write to {directory}.", "Choose another directory.")
        self._entries = self._read()

    def _read(self) -> list[dict[str, Any]]:
        if files.check_regular(self._path, SourceError) is None:
            return []
        with files.os_errors(SourceError, "Can't read", self._path), open(self._path, "rb") as handle:
            data = handle.read()
        try:
            content = json.loads(data)
            store, entries = content["store"], content["entries"]
            for one in entries:
                _check(one)
        except (ValueError, KeyError, TypeError, AttributeError, InvalidRequest):
            raise SourceError(
                f"{self._path} is not a history of day2.ops.store_info.", "Choose another path for history."
            ) from None
        if store != self._location:
            raise InvalidRequest(
                f"{self._path} is the history of {store}, not of {self._location}.", "Use one file for each store."
            )
        return list(entries)

    def compare(self, figures: Figures, deep: bool, over: float, now: float) -> None:
        """Add the growth since the newest entry that is at least `over` seconds old, or else the oldest.

        Only entries of equally deep runs are compared: an estimate is no earlier count.
        """
        aged = [(now - parse_time(one["at"]).timestamp(), one) for one in self._entries if one["deep"] == deep]
        past = sorted((one for one in aged if one[0] > 0), key=lambda one: one[0])
        found = next((one for one in past if one[0] >= over), past[-1] if past else None)
        if found is None:
            no_growth(figures, _FIRST)
            return
        age, entry = found
        total = {"since": entry["at"], "seconds": round(age), "bytes": _grown(figures, "bytes", entry)}
        figures.know("growth", total, "history")
        for one in figures.get("collections") or ():
            before = entry["collections"].get(one.get("name"))
            if before is None:
                one.unknown("growth", f"it did not exist on {entry['at']}")
            else:
                one.know("growth", {name: _grown(one, name, before) for name in _NAMES}, "history")

    def add(self, figures: Figures, deep: bool, now: float) -> None:
        """Add an entry, and remove old ones.

        :raises TargetError: the file cannot be written.
        """
        collections = {
            one.get("name"): {name: one.get(name) for name in _NAMES} for one in figures.get("collections") or ()
        }
        entry = {"at": _time(now), "deep": deep, "bytes": figures.get("bytes"), "collections": collections}
        kept = list(_thinned([*self._entries, entry], now))
        content = {"store": self._location, "entries": kept}
        with files.os_errors(TargetError, "Can't write", self._path):
            files.make_private_directory(os.path.dirname(self._path))
            files.write_atomically(self._path, json.dumps(content).encode() + b"\n")


def no_growth(figures: Figures, reason: str = _NONE) -> None:
    """Say of all figures of growth why they are not known."""
    for one in (figures, *(figures.get("collections") or ())):
        one.unknown("growth", reason)


def _check(entry: Mapping[str, Any]) -> None:
    """Raise ValueError, or whatever Python or `parse_time` does, when it is no entry."""
    parse_time(entry["at"])
    sizes = [entry["bytes"], *(one[name] for one in entry["collections"].values() for name in _NAMES)]
    if not isinstance(entry["deep"], bool) or not all(one is None or isinstance(one, (int, float)) for one in sizes):
        raise ValueError(entry)


def _grown(figures: Figures, name: str, before: Mapping[str, Any]) -> Optional[int]:
    now, then = figures.get(name), before.get(name)
    return None if now is None or then is None else now - then


def _time(seconds: float) -> str:
    return format_time(datetime.fromtimestamp(int(seconds), timezone.utc))


def _thinned(entries: Iterable[dict[str, Any]], now: float) -> Iterable[dict[str, Any]]:
    newest: dict[tuple[bool, int, int], dict[str, Any]] = {}
    for one in entries:
        at = int(parse_time(one["at"]).timestamp())
        unit = _HOUR if now - at < 2 * _DAY else _DAY
        newest[one["deep"], unit, at // unit] = one
    return newest.values()
