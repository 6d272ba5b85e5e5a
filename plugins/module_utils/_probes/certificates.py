# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that a server sends, and when they expire.

The standard library only shows the fields of the certificate of the server itself, and only if it is trusted; it has
the others as DER from Python 3.13 on. Before that, they are taken from the message of the handshake. Two fields of the
DER are needed, which does not require a library.
"""

from __future__ import annotations

import calendar
import ssl
import time
from typing import Any, NamedTuple

from .base import ProbeFailed

_CERTIFICATE = 11  # type of the handshake's message
_SEQUENCE, _EXPLICIT_0, _UTC_TIME = 0x30, 0xA0, 0x17
_KEYS = {
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01": "rsa",
    b"\x2a\x86\x48\xce\x3d\x02\x01": "ec",
    b"\x2b\x65\x70": "ed25519",
    b"\x2b\x65\x71": "ed448",
}
_COMMON_NAME = b"\x06\x03\x55\x04\x03"


class Certificate(NamedTuple):
    """`expires` is in seconds since the epoch; `name` is the subject's common name, "" if it has none.

    `key_type` is "rsa", "ec", "ed25519", "ed448" or "other"; `key_bits` the length of an RSA key, 0 of others.
    """

    name: str
    expires: float
    key_type: str = "other"
    key_bits: int = 0


def keep_chains(context: ssl.SSLContext) -> None:
    """Let the connections of a context keep the data that `sent_chain` requires. Call it before they are created."""
    if hasattr(ssl.SSLSocket, "get_unverified_chain"):
        return

    def heard(connection: Any, direction: str, _version: Any, _kind: Any, message: Any, data: bytes) -> None:
        if direction == "read" and message == _CERTIFICATE:
            connection.day2_certificates = data

    context._msg_callback = heard  # type: ignore[attr-defined]


def sent_chain(connection: Any) -> list[Certificate]:
    """The certificates that the server sent, its own first. Raises ProbeFailed when they can't be read."""
    try:
        if hasattr(connection, "get_unverified_chain"):
            chain = connection.get_unverified_chain()
        else:
            chain = _split(connection.day2_certificates, connection.version() == "TLSv1.3")
        return [parse_certificate(one) for one in chain]
    except (AttributeError, IndexError, ValueError):
        raise ProbeFailed("the certificates of the server can't be read", "unknown") from None


def _split(message: bytes, extended: bool) -> list[bytes]:
    """The certificates in a message of the handshake; from TLS 1.3 on they have extensions."""
    at = 4 + (1 + message[4] if extended else 0)
    at, end = at + 3, at + 3 + int.from_bytes(message[at : at + 3], "big")
    chain = []
    while at < end:
        length = int.from_bytes(message[at : at + 3], "big")
        chain.append(message[at + 3 : at + 3 + length])
        at += 3 + length
        if extended:
            at += 2 + int.from_bytes(message[at : at + 2], "big")
    return chain


def parse_certificate(der: bytes) -> Certificate:
    """The certificate in DER. Raises ValueError or IndexError when it is not valid."""
    _tag, at, _end = _element(der, 0)
    _tag, at, _end = _element(der, at)  # the signed part
    tag, _start, end = _element(der, at)
    if tag == _EXPLICIT_0:  # the version
        at = end
    for dummy in range(3):  # serial number, algorithm, issuer
        _tag, _start, at = _element(der, at)
    tag, start, end = _element(der, at)
    if tag != _SEQUENCE:
        raise ValueError("validity")
    _tag, _start, start = _element(der, start)
    kind, start, stop = _element(der, start)
    _tag, first, last = _element(der, end)
    return Certificate(
        _common_name(der[first:last]), _seconds(kind, der[start:stop].decode("ascii")), *_public_key(der, last)
    )


def _public_key(der: bytes, at: int) -> tuple[str, int]:
    """The type of the key at this position, and the length of an RSA key in bits."""
    _tag, at, _end = _element(der, at)
    _tag, start, end = _element(der, at)  # the algorithm
    _tag, first, last = _element(der, start)
    kind = _KEYS.get(der[first:last], "other")
    if kind != "rsa":
        return kind, 0
    _tag, start, _end = _element(der, end)  # a bit string, of which the first byte says how many bits are unused
    _tag, start, _end = _element(der, start + 1)
    _tag, start, end = _element(der, start)
    return kind, int.from_bytes(der[start:end], "big").bit_length()


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """The tag of the element at this position, and where its content begins and ends."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(der[start : start + count], "big"), start + count
    if start + length > len(der):
        raise ValueError("length")
    return tag, start, start + length


def _common_name(subject: bytes) -> str:
    _before, found, rest = subject.partition(_COMMON_NAME)
    if not found:
        return ""
    _tag, start, end = _element(rest, 0)
    return rest[start:end].decode("utf-8", "replace")


def _seconds(kind: int, text: str) -> float:
    if kind == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    return calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ"))
