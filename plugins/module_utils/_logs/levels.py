# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Levels as loggers write them, mapped to common names."""

from __future__ import annotations

import re

_SYSLOG = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
_NAMES = {
    # syslog, zap, java.util.logging, .NET; single letters: glog, klog, Android, MongoDB
    "error": ("err", "eror", "severe", "fail", "failure", "e"),
    "critical": ("crit", "c"),
    "fatal": ("ftl", "f"),
    "emergency": ("emerg",),
    "alert": ("alrt",),
    "panic": ("dpanic", "pnc"),
    "warning": ("warn", "wrn", "w"),
    "notice": (),
    "info": ("information", "informational", "inf", "i", "log", "config"),
    "debug": ("dbg", "dbug", "d", "fine", "debug1", "debug2", "debug3", "debug4", "debug5"),
    "trace": ("trc", "trce", "verbose", "v", "t", "finer", "finest"),
}
_COMMON = {alias: name for name, aliases in _NAMES.items() for alias in (name, *aliases)}
# bunyan and pino; custom levels lie between them
_TENS = ("trace", "debug", "info", "warning", "error", "fatal")
_NUMBER = re.compile(r"[0-9]{1,3}")
_SLOG = re.compile(r"([a-z]+)[+-][0-9]+")  # slog of Go: "error+2" is a custom level


def common_name(level: str) -> str:
    """The common name of a level in lower case; "" if it is unknown.

    Numbers from 0 to 7 are those of syslog and journald, from 10 on those of bunyan and pino.
    """
    level = level.strip().lower()
    if _NUMBER.fullmatch(level):
        number = int(level)
        if number < len(_SYSLOG):
            return _SYSLOG[number]
        return _TENS[min(number // 10, len(_TENS)) - 1] if number >= 10 else ""
    match = _SLOG.fullmatch(level)
    return _COMMON.get(match[1] if match else level, "")
