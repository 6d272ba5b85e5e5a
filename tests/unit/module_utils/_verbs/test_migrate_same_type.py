# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From one database into another of the same type: everything arrives exactly, whatever it is."""

from __future__ import annotations

import uuid
from pathlib import Path

import boto3
import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import TargetError
from tests.services.dynamodb import options
from tests.unit.module_utils._verbs.migrations import Store, Stores, four_steps, run, sql

# Values that their column's type does not explain, in each kind of column that SQLite has.
ODD = [
    "2",
    "'t'",
    "''",
    "'nan'",
    "'1_0'",
    "'Infinity'",
    "'0x10'",
    "x'00ff'",
    "1.5",
    "NULL",
    "CAST(x'41ff' AS TEXT)",
    "-9223372036854775808",
    "9e999",
]
DECLARED = [
    *("INTEGER", "REAL", "TEXT", "BLOB", "BOOLEAN", "DATETIME", "DECIMAL(10,2)", "VARCHAR(2)"),
    *("JSON_TEXT", "DECIMAL_TEXT", "TIMESTAMP_TEXT", "TIMESTAMPTZ_TEXT", "DATE_TEXT", "", "ANY"),
]
LITERALS = ['\'{"a":1,"a":2}\'', "'1.50'", "'2024-01-01T00:00:00'", "'null'"]


def content(store: Store, table: str) -> list[object]:
    columns = [row[1] for row in sql(store, f"PRAGMA table_info({table})")]
    values = ", ".join(
        "typeof({0}), iif(typeof({0}) IN ('text', 'blob'), hex({0}), quote({0}))".format(f'"{name}"')
        for name in columns
    )
    return [
        sql(store, f"SELECT {values} FROM {table} ORDER BY 1, 2"),
        sql(store, "SELECT sql FROM sqlite_master ORDER BY name"),
    ]


def test_sqlite_keeps_whatever_sqlite_has(stores: Stores) -> None:
    source, target = stores("sqlite"), stores("sqlite")
    columns = ", ".join(f'"c{number}" {declared}' for number, declared in enumerate(DECLARED))
    sql(source, f"CREATE TABLE odd (id INTEGER PRIMARY KEY, {columns})")
    for value in ODD + LITERALS:
        sql(source, "INSERT INTO odd VALUES (NULL, {})".format(", ".join([value] * len(DECLARED))))
    done = four_steps(source, target)
    assert done["migration"]["errors"] == 0
    assert content(target, "odd") == content(source, "odd")
    sql(target, "UPDATE odd SET c4 = 3 WHERE id = 1")
    assert run(source=source, target=target, on_existing="replace", safety_backup=False)["changed"]
    assert content(target, "odd") == content(source, "odd")


def test_sqlite_keeps_rows_that_refer_to_nothing(stores: Stores) -> None:
    source, target = stores("sqlite"), stores("sqlite")
    sql(source, "CREATE TABLE parent (id INTEGER PRIMARY KEY, code TEXT)")
    sql(source, "CREATE TABLE child (id INTEGER PRIMARY KEY, p REFERENCES parent (id), q REFERENCES parent (code))")
    sql(source, "CREATE TABLE good (id INTEGER PRIMARY KEY, p REFERENCES parent (id))")
    sql(source, "INSERT INTO parent VALUES (1, 'a')")
    sql(source, "INSERT INTO child VALUES (1, 7, 'x'), (2, 1, 'a')")
    sql(source, "INSERT INTO good VALUES (1, 1)")
    four_steps(source, target)
    assert content(target, "child") == content(source, "child")
    sql(source, "INSERT INTO child VALUES (3, 8, 'y')")
    four_steps(source, target, on_existing="merge", safety_backup=False)
    assert content(target, "child") == content(source, "child")


def test_postgresql_keeps_whatever_json_has(stores: Stores, tmp_path: Path) -> None:
    source, target = stores("postgresql"), stores("postgresql")
    sql(source, "CREATE TABLE odd (id int PRIMARY KEY, j json, b jsonb NOT NULL, i interval)")
    values = [
        """'{"a": 1, "a":  2, "$time": "soonZ"}', '{"n": 1.00, "$number": "NaN"}', '1 mon -3 days 00:00:00.000001'""",
        "'null', 'null', '1 year'",
        """NULL, '"text"', '-1 s'""",
        "'1.0', '1.0', NULL",
    ]
    for number, value in enumerate(values):
        sql(source, f"INSERT INTO odd VALUES ({number}, {value})")
    four_steps(source, target)
    rows = "SELECT o::text FROM odd o ORDER BY id"
    assert sql(target, rows) == sql(source, rows)
    sql(target, """UPDATE odd SET j = '{"a":1}', b = '{"n": 1.000}'""")
    before = sql(target, rows)
    more = {"on_existing": "replace", "repository": str(tmp_path / "backups"), "name": "odd"}
    assert run(source=source, target=target, **more)["changed"]
    assert sql(target, rows) == sql(source, rows)
    assert run(target=target, state="reverted", **more)["changed"]
    assert sql(target, rows) == before


