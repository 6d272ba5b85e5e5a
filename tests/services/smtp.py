# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mail server on loopback, with TLS and login as clients use them."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .answers import certificate


class Mails(NamedTuple):
    """Where the server listens, the file of its certificate, and what it was sent, in lines."""

    port: int
    ca: str
    lines: list[str]


@contextlib.contextmanager
def mail_server(
    directory: Path,
    implicit: bool = False,
    starttls: bool = True,
    refuse: str = "",
    refusal: str = "550",
    goodbye: str = "221 bye",
    login: str = "235 ok",
) -> Iterator[Mails]:
    """A server that accepts every mail.

    :param refuse: a recipient that it refuses, with the status `refusal`.
    :param goodbye: its answer to QUIT; "": none.
    :param login: its answer to AUTH, with {words}, what it was sent.
    """
    files = certificate(directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    lines: list[str] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                self.talk()

        def talk(self) -> None:
            connection: socket.socket = (
                context.wrap_socket(self.request, server_side=True) if implicit else self.request
            )
            encrypted, in_data = implicit, False
            connection.sendall(b"220 mail\r\n")
            stream = connection.makefile("rb")
            while line := stream.readline():
                text = line.decode().rstrip("\r\n")
                lines.append(("" if encrypted else "plain ") + text)
                command = text.partition(" ")[0].upper()
                if in_data:
                    in_data = text != "."
                    answer = "" if in_data else "250 ok"
                elif command == "EHLO":
                    offers = [*(["STARTTLS"] if starttls and not encrypted else []), "AUTH PLAIN", "8BITMIME"]
                    answer = "250-mail\r\n" + "".join(f"250-{one}\r\n" for one in offers) + "250 HELP"
                elif command == "DATA":
                    in_data, answer = True, "354 go on"
                elif command == "AUTH":
                    answer = login.format(words=text.rpartition(" ")[2])
                elif refuse and text.lower() == f"rcpt to:<{refuse}>":
                    answer = f"{refusal} unknown"
                else:
                    answer = {"STARTTLS": "220 ready", "QUIT": goodbye}.get(command, "250 ok")
                if answer:
                    connection.sendall(f"{answer}\r\n".encode())
                if command == "STARTTLS" and not in_data:
                    connection, encrypted = context.wrap_socket(connection, server_side=True), True
                    stream = connection.makefile("rb")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield Mails(server.server_address[1], files[0], lines)
        finally:
            server.shutdown()
