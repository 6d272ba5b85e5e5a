# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""max_total_size applies to the logs of each directory separately, so that none uses the space of another.

Bytes on disk are counted, as a file may have any apparent size.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from .._core.open_files import file_id
from .._core.sparse import allocated
from .find import Place, Rotated
from .log_plan import LogPlan, Removed, RotationPlan
from .names import without_compression
from .rules import over_total

Candidate = tuple[float, int, tuple[LogPlan, Rotated, int]]


def over_limit(plan: RotationPlan) -> list[tuple[LogPlan, Rotated]]:
    """The rotated files to remove, from their current sizes."""
    fresh: dict[int, Place] = {}
    gone = []
    for logs in _by_directory(plan):
        candidates: list[Candidate] = []
        others = 0
        for log in logs:
            others += _size_of_log(log)
            for file in _files_now(plan, log, fresh):
                others += _add(candidates, log, file, allocated(file.info))
        gone += [(log, file) for log, file, _size in over_total(candidates, others, plan.options.max_total_size or 0)]
    return gone


def predict_limit(plan: RotationPlan) -> None:
    """Record in the logs what `over_limit` would find after the predicted changes."""
    for logs in _by_directory(plan):
        candidates: list[Candidate] = []
        others = 0
        for log in logs:
            others += _size_of_log_then(log)
            for file, size in _files_then(plan, log):
                others += _add(candidates, log, file, size)
        for log, file, size in over_total(candidates, others, plan.options.max_total_size or 0):
            log.removed += (Removed(file.path, size, "max_total_size"),)
            log.freed += size


def _by_directory(plan: RotationPlan) -> list[list[LogPlan]]:
    groups: dict[int, list[LogPlan]] = {}
    for log in plan.logs:
        if log.found.error is None:
            groups.setdefault(log.directory.fd, []).append(log)
    return list(groups.values())


def _add(candidates: list[Candidate], log: LogPlan, file: Rotated, size: int) -> int:
    """Add a file to those that can be removed; otherwise return its size."""
    if log.untouched or (log.due and not log.rotated_to):  # it could not be rotated
        return size
    if file_id(file.info) in log.held or without_compression(file.name) in log.written:
        return size
    candidates.append((file.when, size, (log, file, size)))
    return 0


def _size_of_log(log: LogPlan) -> int:
    try:
        return allocated(log.directory.stat(log.name))
    except OSError:
        return 0


def _size_of_log_then(log: LogPlan) -> int:
    if log.info is None:
        return 0
    if not log.due or log.interrupted is not None:
        return allocated(log.info)
    return 0 if log.cut is None or log.lossy else max(0, allocated(log.info) - log.cut.length)


def _files_now(plan: RotationPlan, log: LogPlan, fresh: dict[int, Place]) -> Sequence[Rotated]:
    found: list[Rotated] = []
    for directory in log.places:
        if directory.fd not in fresh:
            fresh[directory.fd] = Place(directory, plan.options.naming)
        found += fresh[directory.fd].history(log.name)
    return found


def _files_then(plan: RotationPlan, log: LogPlan) -> Iterator[tuple[Rotated, int]]:
    """The rotated files and their sizes after the predicted changes."""
    renamed = log.moved_up()
    files = [one._replace(name=renamed.get((one.place.fd, one.name), one.name)) for one in log.history]
    parsed = plan.options.naming.parse(log.new_name) if log.due else None
    if parsed is not None:
        info = log.info if log.interrupted is None else log.target.stat(log.interrupted.name)
        if info is not None:
            files.append(Rotated(log.first_place, log.new_name, parsed, info))
    gone = {one.name for one in log.removed}
    compressed_to = {one.name: one for one in log.compressed}
    for file in files:
        if file.path in gone:
            continue
        size = _size_then(log, file)
        if file.path in compressed_to:
            one = compressed_to[file.path]
            moved = one.stored_bytes == one.bytes
            yield (
                file._replace(place=log.target, name=os.path.basename(one.to)),
                size if moved else one.stored_bytes,
            )
        else:
            yield file, size


def _size_then(log: LogPlan, file: Rotated) -> int:
    if log.due and file.name == log.new_name and log.cut is not None:
        return min(log.rotated_bytes, allocated(file.info))
    return allocated(file.info)
