# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cold entries go to a real server, through proxies that damage what passes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

import boto3
import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import s3 as client
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, MissingDependency
from ansible_collections.day2.ops.plugins.module_utils._retention import s3
from ansible_collections.day2.ops.tests.services.s3 import CREDENTIALS, REGION, damaging_proxy, ministack
from ansible_collections.day2.ops.tests.unit.module_utils._retention.conftest import aged, retain, rule


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ministack(tmp_path_factory.mktemp("s3")) as url:
        yield url


@pytest.fixture
def bucket(server: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    resource = boto3.resource(
        "s3", endpoint_url=server, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )
    one = resource.Bucket(f"b{abs(hash(request.node.name))}")
    one.create(CreateBucketConfiguration={"LocationConstraint": REGION})
    yield one
    one.objects.all().delete()
    one.delete()


def options(url: str) -> dict[str, Any]:
    return {"endpoint_url": url, "region": REGION, "profile": None, "session_token": None, **CREDENTIALS}


def cold(path: Path, bucket: Any, **more: Any) -> dict[str, Any]:
    return rule(path, {"tier": "cold", "older_than": "30d", "destination": f"s3://{bucket.name}/runs"}, **more)


def test_a_run_goes_to_s3(tmp_path: Path, server: str, bucket: Any) -> None:
    aged(tmp_path / "outputs" / "run-1" / "audit.log.json", 40, "audit")
    aged(tmp_path / "outputs" / "run-1" / "deep" / "ä b.csv", 40, "")
    aged(tmp_path / "outputs" / "run-2" / "audit.log.json", 1)
    one = cold(tmp_path / "outputs" / "*", bucket, type="directory")
    assert retain(one, s3=options(server), check=True)["changed"]
    assert list(bucket.objects.all()) == []
    assert retain(one, s3=options(server))["changed"]
    kept = {item.key: item.get()["Body"].read() for item in bucket.objects.all()}
    assert kept == {"runs/run-1/audit.log.json": b"audit", "runs/run-1/deep/ä b.csv": b""}
    assert os.listdir(tmp_path / "outputs") == ["run-2"]
    assert not retain(one, s3=options(server))["changed"]


def test_another_content_is_not_overwritten(tmp_path: Path, server: str, bucket: Any) -> None:
    aged(tmp_path / "a.log", 40, "mine")
    bucket.put_object(Key="runs/a.log", Body=b"theirs")
    with pytest.raises(Day2Error, match="not overwritten"):
        retain(cold(tmp_path / "*.log", bucket), s3=options(server))
    assert (tmp_path / "a.log").exists()
    assert bucket.Object("runs/a.log").get()["Body"].read() == b"theirs"
    bucket.put_object(Key="runs/a.log", Body=b"mine")
    assert retain(cold(tmp_path / "*.log", bucket), s3=options(server))["changed"]
    assert not (tmp_path / "a.log").exists()


@pytest.mark.parametrize("parts", [False, True])
@pytest.mark.parametrize("theirs", ["theirs", "mine"])
def test_what_others_write_meanwhile_is_not_overwritten(
    tmp_path: Path, server: str, bucket: Any, theirs: str, parts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if parts:
        monkeypatch.setattr(s3, "_ONE_PIECE", 1)

    def be_first(method: str, headers: Mapping[str, str]) -> None:
        if "If-None-Match" in headers:
            bucket.put_object(Key="runs/a.log", Body=theirs.encode())

    aged(tmp_path / "a.log", 40, "mine")
    with damaging_proxy(server, first=be_first) as url:
        if theirs == "mine":
            assert retain(cold(tmp_path / "*.log", bucket), s3=options(url))["changed"]
        else:
            with pytest.raises(Day2Error, match="not overwritten"):
                retain(cold(tmp_path / "*.log", bucket), s3=options(url))
    assert (tmp_path / "a.log").exists() == (theirs != "mine")
    assert bucket.Object("runs/a.log").get()["Body"].read() == theirs.encode()


def test_a_server_that_knows_no_conditions(tmp_path: Path, server: str, bucket: Any) -> None:
    asked = []

    def refuse(method: str, headers: Mapping[str, str]) -> Optional[int]:
        asked.append("If-None-Match" in headers)
        return 501 if asked[-1] else None

    aged(tmp_path / "a.log", 40, "a")
    aged(tmp_path / "b.log", 40, "b")
    with damaging_proxy(server, first=refuse) as url:
        assert retain(cold(tmp_path / "*.log", bucket), s3=options(url))["changed"]
    assert sorted(item.key for item in bucket.objects.all()) == ["runs/a.log", "runs/b.log"]
    assert asked.count(True) == 1


@pytest.mark.parametrize(
    ("parts", "refused", "status", "says"),
    [(False, "PUT", 409, "then it did not exist"), (True, "PUT DELETE", 403, "UploadPart")],
)
def test_an_upload_that_is_refused(
    tmp_path: Path,
    server: str,
    bucket: Any,
    monkeypatch: pytest.MonkeyPatch,
    parts: bool,
    refused: str,
    status: int,
    says: str,
) -> None:
    if parts:
        monkeypatch.setattr(s3, "_ONE_PIECE", 1)
    aged(tmp_path / "a.log", 40, "mine")
    with damaging_proxy(server, first=lambda method, headers: status if method in refused else None) as url:
        with pytest.raises(Day2Error, match=says):
            retain(cold(tmp_path / "*.log", bucket), s3=options(url))
    assert (tmp_path / "a.log").read_text() == "mine"
    assert not list(bucket.objects.all())


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_damage_on_the_way_is_noticed(tmp_path: Path, server: str, bucket: Any, method: str) -> None:
    aged(tmp_path / "a.log", 40, "line\n" * 1000)
    with damaging_proxy(server, method) as url:
        with pytest.raises(Day2Error) as caught:
            retain(cold(tmp_path / "*.log", bucket), s3=options(url))
    assert "a.log" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert (tmp_path / "a.log").read_text() == "line\n" * 1000


def test_a_server_that_is_not_there(tmp_path: Path, bucket: Any) -> None:
    aged(tmp_path / "a.log", 40)
    aged(tmp_path / "b.txt", 40)
    remove = rule(tmp_path / "*.txt", {"tier": "remove"}, name="other")
    with pytest.raises(Day2Error, match="Can't look at s3://"):
        retain(cold(tmp_path / "*.log", bucket), remove, s3=options("http://127.0.0.1:1"))
    assert [one.name for one in tmp_path.iterdir()] == ["a.log"]


def test_large_files_go_in_parts(tmp_path: Path, server: str, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_ONE_PIECE", 1 << 20)
    monkeypatch.setattr(s3, "_PART", 6 << 20)
    text = "0123456789abcdef" * (1 << 20)
    aged(tmp_path / "a.log", 40, text)
    assert retain(cold(tmp_path / "*.log", bucket), s3=options(server))["changed"]
    assert bucket.Object("runs/a.log").get()["Body"].read() == text.encode()


def test_without_boto3_only_s3_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "find_spec", lambda name: None)
    destination = rule(tmp_path / "*", {"tier": "cold", "destination": "s3://b/p"})
    with pytest.raises(MissingDependency, match="boto3"):
        retain(destination)
    assert not retain(rule(tmp_path / "*", {"tier": "remove"}))["changed"]


def test_an_empty_region_in_the_environment_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    assert client.S3Client("s3://bucket/x", CREDENTIALS, "").api.meta.region_name == "us-east-1"


def test_a_destination_without_a_bucket(tmp_path: Path) -> None:
    with pytest.raises(Day2Error, match="has no bucket"):
        retain(rule(tmp_path / "*", {"tier": "cold", "destination": "s3://"}))
