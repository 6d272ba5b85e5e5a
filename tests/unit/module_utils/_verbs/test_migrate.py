# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations between real stores."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sqlite3
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, LockTimeout
from ansible_collections.day2.ops.plugins.module_utils._core.records import CollectionDigest, canonical
from ansible_collections.day2.ops.plugins.module_utils._core.tagged_json import decode
from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import open_target
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite import notes as sqlite_notes
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite import shared as sqlite_shared
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.target import SqliteTarget
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import info as migrate_info
from tests.unit.module_utils._verbs.migrations import Store, Stores, connected, four_steps, run, sql
from tests.unit.module_utils.verbs import run_verb

DOCUMENT = {
    "version": "1.0",
    "templates": {
        "t-1": {"template_id": "t-1", "big": 2**70, "price": 1.5, "on": True, "tags": ["a", None], "mixed": 1},
        "t-2": {"template_id": "t-2", "mixed": "x", "text": "", "nested": {"$time": "2025-01-01", "$ref": {"$$": 1}}},
    },
    "requests": {f"req-{n}": {"request_id": f"req-{n}", "status": "running"} for n in range(40)},
    "Machines": {f"m-{n}": {"name": "ä", "select": f"req-{n % 40}", "order by": n} for n in range(60)},
}


def fill(store: Store, document: Any = None) -> None:
    Path(store["path"]).write_text(json.dumps(DOCUMENT if document is None else document))


def digests(path: str) -> dict[str, str]:
    found = {}
    for name, records in json.loads(Path(path).read_text()).items():
        digest = CollectionDigest()
        for key, record in records.items() if isinstance(records, dict) else ():
            digest.add({"key": key, "record": record})
        found[name] = digest.hexdigest() if isinstance(records, dict) else records
    return found


def test_the_way_through_all_four_stores_ends_where_it_began(stores: Stores) -> None:
    chain = [stores(kind) for kind in ("json", "sqlite", "postgresql", "dynamodb", "json")]
    fill(chain[0])
    # DynamoDB's table names can't have every character
    only = ["templates", "requests", "Machines"]
    for source, target in itertools.pairwise(chain) if hasattr(itertools, "pairwise") else zip(chain, chain[1:]):
        done = four_steps(source, target, only=only)
        assert all(one["ok"] for one in done["validation"])
    wanted = digests(chain[0]["path"])
    wanted.pop("version")
    assert digests(chain[-1]["path"]) == wanted


@pytest.mark.parametrize("source", ["json", "sqlite", "postgresql", "dynamodb"])
@pytest.mark.parametrize("target", ["json", "sqlite", "postgresql", "dynamodb"])
def test_every_pair(stores: Stores, source: str, target: str) -> None:
    first, second = stores("json"), stores(source)
    fill(first, {"requests": DOCUMENT["requests"]})
    if source == "json":
        second = first
    else:
        run(source=first, target=second)
    done = four_steps(second, stores(target), references=[{"from": "requests.request_id", "to": "requests.request_id"}])
    assert done["migration"]["total"] == 40
    assert "Migrating requests: 40/40 (100%)" in done["report"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.dictionaries(st.sampled_from("abcd"), VALUES), max_size=5))
@example({"\x85\u2028": {"a": None}})  # rejected, and to some not one line
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize("middle", ["sqlite", "postgresql"])
def test_what_goes_through_a_database_comes_back_or_is_rejected(
    stores: Stores, middle: str, records: dict[str, Any]
) -> None:
    first, last = stores("json"), {**stores("json"), "values": "exact"}
    fill(first, {"c": records})
    between = stores(middle)
    rejects = first["path"] + ".rejects"
    run(source=first, target=between, rejects=rejects, max_rejects=1000)
    run(source=between, target=last)
    with open(rejects, "a+", encoding="utf-8") as handle:
        handle.seek(0)
        refused = [decode(line) for line in handle]
    lost = {one["key"][0] for one in refused}
    assert all(one["reason"] for one in refused)
    back = decode(Path(last["path"]).read_text())["c"]
    wanted = {key: record for key, record in records.items() if key not in lost}
    assert canonical(back) == canonical(wanted)


