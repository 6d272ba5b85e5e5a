# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every kind of repository promises, on a real one of each kind."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    LeaseLost,
    LockTimeout,
    NoSpace,
    RepositoryError,
    Unreachable,
)
from ansible_collections.day2.ops.plugins.module_utils._repository.base import Repository, Staging
from ansible_collections.day2.ops.plugins.module_utils._repository.location import open_repository
from ansible_collections.day2.ops.plugins.module_utils._repository.manifest import ID
from ansible_collections.day2.ops.plugins.module_utils._repository.remote import RemoteRepository
from tests.services.repositories import KINDS

WHEN = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)


# rclone and restic are programs, which are the same for every Python, and each call starts one
def _parameters(*left_out: str) -> list[Any]:
    names = [one for one in KINDS if one not in left_out]
    return [pytest.param(one, marks=pytest.mark.once if one.startswith(("rclone", "restic")) else ()) for one in names]


# What becomes of copies is decided in one place for all that are remote.
FEWER = _parameters("rclone-s3", "rclone-webdav")
copying_in_places_that_differ = pytest.mark.parametrize("place", FEWER, indirect=True)
# So is what becomes of a file or a list on its way: of the places behind rclone, one is enough.
in_places_that_differ = pytest.mark.parametrize("place", _parameters("rclone-s3", "rclone-webdav"), indirect=True)
# All small calls of rclone are through one rclone here. What starts a program for each call instead is decided in one
# place, too (Rclone.call): it does all that there is to do in a directory, and finds what is missing where that is no
# error.
CALLS = "-calls"


def _and_by_calls(*kinds: str) -> Any:
    more = [pytest.param(f"{kind}{CALLS}", marks=pytest.mark.once) for kind in kinds]
    return pytest.mark.parametrize("place", [*_parameters(), *more], indirect=True)


by_calls = _and_by_calls("rclone-sftp")
by_calls_of_any_kind = _and_by_calls("rclone-sftp", "rclone-s3")


@pytest.fixture(params=_parameters())
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    kind, calls, _rest = request.param.partition(CALLS)
    with KINDS[kind](tmp_path) as params:
        if "rclone" in params:
            params["rclone"]["server"] = not calls
        yield params


@pytest.fixture
def repository(place: dict[str, Any]) -> Repository:
    return open_repository(place)


def write(staging: Staging, path: str, data: bytes) -> None:
    with staging.create(path) as handle:
        view = memoryview(data)
        while view:
            view = view[os.write(handle.fileno(), view) :]


def put(repository: Repository, number: int = 0, data: bytes = b"content") -> str:
    """Publish a backup; the caller holds the lock."""
    created = WHEN + timedelta(seconds=number)
    with repository.stage("app", created) as staging:
        write(staging, "data/file", data)
        (piece,) = staging.seal("data/file")
        with staging.reopen(piece) as handle:
            assert b"".join(iter(lambda: handle.read(1 << 16), b"")) == data
        backup = staging.id or created.strftime("%Y%m%dT%H%M%SZ-") + f"{number:08x}"
        assert staging.publish(backup, b"manifest %d" % number, b"sums")
    return backup


def publish(repository: Repository, number: int = 0, data: bytes = b"content") -> str:
    with repository.lock("app", "test", 5):
        return put(repository, number, data)


def read(repository: Repository, backup: str, path: str = "data/file") -> bytes:
    with repository.open("app", backup, path) as handle:
        return b"".join(iter(lambda: handle.read(1 << 16), b""))


@by_calls_of_any_kind
def test_nothing_is_there_and_nothing_is_made_by_looking(repository: Repository, place: dict[str, Any]) -> None:
    repository.check_writable("app")
    assert repository.sets() == []
    assert repository.ids("app") == []
    assert list(repository.listing("app")) == []
    assert repository.read_state("app", "confirmed") == {}
    listed = repository.look("app", "20250630T120000Z-00000000")
    assert not listed.sizes
    with pytest.raises(RepositoryError):
        listed.read("manifest.json")
    with pytest.raises(RepositoryError):
        repository.open("app", listed.id, "data/file")
    with pytest.raises(RepositoryError), repository.hold("app", listed.id):
        pass
    assert open_repository(place).sets() == []


