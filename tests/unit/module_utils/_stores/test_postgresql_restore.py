# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole restores of databases of PostgreSQL: the database is exactly as in the backup, or as it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    DamagedBackup,
    InvalidRequest,
    NoSpace,
    TargetError,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster import (
    commits,
    follow,
    restore_databases,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster.identity import (
    list_tables,
    table_sums,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster.restore_databases import Place
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster.restore_load import copy_in
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster.row_text import WHOLE
from tests.services.waiting import wait_for

from .conftest import MemorySink
from .postgresql_bench import END_OTHERS, Bench, clean

pytestmark = pytest.mark.once  # each restore takes a second

SHOP = """
SET search_path = public;
CREATE TABLE big (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
INSERT INTO big (v) SELECT md5(g::text) FROM generate_series(1, 500) g;
CREATE TABLE "Odd ""name" (id int REFERENCES big, n int CHECK (n > 0), m int GENERATED ALWAYS AS (n * 2) STORED);
INSERT INTO "Odd ""name" SELECT g, 10 FROM generate_series(1, 9) g;
CREATE SEQUENCE loose; SELECT nextval('loose'), nextval('loose'), lo_from_bytea(0, 'abc');
CREATE MATERIALIZED VIEW sums AS SELECT sum(n) FROM "Odd ""name";
CREATE TABLE nothing (); CREATE UNLOGGED TABLE quick AS SELECT 1 AS a;
CREATE INDEX ON big (v);
"""


@pytest.fixture
def bench(postgresql: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(follow, "SMALL", 1000)
    made = Bench(postgresql, tmp_path)
    yield made
    clean(made)


def test_a_database_that_was_changed_is_as_in_the_backup(bench: Bench) -> None:
    bench.make("shop", SHOP)
    copy = bench.backup("shop")
    assert [name for name in copy.names() if name.endswith(".dat")], "no table lies in a file of its own"
    bench.execute(
        "shop", "DELETE FROM public.big WHERE id > 400; CREATE TABLE public.later (); DROP INDEX public.big_v_idx"
    )
    with bench.prepare(copy) as ready:
        assert ready.changed
        assert ("shop.public.big", 400, 500) in ready.changes
        assert ("shop.public.later", 0, 0) in ready.changes
        assert bench.query("shop", "SELECT count(*) FROM public.big") == 400
        ready.apply()
        assert bench.query("shop", "SELECT count(*) FROM public.big") == 500
    assert bench.databases() == ["shop"]
    assert bench.query(
        "shop", "SELECT to_regclass('public.later') IS NULL AND to_regclass('public.big_v_idx') IS NOT NULL"
    )
    assert bench.query("shop", "SELECT nextval('public.loose')") == 3
    assert bench.query("shop", "SELECT sum FROM public.sums") == 90


def test_a_restore_after_a_restore_changes_nothing(bench: Bench) -> None:
    bench.make("shop", SHOP)
    copy = bench.backup("shop")
    assert not bench.restore(copy).changed
    bench.execute("postgres", "DROP DATABASE shop")
    assert bench.restore(copy).changed
    for dry in (True, False):
        ready = bench.prepare(copy, dry=dry)
        with ready:
            assert not ready.changed
            assert not ready.differences


def test_check_mode_creates_nothing_and_reads_everything(bench: Bench) -> None:
    bench.make("shop", SHOP)
    copy = bench.backup("shop")
    bench.execute("shop", "UPDATE public.big SET v = 'x' WHERE id = 7")
    with bench.prepare(copy, dry=True) as ready:
        assert ready.changed
        assert ready.differences == (("shop: public.big", "changed"),)
        assert bench.databases() == ["shop"]
    copy.damage(next(name for name in copy.names() if name.endswith(".dat")))
    with pytest.raises(DamagedBackup):
        bench.prepare(copy, dry=True)


def test_undo_brings_the_old_database_back_with_all_that_it_had(bench: Bench) -> None:
    bench.make("shop", SHOP)
    copy = bench.backup("shop")
    bench.execute("shop", "DELETE FROM public.big WHERE id > 400")
    bench.execute("postgres", "COMMENT ON DATABASE shop IS 'the shop'")
    before = bench.properties("shop")
    with bench.prepare(copy) as ready:
        ready.apply()
        ready.undo()
    assert bench.query("shop", "SELECT count(*) FROM public.big") == 400
    assert bench.properties("shop") == before
    assert bench.databases() == ["shop"]


@pytest.mark.parametrize("is_lost", [False, True], ids=["in use", "connection lost"])
def test_what_can_not_be_put_back_is_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch, is_lost: bool) -> None:
    bench.make("shop", SHOP)
    copy = bench.backup("shop")
    bench.execute("shop", "DELETE FROM public.big WHERE id > 400")
    monkeypatch.setattr(restore_databases, "_PATIENCE", "300ms")
    monkeypatch.setattr(restore_databases, "_end_sessions", lambda *_given: None)  # as for a role that may not
    why = "Can't replace shop: " if is_lost else "The database shop is in use"
    with pytest.raises(TargetError, match=f"could not be undone: {why}") as failed:
        with bench.prepare(copy) as ready:
            ready.apply()
            if is_lost:
                assert bench.query("postgres", END_OTHERS)
            with bench.server().connect("shop"):
                ready.undo()
    (kept,) = [name for name in bench.databases() if name != "shop"]
    assert f"shop as {kept}): rename them, or drop them before" in str(failed.value.hint)
    assert bench.query(kept, "SELECT count(*) FROM public.big") == 400
    with pytest.raises(TargetError, match="already exists"):
        bench.prepare(copy)


def test_a_database_that_is_there_keeps_its_own_properties(bench: Bench) -> None:
    bench.make("shop", SHOP)
    copy = bench.backup("shop")
    bench.execute("shop", 'TRUNCATE public.nothing; DELETE FROM public."Odd ""name"')
    for statement in (
        "CREATE ROLE own1; CREATE ROLE read1",
        "ALTER DATABASE shop SET search_path = 'a b', public; ALTER DATABASE shop SET work_mem = '9MB'",
        "ALTER ROLE read1 IN DATABASE shop SET statement_timeout = '7s'; ALTER DATABASE shop CONNECTION LIMIT 77",
        "GRANT CONNECT ON DATABASE shop TO read1 WITH GRANT OPTION; REVOKE TEMP ON DATABASE shop FROM PUBLIC",
        "COMMENT ON DATABASE shop IS 'the shop''s'; ALTER DATABASE shop OWNER TO own1",
        "ALTER DATABASE shop IS_TEMPLATE true",
    ):
        bench.execute("postgres", statement)
    before = bench.properties("shop")
    assert before["owner"] == "own1"
    assert bench.restore(copy).changed
    assert bench.properties("shop") == before
    # a database that is missing gets those of the backup
    copy = bench.backup("shop")
    bench.execute("postgres", "ALTER DATABASE shop IS_TEMPLATE false", "DROP DATABASE shop")
    bench.restore(copy)
    assert bench.properties("shop") == before
    bench.execute("postgres", "ALTER DATABASE shop IS_TEMPLATE false", "DROP DATABASE shop", "DROP ROLE own1, read1")


def test_connections_are_named_or_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore_databases, "_DOUBTS", 0.3)
    bench.make("shop", SHOP)
    copy = bench.backup("shop")
    bench.execute("shop", "DELETE FROM public.quick")
    session = bench.server().connect("shop")
    session.execute("SET application_name = 'till'")
    for dry in (True, False):
        with pytest.raises(TargetError, match=r"in use by pid \d+ \(till, user postgres, socket\)"):
            bench.prepare(copy, dry=dry)
    assert bench.databases() == ["shop"]
    assert bench.restore(copy, disconnect=True).changed
    assert session.broken or _is_gone(session)
    assert bench.query("shop", "SELECT count(*) FROM public.quick") == 1


def _is_gone(session: Any) -> bool:
    try:
        session.execute("SELECT 1")
    except Exception:
        return True
    return False


def test_clients_that_come_back_at_once_do_not_keep_a_restore_away(bench: Bench) -> None:
    bench.make("shop", SHOP)
    copy = bench.backup("shop")
    stop, seen = threading.Event(), []

    def client() -> None:
        while not stop.is_set():
            try:
                seen.append(bench.query("shop", "SELECT count(*) FROM public.quick"))
            except Exception:
                time.sleep(0.001)

    threads = [threading.Thread(target=client) for _ in range(4)]
    bench.execute("shop", "DELETE FROM public.quick")
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: seen)
        assert bench.restore(copy, disconnect=True).changed
        wait_for(lambda: seen[-1] == 1)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(seen) == {0, 1}


