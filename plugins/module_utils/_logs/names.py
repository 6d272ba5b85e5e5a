# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of rotated files: app.log.1, app.log.2.zst; with dates: app.log-20250630-120000.zst; or app.1.log."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import NamedTuple, Optional

from .._core.errors import InvalidRequest

DATE_FORMAT = "-%Y%m%d-%H%M%S"

# Compressions of other programs (logrotate) are recognised, too.
_COMPRESSED = re.compile(r"\.(?:zst|zstd|gz|xz|bz2|lz4|lzma|Z)$")
_NUMBERED = re.compile(r"(?s)(.+)\.([1-9][0-9]{0,5})")
# Dates as logrotate writes them (dateext), which are never part of the name of a log, whatever date_format is.
_USUAL_DATE = re.compile(r"(?s)(.+)[-._](?:19|20)[0-9]{6}(?:[-_T]?[0-9]{2}(?:[0-9]{2}){0,2})?")
_DIRECTIVES = {
    "Y": r"(?P<Y>[0-9]{4})",
    "m": r"(?P<m>[0-9]{2})",
    "d": r"(?P<d>[0-9]{2})",
    "H": r"(?P<H>[0-9]{2})",
    "M": r"(?P<M>[0-9]{2})",
    "S": r"(?P<S>[0-9]{2})",
    "f": r"(?P<f>[0-9]{3,6})",
    "G": r"(?P<G>[0-9]{4})",
    "V": r"(?P<V>[0-9]{2})",
    "s": r"(?P<s>[0-9]{1,11})",
}
_SECONDS = {"S": 1, "M": 60, "H": 3600, "d": 86400}


class Parsed(NamedTuple):
    """The name of a rotated file. Either `number` (1 is the newest) or `when` (seconds since 1970) is set.

    `stem` is the name without the suffix of a compression. A date stands for a time, a day or a month that begins at
    `when` and has `length` seconds.
    """

    base: str
    stem: str
    number: Optional[int]
    when: Optional[float]
    length: float = 1.0

    def within(self, when: float) -> float:
        """The time nearest to `when` that the name allows."""
        return when if self.when is None else min(max(when, self.when), self.when + self.length - 1)


class Naming:
    """The names of rotated files. Numbered and dated names are recognised, whichever is used for new files.

    Raises InvalidRequest when a format has neither a month, a week nor a time, or the extension is not valid.

    :param dated: by the time of the rotation (UTC), instead of by numbers that increase.
    :param date_format: with %Y %m %d %H %M %S %f, %G %V (ISO week), or %s (seconds since 1970).
    :param extension: that stays at the end: with ".log", app.log becomes app.1.log. Does not apply to other logs.
    """

    def __init__(self, dated: bool, date_format: str = DATE_FORMAT, extension: str = "") -> None:
        self.dated = dated
        self._format = date_format
        self._dates = re.compile("(?s)(.+)" + _expression(date_format))
        self._extension = extension
        if extension and (not re.fullmatch(r"\.[^/]*[^/0-9][^/]*", extension) or is_compressed("x" + extension)):
            raise InvalidRequest(f"extension: {extension!r} is not valid.", "Write for example .log.")

    def new_name(self, base: str, now: float) -> str:
        """The name of a log that is rotated now, without the suffix of a compression."""
        if not self.dated:
            return self.numbered(base, 1)
        # in strftime, %s is in local time
        text = self._format.replace("%s", str(int(now)))
        return self._with(base, datetime.fromtimestamp(now, timezone.utc).strftime(text))

    def numbered(self, base: str, number: int) -> str:
        """The name with a number, without the suffix of a compression."""
        return self._with(base, f".{number}")

    def parse(self, name: str) -> Optional[Parsed]:
        """The parts of a name, or None if it is not that of a rotated file."""
        stem = without_compression(name)
        extension = self._extension
        if extension and stem.endswith(extension) and len(stem) > len(extension):
            inner = self._parse(stem[: -len(extension)])
            if inner is not None:
                return inner._replace(base=inner.base + extension, stem=stem)
        return self._parse(stem)

    def usual_base(self, name: str) -> str:
        """The log that a name with a date in the usual format would belong to; "" for other names."""
        match = _USUAL_DATE.fullmatch(without_compression(name))
        return match[1] if match else ""

    def _with(self, base: str, what: str) -> str:
        extension = self._extension
        if extension and base.endswith(extension) and len(base) > len(extension):
            return base[: -len(extension)] + what + extension
        return base + what

    def _parse(self, stem: str) -> Optional[Parsed]:
        # a date may end like a number (app.log.30.06.2025)
        return (self._dated(stem) or _numbered(stem)) if self.dated else (_numbered(stem) or self._dated(stem))

    def _dated(self, stem: str) -> Optional[Parsed]:
        match = self._dates.fullmatch(stem)
        if match is None:
            return None
        try:
            start, end = _period(match.groupdict())
        except (ValueError, OverflowError):  # 31 February is not a date
            return None
        return Parsed(match[1], stem, None, start, end - start)


def _numbered(stem: str) -> Optional[Parsed]:
    match = _NUMBERED.fullmatch(stem)
    return None if match is None else Parsed(match[1], stem, int(match[2]), None)


def is_compressed(name: str) -> bool:
    """Whether a name has the suffix of a compression."""
    return _COMPRESSED.search(name) is not None


def without_compression(name: str) -> str:
    """The name without the suffix of a compression."""
    return _COMPRESSED.sub("", name)


def _period(fields: dict[str, str]) -> tuple[float, float]:
    """Seconds since 1970 at which the named time begins and ends."""
    if "s" in fields:
        return float(fields["s"]), float(fields["s"]) + 1
    if "V" in fields:
        monday = datetime.fromisocalendar(int(fields["G"]), int(fields["V"]), 1).replace(tzinfo=timezone.utc)
        return monday.timestamp(), (monday + timedelta(days=7)).timestamp()
    year, month = int(fields["Y"]), int(fields["m"])
    if "d" not in fields:
        after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=timezone.utc)
        return datetime(year, month, 1, tzinfo=timezone.utc).timestamp(), after.timestamp()
    time = [int(fields.get(one, 0)) for one in "HMS"]
    start = datetime(year, month, int(fields["d"]), time[0], time[1], time[2], tzinfo=timezone.utc).timestamp()
    return start, start + next(length for one, length in _SECONDS.items() if one in fields)


def _expression(date_format: str) -> str:
    parts = re.split(r"%(.)", date_format)
    used = set(parts[1::2])
    if (
        "/" in date_format
        or "\0" in date_format
        or date_format.endswith("%")
        or len(used) != len(parts[1::2])
        or not used <= set(_DIRECTIVES)
        or not (used in ({"s"}, {"G", "V"}, {"Y", "m"}) or {"Y", "m", "d"} <= used <= set("YmdHMSf"))
    ):
        raise InvalidRequest(
            f"date_format: {date_format!r} is not valid.",
            "Use %Y and %m, with %d, %H, %M, %S and %f if a month is too long; %G and %V for an ISO week; or "
            f"only %s; for example {DATE_FORMAT}.",
        )
    text = "".join(re.escape(part) if index % 2 == 0 else _DIRECTIVES[part] for index, part in enumerate(parts))
    if not parts[0]:
        raise InvalidRequest(
            f"date_format: {date_format!r} begins with a number.", "Begin it with a character such as -."
        )
    return text