@by_calls
def test_what_is_published_is_there(repository: Repository, place: dict[str, Any]) -> None:
    backup = publish(repository)
    assert ID.fullmatch(backup)
    for one in (repository, open_repository(place)):
        assert one.sets() == ["app"]
        assert one.ids("app") == [backup]
        (listed,) = one.listing("app")
        assert listed.sizes == one.look("app", backup).sizes
        assert listed.sizes == {"manifest.json": 10, "SHA256SUMS": 4, "data/file": 7}
        assert (listed.read("manifest.json"), listed.read("SHA256SUMS")) == (b"manifest 0", b"sums")
        assert read(one, backup) == b"content"
        assert one.path("app", backup).startswith(one.location)
        assert one.path("app", backup).endswith(f"/app/{backup}")
        with one.hold("app", backup):
            pass
        assert one.trouble() == ""


def test_files_of_any_size(repository: Repository) -> None:
    contents = {f"data/{size}": os.urandom(size) for size in (0, 1, (1 << 20) + 1)}
    with repository.lock("app", "test", 5), repository.stage("app", WHEN) as staging:
        for path, data in contents.items():
            write(staging, path, data)
            (piece,) = staging.seal(path)
            with staging.reopen(piece) as handle:
                assert b"".join(iter(lambda handle=handle: handle.read(1 << 16), b"")) == data
        backup = staging.id or "20250630T120000Z-00000000"
        assert staging.publish(backup, b"manifest", b"sums")
    assert {path: read(repository, backup, path) for path in contents} == contents


def test_names_with_any_character(repository: Repository) -> None:
    odd = "data/ä b%2F+&?#\\\"'=~/x"
    with repository.lock("app", "test", 5), repository.stage("app", WHEN) as staging:
        write(staging, odd, b"odd")
        staging.seal(odd)
        backup = staging.id or "20250630T120000Z-00000000"
        assert staging.publish(backup, b"manifest", b"sums")
    assert repository.look("app", backup).sizes[odd] == 3
    assert read(repository, backup, odd) == b"odd"


@in_places_that_differ
def test_backups_are_listed_oldest_first_and_sets_by_name(repository: Repository) -> None:
    with repository.lock("app", "test", 5):
        made = [put(repository, number) for number in (2, 0, 1)]
    assert repository.ids("app") == sorted(made)
    assert [one.id for one in repository.listing("app")] == sorted(made)
    assert [one.read("manifest.json") for one in repository.listing("app")] == [b"manifest %d" % n for n in range(3)]


def test_what_is_not_published_leaves_nothing(repository: Repository) -> None:
    with repository.lock("app", "test", 5), pytest.raises(KeyError), repository.stage("app", WHEN) as staging:
        write(staging, "data/file", b"x")
        staging.seal("data/file")
        write(staging, "data/other", b"x")
        raise KeyError
    assert repository.sets() == []
    assert list(repository.listing("app")) == []
    with repository.lock("app", "test", 5) as left:
        assert left == []


@in_places_that_differ
def test_scratch_is_private_and_goes_with_the_staging(repository: Repository) -> None:
    with repository.lock("app", "test", 5):
        with repository.stage("app", WHEN) as staging:
            assert os.stat(staging.scratch).st_mode & 0o777 == 0o700
            assert os.listdir(staging.scratch) == []
            scratch = staging.scratch
        assert not os.path.exists(scratch)


@in_places_that_differ
def test_a_writer_that_stops_leaves_its_error(repository: Repository) -> None:
    with repository.lock("app", "test", 5), pytest.raises(KeyError), repository.stage("app", WHEN) as staging:
        with staging.create("data/file") as handle:
            os.write(handle.fileno(), b"half")
            raise KeyError
    assert repository.sets() == []


