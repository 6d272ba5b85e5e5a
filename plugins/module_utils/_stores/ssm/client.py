# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls to the parameter store: repeated while it throttles, page by page, several at a time."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..._core.aws import Connection, Exhausted, Refused, Service, hint_for
from ..._core.errors import Day2Error

_THROTTLED = ("ThrottlingException", "TooManyUpdates", "RequestLimitExceeded", "Throttling", "InternalServerError")
_SHORTEST, _LONGEST = 0.1, 10.0
_READABLE = 50  # parameters that DescribeParameters returns at most
_NAMED = 10  # that GetParameters takes at most
HISTORY = 100  # versions that AWS keeps


class Client:
    """Thread-safe.

    :param patience: seconds for which a throttled call is repeated.
    """

    def __init__(self, connection: Connection, patience: float) -> None:
        self._service = Service("ssm", "SSM", connection, {"mode": "standard", "total_max_attempts": 4})
        self._patience = patience

    def ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Make a call, repeatedly while it is throttled. Raises Refused or Exhausted."""
        until = time.monotonic() + self._patience
        delay = _SHORTEST
        while True:
            try:
                return self._service.ask(operation, **arguments)
            except Refused as exc:
                if exc.code not in _THROTTLED:
                    raise
                if time.monotonic() > until:
                    raise Exhausted(f"the calls are throttled ({exc.code}), for {self._patience:.0f} s") from None
            time.sleep(random.uniform(delay / 2, delay))  # noqa: S311 - nothing secret
            delay = min(delay * 2, _LONGEST)

    def pages(self, operation: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """The responses to a call, page by page."""
        while True:
            answer = self.ask(operation, **arguments)
            yield answer
            if not answer.get("NextToken"):
                return
            arguments["NextToken"] = answer["NextToken"]

    def described(self, prefix: str) -> list[dict[str, Any]]:
        """What DescribeParameters says of the parameters whose names start with the prefix, in order of their names."""
        arguments: dict[str, Any] = {"MaxResults": _READABLE}
        if prefix:
            arguments["ParameterFilters"] = [{"Key": "Name", "Option": "BeginsWith", "Values": [prefix]}]
        found = [one for page in self.pages("describe_parameters", **arguments) for one in page["Parameters"]]
        return sorted((one for one in found if one["Name"].startswith(prefix)), key=lambda one: str(one["Name"]))

    def values(self, names: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """What GetParameters says of these; those that were removed are missing."""
        for first in range(0, len(names), _NAMED):
            yield from self.ask("get_parameters", Names=names[first : first + _NAMED], WithDecryption=True)[
                "Parameters"
            ]

    def history(self, name: str) -> list[dict[str, Any]]:
        """All versions of a parameter that AWS keeps, without what is encrypted."""
        return [one for page in self.pages("get_parameter_history", Name=name) for one in page["Parameters"]]

    def tags(self, name: str) -> dict[str, str]:
        """The tags of a parameter, apart from those of AWS."""
        answer = self.ask("list_tags_for_resource", ResourceType="Parameter", ResourceId=name)
        return {one["Key"]: one["Value"] for one in answer["TagList"] if not one["Key"].startswith("aws:")}


def failure(kind: type[Day2Error], what: str, exc: Exception) -> Day2Error:
    """The error that a user sees.

    :param what: the operation and the parameter.
    """
    hint = hint_for(exc, "these parameters")
    if isinstance(exc, Exhausted):
        hint = "Check the network, region and endpoint_url. If the calls are throttled, reduce jobs. Then run again."
    return kind(f"{what}: {str(exc).rstrip('.')}.", hint)
