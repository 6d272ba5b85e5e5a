# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports of DynamoDB tables to S3, on ministack. It follows exports and imports, but writes no files: the tests do, in
the form that AWS documents.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import itertools
import json
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    InvalidRequest,
    RepositoryError,
    SourceError,
    TargetError,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.client import Client
from tests.services.botocore_loader import one_loader
from tests.services.s3 import CREDENTIALS, REGION, ministack
from tests.unit.module_utils._verbs.conftest import Run

__all__ = ["one_loader"]

_numbers = itertools.count()


@pytest.fixture(scope="module")
def aws_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ministack(tmp_path_factory.mktemp("aws"), "dynamodb,s3") as url:
        yield url


class Account:
    """A table and a bucket of their own, and the tasks that export one to the other."""

    def __init__(self, url: str, run: Run) -> None:
        import boto3

        number = next(_numbers)
        self.run, self.prefix, self.bucket, self.url = run, f"t{number}_", f"exports-{number}", url
        keys = {f"aws_{name}": value for name, value in CREDENTIALS.items()}
        self.boto, self.s3 = (
            boto3.client(name, endpoint_url=url, region_name=REGION, **keys) for name in ("dynamodb", "s3")
        )
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.key = [{"AttributeName": "id", "KeyType": "HASH"}]

    def create(self, name: str = "things", **more: Any) -> None:
        self.boto.create_table(
            TableName=self.prefix + name,
            BillingMode="PAY_PER_REQUEST",
            **{
                "KeySchema": self.key,
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                **more,
            },
        )

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.boto.put_item(TableName=f"{self.prefix}things", Item={"id": {"S": str(number)}, "n": {"N": "1"}})

    def write(self, arn: str, folder: str) -> None:
        """What AWS writes for an export: the data in files, and a manifest."""
        table = arn.split(":table/")[1].split("/")[0]
        found = self.boto.scan(TableName=table)["Items"]
        lines = []
        for number, items in enumerate((found[:1], found[1:])):
            data = gzip.compress("".join(json.dumps({"Item": one}) + "\n" for one in items).encode())
            key = f"{folder}data/{number}.json.gz"
            etag = self.s3.put_object(Bucket=self.bucket, Key=key, Body=data)["ETag"].strip('"')
            md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
            lines.append({"itemCount": len(items), "md5Checksum": md5, "etag": etag, "dataFileS3Key": key})
        summary = {"version": "2020-06-30", "exportArn": arn, "itemCount": len(found), "outputFormat": "DYNAMODB_JSON"}
        self._write(f"{folder}manifest-files", "\n".join(json.dumps(one) for one in lines) + "\n")
        self._write(f"{folder}manifest-summary", json.dumps(summary))
        self.s3.put_object(Bucket=self.bucket, Key=f"{folder}_started", Body=b"")

    def _write(self, name: str, text: str) -> None:
        md5 = base64.b64encode(hashlib.md5(text.encode()).digest())
        self.s3.put_object(Bucket=self.bucket, Key=f"{name}.json", Body=text.encode())
        self.s3.put_object(Bucket=self.bucket, Key=f"{name}.md5", Body=md5)

    def objects(self) -> list[str]:
        """Their keys."""
        return sorted(one["Key"] for one in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", ()))

    def store(self, **options: Any) -> dict[str, Any]:
        place = {"bucket": self.bucket, "prefix": "nightly", "endpoint_url": self.url}
        common = {"type": "dynamodb", "prefix": self.prefix, "region": REGION, "endpoint_url": self.url, **CREDENTIALS}
        return {**common, "export_to": place, **options}

    def backup(self, check: bool = False, max_age: str = "1d", recovery_period: Any = 35, **params: Any) -> Any:
        source = self.store(method="s3_export", recovery_period=recovery_period)
        return self.run("backup", check, source=source, max_age=max_age, **params)

    def restore(self, check: bool = False, **options: Any) -> Any:
        return self.run("restore", check, target=self.store(**{"prefix": f"new_{self.prefix}", **options}))


@pytest.fixture
def account(aws_url: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> Account:
    made, real = Account(aws_url, run), Client.ask

    def ask(self: Any, operation: str, **arguments: Any) -> Any:
        answer = real(self, operation, **arguments)
        if operation == "export_table_to_point_in_time":
            arn = answer["ExportDescription"]["ExportArn"]
            made.write(arn, f"{arguments['S3Prefix']}/AWSDynamoDB/{arn.rpartition('/')[2]}/")
        return answer

    monkeypatch.setattr(Client, "ask", ask)
    return made


def test_an_export_is_made_verified_imported_and_removed(account: Account) -> None:
    account.create()
    account.put(1, 2, 3)
    assert account.backup(check=True)["changed"]
    assert account.objects() == []
    done = account.backup()
    assert done["changed"]
    assert done["backup"]["kind"] == "reference"
    (reference,) = done["backup"]["sources"][0]["references"]
    assert reference["records"] == 3
    folder = reference["label"][len(f"s3://{account.bucket}/") :]
    assert len(account.objects()) == 7
    assert all(one.startswith(folder) for one in account.objects())
    for check in (True, False):
        assert account.backup(check=check)["reason"] == "recent"
    account.put(4)
    assert account.restore(check=True)["changed"]
    assert account.restore()["changed"]
    table = f"new_{account.prefix}things"
    assert sorted(one["id"]["S"] for one in account.boto.scan(TableName=table)["Items"]) == ["1", "2", "3"]
    for check in (True, False):
        assert not account.restore(check=check)["changed"]
    account.s3.put_object(Bucket=account.bucket, Key="nightly/AWSDynamoDB/of-somebody-else", Body=b"x")
    assert account.backup(max_age="0s", keep={"last": 1})["removed"] == [done["backup"]["id"]]
    assert not [one for one in account.objects() if one.startswith(folder)]
    assert len(account.objects()) == 8


def _truncated(account: Account, key: str) -> None:
    account.s3.put_object(Bucket=account.bucket, Key=key, Body=b"")


def _removed(account: Account, key: str) -> None:
    account.s3.delete_object(Bucket=account.bucket, Key=key)


@pytest.mark.parametrize(
    ("ending", "change", "message"),
    [
        ("data/1.json.gz", _truncated, "was changed since it was exported"),
        ("data/0.json.gz", _removed, "has no nightly/AWSDynamoDB/"),
        ("manifest-files.json", _truncated, "does not have the MD5"),
        ("manifest-summary.json", _removed, "has no manifest"),
    ],
)
def test_a_damaged_export_is_not_believed(
    account: Account, ending: str, change: Callable[[Account, str], None], message: str
) -> None:
    account.create()
    account.put(1, 2, 3)
    account.backup()
    (key,) = [one for one in account.objects() if one.endswith(ending)]
    change(account, key)
    for check in (True, False):
        with pytest.raises(RepositoryError, match=message):
            account.restore(check=check)
    assert message in account.backup(check=True)["msg"]


def test_a_manifest_can_t_name_what_is_elsewhere(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.create()
    account.put(1, 2)
    account.backup()
    (key,) = [one for one in account.objects() if one.endswith("manifest-files.json")]
    lines = account.s3.get_object(Bucket=account.bucket, Key=key)["Body"].read().decode()
    account.s3.put_object(Bucket=account.bucket, Key="precious", Body=b"x")
    own = json.loads(lines.splitlines()[0])["dataFileS3Key"]
    account._write(key[: -len(".json")], lines.replace(own, "precious"))
    done = account.backup(max_age="0s", keep={"last": 1})
    assert done["removed"] == []
    assert any("names precious, which is elsewhere" in one for one in done["warnings"])
    assert "precious" in account.objects()


def test_an_export_that_lacks_items_fails(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.create()
    account.put(1, 2)
    real = account.write

    def add(arn: str, folder: str) -> None:
        real(arn, folder)
        account.put(3)  # AWS counts one more than its files have

    monkeypatch.setattr(account, "write", add)
    with pytest.raises(SourceError, match="have 2 items instead of 3"):
        account.backup()
    assert account.objects() == []


def test_what_an_export_needs_is_said_first(account: Account) -> None:
    account.create()
    for check in (True, False):
        with pytest.raises(SourceError, match=f"which is off for: {account.prefix}things"):
            account.backup(check=check, recovery_period=None)
        with pytest.raises(InvalidRequest, match=r"requires export_to\.bucket"):
            account.run("backup", check, source=account.store(method="s3_export", export_to=None), max_age="1d")
    account.backup()
    for check in (True, False):
        with pytest.raises(InvalidRequest, match="as it was exported to S3"):
            account.restore(check=check, restore_time="2025-06-30T12:00:00Z")
        with pytest.raises(TargetError, match="exists, and AWS restores only into new tables"):
            account.restore(check=check, prefix=account.prefix)


def test_local_secondary_indexes_can_t_be_imported(account: Account) -> None:
    index = {
        "IndexName": "by_n",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    attributes = [("id", "S"), ("at", "S"), ("n", "N")]
    account.create(
        KeySchema=[*account.key, {"AttributeName": "at", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in attributes],
        LocalSecondaryIndexes=[index],
    )
    account.backup()
    for check in (True, False):
        with pytest.raises(TargetError, match="local secondary indexes"):
            account.restore(check=check)


def test_an_import_that_another_run_began_is_followed(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.create()
    account.put(1, 2)
    (reference,) = account.backup()["backup"]["sources"][0]["references"]
    bucket, _slash, folder = reference["label"][len("s3://") :].partition("/")
    table = f"new_{account.prefix}things"
    account.boto.import_table(
        S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": f"{folder}data/"},
        InputFormat="DYNAMODB_JSON",
        InputCompressionType="GZIP",
        TableCreationParameters={
            "TableName": table,
            "KeySchema": account.key,
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )
    real, asked = Client.ask, []

    def ask(self: Any, operation: str, **arguments: Any) -> Any:
        answer = real(self, operation, **arguments)
        if operation == "list_imports":  # however long this process has waited
            answer["ImportSummaryList"][0]["ImportStatus"] = "IN_PROGRESS"
        asked.append(operation)
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(Client, "ask", ask)
        assert account.restore()["changed"]
    assert "describe_import" in asked
    assert "import_table" not in asked
    assert len(account.boto.scan(TableName=table)["Items"]) == 2
    assert not account.restore()["changed"]
