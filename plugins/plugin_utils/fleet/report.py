# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a report: made from what modules returned, written into a directory of the controller."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import time
from collections.abc import Iterator, Mapping
from shlex import quote
from typing import Any

from ...module_utils._core.errors import Day2Error, InvalidRequest
from ...module_utils._core.file_lock import FileLock
from ...module_utils._core.files import write_atomically
from ...module_utils._core.units import parse_duration
from ...module_utils._core.version import VERSION
from .gathered import all_facts
from .history import FILE, History, NotOurs
from .judge import judge
from .page import INDEX, pages
from .schema import checked
from .tables import metrics, table
from .words import iso

ARGUMENTS: dict[str, Any] = {
    "dest": {"type": "path", "required": True},
    "hosts": {"type": "list", "elements": "dict", "required": True},
    "fleet": {"type": "str", "default": "fleet"},
    "inventory": {"type": "list", "elements": "str", "default": ["inventory"]},
    "command": {"type": "str", "default": "ansible-playbook day2.ops.fleet_report"},
    "next_due": {"type": "str"},
    "evidence": {"type": "dict"},
    "mode": {"type": "str", "default": "0644"},
}
_PATIENCE = 60.0  # seconds
_PAUSE = 0.1  # seconds
_OURS = re.compile(r"(index|group-\d+)\.html|fleet\.(json|csv|prom)|limits/[a-z-]+-\d+\.txt")


def report(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make the report, and write it unless in check mode. Returns the result of the module.

    :raises Day2Error: it cannot be made or written.
    """
    now, mode = time.time(), _mode(params["mode"])
    with _alone(params["dest"], check_mode):
        history = _history(params["dest"], params["fleet"])
        fleet = judge(checked(all_facts(params["hosts"], history, now, **_about(params, now))))
        files = _files(fleet)
        if not check_mode:
            _write(params["dest"], files, history, mode, now)
    judged = fleet["judged"]
    return {
        "changed": True,
        "verdict": judged["verdict"],
        "count": judged["count"],
        "attention": [
            {
                "level": entry["level"],
                "code": entry["code"],
                "problems": [{key: one[key] for key in ("host", "set", "text")} for one in entry["members"]],
                "commands": [step["command"] for step in entry["todo"] if step["command"]],
            }
            for first in judged["attention"]
            for entry in (first, *first["also"])
        ],
        "path": os.path.join(params["dest"], INDEX),
        "msg": judged["sentence"],
    }


@contextlib.contextmanager
def _alone(directory: str, check_mode: bool) -> Iterator[None]:
    """One report at a time: another one would forget what this one remembers, or remove its files."""
    if check_mode:
        yield
        return
    try:
        os.makedirs(directory, exist_ok=True)
        lock, end = FileLock(os.path.join(directory, FILE)), time.monotonic() + _PATIENCE
        while not lock.take():
            if time.monotonic() > end:
                raise Day2Error(
                    f"Another report is being written to {directory}.",
                    "Set another dest, or run again once it has ended.",
                )
            time.sleep(_PAUSE)
    except OSError as exc:
        raise Day2Error(f"{exc.filename or directory} cannot be written: {exc.strerror}.") from exc
    try:
        yield
    finally:
        lock.release()


def _mode(text: str) -> int:
    if not re.fullmatch(r"0[0-7]{3}", text):  # without quotes, YAML makes 420 of 0644
        raise InvalidRequest(f"mode: {text} is not an octal mode.", 'Write it in quotes, for example "0644".')
    return int(text, 8)


def _about(params: Mapping[str, Any], now: float) -> dict[str, Any]:
    try:
        every = parse_duration(params["next_due"] or 0)
    except InvalidRequest as exc:
        raise InvalidRequest(f"next_due: {exc.message}", exc.hint) from exc
    made_by = {"inventory": " -i ".join(quote(one) for one in params["inventory"]), "command": params["command"]}
    return {
        "fleet": params["fleet"],
        "next_due_at": iso(now + every) if every else None,
        "made_by": {**made_by, "tool": f"day2.ops {VERSION}", "controller": platform.node()},
        "evidence": params["evidence"],
    }


def _history(directory: str, fleet: str) -> History:
    """What earlier reports remember."""
    path = os.path.join(directory, FILE)
    try:
        with open(path, "rb") as handle:
            data = handle.read()
    except FileNotFoundError:
        return History(fleet)
    except OSError as exc:
        raise Day2Error(f"{path} cannot be read: {exc.strerror}.") from exc
    try:
        return History(fleet, data)
    except NotOurs as exc:
        raise Day2Error(
            f"{path} is not the history of this fleet: {exc}.",
            "Set another dest, or remove the file: the next report then starts without a history.",
        ) from exc


def _files(fleet: Mapping[str, Any]) -> dict[str, bytes]:
    limits = {name: "".join(f"{host}\n" for host in hosts) for name, hosts in fleet["judged"]["limits"].items()}
    return {
        **{name: text.encode() for name, text in {**limits, **pages(fleet)}.items()},
        "fleet.json": json.dumps(fleet, ensure_ascii=False, separators=(",", ":")).encode() + b"\n",
        "fleet.csv": table(fleet),
        "fleet.prom": metrics(fleet),
    }


def _write(directory: str, files: Mapping[str, bytes], history: History, mode: int, now: float) -> None:
    """The page comes last: what it names is there. Files of the last report that this one does not have are removed."""
    stale = [name for name in history.files if name not in files and _OURS.fullmatch(name)]
    history.files = list(files)
    try:
        os.makedirs(os.path.join(directory, "limits"), exist_ok=True)
        for name, data in sorted(files.items(), key=lambda file: file[0] == INDEX):
            write_atomically(os.path.join(directory, name), data, mode)
        write_atomically(os.path.join(directory, FILE), history.dump(now), mode)
        for name in stale:
            path = os.path.join(directory, name)
            if os.path.lexists(path):
                os.unlink(path)
    except OSError as exc:
        raise Day2Error(f"{exc.filename or directory} cannot be written: {exc.strerror}.") from exc
