# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs with repositories of restic. Each call of it takes a second, so that a test goes through much at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    Cancelled,
    DamagedBackup,
    InvalidRequest,
    MissingDependency,
    RepositoryError,
    Unreachable,
)
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._probes.backup_probe import BackupProbe
from ansible_collections.day2.ops.plugins.module_utils._probes.base import Deadline
from ansible_collections.day2.ops.plugins.module_utils._repository import restic as restics
from ansible_collections.day2.ops.plugins.module_utils._repository.location import open_repository
from tests.services.manual import script
from tests.services.repositories import KINDS, restic_rclone, restic_s3

pytestmark = pytest.mark.once  # it is a program, which is the same for every Python
PASSWORD = "pass word"

Restic = Callable[..., dict[str, Any]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    with KINDS["restic"](tmp_path) as params:
        yield params


@pytest.fixture
def restic(run: Any, place: dict[str, Any]) -> Restic:
    """`run` with a repository of restic."""
    return lambda verb, check=False, **params: dict(run(verb, check, **{**place, **params}))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "sub").mkdir(parents=True)
    for number in range(5):
        (top / "sub" / f"file-{number}").write_bytes(os.urandom(1000))
    for number in range(4):
        (top / "sub" / f"large-{number}").write_bytes(os.urandom(100_000))
    os.link(top / "sub" / "file-0", top / "hard")
    os.symlink("sub/file-1", top / "link")
    return top


def asked(place: dict[str, Any], *words: str, data: bytes = b"") -> bytes:
    """What a user of restic sees."""
    environment = {**os.environ, "RESTIC_REPOSITORY": place["repository"], "RESTIC_PASSWORD": PASSWORD, "TZ": "UTC"}
    return subprocess.run(
        ["restic", "--no-cache", *words], env=environment, input=data, stdout=subprocess.PIPE, check=True
    ).stdout


def snapshots(place: dict[str, Any]) -> list[dict[str, str]]:
    found = json.loads(asked(place, "snapshots", "--json", "--no-lock"))
    return [dict(tag.partition("=")[::2] for tag in one["tags"]) for one in found]


def test_the_life_of_a_set(restic: Restic, place: dict[str, Any], tree: Path, tmp_path: Path) -> None:
    store = {"type": "files", "path": str(tree)}
    predicted = restic("backup", check=True, source=store)
    assert predicted["changed"]
    assert not os.path.exists(place["repository"])
    first = restic("backup", source=store)
    assert first["diff"] == predicted["diff"]
    assert first["warnings"] == []
    assert first["backup"]["compression"] == "none"
    assert [one["state"] for one in snapshots(place) if "id" in one] == ["good"]
    assert not restic("backup", check=True, source=store)["changed"]
    again = restic("backup", source=store)
    assert (again["changed"], again["backup"]["id"]) == (False, first["backup"]["id"])

    kept = (tree / "sub" / "file-2").read_bytes()
    (tree / "sub" / "file-2").write_bytes(b"new")
    second = restic("backup", source=store, keep={"last": 1})
    assert second["removed"] == [first["backup"]["id"]]
    info = restic("backup_info", verify="full", max_age="1h")
    assert info["ok"], info["problems"]
    assert [one["id"] for one in info["sets"][0]["backups"]] == [second["backup"]["id"]]
    options = {**dict.fromkeys(BackupProbe.OPTIONS), "backup_set": "app", "verified_within": 600.0, **place}
    finding = BackupProbe(options, {limit.name: limit for limit in BackupProbe.LIMITS}).run(Deadline(100))
    assert second["backup"]["id"] in finding.good
    assert not finding._problems
    assert PASSWORD in BackupProbe(options, {limit.name: limit for limit in BackupProbe.LIMITS}).secrets()

    (tree / "sub" / "file-2").write_bytes(kept)
    (tree / "sub" / "file-3").unlink()
    only = {"target": store, "on_existing": "replace", "only": ["sub/file-3"], "safety_backup": False}
    would = restic("restore", check=True, **only)
    done = restic("restore", **only)
    assert would["diff"] == done["diff"]
    assert (tree / "sub" / "file-3").stat().st_size == 1000
    assert (tree / "sub" / "file-2").read_bytes() == kept  # was not asked for
    elsewhere = {"type": "files", "path": str(tmp_path / "elsewhere")}
    assert restic("restore", target=elsewhere, backup=second["backup"]["path"])["changed"]
    assert (tmp_path / "elsewhere" / "sub" / "file-2").read_bytes() == b"new"
    assert os.stat(tmp_path / "elsewhere" / "hard").st_nlink == 2
    assert os.readlink(tmp_path / "elsewhere" / "link") == "sub/file-1"


