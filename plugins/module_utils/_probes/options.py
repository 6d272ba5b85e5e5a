# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a check: their kinds, and errors in their values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional

from .._core.errors import InvalidRequest
from .._core.paths import complaint, expand
from .._core.patterns import NotAPattern, compile_pattern
from .._core.units import format_duration, format_size, parse_duration, parse_size, parse_time
from .base import ABOVE, Limit, Option

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class _Wrong(Exception):
    """The error in a value, as text after the name of the option."""


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise _Wrong("must be text")
    return str(value)


def _integer(value: Any) -> int:
    try:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise ValueError
        return int(value)
    except (TypeError, ValueError):
        raise _Wrong("must be a whole number") from None


def _number(value: Any) -> float:
    try:
        number = float(value)
        if isinstance(value, bool) or not math.isfinite(number):
            raise ValueError
        return number
    except (TypeError, ValueError):
        raise _Wrong("must be a number") from None


def _percent(value: Any) -> float:
    percent = _number(value.strip().rstrip("%") if isinstance(value, str) else value)
    if percent < 0:
        raise _Wrong("must be a percentage of at least 0")
    return percent


def _days(value: Any) -> float:
    try:
        return _number(value)
    except _Wrong:
        return parse_duration(value) / 86400


def _boolean(value: Any) -> bool:
    text = str(value).lower()
    if text not in _TRUE + _FALSE:
        raise _Wrong("must be true or false")
    return text in _TRUE


def _list(value: Any) -> list[str]:
    return [_text(one) for one in (value if isinstance(value, list) else [value])]


def _mapping(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise _Wrong("must be a mapping")
    return {str(key): _text(one) for key, one in value.items()}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    entries = value if isinstance(value, list) else [value]
    if not all(isinstance(one, Mapping) for one in entries):
        raise _Wrong("must be a list of mappings")
    return list(entries)


def _pattern(value: Any) -> re.Pattern[str]:
    try:
        return compile_pattern(_text(value))
    except NotAPattern as exc:
        raise _Wrong(f"must be a regular expression ({exc})") from None


def _patterns(value: Any) -> dict[str, re.Pattern[str]]:
    return {name: _pattern(one) for name, one in _mapping(value).items()}


def _path(value: Any) -> str:
    path = expand(_text(value))
    if complaint(path):
        raise _Wrong("must be an absolute path, as the working directory depends on the connection")
    return path


def _port(value: Any) -> int:
    port = _integer(value)
    if not 0 < port < 65536:
        raise _Wrong("must be a port from 1 to 65535")
    return port


def _count(value: Any) -> int:
    count = _integer(value)
    if count < 0:
        raise _Wrong("must be a whole number of at least 0")
    return count


def _positive(value: Any) -> int:
    count = _integer(value)
    if count < 1:
        raise _Wrong("must be a whole number of at least 1")
    return count


def _ranges(value: Any) -> list[tuple[int, int]]:
    """[200, "300-399"] → [(200, 200), (300, 399)]"""
    ranges = []
    for text in _list(value):
        match = re.fullmatch(r"\s*([0-9]+)\s*(?:-\s*([0-9]+)\s*)?", text)
        if match is None:
            raise _Wrong("must be a number, a range such as 200-299, or a list of them")
        if int(match[2] or match[1]) < int(match[1]):
            raise _Wrong("must be a range from the lower to the higher number")
        ranges.append((int(match[1]), int(match[2] or match[1])))
    return ranges


def _mapping_of_ranges(value: Any) -> dict[str, list[tuple[int, int]]]:
    return {name: _ranges(one) for name, one in _mapping(value).items()}


KINDS: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "url": _text,
    "whole number": _integer,
    "count": _count,
    "positive count": _positive,
    "number": _number,
    "percent": _percent,
    "days": _days,
    "boolean": _boolean,
    "list": _list,
    "mapping": _mapping,
    "list of mappings": _mappings,
    "regular expression": _pattern,
    "mapping of regular expressions": _patterns,
    "duration": parse_duration,
    "size": parse_size,
    "time": parse_time,
    "path": _path,
    "port": _port,
    "ranges": _ranges,
    "mapping of ranges": _mapping_of_ranges,
    "any": lambda value: value,
}