@pytest.mark.parametrize(("there", "value"), [("json", '{"n": 1.0}'), ("jsonb", '{"n": 1.0}')])
def test_json_and_jsonb_are_compared_by_value(stores: Stores, there: str, value: str) -> None:
    source, target = stores("postgresql"), stores("postgresql")
    sql(source, f"CREATE TABLE t (id int PRIMARY KEY, v {'json' if there == 'jsonb' else 'jsonb'})")
    sql(target, f"CREATE TABLE t (id int PRIMARY KEY, v {there})")
    sql(source, f"INSERT INTO t VALUES (1, '{value}')")
    four_steps(source, target)
    assert sql(target, "SELECT v->>'n' FROM t") in ([("1.0",)], [("1",)])


def test_the_settings_of_a_database_do_not_show(stores: Stores) -> None:
    source, target = stores("postgresql"), stores("postgresql")
    sql(source, "CREATE TABLE t (id int PRIMARY KEY, i interval)")
    sql(source, "INSERT INTO t VALUES (1, '1 day 02:03:04')")
    sql(source, "ALTER DATABASE postgres SET IntervalStyle = 'iso_8601'")
    try:
        four_steps(source, target)
        sql(source, "ALTER DATABASE postgres SET IntervalStyle = 'sql_standard'")
        assert not run(source=source, target=target)["changed"]
    finally:
        sql(source, "ALTER DATABASE postgres RESET IntervalStyle")


def test_a_new_dangling_row_in_the_target_is_still_an_error(stores: Stores) -> None:
    source, target = stores("sqlite"), stores("sqlite")
    for store in (source, target):
        sql(store, "CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        sql(store, "CREATE TABLE child (id INTEGER PRIMARY KEY, p REFERENCES parent (id))")
    sql(source, "INSERT INTO parent VALUES (1)")
    sql(source, "INSERT INTO child VALUES (1, 1)")
    sql(target, "INSERT INTO child VALUES (2, 9)")
    for check in (True, False):
        with pytest.raises(TargetError, match=r"child: 1 record with a reference to parent .* does not exist: \[9\]"):
            run(check, source=source, target=target, on_existing="merge", safety_backup=False)


def test_dynamodb_keeps_indexes_stream_time_to_live_billing_tags_and_sets(dynoxide_url: str, stores: Stores) -> None:
    prefix = "d" + uuid.uuid4().hex[:8]
    source, target = ({"type": "dynamodb", **options(dynoxide_url, prefix + end)} for end in ("a.", "b."))
    names = {
        "access_key_id": "aws_access_key_id",
        "secret_access_key": "aws_secret_access_key",
        "region": "region_name",
    }
    given = {names.get(name, name): value for name, value in source.items() if name not in ("type", "prefix")}
    client = boto3.client("dynamodb", **given)
    throughput = {"ReadCapacityUnits": 7, "WriteCapacityUnits": 9}
    described = {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("p", "s", "g", "l")],
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by_g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["n"]},
                "ProvisionedThroughput": throughput,
            }
        ],
        "LocalSecondaryIndexes": [
            {
                "IndexName": "by_l",
                "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "l", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        "ProvisionedThroughput": throughput,
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        "Tags": [{"Key": "team", "Value": "shop"}],
    }
    client.create_table(TableName=prefix + "a.t", **described)
    expires = {"Enabled": True, "AttributeName": "expires"}
    client.update_time_to_live(TableName=prefix + "a.t", TimeToLiveSpecification=expires)
    item = {"p": {"S": "a"}, "s": {"S": "b"}, "g": {"S": "c"}, "l": {"S": "d"}, "n": {"NS": ["2", "1"]}, "e": {"L": []}}
    client.put_item(TableName=prefix + "a.t", Item={**item, "b": {"BS": [b"x"]}, "w": {"SS": ["y", "z"]}})
    four_steps(source, target)
    found = [client.describe_table(TableName=prefix + end)["Table"] for end in ("a.t", "b.t")]
    for part in ("KeySchema", "StreamSpecification", "BillingModeSummary"):
        assert found[0].get(part) == found[1].get(part)
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        kept = ("IndexName", "KeySchema", "Projection")
        assert [[one[part] for part in kept] for one in found[1][kind]] == [
            [one[part] for part in kept] for one in found[0][kind]
        ]
    assert found[1]["ProvisionedThroughput"]["WriteCapacityUnits"] == 9
    assert found[1]["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]["ReadCapacityUnits"] == 7
    ttl = client.describe_time_to_live(TableName=prefix + "b.t")["TimeToLiveDescription"]
    assert ttl["AttributeName"] == "expires"
    assert client.list_tags_of_resource(ResourceArn=found[1]["TableArn"])["Tags"] == described["Tags"]
    (copied,) = client.scan(TableName=prefix + "b.t")["Items"]
    assert (sorted(copied["n"]["NS"]), copied["b"], sorted(copied["w"]["SS"])) == (
        ["1", "2"],
        {"BS": [b"x"]},
        ["y", "z"],
    )
    (warning,) = [
        one for one in run(True, source=source, target=stores("sqlite"))["warnings"] if "Not migrated from" in one
    ]
    assert warning == (
        "Not migrated from the table t, as only dynamodb supports it:"
        " the index by_g, the index by_l, its stream, its time to live (expires)."
    )
