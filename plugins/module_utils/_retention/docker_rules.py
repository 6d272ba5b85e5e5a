# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Log options that Docker accepts. It checks some of them only when a container starts, which then fails."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from .._core.errors import InvalidRequest, TargetError

JSON_FILE, LOCAL = "json-file", "local"

# The grammars of Docker: go-units' FromHumanSize, strconv.Atoi and strconv.ParseBool.
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(?:b|[kmgtp](?:i?b)?)?", re.IGNORECASE)
_COUNT = re.compile(r"[+-]?[0-9]{1,18}")
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")

# Accepted by all drivers.
_COMMON = {"mode", "max-buffer-size", "cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"}
_LIMITS = {"max-size", "max-file", "compress"}


class Driver(NamedTuple):
    """A log driver that keeps files: its options and their defaults."""

    known: frozenset[str]
    max_size: Optional[str]  # None: files grow without limit
    max_file: int
    compress: bool


DRIVERS = {
    JSON_FILE: Driver(
        frozenset(_COMMON | _LIMITS | {"labels", "labels-regex", "env", "env-regex", "tag"}), None, 1, False
    ),
    LOCAL: Driver(frozenset(_COMMON | _LIMITS), "20m", 5, True),
}


def check_log_options(path: str, driver: str, options: Mapping[str, Any]) -> None:
    """Check the log-opts that daemon.json will have.

    Raises InvalidRequest when the limits contradict each other, TargetError when Docker rejects an option.
    """
    for name, value in options.items():
        _check_type(path, name, value)
        if name not in DRIVERS[driver].known:
            raise TargetError(
                f"{path} sets the log option {name}, which the log driver {driver} does not support.",
                "Remove it, as Docker does not start with it.",
            )
    defaults = DRIVERS[driver]
    size = options.get("max-size", defaults.max_size)
    if size is None:
        raise InvalidRequest(
            "Without max_size, Docker does not limit the logs of the driver json-file.",
            "Set max_size, for example to 10m.",
        )
    if not is_size(size):
        raise _rejected(path, "max-size", size, "a positive size such as 10m")
    count = _count(path, options.get("max-file", str(defaults.max_file)))
    if _flag(path, "compress", options.get("compress"), defaults.compress) and count < 2:
        by_default = "" if "compress" in options else f" (the driver {driver} compresses by default)"
        raise InvalidRequest(
            f"Docker only compresses rotated files, and with max_file: 1 there are none{by_default}: containers "
            "would not start.",
            "Set max_file to 2 or more, or compress to false.",
        )
    _check_buffer(path, options)


def is_size(text: str) -> bool:
    """Whether Docker accepts it as the size of a log file."""
    match = _SIZE.fullmatch(text)
    return bool(match) and float(match[1] if match else 0) > 0


def _check_type(path: str, name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise TargetError(
            f"{path} has the log option {name} as {_type(value)}; Docker only accepts strings, and does not "
            "start with it.",
            "Quote the value, or set it here.",
        )


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "a number" if isinstance(value, (int, float)) else "null" if value is None else "a list or an object"


def _count(path: str, text: str) -> int:
    if not _COUNT.fullmatch(text) or int(text) < 1:
        raise _rejected(path, "max-file", text, "a whole number of at least 1")
    return int(text)


def _flag(path: str, name: str, text: Optional[str], default: bool) -> bool:
    if text is None:
        return default
    if text not in (*_TRUE, *_FALSE):
        raise _rejected(path, name, text, "true or false")
    return text in _TRUE


def _check_buffer(path: str, options: Mapping[str, str]) -> None:
    mode = options.get("mode", "")
    if mode not in ("", "blocking", "non-blocking"):
        raise _rejected(path, "mode", mode, "blocking or non-blocking")
    buffer = options.get("max-buffer-size")
    if buffer is not None and (mode != "non-blocking" or not is_size(buffer)):
        raise _rejected(path, "max-buffer-size", buffer, "a size, together with the mode non-blocking")


def _rejected(path: str, name: str, value: str, expected: str) -> TargetError:
    return TargetError(
        f"{path} sets the log option {name} to {value!r}; Docker expects {expected}.",
        "Correct it.",
    )
