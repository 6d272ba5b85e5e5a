# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of DynamoDB tables, item by item, on real servers."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any, Callable, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    DamagedBackup,
    Day2Error,
    InvalidRequest,
    SourceError,
    TargetError,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.backup import restore as dynamodb_restore
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.backup.items import key_shown, text_of
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.values import KeyField
from ansible_collections.day2.ops.plugins.module_utils._stores.registry import open_store
from tests.services import throttle_proxy
from tests.services.dynamodb import CREDENTIALS, REGION

_numbers = itertools.count()
KEY = [{"AttributeName": "id", "KeyType": "HASH"}]
ATTRIBUTES = [{"AttributeName": "id", "AttributeType": "S"}]


class Server:
    """Tables under a prefix of their own, seen through boto3 and as a store."""

    def __init__(self, url: str, new_sink: Callable[[], Any], copy_of: Callable[[Any, Any], Any]) -> None:
        import boto3

        self.url, self.prefix = url, f"t{next(_numbers)}_"
        self._new_sink, self._copy_of = new_sink, copy_of
        self.boto: Any = boto3.client(
            "dynamodb",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["access_key_id"],
            aws_secret_access_key=CREDENTIALS["secret_access_key"],
        )

    def create(self, name: str, **more: Any) -> None:
        given = {"KeySchema": KEY, "AttributeDefinitions": ATTRIBUTES, "BillingMode": "PAY_PER_REQUEST", **more}
        self.boto.create_table(TableName=self.prefix + name, **given)

    def put(self, name: str, *items: dict[str, Any]) -> None:
        for item in items:
            self.boto.put_item(TableName=self.prefix + name, Item=item)

    def items(self, name: str, prefix: str = "") -> dict[str, Any]:
        found = self.boto.scan(TableName=(prefix or self.prefix) + name, ConsistentRead=True)["Items"]
        for value in (value for one in found for value in one.values()):  # sets have no order
            value.update((kind, sorted(content)) for kind, content in value.items() if kind in ("SS", "NS", "BS"))
        return {one["id"]["S"]: one for one in found}

    def store(self, **options: Any) -> Any:
        given = {**CREDENTIALS, "region": REGION, "endpoint_url": self.url, "prefix": self.prefix, **options}
        return open_store({"type": "dynamodb", "path": None, "name": None, **given})

    def backup(self, **options: Any) -> Any:
        sink = self._new_sink()
        return self._copy_of(sink, self.store(**options).snapshot(sink))

    def prepare(self, copy: Any, *only: str, dry: bool = False, **options: Any) -> Any:
        return self.store(**options).prepare(copy, only, self._new_sink().scratch, dry)

    def restore(self, copy: Any, *only: str, **options: Any) -> Any:
        with self.prepare(copy, *only, **options) as ready:
            ready.apply()
        return ready


@pytest.fixture
def server(dynoxide_url: str, new_sink: Callable[[], Any], copy_of: Callable[[Any, Any], Any]) -> Server:
    return Server(dynoxide_url, new_sink, copy_of)


def item(name: str, **more: Any) -> dict[str, Any]:
    return {"id": {"S": name}, **more}


RICH = item(
    "rich",
    number={"N": "1234567890123456789012345678901234567.8"},
    small={"N": "1E-120"},
    tiny={"N": "-0.00"},
    big={"N": "9.9E+125"},
    binary={"B": b"\x00\xff"},
    texts={"SS": ["b", "a", "ä"]},
    numbers={"NS": ["3", "1", "20.0"]},
    binaries={"BS": [b"b", b"a"]},
    nested={"M": {"size": {"L": [{"BOOL": True}, {"NULL": True}, {"M": {}}, {"L": []}]}, "$time": {"S": "x"}}},
    empty={"S": ""},
    status={"S": "reserved names are only names"},
)


def test_a_restore_brings_every_value_back(server: Server) -> None:
    server.create("things")
    server.put("things", RICH, item("large", text={"S": "x" * 400_000}), item('ä\n\t"'))
    before = server.items("things")
    copy = server.backup()
    assert [tuple(one) for one in copy.collections] == [("things", 3)]
    assert copy.details["moved"] == []
    assert copy.details["point_in_time"] is False
    lines = copy.files["things.jsonl"].splitlines()
    assert sorted(json.loads(line)["Item"]["id"]["S"] for line in lines) == ["large", "rich", 'ä\n\t"']
    server.restore(copy, prefix=server.prefix + "new_")
    assert server.items("new_things") == before
    assert server.backup(prefix=server.prefix + "new_").content_digest == copy.content_digest


