# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Into tables that an application has made in PostgreSQL: a schema as Rails makes it, with all that is awkward."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, LockTimeout, TargetError
from tests.unit.module_utils._verbs.migrations import Store, Stores, four_steps, run, sql

TARGET = """
CREATE TABLE schema_migrations (version varchar PRIMARY KEY);
CREATE TABLE ar_internal_metadata (key varchar PRIMARY KEY, value varchar);
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar NOT NULL UNIQUE, admin boolean DEFAULT false NOT NULL,
  last_post_id bigint, created_at timestamp(6) NOT NULL, settings jsonb, balance numeric(10,2),
  locale varchar NOT NULL DEFAULT 'en', changed int NOT NULL DEFAULT 0, mood mood);
CREATE TABLE posts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint NOT NULL, parent_id bigint,
  body text, published boolean, at timestamptz, words int GENERATED ALWAYS AS (length(body)) STORED,
  state int CHECK (state >= 0));
CREATE TABLE posts_tags (post_id bigint NOT NULL, tag varchar(8) NOT NULL);
ALTER TABLE posts ADD CONSTRAINT fk_user FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE,
  ADD CONSTRAINT fk_parent FOREIGN KEY (parent_id) REFERENCES posts;
ALTER TABLE users ADD CONSTRAINT fk_last FOREIGN KEY (last_post_id) REFERENCES posts;
ALTER TABLE posts_tags ADD CONSTRAINT fk_tagged FOREIGN KEY (post_id) REFERENCES posts;
COMMENT ON CONSTRAINT fk_last ON users IS 'the newest';
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW.changed := NEW.changed + 1; NEW.email := lower(NEW.email); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touched();
CREATE TRIGGER never BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION touched();
ALTER TABLE users DISABLE TRIGGER never;
INSERT INTO schema_migrations VALUES ('1'), ('2');
INSERT INTO ar_internal_metadata VALUES ('environment', 'production');
"""
SOURCE = """
CREATE TABLE schema_migrations (version varchar PRIMARY KEY);
CREATE TABLE ar_internal_metadata (key varchar PRIMARY KEY, value varchar);
CREATE TABLE users (id integer PRIMARY KEY AUTOINCREMENT NOT NULL, email varchar NOT NULL, admin boolean DEFAULT 'f',
  last_post_id integer, created_at datetime NOT NULL, settings json, balance decimal(10,2), mood varchar);
CREATE TABLE posts (id integer PRIMARY KEY AUTOINCREMENT NOT NULL, user_id integer NOT NULL, parent_id integer,
  body text, published boolean, at datetime, state integer);
CREATE TABLE posts_tags (post_id integer NOT NULL, tag varchar);
INSERT INTO schema_migrations VALUES ('1'), ('2');
INSERT INTO ar_internal_metadata VALUES ('environment', 'development');
"""
MS = {"posts.at": "timestamptz from ms"}


def source_of(store: Store, users: int = 20) -> Store:
    for statement in SOURCE.strip().split(";\n"):
        sql(store, statement)
    people, posts = [], []
    for number in range(1, users + 1):
        text = f"'U{number}@example.org', '{'t' if number % 3 else 'f'}'"
        when = f"2024-03-31 02:30:{number % 60:02d}.{number:06d}"
        people.append(f"({number}, {text}, {2 * number}, '{when}', '{{\"a\": {number}}}', {number}.1, 'bad')")
        for post in (2 * number - 1, 2 * number):
            parent = 2 * users + 1 - post
            published = ("NULL", "1", "'f'")[post % 3]
            moment = 1711846800000 + post
            posts.append(f"({post}, {number}, {parent}, 'x\t\\{post}', {published}, {moment}, {post})")
    sql(store, "INSERT INTO users VALUES " + ", ".join(people))
    sql(store, "INSERT INTO posts VALUES " + ", ".join(posts))
    sql(store, "INSERT INTO posts_tags VALUES (1, 'a'), (1, 'a'), (2, 'b')")
    sql(store, "INSERT INTO posts VALUES (500, 1, 1, 'gone', 1, 0, 1)")
    sql(store, "DELETE FROM posts WHERE id = 500")
    return store