def test_recovery_with_restic_alone(restic: Restic, place: dict[str, Any], tree: Path, tmp_path: Path) -> None:
    """As it is written in FORMAT.md."""
    restic("backup", source={"type": "files", "path": str(tree)})
    (tmp_path / "password").write_text(PASSWORD)
    places = {"/srv/restic": place["repository"], "~/restic-password": str(tmp_path / "password")}
    places.update({"/tmp": str(tmp_path), "etc.tar.d": "tree.tar.d", "set=etc": "set=app"})
    text = script("FORMAT.md", "restic restore", places)
    environment = {**os.environ, "RESTIC_CACHE_DIR": str(tmp_path / "cache")}
    subprocess.run(["bash", "-euo", "pipefail", "-c", text], env=environment, check=True, stdout=subprocess.DEVNULL)
    assert len(list((tmp_path / "backup" / "data" / "tree.tar.d").iterdir())) > 1
    assert (tmp_path / "etc" / "sub" / "file-1").read_bytes() == (tree / "sub" / "file-1").read_bytes()


def test_what_is_damaged_is_seen_and_not_restored(restic: Restic, place: dict[str, Any], tree: Path) -> None:
    store = {"type": "files", "path": str(tree)}
    (tree / "large").write_bytes(os.urandom(600_000))
    restic("backup", source=store)
    packs = [one for one in Path(place["repository"], "data").rglob("*") if one.is_file()]
    largest = max(packs, key=lambda one: one.stat().st_size)
    largest.chmod(0o600)
    with largest.open("r+b") as handle:
        handle.seek(300_000)
        byte = handle.read(1)
        handle.seek(300_000)
        handle.write(bytes([byte[0] ^ 1]))
    (tree / "large").write_bytes(b"mine")
    shutil.rmtree(Path(os.environ[host_state.VARIABLE], "restic", "cache"))
    with pytest.raises(DamagedBackup, match="restic can't read it"):
        restic("restore", target=store, on_existing="replace", safety_backup=False)
    assert (tree / "large").read_bytes() == b"mine"
    info = restic("backup_info", verify="full")
    assert not info["ok"]
    assert "restic can't read it" in info["sets"][0]["problems"][0]["problem"]


def test_only_what_is_good_counts(restic: Restic, place: dict[str, Any], document: Any, tmp_path: Path) -> None:
    document.fill(1)
    made = restic("backup", source=document.store)["backup"]["id"]
    others = "20990101T000000Z-00000000"
    own = open_repository(place)._by  # type: ignore[attr-defined]
    for by, backup in ((own, "20990101T000000Z-11111111"), ("another", others)):
        tags = f"day2,set=app,id={backup},state=provisional,by={by}"
        asked(place, "backup", "--host=day2", "--tag", tags, "--stdin", data=b"half")
    asked(place, "backup", "--tag", "mine", "--stdin", data=b"of somebody else")
    assert [one["id"] for one in restic("backup_info")["sets"][0]["backups"]] == [made]
    again = restic("backup", source=document.store)
    assert again["backup"]["id"] == made
    assert [one for one in again["warnings"] if "11111111" in one and "interrupted run had left" in one]
    left = snapshots(place)
    assert others in [one.get("id") for one in left]  # its run may go on, on another host
    assert "20990101T000000Z-11111111" not in [one.get("id") for one in left]
    assert {"mine": ""} in left


def test_the_state_that_was_written_last_counts(place: dict[str, Any]) -> None:
    """Also if a clock was wrong before."""
    repository = open_repository(place)
    with repository.lock("app", "backup", 0):
        tags = "day2,set=app,document=verified,by=x"
        words = ["--tag", tags, "--time=2099-01-01 00:00:00", "--stdin", "--stdin-filename=verified.json"]
        asked(place, "backup", "--host=day2", *words, data=b'{"old": 1}')
        assert open_repository(place).read_state("app", "verified") == {"old": 1}
        open_repository(place).write_state("app", "verified", {"new": 1})
    assert open_repository(place).read_state("app", "verified") == {"new": 1}


def remembered_trees(tmp_path: Path) -> set[str]:
    return {path.stem for path in (tmp_path / "state").rglob("trees/*.json")}


def test_small_files_of_snapshots_are_remembered(restic: Restic, document: Any, tmp_path: Path) -> None:
    """So that the next run need not read them again, which takes a second each."""
    document.fill(1)
    restic("backup", source=document.store)
    restic("backup", source=document.store)
    known = [json.loads(path.read_text()) for path in (tmp_path / "state").rglob("trees/*.json")]
    assert any("manifest.json" in one["documents"] for one in known)


