# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With names_key, who can read a repository does not learn what its sets are called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, RepositoryError
from ansible_collections.day2.ops.plugins.module_utils._repository.location import open_repository
from tests.services.age_keys import Key, new_key

NAME = "payroll-marker"
SECRET = "a key of many characters"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return new_key(tmp_path)


@pytest.fixture
def hidden(run: Any, key: Key) -> Any:
    def call(verb: str, check: bool = False, **params: Any) -> dict[str, Any]:
        return dict(run(verb, check, **{"name": NAME, "names_key": SECRET, **params}))

    return call


def everything(top: Path) -> bytes:
    """All names and all content."""
    told = [os.fsencode(str(one)) + (one.read_bytes() if one.is_file() else b"") for one in top.rglob("*")]
    return b"\n".join(told)


def test_the_name_is_nowhere_and_who_has_an_identity_is_told_it(
    hidden: Any, document: Any, key: Key, tmp_path: Path
) -> None:
    document.fill(1)
    given = {"source": document.store, "encrypt_to": [key.recipient]}
    predicted = hidden("backup", True, **given)
    made = hidden("backup", **given)
    assert predicted["changed"]
    for check in (True, False):
        assert not hidden("backup", check, **given)["changed"]
    assert NAME.encode() not in everything(tmp_path / "backups")
    (called,) = [one for one in os.listdir(tmp_path / "backups") if one != ".day2"]
    assert len(called) == 41
    assert made["backup"]["path"].endswith(f"/{called}/{made['backup']['id']}")
    for identity, names in ((key.identity, [NAME]), (None, [called])):
        info = hidden("backup_info", name=None, identity=identity, verify="full")
        assert [one["name"] for one in info["sets"]] == names
        assert info["sets"][0]["newest"] == made["backup"]["id"]
    document.path.unlink()
    assert hidden("restore", target=document.store, identity=key.identity)["changed"]
    document.path.unlink()
    by_path = {"backup": made["backup"]["path"], "names_key": None, "identity": key.identity}
    assert hidden("restore", target=document.store, **by_path)["changed"]


def test_the_document_with_the_name_is_only_advice(hidden: Any, document: Any, key: Key, tmp_path: Path) -> None:
    document.fill(1)
    hidden("backup", source=document.store, encrypt_to=[key.recipient])
    repository = open_repository(
        {"repository": str(tmp_path / "backups"), "names_key": SECRET, "identity": key.identity}
    )
    (called,) = [one for one in os.listdir(tmp_path / "backups") if one != ".day2"]
    planted = open_repository(
        {"repository": str(tmp_path / "backups"), "names_key": "another key of others", "encrypt_to": [key.recipient]}
    )
    # somebody who can write there, and knows the recipient, gives the set the name of another one
    planted.hide = lambda name: called  # type: ignore[attr-defined]
    planted._note_name("another")  # type: ignore[attr-defined]
    assert repository.sets() == [called]
    hidden("backup", source=document.store, encrypt_to=[key.recipient])  # writes it anew
    assert repository.sets() == [NAME]


def test_without_the_key_or_encryption(hidden: Any, document: Any, key: Key) -> None:
    document.fill(1)
    for encryption in ("required", "optional"):
        for check in (True, False):
            with pytest.raises(InvalidRequest, match="names_key requires encrypted backups"):
                hidden("backup", check, source=document.store, encryption=encryption)
    with pytest.raises(InvalidRequest, match="at least 16 characters"):
        hidden("backup", source=document.store, encrypt_to=[key.recipient], names_key="short")
    hidden("backup", source=document.store, encrypt_to=[key.recipient])
    for wrong in (None, "another key of many characters"):
        with pytest.raises(RepositoryError, match=f"has no set {NAME}|has no good backup"):
            hidden("restore", target=document.store, identity=key.identity, names_key=wrong)
    document.fill(2)
    with pytest.raises(InvalidRequest, match="names_key requires|encrypt_to"):
        hidden("restore", target=document.store, identity=key.identity, on_existing="replace")


def test_no_plain_copy_tells_the_name(run: Any, document: Any, key: Key, tmp_path: Path) -> None:
    """Not even an old one, which may lie beside encrypted ones elsewhere."""
    ids = []
    for records in (1, 2):
        document.fill(records)
        ids.append(run("backup", name=NAME, source=document.store)["backup"]["id"])
    source, to = {"repository": str(tmp_path / "backups")}, {"repository": str(tmp_path / "off"), "names_key": SECRET}
    run("backup_copy", name=NAME, **{"from": source, "to": {**to, "encrypt_to": [key.recipient]}})
    for check in (True, False):
        with pytest.raises(InvalidRequest, match="names_key requires encrypted backups"):
            run("backup_copy", check, name=NAME, which=ids[0], **{"from": source, "to": to})
    assert NAME.encode() not in everything(tmp_path / "off")
