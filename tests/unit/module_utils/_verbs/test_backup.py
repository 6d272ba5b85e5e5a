# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import json
import os
import subprocess
import tarfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    Cancelled,
    Day2Error,
    InvalidRequest,
    LockTimeout,
    RepositoryError,
    SourceError,
)
from ansible_collections.day2.ops.plugins.module_utils._repository.directory import DirectoryRepository
from ansible_collections.day2.ops.plugins.module_utils._verbs import backup as verb


def tree(path: Path) -> dict[str, Any]:
    """Everything below a path, with modification times."""
    return {
        str(one): (one.stat().st_mtime_ns, one.read_bytes() if one.is_file() else b"")
        for one in sorted(path.rglob("*"))
    }


def test_check_run_check_run(run: Any, application: Any, tmp_path: Path) -> None:
    application.fill(5)
    before = tree(tmp_path / "application")
    predicted = run("backup", check=True, source=application.store)
    assert predicted["changed"] is True
    assert predicted["backup"]["id"] is None
    assert not (tmp_path / "backups").exists()
    assert tree(tmp_path / "application") == before

    made = run("backup", source=application.store)
    assert made["changed"] is True
    assert made["reason"] == predicted["reason"] == "new"
    assert made["diff"] == predicted["diff"]
    assert made["backup"]["sources"] == predicted["backup"]["sources"]
    assert 5 in [one["records"] for one in made["backup"]["sources"][0]["collections"]]
    assert subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=made["backup"]["path"], check=False).returncode == 0

    for check in (True, False):
        again = run("backup", check=check, source=application.store)
        assert again["changed"] is False
        assert again["backup"]["id"] == made["backup"]["id"]
        assert again["diff"]["before"] == again["diff"]["after"]
    assert [one for one in os.listdir(tmp_path / "backups" / "app") if one != ".state"] == [made["backup"]["id"]]


def test_a_touched_store_is_read_and_found_unchanged(run: Any, application: Any) -> None:
    application.fill(5)
    first = run("backup", source=application.store)
    os.utime(application.path)
    for dummy in range(2):
        again = run("backup", source=application.store)
        if application.kind == "files":  # a tree's times are part of it
            assert again["reason"] in ("changed", "unchanged")
        else:
            assert (again["changed"], again["backup"]["id"]) == (False, first["backup"]["id"])


def test_an_edit_that_keeps_size_and_time_is_noticed(run: Any, application: Any) -> None:
    application.fill(5)
    run("backup", source=application.store)
    run("backup", source=application.store)
    path = application.path / "run-1" if application.kind == "files" else application.path
    info = path.stat()
    data = path.read_bytes()
    if application.kind == "sqlite":
        place = data.rindex(b"x" * 50)
        data = data[:place] + b"y" * 50 + data[place + 50 :]
    else:
        data = data.replace(b"x", b"y").replace(b'"id": 3', b'"id": 7')
    with open(path, "r+b") as handle:
        handle.write(data)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (info.st_size, info.st_mtime_ns)
    assert run("backup", check=True, source=application.store)["changed"] is True
    assert run("backup", source=application.store)["reason"] == "changed"


def test_unchanged_data_is_confirmed_and_its_age_counts_from_then(run: Any, application: Any) -> None:
    application.fill(5)
    run("backup", source=application.store)
    time.sleep(0.5)
    assert run("backup_info")["sets"][0]["age_s"] >= 0.5
    run("backup", check=True, source=application.store)
    assert run("backup_info")["sets"][0]["age_s"] >= 0.5
    confirmed = time.time()
    run("backup", source=application.store)
    age = run("backup_info")["sets"][0]["age_s"]
    assert age <= time.time() - confirmed + 0.001  # it is rounded


def test_max_age(run: Any, document: Any) -> None:
    document.fill(1)
    run("backup", source=document.store)
    document.fill(2)
    recent = run("backup", source=document.store, max_age="1h")
    assert (recent["changed"], recent["reason"]) == (False, "recent")
    time.sleep(0.2)
    assert run("backup", source=document.store, max_age="200ms")["reason"] == "changed"


def test_a_damaged_newest_backup_is_not_enough(run: Any, application: Any) -> None:
    application.fill(5)
    first = run("backup", source=application.store)["backup"]
    run("backup", source=application.store)
    data = next(one for one in Path(first["path"], "data").iterdir())
    data.write_bytes(data.read_bytes()[:-1])
    for check in (True, False):
        again = run("backup", check=check, source=application.store, max_age="1h")
        assert again["reason"] == "new"
        assert any("damaged" in one for one in again["warnings"])
    # the damaged one is not for the policy to remove
    application.fill(6)
    kept = run("backup", source=application.store, keep={"last": 1})
    assert first["id"] not in kept["removed"]


