# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of runs (JSON lines) and its summary, one small file that shows the state of all jobs.

The summary is only a cache for readers: everything in it came from the journal. Nothing here is a reason to fail a job.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from .._core.files import make_private_directory, write_atomically
from .._core.units import format_duration
from .days import with_run
from .places import state
from .states import read_states, write_states

OK, FAILED, STOPPED, BUSY, WRONG, BUG = "ok", "failed", "stopped", "busy", "wrong", "bug"
SKIPPED = "skipped"  # its conditions were not met
NOTHING_DONE = (BUSY, SKIPPED)  # says nothing about the job
SUMMARY = "summary.json"
_LARGEST = 1 << 20  # bytes of the journal, before it is pruned
_KEPT = 1 << 19  # bytes of the latest lines that pruning keeps
_AHEAD = 60.0  # seconds that a clock may be set back before times are unknown
_TEXT = 2000  # characters of a message, a warning or a fact in the journal
_WARNINGS = 20  # of a run in the journal


def record(entry: Mapping[str, Any], existing: Sequence[str]) -> None:
    """Append a run, and update the summary for the jobs that exist. Raises OSError."""
    with guarded():
        jobs = summary()
        _count(jobs, entry)
        try:
            _append(_limited(entry))
        finally:
            _write_summary(write_states({name: one for name, one in jobs.items() if name in existing}))


def unseen_end(job: str, verb: str, when: float, message: str, invocation: str = "") -> dict[str, Any]:
    """The entry of a run that could not record its end."""
    return {
        "job": job,
        "verb": verb,
        "began": round(when, 3),
        "ended": round(when, 3),
        "waited_s": 0.0,
        "status": FAILED,
        "changed": False,
        "msg": message,
        "warnings": [],
        "facts": {},
        "invocation": invocation,
    }


def failure_of(job: str, invocation: str) -> Optional[dict[str, Any]]:
    """The last end of a run of a unit, if it has failed. An invocation can have several runs, which were ok then."""
    ends = [one for one in runs() if one["job"] == job and one.get("invocation") == invocation]
    ends = [one for one in ends if one["status"] != SKIPPED]  # it has waited first
    return ends[-1] if ends and ends[-1]["status"] != OK else None


def forget_others(existing: Sequence[str]) -> None:
    """Remove jobs that no longer exist from the summary: their last failure is of no interest. Raises OSError."""
    for kind in ("notified", "seen"):
        for file in _listed(state(kind)):
            if file.partition(".")[0] not in existing:
                os.unlink(state(kind, file))
    if not os.path.lexists(state(SUMMARY)):
        return
    with guarded():
        jobs = summary()
        if set(jobs) - set(existing):
            _write_summary(write_states({name: one for name, one in jobs.items() if name in existing}))


def _listed(directory: str) -> list[str]:
    return os.listdir(directory) if os.path.isdir(directory) else []


def runs() -> list[dict[str, Any]]:
    """All runs in the journal, oldest first. A torn line is skipped."""
    try:
        with open(state("journal.jsonl"), "rb") as handle:
            lines = handle.readlines()
    except OSError:
        return []
    return [one for one in map(_parsed, lines) if one]


def summary() -> dict[str, dict[str, Any]]:
    """The last state of each job that has run; made from the journal if the file is missing or damaged."""
    try:
        with open(state(SUMMARY), "rb") as handle:
            return read_states(handle.read())
    except (OSError, ValueError):
        pass
    jobs: dict[str, dict[str, Any]] = {}
    for entry in runs():
        _count(jobs, entry)
    return jobs


def known_time(value: Any) -> float:
    """A recorded time, or 0 if it is unknown: of another type, negative, or in the future."""
    usable = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if usable and 0 < value <= time.time() + _AHEAD else 0.0


