# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL as a store of backups: names and objects of others neither hide data from it nor act in its sessions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from tests.services.postgresql_databases import Database

pytestmark = pytest.mark.once  # the same driver and the same server for every Python

pytest.importorskip("psycopg")
NewSink = Callable[[], Any]


@pytest.fixture
def database(postgresql: dict[str, Any]) -> Iterator[Database]:
    with Database.new(postgresql) as made:
        yield made


def digest(database: Database, new_sink: NewSink) -> str:
    found: str = database.store(globals=False).snapshot(new_sink()).content_digest
    return found


@pytest.mark.parametrize("name", ["t", "x", "s", "textin"])
def test_a_column_has_any_name(database: Database, new_sink: NewSink, name: str) -> None:
    database.do(f"CREATE TABLE a ({name} int, other text); INSERT INTO a VALUES (1, 'before')")
    before = digest(database, new_sink)
    database.do("UPDATE a SET other = 'after'")
    assert digest(database, new_sink) != before


def test_a_table_without_columns_counts(database: Database, new_sink: NewSink) -> None:
    database.do("CREATE TABLE a (); INSERT INTO a DEFAULT VALUES")
    before = digest(database, new_sink)
    database.do("INSERT INTO a DEFAULT VALUES")
    assert digest(database, new_sink) != before


def test_a_cast_of_the_owner_of_a_table_is_not_used(database: Database, new_sink: NewSink) -> None:
    database.do(
        "CREATE TABLE a (i int); INSERT INTO a VALUES (1);"
        "CREATE FUNCTION hide(a) RETURNS text LANGUAGE sql AS $$ SELECT 'always the same' $$;"
        "CREATE CAST (a AS text) WITH FUNCTION hide(a)"
    )
    before = digest(database, new_sink)
    database.do("UPDATE a SET i = 2")
    assert digest(database, new_sink) != before


# Called where the name alone is used, and the search path is that of the database: exact types come first.
_TRAPS = """
CREATE TABLE public.fell_for (what text);
CREATE FUNCTION public.hashtextextended(text, int) RETURNS bigint LANGUAGE plpgsql AS $$
  BEGIN INSERT INTO public.fell_for VALUES ('function'); RETURN 1; END $$;
CREATE FUNCTION public.joined(oid, text) RETURNS text LANGUAGE plpgsql AS $$
  BEGIN INSERT INTO public.fell_for VALUES ('operator'); RETURN ''; END $$;
CREATE OPERATOR public.|| (LEFTARG = oid, RIGHTARG = text, FUNCTION = public.joined);
CREATE FUNCTION public.set_config(text, text, boolean) RETURNS text LANGUAGE plpgsql AS $$
  BEGIN INSERT INTO public.fell_for VALUES ('setting'); RETURN ''; END $$;
CREATE SEQUENCE s; SELECT nextval('s');
"""


def test_what_others_create_in_a_search_path_is_not_run(database: Database, new_sink: NewSink) -> None:
    database.do(_TRAPS)
    database.admin(f"ALTER DATABASE {database.quoted} SET search_path = public, pg_catalog")
    store = database.store()
    assert store.fingerprint() is not None
    store.snapshot(new_sink())
    with database.connect() as session:
        assert session.execute("SELECT * FROM public.fell_for").fetchall() == []


@pytest.mark.parametrize("odd", ["\f", "\u2028", "\x85", "\n", "\x1c", "; 1 "])
def test_the_names_of_a_sequence_have_any_characters(database: Database, new_sink: NewSink, odd: str) -> None:
    database.do(f'CREATE SCHEMA "a{odd}"; CREATE SEQUENCE "a{odd}"."b{odd}"; CREATE TABLE "a{odd}"."c{odd}" (i int)')
    before = digest(database, new_sink)
    database.do(f"""SELECT nextval('"a{odd}"."b{odd}"')""")
    assert digest(database, new_sink) != before