def test_text_of_sqlite_is_the_same_in_postgresql(stores: Stores, tmp_path: Path) -> None:
    usual = [
        None,
        "",
        "null",
        "NULL",
        " ",
        ",",
        "'",
        "a, b",
        "ä\u2028\U0001f600",
        "[]",
        "{}",
        "$x",
        "1",
        "-",
        '"',
        '","',
    ]
    unusual = ["\\", "\\.", "\\N", "a\tb", "a\nb", "\r", "\x7f\x1f", "end\\", '\\"']
    refused = ["\0", "a\0b"]
    numbers = [None, 0, -1, 2**63 - 1, -(2**63)]
    source, target = stores("sqlite"), stores("postgresql")
    with contextlib.closing(sqlite3.connect(source["path"])) as connection, connection:
        connection.execute('CREATE TABLE it ("Id" INTEGER PRIMARY KEY, "te""xt" TEXT, n INTEGER, none TEXT)')
        connection.execute("CREATE TABLE plain AS SELECT * FROM it")
        for table, texts in (("it", [*usual, *unusual, *refused]), ("plain", usual)):
            connection.executemany(
                f"INSERT INTO {table} VALUES (?, ?, ?, NULL)",
                ((one, texts[one % len(texts)], numbers[one % len(numbers)]) for one in range(2400)),
            )
        connection.execute("CREATE TABLE bad (id INTEGER PRIMARY KEY, t TEXT)")
        connection.execute("INSERT INTO bad VALUES (1, 'good'), (2, CAST(x'61ff' AS TEXT))")
        for number, one in enumerate((*unusual, *refused)):
            connection.execute(f"CREATE TABLE only{number} (id INTEGER PRIMARY KEY, t TEXT)")
            connection.execute(f"INSERT INTO only{number} VALUES (1, 'x'), (2, ?)", (one,))
    keys = [{"collection": "plain", "fields": ["Id"]}]
    options = {"max_rejects": 300, "rejects": str(tmp_path / "rejects"), "primary_keys": keys, "odd": "reject"}
    done = four_steps(source, target, **options)
    lines = list(map(decode, (tmp_path / "rejects").read_bytes().splitlines()))
    rejected = {(one["collection"], *one["key"]) for one in lines}
    assert sum(one["rejected"] for one in done["migration"]["collections"]) == len(rejected) > 5
    with open_target(source, {}) as old, open_target(target, {}) as new:
        for info in [one._replace(key=one.key or ("Id",)) for one in old.collections()]:
            there = next(one for one in new.collections() if one.name == info.name)
            assert [field.kind for field in there.fields] == [field.kind for field in info.fields]
            wanted = [one for one in old.read(info) if (info.name, *[one[name] for name in info.key]) not in rejected]
            assert list(new.read(there)) == wanted


def test_a_number_does_not_become_text(stores: Stores) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    with contextlib.closing(sqlite3.connect(source["path"])) as connection, connection:
        connection.execute("CREATE TABLE it (id INTEGER PRIMARY KEY, n INTEGER)")
        connection.execute("INSERT INTO it VALUES (1, 2)")
    sql(target, "CREATE TABLE it (id int8 PRIMARY KEY, n text)")
    with pytest.raises(Day2Error, match="the field n is of kind text, but the value is a int"):
        run(source=source, target=target)
    assert sql(target, "SELECT * FROM it") == []


def test_merge_replace_and_the_way_back(stores: Stores, tmp_path: Path) -> None:
    for kind in ("json", "sqlite", "postgresql", "dynamodb"):
        first, target = stores("json"), stores(kind)
        fill(first, {"c": {"a": {"id": "a", "n": 1}, "b": {"id": "b", "n": 1}}})
        run(source=first, target=target)
        fill(first, {"c": {"b": {"id": "b", "n": 2}, "d": {"id": "d", "n": 1}}})
        with pytest.raises(Day2Error, match="on_existing=merge"):
            run(source=first, target=target)
        with pytest.raises(Day2Error, match="no repository"):
            run(source=first, target=target, on_existing="replace")
        keep = {"repository": str(tmp_path / "backups"), "name": kind}
        merged = four_steps(first, target, on_existing="merge", **keep)
        row = merged["migration"]["collections"][0]
        assert [row[name] for name in ("added", "changed", "removed", "left")] == [1, 1, 0, 1]
        assert run(target=target, state="reverted", check=True, **keep)["changed"]
        assert run(target=target, state="reverted", **keep)["changed"]
        assert not run(target=target, state="reverted", **keep)["changed"]
        replaced = four_steps(first, target, on_existing="replace", **keep)
        row = replaced["migration"]["collections"][0]
        assert [row[name] for name in ("added", "changed", "removed", "left")] == [1, 1, 1, 0]


