# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of real servers as collections: described, read, written, compared, with checkpoints kept beside them."""

from __future__ import annotations

import sys
import threading
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    InvalidRequest,
    MissingDependency,
    SourceError,
    TargetError,
)
from ansible_collections.day2.ops.plugins.module_utils._core.records import CollectionDigest
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.tables_store import DynamodbTables
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.values import KeyField
from tests.services.dynamodb import options

ID = [KeyField("id", "S")]
RECORDS = [
    {"id": f"m{number:04d}", "n": number, "text": "é" * (number % 50), "half": Decimal(number) / 2, "none": None}
    for number in range(600)
]


def digest_of(records: list[dict[str, Any]]) -> str:
    digest = CollectionDigest()
    for record in records:
        digest.add(record)
    return digest.hexdigest()


@pytest.fixture(params=["dynoxide_url", "dynamodb_local_url"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def prefix() -> str:
    return f"store_{uuid.uuid4().hex[:8]}_"


@pytest.fixture
def store(url: str, prefix: str) -> Iterator[DynamodbTables]:
    one = DynamodbTables(options(url, prefix))
    yield one
    for name in one.collections():
        one.drop(name)


def test_written_records_are_read_counted_and_compared(store: DynamodbTables, prefix: str) -> None:
    store.create_collection("machines", ID)
    assert store.write("machines", RECORDS) == []
    (info,) = store.describe()
    assert info == ("machines", prefix + "machines", (KeyField("id", "S"),), (), 600)
    found = [record for page in store.read("machines") for record in page]
    assert sorted(found, key=lambda one: str(one["id"])) == RECORDS
    assert store.digest("machines").hexdigest() == digest_of(RECORDS)


def test_writing_again_changes_nothing(store: DynamodbTables) -> None:
    store.create_collection("machines", ID)
    store.create_collection("machines", ID)
    for dummy in range(2):
        assert store.write("machines", RECORDS[:60]) == []
        assert store.digest("machines").hexdigest() == digest_of(RECORDS[:60])


def test_the_order_of_reading_is_the_same_each_time(store: DynamodbTables) -> None:
    store.create_collection("machines", ID)
    # more than one page for each of the segments
    big = [{"id": f"b{number:03d}", "text": "x" * 200_000} for number in range(60)]
    assert store.write("machines", big) == []
    orders = [[record["id"] for page in store.read("machines") for record in page] for dummy in range(2)]
    assert orders[0] == orders[1]
    assert sorted(orders[0]) == [one["id"] for one in big]


def test_a_reading_that_is_given_up_ends_its_threads(store: DynamodbTables) -> None:
    store.create_collection("machines", ID)
    assert store.write("machines", RECORDS) == []
    before = set(threading.enumerate())
    reading = store.read("machines")
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert set(threading.enumerate()) <= before  # those of earlier tests may have ended


def test_deleted_keys_are_gone_and_others_are_not(store: DynamodbTables) -> None:
    store.create_collection("machines", ID)
    store.write("machines", RECORDS)
    store.delete("machines", [(str(record["id"]),) for record in RECORDS[100:]] + [("absent",)])
    assert store.digest("machines").hexdigest() == digest_of(RECORDS[:100])


def test_rejects_name_record_key_and_reason_and_others_are_written(store: DynamodbTables) -> None:
    store.create_collection("machines", ID)
    bad: list[dict[str, Any]] = [{"id": "bad", "n": 10**40 + 1}, {"id": ""}, {"n": 1}, dict(RECORDS[3], n=-1)]
    rejects = store.write("machines", [*RECORDS[:30], *bad])
    assert [reject.record for reject in rejects] == bad
    assert [reject.key for reject in rejects] == [("bad",), None, None, ("m0003",)]
    assert "41 digits" in rejects[0].reason
    assert "same key" in rejects[3].reason
    assert store.digest("machines").hexdigest() == digest_of(RECORDS[:30])


def test_a_table_with_another_key_is_not_written(store: DynamodbTables) -> None:
    store.create_collection("machines", ID)
    with pytest.raises(TargetError, match=r"has the key id \(S\), but the records have the key id \(N\)"):
        store.create_collection("machines", [KeyField("id", "N")])
    with pytest.raises(TargetError, match="one or two"):
        store.create_collection("other", [KeyField(name, "S") for name in "abc"])


def test_missing_tables_are_named(store: DynamodbTables, prefix: str) -> None:
    with pytest.raises(SourceError, match=f"DynamoDB table {prefix}ghosts does not exist"):
        store.read("ghosts")
    store.drop("ghosts")


def test_a_table_that_vanishes_is_named(store: DynamodbTables, url: str, prefix: str) -> None:
    store.create_collection("machines", ID)
    DynamodbTables(options(url, prefix)).drop("machines")
    with pytest.raises(TargetError, match=f"{prefix}machines.*ResourceNotFound"):
        store.write("machines", RECORDS[:3])
    with pytest.raises(SourceError, match=f"{prefix}machines.*ResourceNotFound"):
        list(store.read("machines"))


def test_tables_by_name(store: DynamodbTables, url: str, prefix: str) -> None:
    store.create_collection("one", ID)
    plain = {name: value for name, value in options(url, "").items() if name != "prefix"}
    mapped = DynamodbTables({**plain, "tables": {"machines": prefix + "one", "later": prefix + "two"}})
    assert mapped.collections() == ["machines"]
    mapped.write("machines", RECORDS[:2])
    assert store.digest("one").count == 2
    with pytest.raises(InvalidRequest, match="collection other"):
        mapped.read("other")


def test_checkpoints_are_kept_beside_the_data(store: DynamodbTables, url: str, prefix: str) -> None:
    first = store.checkpoints("m1")
    assert first.load("machines") is None
    for number in range(3):
        first.keep("machines", {"after": [None, {"id": number}, False]})
    first.keep("requests", "é")
    again = DynamodbTables(options(url, prefix)).checkpoints("m1")
    assert again.load("machines") == {"after": [None, {"id": 2}, False]}
    assert again.load("requests") == "é"
    assert store.checkpoints("m2").load("machines") is None
    assert store.collections() == []  # their table is none of the data's
    again.remove("machines")
    assert store.checkpoints("m1").load("machines") is None
    store.drop("day2_migrations")


def test_two_runs_of_one_migration_notice_each_other(store: DynamodbTables) -> None:
    one, two = store.checkpoints("m"), store.checkpoints("m")
    one.keep("machines", 1)
    with pytest.raises(TargetError, match="Another run is also writing the migration m"):
        two.keep("machines", 2)
    assert two.load("machines") == 1
    two.keep("machines", 3)
    with pytest.raises(TargetError, match="Another run"):
        one.keep("machines", 2)
    store.drop("day2_migrations")


def test_a_source_that_changes_during_a_reading_has_another_digest(store: DynamodbTables) -> None:
    store.create_collection("machines", ID)
    store.write("machines", RECORDS[:20])
    before = store.digest("machines").hexdigest()
    store.write("machines", [dict(RECORDS[0], n=-1)])
    assert store.digest("machines").hexdigest() != before


def test_an_absent_library_is_named(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    for name in ("botocore", "botocore.auth"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependency, match="boto3 is required for DynamoDB"):
        DynamodbTables(options("http://127.0.0.1:1", prefix)).collections()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tables": {"a": "b"}}, "mutually exclusive"),
        ({"prefix": None, "tables": {"a": "b", "c": "b"}}, "two collections to the table b"),
        ({"throttle_timeout": "soon"}, "not a duration"),
    ],
)
def test_options_that_do_not_go_together(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        DynamodbTables({**options("http://127.0.0.1:1", "x"), **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"secret_access_key": None}, "must be set together"),
        ({"access_key_id": None, "secret_access_key": None}, "No credentials"),
        ({"region": None}, "region"),
        ({"region": ""}, "The AWS region for DynamoDB is not set"),
        ({"profile": "nobody"}, "nobody"),
        ({"endpoint_url": "nonsense"}, "nonsense"),
    ],
)
def test_connections_that_can_not_be_made(
    change: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = DynamodbTables({**options("http://127.0.0.1:1", "x"), **change})
    with pytest.raises(InvalidRequest, match=message):
        store.collections()


def test_an_empty_region_in_the_environment_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    unset = {"region": None, "endpoint_url": None}
    with pytest.raises(InvalidRequest, match=r"region for DynamoDB is not set\. Set region, or AWS_DEFAULT_REGION"):
        DynamodbTables({**options("", "x"), **unset}).collections()


def test_a_server_that_is_not_there_is_named(prefix: str) -> None:
    with pytest.raises(SourceError, match=r"http://127.0.0.1:1.*Could not connect"):
        DynamodbTables(options("http://127.0.0.1:1", prefix)).collections()


def test_a_whole_page_of_keys_orders_as_the_server_does(store: DynamodbTables) -> None:
    key = [KeyField("group", "S"), KeyField("name", "S")]
    names = ["z", "\uffee", "\U0001f600", "a", "é", "A"]
    store.create_collection("names", key)
    store.write("names", [{"group": "g", "name": name} for name in names])
    (found,) = [[one["name"] for one in page] for page in store.read("names") if page]
    assert found == sorted(names)


def test_a_broken_writer_says_so_again(store: DynamodbTables) -> None:
    store.create_collection("machines", ID)
    with store.writer("machines") as writer:
        store.drop("machines")
        for dummy in range(2):
            with pytest.raises(TargetError, match="ResourceNotFound"):
                writer.put(RECORDS[:25])
                writer.flush()
