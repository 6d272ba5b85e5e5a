# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of encrypted backups, and copies that are encrypted on the way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_key, host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, InvalidRequest, RepositoryError
from ansible_collections.day2.ops.plugins.module_utils._repository.encrypted_files import EncryptedFiles
from tests.services.age_keys import Key, new_key
from tests.services.repositories import KINDS
from tests.unit.module_utils._verbs.test_encryption import rewrite

pytestmark = pytest.mark.once  # age is a program, which is the same for every Python

MARKER = "planted-in-plain-text"
Copy = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return new_key(tmp_path)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"a": {"1": {"text": MARKER}}}))
    return path


@pytest.fixture
def back_up(run: Any, document: Path) -> Copy:
    def call(check: bool = False, **params: Any) -> dict[str, Any]:
        return dict(run("backup", check, source={"type": "json", "path": str(document)}, compression="none", **params))

    return call


@pytest.fixture
def copy(run: Any, tmp_path: Path) -> Copy:
    def call(check: bool = False, which: str = "newest", take_over: bool = False, **to: Any) -> dict[str, Any]:
        places = {
            "from": {"repository": str(tmp_path / "backups")},
            "to": {"repository": str(tmp_path / "copies"), **to},
        }
        return dict(run("backup_copy", check, which=which, take_over=take_over, **places))

    return call


def content(path: Path) -> dict[str, bytes]:
    found = {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()}
    return {name: data for name, data in found.items() if ".state" not in name}


def test_what_is_plain_is_encrypted_on_the_way(
    run: Any, back_up: Copy, copy: Copy, key: Key, document: Path, tmp_path: Path
) -> None:
    made = back_up()["backup"]
    predicted = copy(check=True, encrypt_to=[key.recipient])
    assert not (tmp_path / "copies").exists()
    done = copy(encrypt_to=[key.recipient])
    assert predicted["changed"] is done["changed"] is True
    (copied,) = done["copied"]
    assert (copied["encrypted"], copied["created"]) == (True, made["created"])
    assert copied["id"] != made["id"]
    assert copied["id"][:16] == made["id"][:16]
    assert not any(MARKER.encode() in data or b"a.json" in data for data in content(tmp_path / "copies").values())
    for check in (True, False):
        again = copy(check=check, encrypt_to=[key.recipient])
        assert (again["changed"], again["existing"]) == (False, [copied["id"]])
    info = run("backup_info", repository=str(tmp_path / "copies"), verify="full", identity=key.identity)
    assert info["ok"], info["problems"]
    document.unlink()
    where = {"repository": str(tmp_path / "copies"), "identity": key.identity}
    assert run("restore", target={"type": "json", "path": str(document)}, **where)["changed"]
    assert MARKER in document.read_text()


@pytest.mark.parametrize("kind", ["directory", "s3-ministack"])
def test_copy_to_encrypts(run: Any, back_up: Copy, key: Key, document: Path, kind: str, tmp_path: Path) -> None:
    with KINDS[kind](tmp_path / "elsewhere") as place:
        places = [{**place, "encrypt_to": [key.recipient], "keep": {"last": 1}}]
        for number in range(2):
            document.write_text(json.dumps({"a": {"1": {"text": MARKER * (number + 1)}}}))
            predicted = back_up(check=True, copy_to=places)
            done = back_up(copy_to=places)
            assert predicted["copies"][0]["removed"] == done["copies"][0]["removed"]
            assert len(done["copies"][0]["removed"]) == number
        assert back_up(copy_to=places)["changed"] is False
        info = run("backup_info", copy_to=places, copies={"min": 3}, max_age="1h")
        assert info["ok"], info["problems"]
        assert [one["status"] for one in info["sets"][0]["copies"]["repositories"]] == ["current", "current"]
        document.unlink()
        restored = run("restore", target={"type": "json", "path": str(document)}, identity=key.identity, **place)
        assert restored["changed"]