def test_numbers_and_sets_have_one_spelling() -> None:
    def number(text: str) -> str:
        return str(json.loads(text_of({"n": {"N": text}}))["n"]["N"])

    equal = [("100", "1E2", "100.0", "1e+2"), ("0", "-0", "0.00", "0E+5"), ("0.5", ".5", "5E-1", "0.50")]
    equal += [("-1.5", "-1.50", "-15E-1"), ("1E+100", "1" + "0" * 100, "10E99"), ("1E-100", "0." + "0" * 99 + "1")]
    for same in equal:
        assert {number(text) for text in same} == {same[0]}
    assert text_of({"a": {"NS": ["2.0", "10", "1"]}}) == text_of({"a": {"NS": ["1", "2", "10"]}})
    assert text_of({"a": {"SS": ["b", "a"]}, "b": {"S": ""}}) == text_of({"b": {"S": ""}, "a": {"SS": ["a", "b"]}})
    assert key_shown({"id": {"S": "x"}, "n": {"N": "1"}}, (KeyField("id", "S"), KeyField("n", "N"))) == "id=x, n=1"
    with pytest.raises(SourceError, match="unknown kind: X"):
        text_of({"a": {"X": 1}})


def test_the_settings_of_a_table_come_back(server: Server) -> None:
    server.create(
        "things",
        AttributeDefinitions=[*ATTRIBUTES, {"AttributeName": "n", "AttributeType": "N"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_n",
                "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        Tags=[{"Key": "team", "Value": "ops"}],
        DeletionProtectionEnabled=True,
    )
    server.boto.update_time_to_live(
        TableName=server.prefix + "things", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
    )
    server.put("things", item("a", n={"N": "1"}))
    copy = server.backup()
    new = server.prefix + "new_"
    ready = server.restore(copy, prefix=new)
    assert ready.notes == ()
    assert server.backup(prefix=new).content_digest == copy.content_digest
    table = server.boto.describe_table(TableName=new + "things")["Table"]
    assert [one["IndexName"] for one in table["GlobalSecondaryIndexes"]] == ["by_n"]
    assert table["DeletionProtectionEnabled"] is True
    with server.prepare(copy, prefix=new) as again:
        assert not again.changed


def test_an_existing_table_keeps_its_settings_and_gets_those_that_it_lacks(server: Server) -> None:
    server.create("things", Tags=[{"Key": "team", "Value": "ops"}])
    server.put("things", item("a"))
    copy = server.backup()
    server.boto.delete_table(TableName=server.prefix + "things")
    server.create(
        "things", BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    )
    server.put("things", item("a"))
    with server.prepare(copy) as ready:
        assert (ready.changed, ready.replaces) == (True, False)
        assert ready.differences == (("things: the tags team", "added"),)
        assert ready.notes == (f"{server.prefix}things keeps settings that differ from the backup: billing mode.",)
        ready.apply()
    with server.prepare(copy) as ready:
        assert not ready.changed


def test_only_what_differs_is_written(server: Server) -> None:
    server.create("things")
    server.put("things", *(item(f"i{number}", n={"N": str(number)}) for number in range(40)))
    copy, before = server.backup(), server.items("things")
    server.put("things", item("i3", n={"N": "-1"}), item("new"))
    server.boto.delete_item(TableName=server.prefix + "things", Key=item("i5"))
    changed = server.items("things")
    with throttle_proxy.proxy(server.url) as proxy, server.prepare(copy, endpoint_url=proxy.url) as ready:
        assert (ready.changed, ready.replaces) == (True, True)
        assert ready.changes == (("things", 40, 40),)
        assert proxy.calls["BatchWriteItem"] == 0
        ready.apply()
        assert proxy.calls["BatchWriteItem"] == 2  # one deletes, one puts
        assert server.items("things") == before
        ready.undo()
        assert server.items("things") == changed


def test_a_restore_that_only_adds_replaces_nothing(server: Server) -> None:
    server.create("things")
    server.put("things", item("a"), item("b"))
    copy = server.backup()
    server.boto.delete_item(TableName=server.prefix + "things", Key=item("a"))
    with server.prepare(copy) as ready:
        assert (ready.changed, ready.replaces) == (True, False)
        ready.apply()
        assert set(server.items("things")) == {"a", "b"}
        ready.undo()
        assert set(server.items("things")) == {"b"}


def test_one_of_several_tables(server: Server) -> None:
    for name in ("first", "second", "third"):
        server.create(name)
        server.put(name, item("a"))
    copy = server.backup(tables={"include": ["first", "s*"], "exclude": None})
    assert [one.name for one in copy.collections] == ["first", "second"]
    for name in ("first", "second", "third"):
        server.put(name, item("a", changed={"BOOL": True}))
    server.restore(copy, "second")
    assert ["changed" in server.items(name)["a"] for name in ("first", "second", "third")] == [True, False, True]
    with pytest.raises(InvalidRequest, match="third"):
        server.prepare(copy, "third")
    with pytest.raises(InvalidRequest, match="include has fourth"):
        server.backup(tables={"include": ["first", "fourth"], "exclude": None})
    with pytest.raises(SourceError, match="there is no DynamoDB table"):
        server.backup(prefix="no-such-")
    with pytest.raises(InvalidRequest, match="Choose a shorter prefix"):
        server.backup(prefix=server.prefix + "first")


def test_the_safety_backup_has_only_what_is_replaced(server: Server, new_sink: Callable[[], Any]) -> None:
    for name in ("first", "second"):
        server.create(name)
        server.put(name, item("a"))
    copy = server.backup()
    server.put("first", item("a", changed={"BOOL": True}))
    store = server.store()
    with store.prepare(copy, (), new_sink().scratch, False) as ready:
        assert ready.replaces
        assert [one.name for one in store.snapshot(new_sink()).collections] == ["first"]


def test_writing_meanwhile_is_seen(server: Server) -> None:
    server.create("things")
    server.put("things", item("a"))

    def fault(operation: str, number: int) -> str:
        if operation == "Scan" and number == 9:  # the second reading begins, of eight segments
            server.put("things", item("b"))
        return throttle_proxy.NOTHING

    with throttle_proxy.proxy(server.url) as proxy:
        proxy.fault = fault
        copy = server.backup(endpoint_url=proxy.url)
        assert copy.details["moved"] == ["things"]
        assert "written to while they were read" in copy.notes[0]
        assert server.backup(endpoint_url=proxy.url, read_twice=False).details["moved"] is None


def test_throttling_and_failures_lose_nothing(server: Server) -> None:
    server.create("things")
    server.put("things", *(item(f"i{number}") for number in range(60)))
    copy = server.backup()
    faults = itertools.cycle(
        [throttle_proxy.THROTTLE, throttle_proxy.UNPROCESSED, throttle_proxy.CUT_AFTER, throttle_proxy.NOTHING]
    )
    with throttle_proxy.proxy(server.url) as proxy:
        proxy.fault = lambda operation, number: (
            next(faults) if operation == "BatchWriteItem" or (operation == "Scan" and number % 3) else ""
        )
        server.restore(copy, prefix=server.prefix + "new_", endpoint_url=proxy.url)
    assert len(server.items("new_things")) == 60


def test_a_failed_restore_is_taken_back(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.create("new")
    server.create("old")
    server.put("new", *(item(f"i{number}") for number in range(60)))
    server.put("old", *(item(f"i{number}") for number in range(60)))
    copy = server.backup()
    server.boto.delete_table(TableName=server.prefix + "new")
    server.put("old", *(item(f"i{number}", changed={"BOOL": True}) for number in range(60)), item("more"))
    before = server.items("old")
    busy, undo = [True], dynamodb_restore._undo

    def fault(operation: str, number: int) -> str:
        refused = busy[0] and operation == "BatchWriteItem" and number >= 5
        return throttle_proxy.ALL_UNPROCESSED if refused else throttle_proxy.NOTHING

    def taken_back(*tables: Any) -> str:
        busy[0] = False
        return undo(*tables)

    monkeypatch.setattr(dynamodb_restore, "_undo", taken_back)
    with throttle_proxy.proxy(server.url) as proxy:
        proxy.fault = fault
        with server.prepare(copy, endpoint_url=proxy.url, throttle_timeout="1s") as ready:
            with pytest.raises(TargetError, match="undone"):
                ready.apply()
    assert server.items("old") == before
    assert server.prefix + "new" not in server.boto.list_tables()["TableNames"]


def test_what_is_missing_afterwards_is_named(server: Server) -> None:
    server.create("things")
    server.put("things", *(item(f"i{number}") for number in range(3)))
    copy = server.backup()
    new = server.prefix + "new_"

    def fault(operation: str, number: int) -> str:
        if operation == "Scan" and number == 1:
            server.boto.delete_item(TableName=new + "things", Key=item("i1"))
        return throttle_proxy.NOTHING

    with throttle_proxy.proxy(server.url) as proxy:
        proxy.fault = fault
        with pytest.raises(TargetError, match="1 items are missing .*: id=i1"):
            server.restore(copy, prefix=new, endpoint_url=proxy.url)


def test_what_others_write_to_an_existing_table_during_a_restore_is_told(server: Server) -> None:
    server.create("things")
    server.put("things", item("a"), item("b"))
    copy = server.backup()
    server.put("things", item("a", other={"S": "x"}))
    written: list[str] = []

    def fault(operation: str, number: int) -> str:
        if operation == "BatchWriteItem" and not written:
            written.append(operation)
            server.put("things", item("new"))
        return throttle_proxy.NOTHING

    with throttle_proxy.proxy(server.url) as proxy:
        proxy.fault = fault
        ready = server.restore(copy, endpoint_url=proxy.url)
    assert "Other programs have written 1 items" in ready.notes[0]
    assert server.items("things") == {"a": item("a"), "b": item("b"), "new": item("new")}


def test_a_table_that_others_create_meanwhile_stays(server: Server) -> None:
    server.create("things")
    server.put("things", item("a"))
    copy = server.backup()
    server.boto.delete_table(TableName=server.prefix + "things")

    def fault(operation: str, number: int) -> str:
        if operation == "CreateTable":
            server.create("things")
            server.put("things", item("theirs"))
        return throttle_proxy.NOTHING

    with throttle_proxy.proxy(server.url) as proxy:
        proxy.fault = fault
        with pytest.raises(TargetError, match="was created by another program at the same time"):
            server.restore(copy, endpoint_url=proxy.url)
    assert server.items("things") == {"theirs": item("theirs")}


def test_read_capacity_is_limited(server: Server) -> None:
    server.create("things")
    server.put("things", *(item(f"i{number}", text={"S": "x" * 4000}) for number in range(60)))
    began = time.monotonic()
    copy = server.backup(max_read_units=40, jobs=2, read_twice=False)
    assert copy.collections[0].records == 60
    assert time.monotonic() - began > 0.5  # not before the first call was paid for


def test_a_damaged_backup_changes_nothing(server: Server) -> None:
    server.create("things")
    server.put("things", item("a"))
    copy = server.backup()
    copy.damage("things.jsonl")
    server.put("things", item("b"))
    for prefix in (server.prefix, server.prefix + "new_"):
        with pytest.raises(DamagedBackup):
            server.prepare(copy, prefix=prefix)
    assert set(server.items("things")) == {"a", "b"}


def test_another_key_is_refused(server: Server) -> None:
    server.create("things")
    copy = server.backup()
    assert copy.files == {"things.jsonl": b""}
    server.boto.delete_table(TableName=server.prefix + "things")
    server.create("things", AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}])
    with pytest.raises(TargetError, match="has the key id \\(N\\)"):
        server.prepare(copy, dry=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"jobs": 0}, "jobs is 0"),
        ({"max_read_units": -1}, "max_read_units is -1"),
        ({"prefix": "a/b"}, "names of tables can only contain"),
        ({"secret_access_key": None}, "must be set together"),
        ({"throttle_timeout": "soon"}, "soon"),
        ({"path": "/x"}, "path is not an option"),
        ({"endpoint_url": "http://127.0.0.1:1", "throttle_timeout": "1s"}, "Listing the tables"),
    ],
)
def test_bad_input(server: Server, options: dict[str, Any], said: str) -> None:
    with pytest.raises(Day2Error, match=said):
        server.backup(**options)


def test_the_address_is_of_the_place(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)

    def path(**options: Optional[str]) -> Any:
        return server.store(**{"endpoint_url": None, "prefix": "a_", **options}).path

    assert path() == f"dynamodb://{REGION}/a_"
    assert path(region=None) == "dynamodb://default/a_"
    assert path(endpoint_url="http://127.0.0.1:8000") == "dynamodb://127.0.0.1:8000/a_"


@pytest.fixture
def local(dynamodb_local_url: str, new_sink: Callable[[], Any], copy_of: Callable[[Any, Any], Any]) -> Server:
    return Server(dynamodb_local_url, new_sink, copy_of)


@pytest.mark.once
def test_amazon_s_own_server(local: Server) -> None:
    local.create("things")
    local.put("things", RICH, item("b"))
    copy = local.backup()
    assert copy.notes == ()  # that it has no tags is no news
    new = local.prefix + "new_"
    assert local.restore(copy, prefix=new).notes == ()
    assert local.items("new_things") == local.items("things")
    assert local.backup(prefix=new).content_digest == copy.content_digest