@pytest.fixture
def source(stores: Stores) -> Store:
    return source_of(stores("sqlite"))


@pytest.fixture
def target(postgresql: Store) -> Iterator[Store]:
    """A database whose owner is no superuser."""
    name = f"rails_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(host=postgresql["host"], user="postgres", dbname="postgres", autocommit=True) as server:
        server.execute(f"CREATE ROLE {name} LOGIN")
        server.execute(f"CREATE DATABASE {name} OWNER {name}")
    store = {**postgresql, "database": name, "username": name}
    with psycopg.connect(host=postgresql["host"], user="postgres", dbname=name, autocommit=True) as server:
        server.execute(f"GRANT ALL ON SCHEMA public TO {name}")
    ask(store, TARGET)
    yield store
    with psycopg.connect(host=postgresql["host"], user="postgres", dbname="postgres", autocommit=True) as server:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def ask(store: Store, query: str) -> list[Any]:
    with psycopg.connect(host=store["host"], user=store["username"], dbname=store["database"]) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def schema_of(store: Store) -> list[Any]:
    return [
        ask(store, "SELECT conname, pg_get_constraintdef(oid), obj_description(oid) FROM pg_constraint ORDER BY 1"),
        ask(store, "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"),
    ]


def state_of(store: Store) -> list[Any]:
    rows = [ask(store, f"SELECT t::text FROM {name} t ORDER BY 1") for name in ("users", "posts", "posts_tags")]
    return [*rows, *schema_of(store)]


def test_an_application_moves_as_the_owner_of_its_tables(source: Store, target: Store) -> None:
    schema = schema_of(target)
    done = four_steps(source, target, types=MS)
    assert done["application_schema"] == {
        "compared": ["schema_migrations"],
        "foreign_keys": ["posts.fk_parent", "posts.fk_user", "posts_tags.fk_tagged", "users.fk_last"],
        "triggers_disabled": ["users.touch"],
        "counters": {"posts.id": 500, "users.id": 20},
    }
    assert schema_of(target) == schema
    query = "SELECT email, admin, created_at, settings, balance, locale, changed, mood FROM users WHERE id = 3"
    when = datetime(2024, 3, 31, 2, 30, 3, 3)
    expected = ("U3@example.org", False, when, {"a": 3}, Decimal("3.10"), "en", 0, "bad")
    assert ask(target, query) == [expected]
    when = datetime(2024, 3, 31, 1, 0, 0, 5000, tzinfo=timezone.utc)
    assert ask(target, "SELECT at, words, published, body FROM posts WHERE id = 5") == [(when, 4, False, "x\t\\5")]
    assert ask(target, "SELECT * FROM posts_tags ORDER BY 1") == [(1, "a"), (1, "a"), (2, "b")]
    assert ask(target, "SELECT value FROM ar_internal_metadata") == [("production",)]
    assert ask(target, "INSERT INTO posts (user_id) VALUES (1) RETURNING id") == [(501,)]
    more = "INSERT INTO users (email, created_at) VALUES ('X', now()) RETURNING id, email, changed"
    assert ask(target, more) == [(21, "x", 1)]
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        ask(target, "INSERT INTO posts_tags VALUES (999, 'x')")


def test_what_was_there_is_replaced_and_columns_of_the_target_alone_are_kept(
    source: Store, target: Store, tmp_path: Path
) -> None:
    # the address moves from one user to another, and posts go on their own
    ask(target, "INSERT INTO users (id, email, created_at, locale) VALUES (1, 'U2@example.org', now(), 'de')")
    ask(target, "INSERT INTO users (id, email, created_at) VALUES (700, 'U1@example.org', now())")
    ask(target, "INSERT INTO posts (id, user_id) OVERRIDING SYSTEM VALUE VALUES (900, 700)")
    before = state_of(target)
    more = {"types": MS, "repository": str(tmp_path / "backups"), "name": "rails"}
    with pytest.raises(TargetError, match="posts already contains other records.*users already contains other records"):
        run(True, source=source, target=target, **more)
    done = four_steps(source, target, on_existing="replace", **more)
    rows = {row["name"]: (row["added"], row["changed"], row["removed"]) for row in done["migration"]["collections"]}
    assert rows == {"users": (19, 1, 1), "posts": (40, 0, 1), "posts_tags": (3, 0, 0)}
    assert ask(target, "SELECT id, email, locale FROM users WHERE id IN (1, 2, 700) ORDER BY 1") == [
        (1, "U1@example.org", "de"),
        (2, "U2@example.org", "en"),
    ]
    assert done["safety_backup"]
    assert schema_of(target) == before[3:]
    for check in (True, False):
        assert run(check, target=target, state="reverted", **more)["changed"]
    assert state_of(target) == before