@in_places_that_differ
def test_a_file_that_was_discarded_is_written_again(repository: Repository) -> None:
    with repository.lock("app", "test", 5), repository.stage("app", WHEN) as staging:
        for data in (b"first, and longer", b"second"):
            write(staging, "data/other", data)
            write(staging, "data/file", data)
            if data != b"second":
                for path in ("data/file", "data/other", "data/never"):
                    staging.discard(path)
        for path in ("data/file", "data/other"):
            (piece,) = staging.seal(path)
            with staging.reopen(piece) as handle:
                assert handle.read() == b"second"
        backup = staging.id or WHEN.strftime("%Y%m%dT%H%M%SZ-00000000")
        assert staging.publish(backup, b"manifest", b"sums")
    assert repository.look("app", backup).sizes["data/file"] == 6


def test_one_writer_at_a_time(repository: Repository, place: dict[str, Any]) -> None:
    with repository.lock("app", "backup", 0):
        with pytest.raises(
            LockTimeout, match=rf"backup, process {os.getpid()} on .*, since 2.*lock_timeout .now 0.3 s"
        ):
            with open_repository(place).lock("app", "restore", 0.3):
                pass
        with open_repository(place).lock("other", "restore", 0):
            pass
    with repository.lock("app", "restore", 0):
        pass


def test_the_second_run_goes_on_when_the_first_ends(repository: Repository, place: dict[str, Any]) -> None:
    entered, order = threading.Event(), []

    def first() -> None:
        with repository.lock("app", "backup", 600):
            entered.set()
            order.append(put(repository, 1))

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(60)
    with open_repository(place).lock("app", "restore", 60):
        order.append("second")
    thread.join()
    assert order[1] == "second"


def test_a_lock_that_left_nothing_shows_nothing(repository: Repository) -> None:
    with repository.lock("app", "backup", 0):
        repository.write_state("app", "confirmed", {"a": 1})
    with repository.lock("other", "backup", 0):
        pass
    assert repository.sets() == []


def test_removal(repository: Repository) -> None:
    first, second = publish(repository, 0), publish(repository, 1)
    with repository.lock("app", "backup", 0):
        removal = repository.remove("app", first)
    assert (removal.stays, list(removal.notes)) == ("", [])
    assert repository.ids("app") == [second]
    assert [one.id for one in repository.listing("app")] == [second]
    with pytest.raises(RepositoryError), repository.hold("app", first):
        pass
    with repository.lock("app", "backup", 0):
        pass
    assert repository.ids("app") == [second]


def test_a_reader_can_read_on(repository: Repository, place: dict[str, Any]) -> None:
    backup = publish(repository, data=b"x" * 300_000)
    with repository.hold("app", backup), repository.open("app", backup, "data/file") as handle:
        began = handle.read(1)
        other = open_repository(place)
        with other.lock("app", "backup", 0):
            other.remove("app", backup)
        with other.lock("app", "backup", 0):
            pass
        assert began + b"".join(iter(lambda: handle.read(1 << 16), b"")) == b"x" * 300_000
        assert read(repository, backup) == b"x" * 300_000


@by_calls_of_any_kind
def test_state(repository: Repository, place: dict[str, Any]) -> None:
    with repository.lock("app", "backup", 0):
        repository.write_state("app", "confirmed", {"id": "a"})
        repository.write_state("app", "confirmed", {"id": "b"})
        put(repository)
    assert open_repository(place).read_state("app", "confirmed") == {"id": "b"}
    assert repository.read_state("app", "verified") == {}


ID_ELSEWHERE = "20250630T120000Z-0badcafe"
SIZES = {"data/one": 3, "data/two": 4}


def copied(repository: Repository, data: Mapping[str, bytes]) -> Staging:
    """A copy that is complete but not published; the caller holds the lock."""
    staging = repository.stage_copy("app", ID_ELSEWHERE, SIZES)
    with pytest.raises(Unreachable), staging:
        for path, content in data.items():
            write(staging, path, content)
            assert staging.seal(path) == [path]
        raise Unreachable("the connection was cut")
    return staging


