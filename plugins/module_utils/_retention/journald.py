# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits of the journal of systemd-journald: a drop-in file of our own, beside other configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from .._core.errors import InvalidRequest, TargetError
from .._core.files import check_writable_parent, resolve
from .._core.units import parse_duration, parse_size
from .config_file import ConfigPlan, read_config

_LIMITS = ("max_use", "keep_free", "max_file_size", "max_files")
_OPTIONS = (
    *(f"{kind}_{one}" for kind in ("system", "runtime") for one in _LIMITS),
    "max_retention_sec",
    "max_file_sec",
)
# Options are named after those of journald: system_max_use is SystemMaxUse.
_SETTINGS = {name: name.title().replace("_", "") for name in _OPTIONS}
JOURNALD_SPEC: dict[str, Any] = {
    "path": {"type": "path", "default": "/etc/systemd/journald.conf.d/60-day2-retention.conf"},
    **{name: {"type": "int" if name.endswith("_files") else "str"} for name in _SETTINGS},
}
_HEADER = "# Managed by day2.ops.retention: changes are overwritten.\n"
_DIRECTORIES = tuple(f"{base}/systemd/journald.conf.d" for base in ("/etc", "/run", "/usr/local/lib", "/usr/lib"))


def plan_journald(options: Mapping[str, Any]) -> ConfigPlan:
    """The intended content of the drop-in.

    Raises InvalidRequest when a limit is not valid, TargetError when the file was made by others or can't be written.
    """
    settings = _settings(options)
    path = resolve(options["path"], TargetError)
    if not path.endswith(".conf"):
        raise InvalidRequest(f"journald: path is {path}, but journald only reads files that end in .conf.")
    before, mode = read_config(path)
    if before and not before.startswith(_HEADER):
        raise TargetError(f"{path} was not created by this module.", "Set journald.path to another file.")
    after = _HEADER + "[Journal]\n" + "".join(f"{name}={value}\n" for name, value in settings.items())
    if after != before:
        directory = os.path.dirname(path)
        check_writable_parent(path if os.path.lexists(directory) else directory)
    return ConfigPlan(
        path,
        before,
        after,
        mode,
        "the limits take effect once systemd-journald is restarted.",
        tuple(_overrides(path, settings)),
    )


def _settings(options: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for name, setting in _SETTINGS.items():
        value = options[name]
        if value is not None:
            found[setting] = _value(name, value)
    if not found:
        raise InvalidRequest("journald has no settings.", "Set for example system_max_use.")
    return found


def _value(name: str, value: Any) -> str:
    if name.endswith("_files"):
        number, text = value, str(value)
    elif name.endswith("_sec"):
        number = round(parse_duration(value))
        text = _exact(number, (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)))
    else:
        number = parse_size(value)
        text = _exact(number, (("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10), ("", 1)))
    if number < 1:
        # for journald, 0 means "the default", and for the two times "no limit"
        raise InvalidRequest(f"journald.{name} is {value}.", "Set it to a larger value, or omit it.")
    return text


def _exact(number: int, units: tuple[tuple[str, int], ...]) -> str:
    unit, size = next((unit, size) for unit, size in units if number % size == 0)
    return f"{number // size}{unit}"


def _overrides(path: str, settings: Mapping[str, str]) -> list[str]:
    """Other drop-ins that journald reads after this one, and that set the same options."""
    name = os.path.basename(path)
    found: dict[str, str] = {}
    for directory in (os.path.dirname(path), *_DIRECTORIES):
        for other in os.listdir(directory) if os.path.isdir(directory) else ():
            if other.endswith(".conf") and other > name:
                found.setdefault(other, os.path.join(directory, other))
    notes = []
    for one in sorted(found.values()):
        try:
            with open(one, encoding="utf-8", errors="replace") as handle:
                theirs = re.findall(r"(?m)^\s*(\w+)\s*=", handle.read())
        except OSError:
            continue
        both = [setting for setting in settings if setting in theirs]
        if both:
            notes.append(f"{one} also sets {', '.join(both)}, and overrides {path}.")
    return notes
