# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls to DynamoDB: botocore determines the region, the endpoint and the credentials, and makes rare calls.

Calls with data bypass botocore, which in Python takes longer than the server.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
import zlib
from collections.abc import Mapping
from typing import Any, Callable, Optional

from ..._core.aws import EXPIRED, Connection, Exhausted, Refused, Service, hint_for, refusal
from ..._core.errors import Day2Error, InvalidRequest
from .transport import Broken, Direct, Proxied, Signer, Transport, Untrusted

_TARGET = "DynamoDB_20120810."
_SCALING_URL = "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING"  # as botocore has it
_THROTTLED = (
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "ThrottledException",
    "Throttling",
    "RequestLimitExceeded",
    "LimitExceededException",
    "ReplicatedWriteConflictException",
    "TransactionInProgressException",
)
_SHORTEST_WAIT, _LONGEST_WAIT = 0.025, 5.0


class Cancelling(Exception):
    """Another thread has failed: this one does not make its call."""


class Pace:
    """The time that a refused call waits, determined by what all threads of a client have experienced.

    The wait doubles with each round of refusals, at most once within the wait itself (many calls are refused at the
    same time), and shrinks with each call that succeeds.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._delay = 0.0
        self._raised = 0.0
        self._progress = 0.0
        self._lock = threading.Lock()

    def refused(self, reason: str, since: float, stop: threading.Event) -> None:
        """Wait before the next attempt of a call that was first made at `since`.

        :raises Exhausted: no call has succeeded for too long.
        """
        now = time.monotonic()
        with self._lock:
            quiet = now - max(since, self._progress)
            if quiet > self.patience:
                raise Exhausted(f"{reason}, for {quiet:.0f} s")
            if now >= self._raised + self._delay:
                self._delay = min(max(self._delay * 2, _SHORTEST_WAIT), _LONGEST_WAIT)
                self._raised = now
            delay = min(self._delay, self.patience - quiet + _SHORTEST_WAIT)
        # Full jitter: threads that were refused together do not come back together.
        if stop.wait(random.uniform(delay / 4, delay)):  # noqa: S311 - nothing secret
            raise Cancelling

    def progressed(self) -> None:
        with self._lock:
            self._progress = time.monotonic()
            self._delay *= 0.7 if self._delay > _SHORTEST_WAIT else 0


class Client:
    """One connection pool, for any number of threads up to `connections`."""

    def __init__(self, connection: Connection, connections: int, patience: float) -> None:
        self._service = Service(
            *("dynamodb", "DynamoDB", connection), retries={"mode": "standard", "total_max_attempts": 4}
        )
        import botocore.awsrequest
        import botocore.exceptions
        import botocore.httpsession
        import botocore.utils
        import botocore.validate

        self._connection = connection
        self._scaling: Optional[Service] = None
        self.pace = Pace(patience)
        self._botocore = botocore
        self._credentials = self._service.credentials
        self.url: str = self._service.url
        self._signer = Signer(self.url, self._service.region)
        verify = (  # as botocore does
            self._service.session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or True
        )
        proxies = botocore.utils.get_environ_proxies(self.url)
        self._transport: Transport = (
            Proxied(botocore, self.url, proxies, {"verify": verify, "max_pool_connections": connections})
            if proxies
            else _direct(self.url, botocore.httpsession.get_cert_path(verify))
        )

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()
        self._service.close()
        if self._scaling is not None:
            self._scaling.close()

    def scaling(self) -> Optional[Service]:
        """The service that scales tables. None: there is none beside a server whose address was given.

        :raises InvalidRequest: it can't be used.
        """
        if self._connection.endpoint_url and not os.environ.get(_SCALING_URL):
            return None
        if self._scaling is None:
            connection = self._connection._replace(endpoint_url=os.environ.get(_SCALING_URL))
            retries = {"mode": "standard", "total_max_attempts": 4}
            self._scaling = Service("application-autoscaling", "Application Auto Scaling", connection, retries)
        return self._scaling

    def ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Make a rare call through botocore. Raises Refused, and Exhausted if the server cannot be reached."""
        return self._service.ask(operation, **arguments)

    def check_knows(self, operation: str, argument: str) -> None:
        """Raise MissingDependency when this boto3 does not know an argument of a call."""
        self._service.check_knows(operation, argument)

    def checked(self, operation: str, ending: str, given: Mapping[str, Any], option: str) -> dict[str, Any]:
        """Those parameters of an operation whose names end so, as the user gives them.

        :raises InvalidRequest: the operation has no such parameter, or it has another form.
        """
        shape = self._service.client.meta.service_model.operation_model(operation).input_shape
        allowed = [name for name in shape.members if name.endswith(ending)]
        unknown = sorted(set(given) - set(allowed))
        if unknown:
            raise InvalidRequest(
                f"{option} has {', '.join(unknown)}, which {operation} of DynamoDB does not have.",
                f"It has: {', '.join(allowed)}.",
            )
        for name, value in given.items():
            report = self._botocore.validate.ParamValidator().validate(value, shape.members[name])
            if report.has_errors():
                raise InvalidRequest(f"{option}.{name} is not valid: {report.generate_report()}.", "Correct it.")
        return dict(given)

    def call(
        self, operation: str, body: bytes, stop: threading.Event, read: Callable[[bytes], Any] = json.loads
    ) -> Any:
        """Make a call with data, repeatedly until the server accepts it. Returns the low-level JSON of the response.

        :param read: makes what is returned instead of the text of the response; raises ValueError if that ends early.
        :raises Refused: the server says that the request is wrong.
        :raises Exhausted: it was throttled, failed or could not be reached for too long.
        """
        since = time.monotonic()
        while True:
            if stop.is_set():
                raise Cancelling
            try:
                return self._send(operation, body, read)
            except _Again as exc:
                self.pace.refused(str(exc), since, stop)

    def _send(self, operation: str, body: bytes, read: Callable[[bytes], Any]) -> Any:
        try:
            # Frozen at each call, which also renews those that expire.
            credentials = self._credentials.get_frozen_credentials()
        except self._botocore.exceptions.ClientError as exc:  # a role that can't be assumed
            raise refusal(exc, "sts") from None
        except self._botocore.exceptions.BotoCoreError as exc:
            raise Refused("Credentials", str(exc)) from None
        except RuntimeError as exc:  # those that were renewed have expired, too
            raise Refused(EXPIRED, str(exc)) from None
        try:
            response = self._transport.post(self._signer.headers(_TARGET + operation, body, credentials), body)
        except Untrusted as exc:
            raise Refused("SSLError", str(exc)) from None
        except Broken as exc:
            raise _Again(f"no connection ({exc})") from None
        if response.checksum is not None and str(zlib.crc32(response.content)) != response.checksum:
            raise _Again("the response was damaged in transit")
        if response.status != 200:
            raise _refusal(operation, response.status, response.content)
        try:
            return read(response.content)
        except ValueError:
            raise _Again("the response is truncated") from None


