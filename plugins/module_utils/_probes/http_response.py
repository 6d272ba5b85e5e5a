# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Responses of HTTP servers: their heads, whatever precedes them and however long they are, and their bodies as
text."""

from __future__ import annotations

import codecs
import email.parser
import http.client
import json
import zlib
from typing import Any, NamedTuple

from .base import CRITICAL, UNKNOWN, ProbeFailed

_LINE = 65536  # maximum bytes of a line of a head
_HEAD = 1 << 18  # maximum bytes of a head
_INTERIM = 100  # maximum number of interim responses
_GZIP, _ZLIB, _RAW = 31, 15, -15  # names of zlib
# Text encodings for other purposes, some of which take too long for a hostile body.
_NO_CHARSETS = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Response(http.client.HTTPResponse):
    """http.client treats the interim responses 102 and 103 as final, and rejects more than 100 headers."""

    def begin(self) -> None:
        if hasattr(self, "code"):  # called before
            return
        version, status, reason = self._read_status()  # type: ignore[attr-defined]
        interim = 0
        while 100 <= status < 200 and status != 101:
            self._head()
            interim += 1
            if interim > _INTERIM:
                raise http.client.HTTPException("too many interim responses")
            version, status, reason = self._read_status()  # type: ignore[attr-defined]
        self.code = self.status = status
        self.reason = reason.strip()
        if not version.startswith(("HTTP/1.", "HTTP/0.9")):
            raise http.client.UnknownProtocol(version)
        self.version = 10 if version in ("HTTP/1.0", "HTTP/0.9") else 11
        parser = email.parser.Parser(_class=http.client.HTTPMessage)
        self.headers = self.msg = parser.parsestr(self._head().decode("iso-8859-1"))
        self._frame()

    def _head(self) -> bytes:
        lines: list[bytes] = []
        size = 0
        while not lines or lines[-1] not in (b"\r\n", b"\n", b""):
            line = self.fp.readline(_LINE + 1)
            size += len(line)
            if len(line) > _LINE or size > _HEAD:
                raise http.client.LineTooLong("headers")
            lines.append(line)
        return b"".join(lines)

    def _frame(self) -> None:
        """Determine where the body ends."""
        self.chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        self.chunk_left = None
        self.will_close = self._check_close()  # type: ignore[attr-defined]
        length = self.headers.get("content-length", "").strip()
        self.length = int(length) if length.isdecimal() and not self.chunked else None
        if self.status in (204, 304) or 100 <= self.status < 200 or self._method == "HEAD":  # type: ignore[attr-defined]
            self.length = 0
        if not self.chunked and self.length is None:
            self.will_close = True


class Body(NamedTuple):
    """A body. `ended`: it ended within the limit. `problem`: why it can't be read; `status`: the status of the check
    then.
    """

    data: bytes
    ended: bool
    problem: str = ""
    status: str = CRITICAL


def decoded(data: bytes, headers: Any, ended: bool, limit: int) -> Body:
    """Decode a body, up to `limit` bytes of it."""
    encodings = [one.strip().lower() for value in headers.get_all("Content-Encoding", []) for one in value.split(",")]
    for encoding in reversed(encodings):
        if encoding in ("", "identity"):
            continue
        if encoding not in ("gzip", "x-gzip", "deflate"):
            return Body(b"", ended, f"the body has the unsupported encoding {encoding!r}", UNKNOWN)
        try:
            data, more = _inflate(data, encoding, limit, ended)
        except (zlib.error, EOFError):
            return Body(b"", ended, f"the body is not valid {encoding}")
        ended = ended and not more
    return Body(data, ended)


def _inflate(data: bytes, encoding: str, limit: int, whole: bool) -> tuple[bytes, bool]:
    """The content, and whether it is larger than the limit. Raises zlib.error or EOFError when it is not valid."""
    window = _GZIP
    if encoding == "deflate":  # means zlib, but some servers send raw data
        window = _ZLIB if len(data) > 1 and data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0 else _RAW
    parts: list[bytes] = []
    size = 0
    while data and size <= limit:
        decoder = zlib.decompressobj(window)
        part = decoder.decompress(data, limit + 1 - size)
        parts.append(part)
        size += len(part)
        if not decoder.eof and size <= limit and whole:
            raise EOFError
        data = decoder.unused_data
    return b"".join(parts)[:limit], size > limit


def text_of(data: bytes, headers: Any) -> str:
    """A body as text: by its byte order mark, by the charset of its headers, otherwise by the rules of JSON or as
    UTF-8.
    """
    charset = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if charset is None:
        charset = _charset(headers.get_content_charset()) or json.detect_encoding(data)
    return data.decode(charset, "replace")


def _charset(name: Any) -> str:
    try:
        found = codecs.lookup(str(name))
    except (LookupError, ValueError):
        return ""
    usable = getattr(found, "_is_text_encoding", True) and found.name.replace("_", "-") not in _NO_CHARSETS
    return found.name if usable else ""


def read_head(stream: Any) -> bytes:
    """Read the head of a response that is followed by other data, byte by byte. Raises ProbeFailed when it is not
    valid.
    """
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        data = stream.receive(1)
        if not data or len(head) > _LINE:
            raise ProbeFailed("it does not respond as a proxy")
        head += data
    return head
