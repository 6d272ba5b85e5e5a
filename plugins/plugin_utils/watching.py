# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units that start a job when its data changes.

A path unit watches a single file. Of SQLite, it watches the directory, as a commit to a WAL does not close the file. It
sees nothing while the job runs, nothing that was written before a boot, and is not recursive: a timer looks for that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from ..module_utils._core.errors import InvalidRequest
from ..module_utils._host.on_change import PATIENCE, watched
from .units import escaped, seconds


def watching_units(name: str, job: Mapping[str, Any]) -> list[dict[str, str]]:
    """The path unit, if one is of use, and the timer of a job, each `{unit, content}`; none without `on_change`.

    :param job: the content of the job file.
    """
    if "on_change" not in job:
        return []
    stores = watched(job["verb"], job["arguments"])
    paths = list(dict.fromkeys(_watched_by_systemd(stores)))
    # What a path unit watches is looked at only for what it has missed.
    interval = job["on_change"] * (PATIENCE if paths and not any(map(_is_tree, stores)) else 1)
    looks = ["OnActiveSec=0s", f"OnUnitInactiveSec={seconds(interval)}", "AccuracySec=1s"]
    # Of a timer without a stamp, systemd refuses to remove one.
    made = [_unit(f"day2-look@{name}.timer", job, "Timer", [*looks, "Persistent=yes"], "timers")]
    if paths:
        watches = [f"PathModified={escaped(path)}" for path in paths]
        made.insert(0, _unit(f"day2-{name}.path", job, "Path", watches, "paths"))
    return made


def _is_tree(store: Mapping[str, Any]) -> bool:
    return bool(store["type"] == "files" or store.get("layout", "single_file") != "single_file")


def _watched_by_systemd(stores: list[Mapping[str, Any]]) -> Iterator[str]:
    for store in stores:
        path = str(store.get("path", ""))
        if not path.startswith("/"):
            raise InvalidRequest(f"{path} must be an absolute path.", "A unit has no home directory.")
        if not _is_tree(store):
            yield os.path.dirname(os.path.normpath(path)) if store["type"] == "sqlite" else os.path.normpath(path)


def _unit(unit: str, job: Mapping[str, Any], section: str, lines: list[str], target: str) -> dict[str, str]:
    text = [
        "# Written by the role day2.ops.schedule.",
        "[Unit]",
        f"Description=day2: changes of the data of {escaped(job['description'])}",
        "StartLimitIntervalSec=0",
        "",
        f"[{section}]",
        *lines,
        "",
        "[Install]",
        f"WantedBy={target}.target",
    ]
    return {"unit": unit, "content": "\n".join(text) + "\n"}
