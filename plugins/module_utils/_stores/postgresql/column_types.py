# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Converts values for columns of PostgreSQL that someone else has declared: exactly, or not at all.

A conversion returns a value of the record model (`_core/records.py`) that is the same for what is written and for what
is read back, so that their digests can be compared.
"""

from __future__ import annotations

import base64
import functools
import ipaddress
import json
import math
import re
import struct
import uuid
from collections.abc import Callable, Mapping
from datetime import time, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Any, NamedTuple, Optional

from ..records import intervals
from ..records.kinds import is_beyond
from ..records.model import Refused, is_unicode
from ..records.times import TimeOptions, clock_of, date_of, interval_of, moment_of
from . import array_codec
from .values import UNSTORABLE_JSON, copy_text

_TRUE, _FALSE = ("1", "t", "true", "y", "yes", "on"), ("0", "f", "false", "n", "no", "off")
_INTEGERS = {"int2": 2**15, "int4": 2**31, "int8": 2**63}
_DIGITS = Context(prec=200_000, Emin=-400_000, Emax=400_000)
_TEXTS = ("text", "varchar", "bpchar", "citext", "name")
_TIMES = ("timestamp", "timestamptz")
_SPELLED = ("time", "interval", "uuid", "inet")  # as text in the record model


class Column(NamedTuple):
    """A column of an existing table.

    :param type: the name of its type in the catalog; for a domain, of its base type.
    :param size: the number of characters, or of digits and of those after the decimal point; () for no limit.
    :param precision: the digits of a second in a time.
    :param labels: of an enumeration.
    """

    name: str
    type: str
    native: str
    required: bool = False
    optional: bool = True  # a row may leave it out: nullable, with a default, or numbered
    generated: bool = False
    always: bool = False  # GENERATED ALWAYS AS IDENTITY
    size: tuple[int, ...] = ()
    precision: int = 6
    labels: Optional[tuple[str, ...]] = None


class Codec(NamedTuple):
    """How values are converted for a column. `model` raises Refused; `text`, called with the value and its model, is
    for COPY.
    """

    model: Callable[[Any], Any]
    text: Callable[[Any, Any], str] = lambda value, model: copy_text(model)
    as_text: bool = True  # how it is read: as the type's text, or as the driver has it


class Given(NamedTuple):
    """What is known of the values to convert.

    :param structured: text is a JSON string, not JSON text.
    :param printed: a float stands for the 15 digits that SQLite prints, as in its NUMERIC columns.
    :param same_type: text was written by PostgreSQL.
    """

    structured: bool = False
    printed: bool = False
    same_type: bool = False


def codec(column: Column, times: TimeOptions, given: Given) -> Optional[Codec]:
    """How values are converted for a column; None if its type is unknown."""
    structured = given.structured
    if column.native.endswith("[]") and column.type[1:] in array_codec.ELEMENTS and not given.same_type:
        element = codec(array_codec.element_of(column), times, given)
        return None if element is None else Codec(array_codec.model_of(element.model), array_codec.text)
    if column.labels is not None:
        return Codec(_enumeration(column.labels))
    if column.type in _INTEGERS:
        return Codec(_integer(column.type, column.native), as_text=False)
    if column.type in _TEXTS:
        return Codec(_text(column))
    if column.type in _TIMES:
        return Codec(_moment(column, times), as_text=False)
    if column.type == "jsonb":
        return Codec(_document(structured), lambda value, _model: copy_text(_json_text(value, structured)))
    if column.type == "json":
        return Codec(_json(structured))
    if given.same_type and column.type in _SPELLED:
        return Codec(_as_is)
    known = _codecs(column, times, given).get(column.type)
    return known or (Codec(_as_is) if given.same_type else None)


def _codecs(column: Column, times: TimeOptions, given: Given) -> Mapping[str, Codec]:
    return {
        "bool": Codec(_boolean, as_text=False),
        "numeric": Codec(_numeric(column.size, given.printed), as_text=False),
        "float8": Codec(_real, as_text=False),
        "float4": Codec(_single),
        "bytea": Codec(functools.partial(_bytes, times.unit), as_text=False),
        "date": Codec(lambda value: value if _endless(value) else date_of(value), as_text=False),
        "time": Codec(lambda value: _clock(column, value)),
        "interval": Codec(_interval(times), _interval_text, as_text=False),
        "uuid": Codec(_uuid),
        "inet": Codec(_address),
    }


def _endless(value: Any) -> bool:
    return isinstance(value, str) and is_beyond(value)


def _as_is(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused("is not text")
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, str)):
        word = str(value).lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    raise Refused("is not a boolean")


def _integer(name: str, native: str) -> Callable[[Any], int]:
    limit = _INTEGERS[name]

    def integer(value: Any) -> int:
        number = _whole(value)
        if not -limit <= number < limit:
            raise Refused(f"is out of range for {native}")
        return number

    return integer


def _whole(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, (float, Decimal)):
        exact = Decimal(value)
        if exact.is_finite() and exact == exact.to_integral_value():
            return int(exact)
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]+", value):
        return int(value)
    raise Refused("is not an integer")


def _numeric(size: tuple[int, ...], printed: bool) -> Callable[[Any], Decimal]:
    def numeric(value: Any) -> Decimal:
        number = _decimal(value, printed)
        if not size or not number.is_finite():
            return number
        digits, behind = size
        kept = number.quantize(Decimal(1).scaleb(-behind), context=_DIGITS)
        if kept != number:
            raise Refused(f"has more than {behind} digits after the decimal point")
        if abs(kept) >= Decimal(10) ** (digits - behind):
            raise Refused(f"has more than {digits - behind} digits before the decimal point")
        return kept

    return numeric


def _decimal(value: Any, printed: bool) -> Decimal:
    if isinstance(value, (bool, bytes)):
        raise Refused("is not a number")
    try:
        if isinstance(value, float):
            return Decimal(f"{value:.15g}" if printed else repr(value))
        return Decimal(value)
    except (InvalidOperation, ValueError, TypeError):
        raise Refused("is not a number") from None


def _real(value: Any) -> float:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            raise Refused("is not a number") from None
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            raise Refused("is out of range") from None
        if isinstance(value, float) or number == value or Decimal(repr(number)) == value:
            return number
        raise Refused("would be rounded")
    raise Refused("is not a number")


def _single(value: Any) -> float:
    """A number that 32 bits distinguish from all others. PostgreSQL writes it with as many digits as that takes."""
    number = _real(value)
    if not math.isfinite(number):
        return number
    try:
        (kept,) = struct.unpack("<f", struct.pack("<f", number))
    except OverflowError:
        raise Refused("is out of range for real") from None
    for digits in range(1, 10):
        shortest = float(f"{kept:.{digits}g}")
        if struct.unpack("<f", struct.pack("<f", shortest))[0] == kept:
            if number in (shortest, kept):
                return shortest
            break
    raise Refused("has more digits than real can store")


def _bytes(form: str, value: Any) -> bytes:
    """:param form: the notation of bytes as text: hex, also as PostgreSQL writes it, or base64; "" for the bytes of the
    text.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if not form:
        if isinstance(value, str) and is_unicode(value):
            return value.encode()
        raise Refused("is not bytes")
    try:
        if isinstance(value, str):
            text = value[2:] if value[:2] == "\\x" else value
            return bytes.fromhex(text) if form == "hex" else base64.b64decode(value, validate=True)
    except ValueError:
        pass
    raise Refused(f"is not {form}")


