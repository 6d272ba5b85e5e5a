# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""domain: how long a domain is still registered, from RDAP (RFC 9083), or from WHOIS if there is no RDAP."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, ClassVar, NamedTuple, Optional

from .._core.errors import InvalidRequest
from .._core.units import parse_time, plural
from .base import BELOW, UNKNOWN, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed
from .http_client import Client, HttpRequest, parse_url
from .sockets import Stream, address, connect, failure

_BOOTSTRAP = "https://data.iana.org/rdap/dns.json"
_IANA = ("whois.iana.org", 43)
_LARGEST = 4 << 20  # maximum bytes of an HTTP response
_MOST = 1 << 16  # maximum bytes of a WHOIS response
# A domain with one of these is not served, or will be deleted (names of EPP, which RDAP writes with spaces).
_BAD = ("clienthold", "serverhold", "inactive", "pendingdelete", "redemptionperiod")
_EXPIRY = re.compile(
    r"^[ \t]*(?:(?:registry |registrar registration |domain )?expir(?:y|ation|es|e)(?: date| time| on)?"
    r"|paid-till|renewal date|valid until|validity)[ \t]*\.{0,20}:?[ \t]+(\S[^\r\n]{0,60})",
    re.IGNORECASE | re.MULTILINE,
)
_STATUS = re.compile(r"^[ \t]*(?:domain )?status:[ \t]*([A-Za-z]{1,40})", re.IGNORECASE | re.MULTILINE)
_NONE = re.compile(r"no match|not found|no entries|no data found|nothing found|status:\s{0,9}free", re.IGNORECASE)
_REFERRAL = re.compile(r"^(?:whois|refer):[ \t]+([A-Za-z0-9.-]+)", re.MULTILINE)
_FORMATS = ("%d-%b-%Y", "%Y.%m.%d", "%Y/%m/%d", "%d.%m.%Y", "%B %d %Y", "%d %B %Y", "%a %b %d %H:%M:%S %Y")

_lists: dict[str, Any] = {}  # the result for each URL of a list of servers, for all checks of a task


class Registration(NamedTuple):
    """`expires` is None if the response does not contain it."""

    expires: Optional[datetime]
    statuses: tuple[str, ...]


class DomainProbe(BaseProbe):
    SUMMARY = (
        "Queries the registry for the number of days until the registration of a domain expires, with "
        "RDAP, or with WHOIS if the registry does not support RDAP. Registries limit requests. One check "
        "per day is sufficient."
    )
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "domain": Option("text", "The registered domain without subdomains, for example `example.com`.", required=True),
        "rdap_url": Option("url", "Base URL of the RDAP server. The default is taken from the list of IANA."),
        "whois_server": Option("text", "WHOIS server to query instead, as `HOST` or `HOST:PORT`."),
        "bootstrap_url": Option("url", "URL of the list of RDAP servers (RFC 9224).", _BOOTSTRAP),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (Limit("days", "Days until the registration expires.", BELOW, 30, 7),)
    ON_TIMEOUT = UNKNOWN

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        super().__init__(options, limits)
        try:
            self._name = options["domain"].rstrip(".").encode("idna").decode("ascii").lower()
        except UnicodeError:
            self._name = ""
        if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+", self._name):
            raise InvalidRequest(f"{options['domain']!r} is not a domain.", "Write for example example.com.")
        if options["rdap_url"] and options["whois_server"]:
            raise InvalidRequest("rdap_url and whois_server are mutually exclusive.")
        for name in ("rdap_url", "bootstrap_url"):
            if options[name]:
                parse_url(options[name])
        self._whois = _place(options["whois_server"]) if options["whois_server"] else None

    def run(self, deadline: Deadline) -> Finding:
        found = self._look(deadline)
        finding = self.finding()
        bad = [one for one in found.statuses if one.replace(" ", "").lower() in _BAD]
        if bad:
            finding.problem(f"{self._name} has the status {', '.join(bad)}")
        if found.expires is None:
            finding.problem(f"the registry does not report when {self._name} expires", UNKNOWN)
            return finding
        days = (found.expires - datetime.now(timezone.utc)).total_seconds() / 86400
        finding.good = f"{self._name} is registered for {plural(int(days), 'day')}"
        finding.measure(round(days, 3), what=f"the remaining registration of {self._name}")
        return finding

    def _look(self, deadline: Deadline) -> Registration:
        try:
            if self._whois is None:
                base = self.options["rdap_url"] or self._server(deadline)
                if base is not None:
                    return self._rdap(base, deadline)
                self._whois = self._referral(deadline)
            return parse_whois(_ask_whois(self._whois, self._name, deadline), self._name)
        except ProbeFailed as exc:
            # An unreachable registry says nothing about the domain.
            raise ProbeFailed(str(exc), exc.status if isinstance(exc, _NotRegistered) else UNKNOWN) from None

    def _server(self, deadline: Deadline) -> Optional[str]:
        url = self.options["bootstrap_url"]
        if url not in _lists:
            _lists[url] = _ask(url, deadline)
        return find_server(_lists[url], self._name)

    def _rdap(self, base: str, deadline: Deadline) -> Registration:
        document = _ask(base.rstrip("/") + "/domain/" + self._name, deadline)
        if document is None:
            raise _NotRegistered(f"{self._name} is not registered")
        return parse_rdap(document)

    def _referral(self, deadline: Deadline) -> tuple[str, int]:
        top = self._name.rpartition(".")[2]
        found = _REFERRAL.search(_ask_whois(_IANA, top, deadline))
        if found is None:
            raise ProbeFailed(f"{top}: IANA lists neither RDAP nor WHOIS servers for it")
        return found[1], 43


