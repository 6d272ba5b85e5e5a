# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs with repositories that are elsewhere: of each kind the same as with a directory."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    Cancelled,
    DamagedBackup,
    Day2Error,
    InvalidRequest,
    LeaseLost,
    LockTimeout,
    NoSpace,
    RepositoryError,
    Unreachable,
)
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._probes.backup_probe import BackupProbe
from ansible_collections.day2.ops.plugins.module_utils._probes.base import Deadline
from ansible_collections.day2.ops.plugins.module_utils._repository import copying, s3, s3_upload
from ansible_collections.day2.ops.plugins.module_utils._repository.location import open_repository
from ansible_collections.day2.ops.plugins.module_utils._repository.remote_staging import RemoteStaging
from ansible_collections.day2.ops.plugins.module_utils._repository.s3_locking import date_of
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import migrate
from tests.services.answers import Answer
from tests.services.repositories import KINDS, client, object_lock, rgw_options
from tests.services.s3 import CUT, damaging_proxy

REMOTE = [kind for kind in KINDS if kind.startswith("s3-") and not kind.startswith("s3-rgw")]


@pytest.fixture(params=REMOTE)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    with KINDS[request.param](tmp_path) as params:
        yield params


@pytest.fixture
def remote(run: Any, place: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """`run` with the repository that is elsewhere."""
    return lambda verb, check=False, **params: dict(run(verb, check, **{**place, **params}))


def objects(place: dict[str, Any]) -> dict[str, int]:
    bucket, _slash, prefix = place["repository"][len("s3://") :].partition("/")
    pages = client(place["s3"]).get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {one["Key"][len(prefix) + 1 :]: one["Size"] for page in pages for one in page.get("Contents", ())}


def test_check_run_check_run(remote: Any, place: dict[str, Any], application: Any) -> None:
    application.fill(5)
    predicted = remote("backup", check=True, source=application.store)
    assert predicted["changed"] is True
    assert objects(place) == {}
    made = remote("backup", source=application.store)
    assert made["changed"] is True
    assert made["diff"] == predicted["diff"]
    assert made["backup"]["path"] == f"{place['repository']}/app/{made['backup']['id']}"
    assert made["warnings"] == []
    for check in (True, False):
        again = remote("backup", check=check, source=application.store)
        assert (again["changed"], again["backup"]["id"]) == (False, made["backup"]["id"])
        assert "nothing has changed" in again["msg"]
    os.utime(application.path if application.kind != "files" else application.path / "run-1")
    read = remote("backup", source=application.store)
    if application.kind != "files":
        assert (read["changed"], read["reason"]) == (False, "unchanged")
        assert "was read" in read["msg"]
    kept = {key.split("/")[1] for key in objects(place) if key.startswith("app/2")}
    assert kept == {read["backup"]["id"], made["backup"]["id"]}


def test_copies_that_a_killed_run_has_left_are_removed_although_nothing_has_changed(
    remote: Any, document: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document.fill(1)
    remote("backup", source=document.store)
    left = tmp_path / "scratch" / "day2-scratch-left"
    left.parent.mkdir()
    left.mkdir(0o700)
    monkeypatch.setenv("TMPDIR", str(left.parent))
    assert not remote("backup", source=document.store)["changed"]
    assert not left.exists()


def test_a_restore_here_and_elsewhere(remote: Any, application: Any, tmp_path: Path) -> None:
    application.fill(5)
    backup = remote("backup", source=application.store)["backup"]
    for check in (True, False):
        assert not remote("restore", check=check, target=application.store)["changed"]
    application.fill(7)
    with pytest.raises(Day2Error, match="on_existing"):
        remote("restore", target=application.store)
    predicted = remote("restore", check=True, target=application.store, on_existing="replace")
    done = remote("restore", target=application.store, on_existing="replace")
    assert predicted["diff"] == done["diff"]
    assert application.records() == 5
    assert done["safety_backup"]["kind"] == "safety"
    elsewhere = dict(application.store, path=str(tmp_path / "elsewhere" / "x"))
    (tmp_path / "elsewhere").mkdir()
    assert remote("restore", target=elsewhere, backup=backup["path"])["changed"]
    assert remote("restore", target=application.store, backup=done["safety_backup"]["id"], on_existing="replace")[
        "changed"
    ]
    assert application.records() == 7


def test_only_a_restore_that_saves_what_it_replaces_needs_the_lock(
    remote: Any, place: dict[str, Any], document: Any
) -> None:
    document.fill(5)
    remote("backup", source=document.store)
    document.fill(7)
    given = {"target": document.store, "on_existing": "replace", "lock_timeout": "0"}
    with open_repository(place).lock("app", "test", 0):
        assert remote("restore", check=True, **given)["changed"]
        with pytest.raises(LockTimeout):
            remote("restore", **given)
        assert document.records() == 7
        assert remote("restore", **given, safety_backup=False)["changed"]
    assert document.records() == 5


def test_a_restore_needs_only_the_right_to_read(remote: Any, place: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": {"b": {}}}')
    store = {"type": "json", "path": str(path)}
    remote("backup", source=store)
    with damaging_proxy(
        place["s3"]["endpoint_url"], first=lambda method, headers: None if method in ("GET", "HEAD") else 403
    ) as url:
        reading = {"target": store, "on_existing": "replace", "s3": {**place["s3"], "endpoint_url": url}}
        assert not remote("restore", **reading)["changed"]
        path.unlink()
        assert remote("restore", **reading)["changed"]
        path.write_text("{}")
        with pytest.raises(Unreachable, match="access was denied to PutObject"):
            remote("restore", **reading)
        assert path.read_text() == "{}"
        assert remote("restore", safety_backup=False, **reading)["changed"]


def test_info_and_the_check_tell_the_same(remote: Any, place: dict[str, Any], application: Any) -> None:
    application.fill(5)
    made = remote("backup", source=application.store)["backup"]
    for check in (True, False):
        info = remote("backup_info", check=check, verify="full", max_age="1h")
        assert info["ok"], info["problems"]
    (one,) = info["sets"][0]["backups"]
    assert (one["id"], one["path"], one["good"]) == (made["id"], made["path"], True)
    options = {**dict.fromkeys(BackupProbe.OPTIONS), "backup_set": "app", "verified_within": 60.0, **place}
    limits = {limit.name: limit for limit in BackupProbe.LIMITS}
    finding = BackupProbe(options, limits).run(Deadline(10))
    assert made["id"] in finding.good
    assert not finding._problems


def test_keep_removes_and_what_was_removed_stays_readable_for_a_while(
    remote: Any, place: dict[str, Any], application: Any
) -> None:
    made = []
    for records in (1, 2, 3):
        application.fill(records)
        made.append(remote("backup", source=application.store)["backup"]["id"])
    predicted = remote("backup", check=True, source=application.store, keep={"last": 1})
    done = remote("backup", source=application.store, keep={"last": 1})
    assert sorted(predicted["removed"]) == sorted(done["removed"]) == sorted(made[:2])
    assert not remote("backup", source=application.store, keep={"last": 1})["changed"]
    left = [key for key in objects(place) if key.startswith(f"app/{made[0]}/")]
    assert f"app/{made[0]}/removed" in left
    assert f"app/{made[0]}/manifest.json" not in left


def test_over_sftp(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    path = tmp_path / "a.json"
    path.write_text('{"a": {"b": {}}}')
    store = {"type": "json", "path": str(path)}
    with KINDS["rclone-sftp"](tmp_path) as sftp:
        there = Path(sftp["repository"].partition(":sftp:")[2])
        predicted = run("backup", True, source=store, **sftp)
        assert list(there.iterdir()) == []
        made = run("backup", source=store, **sftp)
        assert (predicted["changed"], made["changed"], made["diff"]) == (True, True, predicted["diff"])
        assert made["backup"]["path"] == f"{sftp['repository']}/app/{made['backup']['id']}"
        for check in (True, False):
            assert not run("backup", check, source=store, **sftp)["changed"]
        path.write_text("{}")
        newer = run("backup", source=store, keep={"last": 1}, **sftp)
        assert newer["removed"] == [made["backup"]["id"]]
        assert run("backup_info", verify="full", **sftp)["ok"]
        path.unlink()
        assert run("restore", target=store, backup=newer["backup"]["path"], **sftp)["changed"]
        assert path.read_text() == "{}"
        data = there / "app" / newer["backup"]["id"] / "data"
        (damaged,) = [one for one in data.rglob("*") if one.is_file()]
        damaged.write_bytes(damaged.read_bytes()[:-1])
        path.unlink()
        with pytest.raises(DamagedBackup, match="is damaged"):
            run("restore", target=store, backup=newer["backup"]["id"], **sftp)
        assert not path.exists()


def test_names_that_can_not_be_keys(remote: Any, place: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "odd % \n\\ä\udce9.json"
    path.write_text('{"a": {"b": {"c": 1}}}')
    store = {"type": "json", "path": str(path)}
    made = remote("backup", source=store)
    assert remote("backup_info", verify="full")["ok"]
    path.unlink()
    assert remote("restore", target=store)["changed"]
    assert path.read_text() == '{"a": {"b": {"c": 1}}}'
    (key,) = [one for one in objects(place) if one.startswith(f"app/{made['backup']['id']}/data/")]
    assert key.rpartition("/")[2].startswith("odd %25 %0A%5Cä%E9.json")


def test_recovery_by_standard_tools(remote: Any, place: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": {"b": {"c": 1}}}')
    made = remote("backup", source={"type": "json", "path": str(tmp_path / "a.json")}, compression="zstd")["backup"]
    bucket, _slash, prefix = place["repository"][len("s3://") :].partition("/")
    copy = tmp_path / "copy"
    top = f"{prefix}/app/{made['id']}/"
    for key in [one for one in objects(place) if one.startswith(f"app/{made['id']}/")]:
        to = copy / key[len(f"app/{made['id']}/") :]
        to.parent.mkdir(parents=True, exist_ok=True)
        client(place["s3"]).download_file(bucket, top + key[len(f"app/{made['id']}/") :], str(to))
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=copy, check=True)
    told = subprocess.run(["zstd", "-dc", "data/a.json.zst"], cwd=copy, check=True, capture_output=True)
    assert told.stdout == b'{"a": {"b": {"c": 1}}}'
    assert json.loads((copy / "manifest.json").read_text())["version"] == 2


def test_a_repository_that_does_not_answer_says_nothing_of_its_backups(
    remote: Any, place: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_TRIES", 1)
    (tmp_path / "a.json").write_text('{"a": {}}')
    source = {"type": "json", "path": str(tmp_path / "a.json")}
    made = remote("backup", source=source)["backup"]["id"]
    wrong = {"s3": {**place["s3"], "endpoint_url": "http://127.0.0.1:1"}}
    with pytest.raises(Unreachable, match="can't be reached"):
        remote("backup", check=True, source=source, **wrong)
    assert remote("backup_info")["sets"][0]["backups"][0]["id"] == made


def test_a_backup_that_could_not_be_read_is_not_recorded_as_damaged(
    remote: Any, place: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for number in range(2):
        (tmp_path / "a.json").write_text(json.dumps({"a": {str(number): {}}}))
        made.append(remote("backup", source={"type": "json", "path": str(tmp_path / "a.json")})["backup"]["id"])
    opened = s3.S3Objects.open

    def busy(self: s3.S3Objects, key: str) -> Any:
        if made[1] in key:
            raise Unreachable(f"Can't read {key}: the server is throttling requests.")
        return opened(self, key)

    with monkeypatch.context() as patch:
        patch.setattr(s3.S3Objects, "open", busy)
        info = remote("backup_info", verify="full")
    assert not info["ok"]
    ((backup, problem),) = [(one["backup"], one["problem"]) for one in info["problems"]]
    assert (backup, "could not be verified" in problem) == (made[1], True)
    assert info["sets"][0]["newest"] == made[1]
    info = remote("backup_info")
    assert (info["ok"], info["sets"][0]["newest"]) == (True, made[1])


def test_state_of_the_host_that_can_not_be_written(
    remote: Any, place: dict[str, Any], application: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(host_state.VARIABLE, "/proc/day2")
    application.fill(5)
    for changed in (True, False):
        done = remote("backup", source=application.store)
        assert done["changed"] is changed
        (warning,) = done["warnings"]
        assert "State can't be written" in warning
        assert "/proc/day2" in warning
    assert done["backup"]["id"] in open_repository(place).read_state("app", "confirmed")


@pytest.mark.once
@pytest.mark.parametrize("kind", ["s3-rgw", "rclone-webdav", "directory"])
def test_a_task_that_takes_too_long_says_how_far_it_came(
    run: Any, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"a": {"b": secrets.token_hex(4 << 20)}}))
    source = {"type": "json", "path": str(path)}
    with KINDS[kind](tmp_path) as there:
        slow = {"copy_to": [{**there, "limit": "500K"}], "compression": "none"}
        if kind == "directory":  # the disk takes no more
            monkeypatch.setattr(copying.Copying, "_read_back", lambda *more: time.sleep(60))
            slow["copy_to"] = [{"repository": str(tmp_path / "copies")}]
        told = r"timeout \(5s\) was exceeded during: .*, .* of .* MiB done"
        with pytest.raises(Cancelled, match=told):
            run("backup", source=source, timeout="5s", **slow)
        monkeypatch.undo()
        monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
        (made,) = run("backup_info")["sets"][0]["backups"]
        where = slow["copy_to"][0]
        assert open_repository({"repository": where["repository"], **access(where)}).sets() == []
        slow["copy_to"][0].pop("limit", None)
        again = run("backup", source=source, timeout="10m", **slow)
        assert (again["reason"], again["copies"][0]["changed"]) == ("unchanged", True)
        assert again["copies"][0]["path"].endswith(made["id"])
    for wrong in ("0s", "soon"):
        with pytest.raises(InvalidRequest):
            run("backup", source=source, timeout=wrong)


def access(place: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in place.items() if name in ("s3", "rclone")}


def test_a_store_that_is_full(remote: Any, place: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": {"b": {"c": 1}}}')
    source = {"type": "json", "path": str(tmp_path / "a.json")}
    full = damaging_proxy(
        place["s3"]["endpoint_url"],
        first=lambda method, headers: 507 if "x-amz-checksum-sha256" in {one.lower() for one in headers} else None,
    )
    with (
        full as url,
        pytest.raises(NoSpace, match=r"Can't write s3://.*/data/a\.json.*no space left .*Free some space"),
    ):
        remote("backup", source=source, s3={**place["s3"], "endpoint_url": url})
    assert not [key for key in objects(place) if key.startswith("app/2")]
    done = remote("backup", source=source)
    assert (done["changed"], done["warnings"]) == (True, [])


def unfinished(place: dict[str, Any]) -> int:
    """How many uploads are neither complete nor given up."""
    bucket, _slash, prefix = place["repository"][len("s3://") :].partition("/")
    return len(client(place["s3"]).list_multipart_uploads(Bucket=bucket, Prefix=prefix).get("Uploads", []))


@pytest.mark.once
@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (CUT, "connection to http://.* was cut"),
        (Answer(503, "SlowDown"), "throttling requests"),
        (Answer(400, "ExpiredToken"), "session token expired .* after this run began to use it"),
        (Answer(403, "AccessDenied"), r"access was denied to UploadPart.*s3:PutObject on .*/\*"),
        (Answer(403, "QuotaExceeded"), "no space left"),
    ],
    ids=lambda value: value.code or "cut" if isinstance(value, Answer) else "",
)
@pytest.mark.parametrize("place", ["s3-rgw"], indirect=True)
def test_a_fault_in_the_middle_of_the_data(
    remote: Any, place: dict[str, Any], fault: Answer, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, parts = tmp_path / "a.json", []
    path.write_text(json.dumps({"a": {"b": secrets.token_hex(100_000)}}))
    source = {"type": "json", "path": str(path)}

    def from_the_second_part_on(method: str, headers: Any) -> Any:
        parts.extend([1] if headers.get("Content-Length") == str(s3_upload.PART) else [])
        return fault if len(parts) > 1 else None

    with (
        monkeypatch.context() as patch,
        damaging_proxy(place["s3"]["endpoint_url"], first=from_the_second_part_on) as url,
    ):
        patch.setattr(s3, "_TRIES", 1)
        patch.setattr(s3_upload, "PART", 1 << 16)
        options = {**place["s3"], "endpoint_url": url, "throttle_timeout": "0s"}
        with pytest.raises(Day2Error, match=rf"Can't write s3://.*/data/a\.json: .*{says}"):
            remote("backup", source=source, compression="none", s3=options)
    assert unfinished(place) == 1
    assert open_repository(place).sets() == []
    release(place)
    done = remote("backup", source=source, compression="none")
    assert (done["changed"], done["warnings"]) == (True, [])
    assert unfinished(place) == 0
    assert {key.split("/")[1] for key in objects(place) if key.startswith("app/2")} == {done["backup"]["id"]}
    assert remote("backup_info", verify="full")["ok"]


@pytest.mark.once
@pytest.mark.parametrize("place", ["s3-rgw"], indirect=True)
def test_lost_answers_to_the_last_steps_do_no_harm(
    remote: Any, place: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "a.json", []
    path.write_text(json.dumps({"a": {"b": secrets.token_hex(3 << 20)}}))
    source = {"type": "json", "path": str(path)}

    def lost(method: str, path: str) -> bool:
        if "publish" in seen and re.search(r"prefix=[^&]*%2Fapp%2F(&|$)", path):
            seen.append("listing")  # of the whole set, which may be large
        if method == "POST" and "uploadId=" in path:  # each time: a server may say anything to the second request
            seen.append("complete")
        elif path.endswith("/manifest.json") and "publish" not in seen:
            seen.append("publish")
        else:
            return False
        return True

    with monkeypatch.context() as patch, damaging_proxy(place["s3"]["endpoint_url"], lost=lost) as url:
        patch.setattr(s3, "_TRIES", 2)
        patch.setattr(s3_upload, "PART", 5 << 20)
        options = {**place["s3"], "endpoint_url": url}
        made = remote("backup", source=source, compression="none", s3=options)
    assert seen == ["complete", "complete", "publish"]
    assert (made["changed"], made["warnings"]) == (True, [])
    again = remote("backup", source=source, compression="none")
    assert (again["changed"], again["backup"]["id"], again["warnings"]) == (False, made["backup"]["id"], [])
    assert {key.split("/")[1] for key in objects(place) if key.startswith("app/2")} == {made["backup"]["id"]}
    assert remote("backup_info", verify="full")["ok"]


def release(place: dict[str, Any]) -> None:
    """End the lease of whoever holds the lock."""
    bucket, _slash, prefix = place["repository"][len("s3://") :].partition("/")
    (lock,) = (key for key in objects(place) if "/.state/lock/" in key)
    client(place["s3"]).put_object(Bucket=bucket, Key=f"{prefix}/{lock}", Body=b"")


def test_removals_are_left_out_once_the_lock_was_lost_and_made_up_for(
    remote: Any, place: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = {"type": "json", "path": str(tmp_path / "a.json")}
    made = []
    for number in range(2):
        (tmp_path / "a.json").write_text(json.dumps({"a": {str(number): {}}}))
        made.append(remote("backup", source=source)["backup"]["id"])
    publish = RemoteStaging.publish

    def lost(self: RemoteStaging, *arguments: Any) -> bool:
        published = publish(self, *arguments)
        self._lease._lost = "backup, process 7 on hawk2, since 2025-06-30T12:00:00Z took it over"
        return published

    (tmp_path / "a.json").write_text(json.dumps({"a": {"2": {}}}))
    with monkeypatch.context() as patch:
        patch.setattr(RemoteStaging, "publish", lost)
        done = remote("backup", source=source, keep={"last": 1})
    assert (done["changed"], done["removed"]) == (True, [])
    told = " ".join(done["warnings"])
    assert all(one in told for one in made)
    assert "process 7 on hawk2, since 2025-06-30T12:00:00Z took it over" in told
    release(place)
    assert open_repository(place).ids("app") == sorted([*made, done["backup"]["id"]])
    again = remote("backup", source=source, keep={"last": 1})
    assert (again["backup"]["id"], sorted(again["removed"])) == (done["backup"]["id"], sorted(made))


def test_a_lock_that_is_lost_while_data_is_written(
    remote: Any, place: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.json").write_text('{"a": {"b": {"c": 1}}}')
    source = {"type": "json", "path": str(tmp_path / "a.json")}
    create = RemoteStaging.create

    def lost(self: RemoteStaging, path: str) -> Any:
        handle = create(self, path)
        self._lease._lost = "backup, process 7 on hawk2, since 2025-06-30T12:00:00Z took it over"
        return handle

    with monkeypatch.context() as patch:
        patch.setattr(RemoteStaging, "create", lost)
        with pytest.raises(
            LeaseLost, match=r"The lock of .*/app was lost: backup, process 7 on hawk2, .* took it over"
        ):
            remote("backup", source=source)
    assert open_repository(place).sets() == []
    release(place)
    assert remote("backup", source=source)["changed"]


def test_the_data_of_what_was_removed_stays_for_grace(
    remote: Any, place: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, made = {"type": "json", "path": str(tmp_path / "a.json")}, []
    for number in range(2):
        (tmp_path / "a.json").write_text(json.dumps({"a": {str(number): {}}}))
        made.append(remote("backup", source=source, keep={"last": 1})["backup"]["id"])
    left = [key for key in objects(place) if made[0] in key]
    assert any(key.endswith("/data/a.json") or "/data/a.json." in key for key in left)
    with monkeypatch.context() as patch:  # what an object's age is compared with
        patch.setattr(s3, "_date", lambda page: date_of(page) + timedelta(hours=2))
        remote("backup", source=source, keep={"last": 1}, grace="3h")
        assert [key for key in objects(place) if made[0] in key] == left
        remote("backup", source=source, keep={"last": 1}, grace="1h")
    assert [key for key in objects(place) if made[0] in key] == []
    for wrong in ({"grace": "59m"}, {"grace": "2h", "repository": str(tmp_path / "backups")}):
        with pytest.raises(InvalidRequest, match="at least 1h|grace applies to"):
            remote("backup", source=source, **wrong)


def test_a_bucket_that_is_not_there(remote: Any, application: Any, place: dict[str, Any]) -> None:
    application.fill(1)
    for check in (True, False):
        with pytest.raises(Day2Error, match="does not exist: there is no such bucket"):
            remote("backup", check=check, source=application.store, repository="s3://no-such-bucket/p")
    with pytest.raises(Day2Error, match="does not exist"):
        remote("restore", target=application.store, repository="s3://no-such-bucket/p")


def test_a_repository_of_a_newer_layout(remote: Any, place: dict[str, Any], application: Any) -> None:
    application.fill(1)
    remote("backup", source=application.store)
    bucket, _slash, prefix = place["repository"][len("s3://") :].partition("/")
    header = {"format": "day2.ops repository", "version": 2, "id": "x", "lock": "conditional"}
    client(place["s3"]).put_object(Bucket=bucket, Key=f"{prefix}/.day2/repository.json", Body=json.dumps(header))
    before = objects(place)
    for verb, params in (
        ("backup", {"source": application.store}),
        ("backup_info", {}),
        ("restore", {"target": application.store}),
    ):
        with pytest.raises(Day2Error, match="upgrade the collection"):
            remote(verb, **params)
    assert objects(place) == before


def test_a_backup_of_a_newer_format(remote: Any, place: dict[str, Any], document: Any) -> None:
    document.fill(1)
    made = remote("backup", source=document.store)["backup"]["id"]
    bucket, _slash, prefix = place["repository"][len("s3://") :].partition("/")
    api, top = client(place["s3"]), f"{prefix}/app/{made}/"
    old, sums = (api.get_object(Bucket=bucket, Key=top + one)["Body"].read() for one in ("manifest.json", "SHA256SUMS"))
    new = json.dumps({**json.loads(old), "version": 3}).encode()
    digests = [hashlib.sha256(one).hexdigest().encode() for one in (old, new)]
    api.put_object(Bucket=bucket, Key=f"{top}manifest.json", Body=new)
    api.put_object(Bucket=bucket, Key=f"{top}SHA256SUMS", Body=sums.replace(*digests))
    before = {key for key in objects(place) if made in key}
    with pytest.raises(DamagedBackup, match="version 3 is not supported: upgrade the collection"):
        remote("restore", target=document.store, backup=made)
    assert "upgrade the collection" in remote("backup_info")["problems"][0]["problem"]
    document.fill(2)
    done = remote("backup", source=document.store, keep={"last": 1})
    assert (done["changed"], done["removed"]) == (True, [])
    assert "upgrade the collection" in done["warnings"][0]
    assert {key for key in objects(place) if made in key} == before


@pytest.mark.once
def test_what_was_begun_through_rclone_can_only_be_read_through_s3(
    run: Any, document: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    document.fill(1)
    with KINDS["rclone-s3"](tmp_path) as place:
        place["rclone"]["server"] = True
        made = run("backup", source=document.store, **place)["backup"]["id"]
        other = {"repository": f"s3://{place['repository'].partition(':rgw:')[2]}", "s3": rgw_options()}
        before = objects(other)
        document.fill(2)
        for check in (True, False):
            with pytest.raises(RepositoryError, match="can only be read: backups are written .* through rclone:"):
                run("backup", check, source=document.store, **other)
        assert objects(other) == before
        assert run("backup_info", verify="full", **other)["ok"]
        document.path.unlink()
        assert run("restore", target=document.store, backup=made, **other)["changed"]
        assert document.records() == 1


def test_a_migration_saves_its_target_there(place: dict[str, Any], tmp_path: Path) -> None:
    source, target = tmp_path / "a.json", tmp_path / "b.json"
    source.write_text(json.dumps({"t": {"1": {"x": 1}}}))
    target.write_text(json.dumps({"t": {"1": {"x": 2}}}))

    def run(check: bool = False, **more: Any) -> dict[str, Any]:
        spec = migrate.ARGUMENTS["argument_spec"]
        values = {name: one.get("default") for name, one in spec.items()}
        values.update(name="app", target={"type": "json", "path": str(target)}, **place)
        values.update(more)
        return migrate.run(values, check, Progress())

    given = {"source": {"type": "json", "path": str(source)}, "on_existing": "replace"}
    assert run(True, **given)["changed"]
    assert run(**given)["changed"]
    assert json.loads(target.read_text()) == json.loads(source.read_text())
    assert run(state="reverted")["changed"]
    assert json.loads(target.read_text()) == {"t": {"1": {"x": 2}}}
    assert len(open_repository(place).ids("app")) >= 1


def test_keep_leaves_what_is_locked(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    source = {"type": "json", "path": str(tmp_path / "a.json")}
    with object_lock(tmp_path) as place:
        made = []
        for number in range(2):
            (tmp_path / "a.json").write_text(json.dumps({"a": {str(number): {}}}))
            made.append(run("backup", source=source, lock_for="3d", **place)["backup"]["id"])
        for check in (True, False):
            again = run("backup", check, source=source, lock_for="3d", keep={"last": 1}, **place)
            assert (again["changed"], again["removed"]) == (False, [])
            assert [one["id"] for one in again["locked"]] == made[:1]
        with pytest.raises(InvalidRequest, match="in S3 only"):
            run("backup", source=source, lock_for="3d")
