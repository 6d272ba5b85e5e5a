# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections with a deadline, and messages for failures."""

from __future__ import annotations

import contextlib
import errno
import io
import socket
import ssl
import threading
from typing import Any, Optional

from .base import Deadline, Option, ProbeFailed, TimeUp

_REASONS = {
    errno.ECONNREFUSED: "connection refused, nothing is listening",
    errno.ECONNRESET: "the connection was closed by the other side (connection reset)",
    errno.EPIPE: "the connection was closed by the other side (broken pipe)",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "the network is unreachable",
    errno.ETIMEDOUT: "no response (timed out by the system)",
}


def reason(exc: OSError) -> str:
    """The meaning of a connection error."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {exc.verify_message.rstrip('.')}"
    if isinstance(exc, ssl.SSLError):
        return f"TLS failed: {exc.reason or exc}"
    if isinstance(exc, socket.gaierror):
        return f"the name can't be resolved ({exc.strerror})"
    return _REASONS.get(exc.errno or 0, "") or exc.strerror or str(exc) or type(exc).__name__


# A lack of resources on this host says nothing about the other side.
_OURS = {
    errno.EMFILE: "this process has too many open files: raise its limit (ulimit -n) or lower concurrency",
    errno.ENFILE: "this host has too many open files",
    errno.ENOMEM: "this host is out of memory",
    errno.ENOBUFS: "this host is out of buffer space",
    errno.EADDRNOTAVAIL: "this host has no free port or no such address",
}


def failure(where: str, exc: OSError) -> ProbeFailed:
    """The error of a connection: critical, unless the cause lies with this host."""
    if exc.errno in _OURS and not isinstance(exc, (ssl.SSLError, socket.gaierror)):
        return ProbeFailed(f"{where}: {_OURS[exc.errno]}", "unknown")
    ours = isinstance(exc, socket.gaierror) and exc.errno in (socket.EAI_SYSTEM, socket.EAI_MEMORY)
    return ProbeFailed(f"{where}: {reason(exc)}", "unknown" if ours else "critical")


def address(host: str, port: int) -> str:
    """ "example.com:443", "[::1]:443"."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
FAMILY = Option(
    "text", "Address family to use. By default, all addresses of the name are tried.", choices=("ipv4", "ipv6")
)


def connect(host: str, port: int, deadline: Deadline, family: Optional[str] = None) -> socket.socket:
    """A TCP connection to the first of the addresses of the host that accepts one. Raises ProbeFailed or TimeUp when
    there is none.

    `family`: a key of FAMILIES, to which addresses are restricted.
    """
    where = address(host, port)
    deadline.doing = f"resolving {host}"
    try:
        found = socket.getaddrinfo(host, port, FAMILIES.get(family or "", 0), socket.SOCK_STREAM)
    except OSError as exc:
        raise failure(where, exc) from None
    except UnicodeError:
        raise ProbeFailed(f"{where}: the name is not valid") from None
    deadline.doing = f"connecting to {where}"
    problem: Optional[ProbeFailed] = None
    for place, (number, kind, protocol, _name, target) in enumerate(found):
        try:
            connection = socket.socket(number, kind, protocol)
        except OSError as exc:
            problem = failure(where, exc)
            continue
        try:
            # An address that does not respond must not use up the time of the others.
            connection.settimeout(deadline.left() / (len(found) - place))
            connection.connect(target)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        except OSError as exc:
            connection.close()
            if not isinstance(exc, (TimeoutError, socket.timeout)):
                problem = failure(where, exc)
        except BaseException:
            connection.close()
            raise
    if problem is None:
        raise TimeUp
    raise problem


def connect_unix(path: str, deadline: Deadline) -> socket.socket:
    """A connection to a Unix socket. Raises ProbeFailed when it fails."""
    deadline.doing = f"connecting to {path}"
    try:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as exc:
        raise failure(path, exc) from None
    try:
        connection.settimeout(deadline.left())
        connection.connect(path)
    except BaseException as exc:
        connection.close()
        if isinstance(exc, (TimeoutError, socket.timeout)):
            raise TimeUp from None
        if isinstance(exc, OSError):
            raise failure(path, exc) from None
        raise
    return connection


