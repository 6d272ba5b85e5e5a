# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs record what they did, and evidence_info finds what was changed since."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    Cancelled,
    Day2Error,
    InvalidRequest,
    TargetError,
)
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._evidence import journal
from ansible_collections.day2.ops.plugins.module_utils._verbs import evidence, evidence_info, evidence_lines, restore
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import migrate
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import purge, store_optimize
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import update as records_update
from tests.services.age_keys import new_key
from tests.services.repositories import client, object_lock
from tests.unit.module_utils.verbs import run_verb


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))


@pytest.fixture
def backup(run: Any, document: Any) -> Callable[..., dict[str, Any]]:
    """A backup of n records."""

    def call(records: int, **params: Any) -> dict[str, Any]:
        document.fill(records)
        return dict(run("backup", source=document.store, **params))

    return call


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """evidence_info with the repository of the test."""

    def call(check: bool = False, **params: Any) -> dict[str, Any]:
        values = {name: one.get("default") for name, one in evidence_info.ARGUMENTS["argument_spec"].items()}
        return run_verb(evidence_info, {**values, "repositories": [place(tmp_path)], **params}, check)

    return call


def place(tmp_path: Path, name: str = "backups") -> dict[str, Any]:
    return {"repository": str(tmp_path / name)}


def file() -> Path:
    return Path(host_state.evidence(host_state.JOURNAL))


def entries() -> list[dict[str, Any]]:
    return [json.loads(line) for line in file().read_bytes().splitlines()]


def test_nothing_is_recorded_unless_it_is_asked_for(run: Any, backup: Any, document: Any, tmp_path: Path) -> None:
    assert "evidence" not in backup(1)
    assert not file().exists()
    assert not (tmp_path / "backups" / ".day2").exists()
    assert "evidence" not in run("backup", True, source=document.store, evidence=True)
    with pytest.raises(InvalidRequest):
        run("backup", source=document.store, evidence=True, max_age="soon")
    assert not file().exists()
    assert backup(2, evidence=True)["evidence"]["count"] == 2
    assert backup(3)["evidence"]["count"] == 3  # as there is a journal now
    assert "evidence" not in backup(4, evidence=False)


def test_each_verb_adds_a_line(run: Any, backup: Any, document: Any, look: Any, tmp_path: Path) -> None:
    made = backup(3, evidence=True)
    backup(3)
    run("backup_info", verify="quick")
    run("backup_info", verify="full")
    run("backup_copy", **{"from": place(tmp_path), "to": place(tmp_path, "other")})
    document.fill(1)
    saved = run("restore", target=document.store, on_existing="replace")["safety_backup"]
    told = [(one["event"], one.get("verdict"), one.get("set")) for one in entries()]
    assert told == [
        ("begun", None, None),
        ("backup", "ok", "app"),
        ("backup", "unchanged", "app"),
        ("verification", "ok", "app"),
        ("copy", "ok", "app"),
        ("backup", "ok", "app"),  # of what the restore has replaced
        ("restore", "ok", "app"),
    ]
    assert [one["backup"] for one in entries()[1:]] == [*[made["backup"]["id"]] * 4, saved["id"], made["backup"]["id"]]
    assert [entries()[5][key] for key in ("content_digest", "bytes")] == [saved["content_digest"], saved["bytes"]]
    assert {one["host"] for one in entries()} == {os.uname().nodename}
    assert entries()[3]["counts"] == {"backups": 1, "read": 1, "good": 1, "problems": 0}
    found = look()
    assert found["path"] == str(file())
    assert (found["chain"], found["problem"], found["warnings"]) == ("intact", None, [])
    assert found["head"]["count"] == 7
    assert [one["event"] for one in found["entries"][:2]] == ["restore", "backup"]
    (anchor,) = found["anchors"]
    assert (anchor["count"], anchor["matches"]) == (7, True)  # a restore anchors, too
    assert look(repositories=[place(tmp_path, "other")])["anchors"][0]["count"] == 5


def with_rows(path: Path) -> dict[str, Any]:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, at TEXT)")
        connection.executemany("INSERT INTO events (at) VALUES (?)", [("2020-03-01T10:00:00Z",)] * 3)
    return {"type": "sqlite", "path": str(path)}