def late(last: Mapping[str, Any], every: float) -> str:
    """The reason why a job whose last run was ok is late, or "". `every` is in seconds; 0: it is never late."""
    if not every:
        return ""
    succeeded = known_time(last.get("last_ok"))
    if not succeeded:
        return "the time of its last success is unknown"
    age = time.time() - succeeded
    if age <= every:
        return ""
    return f"late: last success {format_duration(age)} ago, expected every {format_duration(every)}"


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Hold the lock under which the summary and the metrics are replaced. Raises OSError."""
    make_private_directory(state())
    with open(
        state("journal.lock"), "ab", opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW, 0o600)
    ) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _limited(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry, as long as a line may be: a run can have a warning for each of many files."""
    warnings = [str(one)[:_TEXT] for one in entry.get("warnings", ())]
    more = len(warnings) - _WARNINGS
    facts = {name: one for name, one in entry.get("facts", {}).items() if len(json.dumps(one)) <= _TEXT}
    return {
        **entry,
        "msg": str(entry["msg"])[:_TEXT],
        "warnings": [*warnings[:_WARNINGS], *([f"and {more} more"] if more > 0 else [])],
        "facts": facts,
    }


def _write_summary(data: bytes) -> None:
    """Replace the summary. On a full disk, it is overwritten in place, as an old one could say that all is well."""
    path = state(SUMMARY)
    try:
        write_atomically(path, data)
    except OSError:
        if not os.path.lexists(path):
            raise
        fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.ftruncate(fd, min(os.fstat(fd).st_size, len(data)))
            written = os.pwrite(fd, data, 0)
            os.fdatasync(fd)
        except OSError:
            os.ftruncate(fd, 0)  # an error for readers, and made again from the journal
            raise
        finally:
            os.close(fd)
        if written < len(data):
            raise


def _append(entry: Mapping[str, Any]) -> None:
    path = state("journal.jsonl")
    line = json.dumps(entry, sort_keys=True).encode() + b"\n"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":  # a run was killed while it wrote
            line = b"\n" + line
        while line:
            line = line[os.write(fd, line) :]
        os.fdatasync(fd)
    finally:
        os.close(fd)
    if size > _LARGEST:
        _prune(path, max(0, size - _KEPT))


def _prune(path: str, start: int) -> None:
    """Keep only the lines after a position. A full disk is no reason not to record: the next run tries again."""
    with contextlib.suppress(OSError), open(path, "rb") as handle:
        handle.seek(start)
        handle.readline()
        write_atomically(path, handle.read())


def _parsed(line: bytes) -> dict[str, Any]:
    """An entry of the journal; {} if the line is not one."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(entry, dict):
        return {}
    texts = all(isinstance(entry.get(key), str) for key in ("job", "verb", "status", "msg"))
    times = all(isinstance(entry.get(key), (int, float)) and abs(entry[key]) < 1e12 for key in ("began", "ended"))
    return entry if texts and times else {}


def _count(jobs: dict[str, dict[str, Any]], entry: Mapping[str, Any]) -> None:
    """Take a run into the summary, unless it has done nothing."""
    if entry["status"] in NOTHING_DONE:
        return
    jobs[entry["job"]] = counted(jobs.get(entry["job"], {}), entry)


def counted(before: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a job after a run."""
    one = {
        "verb": entry["verb"],
        "status": entry["status"],
        "began": round(entry["began"]),
        "seconds": round(entry["ended"] - entry["began"]),
        "failures": 0,
        "msg": "",
    }
    if entry["status"] == OK:
        one["last_ok"] = round(entry["ended"])
    else:
        one["msg"] = entry["msg"]
        one["failures"] = before.get("failures", 0) + 1
        if known_time(before.get("last_ok")):
            one["last_ok"] = before["last_ok"]
    if entry.get("warnings"):
        one["warnings"] = len(entry["warnings"])
    good, changed = entry["status"] == OK, bool(entry.get("changed"))
    one["days"] = with_run(str(before.get("days") or ""), entry["ended"], good, changed)
    return one
