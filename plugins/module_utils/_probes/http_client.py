# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP requests with a deadline, whatever the other side does: http.client over a connection with a deadline."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.client
import re
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from .._core.errors import InvalidRequest
from .base import Deadline, ProbeFailed, TimeUp
from .http_response import Body, Response, decoded, read_head
from .sockets import Stream, address, connect, connect_unix, failure, tls_context, wrap_tls

_CHUNK = 65536
_PROXY_AUTHENTICATION = 407
_REDIRECTS = (301, 302, 303, 307, 308)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Url(NamedTuple):
    """A parsed URL. `shown` is for messages: without password, and without the values of its query."""

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

    @property
    def text(self) -> str:
        """The URL without user and password. It may contain secrets."""
        default = self.port == (443 if self.scheme == "https" else 80)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host if default else f'{host}:{self.port}'}{self.target}"


class Route(NamedTuple):
    """How to reach the host of a URL: over a Unix socket, through a proxy, with addresses of one family, or
    directly."""

    unix: str = ""
    proxy: Optional[Url] = None
    family: Optional[str] = None


class HttpRequest(NamedTuple):
    """The request, except the URL."""

    method: str = "GET"
    headers: Mapping[str, str] = {}
    body: Optional[bytes] = None


class Answer(NamedTuple):
    """The response. `body`, which is decoded, is empty unless requested."""

    url: Url
    status: int
    reason: str
    headers: Any
    body: Body


@functools.lru_cache(maxsize=64)  # a response is parsed by several functions, one after another
def parse_url(text: str) -> Url:
    """Parse a URL. Raises InvalidRequest, without showing it, when it is not valid."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or re.search(r"[\x00-\x20\x7f]", text.strip()):
        raise InvalidRequest(
            "the URL is not an http or https URL.",
            "Write it as http://HOST[:PORT]/PATH, with special characters as %XX.",
        )
    default = 443 if parts.scheme == "https" else 80
    path = _ascii(parts.path) or "/"
    query = "?" + _ascii(parts.query) if parts.query else ""
    place = host if port in (None, default) else address(host, port or 0)
    if ":" in host and not place.startswith("["):
        place = f"[{host}]"
    hidden = re.sub(r"=[^&;]*", "=***", parts.query)
    shown = urlunsplit((parts.scheme, place, path, hidden if "=" in hidden or not hidden else "***", ""))
    secrets = [one for one in (parts.password, *re.findall(r"=([^&;]+)", parts.query)) if one]
    return Url(parts.scheme, host, port or default, path + query, shown, parts.username, parts.password, tuple(secrets))


def _ascii(text: str) -> str:
    return "".join(char if char < "\x7f" else "".join(f"%{byte:02X}" for byte in char.encode()) for char in text)


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise InvalidRequest when a header would break the request; its value is not shown."""
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or re.search(r"[\r\n\x00]", value):
            raise InvalidRequest(f"the header {name!r} is not valid.", "It must be one line.")


def basic_authorization(user: str, password: str) -> str:
    """The value of the header."""
    return "Basic " + base64.b64encode((f"{user}:{password}").encode()).decode("ascii")


_DIRECT = Route()


