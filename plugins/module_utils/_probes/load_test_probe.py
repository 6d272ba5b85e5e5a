# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""load_test: a short, bounded load, and the response times under it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Optional

from .._core.errors import InvalidRequest
from .._core.units import plural
from .base import BELOW, UNKNOWN, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed, TimeUp
from .http_client import Connection, Url, parse_url
from .http_probe import REQUEST_OPTIONS, make_client, request_from, request_secrets, route_from

_LONGEST = 60.0  # maximum seconds
_FASTEST = 1000.0  # maximum requests per second
_MOST_CONNECTIONS = 64
_DRAIN = 0.1  # seconds of the timeout that are reserved for the report


class LoadTestProbe(BaseProbe):
    SUMMARY = (
        "Requests a URL at a constant rate for a short time. The time of a request is measured from the "
        "moment at which it was due, so that a stalled server affects all requests that had to wait. "
        "`timeout` starts after `duration`."
    )
    OPTIONS: ClassVar[Mapping[str, Option]] = dict(
        REQUEST_OPTIONS,
        method=Option("text", "Method of the requests.", "GET"),
        body=Option("text", "Body of the requests.", secret=True),
        status=Option("ranges", "Status codes that are ok.", ["200-299"]),
        rate=Option("number", "Requests per second, at most 1000.", 10),
        duration=Option("duration", "Duration of the test, at most 60s.", "5s"),
        connections=Option("count", "Maximum number of connections, at most 64.", 16),
    )
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("s", "95th percentile of the request times."),
        Limit("s", "99th percentile.", name="p99"),
        Limit("s", "Median.", name="p50"),
        Limit(
            "", "Achieved responses per second. By default, less than 90% of `rate` is a warning.", BELOW, name="rate"
        ),
        Limit("percent", "Requests that failed or returned another status.", warn=1, crit=5, name="errors"),
    )

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        held = dict(limits)
        if not 0 < options["rate"] <= _FASTEST:
            raise InvalidRequest(f"rate must be more than 0 and at most {_FASTEST:g}.")
        if not 0 < options["duration"] <= _LONGEST:
            raise InvalidRequest(f"duration must be more than 0 and at most {_LONGEST:g}s.")
        if not 0 < options["connections"] <= _MOST_CONNECTIONS:
            raise InvalidRequest(f"connections must be from 1 to {_MOST_CONNECTIONS}.")
        if held["rate"].warn is None and held["rate"].crit is None:
            held["rate"] = held["rate"]._replace(warn=round(0.9 * options["rate"], 3))
        super().__init__(options, held)
        request = request_from(options)
        self._request = request._replace(headers={**request.headers, "Connection": "keep-alive"})
        self._url = parse_url(options["url"])
        route_from(options)
        self.duration = options["duration"]
        self.descriptors += options["connections"]

    def secrets(self) -> Sequence[str]:
        return [*super().secrets(), *request_secrets(self.options, self._request)]

    def run(self, deadline: Deadline) -> Finding:
        deadline.doing = f"requesting {self._url.shown}"
        load = _Load(self, self._url, deadline)
        load.run()
        if load.lacking:
            raise ProbeFailed(load.lacking, UNKNOWN)
        if not load.times:
            raise ProbeFailed(f"{self._url.shown}: no request succeeded: {load.failure or 'no response in time'}")
        return self._judge(load)

    def _judge(self, load: _Load) -> Finding:
        finding = self.finding()
        times = sorted(load.times)
        p50, p95, p99 = (_percentile(times, share) for share in (0.5, 0.95, 0.99))
        rate = round(len(times) / max(load.taken, 1e-9), 3)
        finding.good = (
            f"{self._url.shown}: {plural(load.count, 'request')} at {rate:.1f}/s, "
            f"p50 {p50 * 1000.0:.1f} ms, p95 {p95 * 1000.0:.1f} ms, p99 {p99 * 1000.0:.1f} ms"
        )
        what = f"of {self._url.shown}"
        failed = 100.0 * (load.count - len(times)) / load.count
        finding.measure(p95, what=f"the 95th percentile {what}")
        finding.measure(p99, "p99", f"the 99th percentile {what}")
        finding.measure(p50, "p50", f"the median {what}")
        finding.measure(rate, "rate", f"the achieved rate {what}")
        finding.measure(
            round(failed, 3),
            "errors",
            f"the share of failed requests {what} ({load.failure or 'no response in time'})",
        )
        finding.metric("requests", load.count, "count")
        return finding

    def ask(self, connection: Connection, deadline: Deadline) -> Optional[str]:
        """Send one request. Returns None if it is good, otherwise the error."""
        answer = connection.exchange(self._request, deadline, False, 16 << 20)
        if not any(low <= answer.status <= high for low, high in self.options["status"]):
            return f"it returned {answer.status}"
        return None if answer.body.ended else "the body is too long"


class _Load:
    """The requests, each started when it is due by any thread that is free."""

    def __init__(self, probe: LoadTestProbe, url: Url, deadline: Deadline) -> None:
        self._probe, self._url, self._deadline = probe, url, deadline
        options = probe.options
        self.count = max(1, math.floor(options["rate"] * options["duration"]))
        self._context = make_client(options).context() if url.scheme == "https" else None
        self._lock = threading.Lock()
        self._next = 0
        self._began = 0.0
        self.times: list[float] = []
        self.failure = ""
        self.lacking = ""
        self.taken = 0.0

    def run(self) -> None:
        self._began = time.monotonic()
        count = min(self._probe.options["connections"], self.count)
        threads = [threading.Thread(target=self._work, daemon=True) for dummy in range(count)]
        for thread in threads:
            thread.start()
        # Responses that arrive later do not count, and are reported.
        end = self._began + self._deadline.left() - _DRAIN * (self._deadline.seconds - self._probe.duration)
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        with self._lock:
            self._next = self.count
            self.times = list(self.times)
        self.taken = max(self.taken, self._probe.duration - 1 / self._probe.options["rate"])

    def _work(self) -> None:
        connection = Connection(
            self._url, self._context, route_from(self._probe.options), self._probe.options["server_name"] or ""
        )
        try:
            while True:
                with self._lock:
                    number, self._next = self._next, self._next + 1
                if number >= self.count:
                    return
                due = self._began + number / self._probe.options["rate"]
                time.sleep(max(0.0, due - time.monotonic()))
                self._one(connection, due)
        except TimeUp:
            return
        finally:
            connection.hang_up()

    def _one(self, connection: Connection, due: float) -> None:
        try:
            problem = self._probe.ask(connection, self._deadline)
        except ProbeFailed as exc:
            problem = str(exc)
            if exc.status == UNKNOWN:  # a lack of resources on this host is not a response of the other side
                self.lacking = problem
        except OSError as exc:
            problem = exc.strerror or type(exc).__name__
        finally:
            done = time.monotonic()
        if problem is not None:
            connection.hang_up()  # data that is left on it belongs to no request
        with self._lock:
            self.taken = max(self.taken, done - self._began)
            if problem is None:
                self.times.append(done - due)
            else:
                self.failure = self.failure or problem


def _percentile(ordered: Sequence[float], share: float) -> float:
    """The percentile by nearest rank."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