def test_a_schema_survives_the_way_to_postgresql_and_back(stores: Stores) -> None:
    source, middle, back = stores("sqlite"), stores("postgresql"), stores("sqlite")
    with sqlite3.connect(source["path"]) as connection:
        connection.executescript(
            """CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, "Name" TEXT NOT NULL DEFAULT 'x' UNIQUE);
            CREATE TABLE "order" (a TEXT, b INT, p INT REFERENCES parent (id) ON DELETE CASCADE,
              v BLOB, PRIMARY KEY (a, b));
            CREATE INDEX by_p ON "order" (p);
            INSERT INTO parent VALUES (7, 'a'), (9, 'b');
            INSERT INTO "order" VALUES ('', 1, 9, x'00ff'), ('q', 2, NULL, NULL);"""
        )
    four_steps(source, middle)
    four_steps(middle, back)
    with sqlite3.connect(back["path"]) as connection:
        connection.execute("PRAGMA foreign_keys=ON")
        assert connection.execute("INSERT INTO parent (\"Name\") VALUES ('c') RETURNING id").fetchall() == [(10,)]
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("INSERT INTO \"order\" VALUES ('z', 1, 99, NULL)")
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("INSERT INTO parent (\"Name\") VALUES ('a')")
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'by_p'").fetchone() == (1,)
    with connected(middle) as server:
        assert server.execute('INSERT INTO parent DEFAULT VALUES RETURNING id, "Name"').fetchone() == (10, "x")


def test_numbers_that_were_given_are_not_given_again(stores: Stores) -> None:
    first, middle, last, back = stores("sqlite"), stores("postgresql"), stores("postgresql"), stores("sqlite")
    with sqlite3.connect(first["path"]) as connection:
        connection.execute("CREATE TABLE ticket (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT)")
        connection.execute("CREATE TABLE empty (id INTEGER PRIMARY KEY AUTOINCREMENT)")
        connection.execute("INSERT INTO ticket VALUES (1, 'a'), (700, 'gone')")
        connection.execute("INSERT INTO empty VALUES (30)")
        connection.execute("DELETE FROM ticket WHERE id = 700")
        connection.execute("DELETE FROM empty")
    for source, target in ((first, middle), (middle, last), (last, back)):
        four_steps(source, target)
    for store in (middle, last):
        with connected(store) as server:
            assert server.execute("INSERT INTO ticket (text) VALUES ('b') RETURNING id").fetchone() == (701,)
            assert server.execute("INSERT INTO empty DEFAULT VALUES RETURNING id").fetchone() == (31,)
    with sqlite3.connect(back["path"]) as connection:
        assert connection.execute("INSERT INTO ticket (text) VALUES ('b') RETURNING id").fetchone() == (701,)
        assert connection.execute("INSERT INTO empty DEFAULT VALUES RETURNING id").fetchone() == (31,)


