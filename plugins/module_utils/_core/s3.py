# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access to S3, or to a server that speaks its protocol: the options, the client, and what its errors mean."""

from __future__ import annotations

import contextlib
import functools
import gc
import random
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any, Callable, NamedTuple, Optional

from .aws import pass_on_ends
from .errors import InvalidRequest, MissingDependency, RepositoryError
from .pace import Pace, PacedBody
from .progress import waiting
from .s3_options import ADDRESS, check, sent_with_objects
from .s3_signed import Answer, asked, signed
from .units import format_duration, parse_duration


def failures() -> tuple[type[Exception], ...]:
    """The exceptions of requests. Call it only where one was raised: until then, boto3 may not be needed."""
    from botocore.exceptions import BotoCoreError, ClientError
    from urllib3.exceptions import HTTPError

    return (BotoCoreError, ClientError, HTTPError)  # botocore wraps most of the last


def cuts() -> tuple[type[Exception], ...]:
    """What reading an answer raises when the connection is cut."""
    from botocore.exceptions import BotoCoreError
    from urllib3.exceptions import HTTPError

    return (BotoCoreError, HTTPError, OSError)


MISSING = ("404", "NoSuchKey", "NotFound", "NoSuchVersion")
TAKEN = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409")
READ_TIMEOUT = 60.0  # seconds
_UNKNOWN = ("NotImplemented", "501")
_FULL = ("QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507", "StorageFull")
_BUSY = ("SlowDown", "503", "429", "ServiceUnavailable", "TooManyRequests", "RequestLimitExceeded", "Throttling")
_BUSY_STATUS = (429, 503)
_PATIENCE = "5m"
_LONGEST_PAUSE = 20.0  # seconds
_ERROR = re.compile(rb"\s*(<\?xml[^>]*>)?\s*<Error[\s>]")
_REGION = ("PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")


class Explained(NamedTuple):
    """An error of a request: what happened, as the end of a sentence that ends with ":", and what to do."""

    text: str
    hint: str = ""
    full: bool = False  # there is no space
    passing: bool = False  # the connection has failed: one more try may succeed
    code: str = ""