def test_check_mode_of_copies_of_encrypted_backups(back_up: Copy, document: Path, key: Key, tmp_path: Path) -> None:
    """The copy is encrypted as the backup is."""
    params = {"encrypt_to": [key.recipient], "copy_to": [{"repository": str(tmp_path / "copies")}]}
    for text in ("one", "two"):
        document.write_text(json.dumps({"a": {"1": {"text": text}}}))
        predicted = back_up(True, **params)
        done = back_up(**params)
        assert predicted["copies"][0]["changed"] is done["copies"][0]["changed"] is True
        assert back_up(True, **params)["changed"] is back_up(**params)["changed"] is False
    other = new_key(tmp_path, "other")
    document.write_text(json.dumps({"a": {"1": {"text": "three"}}}))
    for recipient, fails in ((key.recipient, False), (other.recipient, True)):
        params["copy_to"] = [{"repository": str(tmp_path / "again"), "encrypt_to": [recipient]}]
        document.write_text(json.dumps({"a": {"1": {"text": recipient}}}))
        for check in (True, False):
            if fails:
                with pytest.raises(RepositoryError, match="encrypted to other recipients"):
                    back_up(check, **params)
            else:
                assert back_up(check, **params)["changed"]


def test_other_recipients_need_another_copy(back_up: Copy, copy: Copy, key: Key, tmp_path: Path) -> None:
    back_up()
    first = copy(encrypt_to=[key.recipient])["copied"][0]["id"]
    (tmp_path / "other").mkdir()
    other = new_key(tmp_path / "other")
    second = copy(encrypt_to=[key.recipient, other.recipient])["copied"][0]["id"]
    assert first != second
    assert copy(encrypt_to=[other.recipient, key.recipient])["existing"] == [second]


def test_what_is_encrypted_is_copied_as_it_is(
    run: Any, back_up: Copy, copy: Copy, key: Key, document: Path, tmp_path: Path
) -> None:
    back_up(encrypt_to=[key.recipient])
    assert copy()["changed"]
    assert content(tmp_path / "copies") == content(tmp_path / "backups")
    for check in (True, False):
        assert copy(check=check)["changed"] is False
        assert copy(check=check, encrypt_to=[key.recipient])["changed"] is False
    # whoever has the identity sees the same
    (one,) = run("backup_info", repository=str(tmp_path / "copies"), identity=key.identity)["sets"][0]["backups"]
    assert one["encrypted"]
    document.unlink()
    where = {"repository": str(tmp_path / "copies"), "identity": key.identity}
    assert run("restore", target={"type": "json", "path": str(document)}, **where)["changed"]


def test_what_is_encrypted_is_copied_to_restic_as_it_is(
    run: Any, back_up: Copy, copy: Copy, key: Key, document: Path, tmp_path: Path
) -> None:
    """Where restic encrypts, what age has not encrypted can lie beside it."""
    back_up(encrypt_to=[key.recipient])
    with KINDS["restic"](tmp_path) as place:
        assert copy(**place)["changed"]
        assert not copy(**place)["changed"]
        document.unlink()
        assert run("restore", target={"type": "json", "path": str(document)}, identity=key.identity, **place)["changed"]
        assert MARKER in document.read_text()
        document.write_text(json.dumps({"a": {"1": {"text": "new"}}}))
        assert back_up(**place)["changed"]
        document.unlink()
        assert run("restore", target={"type": "json", "path": str(document)}, identity=key.identity, **place)["changed"]
        assert "new" in document.read_text()


def test_what_is_encrypted_to_others_is_not_encrypted_again(
    back_up: Copy, copy: Copy, key: Key, tmp_path: Path
) -> None:
    back_up(encrypt_to=[key.recipient])
    (tmp_path / "other").mkdir()
    other = new_key(tmp_path / "other").recipient
    for check in (True, False):
        with pytest.raises(RepositoryError, match="is encrypted to other recipients, or by another host"):
            copy(check=check, encrypt_to=[other])


def test_copies_do_not_fall_back_to_plain_text(back_up: Copy, copy: Copy, key: Key, document: Path) -> None:
    back_up()
    copy(encrypt_to=[key.recipient])
    document.write_text(json.dumps({"a": {"1": {"text": MARKER * 2}}}))
    back_up()
    for check in (True, False):
        with pytest.raises(InvalidRequest, match="are encrypted, and encrypt_to is not set"):
            copy(check=check)
    assert copy(encryption="optional")["changed"]
    for check in (True, False):  # the decision is remembered
        assert copy(check=check)["changed"] is False


