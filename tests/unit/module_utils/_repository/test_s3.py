# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only repositories in S3 have: locks with a lease, fences, uploads in parts, and what their servers say."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import threading
import time
import weakref
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import urllib3

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    Cancelled,
    Day2Error,
    InvalidRequest,
    LeaseLost,
    LockTimeout,
    RepositoryError,
    Unreachable,
)
from ansible_collections.day2.ops.plugins.module_utils._core.s3 import S3Client
from ansible_collections.day2.ops.plugins.module_utils._repository import lease as leases
from ansible_collections.day2.ops.plugins.module_utils._repository import s3, s3_upload
from ansible_collections.day2.ops.plugins.module_utils._repository.catalogue import Catalogue
from ansible_collections.day2.ops.plugins.module_utils._repository.generations import Generations
from ansible_collections.day2.ops.plugins.module_utils._repository.manifest import sums_of
from ansible_collections.day2.ops.plugins.module_utils._repository.remote import RemoteRepository
from ansible_collections.day2.ops.plugins.module_utils._repository.remote_options import GRACE, Locking, locking_for
from ansible_collections.day2.ops.plugins.module_utils._repository.s3 import S3Objects
from ansible_collections.day2.ops.plugins.module_utils._repository.s3_versions import Versions
from tests.services.repositories import BUCKET, KINDS, LOCKED, bucket, client, object_lock, rgw_options
from tests.services.s3 import damaging_proxy
from tests.services.waiting import PATIENCE, wait_for
from tests.unit.module_utils._repository.test_manifest import REMOTE

pytestmark = pytest.mark.once  # the same library and the same servers for every Python; test_contract.py is for each

WHEN = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)
LOCK = "app/.state/lock/"
CONTENDERS = 16


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    bucket(rgw_options)
    return f"s3://{BUCKET}/{uuid4().hex}"


def objects(address: str, **options: Any) -> S3Objects:
    return S3Objects(address, {**rgw_options(), **options})


def repository(address: str, grace: float = 3600) -> RemoteRepository:
    return RemoteRepository(objects(address), grace)


def write(staging: Any, path: str, data: bytes) -> None:
    with staging.create(path) as handle:
        view = memoryview(data)
        while view:
            view = view[os.write(handle.fileno(), view) :]


def put(one: RemoteRepository, data: bytes = b"content", number: int = 0) -> str:
    with one.stage("app", WHEN + timedelta(seconds=number)) as staging:
        write(staging, "data/file", data)
        staging.seal("data/file")
        assert staging.publish(str(staging.id), b"manifest", b"sums")
    return str(staging.id)


def keys(address: str) -> set[str]:
    return {one.key for one in objects(address).walk("")}


# The lock


