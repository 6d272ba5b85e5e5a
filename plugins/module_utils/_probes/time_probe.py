# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""time: the offset of this clock from that of another host (SNTP, RFC 4330)."""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Mapping
from typing import ClassVar

from .base import BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed, format_value
from .sockets import address, failure

_EPOCH = 2208988800  # 1970 in seconds since 1900
_AGAIN = 1.0


class TimeProbe(BaseProbe):
    SUMMARY = "Queries a time server (NTP) and compares the time with the clock of the host."
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "server": Option("text", "Name or address of the time server.", required=True),
        "port": Option("port", "Port of the server.", 123),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("s", "Absolute offset of the clock of the host.", warn=0.5, crit=5),
        Limit("s", "Round-trip time of the query.", name="delay"),
    )

    def run(self, deadline: Deadline) -> Finding:
        options = self.options
        where = address(options["server"], options["port"])
        deadline.doing = f"waiting for {where}"
        try:
            family, _kind, _protocol, _name, target = socket.getaddrinfo(
                options["server"], options["port"], type=socket.SOCK_DGRAM
            )[0]
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect(target)
                sent, packet, received = self._ask(sock, deadline)
        except OSError as exc:
            raise failure(where, exc) from None
        leap, stratum = packet[0] >> 6, packet[1]
        if leap == 3 or not 0 < stratum < 16:
            raise ProbeFailed(f"{where} is not synchronised itself (stratum {stratum})")
        arrived, answered = (_seconds(packet, at) for at in (32, 40))
        offset = ((arrived - sent) + (answered - received)) / 2
        finding = self.finding()
        finding.good = f"the clock differs by {format_value(offset, 's')} from that of {where} (stratum {stratum})"
        finding.measure(round(abs(offset), 6), what=f"the offset of the clock from {where}")
        finding.measure(max(0.0, (received - sent) - (answered - arrived)), "delay", f"the round-trip time of {where}")
        finding.metric("offset", round(offset, 6), "s")
        finding.metric("stratum", stratum)
        return finding

    def _ask(self, sock: socket.socket, deadline: Deadline) -> tuple[float, bytes, float]:
        while True:
            # The server returns this; it need not be a time, and does not disclose ours.
            cookie = secrets.token_bytes(8)
            sent = time.time()
            sock.send(b"\x23" + b"\x00" * 39 + cookie)
            until = deadline.elapsed() + min(_AGAIN, deadline.left())
            while deadline.elapsed() < until:
                sock.settimeout(max(0.001, min(until - deadline.elapsed(), deadline.left())))
                try:
                    packet = sock.recv(1024)
                except (TimeoutError, socket.timeout):
                    break
                if len(packet) >= 48 and packet[24:32] == cookie and packet[0] & 7 == 4:
                    return sent, packet, time.time()


def _seconds(packet: bytes, at: int) -> float:
    seconds: int
    fraction: int
    seconds, fraction = struct.unpack("!II", packet[at : at + 8])
    # In 2036, the counter restarts.
    return float(seconds - _EPOCH + (2**32 if seconds < _EPOCH else 0)) + fraction / 2**32