# The kind of a threshold, by the unit of the measured value.
_THRESHOLDS = {"s": "duration", "bytes": "size", "percent": "percent", "days": "days", "count": "count"}


def threshold_kind(limit: Limit) -> str:
    """The kind of the thresholds of a limit: a key of KINDS."""
    return _THRESHOLDS.get(limit.unit, "number")


def parse(
    options: Mapping[str, Option], given: Mapping[str, Any], problems: list[str], where: str = ""
) -> dict[str, Any]:
    """The values of all options. Adds a sentence to `problems` for each error.

    :param where: prefix of the names in the sentences: "json[0].".
    """
    parsed, required = _defaults(options)
    parsed = dict(parsed)
    for name, value in given.items():
        if name in options and value is not None:
            parsed[name] = _parse_one(where + name, options[name], value, problems)
    problems.extend(f"{where}{name} is required" for name in required if given.get(name) is None)
    return parsed


# By identity, as specs are constants; each is kept, so that no other object can have its identity.
_KNOWN: dict[int, tuple[Mapping[str, Option], dict[str, Any], list[str]]] = {}


def _defaults(options: Mapping[str, Option]) -> tuple[dict[str, Any], list[str]]:
    """The default values, and the names of required options. A thousand checks share them."""
    known = _KNOWN.get(id(options))
    if known is None:
        values = {
            name: None if option.default is None else KINDS[option.kind](option.default)
            for name, option in options.items()
        }
        known = _KNOWN[id(options)] = (options, values, [name for name, one in options.items() if one.required])
    return known[1], known[2]


def _parse_one(name: str, option: Option, value: Any, problems: list[str]) -> Any:
    shown = "(hidden)" if option.secret or option.kind == "url" else repr(value)
    try:
        parsed = KINDS[option.kind](value)
    except _Wrong as exc:
        problems.append(f"{name} {exc}, not {shown}")
        return None
    except InvalidRequest as exc:
        problems.append(f"{name}: {exc}")
        return None
    if option.choices and not set(parsed if isinstance(parsed, list) else [parsed]) <= set(option.choices):
        problems.append(f"{name} must be one of {', '.join(option.choices)}, not {shown}")
    return parsed


def parse_limits(limits: Sequence[Limit], given: Mapping[str, Any], problems: list[str]) -> dict[str, Limit]:
    """The limits by name, with the given thresholds."""
    held = {}
    for limit in limits:
        written: list[Optional[float]] = []
        for name, default in zip(limit.options, (limit.warn, limit.crit)):
            value = given.get(name)
            parsed = default
            if value is not None:
                parsed = _parse_one(name, Option(threshold_kind(limit), ""), value, problems)
            if parsed is not None and value is not None and limit.most is not None and parsed > limit.most:
                problems.append(f"{name} must be at most {limit.most:g}, not {value!r}, as larger values never occur")
            written.append(parsed)
        # A given threshold replaces the default of the other one.
        for mine, other in ((0, 1), (1, 0)):
            alone = given.get(limit.options[mine]) is not None and given.get(limit.options[other]) is None
            if alone and _wrong_way_round(limit, written):
                written[other] = None
        if _wrong_way_round(limit, written):
            problems.append(
                f"{limit.options[0]} {given.get(limit.options[0])!r} and {limit.options[1]} "
                f"{given.get(limit.options[1])!r} contradict each other: "
                f"{'more' if limit.worse == ABOVE else 'less'} is worse, so {limit.options[1]} must not be "
                f"{'below it' if limit.worse == ABOVE else 'above it'}"
            )
        held[limit.name] = limit._replace(warn=written[0], crit=written[1])
    return held


def _wrong_way_round(limit: Limit, written: Sequence[Optional[float]]) -> bool:
    warn, crit = written
    if warn is None or crit is None:
        return False
    return crit < warn if limit.worse == ABOVE else crit > warn


def written(value: Any, kind: str) -> str:
    """A default as a user would write it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if kind == "duration":
        return value if isinstance(value, str) else format_duration(value)
    if kind == "size":
        return value if isinstance(value, str) else format_size(value)
    number = (f"{value:g}") if isinstance(value, (int, float)) else str(value)
    return number + "%" if kind == "percent" else number
