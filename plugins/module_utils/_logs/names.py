# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of rotated files: app.log.1, app.log.2.zst; or dated: app.log-20250630-120000.zst."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import NamedTuple, Optional

from .._core.errors import InvalidRequest

DATE_FORMAT = "-%Y%m%d-%H%M%S"

# What others (logrotate) compress with counts, too.
_COMPRESSED = re.compile(r"\.(?:zst|gz|xz|bz2|lz4|Z)$")
_NUMBERED = re.compile(r"(?s)(.+)\.([1-9][0-9]{0,5})")
_DIRECTIVES = {
    "Y": r"(?P<Y>[0-9]{4})",
    "m": r"(?P<m>[0-9]{2})",
    "d": r"(?P<d>[0-9]{2})",
    "H": r"(?P<H>[0-9]{2})",
    "M": r"(?P<M>[0-9]{2})",
    "S": r"(?P<S>[0-9]{2})",
    "s": r"(?P<s>[0-9]{1,11})",
}


class Parsed(NamedTuple):
    """A rotated file's name. Either `number` (1 is the newest) or `when` (seconds since 1970) is set.

    `stem` is the name without the suffix of a compression.
    """

    base: str
    stem: str
    number: Optional[int]
    when: Optional[float]

    @property
    def suffix(self) -> str:
        """Of its number or date."""
        return self.stem[len(self.base) :]


class Naming:
    """How rotated files are called. Both kinds are recognised, whichever is used for new ones.

    :param dated: by the time of the rotation (UTC), instead of by numbers that move up.
    :param date_format: with %Y %m %d %H %M %S, or %s (seconds since 1970).
    :raises InvalidRequest: a format that does not tell a day.
    """

    def __init__(self, dated: bool, date_format: str = DATE_FORMAT) -> None:
        self.dated = dated
        self._format = date_format
        self._dates = re.compile("(?s)(.+)" + _expression(date_format))

    def new_name(self, base: str, now: float) -> str:
        """What a log rotated now is called, without a compression's suffix."""
        if not self.dated:
            return base + ".1"
        # %s is local time's in strftime
        text = self._format.replace("%s", str(int(now)))
        return base + datetime.fromtimestamp(now, timezone.utc).strftime(text)

    def parse(self, name: str) -> Optional[Parsed]:
        """What a name tells, or None when it is no rotated file's."""
        stem = _COMPRESSED.sub("", name)
        # a date may end like a number (app.log.30.06.2025)
        return (self._dated(stem) or _numbered(stem)) if self.dated else (_numbered(stem) or self._dated(stem))

    def _dated(self, stem: str) -> Optional[Parsed]:
        match = self._dates.fullmatch(stem)
        if match is None:
            return None
        try:
            return Parsed(match[1], stem, None, _when(match.groupdict()))
        except (ValueError, OverflowError):  # the 31st of February is no date
            return None


def _numbered(stem: str) -> Optional[Parsed]:
    match = _NUMBERED.fullmatch(stem)
    return None if match is None else Parsed(match[1], stem, int(match[2]), None)


def is_compressed(name: str) -> bool:
    """By its suffix."""
    return _COMPRESSED.search(name) is not None


def _when(fields: dict[str, str]) -> float:
    if "s" in fields:
        return float(fields["s"])
    day = [int(fields[one]) for one in "Ymd"]
    time = [int(fields.get(one, 0)) for one in "HMS"]
    return datetime(day[0], day[1], day[2], time[0], time[1], time[2], tzinfo=timezone.utc).timestamp()


def _expression(date_format: str) -> str:
    parts = re.split(r"%(.)", date_format)
    used = parts[1::2]
    if (
        "/" in date_format
        or date_format.endswith("%")
        or len(set(used)) != len(used)
        or not set(used) <= set(_DIRECTIVES)
        or not (set(used) == {"s"} or {"Y", "m", "d"} <= set(used) - {"s"} == set(used))
    ):
        raise InvalidRequest(
            f"date_format: {date_format!r} can't be used.",
            "It consists of %Y, %m and %d, of %H, %M and %S where a day is not enough, or of %s alone; for example "
            f"{DATE_FORMAT}.",
        )
    text = "".join(re.escape(part) if index % 2 == 0 else _DIRECTIVES[part] for index, part in enumerate(parts))
    if not parts[0]:
        raise InvalidRequest(f"date_format: {date_format!r} begins with a number.", "Begin with a character such as -.")
    return text