def test_what_only_postgresql_understands_goes_to_postgresql(stores: Stores) -> None:
    first, second, other = stores("postgresql"), stores("postgresql"), stores("sqlite")
    with connected(first) as server:
        server.execute(
            """CREATE TABLE "the host" (
              id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name varchar(20) NOT NULL, code char(4),
              price numeric(10, 2), made timestamptz(3) DEFAULT now(), tags text[], address inet,
              unit uuid DEFAULT gen_random_uuid(),
              twice numeric GENERATED ALWAYS AS (price * 2) STORED,
              CONSTRAINT "a price" CHECK (price > 0));
            CREATE UNIQUE INDEX "by USING name" ON "the host" (lower(name)) WHERE price < 1000;
            CREATE VIEW cheap AS SELECT * FROM "the host" WHERE price < 1;
            INSERT INTO "the host" (name, code, price, tags, address)
              VALUES ('a', 'x', 1.50, '{a,"b c"}', '10.0.0.1/8'), ('b', NULL, 2, NULL, NULL)"""
        )
    done = four_steps(first, second)
    assert done["warnings"] == ["The view cheap is not migrated."]
    columns = """SELECT array_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) ||
      coalesce(' ' || pg_get_expr(d.adbin, d.adrelid), '') ORDER BY a.attname) FROM pg_attribute a
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      WHERE a.attrelid = '"the host"'::regclass AND a.attnum > 0"""
    seen = []
    for store in (first, second):
        with connected(store) as server:
            seen.append(
                [
                    server.execute(query).fetchall()
                    for query in (columns, 'SELECT id, twice, tags, address, unit, code FROM "the host" ORDER BY id')
                ]
            )
            for values in ("('c', -1)", "('A', 1)", f"('{'x' * 21}', 1)"):
                with pytest.raises(Exception, match="a price|by USING name|too long"):
                    server.execute(f'INSERT INTO "the host" (name, price) VALUES {values}')
            server.execute("""INSERT INTO "the host" (name, price) VALUES ('A', 1000)""")  # not among the index's rows
    assert seen[0] == seen[1]

    done = run(source=first, target=other)
    for part in (
        "default of unit (gen_random_uuid())",
        "computed column twice",
        "constraint a price",
        "index by USING name",
    ):
        assert part in done["warnings"][1]
    with sqlite3.connect(other["path"]) as connection:
        declared = dict(connection.execute("SELECT name, type FROM pragma_table_info('the host')"))
    assert (declared["name"], declared["code"]) == ("CHARACTER VARYING(20)", "CHARACTER(4)")
    back = stores("sqlite")
    with sqlite3.connect(back["path"]) as connection:
        connection.execute(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT DEFAULT (lower('X')), b TEXT DEFAULT 'x', CHECK (a <> ''))"
        )
        connection.execute("CREATE INDEX i ON t (a) WHERE a > 'b'")
    done = run(source=back, target=stores("postgresql"))
    (warning,) = done["warnings"]
    assert warning.startswith("Not migrated from the table t, as only sqlite supports it: the default of a (lower(")
    assert warning.endswith(" its CHECK constraints, the index i on some of the rows.")
    assert not run(source=back, target=stores("sqlite"))["warnings"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "no collections"),
        ({"c": {"a": {"id": "a"}}}, "no collection d"),
    ],
)
def test_bad_sources_are_told_with_their_names(stores: Stores, document: Any, words: str) -> None:
    source, target = stores("json"), stores("sqlite")
    fill(source, document)
    with pytest.raises(Day2Error, match=words):
        run(source=source, target=target, only=["d"] if document else None)
    assert not Path(target["path"]).exists()


@pytest.mark.parametrize("kind", ["json", "sqlite", "postgresql"])
def test_a_key_that_is_there_twice_is_an_error_that_names_it(stores: Stores, kind: str) -> None:
    source = stores("json")
    fill(source, {"c": [{"id": "a"}, {"id": "twin"}, {"id": "twin"}]})
    with pytest.raises(Day2Error, match="twin"):
        run(source=source, target=stores(kind), primary_keys=[{"collection": "c", "fields": ["id"]}])


def test_a_reference_to_nothing_stops_it_before_anything_is_written(stores: Stores) -> None:
    source, target = stores("json"), stores("sqlite")
    fill(source, {"m": {"a": {"id": "a", "r": "gone"}}, "r": {}})
    with pytest.raises(Day2Error, match="gone"):
        run(source=source, target=target, references=[{"from": "m.r", "to": "r.id"}])
    assert not Path(target["path"]).exists()


