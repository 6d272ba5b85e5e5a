# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The safety backup of the target of a migration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from ..._core.compression import choose
from ..._core.progress import Progress
from ..._core.scratch import scratch_directory
from ..._repository.base import Repository
from ..._repository.manifest import SAFETY, Manifest
from ..._repository.storing import Files
from ..._stores.base import Store
from ..._stores.records.export import ExportStore
from ..._stores.records.store import TargetStore
from ..._stores.registry import has_path, open_store
from ..snapshots import NamedStore, Taken, check_apart, files_of, publish, take
from ..space import check_space, size_of
from .way_back import with_way, without_data
from .whole import database_of


class Safety(NamedTuple):
    """Where the safety backup of the target is written."""

    repository: Repository
    name: str
    compression: str
    lock_timeout: str


def store_of(target: TargetStore, options: Mapping[str, Any], *, whole: bool = False) -> Store:
    """The target as a store that can be backed up.

    :param whole: of a server, the whole database and not only the records.
    """
    if has_path(options["type"]):
        return open_store({"type": options["type"], "path": options["path"]})
    return open_store(database_of(options)) if whole else ExportStore(target)


def save(
    safety: Safety,
    target: TargetStore,
    options: Mapping[str, Any],
    way: Mapping[str, Any],
    progress: Progress,
    *,
    data: bool,
    whole: bool = False,
) -> Manifest:
    """Publish a safety backup whose manifest says how the collections of the target are restored.

    :param way: as in `WayBack`.
    :param data: include the content of the target.
    :param whole: see `store_of`.
    """
    name = os.path.basename(options.get("path") or target.type)
    compression, _note = choose(safety.compression)
    now = datetime.now(timezone.utc)
    with safety.repository.stage(safety.name, now) as staging:
        files = files_of(safety.repository, staging, compression)
        if data:
            store = store_of(target, options, whole=whole)
            taken = _taken(safety, target, NamedStore(name, store, store.path), files=files, progress=progress)
        else:
            taken = without_data(target, name, options.get("path") or target.location)
        taken = taken._replace(part=with_way(safety.repository, safety.name, taken.part, target, way))
        return publish(safety.repository, files, safety.name, [taken], created=now, started=now, kind=SAFETY)


def _taken(safety: Safety, target: TargetStore, entry: NamedStore, *, files: Files, progress: Progress) -> Taken:
    if target.type == "sqlite":
        target.end_reading()  # the backup opens the same file, which would drop its locks
    check_apart(safety.repository, [entry])
    progress.start(f"Backing up {target.location}", unit="bytes")
    return take([entry], files=files, scratch="", progress=progress)[0]


def check_room(safety: Safety, target: TargetStore, options: Mapping[str, Any], progress: Progress) -> None:
    """Raise NoSpace when the safety backup does not fit. The size of a backup of a server is unknown in advance."""
    if not has_path(options["type"]):
        return
    if target.type == "sqlite":
        target.end_reading()  # the file may have to be read
    store = store_of(target, options)
    with scratch_directory() as own:
        check_space(
            safety.repository,
            [NamedStore(os.path.basename(options["path"]), store, store.path)],
            size=size_of(options["path"]),
            scratch=own,
            compression=choose(safety.compression)[0],
            progress=progress,
        )
