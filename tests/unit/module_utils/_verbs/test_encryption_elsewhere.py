# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted backups in repositories that are elsewhere, restored by hand, and by a host that has only the identity."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, LeaseLost
from ansible_collections.day2.ops.plugins.module_utils._repository import s3_upload
from ansible_collections.day2.ops.plugins.module_utils._repository.encrypted_files import EncryptedFiles
from ansible_collections.day2.ops.plugins.module_utils._repository.location import open_repository
from tests.services.age_keys import Key, new_key
from tests.services.manual import script
from tests.services.repositories import KINDS
from tests.unit.module_utils._verbs.test_remote import REMOTE

pytestmark = pytest.mark.once  # age is a program, which is the same for every Python

PIECE = 5 << 20  # bytes, the least that a part of an upload may have


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return new_key(tmp_path)


@pytest.fixture(params=REMOTE)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    with KINDS[request.param](tmp_path) as params:
        yield params


@pytest.fixture
def remote(run: Any, place: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    return lambda verb, check=False, **params: dict(run(verb, check, **{**place, **params}))


def large_database(path: Path, rows: int = 2_000) -> None:
    """Of some MiB that do not compress."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE requests (id INTEGER PRIMARY KEY, body BLOB)")
        connection.executemany(
            "INSERT INTO requests (body) VALUES (?)", ((secrets.token_bytes(1000),) for _row in range(rows))
        )


def test_check_run_check_run_and_a_restore_elsewhere(
    remote: Any, place: dict[str, Any], application: Any, key: Key, tmp_path: Path
) -> None:
    application.fill(5)
    params = {"source": application.store, "encrypt_to": [key.recipient]}
    assert remote("backup", check=True, **params)["reason"] == "new"
    made = remote("backup", **params)
    assert (made["reason"], made["warnings"]) == ("new", [])
    for check in (True, False):
        assert remote("backup", check, **params)["changed"] is False
    assert remote("backup_info", verify="full")["ok"] is True
    shutil.rmtree(tmp_path / "state")  # another host has the credentials and the identity alone
    shutil.rmtree(application.path.parent)
    application.path.parent.mkdir()
    restored = remote("restore", target=application.store, identity=key.identity)
    assert (restored["changed"], restored["backup"]["origin"]) == (True, "unproven")
    assert application.records() == 5
    assert remote("restore", target=application.store, identity=key.identity)["changed"] is False


def fetched(place: dict[str, Any], backup: dict[str, Any], to: Path) -> Path:
    """A backup as it lies in the repository, in a directory."""
    if "://" not in place["repository"]:
        return Path(backup["path"])
    repository = open_repository(place)
    for path in repository.look("app", backup["id"]).sizes:
        (to / path).parent.mkdir(parents=True, exist_ok=True)
        with repository.open("app", backup["id"], path) as source, open(to / path, "wb") as target:
            shutil.copyfileobj(source, target)
    return to


@pytest.mark.parametrize("kind", ["directory", *REMOTE])
def test_restoring_by_hand(run: Any, kind: str, key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    monkeypatch.setattr(s3_upload, "PART", PIECE)
    monkeypatch.setattr(s3_upload, "PARTS", 1)
    large_database(tmp_path / "hawkfish.db", 7_000)
    (tmp_path / "config.json").write_text('{"settings": {"1": {"id": 1}}}')
    sources = [
        {"type": "sqlite", "path": str(tmp_path / "hawkfish.db")},
        {"type": "json", "path": str(tmp_path / "config.json")},
    ]
    with KINDS[kind](tmp_path) as place:
        made = run("backup", **place, sources=sources, encrypt_to=[key.recipient])["backup"]
        backup = fetched(place, made, tmp_path / "fetched")
    assert len(list(backup.glob("data/000001.zst.age*"))) == (1 if kind == "directory" else 2)
    out = tmp_path / "out"
    out.mkdir()
    places = {"/tmp": str(out), "~/identity.txt": key.file}
    places["/var/backups/day2/hawkfish/20250630T120000Z-5be01c9f"] = str(backup)
    text = script("FORMAT.md", "age -d", places)
    done = subprocess.run(["bash", "-e", "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    content = json.loads((out / "content.json").read_text())
    files = {one["path"]: one["content_sha256"] for part in content["sources"] for one in part["files"]}
    found = {"data/hawkfish.db/hawkfish.db": out / "hawkfish.db"}
    found["data/config.json/config.json"] = out / "data" / "config.json" / "config.json"
    assert {path: hashlib.sha256(file.read_bytes()).hexdigest() for path, file in found.items()} == files


def test_what_is_damaged_on_the_way_is_not_published(
    remote: Any, place: dict[str, Any], key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading back finds it: the run has an identity of its own."""
    large_database(tmp_path / "a.db")
    real = EncryptedFiles._writing

    @contextlib.contextmanager
    def other(self: EncryptedFiles, path: str) -> Iterator[Any]:
        with real(self, path) as target:
            target.write(b"x")
            yield target

    monkeypatch.setattr(EncryptedFiles, "_writing", other)
    with pytest.raises(Day2Error, match="differs when it is read back"):
        remote("backup", source={"type": "sqlite", "path": str(tmp_path / "a.db")}, encrypt_to=[key.recipient])
    assert open_repository(place).ids("app") == []


def test_age_that_is_killed_fails_the_run(
    remote: Any, place: dict[str, Any], key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large_database(tmp_path / "a.db")
    programs = tmp_path / "programs"
    programs.mkdir()
    age = shutil.which("age")
    (programs / "age").write_text(
        f'#!/bin/sh\ncase "$1" in -r) head -c 100000 | {age} "$@"; kill -9 $$ ;; esac\n{age} "$@"\n'
    )
    (programs / "age").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    params = {"source": {"type": "sqlite", "path": str(tmp_path / "a.db")}}
    with pytest.raises(Day2Error) as error:
        remote("backup", **params, encrypt_to=[key.recipient])
    assert not isinstance(error.value, LeaseLost)
    assert "age" in error.value.message
    assert open_repository(place).ids("app") == []