def test_everything_in_the_way_is_named_at_once(source: Store, target: Store) -> None:
    sql(source, "UPDATE users SET admin = 2, created_at = '' WHERE id = 9")
    sql(source, "UPDATE users SET balance = 1.005, mood = 'soso' WHERE id = 10")
    sql(source, "INSERT INTO schema_migrations VALUES ('3')")
    sql(source, "UPDATE posts_tags SET tag = 'much too long'")
    ask(target, "ALTER TABLE posts DROP COLUMN state")
    ask(target, "ALTER TABLE posts ADD COLUMN must int NOT NULL")
    before = state_of(target)
    wanted = [
        "posts.state: the column does not exist in the target",
        "posts.must: this column exists only in the target, and requires a value",
        'posts_tags.tag is longer than 8 characters in 3 records ("much too long")',
        "schema_migrations: only the source has 3; upgrade both to the same version of the schema",
        "users.admin is not a boolean in 1 record (2, key [9])",
        "users.balance has more than 2 digits after the decimal point in 1 record (1.005, key [10])",
        'users.created_at is not a time in 1 record ("", key [9])',
        'users.mood is not one of the labels in 1 record ("soso", key [10])',
    ]
    for check in (True, False):
        with pytest.raises(TargetError) as caught:
            run(check, source=source, target=target, types=MS)
        assert sorted(caught.value.details["problems"]) == sorted(wanted)
    assert state_of(target) == before


@pytest.mark.parametrize("odd", [True, False])
def test_all_constraints_are_tried_with_the_records_that_can_be_converted(
    source: Store, target: Store, odd: bool
) -> None:
    sql(source, "UPDATE users SET email = 'U1@example.org' WHERE id = 7")
    sql(source, "UPDATE users SET admin = NULL WHERE id = 11")
    sql(source, "UPDATE posts SET state = -1 WHERE id = 30")
    sql(source, "UPDATE posts SET parent_id = 999 WHERE id = 32")
    sql(source, "UPDATE posts SET user_id = 99 WHERE id = 33")
    before = state_of(target)
    wanted = [
        "posts: 1 record with a reference to posts that does not exist (parent_id = 999)",
        "posts: some records violate the constraint posts_state_check",
        "users.admin is null in some records, but a value is required",
        "users: Key (email)=(U1@example.org) already exists",
    ]
    if odd:  # who refers to this one may do so once it is corrected
        sql(source, "UPDATE users SET created_at = '' WHERE id = 9")
        wanted.append('users.created_at is not a time in 1 record ("", key [9])')
    else:
        wanted.append("posts: 1 record with a reference to users that does not exist (user_id = 99)")
    for check in (True, False):
        with pytest.raises(TargetError) as caught:
            run(check, source=source, target=target, types=MS)
        assert sorted(caught.value.details["problems"]) == sorted(wanted)
        assert caught.value.hint == "Nothing was changed."
    assert state_of(target) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE posts SET user_id = 99 WHERE id = 7", r"posts: 1 record with a reference to users.*user_id = 99"),
        ("UPDATE posts SET state = -1 WHERE id = 7", "posts: some records violate the constraint posts_state_check"),
        ("UPDATE posts_tags SET tag = NULL", "posts_tags.tag is null in some records"),
        ("UPDATE users SET email = 'U1@example.org' WHERE id = 7", r"users: Key \(email\)=\(U1@example.org\)"),
    ],
)
def test_check_mode_meets_the_constraints_that_the_run_meets(
    source: Store, target: Store, change: str, message: str
) -> None:
    sql(source, change)
    before = state_of(target)
    told = []
    for check in (True, False):
        with pytest.raises(TargetError, match=message) as caught:
            run(check, source=source, target=target, types=MS)
        told.append(str(caught.value))
    assert told[0] == told[1]
    assert state_of(target) == before


