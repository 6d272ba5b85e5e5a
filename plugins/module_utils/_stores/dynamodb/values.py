# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Converts records to DynamoDB items and back without loss: what an item cannot store is refused with a reason.

An item is written as the JSON text of the low-level API, not as Python objects, which botocore would traverse three
times.

- Numbers have at most 38 digits and lie between 1E-130 and 9.99…E+125; they are never rounded.
- What DynamoDB lacks (times, NaN, infinities) is a map with one field, as in canonical JSON: {"$time": "…"},
{"$number": "NaN"}. A real map that looks like this gets one more "$".
- Sets are read as lists of a special class: other stores store a list, DynamoDB a set.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from json.encoder import encode_basestring as _quote
from typing import Any, Callable, NamedTuple, Optional, Union

from ..._core.errors import SourceError
from ..._core.record_batches import Batch
from ..._core.records import canonical
from ..._core.tagged_json import value_of

LARGEST_ITEM = 400 * 1024
_DIGITS = 38
_LOWEST, _HIGHEST = -130, 125
_SAFE = 10**18
_FEW = 64  # fields of a map whose layout is remembered
_TAG = re.compile(r"\$+(?:time|number)")  # of `tagged_json`: bytes are a type of DynamoDB's own
_TYPES = {"S": "text", "N": "a number", "B": "bytes"}
_LONGEST_KEYS = (2048, 1024)

KeyValue = Union[str, int, Decimal, bytes]


class Unstorable(Exception):
    """DynamoDB cannot store the record as it is. The text is the reason."""


class KeyField(NamedTuple):
    """An attribute of the primary key of a table: the partition key, or the sort key after it."""

    name: str
    type: str  # S, N or B


class DynamoSet(list[Any]):
    """The elements of a set in DynamoDB, in order. `kind` is SS, NS or BS."""

    def __init__(self, kind: str, values: Any) -> None:
        super().__init__(values)
        self.kind = kind