class S3Client:
    """A boto3 client, and what is to be sent with each object.

    :param address: s3://bucket/prefix
    :param options: see s3_options.py; what is None is found by boto3 in the usual ways (environment, ~/.aws, the role
        of the instance).
    :param purpose: ends the message of MissingDependency: "for a destination in S3".
    :raises InvalidRequest: the address names no bucket, or options do not go together.
    :raises MissingDependency: boto3 is not installed.
    """

    def __init__(self, address: str, options: Mapping[str, Any], purpose: str, tries: int = 3) -> None:
        options = {name: value or None for name, value in options.items()}
        check(options)
        if find_spec("boto3") is None:
            raise MissingDependency("boto3", purpose)
        self.bucket, _slash, prefix = address[len(ADDRESS) :].partition("/")
        if not self.bucket:
            raise InvalidRequest(f"{address} has no bucket.", "Write s3://bucket/prefix.")
        self.prefix = prefix.strip("/")
        self.tries = tries
        self.patience = parse_duration(options.get("throttle_timeout") or _PATIENCE)
        self._began = time.monotonic()
        self._used = False  # some request has succeeded
        self.endpoint = options.get("endpoint_url") or ""
        self.extra = sent_with_objects(options)
        self.pace: Optional[Pace] = None  # if it is set, bodies of requests keep to it
        self.conditions = True
        self._only_new = threading.local()
        self._address, self._options, self._purpose = address, options, purpose
        self._signed = signed(self.bucket, options)
        if self._signed is None:
            self.api  # noqa: B018  # whether the options can be used is to be known before anything is done

    @functools.cached_property
    def api(self) -> Any:
        """The client of boto3, which takes long to make."""
        options = self._options
        with usable_options(self._address), without_garbage():
            try:
                import boto3
            except ImportError:
                raise MissingDependency("boto3", self._purpose) from None
            session = boto3.session.Session(
                aws_access_key_id=options.get("access_key_id"),
                aws_secret_access_key=options.get("secret_access_key"),
                aws_session_token=options.get("session_token"),
                region_name=options.get("region"),
                profile_name=options.get("profile"),
            )
            api: Any = session.client(
                "s3",
                # without a region, botocore takes this one; of an empty one, it makes the address s3..amazonaws.com
                region_name="us-east-1" if session.region_name == "" else None,
                endpoint_url=options.get("endpoint_url"),
                verify=options.get("ca_bundle"),
                config=_config(options.get("addressing"), self.tries, signed=self.endpoint.startswith("http:")),
            )
        api.meta.events.register_first("request-created.s3", PacedBody.note_preparing)
        api.meta.events.register_last("request-created.s3", PacedBody.note_sending)
        api.meta.events.register_first("needs-retry.s3", _refuse_error_with_status_of_success)
        api.meta.events.register_first("needs-retry.s3", self._wait_while_busy)
        pass_on_ends(api)
        for call in ("PutObject", "CompleteMultipartUpload"):
            api.meta.events.register(f"before-call.s3.{call}", self._add_condition)
        return api

    def ask(self, operation: str, key: str = "", body: bytes = b"", **query: str) -> Optional[Answer]:
        """Make a small request without boto3. None: that is not possible, or has failed for a reason that may pass.

        Raises what boto3 would for what the server refuses, but for what is missing.
        """
        client = self._signed  # another thread may find that it is of no use
        if client is None or "api" in self.__dict__:
            return None
        headers = {"if-none-match": "*"} if operation == "PutObject" and self._creates() else {}
        answer = asked(client, operation, key, body, query=query, headers=headers)
        if answer is None:
            self._signed = None
        else:
            self._used = self._used or answer.status < 300
        return answer

    def _wait_while_busy(self, response: Any, attempts: int, request_dict: dict[str, Any], **_more: Any) -> Any:
        """How long to wait until a request is repeated that the server was too busy for; None: boto3 decides."""
        status = response[0].status_code if response is not None else 0
        if status not in _BUSY_STATUS:
            self._used = self._used or 0 < status < 300
            return None
        context, now = request_dict["context"], time.monotonic()
        pause = random.uniform(0.5, 1) * min(_LONGEST_PAUSE, 2.0 ** (attempts - 1))  # noqa: S311
        if now + pause - context.setdefault("day2_busy_since", now) > self.patience:
            return None
        waiting("the server is throttling requests")
        return pause

    @property
    def age(self) -> Optional[float]:
        """For how many seconds its credentials have been used; None: they were never valid."""
        return time.monotonic() - self._began if self._used else None

    def body(self, data: Any, check: Callable[[], None]) -> Any:
        """What to give to a request as the body, for bytes.

        :param check: is called now and then where there is a pace. If it raises, the request ends.
        """
        return data if self.pace is None else PacedBody(data, self.pace, check)

    def _creates(self) -> bool:
        """Whether this thread's requests are to be refused where the object exists."""
        return self.conditions and getattr(self._only_new, "wanted", False)

    def _add_condition(self, params: dict[str, Any], **_more: Any) -> None:
        if self._creates():
            # a header, as older releases of boto3 have no argument for it
            params["headers"]["If-None-Match"] = "*"

    @contextlib.contextmanager
    def only_new(self) -> Iterator[None]:
        """In the block, this thread's requests ask the server to refuse what exists."""
        self._only_new.wanted = True
        try:
            yield
        finally:
            self._only_new.wanted = False

    def create(self, put: Any, insist: bool = False) -> bool:
        """Run a request that creates an object. False: the server refused it, as the object exists.

        For a server without conditions, further requests omit them (`conditions`).

        :param insist: raise RepositoryError instead: the object may be another run's.
        """
        if insist and not self.conditions:
            raise self._not_exclusive()
        try:
            with self.only_new():
                put()
        except failures() as exc:
            code = code_of(exc)
            if code in TAKEN:
                return False
            if code not in _UNKNOWN or not self.conditions:
                raise
            if insist:
                raise self._not_exclusive() from exc
            self.conditions = False
            put()
        return True

    def _not_exclusive(self) -> RepositoryError:
        return RepositoryError(
            f"s3://{self.bucket} can't be written to: its server does not support conditional writes.",
            "Two runs could overwrite each other's objects. Correct endpoint_url in s3, or use another server.",
        )


def _refuse_error_with_status_of_success(response: Any, operation: Any, **_more: Any) -> None:
    """Make an error of an answer with status 200 that has one as its content, as releases of boto3 since 2024 do.

    Older ones find no member of a listing in it: an empty one. For the event needs-retry.
    """
    if response is None or operation.has_streaming_output:
        return
    answer, parsed = response
    if answer.status_code == 200 and _ERROR.match(answer.content):
        answer.status_code = 500
        parsed["Error"] = Answer(500, {}, answer.content).error


def _config(addressing: Optional[str], tries: int, *, signed: bool) -> Any:
    """
    :param signed: whether bodies are part of the signature. In TLS, that would only be a second check of the same.
    """
    more: dict[str, Any] = {}
    import boto3
    from botocore.config import Config

    if tuple(int(part) for part in boto3.__version__.split(".")[:2]) >= (1, 36):
        # checksums that newer releases add by themselves are refused by some servers
        more = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
    return Config(
        retries={"mode": "standard", "total_max_attempts": tries},
        connect_timeout=10,
        read_timeout=READ_TIMEOUT,
        max_pool_connections=12,
        s3={"payload_signing_enabled": signed, **({"addressing_style": addressing} if addressing else {})},
        **more,
    )