def test_a_copy_has_the_id_that_it_has_elsewhere(repository: Repository) -> None:
    with repository.lock("app", "test", 5, [ID_ELSEWHERE]):
        with repository.stage_copy("app", ID_ELSEWHERE, SIZES) as staging:
            assert (staging.id, set(staging.found)) == (ID_ELSEWHERE, set())
            for path, content in {"data/one": b"one", "data/two": b"four"}.items():
                write(staging, path, content)
                assert staging.seal(path) == [path]
            assert staging.publish(ID_ELSEWHERE, b"manifest", b"sums")
    assert repository.ids("app") == [ID_ELSEWHERE]
    assert read(repository, ID_ELSEWHERE, "data/two") == b"four"
    assert set(repository.look("app", ID_ELSEWHERE).sizes) == {*SIZES, "manifest.json", "SHA256SUMS"}


def test_a_copy_that_was_interrupted_goes_on(repository: Repository, place: dict[str, Any]) -> None:
    with repository.lock("app", "test", 5, [ID_ELSEWHERE]):
        copied(repository, {"data/one": b"one"})
    assert repository.ids("app") == []
    again = open_repository(place)
    with again.lock("app", "test", 5, [ID_ELSEWHERE]) as left:
        assert left == []
        with again.stage_copy("app", ID_ELSEWHERE, SIZES) as staging:
            assert set(staging.found) == {"data/one"}
            with staging.reopen("data/one") as handle:
                assert handle.read(100) == b"one"
            write(staging, "data/one", b"eno")  # it may be another than what is to be copied
            staging.seal("data/one")
            write(staging, "data/two", b"four")
            staging.seal("data/two")
            assert staging.publish(ID_ELSEWHERE, b"manifest", b"sums")
    assert read(again, ID_ELSEWHERE, "data/one") == b"eno"


@copying_in_places_that_differ
def test_of_an_interrupted_copy_only_what_fits_is_found(repository: Repository) -> None:
    with repository.lock("app", "test", 5, [ID_ELSEWHERE]):
        copied(repository, {"data/one": b"one", "data/two": b"fourfour"[:4]})
        with repository.stage_copy("app", ID_ELSEWHERE, {"data/one": 3, "data/two": 5}) as staging:
            assert set(staging.found) == {"data/one"}


@copying_in_places_that_differ
def test_a_copy_that_fails_for_good_leaves_nothing(repository: Repository) -> None:
    with repository.lock("app", "test", 5, [ID_ELSEWHERE]):
        copied(repository, {"data/one": b"one"})
        with pytest.raises(NoSpace), repository.stage_copy("app", ID_ELSEWHERE, SIZES) as staging:
            write(staging, "data/two", b"four")
            staging.seal("data/two")
            raise NoSpace("full")
        with repository.stage_copy("app", ID_ELSEWHERE, SIZES) as staging:
            assert not staging.found
    assert repository.sets() == []


@copying_in_places_that_differ
def test_a_copy_whose_lock_was_lost_removes_nothing_that_another_run_goes_on_with(repository: Repository) -> None:
    if not isinstance(repository, RemoteRepository):
        return  # a lock of the kernel is not lost
    copied = "20250630T120000Z-0123abcd"
    with repository.lock("app", "test", 5, [copied]):
        with pytest.raises(LeaseLost):
            with repository.stage_copy("app", copied, {"data/file": 7}) as staging:
                write(staging, "data/file", b"content")
                repository._leases["app"]._lost = "another run took it over"
                staging.seal("data/file")
        assert read(repository, copied) == b"content"  # which that run has found, or written itself
        with pytest.raises(LeaseLost):
            repository._leases["app"]._lost = ""
            with repository.stage_copy("app", copied, {"data/file": 7}) as staging:
                repository._leases["app"]._lost = "another run took it over"
                staging.publish(copied, b"manifest", b"sums")
        assert set(repository.look("app", copied).sizes) == {"data/file"}  # it has sums of its own


