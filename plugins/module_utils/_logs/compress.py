# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compresses rotated files: many at a time, at low priority, each verified before its original is removed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Callable, NamedTuple, Union

from .._core.compress_file import Prepared, compress_file, discard_prepared, finish, prepare, publish
from .._core.compression.base import Compression
from .._core.errors import Cancelled, Day2Error, TaskEnded
from .._core.progress import Progress
from .._core.secure_directory import SecureDirectory
from .._core.sparse import allocated
from .._core.workers import be_nice
from .log_plan import Compressed, LogPlan
from .new_directory import NewDirectory

_NICENESS = 10  # applications come first
_LARGE = 4 << 20  # minimum size in bytes for which all cores are used
_BATCH = 500  # small files per sync
_FEW = 4  # up to this number, an fsync of each is cheaper than a sync of the whole file system


class Job(NamedTuple):
    """One file to compress."""

    log: LogPlan
    place: SecureDirectory
    name: str
    bytes: int
    plain: bool = False  # moved without compression


Outcome = Union[Prepared, Exception]


def compress_all(jobs: Sequence[Job], compression: Compression, progress: Progress) -> None:
    """Compress (or, with `none`, move) files, and record each result or error in its log."""
    for target in {id(job.log.target): job.log.target for job in jobs}.values():
        if isinstance(target, NewDirectory):
            target.make()
    small = [job for job in jobs if job.bytes < _LARGE]
    large = [job for job in jobs if job.bytes >= _LARGE]
    # xz takes much memory and one core
    workers = 1 if compression.name == "xz" else len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(workers, initializer=be_nice, initargs=(_NICENESS,)) as pool:
        for start in range(0, len(small), _BATCH):
            _compress_small(pool, small[start : start + _BATCH], compression, progress)
    with ThreadPoolExecutor(1, initializer=be_nice, initargs=(_NICENESS,)) as pool:
        for job in large:
            outcome = pool.submit(_one, job, compression, progress).result()
            _note(job, outcome)
            progress.check()


def _compress_small(
    pool: ThreadPoolExecutor, jobs: Sequence[Job], compression: Compression, progress: Progress
) -> None:
    if len(jobs) <= _FEW:
        for job, outcome in zip(jobs, pool.map(lambda job: _one(job, compression, progress), jobs)):
            _note(job, outcome)
        progress.check()
        return
    pending = [(job, pool.submit(_prepared, job, compression, progress)) for job in jobs]
    done: list[tuple[Job, Prepared]] = []
    try:
        for job, future in pending:
            outcome = future.result()
            if isinstance(outcome, Prepared):
                done.append((job, outcome))
            elif not isinstance(outcome, Cancelled):  # reported by the check that follows
                job.log.catch(outcome)
        progress.check()
        _sync({one.target.fd: one.target for _job, one in done}, everything=True)
    except TaskEnded as exc:  # a signal may have interrupted the wait for one
        for job, one in _ended(pending):
            discard_prepared(one.target, one.temporary)
            job.log.fail(exc)
        if isinstance(exc, Cancelled):
            raise
        return
    with progress.critical():
        _put_in_place(done)


def _ended(pending: Sequence[tuple[Job, Future[Outcome]]]) -> list[tuple[Job, Prepared]]:
    """Begin no other, wait for those that have begun, and return all that were prepared."""
    begun = [(job, future) for job, future in pending if not future.cancel()]
    found = [(job, future.result()) for job, future in begun]
    return [(job, one) for job, one in found if isinstance(one, Prepared)]


def _put_in_place(done: Sequence[tuple[Job, Prepared]]) -> None:
    published = [(job, one) for job, one in done if _step(job, publish, one)]
    try:
        _sync({one.target.fd: one.target for _job, one in published}, everything=False)
    except Day2Error as exc:  # the originals remain; the next run continues
        for job, _one_done in published:
            job.log.fail(exc)
        return
    for job, one in published:
        if _step(job, finish, one):
            _note(job, one)


def _sync(directories: dict[int, SecureDirectory], everything: bool) -> None:
    devices: set[int] = set()
    for directory in directories.values():
        with directory.errors("Can't sync", ""):
            if not everything:
                directory.sync()
            elif directory.device not in devices:
                directory.sync_all()
        devices.add(directory.device)


def _step(job: Job, step: Callable[[Prepared], None], prepared: Prepared) -> bool:
    try:
        step(prepared)
    except Day2Error as exc:
        job.log.fail(exc)
        return False
    return True


def _one(job: Job, compression: Compression, progress: Progress) -> Outcome:
    try:
        return compress_file(
            job.place, job.name, compression, target=job.log.target, progress=progress, replace_part=True
        )
    except Exception as exc:  # of this file alone
        return exc


def _prepared(job: Job, compression: Compression, progress: Progress) -> Outcome:
    try:
        return prepare(
            job.place,
            job.name,
            compression,
            target=job.log.target,
            progress=progress,
            durable=False,
            replace_part=True,
        )
    except Exception as exc:  # of this file alone
        return exc


def _note(job: Job, outcome: Outcome) -> None:
    if not isinstance(outcome, Prepared):
        if not job.log.catch(outcome):
            raise outcome
        return
    path = outcome.source.of(outcome.name)
    if path == job.log.rotated_to:
        path = job.log.rotated_to  # one string for two of each of ten thousand logs
    taken = allocated(outcome.info)
    job.log.freed += taken - (taken if outcome.stored_bytes == outcome.bytes else outcome.stored_bytes)
    job.log.compressed += (Compressed(path, outcome.target.of(outcome.final), outcome.bytes, outcome.stored_bytes),)