def test_what_verbs_save_on_their_way_is_recorded(run: Any, backup: Any, document: Any, tmp_path: Path) -> None:
    store = with_rows(tmp_path / "rows.db")

    def of(verb: Any, check: bool = False, **params: Any) -> dict[str, Any]:
        values = {name: one.get("default") for name, one in verb.ARGUMENTS["argument_spec"].items()}
        return run_verb(verb, {**values, "name": "rows", **place(tmp_path), **params}, check)

    update = {"store": store, "collection": "events", "set": {"at": "2020-04-01T10:00:00Z"}}
    of(records_update, **update)
    assert not file().exists()  # there is no journal yet
    backup(1, evidence=True)
    update["set"] = {"at": "2020-05-01T10:00:00Z"}
    of(records_update, True, **update)
    saved = of(records_update, **update)["safety_backup"]
    of(records_update, **update)
    purged = of(purge, store=store, collection="events", time_field="at", older_than="90d", allow_all=True)["backup"]
    optimized = of(store_optimize, store=store, vacuum="full", min_bytes_freed="0")["safety_backup"]
    document.fill(2)
    replaced = run("restore", target=document.store, on_existing="replace")["safety_backup"]["id"]
    with pytest.raises(Day2Error):
        of(migrate, source=document.store, target=store, rejects=str(tmp_path / "rows.db"))
    told = [(one["event"], one["verdict"], one.get("reason"), one["set"], one["backup"]) for one in entries()[2:]]
    assert told[:-1] == [
        ("backup", "ok", "safety", "rows", saved),
        ("backup", "ok", "purge", "rows", purged),
        ("backup", "ok", "safety", "rows", optimized),
        ("backup", "ok", "safety", "app", replaced),
    ]
    assert told[-1][:2] == ("restore", "ok")
    assert entries()[2]["bytes"] > 0
    anchors = [json.loads(one.read_bytes()) for one in tmp_path.glob("backups/.day2/**/*-0*") if one.is_file()]
    assert max(one["count"] for one in anchors) == 7


def test_what_was_saved_is_recorded_even_if_the_rest_fails(backup: Any, tmp_path: Path) -> None:
    backup(1, evidence=True)

    @evidence.recorded(evidence.ON_THE_WAY)
    def verb(params: Any, check: bool, progress: Progress) -> dict[str, Any]:
        evidence.also("backup", backup="b1", reason="safety")
        raise TargetError("The disk is gone.", details={"warnings": ["First."]})

    with pytest.raises(TargetError) as raised:
        verb({"name": "rows", "repository": str(tmp_path / "backups")}, False, Progress())
    assert (entries()[-1]["event"], entries()[-1]["backup"], entries()[-1]["verdict"]) == ("backup", "b1", "ok")
    assert raised.value.details == {"warnings": ["First."]}
    evidence.also("backup", backup="b2")  # outside of a verb
    assert len(entries()) == 3


def test_a_failed_run_is_recorded_too(run: Any, document: Any, backup: Any) -> None:
    backup(1, evidence=True)
    document.path.write_text("{")
    with pytest.raises(Day2Error) as raised:
        run("backup", source=document.store)
    assert raised.value.details["evidence"]["count"] == 3
    assert (entries()[-1]["verdict"], entries()[-1]["error"]) == ("failed", "SourceError")
    shutil.rmtree(document.path.parent)
    with pytest.raises(Day2Error):
        run("backup", source=document.store, copy_to=[])
    assert len(entries()) == 4


def test_a_run_that_was_refused_is_recorded_too(run: Any, document: Any, backup: Any) -> None:
    backup(1, evidence=True)
    with pytest.raises(InvalidRequest):
        run("backup", source=document.store, max_age="soon")
    assert (entries()[-1]["event"], entries()[-1]["verdict"], entries()[-1]["error"]) == (
        "backup",
        "failed",
        "InvalidRequest",
    )


def test_a_restore_that_fails_is_recorded_with_its_backup(run: Any, document: Any, backup: Any) -> None:
    made = backup(1, evidence=True)
    document.fill(2)
    with pytest.raises(Day2Error, match="exists and differs"):
        run("restore", target=document.store)
    assert (entries()[-1]["event"], entries()[-1]["verdict"]) == ("restore", "failed")
    assert entries()[-1]["backup"] == made["backup"]["id"]


