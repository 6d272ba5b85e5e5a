# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted backups: written and compared without an identity, and restored with one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import secrets
import shutil
import sqlite3
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_key, host_state
from ansible_collections.day2.ops.plugins.module_utils._core.compression import usable
from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    DamagedBackup,
    Day2Error,
    InvalidRequest,
    MissingDependency,
    RepositoryError,
)
from ansible_collections.day2.ops.plugins.module_utils._repository import opening
from ansible_collections.day2.ops.plugins.module_utils._repository.base import Repository
from ansible_collections.day2.ops.plugins.module_utils._repository.directory import DirectoryRepository
from ansible_collections.day2.ops.plugins.module_utils._repository.encrypted_files import EncryptedFiles
from ansible_collections.day2.ops.plugins.module_utils._repository.encryption import require, required_since
from ansible_collections.day2.ops.plugins.module_utils._repository.location import open_repository
from ansible_collections.day2.ops.plugins.module_utils._repository.manifest import Manifest, SourcePart
from ansible_collections.day2.ops.plugins.module_utils._repository.owner import make_owner
from ansible_collections.day2.ops.plugins.module_utils._repository.packs import LARGEST
from ansible_collections.day2.ops.plugins.module_utils._repository.storing import Content
from tests.services.age_keys import Key, new_key, new_ssh_key
from tests.unit.module_utils._verbs.conftest import SETTLED

pytestmark = pytest.mark.once  # age is a program, which is the same for every Python


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return new_key(tmp_path)


@pytest.fixture
def back_up(run: Any, application: Any, key: Key) -> Callable[..., dict[str, Any]]:
    """An encrypted backup of the application."""

    def call(check: bool = False, **params: Any) -> dict[str, Any]:
        result = run("backup", check, **{"source": application.store, "encrypt_to": [key.recipient], **params})
        return dict(result)

    return call


def test_check_run_check_run(run: Any, back_up: Any, application: Any, key: Key) -> None:
    application.fill(5)
    predicted = back_up(check=True)
    assert predicted["reason"] == "new"
    made = back_up()
    assert made["diff"] == predicted["diff"]
    assert made["warnings"] == []
    assert made["backup"]["encrypted"] is True
    for check in (True, False):
        again = back_up(check)
        assert (again["changed"], again["reason"]) == (False, "unchanged")
        assert again["backup"] == made["backup"]  # the host knows what it has compared
    application.fill(9)
    changed = back_up()
    assert changed["reason"] == "changed"
    restored = run(
        "restore",
        target=application.store,
        identity_file=key.file,
        backup=made["backup"]["id"],
        on_existing="replace",
        encrypt_to=[key.recipient],
    )
    assert restored["changed"] is True
    assert application.records() == 5
    latest = run("restore", target=application.store, identity=key.identity, safety_backup=False, on_existing="replace")
    assert latest["changed"] is True
    assert application.records() == 9


@pytest.fixture
def document(tmp_path: Path) -> Document:
    return Document(tmp_path / "application" / "requests.json")


