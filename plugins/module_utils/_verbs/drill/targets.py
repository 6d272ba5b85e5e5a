# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each part of a backup is restored to in a drill: places that did not exist before it, and that only it uses."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.errors import InvalidRequest
from ..._repository.manifest import Manifest, SourcePart, check_set_name
from ..._stores.registry import has_path, open_store
from ..snapshots import NamedStore
from . import databases, prefixes
from .databases import Database, databases_of, dsn
from .notes import Thing
from .prefixes import DYNAMODB, SSM, prefixed
from .probe import Locations
from .unpacked import Unpacked

_DATABASES, _COMMAND = "postgresql", "command"
ARGUMENTS: dict[str, Any] = {
    "type": {"type": "str", "required": True, "choices": [DYNAMODB, _DATABASES, SSM]},
    "name": {"type": "str"},
    **prefixes.OPTIONS,
    **databases.OPTIONS,
}
Servers = Sequence[Mapping[str, Any]]  # the option `targets`


class Target(NamedTuple):
    """A part of the backup, and the store that it is restored to.

    `thing`: what it is on a server; None: it is in the directory of the drill. `database`: of PostgreSQL, where each
    database of a part is a target. `prefix`: of AWS. `given`: the options of the server.
    """

    part: SourcePart
    entry: NamedStore
    thing: Optional[Thing] = None
    database: Optional[Database] = None
    prefix: str = ""
    given: Mapping[str, Any] = {}


def live_paths(manifest: Manifest) -> list[str]:
    """The paths of the stores that the backup is of."""
    return [part.path for part in manifest.sources if has_path(part.type)]


def local_size(manifest: Manifest) -> int:
    """Bytes of the parts that are restored into a directory. To compare a SQLite database, a copy of it is read."""
    return sum(part.size * (2 if part.type == "sqlite" else 1) for part in manifest.sources if _is_local(part))


def check_types(manifest: Manifest, servers: Servers) -> None:
    """Raise InvalidRequest when a part can't be restored, or it is not said on which server."""
    parts = _parts(manifest)
    for part in parts:
        if not _is_local(part):
            _server_of(part, parts, servers)
    for server in servers:
        if not any(part.type == server["type"] and server.get("name") in (None, part.name) for part in parts):
            raise InvalidRequest(
                f"The backup has no part of type {server['type']} for targets{_named(server)}.",
                f"Its parts are: {', '.join(f'{part.name} ({part.type})' for part in parts)}.",
            )


def names_of(manifest: Manifest) -> Iterator[str]:
    """The placeholders that there will be (Locations)."""
    parts = _parts(manifest)
    yield from ["path"] if any(map(_is_local, parts)) else []
    sources = [name for part in parts if part.type == _DATABASES for name in part.details["databases"]]
    for word in ("dsn", "database") if sources else ():
        yield from [word] if len(sources) == 1 else []
        yield from (f"{word}.{name}" for name in sources)
    yield from (f"path.{part.name}" for part in parts if _is_local(part))
    remote = [part.name for part in parts if part.type in (DYNAMODB, SSM)]
    yield from ["prefix"] if len(remote) == 1 else []
    yield from (f"prefix.{name}" for name in remote)


def targets_of(manifest: Manifest, directory: str, servers: Servers) -> list[Target]:
    """A store for each part of the backup: in the directory, or new databases. Raises InvalidRequest."""
    parts = _parts(manifest)
    made = []
    for part in parts:
        if _is_local(part):
            made.append(Target(part, _entry(part, _place(part, directory, len(parts)))))
            continue
        given = _server_of(part, parts, servers)
        if part.type == _DATABASES:
            for one in databases_of(part, given):
                made.append(Target(part, one.entry, databases.thing_of(one), one, given=given))
            continue
        store = prefixed(part, given)
        made.append(Target(part, store.entry, prefixes.thing_of(store), prefix=store.prefix))
    return made


def locations_of(targets: Sequence[Target], directory: str) -> Locations:
    """`path` is the only local store, or the directory that has all of them; `dsn` and `database` are the only
    database."""
    values, secrets = {}, {}
    paths = [one for one in targets if one.thing is None]
    made = [one for one in targets if one.database is not None]
    if paths:
        values["path"] = paths[0].entry.store.path if len(paths) == 1 else directory
    values.update({f"path.{one.part.name}": one.entry.store.path for one in paths})
    for one in made:
        found: Any = one.database
        for word, value in (("dsn", dsn(one.given, found.name)), ("database", found.name)):
            values.update({word: value} if len(made) == 1 else {})
            values[f"{word}.{found.source}"] = value
        if one.given.get("password") is not None:
            secrets["PGPASSWORD"] = str(one.given["password"])
    remote = [one for one in targets if one.prefix]
    values.update({"prefix": remote[0].prefix} if len(remote) == 1 else {})
    values.update({f"prefix.{one.part.name}": one.prefix for one in remote})
    return Locations(values, secrets)


def _is_local(part: SourcePart) -> bool:
    """Whether it is restored into a directory. Of the dump of a program, that is the dump."""
    return has_path(part.type) or part.type == _COMMAND


def _server_of(part: SourcePart, parts: Sequence[SourcePart], servers: Servers) -> Mapping[str, Any]:
    alone = sum(1 for one in parts if one.type == part.type) == 1
    names = (None, part.name) if alone else (part.name,)
    found = [one for one in servers if one["type"] == part.type and one.get("name") in names]
    if len(found) != 1:
        raise InvalidRequest(
            f"targets has {len(found)} servers for part {part.name} of the backup, which is of type {part.type}.",
            f"Set targets to [{{type: {part.type}, …}}] with how to reach a server, on which the drill only uses names "
            "of its own; for the playbook, in the entry drill of the store in store_backup_stores (false omits it).",
        )
    return found[0]


def _named(server: Mapping[str, Any]) -> str:
    return f" (name {server['name']})" if server.get("name") else ""


def _parts(manifest: Manifest) -> list[SourcePart]:
    """Those with data."""
    parts = [part for part in manifest.sources if part.files]
    if not parts:
        raise InvalidRequest(f"Backup {manifest.id} has no data that could be restored.", "Choose another one.")
    return parts


def _place(part: SourcePart, directory: str, count: int) -> str:
    """A path of which only the last step does not exist yet. What a manifest says of a path is only a name here."""
    name = os.path.basename(os.path.normpath(part.path))
    name = name if name not in ("", ".", "..", os.sep) else "data"
    if count == 1:
        return os.path.join(directory, name)
    return os.path.join(directory, check_set_name(part.name), name)


def _entry(part: SourcePart, path: str) -> NamedStore:
    if part.type == _COMMAND:
        unpacked: Any = Unpacked(path)
        return NamedStore(part.name, unpacked, path)
    parameters: dict[str, Any] = {"type": part.type, "path": path}
    if part.type == "json":
        parameters["layout"] = part.parameters.get("layout")
    return NamedStore(part.name, open_store(parameters), path)