def test_keep_removes_what_no_rule_wants_and_check_mode_knows(run: Any, document: Any) -> None:
    ids = []
    for number in range(1, 5):
        document.fill(number)
        ids.append(run("backup", source=document.store)["backup"]["id"])
    document.fill(9)
    keep = {"last": 2}
    predicted = run("backup", check=True, source=document.store, keep=keep)
    done = run("backup", source=document.store, keep=keep)
    assert sorted(predicted["removed"]) == sorted(done["removed"]) == sorted(ids[:3])
    assert [one["id"] for one in done["kept"]] == [done["backup"]["id"], ids[3]]
    assert all("last" in " ".join(one["reasons"]) for one in done["kept"])
    assert run("backup", check=True, source=document.store, keep=keep)["changed"] is False
    # without new data the policy alone changes something
    assert run("backup", source=document.store, keep={"last": 1})["removed"] == [ids[3]]


def test_a_backup_ends_at_its_timeout(run: Any, document: Any) -> None:
    document.fill(1)
    with pytest.raises(InvalidRequest, match="timeout is 0s"):
        run("backup", source=document.store, timeout="0s")
    with pytest.raises(Cancelled, match="timeout"):
        run("backup", source=document.store, timeout="1ms")
    assert run("backup", source=document.store, timeout="1h")["changed"]


def test_content_that_comes_back_within_a_second_is_a_backup_of_its_own(run: Any, document: Any) -> None:
    for dummy in range(3):  # the clock may reach the next second in between, not three times
        for records in (1, 2, 1):
            document.fill(records)
            done = run("backup", source=document.store, keep={"last": 1} if records == 1 else None)
            assert len(done["kept"]) == (1 if records == 1 else 0), done
        assert [one["id"] for one in done["kept"]] == [done["backup"]["id"]]
        document.fill(3)
        run("backup", source=document.store)


def test_a_backup_that_is_read_stays_until_the_next_run(run: Any, document: Any, tmp_path: Path) -> None:
    document.fill(1)
    first = run("backup", source=document.store)["backup"]["id"]
    document.fill(2)
    with DirectoryRepository(str(tmp_path / "backups")).hold("app", first):
        busy = run("backup", source=document.store, keep={"last": 1})
        assert busy["removed"] == []
        assert any("being read" in one for one in busy["warnings"])
    assert run("backup", source=document.store, keep={"last": 1})["removed"] == [first]


def test_several_sources_are_one_backup(run: Any, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "app.conf").write_text("x")
    (tmp_path / "app.json").write_text('{"a": {}}')
    time.sleep(0.15)
    sources = [
        {"type": "files", "path": str(tmp_path / "etc")},
        {"type": "json", "path": str(tmp_path / "app.json"), "name": "db"},
    ]
    made = run("backup", source=None, sources=sources)
    assert [one["name"] for one in made["backup"]["sources"]] == ["etc", "db"]
    assert run("backup", sources=sources)["changed"] is False
    (tmp_path / "app.json").write_text('{"a": {"b": 1}}')
    assert run("backup", sources=sources)["changed"] is True
    with pytest.raises(InvalidRequest, match="Two stores have the name etc"):
        run("backup", sources=[sources[0], sources[0]])


@pytest.mark.parametrize("compression", ["zstd", "gzip", "xz", "none"])
def test_every_compression(run: Any, application: Any, compression: str) -> None:
    application.fill(50)
    made = run("backup", source=application.store, compression=compression)
    assert made["backup"]["compression"] == compression
    assert run("backup_info", verify="full")["ok"] is True
    application.fill(3)
    assert run("restore", target=application.store, on_existing="replace")["changed"] is True
    assert application.records() == 50


def test_options_that_do_not_belong_to_the_type(run: Any, document: Any) -> None:
    with pytest.raises(InvalidRequest, match="include is not an option of stores of type json"):
        run("backup", source=dict(document.store, include=["*"]))


@pytest.mark.parametrize("inside", ["", "backups", "a/b"])
def test_a_repository_inside_of_what_it_keeps(run: Any, tmp_path: Path, inside: str) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_text("x")
    (tmp_path / "link").symlink_to("tree")
    for path in ("tree", "link"):
        with pytest.raises(InvalidRequest, match="is inside"):
            run(
                "backup",
                source={"type": "files", "path": str(tmp_path / path)},
                repository=str(tmp_path / "tree" / inside),
            )
    assert os.listdir(tmp_path / "tree") == ["file"]


@pytest.mark.parametrize("check", [True, False])
def test_sources_that_are_not_there(run: Any, application: Any, tmp_path: Path, check: bool) -> None:
    with pytest.raises(SourceError, match="store"):
        run("backup", check=check, source=application.store)
    visible = os.listdir(tmp_path / "backups" / "app") if (tmp_path / "backups").exists() else []
    assert [one for one in visible if one != ".state"] == []


def test_the_second_of_two_runs(run: Any, document: Any, tmp_path: Path) -> None:
    document.fill(1)
    with DirectoryRepository(str(tmp_path / "backups")).lock("app", "restore", 0):
        with pytest.raises(LockTimeout, match=f"restore, process {os.getpid()}"):
            run("backup", source=document.store, lock_timeout="0")
        assert run("backup", check=True, source=document.store)["changed"] is True


