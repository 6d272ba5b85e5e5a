# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which entries of a tree `include`, `exclude` and `only` select."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..._core.errors import InvalidRequest
from ..._core.walk import LEFT_OUT


class Selection:
    """A `Choice` by globs that are compared with paths relative to the root.

    `*` and `?` do not match a `/`, `**` does; `[a-z]` and `[!a-z]` are sets. A pattern without a slash is compared with
    names at any depth, one with a slash with the whole path. Excluded directories are not entered. With `include`, only
    matching entries are selected, with everything below a directory that matches; the directories that lead to them are
    included.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._includes = [_compile(include)] if include else []
        self._exclude = _compile(exclude) if exclude else None

    def narrowed(self, only: Sequence[str]) -> Selection:
        """The selection of what this one selects and `only` matches."""
        result = Selection()
        result._includes = [*self._includes, _compile(only)]
        result._exclude = self._exclude
        return result

    @property
    def everything(self) -> bool:
        """Whether nothing is excluded."""
        return not self._includes and self._exclude is None

    def enter(self, path: bytes, above: int) -> int:
        """The state of an entry, given the state of its directory: LEFT_OUT, or which includes match so far.

        The state of the root is 0.
        """
        if self._exclude is None and not self._includes:
            return 0
        if above == LEFT_OUT:
            return LEFT_OUT
        text = path.decode("utf-8", "surrogateescape")
        if self._exclude is not None and self._exclude.fullmatch(text):
            return LEFT_OUT
        state = above
        for number, pattern in enumerate(self._includes):
            if pattern.fullmatch(text):
                state |= 1 << number
        return state

    def selects(self, state: int) -> bool:
        """Whether an entry of this state is selected itself, and not only as the way to something."""
        return state == (1 << len(self._includes)) - 1

    def leads(self, state: int) -> bool:
        """Whether an entry of this state can contain something selected: any directory can."""
        return True

    def state_of(self, path: bytes) -> int:
        """The state of any path."""
        state = 0
        parts = path.split(b"/") if path else []
        for depth in range(1, len(parts) + 1):
            state = self.enter(b"/".join(parts[:depth]), state)
        return state

    def selects_path(self, path: bytes) -> bool:
        """Whether any path is selected itself."""
        return self.selects(self.state_of(path))


def matcher(pattern: str) -> re.Pattern[str]:
    """A pattern, to be compared with whole paths by `fullmatch`.

    :raises InvalidRequest: it is not a valid glob.
    """
    return _compile([pattern])


def _compile(patterns: Sequence[str]) -> re.Pattern[str]:
    try:
        return re.compile("|".join(_translate(pattern) for pattern in patterns), re.DOTALL)
    except re.error as exc:
        raise InvalidRequest("{} are not globs: {}.".format(", ".join(map(repr, patterns)), exc)) from exc


def _translate(pattern: str) -> str:
    text = pattern[2:] if pattern.startswith("./") else pattern
    text = text.rstrip("/")
    anchored = "/" in text
    parts = text.lstrip("/").split("/")
    if not text or any(part in ("", ".", "..") for part in parts):
        raise InvalidRequest(
            f"{pattern!r} can't match anything in a tree.",
            "Write a glob relative to the root of the tree, such as etc/*.conf.",
        )
    result = "" if anchored else "(?:.*/)?"
    for number, part in enumerate(parts):
        final = number == len(parts) - 1
        if part == "**":
            result += ".+" if final else "(?:[^/]+/)*"
        else:
            result += _translate_name(part) + ("" if final else "/")
    return result


def _translate_name(part: str) -> str:
    result, position = "", 0
    while position < len(part):
        char = part[position]
        position += 1
        if char == "*":
            crossing = part.startswith("*", position)
            position += crossing
            result += ".*" if crossing else "[^/]*"
        elif char == "?":
            result += "[^/]"
        elif char == "[" and "]" in part[position + 1 :]:
            end = part.index("]", position + 1)
            members = part[position:end].replace("\\", "\\\\").replace("[", "\\[").replace("&&", "&\\&")
            negated = members.startswith(("!", "^"))
            result += "(?!/)[{}{}]".format("^" if negated else "", members[negated:].replace("]", "\\]"))
            position = end + 1
        else:
            result += re.escape(char)
    return result
