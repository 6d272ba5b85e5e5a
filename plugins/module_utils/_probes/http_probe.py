# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""http: a request, and conditions on its response."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import unquote

from .._core.errors import InvalidRequest
from .base import BaseProbe, Deadline, Finding, Limit, Option
from .http_client import (
    Answer,
    Client,
    HttpRequest,
    Route,
    basic_authorization,
    check_headers,
    parse_url,
    proxy_authorization,
)
from .http_response import text_of
from .json_path import ASSERTION_HELP, RATIO_HELP, brief, conditions_from
from .searching import search
from .sockets import FAMILY, tls_context

AGENT = "day2.ops health_check"

# Options of all probes that send HTTP requests to an application.
REQUEST_OPTIONS = {
    "url": Option("url", "URL to request. Passwords and query values in it are never shown.", required=True),
    "headers": Option("mapping", "Headers to send. Their values are never shown.", secret=True),
    "username": Option("text", "User name for basic authentication."),
    "password": Option("text", "Password for basic authentication.", secret=True),
    "token": Option("text", "Sent as `Authorization: Bearer`.", secret=True),
    "validate_certs": Option(
        "boolean", "Whether the certificate of the server must be trusted and valid for the name.", True
    ),
    "ca": Option("path", "File with the certificates of trusted CAs. The default is that of the system."),
    "client_certificate": Option("path", "File with the client certificate (PEM)."),
    "client_key": Option(
        "path", ("File with the private key of the client certificate, if it is not in the same file.")
    ),
    "socket": Option("path", "Unix socket to connect to instead of the host in the URL."),
    "proxy": Option("url", "Proxy to use, `http://[USER:PASSWORD@]HOST:PORT`. Proxies of the environment are ignored."),
    "family": FAMILY,
    "server_name": Option(
        "text",
        ("Server name to request (SNI) and to expect in the certificate, if it differs from the host in the URL."),
    ),
}


def request_from(options: Mapping[str, Any]) -> HttpRequest:
    """The request that options describe. Raises InvalidRequest when they contradict each other."""
    headers = {"User-Agent": AGENT, "Accept": "*/*", "Connection": "close"}
    given = options["headers"] or {}
    check_headers(given)
    headers = {name: value for name, value in headers.items() if name.lower() not in {one.lower() for one in given}}
    headers.update(given)
    url = parse_url(options["url"])
    user, password = options["username"] or url.user, options["password"] or url.password
    if options["token"] and user:
        raise InvalidRequest("token and username are mutually exclusive.")
    if options["token"]:
        headers["Authorization"] = "Bearer " + options["token"]
    elif user:
        headers["Authorization"] = basic_authorization(user, password or "")
    check_headers(headers)
    if options["client_key"] and not options["client_certificate"]:
        raise InvalidRequest("client_key requires client_certificate.")
    body = options.get("body")
    return HttpRequest(options.get("method") or "GET", headers, body.encode() if body is not None else None)


def request_secrets(options: Mapping[str, Any], request: HttpRequest) -> list[str]:
    """Texts of a request that must never be shown, in addition to secret options."""
    url = parse_url(options["url"])
    authorization = request.headers.get("Authorization", "")
    secrets = list(url.secrets)
    if options["proxy"]:
        proxy = parse_url(options["proxy"])
        secrets += [*proxy.secrets, proxy_authorization(proxy).rpartition(" ")[2]]
    return [*secrets, *map(unquote, secrets), authorization, authorization.rpartition(" ")[2]]


def route_from(options: Mapping[str, Any]) -> Route:
    """The route to the host. Raises InvalidRequest when the options contradict each other."""
    proxy = parse_url(options["proxy"]) if options["proxy"] else None
    if proxy is not None and proxy.scheme != "http":
        raise InvalidRequest("the proxy is not an http URL.", "Write it as http://HOST:PORT.")
    if options["socket"] and (proxy is not None or options["family"]):
        raise InvalidRequest("socket can't be combined with proxy or family.")
    return Route(options["socket"] or "", proxy, options["family"])


