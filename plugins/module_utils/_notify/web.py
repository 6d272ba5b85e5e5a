# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages by HTTP: pings of monitors that expect them, and webhooks. A URL is a secret: no message contains it."""

from __future__ import annotations

import base64
import http.client
import json
import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from .._core.errors import InvalidRequest
from .._core.specs import masked
from .together import NotSent

START, SUCCESS, FAIL = "start", "success", "fail"
NOTE = "note"  # changes nothing
_HEALTHCHECKS = {START: "/start", SUCCESS: "", FAIL: "/fail", NOTE: "/log"}
_BODY = 10_000  # bytes that Healthchecks keeps
_TEXT = 200  # characters that Uptime Kuma shows
_ATTEMPTS = 3  # of a ping
_PAUSE = 1.0  # seconds between two attempts
_TOO_MANY = 429


class Server(NamedTuple):
    """Where to send, with a time limit in seconds for each read, and a file with certificates of CAs."""

    url: str
    timeout: float
    ca: Optional[str] = None


class _Refused(NotSent):
    """The server has answered with an error that another attempt does not change."""


def check_url(url: str, credential: str) -> None:
    """Raises InvalidRequest for a text that is not a URL of HTTP."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or re.search(r"[^\x21-\x7e]", url):
        raise InvalidRequest(
            f"The credential {credential} is not a URL.",
            "It must begin with https:// or http:// and consist of ASCII characters, without spaces.",
        )


def ping(server: Server, kind: str, state: str, text: str) -> None:
    """Report the start, the success or the failure of a run to a monitor, or only a note. Raises NotSent.

    :param kind: "healthchecks" (the URL, or its /start, /fail and /log) or "uptime_kuma" (which knows no start, and
        takes a note for a success).
    :param text: the last lines, or the reason.
    """
    parts = urlsplit(server.url)
    body: Optional[bytes] = None
    if kind == "uptime_kuma":
        if state == START:
            return
        kept = [
            one for one in parse_qsl(parts.query, keep_blank_values=True) if one[0] not in ("status", "msg", "ping")
        ]
        status = "down" if state == FAIL else "up"
        parts = parts._replace(query=urlencode([*kept, ("status", status), ("msg", " ".join(text.split())[:_TEXT])]))
    else:
        parts = parts._replace(path=parts.path.rstrip("/") + _HEALTHCHECKS[state])
        body = text.encode("utf-8", "replace")[-_BODY:]
    headers = {"Content-Type": "text/plain; charset=utf-8"} if body is not None else {}
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _request(server._replace(url=urlunsplit(parts)), body, headers, _secrets(server.url))
            return
        except _Refused:
            raise
        except NotSent:
            if attempt == _ATTEMPTS:
                raise
            time.sleep(_PAUSE)


def post(server: Server, content: Any, headers: Mapping[str, str], secrets: set[str]) -> None:
    """Send a webhook with a JSON body. Raises NotSent."""
    body = json.dumps(content).encode()
    _request(server, body, {"Content-Type": "application/json", **headers}, secrets | _secrets(server.url))


def _request(server: Server, body: Optional[bytes], headers: Mapping[str, str], secrets: set[str]) -> None:
    import ssl
    import urllib.error
    import urllib.request

    url, login = _without_login(server.url)
    # As bytes, headers are UTF-8: http.client refuses what Latin-1 cannot express.
    texts = {name: one.encode("utf-8", "replace").decode("latin-1") for name, one in headers.items()}
    request = urllib.request.Request(url, body, {"User-Agent": "day2", **login, **texts})  # noqa: S310 only HTTP
    try:
        # Redirects are not followed: a redirected POST loses its body.
        opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=server.ca)),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
        ):
            opener.add_handler(handler)
        opener.open(request, timeout=server.timeout).close()
    except urllib.error.HTTPError as exc:
        more = " The server redirects to another URL; use that one." if 300 <= exc.code < 400 else ""
        kind = NotSent if exc.code >= 500 or exc.code == _TOO_MANY else _Refused
        raise kind(f"The server answered with HTTP status {exc.code}.{more}") from None
    except urllib.error.URLError as exc:
        raise NotSent(f"The server can't be reached: {masked(str(exc.reason), secrets)}.") from None
    except ValueError as exc:  # its text can contain an escaped header
        raise NotSent(f"The request is not valid ({type(exc).__name__}): see headers and ca.") from None
    except (OSError, http.client.HTTPException) as exc:
        raise NotSent(f"The request failed: {type(exc).__name__}: {masked(str(exc), secrets)}.") from None


def _without_login(url: str) -> tuple[str, dict[str, str]]:
    """The URL without `user:password@`, which http.client takes for a part of the name of the server, and the header
    that it stands for."""
    parts = urlsplit(url)
    user, at, place = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    name, _colon, password = user.partition(":")
    words = base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()
    return urlunsplit(parts._replace(netloc=place)), {"Authorization": f"Basic {words}"}


def _secrets(url: str) -> set[str]:
    """Everything in a URL that a message must not contain."""
    parts = urlsplit(url)
    login = [parts.username or "", parts.password or ""]
    names = {parts.netloc, parts.netloc.rpartition("@")[2], parts.hostname or "", parts.query, *login}
    names.update([*map(unquote, login), *re.split(r"[/&=]", f"{parts.path}&{parts.query}")])
    return {url, url.split("/", 3)[-1], *(one for one in names if len(one) > 3)}
