# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of PostgreSQL that were made by hand, in all formats: imported with the same data, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, SourceError
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster.import_dump import throw_away

from .conftest import MemoryCopy, MemoryReader, MemorySink
from .postgresql_bench import Bench, clean

pytestmark = pytest.mark.once  # each import takes a second
SHOP = """
SET search_path = public;
CREATE TABLE big (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
INSERT INTO big (v) SELECT md5(g::text) FROM generate_series(1, 500) g;
CREATE TABLE odd (a text); INSERT INTO odd VALUES (E'\\restrict abc'), (NULL), (E'\\\\.'), ('COPY x FROM stdin;');
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$
SELECT 'x';
$$;
"""
Dump = Callable[..., bytes]


@pytest.fixture
def bench(postgresql: dict[str, Any], tmp_path: Path) -> Iterator[Bench]:
    made = Bench(postgresql, tmp_path)
    made.execute("postgres", "CREATE ROLE importer LOGIN CREATEDB")
    made.make("shop", SHOP)
    yield made
    clean(made)
    made.execute("postgres", "DROP ROLE importer")


@pytest.fixture
def dump(bench: Bench) -> Dump:
    """What pg_dump writes of the database, or another program of the server."""

    def run(*words: str, name: str = "pg_dump") -> bytes:
        server = bench.server()
        where = f"--dbname={server.conninfo('shop', str(bench.directory))}"
        assert server.version
        return server.run([server.program(name), *words, where])

    return run


def imported(bench: Bench, data: bytes, filename: str = "shop.dump", **options: Any) -> Any:
    sink = MemorySink(bench.scratch() / "sink")
    snapshot = bench.store(**{"database": "shop", **options}).convert(MemoryReader(data, None), filename, sink)
    assert all(name.startswith("shop/") for name in sink.files)
    return snapshot


@pytest.mark.parametrize("words", [["-Fc"], ["-Ft"], ["-O"], ["-O", "--inserts"], ["-O", "-c", "--if-exists"]])
def test_all_formats_bring_the_same_data(bench: Bench, dump: Dump, words: list[str]) -> None:
    expected = bench.backup("shop").details["databases"]["shop"]
    plain = words[0] == "-O"
    snapshot = imported(bench, dump(*words), **({"username": "importer"} if plain else {}))
    for name in ("sums", "sequences"):
        assert snapshot.details["databases"]["shop"][name] == expected[name]
    assert ("shop.public.big", 500) in snapshot.collections
    assert snapshot.fingerprint is None
    assert bench.databases() == ["shop"]


def test_a_directory(bench: Bench, dump: Dump) -> None:
    expected = bench.backup("shop").details["databases"]["shop"]["data_digest"]
    path = bench.directory / "shop.dir"
    dump("-Fd", "-f", str(path))
    sink = MemorySink(bench.scratch() / "sink")
    snapshot = bench.store(database="shop").convert_directory(str(path), sink)
    assert snapshot.details["databases"]["shop"]["data_digest"] == expected
    (path / "toc.dat").unlink()
    with pytest.raises(SourceError, match="has no file toc.dat"):
        bench.store(database="shop").convert_directory(str(path), sink)


def test_an_import_is_restored_like_a_backup(bench: Bench, dump: Dump) -> None:
    sink = MemorySink(bench.scratch() / "sink")
    snapshot = bench.store(database="shop").convert(MemoryReader(dump("-Fc"), None), "x", sink)
    assert bench.restore(MemoryCopy(sink.files, snapshot), database="again").changed
    assert bench.query("again", "SELECT count(*) FROM public.odd") == 4


def test_what_is_no_whole_dump_is_refused(bench: Bench, dump: Dump) -> None:
    plain, custom = dump("-O"), dump("-Fc")
    for data, words in (
        (b"SELECT 1;\n", "is not a dump of pg_dump"),
        (plain[: len(plain) // 2], "does not end like a dump"),
        (plain[:-60], "does not end like a dump|pg_dump|psql"),
        (custom[: len(custom) // 2], "pg_restore failed"),
        (dump("-C"), "with pg_dump -C"),
        (
            plain.replace(b"CREATE TABLE public.odd", b"\\! touch /tmp/day2-pg-hacked\nCREATE TABLE public.odd"),
            "restrict",
        ),
        (
            plain.replace(b"CREATE TABLE public.odd", b"CREATE NONSENSE public.odd"),
            'syntax error at or near "NONSENSE"',
        ),
    ):
        with pytest.raises(SourceError, match=words):
            imported(bench, data, username="importer")
    assert not Path("/tmp/day2-pg-hacked").exists()
    with pytest.raises(SourceError, match="as postgres, who has the privileges of a superuser"):
        imported(bench, plain)
    bench.execute("postgres", "GRANT postgres TO importer")
    with pytest.raises(SourceError, match="as importer, who has the privileges of a superuser"):
        imported(bench, plain, username="importer")
    bench.execute("postgres", "REVOKE postgres FROM importer")
    with pytest.raises(InvalidRequest, match="for one database"):
        bench.store().convert(MemoryReader(custom, None), "x", MemorySink(bench.scratch() / "sink"))
    assert bench.databases() == ["shop"]


def test_the_leftover_of_a_killed_import_is_removed(bench: Bench, dump: Dump) -> None:
    data = dump("-Fc")
    with throw_away(bench.server(), "shop") as name:
        comment = bench.query(
            "postgres", f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{name}'"
        )
    bench.execute("postgres", f"CREATE DATABASE {name}")
    for whose in ("NULL", "'theirs'"):
        bench.execute("postgres", f"COMMENT ON DATABASE {name} IS {whose}")
        with pytest.raises(SourceError, match="already exists and was not created by an import"):
            imported(bench, data)
    bench.execute("postgres", f"COMMENT ON DATABASE {name} IS '{comment}'")
    imported(bench, data)
    assert bench.databases() == ["shop"]


def test_a_statement_that_fails_shows_no_password(bench: Bench, dump: Dump) -> None:
    bench.execute("postgres", "CREATE ROLE distant")
    bench.execute(
        "shop",
        "CREATE FOREIGN DATA WRAPPER w",
        "CREATE SERVER far FOREIGN DATA WRAPPER w",
        "CREATE USER MAPPING FOR distant SERVER far OPTIONS (password 'hunter2')",
    )
    data = dump("-Fc")
    bench.execute("shop", "DROP OWNED BY distant", "DROP SERVER far CASCADE")
    bench.execute("postgres", "DROP ROLE distant")
    with pytest.raises(SourceError, match="CREATE USER MAPPING FOR distant") as failed:
        imported(bench, data)
    assert "hunter2" not in str(failed.value)