def test_a_set_that_was_encrypted_at_times_is_copied_as_it_is(
    run: Any, back_up: Copy, copy: Copy, key: Key, document: Path, tmp_path: Path
) -> None:
    for number in range(4):
        document.write_text(json.dumps({"a": {"1": {"text": MARKER * (number + 1)}}}))
        back_up(**({"encrypt_to": [key.recipient]} if number % 2 else {"encryption": "optional"}))
    assert len(copy(which="all", encryption="optional")["copied"]) == 4
    info = run("backup_info", repository=str(tmp_path / "copies"))
    assert info["ok"], info["problems"]
    shutil.rmtree(tmp_path / "copies")  # that the newest was encrypted is remembered
    document.write_text(json.dumps({"a": {"1": {"text": "new"}}}))
    back_up(encryption="optional")
    with pytest.raises(InvalidRequest, match="are encrypted, and encrypt_to is not set"):
        copy()


def test_nothing_is_copied_if_the_host_cannot_remember_that_it_is_encrypted(
    back_up: Copy, copy: Copy, key: Key, tmp_path: Path
) -> None:
    back_up(encrypt_to=[key.recipient])
    notes = tmp_path / "state" / "encrypted"
    shutil.rmtree(notes)
    notes.write_text("")
    with pytest.raises(Day2Error, match="Can't write .*encrypted"):
        copy()
    assert not (tmp_path / "copies" / "app").exists()


@pytest.mark.parametrize("known", [True, False], ids=["this host", "another host"])
def test_older_backups_are_not_copied_in_plain_text_beside_encrypted_copies(
    back_up: Copy, copy: Copy, key: Key, document: Path, tmp_path: Path, known: bool
) -> None:
    for number in range(2):
        document.write_text(json.dumps({"a": {"1": {"text": MARKER * (number + 1)}}}))
        back_up()
    copy(which="all", encrypt_to=[key.recipient])
    before = content(tmp_path / "copies")
    if not known:
        shutil.rmtree(tmp_path / "state")
    for check in (True, False):
        with pytest.raises(InvalidRequest, match="are encrypted, and encrypt_to is not set"):
            copy(check=check, which="all")
    assert content(tmp_path / "copies") == before


def test_backups_from_before_the_first_encrypted_one_may_be_copied_later(
    back_up: Copy, copy: Copy, key: Key, document: Path
) -> None:
    older = back_up()["backup"]["id"]
    document.write_text(json.dumps({"a": {"1": {"text": "changed"}}}))
    newer = back_up(encrypt_to=[key.recipient])["backup"]["id"]
    assert [one["id"] for one in copy()["copied"]] == [newer]
    for check in (True, False):
        assert [one["id"] for one in copy(check=check, which="all")["copied"]] == [older]


@pytest.mark.parametrize("changed", [{"key": "0" * 64, "same": "0" * 64}, {"copy_of": "0" * 64, "key": "0" * 64}])
def test_what_this_host_has_not_sealed_is_not_the_copy(
    back_up: Copy, copy: Copy, key: Key, tmp_path: Path, changed: dict[str, str]
) -> None:
    back_up()
    (copied,) = copy(encrypt_to=[key.recipient])["copied"]
    rewrite(tmp_path / "copies" / "app" / copied["id"], **changed)
    before = content(tmp_path / "copies")
    for check in (True, False):
        again = copy(check=check, encrypt_to=[key.recipient])
        assert (again["changed"], len(again["copied"]), again["existing"]) == (True, 1, [])
    assert set(before.items()) < set(content(tmp_path / "copies").items())
    assert copy(encrypt_to=[key.recipient])["existing"] == [again["copied"][0]["id"]]


