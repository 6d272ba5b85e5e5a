# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of DynamoDB tables that AWS keeps, on ministack. What it does not offer is said where it is tested."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable

import boto3
import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.aws import Refused
from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    Cancelled,
    DamagedBackup,
    InvalidRequest,
    MissingDependency,
    RepositoryError,
    SourceError,
    TargetError,
    Unreachable,
)
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._repository.directory import DirectoryRepository
from ansible_collections.day2.ops.plugins.module_utils._repository.directory_staging import DirectoryStaging
from ansible_collections.day2.ops.plugins.module_utils._repository.manifest import parse
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb import tables
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.backup.native import NativeBackups
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.backup.references import references_of
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.backup.settings import (
    enable_recovery,
    settings_from,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.client import Client
from tests.faults.test_tampered_manifest import changed, places, sealed
from tests.services.botocore_loader import one_loader
from tests.services.s3 import CREDENTIALS, REGION, ministack
from tests.services.scaling import scaling
from tests.unit.module_utils._verbs.conftest import Run

__all__ = ["one_loader"]

_numbers = itertools.count()
# The oldest boto3 that is supported, which the oldest Python tests, does not know them.
DAYS_ARE_KNOWN = tuple(map(int, boto3.__version__.split(".")[:2])) >= (1, 36)


@pytest.fixture(scope="module")
def aws_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with DynamoDB."""
    with ministack(tmp_path_factory.mktemp("aws"), "dynamodb,s3") as url:
        yield url


class Account:
    """Tables under a prefix of their own, and the tasks that back them up."""

    def __init__(self, url: str, run: Run) -> None:
        self.run, self.prefix = run, f"t{next(_numbers)}_"
        self.boto: Any = boto3.client(
            "dynamodb",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["access_key_id"],
            aws_secret_access_key=CREDENTIALS["secret_access_key"],
        )
        self._connection = {**CREDENTIALS, "region": REGION, "endpoint_url": url}

    def create(self, name: str, items: int = 3, **more: Any) -> None:
        self.boto.create_table(
            TableName=self.prefix + name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            **{"BillingMode": "PAY_PER_REQUEST", **more},
        )
        self.put(name, *range(items))

    def put(self, name: str, *numbers: int) -> None:
        for number in numbers:
            self.boto.put_item(TableName=self.prefix + name, Item={"id": {"S": str(number)}, "n": {"N": str(number)}})

    def items(self, table: str) -> list[int]:
        return sorted(int(one["n"]["N"]) for one in self.boto.scan(TableName=table)["Items"])

    def described(self, table: str) -> Any:
        return self.boto.describe_table(TableName=table)["Table"]

    def kept(self) -> set[str]:
        """The backups of these tables in AWS."""
        found = self.boto.list_backups()["BackupSummaries"]
        return {one["BackupArn"] for one in found if one["TableName"].startswith(self.prefix)}

    def store(self, **options: Any) -> dict[str, Any]:
        return {"type": "dynamodb", "prefix": self.prefix, **self._connection, **options}

    def backup(self, check: bool = False, max_age: Any = "1d", method: str = "native", **params: Any) -> dict[str, Any]:
        options = {name: params.pop(name) for name in ("recovery_period", "tables") if name in params}
        return self.run("backup", check, source=self.store(method=method, **options), max_age=max_age, **params)

    def restore(self, check: bool = False, backup: str = "latest", only: Any = None, **options: Any) -> dict[str, Any]:
        options = {"prefix": f"new_{self.prefix}", **options}
        return self.run("restore", check, target=self.store(**options), backup=backup, only=only)

    def killed(self, verb: str, at: int, monkeypatch: pytest.MonkeyPatch) -> bool:
        """Run a task in a process that dies before its at-th call to AWS. False: it made fewer calls."""
        child = os.fork()
        if child == 0:
            left, real = itertools.count(1), Client.ask

            def ask(client: Any, operation: str, **arguments: Any) -> Any:
                if next(left) == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(client, operation, **arguments)

            monkeypatch.setattr(Client, "ask", ask)
            try:
                self.backup(max_age="0s") if verb == "backup" else self.restore()
                os._exit(0)
            finally:
                os._exit(1)
        status = os.waitpid(child, 0)[1]
        assert os.WIFSIGNALED(status) or status == 0
        return os.WIFSIGNALED(status)


@pytest.fixture
def account(aws_url: str, run: Run) -> Account:
    return Account(aws_url, run)


def test_aws_makes_one_backup_until_it_is_too_old(account: Account) -> None:
    account.create("things")
    account.create("others", 0)
    assert account.backup(check=True)["changed"]
    assert account.kept() == set()  # check mode makes nothing
    done = account.backup()
    assert done["changed"]
    assert done["msg"].startswith("Had AWS back up 2 tables")
    assert done["backup"]["kind"] == "reference"
    references = done["backup"]["sources"][0]["references"]
    assert {one["arn"] for one in references} == account.kept()
    assert len(references) == 2
    for check in (True, False):
        again = account.backup(check=check)
        assert not again["changed"]
        assert again["reason"] == "recent"
    assert len(account.kept()) == 2
    assert account.backup(check=True, max_age="0s")["changed"]
    assert account.backup(max_age="0s")["reason"] == "changed"
    assert len(account.kept()) == 4


def test_what_is_recent_must_exist(account: Account) -> None:
    account.create("things")
    (arn,) = [one["arn"] for one in account.backup()["backup"]["sources"][0]["references"]]
    account.boto.delete_backup(BackupArn=arn)
    for check in (True, False):
        done = account.backup(check=check)
        assert done["changed"]
        assert f"{arn} does not exist" in done["msg"]
    account.create("more", 0)  # not in the backup
    done = account.backup()
    assert done["changed"]
    assert "the tables are no longer the same (more)" in done["msg"]
    assert not account.backup()["changed"]
    other = account.backup(method="export")
    assert other["changed"]
    assert other["backup"]["kind"] == "backup"
    assert "another method" in account.backup()["msg"]


def test_keep_removes_from_aws_what_it_removes_here(account: Account) -> None:
    account.create("things")
    first = account.backup()["backup"]["id"]
    own = account.boto.create_backup(TableName=account.prefix + "things", BackupName="by-hand")["BackupDetails"]
    before = account.kept()
    assert account.backup(check=True, max_age="0s", keep={"last": 1})["removed"] == [first]
    assert account.kept() == before
    done = account.backup(max_age="0s", keep={"last": 1})
    assert done["removed"] == [first]
    (newest,) = [one["arn"] for one in done["backup"]["sources"][0]["references"]]
    assert account.kept() == {newest, own["BackupArn"]}
    info = account.run("backup_info", verify="full", max_age="1h")
    assert info["ok"]
    assert [one["kind"] for one in info["sets"][0]["backups"]] == ["reference"]


def test_what_aws_does_not_remove_stays_here(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.create("things")
    first = account.backup()["backup"]["id"]

    def refuse(_self: object, reference: Any) -> None:
        raise SourceError(f"Removing {reference.arn}: AccessDeniedException.")

    with monkeypatch.context() as patched:
        patched.setattr(NativeBackups, "remove", refuse)
        done = account.backup(max_age="0s", keep={"last": 1})
    assert done["removed"] == []
    assert any("AccessDeniedException" in one and first in one for one in done["warnings"])
    assert len(account.kept()) == 2
    assert account.backup(keep={"last": 1})["removed"] == [first]
    assert len(account.kept()) == 1


def test_a_backup_with_another_name_is_not_removed(account: Account, aws_url: str) -> None:
    account.create("things")
    own = account.boto.create_backup(TableName=account.prefix + "things", BackupName="by-hand")["BackupDetails"]
    from ansible_collections.day2.ops.plugins.module_utils._stores.registry import open_store

    store: Any = open_store({"path": None, "name": None, **account.store(method="native")})
    table = account.described(account.prefix + "things")
    planted = {
        "name": "things",
        "table": table["TableName"],
        "table_arn": table["TableArn"],
        "table_id": table["TableId"],
        "arn": own["BackupArn"],
        "label": "day2-20250630T120000Z-00000000",
        "created": "2025-06-30T12:00:00Z",
    }
    with pytest.raises(SourceError, match="was not removed, as its name differs from the recorded one"):
        store.forget({"method": "native", "references": [planted]}, [])
    with pytest.raises(SourceError, match="was not removed, as its name differs from the recorded one"):
        store.forget({"method": "native", "references": [{**planted, "label": "by-hand"}]}, [])
    assert account.kept() == {own["BackupArn"]}


def test_a_failed_run_leaves_nothing_in_aws(account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    account.create("first")
    account.create("second")
    real = NativeBackups.start

    def fail(self: Any, name: str, table: Any) -> Any:
        if name == "second":
            raise SourceError("LimitExceededException.")
        return real(self, name, table)

    with monkeypatch.context() as patched:
        patched.setattr(NativeBackups, "start", fail)
        with pytest.raises(SourceError, match="LimitExceeded"):
            account.backup()
    assert account.kept() == set()
    assert not list((tmp_path / "backups").glob("app/2*"))
    with monkeypatch.context() as patched:
        patched.setattr("os.rename", _broken)
        with pytest.raises((OSError, RepositoryError)):
            account.backup()
    assert account.kept() == set()
    assert account.backup()["changed"]


def _broken(*_arguments: object, **_more: object) -> None:
    raise OSError(5, "Input/output error")


@pytest.fixture
def told_origins(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """AWS says of a table from which backup it was restored; the server only does so in its answer to the restore."""
    real = Client.ask
    origins: dict[str, Any] = {}

    def ask(self: Any, operation: str, **arguments: Any) -> Any:
        answer = real(self, operation, **arguments)
        if operation == "restore_table_from_backup":
            origins[arguments["TargetTableName"]] = answer["TableDescription"]["RestoreSummary"]
        if operation == "describe_table" and arguments["TableName"] in origins:
            answer["Table"]["RestoreSummary"] = origins[arguments["TableName"]]
        return answer

    monkeypatch.setattr(Client, "ask", ask)
    return origins


@pytest.mark.usefixtures("told_origins")
def test_a_restore_makes_new_tables_with_their_settings(account: Account) -> None:
    account.create("things", Tags=[{"Key": "team", "Value": "ops"}], DeletionProtectionEnabled=True)
    table, new = account.prefix + "things", f"new_{account.prefix}things"
    account.boto.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
    )
    account.backup(recovery_period=35)
    account.put("things", 7)
    assert account.restore(check=True)["changed"]
    assert new not in account.boto.list_tables()["TableNames"]
    done = account.restore()
    assert done["changed"]
    assert any("resource policies" in one for one in done["warnings"])
    assert account.items(new) == [0, 1, 2]
    made = account.described(new)
    assert made["DeletionProtectionEnabled"]
    tags = account.boto.list_tags_of_resource(ResourceArn=made["TableArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "ops"}]
    ttl = account.boto.describe_time_to_live(TableName=new)["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "until")
    recovery = account.boto.describe_continuous_backups(TableName=new)["ContinuousBackupsDescription"]
    assert recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    for check in (True, False):
        again = account.restore(check=check)
        assert not again["changed"]
        assert any("were not examined" in one for one in again["warnings"])


class Drills:
    """Drills of the backups that AWS keeps, of an account. `tables` are those that it has."""

    def __init__(self, account: Account, root: Path) -> None:
        self._account, self._root = account, root

    @property
    def tables(self) -> dict[str, list[int]]:
        return {name: self._account.items(name) for name in self._account.boto.list_tables()["TableNames"]}

    def __call__(self, check: bool = False, **params: Any) -> dict[str, Any]:
        target = self._account.store(**params.pop("options", {}))
        del target["prefix"]
        return self._account.run("restore_drill", check, targets=[target], scratch=str(self._root), **params)


@pytest.fixture
def drilled(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Drills:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    return Drills(account, tmp_path)


@pytest.mark.usefixtures("told_origins")
def test_what_aws_keeps_is_drilled_in_tables_of_its_own(
    account: Account, drilled: Drills, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    account.create("things", BillingMode="PROVISIONED", ProvisionedThroughput=units, DeletionProtectionEnabled=True)
    account.create("others", 0)
    (reference, _other) = account.backup()["backup"]["sources"][0]["references"]
    account.put("things", 7)
    before = drilled.tables
    checked = drilled(check=True)
    assert (checked["drill"]["verdict"], "Would drill app/" in checked["msg"]) == (None, True), checked["msg"]
    with pytest.raises(InvalidRequest, match="Nonsense"):
        drilled(check=True, options={"overrides": {"Nonsense": 1}})
    probe = ["sh", "-c", 'case "$DAY2_DRILL_PREFIX" in day2_drill_????????????????_) ;; *) false; esac']
    done = drilled(probe=probe, options={"overrides": {"BillingModeOverride": "PAY_PER_REQUEST"}})
    assert done["drill"]["verdict"] == "pass", done["msg"]
    assert list(done["drill"]["stages"]) == ["fetch", "restore", "verify", "probe"]
    assert done["drill"]["rto_s"] == pytest.approx(sum(done["drill"]["stages"].values()))
    assert "2 tables, whose keys equal the backup and whose 3 items can be read" in done["msg"]
    assert any("billing mode" in one for one in done["warnings"])
    assert drilled(negative=True)["drill"]["verdict"] == "pass"
    real = Client.ask

    def ask(self: Any, operation: str, **arguments: Any) -> Any:
        """The server restores well: what it says of the key of the new tables is changed."""
        answer = real(self, operation, **arguments)
        if operation == "describe_table" and arguments["TableName"].startswith("day2_drill_"):
            answer["Table"]["AttributeDefinitions"][0]["AttributeType"] = "N"
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(Client, "ask", ask)
        told = drilled()["drill"]
    assert (told["verdict"], "with another key" in str(told["reason"])) == ("fail", True), told
    account.boto.delete_backup(BackupArn=reference["arn"])
    for check in (True, False):
        told = drilled(check=check)["drill"]
        assert (told["verdict"], f"{reference['arn']} does not exist" in told["reason"]) == ("fail", True), told
    assert drilled.tables == before


@pytest.mark.usefixtures("told_origins")
def test_the_next_drill_removes_what_aws_was_still_making(
    account: Account, drilled: Drills, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.create("things")
    account.backup()
    before = drilled.tables

    def creating(answer: Any) -> None:
        if answer["Table"]["TableName"].startswith("day2_drill_"):
            answer["Table"]["TableStatus"] = "CREATING"

    with monkeypatch.context() as patched:
        _Stopped("describe_table", creating, patched)
        patched.setattr(tables, "_MAKING", 0.0)
        done = drilled()
    assert (done["drill"]["verdict"], "can't be stopped" in done["msg"]) == ("inconclusive", True), done["msg"]
    assert any("The next drill on this server removes the remains" in one for one in done["warnings"])
    assert len(drilled.tables) == len(before) + 1
    done = drilled()
    assert done["drill"]["verdict"] == "pass", done["msg"]
    assert any("had left, was removed" in one for one in done["warnings"])
    assert drilled.tables == before


def test_a_table_that_exists_is_not_touched(account: Account) -> None:
    account.create("things")
    account.backup()
    for check in (True, False):
        with pytest.raises(TargetError, match="exists, and AWS restores only into new tables"):
            account.restore(check=check, prefix=account.prefix)
    assert account.items(account.prefix + "things") == [0, 1, 2]


def test_one_table_with_overrides(account: Account) -> None:
    capacity = {"ReadCapacityUnits": 2, "WriteCapacityUnits": 3}
    account.create("things", BillingMode="PROVISIONED", ProvisionedThroughput=capacity)
    account.create("others")
    account.backup()
    for check in (True, False):
        with pytest.raises(InvalidRequest, match="Nonsense"):
            account.restore(check=check, overrides={"Nonsense": 1})
        with pytest.raises(InvalidRequest, match="ProvisionedThroughputOverride is not valid"):
            account.restore(check=check, overrides={"ProvisionedThroughputOverride": {"ReadCapacityUnits": "many"}})
        with pytest.raises(InvalidRequest, match="no table nothing"):
            account.restore(check=check, only=["nothing"])
    done = account.restore(only=["things"], overrides={"BillingModeOverride": "PAY_PER_REQUEST"})
    assert any("billing mode" in one for one in done["warnings"])
    made = account.described(f"new_{account.prefix}things")
    assert made["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert f"new_{account.prefix}others" not in account.boto.list_tables()["TableNames"]


def test_a_backup_that_aws_lost_is_refused(account: Account) -> None:
    account.create("things")
    (arn,) = [one["arn"] for one in account.backup()["backup"]["sources"][0]["references"]]
    account.boto.delete_backup(BackupArn=arn)
    for check in (True, False):
        with pytest.raises(RepositoryError, match=f"{arn} does not exist"):
            account.restore(check=check)


def test_recovery_is_switched_on_once(account: Account) -> None:
    account.create("things")

    def enabled() -> bool:
        found = account.boto.describe_continuous_backups(TableName=account.prefix + "things")
        recovery = found["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        return bool(recovery["PointInTimeRecoveryStatus"] == "ENABLED")

    account.backup()
    assert not enabled()
    assert account.backup(check=True, recovery_period=35)["changed"]
    assert not enabled()
    done = account.backup(recovery_period=35)
    assert "is off" in done["msg"]
    assert enabled()
    assert not account.backup(recovery_period=35)["changed"]
    # the server does not record the number of days: what it says afterwards is believed, not what was asked for
    if DAYS_ARE_KNOWN:
        with pytest.raises(SourceError, match="was set to 7 days, but reaches back 35 days"):
            account.backup(recovery_period=7)
    else:
        with pytest.raises(MissingDependency, match="A newer boto3 is required for RecoveryPeriodInDays"):
            account.backup(recovery_period=7)
    for days in (0, 36):
        with pytest.raises(InvalidRequest, match="recovery_period"):
            account.backup(recovery_period=days)


def test_a_time_is_only_restored_if_aws_has_it(account: Account) -> None:
    account.create("things")
    account.backup()
    with pytest.raises(RepositoryError, match="has no point-in-time recovery"):
        account.restore(restore_time="2025-06-30T12:00:00Z")
    account.backup(recovery_period=35)
    for check in (True, False):
        with pytest.raises(RepositoryError, match="can be restored as it was between"):
            account.restore(check=check, restore_time="2025-06-30T12:00:00Z")


def test_what_is_not_possible_is_said_first(account: Account, tmp_path: Path) -> None:
    account.create("things")
    for check in (True, False):
        with pytest.raises(InvalidRequest, match="requires max_age"):
            account.backup(check=check, max_age=None)
        with pytest.raises(InvalidRequest, match="copy_to is not possible"):
            account.backup(check=check, copy_to=[{"repository": str(tmp_path / "copies")}])
        with pytest.raises(SourceError, match="there is no DynamoDB table"):
            account.run("backup", check, source=account.store(method="native", prefix="nowhere_"), max_age="1d")
    assert account.kept() == set()
    account.backup()
    places = {"from": {"repository": str(tmp_path / "backups")}, "to": {"repository": str(tmp_path / "copies")}}
    with pytest.raises(RepositoryError, match="only refers to data in AWS"):
        account.run("backup_copy", **places)


@pytest.mark.parametrize("method", ["native", "export"])
def test_new_tables_are_scaled_as_before(account: Account, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    index = {"IndexName": "by_n", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
    index.update(Projection={"ProjectionType": "ALL"}, ProvisionedThroughput=units)
    account.create("things", BillingMode="PROVISIONED", ProvisionedThroughput=units, GlobalSecondaryIndexes=[index])
    resource, new = f"table/{account.prefix}things", f"table/new_{account.prefix}things"
    tracking = {
        "TargetValue": 70.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"},
    }
    targets = {
        (resource, "dynamodb:table:ReadCapacityUnits"): (1, 9),
        (f"{resource}/index/by_n", "dynamodb:index:ReadCapacityUnits"): (2, 8),
    }
    with scaling() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING", server.url)
        for (place, dimension), (least, most) in targets.items():
            of = {"ServiceNamespace": "dynamodb", "ResourceId": place, "ScalableDimension": dimension}
            server.boto.register_scalable_target(**of, MinCapacity=least, MaxCapacity=most)
            server.boto.put_scaling_policy(
                **of,
                PolicyName="p",
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration=tracking,
            )
        account.backup(method=method, max_age="1d" if method == "native" else None)
        assert account.restore()["changed"]
        for (place, dimension), limits in targets.items():
            assert server.targets[place.replace(resource, new), dimension] == limits
            assert server.policies[place.replace(resource, new), dimension, "p"] == tracking
        if method == "export":  # ministack does not tell what a table was restored from
            assert not account.restore()["changed"]
        server.refused = "AccessDeniedException"
        done = account.backup(method=method, max_age="0s" if method == "native" else None)
        assert any("The scaling of the DynamoDB table" in one for one in done["warnings"])


def test_all_backups_but_references_are_copied(account: Account, tmp_path: Path) -> None:
    account.create("things")
    kept = account.backup()["backup"]["id"]
    places = {"from": {"repository": str(tmp_path / "backups")}, "to": {"repository": str(tmp_path / "copies")}}
    for check in (True, False):
        with pytest.raises(RepositoryError, match="All backups .* only refer to data in AWS"):
            account.run("backup_copy", check, which="all", **places)
    exported = account.backup(method="export", max_age=None)["backup"]["id"]
    for check in (True, False):
        done = account.run("backup_copy", check, which="all", **places)
        assert [one["id"] for one in done["copied"]] == [exported]
        assert done["warnings"] == [f"Not copied, as they only refer to data in AWS: {kept}."]
    again = account.run("backup_copy", which="all", **places)
    assert (again["changed"], again["existing"]) == (False, [exported])
    target = account.store(prefix=f"copy_{account.prefix}")
    assert account.run("restore", target=target, repository=str(tmp_path / "copies"))["changed"]
    assert account.items(f"copy_{account.prefix}things") == [0, 1, 2]


def test_backups_with_items_are_restored_as_before(account: Account) -> None:
    account.create("things")
    account.backup(method="export")
    with pytest.raises(InvalidRequest, match="restore_time and overrides are not possible"):
        account.restore(restore_time="2025-06-30T12:00:00Z")
    assert account.restore()["changed"]
    assert account.items(f"new_{account.prefix}things") == [0, 1, 2]


class _Recorded:
    """A client that makes no call, but checks its parameters against AWS's description of the service."""

    def __init__(self, answers: dict[str, Any]) -> None:
        import botocore.session
        import botocore.validate

        self._service = botocore.session.get_session().get_service_model("dynamodb")
        self._validate, self._answers = botocore.validate.validate_parameters, answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def ask(self, operation: str, **arguments: Any) -> Any:
        name = "".join(word.capitalize() for word in operation.split("_"))
        self._validate(arguments, self._service.operation_model(name).input_shape)
        self.calls.append((name, arguments))
        return self._answers.get(name, {})


def test_the_number_of_days_is_sent_if_it_is_not_the_default() -> None:
    client: Any = _Recorded({})
    cases = ((35, None), (7, None), (35, 7)) if DAYS_ARE_KNOWN else ((35, None),)
    for days, current in cases:
        enable_recovery(client, "things", days, current)
    sent = [arguments["PointInTimeRecoverySpecification"] for _name, arguments in client.calls]
    expected = [
        {"PointInTimeRecoveryEnabled": True},
        {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7},
        {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 35},
    ]
    assert sent == expected[: len(cases)]


def test_a_time_is_restored_from_the_table(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has only its own state: the parameters are checked, and what it says of the table is changed."""
    account.create("things")
    account.backup(recovery_period=35)
    at = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)
    model: Any = _Recorded({})
    real = Client.ask

    def ask(self: Any, operation: str, **arguments: Any) -> Any:
        answer = real(self, operation, **arguments)
        if operation == "restore_table_to_point_in_time":
            model.ask(operation, **arguments)
        if operation == "describe_continuous_backups":
            found = answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
            found.update(EarliestRestorableDateTime=at - timedelta(days=1), LatestRestorableDateTime=at)
        return answer

    monkeypatch.setattr(Client, "ask", ask)
    overrides = {"SSESpecificationOverride": {"Enabled": True}}
    assert account.restore(restore_time="2025-06-30T12:00:00Z", overrides=overrides)["changed"]
    ((_name, sent),) = model.calls
    assert sent == {
        "SourceTableArn": account.described(account.prefix + "things")["TableArn"],
        "TargetTableName": f"new_{account.prefix}things",
        "RestoreDateTime": at,
        **overrides,
    }


def test_a_killed_backup_is_repeated(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before each of its calls to AWS."""
    account.create("things")
    account.backup()
    calls = itertools.count(1)
    while account.killed("backup", next(calls), monkeypatch):
        (reference,) = account.backup(max_age="0s")["backup"]["sources"][0]["references"]
        assert reference["arn"] in account.kept()
    assert next(calls) > 5


def test_a_killed_restore_is_continued(
    account: Account, told_origins: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before each of its calls to AWS."""
    account.create("things", Tags=[{"Key": "team", "Value": "ops"}])
    (reference,) = account.backup()["backup"]["sources"][0]["references"]
    new, calls = f"new_{account.prefix}things", itertools.count(1)
    while account.killed("restore", next(calls), monkeypatch):
        if new in account.boto.list_tables()["TableNames"]:  # this process has not seen the answer of the other
            told_origins[new] = {"SourceBackupArn": reference["arn"]}
        account.restore()
        assert account.items(new) == [0, 1, 2]
        tags = account.boto.list_tags_of_resource(ResourceArn=account.described(new)["TableArn"])["Tags"]
        assert tags == [{"Key": "team", "Value": "ops"}]
        account.boto.delete_table(TableName=new)
        told_origins.clear()
    assert next(calls) > 5


def stop_at(call: int, monkeypatch: pytest.MonkeyPatch, refused: str = "") -> None:
    """Have the task told to stop when AWS has done what the call with this number asks for."""
    left, real = itertools.count(1), Client.ask

    def ask(client: Any, operation: str, **arguments: Any) -> Any:
        if operation == refused:
            raise Refused("AccessDeniedException", "not allowed")
        answer = real(client, operation, **arguments)
        if next(left) == call:
            os.kill(os.getpid(), signal.SIGTERM)
        return answer

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    monkeypatch.setattr(Client, "ask", ask)


@pytest.fixture
def usual_signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def published(tmp_path: Path) -> set[str]:
    """What the published backups refer to."""
    manifests = [one.read_text() for one in tmp_path.glob("backups/app/*/manifest.json")]
    return {arn for text in manifests for arn in re.findall(r"arn:aws:dynamodb:[^\"]*/backup/[^\"]*", text)}


@pytest.mark.usefixtures("usual_signals")
def test_a_backup_that_is_stopped_leaves_nothing_in_aws(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped at each of its calls."""
    account.create("things")
    account.create("others")
    for call in itertools.count(1):
        with monkeypatch.context() as patch:
            stop_at(call, patch)
            try:
                account.backup(max_age="0s")
                break
            except Cancelled:
                assert account.kept() == published(tmp_path) == set()
    assert account.kept() == published(tmp_path)
    assert len(published(tmp_path)) == 2
    assert call > 5


@pytest.mark.usefixtures("usual_signals")
def test_what_a_stopped_backup_can_not_remove_is_told(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.create("things")
    for call in itertools.count(1):
        with monkeypatch.context() as patch:
            stop_at(call, patch, refused="delete_backup")
            with pytest.raises(Cancelled) as told:
                account.backup()
        if account.kept():
            break
    assert "Remove the backups or exports of this run in AWS manually: " in str(told.value)
    assert account.kept().pop() in str(told.value)


@pytest.mark.usefixtures("usual_signals")
def test_a_backup_that_is_stopped_while_it_is_published(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = DirectoryStaging.publish

    def publish(*arguments: Any) -> bool:
        done = real(*arguments)
        os.kill(os.getpid(), signal.SIGTERM)
        return done

    account.create("things")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    monkeypatch.setattr(DirectoryStaging, "publish", publish)
    with pytest.raises(Cancelled):
        account.backup()
    assert account.kept() == published(tmp_path)
    assert account.kept()


class _Stopped:
    """A task that is stopped once a call was answered, if it may be, and what AWS says in the answers to such calls."""

    def __init__(self, operation: str, change: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
        self.answered, self.told, real, stopped = 0, False, Client.ask, self

        def ask(client: Any, called: str, **arguments: Any) -> Any:
            answer = real(client, called, **arguments)
            if called == operation:
                change(answer)
                stopped.answered += 1
            return answer

        def check(progress: Any) -> None:
            if stopped.answered and not stopped.told and not progress._critical:
                stopped.told = True
                raise Cancelled("Stopped: timeout (1h) was exceeded.")

        monkeypatch.setattr(Client, "ask", ask)
        monkeypatch.setattr(Progress, "check", check)


def test_what_aws_still_makes_is_removed_once_it_can_be(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.create("things")
    left = itertools.count()

    def creating(answer: Any) -> None:
        if next(left) < 3:
            answer["BackupDescription"]["BackupDetails"]["BackupStatus"] = "CREATING"

    with monkeypatch.context() as patched:
        _Stopped("describe_backup", creating, patched)
        with pytest.raises(Cancelled, match="timeout"):
            account.backup()
    assert next(left) > 3  # AWS removes none that it is making
    assert account.kept() == set()

    def refuse(_self: object, reference: Any) -> None:
        raise SourceError(f"Removing {reference.arn}: AccessDeniedException.")

    with monkeypatch.context() as patched:
        left = itertools.count()
        _Stopped("describe_backup", creating, patched)
        patched.setattr(NativeBackups, "remove", refuse)
        with pytest.raises(
            Cancelled, match="exceeded. Remove the backups or exports of this run in AWS manually: Removing arn:"
        ):
            account.backup()


def test_a_restore_can_be_stopped_and_continued(
    account: Account, told_origins: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    account.create("things")
    account.backup()
    new = f"new_{account.prefix}things"

    def creating(answer: Any) -> None:
        if answer["Table"]["TableName"] == new:
            answer["Table"]["TableStatus"] = "CREATING"

    with monkeypatch.context() as patched:
        _Stopped("describe_table", creating, patched)
        with pytest.raises(TargetError, match="exceeded.*AWS is still creating it, which can't be stopped. Run again"):
            account.restore()
    assert new in told_origins
    account.restore()
    assert account.items(new) == [0, 1, 2]
    with monkeypatch.context() as patched:
        _Stopped("describe_table", lambda answer: answer["Table"].update(TableStatus="DELETING"), patched).told = True
        for check in (True, False):
            with pytest.raises(TargetError, match="can't be written to, as its status is DELETING"):
                account.restore(check=check)


def test_what_was_published_stays_in_aws(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.create("things")
    real, ids = DirectoryStaging.publish, DirectoryRepository.ids

    def publish(*given: Any) -> bool:
        real(*given)
        raise RepositoryError("The answer was lost.")

    def unknown(*given: Any) -> Any:
        if account.kept():
            raise Unreachable("No connection.")
        return ids(*given)

    monkeypatch.setattr(DirectoryStaging, "publish", publish)
    with pytest.raises(RepositoryError, match="The answer was lost.$"):
        account.backup()
    (arn,) = account.kept()
    monkeypatch.undo()
    assert account.backup()["reason"] == "recent"
    account.boto.delete_backup(BackupArn=arn)
    monkeypatch.setattr(DirectoryStaging, "publish", publish)
    monkeypatch.setattr(DirectoryRepository, "ids", unknown)
    with pytest.raises(
        RepositoryError, match="lost. The data of this backup in AWS is kept, as the backup may have been publ"
    ):
        account.backup()
    assert len(account.kept()) == 1


@pytest.mark.parametrize("method", ["native", "export"])
def test_a_manifest_that_somebody_rewrote_is_refused_in_words(account: Account, tmp_path: Path, method: str) -> None:
    """Each value of what belongs to the tables is replaced and removed, with digests that fit."""
    account.create("things", Tags=[{"Key": "team", "Value": "ops"}])
    account.backup(method=method)
    (path,) = tmp_path.glob("backups/app/*/manifest.json")
    document, refused = json.loads(path.read_text()), 0
    (part,) = [number for number, step in enumerate(document["sources"]) if step["details"]]
    for place in places(document["sources"][part]["details"]):
        for value in (None, {}, [], "x", 2**40):
            manifest, sums = sealed(changed(document, ("sources", part, "details", *place), value, value is None))
            try:
                found = parse(path.parent.name, manifest, sums).sources[part]
            except DamagedBackup:
                refused += 1
                continue
            for one in [*references_of(found.details), *found.collections]:
                settings = settings_from(found.details["tables"][one.name]["settings"])
                types = {each["AttributeName"]: each for each in settings.arguments["AttributeDefinitions"]}
                assert settings.identity
                assert all(types[each["AttributeName"]]["AttributeType"] for each in settings.arguments["KeySchema"])
    assert refused > 50
