# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One part of a document at a time, with the position of every byte in it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

from ..._core.errors import SourceError

Read = Callable[[int], bytes]

# What the end of a document may have cut off.
_CUT = re.compile(
    r"(?:\\(?:u[0-9a-fA-F]{0,3})?|t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|Na?|-?I(?:n(?:f(?:i(?:n(?:it?)?)?)?)?)?)\Z"
)

_CONTINUATION = bytes(range(0x80, 0xC0))


class Window:
    """The part of a document that is in memory, with one character of `text` for each byte.

    So positions are byte offsets, and a parser sees no difference outside of strings. The bytes are checked to be UTF-8
    as they are read.
    """

    def __init__(self, read: Read, path: str, size: int) -> None:
        self.text = ""
        self.offset = 0  # of text[0] in the document
        self.ended = False
        self.within = ""  # for errors: what is being read
        self._read, self.path, self._size = read, path, size
        self._line, self._column = 1, 1  # of text[0]
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    def advance(self, pos: int) -> int:
        """Discard everything before `pos`, fill the window, and return the new position of `pos`."""
        self._line, self._column = self._position(pos)
        self.offset += pos
        kept, chunks = self.text[pos:], []
        missing = self._size - len(kept)
        while missing > 0 and not self.ended:
            chunk = self._read(missing)
            chunks.append(chunk)
            missing -= len(chunk)
            self.ended = not chunk
        data = b"".join(chunks)
        self.text = kept + data.decode("latin-1")
        held = len(self._utf8.getstate()[0])  # the start of a character whose end was not there yet
        try:
            self._utf8.decode(data, self.ended)
        except UnicodeDecodeError as exc:
            at = len(kept) - held + exc.start
            if self.ended and exc.reason == "unexpected end of data":
                raise self.error(len(self.text), "the rest of a character") from exc
            raise SourceError(
                f"{self.path} is not JSON in UTF-8: byte 0x{exc.object[exc.start]:02x} {self.place(at)}.",
                "Convert it to UTF-8, or set type to the type of the store.",
            ) from exc
        return 0

    def need(self, pos: int, count: int) -> int:
        """Ensure that the window has `count` characters from `pos` on, unless the document ends; returns `pos`."""
        if len(self.text) - pos < count and not self.ended:
            return self.advance(pos)
        return pos

    def error(self, pos: int, expected: str) -> SourceError:
        if pos >= len(self.text) or (self.ended and _CUT.match(self.text, pos)):
            return SourceError(
                f"{self.path} is incomplete: it ends {self.place(len(self.text))}, where {expected} is expected.",
                "Wait until it is written completely, or use a complete copy.",
            )
        found = self.text[pos : pos + 4].encode("latin-1").decode("utf-8", "ignore")[:1]
        return SourceError(
            f"{self.path} is not valid JSON: expected {expected}, found {found!r} {self.place(pos)}.",
            "Repair it, or set type to the type of the store.",
        )

    def place(self, pos: int) -> str:
        line, column = self._position(pos)
        return f"at line {line}, column {column} (byte {self.offset + pos}){self.within}"

    def _position(self, pos: int) -> tuple[int, int]:
        if pos < 0:  # within a character that began before the window, and was counted there
            return self._line, self._column - 1
        newline = self.text.rfind("\n", 0, pos)
        # characters, not bytes
        width = len(self.text[newline + 1 : pos].encode("latin-1").translate(None, _CONTINUATION))
        if newline < 0:
            return self._line, self._column + width
        return self._line + self.text.count("\n", 0, pos), width + 1