def test_a_number_is_a_time_only_with_its_unit_and_a_clock_only_with_its_zone(source: Store, target: Store) -> None:
    with pytest.raises(TargetError, match=r"posts.at is a number without a unit.*in 40 records"):
        run(True, source=source, target=target)
    with pytest.raises(InvalidRequest, match="posts.at is of type timestamp with time zone in the target"):
        run(True, source=source, target=target, types={"posts.at": "date"})
    sql(source, "UPDATE posts SET at = '2024-03-31 02:30:00'")
    with pytest.raises(TargetError, match=r"posts.at has no time zone \(set timezone\) in 40 records"):
        run(True, source=source, target=target)
    with pytest.raises(TargetError, match=r"posts.at is a time that Europe/Berlin skipped in 40 records"):
        run(True, source=source, target=target, timezone="Europe/Berlin")
    with pytest.raises(InvalidRequest, match="the time zone Mars/Olympus is unknown"):
        run(True, source=source, target=target, timezone="Mars/Olympus")
    assert run(source=source, target=target, timezone="America/New_York")["changed"]
    assert ask(target, "SELECT DISTINCT at FROM posts") == [(datetime(2024, 3, 31, 6, 30, tzinfo=timezone.utc),)]


def test_a_table_that_is_not_migrated_and_refers_to_one_that_is_stops_the_migration(
    source: Store, target: Store, tmp_path: Path
) -> None:
    ask(target, "CREATE TABLE likes (user_id bigint REFERENCES users)")
    ask(target, "INSERT INTO users (id, email, created_at) VALUES (700, 'old', now())")
    ask(target, "INSERT INTO likes VALUES (700)")
    more = {"types": MS, "on_existing": "replace", "repository": str(tmp_path / "backups"), "name": "rails"}
    with pytest.raises(TargetError, match="likes is not migrated, but has records that refer to users"):
        run(True, source=source, target=target, **more)
    ask(target, "DELETE FROM likes")
    assert run(source=source, target=target, **more)["changed"]


def test_merging_leaves_records_of_other_keys(source: Store, target: Store, tmp_path: Path) -> None:
    ask(target, "INSERT INTO users (id, email, created_at) VALUES (700, 'old', now()), (1, 'U1', now())")
    sql(source, "DROP TABLE posts_tags")
    more = {"types": MS, "on_existing": "merge", "repository": str(tmp_path / "backups"), "name": "rails"}
    four_steps(source, target, **more)
    assert ask(target, "SELECT count(*), max(id) FROM users") == [(21, 700)]


def test_records_that_the_tables_cannot_hold_go_to_the_rejects(source: Store, target: Store, tmp_path: Path) -> None:
    sql(source, "UPDATE posts SET published = 'perhaps' WHERE id = 7")
    sql(source, "UPDATE users SET last_post_id = NULL")
    sql(source, "UPDATE posts SET parent_id = NULL")
    path = tmp_path / "rejects"
    done = four_steps(source, target, types=MS, rejects=str(path), max_rejects=1)
    assert done["migration"]["errors"] == 1
    (line,) = path.read_text().splitlines()
    told = json.loads(line)
    assert (told["collection"], told["key"], told["reason"]) == ("posts", [7], "published is not a boolean")


def test_who_is_not_the_owner_is_told_so(source: Store, target: Store, postgresql: Store) -> None:
    ask({**target, "username": "postgres"}, "GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC")
    ask({**target, "username": "postgres"}, "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO PUBLIC")
    ask({**target, "username": "postgres"}, "ALTER TABLE users OWNER TO postgres")
    with pytest.raises(TargetError, match="users belongs to the role postgres, which alone is permitted to do this"):
        run(True, source=source, target=target, types=MS)