def test_what_belongs_to_the_database_alone_refuses_by_name(bench: Bench) -> None:
    bench.make("shop", SHOP)
    copy = bench.backup("shop")
    bench.execute("shop", "DELETE FROM public.quick")
    bench.execute(
        "shop", "CREATE SUBSCRIPTION sub1 CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false, slot_name = NONE)"
    )
    for dry in (True, False):
        with pytest.raises(TargetError, match="the subscription sub1"):
            bench.prepare(copy, dry=dry, disconnect=True)
    bench.execute("shop", "DROP SUBSCRIPTION sub1")
    assert bench.restore(copy).changed


def test_a_server_that_lets_nobody_in_to_end_sessions(bench: Bench) -> None:
    refusing = bench.server(host=str(bench.directory))
    with bench.server().connect() as session:
        restore_databases.Swap(refusing, session, [], disconnect=True).apply()


def test_a_transaction_of_which_a_crash_left_nothing_was_not_committed(bench: Bench) -> None:
    with bench.server().connect() as session:
        assert commits._was_committed(session, 0, str((1 << 40) + 1000)) is False


def test_two_restores_at_once_exclude_each_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.make("shop", SHOP)
    copy = bench.backup("shop")
    bench.execute("shop", "DELETE FROM public.quick")
    monkeypatch.setattr(restore_databases, "_PATIENCE", "100ms")
    with bench.prepare(copy):
        with pytest.raises(TargetError, match="Another restore of the database shop is under way"):
            bench.prepare(copy)
    assert bench.databases() == ["shop"]