def test_removed_backups_go_after_a_day(
    restic: Restic, place: dict[str, Any], document: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Or after `grace`, by the clock of this host."""
    for records in (1, 2):
        document.fill(records)
        restic("backup", source=document.store, keep={"last": 1})
    assert sorted(one["state"] for one in snapshots(place) if "id" in one) == ["good", "removed"]
    restic("backup", source=document.store, grace="1h")
    assert sorted(one["state"] for one in snapshots(place) if "id" in one) == ["good", "removed"]
    before = remembered_trees(tmp_path)
    monkeypatch.setattr(restics, "grace_of", lambda params: 0.0)
    restic("backup", source=document.store)
    assert [one["state"] for one in snapshots(place) if "id" in one] == ["good"]
    # What the host remembers of snapshots goes with them, and of the others it stays.
    there = {one["tree"] for one in json.loads(asked(place, "snapshots", "--json", "--no-lock"))}
    after = remembered_trees(tmp_path)
    assert before - there
    assert not (before - there) & after
    assert before & there
    assert before & there <= after
    assert "at" in open_repository(place)._pruned()  # type: ignore[attr-defined]  # their space was freed


def test_what_another_process_has_written_is_seen(restic: Restic, place: dict[str, Any], document: Any) -> None:
    document.fill(1)
    reader = open_repository(place)
    made = []
    for records in (1, 2):
        document.fill(records)
        made.append(restic("backup", source=document.store)["backup"]["id"])
        assert reader.ids("app") == made


def test_requests_that_can_not_be_met(restic: Restic, document: Any, place: dict[str, Any], tmp_path: Path) -> None:
    document.fill(1)
    refused: dict[str, dict[str, Any]] = {
        "encrypt_to": {"encrypt_to": ["age1x"]},
        "compression": {"compression": "gzip"},
        "lock_for": {"lock_for": "30d"},
        "requires a password": {"restic": {}},
        "contains a password": {"repository": "rest:http://me:secret@127.0.0.1:9/"},
        "restic.environment": {"restic": {"password": "x", "environment": {"RESTIC_PASSWORD_COMMAND": "x"}}},
        "requires engine=restic": {"engine": "day2"},
        "can't be read": {"restic": {"password_file": str(tmp_path / "missing")}},
        "one line": {"restic": {"password": "a\nb"}},
    }
    for text, options in refused.items():
        for check in (True, False):
            with pytest.raises(InvalidRequest, match=text):
                restic("backup", check=check, source=document.store, **options)
    with pytest.raises(RepositoryError, match="does not exist"):
        restic("backup_info")
    with pytest.raises(RepositoryError, match="contains other files"):
        restic("backup", check=True, source=document.store, repository=str(tmp_path))
    restic("backup", source=document.store)
    for check in (True, False):
        with pytest.raises(Unreachable, match="wrong password.*Correct the password"):
            restic("backup", check=check, source=document.store, restic={"password": "wrong"})


@pytest.mark.parametrize("verb", ["backup_info", "restore", "backup"])
def test_a_server_that_is_down_is_not_an_empty_repository(restic: Restic, document: Any, verb: str) -> None:
    document.fill(1)
    more = {"backup": {"source": document.store}, "restore": {"target": document.store}}.get(verb, {})
    with pytest.raises(Unreachable, match="refused"):
        restic(verb, check=True, repository="rest:http://127.0.0.1:1/", **more)


def test_a_time_limit_also_ends_what_frees_space(
    place: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "restic"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    repository: Any = open_repository(place)
    for state in ({}, {"wanted": True, "at": time.time()}):  # nothing was removed; the last time was today
        host_state.write(state, *repository._where, "prune")
        repository._prune()
        assert repository._pruned() == state
    host_state.write({"wanted": True}, *repository._where, "prune")
    with pytest.raises(Cancelled, match="timeout"), Progress().limited(0.3):
        repository._prune()


def test_no_password_is_shown(restic: Restic, place: dict[str, Any]) -> None:
    """Not as a part of an address either, which restic repeats if it can't parse it."""
    environment = {"RESTIC_REST_USERNAME": "me", "RESTIC_REST_PASSWORD": "pa/ss@word"}
    access = {"repository": "rest:http://127.0.0.1:x/", "restic": {"password": PASSWORD, "environment": environment}}
    with pytest.raises(Unreachable, match="invalid port") as told:
        restic("backup_info", **access)
    assert "word" not in str(told.value)


def test_what_failed_does_not_count(
    restic: Restic, place: dict[str, Any], document: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also when the program fails after it has written the snapshot."""
    document.fill(1)
    program = tmp_path / "bin" / "restic"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\n{shutil.which("restic")} "$@" || exit\n'
        'case "$*" in *state=good*) echo Fatal: late >&2; exit 3;; esac\n'
    )
    program.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        with pytest.raises(Unreachable, match="late"):
            restic("backup", source=document.store)
    assert not [one for one in snapshots(place) if "id" in one]
    assert open_repository(place)._pruned()["wanted"]  # type: ignore[attr-defined]  # its space will be freed


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Puts a script before the program: "$*" is a call, and what exits keeps it from being made."""
    program = tmp_path / "bin" / "restic"
    real = shutil.which("restic")

    def put(script: str) -> None:
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\n{script}\nexec {real} "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    return put


def test_what_is_not_what_was_compared_never_counts(
    restic: Restic, place: dict[str, Any], document: Any, between: Callable[[str], None]
) -> None:
    """Not even between two steps of the run: it may be killed there."""
    document.fill(1)
    made = restic("backup", source=document.store)["backup"]["id"]
    (good,) = (one for one in snapshots(place) if "id" in one)
    tags = f"day2,set=app,id=20990101T000000Z-00000000,state=good,by={good['by']},tree={good['tree']}"
    asked(place, "backup", "--host=day2", "--tag", tags, "--stdin", data=b"other")
    assert [one["id"] for one in restic("backup_info")["sets"][0]["backups"]] == [made]
    again = restic("backup", source=document.store)
    assert again["backup"]["id"] == made
    assert [one for one in again["warnings"] if "20990101T000000Z" in one and "interrupted run had left" in one]
    document.fill(2)
    between('case "$*" in *state=good*) echo >> data/*;; esac')
    with pytest.raises(RepositoryError, match="differs from what was read back"):
        restic("backup", source=document.store)
    assert [one["id"] for one in snapshots(place) if "id" in one] == [made]


def test_the_lock_of_a_crashed_process_is_in_nobodys_way(restic: Restic, place: dict[str, Any], document: Any) -> None:
    document.fill(1)
    restic("backup", source=document.store)
    environment = {**os.environ, "RESTIC_REPOSITORY": place["repository"], "RESTIC_PASSWORD": PASSWORD}
    crashed = subprocess.Popen(["restic", "backup", "--stdin"], stdin=subprocess.PIPE, env=environment)
    locks = Path(place["repository"], "locks")
    while all("-tmp-" in one.name for one in locks.iterdir()):  # it is renamed
        assert crashed.poll() is None
        time.sleep(0.05)
    crashed.kill()
    crashed.communicate()
    assert list(locks.iterdir())
    document.fill(2)
    restic("backup", source=document.store)
    assert {one["state"] for one in snapshots(place) if "id" in one} == {"good"}
    assert not list(locks.iterdir())


def test_space_is_freed_last(
    restic: Restic, place: dict[str, Any], document: Any, between: Callable[[str], None], tmp_path: Path
) -> None:
    """It may take hours, and what goes wrong with it must not keep a backup from being made."""
    document.fill(1)
    host_state.write({"wanted": True}, *open_repository(place)._where, "prune")  # type: ignore[attr-defined]
    between(f'echo "$*" >> {tmp_path}/calls; case "$*" in *prune*) echo "Fatal: no room" >&2; exit 1;; esac')
    assert restic("backup", source=document.store)["warnings"] == []
    calls = (tmp_path / "calls").read_text().splitlines()
    written = max(number for number, call in enumerate(calls) if " backup " in call)
    (pruned,) = (number for number, call in enumerate(calls) if " prune " in call)
    assert written < pruned
    between("")
    (told,) = restic("backup", source=document.store)["warnings"]
    assert "could not be freed" in told
    assert "no room" in told
    assert restic("backup", source=document.store)["warnings"] == []


def test_without_the_program(restic: Restic, document: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    document.fill(1)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependency, match="The program restic is required"):
        restic("backup", source=document.store)


@pytest.mark.parametrize("kind", [restic_s3, restic_rclone])
def test_back_ends(run: Any, kind: Any, document: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    document.fill(1)
    with kind(tmp_path) as place:
        made = run("backup", source=document.store, **place)["backup"]
        assert made["path"] == f"{place['repository']}/app/{made['id']}"
        document.path.unlink()
        assert run("restore", target=document.store, **place)["changed"]
        assert document.records() == 1
