# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes parameters, and takes it back."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..._core.aws import Refused
from .client import Client
from .parameters import SECRET, Existing, Parameter

_NO_POLICIES = "[{}]"  # PutParameter removes them then


class Writer:
    """`notes` are sentences on what was written otherwise; `refused` are labels that AWS does not take."""

    def __init__(self, client: Client, prefix: str) -> None:
        self.notes: list[str] = []
        self.refused: set[str] = set()
        self._client = client
        self._foreign: set[str] = set()  # what others made when this run was about to
        self._prefix = prefix

    def write(self, wanted: Parameter, current: Optional[Existing], puts: bool, labels: Sequence[str]) -> None:
        """Bring a parameter to its state in the backup. Raises Refused or Exhausted."""
        name = self._prefix + wanted.name
        version = self._put(wanted, current) if puts or current is None else current.version
        if current is not None:
            self._tag(name, wanted.tags, current.parameter.tags)
        if labels:
            self._label(name, version, labels)

    def take_back(self, wanted: Parameter, former: Optional[Existing]) -> None:
        """Bring a parameter to the state that it had, also after a failure. Raises Refused or Exhausted."""
        name = self._prefix + wanted.name
        if former is None:
            if name in self._foreign:
                return
            with contextlib.suppress(_Gone):
                self._ask("delete_parameter", Name=name)
            return
        now = next(iter(self._client.values([name])), {})
        version = now.get("Version", former.version)
        if version != former.version:
            version = self._put(former.parameter, former)
        with contextlib.suppress(_Gone):
            self._tag(name, former.parameter.tags, self._client.tags(name))
        if version != former.version and former.parameter.labels:
            self._label(name, version, former.parameter.labels)

    def _put(self, wanted: Parameter, current: Optional[Existing]) -> int:
        """Returns the number of the version."""
        arguments: dict[str, Any] = {
            "Name": self._prefix + wanted.name,
            "Value": wanted.value,
            "Type": wanted.type,
            "Tier": wanted.tier,
            "DataType": wanted.data_type,
            "Description": wanted.description,
        }
        if wanted.type == SECRET and wanted.key_id:
            arguments["KeyId"] = wanted.key_id
        if wanted.allowed_pattern or (current is not None and current.parameter.allowed_pattern):
            arguments["AllowedPattern"] = wanted.allowed_pattern
        if wanted.policies:
            arguments["Policies"] = f"[{','.join(wanted.policies)}]"
        elif current is not None and current.parameter.policies:
            arguments["Policies"] = _NO_POLICIES
        if current is not None:
            arguments["Overwrite"] = True
        elif wanted.tags:
            arguments["Tags"] = [{"Key": key, "Value": value} for key, value in wanted.tags.items()]
        try:
            return int(self._client.ask("put_parameter", **arguments)["Version"])
        except Refused as exc:
            if exc.code == "ParameterAlreadyExists":
                self._foreign.add(arguments["Name"])
            raise

    def _tag(self, name: str, wanted: Mapping[str, str], current: Mapping[str, str]) -> None:
        surplus = sorted(set(current) - set(wanted))
        lacking = [{"Key": key, "Value": value} for key, value in wanted.items() if current.get(key) != value]
        if surplus:
            self._ask("remove_tags_from_resource", ResourceType="Parameter", ResourceId=name, TagKeys=surplus)
        if lacking:
            self._ask("add_tags_to_resource", ResourceType="Parameter", ResourceId=name, Tags=lacking)

    def _label(self, name: str, version: int, labels: Sequence[str]) -> None:
        arguments = {"Name": name, "ParameterVersion": version, "Labels": list(labels)}
        invalid = self._client.ask("label_parameter_version", **arguments).get("InvalidLabels") or ()
        if invalid:
            self.refused.update(invalid)
            self.notes.append(f"AWS rejects the labels {', '.join(sorted(invalid))} of {name}.")

    def _ask(self, operation: str, **arguments: Any) -> None:
        try:
            self._client.ask(operation, **arguments)
        except Refused as exc:
            if exc.code in ("ParameterNotFound", "InvalidResourceId"):
                raise _Gone(exc.code, exc.message) from None
            raise


class _Gone(Refused):
    """The parameter does not exist (any more)."""