def test_a_damaged_backup_is_a_failed_verification(run: Any, backup: Any) -> None:
    made = backup(1, evidence=True)
    (data,) = Path(made["backup"]["path"]).glob("data/*")
    data.write_bytes(data.read_bytes()[:-1] + b"\0")
    run("backup_info", verify="full")
    assert (entries()[-1]["verdict"], entries()[-1]["counts"]["good"]) == ("failed", 0)


def test_without_an_identity_a_verification_says_what_was_not_decrypted(run: Any, backup: Any, tmp_path: Path) -> None:
    key = new_key(tmp_path)
    backup(1, evidence=True, encrypt_to=[key.recipient])
    run("backup_info", verify="full")
    assert (entries()[-1]["counts"]["good"], entries()[-1]["counts"]["not_decrypted"]) == (1, 1)
    run("backup_info", verify="full", identity_file=key.file)
    assert "not_decrypted" not in entries()[-1]["counts"]


def test_what_was_read_before_is_not_counted_as_read(run: Any, backup: Any) -> None:
    backup(1, evidence=True)
    run("backup_info", verify="full", reverify_after="1d")
    assert (entries()[-1]["verdict"], entries()[-1]["counts"]["read"], entries()[-1]["counts"]["good"]) == ("ok", 0, 1)


def test_what_is_stopped_is_recorded_and_a_bug_as_well(tmp_path: Path) -> None:
    params = {"evidence": True, "name": "app", **place(tmp_path)}

    def ended(exc: Exception) -> None:
        @evidence.recorded("backup")
        def verb(params: Any, check: bool, progress: Progress) -> dict[str, Any]:
            raise exc

        with pytest.raises(type(exc)):
            verb(params, False, Progress())

    ended(Cancelled("Stopped."))
    ended(KeyError("bug"))
    assert [(one["verdict"], one["error"]) for one in entries()[1:]] == [
        ("stopped", "Cancelled"),
        ("failed", "KeyError"),
    ]


def test_a_result_that_is_not_known_here_is_a_warning_and_no_error(tmp_path: Path) -> None:
    @evidence.recorded("restore")
    def verb(params: Any, check: bool, progress: Progress) -> dict[str, Any]:
        return {"changed": True, "targets": [{}]}

    result = verb({"evidence": True, "name": "app", **place(tmp_path)}, False, Progress())
    assert result["changed"]
    assert "This is a bug: KeyError" in result["warnings"][0]


def test_who_stops_a_run_while_it_is_recorded_is_told_what_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_given: Any) -> Any:
        raise Cancelled("Stopped.")

    @evidence.recorded("backup")
    def verb(params: Any, check: bool, progress: Progress) -> dict[str, Any]:
        return {"changed": True, "msg": "Backed up.", "warnings": []}

    monkeypatch.setattr(evidence_lines, "anchor", stopped)
    with pytest.raises(Cancelled, match="Stopped. Before that: Backed up.") as raised:
        verb({"evidence": True, "name": "app", **place(tmp_path)}, False, Progress())
    assert raised.value.details["changed"]


def test_a_drill_has_its_own_verdict(tmp_path: Path) -> None:
    @evidence.recorded("drill")
    def verb(params: Any, check: bool, progress: Progress) -> dict[str, Any]:
        drill = {"verdict": "inconclusive", "backup": "b1", "rto_s": 3.5, "rpo_s": None, "stages": {"fetch": 1.5}}
        return {"changed": False, "drill": drill}

    verb({"evidence": True, "name": "app", **place(tmp_path)}, False, Progress())
    last = entries()[-1]
    assert (last["event"], last["verdict"], last["backup"]) == ("drill", "inconclusive", "b1")
    assert (last["rto_s"], last["rpo_s"], last["stages"]) == (3.5, None, {"fetch": 1.5})


def test_passwords_in_addresses_are_not_recorded() -> None:
    for password in ("pass", "p@ss"):
        address = f"rest:https://user:{password}@host:8000/app"
        assert evidence_lines.location({"repository": address}) == "rest:https://host:8000/app"


def test_a_journal_that_cannot_be_written_fails_nothing(backup: Any) -> None:
    backup(1, evidence=True)
    file().write_bytes(file().read_bytes() + b"nonsense\n")
    result = backup(2)
    assert result["changed"]
    assert "No evidence of this was recorded" in result["warnings"][0]


