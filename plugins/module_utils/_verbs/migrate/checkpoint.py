# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checkpoint of a migration: for each collection, whose rows are being written to it, and the progress.

The target commits it together with the rows. It is compared collection by collection, regardless of the selection, so
that a run for some collections leaves the others to be continued. Rows of two migrations cannot be distinguished once
they are in one table: another source, mode or shape is refused, unless everything existing is to be replaced anyway.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.errors import TargetError
from ..._core.units import plural
from ..._stores.records.model import Info

VERSION = 1
NEW, RESUME, RESTART, REFUSE = "new", "resume", "restart", "refuse"
# How a collection gets back to what it was, where no backup has it.
CREATED, EMPTY, DECLINED = "created", "empty", "declined"
# Options that decide what rows a collection has.
_DECIDING = ("shape", "timezone", "odd", "names")


class Identity(NamedTuple):
    """The identity of the migration of one collection."""

    source: str
    mode: str
    shape: str


class State(NamedTuple):
    """The progress of a collection.

    `origin`: the source, for messages. `source`, `records`: digest and number of its records. `digest`: the sum of the
    digests of rejects. `fresh`: the collection was empty. `created`: the migration has created it. `removed`: the
    number of records of the target that were removed since the migration began, in all runs; `earlier`: before it was
    restarted. `planned`: what the first plan has counted. `way`: the backup with the previous state of the collection,
    or why there is none. `was`: the digest of the document's member with this name until it is replaced.
    """

    identity: Identity
    origin: str
    source: str
    records: int
    done: int
    rejected: int
    digest: str
    fresh: bool
    created: bool
    removed: int
    planned: tuple[int, int, int, int, int]
    way: str
    was: str = ""
    earlier: int = 0

    def document(self) -> dict[str, Any]:
        """The JSON value that the target stores."""
        return {**self._asdict(), "identity": list(self.identity), "planned": list(self.planned), "version": VERSION}


def identity_of(params: Mapping[str, Any], source: str, info: Info) -> Identity:
    """The identity of a migration with these arguments, for a collection with its final key."""
    deciding: dict[str, Any] = {name: params.get(name) for name in _DECIDING}
    deciding["key"] = list(info.key)
    types = params.get("types") or {}
    deciding["types"] = {name: types[name] for name in types if name.rpartition(".")[0] == info.name}
    for option in ("values", "bytes"):
        deciding[option] = [(params.get(side) or {}).get(option) for side in ("source", "target")]
    text = json.dumps(deciding, sort_keys=True, default=str)
    return Identity(source, params["on_existing"], hashlib.sha256(text.encode()).hexdigest()[:16])


def states_of(location: str, documents: Mapping[str, Any]) -> dict[str, State]:
    """The stored states, by collection.

    :raises TargetError: a newer version of the collection has written one.
    """
    states = {}
    for name, document in documents.items():
        if document.get("version") != VERSION:
            raise TargetError(
                f"{location}: the checkpoint of {name} has version {document.get('version')}, but this "
                f"collection supports {VERSION}.",
                "Another version of day2.ops has started this migration: complete it with that version.",
            )
        fields = {field: document[field] for field in State._fields}
        states[name] = State(
            **{**fields, "identity": Identity(*document["identity"]), "planned": tuple(document["planned"])}
        )
    return states


def judge(found: Optional[State], wanted: Identity, source: tuple[str, int], *, restart: bool, atomic: bool) -> str:
    """Decide how a collection is continued.

    :param source: digest and number of the records of the source.
    :param restart: discard an unfinished migration of another kind.
    :param atomic: the target shows nothing of an unfinished migration.
    """
    if found is None:
        return NEW
    if found.identity == wanted:
        if (found.source, found.records) == source:
            return RESUME
        return NEW if atomic else RESTART
    if not restart:
        return REFUSE
    if atomic:
        return NEW
    return RESTART if wanted.mode == "replace" else REFUSE


def check_unfinished(
    location: str, states: Mapping[str, State], wanted: Mapping[str, Identity], *, restart: bool, atomic: bool
) -> None:
    """Check for unfinished migrations.

    :raises TargetError: one of another kind is in the way.
    """
    refused = {
        name: states[name]
        for name, identity in wanted.items()
        # what the source holds decides between going on and starting over, never about a refusal
        if judge(states.get(name), identity, ("", 0), restart=restart, atomic=atomic) == REFUSE
    }
    if refused:
        raise TargetError(
            f"{location} contains an unfinished migration with other options: {_listed(refused)}.",
            "Run that migration again to complete it, revert it with state=reverted, or set unfinished=restart "
            "with on_existing=replace to discard it.",
            {"unfinished": {name: state.identity._asdict() for name, state in refused.items()}},
        )


def _listed(states: Mapping[str, State]) -> str:
    lines: Sequence[str] = [
        f"{name} from {one.origin} (on_existing={one.identity.mode}), {one.done} of {plural(one.records, 'record')}"
        for name, one in states.items()
    ]
    return "; ".join(lines)