class _NotRegistered(ProbeFailed):
    """The domain is unknown to the registry."""


def _place(text: str) -> tuple[str, int]:
    host, _colon, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "43")
    if not host or not port.isdigit():
        raise InvalidRequest(f"whois_server is {text!r}.", "Set it to HOST or HOST:PORT.")
    return host, int(port)


def _ask(url: str, deadline: Deadline) -> Any:
    """The JSON document at a URL, None for 404. Raises ProbeFailed or TimeUp when it can't be read."""
    place = parse_url(url)
    headers = {"Accept": "application/rdap+json, application/json", "Connection": "close"}
    answer = Client(limit=_LARGEST).ask(place, HttpRequest(headers=headers), deadline, True)
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise ProbeFailed(f"{place.shown} returned {answer.status} {answer.reason}")
    try:
        return json.loads(answer.body.data)
    except (ValueError, RecursionError):
        raise ProbeFailed(f"{place.shown}: the response is not JSON") from None


def _ask_whois(place: tuple[str, int], query: str, deadline: Deadline) -> str:
    where = address(*place)
    with contextlib.closing(connect(*place, deadline)) as connection:
        stream = Stream(connection, deadline)
        deadline.doing = f"waiting for {where}"
        try:
            stream.sendall(query.encode("ascii") + b"\r\n")
            said = b""
            while len(said) < _MOST:
                data = stream.receive(_MOST)
                if not data:
                    break
                said += data
        except OSError as exc:
            raise failure(where, exc) from None
    return said.decode("utf-8", "replace")


def find_server(services: Any, name: str) -> Optional[str]:
    """The RDAP server for a domain in the list of IANA, by the longest suffix; None if there is none."""
    with contextlib.suppress(TypeError, ValueError, KeyError, AttributeError):
        known = {suffix.lower(): urls for suffixes, urls in services["services"] for suffix in suffixes}
        labels = name.split(".")
        for start in range(1, len(labels)):
            urls = known.get(".".join(labels[start:]))
            if urls:
                return str(next((one for one in urls if one.startswith("https:")), urls[0]))
    return None


def parse_rdap(document: Any) -> Registration:
    """The registration in an RDAP response."""
    expires: Optional[datetime] = None
    statuses: tuple[str, ...] = ()
    if isinstance(document, dict):
        for event in _list(document.get("events")):
            if isinstance(event, dict) and event.get("eventAction") == "expiration":
                with contextlib.suppress(InvalidRequest):
                    expires = parse_time(str(event.get("eventDate")))
        statuses = tuple(one for one in _list(document.get("status")) if isinstance(one, str))
    return Registration(expires, statuses)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def parse_whois(text: str, name: str) -> Registration:
    """The registration in a WHOIS response. Raises ProbeFailed when the domain is not registered."""
    found = [_date(match[1]) for match in _EXPIRY.finditer(text)]
    expires = next((one for one in found if one is not None), None)
    if expires is None and _NONE.search(text):
        raise _NotRegistered(f"{name} is not registered")
    return Registration(expires, tuple(_STATUS.findall(text)))


def _date(text: str) -> Optional[datetime]:
    written = text.strip().rstrip(".")
    for part in (written, written.split(" ")[0]):
        with contextlib.suppress(InvalidRequest):
            return parse_time(part)
        for form in _FORMATS:
            with contextlib.suppress(ValueError):
                return datetime.strptime(part, form).replace(tzinfo=timezone.utc)
    return None
