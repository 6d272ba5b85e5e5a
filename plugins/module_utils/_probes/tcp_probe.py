# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tcp: whether a port accepts connections, and sends the expected response."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, ClassVar

from .._core.errors import InvalidRequest
from .base import BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed, TimeUp
from .json_path import brief
from .searching import search
from .sockets import FAMILY, Stream, address, connect, failure, tls_context, wrap_tls

_MOST = 65536  # maximum bytes of a response


class TcpProbe(BaseProbe):
    SUMMARY = "Connects to a port. Can also send text and wait for an expected response."
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "host": Option("text", "Name or address.", required=True),
        "port": Option("port", "Port.", required=True),
        "family": FAMILY,
        "send": Option(
            "text", "Text to send. For escapes such as `\\n`, use a double-quoted YAML string.", secret=True
        ),
        "expect": Option("regular expression", "Pattern that the response must match. The check waits for it."),
        "tls": Option("boolean", "Whether to use TLS.", False),
        "validate_certs": Option(
            "boolean", ("With `tls`: whether the certificate of the server must be trusted."), True
        ),
        "ca": Option(
            "path", ("With `tls`: file with the certificates of trusted CAs. The default is that of the system.")
        ),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("s", "Time until the connection is established or the expected response is received."),
    )

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        super().__init__(options, limits)
        if not options["tls"] and options["ca"]:
            raise InvalidRequest("ca requires tls.")

    def run(self, deadline: Deadline) -> Finding:
        options = self.options
        where = address(options["host"], options["port"])
        finding = self.finding()
        finding.good = f"{where} accepts connections"
        connection = connect(options["host"], options["port"], deadline, options["family"])
        with contextlib.closing(connection):
            try:
                if options["tls"]:
                    context = tls_context(options["validate_certs"], options["ca"])
                    connection = wrap_tls(connection, context, options["host"], deadline)
                stream = Stream(connection, deadline)
                if options["send"] is not None:
                    deadline.doing = f"sending to {where}"
                    stream.sendall(options["send"].encode())
                if options["expect"] is not None:
                    self._expect(stream, where, deadline)
                    finding.good = f"{where} sent the expected response"
            except OSError as exc:
                raise failure(where, exc) from None
            finally:
                connection.close()
        finding.measure(deadline.elapsed(), what=f"the response time of {where}")
        return finding

    def _expect(self, stream: Stream, where: str, deadline: Deadline) -> None:
        pattern = self.options["expect"]
        deadline.doing = f"waiting for {where} to send {pattern.pattern}"
        said = b""
        while True:
            if search(pattern, said.decode("utf-8", "replace"), deadline):
                return
            if len(said) > _MOST:
                break
            try:
                data = stream.receive(_MOST)
            except TimeUp:
                if said:
                    break
                raise
            if not data:
                break
            said += data
        heard = f"it sent {brief(said[:200].decode('utf-8', 'replace'))}" if said else "it sent nothing"
        raise ProbeFailed(f"{where} did not send {pattern.pattern}: {heard}")
