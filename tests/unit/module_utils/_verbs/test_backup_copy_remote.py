# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies from and to repositories of every kind."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    Interrupted,
    InvalidRequest,
    RepositoryError,
    Unreachable,
)
from ansible_collections.day2.ops.plugins.module_utils._repository import copying, s3_upload
from ansible_collections.day2.ops.plugins.module_utils._repository.location import open_repository
from ansible_collections.day2.ops.plugins.module_utils._repository.remote import RemoteRepository
from ansible_collections.day2.ops.plugins.module_utils._repository.s3 import S3Objects
from tests.services.repositories import KINDS

DIRECTIONS = [
    ("directory", "s3-ministack"),
    ("s3-ministack", "directory"),
    ("s3-ministack", "s3-rgw-versions"),
    ("directory", "restic"),
]
VERSION_1 = Path(__file__).parents[1] / "_repository" / "files" / "version_1"
Place = dict[str, Any]

pytestmark = pytest.mark.once


@pytest.fixture
def places(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Place, Place]]:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    with ExitStack() as stack:
        opened = []
        for number, kind in enumerate(request.param):
            folder = tmp_path / str(number)
            folder.mkdir()
            opened.append(stack.enter_context(KINDS[kind](folder)))
        yield opened[0], opened[1]


@pytest.fixture
def copy(run: Any, places: tuple[Place, Place]) -> Callable[..., dict[str, Any]]:
    def call(check: bool = False, to: Optional[Place] = None, **params: Any) -> dict[str, Any]:
        source, target = places
        return dict(run("backup_copy", check, **{"from": source, "to": {**target, **(to or {})}, **params}))

    return call


def content(place: Place, name: str = "app") -> dict[str, str]:
    """The digests of all that lies in the backups of a set."""
    repository = open_repository(place)
    found = {}
    for listed in repository.listing(name):
        for path in listed.sizes:
            with repository.open(name, listed.id, path) as handle:
                data = b"".join(iter(lambda: handle.read(1 << 20), b""))
            found[f"{listed.id}/{path}"] = hashlib.sha256(data).hexdigest()
    return found


def in_directions(*directions: tuple[str, str]) -> Any:
    return pytest.mark.parametrize("places", directions, ids="-to-".join, indirect=True)


@in_directions(*DIRECTIONS)
def test_check_run_check_run(run: Any, copy: Any, places: tuple[Place, Place], document: Any) -> None:
    source, target = places
    for records in (1, 2):
        document.fill(records, settle=False)
        made = run("backup", source=document.store, **source)["backup"]
    predicted = copy(check=True)
    assert open_repository(target).sets() == []
    done = copy()
    assert (predicted["changed"], predicted["diff"], predicted["copied"]) == (True, done["diff"], done["copied"])
    assert done["copied"][0]["path"] == f"{target['repository']}/app/{made['id']}"
    assert copy(which="all", check=True)["copied"] == copy(which="all")["copied"] != []
    assert content(target) == content(source)
    for check in (True, False):
        assert copy(check=check, which="all")["changed"] is False
    info = run("backup_info", verify="full", **target)
    assert info["ok"], info["problems"]
    document.path.unlink()
    assert run("restore", target=document.store, **target)["changed"]
    assert document.records() == 2