def test_a_table_of_another_role_that_refers_to_one_is_told_with_the_rest(source: Store, target: Store) -> None:
    """Nothing of it may even be read."""
    ask({**target, "username": "postgres"}, "CREATE SCHEMA other CREATE TABLE likes (u bigint REFERENCES public.users)")
    ask(target, "INSERT INTO users (id, email, created_at) VALUES (1, 'old', now())")
    sql(source, "UPDATE posts SET state = -1 WHERE id = 1")
    words = 'the foreign key likes_u_fkey of "other"."likes" belongs to another role; posts: some .* posts_state_check'
    for check in (True, False):
        with pytest.raises(TargetError, match=words):
            run(check, source=source, target=target, types=MS, on_existing="replace", safety_backup=False)


def test_who_may_not_have_temporary_tables_is_told_so_with_the_rest(source: Store, target: Store) -> None:
    server = {**target, "username": "postgres"}
    for kind in ("TABLES", "SEQUENCES"):
        ask(server, f"GRANT ALL ON ALL {kind} IN SCHEMA public TO PUBLIC")
    ask(server, "ALTER TABLE users OWNER TO postgres")
    ask(server, f"REVOKE TEMPORARY ON DATABASE {target['database']} FROM PUBLIC, {target['username']}")
    for check in (True, False):
        with pytest.raises(TargetError, match="the privilege TEMPORARY on the database .*; users belongs to the role"):
            run(check, source=source, target=target, types=MS, safety_backup=False)


def test_an_application_that_is_writing_is_waited_for(source: Store, target: Store) -> None:
    with psycopg.connect(host=target["host"], user=target["username"], dbname=target["database"]) as application:
        application.execute("INSERT INTO posts_tags SELECT id, 'x' FROM posts")
        application.execute("UPDATE users SET locale = 'de'")
        assert run(True, source=source, target=target, types=MS)["changed"]
        with pytest.raises(LockTimeout, match=re.escape("Stop the application")):
            run(source=source, target=target, types=MS, lock_timeout="1s")
    assert run(source=source, target=target, types=MS)["changed"]


def test_a_document_goes_into_the_tables_too(source: Store, target: Store, stores: Stores) -> None:
    document = stores("json")
    tags = [{"post_id": 1, "tag": "a"}, {"post_id": 2, "tag": "a"}]
    Path(document["path"]).write_text(json.dumps({"posts_tags": tags}))
    ask(target, "ALTER TABLE posts_tags DROP CONSTRAINT fk_tagged")
    keys = [{"collection": "posts_tags", "fields": ["post_id"]}]
    four_steps(document, target, target_tables="existing", primary_keys=keys)
    assert ask(target, "SELECT * FROM posts_tags ORDER BY 1") == [(1, "a"), (2, "a")]


def test_existing_tables_are_for_postgresql(source: Store, stores: Stores) -> None:
    with pytest.raises(InvalidRequest, match="target_tables=existing requires a target of type postgresql"):
        run(True, source=source, target=stores("sqlite"), target_tables="existing")


def test_what_only_postgresql_has_goes_there_and_back(stores: Stores, target: Store, tmp_path: Path) -> None:
    table = """CREATE TABLE kinds (id int PRIMARY KEY, i interval, t time, u uuid, a inet, r int4range, l int[], j json,
      b jsonb, m money, s real, z timestamptz, d date)"""
    row = """INSERT INTO kinds VALUES (1, '1 mon -3 days 00:00:01', '24:00:00', gen_random_uuid(), '::1/64', '[1,5)',
      '{1,NULL}', '{"a": 1.0}', '{"$time": "soonZ", "n": 1.00}', '1.50', 0.1, 'infinity', '0044-03-15 BC')"""
    source = stores("postgresql")
    sql(source, table)
    sql(source, row)
    ask(target, table)
    ask(target, "INSERT INTO kinds (id, i, s) VALUES (1, '4 years', 1e20)")
    before = ask(target, "SELECT k::text FROM kinds k")
    more = {"on_existing": "replace", "repository": str(tmp_path / "backups"), "name": "kinds"}
    four_steps(source, target, target_tables="existing", **more)
    assert ask(target, "SELECT k::text FROM kinds k") == sql(source, "SELECT k::text FROM kinds k")
    assert run(target=target, state="reverted", **more)["changed"]
    assert ask(target, "SELECT k::text FROM kinds k") == before


