# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed calls over connections that are kept, with the responses of `http.client`.

Through the session of botocore and its signer, a call takes twice the processor time, which decides how many records
per second one process writes. Proxies are left to botocore.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import socket
import ssl
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional, Protocol
from urllib.parse import quote, urlsplit

from ..._core.aws import raise_end

_TYPE = "application/x-amz-json-1.0"
_SERVICE = "dynamodb"
_CONNECT, _READ = 10, 60  # seconds
# What a server does to a connection that it has kept for long enough.
_ENDED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ConnectionAbortedError)


class Broken(Exception):
    """There is no connection, or it ended before the response did."""


class Untrusted(Exception):
    """The certificate of the server is not trusted."""


class Response(NamedTuple):
    """`checksum`: the CRC-32 of the content, as a decimal number; None if the server does not send it."""

    status: int
    checksum: Optional[str]
    content: bytes


class Transport(Protocol):
    """How calls reach the server. For any number of threads."""

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        """:raises Broken, Untrusted:"""

    def close(self) -> None:
        """Close all connections."""


class Signer:
    """Signs calls to one endpoint (AWS signature version 4)."""

    def __init__(self, url: str, region: str) -> None:
        parts = urlsplit(url)
        usual = {"http": 80, "https": 443}.get(parts.scheme)
        name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        self._host = name if parts.port in (None, usual) else f"{name}:{parts.port}"
        self._path = quote(parts.path or "/", safe="/~")
        self._region = region
        self._key: tuple[tuple[str, str], bytes] = (("", ""), b"")  # of a day, and what it was made from

    def headers(self, target: str, body: bytes, credentials: Any, now: Optional[float] = None) -> dict[str, str]:
        """The headers of a call.

        :param target: what X-Amz-Target has.
        :param credentials: those that botocore has frozen.
        """
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        headers = {"content-type": _TYPE, "host": self._host, "x-amz-date": moment}
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        headers["x-amz-target"] = target
        names = ";".join(headers)
        lines = "".join([f"{name}:{value}\n" for name, value in headers.items()])
        call = f"POST\n{self._path}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{moment[:8]}/{self._region}/{_SERVICE}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(call.encode()).hexdigest()}"
        signature = _hmac(self._key_of(credentials.secret_key, moment[:8]), text).hex()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={names}, "
            f"Signature={signature}"
        )
        return headers

    def _key_of(self, secret: str, day: str) -> bytes:
        known, key = self._key
        if known != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, _SERVICE, "aws4_request"):
                key = _hmac(key, part)
            self._key = (secret, day), key
        return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


class Direct:
    """Connections of this process to the server. An idle one is used before another is opened."""

    def __init__(self, url: str, certificates: str) -> None:
        """:param certificates: the file with those that are trusted."""
        parts = urlsplit(url)
        self._context = ssl.create_default_context(cafile=certificates) if parts.scheme == "https" else None
        self._address = parts.hostname or "", parts.port or (443 if self._context else 80)
        self._line = f"POST {quote(parts.path or '/', safe='/~')} HTTP/1.1\r\n"
        self._idle: deque[socket.socket] = deque()

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        # Head and body together: one system call, and the server wakes up once.
        whole = f"{self._line}{lines}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body
        try:
            if self._idle:
                with contextlib.suppress(*_ENDED):
                    return self._post(self._idle_or_new(), whole)
            return self._post(self._new(), whole)
        except ssl.SSLCertVerificationError as exc:
            raise Untrusted(str(exc)) from None
        except (OSError, http.client.HTTPException) as exc:
            raise Broken(str(exc) or type(exc).__name__) from None

    def _post(self, connection: socket.socket, whole: bytes) -> Response:
        try:
            connection.sendall(whole)
            response = http.client.HTTPResponse(connection, method="POST")
            response.begin()
            content = response.read()
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return Response(response.status, response.getheader("x-amz-crc32"), content)

    def _idle_or_new(self) -> socket.socket:
        try:
            return self._idle.pop()
        except IndexError:  # another thread has it
            return self._new()

    def _new(self) -> socket.socket:
        connection = socket.create_connection(self._address, _CONNECT)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_hostname=self._address[0])
            connection.settimeout(_READ)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


class Proxied:
    """Through the proxies of the environment, by botocore."""

    def __init__(self, botocore: Any, url: str, proxies: Mapping[str, str], more: Mapping[str, Any]) -> None:
        self._botocore, self._url = botocore, url
        # Without the option, the body of each call waits for the acknowledgement of its head: 40 ms.
        options: Sequence[Any] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        self._session = botocore.httpsession.URLLib3Session(
            proxies=proxies, timeout=(_CONNECT, _READ), socket_options=options, **more
        )

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        exceptions = self._botocore.exceptions
        request = self._botocore.awsrequest.AWSRequest("POST", self._url, dict(headers), body)
        try:
            response = self._session.send(request.prepare())
            return Response(response.status_code, response.headers.get("x-amz-crc32"), response.content)
        except exceptions.SSLError as exc:
            raise Untrusted(str(exc)) from None
        except (exceptions.HTTPClientError, exceptions.ConnectionError) as exc:
            raise_end(exc)
            raise Broken(str(exc)) from None

    def close(self) -> None:
        self._session.close()