def encode(record: Mapping[str, Any]) -> bytes:
    """The record as JSON text of an item, in UTF-8. (Its key is checked by `key_values`.)

    :raises Unstorable: the item would not be equal, or not be accepted.
    """
    try:
        text = _write_fields(record).encode()
        # The JSON text is never shorter than what DynamoDB counts.
        if len(text) > LARGEST_ITEM:
            size = item_size(json.loads(text))
            if size > LARGEST_ITEM:
                raise Unstorable(f"the item has {size} bytes, but the limit of DynamoDB is {LARGEST_ITEM}")
    except RecursionError:
        raise Unstorable("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise Unstorable("it contains text that is not valid Unicode") from None
    return text


def decode(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The record of an item, as parsed from the JSON of the low-level API.

    :raises SourceError: it has a type that this code does not know.
    """
    return {name: read_value(value) for name, value in item.items()}


def decode_page(items: Sequence[Mapping[str, Mapping[str, Any]]]) -> Sequence[dict[str, Any]]:
    """The records of many items; column by column if all have the same attributes, which takes half of the time.

    :raises SourceError: as for `decode`.
    """
    names = tuple(items[0]) if items else ()
    if not names or any(item.keys() != items[0].keys() for item in items):
        return [decode(item) for item in items]
    return Batch(names, [_column([item[name] for item in items]) for name in names])


def _column(values: Sequence[Mapping[str, Any]]) -> list[Any]:
    kinds = set().union(*values)
    if len(kinds) != 1 or not kinds <= _READERS.keys():
        return list(map(read_value, values))
    (kind,) = kinds
    found = [value[kind] for value in values]
    return found if kind in ("S", "BOOL") else list(map(_READERS[kind], found))


def key_values(record: Mapping[str, Any], key: tuple[KeyField, ...]) -> tuple[KeyValue, ...]:
    """The values of the key of a record, which compare as in DynamoDB.

    :raises Unstorable: a part of the key is missing, empty, too long or has another type than in the table.
    """
    return tuple([_key_value(record.get(field.name), field, limit) for field, limit in zip(key, _LONGEST_KEYS)])


def key_json(values: tuple[KeyValue, ...], key: tuple[KeyField, ...]) -> str:
    """The key of an item as JSON text of the low-level API."""
    return "{" + ",".join([f"{_name(field.name)}:{_write(value)}" for field, value in zip(key, values)]) + "}"


def _key_value(value: Any, field: KeyField, limit: int) -> KeyValue:
    where = f"the key field {field.name}"
    if value is None:
        raise Unstorable(f"{where} is missing or null")
    found = key_type(value)
    if found != field.type:
        what = _TYPES[found] if found else f"of type {type(value).__name__}"
        raise Unstorable(f"{where} is {what}, but that of the table is {_TYPES[field.type]}")
    if found == "N":
        return _exact(value)
    try:
        plain: Union[str, bytes] = str(value) if isinstance(value, str) else bytes(value)
        size = len(plain.encode() if isinstance(plain, str) else plain)
    except UnicodeEncodeError:
        raise Unstorable(f"{where} contains text that is not valid Unicode") from None
    if not size:
        raise Unstorable(f"{where} is empty")
    if size > limit:
        raise Unstorable(f"{where} has {size} bytes, but the limit of DynamoDB is {limit}")
    return plain


def key_type(value: Any) -> Optional[str]:
    """S, N or B, or None for a value that cannot be part of a key."""
    if isinstance(value, str):
        return "S"
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return "N"
    return "B" if isinstance(value, (bytes, bytearray, memoryview)) else None


def _exact(value: Union[int, float, Decimal]) -> Union[int, Decimal]:
    if isinstance(value, int):
        _number(value)
        return value
    text = _number(Decimal(repr(value)) if isinstance(value, float) else value)
    return _parse_number(text)


def _name(name: str) -> str:
    if not isinstance(name, str):
        raise Unstorable(f"the name of a field is of type {type(name).__name__}")
    if not name:
        raise Unstorable("a field has an empty name")
    if len(name.encode()) > 65535:
        raise Unstorable("the name of a field is longer than 65535 bytes")
    return _quote(name)


def _number(value: Union[int, Decimal]) -> str:
    """The number as DynamoDB accepts it. It is finite, or part of a key."""
    if isinstance(value, int) and -_SAFE < value < _SAFE:
        return str(int(value))
    number = Decimal(value)
    if not number.is_finite():
        raise Unstorable(f"a key can't be {number}")
    if not number:
        return "0"
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).strip("0")
    if len(text) > _DIGITS:
        raise Unstorable(f"the number {_short(number)} has {len(text)} digits, but DynamoDB stores {_DIGITS}")
    if not _LOWEST <= number.adjusted() <= _HIGHEST:
        raise Unstorable(f"the number {_short(number)} is outside the range of DynamoDB, 1E-130 to 9.9E+125")
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return f"{('-' if sign else '')}{text}E{int(exponent) + zeros}"


def _short(number: Decimal) -> str:
    text = str(number)
    return text if len(text) <= 50 else text[:24] + "…" + text[-24:]


def _parse_number(text: str) -> Union[int, Decimal]:
    try:
        return int(text)
    except ValueError:
        number = Decimal(text)
        return int(number) if number == number.to_integral_value() else number


def _write(value: Any) -> str:
    return _WRITERS[type(value)](value)


class _Writers(dict[type, Callable[[Any], str]]):
    def __missing__(self, kind: type) -> Callable[[Any], str]:
        for base, write in _BASES:
            if issubclass(kind, base):
                self[kind] = write
                return write
        raise Unstorable(f"a value is of type {kind.__name__}")


_WRITERS = _Writers()


def _write_text(value: str) -> str:
    return f'{{"S":{_quote(value)}}}'


def _write_int(value: int) -> str:
    return f'{{"N":"{value}"}}' if -_SAFE < value < _SAFE else f'{{"N":"{_number(value)}"}}'


def _write_float(value: float) -> str:
    if 1e-5 < value < 1e15:
        return f'{{"N":"{float.__repr__(value)}"}}'
    return _write_decimal(Decimal(float.__repr__(value)))


def _write_decimal(value: Decimal) -> str:
    return f'{{"N":"{_number(value)}"}}' if value.is_finite() else _write_tagged(value)


def _write_tagged(value: Any) -> str:
    try:
        ((name, text),) = json.loads(canonical(value)).items()
    except SourceError as exc:
        raise Unstorable(exc.message) from None
    return f'{{"M":{{{_quote(name)}:{{"S":{_quote(text)}}}}}}}'


def _write_bytes(value: Any) -> str:
    return f'{{"B":"{_base64(value)}"}}'


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode("ascii")


def _write_list(value: Any) -> str:
    return f'{{"L":[{",".join([_WRITERS[type(one)](one) for one in value])}]}}'


def _write_set(value: DynamoSet) -> str:
    write = {"SS": _quote, "NS": lambda one: f'"{_number(one)}"', "BS": lambda one: f'"{_base64(one)}"'}[value.kind]
    return f'{{"{value.kind}":[{",".join([write(one) for one in value])}]}}'


def _write_map(value: Mapping[str, Any]) -> str:
    if len(value) == 1:
        ((name, one),) = value.items()
        if isinstance(name, str) and _TAG.fullmatch(name):
            return f'{{"M":{{{_name("$" + name)}:{_write(one)}}}}}'
    return f'{{"M":{_write_fields(value)}}}'


def _write_fields(value: Mapping[str, Any]) -> str:
    template = _known_template(tuple(value)) if len(value) <= _FEW else _template(tuple(value))
    return template % tuple([_WRITERS[type(one)](one) for one in value.values()])


def _template(names: tuple[Any, ...]) -> str:
    """The fields of a map, with a %s for each value."""
    return "{" + ",".join([_name(name).replace("%", "%%") + ":%s" for name in names]) + "}"


# The records of a collection mostly have the same fields.
_known_template = functools.lru_cache(maxsize=256)(_template)


# The order matters: a bool is an int, a datetime is a date, a set is a list.
_BASES: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (str, _write_text),
    (bool, lambda value: '{"BOOL":true}' if value else '{"BOOL":false}'),
    (int, _write_int),
    (float, _write_float),
    (type(None), lambda value: '{"NULL":true}'),
    (Decimal, _write_decimal),
    (Mapping, _write_map),
    (DynamoSet, _write_set),
    ((list, tuple), _write_list),
    ((bytes, bytearray, memoryview), _write_bytes),
    (date, _write_tagged),
)


def read_value(value: Mapping[str, Any]) -> Any:
    """The value of an attribute."""
    ((kind, content),) = value.items()
    read = _READERS.get(kind)
    if read is None:
        raise SourceError(f"DynamoDB returned a value of the unknown type {kind}.")
    return read(content)


def _read_map(content: Mapping[str, Any]) -> Any:
    if len(content) == 1:
        ((name, value),) = content.items()
        if _TAG.fullmatch(name):
            read = read_value(value)
            return {name[1:]: read} if name[1] == "$" else value_of(name, read, {name: read})
    return {name: read_value(value) for name, value in content.items()}


def _read_bytes(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error as exc:
        raise SourceError(f"DynamoDB returned bytes that are not base64: {exc}.") from None


_READERS: dict[str, Callable[[Any], Any]] = {
    "S": str,
    "N": _parse_number,
    "BOOL": bool,
    "NULL": lambda content: None,
    "M": _read_map,
    "L": lambda content: [read_value(one) for one in content],
    "B": _read_bytes,
    "SS": lambda content: DynamoSet("SS", sorted(content)),
    "NS": lambda content: DynamoSet("NS", sorted(map(_parse_number, content))),
    "BS": lambda content: DynamoSet("BS", sorted(map(_read_bytes, content))),
}


def item_size(item: Mapping[str, Mapping[str, Any]]) -> int:
    """The size of an item in bytes, as the documentation of DynamoDB defines it (for numbers, for which it only gives
    an estimate, a lower bound), from its low-level form.
    """
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_size(one) for name, one in content.items())
    if kind == "L":
        return 3 + sum(1 + _value_size(one) for one in content)
    if kind in ("SS", "NS", "BS"):
        return sum(_value_size({kind[0]: one}) for one in content)
    if kind == "S":
        return len(content.encode())
    if kind == "B":
        return len(base64.b64decode(content))
    if kind == "N":
        digits = len(content.partition("E")[0].strip("-0"))
        return 1 + (digits + 1) // 2
    return 1