def test_damage_leaves_the_database_as_it_was(bench: Bench) -> None:
    bench.make("shop", SHOP)
    copy = bench.backup("shop")
    bench.execute("shop", "DELETE FROM public.quick")
    large = next(name for name in copy.names() if name.endswith(".dat"))
    good = dict(copy.files)
    copy.files[large] = good[large][:-5]
    with pytest.raises(DamagedBackup, match="lacks the mark of the end of its rows"):
        bench.prepare(copy)
    copy.files[large] = good[large][: len(good[large]) // 2]
    with pytest.raises(DamagedBackup):
        bench.prepare(copy)
    copy.files[large] = good[large].replace(b"c4ca", b"c4cb")
    with pytest.raises(TargetError, match=r"differs from the backup: public\.big"):
        bench.prepare(copy)
    copy.files[large] = good[large]
    pack = next(name for name in copy.names() if name.endswith("small.tar"))
    copy.files[pack] = good[pack][: len(good[pack]) // 2]
    with pytest.raises(DamagedBackup):
        bench.prepare(copy)
    copy.files[pack] = good[pack]
    copy.damage(large)
    with pytest.raises(DamagedBackup):
        bench.prepare(copy)
    assert bench.databases() == ["shop"]
    assert bench.query("shop", "SELECT count(*) FROM public.quick") == 0


def test_several_databases_change_together(bench: Bench) -> None:
    for name in ("a", "B c"):
        bench.make(name, "CREATE TABLE public.t AS SELECT 1 AS a")
    copy = bench.backup("a", "B c")
    for name in ("a", "B c"):
        bench.execute(name, "DELETE FROM public.t")
    with bench.prepare(copy) as ready:
        assert ready.changes == (("B c.public.t", 0, 1), ("a.public.t", 0, 1))
        ready.apply()
        ready.undo()
        assert bench.query("a", "SELECT count(*) FROM public.t") == 0
    assert bench.restore(copy).changed
    assert [bench.query(name, "SELECT count(*) FROM public.t") for name in ("a", "B c")] == [1, 1]
    assert bench.databases() == ["B c", "a"]


def test_another_database_is_the_target(bench: Bench) -> None:
    bench.make("a", "CREATE TABLE public.t AS SELECT 1 AS a")
    bench.make("b", "CREATE TABLE public.t AS SELECT 2 AS a")
    one, two = bench.backup("a"), bench.backup("a", "b")
    assert bench.restore(one, database="c").changed
    assert bench.restore(two, database="d", from_database="b").changed
    assert [bench.query(name, "SELECT a FROM public.t") for name in "abcd"] == [1, 2, 1, 2]
    for options in (
        {"database": "e"},
        {"databases": ["a", "e"]},
        {"databases": ["a", "b"], "from_database": "a"},
        {"database": "postgres", "from_database": "a"},
        {"database": "a", "maintenance_database": "a"},
        {"database": "a", "owner": "map"},
    ):
        with pytest.raises(InvalidRequest):
            bench.prepare(two, **options)


def test_all_that_the_server_lacks_is_named_at_once(bench: Bench) -> None:
    bench.execute("postgres", "CREATE ROLE far1; CREATE ROLE far2")
    bench.make(
        "shop", "CREATE TABLE public.t (a int); ALTER TABLE public.t OWNER TO far1; GRANT SELECT ON public.t TO far2"
    )
    copy = bench.backup("shop")
    bench.execute("postgres", "DROP DATABASE shop", "DROP ROLE far1, far2")
    needs = copy.details["databases"]["shop"]["requires"]
    needs["extensions"].append(["nowhere", "1.0"])
    needs["tablespaces"].append("fast")
    copy.details["databases"]["shop"]["properties"]["collate"] = "xx_XX.UTF-8"
    for dry in (True, False):
        with pytest.raises(TargetError) as caught:
            bench.prepare(copy, dry=dry)
        assert caught.value.details["missing"] == [
            "shop: role far1",
            "shop: role far2",
            "shop: tablespace fast",
            "shop: extension nowhere 1.0",
            "shop: locale xx_XX.UTF-8",
        ]
    assert bench.databases() == []
    needs["extensions"].pop()
    copy.details["databases"]["shop"]["properties"]["collate"] = "C.UTF-8"
    assert bench.restore(copy, owner="none").changed
    assert not bench.restore(copy, owner="none").changed


def test_other_roles_take_the_place_of_owners(bench: Bench) -> None:
    bench.execute("postgres", "CREATE ROLE far1", 'CREATE ROLE "far ""2"', "CREATE ROLE new1", "CREATE ROLE new2")
    body = "ALTER TABLE public.t OWNER TO far1;"
    bench.make(
        "shop",
        "CREATE TABLE public.t (a int); ALTER TABLE public.t OWNER TO far1; GRANT SELECT (a) ON public.t TO PUBLIC;"
        'GRANT SELECT ON public.t TO "far ""2" WITH GRANT OPTION; CREATE TABLE public.u (); CREATE SCHEMA s;'
        'ALTER SCHEMA s OWNER TO "far ""2"; ALTER DEFAULT PRIVILEGES FOR ROLE far1 IN SCHEMA s GRANT SELECT ON TABLES '
        f'TO "far ""2"; CREATE FUNCTION public.f() RETURNS void LANGUAGE sql AS $f$\n{body}\n$f$;'
        f"ALTER FUNCTION public.f() OWNER TO far1; {REFUSE}; ALTER FUNCTION public.refuse() OWNER TO far1;"
        "CREATE EVENT TRIGGER et ON ddl_command_start EXECUTE FUNCTION public.refuse()",
    )
    bench.execute("postgres", "ALTER DATABASE shop OWNER TO far1", 'GRANT CREATE ON DATABASE shop TO "far ""2"')
    copy = bench.backup("shop")
    bench.execute("postgres", "DROP DATABASE shop", "DROP ROLE far1", 'DROP ROLE "far ""2"')
    options = {"owner": "map", "owner_map": {"far1": "new1", 'far "2': "new2"}}
    with pytest.raises(TargetError, match=r'lacks.*: shop: role far "2\.'):
        bench.prepare(copy, dry=True, owner="map", owner_map={"far1": "new1"})
    assert bench.restore(copy, **options).changed
    assert not bench.restore(copy, **options).changed
    assert bench.query("shop", "SELECT prosrc FROM pg_proc WHERE proname = 'f'") == f"\n{body}\n"
    assert (
        bench.query("shop", "SELECT relacl::text FROM pg_class WHERE relname = 't'")
        == "{new1=arwdDxt/new1,new2=r*/new1}"
    )
    assert (
        bench.query(
            "shop", "SELECT attacl::text FROM pg_attribute WHERE attrelid = 'public.t'::regclass AND attacl IS NOT NULL"
        )
        == "{=r/new1}"
    )
    assert bench.query("shop", "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 's'") == "new2"
    assert bench.query("shop", "SELECT defaclacl::text FROM pg_default_acl") == "{new2=r/new1}"
    assert bench.properties("shop")["owner"] == "new1"
    assert ["new2", "CREATE", False] in bench.properties("shop")["acl"]
    bench.execute("postgres", "DROP DATABASE shop", "DROP ROLE new1, new2")


REFUSE = "CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no DDL''; END'"
EVERYTHING = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE p (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE p2 PARTITION OF p DEFAULT;
INSERT INTO p SELECT g, date '2024-12-01' + g, md5(g::text) FROM generate_series(1, 50) g;
CREATE TABLE parent (id int, x text); CREATE TABLE child (y int) INHERITS (parent);
INSERT INTO parent VALUES (1, 'a'); INSERT INTO child VALUES (2, 'b', 3);
CREATE TABLE kinds (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m mood, f float8, n numeric, ts timestamptz,
  iv interval, by bytea, mo money, j json, ar text[], x xml, pt point);
INSERT INTO kinds (m, f, n, ts, iv, by, mo, j, ar, x, pt) VALUES
 ('ok', '-0', 'NaN', 'infinity', '-1 year 2 days', '\\x005c', 12.34, '{"a": 1,  "a":2}', ARRAY['a', NULL, 'c"\\'],
  'a<b/>', '(1,2)'), (NULL, 'NaN', 1e-30, '0044-03-15 BC', NULL, '', -1, 'null', '{}', '<a/>', NULL);
CREATE TABLE rls (a int, who text); ALTER TABLE rls ENABLE ROW LEVEL SECURITY; ALTER TABLE rls FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON rls USING (who = current_user); INSERT INTO rls VALUES (1, 'nobody');
CREATE MATERIALIZED VIEW mv AS SELECT count(*) FROM p; CREATE MATERIALIZED VIEW mvn AS SELECT 1 AS x WITH NO DATA;
CREATE TABLE dup (a text); INSERT INTO dup VALUES (NULL), (''), (''), ('","'), (E'\\\\.'), (E'a\\tb\\n');
CREATE TABLE "Odd ""name""; %s" ("a ""b, (" int); INSERT INTO "Odd ""name""; %s" VALUES (7);
CREATE TABLE late (a int); ALTER TABLE late ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE late DROP COLUMN a;
CREATE PUBLICATION pub FOR TABLE p; COMMENT ON TABLE p IS 'REFRESH';
CREATE SEQUENCE down INCREMENT -3 MAXVALUE 100 START 100; SELECT nextval('down'), nextval('down');
CREATE EXTENSION citext; CREATE TABLE c (a citext PRIMARY KEY); INSERT INTO c VALUES ('A');
CREATE RULE r AS ON INSERT TO c DO INSTEAD NOTHING;
CREATE EVENT TRIGGER et ON ddl_command_end EXECUTE FUNCTION refuse(); COMMENT ON EVENT TRIGGER et IS 'no DDL';
ALTER EVENT TRIGGER et ENABLE ALWAYS;
SELECT lo_from_bytea(4242, decode(repeat('ab', 1200000), 'hex')), lo_create(4243), lo_put(lo_create(4244), 5000, 'x');
"""


def test_everything_comes_back(bench: Bench) -> None:
    bench.make("Every 'thing'", f"SET search_path = public; {REFUSE}; {EVERYTHING}")
    copy = bench.backup("Every 'thing'")
    assert any("blob_" in name for name in copy.names())
    # two jobs could refresh the view before the event trigger is there
    ready = bench.restore(copy, database="new one", jobs=1)
    assert ready.changed
    assert not bench.restore(copy, database="new one").changed
    again = bench.backup("new one")
    before, after = (one.details["databases"][name] for one, name in ((copy, "Every 'thing'"), (again, "new one")))
    assert before["requires"]["event_triggers"] == after["requires"]["event_triggers"] == ["et"]
    assert after["data_digest"] == before["data_digest"]
    assert after["schema_sha256"] == before["schema_sha256"]
    assert bench.query("new one", "SELECT nextval('public.down')") == 94
    assert bench.query("new one", "SELECT md5(lo_get(4242)) = md5(decode(repeat('ab', 1200000), 'hex'))")


def test_an_owner_without_further_rights_restores_its_database(bench: Bench) -> None:
    bench.execute("postgres", "CREATE ROLE till LOGIN", "CREATE ROLE guest", "CREATE DATABASE shop OWNER till")
    try:
        with bench.server(username="till").connect("shop") as session:
            session.execute(SHOP.replace("lo_from_bytea(0, 'abc')", "1"))
            session.execute("GRANT SELECT ON public.big TO guest")
        copy = bench.backup("shop")
        bench.execute("shop", "DELETE FROM public.quick")
        for dry in (True, False):
            with pytest.raises(TargetError, match=r"the privilege CREATEDB \(ALTER ROLE till CREATEDB\)"):
                bench.prepare(copy, dry=dry, username="till")
        bench.execute("postgres", "ALTER ROLE till CREATEDB")
        before = bench.properties("shop")
        assert bench.restore(copy, username="till").changed
        assert bench.properties("shop") == before
        assert not bench.restore(copy).changed
        bench.execute("shop", "CREATE TABLE public.theirs ()")
        copy = bench.backup("shop")
        bench.execute("shop", "DELETE FROM public.quick")
        for dry in (True, False):
            with pytest.raises(TargetError, match=r"membership in the role postgres \(GRANT postgres TO till\)"):
                bench.prepare(copy, dry=dry, username="till")
        needs = copy.details["databases"]["shop"]["requires"]
        assert needs.pop("event_triggers") == []
        assert bench.restore(copy, username="till", owner="none").changed
        needs["event_triggers"] = ["et"]
        bench.execute("postgres", "CREATE ROLE rds_superuser")
        with pytest.raises(TargetError, match=r"the privilege to create event triggers \(superuser\): et") as failed:
            bench.prepare(copy, dry=True, username="till", owner="none")
        assert "Event triggers are created by superusers only." in str(failed.value.hint)
        bench.execute("postgres", "GRANT rds_superuser TO till")
        with bench.prepare(copy, dry=True, username="till", owner="none"):
            pass
    finally:
        bench.execute("postgres", "DROP DATABASE shop WITH (FORCE)", "DROP ROLE till, guest")
        bench.execute("postgres", "DROP ROLE IF EXISTS rds_superuser")


def test_a_backup_of_an_older_server_is_restored_and_its_data_compared(bench: Bench) -> None:
    bench.make("shop", SHOP)
    copy = bench.backup("shop")
    copy.details["databases"]["shop"].update(server_version=140005, pg_dump_version="14.5")
    bench.execute("shop", "DELETE FROM public.quick")
    ready = bench.restore(copy)
    assert ready.changed
    assert any("Only data was compared" in note for note in ready.notes)
    assert not bench.restore(copy).changed
    copy.details["databases"]["shop"].update(server_version=990001)
    with pytest.raises(TargetError, match=r"server version 99 or newer \(it has \d+\)"):
        bench.prepare(copy, dry=True)


def test_a_backup_without_some_rows_empties_no_table(bench: Bench) -> None:
    bench.make("shop", SHOP)
    copy = bench.backup("shop", tables={"exclude": ["quick"]})
    assert not bench.restore(copy).changed
    bench.execute("shop", "DELETE FROM public.big WHERE id = 500")
    for dry in (True, False):
        with pytest.raises(TargetError, match=r"has no rows of public\.quick, which a restore of shop would empty"):
            bench.prepare(copy, dry=dry)
    ready = bench.restore(copy, database="other")
    assert ready.notes == ("The backup has no rows of public.quick: they are empty in other.",)
    assert bench.restore(copy, "big").changed
    with pytest.raises(InvalidRequest, match="Use only instead"):
        bench.prepare(copy, tables={"exclude": ["quick"]})


def test_a_server_without_space_for_both_is_refused_before_anything_is_created(bench: Bench) -> None:
    bench.make("shop", SHOP)
    copy = bench.backup("shop")
    bench.execute("shop", "DELETE FROM public.quick")
    copy.details["databases"]["shop"]["bytes"] = 1 << 60
    for dry in (True, False):
        with pytest.raises(NoSpace, match=r"Restoring the database shop needs \d+ bytes in .*/data"):
            bench.prepare(copy, dry=dry)
    assert bench.databases() == ["shop"]


def test_rows_can_be_counted_only(bench: Bench) -> None:
    bench.make("shop", SHOP)
    copy = bench.backup("shop")
    bench.execute("shop", "DELETE FROM public.quick")
    large = next(name for name in copy.names() if name.endswith(".dat"))
    good = copy.files[large]
    lines = good.split(b"\n")
    copy.files[large] = b"\n".join([*lines[:498], *lines[499:]])
    with pytest.raises(TargetError, match=r"differs from the backup: public\.big\."):
        bench.prepare(copy, compare="counts")
    copy.files[large] = good.partition(b"\n")[2]
    with pytest.raises(TargetError, match="violates foreign key constraint"):
        bench.prepare(copy)
    copy.files[large] = good.replace(b"c4ca", b"c4cb")
    assert bench.restore(copy, compare="counts").changed


def test_what_a_restore_makes_or_has_left_is_not_backed_up(bench: Bench) -> None:
    bench.make("shop", SHOP)
    copy = bench.backup("shop")
    bench.execute("shop", "DELETE FROM public.big WHERE id > 400")
    with bench.prepare(copy):
        sink = MemorySink(bench.scratch() / "sink")
        assert set(bench.store().snapshot(sink).details["databases"]) == {"postgres", "shop"}
    bench.make("day2_new_0123456789ab", "CREATE TABLE public.a ()")  # somebody else's
    assert "day2_new_0123456789ab" in bench.store().snapshot(MemorySink(bench.scratch() / "sink")).details["databases"]


@pytest.mark.parametrize("name", [".", "..", "globals.sql"])
def test_a_database_has_any_name(bench: Bench, name: str) -> None:
    bench.make(name, "CREATE TABLE public.a (i int)")
    copy = bench.backup(name)
    assert not any(name in one.split("/") for one in copy.names() if one != "globals.sql")
    bench.execute(name, "INSERT INTO public.a VALUES (1)")
    assert bench.restore(copy).changed


def test_tables_of_users_in_a_schema_of_an_extension_count(bench: Bench) -> None:
    bench.make("shop", "CREATE EXTENSION citext SCHEMA public; CREATE SCHEMA ext; CREATE TABLE ext.mine (i int)")
    bench.execute("shop", "ALTER EXTENSION citext ADD SCHEMA ext", "INSERT INTO ext.mine VALUES (1)")
    copy = bench.backup("shop")
    assert [(one.name, one.records) for one in copy.collections] == [("shop.ext.mine", 1)]
    bench.execute("shop", "UPDATE ext.mine SET i = 2")
    with bench.prepare(copy, dry=True) as ready:
        assert ready.changed


def test_a_sequence_that_an_extension_has_registered_is_compared(bench: Bench) -> None:
    bench.make("shop", "CREATE EXTENSION citext SCHEMA public; CREATE SEQUENCE public.s")
    bench.execute(
        "shop",
        "ALTER EXTENSION citext ADD SEQUENCE public.s",
        "UPDATE pg_extension SET extconfig = ARRAY['public.s'::regclass::oid], extcondition = ARRAY['']"
        " WHERE extname = 'citext'",  # pg_extension_config_dump() is for its own script
    )
    copy = bench.backup("shop")
    with bench.prepare(copy, dry=True) as ready:
        assert not ready.changed, ready.differences
    bench.execute("shop", "SELECT nextval('public.s')")
    with bench.prepare(copy, dry=True) as ready:
        assert ready.changed


def test_backslashes_in_names_where_a_database_has_them_as_escapes(bench: Bench) -> None:
    bench.make("shop", 'CREATE TABLE public."a\\b\'c" (i serial)')
    bench.execute("postgres", "ALTER DATABASE shop SET standard_conforming_strings = off")
    copy = bench.backup("shop")
    bench.execute("shop", "CREATE TABLE public.later ()")
    assert bench.restore(copy).changed


def test_a_name_that_looks_like_the_end_of_a_statement(bench: Bench) -> None:
    bench.make("shop", 'CREATE TABLE public.t (a int, ") FROM stdin;\n" int, b int)')
    bench.execute("shop", "INSERT INTO public.t VALUES (1, 2, 3)", "CREATE TABLE public.u AS SELECT 1 AS a")
    copy = bench.backup("shop")
    bench.restore(copy, database="beside")
    assert not bench.restore(copy, database="beside").changed
    bench.execute("shop", "DELETE FROM public.t")
    assert bench.restore(copy, "t", database="shop").changed
    assert bench.query("shop", "SELECT b FROM public.t") == 3


GENERATED = """
CREATE FUNCTION public.f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1';
CREATE TABLE public.g (a int, up int GENERATED ALWAYS AS (public.f(a)) STORED, t int);
INSERT INTO public.g (a, t) VALUES (1, 5), (2, 6);
CREATE OR REPLACE FUNCTION public.f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 100';
"""


def test_a_generated_column_whose_function_has_changed(bench: Bench) -> None:
    """What was computed with another function can't come back, and must not keep the rest from doing so."""
    bench.make("shop", GENERATED)
    copy = bench.backup("shop")
    bench.restore(copy, database="beside")
    assert bench.query("beside", "SELECT sum(up) FROM public.g") == 203
    assert not bench.restore(copy, database="beside").changed
    bench.execute("shop", "UPDATE public.g SET a = 7 WHERE a = 1")
    with bench.prepare(copy, "g", dry=True, database="shop") as ready:
        assert ready.changed
    assert bench.restore(copy, "g", database="shop").changed
    bench.execute("shop", "DROP TABLE public.g")
    assert bench.restore(copy, "g", database="shop", with_schema=True).changed
    assert bench.query("shop", "SELECT sum(a) FROM public.g") == 3


def test_a_backup_whose_digests_include_generated_columns(bench: Bench) -> None:
    """As all were, once."""
    bench.make("shop", "CREATE TABLE public.g (a int, up int GENERATED ALWAYS AS (a + 1) STORED)")
    bench.execute("shop", "INSERT INTO public.g VALUES (1)")
    copy = bench.backup("shop")
    details = copy.details["databases"]["shop"]
    del details["without_generated"], details["row_text"]
    with bench.server().connect("shop") as session:
        tables = [one._replace(form=WHOLE) for one in list_tables(session)]
        details["sums"] = [[*name, *found] for name, found in table_sums(session, tables).items()]
    assert not bench.prepare(copy, dry=True).changed
    assert bench.restore(copy, database="beside").changed


def test_subscriptions_are_not_restored(bench: Bench) -> None:
    bench.make("shop", "CREATE TABLE public.t (a int)")
    wanted = (
        "CREATE SUBSCRIPTION \"sub 1\" CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false, slot_name = NONE)"
    )
    bench.execute("shop", wanted)
    copy = bench.backup("shop")
    bench.execute("shop", 'DROP SUBSCRIPTION "sub 1"')
    assert not bench.prepare(copy, dry=True).changed
    ready = bench.restore(copy, database="beside")
    assert [note for note in ready.notes if "sub 1" in note]
    assert bench.query("postgres", "SELECT count(*) FROM pg_subscription") == 0
    bench.execute("beside", "INSERT INTO public.t VALUES (1)")
    assert bench.restore(copy, database="beside").changed


def test_a_database_without_a_mark_is_ours_only_while_nobody_can_enter(bench: Bench) -> None:
    bench.make("shop", SHOP)
    copy = bench.backup("shop")
    new = Place.of("shop").new
    bench.execute("shop", "DELETE FROM public.quick")
    bench.execute("postgres", f"CREATE DATABASE {new}")
    for dry in (True, False):
        with pytest.raises(TargetError, match=f"{new} already exists"):
            bench.prepare(copy, dry=dry)
    bench.execute("postgres", f"ALTER DATABASE {new} ALLOW_CONNECTIONS false")
    assert bench.prepare(copy, dry=True).changed
    assert bench.restore(copy).changed
    assert bench.databases() == ["shop"]


def test_a_latin1_database_leaves_out_tables_by_name(bench: Bench) -> None:
    bench.execute("postgres", "CREATE DATABASE old ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    bench.execute("old", 'CREATE TABLE public."größe" AS SELECT 1 AS a', "CREATE TABLE public.kept AS SELECT 1 AS a")
    copy = bench.backup("old", tables={"exclude": ["gr*"]})
    assert [one.name for one in copy.collections] == ["old.public.kept"]
    bench.restore(copy, database="beside")
    assert bench.query("beside", 'SELECT count(*) FROM public."größe"') == 0
    assert bench.query("beside", "SELECT count(*) FROM public.kept") == 1


def test_a_password_with_a_line_break_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidRequest, match="password contains a line break"):
        bench.store(password="secret\n")


def test_a_database_and_a_role_that_are_read_only_and_have_no_time(bench: Bench) -> None:
    bench.make("shop", SHOP)
    settings = ["default_transaction_read_only = on", "statement_timeout = 1", "lock_timeout = 1"]
    settings.append("idle_in_transaction_session_timeout = 1")
    whose = "DATABASE shop", "ROLE postgres"
    bench.execute("postgres", *(f"ALTER {one} SET {setting}" for one in whose for setting in settings))
    try:
        copy = bench.backup("shop")
        bench.execute("shop", "DELETE FROM public.quick")
        assert bench.restore(copy, "quick").changed
        bench.execute("shop", "DELETE FROM public.quick")
        assert bench.restore(copy).changed
        assert not bench.restore(copy).changed
        assert [None, "default_transaction_read_only", "on"] in bench.properties("shop")["settings"]
    finally:
        bench.execute("postgres", "ALTER ROLE postgres RESET ALL")


def test_rows_do_not_pile_up_before_a_slower_server(bench: Bench) -> None:
    words = "PERFORM pg_sleep(0.3) WHERE NEW.id % 1000 = 1; RETURN NEW;"
    bench.make(
        "slow",
        f"""CREATE TABLE public.rows (id int, v text);
        CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {words} END $$;
        CREATE TRIGGER wait BEFORE INSERT ON public.rows FOR EACH ROW EXECUTE FUNCTION public.wait()""",
    )
    waiting = []
    with bench.server().connect("slow") as session:

        def blocks() -> Iterator[bytes]:
            for start in range(1, 3001, 1000):
                yield b"".join(b"%d\t%s\n" % (number, b"v" * 1000) for number in range(start, start + 1000))
                waiting.append(session.pgconn.flush())

        copy_in(session, b"COPY public.rows FROM stdin;", blocks(), "1.dat")
        assert session.execute("SELECT count(*) FROM public.rows").fetchone()[0] == 3000
    assert waiting == [0, 0, 0]
