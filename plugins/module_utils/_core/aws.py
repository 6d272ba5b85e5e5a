# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of AWS: botocore determines the region, the endpoint and the credentials."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

from .errors import InvalidRequest, MissingDependency, TaskEnded
from .s3_options import check_characters

EXPIRED = "ExpiredToken"
_UNKNOWN = re.compile(r"Unknown parameter in \w+: \"(\w+)\"")  # as botocore says it


class Connection(NamedTuple):
    """How to reach AWS. Values that are None are determined as by boto3."""

    region: Optional[str] = None
    endpoint_url: Optional[str] = None
    profile: Optional[str] = None
    access_key_id: Optional[str] = None
    secret_access_key: Optional[str] = None
    session_token: Optional[str] = None


class Refused(Exception):
    """The server refuses a request. `code` is the name of its error, `action` what policies call the request."""

    def __init__(self, code: str, message: str, action: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.action = action


class Exhausted(Exception):
    """The server did not complete a call in time: it throttles, fails or cannot be reached."""


def pass_on_ends(client: Any) -> None:
    """Have a client of botocore raise what ends the task. By itself, it takes what a signal has raised for an error of
    the connection, and makes the request again."""
    client.meta.events.register_first("needs-retry", raise_end)


def raise_end(caught_exception: Optional[BaseException] = None, **_more: Any) -> None:
    """Raise what ends the task, if an error of botocore was made of it. For its event, too."""
    error = getattr(caught_exception, "kwargs", {}).get("error", caught_exception)
    if isinstance(error, TaskEnded):
        raise error


def _newer(operation: str, argument: str) -> MissingDependency:
    what = f"for {argument} of {operation}"
    return MissingDependency("A newer boto3", what, "Install it with: pip install --upgrade boto3")


class Service:
    """A client of one service, for rare calls.

    :param name: as boto3 calls it.
    :param shown: for people.
    :param retries: how botocore repeats calls.
    :raises MissingDependency: boto3 is not installed.
    :raises InvalidRequest: there is no region, or there are no credentials.
    """

    def __init__(self, name: str, shown: str, connection: Connection, retries: dict[str, Any]) -> None:
        try:
            import botocore.config
            import botocore.exceptions
            import botocore.session
        except ImportError:
            raise MissingDependency("boto3", f"for {shown}", "Install it with: pip install boto3") from None
        self._exceptions: Any = botocore.exceptions
        if bool(connection.access_key_id) != bool(connection.secret_access_key):
            raise InvalidRequest("access_key_id and secret_access_key must be set together.")
        check_characters(connection._asdict())
        try:
            self.session: Any = botocore.session.Session(profile=connection.profile)
            if connection.access_key_id:
                self.session.set_credentials(
                    connection.access_key_id, connection.secret_access_key, connection.session_token
                )
            region = connection.region or self.session.get_config_variable("region")
            if not region:  # of an empty one, botocore makes the address dynamodb..amazonaws.com
                raise botocore.exceptions.NoRegionError
            self.client: Any = self.session.create_client(
                name,
                region_name=region,
                endpoint_url=connection.endpoint_url,
                config=botocore.config.Config(connect_timeout=10, read_timeout=60, retries=retries),
            )
            pass_on_ends(self.client)
            self.credentials: Any = self.session.get_credentials()
        except botocore.exceptions.NoRegionError:
            raise InvalidRequest(
                f"The AWS region for {shown} is not set.",
                "Set region, or AWS_DEFAULT_REGION in the environment of the task, or region in the profile.",
            ) from None
        except (botocore.exceptions.BotoCoreError, ValueError) as exc:
            raise InvalidRequest(f"{shown} can't be used: {exc}.", _CREDENTIALS_HINT) from None
        if self.credentials is None:
            raise InvalidRequest(f"No credentials for {shown} were found.", _CREDENTIALS_HINT)
        self.url: str = self.client.meta.endpoint_url
        self.region: str = self.client.meta.region_name

    def close(self) -> None:
        """Close its connections."""
        if hasattr(self.client, "close"):  # not in the boto3 of Debian 11
            self.client.close()

    def ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Make a call.

        :raises Refused: the server refuses it.
        :raises Exhausted: the server cannot be reached.
        :raises MissingDependency: this boto3 does not know an argument.
        """
        try:
            answer: dict[str, Any] = getattr(self.client, operation)(**arguments)
            return answer
        except self._exceptions.ClientError as exc:
            raise refusal(exc, self.client.meta.service_model.signing_name) from None
        except self._exceptions.BotoCoreError as exc:
            raise_end(exc)
            if unknown := _UNKNOWN.search(str(exc)):
                raise _newer(operation, unknown[1]) from None
            raise Exhausted(str(exc)) from None
        except RuntimeError as exc:  # credentials that were renewed have expired, too
            raise Refused(EXPIRED, str(exc)) from None

    def check_knows(self, operation: str, argument: str) -> None:
        """Raise MissingDependency when this boto3 does not know an argument."""
        model = self.client.meta.service_model.operation_model(self.client.meta.method_to_api_mapping[operation])
        if argument not in model.input_shape.members:
            raise _newer(operation, argument)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Around reading the body of an answer. Raises Exhausted when it ends too early."""
        try:
            yield
        except self._exceptions.BotoCoreError as exc:
            raise_end(exc)
            raise Exhausted(str(exc)) from None


def refusal(exc: Any, service: str) -> Refused:
    """What a ClientError of botocore says.

    :param service: its name in policies.
    """
    error = exc.response.get("Error", {})
    return Refused(error.get("Code", "Error"), error.get("Message", ""), f"{service}:{exc.operation_name}")


_CREDENTIALS_HINT = (
    "Set access_key_id, secret_access_key and region, or a profile, or use another source of boto3: "
    "AWS_ACCESS_KEY_ID, AWS_PROFILE, ~/.aws/credentials, the role of the instance."
)


def hint_for(exc: Exception, what: str) -> str:
    """What to do about a refusal that is not about the data; "" for others.

    :param what: what the permissions are needed for.
    """
    if not isinstance(exc, Refused):
        return ""
    if exc.code in ("AccessDeniedException", "AccessDenied"):
        # Another action than that of the call, if the permission on a key is missing.
        named = re.search(r"not authorized to perform: (\S+)", exc.message)
        return f"Allow these credentials the action {named[1] if named else exc.action} on {what}."
    if "Signature expired" in exc.message or "not yet current" in exc.message:
        return "The clock of this host is wrong: set it and run again."
    if exc.code in ("UnrecognizedClientException", "InvalidSignatureException", "IncompleteSignatureException"):
        return f"Check the credentials, and that they are those of the account and the region of {what}."
    if exc.code in ("ExpiredTokenException", EXPIRED):
        return "The credentials have expired: renew them and run again."
    return ""
