# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Items as lines of DynamoDB's typed JSON, as its exports and imports in S3 have them, in one form per value.

Equal items are equal lines on every server: names are sorted, as are the elements of sets, and each number has one
spelling.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, Inexact
from typing import Any, NamedTuple

from ...._core.errors import SourceError
from ..values import KeyField

SUFFIX = ".jsonl"
_START, _END = b'{"Item":', b"}\n"
PUT, DELETE = b'{"PutRequest":{"Item":%s}}', b'{"DeleteRequest":{"Key":%s}}'  # with an item or a key as JSON
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
# Spelled as `_number` does; nearly all numbers are.
_NORMAL = re.compile(r"0|-?(?:[1-9]\d{0,37}|(?:0|[1-9]\d{0,17})\.\d{0,19}[1-9])").fullmatch
_EXACT = Context(prec=60, traps=[Inexact])
_PLAIN = frozenset({"S", "B", "BOOL", "NULL"})
_WRONG = "An item of DynamoDB has a value of an unknown kind"


class Line(NamedTuple):
    """An item. `key` and `digest` are SHA-256 of its key and of all of it."""

    text: bytes  # JSON of the item
    key: bytes
    digest: bytes


def text_of(item: Mapping[str, Any]) -> bytes:
    """The item in its one form. Changes its argument. Raises SourceError."""
    for value in item.values():
        _normalize(value)
    return _encode(item).encode()


def line_with(text: bytes) -> bytes:
    """The line of a file for an item as `text_of` returns it."""
    return _START + text + _END


def text_in(line: bytes) -> bytes:
    """The item of a line, with or without its end, that `line_with` has made."""
    return line.rstrip(b"\n")[len(_START) : -1]


def line_of(text: bytes, item: Mapping[str, Any], key: Sequence[KeyField]) -> Line:
    """What identifies an item, in its one form and parsed."""
    return Line(text, key_digest(item, key), hashlib.sha256(text).digest())


def key_digest(item: Mapping[str, Any], key: Sequence[KeyField]) -> bytes:
    """What a key is compared by."""
    return hashlib.sha256(key_text(item, key)).digest()


def key_text(item: Mapping[str, Any], key: Sequence[KeyField]) -> bytes:
    """JSON of the key of an item."""
    return _encode({field.name: item[field.name] for field in key}).encode()


def key_shown(item: Mapping[str, Any], key: Sequence[KeyField]) -> str:
    """The key of an item for people."""
    return ", ".join(f"{field.name}={next(iter(item[field.name].values()))}" for field in key)


def _normalize(value: Any) -> None:
    try:
        ((kind, content),) = value.items()
    except (AttributeError, ValueError):
        raise SourceError(f"{_WRONG}.") from None
    if kind in _PLAIN:
        return
    if kind == "N":
        if not _NORMAL(content):
            value["N"] = _number(content)
    elif kind == "M":
        for one in content.values():
            _normalize(one)
    elif kind == "L":
        for one in content:
            _normalize(one)
    elif kind == "NS":
        value["NS"] = sorted(map(_number, content))
    elif kind in ("SS", "BS"):
        value[kind] = sorted(content)
    else:
        raise SourceError(f"{_WRONG}: {kind}.")


def _number(text: str) -> str:
    try:
        number = Decimal(text).normalize(_EXACT)
    except ArithmeticError:
        raise SourceError(f"DynamoDB returned a number that can't be read exactly: {text[:80]}.") from None
    if not number:
        return "0"
    plain = number.as_tuple().exponent
    return format(number, "f") if isinstance(plain, int) and plain >= -39 and number.adjusted() < 38 else str(number)