def test_check_mode_of_copies_that_are_encrypted_on_the_way(
    back_up: Copy, copy: Copy, key: Key, document: Path
) -> None:
    made = []
    for number in range(3):
        document.write_text(json.dumps({"a": {"1": {"text": str(number)}}}))
        made.append(back_up()["backup"]["id"])
    to: dict[str, Any] = {"encrypt_to": [key.recipient], "keep": {"last": 2}}
    predicted, done = copy(True, "all", **to), copy(which="all", **to)
    assert predicted["diff"] == done["diff"]
    assert made[2] + ", encrypted" in done["diff"]["after"]
    assert predicted["not_kept"] == done["not_kept"] == made[:1]
    assert [(one["id"], one["path"], one["encrypted"]) for one in predicted["copied"]] == [(None, None, True)] * 2
    copied = [one["id"] for one in done["copied"]]
    assert sorted(one["id"] for one in done["kept"]) == sorted(copied)
    for check in (True, False):
        again = copy(check, "all", **to)
        assert (again["changed"], again["existing"], again["not_kept"]) == (False, copied, made[:1])


def backups_of_two(back_up: Copy, document: Path, tmp_path: Path, machines: bool, monkeypatch: Any) -> list[list[str]]:
    """Encrypted backups of two hosts in one set: of two machines, or of one machine under two names."""
    machine = tmp_path / "machine-id"
    monkeypatch.setattr(host_key, "MACHINE", str(machine))
    key, made = new_key(tmp_path, "theirs").recipient, []
    for number in range(4):
        host = str(number % 2 + 1)
        machine.write_text((host if machines else "1") * 32 + "\n")
        monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / ("state" + host * machines)))
        document.write_text(json.dumps({"a": {"1": {"text": str(number)}}}))
        made.append(back_up(host=f"hawk{host}", encrypt_to=[key], take_over=number == 1)["backup"]["id"])
    machine.write_text("3" * 32 + "\n" if machines else "1" * 32 + "\n")
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / ("state3" if machines else "state")))
    return [made[::2], made[1::2]]


@pytest.mark.parametrize("machines", [True, False], ids=["two machines", "two names"])
def test_keep_tells_owners_apart_without_an_identity(
    run: Any, back_up: Copy, copy: Copy, document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machines: bool
) -> None:
    ours, theirs = backups_of_two(back_up, document, tmp_path, machines, monkeypatch)
    assert len(copy(which="all")["copied"]) == 4
    done = copy(which="all", keep={"last": 1})
    assert sorted(done["removed"]) == sorted([ours[0], theirs[0]])
    assert copy(keep={"last": 1})["removed"] == []
    (one,) = run("backup_info", repository=str(tmp_path / "copies"))["sets"]
    assert [(owner["host"], owner["paths"], owner["backups"]) for owner in one["owners"]] == [(None, [], 1)] * 2


def test_encrypted_backups_of_another_host_are_not_removed(
    back_up: Copy, copy: Copy, key: Key, document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = tmp_path / "machine-id"
    monkeypatch.setattr(host_key, "MACHINE", str(machine))
    for host in ("1", "2"):  # they have a set of the same name, each in a repository of its own
        machine.write_text(host * 32 + "\n")
        for number in range(2):
            document.write_text(json.dumps({"a": {"1": {"text": f"{host} {number}"}}}))
            back_up(encrypt_to=[key.recipient])
        if host == "1":
            copy(which="all")
            shutil.rmtree(tmp_path / "backups")
    before = content(tmp_path / "copies")
    for check in (True, False):
        with pytest.raises(InvalidRequest, match="belongs to an unknown owner .*take_over"):
            copy(check=check, keep={"last": 1})
    assert content(tmp_path / "copies") == before
    done = copy(keep={"last": 1}, take_over=True)
    assert (len(done["copied"]), done["removed"]) == (1, [])
    document.write_text(json.dumps({"a": {"1": {"text": "new"}}}))
    back_up(encrypt_to=[key.recipient])
    assert copy(keep={"last": 1})["removed"] == [done["copied"][0]["id"]]  # of this host, it is


def test_nothing_is_left_of_one_that_fails(
    back_up: Copy, copy: Copy, key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up()

    def fail(self: EncryptedFiles, *arguments: Any) -> None:
        raise RepositoryError("It differs.")

    with monkeypatch.context() as patch:
        patch.setattr(EncryptedFiles, "seal", fail)
        with pytest.raises(Day2Error, match="It differs"):
            copy(encrypt_to=[key.recipient])
    assert not (tmp_path / "copies" / "app").exists()
    assert copy(encrypt_to=[key.recipient])["changed"]