def _enumeration(labels: tuple[str, ...]) -> Callable[[Any], str]:
    known = frozenset(labels)

    def label(value: Any) -> str:
        if value not in known:
            raise Refused("is not one of the labels")
        return str(value)

    return label


def _text(column: Column) -> Callable[[Any], str]:
    longest = column.size[0] if column.size else 0

    def text(value: Any) -> str:
        if isinstance(value, (bytes, dict, list)):
            raise Refused("is not text")
        if isinstance(value, bool):
            value = str(value).lower()
        written = f"{value:.15g}" if isinstance(value, float) else str(value)
        if "\0" in written:
            raise Refused("contains a NUL, which PostgreSQL can't store")
        if not is_unicode(written):
            raise Refused("is not valid UTF-8")
        if longest and len(written) > longest:
            raise Refused(f"is longer than {longest} characters")
        return written.rstrip(" ") if column.type == "bpchar" else written

    return text


def _moment(column: Column, times: TimeOptions) -> Callable[[Any], Any]:
    aware = column.type == "timestamptz"

    def moment(value: Any) -> Any:
        if _endless(value):
            return value
        found = moment_of(value, aware, times)
        _check_precision(column, found.microsecond)
        return found

    return moment


def _check_precision(column: Column, microsecond: int) -> None:
    if microsecond % 10 ** (6 - column.precision):
        raise Refused(f"has more than {column.precision} fractional digits of a second")


def _clock(column: Column, value: Any) -> str:
    found: time = clock_of(value)
    _check_precision(column, found.microsecond)
    return found.isoformat()


def _interval(times: TimeOptions) -> Callable[[Any], Any]:
    def interval(value: Any) -> Any:
        """Microseconds."""
        if isinstance(value, str) and times.unit == "":
            return intervals.parsed(value).total()
        return interval_of(value, times) // timedelta(microseconds=1)

    return interval


def _interval_text(value: Any, model: int) -> str:
    if isinstance(value, str):  # months and years have no fixed length
        return copy_text(value)
    length = timedelta(microseconds=model)
    return f"{length.days} days {length.seconds} seconds {length.microseconds} microseconds"


def _uuid(value: Any) -> str:
    try:
        return str(uuid.UUID(bytes=value) if isinstance(value, bytes) else uuid.UUID(value))
    except (ValueError, AttributeError, TypeError):
        raise Refused("is not a UUID") from None


def _address(value: Any) -> str:
    try:
        found = ipaddress.ip_interface(value)
    except (ValueError, TypeError):
        raise Refused("is not an address") from None
    return str(found.ip) if found.network.prefixlen == found.max_prefixlen else str(found)


def _json_text(value: Any, structured: bool) -> str:
    if isinstance(value, str) and not structured:
        return value
    try:
        return _json_of(value)
    except RecursionError:
        raise Refused("is not JSON") from None


def _json_of(value: Any) -> str:
    """JSON with all digits of decimals, which the json module would write as floats."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)}: {_json_of(one)}" for name, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_json_of, value))}]"
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        raise Refused("is not JSON") from None


def _document(structured: bool) -> Callable[[Any], Any]:
    def document(value: Any) -> Any:
        text = _json_text(value, structured)
        if "\0" in text or ("\\u" in text and UNSTORABLE_JSON.search(text)) or not is_unicode(text):
            raise Refused("contains a NUL or invalid Unicode, which PostgreSQL can't store in JSON")
        return _parsed(text)

    return document


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused("is not JSON") from None


def _json(structured: bool) -> Callable[[Any], str]:
    """A column of type json stores the text as it is, including duplicate names."""

    def text(value: Any) -> str:
        written = _json_text(value, structured)
        try:
            json.loads(written, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise Refused("is not JSON") from None
        if "\0" in written or not is_unicode(written):
            raise Refused("is not valid UTF-8")
        return written

    return text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("contains a duplicate name in a JSON object")
    return found


def _no_constant(_word: str) -> Any:
    raise ValueError
