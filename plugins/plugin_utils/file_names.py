# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File names that are safe on every system, made of any text."""

from __future__ import annotations

import re
import unicodedata
from os.path import splitext

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest

LONGEST = 255  # bytes of a name
_LONGEST_EXTENSION = 16  # bytes
_SEPARATORS = frozenset('/\\:*?"<>|')
_DEVICES = {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(1, 10))}


def safe_filename(text: object, replacement: str, longest: int) -> str:
    """A single path component made of a text.

    It is never empty, hidden, an option of a command or the name of a device of Windows, and has no separator, space
    or control character. Made of itself, it stays as it is. Two texts can give the same name.

    :param replacement: a letter, a digit or "_", for each character that is not possible.
    :param longest: in bytes of UTF-8. What is longer is cut before its extension.
    :raises InvalidRequest: the replacement or the length is not possible.
    """
    if not re.fullmatch("[a-zA-Z0-9_]", replacement):
        raise InvalidRequest(f'replacement={replacement!r} is not a letter, a digit or "_".')
    if not 1 <= longest <= LONGEST:
        raise InvalidRequest(f"longest={longest} is not between 1 and {LONGEST}.")
    name = str(text).encode("utf-8", "replace").decode()
    name = unicodedata.normalize("NFC", "".join(one if _is_possible(one) else replacement for one in name))
    name = _cut(name, longest) or replacement
    if name.split(".")[0].lower() in _DEVICES:
        name = _cut(replacement + name, longest)
    return name


def _is_possible(character: str) -> bool:
    return character not in _SEPARATORS and unicodedata.category(character)[0] not in "CZ"


def _cut(name: str, longest: int) -> str:
    """Without what makes it hidden or an option, and without a dot at the end, which Windows removes."""
    name = name.lstrip(".-").rstrip(".")
    if len(name.encode()) <= longest:
        return name
    stem, extension = splitext(name)
    room = longest - len(extension.encode())
    if len(extension.encode()) > _LONGEST_EXTENSION or not _first(stem, room):
        stem, extension, room = name, "", longest
    return (_first(stem, room) + extension).rstrip(".")


def _first(text: str, size: int) -> str:
    """As many characters as there are in so many bytes."""
    return text.encode()[: max(size, 0)].decode("utf-8", "ignore")