class Connection(http.client.HTTPConnection):
    """One connection to a host; may be used for several requests, each with its own deadline."""

    response_class = Response

    def __init__(
        self, url: Url, context: Optional[ssl.SSLContext] = None, route: Route = _DIRECT, name: str = ""
    ) -> None:
        super().__init__(url.host, url.port)
        self._url, self._context, self._route, self._name = url, context, route, name or url.host
        self._where = f"{url.shown} through the proxy {route.proxy.shown}" if route.proxy is not None else url.shown
        self._connected: Any = None
        self.deadline = Deadline(0)

    def connect(self) -> None:
        route = self._route
        if route.unix:
            connection = connect_unix(route.unix, self.deadline)
        elif route.proxy is not None:
            connection = self._connect_to_proxy(route.proxy)
        else:
            connection = connect(self._url.host, self._url.port, self.deadline, route.family)
        if self._connected is not None:
            self._connected.close()
        self._connected = connection
        if self._context is not None:
            if route.proxy is not None:
                self._tunnel_through(route.proxy)
            self._connected = connection = wrap_tls(connection, self._context, self._name, self.deadline)
        self.sock = Stream(connection, self.deadline)

    def _connect_to_proxy(self, proxy: Url) -> socket.socket:
        try:
            return connect(proxy.host, proxy.port, self.deadline, self._route.family)
        except ProbeFailed as exc:
            raise ProbeFailed(f"the proxy {exc}", exc.status) from None
        except TimeUp:
            self.deadline.doing = f"connecting to the proxy {proxy.shown}"
            raise

    def _tunnel_through(self, proxy: Url) -> None:
        place = address(self._url.host, self._url.port)
        words = f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n"
        if proxy.user:
            words += f"Proxy-Authorization: {proxy_authorization(proxy)}\r\n"
        stream = Stream(self._connected, self.deadline)
        self.deadline.doing = f"waiting for the proxy {proxy.shown}"
        try:
            stream.sendall((words + "\r\n").encode("ascii", "replace"))
            said = read_head(stream).decode("ascii", "replace").splitlines()[0]
        except ProbeFailed as exc:
            raise ProbeFailed(f"the proxy {proxy.shown}: {exc}") from None
        except OSError as exc:
            raise failure(f"the proxy {proxy.shown}", exc) from None
        if not re.match(r"HTTP/1\.[01] 2[0-9][0-9]", said):
            raise ProbeFailed(f"the proxy {proxy.shown} refuses to connect to {place}: {said[:80]}")

    def hang_up(self) -> None:
        """Close the connection. (`close` of http.client leaves it open until the response has been read.)"""
        if self._connected is not None:
            self._connected.close()
        self.close()

    def exchange(self, request: HttpRequest, deadline: Deadline, wanted: bool, limit: int) -> Answer:
        """Send a request and read the response. Raises ProbeFailed or TimeUp when there is none.

        :param wanted: keep the body.
        :param limit: maximum number of bytes of it to read, before and after decoding.
        """
        self.deadline = deadline
        if self.sock is not None:
            self.sock = Stream(self._connected, deadline)
        try:
            self._send(request)
            deadline.doing = f"waiting for the response of {self._where}"
            response = self.getresponse()
            if self._route.proxy is not None and self._context is None and response.status == _PROXY_AUTHENTICATION:
                raise ProbeFailed(f"the proxy {self._route.proxy.shown} refuses: 407 {response.reason}")
            deadline.doing = f"reading the body of {self._where}"
            with response:  # otherwise the connection can't be reused
                data, ended = _read(response, wanted, limit)
            body = decoded(data, response.headers, ended, limit) if wanted else Body(b"", ended)
            return Answer(self._url, response.status, response.reason, response.headers, body)
        except http.client.HTTPException as exc:
            raise ProbeFailed(f"{self._where}: {_protocol_error(exc)}") from None
        except (OSError, ssl.SSLError) as exc:
            raise failure(self._where, exc) from None

    def _send(self, request: HttpRequest) -> None:
        target, headers = self._url.target, dict(request.headers)
        if self._route.proxy is not None and self._context is None:
            target = self._url.text
            if self._route.proxy.user:
                headers["Proxy-Authorization"] = proxy_authorization(self._route.proxy)
        self.request(request.method, target, request.body, headers)


def proxy_authorization(proxy: Url) -> str:
    """The value of the header Proxy-Authorization, or "" if the URL of the proxy has no user."""
    return basic_authorization(unquote(proxy.user), unquote(proxy.password or "")) if proxy.user else ""


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
        return "it closed the connection without a response"
    if isinstance(exc, http.client.IncompleteRead):
        return "the body is truncated"
    if isinstance(exc, http.client.BadStatusLine):
        return "the response is not HTTP"
    return f"the response is not valid HTTP ({type(exc).__name__})"