ARRAYS = """CREATE TABLE lists (id int PRIMARY KEY, a text[], b int[], c numeric(6,2)[], d timestamptz[], e bool[],
f uuid[], g varchar(3)[], h float8[], i date[], l text[] NOT NULL DEFAULT '{}')"""
LISTS = [
    {"a": ["x", 'q"\\,{} NULL', None, "NULL", "", " s ", "tab\t\n\\N"], "b": [1, None, -5], "c": [1.5, 2], "l": []},
    {"a": [["a", "b"], ["c", None]], "b": [], "c": None, "l": ["ü"]},
    {"d": ["2024-01-01T10:00:00Z"], "e": [True, False, None], "i": ["2024-02-29"], "l": []},
    {"f": ["00000000-0000-4000-8000-000000000001"], "g": ["abc"], "h": [0.1, 1e300], "l": []},
]


def test_lists_go_into_columns_with_arrays(target: Store, stores: Stores) -> None:
    ask(target, ARRAYS)
    source = stores("json")
    records = {str(number): {"id": number, **one} for number, one in enumerate(LISTS)}
    Path(source["path"]).write_text(json.dumps({"lists": records}))
    params: dict[str, Any] = {"source": source, "target": target, "target_tables": "existing"}
    assert run(True, **params)["changed"]
    assert run(**params)["changed"]
    assert not run(True, **params)["changed"]
    found = ask(target, "SELECT to_jsonb(a), to_jsonb(b), to_jsonb(c), to_jsonb(l) FROM lists ORDER BY id LIMIT 2")
    assert found == [tuple(one[name] for name in "abcl") for one in LISTS[:2]]
    assert ask(target, "SELECT d::text, e::text, i::text FROM lists WHERE id = 2") == [
        ('{"2024-01-01 10:00:00+00"}', "{t,f,NULL}", "{2024-02-29}")
    ]


@pytest.mark.parametrize(
    ("text", "array"),
    [
        ('["a", null]', "{a,NULL}"),
        ('{"a b",c}', '{"a b",c}'),
        ("{}", "{}"),
        ("[[]]", "{}"),
        ("{{a},{NULL}}", "{{a},{NULL}}"),
    ],
)
def test_text_of_lists_and_arrays_goes_into_columns_with_arrays(
    target: Store, stores: Stores, text: str, array: str
) -> None:
    ask(target, ARRAYS)
    source = stores("sqlite")
    sql(source, "CREATE TABLE lists (id INTEGER PRIMARY KEY, l TEXT)")
    sql(source, f"INSERT INTO lists VALUES (1, '{text}')")
    assert run(source=source, target=target, target_tables="existing")["changed"]
    assert ask(target, "SELECT l::text FROM lists") == [(array,)]


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        *[("a", one, "is not a list") for one in ("a", "{a", "a}", "{a}x", "{a,,b}", "{a,}", "{}{}", "", {"x": 1})],
        ("a", [["a"], ["b", "c"]], "parts have different lengths"),
        ("a", ["a", ["b"]], "parts have different lengths"),
        ("b", [1.5], "is not an integer"),
        ("c", [1.234], "more than 2 digits after"),
        ("c", [12345], "more than 4 digits before"),
        ("g", ["abcd"], "longer than 3 characters"),
        ("a", ["\0"], "contains a NUL"),
    ],
)
def test_what_columns_with_arrays_do_not_take(target: Store, stores: Stores, column: str, value: Any, why: str) -> None:
    ask(target, ARRAYS)
    source = stores("json")
    Path(source["path"]).write_text(json.dumps({"lists": {"1": {"id": 1, "l": [], column: value}}}))
    for check in (True, False):
        with pytest.raises(TargetError, match=rf"lists\.{column} .*{why}"):
            run(check, source=source, target=target, target_tables="existing")
