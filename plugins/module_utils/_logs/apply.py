# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out a plan: all logs are rotated in one fast step, then told of, then compressed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Callable

from .._core.compress_file import compressed_size
from .._core.errors import Cancelled, Day2Error, TargetError
from .._core.open_files import FileId, file_id
from .._core.progress import Progress
from .._core.secure_directory import SecureDirectory
from .compress import Job, compress_all
from .find import Place, Rotated
from .identity import Identity
from .plan import NOBODY, RENAME, Compressed, LogPlan, Plan, Removed
from .reopen import Tell, run_commands, tell, wait
from .rotate import NewFile, clean_up, rotate
from .rules import over_total


def apply(plan: Plan, identity: Identity, how: Tell, new_file: NewFile, progress: Progress) -> None:
    """Do it. Errors are noted in the log that they belong to.

    :raises Day2Error: `before` failed, so that nothing was done; or Cancelled.
    """
    if plan.telling:
        run_commands(how.before)
    with identity.taken():
        for log in plan.logs:
            if log.error is None:
                _noting(log, clean_up, log)
    _rotate_all(plan, identity, how, new_file, progress)
    _tell(plan, how, progress)
    with identity.taken():
        for log in plan.logs:
            for removal in log.removals:
                if log.rotated_to or not log.due:  # what stays when it could not be rotated has no successor
                    remove(log, removal.file, removal.reason)
        jobs = [
            Job(log, place, name, size)
            for log in plan.logs
            for place, name, size in log.compress
            if log.rotated_to or not log.due or name != log.new_name
        ]
        progress.start("Compressing rotated logs", sum(job.bytes for job in jobs), "bytes")
        compress_all(jobs, plan.options.compression, progress)
        if plan.options.max_total_size is not None:
            _limit_total(plan)
        _sync_all(plan, [log.directory for log in plan.logs if log.removed])


def predict(plan: Plan) -> None:
    """Note in the logs what `apply` would: the same decisions, with the sizes that the compressed files would have."""
    for log in plan.logs:
        if log.error is not None:
            continue
        log.mended = bool(log.new_file)
        if log.reopen:
            log.held = NOBODY
        if log.due:
            log.rotated_to = log.first_place.of(log.new_name)
        for removal in log.removals:
            log.removed += (_removed(removal.file, removal.reason),)
        renamed = {new: old for _place, old, new in log.shifts}
        for place, name, size in log.compress:
            source, current, part = place, renamed.get(name, name), None
            if log.due and name == log.new_name:
                source, current = log.directory, log.name
                if log.cut is not None:
                    part = (log.cut.skip, log.cut.end)
                if log.interrupted is not None:
                    source, current = log.target, log.interrupted.name
            try:
                stored = compressed_size(source, current, plan.options.compression, part)
            except Day2Error as exc:
                log.fail(exc)
                continue
            final = name + plan.options.compression.suffix
            log.compressed += (Compressed(place.of(name), log.target.of(final), size, stored),)
    if plan.options.max_total_size is not None:
        _limit_total(plan, dry=True)


def _rotate_all(plan: Plan, identity: Identity, how: Tell, new_file: NewFile, progress: Progress) -> None:
    rotating = plan.rotating
    progress.start("Rotating logs", len(rotating), "files")
    for log in rotating:
        words = {"path": log.path, "rotated": log.first_place.of(log.new_name)}
        _noting(log, run_commands, how.before_each, words)
        if log.error is None:
            with identity.taken():
                _noting(log, rotate, log, plan.options.method, new_file, progress)
    with identity.taken():
        _sync_all(plan, [place for log in rotating for place in (log.directory, log.target)])
    for log in rotating:
        if log.rotated_to and how.after_each:
            words = {"path": log.path, "rotated": log.rotated_to}
            _noting(log, run_commands, how.after_each, words)


def _noting(log: LogPlan, work: Callable[..., None], *arguments: Any) -> None:
    try:
        work(*arguments)
    except Cancelled:
        raise
    except Day2Error as exc:
        log.fail(exc)
    except OSError as exc:
        log.fail(TargetError(f"{log.path}: {exc.strerror or exc}."))


def _sync_all(plan: Plan, places: Sequence[SecureDirectory]) -> None:
    for place in {one.fd: one for one in places}.values():
        try:
            with place.errors("Can't make durable", ""):
                place.sync()
        except Day2Error as exc:
            for log in plan.logs:
                if log.directory is place or log.target is place:
                    log.fail(exc)


