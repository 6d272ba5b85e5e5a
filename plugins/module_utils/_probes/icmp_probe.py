# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""icmp: whether a host responds to pings.

With a datagram socket if the kernel permits it for this group (net.ipv4.ping_group_range), with a raw socket as root.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Optional

from .._core.units import plural
from .base import UNKNOWN, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed
from .sockets import failure

_REQUEST = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}  # types of the request and its response
_PAUSE = 0.2  # seconds between two pings, to prevent floods


class IcmpProbe(BaseProbe):
    SUMMARY = "Sends pings. Requires root, or a group in `net.ipv4.ping_group_range`."
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "host": Option("text", "Name or address.", required=True),
        "packets": Option("count", "Number of packets to send, at most 20.", 3),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("s", "Mean round-trip time."),
        Limit("percent", "Packet loss.", warn=0, crit=60, name="loss"),
    )

    def run(self, deadline: Deadline) -> Finding:
        host = self.options["host"]
        deadline.doing = f"resolving {host}"
        try:
            family, _kind, _protocol, _name, target = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)[0]
        except OSError as exc:
            raise failure(host, exc) from None
        deadline.doing = f"waiting for {host}"
        count = min(20, max(1, self.options["packets"]))
        with _open(socket.AddressFamily(family)) as sock:
            try:
                times = self._exchange(sock, target, count, deadline)
            except OSError as exc:
                raise failure(host, exc) from None
        finding = self.finding()
        if not times:
            raise ProbeFailed(f"{host} does not respond to {plural(count, 'ping')}")
        mean = sum(times) / len(times)
        finding.good = f"{host} responds to {len(times)} of {plural(count, 'ping')}"
        finding.measure(round(mean, 6), what=f"the round-trip time of {host}")
        finding.measure(100.0 * (count - len(times)) / count, "loss", f"the packet loss of {host}")
        return finding

    def _exchange(self, sock: socket.socket, target: Any, count: int, deadline: Deadline) -> list[float]:
        request, answer = _REQUEST[sock.family]
        token = os.urandom(8)
        sent: dict[int, float] = {}
        times: dict[int, float] = {}
        # The last response may take almost all of the remaining time, so that earlier ones can still be reported.
        end = deadline.elapsed() + deadline.left() * 0.9
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        while len(times) < count and deadline.elapsed() < end:
            number = len(sent)
            if number < count and number * _PAUSE <= deadline.elapsed():
                sock.sendto(_packet(request, number, token), target)
                sent[number] = time.monotonic()
                continue
            wait = end - deadline.elapsed() if number == count else number * _PAUSE - deadline.elapsed()
            if not poll.poll(max(0.0, wait) * 1000):
                continue
            found = _number(sock.recv(2048), sock, answer, token)
            if found is not None and found in sent and found not in times:
                times[found] = time.monotonic() - sent[found]
        return list(times.values())


def _open(family: socket.AddressFamily) -> socket.socket:
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            return socket.socket(family, kind, protocol)
        except PermissionError:
            continue
        except OSError as exc:
            raise ProbeFailed(f"pings are not supported here: {exc.strerror}", UNKNOWN) from None
    raise ProbeFailed("no permission to send pings: run as root, or widen net.ipv4.ping_group_range", UNKNOWN)


def _packet(kind: int, number: int, token: bytes) -> bytes:
    body = struct.pack("!HH", os.getpid() & 0xFFFF, number) + token
    head = struct.pack("!BBH", kind, 0, 0) + body
    total = sum(struct.unpack(f"!{len(head) // 2}H", head))
    total = (total >> 16) + (total & 0xFFFF)
    # For IPv6, the kernel computes the checksum.
    return struct.pack("!BBH", kind, 0, ~(total + (total >> 16)) & 0xFFFF) + body


def _number(data: bytes, sock: socket.socket, answer: int, token: bytes) -> Optional[int]:
    if sock.family == socket.AF_INET and sock.type == socket.SOCK_RAW:
        data = data[(data[0] & 15) * 4 :]  # the IP header
    if len(data) < 16 or data[0] != answer or data[8:16] != token:
        return None
    number: int = struct.unpack("!H", data[6:8])[0]
    return number
