# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dns: whether a name server, or the resolver of the system, knows a name.

The packet is built here, as the resolver of the standard library does not support another server, record types or
timeouts.
"""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import socket
import struct
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from .._core.errors import InvalidRequest
from .._core.units import plural
from .base import BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed, TimeUp
from .sockets import address, connect, failure

_TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33}
_CODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_AGAIN = 1.0  # seconds after which a datagram is considered lost


class DnsProbe(BaseProbe):
    SUMMARY = "Queries a name server over UDP, or over TCP if the response is too long for UDP."
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "query": Option("text", "Name to query.", required=True),
        "server": Option("text", ("Address of the name server. The default is the first one in `/etc/resolv.conf`.")),
        "port": Option("port", "Port of the server.", 53),
        "record": Option("text", "Record type.", "A", choices=tuple(_TYPES)),
        "expect": Option(
            "list",
            (
                "Values that must be among the answers: addresses, names or texts. For MX, for example `10 "
                "mail.example.com`."
            ),
        ),
        "count": Option("ranges", "Number of answers that is ok.", ["1-1000"]),
        "rcode": Option("text", "Response code that is ok.", "NOERROR", choices=("NOERROR", *_CODES.values())),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (Limit("s", "Response time."),)

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        super().__init__(options, limits)
        self._question = _question(options["query"], _TYPES[options["record"]])

    def run(self, deadline: Deadline) -> Finding:
        options = self.options
        server = options["server"] or _first_server()
        where = address(server, options["port"])
        answer = self._ask(server, where, deadline)
        taken = deadline.elapsed()
        finding = self.finding()
        what = f"{options['record']} of {options['query']}"
        finding.good = f"{where} resolves {what} to {', '.join(answer.values[:5]) or answer.code}"
        if answer.code != options["rcode"]:
            finding.problem(f"{where} returned {answer.code} for {what}")
        elif answer.code == "NOERROR":
            # Names are case-insensitive, texts are not.
            canonical = str if options["record"] == "TXT" else _canonical
            missing = [one for one in options["expect"] or [] if canonical(one) not in map(canonical, answer.values)]
            if missing:
                answers = ", ".join(answer.values[:5]) or "nothing"
                finding.problem(f"{where} resolves {what} to {answers}, without {', '.join(missing)}")
            if not any(low <= len(answer.values) <= high for low, high in options["count"]):
                finding.problem(f"{where} returned {plural(len(answer.values), 'answer')} for {what}")
        finding.measure(taken, what=f"the response time of {where}")
        finding.metric("answers", len(answer.values), "count")
        return finding

    def _ask(self, server: str, where: str, deadline: Deadline) -> _Answer:
        identity = secrets.token_bytes(2)
        query = identity + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + self._question
        deadline.doing = f"waiting for {where}"
        try:
            family, _kind, _protocol, _name, target = socket.getaddrinfo(
                server, self.options["port"], type=socket.SOCK_DGRAM
            )[0]
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect(target)
                packet = self._exchange(sock, query, deadline)
            if packet[2] & 2:  # truncated
                packet = self._over_tcp(server, query, deadline)
        except OSError as exc:
            raise failure(where, exc) from None
        try:
            return _parse(packet, self._question, _TYPES[self.options["record"]])
        except (IndexError, struct.error, ValueError):
            raise ProbeFailed(f"{where}: the response is not valid DNS") from None

    def _exchange(self, sock: socket.socket, query: bytes, deadline: Deadline) -> bytes:
        while True:
            sock.send(query)
            again = min(_AGAIN, deadline.left())
            until = deadline.elapsed() + again
            while True:
                wait = until - deadline.elapsed()
                if wait <= 0:
                    break
                sock.settimeout(min(wait, deadline.left()))
                try:
                    packet = sock.recv(65535)
                except (TimeoutError, socket.timeout):
                    break
                # Other datagrams are not the response.
                if packet[:2] == query[:2] and len(packet) >= 12 and packet[2] & 0x80:
                    return packet

    def _over_tcp(self, server: str, query: bytes, deadline: Deadline) -> bytes:
        with connect(server, self.options["port"], deadline) as sock:
            sock.sendall(struct.pack("!H", len(query)) + query)
            data = b""
            while len(data) < 2 or len(data) < 2 + struct.unpack("!H", data[:2])[0]:
                sock.settimeout(deadline.left())
                try:
                    more = sock.recv(65535)
                except (TimeoutError, socket.timeout):
                    raise TimeUp from None
                if not more:
                    raise ProbeFailed(f"{server}: the response is truncated")
                data += more
            return data[2:]


class _Answer(NamedTuple):
    code: str
    values: list[str]


def _first_server() -> str:
    try:
        with open("/etc/resolv.conf", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                words = line.split()
                if len(words) > 1 and words[0] == "nameserver":
                    return words[1]
    except OSError:
        pass
    raise ProbeFailed("/etc/resolv.conf names no server: set server", "unknown")


def _question(name: str, kind: int) -> bytes:
    if kind == _TYPES["PTR"]:
        with contextlib.suppress(ValueError):  # encoded already
            name = ipaddress.ip_address(name).reverse_pointer
    try:
        labels = [_label(label) for label in name.rstrip(".").split(".")]
    except UnicodeError:
        labels = [b""]
    if any(not 0 < len(label) < 64 for label in labels) or sum(len(label) + 1 for label in labels) > 254:
        raise InvalidRequest(f"query: {name!r} is not a domain name.")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\x00" + struct.pack("!HH", kind, 1)


def _label(text: str) -> bytes:
    return text.encode("ascii" if text.isascii() else "idna")


def _parse(packet: bytes, question: bytes, kind: int) -> _Answer:
    _id, flags, questions, answers = struct.unpack("!HHHH", packet[:8])
    code = flags & 15
    name = "NOERROR" if code == 0 else _CODES.get(code, f"RCODE {code}")
    at = 12
    for dummy in range(questions):
        if packet[at : at + len(question)].lower() != question.lower():
            raise ValueError
        at += len(question)
    values = []
    for dummy in range(answers):
        _owner, at = _name(packet, at)
        found, _class, _ttl, length = struct.unpack("!HHIH", packet[at : at + 10])
        at += 10
        if found == kind:
            values.append(_value(packet, at, length, kind))
        at += length
    return _Answer(name, values)


def _name(packet: bytes, at: int) -> tuple[str, int]:
    labels: list[str] = []
    end = 0
    for dummy in range(256):  # compressed names may contain cycles
        length = packet[at]
        if length >= 192:
            end = end or at + 2
            at = struct.unpack("!H", packet[at : at + 2])[0] & 0x3FFF
        elif not length:
            return ".".join(labels) or ".", end or at + 1
        else:
            labels.append(packet[at + 1 : at + 1 + length].decode("ascii", "backslashreplace"))
            at += 1 + length
    raise ValueError


def _value(packet: bytes, at: int, length: int, kind: int) -> str:
    data = packet[at : at + length]
    if kind in (_TYPES["A"], _TYPES["AAAA"]):
        return str(ipaddress.ip_address(data))
    if kind == _TYPES["MX"]:
        return f"{struct.unpack('!H', data[:2])[0]} {_name(packet, at + 2)[0]}"
    if kind == _TYPES["SRV"]:
        priority, weight, port = struct.unpack("!HHH", data[:6])
        return f"{priority} {weight} {port} {_name(packet, at + 6)[0]}"
    if kind == _TYPES["TXT"]:
        text, place = b"", 0
        while place < len(data):
            text += data[place + 1 : place + 1 + data[place]]
            place += 1 + data[place]
        return text.decode("utf-8", "backslashreplace")
    return _name(packet, at)[0]


def _canonical(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return value.rstrip(".").lower()