@pytest.mark.parametrize(
    ("reference", "field"),
    [
        ({"from": "m.request", "to": "r.name"}, "m has the field request"),
        ({"from": "m.r", "to": "r.id"}, "r has the field id"),
    ],
)
def test_a_reference_of_a_field_that_no_record_has_is_a_mistake(
    stores: Stores, reference: dict[str, str], field: str
) -> None:
    source, target = stores("json"), stores("sqlite")
    fill(source, {"m": {"a": {"id": "a", "r": "x"}}, "r": {"x": {"name": "x"}}})
    with pytest.raises(Day2Error, match=f"no record of {field}"):
        run(source=source, target=target, references=[reference])
    assert not Path(target["path"]).exists()
    assert run(source=source, target=target, references=[{"from": "m.r", "to": "r.name"}])["changed"]


def test_a_new_target_is_for_whom_its_directory_belongs_to_alone(tmp_path: Path) -> None:
    (tmp_path / "source.json").write_text(json.dumps(DOCUMENT))
    directory = tmp_path / "application"
    directory.mkdir()
    if os.geteuid() == 0:
        os.chown(directory, 65534, 65534)
    for kind, source in (("sqlite", tmp_path / "source.json"), ("json", directory / "target.sqlite")):
        target = directory / f"target.{kind}"
        run(source={"type": source.suffix[1:], "path": str(source)}, target={"type": kind, "path": str(target)})
        info = target.stat()
        assert (info.st_uid, info.st_gid) == (directory.stat().st_uid, directory.stat().st_gid)
        assert info.st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("json", "sqlite"),
        pytest.param("sqlite", "postgresql", marks=pytest.mark.once),
        pytest.param("sqlite", "json", marks=pytest.mark.once),
    ],
)
def test_workers_change_nothing(stores: Stores, monkeypatch: pytest.MonkeyPatch, source: str, target: str) -> None:
    monkeypatch.setattr(sqlite_shared, "_FEW", 100)
    forked: list[int] = []
    fork = os.fork

    def counted() -> int:
        forked.append(1)
        return fork()

    monkeypatch.setattr(os, "fork", counted)
    document, origin = stores("json"), stores(source)
    machines = {
        f"m-{n}": {
            "id": f"m-{n}",
            "text": "ä\n" * 200 if n % 7 else '\\ "',
            "n": n / 4,
            **({"odd": n} if n % 2 else {}),
        }
        for n in range(4000)
    }
    numbers = {str(n): {"id": n, "text": f"number {n}"} for n in range(-5, 3000)}
    fill(document, {"machines": machines, "numbers": numbers, "few": {"a": {"id": "a"}}, "listed": []})
    if source == "json":
        origin = document
    else:
        run(source=document, target=origin, workers=1)
    done = []
    for workers in (1, 2, 3):
        assert bool(forked) == (workers > 2)
        done.append(four_steps(origin, stores(target), workers=workers)["migration"]["collections"])
    assert [[(one["total"], one["digest"]) for one in each] for each in done[1:]] == [
        [(one["total"], one["digest"]) for one in done[0]]
    ] * 2


