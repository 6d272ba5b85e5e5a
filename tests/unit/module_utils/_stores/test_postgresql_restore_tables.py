# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores of single tables of PostgreSQL: in one transaction, verified, without dangling references."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    DamagedBackup,
    Day2Error,
    InvalidRequest,
    TargetError,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster import restore_only, restore_triggers

from .postgresql_bench import Bench, clean

pytestmark = pytest.mark.once  # each restore takes a second

SHOP = """
SET search_path = public;
CREATE TYPE mood AS ENUM ('a', 'b');
CREATE TABLE cust (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, m mood DEFAULT 'a',
 up text GENERATED ALWAYS AS (upper(name)) STORED);
CREATE TABLE "Ord er" (id bigserial PRIMARY KEY, cust int NOT NULL REFERENCES cust, n int);
CREATE TABLE log (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
 'BEGIN INSERT INTO public.log VALUES (TG_OP); RETURN NULL; END';
CREATE TRIGGER t AFTER INSERT OR DELETE ON "Ord er" FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER always AFTER INSERT OR DELETE ON "Ord er" FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE "Ord er" ENABLE ALWAYS TRIGGER always;
INSERT INTO cust (name) SELECT 'c' || g FROM generate_series(1, 10) g;
INSERT INTO "Ord er" (cust, n) SELECT 1 + g % 10, g FROM generate_series(1, 100) g;
"""
AUDIT = """CREATE FUNCTION public.audit() RETURNS event_trigger LANGUAGE plpgsql AS
 'BEGIN INSERT INTO public.log VALUES (tg_tag); END'"""
HEARD = "The restore fires event triggers that this role can't disable: "
COUNT = 'SELECT count(*) FROM public."Ord er"'
STATE = """SELECT (SELECT count(*) || ' ' || sum(n) FROM public."Ord er") || ' ' || (SELECT count(*) FROM public.log)
 || ' ' || (SELECT string_agg(tgname || tgenabled::text, ',' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal)"""


@pytest.fixture
def bench(postgresql: dict[str, Any], tmp_path: Path) -> Iterator[Bench]:
    made = Bench(postgresql, tmp_path)
    made.make("shop", SHOP)
    yield made
    clean(made)


def test_rows_come_back_and_nothing_else_changes(bench: Bench) -> None:
    copy = bench.backup("shop")
    before = bench.query("shop", STATE)
    bench.execute("shop", 'DELETE FROM public."Ord er" WHERE id % 2 = 0', "TRUNCATE public.log")
    bench.execute("shop", "INSERT INTO public.log SELECT 'x' FROM generate_series(1, 200)")
    bench.execute("shop", "SELECT setval('public.\"Ord er_id_seq\"', 5000)")
    for dry in (True, False):
        with bench.prepare(copy, "public.Ord er", dry=dry) as ready:
            assert ready.changes == (("shop.public.Ord er", 50, 100),)
            assert bench.query("shop", COUNT) == 50
            if not dry:
                ready.apply()
    assert bench.query("shop", STATE) == before
    assert bench.query("shop", "SELECT nextval('public.\"Ord er_id_seq\"')") == 5001
    for name in ("shop.public.Ord er", "Ord er"):
        with bench.prepare(copy, name) as ready:
            assert not ready.changed


def test_a_sequence_that_fell_back_is_advanced(bench: Bench) -> None:
    copy = bench.backup("shop")
    bench.execute("shop", 'TRUNCATE public."Ord er" RESTART IDENTITY')
    assert bench.restore(copy, "Ord er").changed
    assert bench.query("shop", "SELECT nextval('public.\"Ord er_id_seq\"')") == 101


def test_dangling_references_are_counted_and_refused(bench: Bench) -> None:
    copy = bench.backup("shop")
    bench.execute("shop", "INSERT INTO public.cust (name) VALUES ('new')", "DELETE FROM public.log")
    bench.execute("shop", 'INSERT INTO public."Ord er" (cust, n) VALUES (11, 1), (11, 2)')
    before = bench.query("shop", STATE)
    for dry in (True, False):
        with pytest.raises(
            TargetError, match=r'2 rows of public\."Ord er" would refer to missing rows of public\.cust'
        ):
            bench.prepare(copy, "cust", dry=dry)
        with bench.prepare(copy, "cust", "Ord er", dry=dry) as ready:
            assert ready.changed
    assert bench.query("shop", STATE) == before
    assert bench.restore(copy, "cust", "Ord er").changed
    assert bench.query("shop", COUNT) == 100


