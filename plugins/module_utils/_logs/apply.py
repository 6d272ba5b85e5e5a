# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out a plan: all logs are rotated in one fast step, then the applications are notified, then files are
compressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from .._core.compression import COMPRESSIONS
from .._core.errors import Day2Error, TargetError
from .._core.open_files import FileId, file_id
from .._core.progress import Progress
from .._core.secure_directory import SecureDirectory
from .compress import Job, compress_all
from .held import wait_for_nobody
from .identity import Identity
from .log_plan import RENAME, LogPlan, RotationPlan
from .removal import Remover
from .reopen import Notification, check_programs, notify, run_commands
from .rotate import clean_up, rotate
from .total import over_limit


def apply(plan: RotationPlan, identity: Identity, how: Notification, progress: Progress) -> None:
    """Carry out the plan. Errors are recorded in the log that they concern.

    Raises Day2Error when `before` has failed or a program is missing, so that nothing was done, and Cancelled.
    """
    check_programs(how.commands(plan.notified, plan.removing))
    if plan.notified:
        run_commands(how.before)
    with identity.taken():
        for log in plan.logs:
            if log.error is None:
                _noting(log, clean_up, log)
    _rotate_all(plan, identity, how, progress)
    _notify(plan, how, progress)
    remover = Remover(identity, how.before_remove)
    for log in plan.logs:
        _remove_old(log, remover)
    with identity.taken():
        jobs = [
            Job(log, *one)
            for log in plan.logs
            for one in log.compress
            if log.rotated_to or not log.due or one.name != log.new_name
        ]
        progress.start("Compressing rotated logs", sum(job.bytes for job in jobs), "bytes")
        compress_all([job for job in jobs if not job.plain], plan.options.compression, progress)
        compress_all([job for job in jobs if job.plain], COMPRESSIONS["none"], progress)
        over = [] if plan.options.max_total_size is None else over_limit(plan)
    for log, file in over:
        remover.remove(log, file.place, file.name, file.info, "max_total_size")
    with identity.taken():
        _sync_all(plan, [place for log in plan.logs if log.removed for place in log.places])


def _remove_old(log: LogPlan, remover: Remover) -> None:
    if log.due and not log.rotated_to:  # files that remain because their log could not be rotated have no successor
        return
    for removal in log.removals:
        remover.remove(log, removal.file.place, removal.file.name, removal.file.info, removal.reason)
    if not log.remove_new or log.error is not None:
        return
    try:
        info = log.first_place.stat(log.new_name)
    except OSError as exc:
        log.catch(exc)
        return
    if file_id(info) not in log.held:
        remover.remove(log, log.first_place, log.new_name, info, log.remove_new)


def _rotate_all(plan: RotationPlan, identity: Identity, how: Notification, progress: Progress) -> None:
    rotating = plan.rotating
    progress.start("Rotating logs", len(rotating), "files")
    for log in rotating:
        words = {"path": log.path, "rotated": log.first_place.of(log.new_name)}
        _noting(log, run_commands, how.before_each, words)
        if log.error is None:
            with identity.taken():
                _noting(log, rotate, log, plan.options.method, plan.options.new_file, progress)
    with identity.taken():
        _sync_all(plan, [place for log in rotating for place in (log.directory, log.target)])
    for log in rotating:
        if log.rotated_to and how.after_each:
            words = {"path": log.path, "rotated": log.rotated_to}
            _noting(log, run_commands, how.after_each, words)


def _noting(log: LogPlan, work: Callable[..., None], *arguments: Any) -> None:
    try:
        work(*arguments)
    except Exception as exc:  # of this log alone
        if not log.catch(exc):
            raise


def _sync_all(plan: RotationPlan, places: Sequence[SecureDirectory]) -> None:
    for place in {one.fd: one for one in places}.values():
        try:
            with place.errors("Can't sync", ""):
                place.sync()
        except Day2Error as exc:
            for log in plan.logs:
                if log.directory is place or log.target is place:
                    log.fail(exc)


def _notify(plan: RotationPlan, how: Notification, progress: Progress) -> None:
    """Notify the applications, and find out which processes still write to rotated files."""
    notified = [log for log in plan.logs if (log.rotated_to and log.due) or log.reopen]
    if not notified:
        return
    failed: list[Day2Error] = []
    try:
        notify(how)
    except Day2Error as exc:
        failed.append(exc)
    for log in notified:
        for error in failed:  # before anything that follows from it
            log.fail(error)
    if plan.options.method == RENAME:
        _wait(plan, notified, 0 if failed or not how.reopens else how.timeout, how.reopens, progress)


def _wait(plan: RotationPlan, notified: Sequence[LogPlan], timeout: float, reopens: bool, progress: Progress) -> None:
    files: dict[FileId, tuple[SecureDirectory, str]] = {}
    wanted: dict[FileId, list[LogPlan]] = {}
    for log in notified:
        for one, where in _rotated_files(log):
            files[one] = where
            wanted.setdefault(one, []).append(log)
    progress.start("Waiting for the logs to be reopened")
    held = wait_for_nobody(files, timeout, progress)
    for log in notified:
        log.held = {one: held[one] for one in held if log in wanted[one]}
        if not log.held:
            continue
        _keep_uncompressed(log)
        if reopens:
            writers = ", ".join(sorted({str(writer) for some in log.held.values() for writer in some}))
            log.fail(
                TargetError(
                    f"{log.path} was rotated, but {writers} still writes to the rotated file, which was therefore "
                    "not compressed.",
                    "Make the process reopen its log, or use method=in_place. The next run will continue from here.",
                )
            )


def _rotated_files(log: LogPlan) -> list[tuple[FileId, tuple[SecureDirectory, str]]]:
    """Files that were rotated now, and those that processes still wrote to before, under their current names."""
    moved = log.moved_up() if log.shifted else {}
    found = []
    for one in log.history:
        if file_id(one.info) in log.held:
            name = moved.get((one.place.fd, one.name), one.name)
            found.append((file_id(one.info), (one.place, name)))
    if log.info is not None and log.rotated_to:
        found.append((file_id(log.info), (log.first_place, log.new_name)))
    return found


def _keep_uncompressed(log: LogPlan) -> None:
    busy = set()
    for one in log.compress:
        try:
            if file_id(one.place.stat(one.name)) in log.held:
                busy.add((one.place.fd, one.name))
        except OSError:  # prepare reports why
            continue
    log.compress = tuple(one for one in log.compress if (one.place.fd, one.name) not in busy)