class Client(NamedTuple):
    """How to send requests: TLS settings, the maximum number of redirects, and the route to the host."""

    context: Callable[[], ssl.SSLContext] = tls_context
    redirects: int = 5
    limit: int = 1 << 20
    name: str = ""
    route: Route = _DIRECT

    def ask(self, url: Url, request: HttpRequest, deadline: Deadline, wanted: bool) -> Answer:
        """The response after all redirects, or the last redirect if none is to be followed."""
        seen: list[tuple[Url, str]] = []
        cookies: Any = None
        while True:
            answer = self._ask_once(url, request, deadline, wanted, seen[0][0] if seen else url)
            location = answer.headers.get("Location") if answer.status in _REDIRECTS else None
            if not location or not self.redirects:
                return answer
            if cookies is None:
                from .http_cookies import Cookies

                cookies = Cookies()
            cookies.keep(url.text, answer.headers)
            seen.append((url, request.headers.get("Cookie", "")))
            following = _following(url, location)
            request = _redirected(request, answer.status, following.origin == url.origin)
            request = _with_cookies(request, cookies.header(following.text))
            self._check(seen, following, request)
            url = following

    def _ask_once(self, url: Url, request: HttpRequest, deadline: Deadline, wanted: bool, first: Url) -> Answer:
        # A server name belongs to the URL that it was given for, and a Unix socket to its host.
        context = self.context() if url.scheme == "https" else None
        route = self.route if url.host == first.host else self.route._replace(unix="")
        connection = Connection(url, context, route, self.name if url is first else "")
        try:
            return connection.exchange(request, deadline, wanted, self.limit)
        finally:
            connection.hang_up()

    def _check(self, seen: list[tuple[Url, str]], following: Url, request: HttpRequest) -> None:
        # A page that sets a cookie and redirects to itself is not a loop.
        state = (following[:4], request.headers.get("Cookie", ""))
        if any(state == (one[:4], cookie) for one, cookie in seen):
            chain = " → ".join(one.shown for one in [*(one for one, _cookie in seen), following])
            raise ProbeFailed(f"redirect loop: {chain}")
        if len(seen) > self.redirects:
            raise ProbeFailed(f"more than {self.redirects} redirects, the last to {following.shown}")


def _following(url: Url, location: str) -> Url:
    """The target of a redirect. Servers send spaces and UTF-8 unescaped. Raises ProbeFailed when it is not valid."""
    with contextlib.suppress(UnicodeError):
        location = location.encode("iso-8859-1").decode("utf-8")
    try:
        parts = urlsplit(urljoin(url.text, location.strip()))
        host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode("ascii")
        path, query = (re.sub(r"[^\x21-\x7e]", _percent, one) for one in (parts.path, parts.query))
        return parse_url(urlunsplit((parts.scheme, host, path, query, "")))
    except (InvalidRequest, ValueError):
        raise ProbeFailed(f"{url.shown} redirects to a URL that is not http or https") from None


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "replace"))


def _with_cookies(request: HttpRequest, cookies: str) -> HttpRequest:
    if not cookies:
        return request
    given = request.headers.get("Cookie", "")
    kept = [one for one in given.split("; ") if one and one.partition("=")[0] + "=" not in cookies]
    return request._replace(headers={**request.headers, "Cookie": "; ".join([*kept, cookies])})


def _redirected(request: HttpRequest, status: int, same_origin: bool) -> HttpRequest:
    headers = dict(request.headers)
    if not same_origin:  # credentials for one host must not be sent to another
        headers = {name: value for name, value in headers.items() if name.lower() in ("user-agent", "accept")}
    if status == 303 or (status in (301, 302) and request.method == "POST"):
        return HttpRequest("HEAD" if request.method == "HEAD" else "GET", headers, None)
    return request._replace(headers=headers)