def truncated(lines: list[bytes], tmp_path: Path) -> None:
    file().write_bytes(b"".join(lines[:1]))


def rewritten(lines: list[bytes], tmp_path: Path) -> None:
    """By somebody who knows the format: all that follows fits again."""
    file().unlink()
    begun = json.loads(lines[0])
    for one in lines[1:-1]:
        entry = json.loads(one)
        journal.append([{"event": entry["event"], "set": "other"}], begun["host"], begun["mark"])
    text = file().read_bytes().splitlines(keepends=True)
    new = json.loads(text[0])["journal"].encode()
    content = b"".join(text).replace(new, begun["journal"].encode())
    # fit again
    previous, out = "0" * 64, b""
    for line in content.splitlines():
        entry = {**json.loads(line), "previous": previous}
        raw = evidence_lines.canonical(entry).encode()
        previous, out = evidence_lines.digest_of(raw), out + raw + b"\n"
    file().write_bytes(out)


def gone(lines: list[bytes], tmp_path: Path) -> None:
    shutil.rmtree(file().parent)


def replaced(lines: list[bytes], tmp_path: Path) -> None:
    shutil.rmtree(file().parent)
    journal.append([{"event": "backup"}] * 9, "host", evidence_lines.host_mark())


@pytest.mark.parametrize(
    ("tamper", "line", "why"),
    [
        (truncated, 2, "but the journal ends with line 1"),
        (rewritten, 2, "with another digest"),
        (gone, 0, "it was replaced or removed"),
        (replaced, 0, "it was replaced or removed"),
    ],
)
def test_what_the_chain_alone_does_not_show_is_found_by_anchors(
    backup: Any, look: Any, tmp_path: Path, tamper: Callable[[list[bytes], Path], None], line: int, why: str
) -> None:
    for number in (1, 2, 3):
        backup(number, evidence=True)
    intact = look()
    assert intact["chain"] == "intact"
    tamper(file().read_bytes().splitlines(keepends=True), tmp_path)
    found = look()
    assert (found["chain"], found["failed"], found["problem"]["line"]) == ("broken", True, line)
    assert why in found["problem"]["why"]
    assert look(fail_on=[])["failed"] is False
    alone = look(repositories=None)
    assert (alone["chain"], alone["failed"]) == ("unproven", False)
    assert look(repositories=None, fail_on=["unproven"])["failed"]
    if tamper is replaced:
        assert look(ended=[intact["head"]["journal"]])["chain"] == "unproven"  # the new one has no anchor yet


def test_a_backup_says_that_the_journal_does_not_fit_its_anchors(backup: Any, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        backup(number, evidence=True)
    truncated(file().read_bytes().splitlines(keepends=True), tmp_path)
    result = backup(4)
    assert "it contains another head for the same line" in result["warnings"][0]
    assert result["evidence"]["anchored_in"] == []


def test_what_cannot_be_read_proves_nothing(backup: Any, look: Any, tmp_path: Path) -> None:
    backup(1, evidence=True)
    both = look(repositories=[place(tmp_path), place(tmp_path, "missing")])
    assert (both["chain"], both["failed"]) == ("unproven", False)
    assert "does not exist" in both["warnings"][0]
    (anchor,) = (tmp_path / "backups" / ".day2").rglob("*.json")
    anchor.write_text("{}")
    damaged = look()
    assert damaged["chain"] == "unproven"
    assert "that is damaged" in damaged["warnings"][0]


def test_only_a_repository_gets_anchors(run: Any, backup: Any, document: Any, tmp_path: Path) -> None:
    backup(1, evidence=True)
    other = tmp_path / "other"
    (other / "app").mkdir(parents=True)
    for verb, params in (("backup_info", {"verify": "full"}), ("restore", {"target": document.store})):
        with pytest.raises(Day2Error) as raised:
            run(verb, repository=str(other), **params)
        assert raised.value.details["evidence"]["anchored_in"] == []
    assert list(other.rglob("*")) == [other / "app"]


def test_no_link_is_followed_to_anchors(backup: Any, look: Any, tmp_path: Path) -> None:
    backup(1)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "backups" / ".day2").symlink_to(tmp_path / "elsewhere")
    result = backup(2, evidence=True)
    assert (result["changed"], result["evidence"]["anchored_in"]) == (True, [])
    assert ".day2 is a symbolic link" in result["warnings"][0]
    assert not list((tmp_path / "elsewhere").iterdir())
    assert ".day2 is a symbolic link" in look()["warnings"][0]