def test_the_server_computes_the_same_digest(stores: Stores) -> None:
    import psycopg

    store = stores("postgresql")
    with psycopg.connect(host=store["host"], user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute("SET search_path = {}".format(store["schema"]))
        connection.execute("""CREATE TABLE "$o'dd ""x" (id bigint PRIMARY KEY, "$t" text,
            "q""\\é%" varchar(9) COLLATE "C", c char(4) COLLATE "POSIX", f float8, r real, n numeric, b boolean,
            y bytea, s smallint, u uuid)""")
        insert = """INSERT INTO "$o'dd ""x" VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
        texts = [*map(chr, range(1, 0x180)), "\u2028\U0001f600\ufffd", '\\"\\\\', "", " a "]
        floats = [0.1, -0.0, 5e-324, 1e-5, 1e-7, 123456789012345.6, 999999999999999.9, 1 / 3, 2.5e-310, -7.0]
        numbers = ["0.00", "-0.0", "1.500", "1e250", "1e-250", "123456789012345678901234567890.123400", "100"]
        for number, text in enumerate(texts):
            row = (
                *(number - 50, text, text if number % 3 else None, text[:4], floats[number % len(floats)], 0.1),
                *(numbers[number % len(numbers)], number % 2 == 0, bytes(range(number % 256)), number, uuid.uuid4()),
            )
            connection.execute(insert, row)
        connection.execute(
            "CREATE TABLE many (id int PRIMARY KEY{})".format("".join(f", c{n} int DEFAULT {n}" for n in range(250)))
        )
        connection.execute("INSERT INTO many VALUES (1), (2)")
        connection.execute(
            "CREATE TABLE texts (id text PRIMARY KEY{})".format(
                "".join(f", c{n} text DEFAULT 'v{n}'" for n in range(150))
            )
        )
        connection.execute("INSERT INTO texts VALUES ('a', '\"', NULL), ('b\\', 'x', 'y'), ('c', ' ', NULL)")
        connection.execute("CREATE TABLE empty (id int PRIMARY KEY)")
        unusual = {"NaN": "float8", "1e23": "float8", "1e310": "numeric", "2025-01-01": "date", "infinity": "real"}
        for value, kind in unusual.items():
            connection.execute(f'CREATE TABLE "{value}" (id int PRIMARY KEY, value {kind})')
            connection.execute(f"""INSERT INTO "{value}" VALUES (1, '{value}')""")
    with open_target(store, {}) as opened:
        for info in opened.collections():
            digest = CollectionDigest()
            for record in opened.read(info):
                digest.add(record)
            known = opened.summary(info)
            if info.name in unusual:
                assert known is None, info.name
            else:
                assert known is not None, info.name
                assert (known.records, "%064x" % (known.digest % 2**256)) == (digest.count, digest.hexdigest()), (
                    info.name
                )


HAWKFISH = [
    {"version": 6, "up": ["CREATE TABLE hf_systems (id INTEGER PRIMARY KEY, name TEXT)"]},
    {
        "version": 7,
        "up": [
            "ALTER TABLE hf_systems ADD COLUMN host_id TEXT",
            "-- those that were there\nUPDATE hf_systems SET host_id = 'default' WHERE host_id IS NULL;",
        ],
    },
    {"version": 8, "up": "CREATE INDEX by_host ON hf_systems (host_id)"},
]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, stores: Stores) -> Store:
    return stores(request.param)


def test_a_schema_is_brought_up_step_by_step(database: Store, tmp_path: Path) -> None:
    done = run(target=database, schema=HAWKFISH[:1])
    assert done["schema"] == {"before": 0, "version": 6, "applied": [6], "pending": [], "safety_backup": None}
    sql(database, "INSERT INTO hf_systems VALUES (1, 'a')")
    for check in (True, False):
        with pytest.raises(Day2Error, match="no repository for their backup"):
            run(check, target=database, schema=HAWKFISH)
    params = {"target": database, "schema": HAWKFISH, "repository": str(tmp_path / "backups")}
    planned = run(True, **params)
    assert (planned["changed"], planned["schema"]["pending"], planned["schema"]["version"]) == (True, [7, 8], 6)
    done = run(**params)
    assert done["diff"] == planned["diff"]
    # the database postgres of a server can't be replaced
    kind = "database" if database["type"] == "sqlite" else "tables"
    assert done["schema"] == {"before": 6, "version": 8, "applied": [7, 8], "pending": [], "safety_backup": kind}
    assert done["safety_backup"]
    assert sql(database, "SELECT id, name, host_id FROM hf_systems") == [(1, "a", "default")]
    for check in (True, False):
        again = run(check, **params)
        assert (again["changed"], again["schema"]["version"]) == (False, 8)
    assert run(target=database, state="reverted", repository=params["repository"])["changed"]
    assert sql(database, "SELECT id, name FROM hf_systems") == [(1, "a")]
    if database["type"] == "sqlite":  # a portable export has records, not what happened to their table
        assert run(True, **params)["schema"]["pending"] == [7, 8]


def test_a_step_that_fails_is_not_there_at_all(database: Store) -> None:
    run(target=database, schema=HAWKFISH[:1])
    sql(database, "INSERT INTO hf_systems VALUES (1, 'a')")
    bad = {"version": 7, "up": ["ALTER TABLE hf_systems ADD COLUMN host_id TEXT", "UPDATE hf_system SET host_id = 'x'"]}
    with pytest.raises(Day2Error, match=r"[Vv]ersion 7 .*hf_system SET") as caught:
        run(target=database, schema=[HAWKFISH[0], bad, HAWKFISH[2]], safety_backup=False)
    assert "Traceback" not in str(caught.value)
    done = run(target=database, schema=HAWKFISH, safety_backup=False)
    assert done["schema"]["applied"] == [7, 8]


def test_what_was_applied_stays_as_it_was(database: Store) -> None:
    run(target=database, schema=HAWKFISH)
    with pytest.raises(Day2Error, match="has version 8, but the newest version in schema is 7"):
        run(True, target=database, schema=HAWKFISH[:2])
    edited = [HAWKFISH[0], {"version": 7, "up": "SELECT 1"}, HAWKFISH[2]]
    with pytest.raises(Day2Error, match="Version 7 .* was applied with different statements"):
        run(target=database, schema=edited)
    with pytest.raises(Day2Error, match="Version 5 .* was never applied, and 8 was"):
        run(target=database, schema=[{"version": 5, "up": "SELECT 1"}, *HAWKFISH])
    assert not run(target=database, schema=HAWKFISH[1:])["changed"]  # old steps may be left out


def test_a_database_from_before_anybody_kept_count(database: Store) -> None:
    sql(database, "CREATE TABLE hf_systems (id INTEGER PRIMARY KEY, name TEXT)")
    done = run(target=database, schema=HAWKFISH, schema_baseline=6, safety_backup=False)
    assert done["schema"] == {"before": 6, "version": 8, "applied": [6, 7, 8], "pending": [], "safety_backup": None}
    assert sql(database, "SELECT host_id FROM hf_systems") == []
    assert not run(target=database, schema=HAWKFISH, schema_baseline=6)["changed"]


def test_rows_whose_key_points_nowhere_are_no_step(stores: Stores) -> None:
    database = stores("sqlite")
    steps = [
        {"version": 1, "up": ["CREATE TABLE a (id INTEGER PRIMARY KEY)", "CREATE TABLE b (a REFERENCES a)"]},
        {"version": 2, "up": "INSERT INTO b VALUES (1)"},
    ]
    with pytest.raises(Day2Error, match="dangling foreign keys"):
        run(target=database, schema=steps, safety_backup=False)
    assert run(True, target=database, schema=steps, safety_backup=False)["schema"]["before"] == 1


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([], "schema is empty"),
        ([{"version": 0, "up": "SELECT 1"}], "0 is not a valid version"),
        ([{"version": 1, "up": "SELECT 1"}, {"version": 1, "up": "SELECT 1"}], "1 occurs twice"),
        ([{"version": 1, "up": []}], "up of version 1 is not a statement"),
        ([{"version": 1, "up": [" "]}], "not a string"),
        ([{"version": 1, "up": ["/* now */ -- or\n commit"]}], "has the statement COMMIT"),
        (
            [{"version": 1, "up": "CREATE TABLE a (id INTEGER); CREATE TABLE b (id INTEGER)"}],
            "Version 1 .*at a time|mult",
        ),
    ],
)
def test_steps_that_are_none(database: Store, steps: Any, words: str) -> None:
    with pytest.raises(Day2Error, match=words):
        run(target=database, schema=steps)
    if database["type"] == "postgresql" or Path(database["path"]).exists():
        assert run(True, target=database, schema=HAWKFISH)["schema"]["before"] == 0


def test_only_databases_have_a_schema(stores: Stores) -> None:
    with pytest.raises(Day2Error, match="of type json have no schema versions"):
        run(target=stores("json"), schema=HAWKFISH)


def look(source: Store, target: Store, **params: Any) -> dict[str, Any]:
    values = {name: one.get("default") for name, one in migrate_info.ARGUMENTS["argument_spec"].items()}
    values.update(source=source, target=target, **params)
    result = run_verb(migrate_info, values)
    json.dumps(result)
    return result


@pytest.mark.parametrize("kind", ["json", "sqlite", "postgresql", "dynamodb"])
def test_where_a_migration_stands(stores: Stores, kind: str, tmp_path: Path) -> None:
    source, target = stores("json"), stores(kind)
    fill(source)
    only = ["templates", "requests", "Machines"]
    found = look(source, target, compare=True, only=only)
    assert (found["same"], found["unfinished"], found["checkpoints"]) == (False, False, [])
    assert [one["added"] for one in found["comparison"]] == [2, 40, 60]
    if "path" in target:
        assert not os.path.exists(target["path"])
    run(source=source, target=target, only=only)
    found = look(source, target, compare=True, only=only)
    assert (found["same"], found["unfinished"]) == (True, False)
    assert found["msg"].endswith("hold the same records.")
    found = look(source, target, only=only)
    assert (found["same"], found["changed"]) == (None, False)
    changed = {**DOCUMENT, "requests": {"req-0": {"request_id": "req-0", "status": "done"}}}
    fill(source, changed)
    found = look(source, target, compare=True, only=["requests"])
    assert {**found["comparison"][0], "digest": ""} == {
        "name": "requests",
        "total": 1,
        "added": 0,
        "changed": 1,
        "removed": 39,
        "left": 0,
        "rejected": 0,
        "digest": "",
    }
    repository = str(tmp_path / "backups")
    done = run(source=source, target=target, only=["requests"], on_existing="replace", repository=repository)
    assert done["safety_backup"]
    assert look(source, target, only=only, repository=repository)["safety_backup"] == done["safety_backup"]


def test_a_migration_that_was_interrupted_is_seen(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = stores("json"), stores("sqlite")
    fill(source)

    def stop(*dummy: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SqliteTarget, "build_indexes", stop)
    with pytest.raises(KeyboardInterrupt):
        run(source=source, target=target, only=["requests"])
    found = look(source, target, only=["requests"])
    assert found["unfinished"] is True
    assert found["checkpoints"] == [
        {
            "name": "requests",
            "source": source["path"],
            "on_existing": "fail",
            "done": 40,
            "total": 40,
            "rejected": 0,
            "removed": 0,
        }
    ]
    assert "is unfinished: 40 of 40 records" in found["msg"]


def test_a_killed_batch_leaves_no_rejects(stores: Stores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source, target, rejects = stores("json"), stores("sqlite"), tmp_path / "rejects.jsonl"
    fill(source, {"c": {key: {"text": "\ud800" if key in "be" else "x"} for key in "abcdef"}})
    rejects.write_text("of another migration\n")
    keep = sqlite_notes.keep

    def stop(connection: Any, collection: str, checkpoint: Any, wanted: Any) -> None:
        if checkpoint.get("rejected") == 2:
            raise KeyboardInterrupt
        keep(connection, collection, checkpoint, wanted)

    options = {"rejects": str(rejects), "max_rejects": 2, "batch_size": 2}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(sqlite_notes, "keep", stop)
        run(source=source, target=target, **options)
    assert rejects.read_text().count("\n") == 3
    with open(rejects, "a") as handle:
        handle.write("of one that ran meanwhile\nhalf a li")
    run(source=source, target=target, **options)
    lines = rejects.read_text().split("\n")[:-1]
    assert (lines.pop(0), lines.pop()) == ("of another migration", "of one that ran meanwhile")
    assert [decode(line)["key"] for line in lines] == [["b"], ["e"]]


@pytest.mark.parametrize("kind", ["json", "sqlite", "postgresql"])
def test_two_migrations_into_one_store(stores: Stores, kind: str) -> None:
    source, target = stores("json"), stores(kind)
    fill(source)
    wanted = {"source": source, "target": target, "only": ["requests"], "lock_timeout": "0"}
    with open_target(target, {}) as other:
        assert other.lock()
        with pytest.raises(LockTimeout, match="Another migration is writing to"):
            run(**wanted)
        assert run(True, **wanted)["changed"]
    # PostgreSQL takes a moment to see that a connection has ended
    assert run(**{**wanted, "lock_timeout": "20s"})["changed"]
    if "path" in target:
        assert [one for one in os.listdir(os.path.dirname(target["path"])) if one.startswith(".day2-")] == []
