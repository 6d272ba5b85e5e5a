# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A manifest that somebody rewrote, with digests that fit, is read as it is or refused in words."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import DamagedBackup
from ansible_collections.day2.ops.plugins.module_utils._repository.manifest import parse, sums_of
from ansible_collections.day2.ops.tests.faults.support import Application, backups, run
from tests.conftest import TIMES

VALUES: tuple[Any, ...] = (None, True, 2**40, "x\n\udce9", [], {})


def places(document: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    steps = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for step, value in steps:
        yield (*above, step)
        yield from places(value, *above, step)


def sealed(document: Any) -> tuple[bytes, bytes]:
    """The manifest and sums of a document, with all digests that follow from it made again where that is possible."""
    try:
        identity = [
            (one["name"], one["type"], json.dumps(one["parameters"], sort_keys=True), one["content_digest"])
            for one in document["sources"]
        ]
        document["content_digest"] = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
        files = "".join(f"{one['sha256']}  {one['path']}\n" for part in document["sources"] for one in part["files"])
    except (KeyError, TypeError):
        files = ""
    data = json.dumps(document).encode()
    sums = f"{files}{hashlib.sha256(data).hexdigest()}  manifest.json\n"
    return data, sums.encode("utf-8", "surrogateescape")


def changed(document: Any, place: tuple[Any, ...], value: Any, gone: bool) -> Any:
    document = copy.deepcopy(document)
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    if gone:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return document


@pytest.mark.parametrize("application", ["json", "sqlite-wal", "files"], indirect=True)
def test_every_value_replaced(application: Application, repository: Path) -> None:
    application.make(1)
    params = {"name": "app", "source": application.store, "repository": str(repository)}
    assert run("backup", params).status == 0
    (backup,) = backups(repository)
    restore = {
        "name": "app",
        "target": application.store,
        "repository": str(repository),
        "on_existing": "replace",
        "safety_backup": False,
        "backup": backup.name,
    }
    document = json.loads((backup / "manifest.json").read_bytes())
    state = application.state()
    believed, restored, now = 0, True, state
    # what a document shows of all values, others show of a third: each place has some, and each value
    some = 1 if application.type == "json" or TIMES > 1 else 3
    for first, place in enumerate(places(document)):
        for number, value in list(enumerate((*VALUES, "gone")))[first % some :: some]:
            manifest, sums = sealed(changed(document, place, value, number == len(VALUES)))
            try:
                found = parse(backup.name, manifest, sums)
            except DamagedBackup:
                continue
            believed += 1
            (backup / "manifest.json").write_bytes(manifest)
            (backup / "SHA256SUMS").write_bytes(sums_of(found, manifest))
            keep = {"last": 1, "within_daily": "9999y"}
            assert run("backup_info", {"repository": str(repository), "verify": "full", "keep": keep}).status == 0
            assert run("backup", dict(params, check=True, keep=keep)).status in (0, 3)
            if restored:
                application.make(2)
                now = application.state()
            done = run("restore", restore)
            assert done.status in (0, 3), (place, value)
            restored = done.status == 0
            if "details" in place or "parameters" in place:
                continue  # they say what belongs to a store
            assert application.state() == (state if restored else now), (place, value)
    assert believed > 20 / some


@pytest.mark.parametrize("application", ["json"], indirect=True)
def test_brackets(application: Application, repository: Path) -> None:
    application.make(1)
    params = {"name": "app", "source": application.store, "repository": str(repository)}
    assert run("backup", params).status == 0
    (backup,) = backups(repository)
    manifest = b"[" * 200_000
    (backup / "manifest.json").write_bytes(manifest)
    (backup / "SHA256SUMS").write_text(f"{hashlib.sha256(manifest).hexdigest()}  manifest.json\n")
    info = run("backup_info", {"repository": str(repository)})
    assert "nested too deeply" in info.result["problems"][0]["problem"]
    assert run("restore", {"name": "app", "target": application.store, "repository": str(repository)}).status == 3
    again = run("backup", params)
    assert (again.status, again.result["reason"]) == (0, "new")
    assert any("nested too deeply" in one for one in again.result["warnings"])
