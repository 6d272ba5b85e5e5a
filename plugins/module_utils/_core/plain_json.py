# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of the record model as the JSON that applications expect, without tags.

A time is ISO 8601 text, bytes are base64 text, and NaN and the infinities are text, as in PostgreSQL's row_to_json and
in sqlite-utils. `tagged_json` preserves the distinctions that are lost here.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Union

from .errors import SourceError
from .records import canonical, is_finite
from .tagged_json import TAG, integer, number_text, real
from .units import format_time

_decoder = json.JSONDecoder(parse_int=integer, parse_float=real)


def base64_text(value: bytes) -> str:
    """The usual text for bytes in JSON."""
    return base64.b64encode(value).decode("ascii")


def plain(value: Any, bytes_text: Callable[[bytes], str] = base64_text) -> Any:
    """The value with everything that JSON lacks converted. A value without any of it is returned unchanged."""
    kind = type(value)
    if kind in (str, int, bool) or value is None:
        return value
    if kind is dict:
        found = {name: plain(member, bytes_text) for name, member in value.items()}
        return found if any(found[name] is not member for name, member in value.items()) else value
    if isinstance(value, (list, tuple)):
        members = [plain(member, bytes_text) for member in value]
        return members if any(one is not other for one, other in zip(members, value)) else value
    return _plain_scalar(value, bytes_text)


def _plain_scalar(value: Any, bytes_text: Callable[[bytes], str] = base64_text) -> Any:
    if isinstance(value, (float, Decimal)) and not is_finite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes_text(bytes(value))
    if isinstance(value, datetime):
        return format_time(value) if value.utcoffset() is not None else value.isoformat()
    return value.isoformat() if isinstance(value, date) else value


def tagged(value: Any) -> Any:
    """As `plain`, but a value that JSON lacks becomes a mapping with a tag, and a mapping that looks like one gets
    another "$".
    """
    if isinstance(value, dict):
        if len(value) == 1 and TAG.fullmatch(next(iter(value))):
            return {"$" + name: tagged(member) for name, member in value.items()}
        return {name: tagged(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [tagged(member) for member in value]
    return value if _plain_scalar(value) is value else json.loads(canonical(value))


def encode(value: Any) -> str:
    """JSON text of a plain value. NaN and the infinities of a document are written as Python writes them.

    Raises SourceError when part of it is not JSON, or it is nested too deeply.
    """
    try:
        return _encode(value).encode("utf-8", "backslashreplace").decode()
    except (TypeError, ValueError):
        return _write(value).encode("utf-8", "backslashreplace").decode()
    except RecursionError:
        raise SourceError("The record is nested too deeply.") from None


_encode = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode


def _write(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{{{}}}".format(", ".join(f"{_encode(name)}: {_write(member)}" for name, member in value.items()))
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_write, value))}]"
    if isinstance(value, (Decimal, int)) and not isinstance(value, bool):
        return number_text(value) if is_finite(value) else _encode(float(value))
    return _encode(value)


def decode(text: Union[str, bytes]) -> Any:
    """The value of JSON text; tags have no meaning. Raises ValueError when it is not JSON, SourceError when it is
    nested too deeply.
    """
    try:
        return _decoder.decode(text.decode() if isinstance(text, bytes) else text)
    except RecursionError:
        raise SourceError("A record is nested too deeply.") from None
