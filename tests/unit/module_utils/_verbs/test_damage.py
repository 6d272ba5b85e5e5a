# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damage of a stored file that its content does not show, and what only its size or its end shows."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import DamagedBackup
from tests.unit.module_utils._verbs.conftest import Application, Run


@pytest.fixture
def stored(run: Run, document: Application) -> Path:
    """The data file of a backup of the document, which has changed since."""
    document.fill(5)
    done = run("backup", source=document.store, compression="gzip")
    document.fill(7)
    (file,) = (one for one in Path(done["backup"]["path"], "data").rglob("*") if one.is_file())
    return file


def problems(run: Run, document: Application) -> list[Any]:
    """What restore and a full verification say, which is the same."""
    found = []
    for check in (True, False):
        with pytest.raises(DamagedBackup) as caught:
            backup = run("backup_info")["sets"][0]["backups"][0]["id"]
            run("restore", check, target=document.store, on_existing="replace", safety_backup=False, backup=backup)
        found.append(caught.value.details["problems"])
    assert document.records() == 7
    info = run("backup_info", verify="full")
    assert not info["ok"]
    assert found[0] == found[1]
    return list(found[0])


@pytest.mark.parametrize(
    "at", [4, 9]
)  # the time in the header of gzip, and the system that wrote it: nothing that changes the content
def test_other_bytes_of_the_same_size_and_content(run: Run, document: Application, stored: Path, at: int) -> None:
    data = bytearray(stored.read_bytes())
    content = gzip.decompress(data)
    data[at] ^= 1
    assert gzip.decompress(data) == content
    stored.write_bytes(data)
    (problem,) = problems(run, document)
    assert problem["path"].endswith(stored.name)
    assert problem["problem"].startswith("its SHA-256 is ")


@pytest.mark.parametrize("harm", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: b""])
def test_another_size(run: Run, document: Application, stored: Path, harm: Callable[[bytes], bytes]) -> None:
    stored.write_bytes(harm(stored.read_bytes()))
    (problem,) = problems(run, document)
    assert "bytes" in problem["problem"]


def test_whole_again_it_is_restored(run: Run, document: Application, stored: Path) -> None:
    data = stored.read_bytes()
    stored.write_bytes(data[:-1])
    problems(run, document)
    stored.write_bytes(data)
    assert run("backup_info", verify="full")["ok"]
    assert run("restore", target=document.store, on_existing="replace")["changed"]
    assert json.loads(document.path.read_text())["requests"].keys() == {f"req-{n}" for n in range(5)}
