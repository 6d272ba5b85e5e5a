# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations whose safety backups are encrypted, and the health check of encrypted backups."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, InvalidRequest, RepositoryError
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._probes.backup_probe import BackupProbe
from ansible_collections.day2.ops.plugins.module_utils._probes.base import Deadline, Finding
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import info, migrate
from tests.services.age_keys import Key, new_key

pytestmark = pytest.mark.once  # age is a program, which is the same for every Python


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Key:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    return new_key(tmp_path)


@pytest.fixture
def move(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Migrate source.json to a document or database, with a repository."""

    def call(verb: Any = migrate, check: bool = False, **params: Any) -> dict[str, Any]:
        values = {name: one.get("default") for name, one in verb.ARGUMENTS["argument_spec"].items()}
        values.update(name="app", target={"type": "json", "path": str(tmp_path / "target.json")})
        values.update({"repository": str(tmp_path / "backups"), **params})
        return dict(verb.run(values, check, Progress()))

    return call


def document(path: Path, value: int) -> dict[str, Any]:
    path.write_text(json.dumps({"t": {"1": {"x": value}}}))
    return {"source": {"type": "json", "path": str(path)}, "on_existing": "replace"}


def value_of(path: Path) -> int:
    value: int = json.loads(path.read_text())["t"]["1"]["x"]
    return value


def test_a_migration_is_reverted_with_an_identity(move: Any, key: Key, tmp_path: Path) -> None:
    target = tmp_path / "target.json"
    document(target, 0)
    for value in (1, 2):  # the second is the one to be reverted, which its number tells without an identity
        source = document(tmp_path / "source.json", value)
        assert move(check=True, encrypt_to=[key.recipient], **source)["changed"]
        assert move(encrypt_to=[key.recipient], **source)["changed"]
    for backup in (tmp_path / "backups" / "app").glob("2*"):
        assert b"target.json" not in (backup / "manifest.json").read_bytes()
    looked = move(info, source={"type": "json", "path": str(tmp_path / "source.json")})
    assert looked["safety_backup"] is None
    with pytest.raises(Day2Error, match="no identity was given"):
        move(state="reverted", encrypt_to=[key.recipient])
    assert value_of(target) == 2
    assert move(state="reverted", encrypt_to=[key.recipient], identity_file=key.file)["changed"]
    assert value_of(target) == 1


@pytest.mark.parametrize("when", ["later", "before encryption was set up"])
def test_what_somebody_else_planted_is_not_the_way_back(move: Any, key: Key, tmp_path: Path, when: str) -> None:
    target = tmp_path / "target.json"
    document(target, 0)
    elsewhere = {"repository": str(tmp_path / "elsewhere")}
    if when != "later":
        move(**elsewhere, **document(tmp_path / "source.json", 5))
        document(target, 0)
    move(encrypt_to=[key.recipient], **document(tmp_path / "source.json", 1))
    if when == "later":
        move(**elsewhere, **document(tmp_path / "source.json", 5))
    (planted,) = (tmp_path / "elsewhere" / "app").glob("2*")
    renumber(planted, 9)
    planted.rename(tmp_path / "backups" / "app" / planted.name)
    before = target.read_bytes()
    for check in (True, False):
        with pytest.raises(RepositoryError, match="is not encrypted"):
            move(check=check, state="reverted", encrypt_to=[key.recipient], identity_file=key.file)
    assert target.read_bytes() == before


def renumber(backup: Path, number: int) -> None:
    """As the record of a later run, whose tables were new, so that a revert would drop them."""
    manifest = json.loads((backup / "manifest.json").read_text())
    manifest["sources"][0]["details"]["migration"].update(
        number=number, collections={"t": "created"}, written={"t": [0, 9]}
    )
    data = json.dumps(manifest).encode()
    (backup / "manifest.json").write_bytes(data)
    sums = [line for line in (backup / "SHA256SUMS").read_text().splitlines() if not line.endswith("manifest.json")]
    sums.append(f"{hashlib.sha256(data).hexdigest()}  manifest.json")
    (backup / "SHA256SUMS").write_text("".join(f"{line}\n" for line in sums))


def test_a_safety_backup_does_not_slip_back_to_plaintext(move: Any, key: Key, tmp_path: Path) -> None:
    document(tmp_path / "target.json", 0)
    move(encrypt_to=[key.recipient], **document(tmp_path / "source.json", 1))
    source = document(tmp_path / "source.json", 2)
    for check in (True, False):
        with pytest.raises(InvalidRequest, match="encrypt_to is not set"):
            move(check=check, **source)
    assert value_of(tmp_path / "target.json") == 1
    assert move(encryption="optional", **source)["changed"]


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., Finding]:
    def call(**options: Any) -> Finding:
        values = dict.fromkeys(BackupProbe.OPTIONS)
        values.update(
            {"backup_set": "app", "repository": str(tmp_path / "backups"), "verified_within": 60.0, **options}
        )
        return BackupProbe(values, {limit.name: limit for limit in BackupProbe.LIMITS}).run(Deadline(10))

    return call


def test_the_health_check_needs_no_identity(run: Any, look: Any, key: Key, tmp_path: Path) -> None:
    document(tmp_path / "a.json", 1)
    source = {"type": "json", "path": str(tmp_path / "a.json")}
    made = run("backup", source=source, encrypt_to=[key.recipient])["backup"]
    for options in ({}, {"identity_file": key.file}, {"identity": key.identity}, {"host": made["host"]}):
        found = look(**options)
        assert made["id"] in found.good
        assert found._problems == []
    assert (
        key.identity
        in BackupProbe(
            {
                **dict.fromkeys(BackupProbe.OPTIONS),
                "backup_set": "app",
                "repository": "/",
                "identity": key.identity,
            },
            {limit.name: limit for limit in BackupProbe.LIMITS},
        ).secrets()
    )
    (tmp_path / "backups" / "app" / made["id"] / "data" / "000001.tar.zst.age").unlink()
    assert "damaged" in str(look()._problems)
