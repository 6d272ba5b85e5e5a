# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of DynamoDB and parameters of AWS Systems Manager for drills, under a prefix of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..._core.errors import InvalidRequest, TargetError
from ..._repository.manifest import SourcePart
from ..._stores.dynamodb.backup.options import OPTIONS as OF_DYNAMODB
from ..._stores.dynamodb.backup.options import RESTORE_OPTIONS
from ..._stores.registry import open_store
from ..._stores.ssm.options import OPTIONS as OF_SSM
from ..snapshots import NamedStore
from . import notes

DYNAMODB, SSM = "dynamodb", "ssm"
NATIVE = "native"  # the method of backups that AWS keeps
# What would name what exists, or is for backups.
_OTHERS = {"prefix", "tables", "include", "exclude", "with_secrets", "method", "recovery_period", "export_to"}
_OTHERS |= {"full_every", "read_twice"}
OPTIONS: dict[str, Any] = {
    **{name: one for name, one in {**OF_DYNAMODB, **OF_SSM}.items() if name not in _OTHERS},
    "s3_endpoint_url": {"type": "str"},
    "overrides": RESTORE_OPTIONS["overrides"],
}


class Prefixed(NamedTuple):
    """A store under a new prefix, which begins with the name that is noted."""

    name: str
    prefix: str
    entry: NamedStore
    account: str  # as it was given: what one account has, another one can neither see nor remove


def prefixed(part: SourcePart, given: Mapping[str, Any]) -> Prefixed:
    """A store with a new prefix for the part of a backup. Raises InvalidRequest.

    :param given: the options of the server.
    """
    if given.get("overrides") and part.parameters.get("method") != NATIVE:
        raise InvalidRequest(
            f"overrides of targets are only possible for a backup that was made with method={NATIVE}.", "Omit them."
        )
    name = notes.new_name()
    options = {key: value for key, value in given.items() if value is not None and key != "name"}
    options["export_to"] = {"endpoint_url": options.pop("s3_endpoint_url", None)}
    if part.type == DYNAMODB:
        prefix = f"{name}_"
    else:
        del options["export_to"]
        # names are hierarchies: each step of the path must have a name
        prefix = f"/{name}/" if str(part.parameters.get("prefix") or "").endswith("/") else f"/{name}"
        options["with_secrets"] = part.parameters.get("with_secrets")
    store = open_store({**options, "prefix": prefix})
    account = str(options.get("access_key_id") or options.get("profile") or "")
    return Prefixed(name, prefix, NamedStore(part.name, store, store.path), account)


def thing_of(one: Prefixed) -> notes.Thing:
    """How it is removed."""
    store: Any = one.entry.store
    server = store.path.rpartition("/")[0] + (f" as {one.account}" if one.account else "")
    if store.type == DYNAMODB:
        return notes.Thing(DYNAMODB, server, one.name, "The tables of", _Tables(store).exist, _Tables(store).remove)
    return notes.Thing(SSM, server, one.name, "The parameters of", _Parameters(store).exist, _Parameters(store).remove)


class _Tables:
    def __init__(self, store: Any) -> None:
        self._store = store

    def exist(self, name: str) -> bool:
        return bool(self._names(name))

    def remove(self, name: str) -> bool:
        from ..._stores.dynamodb.backup.settings import unprotect  # only here: see _stores/registry.py
        from ..._stores.dynamodb.tables import drop_table, find_table

        found, making = self._names(name), []
        for table in found:
            existing = find_table(self._store.client, table, TargetError)
            if existing is not None and existing.status == "CREATING":
                making.append(table)
                continue
            if existing is not None and existing.described.get("DeletionProtectionEnabled"):
                unprotect(self._store.client, table)
            drop_table(self._store.client, table)
        for table in making:  # last, as AWS removes none that it is making, which can take hours
            drop_table(self._store.client, table)
        return bool(found)

    def _names(self, name: str) -> list[str]:
        from ..._stores.dynamodb.tables import table_names  # only here: see _stores/registry.py

        return table_names(self._store.client, f"{name}_")


class _Parameters:
    def __init__(self, store: Any) -> None:
        self._store = store

    def exist(self, name: str) -> bool:
        return bool(self._names(name))

    def remove(self, name: str) -> bool:
        from ..._core.aws import Exhausted, Refused  # only here: see _stores/registry.py
        from ..._stores.ssm.client import failure

        found = self._names(name)
        for one in found:
            try:
                self._store.client.ask("delete_parameter", Name=one)
            except (Refused, Exhausted) as exc:
                if getattr(exc, "code", "") != "ParameterNotFound":
                    raise failure(TargetError, f"Removing the parameter {one}", exc) from None
        return bool(found)

    def _names(self, name: str) -> list[str]:
        from ..._core.aws import Exhausted, Refused  # only here: see _stores/registry.py
        from ..._stores.ssm.client import failure

        try:
            return [str(one["Name"]) for one in self._store.client.described(f"/{name}")]
        except (Refused, Exhausted) as exc:
            raise failure(TargetError, f"Listing the parameters of /{name}", exc) from None
