# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP requests that end in time, whatever the other side does: http.client over a connection with a deadline."""

from __future__ import annotations

import base64
import functools
import http.client
import re
import ssl
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional
from urllib.parse import urljoin, urlsplit, urlunsplit

from .._core.errors import InvalidRequest
from .base import Deadline, ProbeFailed
from .sockets import Stream, address, connect, connect_unix, reason, tls_context, wrap_tls

_CHUNK = 65536
_REDIRECTS = (301, 302, 303, 307, 308)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Url(NamedTuple):
    """A URL, taken apart. `shown` is what a message may say: without password, and without the values of its query."""

    scheme: str
    host: str
    port: int
    target: str
    shown: str
    user: Optional[str]
    password: Optional[str]
    secrets: tuple[str, ...]

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


class Request(NamedTuple):
    """What is sent, beside the URL."""

    method: str = "GET"
    headers: Mapping[str, str] = {}
    body: Optional[bytes] = None


class Answer(NamedTuple):
    """What came back. `body` is b"" where nobody wants it; `ended`: it ended within the limit."""

    url: Url
    status: int
    reason: str
    headers: Any
    body: bytes
    ended: bool


@functools.lru_cache(maxsize=64)  # what is asked for is looked at by several, one after another
def parse_url(text: str) -> Url:
    """Take a URL apart. Raises InvalidRequest, without showing it."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or re.search(r"[\x00-\x20\x7f]", text.strip()):
        raise InvalidRequest(
            "the URL is not one of http or https.",
            "Write it as http://HOST[:PORT]/PATH, with special characters as %XX.",
        )
    default = 443 if parts.scheme == "https" else 80
    path = _ascii(parts.path) or "/"
    query = "?" + _ascii(parts.query) if parts.query else ""
    place = host if port in (None, default) else address(host, port or 0)
    if ":" in host and not place.startswith("["):
        place = "[%s]" % host
    hidden = re.sub(r"=[^&;]*", "=***", parts.query)
    shown = urlunsplit((parts.scheme, place, path, hidden if "=" in hidden or not hidden else "***", ""))
    secrets = [one for one in (parts.password, *re.findall(r"=([^&;]+)", parts.query)) if one]
    return Url(parts.scheme, host, port or default, path + query, shown, parts.username, parts.password, tuple(secrets))


def _ascii(text: str) -> str:
    return "".join(char if char < "\x7f" else "".join("%%%02X" % byte for byte in char.encode()) for char in text)


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise InvalidRequest for a header that would break the request; its value is not shown."""
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or re.search(r"[\r\n\x00]", value):
            raise InvalidRequest("the header %r is not valid." % name, "It must be one line.")


def basic_authorization(user: str, password: str) -> str:
    """The value of the header."""
    return "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode("ascii")


class Connection(http.client.HTTPConnection):
    """One connection to a host, or to a Unix socket; may be used for several requests, each under its own deadline."""

    def __init__(self, url: Url, context: Optional[ssl.SSLContext] = None, unix: str = "", name: str = "") -> None:
        super().__init__(url.host, url.port)
        self._url, self._context, self._unix, self._name = url, context, unix, name or url.host
        self._connected: Any = None
        self.deadline = Deadline(0)

    def connect(self) -> None:
        if self._unix:
            connection = connect_unix(self._unix, self.deadline)
        else:
            connection = connect(self._url.host, self._url.port, self.deadline)
        if self._context is not None:
            connection = wrap_tls(connection, self._context, self._name, self.deadline)
        if self._connected is not None:
            self._connected.close()
        self._connected = connection
        self.sock = Stream(connection, self.deadline)

    def hang_up(self) -> None:
        """Close the connection. (http.client's own `close` leaves that to whoever reads the answer.)"""
        if self._connected is not None:
            self._connected.close()
        self.close()

    def exchange(self, request: Request, deadline: Deadline, wanted: bool, limit: int) -> Answer:
        """Send a request and read the answer. Raises ProbeFailed, TimeUp.

        :param wanted: keep the body.
        :param limit: bytes of it that are read at most.
        """
        self.deadline = deadline
        if self.sock is not None:
            self.sock = Stream(self._connected, deadline)
        try:
            self.request(request.method, self._url.target, request.body, dict(request.headers))
            deadline.doing = "waiting for the answer of %s" % self._url.shown
            response = self.getresponse()
            deadline.doing = "reading the body of %s" % self._url.shown
            with response:  # else the connection can't be used again
                body, ended = _read(response, wanted, limit)
            return Answer(self._url, response.status, response.reason, response.headers, body, ended)
        except http.client.HTTPException as exc:
            raise ProbeFailed("%s: %s" % (self._url.shown, _protocol_error(exc))) from None
        except (OSError, ssl.SSLError) as exc:
            raise ProbeFailed("%s: %s" % (self._url.shown, reason(exc))) from None


def _read(response: http.client.HTTPResponse, wanted: bool, limit: int) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    count = 0
    while count <= limit:
        data = response.read1(_CHUNK)
        if not data:
            if response.length:
                raise http.client.IncompleteRead(b"", response.length)
            return b"".join(parts), True
        count += len(data)
        if wanted:
            parts.append(data)
    return b"".join(parts)[:limit], False


def _protocol_error(exc: http.client.HTTPException) -> str:
    if isinstance(exc, http.client.RemoteDisconnected):
        return "it closed the connection without an answer"
    if isinstance(exc, http.client.IncompleteRead):
        return "the body ended too early"
    if isinstance(exc, http.client.BadStatusLine):
        return "the answer is not HTTP"
    return "the answer is not valid HTTP (%s)" % type(exc).__name__


class Client(NamedTuple):
    """How to ask: how to come by TLS settings, and how many redirects to follow."""

    context: Callable[[], ssl.SSLContext] = tls_context
    redirects: int = 5
    limit: int = 1 << 20
    name: str = ""

    def ask(self, url: Url, request: Request, deadline: Deadline, wanted: bool) -> Answer:
        """The answer after all redirects, or the last redirect where none is to be followed."""
        seen: list[Url] = []
        while True:
            # The name goes with the URL that it was given for.
            context = self.context() if url.scheme == "https" else None
            connection = Connection(url, context, name=self.name if not seen else "")
            try:
                answer = connection.exchange(request, deadline, wanted, self.limit)
            finally:
                connection.hang_up()
            location = answer.headers.get("Location") if answer.status in _REDIRECTS else None
            if not location or not self.redirects:
                return answer
            seen.append(url)
            try:
                following = parse_url(
                    urljoin("%s://%s%s" % (url.scheme, address(url.host, url.port), url.target), location)
                )
            except InvalidRequest:
                raise ProbeFailed("%s redirects to something that is not http or https" % url.shown) from None
            if any(following[:4] == one[:4] for one in seen):
                chain = " → ".join(one.shown for one in [*seen, following])
                raise ProbeFailed("redirect loop: %s" % chain)
            if len(seen) > self.redirects:
                raise ProbeFailed("more than %d redirects, the last to %s" % (self.redirects, following.shown))
            request = _redirected(request, answer.status, following.origin == url.origin)
            url = following


def _redirected(request: Request, status: int, same_origin: bool) -> Request:
    headers = dict(request.headers)
    if not same_origin:  # what was meant for one host is no other's business
        headers = {name: value for name, value in headers.items() if name.lower() in ("user-agent", "accept")}
    if status == 303 or (status in (301, 302) and request.method == "POST"):
        return Request("HEAD" if request.method == "HEAD" else "GET", headers, None)
    return request._replace(headers=headers)
