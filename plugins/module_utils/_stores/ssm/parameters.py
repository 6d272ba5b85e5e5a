# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A parameter as a backup has it, and reading them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Optional

from ..._core.aws import Exhausted, Refused
from ..._core.errors import SourceError
from .client import Client, failure

SECRET = "SecureString"  # noqa: S105 - a type


class Parameter(NamedTuple):
    """`name` is without the prefix of the store. `value` is None of a secret that is not to be read."""

    name: str
    type: str
    value: Optional[str]
    tier: str
    data_type: str
    description: str
    key_id: str
    allowed_pattern: str
    policies: tuple[str, ...]
    tags: Mapping[str, str]
    labels: tuple[str, ...]

    def to_line(self) -> bytes:
        """A line of a backup."""
        return json.dumps(self._asdict(), sort_keys=True).encode() + b"\n"

    @property
    def written(self) -> tuple[Any, ...]:
        """What PutParameter sets."""
        return self._replace(name="", tags={}, labels=())


class Existing(NamedTuple):
    """A parameter in AWS. `labels` are those of its other versions; `full` says that it can have no more versions."""

    parameter: Parameter
    version: int
    other_labels: frozenset[str]
    full: bool


def from_line(line: bytes) -> Parameter:
    """Of a backup."""
    found = json.loads(line)
    return Parameter(**{**found, "policies": tuple(found["policies"]), "labels": tuple(found["labels"])})


def read(
    client: Client, prefix: str, described: Sequence[Mapping[str, Any]], secrets: bool, jobs: int
) -> list[Existing]:
    """The parameters that `Client.described` has found; without those that were removed meanwhile.

    :param secrets: with their values.
    :raises SourceError: one can't be read.
    """
    names = [one["Name"] for one in described if secrets or one["Type"] != SECRET]
    groups = [names[first : first + 10] for first in range(0, len(names), 10)]
    what = "Reading the parameters of SSM"
    try:
        with ThreadPoolExecutor(jobs) as pool:
            got = {
                one["Name"]: one for some in pool.map(lambda group: list(client.values(group)), groups) for one in some
            }
            found = list(pool.map(lambda one: _read(client, prefix, one, got), described))
    except (Refused, Exhausted) as exc:
        raise failure(SourceError, what, exc) from None
    return [one for one in found if one is not None]


def _read(
    client: Client, prefix: str, described: Mapping[str, Any], got: Mapping[str, Mapping[str, Any]]
) -> Optional[Existing]:
    name = described["Name"]
    value = got.get(name)
    try:
        history = client.history(name)
        tags = client.tags(name)
    except Refused as exc:
        if exc.code in ("ParameterNotFound", "InvalidResourceId"):
            return None
        raise
    version = value["Version"] if value else described["Version"]
    current = next((one for one in history if one["Version"] == version), {})
    parameter = Parameter(
        name=name[len(prefix) :],
        type=described["Type"],
        value=value["Value"] if value else None,
        tier=described.get("Tier") or "Standard",
        data_type=described.get("DataType") or "text",
        description=described.get("Description") or "",
        key_id=(described.get("KeyId") or "") if described["Type"] == SECRET else "",
        allowed_pattern=described.get("AllowedPattern") or "",
        policies=tuple(sorted(one["PolicyText"] for one in described.get("Policies") or ())),
        tags=tags,
        labels=tuple(sorted(current.get("Labels") or ())),
    )
    others = {label for one in history if one is not current for label in one.get("Labels") or ()}
    oldest = min(history, key=lambda one: int(one["Version"]), default={})
    full = len(history) >= 100 and bool(oldest.get("Labels"))
    return Existing(parameter, version, frozenset(others), full)
