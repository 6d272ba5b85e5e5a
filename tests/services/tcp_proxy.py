# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network between clients and a server that listens on a socket of this host: slow, or cut at any moment."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Optional

_BLOCK = 16384
_RESET = struct.pack("ii", 1, 0)  # for SO_LINGER: what is on its way is lost


class TcpProxy:
    """`passed`: bytes in both directions since `heal`. `rate`: bytes per second, 0 for as many as can be.

    The network is cut, with all its connections, when `cut_at` bytes have passed. One connection ends when its client
    sends the second of `lose` after the first: the server gets and does that, and the client never hears of it. Of the
    connections that follow, the first `refused` are reset.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port: int = self._listener.getsockname()[1]
        self.rate = 0
        self.heal()
        threading.Thread(target=self._accept, daemon=True).start()

    def heal(self, cut_at: Optional[int] = None, lose: tuple[bytes, ...] = (), refused: int = 0) -> None:
        """The network is whole again, for now."""
        with self._lock:
            self.passed, self.is_cut, self.lost = 0, False, False
            self._cut_at, self._lose, self._refused = cut_at, lose, refused

    def close(self) -> None:
        self._cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.socket(socket.AF_UNIX) as server:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            with self._lock:
                if self.is_cut:
                    return
                if self.lost and self._refused:
                    self._refused -= 1
                    return
                self._open |= {client, server}
            try:
                server.connect(self._address)
                back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
                back.start()
                self._pump(client, server, from_client=True)
                back.join()
            finally:
                with self._lock:
                    self._open -= {client, server}

    def _pump(self, source: socket.socket, target: socket.socket, from_client: bool = False) -> None:
        to_come = list(self._lose) if from_client else []
        with contextlib.suppress(OSError):
            while data := source.recv(_BLOCK):
                if to_come and to_come[0] in data:
                    del to_come[0]
                    if not to_come:
                        self._answer_is_lost(source, target, data)
                        return
                if self._count(len(data)):
                    self._cut()
                    return
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _count(self, size: int) -> bool:
        """Whether the network is cut by this."""
        with self._lock:
            if self.rate:
                time.sleep(size / self.rate)
            self.passed += size
            if self._cut_at is not None and self.passed >= self._cut_at:
                self.is_cut = True
            return self.is_cut

    def _answer_is_lost(self, client: socket.socket, server: socket.socket, data: bytes) -> None:
        """The connection ends once the server has got the data, which it then does."""
        self._lose, self.lost = (), True
        client.shutdown(socket.SHUT_RDWR)
        server.sendall(data)
        server.shutdown(socket.SHUT_WR)

    def _cut(self) -> None:
        with self._lock:
            self.is_cut = True
            ended = list(self._open)
        for one in ended:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def tcp_proxy(address: str) -> Iterator[TcpProxy]:
    """A network to the server that listens on this socket."""
    one = TcpProxy(address)
    try:
        yield one
    finally:
        one.close()
