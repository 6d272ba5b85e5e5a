# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of the record model as JSON text and back, exactly.

A value that JSON lacks is a mapping with one key, as in canonical JSON: {"$bytes": …}, {"$time": …}, {"$number": …}. A
real mapping that looks like one gets another "$"; all other mappings are unchanged.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Union

from .errors import Day2Error, SourceError
from .records import canonical, is_finite
from .units import parse_time

# The key of a mapping that is a tag, or, with more than one "$", of one that only looks like that.
TAG = re.compile(r"\$+(?:bytes|time|number)")
_LONGEST = 400  # characters of a Decimal that is written as it is
_NUMBERS = {"NaN": Decimal("NaN"), "Infinity": Decimal("Infinity"), "-Infinity": Decimal("-Infinity")}


class _Unusual(Exception):
    """A value that the fast encoder can't write."""


def _unusual(value: Any) -> Any:
    raise _Unusual


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(", ", ": "), default=_unusual).encode


def encode(value: Any) -> str:
    """JSON text of a value. A lone surrogate is written as its escape.

    Raises SourceError when the value does not belong to the model, or is nested too deeply.
    """
    try:
        text = _encode(value)
        if '"$' not in text:
            return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
    except (_Unusual, ValueError):
        pass
    except RecursionError:
        raise SourceError("The record is nested too deeply.") from None
    return _write(value).encode("utf-8", "backslashreplace").decode()


def _write(value: Any) -> str:
    if isinstance(value, dict):
        if len(value) == 1 and TAG.fullmatch(next(iter(value))):
            value = {"$" + key: member for key, member in value.items()}
        return "{{{}}}".format(", ".join(f"{_encode(key)}: {_write(member)}" for key, member in value.items()))
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_write, value))}]"
    if isinstance(value, str):
        return _encode(value)
    return number_text(value) if _is_number(value) else canonical(value).decode()


def number_text(value: Union[int, float, Decimal]) -> str:
    """JSON text of a finite number, with its type as well as its value: canonical JSON has `1` for 1.0."""
    if not isinstance(value, Decimal):
        return _encode(value)
    text = str(value).lower()
    # hundreds of digits in a row, as PostgreSQL returns them, are more than some readers of JSON take
    return text if len(text) <= _LONGEST else canonical(value).decode()


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and is_finite(value)


def may_be_tagged(text: str) -> bool:
    """Whether this JSON text may contain a tag."""
    # searching for one character is many times as fast as for two
    return ("$" in text and '"$' in text) or ("\\" in text and "\\u0024" in text)


def untag(value: Any) -> Any:
    """The value that tags in a decoded document stand for."""
    if isinstance(value, dict):
        if len(value) == 1:
            key, member = next(iter(value.items()))
            if TAG.fullmatch(key):
                return {key[1:]: untag(member)} if key.startswith("$$") else value_of(key, member, value)
        for key, member in value.items():
            if type(member) in (dict, list):
                value[key] = untag(member)
    elif isinstance(value, list):
        return [untag(member) if type(member) in (dict, list) else member for member in value]
    return value


def value_of(key: str, text: Any, literal: Any) -> Any:
    """A tag counts only if it is exactly the text that is written for its value; anything else is an ordinary mapping.

    So nanoseconds are not truncated, and a mapping that only looks like a tag is not an error.
    """
    if not isinstance(text, str):
        return literal
    try:
        value = _meant(key, text)
        return value if canonical(value).decode() == f'{{"{key}":"{text}"}}' else literal
    except (KeyError, ValueError, binascii.Error, Day2Error):
        return literal


def _meant(key: str, text: str) -> Any:
    if key == "$bytes":
        return base64.b64decode(text, validate=True)
    if key == "$number":
        return _NUMBERS[text]
    if len(text) == len("2025-06-30"):
        return date.fromisoformat(text)
    return parse_time(text) if text.endswith("Z") else datetime.fromisoformat(text)


def integer(text: str) -> Union[int, Decimal]:
    """Convert an integer of any length: Python refuses more than 4300 digits."""
    return int(text) if len(text) <= 4300 else Decimal(text)


def real(text: str) -> Union[float, Decimal]:
    """A float, or a Decimal if a float would round."""
    value = float(text)
    # 15 digits fit in any float, but its exponent may be out of range
    if len(text) <= 16 and "e" not in text and "E" not in text:
        return value
    exact = Decimal(text)
    return value if Decimal(repr(value)) == exact else exact


_decoder = json.JSONDecoder(parse_int=integer, parse_float=real)


def decode(text: Union[str, bytes]) -> Any:
    """The value that `encode` has written. Raises ValueError when it is not JSON, SourceError when it is nested too
    deeply.
    """
    if isinstance(text, bytes):
        text = text.decode()
    try:
        value = _decoder.decode(text)
        return untag(value) if '"$' in text else value
    except RecursionError:
        raise SourceError("A record is nested too deeply.") from None