@in_directions(("restic", "restic"))
def test_from_restic_to_restic_and_to_a_directory(
    run: Any, copy: Any, places: tuple[Place, Place], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Archives stay in their pieces, and what was stored before the run was stopped is not copied again."""
    source, target = places
    (tmp_path / "tree").mkdir()
    for number in range(8):
        (tmp_path / "tree" / f"{number}").write_bytes(secrets.token_bytes(100_000))
    run("backup", source={"type": "files", "path": str(tmp_path / "tree")}, **source)
    real, brought = copying.Copying._bring, []

    def stopped(self: Any, backup: str, piece: Any, staging: Any) -> None:
        brought.append(piece.path)
        if len(brought) == 4:
            raise Unreachable("The connection was cut.")
        real(self, backup, piece, staging)

    with monkeypatch.context() as patch:
        patch.setattr(copying.Copying, "_bring", stopped)
        with pytest.raises(RepositoryError, match="connection was cut"):
            copy()
        assert not open_repository(target).sets()
        assert copy()["changed"]
    assert len(brought) == len(set(brought)) + 1 > 8
    assert not copy()["changed"]
    back = {"repository": str(tmp_path / "back")}
    assert copy(to={**back, "engine": "day2", "restic": None}, **{"from": target})["changed"]
    assert content(back) == content(source)
    elsewhere = {"type": "files", "path": str(tmp_path / "elsewhere")}
    assert run("restore", target=elsewhere, **back)["changed"]


@in_directions(("directory", "restic"))
def test_a_directory_where_a_file_belongs_is_removed(
    run: Any, copy: Any, places: tuple[Place, Place], document: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an interrupted run has left in restic need not be what this one writes."""
    document.fill(2, settle=False)
    run("backup", source=document.store, **places[0])

    def stopped(self: Any, backup: str, piece: Any, staging: Any) -> None:
        (Path(staging._tree) / piece.path).mkdir(parents=True)
        (Path(staging._tree) / piece.path / "file").write_text("x")
        staging._store()
        raise Unreachable("The connection was cut.")

    with monkeypatch.context() as patch:
        patch.setattr(copying.Copying, "_bring", stopped)
        with pytest.raises(RepositoryError, match="connection was cut"):
            copy()
    assert copy()["changed"]
    assert content(places[1]) == content(places[0])


@in_directions(("directory", "s3-ministack"), ("directory", "s3-rgw-versions"))
def test_a_backup_of_version_1_lies_elsewhere_as_it_is(
    run: Any, copy: Any, places: tuple[Place, Place], tmp_path: Path
) -> None:
    source, target = places
    shutil.copytree(VERSION_1, source["repository"])
    assert copy(name="hawkfish")["changed"]
    assert content(target, "hawkfish") == content(source, "hawkfish")
    assert run("backup_info", name="hawkfish", verify="full", **target)["ok"]
    (tmp_path / "new").mkdir()
    part = {"name": "state", "type": "json", "path": str(tmp_path / "new" / "a.json")}
    assert run("restore", name="hawkfish", targets=[part], target=None, **target)["changed"]
    json.loads((tmp_path / "new" / "a.json").read_text())


@in_directions(("directory", "s3-ministack"))
def test_a_file_of_any_size_is_one_object_if_it_was_one(
    run: Any, copy: Any, places: tuple[Place, Place], document: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = places
    document.path.write_text(json.dumps({"a": {"b": secrets.token_hex(6 << 20)}}))
    run("backup", source=document.store, compression="none", **source)
    monkeypatch.setattr(s3_upload, "PART", 5 << 20)
    monkeypatch.setattr(s3_upload, "PARTS", 1)
    copy()
    assert content(target) == content(source)
    monkeypatch.setattr(s3_upload, "PARTS", 256)
    monkeypatch.setattr(s3_upload, "_MOST_PARTS", 2)
    shutil.rmtree(source["repository"])
    document.path.write_text(json.dumps({"a": {"b": secrets.token_hex(7 << 20)}}))
    run("backup", source=document.store, compression="none", **source)
    copy()
    assert set(content(source).items()) < set(content(target).items())


@in_directions(("s3-ministack", "directory"))
def test_a_file_in_several_objects_stays_so(
    run: Any, copy: Any, places: tuple[Place, Place], document: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = places
    monkeypatch.setattr(s3_upload, "PART", 5 << 20)
    monkeypatch.setattr(s3_upload, "PARTS", 1)
    document.path.write_text(json.dumps({"a": {"b": secrets.token_hex(3 << 20)}}))
    run("backup", source=document.store, compression="none", **source)
    copy()
    assert content(target) == content(source)
    assert any(path.endswith(".002") for path in content(target))
    assert run("backup_info", verify="full", **target)["ok"]
    document.path.unlink()
    assert run("restore", target=document.store, **target)["changed"]


@in_directions(("directory", "s3-ministack"))
def test_a_connection_that_is_cut_is_gone_on_from(
    run: Any, copy: Any, places: tuple[Place, Place], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = places
    stores = []
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.json").write_text(json.dumps({name: {"x": {"id": 1}}}))
        stores.append({"name": name, "type": "json", "path": str(tmp_path / f"{name}.json")})
    run("backup", sources=stores, source=None, **source)
    real, brought = copying.Copying._bring, []

    def cut(self: Any, backup: str, piece: Any, staging: Any) -> None:
        brought.append(piece.path)
        if len(brought) == 3:
            raise Unreachable("The connection was cut.")
        real(self, backup, piece, staging)

    with monkeypatch.context() as patch:
        patch.setattr(copying.Copying, "_bring", cut)
        with pytest.raises(RepositoryError, match="connection was cut"):
            copy()
    uploaded = []
    upload = S3Objects.upload
    monkeypatch.setattr(S3Objects, "upload", lambda self, key, *more: uploaded.append(key) or upload(self, key, *more))
    done = copy()
    assert (done["changed"], done["warnings"]) == (True, [])
    assert [key.partition("/data/")[2] for key in uploaded] == [brought[2].partition("data/")[2]]
    assert content(target) == content(source)


@in_directions(("s3-ministack", "directory"), ("directory", "s3-ministack"))
@pytest.mark.parametrize("cuts", [2, 3])
def test_a_file_whose_connection_is_cut_is_copied_again(
    run: Any, copy: Any, places: tuple[Place, Place], document: Any, monkeypatch: pytest.MonkeyPatch, cuts: int
) -> None:
    source, target = places
    document.fill(3, settle=False)
    run("backup", source=document.store, **source)
    opened, left = S3Objects.open, [True] * cuts

    class Cut(io.BytesIO):
        def read(self, size: Any = -1) -> bytes:
            raise Interrupted("The connection was cut.")

    def cut(self: S3Objects, key: str) -> Any:
        return Cut() if "/data/" in key and left and left.pop() else opened(self, key)

    with monkeypatch.context() as patch:
        patch.setattr(S3Objects, "open", cut)
        patch.setattr(copying, "_PAUSE", 0.0)
        if cuts == 2:
            assert copy()["changed"]
        else:
            with pytest.raises(RepositoryError, match="The connection was cut"):
                copy()
    assert copy()["changed"] is (cuts == 3)
    assert content(target) == content(source)


@in_directions(("s3-ministack", "directory"))
def test_what_the_way_damages_is_not_published(
    run: Any, copy: Any, places: tuple[Place, Place], document: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = places
    document.fill(1, settle=False)
    made = run("backup", source=document.store, **source)["backup"]["id"]
    real = S3Objects.open
    monkeypatch.setattr(S3Objects, "open", lambda self, key: io.BytesIO(real(self, key).read()[:-1] + b"?"))
    with pytest.raises(RepositoryError, match=f"{made} in s3://.* is damaged and was not copied: data/.*SHA-256"):
        copy()
    assert open_repository(target).sets() == []


@in_directions(("s3-ministack", "s3-ministack"))
def test_one_server_is_not_copied_to_itself(copy: Any, places: tuple[Place, Place]) -> None:
    with pytest.raises(InvalidRequest, match="can't hold copies of itself"):
        copy(to=places[0])


@in_directions(("directory", "s3-ministack"))
def test_what_was_copied_before_the_lock_was_lost_is_told(
    run: Any, copy: Any, places: tuple[Place, Place], document: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for records in (1, 2, 3):
        document.fill(records, settle=False)
        made.append(run("backup", source=document.store, **places[0])["backup"]["id"])
    stage = RemoteRepository.stage_copy

    def lost(self: RemoteRepository, name: str, backup_id: str, sizes: Any) -> Any:
        if backup_id == made[1]:
            self._leases[name]._lost = "another run took it over"
        return stage(self, name, backup_id, sizes)

    with monkeypatch.context() as patch:
        patch.setattr(RemoteRepository, "stage_copy", lost)
        with pytest.raises(RepositoryError, match="1 backup was not copied: The lock .* was lost") as failure:
            copy(which="all", to={"keep": {"last": 3}})
    details = failure.value.details
    assert (details["changed"], details["removed"]) == (True, [])
    assert [one["id"] for one in details["copied"]] == made[:1]
    assert list(details["failures"]) == made[1:2]
    assert open_repository(places[1]).ids("app") == made[:1]
