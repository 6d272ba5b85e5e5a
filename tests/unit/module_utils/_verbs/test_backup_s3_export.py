# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports of DynamoDB tables to S3, on ministack. It follows exports and imports, but writes no files: a proxy in front
of it does, in the form that AWS documents.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import botocore.loaders
import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.aws import Service
from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    InvalidRequest,
    MissingDependency,
    RepositoryError,
    SourceError,
    TargetError,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.client import Client
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.write import Writer
from tests.services.botocore_loader import one_loader
from tests.services.exporting_proxy import ExportingProxy, exporting
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

    def __init__(self, url: str, server: ExportingProxy, run: Run) -> None:
        number = next(_numbers)
        self.run, self.prefix, self.bucket, self.url = run, f"t{number}_", f"exports-{number}", url
        self.server, self.boto, self.s3 = server, server.boto, server.s3
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

    def items(self, table: str) -> dict[str, str]:
        found = self.boto.scan(TableName=table)["Items"]
        return {one["id"]["S"]: one["n"]["N"] for one in found}

    def step(self, hours: float, n: int, *numbers: int, without: str = "", **options: Any) -> Any:
        """Write some items, remove one, and back up so many hours later."""
        table = f"{self.prefix}things"
        for number in numbers:
            self.boto.put_item(TableName=table, Item={"id": {"S": str(number)}, "n": {"N": str(n)}})
        if without:
            self.boto.delete_item(TableName=table, Key={"id": {"S": without}})
        self.server.ahead += hours * 3600
        return self.backup(max_age="0s", full_every="7d", **options)

    def killed_after(self, operation: str, task: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
        """Run a task in a process that dies once AWS has answered a call."""
        child, real = os.fork(), Service.ask
        if child == 0:

            def ask(service: Any, name: str, **arguments: Any) -> Any:
                answer = real(service, name, **arguments)
                if name == operation:
                    os.kill(os.getpid(), signal.SIGKILL)
                return answer

            monkeypatch.setattr(Service, "ask", ask)
            try:
                task()
            finally:
                os._exit(1)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), operation

    def objects(self) -> list[str]:
        """Their keys."""
        return sorted(one["Key"] for one in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", ()))

    def store(self, **options: Any) -> dict[str, Any]:
        place = {"bucket": self.bucket, "prefix": "nightly", "endpoint_url": self.url}
        common = {"type": "dynamodb", "prefix": self.prefix, "region": REGION, **CREDENTIALS}
        common["endpoint_url"] = self.server.url
        return {**common, "export_to": place, **options}

    def backup(
        self, check: bool = False, max_age: str = "1d", recovery_period: Any = 35, full_every: Any = None, **params: Any
    ) -> Any:
        source = self.store(method="s3_export", recovery_period=recovery_period, full_every=full_every)
        return self.run("backup", check, source=source, max_age=max_age, **params)

    def restore(self, check: bool = False, **options: Any) -> Any:
        return self.run("restore", check, target=self.store(**{"prefix": f"new_{self.prefix}", **options}))


@pytest.fixture
def account(aws_url: str, run: Run) -> Iterator[Account]:
    with exporting(aws_url) as server:
        yield Account(aws_url, server, run)


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


def test_an_export_is_drilled_in_tables_of_its_own(account: Account, tmp_path: Path) -> None:
    account.create()
    account.put(1, 2, 3)
    account.backup()
    account.put(4)
    before = account.boto.list_tables()["TableNames"]
    place = {"type": "dynamodb", "region": REGION, **CREDENTIALS, "endpoint_url": account.server.url}
    given = {"targets": [{**place, "s3_endpoint_url": account.url}], "scratch": str(tmp_path)}
    result = account.run("restore_drill", **given)
    assert result["drill"]["verdict"] == "pass", result["msg"]
    (said,) = result["drill"]["checks"]
    assert said.endswith(
        "AWS has imported the number of items that the export contains; their content was not compared"
    )
    assert account.boto.list_tables()["TableNames"] == before
    _truncated(account, next(one for one in account.objects() if one.endswith("-1.json.gz")))
    result = account.run("restore_drill", **given)
    assert (result["drill"]["verdict"], "was changed since it was exported" in result["msg"]) == ("fail", True)
    assert account.boto.list_tables()["TableNames"] == before


def _truncated(account: Account, key: str) -> None:
    account.s3.put_object(Bucket=account.bucket, Key=key, Body=b"")


def _removed(account: Account, key: str) -> None:
    account.s3.delete_object(Bucket=account.bucket, Key=key)


@pytest.mark.parametrize(
    ("ending", "change", "message"),
    [
        ("-1.json.gz", _truncated, "was changed since it was exported"),
        ("-0.json.gz", _removed, "has no nightly/AWSDynamoDB/"),
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
    account.server.put(account.bucket, key[: -len(".json")], lines.replace(own, "precious"))
    done = account.backup(max_age="0s", keep={"last": 1})
    assert done["removed"] == []
    assert any("names precious, which is elsewhere" in one for one in done["warnings"])
    assert "precious" in account.objects()


def test_an_export_that_lacks_items_fails(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.create()
    account.put(1, 2)
    real = account.server.export

    def export(request: dict[str, Any], arn: str) -> None:
        real(request, arn)
        account.server.told[arn]["ItemCount"] += 1

    monkeypatch.setattr(account.server, "export", export)
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


def references(done: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = done["backup"]["sources"][0]["references"]
    return found


@pytest.mark.newest_boto3
def test_increments_continue_a_full_export_and_are_restored_in_order(account: Account) -> None:
    account.create()
    first = account.step(0, 1, 1, 2, 3)
    (full,) = references(first)
    assert full["since"] is None
    second = account.step(1, 2, 2, 4, without="3")
    third = account.step(50, 3, 3, 4, without="1")  # what takes more than a day is three exports
    assert [one["since"] for one in references(third)] == [
        None,
        full["created"],
        *(one["created"] for one in references(third)[1:-1]),
    ]
    assert len(references(second)) == 2
    assert len(references(third)) == 5
    table = f"new_{account.prefix}things"
    assert account.restore(check=True)["changed"]
    assert account.restore()["changed"]
    assert account.items(table) == {"2": "2", "3": "3", "4": "3"}
    for check in (True, False):
        again = account.restore(check=check)
        assert (again["changed"], len(again["warnings"])) == (False, 1)
    with pytest.raises(TargetError, match="may not have been restored from this backup"):
        account.run("restore", target=account.store(prefix=f"new_{account.prefix}"), backup=second["backup"]["id"])
    # a backup of the restored table does not have the mark
    done = account.run("backup", source=account.store(prefix=f"new_{account.prefix}", export_to=None), name="other")
    assert "Tags" not in json.dumps(done)
    # the full export is removed with the last backup that needs it
    fourth = account.step(1, 4, 5, keep={"last": 1})
    assert len(fourth["removed"]) == 3
    assert account.restore(prefix=f"late_{account.prefix}")["changed"]
    assert account.items(f"late_{account.prefix}things")["5"] == "4"
    fifth = account.step(24 * 7, 5, 6, keep={"last": 1})
    assert [one["since"] for one in references(fifth)] == [None]
    assert fifth["removed"] == [fourth["backup"]["id"]]
    identity = references(fifth)[0]["arn"].rpartition("/")[2]
    assert all(identity in one for one in account.objects())


@pytest.mark.newest_boto3
def test_what_a_backup_that_can_not_be_read_may_need_is_kept(account: Account) -> None:
    account.create()
    account.step(0, 1, 1)
    second = account.step(1, 2, 2)
    manifest = Path(second["backup"]["path"]) / "manifest.json"
    content = manifest.read_bytes()
    manifest.write_bytes(content[:-1])
    third = account.step(24 * 8, 3, 3, keep={"last": 1})
    assert third["removed"] == []
    assert f"backup {second['backup']['id']} may need the same data in AWS, but its" in third["warnings"][-1]
    manifest.write_bytes(content)
    assert account.run("restore", target=account.store(prefix=f"new_{account.prefix}"), backup=second["backup"]["id"])


@pytest.mark.newest_boto3
def test_what_increments_need_is_looked_at_first(account: Account) -> None:
    account.create()
    with pytest.raises(InvalidRequest, match="full_every is set, with method=native"):
        account.run("backup", source=account.store(method="native", full_every="7d"), max_age="1d")
    account.step(0, 1, 1)
    for check in (True, False):
        with pytest.raises(SourceError, match="an incremental export covers 15 minutes or more"):
            account.step(0.1, 2, 2, check=check)
    (arn, *_more) = [one["arn"] for one in references(account.step(1, 2, 2))]
    table = f"{account.prefix}things"
    account.boto.delete_table(TableName=table)
    account.create()
    again = references(account.step(1, 3, 3))
    assert [one["since"] for one in again] == [None], "another table of that name"
    account.server.ahead += 36 * 86400
    (beyond,) = references(account.step(1, 4, 4))
    assert beyond["since"] is None
    for key in account.objects():
        if beyond["arn"].rpartition("/")[2] in key:
            account.s3.delete_object(Bucket=account.bucket, Key=key)
    (anew,) = references(account.step(1, 5, 5))
    assert anew["since"] is None, "what is gone can't be continued"
    assert len({arn, again[0]["arn"], beyond["arn"], anew["arn"]}) == 4


def test_a_boto3_without_increments_is_told_before_the_first_export(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = botocore.loaders.Loader.load_service_model

    def load(self: Any, service: str, kind: str, **more: Any) -> Any:
        model = real(self, service, kind, **more)
        if (service, kind) != ("dynamodb", "service-2"):
            return model
        name = "ExportTableToPointInTimeInput"
        known = model["shapes"][name]
        members = {key: one for key, one in known["members"].items() if key != "IncrementalExportSpecification"}
        return {**model, "shapes": {**model["shapes"], name: {**known, "members": members}}}

    account.create()
    with monkeypatch.context() as patch:
        patch.setattr(botocore.loaders.Loader, "load_service_model", load)
        for check in (True, False):
            with pytest.raises(MissingDependency, match="A newer boto3 .* IncrementalExportSpecification"):
                account.step(1, 1, 1, check=check)
    assert account.objects() == []


def _shifted(account: Account, key: str) -> None:
    text = account.s3.get_object(Bucket=account.bucket, Key=key)["Body"].read().decode()
    summary = {**json.loads(text), "exportFromTime": "2025-06-30T12:00:00.000Z"}
    account.server.put(account.bucket, key[: -len(".json")], json.dumps(summary))


@pytest.mark.newest_boto3
@pytest.mark.parametrize(
    ("ending", "change", "message"),
    [
        ("-0.json.gz", _truncated, "was changed since it was exported"),
        ("manifest-summary.json", _shifted, "has the exportFromTime 2025-06-30T12:00:00.000Z instead of"),
    ],
)
def test_a_damaged_increment_is_not_believed(
    account: Account, ending: str, change: Callable[[Account, str], None], message: str
) -> None:
    account.create()
    account.step(0, 1, 1)
    last = references(account.step(1, 2, 2))[-1]["arn"].rpartition("/")[2]
    (key,) = [one for one in account.objects() if one.endswith(ending) and last in one]
    change(account, key)
    for check in (True, False):
        with pytest.raises(RepositoryError, match=message):
            account.restore(check=check)
    assert len(references(account.step(1, 3, 3))) == 1, "a full export is made again"


@pytest.mark.newest_boto3
def test_increments_of_which_not_all_were_written_are_written_again(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.create()
    account.step(0, 1, 1, 2)
    account.step(1, 2, 2)
    table = f"new_{account.prefix}things"
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(Writer, "flush", lambda _writer: os.kill(os.getpid(), signal.SIGKILL))
        account.restore()
        os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert account.restore(check=True)["changed"]
    assert account.restore()["changed"]
    assert account.items(table) == {"1": "1", "2": "2"}
    assert not account.restore()["changed"]
    arn = account.boto.describe_table(TableName=table)["Table"]["TableArn"]
    account.boto.untag_resource(ResourceArn=arn, TagKeys=["day2-restore"])
    for check in (True, False):
        with pytest.raises(TargetError, match="may not have been restored from this backup"):
            account.restore(check=check)


def test_a_table_of_the_same_name_was_not_imported(account: Account) -> None:
    account.create()
    account.put(1)
    account.backup()
    account.restore()
    account.boto.delete_table(TableName=f"new_{account.prefix}things")
    account.prefix, before = f"new_{account.prefix}", account.prefix
    account.create()
    account.prefix = before
    with pytest.raises(TargetError, match="restores only into new tables"):
        account.restore()


def test_tasks_that_are_killed_at_their_calls_are_run_again(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.create()
    account.put(1)
    for operation in ("export_table_to_point_in_time", "describe_export", "get_object", "list_objects_v2"):
        account.killed_after(operation, account.backup, monkeypatch)
    assert account.backup()["reason"] == "new"
    assert account.backup()["reason"] == "recent"
    for operation in ("import_table", "describe_import", "list_tags_of_resource"):
        account.killed_after(operation, account.restore, monkeypatch)
        account.restore()
        assert account.items(f"new_{account.prefix}things") == {"1": "1"}
        assert not account.restore()["changed"]
        account.boto.delete_table(TableName=f"new_{account.prefix}things")