def _direct(url: str, certificates: str) -> Direct:
    try:
        return Direct(url, certificates)
    except OSError as exc:
        raise InvalidRequest(
            f"The certificates in {certificates} can't be used: {exc.strerror or exc}.",
            "Correct AWS_CA_BUNDLE (or REQUESTS_CA_BUNDLE), or ca_bundle in the profile.",
        ) from None


class _Again(Exception):
    """The call may succeed later."""


def _refusal(operation: str, status: int, content: bytes) -> Exception:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = {}
    if not isinstance(answer, Mapping):
        answer = {}
    code = str(answer.get("__type", f"HTTP status {status}")).rpartition("#")[2]
    message = str(answer.get("message") or answer.get("Message") or "")
    if code in _THROTTLED:
        return _Again(f"the calls are throttled ({code})")
    if status >= 500 or status == 429:
        return _Again(f"the server failed ({code})")
    return Refused(code, message, f"dynamodb:{operation}")


def describe_failure(kind: type[Day2Error], what: str, exc: Exception) -> Day2Error:
    """The error that a user sees.

    :param what: the operation and the table.
    """
    if isinstance(exc, Exhausted):
        return kind(
            f"{what}: {exc}.",
            "Check the network, region and endpoint_url. If the table is throttled, increase its capacity or "
            "throttle_timeout. Then run again.",
        )
    hint = hint_for(exc, "this table")
    if isinstance(exc, Refused) and exc.code == "ResourceNotFoundException":
        hint = "The table does not exist (any more): check prefix, tables, region and endpoint_url."
    return kind(f"{what}: {str(exc).rstrip('.')}.", hint)