def test_a_copy_that_differs_is_never_committed(bench: Bench) -> None:
    copy = bench.backup("shop")
    bench.execute("shop", 'DELETE FROM public."Ord er" WHERE id = 3')
    sums = copy.details["databases"]["shop"]["sums"]
    entry = next(one for one in sums if one[1] == "Ord er")
    entry[3] = "0"
    for dry in (True, False):
        with pytest.raises(TargetError, match="differ from the backup"):
            bench.prepare(copy, "Ord er", dry=dry)
    for name in [one for one in copy.names() if one.startswith("shop/")]:
        copy.damage(name)
    with pytest.raises(DamagedBackup):
        bench.prepare(copy, "Ord er")
    assert bench.query("shop", COUNT) == 99


def test_readers_see_all_old_or_all_new_rows_and_writers_are_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = bench.backup("shop")
    bench.execute("shop", 'DELETE FROM public."Ord er" WHERE id = 3')
    monkeypatch.setattr(restore_only, "_PATIENCE", "200ms")
    with bench.server().connect("shop") as reader, bench.server().connect("shop") as writer:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        assert reader.execute(COUNT).fetchone() == (99,)
        assert bench.restore(copy, "Ord er").changed
        assert reader.execute(COUNT).fetchone() == (99,)
        writer.execute("BEGIN; SET application_name = 'till'")
        writer.execute('DELETE FROM public."Ord er" WHERE id = 4')
        bench.execute("shop", "DELETE FROM public.log")
        with pytest.raises(TargetError, match=r"in use by pid \d+ \(user postgres, till, idle in transaction\)"):
            with bench.server().connect("shop") as other:
                other.execute('UPDATE public."Ord er" SET n = 0 WHERE id = 5')
            bench.prepare(copy, "Ord er")
        writer.execute("ROLLBACK")


def test_tables_that_are_missing_or_have_other_columns_refuse(bench: Bench) -> None:
    copy = bench.backup("shop")
    bench.execute("shop", "ALTER TABLE public.cust ADD later int", "DROP TABLE public.log")
    for dry in (True, False):
        with pytest.raises(TargetError, match=r"public\.cust has later in addition; public\.log does not exist"):
            bench.prepare(copy, "cust", "log", dry=dry)
    with pytest.raises(InvalidRequest, match=r"has no table nothing\. Its tables are: shop\.public\.Ord er"):
        bench.prepare(copy, "nothing")
    with pytest.raises(TargetError, match="The database other does not exist"):
        bench.prepare(copy, "cust", database="other")


def test_columns_in_another_order(bench: Bench) -> None:
    """A child of a parent that was given a column later has another order after a restore of the whole database."""
    bench.execute("shop", "CREATE TABLE public.odd (b int[], a text, c point)")
    bench.execute("shop", "INSERT INTO public.odd VALUES ('{1,2}', 'b,', '(1,2)'), (NULL, '', NULL)")
    copy = bench.backup("shop")
    bench.execute("shop", "DROP TABLE public.odd", "CREATE TABLE public.odd (c point, a text, b int[])")
    with bench.prepare(copy, "odd", dry=True) as ready:
        assert ready.changed
    assert bench.restore(copy, "odd").changed
    assert bench.query("shop", "SELECT string_agg(o::text, ';' ORDER BY a DESC) FROM public.odd o") == (
        """("(1,2)","b,","{1,2}");(,"",)"""
    )
    assert not bench.prepare(copy, "odd", dry=True).changed
    with bench.prepare(copy, "odd", dry=True, with_schema=True) as ready:
        assert ready.changed
    del copy.details["databases"]["shop"]["row_text"]  # an older backup
    with pytest.raises(TargetError, match=r"public\.odd has its columns in another order"):
        bench.prepare(copy, "odd")