class HttpProbe(BaseProbe):
    SUMMARY = "Requests a URL. Proxies set in the environment are ignored."
    OPTIONS: ClassVar[Mapping[str, Option]] = dict(
        REQUEST_OPTIONS,
        method=Option("text", "Method of the request.", "GET"),
        body=Option("text", "Body of the request.", secret=True),
        redirects=Option("count", ("Maximum number of redirects to follow. With 0, the first response is checked."), 5),
        status=Option("ranges", "Status codes that are ok, for example `200-299` or `[200, 401]`.", ["200-299"]),
        body_matches=Option("regular expression", "Pattern that the body must match."),
        body_not_matches=Option("regular expression", "Pattern that the body must not match."),
        json=Option("list of mappings", "Conditions on the body as JSON. " + ASSERTION_HELP),
        ratio=Option("list of mappings", "Ratio of two numbers in the body as JSON. " + RATIO_HELP),
        final_url=Option("regular expression", "Pattern that the final URL, after all redirects, must match."),
        response_headers=Option(
            "mapping of regular expressions",
            "Headers that the response must have, each with a pattern that one of its values must match.",
        ),
        response_headers_not_match=Option(
            "mapping of regular expressions", "Headers, each with a pattern that none of its values may match."
        ),
        max_body=Option(
            "size",
            (
                "Maximum size of the body. A longer body is critical. The body is decoded (gzip, deflate) and "
                "kept in memory only if it is checked."
            ),
            "1M",
        ),
    )
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("s", "Total time of the request up to the end of the body, including redirects."),
        Limit("percent", "With `ratio`: the largest ratio.", crit=10.0, name="ratio", open_ended=True),
    )

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        super().__init__(options, limits)
        self._request = request_from(options)
        self._url = parse_url(options["url"])
        self._conditions = conditions_from(options)
        self._wanted = bool(self._conditions or options["body_matches"] or options["body_not_matches"])
        self._client = make_client(options)

    def patterns(self) -> Sequence[re.Pattern[str]]:
        return [*super().patterns(), *self._conditions.patterns()]

    def secrets(self) -> list[str]:
        return [*super().secrets(), *request_secrets(self.options, self._request)]

    def run(self, deadline: Deadline) -> Finding:
        answer = self._client.ask(self._url, self._request, deadline, self._wanted)
        taken = deadline.elapsed()
        finding = self.finding()
        finding.good = f"{answer.url.shown} returned {answer.status}"
        self._judge(answer, finding, deadline)
        finding.measure(taken, what=f"the response time of {self._url.shown}")
        finding.metric("status", answer.status)
        return finding

    def _judge(self, answer: Answer, finding: Finding, deadline: Deadline) -> None:
        options = self.options
        if not any(low <= answer.status <= high for low, high in options["status"]):
            finding.problem(f"{answer.url.shown} returned {answer.status} {answer.reason}")
        if not answer.body.ended:
            finding.problem("the body is larger than max_body")
        if options["final_url"] and not search(options["final_url"], answer.url.text, deadline):
            finding.problem(f"it redirects to {answer.url.shown}, which does not match {options['final_url'].pattern}")
        self._judge_headers(answer, finding, deadline)
        if answer.body.problem:
            finding.problem(answer.body.problem, answer.body.status)
        elif self._wanted:
            self._judge_body(text_of(answer.body.data, answer.headers), answer.body.ended, finding, deadline)

    def _judge_headers(self, answer: Answer, finding: Finding, deadline: Deadline) -> None:
        for name, pattern in (self.options["response_headers"] or {}).items():
            values = answer.headers.get_all(name, [])
            if not values:
                finding.problem(f"the header {name} is missing")
            elif not any(search(pattern, value, deadline) for value in values):
                value = brief(", ".join(values))
                finding.problem(f"the header {name} is {value}, which does not match {pattern.pattern}")
        for name, pattern in (self.options["response_headers_not_match"] or {}).items():
            for value in answer.headers.get_all(name, []):
                if search(pattern, value, deadline):
                    finding.problem(f"the header {name} is {brief(value)}, which matches {pattern.pattern}")

    def _judge_body(self, text: str, ended: bool, finding: Finding, deadline: Deadline) -> None:
        options = self.options
        if options["body_matches"] and not search(options["body_matches"], text, deadline):
            finding.problem(f"the body does not match {options['body_matches'].pattern}")
        if options["body_not_matches"] and search(options["body_not_matches"], text, deadline):
            finding.problem(f"the body matches {options['body_not_matches'].pattern}")
        if self._conditions and ended:
            self._judge_json(text, finding, deadline)

    def _judge_json(self, text: str, finding: Finding, deadline: Deadline) -> None:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            finding.problem("the body is not JSON")
            return
        self._conditions.judge(document, finding, deadline)


class HttpsProbe(HttpProbe):
    SUMMARY = "Like `http`, for an https URL. Redirects to other protocols are not allowed."

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        super().__init__(options, limits)
        if self._url.scheme != "https":
            raise InvalidRequest("the URL is not https.", "Use type http for it.")

    def _judge(self, answer: Answer, finding: Finding, deadline: Deadline) -> None:
        if answer.url.scheme != "https":
            finding.problem(f"{self._url.shown} redirects to {answer.url.shown}, which is not https")
        super()._judge(answer, finding, deadline)


def make_client(options: Mapping[str, Any]) -> Client:
    """The client that options describe."""

    def context() -> ssl.SSLContext:
        return tls_context(
            options["validate_certs"], options["ca"], options["client_certificate"], options["client_key"]
        )

    return Client(
        context,
        options.get("redirects", 0),
        options.get("max_body") or 1 << 20,
        options["server_name"] or "",
        route_from(options),
    )
