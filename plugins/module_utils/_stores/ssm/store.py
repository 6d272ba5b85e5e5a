# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of AWS Systems Manager as a store of backups."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import urlsplit

from ..._core.collection import Collection
from ..._core.errors import InvalidRequest, SourceError
from ..._core.selection import Selection
from ..._core.units import parse_duration
from ..base import Copy, Reader, Restoration, Sink, Snapshot

if TYPE_CHECKING:
    from .client import Client
    from .parameters import Existing

FILE = "parameters.jsonl"
_JOBS = 4
_PATIENCE = "5m"


class SsmStore:
    """Collections are the types of parameters.

    `path` is an address for people, of the region or of the endpoint, with the prefix.
    """

    type = "ssm"
    local_path: Optional[str] = None

    def __init__(self, _path: str, options: Mapping[str, Any]) -> None:
        self.prefix: str = options.get("prefix") or ""
        self.secrets = bool(options.get("with_secrets"))
        self.selection = Selection({name: options.get(name) for name in ("include", "exclude")})
        self._options = options
        self.jobs: int = _JOBS if options.get("jobs") is None else options["jobs"]
        if self.jobs < 1:
            raise InvalidRequest(f"jobs is {self.jobs}; it must be at least 1.")
        self._patience = parse_duration(options.get("throttle_timeout") or _PATIENCE)
        self._client: Optional[Client] = None
        url = options.get("endpoint_url")
        region = options.get("region") or os.environ.get("AWS_DEFAULT_REGION") or options.get("profile") or "default"
        self.path = f"ssm://{urlsplit(url).netloc or url if url else region}/{self.prefix.strip('/')}"
        # By a restore: the names of what it replaces, so that only these are backed up before.
        self.replaced: Optional[frozenset[str]] = None

    def exists(self) -> bool:
        """Is there one of the parameters? Raises SourceError when they can't be listed."""
        return bool(self.described())

    def parameters(self) -> dict[str, Any]:
        return {"prefix": self.prefix, **self.selection.to_json(), "with_secrets": self.secrets}

    def fingerprint(self) -> Optional[str]:
        """None: tags and labels change without a trace in what a listing shows."""
        return None

    def snapshot(self, sink: Sink) -> Snapshot:
        described = self.described()
        if self.replaced is None:
            self.selection.check([self.short(one) for one in described], "include", "parameter")
        if not described:
            raise SourceError(
                f"{self.path}: there is no parameter{f' whose name starts with {self.prefix}' if self.prefix else ''}.",
                "Check prefix, include, region, endpoint_url and the account.",
            )
        sink.progress.start(f"Reading {len(described)} parameters", unit="bytes")
        found = self.read(described)
        after = self.described()
        digest = hashlib.sha256()
        with sink.file(FILE) as target:
            for one in found:
                line = one.parameter.to_line()
                digest.update(line)
                target.write(line)
        kinds = Counter(one.parameter.type for one in found)
        collections = tuple(Collection(kind, count) for kind, count in sorted(kinds.items()))
        moved = sorted({self.short(one) for one in _differing(described, after)})
        notes = self._notes(found, moved)
        if sink.strict and notes:
            raise SourceError(" ".join(notes), "Nothing was published. Run again, or omit strict.")
        return Snapshot(
            digest.hexdigest(), collections, {"point_in_time": not moved, "moved": moved}, None, tuple(notes)
        )

    def _notes(self, found: Sequence[Existing], moved: Sequence[str]) -> list[str]:
        notes = []
        if moved:
            notes.append(
                f"Parameters were changed while they were read: {_some(moved)}. The backup is not of a single point in "
                "time."
            )
        without = [one.parameter.name for one in found if one.parameter.value is None]
        if without:
            notes.append(f"The values of {len(without)} secrets are not in the backup: {_some(without)}.")
        return notes

    def convert(self, reader: Reader, filename: str, sink: Sink) -> Snapshot:
        raise InvalidRequest("import is not possible for a store of type ssm.", "Back up the parameters themselves.")

    def prepare(self, copy: Copy, only: Sequence[str], scratch: str, dry: bool) -> Restoration:
        from .restore import SsmRestoration  # only here: see registry.py

        return SsmRestoration(self, copy, only)

    @property
    def client(self) -> Client:
        """The connection, opened at the first use. Raises MissingDependency or InvalidRequest."""
        if self._client is None:
            from ..._core.aws import Connection  # only here: see registry.py
            from .client import Client

            connection = Connection(**{name: self._options.get(name) or None for name in Connection._fields})
            self._client = Client(connection, self._patience)
        return self._client

    def described(self) -> list[dict[str, Any]]:
        """What DescribeParameters says of the selected parameters. Raises SourceError."""
        from ..._core.aws import Exhausted, Refused  # only here: see registry.py
        from .client import failure

        try:
            found = self.client.described(self.prefix)
        except (Refused, Exhausted) as exc:
            raise failure(SourceError, f"Listing the parameters of {self.path}", exc) from None
        names = set(self.selection.of([self.short(one) for one in found]))
        if self.replaced is not None:
            names &= self.replaced
        return [one for one in found if self.short(one) in names]

    def read(self, described: Sequence[Mapping[str, Any]]) -> list[Existing]:
        """These parameters, in order of their names. Raises SourceError."""
        from .parameters import read  # only here: see registry.py

        return read(self.client, self.prefix, described, self.secrets, self.jobs)

    def short(self, described: Mapping[str, Any]) -> str:
        """The name of a parameter without the prefix."""
        name: str = described["Name"]
        return name[len(self.prefix) :]


def _differing(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What exists in another version, or only in one of two listings."""
    seen = [{one["Name"]: one["Version"] for one in listing} for listing in (before, after)]
    return [one for one in [*before, *after] if seen[0].get(one["Name"]) != seen[1].get(one["Name"])]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
