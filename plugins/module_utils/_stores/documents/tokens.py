# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the tokens of a JSON document in a window."""

from __future__ import annotations

import re

from .window import Window

LONGEST_CONSTANT = len("-Infinity")
_SPACE = re.compile(r"[ \t\n\r]*")
_CONSTANT = re.compile(r"true|false|null|NaN|-?Infinity")
_DIGITS = re.compile(r"[0-9]*")
# The repetition is bounded because the engine remembers every round.
_STRING = re.compile(r'(?:[^"\\\x00-\x1f]+|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}){0,1000}')


class Tokens(Window):
    """Methods take a position in `text` and return the one after what they have read."""

    def space(self, pos: int) -> int:
        while True:
            pos = _past(_SPACE, self.text, pos)
            if pos < len(self.text) or self.ended:
                return pos
            pos = self.advance(pos)

    def comma(self, pos: int, closing: str) -> int:
        if self.text[pos : pos + 1] != ",":
            raise self.error(pos, f"a comma or {closing}")
        return self.space(pos + 1)

    def key(self, pos: int) -> int:
        if self.text[pos : pos + 1] != '"':
            raise self.error(pos, "a key in double quotes")
        return self.string(pos + 1)

    def colon(self, pos: int) -> int:
        pos = self.space(pos)
        if self.text[pos : pos + 1] != ":":
            raise self.error(pos, "a colon")
        return self.space(pos + 1)

    def scalar(self, pos: int) -> int:
        char = self.text[pos : pos + 1]
        if char == '"':
            return self.string(pos + 1)
        match = _CONSTANT.match(self.text, pos)
        if match:
            return match.end()
        if not char or char not in "-0123456789":
            raise self.error(pos, "a value")
        return self.number(pos)

    def string(self, pos: int) -> int:
        """Read the rest of a string."""
        while True:
            start = pos
            pos = _past(_STRING, self.text, pos)
            char = self.text[pos : pos + 1]
            if char == '"':
                return pos + 1
            if len(self.text) - pos < len("\\u0000") and not self.ended:
                pos = self.advance(pos)
            elif not char:
                raise self.error(pos, "the end of a string")
            elif pos == start:
                wrong = "a valid escape" if char == "\\" else "a character other than a control character in a string"
                raise self.error(pos, wrong)

    def number(self, pos: int) -> int:
        pos = self.need(pos + 1 if self.text[pos] == "-" else pos, 1)
        pos = pos + 1 if self.text[pos : pos + 1] == "0" else self.digits(pos)
        pos = self.need(pos, 1)
        if self.text[pos : pos + 1] == ".":
            pos = self.need(self.digits(pos + 1), 1)
        if self.text[pos : pos + 1] in ("e", "E"):
            pos = self.need(pos + 1, 1)
            pos = self.digits(pos + 1 if self.text[pos : pos + 1] in ("+", "-") else pos)
        return pos

    def digits(self, pos: int) -> int:
        pos = self.need(pos, 1)
        if not "0" <= self.text[pos : pos + 1] <= "9":
            raise self.error(pos, "a digit")
        while True:
            pos = _past(_DIGITS, self.text, pos)
            if pos < len(self.text) or self.ended:
                return pos
            pos = self.advance(pos)


def _past(pattern: re.Pattern[str], text: str, pos: int) -> int:
    match = pattern.match(text, pos)
    return match.end() if match else pos
