# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only repositories behind rclone have: a lock by listing, a program that is believed in little, and its errors.

What does not depend on the kind of remote is tested on one that is a directory of this host: it takes half of the time.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    Day2Error,
    InvalidRequest,
    LeaseLost,
    LockTimeout,
    MissingDependency,
    RepositoryError,
    Unreachable,
)
from ansible_collections.day2.ops.plugins.module_utils._core.rclone import LIMIT, Rclone
from ansible_collections.day2.ops.plugins.module_utils._repository import lease as leases
from ansible_collections.day2.ops.plugins.module_utils._repository import rclone_streams
from ansible_collections.day2.ops.plugins.module_utils._repository.objects import Object
from ansible_collections.day2.ops.plugins.module_utils._repository.rclone import RcloneObjects
from ansible_collections.day2.ops.plugins.module_utils._repository.remote import RemoteRepository
from ansible_collections.day2.ops.plugins.module_utils._repository.turns import Turns
from ansible_collections.day2.ops.plugins.module_utils._repository.watch import Watch
from tests.services.repositories import KINDS
from tests.services.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.once  # rclone is a program, which is the same for every Python

WHEN = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)
LOCK = "app/.state/lock/"
BY_CALLS = {"settings": {"type": "local"}}
LOCAL = {**BY_CALLS, "server": True}  # a program for each small call takes most of the time, see test_contract.py


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that the remote is."""
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    (tmp_path / "remote").mkdir()
    return tmp_path / "remote"


def objects(top: Path) -> RcloneObjects:
    return RcloneObjects(f"rclone:here:{top}", LOCAL)


def repository(top: Path, grace: float = 3600) -> RemoteRepository:
    return RemoteRepository(objects(top), grace)


def repository_by_calls(top: Path) -> RemoteRepository:
    return RemoteRepository(RcloneObjects(f"rclone:here-1.x:{top}", BY_CALLS), 3600)


def write(staging: Any, path: str, data: bytes) -> None:
    with staging.create(path) as handle:
        os.write(handle.fileno(), data)


def put(one: RemoteRepository) -> str:
    with one.stage("app", WHEN) as staging:
        write(staging, "data/file", b"content")
        staging.seal("data/file")
        assert staging.publish(str(staging.id), b"manifest", b"sums")
    return str(staging.id)


def files(top: Path) -> set[str]:
    return {str(one.relative_to(top)) for one in top.rglob("*") if one.is_file()}


# The lock


def turns(top: Path, verb: str, lease: float = 120, host: str = "a") -> Turns:
    return Turns(objects(top), LOCK, verb, lease, Watch("test", host, "locks"))


def test_a_lock_is_renewed_under_the_next_name(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_RENEWED", 2 / 600)
    lease = turns(top, "test", lease=600)
    lease.acquire(0)
    first = files(top)
    wait_for(lambda: not files(top) & first)
    lease.check()
    with pytest.raises(LockTimeout, match="test, process"):
        turns(top, "other").acquire(0)
    lease.release()
    assert files(top) == set()


def sleeper(top: Path, monkeypatch: pytest.MonkeyPatch) -> Turns:
    """A holder that is not scheduled any more, on another host."""
    with monkeypatch.context() as patch:
        patch.setattr(leases, "boot_id", lambda: "another")
        patch.setattr(Turns, "_keep", lambda self: None)
        lease = turns(top, "sleeper", lease=600, host="other")
        lease.acquire(0)
    return lease


def test_who_sleeps_past_the_lease_has_lost_it(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = sleeper(top, monkeypatch)
    lost.check()
    with pytest.raises(LockTimeout, match="sleeper"):
        turns(top, "thief", lease=600).acquire(0)
    lost._lease = 6
    time.sleep(6.1)
    # A lease takes what it renews itself with when it is made: a thread would race with the renewals of this test.
    monkeypatch.setattr(Turns, "_keep", lambda self: None)
    thief = turns(top, "thief", lease=6)  # remembers what the run before it saw
    thief.acquire(PATIENCE)
    with pytest.raises(LeaseLost, match="in time"):
        lost.check()
    lost.renew()  # also if it had no clock
    lost._good = leases.now()
    with pytest.raises(LeaseLost, match="took it over"):
        lost.check()
    lost.release()
    thief._lease = 600  # rclone may be slow
    thief.renew()
    thief.check()
    thief.release()
    assert files(top) == set()


class Lags(RcloneObjects):
    """Its listings show what was written some seconds later."""

    def __init__(self, top: Path, settle: str, lag: float) -> None:
        super().__init__(f"rclone:here:{top}", {**LOCAL, "settle": settle})
        self._lag = lag
        self._at: dict[str, float] = {}
        self.seen = self._at

    def put(self, key: str, data: bytes) -> None:
        super().put(key, data)
        self._at[key] = time.monotonic()

    def walk(self, prefix: str) -> Iterator[Object]:
        now = time.monotonic()
        return iter([one for one in super().walk(prefix) if now - self.seen.get(one.key, 0) > self._lag])


@pytest.mark.parametrize(("settle", "lag"), [("0s", 3600), ("600ms", 0.5)])
def test_a_remote_whose_listings_lag_is_waited_for(top: Path, settle: str, lag: float) -> None:
    first, second = (Lags(top, settle, lag) for dummy in range(2))
    second.seen = first._at
    one, other = (Turns(there, LOCK, "test", watch=Watch("test", "a", "locks")) for there in (first, second))
    if settle == "0s":  # it does not even see its own
        with pytest.raises(LockTimeout):
            one.acquire(1)
        return
    one.acquire(PATIENCE)
    with pytest.raises(LockTimeout, match="test, process"):
        other.acquire(0)
    one.check()
    one.release()


class Fails(RcloneObjects):
    """The network is gone at one call."""

    at = ("", False)

    def _met(self, name: str, after: bool) -> None:
        if self.at == (name, after):
            self.at = ("", False)
            raise Unreachable("gone")

    def put(self, key: str, data: bytes) -> None:
        self._met("put", False)
        super().put(key, data)
        self._met("put", True)

    def walk(self, prefix: str) -> Iterator[Object]:
        self._met("walk", False)
        return super().walk(prefix)

    def remove(self, keys: Iterable[str]) -> None:
        self._met("remove", False)
        super().remove(keys)
        self._met("remove", True)


@pytest.mark.parametrize("at", [("put", False), ("put", True), ("walk", False), ("remove", False), ("remove", True)])
def test_a_renewal_that_failed_loses_no_lock(top: Path, monkeypatch: pytest.MonkeyPatch, at: tuple[str, bool]) -> None:
    monkeypatch.setattr(Turns, "_keep", lambda self: None)
    there = Fails(f"rclone:here:{top}", LOCAL)
    lease = Turns(there, LOCK, "test")
    lease.acquire(0)
    there.at = at
    with pytest.raises(Unreachable):
        lease.renew()
    lease.renew()
    lease.check()
    assert len(files(top)) == 1
    lease.release()
    assert files(top) == set()


def test_what_a_failed_renewal_wrote_does_not_prove_the_lock(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Turns, "_keep", lambda self: None)
    there = Fails(f"rclone:here:{top}", LOCAL)
    lease = Turns(there, LOCK, "test")
    lease.acquire(0)
    first = files(top)
    there.at = ("walk", False)
    with pytest.raises(Unreachable):
        lease.renew()
    for one in first:  # as who takes it over
        (top / one).unlink()
    lease.renew()
    with pytest.raises(LeaseLost, match="took it over"):
        lease.check()
    assert files(top) == set()


def test_a_process_of_this_host_that_is_gone_holds_nobody_up(top: Path) -> None:
    child = os.fork()
    if child == 0:
        turns(top, "killed").acquire(0)
        os._exit(0)
    os.waitpid(child, 0)
    assert files(top)
    lease = turns(top, "next")
    lease.acquire(20)
    lease.release()
    assert files(top) == set()


def test_a_clock_that_was_set_ends_no_lease(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch("test", "a", "locks")
    assert watch.ages({"x": "1"})["x"] == 0
    watch.save()
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert Watch("test", "a", "locks").ages({"x": "1"})["x"] < 100
    assert Watch("test", "a", "locks").ages({"x": "2"})["x"] == 0


# What is left, and what is late


def test_what_was_left_stays_for_a_day_and_goes_then(top: Path) -> None:
    one = repository(top)
    with one.lock("app", "test", 0):
        staging = one.stage("app", WHEN)
        with staging:
            write(staging, "data/file", b"half")
            staging._tried = True  # as if the answer to the manifest had been lost
    left = f"app/{staging.id}/data/file"
    with one.lock("app", "test", 0) as notes:
        assert notes == []
    assert left in files(top)
    with repository(top, grace=0).lock("app", "test", 0) as notes:
        assert [note for note in notes if str(staging.id) in note]
    assert left not in files(top)
    assert not (top / "app" / str(staging.id)).exists()


def test_a_run_that_was_taken_for_dead_publishes_nothing(top: Path) -> None:
    one = repository(top)
    with one.lock("app", "test", 0), one.stage("app", WHEN) as staging:
        write(staging, "data/file", b"content")
        staging.seal("data/file")
        (top / "app" / str(staging.id) / "data" / "file").unlink()
        with pytest.raises(LeaseLost, match=r"removed .*data/file"):
            staging.publish(str(staging.id), b"manifest", b"sums")
    assert one.ids("app") == []


def test_a_manifest_that_has_not_got_its_name_is_removed_by_the_next_run(top: Path) -> None:
    one = repository(top)
    with one.lock("app", "test", 0):
        put(one)
        (top / "app/.state/new-0000000000000000").write_bytes(b"torn")
    with one.lock("app", "test", 0):
        pass
    assert not list((top / "app/.state").glob("new-*"))


def test_the_data_of_what_was_removed_stays_for_its_readers(top: Path) -> None:
    one = repository(top)
    with one.lock("app", "test", 0):
        backup = put(one)
        one.remove("app", backup)
    with one.lock("app", "test", 0):
        assert f"app/{backup}/data/file" in files(top)
    with repository(top, grace=0).lock("app", "test", 0) as notes:
        assert notes == []
    assert not (top / "app" / backup).exists()


def test_a_state_of_the_same_size_in_the_same_second_is_written(top: Path) -> None:
    one = objects(top)
    for text in (b"one", b"two"):
        one.put("app/.state/x.json", text)
        os.utime(top / "app/.state/x.json", (1, 1))
    assert one.read("app/.state/x.json") == b"two"


@pytest.mark.parametrize("kind", ["conditional", "versions"])
def test_a_repository_that_was_begun_through_s3_can_only_be_read(top: Path, kind: str) -> None:
    one = repository(top)
    with one.lock("app", "test", 0):
        backup = put(one)
    header = top / ".day2/repository.json"
    header.write_text(header.read_text().replace("listing", kind))
    one = repository(top)
    assert one.ids("app") == [backup]
    with one.open("app", backup, "data/file") as handle:
        assert handle.read(100) == b"content"
    before = files(top)
    with pytest.raises(RepositoryError, match="through s3://"):
        one.check_writable("app")
    with pytest.raises(RepositoryError, match="can only be read"), one.lock("app", "test", 0):
        pass
    assert files(top) == before


def test_a_damaged_header_is_an_error(top: Path) -> None:
    one = repository(top)
    with one.lock("app", "test", 0):
        put(one)
    for damaged in ("{", "[]", "{}", "[" * 100_000):
        (top / ".day2/repository.json").write_text(damaged)
        with pytest.raises(RepositoryError, match="is not valid.*It is damaged"):
            repository(top).read_state("app", "fingerprints")


@pytest.mark.parametrize("wrong", ["../elsewhere", "/elsewhere", "", "0" * 31])
def test_the_id_of_a_repository_does_not_lead_out_of_the_state_of_the_host(top: Path, wrong: str) -> None:
    one = repository(top)
    with one.lock("app", "test", 0):
        put(one)
    header = top / ".day2/repository.json"
    header.write_text(json.dumps({**json.loads(header.read_text()), "id": wrong}))
    one = repository(top)
    with pytest.raises(RepositoryError, match="is not valid"):
        one.read_state("app", "fingerprints")
    with pytest.raises(RepositoryError, match="is not valid"), one.lock("app", "test", 0):
        one.write_state("app", "fingerprints", {})


# The program


@pytest.mark.parametrize(
    ("address", "options", "says"),
    [
        ("rclone:x", {}, "is not the address"),
        ("rclone::sftp,host=x:y", {}, "rclone.settings"),
        ("rclone:a,pass=x:y", {}, "rclone.settings"),
        ("rclone:a:b", {"config": "/nowhere/rclone.conf"}, "/nowhere/rclone.conf in rclone.config does not exist"),
        ("rclone:a:b", {"settings": {"type": "sftp", "host": "x"}}, "known_hosts_file"),
        ("rclone:a:b", {"settings": {"a": 1}, "secrets": {"a": 2}}, "in rclone.settings and in rclone.secrets"),
        ("rclone:a:b", {"ca_bundle": "/nowhere"}, "rclone.ca_bundle does not exist"),
        ("rclone:a:b", {"settle": "21s"}, "at most 20s"),
        ("rclone:a:b", {"settings": {"A B": 1}}, "name of a setting"),
        ("rclone:a:b", {"settings": {"a": ["x"]}}, "must be a string or a number"),
    ],
)
def test_options_that_can_not_be_used(address: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        RcloneObjects(address, options)


def test_a_program_that_is_not_there(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingDependency, match="rclone is required .* Install the package rclone"):
        repository(top).sets()


def test_secrets_are_no_arguments(top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/rclone").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/words\nenv >> {tmp_path}/env\n')
    (tmp_path / "bin/rclone").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/x")
    options = {
        "settings": {"type": "webdav", "url": "http://x"},
        "secrets": {"pass": "hidden"},
        "ca_bundle": "/dev/null",
    }
    RcloneObjects(f"rclone:nas_1:{top}", options).folders()
    words, environment = (tmp_path / "words").read_text(), (tmp_path / "env").read_text()
    assert "hidden" not in words
    assert "--ca-cert=/dev/null" in words
    assert "RCLONE_CONFIG_NAS_1_PASS=hidden" in environment
    assert "AWS_CA_BUNDLE" not in environment


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"port": 1}, "Check the network"),
        ({"known_hosts_file": "/dev/null"}, "known_hosts_file, and correct"),
        ({"key_file": "/etc/ssh/none"}, "key_file|no such file"),
        ({"key_file": "host_key"}, "Correct the user"),
    ],
)
def test_access_that_is_wrong(settings: dict[str, Any], says: str, tmp_path: Path) -> None:
    with KINDS["rclone-sftp"](tmp_path) as place:
        keys = os.path.dirname(place["rclone"]["settings"]["key_file"])
        wrong = {name: f"{keys}/{value}" if value == "host_key" else value for name, value in settings.items()}
        options = {"settings": {**place["rclone"]["settings"], **wrong}}
        with pytest.raises(Unreachable, match=says):
            RcloneObjects(place["repository"], options).folders()


def test_what_rclone_has_read_ahead_may_take_its_time(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rclone_streams, "_STALL", 0.1)
    slow = RcloneObjects(f"rclone:here:{top}", LOCAL, 1 << 20)
    upload = slow.upload("app/20250630T120000Z-0123abcd/data/file")
    with upload.handle as handle:  # it takes all of this at once
        os.write(handle.fileno(), bytes(1 << 20))
    assert upload.seal()
    assert files(top) == {"app/20250630T120000Z-0123abcd/data/file"}


def breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, says: str = "connection reset by peer") -> Path:
    """A program that stores half of what it gets for data, and fails, so many times. Returns the list of its calls."""
    calls, real = tmp_path / "calls", shutil.which("rclone")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/rclone").write_text(
        f"""#!{sys.executable}
