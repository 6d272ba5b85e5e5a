# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of health checks: the formats, by name, and the writing of them.

To add a format: a file like nagios.py, its test, and its lines here. A format's code is imported when it is written.

**What counts as a change.** A report is written each time, as the times in it tell whoever reads it that checks still
run. It has changed when a check came, went or has another status than in the file that was there: measured values,
messages and times are brought up to date in silence, as a backup's confirmation is.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from .._core.errors import Day2Error, InvalidRequest, TargetError
from .._core.files import check_writable_parent, open_regular, os_errors, prepared_name, resolve, write_atomically
from .base import Format, Report

MODE = 0o644  # node_exporter and whoever serves the file run as other users
_LARGEST = 64 << 20  # bytes of an earlier report that are read; what is larger is none
_KILLED_AFTER = 3600  # seconds after which what was prepared but never put in place is a killed run's


def _json() -> Format:
    from .json_report import JsonReport

    return JsonReport()


def _junit() -> Format:
    from .junit import JUnit

    return JUnit()


def _nagios() -> Format:
    from .nagios import Nagios

    return Nagios()


def _prometheus() -> Format:
    from .prometheus import Prometheus

    return Prometheus()


FORMATS: dict[str, Callable[[], Format]] = {
    "json": _json,
    "junit": _junit,
    "nagios": _nagios,
    "prometheus": _prometheus,
}

# Merged into a module's argument spec; documented in doc_fragments/health.py.
REPORT: dict[str, Any] = {
    "report": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "format": {"type": "str", "choices": sorted(FORMATS), "required": True},
            "path": {"type": "path", "required": True},
        },
    },
}


def check_reports(wanted: Sequence[Mapping[str, Any]]) -> None:
    """Before anything runs: can these be written? Raises InvalidRequest, TargetError."""
    paths = set()
    for one in wanted:
        path = resolve(one["path"], TargetError)
        if path in paths:
            raise InvalidRequest(f"Two reports are written to {path}.", "Set a different path for each.")
        paths.add(path)
        if one["format"] == "prometheus" and not path.endswith(".prom"):
            raise InvalidRequest(f"{path}: node_exporter only reads files that end in .prom.", "Rename it.")
        if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
            raise TargetError(f"{path} is not a regular file.", "Set path to a file that the report may replace.")
        check_writable_parent(path)


def write(wanted: Sequence[Mapping[str, Any]], report: Report, check: bool) -> list[dict[str, Any]]:
    """Write the reports that the option `report` asks for; with `check` only tell what would change.

    Returns for each its `path`, `format` and `changed`. Raises TargetError, NoSpace.
    """
    check_reports(wanted)
    return [_write(FORMATS[one["format"]](), one, report, check) for one in wanted]


def _write(form: Format, wanted: Mapping[str, Any], report: Report, check: bool) -> dict[str, Any]:
    path = resolve(wanted["path"], TargetError)
    data = form.render(report, report_name(path))
    changed = _answers(form, path) != form.answers(data.decode("utf-8"))
    if not check:
        remove_killed(path)
        with os_errors(TargetError, "Can't write", path):
            write_atomically(path, data, MODE)
    return {"path": wanted["path"], "format": wanted["format"], "changed": changed}


def report_name(path: str) -> str:
    """What a report calls itself: its file's name without the suffix."""
    return os.path.splitext(os.path.basename(path))[0]


def _answers(form: Format, path: str) -> Any:
    """What the report that is there says; None when there is none, or something else."""
    try:
        fd = open_regular(path, TargetError)
    except Day2Error:
        return None
    with os.fdopen(fd, "rb") as handle:
        if stat.S_IMODE(os.fstat(fd).st_mode) != MODE:
            return None
        data = handle.read(_LARGEST + 1)
    return form.answers(data.decode("utf-8", "replace")) if len(data) <= _LARGEST else None


def remove_killed(path: str) -> None:
    """Remove what killed runs prepared beside a report: the directory is node_exporter's, nobody else cleans it."""
    directory, name = os.path.split(path)
    prefix = prepared_name(name)[:-8]
    with contextlib.suppress(OSError):
        for entry in os.listdir(directory):
            if entry.startswith(prefix) and len(entry) == len(prefix) + 8:
                info = os.lstat(os.path.join(directory, entry))
                ours = stat.S_ISREG(info.st_mode) and info.st_uid == os.geteuid()
                if ours and time.time() - info.st_mtime > _KILLED_AFTER:
                    os.unlink(os.path.join(directory, entry))