def test_the_owner_of_the_tables_needs_no_superuser(bench: Bench) -> None:
    bench.execute("postgres", "CREATE ROLE till LOGIN")
    try:
        copy = bench.backup("shop")
        bench.execute("shop", 'DELETE FROM public."Ord er" WHERE id < 50', "UPDATE public.cust SET name = 'x'")
        bench.execute("shop", "GRANT ALL ON ALL TABLES IN SCHEMA public TO till")
        bench.execute("shop", "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO till")
        for dry in (True, False):
            with pytest.raises(TargetError, match="This role can't keep triggers and rules of"):
                bench.prepare(copy, "cust", "Ord er", dry=dry, username="till")
        for name in ('"Ord er"', "cust", "log"):
            bench.execute("shop", f"ALTER TABLE public.{name} OWNER TO till")
        bench.execute("shop", "GRANT CREATE ON SCHEMA public TO till", "TRUNCATE public.log")
        definition = "SELECT string_agg(pg_get_constraintdef(oid), ';' ORDER BY conname) FROM pg_constraint"
        before = bench.query("shop", definition)
        with bench.prepare(copy, "cust", "Ord er", username="till") as ready:
            bench.backup("shop")  # the safety backup
            ready.apply()
        assert ready.notes == (
            "Foreign keys were dropped and created again, as this role is not a superuser: Ord er_cust_fkey.",
        )
        assert bench.query("shop", STATE) == "100 5050 0 alwaysA,tO"
        assert bench.query("shop", definition) == before
        bench.execute("shop", AUDIT, "CREATE EVENT TRIGGER audit ON ddl_command_end EXECUTE FUNCTION public.audit()")
        bench.execute("shop", "UPDATE public.cust SET name = 'x'", "INSERT INTO public.log VALUES ('later')")
        with bench.prepare(copy, "cust", dry=True, username="till") as ready:
            assert ready.notes == (f"{HEARD}audit.",)
        with pytest.raises(TargetError, match=r"public\.log differ from the backup.*an event trigger may have"):
            bench.restore(copy, "cust", "log", username="till")
        assert bench.query("shop", "SELECT count(*) FROM public.log") == 1
        assert bench.restore(copy, "cust", username="till").notes[0] == f"{HEARD}audit."
    finally:
        bench.execute("shop", "REASSIGN OWNED BY till TO postgres", "DROP OWNED BY till", "DROP ROLE till")