@contextlib.contextmanager
def without_garbage() -> Iterator[None]:
    """boto3 makes very many objects that all stay. Looking for garbage among them takes a tenth of the time."""
    if "boto3" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def usable_options(address: str) -> Iterator[None]:
    """Turn what boto3 says of options into an InvalidRequest."""
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except (BotoCoreError, ValueError) as exc:  # ValueError: an address that is none
        raise InvalidRequest(f"The options for {address} can't be used: {exc}.") from exc


def code_of(exc: Exception) -> str:
    """The code that the server gave; "" when it gave none."""
    answer = getattr(exc, "response", None) or {}  # None: the connection was cut
    return str(answer.get("Error", {}).get("Code", ""))


def explain(exc: Exception, client: S3Client) -> Explained:
    """What an error of a request means."""
    from botocore.exceptions import (
        ClientError,
        ConnectTimeoutError,
        EndpointConnectionError,
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
        ReadTimeoutError,
        SSLError,
    )
    from urllib3.exceptions import HTTPError

    if isinstance(exc, ClientError):
        return _explain_answer(exc, client)
    where = client.endpoint or "S3"
    if isinstance(exc, SSLError):
        return Explained(
            f"the TLS connection to {where} failed ({_reason(exc)})",
            "Set ca_bundle in s3 to the CA certificate of the server, or correct endpoint_url.",
        )
    if isinstance(exc, (NoCredentialsError, PartialCredentialsError)):
        return Explained(
            "the credentials are incomplete",
            "Set access_key_id and secret_access_key (or profile) in s3, or give the host a role.",
        )
    if isinstance(exc, (EndpointConnectionError, ConnectTimeoutError)):
        return Explained(
            f"{where} can't be reached ({_reason(exc)})", "Check endpoint_url in s3 and the network.", passing=True
        )
    if isinstance(exc, ReadTimeoutError):
        return Explained(
            f"{where} did not answer within {READ_TIMEOUT:g} s, {client.tries} times",
            "Check whether its storage is full.",
            passing=True,
        )
    if isinstance(exc, (HTTPClientError, HTTPError)):
        return Explained(f"the connection to {where} was cut ({_reason(exc)})", "Run again.", passing=True)
    return Explained(str(exc).rstrip("."))


def _reason(exc: Exception) -> str:
    inner = getattr(exc, "kwargs", {}).get("error") or exc
    told = str(getattr(inner, "reason", None) or inner)
    return re.sub(r"^<[^>]*>: ", "", told).rstrip(".")  # an object of the library


def _explain_answer(exc: Any, client: S3Client) -> Explained:
    code = code_of(exc)
    error = exc.response.get("Error", {})
    headers = exc.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    known = {
        "NoSuchBucket": ("the bucket does not exist", "Create it, or correct the name: buckets are not created here."),
        "InvalidAccessKeyId": ("the server does not know the access key", "Correct access_key_id in s3."),
        "SignatureDoesNotMatch": ("the secret access key is wrong", "Correct secret_access_key in s3."),
        "ExpiredToken": ("the session token has expired", "Get new credentials and run again."),
        "InvalidToken": ("the session token is not valid", "Get new credentials and run again."),
        "RequestTimeTooSkewed": (
            f"the clock of this host differs too much from the server's ({headers.get('date', 'time unknown')})",
            "Correct the clock of the host.",
        ),
    }
    if code == "ExpiredToken" and client.age is not None:
        used = format_duration(client.age)
        hint = "Get new credentials that are valid for longer than a run, and run again."
        return Explained(f"the session token expired {used} after this run began to use it", hint, code=code)
    if code in known:
        return Explained(*known[code], code=code)
    if code in _FULL:
        return Explained("there is no space left (quota)", "Free some space, or raise the quota.", full=True, code=code)
    if code in _BUSY:
        return Explained(
            "the server has been throttling requests for longer than throttle_timeout "
            f"({format_duration(client.patience)})",
            "Run again later, or increase throttle_timeout in s3.",
            code=code,
        )
    if code in _REGION:
        region = error.get("Region") or headers.get("x-amz-bucket-region")
        hint = f"Set region in s3 to {region}." if region else "Correct region in s3."
        return Explained("the bucket is in another region", hint, code=code)
    if code in ("AccessDenied", "403", "AllAccessDisabled"):
        action = _PERMISSIONS.get(exc.operation_name, exc.operation_name)
        of_objects = re.match("(Get|Put|Delete)Object|AbortMultipart", action)
        below = f"/{client.prefix}/*".replace("//", "/") if of_objects else ""
        return Explained(
            f"access was denied to {exc.operation_name}",
            f"Allow the key s3:{action} on {client.bucket}{below}.",
            code=code,
        )
    message = str(error.get("Message") or "").rstrip(".")
    return Explained(f"{exc.operation_name} was refused ({code}{': ' * bool(message)}{message})", code=code)


_PERMISSIONS = {
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "DeleteObjects": "DeleteObject",
}