def test_a_restore_that_is_stopped_once_it_is_done_says_so(document: Any, backup: Any, tmp_path: Path) -> None:
    class Stopped(Progress):
        @contextlib.contextmanager
        def critical(self) -> Iterator[None]:
            yield
            raise Cancelled("Stopped.")

    made = backup(2, evidence=True)
    document.fill(1)
    params = {name: one.get("default") for name, one in restore.ARGUMENTS["argument_spec"].items()}
    params.update(name="app", target=document.store, on_existing="replace", **place(tmp_path))
    with pytest.raises(Cancelled):
        restore.run(params, False, Stopped())
    last = entries()[-1]
    assert (last["verdict"], last["backup"]) == ("stopped", made["backup"]["id"])
    assert (last["counts"], bool(last["safety_backup"])) == ({"targets": 1, "changed": 1}, True)


def test_the_message_says_which_lines_there_are(backup: Any, look: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look()["msg"].endswith("this user has recorded nothing on this host")
    monkeypatch.setattr(journal, "_LARGEST", 1500)
    for number in range(3):
        backup(number, evidence=True)
    assert "intact: 5 lines, proven" in look()["msg"]
    for one in file().parent.glob("journal-*"):
        one.unlink()
    assert re.search("intact: [12] lines? from line [45] on, proven", look()["msg"])


def test_entries_are_chosen(backup: Any, look: Any) -> None:
    backup(1, evidence=True)
    backup(2, name="more")
    assert [one["set"] for one in look(set="more")["entries"]] == ["more"]
    assert look(verb="begun")["count"] == 1
    assert look(since="1h")["count"] == 3
    assert look(since="2099-01-01")["count"] == 0
    assert (look(limit=1)["count"], len(look(limit=1)["entries"])) == (3, 1)
    with pytest.raises(InvalidRequest, match="neither a time nor a duration"):
        look(since="soon")


def test_an_export_is_safe_and_idempotent(look: Any, tmp_path: Path) -> None:
    journal.append([{"event": "backup", "set": "=1+1", "counts": {"a": 1}}], "@host", evidence_lines.host_mark())
    for kind in ("csv", "json"):
        path = tmp_path / f"export.{kind}"
        export = {"path": str(path), "format": kind}
        assert look(True, export=export)["changed"]
        assert not path.exists()
        assert look(export=export)["changed"]
        assert not look(export=export)["changed"]
        assert not look(True, export=export)["changed"]
        assert path.stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader((tmp_path / "export.csv").open()))
    assert [(one["set"], one["host"], one["counts"]) for one in rows] == [
        ("", "'@host", ""),
        ("'=1+1", "'@host", "a=1"),
    ]
    document = json.loads((tmp_path / "export.json").read_bytes())
    assert (document["chain"], len(document["entries"])) == ("unproven", 2)
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(InvalidRequest, match="other users can write"):
        look(export={"path": str(tmp_path / "open" / "x"), "format": "csv"})
    before = file().read_bytes()
    with pytest.raises(InvalidRequest, match="has the journal itself"):
        look(export={"path": str(file()), "format": "json"})
    assert file().read_bytes() == before


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[dict[str, Any]]:
    with object_lock(tmp_path) as params:
        yield params


@pytest.mark.once
def test_an_anchor_is_locked_as_backups_are(backup: Any, look: Any, locked: dict[str, Any]) -> None:
    backup(1, evidence=True, lock_for="2d", **locked)
    s3 = client(locked["s3"])
    bucket, _slash, prefix = locked["repository"][5:].partition("/")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/.day2/evidence/")
    (key,) = [one["Key"] for one in listed["Contents"]]
    assert s3.head_object(Bucket=bucket, Key=key)["ObjectLockRetainUntilDate"]
    # written over, or hidden: the original counts
    s3.put_object(Bucket=bucket, Key=key, Body=b"{}")
    assert look(repositories=[locked])["chain"] == "intact"
    s3.delete_object(Bucket=bucket, Key=key)
    assert look(repositories=[locked])["chain"] == "intact"
