# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of all jobs, for the textfile collector of node_exporter, if /etc/day2/settings.json names a file for them.

Like the summary, they are written after each run. The collector reads hidden files, too, so that what is prepared
beside the file must not end in ".prom".
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from .._core.errors import Day2Error, TargetError
from .._core.files import os_errors, resolve, write_atomically
from . import journal
from .job import SCHEMA, WrongJob, load, names, read_object
from .places import configuration

SETTINGS = "settings.json"
# By the key of the summary that has the value. (The label of a job is not "job": Prometheus uses that name itself.)
_RUN = {
    "seconds": ("day2_job_last_run_duration_seconds", "How long the last run took."),
    "failures": ("day2_job_failures", "Number of runs that have failed since the last success."),
    "warnings": ("day2_job_warnings", "Number of warnings of the last run."),
}
_TIMES = {
    "began": ("day2_job_last_run_timestamp_seconds", "When the last run began, in seconds since the epoch."),
    "last_ok": ("day2_job_last_success_timestamp_seconds", "When the job last succeeded, in seconds since the epoch."),
}
_OK = ("day2_job_last_run_ok", "1 if the last run succeeded, 0 if not.")
_EXPECTED = ("day2_job_expected_every_seconds", "The job is late if its last success is older than this.")

_Families = dict[tuple[str, str], list[tuple[Mapping[str, str], float]]]


def write() -> str:
    """Write the metrics if a file is named for them. Returns "", or a sentence if that fails: it fails no job."""
    try:
        path = _path()
        if path:
            with journal.guarded():  # the last one to write has read the last state
                _write(path)
    except (Day2Error, OSError) as exc:
        return f"The metrics could not be written: {exc}"
    return ""


def check() -> None:
    """Raises TargetError if jobs in their sandbox, which is root without its capabilities, could not write the file."""
    path = _path()
    if not path:
        return
    directory = os.path.dirname(path)
    with os_errors(TargetError, "Can't stat", directory):
        info = os.stat(directory)
    if info.st_uid != os.geteuid() and not info.st_mode & stat.S_IWOTH:
        raise TargetError(
            f"{directory} belongs to another user (uid {info.st_uid}), so jobs in a sandbox cannot write to it.",
            f"chown {os.geteuid()} {directory}, or name a file in another directory that node_exporter reads.",
        )


def _path() -> str:
    """The file of the metrics, or "". Raises WrongJob."""
    settings = configuration(SETTINGS)
    if not os.path.lexists(settings):
        return ""
    given = read_object(settings)
    path = given.get("metrics", "")
    if given.get("schema") != SCHEMA or not isinstance(path, str):
        raise WrongJob(f"{settings} is not valid.", "Run the role schedule again.")
    return path


def _write(path: str) -> None:
    from .._reports.prometheus import exposition
    from .._reports.registry import MODE, remove_killed

    path = resolve(path, TargetError)
    remove_killed(path)
    with os_errors(TargetError, "Can't write", path):
        write_atomically(path, exposition(_families()), MODE)


def _families() -> _Families:
    known = journal.summary()
    families: _Families = {family: [] for family in (_OK, *_RUN.values(), *_TIMES.values(), _EXPECTED)}
    for name in names():
        verb, expected = _of_file(name)
        labels = {"name": name, "verb": verb}
        if expected:
            families[_EXPECTED].append((labels, expected))
        if name not in known:
            continue
        one = known[name]
        families[_OK].append((labels, int(one.get("status") == journal.OK)))
        for key, family in _RUN.items():
            families[family].append((labels, one.get(key, 0)))
        for key, family in _TIMES.items():
            when = journal.known_time(one.get(key))
            if when:
                families[family].append((labels, when))
    return families


def _of_file(name: str) -> tuple[str, float]:
    """The verb of a job, and its `expected_every` in seconds."""
    try:
        job = load(name)
    except WrongJob:
        return "", 0.0
    return job.verb, job.expected_every
