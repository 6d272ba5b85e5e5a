# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Names as results, messages and diffs show them.

A file name on Linux is bytes, a result is JSON. A byte that is not part of valid UTF-8 is shown as \xNN, two
hexadecimal digits: the Latin-1 name "caf\xe9" of four bytes. All else is shown as it is. Inside the collection names
keep their bytes (os.fsdecode); the escape is made once, where a result leaves it.
"""

from __future__ import annotations

from typing import Any

# What os.fsdecode makes of single bytes.
_BYTES = {0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)}


def shown(value: Any) -> Any:
    """The value with such bytes escaped in every string, including keys; the same object if there are none.

    :param value: of JSON types; tuples count as lists.
    """
    return _escaped(value) if _needs_escape(value) else value


def shown_text(text: str) -> str:
    r"""A text with such bytes escaped. (A lone surrogate, which JSON may contain, becomes \uNNNN.)"""
    return text.translate(_BYTES).encode("utf-8", "backslashreplace").decode("utf-8") if _is_bad(text) else text


def _is_bad(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _needs_escape(value: Any) -> bool:
    if isinstance(value, str):
        return _is_bad(value)
    if isinstance(value, dict):
        return any(_needs_escape(key) or _needs_escape(one) for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return any(map(_needs_escape, value))
    return False


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return shown_text(value)
    if isinstance(value, dict):
        return {_escaped(key): _escaped(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_escaped(one) for one in value]
    return value
