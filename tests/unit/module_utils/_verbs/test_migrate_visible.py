# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of PostgreSQL that a query does not show, or shows twice: row security, inheritance, partitions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from tests.unit.module_utils._verbs.migrations import Store, Stores, connected, four_steps, run, sql

ROLE = "day2_tenant"


@pytest.fixture
def tenant(postgresql: Store) -> Iterator[str]:
    """A role that owns nothing."""
    with connected({**postgresql, "schema": "public"}) as server:
        server.execute(f"CREATE ROLE {ROLE} LOGIN")
        yield ROLE
        server.execute(f"DROP OWNED BY {ROLE}")
        server.execute(f"DROP ROLE {ROLE}")


@pytest.mark.parametrize("policy", ["", f"CREATE POLICY own ON t TO {ROLE} USING (owner = 'a')"])
@pytest.mark.parametrize("check", [True, False])
def test_a_role_that_may_not_see_all_rows_is_refused(stores: Stores, tenant: str, policy: str, check: bool) -> None:
    source, target = stores("postgresql"), stores("json")
    with connected(source) as server:
        server.execute("CREATE TABLE t (id int PRIMARY KEY, owner text)")
        server.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
        server.execute(f"ALTER TABLE t ENABLE ROW LEVEL SECURITY; {policy}")
        server.execute(f"GRANT USAGE ON SCHEMA {source['schema']} TO {tenant}; GRANT SELECT ON t TO {tenant}")
    with pytest.raises(Day2Error, match="row-level security policy for table") as caught:
        run(check, source={**source, "username": tenant}, target=target)
    assert "BYPASSRLS" in str(caught.value.hint)
    assert not Path(target["path"]).exists()
    four_steps(source, target)  # its owner sees all
    assert len(json.loads(Path(target["path"]).read_text())["t"]) == 2


def test_a_target_whose_rows_are_hidden_is_not_written(stores: Stores, tenant: str) -> None:
    source, target = stores("json"), stores("postgresql")
    Path(source["path"]).write_text(json.dumps({"t": {"1": {"id": "1"}}}))
    with connected(target) as server:
        server.execute("CREATE TABLE t (id text PRIMARY KEY)")
        server.execute("INSERT INTO t VALUES ('hidden')")
        server.execute("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        server.execute(f"GRANT ALL ON SCHEMA {target['schema']} TO {tenant}; GRANT ALL ON t TO {tenant}")
    for check in (True, False):
        with pytest.raises(Day2Error, match="row-level security"):
            run(check, source=source, target={**target, "username": tenant}, on_existing="replace", safety_backup=False)
    assert sql(target, "SELECT * FROM t") == [("hidden",)]


FAMILY = """CREATE TABLE "Parent" (id int PRIMARY KEY, n int);
CREATE TABLE child (PRIMARY KEY (id), more text) INHERITS ("Parent");
CREATE TABLE grandchild (PRIMARY KEY (id)) INHERITS (child);
CREATE TABLE parts (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE high PARTITION OF parts FOR VALUES FROM (10) TO (20)"""
ROWS = """INSERT INTO "Parent" VALUES (1, 1);
INSERT INTO child VALUES (1, 2, 'x'), (2, 2, NULL);
INSERT INTO grandchild VALUES (1, 3, 'y');
INSERT INTO parts VALUES (1, 1), (11, 2)"""


@pytest.mark.parametrize("kind", ["json", "sqlite", "postgresql"])
def test_a_row_of_a_table_that_inherits_is_one_of_its_own(stores: Stores, kind: str) -> None:
    source, target = stores("postgresql"), stores(kind)
    with connected(source) as server:
        server.execute(FAMILY)
        server.execute(ROWS)
    done = four_steps(source, target)
    totals = {one["name"]: one["total"] for one in done["migration"]["collections"]}
    assert totals == {"Parent": 1, "child": 2, "grandchild": 1, "parts": 2}
    told = [one for one in done["warnings"] if "The inheritance of the table" in one]
    assert len(told) == 2
    assert "the table child from Parent is not migrated" in told[0]
    if kind == "postgresql":
        assert sql(target, 'SELECT * FROM "Parent"') == [(1, 1)]


def test_rows_of_tables_that_inherit_are_not_touched_in_the_target(stores: Stores) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    sql(source, 'CREATE TABLE "Parent" (id INTEGER PRIMARY KEY, n INTEGER)')
    sql(source, 'INSERT INTO "Parent" VALUES (5, 5)')
    sql(source, "CREATE TABLE parts (id INTEGER PRIMARY KEY, n INTEGER)")
    sql(source, "INSERT INTO parts VALUES (12, 5)")
    with connected(target) as server:
        server.execute(FAMILY)
        server.execute(ROWS)
    assert run(source=source, target=target, on_existing="replace", safety_backup=False)["changed"]
    assert not run(source=source, target=target)["changed"]
    assert sql(target, 'SELECT tableoid::regclass::text, id FROM "Parent" ORDER BY 1, 2') == [
        ('"Parent"', 5),
        ("child", 1),
        ("child", 2),
        ("grandchild", 1),
    ]
    assert sql(target, "SELECT * FROM parts") == [(12, 5)]


def test_a_child_in_another_schema_is_told(stores: Stores) -> None:
    first, second, target = stores("postgresql"), stores("postgresql"), stores("json")
    sql(first, "CREATE TABLE parent (id int PRIMARY KEY)")
    sql(second, f"CREATE TABLE child (PRIMARY KEY (id)) INHERITS ({first['schema']}.parent)")
    sql(second, "INSERT INTO child VALUES (1)")
    done = four_steps(first, target)
    assert done["migration"]["total"] == 0
    assert done["warnings"] == [
        f"The table {second['schema']}.child, which inherits from parent, is in another schema and is not migrated."
    ]