def test_event_triggers_do_not_fire(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse = "CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no DDL''; END'"
    bench.execute("shop", AUDIT, refuse)
    copy = bench.backup("shop")
    bench.execute("shop", 'TRUNCATE public."Ord er" RESTART IDENTITY', "DELETE FROM public.log")
    bench.execute(
        "shop",
        "CREATE EVENT TRIGGER audit ON ddl_command_end EXECUTE FUNCTION public.audit()",
        "CREATE EVENT TRIGGER refuse ON ddl_command_start EXECUTE FUNCTION public.refuse()",
        "ALTER EVENT TRIGGER refuse ENABLE ALWAYS",
    )
    for dry in (True, False):
        with bench.prepare(copy, "Ord er", "log", dry=dry) as ready:
            assert ready.notes == ()
            if not dry:
                ready.apply()
    assert bench.query("shop", COUNT) == 100
    with bench.prepare(copy, "Ord er", "log", dry=True) as ready:
        assert not ready.changed
    enabled = "SELECT string_agg(evtname || evtenabled::text, ',' ORDER BY evtname) FROM pg_event_trigger"
    assert bench.query("shop", enabled) == "auditO,refuseA"

    bench.execute("shop", "DELETE FROM public.log")
    with bench.store().prepare(copy, ["log"], str(bench.scratch()), False) as ready:
        # after they were read for the first time
        bench.execute("shop", "ALTER EVENT TRIGGER audit ENABLE ALWAYS", "ALTER EVENT TRIGGER refuse DISABLE")
        ready.build()
        ready.apply()
    assert bench.query("shop", enabled) == "auditA,refuseD"

    monkeypatch.setattr(restore_triggers, "_PATIENCE", "100ms")
    bench.execute("shop", "DELETE FROM public.log")
    with bench.server().connect("shop") as other, other.transaction():
        other.execute("ALTER EVENT TRIGGER audit DISABLE")
        for dry in (True, False):
            with pytest.raises(TargetError, match="The event trigger audit can't be disabled, as another session"):
                bench.prepare(copy, "log", dry=dry)


def test_leaf_partitions_keep_the_keys_of_their_parents(bench: Bench) -> None:
    bench.execute(
        "shop",
        "CREATE TABLE public.p (id int PRIMARY KEY, cust int REFERENCES public.cust) PARTITION BY RANGE (id)",
        "CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES FROM (0) TO (10)",
        "INSERT INTO public.cust (name) VALUES ('new')",
        "INSERT INTO public.p SELECT 1, max(id) FROM public.cust",
    )
    copy = bench.backup("shop")
    bench.execute("shop", "DELETE FROM public.p", "DELETE FROM public.cust WHERE name = 'new'")
    for dry in (True, False):
        with pytest.raises(TargetError, match=r"1 row of public\.p would refer to missing rows of public\.cust"):
            bench.prepare(copy, "p1", dry=dry)


def test_tables_are_created_with_all_that_belongs_to_them(bench: Bench) -> None:
    bench.execute(
        "shop",
        'CREATE INDEX ON public."Ord er" (n)',
        "COMMENT ON COLUMN public.\"Ord er\".n IS 'number'",
        'GRANT SELECT ON public."Ord er" TO PUBLIC',
    )
    copy = bench.backup("shop")
    bench.execute("shop", 'DROP TABLE public."Ord er"', "UPDATE public.cust SET name = 'x' WHERE id = 3")
    for dry in (True, False):
        with bench.prepare(copy, "Ord er", "cust", dry=dry, with_schema=True) as ready:
            assert ready.changes == (("shop.public.Ord er", None, 100), ("shop.public.cust", 10, 10))
            if not dry:
                ready.apply()
    whole = bench.prepare(copy, dry=True)
    with whole:
        assert not whole.changed, whole.differences
    assert bench.query("shop", "SELECT nextval('public.\"Ord er_id_seq\"')") == 101
    with bench.prepare(copy, "Ord er", "cust", with_schema=True) as ready:
        assert not ready.changed


def test_a_table_with_other_columns_is_recreated_unless_others_depend_on_it(bench: Bench) -> None:
    copy = bench.backup("shop")
    bench.execute("shop", "ALTER TABLE public.log ADD later int", "CREATE VIEW public.v AS SELECT what FROM public.log")
    for dry in (True, False):
        with pytest.raises(TargetError, match=r"depend on them: view public\.v \(on public\.log\)"):
            bench.prepare(copy, "log", dry=dry, with_schema=True)
    bench.execute("shop", "DROP VIEW public.v")
    with bench.prepare(copy, "log", dry=True, with_schema=True) as ready:
        assert ready.changed
    with bench.prepare(copy, "log", with_schema=True) as ready:
        bench.backup("shop")  # the safety backup
        ready.apply()
    with bench.prepare(copy, dry=True) as whole:
        assert not whole.changed, whole.differences
    with pytest.raises(InvalidRequest, match="mutually exclusive"):
        bench.prepare(copy, "log", with_schema=True, owner="map", owner_map={"a": "b"})


@pytest.mark.parametrize("rule", ["CHECK (n < 50)", "UNIQUE (cust)", "EXCLUDE (cust WITH =)"])
def test_rows_that_break_a_newer_rule_are_refused_in_check_mode_too(bench: Bench, rule: str) -> None:
    copy = bench.backup("shop")
    bench.execute("shop", 'DELETE FROM public."Ord er" WHERE id > 9', f'ALTER TABLE public."Ord er" ADD {rule}')
    for dry in (True, False):
        with pytest.raises(Day2Error, match="Ord_er|Ord er|day2_0"):
            bench.prepare(copy, "Ord er", dry=dry)
    assert bench.query("shop", COUNT) == 9


def test_a_foreign_key_does_not_see_tables_that_inherit(bench: Bench) -> None:
    bench.execute(
        "shop",
        "CREATE TABLE public.a (id int PRIMARY KEY)",
        "CREATE TABLE public.b (a int REFERENCES public.a)",
        "CREATE TABLE public.a_heir () INHERITS (public.a)",
        "CREATE TABLE public.b_heir () INHERITS (public.b)",
        "INSERT INTO public.a_heir VALUES (1)",
        "INSERT INTO public.b_heir VALUES (7)",
    )
    copy = bench.backup("shop")
    bench.execute("shop", "INSERT INTO public.a VALUES (1)", "INSERT INTO public.b VALUES (1)")
    for dry in (True, False):
        with pytest.raises(TargetError, match="1 row of public.b would refer to missing rows of public.a"):
            bench.prepare(copy, "a", dry=dry)
    for dry in (True, False):
        with bench.prepare(copy, "b", dry=dry) as ready:
            assert ready.changed


def test_keys_are_compared_by_the_operator_of_the_foreign_key(bench: Bench) -> None:
    bench.execute(
        "shop",
        "CREATE SCHEMA odd",
        "CREATE EXTENSION citext SCHEMA odd",
        "CREATE TABLE public.a (id odd.citext PRIMARY KEY)",
        "CREATE TABLE public.b (a odd.citext REFERENCES public.a)",
        "INSERT INTO public.a VALUES ('x')",
        "INSERT INTO public.b VALUES ('X')",
    )
    copy = bench.backup("shop")
    bench.execute("shop", "INSERT INTO public.b VALUES ('X')")
    assert bench.restore(copy, "b").changed


RESCUED = (
    "SELECT count(*) || ' ' || sum(n) FROM rescue.\"Ord er\"",
    "SELECT string_agg(indexdef, ';' ORDER BY indexdef) FROM pg_indexes WHERE schemaname = 'rescue'",
    "SELECT pg_get_serial_sequence('rescue.\"Ord er\"', 'id') || nextval('rescue.\"Ord er_id_seq\"')",
    "SELECT string_agg(tgfoid::regproc::text, ',') FROM pg_trigger WHERE tgrelid = 'rescue.\"Ord er\"'::regclass",
)


def test_tables_are_restored_to_another_schema_beside_those_in_use(bench: Bench) -> None:
    bench.execute("shop", 'CREATE PUBLICATION pub FOR TABLE public."Ord er"')
    copy = bench.backup("shop")
    bench.execute("shop", 'DELETE FROM public."Ord er" WHERE id > 10')
    before = bench.backup("shop").details["databases"]["shop"]
    given = {"schema": "rescue", "with_schema": True}
    with bench.server().connect("shop") as writer:  # its locks keep nobody waiting
        writer.execute("BEGIN")
        writer.execute('LOCK TABLE public."Ord er", public.cust IN EXCLUSIVE MODE')
        for dry in (True, False):
            with bench.prepare(copy, "Ord er", dry=dry, **given) as ready:
                assert ready.changes == (("shop.rescue.Ord er", None, 100),)
                left_out, bodies = ready.notes
                assert left_out.endswith(": FK CONSTRAINT Ord er Ord er_cust_fkey, PUBLICATION TABLE pub Ord er.")
                assert bodies == "The bodies of functions in rescue keep the names of schemas: note()."
                if not dry:
                    with bench.server().connect("shop") as other:
                        assert other.execute(COUNT).fetchone() == (10,)
                    ready.apply()
            assert bool(bench.query("shop", "SELECT count(*) FROM pg_namespace WHERE nspname = 'rescue'")) is not dry
    assert [bench.query("shop", query) for query in RESCUED] == [
        "100 5050",
        'CREATE UNIQUE INDEX "Ord er_pkey" ON rescue."Ord er" USING btree (id)',
        'rescue."Ord er_id_seq"101',
        "rescue.note,rescue.note",
    ]
    bench.execute("shop", "DROP SCHEMA rescue CASCADE")
    after = bench.backup("shop").details["databases"]["shop"]
    assert [after[key] for key in ("schema_sha256", "data_digest")] == [
        before[key] for key in ("schema_sha256", "data_digest")
    ]


def test_what_the_other_schema_has_is_used_and_replaced(bench: Bench) -> None:
    copy = bench.backup("shop")
    bench.execute("shop", "UPDATE public.cust SET name = 'x'")
    for dry in (True, False):
        with pytest.raises(TargetError, match=r"rescue\.cust does not exist"):
            bench.prepare(copy, "cust", dry=dry, schema="rescue")
    assert bench.restore(copy, "cust", schema="rescue", with_schema=True).changed
    bench.execute("shop", "UPDATE rescue.cust SET m = 'b'")
    for more in ({}, {"with_schema": True}):  # the type is there already
        with bench.prepare(copy, "cust", "Ord er" if more else "cust", schema="rescue", **more) as ready:
            assert ready.changed
            ready.apply()
    assert bench.query("shop", "SELECT string_agg(DISTINCT m::text || (name = 'x'), ',') FROM rescue.cust") == "afalse"
    assert bench.query("shop", "SELECT string_agg(DISTINCT m::text || (name = 'x'), ',') FROM public.cust") == "atrue"
    with bench.prepare(copy, "cust", "Ord er", schema="rescue", with_schema=True) as ready:
        assert not ready.changed
    with bench.prepare(copy, "cust", schema="public", dry=True) as ready:
        assert ready.changes == (("shop.public.cust", 10, 10),)


def test_what_can_not_be_in_another_schema_is_refused(bench: Bench) -> None:
    bench.execute(
        "shop",
        "CREATE EXTENSION citext SCHEMA public",
        "CREATE TABLE public.mail (address public.citext)",
        "CREATE TABLE public.heir () INHERITS (public.log)",
        "CREATE SCHEMA other",
        "CREATE TABLE other.t ()",
    )
    copy = bench.backup("shop")
    given = {"schema": "rescue", "with_schema": True}
    for dry in (True, False):
        with pytest.raises(TargetError, match=r'type "public\.citext" does not exist'):
            bench.prepare(copy, "mail", dry=dry, **given)
        with pytest.raises(TargetError, match=r"public\.heir can't be .* without TABLE public\.log"):
            bench.prepare(copy, "heir", dry=dry, **given)
        with pytest.raises(InvalidRequest, match="schema is for tables of one schema"):
            bench.prepare(copy, "heir", "t", dry=dry, **given)
        with pytest.raises(InvalidRequest, match="schema is for single tables"):
            bench.prepare(copy, dry=dry, schema="rescue")
        for name in ("", "é" * 32, "pg_toast", "information_schema", "a\0"):
            with pytest.raises(InvalidRequest, match="can't be the name of a schema"):
                bench.prepare(copy, "log", dry=dry, schema=name, with_schema=True)
    with bench.prepare(copy, "heir", "log", **given) as ready:
        ready.apply()
    parent = "SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = 'rescue.heir'::regclass"
    assert bench.query("shop", parent) == "rescue.log"
    assert bench.query("shop", "SELECT count(*) FROM pg_namespace WHERE nspname IN ('public', 'day2_aside')") == 1


KINDS = """
SET search_path = public;
CREATE DOMAIN few AS int CHECK (VALUE < 10);
CREATE TYPE pair AS (a few, b text);
CREATE SEQUENCE shared START 50;
CREATE FUNCTION low(t text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower(t)';
CREATE FUNCTION same(int, int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 = $2';
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, PROCEDURE = same);
CREATE TABLE odd (p pair, ps pair[], n int DEFAULT nextval('shared'), t text CHECK (low(t) <> 'x'),
  k int CHECK (k === 1), g text GENERATED ALWAYS AS (low(t)) STORED);
CREATE INDEX ON odd (low(t));
ALTER TABLE odd ENABLE ROW LEVEL SECURITY;
CREATE POLICY pol ON odd USING (low(t) = current_user);
INSERT INTO odd (p, ps, t, k) SELECT '(1,b)', '{"(2,c)"}', 'T' || g, 1 FROM generate_series(1, 20) g;
CREATE TABLE part (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
INSERT INTO part SELECT g, date '2024-01-01' + g FROM generate_series(1, 9) g;
"""


def test_what_tables_need_comes_along_to_another_schema(bench: Bench) -> None:
    bench.execute("shop", KINDS)
    copy = bench.backup("shop")
    given = {"schema": "Res cue", "with_schema": True}
    for dry in (True, False):
        with bench.prepare(copy, "odd", "part1", dry=dry, **given) as ready:
            assert "TABLE ATTACH part1, INDEX ATTACH part1_pkey." in ready.notes[0]  # a table of its own
            if not dry:
                ready.apply()
    with bench.prepare(copy, "odd", "part1", **given) as ready:
        assert not ready.changed
    names = """SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
     WHERE relnamespace = '"Res cue"'::regnamespace"""
    assert bench.query("shop", names) == "odd odd_low_idx pair part1 part1_pkey shared"
    told = """SELECT string_agg(pg_get_constraintdef(oid), ' ' ORDER BY 1) || (SELECT qual FROM pg_policies WHERE
     schemaname = 'Res cue') FROM pg_constraint WHERE conrelid = '"Res cue".odd'::regclass"""
    assert bench.query("shop", told).count('"Res cue"') == 3
    given_out = bench.query("shop", "SELECT last_value FROM public.shared")
    assert bench.query("shop", """SELECT nextval('"Res cue".shared')""") == given_out + 1  # not from its start
    bench.execute("shop", 'DROP SCHEMA "Res cue" CASCADE')
    with bench.prepare(copy, dry=True) as whole:
        assert not whole.changed, whole.differences
