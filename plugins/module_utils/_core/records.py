# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one model of a record that all stores convert to and from, and its digest.

A record maps the names of its fields to values: None, bool, int, float, Decimal, str, bytes, datetime, date, lists and
mappings of these. Two values are the same exactly when their canonical JSON is:

- the keys of mappings are sorted by code point, and nothing is written between tokens; text is UTF-8, a lone surrogate
  is written as its escape;
- a number is written by its value, whatever type holds it: 1, 1.0 and Decimal("1.00") are all `1`. A float has the
  value of its shortest decimal text, as in JSON itself: 0.1 is Decimal("0.1"), 1e23 is 10**23. Zero has no sign.
  From 10**-400 up to 10**400 it is written in full (`0.001`), beyond that as `1.5e+5000`;
- booleans are not numbers; tuples are lists;
- what JSON lacks is a mapping with one key that starts with "$": {"$number": "NaN" | "Infinity" | "-Infinity"},
  {"$bytes": base64}, {"$time": "2025-06-30T10:00:00Z" (an instant) | "2025-06-30T10:00:00" (of a clock without a
  zone) | "2025-06-30" (a date)}. In a real mapping a key that starts with "$" gets one more "$".
"""

from __future__ import annotations

import base64
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from json.encoder import encode_basestring as _quote
from typing import Any, Callable, Union

from .errors import SourceError
from .units import format_time
from .unordered import hexdigest, total

_IN_FULL = 400  # digits before or after the point: enough for every float
_SMALL = 10**18  # an int that is certainly written in full
_FEW = 64  # fields of a record whose layout is remembered


def canonical(value: Any) -> bytes:
    """The canonical JSON of the value.

    Raises SourceError when part of it does not belong to the model, or it is nested too deeply.
    """
    try:
        # surrogates are the only characters that UTF-8 can't encode; they are written as JSON escapes
        return _WRITERS[type(value)](value).encode("utf-8", "backslashreplace")
    except RecursionError:
        raise SourceError("The record is nested too deeply to be compared.") from None


def is_finite(value: Union[int, float, Decimal]) -> bool:
    """Whether a number is finite, however large it is: `math.isfinite` converts to a float first."""
    if isinstance(value, Decimal):
        return value.is_finite()
    return isinstance(value, int) or math.isfinite(value)


def record_digest(record: Mapping[str, Any]) -> int:
    """SHA-256 of the canonical JSON of the record, as a number.

    Raises SourceError when `canonical` does.
    """
    return total([canonical(record)])


def exact(number: Union[int, float, Decimal]) -> Decimal:
    """The value of a number: that of a float is what its shortest text says."""
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)


class CollectionDigest:
    """The digest of a set of records: the sum of their digests modulo 2^256, independent of their order."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def add(self, record: Mapping[str, Any]) -> None:
        """Add a record. Raises SourceError when `canonical` does; the record is then not counted."""
        self._sum += record_digest(record)
        self.count += 1

    def add_sum(self, count: int, amount: int) -> None:
        """Add that many records, of which this is the sum of the digests."""
        self._sum += amount
        self.count += count

    def hexdigest(self) -> str:
        """64 hex digits."""
        return hexdigest(self._sum)


class _Writers(dict[type, Callable[[Any], str]]):
    """The function that writes a value, by type. Subclasses are written like their base class."""

    def __missing__(self, kind: type) -> Callable[[Any], str]:
        for base, write in _BASES:
            if issubclass(kind, base):
                self[kind] = write
                return write
        raise SourceError(f"A record can't hold a value of type {kind.__name__}.")


_WRITERS = _Writers()


def layout_of(names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names in the order of canonical JSON, and the text of a mapping before each value and at its end."""
    return _known_layout(names) if len(names) <= _FEW else _layout(names)


def written(column: Sequence[Any]) -> Iterable[str]:
    """Each value of a column in canonical JSON.

    Raises SourceError when `canonical` does.
    """
    kinds = set(map(type, column))
    if len(kinds) > 1:
        return [_WRITERS[type(value)](value) for value in column]
    (kind,) = kinds
    if kind is int and min(column) > -_SMALL and max(column) < _SMALL:
        return map(repr, column)
    return _floats(column) if kind is float else map(_WRITERS[kind], column)


def _floats(column: Sequence[float]) -> Iterable[str]:
    texts = list(map(repr, column))
    together = "".join(texts)
    if "e" in together or "n" in together or 0.0 in column:
        return map(_float, column)
    return [text[:-2] if text.endswith(".0") else text for text in texts]


def _list(value: Iterable[Any]) -> str:
    return f"[{','.join([_WRITERS[type(item)](item) for item in value])}]"


def _mapping(value: Mapping[Any, Any]) -> str:
    keys, around = layout_of(tuple(value))
    items = zip(around, map(value.__getitem__, keys))
    return "".join([before + _WRITERS[type(item)](item) for before, item in items]) + around[-1]


def _layout(keys: tuple[Any, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    for key in keys:
        if not isinstance(key, str):
            raise SourceError(f"The keys of a mapping in a record are text, not {type(key).__name__}.")
    ordered = tuple(sorted(keys))
    if not ordered:
        return (), ("{}",)
    quoted = [_quote("$" + key if key.startswith("$") else key) for key in ordered]
    return ordered, (f"{{{quoted[0]}:", *[f",{name}:" for name in quoted[1:]], "}")


# The records of a collection mostly have the same fields: sorting and quoting them once halves the time.
_known_layout = functools.lru_cache(maxsize=256)(_layout)


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _int(value: int) -> str:
    return repr(value) if -_SMALL < value < _SMALL else _decimal(Decimal(value))


def _float(value: float) -> str:
    text = repr(value)
    if "e" in text or "n" in text or value == 0:  # 1e-07, nan, inf, -0.0
        return _decimal(Decimal(text))
    return text[:-2] if text.endswith(".0") else text


def _decimal(value: Decimal) -> str:
    if value.is_nan():
        return _tag("number", "NaN")
    if value.is_infinite():
        return _tag("number", "Infinity" if value > 0 else "-Infinity")
    if not value:
        return "0"
    if -_IN_FULL <= value.adjusted() < _IN_FULL:
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _e, exponent = format(value, "e").partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{exponent}"


def _bytes(value: bytes) -> str:
    return _tag("bytes", base64.b64encode(value).decode("ascii"))


def _datetime(value: datetime) -> str:
    try:
        return _tag("time", format_time(value) if value.utcoffset() is not None else value.isoformat())
    except OverflowError:
        raise SourceError(f"The time {value} is outside the years 1 to 9999 in UTC.") from None


def _tag(name: str, text: str) -> str:
    return f'{{"${name}":"{text}"}}'


# The order matters: a bool is an int, a datetime is a date.
_BASES: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (str, _quote),
    (bool, _bool),
    (int, lambda value: _int(int(value))),
    (float, lambda value: _float(float(value))),
    (type(None), lambda value: "null"),
    (Decimal, _decimal),
    (Mapping, _mapping),
    ((list, tuple), _list),
    ((bytes, bytearray, memoryview), _bytes),
    (datetime, _datetime),
    (date, lambda value: _tag("time", value.isoformat())),
)
_WRITERS.update({int: _int, float: _float})