def test_an_object_is_not_completed_once_the_lock_was_lost(repository: Repository) -> None:
    if not isinstance(repository, RemoteRepository):
        return  # a lock of the kernel is not lost
    size = 2 << 20
    with repository.lock("app", "test", 5, [ID_ELSEWHERE]):
        with pytest.raises(LeaseLost), repository.stage_copy("app", ID_ELSEWHERE, {"data/file": size}) as staging:
            with staging.create("data/file") as handle:
                os.write(handle.fileno(), b"x" * 1000)
                repository._leases["app"]._lost = "another run took it over"  # and published the same copy
                for dummy in range(size >> 16):
                    os.write(handle.fileno(), b"x" * (1 << 16))
        assert repository.look("app", ID_ELSEWHERE).sizes.get("data/file") != size


@copying_in_places_that_differ
def test_a_copy_can_be_made_after_others_have_come(repository: Repository, place: dict[str, Any]) -> None:
    with repository.lock("app", "test", 5, [ID_ELSEWHERE]):
        copied(repository, {"data/one": b"one"})
    other = open_repository(place)
    with other.lock("app", "test", 5) as left:
        # where nothing is left to a run that only sleeps, it is removed at once
        assert len(left) == (repository.local_path is not None)
        assert all(ID_ELSEWHERE in one for one in left)
    with repository.lock("app", "test", 5, [ID_ELSEWHERE]):
        with repository.stage_copy("app", ID_ELSEWHERE, {"data/one": 3}) as staging:
            assert set(staging.found) == ({"data/one"} if repository.local_path is None else set())
            write(staging, "data/one", b"one")
            staging.seal("data/one")
            assert staging.publish(ID_ELSEWHERE, b"manifest", b"sums")
    assert read(repository, ID_ELSEWHERE, "data/one") == b"one"


@copying_in_places_that_differ
def test_a_copy_of_what_was_removed_here(repository: Repository) -> None:
    for dummy in range(2):
        with repository.lock("app", "test", 5, [ID_ELSEWHERE]):
            with repository.stage_copy("app", ID_ELSEWHERE, SIZES) as staging:
                for path, content in {"data/one": b"one", "data/two": b"four"}.items():
                    if path not in staging.found:
                        write(staging, path, content)
                        staging.seal(path)
                assert staging.publish(ID_ELSEWHERE, b"manifest", b"sums")
        with repository.lock("app", "test", 5):
            pass
        assert read(repository, ID_ELSEWHERE, "data/two") == b"four"
        with repository.lock("app", "test", 5):
            repository.remove("app", ID_ELSEWHERE)
        assert repository.ids("app") == []


MARK, ANCHOR = "0123456789abcdef", "fedcba9876543210-000000000042"


@in_places_that_differ
def test_anchors_are_written_once_and_are_no_backups(repository: Repository, place: dict[str, Any]) -> None:
    with pytest.raises(RepositoryError):
        repository.put_anchor(MARK, ANCHOR, b"head")
    backup = publish(repository)
    assert repository.put_anchor(MARK, ANCHOR, b"head")
    assert repository.put_anchor(MARK, ANCHOR, b"head")
    assert not repository.put_anchor(MARK, ANCHOR, b"another")
    other = open_repository(place)
    assert not other.put_anchor(MARK, ANCHOR, b"another")
    assert other.put_anchor(MARK, ANCHOR[:-1] + "7", b"later")
    for one in (repository, other):
        assert dict(one.anchors(MARK)) == {ANCHOR: b"head", ANCHOR[:-1] + "7": b"later"}
        assert dict(one.anchors("0" * 16)) == {}
        assert (one.sets(), one.ids("app")) == (["app"], [backup])
    with repository.lock("app", "test", 5) as left:
        assert left == []
    assert len(dict(repository.anchors(MARK))) == 2