import os, subprocess, sys
if sys.argv[1] == "rcat" and "/data/" in sys.argv[2]:
    open("{calls}", "a").write(sys.argv[2] + chr(10))
    if len(open("{calls}").readlines()) <= {times}:
        data = sys.stdin.buffer.read()
        subprocess.run(["{real}", *sys.argv[1:]], input=data[:3])
        sys.exit("{says}")
os.execv("{real}", ["{real}", *sys.argv[1:]])
"""
    )
    (tmp_path / "bin/rclone").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(rclone_streams, "_PAUSE", 0.0)
    return calls


def test_a_small_object_whose_connection_is_cut_is_written_again(
    top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = breaks(tmp_path, monkeypatch, 4)
    one = repository_by_calls(top)
    with one.lock("app", "test", 0):
        backup = put(one)
    assert (top / "app" / backup / "data" / "file").read_bytes() == b"content"
    assert len(calls.read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("says", "size", "calls"),
    [
        ("connection reset by peer", 7, 5),
        ("connection reset by peer", rclone_streams._HELD + (1 << 20), 1),  # it is not held
        ("no space left on device", 7, 1),
        ("permission denied", 7, 1),
    ],
)
def test_what_can_not_be_written_again_fails_and_leaves_nothing(
    top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, size: int, calls: int
) -> None:
    called = breaks(tmp_path, monkeypatch, 99, says)
    one = repository_by_calls(top)
    with one.lock("app", "test", 0):
        with pytest.raises(Day2Error, match=f"Can't write .*data/file: {says}"):
            with one.stage("app", WHEN) as staging, staging.create("data/file") as handle:
                handle.write(bytes(size))
    assert len(called.read_text().splitlines()) == calls
    assert not [name for name in files(top) if "/data/" in name]


def test_a_large_object_is_streamed(top: Path) -> None:
    size = rclone_streams._HELD + (3 << 20) + 1
    upload = objects(top).upload("app/20250630T120000Z-0123abcd/data/file")
    with upload.handle as handle:
        for dummy in range(size // 1000):
            os.write(handle.fileno(), b"0123456789" * 100)
        os.write(handle.fileno(), b"x" * (size % 1000))
    written = (top / "app/20250630T120000Z-0123abcd/data/file").read_bytes()
    assert written == b"0123456789" * 100 * (size // 1000) + b"x" * (size % 1000)


def test_documents_may_take_as_long_as_the_rate_needs(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []

    def noted(self: Rclone, words: Any, data: Any, limit: float) -> tuple[int, bytes, str]:
        limits.append(limit)
        return 0, data or b"x", ""

    (top / "app").mkdir()
    (top / "app" / "SHA256SUMS").write_bytes(bytes(1 << 20))
    slow = RcloneObjects(f"rclone:here-1.x:{top}", BY_CALLS, 1024)
    assert len(list(slow.walk("app/"))) == 1
    monkeypatch.setattr(Rclone, "_once", noted)
    slow.put("app/SHA256SUMS", bytes(1 << 20))
    slow.read("app/SHA256SUMS")
    slow.read("app/other")
    assert limits == [1024 + LIMIT, 1024 + LIMIT, LIMIT]


@pytest.mark.parametrize("path", [".day2/repository.json", "app/.state/confirmed.json"])
def test_a_document_that_is_too_deep_is_a_damaged_one(top: Path, path: str) -> None:
    (top / path).parent.mkdir(parents=True, exist_ok=True)
    (top / path).write_bytes(b"[" * 100_000)
    if path.startswith(".day2"):
        with pytest.raises(RepositoryError, match="It is damaged"):
            repository(top).trouble()
    else:
        assert repository(top).read_state("app", "confirmed") == {}


def test_what_says_that_it_was_not_written_was_not(top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    says = "2026/01/01 00:00:00 Failed to rcat: NoSuchKey: \n\tstatus code: 404, host id: x"
    (tmp_path / "bin/rclone").write_text(f"#!/bin/sh\nprintf '{says}' >&2\nexit 3\n")
    (tmp_path / "bin/rclone").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    with pytest.raises(Unreachable, match=r"Can't write .*SHA256SUMS: NoSuchKey: status code: 404, host id: x\."):
        objects(top).put("app/SHA256SUMS", b"x")
    assert objects(top).read("app/SHA256SUMS") is None
