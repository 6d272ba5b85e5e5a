# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of records that a target cannot store. It only grows: several migrations may share it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from ..._core.errors import TargetError
from ..._core.files import os_errors
from ..._core.tagged_json import encode as encode_json
from ..._stores.records.model import Reject
from .compare import shown_key
from .plan import Job, MigratePlan, MigrateRequest
from .refusals import too_many_rejects


def keep_rejects(ready: MigratePlan, job: Job, rejects: list[Reject], before: int, listed: frozenset[bytes]) -> None:
    """Write the rejected records to their file, or fail before anything of the batch is written.

    :raises TargetError: there are more than `max_rejects`, or the file cannot be written.
    """
    if not rejects:
        return
    params = ready.request.params
    first = f"{shown_key(job.target, rejects[0].record)}: {rejects[0].reason}"
    if before + len(rejects) > params["max_rejects"]:
        raise too_many_rejects(job.source.name, before + len(rejects), params["max_rejects"], first)
    add_rejects(ready.request, rejects, listed)


def add_rejects(request: MigrateRequest, rejects: Sequence[Reject], listed: frozenset[bytes] = frozenset()) -> None:
    """Write rejected records to their file, except those that are already listed there."""
    path = request.rejects or ""
    if not rejects or not path:
        return
    with os_errors(TargetError, "Can't write the rejects to", path):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "ab") as handle:
            for one in rejects:
                named = {"collection": one.collection, "key": list(one.key)}
                line = encode_json({**named, "reason": one.reason, "record": one.record}).encode() + b"\n"
                if _mark(line) not in listed:
                    handle.write(line)
            handle.flush()
            os.fsync(handle.fileno())


def listed_rejects(ready: MigratePlan) -> frozenset[bytes]:
    """Marks of the lines in the file of rejects, if a killed run may have written some of a batch that is written
    again.

    Other migrations may write to the same file: nothing is removed from it except an incomplete line at its end.
    """
    path = ready.request.rejects
    if not ready.resumed or not path or not os.path.exists(path):
        return frozenset()
    with os_errors(TargetError, "Can't continue the file of rejects", path):
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(fd, "r+b") as handle:
            marks, end = set(), 0
            for line in handle:
                if line.endswith(b"\n"):
                    marks.add(_mark(line))
                    end += len(line)
            if end < os.fstat(fd).st_size:
                handle.truncate(end)
    return frozenset(marks)


def _mark(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=16).digest()