def _tell(plan: Plan, how: Tell, progress: Progress) -> None:
    """Tell the applications, and find out who still writes to what was rotated."""
    telling = [log for log in plan.logs if (log.rotated_to and log.due) or log.reopen]
    if not telling:
        return
    failed: list[Day2Error] = []
    try:
        tell(how)
    except Cancelled:
        raise
    except Day2Error as exc:
        failed.append(exc)
    for log in telling:
        for error in failed:  # before what follows from it
            log.fail(error)
    if plan.options.method == RENAME:
        _wait(plan, telling, 0 if failed or not how.reopens else how.timeout, how.reopens, progress)


def _wait(plan: Plan, telling: Sequence[LogPlan], timeout: float, told: bool, progress: Progress) -> None:
    wanted: dict[FileId, list[LogPlan]] = {}
    for log in telling:
        ids = set(log.held)
        if log.info is not None and log.rotated_to:
            ids.add(file_id(log.info))
        for one in ids:
            wanted.setdefault(one, []).append(log)
    progress.start("Waiting for the logs to be opened again")
    held = wait(wanted, timeout, progress)
    for log in telling:
        log.held = {one: held[one] for one in held if log in wanted[one]}
        if not log.held:
            continue
        _keep_uncompressed(log)
        if told:
            names = ", ".join(sorted({str(writer) for some in log.held.values() for writer in some}))
            log.fail(
                TargetError(
                    f"{log.path} was rotated, but {names} still writes to the rotated file, which is not compressed.",
                    "Tell it to open its log again, or use method=in_place; the next run goes on from here.",
                )
            )


def _keep_uncompressed(log: LogPlan) -> None:
    busy = set()
    for place, name, _size in log.compress:
        try:
            if file_id(place.stat(name)) in log.held:
                busy.add((place.fd, name))
        except OSError:  # prepare says why
            continue
    log.compress = tuple(job for job in log.compress if (job[0].fd, job[1]) not in busy)


def remove(log: LogPlan, file: Rotated, reason: str) -> None:
    """Remove a rotated file, unless it is another one by now."""
    try:
        with file.place.errors("Can't remove", file.name):
            file.place.unlink(file.name, only=file.info)
    except Day2Error as exc:
        log.fail(exc)
        return
    log.removed += (_removed(file, reason),)


def _removed(file: Rotated, reason: str) -> Removed:
    return Removed(file.path, file.info.st_size, reason)


def _limit_total(plan: Plan, dry: bool = False) -> None:
    """Remove the oldest rotated files of all logs until everything fits. What is still written to stays."""
    others = 0
    candidates: list[tuple[float, int, tuple[LogPlan, Rotated, int]]] = []
    fresh: dict[int, Place] = {}
    for log in plan.logs:
        if log.found.error is not None:
            continue
        others += _live_size(log, dry)
        for file, size in _would_be_there(plan, log) if dry else _is_there(plan, log, fresh):
            if file_id(file.info) in log.held:
                others += size
            else:
                candidates.append((file.when, size, (log, file, size)))
    for log, file, size in over_total(candidates, others, plan.options.max_total_size or 0):
        if dry:
            log.removed += (Removed(file.path, size, "max_total_size"),)
        else:
            remove(log, file, "max_total_size")


def _live_size(log: LogPlan, dry: bool) -> int:
    if not dry:
        try:
            return log.directory.stat(log.name).st_size
        except OSError:
            return 0
    if log.info is None:
        return 0
    if not log.due or log.interrupted is not None:
        return log.info.st_size
    return 0 if log.cut is None or log.lossy else log.info.st_size - log.cut.length


def _would_be_there(plan: Plan, log: LogPlan) -> Iterator[tuple[Rotated, int]]:
    """The rotated files, and their sizes, after what is predicted so far."""
    renamed = {(place.fd, old): new for place, old, new in log.shifts}
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
        size = log.rotated_bytes if log.due and file.name == log.new_name else file.info.st_size
        if file.path in compressed_to:
            one = compressed_to[file.path]
            yield file._replace(place=log.target, name=os.path.basename(one.to)), one.stored_bytes
        else:
            yield file, size


def _is_there(plan: Plan, log: LogPlan, fresh: dict[int, Place]) -> Iterator[tuple[Rotated, int]]:
    for directory in {log.directory.fd: log.directory, log.target.fd: log.target}.values():
        if directory.fd not in fresh:
            fresh[directory.fd] = Place(directory, plan.options.naming)
        for file in fresh[directory.fd].history(log.name):
            yield file, file.info.st_size