class Document:
    """A store that is too large for a pack, and whose content does not compress."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(exist_ok=True)

    def fill(self, records: int, size: int = 0) -> None:
        content = {str(number): {"id": number, "text": secrets.token_hex(size)} for number in range(records)}
        self.path.write_text(json.dumps({"requests": content}))
        time.sleep(SETTLED)

    @property
    def store(self) -> dict[str, Any]:
        return {"type": "json", "path": str(self.path)}


@pytest.fixture
def save(run: Any, document: Document, key: Key) -> Callable[..., dict[str, Any]]:
    """An encrypted backup of the document."""

    def call(check: bool = False, **params: Any) -> dict[str, Any]:
        return dict(run("backup", check, **{"source": document.store, "encrypt_to": [key.recipient], **params}))

    return call


def backups(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "backups" / "app").iterdir() if not path.name.startswith("."))


def rewrite(backup: Path, **changes: Any) -> None:
    """The manifest as somebody would leave it who can write to the repository, sums included."""
    path = backup / "manifest.json"
    changed = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps(changed, indent=2) + "\n")
    lines = [line for line in (backup / "SHA256SUMS").read_text().splitlines() if not line.endswith("  manifest.json")]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (backup / "SHA256SUMS").write_text("".join(f"{line}\n" for line in [*lines, f"{digest}  manifest.json"]))


def damage(path: Path, kind: str) -> None:
    data = bytearray(path.read_bytes())
    if kind == "flipped":
        data[len(data) * 6 // 10] ^= 1
    else:
        del data[len(data) * 6 // 10 :]
    path.write_bytes(data)


def digest_lines(backup: Path) -> None:
    """SHA256SUMS and manifest say what lies there now."""
    document = json.loads((backup / "manifest.json").read_text())
    for one in document["objects"]:
        data = (backup / one["path"]).read_bytes()
        one.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    sums = [f"{one['sha256']}  {one['path']}\n" for one in document["objects"]]
    (backup / "SHA256SUMS").write_text("".join([*sums, f"{'0' * 64}  manifest.json\n"]))
    rewrite(backup, objects=document["objects"])


@pytest.mark.parametrize("size", [10, 300_000], ids=["packed", "alone"])
@pytest.mark.parametrize("kind", ["flipped", "cut"])
def test_nothing_of_a_damaged_object_reaches_the_target(
    run: Any, save: Any, document: Document, key: Key, tmp_path: Path, kind: str, size: int
) -> None:
    document.fill(5, size)
    save()
    document.path.unlink()
    (backup,) = backups(tmp_path)
    damage(next(backup.glob("data/0*")), kind)
    if kind == "flipped":  # the size shows nothing
        with pytest.raises(DamagedBackup, match="data/000001"):
            run("restore", target=document.store, identity_file=key.file)
    shutil.rmtree(tmp_path / "state")  # on another host, there is no seal that tells
    digest_lines(backup)
    with pytest.raises(DamagedBackup, match=r"content\.json"):  # which lists what the objects were
        run("restore", target=document.store, identity_file=key.file, backup=backup.name)
    assert os.listdir(document.path.parent) == []


def test_swapped_objects_are_found(run: Any, save: Any, document: Document, key: Key, tmp_path: Path) -> None:
    document.fill(2, 600_000)
    save()
    document.fill(3, 600_000)
    save()
    first, second = backups(tmp_path)
    (first_object,), (second_object,) = first.glob("data/0*"), second.glob("data/0*")
    second_object.write_bytes(first_object.read_bytes())
    digest_lines(second)
    shutil.rmtree(tmp_path / "state")
    with pytest.raises(DamagedBackup, match=r"content\.json.*: it does not list the same objects"):
        run("restore", target=document.store, identity_file=key.file, backup=second.name)
    # also together with the list of the other one
    for name in os.listdir(second / "data"):
        (second / "data" / name).write_bytes((first / "data" / name).read_bytes())
    digest_lines(second)
    with pytest.raises(DamagedBackup, match=r"it does not belong to this manifest\.json"):
        run("restore", target=document.store, identity_file=key.file, backup=second.name)


def test_a_manifest_that_was_changed_is_refused_on_the_host_that_wrote_it(
    run: Any, save: Any, document: Document, key: Key, tmp_path: Path
) -> None:
    document.fill(5)
    save()
    (backup,) = backups(tmp_path)
    rewrite(backup, kind="safety")
    with pytest.raises(RepositoryError, match="seal"):
        run("restore", target=document.store, identity_file=key.file, backup=backup.name)
    again = save()
    assert again["reason"] == "new"
    assert "seal" in again["warnings"][0]


def test_a_manifest_that_no_longer_names_the_key_of_this_host_proves_nothing(
    save: Any, document: Document, key: Key, tmp_path: Path
) -> None:
    document.fill(5)
    save()
    (backup,) = backups(tmp_path)
    for path in backup.glob("data/*"):
        path.write_bytes(b"nothing")
    digest_lines(backup)
    rewrite(backup, key="0" * 64)  # so that its seal is not looked at
    for check in (True, False):
        again = save(check)
        assert (again["changed"], again["reason"]) == (True, "key")


def test_a_note_on_the_host_that_is_damaged_does_not_allow_plain_text(
    save: Any, document: Document, tmp_path: Path
) -> None:
    document.fill(5)
    save()
    shutil.rmtree(tmp_path / "backups")
    (note,) = (tmp_path / "state" / "encrypted").rglob("*.json")
    note.write_text("")
    for check in (True, False):
        with pytest.raises(InvalidRequest, match="encrypt_to is not set"):
            save(check, encrypt_to=[])


def test_identities_that_do_not_fit_are_told_before_the_target_is_looked_at(
    run: Any, save: Any, document: Document, key: Key, tmp_path: Path
) -> None:
    document.fill(5)
    save()
    document.path.unlink()
    document.path.mkdir()  # no target for a document
    with pytest.raises(Day2Error, match="is encrypted to 1 recipient, and no identity was given"):
        run("restore", target=document.store)
    with pytest.raises(Day2Error, match="1 recipient, but to none whose identity was given"):
        run("restore", target=document.store, identity_file=new_key(tmp_path, "other").file)
    with pytest.raises(Day2Error, match="can't be read: No such file"):
        run("restore", target=document.store, identity_file=str(tmp_path / "missing"))
    with pytest.raises(Day2Error, match="contains no identity"):
        run("restore", target=document.store, identity="# nothing\n")
    with pytest.raises(Day2Error, match=str(document.path)):
        run("restore", target=document.store, identity_file=key.file)


def test_an_identity_with_a_mistake_does_not_make_backups_look_damaged(
    run: Any, save: Any, document: Document, key: Key
) -> None:
    document.fill(5)
    save()
    for wrong in ("identity", key.identity.replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-12")):
        for verb, params in (("restore", {"target": document.store}), ("backup_info", {"verify": "full"})):
            with pytest.raises(InvalidRequest, match="The identity can't be used") as caught:
                run(verb, identity=wrong, **params)
            assert key.identity[20:50] not in str(caught.value)


def test_changed_recipients_are_a_new_backup(run: Any, save: Any, document: Document, key: Key, tmp_path: Path) -> None:
    document.fill(5)
    first = save()
    other = new_ssh_key(tmp_path)
    both = [other.recipient, key.recipient]
    assert save(check=True, encrypt_to=both)["reason"] == "recipients"
    assert save(encrypt_to=both)["reason"] == "recipients"
    for same in (both, both[::-1], [*both, other.recipient.rpartition(" ")[0]]):
        assert save(encrypt_to=same)["changed"] is False
    assert save(encrypt_to=[other.recipient])["reason"] == "recipients"
    document.path.unlink()
    run("restore", target=document.store, identity_file=other.file)
    with pytest.raises(Day2Error, match="but to none whose identity was given"):
        run("restore", target=document.store, identity_file=other.file, backup=first["backup"]["id"])
    assert (
        run("restore", target=document.store, identity=key.identity, backup=first["backup"]["id"])["changed"] is False
    )


def test_a_set_does_not_slip_back_to_plaintext(
    run: Any, save: Any, document: Document, key: Key, tmp_path: Path
) -> None:
    document.fill(5)
    save(encrypt_to=[])
    assert save()["reason"] == "recipients"
    for check in (True, False):
        with pytest.raises(InvalidRequest, match="encrypt_to is not set"):
            save(check, encrypt_to=[])
    document.fill(6)
    with pytest.raises(InvalidRequest, match="encrypt_to is not set"):  # the safety backup would be plain
        run("restore", target=document.store, identity_file=key.file, on_existing="replace")
    shutil.rmtree(tmp_path / "backups")  # whoever can write there can remove it all
    with pytest.raises(InvalidRequest, match="encrypt_to is not set"):
        save(encrypt_to=[])
    assert save()["reason"] == "new"
    assert save(check=True, encrypt_to=[], encryption="optional")["reason"] == "recipients"
    assert save(encrypt_to=[], encryption="optional")["reason"] == "recipients"
    assert save(encrypt_to=[])["changed"] is False


def test_equal_addresses_on_different_servers_are_different_repositories() -> None:
    access = {"region": "us-east-1", "access_key_id": "a", "secret_access_key": "b"}

    def at(server: str) -> Repository:
        return open_repository({"repository": "s3://bucket/p", "s3": {"endpoint_url": server, **access}})

    require(at("http://one:9000"), "app", datetime.now(timezone.utc))
    assert required_since(at("https://ONE:9000/"), "app") is not None
    assert required_since(at("http://two:9000"), "app") is None


def test_another_host_finds_out_by_the_newest_backup(save: Any, document: Document, tmp_path: Path) -> None:
    document.fill(5)
    save()
    shutil.rmtree(tmp_path / "state")
    with pytest.raises(InvalidRequest, match="encrypt_to is not set"):
        save(encrypt_to=[])


def test_planted_backups_are_not_used(run: Any, save: Any, document: Document, key: Key, tmp_path: Path) -> None:
    document.fill(5)
    good = save()
    document.fill(1)
    # as somebody else would write it, with the names of host and path
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(host_state.VARIABLE, str(tmp_path / "elsewhere"))
        planted = save(encrypt_to=[], encryption="optional")
    with pytest.raises(RepositoryError, match="is not encrypted"):
        run("restore", target=document.store, identity_file=key.file, backup=planted["backup"]["id"])
    with pytest.raises(RepositoryError, match="is not encrypted"):
        run("restore", target=document.store, backup=planted["backup"]["path"], identity_file=key.file)
    document.fill(5)
    again = save(keep={"last": 1})
    assert "it is not encrypted" in again["warnings"][0]
    assert (again["backup"]["id"], again["removed"]) == (good["backup"]["id"], [])  # as if it were not there
    document.path.unlink()
    run("restore", target=document.store, identity_file=key.file)
    assert len(json.loads(document.path.read_text())["requests"]) == 5


@pytest.mark.parametrize("path", ["postgresql://db.example:5433/shop", "/var/lib//app/../app.json"])
def test_a_host_recognizes_its_backups_of_stores_that_are_not_files(path: str, tmp_path: Path, key: Key) -> None:
    part = SourcePart("main", "json", path, {}, "0" * 64, (), {}, ())
    manifest = Manifest(
        "20250630T120000Z-5be01c9f", "app", "backup", datetime.now(timezone.utc), "a", {}, "none", 0.0, (part,)
    )
    repository = DirectoryRepository(str(tmp_path / "backups"))
    with repository.lock("app", "backup", 0), repository.stage("app", manifest.created) as staging:
        shown = EncryptedFiles(staging, usable("none"), [key.recipient]).enclose(manifest)
    closed = shown._replace(sources=(), host="")
    assert make_owner("a", [path]).owns(closed)
    assert not make_owner("a", [path + "2"]).owns(closed)


def test_many_small_files_can_be_read_again(tmp_path: Path, key: Key) -> None:
    """A tiny one takes more of a pack than it has bytes."""
    repository = DirectoryRepository(str(tmp_path / "backups"))
    with repository.lock("app", "backup", 0), repository.stage("app", datetime.now(timezone.utc)) as staging:
        files = EncryptedFiles(staging, usable("none"), [key.recipient])
        contents = []
        for number in range(6500):
            data = b"x" * (1_000_000 if number < 9 else 1)  # of those, the first pack has more than FULL
            path = files.path("data", f"{number:0>120}")
            contents.append(Content(path, len(data), hashlib.sha256(data).hexdigest()))
            with files.file(path) as target:
                target.write(data)
        assert not files._objects  # all of them are in packs
        sealed = [files.seal(one, lambda _bytes: None) for one in contents]
    assert max(one.bytes for one in sealed) < LARGEST


def test_a_lost_key_costs_one_backup(save: Any, document: Document, tmp_path: Path) -> None:
    document.fill(5)
    save()
    shutil.rmtree(tmp_path / "state")
    assert save(check=True)["reason"] == "key"
    assert not (tmp_path / "state").exists()
    made = save(keep={"last": 1})
    assert (made["reason"], len(made["removed"])) == ("key", 1)
    assert save()["changed"] is False


def test_a_copied_host_has_another_key(
    save: Any, document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = tmp_path / "machine-id"
    machine.write_text("1" * 32 + "\n")
    monkeypatch.setattr(host_key, "MACHINE", str(machine))
    document.fill(5)
    save()
    before = host_key.known()
    machine.write_text("2" * 32 + "\n")
    assert host_key.known() is None
    with pytest.raises(InvalidRequest, match="machine ID"):
        save()
    assert save(take_over=True)["reason"] == "new"
    assert host_key.known() not in (before, None)
    assert save()["changed"] is False


def test_tags_are_compared_without_being_shown(run: Any, save: Any, document: Document, tmp_path: Path) -> None:
    document.fill(5)
    save(tags=["before-upgrade"])
    assert save(tags=["before-upgrade"])["changed"] is False
    assert save(tags=["nightly"])["reason"] == "tags"
    assert save(tags=["before-upgrade"])["changed"] is False
    document.fill(6)
    kept = save(keep={"last": 1, "tags": ["before-upgrade"]})
    assert len(kept["removed"]) == 1
    for backup in backups(tmp_path):
        assert b"upgrade" not in (backup / "manifest.json").read_bytes()


def test_looking_without_an_identity(run: Any, save: Any, document: Document, key: Key, tmp_path: Path) -> None:
    document.fill(5)
    save()
    found = run("backup_info", verify="full")
    (backup,) = found["sets"][0]["backups"]
    assert found["ok"] is True
    assert [backup[name] for name in ("bytes", "content_digest", "host", "tags", "sources")] == [None] * 5
    assert (backup["verified_read"], backup["origin"]) == ("stored", "this_host")
    assert "only the stored bytes were compared" in found["warnings"][0]
    opened = run("backup_info", verify="full", identity_file=key.file, reverify_after="1d")
    (backup,) = opened["sets"][0]["backups"]
    assert backup["sources"][0]["collections"] == [{"name": "requests", "records": 5}]
    assert (backup["verified_read"], opened["warnings"]) == ("content", [])
    other = run("backup_info", identity_file=new_key(tmp_path, "other").file)
    assert "the given one is not theirs" in other["warnings"][0]
    damage(next(backups(tmp_path)[0].glob("data/0*")), "flipped")
    for params in ({}, {"identity_file": key.file}):
        assert not run("backup_info", verify="full", **params)["ok"]


def test_no_plaintext_outside_of_the_encryption(
    run: Any, document: Document, key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    marker = "hawkfish-" + secrets.token_hex(8)
    places = [tmp_path / "tree" / marker, tmp_path / f"{marker}.db", tmp_path / f"{marker}.json"]
    places[0].mkdir(parents=True)
    (places[0] / f"{marker}.txt").write_text(marker * 100_000)
    with contextlib.closing(sqlite3.connect(places[1])) as connection, connection:
        connection.execute(f'CREATE TABLE "{marker}" (x)')
        connection.executemany(f'INSERT INTO "{marker}" VALUES (?)', [(marker,)] * 50_000)
    places[2].write_text(json.dumps({marker: {"1": {"id": 1, "text": marker}}}))
    sources = [
        {"name": f"{kind}-{marker}", "type": kind, "path": str(path)}
        for kind, path in zip(("files", "sqlite", "json"), places)
    ]
    for _again in range(2):
        result = run(
            "backup", sources=sources, encrypt_to=[key.recipient], compression="none", host=marker, tags=[marker]
        )
    assert (result["changed"], result["backup"]["encrypted"]) == (False, True)
    run("backup_info", verify="full")
    run("restore", targets=sources, identity_file=key.file, host=marker)
    looked = [tmp_path / "backups", tmp_path / "scratch", tmp_path / "state"]
    files = [path for place in looked for path in place.rglob("*")]
    assert any(path.suffix == ".age" for path in files)
    assert [path for path in files if marker in str(path)] == []
    state = tmp_path / "state"
    leaking = [path for path in files if path.is_file() and marker.encode() in path.read_bytes()]
    assert [path for path in leaking if state not in path.parents] == []


def test_a_key_with_a_passphrase_is_not_waited_for(run: Any, save: Any, document: Document, tmp_path: Path) -> None:
    document.fill(1)
    key = new_ssh_key(tmp_path, passphrase="secret")
    save(encrypt_to=[key.recipient])
    with pytest.raises(InvalidRequest, match="can't be used: it has a passphrase"):
        run("restore", target=document.store, identity_file=key.file)


def test_a_list_of_contents_that_is_too_large_is_not_read_to_count_its_recipients(
    run: Any, save: Any, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    document.fill(1)
    save()
    monkeypatch.setattr(opening, "_LARGEST", 100)
    with pytest.raises(DamagedBackup, match=r"content\.json.*: it has [0-9]+ bytes"):
        run("restore", target=document.store)


def test_a_bomb_in_the_list_of_contents_is_not_read(
    run: Any, save: Any, document: Document, key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document.fill(1)
    made = save()["backup"]
    stored = os.path.getsize(next(backups(tmp_path)[0].glob("data/content.json*")))
    monkeypatch.setattr(opening, "_LARGEST", stored)
    with pytest.raises(DamagedBackup, match=f"its content exceeds {stored} bytes"):
        run("restore", target=document.store, identity_file=key.file, backup=made["id"])


def test_no_core_is_written(save: Any, document: Document) -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        document.fill(1)
        save()
        assert resource.getrlimit(resource.RLIMIT_CORE) == (0, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


def test_what_is_not_a_public_key_is_refused_and_not_shown(save: Any, document: Document, key: Key) -> None:
    document.fill(5)
    secret = key.identity.splitlines()[-1]
    with pytest.raises(InvalidRequest, match="entry 2 is a secret key") as error:
        save(encrypt_to=[key.recipient, secret])
    assert secret not in str(error.value)
    with pytest.raises(InvalidRequest, match="entry 1 is not a public key"):
        save(encrypt_to=["somebody"])
    with pytest.raises(InvalidRequest, match="age does not accept age1qqq"):
        save(check=True, encrypt_to=["age1qqq"])


def test_age_is_asked_for_where_it_is_needed(
    save: Any, document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document.fill(5)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependency, match="age"):
        save(check=True)


def test_nothing_that_was_exchanged_after_its_verification_reaches_a_program(
    run: Any, key: Key, tmp_path: Path
) -> None:
    """Between the verification and the program, somebody writes to the repository. Of what is damaged then, age would
    give all that comes before the damage."""
    data, got, ready = tmp_path / "data", tmp_path / "got", tmp_path / "ready"
    data.write_bytes(secrets.token_bytes(3 << 20))
    # while the target is read, which is after the verification, the object is damaged
    write = "dd if=/dev/zero of=$one bs=1 seek=2900000 count=16 conv=notrunc 2>/dev/null"
    flip = f"for one in {tmp_path}/backups/app/2*/data/000001.age; do {write}; done"
    store = {
        "type": "command",
        "name": "app",
        "dump": ["sh", "-c", f"cat {data}; if [ -e {ready} ]; then {flip}; fi"],
        "restore": ["sh", "-c", f"cat >> {got}; cat {got} > /dev/null"],
    }
    run("backup", source=store, encrypt_to=[key.recipient], compression="none")
    (backup,) = backups(tmp_path)
    assert (backup / "data" / "000001.age").exists()
    before = data.read_bytes()
    data.write_bytes(b"the target" * 100_000)
    ready.touch()
    done = run("restore", target=store, identity_file=key.file, on_existing="replace", safety_backup=False)
    assert done["changed"]
    assert got.read_bytes() == before
    with pytest.raises(DamagedBackup):
        run("restore", target=store, identity_file=key.file, on_existing="replace", safety_backup=False)
    assert got.read_bytes() == before