def test_leftovers_are_removed_and_named(run: Any, document: Any, tmp_path: Path) -> None:
    document.fill(1)
    left = tmp_path / "backups" / "app" / ".staging-0badc0de"
    left.mkdir(parents=True)
    assert any(str(left) in one for one in run("backup", source=document.store)["warnings"])
    assert not left.exists()


def make_copies(application: Any, folder: Path) -> Path:
    """What a cron job made of the store."""
    folder.mkdir()
    if application.kind == "files":
        path = folder / "store.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            archive.add(application.path, ".")
    elif application.kind == "sqlite":
        path = folder / "dump.sql.gz"
        dump = subprocess.run(["sqlite3", application.path, ".dump"], check=True, capture_output=True).stdout
        path.write_bytes(gzip.compress(dump))
    else:
        path = folder / "store.json.gz"
        path.write_bytes(gzip.compress(application.path.read_bytes()))
    return path


def test_importing_a_copy_made_by_hand(run: Any, application: Any, tmp_path: Path) -> None:
    application.fill(5)
    copy = make_copies(application, tmp_path / "old")
    moment = datetime.now(timezone.utc) - timedelta(days=3)
    os.utime(copy, (moment.timestamp(), moment.timestamp()))
    application.fill(9)
    newest = run("backup", source=application.store)["backup"]["id"]

    arguments = {"source": application.store, "import": str(copy)}
    assert run("backup", check=True, **arguments)["reason"] == "import"
    imported = run("backup", **arguments)
    assert imported["reason"] == "import"
    assert imported["backup"]["imported_from"] == str(copy)
    assert imported["backup"]["created"].startswith(moment.strftime("%Y-%m-%dT%H:%M:%S"))
    assert run("backup", **arguments)["changed"] is False
    # the newest stays the newest, and nothing is newly confirmed by an import
    assert run("backup_info")["sets"][0]["newest"] == newest
    assert run(
        "restore", target=application.store, on_existing="replace", at=(moment + timedelta(hours=1)).isoformat()
    )["changed"]
    assert application.records() == 5


@pytest.mark.parametrize("harm", ["cut", "empty", "other", "missing", "directory"])
def test_copies_that_are_no_good(run: Any, application: Any, tmp_path: Path, harm: str) -> None:
    application.fill(5)
    copy = make_copies(application, tmp_path / "old")
    whole = copy.read_bytes()
    copy.unlink()
    if harm == "directory":
        copy.mkdir()
    elif harm != "missing":
        copy.write_bytes(
            {"cut": whole[:-9], "empty": b"", "other": gzip.compress(b"\x01\x02 nothing that anybody wants")}[harm]
        )
    with pytest.raises(Day2Error, match="old"):
        run("backup", source=application.store, **{"import": str(copy)})
    assert run("backup", check=True, source=application.store)["reason"] == "new"


def test_state_is_written_after_the_work(run: Any, document: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document.fill(1)
    run("backup", source=document.store)
    document.fill(2)

    def broken(*_args: Any, **_kwargs: Any) -> None:
        raise RepositoryError("the disk is gone")

    # a disk that fails between reading and publishing can't be had otherwise
    monkeypatch.setattr(verb, "publish", broken)
    with pytest.raises(RepositoryError, match="gone"):
        run("backup", source=document.store, keep={"last": 1})
    monkeypatch.undo()
    assert run("backup", source=document.store)["reason"] == "changed"


@pytest.mark.parametrize("value", [None, 5, "x", [], ["x"], {}, {"at": 5, "problems": 5}, {"at": "x", "problems": [5]}])
def test_state_that_says_what_can_not_be_is_made_again(run: Any, document: Any, tmp_path: Path, value: Any) -> None:
    document.fill(1)
    made = run("backup", source=document.store)["backup"]
    repository = DirectoryRepository(str(tmp_path / "backups"))
    for name, keys in (("verified", [made["id"]]), ("confirmed", [made["id"]]), ("fingerprints", [made["host"]])):
        repository.write_state("app", name, dict.fromkeys(keys, value))
    assert run("backup_info", verify="quick", max_age="1d")["ok"] is True
    assert run("backup", source=document.store)["reason"] == "unchanged"
    repository.write_state("app", "fingerprints", {made["host"]: {made["sources"][0]["name"]: value}})
    assert run("backup", source=document.store)["reason"] == "unchanged"
    assert run("backup_info", verify="full", reverify_after="1d")["ok"] is True


def test_the_manifest_has_no_more_than_it_tells(run: Any, document: Any) -> None:
    document.fill(1)
    manifest = json.loads(Path(run("backup", source=document.store)["backup"]["path"], "manifest.json").read_bytes())
    assert set(manifest) == {
        *(
            "format",
            "version",
            "id",
            "set",
            "kind",
            "created",
            "host",
            "tools",
            "compression",
            "encryption",
            "duration_s",
        ),
        *("imported_from", "tags", "content_digest", "sources"),
    }
