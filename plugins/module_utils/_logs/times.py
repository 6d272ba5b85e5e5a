# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as logs write them, in seconds since the epoch. One without an offset is UTC."""

from __future__ import annotations

import calendar
import math
import re
from datetime import datetime, timezone
from typing import Optional

# Tight enough that all that fit sort as text within one separator and offset.
ISO_MOMENT = (
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])%s"
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
)
_ISO = re.compile((ISO_MOMENT % "([T ])" + r"([.,][0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?").encode())
_REMEMBERED = 4096  # texts: access logs write whole seconds, many lines each


def iso_shape(text: bytes) -> Optional[tuple[bytes, bytes, bytes]]:
    """Separator, sign of the fraction, and offset of an ISO 8601 time; None when it is something else."""
    match = _ISO.fullmatch(text)
    return (match[1], (match[2] or b"")[:1], match[3] or b"") if match else None


def iso_seconds(text: bytes) -> float:
    """Of a text that has an iso_shape."""
    moment = calendar.timegm(
        (int(text[:4]), int(text[5:7]), int(text[8:10]), int(text[11:13]), int(text[14:16]), int(text[17:19]))
    )
    shape = iso_shape(text)
    offset = shape[2] if shape else b""
    fraction = text[19 : len(text) - len(offset)]
    seconds = moment + (float(b"0." + fraction[1:]) if fraction else 0.0)
    if offset in (b"", b"Z"):
        return seconds
    ahead = int(offset[1:3]) * 3600 + int(offset[-2:]) * 60
    return seconds - (ahead if offset[:1] == b"+" else -ahead)


class Clock:
    """Reads times of one format.

    :param form: "auto" (ISO 8601 for texts, else seconds, milliseconds, microseconds or nanoseconds since the epoch, by
        their size), or a format of strptime.
    """

    def __init__(self, form: str = "auto") -> None:
        self.auto = form == "auto"
        self._form = form
        self._known: dict[bytes, Optional[float]] = {}

    def seconds(self, text: Optional[bytes]) -> Optional[float]:
        """None when it is no time."""
        if text is None:
            return None
        if text in self._known:
            return self._known[text]
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[text] = found = self._read(text)
        return found

    def _read(self, text: bytes) -> Optional[float]:
        if self.auto:
            return iso_seconds(text) if iso_shape(text) else _epoch(text)
        try:
            moment = datetime.strptime(text.decode("utf-8"), self._form)
        except (ValueError, OverflowError):
            return None
        if moment.utcoffset() is None:
            moment = moment.replace(tzinfo=timezone.utc)
        return moment.timestamp()


def _epoch(text: bytes) -> Optional[float]:
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number) or number < 0:
        return None
    for limit, scale in ((1e11, 1.0), (1e14, 1e-3), (1e17, 1e-6), (1e20, 1e-9)):
        if number < limit:
            return number * scale
    return None