_CONTEXTS: dict[tuple[object, ...], ssl.SSLContext] = {}
_CONTEXTS_LOCK = threading.Lock()


def tls_context(
    validate: bool = True,
    ca: Optional[str] = None,
    certificate: Optional[str] = None,
    key: Optional[str] = None,
    chains: bool = False,
) -> ssl.SSLContext:
    """TLS settings of a client. Raises ProbeFailed when a file can't be used.

    `chains`: for certificates.py:sent_chain. Checks with the same settings share them: reading the certificates of the
    system takes longer than most checks.
    """
    wanted = (validate, ca, certificate, key, chains)
    with _CONTEXTS_LOCK:
        if wanted not in _CONTEXTS:
            context = _tls_context(validate, ca, certificate, key)
            if chains:
                from .certificates import keep_chains

                keep_chains(context)
            _CONTEXTS[wanted] = context
        return _CONTEXTS[wanted]


def _tls_context(validate: bool, ca: Optional[str], certificate: Optional[str], key: Optional[str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as exc:
        raise ProbeFailed(f"the CA file {ca} can't be used: {exc}", "unknown") from None
    if not validate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        try:
            # Without this, an encrypted key would ask for a password on the terminal.
            context.load_cert_chain(certificate, key, password="")
        except (OSError, ssl.SSLError) as exc:
            raise ProbeFailed(f"the client certificate {certificate} can't be used: {exc}", "unknown") from None
    return context


def wrap_tls(connection: socket.socket, context: ssl.SSLContext, name: str, deadline: Deadline) -> ssl.SSLSocket:
    """Do the handshake in the remaining time. Raises TimeUp or OSError when it fails."""
    secured = context.wrap_socket(connection, server_hostname=name, do_handshake_on_connect=False)
    try:
        handshake(secured, deadline)
    except BaseException:
        secured.close()
        raise
    return secured


def handshake(secured: ssl.SSLSocket, deadline: Deadline) -> None:
    """Do the handshake in the remaining time. Raises TimeUp or OSError when it fails."""
    deadline.doing = "waiting for the TLS handshake"
    # Step by step: the timeout of a blocking handshake restarts with each piece of data.
    import select

    secured.setblocking(False)
    while True:
        poll = select.poll()
        try:
            secured.do_handshake()
            secured.settimeout(deadline.left())
            return
        except ssl.SSLWantReadError:
            poll.register(secured, select.POLLIN)
        except ssl.SSLWantWriteError:
            poll.register(secured, select.POLLOUT)
        poll.poll(deadline.left() * 1000)


class _Raw(io.RawIOBase):
    """Reads from a socket; no read waits longer than the check may take."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._stream.receive_into(buffer)


class Stream:
    """A connected socket with a deadline, and the methods that http.client requires."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._socket = connection
        self._deadline = deadline

    def sendall(self, data: Any) -> None:
        self._socket.settimeout(self._deadline.left())
        with _time_up():
            self._socket.sendall(data)

    def receive_into(self, buffer: Any) -> int:
        self._socket.settimeout(self._deadline.left())
        with _time_up():
            return self._socket.recv_into(buffer)

    def receive(self, size: int) -> bytes:
        """At most this many bytes; b"" at the end."""
        self._socket.settimeout(self._deadline.left())
        with _time_up():
            return self._socket.recv(size)

    def makefile(self, mode: str = "rb") -> io.BufferedReader:
        return io.BufferedReader(_Raw(self))

    def close(self) -> None:
        """No effect: http.client calls it while the body is still to be read. The opener closes the socket."""


@contextlib.contextmanager
def _time_up() -> Any:
    try:
        yield
    except (TimeoutError, socket.timeout):  # two types until Python 3.9
        raise TimeUp from None
