# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of all versions: what psycopg does on each, and whole backups where pg_dump is new enough."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import MissingDependency
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster.identity import (
    large_objects,
    list_tables,
    table_sums,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster.server import Server
from ansible_collections.day2.ops.plugins.module_utils._verbs.health import check as health_check
from tests.services.postgresql import binaries, cluster, embedded
from tests.services.stores import Store
from tests.unit.module_utils._verbs.conftest import Run
from tests.unit.module_utils._verbs.migrations import four_steps
from tests.unit.module_utils.verbs import run_verb

pytestmark = pytest.mark.once  # a server for each

INSTALLED = int(binaries().parent.name)
SCRIPT = """
CREATE TABLE kinds (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, f float8, n numeric, ts timestamptz, iv interval,
  by bytea, mo money, j json, b jsonb, ar text[], x xml, pt point, up int GENERATED ALWAYS AS (2) STORED);
INSERT INTO kinds (f, n, ts, iv, by, mo, j, b, ar, x, pt) VALUES
 ('-0', 'NaN', 'infinity', '-1 year 2 days', '\\x005c', 12.34, '{"a": 1,  "a":2}', '{"b": [1, null]}',
  ARRAY['a', NULL, 'c"\\'], 'a<b/>', '(1,2)'),
 ('NaN', 1e-30, '0044-03-15 BC', NULL, '', -1, 'null', '1', '{}', NULL, NULL);
CREATE TABLE plain (a bool, b int2, c int4, d int8, e oid, f float4, g numeric(8,2), h date, i time, j timetz,
  k timestamp, l interval, m uuid, n varchar(5), o bpchar(5), p text, q "char", r inet, s int[], t int4range);
INSERT INTO plain VALUES (true, 1, -2, 3, 4, 1.1, 5.1, 'infinity', '24:00', '01:00+01', '0044-03-15 12:00 BC',
  '1 mon -3 h', '00000000-0000-0000-0000-00000000000a', 'a ', 'a ', '1,é', ',', '10.0.0.1/8', '[2:3]={1,NULL}',
 '[1,3)');
INSERT INTO plain (p) VALUES (''), (NULL);
CREATE TABLE p (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
INSERT INTO p SELECT g, date '2024-01-01' + g FROM generate_series(1, 50) g;
SELECT lo_from_bytea(4242, 'abc');
"""
LOGIN_TRIGGER = """
CREATE TABLE public.logins (who text);
CREATE FUNCTION public.note() RETURNS event_trigger LANGUAGE plpgsql AS
 'BEGIN INSERT INTO public.logins VALUES (session_user); END';
CREATE EVENT TRIGGER note ON login EXECUTE FUNCTION public.note(); ALTER EVENT TRIGGER note ENABLE ALWAYS
"""


def fill(server: Store, name: str) -> tuple[Any, Any]:
    """Make a database. Returns what its data is."""
    options = {"host": server["host"], "username": server["username"]}
    with Server(options).connect() as session:
        session.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    with Server(options).connect(name) as session:
        session.execute("SET search_path = public")
        session.execute(SCRIPT)
        session.execute("SET search_path = ''")
        return table_sums(session, list_tables(session)), large_objects(session)


@pytest.fixture(scope="module", params=[13, 14, 16, 17, 18])
def version(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture(scope="module")
def server(version: int) -> Iterator[Store]:
    with cluster(programs=embedded(version)) as options:
        yield options


def test_a_version(server: Store, version: int, postgresql: Store, run: Run, tmp_path: Path) -> None:
    name = f"version_{version}"
    found = fill(server, name)
    # the same rows have the same digests everywhere, so that a restore can be compared
    assert found == fill(postgresql, name)
    _migrates(server, tmp_path)
    _is_healthy(server)
    if version >= 17:
        _fires_no_login_trigger(server, name, tmp_path)
    source = {key: server[key] for key in ("type", "host", "username")}
    if version > INSTALLED:
        with pytest.raises(MissingDependency, match=f"postgresql-client-{version}"):
            run("backup", source={**source, "database": name})
        return
    assert run("backup", source={**source, "database": name})["changed"] is True
    assert run("backup", source={**source, "database": name})["changed"] is False
    beside = {**source, "database": "beside"}
    assert run("restore", target=beside)["changed"] is True
    assert run("restore", target=beside)["changed"] is False


def _fires_no_login_trigger(server: Store, database: str, tmp_path: Path) -> None:
    options = {"host": server["host"], "username": server["username"]}
    with Server(options).connect() as session:
        session.execute("CREATE ROLE till LOGIN IN ROLE postgres; ALTER ROLE till SET role = postgres")
    server_of_superuser = Server(options)
    server_of_superuser.connect().close()
    with server_of_superuser.connect(database) as session:
        session.execute(LOGIN_TRIGGER)
    server_of_superuser.connect(database).close()
    client = ["psql", "-qAtd", server_of_superuser.conninfo(database, str(tmp_path))]
    assert server_of_superuser.run([*client, "-c", "SELECT count(*) FROM public.logins"]) == b"0\n"
    server_of_till = Server({**options, "username": "till"})
    for _first_and_second in range(2):  # who only becomes a superuser may not switch them off
        server_of_till.connect().close()
    with Server(options).connect() as session:
        session.execute("DROP ROLE till")


def _migrates(server: Store, tmp_path: Path) -> None:
    document = tmp_path / "document.json"
    rows = {f"r{number}": {"id": f"r{number}", "n": number, "text": "é\n", "when": None} for number in range(20)}
    document.write_text(json.dumps({"requests": rows}))
    four_steps({"type": "json", "path": str(document)}, {**server, "schema": "public"})


def _is_healthy(server: Store) -> None:
    spec = health_check.ARGUMENTS["argument_spec"]
    check = {"name": "it", "type": "postgresql", **{key: server[key] for key in ("host", "username", "database")}}
    values = {**{name: one.get("default") for name, one in spec.items()}, "checks": [check], "timeout": "10s"}
    (result,) = run_verb(health_check, values)["checks"]
    assert result["status"] == "ok", result["message"]
