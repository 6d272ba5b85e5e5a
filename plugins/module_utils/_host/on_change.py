# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that are made when the data has changed (`on_change` of a job).

The unit runs `day2 run NAME --settle`: it waits until the data is quiet, runs, and runs again if the data has changed
meanwhile, as a path unit does not see changes while what it starts is active. A path unit starts it for single files; a
timer runs `day2 changed NAME` for trees, and for changes that the path unit has missed.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .._core.errors import InvalidRequest
from .._core.files import make_private_directory, write_atomically
from .._core.fingerprint import SETTLED_NS, attributes, combine
from .._core.paths import expand
from .._core.walk import ignore, walk
from .._stores.files.selection import Selection
from . import journal
from .job import Job, load
from .places import state

ROUNDS = 3  # runs of one start; more are up to the timer
PATIENCE = 10  # times `after`: how long a writer is waited for
CHANGED, UNCHANGED = 0, 75
_TYPES = ("files", "json", "sqlite")
_SUFFIXES = ("", "-wal", "-journal")  # of files: where SQLite writes, too
_SHARE = 20  # a look at a tree is repeated after as many times the time that it took


def watched(verb: str, arguments: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The stores of a job with `on_change`. Raises InvalidRequest if it cannot be one."""
    if verb != "backup":
        raise InvalidRequest(f"on_change is for the verb backup, not {verb}.", "Set on_calendar instead.")
    stores = [one for one in (arguments.get("source"), *(arguments.get("sources") or ())) if isinstance(one, Mapping)]
    others = sorted({str(one.get("type")) for one in stores} - set(_TYPES))
    if others:
        raise InvalidRequest(
            f"on_change does not see changes of stores of type {', '.join(others)}.",
            f"Set on_calendar instead; on_change is for the types {', '.join(_TYPES)}.",
        )
    if arguments.get("max_age") or arguments.get("import"):
        raise InvalidRequest("on_change cannot be used with max_age and import.", "Omit max_age and import.")
    return stores


def look(job: Job) -> Optional[str]:
    """An identity of the data from the attributes of its files; None just after a change, as another one might leave
    them as they are."""
    now, parts = time.time_ns(), [json.dumps(job.arguments, sort_keys=True)]  # another repository has no backup yet
    for info, path in _entries(job):
        if info is not None and abs(now - info.st_ctime_ns) < SETTLED_NS:
            return None
        parts.append(f"{path!r} {attributes(info) if info else ''}")
    return combine(parts)


def _entries(job: Job) -> Iterator[tuple[Optional[os.stat_result], Any]]:
    """The attributes of all files. What cannot be read is for the backup to report."""
    for one in watched(job.verb, job.arguments):
        path = expand(str(one.get("path", "")))
        for suffix in _SUFFIXES:
            try:
                info = os.stat(path + suffix)
            except OSError:
                yield None, path + suffix
                continue
            if suffix or not stat.S_ISDIR(info.st_mode):
                yield info, path + suffix
                continue
            selection = Selection(one.get("include") or (), one.get("exclude") or ())
            try:
                for found in walk(os.path.realpath(path), selection, ignore):
                    yield found.info, found.path
            except OSError:
                yield None, path


def remember(name: str, identity: Optional[str]) -> None:
    """Record that the data with this identity is in a backup. Raises OSError."""
    make_private_directory(state("seen"))
    write_atomically(state("seen", name), (identity or "").encode())


def known(name: str) -> str:
    """The identity of the data when the last backup of it was made, or ""."""
    try:
        with open(state("seen", name), "rb") as handle:
            return handle.read(100).decode("ascii", "replace")
    except OSError:
        return ""


def changed(name: str) -> int:
    """CHANGED if the job should run, else UNCHANGED. A failed run is tried again after ten times `after`.

    Raises WrongJob: the run will report it.
    """
    job = load(name)
    return UNCHANGED if pause(job) or look(job) == known(name) else CHANGED


def pause(job: Job) -> float:
    """Seconds until a job that has failed may be tried again because of changes; 0: now."""
    last = journal.summary().get(job.name, {})
    if last.get("status", journal.OK) == journal.OK:
        return 0.0
    since, longest = time.time() - journal.known_time(last.get("began")), PATIENCE * job.on_change
    return longest - since if 0 <= since < longest else 0.0


class Quiet:
    """Waits until the data has not changed for `on_change` seconds of a job, at most ten times as long.

    :param pause: seconds to wait in any case.
    """

    def __init__(self, job: Job, pause: float = 0.0) -> None:
        self._job, self._pause = job, pause
        self._began = self._since = time.monotonic()
        self._seen = look(job)

    def wait(self) -> bool:
        """Wait a moment. Returns whether to wait on."""
        after, began = self._job.on_change, time.monotonic()
        now = look(self._job)
        if now is None or now != self._seen:
            self._seen, self._since = now, time.monotonic()
        elapsed = time.monotonic()
        quiet = elapsed - self._since >= after or elapsed - self._began >= PATIENCE * after
        if quiet and elapsed - self._began >= self._pause:
            return False
        time.sleep(min(after / 4, max(1.0, _SHARE * (elapsed - began))))
        return True


def by_path() -> bool:
    """Whether a path unit has started this unit: perhaps as another file beside the data has changed."""
    return os.environ.get("TRIGGER_UNIT", "").endswith(".path")
