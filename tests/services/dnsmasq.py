# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real name server on loopback, for the zone `test.`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from .local import free_ports, program, running, wait_for_port


@contextlib.contextmanager
def dnsmasq(directory: Path) -> Iterator[int]:
    """Its port, for UDP and TCP, while the block runs."""
    (port,) = free_ports(1)
    command = [
        program("dnsmasq", "dnsmasq-base"),
        *("--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces"),
        *(
            "--listen-address=127.0.0.1",
            f"--port={port}",
            f"--pid-file={directory}/pid",
            "--user=root",
            "--local=/test/",
        ),
        *("--host-record=www.test,192.0.2.1,2001:db8::1", "--cname=alias.test,www.test", "--mx-host=test,mail.test,10"),
        *("--txt-record=text.test,hello world", "--srv-host=_http._tcp.test,www.test,80,1,2"),
        *("--ptr-record=1.2.0.192.in-addr.arpa,www.test", "--edns-packet-max=512"),
        *(f"--txt-record=long.test,{number:03d}{'x' * 200}" for number in range(10)),
    ]
    with running(command, directory) as process:
        wait_for_port(port, process)
        yield port
