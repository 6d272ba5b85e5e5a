# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb against servers that speak it, and against one answer that they do not have."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable, Optional

import boto3
import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from tests.services.dynamodb import CREDENTIALS, REGION, dynamodb_local
from tests.services.s3 import ministack

Check = Callable[..., dict[str, Any]]
Serve = Callable[[Callable[[socket.socket], None]], int]


def client_of(url: str) -> Any:
    return boto3.client(
        "dynamodb", endpoint_url=url, region_name=REGION,
        aws_access_key_id=CREDENTIALS["access_key_id"], aws_secret_access_key=CREDENTIALS["secret_access_key"],
    )  # fmt: skip


def make_table(url: str) -> None:
    client_of(url).create_table(
        TableName="machines",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dynamodb_local(tmp_path_factory.mktemp("dynamodb_local")) as running:
        make_table(running)
        yield running


def options(url: str, **more: Any) -> dict[str, Any]:
    return dict({"table": "machines", "endpoint_url": url, "region": REGION}, **CREDENTIALS, **more)


def test_a_table(check: Check, url: str) -> None:
    result = check("dynamodb", **options(url))
    assert result["status"] == "ok", result["message"]
    assert result["message"] == "machines is ACTIVE"
    assert 0 < result["value"] < 60
    assert {one["name"] for one in result["metrics"]} == {"items", "size"}
    assert check("dynamodb", **options(url, deletion_protection=True))["status"] == "critical"
    assert check("dynamodb", **options(url, crit="0.001ms"))["status"] == "critical"


def test_a_table_that_is_not_there(check: Check, url: str) -> None:
    result = check("dynamodb", **dict(options(url), table="nothing"))
    assert (result["status"], result["message"]) == ("critical", "the table nothing does not exist")


def test_no_server(check: Check, serve: Serve) -> None:
    assert check("dynamodb", **options("http://127.0.0.1:1"))["status"] == "critical"
    result = check(
        "dynamodb", **options(f"http://127.0.0.1:{(serve(lambda _connection: time.sleep(600)))}"), timeout="1s"
    )
    assert result["message"] == "no answer within 1s while querying DynamoDB for machines"


def test_point_in_time_recovery(check: Check, tmp_path: Path) -> None:
    """Amazon's own local server has none."""
    with ministack(tmp_path, "dynamodb") as url:
        make_table(url)
        for enabled in (False, True):
            client_of(url).update_continuous_backups(
                TableName="machines", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled}
            )
            for wanted in (False, True):
                result = check("dynamodb", **options(url, pitr=wanted))
                assert result["status"] == ("ok" if wanted == enabled else "critical"), result["message"]


@pytest.mark.parametrize(("age", "found"), [(300, "ok"), (1000, "warning"), (2000, "critical")])
def test_recovery_that_falls_behind(check: Check, serve: Serve, age: float, found: str) -> None:
    """No server lets that be made: the answer is AWS' own, by the API's reference."""

    def handler(connection: socket.socket) -> None:
        asked = connection.recv(65536)
        latest = (datetime.now(timezone.utc) - timedelta(seconds=age)).timestamp()
        if b"DescribeContinuousBackups" in asked:
            told = {"PointInTimeRecoveryStatus": "ENABLED", "LatestRestorableDateTime": latest}
            answer: Any = {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": told}}
        else:
            answer = {"Table": {"TableName": "machines", "TableStatus": "ACTIVE"}}
        body = json.dumps(answer).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    assert check("dynamodb", **options(f"http://127.0.0.1:{serve(handler)}", pitr=True))["status"] == found


def test_secrets_and_a_library_that_is_missing(check: Check, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidRequest, match="must be set together") as caught:
        check("dynamodb", table="machines", secret_access_key="S3cr3t-Word")
    assert "S3cr3t" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    result = check("dynamodb", **options(url))
    assert result["status"] == "unknown"
    assert "boto3 is required to look at DynamoDB" in result["message"]


@pytest.mark.parametrize("region", ["", None])
def test_no_region(check: Check, url: str, monkeypatch: pytest.MonkeyPatch, region: Optional[str]) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    if region is None:
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    else:
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    result = check("dynamodb", **{**options(url), "region": None, "endpoint_url": None})
    assert result["status"] == "unknown"
    assert "the AWS region for DynamoDB is not set. Set region, or AWS_DEFAULT_REGION" in result["message"]