def test_of_many_contenders_one_holds_the_lock_at_a_time(address: str) -> None:
    inside, most, done = 0, 0, []
    guard, begin = threading.Lock(), threading.Barrier(CONTENDERS)

    def contend() -> None:
        nonlocal inside, most
        lease = Generations(objects(address), LOCK, "test")
        begin.wait()
        lease.acquire(600)
        with guard:
            inside += 1
            most = max(most, inside)
        time.sleep(0.01)
        with guard:
            inside -= 1
            done.append(lease)
        lease.release()

    threads = [threading.Thread(target=contend) for dummy in range(CONTENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, len(done)) == (1, CONTENDERS)


def test_who_creates_a_number_that_was_used_and_removed_does_not_hold_the_lock(address: str) -> None:
    first, holder, late = (Generations(objects(address), LOCK, verb) for verb in ("first", "holder", "late"))
    first.acquire(0)
    first.release()
    holder.acquire(0)
    late._highest = lambda: None  # type: ignore[method-assign]  # it looked before there was any, and slept
    assert not late.attempt()
    assert keys(address) == {f"{LOCK}0000000002"}
    holder.renew()
    holder.check()
    holder.release()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease of 600 s is renewed every second."""
    monkeypatch.setattr(leases, "_RENEWED", 1 / 600)


@pytest.mark.usefixtures("often")
def test_a_lock_is_renewed(address: str) -> None:
    lease = Generations(objects(address), LOCK, "test", lease=600)
    lease.acquire(0)
    began = leases.now()
    lease._good -= 1000  # it would be over
    wait_for(lambda: lease._good > began)
    lease.check()
    with pytest.raises(LockTimeout, match="test, process"):
        Generations(objects(address), LOCK, "other", lease=600).acquire(0)
    lease.release()


def sleeper(address: str, monkeypatch: pytest.MonkeyPatch) -> Generations:
    """A holder that is not scheduled any more, on another host."""
    with monkeypatch.context() as patch:
        patch.setattr(leases, "boot_id", lambda: "another")
        patch.setattr(Generations, "_keep", lambda self: None)
        lease = Generations(objects(address), LOCK, "sleeper", lease=600)
        lease.acquire(0)
    return lease


def test_who_sleeps_past_the_lease_has_lost_it(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = sleeper(address, monkeypatch)
    lost.check()
    with pytest.raises(LockTimeout, match="sleeper"):
        Generations(objects(address), LOCK, "thief", lease=600).acquire(0)
    thief = Generations(objects(address), LOCK, "thief", lease=8)
    thief.acquire(PATIENCE)
    lost._lease, thief._lease = 8, 600
    with pytest.raises(LeaseLost, match="in time"):
        lost.check()
    lost.renew()  # also if it had no clock
    with pytest.raises(LeaseLost, match="thief, process"):
        lost.check()
    lost.release()
    thief.check()
    thief.renew()
    thief.check()
    thief.release()


def test_a_process_of_this_host_that_is_gone_holds_nobody_up(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    child = os.fork()
    if child == 0:
        Generations(objects(address), LOCK, "killed").acquire(0)
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    lease = Generations(objects(address), LOCK, "next")
    lease.acquire(0)
    lease.release()


@pytest.fixture(scope="module")
def gone() -> int:
    """The number of a process that has ended."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return child


@pytest.mark.parametrize(
    "other", [{"boot": "1"}, {"host": "h"}, {"namespace": "pid:[1]"}, {"namespace": ""}, {"uid": 4711}, {"process": ""}]
)
def test_a_process_that_can_not_be_seen_from_here_is_not_taken_for_dead(gone: int, other: dict[str, Any]) -> None:
    document = json.loads(Generations(None, LOCK, "test")._document)  # type: ignore[arg-type]
    assert not Generations.is_dead(document)
    document["pid"] = gone
    assert Generations.is_dead(document)
    assert not Generations.is_dead({**document, **other})
    assert not Generations.is_dead({key: value for key, value in document.items() if key not in other})


def test_where_nothing_can_be_seen_nobody_is_taken_for_dead(gone: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_namespace", lambda: "")
    document = json.loads(Generations(None, LOCK, "test")._document)  # type: ignore[arg-type]
    assert not Generations.is_dead({**document, "pid": gone})


def test_where_proc_tells_less_than_linux_a_lease_can_still_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def less(_pid: int) -> str:
        raise IndexError

    monkeypatch.setattr(leases, "_started", less)
    assert leases._own_start() == ""


def test_when_a_process_is_gone(gone: int, tmp_path: Path) -> None:
    began = leases._started(os.getpid())
    assert leases._is_gone(gone, "1")
    assert leases._is_gone(os.getpid(), began + "0")
    assert not leases._is_gone(os.getpid(), began)
    assert not leases._is_gone(os.getpid(), began, str(tmp_path))  # /proc hides it
    assert not leases._is_gone(2**80, "1")
    (tmp_path / str(gone) / "stat").mkdir(parents=True)
    assert not leases._is_gone(gone, "1", str(tmp_path))  # /proc refuses to tell
    (tmp_path / str(os.getpid())).mkdir()
    (tmp_path / str(os.getpid()) / "stat").write_text(f"{os.getpid()} (x) S 1")
    assert not leases._is_gone(os.getpid(), "1", str(tmp_path))  # it tells less than Linux


@pytest.mark.usefixtures("often")
def test_renewals_go_on_whatever_one_of_them_met(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = Generations(objects(address), LOCK, "test", lease=600)
    met, renewed, renew = threading.Event(), threading.Event(), Generations.renew

    def breaks_once(self: Generations) -> None:
        if not met.is_set():
            met.set()
            raise KeyError("VersionId")
        renew(self)
        renewed.set()

    monkeypatch.setattr(Generations, "renew", breaks_once)
    lease.acquire(0)
    assert renewed.wait(PATIENCE)
    lease.release()


@pytest.mark.usefixtures("often")
def test_what_keeps_a_lock_from_being_renewed_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(self: Generations) -> None:
        raise Unreachable("The server is away.")

    monkeypatch.setattr(Generations, "renew", breaks)
    lease = Generations(objects(address), LOCK, "test", lease=600)
    lease.acquire(0)
    wait_for(lambda: lease._trouble)
    lease._good -= 1000
    with pytest.raises(LeaseLost, match=r"in time: The server is away\. The run"):
        lease.check()
    lease.release()


# Fences and what killed runs leave


def test_what_was_left_is_fenced_and_removed(address: str) -> None:
    one = repository(address, grace=0.5)
    with one.lock("app", "test", 0):
        kept = put(one)
    raw = objects(address)
    left = "20250101T000000Z-00000001"
    raw.put(f"app/{left}/data/file", b"half")
    raw.put(f"app/{left}/SHA256SUMS", b"sums")
    started = client(rgw_options()).create_multipart_upload(
        Bucket=BUCKET, Key=f"{address.rpartition('/')[2]}/app/{left}/data/large"
    )
    assert started["UploadId"]
    raw.put("app/notes.txt", b"mine")
    raw.put("other/20250101T000000Z-00000002/data/file", b"another set's")
    assert one.ids("app") == [kept]
    with one.lock("app", "test", 0) as notes:
        assert notes == [f"Removed {address}/app/{left}, which an interrupted run had left."]
    assert f"app/{left}/data/file" not in keys(address)
    assert f"app/{left}/manifest.json" in keys(address)  # the fence
    assert not raw.create(f"app/{left}/manifest.json", b"late")
    assert raw.abort_uploads("app/") == 0
    time.sleep(1.6)
    with one.lock("app", "test", 0) as notes:
        assert notes == []
    assert not [key for key in keys(address) if left in key]
    assert {"app/notes.txt", "other/20250101T000000Z-00000002/data/file"} <= keys(address)


def test_a_run_that_slept_is_refused_by_the_fence(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE", 2.0)
    monkeypatch.setattr(Generations, "check", lambda self: None)  # paused between the question and the request
    first, second = repository(address), repository(address)
    with first.lock("app", "first", 0):
        with first.stage("app", WHEN) as staging:
            write(staging, "data/file", b"content")
            staging.seal("data/file")
            objects(address).put(f"{LOCK}0000000001", b"")  # its lease is over
            with second.lock("app", "second", 0) as notes:
                assert str(staging.id) in notes[0]
            assert not staging.publish(str(staging.id), b"manifest", b"sums")
    assert second.ids("app") == []


def test_who_has_lost_the_lock_writes_and_removes_nothing(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = repository(address)
    with one.lock("app", "test", 0):
        kept = put(one)
        with one.stage("app", WHEN) as staging:
            write(staging, "data/file", b"content")
            monkeypatch.setattr(leases, "_TRUSTED", -1)
            for attempt in (
                lambda: staging.create("data/other"),
                lambda: staging.seal("data/file"),
                lambda: staging.publish(str(staging.id), b"manifest", b"sums"),
                lambda: one.remove("app", kept),
                lambda: one.write_state("app", "confirmed", {}),
            ):
                with pytest.raises(LeaseLost):
                    attempt()
            monkeypatch.undo()
    assert one.ids("app") == [kept]


LEFT = "20250101T000000Z-00000001", "20250101T000000Z-00000002"


def begin_upload(address: str, key: str) -> None:
    prefix = address.rpartition("/")[2]
    client(rgw_options()).create_multipart_upload(Bucket=BUCKET, Key=f"{prefix}/{key}")


@pytest.mark.parametrize(("last", "done"), [("walk", 0), ("create", 1), ("remove", 2)])
def test_who_sleeps_while_cleaning_touches_nothing_of_the_next_holder(
    address: str, last: str, done: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = objects(address)
    for left in LEFT:
        raw.put(f"app/{left}/data/file", b"being uploaded")
    begin_upload(address, f"app/{LEFT[1]}/data/large")
    one = repository(address)
    step = getattr(S3Objects, last)

    def sleeps_after(self: S3Objects, what: Any, *more: Any) -> Any:
        answer = step(self, what, *more)
        if any(left in str(list(what) if last == "remove" else what) for left in LEFT) or what == "app/":
            answer = list(answer) if last == "walk" else answer
            monkeypatch.setattr(leases, "_TRUSTED", -1)
        return answer

    monkeypatch.setattr(S3Objects, last, sleeps_after)
    with pytest.raises(LeaseLost), one.lock("app", "test", 0):
        pass
    monkeypatch.undo()
    steps = [f"app/{LEFT[0]}/manifest.json" in keys(address), f"app/{LEFT[0]}/data/file" not in keys(address)]
    assert steps == [done > 0, done > 1]
    assert {key for key in keys(address) if LEFT[1] in key} == {f"app/{LEFT[1]}/data/file"}
    assert raw.abort_uploads("app/") == 1


def test_uploads_of_a_repository_below_a_set_are_not_ended(address: str) -> None:
    begin_upload(address, f"app/inner/{LEFT[0]}/data/large")
    begin_upload(address, f"app/{LEFT[0]}/data/large")
    with repository(address).lock("app", "test", 0):
        pass
    assert objects(address).abort_uploads(f"app/{LEFT[0]}/") == 0
    assert objects(address).abort_uploads("app/inner/") == 1


@pytest.mark.parametrize(
    ("stored", "seen", "error"),
    [(True, True, Unreachable), (True, False, Unreachable), (True, False, Cancelled), (False, True, Unreachable)],
)
def test_the_data_of_a_manifest_whose_answer_was_lost(
    address: str, monkeypatch: pytest.MonkeyPatch, stored: bool, seen: bool, error: type[Day2Error]
) -> None:
    """
    :param stored: whether the server has stored it.
    :param seen: whether a second look succeeds.
    """
    one, (create, read) = repository(address), (S3Objects.create, S3Objects.read)

    def lost(self: S3Objects, key: str, data: bytes) -> bool:
        if not data or not key.endswith("/manifest.json"):
            return create(self, key, data)
        if stored:
            create(self, key, data)
        raise error("The connection was cut.")

    def look(self: S3Objects, key: str) -> Any:
        if not seen and key.endswith("/manifest.json"):
            raise Unreachable("The connection was cut.")
        return read(self, key)

    with one.lock("app", "test", 0), monkeypatch.context() as patch:
        patch.setattr(S3Objects, "create", lost)
        patch.setattr(S3Objects, "read", look)
        with contextlib.nullcontext() if stored and seen else pytest.raises(error, match="was cut"):
            with one.stage("app", WHEN) as staging:
                write(staging, "data/file", b"content")
                staging.seal("data/file")
                assert staging.publish(str(staging.id), b"manifest", b"sums")
    top = f"app/{staging.id}/"
    left = {key[len(top) :] for key in keys(address) if key.startswith(top)}
    with repository(address).lock("app", "test", 0) as notes:
        assert notes == []
    assert one.ids("app") == ([str(staging.id)] if stored else [])
    if stored:
        assert left == {"data/file", "SHA256SUMS", "manifest.json"}
    else:
        assert left == {"manifest.json"}
        assert not objects(address).create(f"{top}manifest.json", b"late")  # the fence


def test_a_run_that_is_to_stop_stops_also_where_errors_are_ignored(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: Catalogue) -> None:
        raise Cancelled("Stopped: it received SIGTERM.")

    one = repository(address)
    with monkeypatch.context() as patch:
        patch.setattr(Catalogue, "write", stop)
        with pytest.raises(Cancelled), one.lock("app", "test", 0):
            backup = put(one)
            assert [listed.id for listed in one.listing("app")] == [backup]
    with one.lock("app", "test", 0) as notes:  # it was released
        assert notes == []


def test_a_removal_that_was_interrupted(address: str) -> None:
    one = repository(address, grace=0.5)
    with one.lock("app", "test", 0):
        backup = put(one)
    objects(address).put(f"app/{backup}/removed", b"")  # killed between the mark and the step
    assert one.ids("app") == [backup]
    with one.lock("app", "test", 0):
        assert f"app/{backup}/removed" not in keys(address)
        one.remove("app", backup)
    assert one.ids("app") == []
    assert f"app/{backup}/data/file" in keys(address)
    time.sleep(1.6)
    with one.lock("app", "test", 0) as notes:
        assert notes == []
    assert not [key for key in keys(address) if backup in key]


# Uploads


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_upload, "PART", 5 << 20)
    monkeypatch.setattr(s3_upload, "PARTS", 2)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(
    ("size", "pieces"), [(5 << 20, 1), ((5 << 20) + 1, 1), (10 << 20, 1), ((10 << 20) + 1, 2), (20 << 20, 2)]
)
def test_large_files_lie_in_parts_and_pieces(address: str, size: int, pieces: int) -> None:
    data = os.urandom(1 << 20) * (size >> 20) + b"x" * (size % (1 << 20))
    one = repository(address)
    with one.lock("app", "test", 0), one.stage("app", WHEN) as staging:
        write(staging, "data/file", data)
        assert not [key for key in keys(address) if key.endswith("/data/file") and pieces == 1]  # only completed now
        names = staging.seal("data/file")
        assert names == ["data/file", "data/file.002"][:pieces]
        found = b""
        for name in names:
            with staging.reopen(name) as handle:
                found += b"".join(iter(lambda: handle.read(1 << 20), b""))
        assert found == data


class Part(bytearray):
    """One that tells whether it is still in memory."""


@pytest.mark.usefixtures("small_parts")
def test_a_part_that_was_sent_is_not_kept_in_memory(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read, parts, kept = s3_upload._read, [], []

    def noted(source: Any, size: int) -> Part:
        part = Part(read(source, size))
        parts.append(weakref.ref(part))
        return part

    def look(self: S3Client, data: Any, _check: Any) -> Any:
        kept.append([number for number, one in enumerate(parts, 1) if one() is not None])
        return data

    monkeypatch.setattr(s3_upload, "WORKERS", 1)
    monkeypatch.setattr(s3_upload, "PARTS", 4)
    monkeypatch.setattr(s3_upload, "_read", noted)
    monkeypatch.setattr(S3Client, "body", look)
    upload = objects(address).upload("app/x")
    upload.handle.write(b"x" * (20 << 20))
    upload.handle.close()
    assert len(kept) == 4
    for number, there in enumerate(kept, 1):  # one is sent, and one more may be read
        assert {number} <= set(there) <= {number - 1, number, number + 1}


def test_a_file_of_a_known_size_has_no_more_parts_than_a_server_takes(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_upload, "PART", 5 << 20)
    monkeypatch.setattr(s3_upload, "_MOST_PARTS", 3)
    upload = objects(address).upload("app/x", (16 << 20) + 1)
    with upload.handle as handle:
        handle.write(bytes((16 << 20) + 1))
    assert upload.seal()
    (found,) = objects(address).walk("app/x")
    assert (found.size, found.tag[-3:]) == ((16 << 20) + 1, '-3"')  # how many parts it was written in


@pytest.mark.usefixtures("small_parts")
def test_an_upload_that_is_given_up_leaves_nothing(address: str) -> None:
    one = repository(address)
    with one.lock("app", "test", 0):
        with one.stage("app", WHEN) as staging:
            write(staging, "data/large", os.urandom(12 << 20))
            write(staging, "data/small", b"x")
        assert objects(address).abort_uploads("app/") == 0
    assert not [key for key in keys(address) if str(staging.id) in key]


def test_a_server_that_refuses_in_the_middle_ends_the_writer(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = repository(address)
    with one.lock("app", "test", 0), one.stage("app", WHEN) as staging:
        objects_of_it = one._objects
        monkeypatch.setattr(objects_of_it._client, "bucket", "no-such-bucket")  # type: ignore[attr-defined]
        with pytest.raises(Unreachable, match="the bucket does not exist"):
            with staging.create("data/file") as handle:
                for dummy in range(40):
                    os.write(handle.fileno(), b"x" * (1 << 20))
        monkeypatch.undo()


def test_what_is_large_is_not_read_ahead(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = objects(address)
    for backup, size in zip(LEFT, (1 << 20, (1 << 20) + 1)):
        raw.put(f"app/{backup}/manifest.json", b"x" * size)
    asked, read = [], S3Objects.read

    def noted(self: S3Objects, key: str) -> Any:
        asked.append(key)
        return read(self, key)

    monkeypatch.setattr(S3Objects, "read", noted)
    listed = list(repository(address).listing("app"))
    assert asked == [f"app/{LEFT[0]}/manifest.json"]
    assert [len(one.read("manifest.json")) for one in listed] == [1 << 20, (1 << 20) + 1]


# What servers say


@pytest.fixture
def tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is not repeated, with pauses that become longer."""
    monkeypatch.setattr(s3, "_TRIES", 1)


@pytest.mark.usefixtures("tried_once")
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"secret_access_key": "wrong"}, "the secret access key is wrong"),
        ({"access_key_id": "wrong"}, "the server does not know the access key"),
        ({"endpoint_url": "http://127.0.0.1:1"}, "http://127.0.0.1:1 can't be reached"),
    ],
)
def test_access_that_is_wrong(address: str, options: dict[str, str], says: str) -> None:
    with pytest.raises(Unreachable, match=says):
        objects(address, **options).trouble()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"secret_access_key": ""}, "access_key_id without secret_access_key"),
        ({"profile": "x"}, "both profile and access_key_id"),
        ({"kms_key_id": "x"}, "kms_key_id without server_side_encryption"),
        ({"endpoint_url": "nonsense"}, "can't be used"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        objects("s3://b/p", **options)
    with pytest.raises(InvalidRequest, match="has no bucket"):
        objects("s3://")


@pytest.mark.usefixtures("tried_once")
@pytest.mark.parametrize(
    ("status", "says"),
    [(503, "throttling requests"), (507, "no space left"), (403, "access was denied to PutObject.*s3:PutObject")],
)
def test_answers_that_refuse(address: str, status: int, says: str) -> None:
    with damaging_proxy(
        rgw_options()["endpoint_url"], first=lambda method, headers: status if method == "PUT" else None
    ) as url:
        one = objects(address, endpoint_url=url, throttle_timeout="0s")
        with pytest.raises(Day2Error, match=says):
            one.put("x", b"x")


@pytest.mark.usefixtures("tried_once")
def test_an_upload_whose_last_part_fails(address: str) -> None:
    with damaging_proxy(
        rgw_options()["endpoint_url"], first=lambda method, headers: 403 if method == "PUT" else None
    ) as url:
        upload = objects(address, endpoint_url=url, throttle_timeout="0s").upload("x")
        with pytest.raises(Day2Error, match="access was denied to UploadPart"):
            with upload.handle as handle:
                handle.write(b"x" * (s3_upload.PART + 1))
        upload.discard()


def test_what_is_strange_about_the_versions_of_a_key() -> None:
    one: dict[str, str] = {"VersionId": "1"}
    cases = [([one], []), ([one, one], []), ([one], ["2"]), ([one, one], ["2"])]
    assert [Versions("app/x", *case).strange for case in cases] == [False, True, True, True]
    assert not any(Versions("app/.state/x", *case).strange for case in cases)  # rewritten by ourselves


def test_a_server_that_creates_what_exists_can_keep_no_repository(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = repository(address)
    monkeypatch.setattr(one._objects._client, "conditions", False)  # type: ignore[attr-defined]
    with pytest.raises(RepositoryError, match="does not support conditional writes"), one.lock("app", "test", 0):
        pass
    assert keys(address) == set()


def test_a_lost_answer_to_a_creation_is_no_refusal(address: str) -> None:
    one = objects(address)
    assert one.create("a", b"mine")
    assert one.create("a", b"mine")
    assert not one.create("a", b"theirs")
    assert one.read("a") == b"mine"


def test_an_exclusive_creation_is_never_repeated_without_its_condition(address: str) -> None:
    assert objects(address).create("app/a", b"theirs")
    with damaging_proxy(
        rgw_options()["endpoint_url"], first=lambda method, headers: 501 if "If-None-Match" in headers else None
    ) as url:
        one = objects(address, endpoint_url=url)
        with pytest.raises(RepositoryError, match="does not support"):
            one.create("app/a", b"mine")
        with pytest.raises(RepositoryError, match="can't be a repository"):
            one.probe()
        with pytest.raises(RepositoryError, match="does not support"):  # what the probe has learned
            one.create("app/a", b"mine")
    assert objects(address).read("app/a") == b"theirs"


def test_a_connection_that_is_cut_in_tls_is_taken_up_again(address: str) -> None:
    one = objects(address)
    one.put("a", b"content")

    class Broken:
        def read(self, size: Any) -> bytes:
            raise urllib3.exceptions.SSLError("bad record mac")

        def close(self) -> None:
            """Nothing."""

    with one.open("a") as handle:
        assert handle.read(3) == b"con"
        handle._body = Broken()  # type: ignore[attr-defined]
        assert handle.read(10) == b"tent"
    with pytest.raises(Unreachable, match="was cut"), one.errors("read", "a"):
        raise urllib3.exceptions.SSLError("bad record mac")


# Versions


@pytest.fixture
def versioned(address: str, tmp_path: Path) -> Iterator[str]:
    with KINDS["s3-rgw-versions"](tmp_path) as params:
        yield params["repository"]


def there(address: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All versions and delete markers."""
    name, _slash, prefix = address[len("s3://") :].partition("/")
    page = client(rgw_options()).list_object_versions(Bucket=name, Prefix=prefix)
    return page.get("Versions", []), page.get("DeleteMarkers", [])


def test_in_a_bucket_with_versions_one_of_many_creates(versioned: str) -> None:
    assert objects(versioned).probe() == "versions"
    begin, made = threading.Barrier(CONTENDERS), []

    def create(number: int) -> None:
        one = objects(versioned)
        one.exclusive = "versions"
        begin.wait()
        if one.create("app/x", b"%d" % number):
            made.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(CONTENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert objects(versioned).read("app/x") == b"%d" % made[0]
    versions, markers = there(versioned)
    assert (len(versions), markers) == (1, [])


def test_a_bucket_whose_versions_were_suspended(versioned: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = objects(versioned)
    one.exclusive = "versions"
    assert one.create("app/a", b"theirs")
    put_object = one._client.api.put_object

    def put_without(**asked: Any) -> Any:
        return {key: value for key, value in put_object(**asked).items() if key != "VersionId"}

    monkeypatch.setattr(one._client.api, "put_object", put_without)
    one.put("app/.state/confirmed.json", b"{}")
    with pytest.raises(RepositoryError, match="is no longer enabled"):
        one.create("app/b", b"mine")
    one._versioning = "Suspended"
    with pytest.raises(RepositoryError, match="is no longer enabled"):
        one.create("app/a", b"mine")
    assert objects(versioned).read("app/a") == b"theirs"


def test_what_is_removed_before_it_is_seen_was_not_created(versioned: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = objects(versioned)
    one.exclusive = "versions"
    put_object = one._client.api.put_object

    def put_removed(**asked: Any) -> Any:
        made = put_object(**asked)
        objects(versioned).remove([f"{LOCK}0000000001"])
        return made

    monkeypatch.setattr(one._client.api, "put_object", put_removed)
    assert not one.create(f"{LOCK}0000000001", b"mine")


def test_nothing_is_left_of_what_is_removed_or_written_again(versioned: str) -> None:
    one = repository(versioned, grace=0)
    for number in range(2):
        with one.lock("app", "test", 0):
            backup = put(one, number=number)
            one.write_state("app", "confirmed", {"n": number})
            one.write_state("app", "confirmed", {"n": -number})
            with one.stage("app", WHEN) as staging:
                write(staging, "data/file", b"given up")
    with one.lock("app", "test", 0):
        one.remove("app", backup)
    time.sleep(1.1)
    with one.lock("app", "test", 0):
        pass
    versions, markers = there(versioned)
    assert markers == []
    names = sorted(version["Key"].partition("/")[2] for version in versions)
    assert names.count("app/.state/confirmed.json") == 1
    assert sum("/lock/" in name for name in names) == 2  # created, and released
    assert not [name for name in names if backup in name]
    assert len(names) == len(set(names)) + 1


def test_what_others_write_over_a_backup_or_delete_is_not_believed(versioned: str) -> None:
    one = repository(versioned)
    with one.lock("app", "test", 0):
        backup = put(one)
    name, _slash, prefix = versioned[len("s3://") :].partition("/")
    thief = client(rgw_options())
    for path in ("manifest.json", "data/file"):
        thief.put_object(Bucket=name, Key=f"{prefix}/app/{backup}/{path}", Body=b"forged")
    for path in ("manifest.json", "data/file", "SHA256SUMS"):
        thief.delete_object(Bucket=name, Key=f"{prefix}/app/{backup}/{path}")
    again = repository(versioned)
    assert again.sets() == ["app"]
    (listed,) = again.listing("app")
    assert (listed.read("manifest.json"), listed.read("SHA256SUMS")) == (b"manifest", b"sums")
    assert listed.sizes["data/file"] == 7
    for one in (again, repository(versioned)):  # also without having listed anything
        with one.open("app", backup, "data/file") as handle:
            assert handle.read(100) == b"content"
    assert "overwritten or deleted by another program" in listed.notes[0]
    with repository(versioned).lock("app", "test", 0):
        pass
    assert repository(versioned).ids("app") == [backup]


def test_a_lock_where_the_oldest_version_counts(versioned: str) -> None:
    one = objects(versioned)
    one.exclusive = "versions"
    lease = Generations(one, LOCK, "test")
    lease.acquire(0)
    for dummy in range(3):
        lease.renew()
    versions, markers = there(versioned)
    assert (len(versions), markers) == (2, [])  # the first, and the last
    other = objects(versioned)
    other.exclusive = "versions"
    with pytest.raises(LockTimeout, match="test, process"):
        Generations(other, LOCK, "other").acquire(0)
    assert not other.create(f"{LOCK}0000000001", b"late")
    lease.check()
    lease.release()
    Generations(other, LOCK, "other").acquire(0)


# Object Lock


@pytest.fixture
def lockable(address: str, tmp_path: Path) -> Iterator[str]:
    with object_lock(tmp_path) as params:
        yield params["repository"]


def locked(address: str, days: float = 30, mode: str = "governance", grace: float = 0) -> RemoteRepository:
    return RemoteRepository(objects(address), grace, Locking(days * 86400, mode))


def end_soon(address: str) -> None:
    """Make all locks end in a few seconds, as only a key can that may pass by them."""
    api = client(rgw_options())

    def shortened(which: dict[str, str]) -> bool:
        retention = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(timezone.utc) + timedelta(seconds=3)}
        try:
            api.put_object_retention(**which, Retention=retention, BypassGovernanceRetention=True)
        except api.exceptions.ClientError:  # on a busy machine, the time may be over when it is asked for
            return False
        return True

    for one in there(address)[0]:
        which = {"Bucket": LOCKED, "Key": one["Key"], "VersionId": one["VersionId"]}
        if "ObjectLockRetainUntilDate" in api.head_object(**which):
            wait_for(functools.partial(shortened, which))


@pytest.mark.parametrize("mode", ["governance", "compliance"])
def test_a_key_that_may_do_everything_else_can_not_remove_a_locked_backup(lockable: str, mode: str) -> None:
    one = locked(lockable, 2 if mode == "governance" else 0.0002, mode)
    with one.lock("app", "test", 0):
        backup = put(one)
    name, _slash, prefix = lockable[len("s3://") :].partition("/")
    thief = client(rgw_options())
    versions, _markers = there(lockable)
    of_backup = [version for version in versions if backup in version["Key"]]
    assert len(of_backup) == 3
    for version in of_backup:
        with pytest.raises(thief.exceptions.ClientError, match="AccessDenied|WORM"):
            thief.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
        thief.delete_object(Bucket=name, Key=version["Key"])
        thief.put_object(Bucket=name, Key=version["Key"], Body=b"forged")
    again = repository(lockable)
    (listed,) = again.listing("app")
    assert listed.read("manifest.json") == b"manifest"
    with again.open("app", backup, "data/file") as handle:
        assert handle.read(100) == b"content"
    assert prefix


def test_what_is_locked_stays_until_then_and_goes_after_that(lockable: str) -> None:
    one = locked(lockable)
    with one.lock("app", "test", 0):
        backup = put(one)
        until = one.locked_until("app", backup)
        assert until is not None
        assert one.remove("app", backup).stays == f"is locked until {until.isoformat().replace('+00:00', 'Z')}"
        assert one.ids("app") == [backup]
        end_soon(lockable)
        wait_for(lambda: one.locked_until("app", backup) is None)
        time.sleep(1.1)  # the server counts whole seconds
        assert not one.remove("app", backup).stays
    time.sleep(1.1)
    with one.lock("app", "test", 0) as notes:
        assert notes == []
    versions, markers = there(lockable)
    assert markers == []
    assert not [version for version in versions if backup in version["Key"]]


def test_a_copy_that_goes_on_also_locks_what_was_there(lockable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, sizes, keys_locked = locked(lockable, days=2, grace=GRACE), {"data/one": 3, "data/two": 3}, set()
    retain = S3Objects.retain

    def noted(self: S3Objects, keys: Any, seconds: float, mode: str) -> datetime:
        keys_locked.update(keys)
        return retain(self, keys, seconds, mode)

    monkeypatch.setattr(S3Objects, "retain", noted)
    with one.lock("app", "test", 0, [LEFT[0]]), pytest.raises(Unreachable):
        with one.stage_copy("app", LEFT[0], sizes) as staging:
            write(staging, "data/one", b"one")
            staging.seal("data/one")
            raise Unreachable("The connection was cut.")
    assert keys_locked == set()
    with one.lock("app", "test", 0, [LEFT[0]]), one.stage_copy("app", LEFT[0], sizes) as staging:
        assert set(staging.found) == {"data/one"}
        write(staging, "data/two", b"two")
        staging.seal("data/two")
        assert staging.publish(LEFT[0], b"manifest", b"sums")
    assert keys_locked == {f"app/{LEFT[0]}/{path}" for path in (*sizes, "SHA256SUMS", "manifest.json")}


def test_locks_are_extended_once_half_of_them_is_over(lockable: str) -> None:
    with locked(lockable, 2).lock("app", "test", 0):
        pass
    one, longer = locked(lockable, 2), locked(lockable, 30)
    with one.lock("app", "test", 0):
        with one.stage("app", WHEN) as staging:
            backup = str(staging.id)
            written = REMOTE._replace(id=backup)
            assert staging.publish(backup, written.to_json(), sums_of(written, written.to_json()))
        before = one.locked_until("app", backup)
        assert one.extend_locks("app", [backup]) == []
        assert one.locked_until("app", backup) == before
    with longer.lock("app", "test", 0):
        assert longer.extend_locks("app", [backup]) == []
        after = longer.locked_until("app", backup)
    assert before is not None
    assert after is not None
    assert after - before > timedelta(days=27)


def test_a_run_that_fails_locks_nothing(lockable: str) -> None:
    one = locked(lockable)
    with one.lock("app", "test", 0), one.stage("app", WHEN) as staging:
        write(staging, "data/file", b"content")
        staging.seal("data/file")
    versions, markers = there(lockable)
    assert markers == []
    assert not [version for version in versions if "/app/2" in version["Key"]]


def test_what_a_run_locked_that_did_not_publish_is_told_for_a_while_and_goes(
    lockable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, create = locked(lockable, grace=GRACE), S3Objects.create

    def dies(self: S3Objects, key: str, data: bytes) -> bool:
        if data == b"manifest":
            raise Cancelled("Stopped: it received SIGTERM.")
        return create(self, key, data)

    with monkeypatch.context() as patch:
        patch.setattr(S3Objects, "create", dies)
        with pytest.raises(Cancelled), one.lock("app", "test", 0):
            put(one)
    with one.lock("app", "test", 0) as notes:
        (left,) = (key for key in keys(lockable) if key.endswith("/data/file"))
        until = one._objects.locked_until(left)
        assert until is not None
        told = f"is locked until {until.isoformat().replace('+00:00', 'Z')}. The first run after that removes it."
        assert notes == [f"{lockable}/{left.rpartition('/data')[0]}, left by an interrupted run, {told}"]
    with locked(lockable, grace=-1).lock("app", "test", 0) as notes:
        assert notes == []
    end_soon(lockable)
    wait_for(lambda: one._objects.locked_until(left) is None)
    time.sleep(1.1)  # the server counts whole seconds
    with locked(lockable, grace=-1).lock("app", "test", 0) as notes:
        assert [note.partition(" ")[0] for note in notes] == ["Removed"]
    assert not [key for key in keys(lockable) if key.startswith("app/2")]


def test_buckets_that_can_not_lock_or_lock_everything(address: str, lockable: str) -> None:
    for one in (locked(address), locked(address, mode="compliance")):
        with pytest.raises(RepositoryError, match="created without Object Lock"), one.lock("app", "test", 0):
            pass
        with pytest.raises(RepositoryError, match="created without Object Lock"):  # as check mode asks
            one.check_writable("app")
    api = client(rgw_options())
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    api.put_object_lock_configuration(
        Bucket=LOCKED, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    try:
        for other in (repository(lockable), locked(lockable)):
            with pytest.raises(RepositoryError, match="locks every object by default"), other.lock("app", "test", 0):
                pass
    finally:
        api.put_object_lock_configuration(Bucket=LOCKED, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    assert keys(lockable) == set()


def test_too_short_a_lock() -> None:
    with pytest.raises(InvalidRequest, match="at least 2d"):
        locking_for(2 * 86400 - 1, "governance")
    for days in (2, 3):
        assert locking_for(days * 86400, "compliance") == Locking(days * 86400, "compliance")


def test_a_lock_that_nobody_can_shorten_is_confirmed_if_it_is_long() -> None:
    with pytest.raises(InvalidRequest, match="lock_for exceeds 400d.*lock_for_confirmed"):
        locking_for(401 * 86400, "compliance")
    for mode, confirmed in (("governance", False), ("compliance", True)):
        assert locking_for(401 * 86400, mode, confirmed=confirmed).seconds == 401 * 86400
    assert locking_for(400 * 86400, "compliance").seconds == 400 * 86400


# What a host knows of the server


def test_each_host_looks_whether_the_server_still_refuses_what_exists(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probed, probe = [], S3Objects.probe
    monkeypatch.setattr(S3Objects, "probe", lambda self: (probed.append(1), probe(self))[1])

    def lock(expected: int) -> None:
        probed.clear()
        with repository(address).lock("app", "test", 0):
            pass
        assert len(probed) == expected

    lock(1)  # the first run of all
    lock(0)
    note = next((tmp_path / "state").glob("*/probe.json"))
    for at in (time.time() - 31 * 86400, time.time() + 86400, "soon"):
        note.write_text(json.dumps({**json.loads(note.read_text()), "at": at}))
        lock(1)
        lock(0)
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "other host"))
    lock(1)
    note = next((tmp_path / "other host").glob("*/probe.json"))
    with monkeypatch.context() as patch:  # a server that ignores the condition
        patch.setattr(S3Client, "_creates", lambda self: False)
        lock(0)
        before = keys(address)
        note.write_text(json.dumps({**json.loads(note.read_text()), "of": "another server"}))
        with pytest.raises(RepositoryError, match="does not support conditional writes"):
            lock(1)
    assert keys(address) == before
    lock(1)


def test_what_a_copy_left_stays_for_a_day_and_goes_without_a_fence(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, backup = repository(address), "20250630T120000Z-0badcafe"
    with (
        one.lock("app", "test", 0),
        pytest.raises(Unreachable),
        one.stage_copy("app", backup, {"data/a": 1}) as staging,
    ):
        with staging.create("data/a") as handle:
            handle.write(b"a")
        staging.seal("data/a")
        raise Unreachable("cut")
    for grace, left, notes in ((GRACE, {"copying", "data/a"}, 0), (-1.0, set(), 1)):
        other = RemoteRepository(objects(address), grace)
        with other.lock("app", "test", 0) as told:
            assert len(told) == notes
        assert {one.key.rpartition(f"{backup}/")[2] for one in objects(address).walk("app/2")} == left
