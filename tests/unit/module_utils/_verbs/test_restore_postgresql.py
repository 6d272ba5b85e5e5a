# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""restore as modules call it, on databases of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import TargetError

psycopg = pytest.importorskip("psycopg")
pytestmark = pytest.mark.once  # each restore takes a second


class Databases:
    """Two databases of a server, each with one table."""

    names = ("verb_a", "verb_b")

    def __init__(self, server: dict[str, Any]) -> None:
        self.server = {name: server[name] for name in ("type", "host", "username")}

    def execute(self, database: str, *statements: str) -> None:
        with self._connect(database) as session:
            for statement in statements:
                session.execute(statement)

    def counts(self) -> list[int]:
        found = []
        for name in self.names:
            with self._connect(name) as session:
                found.append(session.execute("SELECT count(*) FROM t").fetchone()[0])
        return found

    def _connect(self, database: str) -> Any:
        given = {"host": self.server["host"], "user": self.server["username"]}
        return psycopg.connect(dbname=database, autocommit=True, **given)


@pytest.fixture
def databases(postgresql: dict[str, Any]) -> Iterator[Databases]:
    made = Databases(postgresql)
    for name in made.names:
        made.execute("postgres", f"CREATE DATABASE {name}")
        made.execute(name, "CREATE TABLE t AS SELECT generate_series(1, 5) AS a")
    yield made
    for name in made.names:
        made.execute("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def test_check_run_check_run_and_back(run: Any, databases: Databases) -> None:
    target = {**databases.server, "databases": list(databases.names)}
    run("backup", source=target)
    databases.execute("verb_a", "INSERT INTO t VALUES (6)")
    databases.execute("postgres", "DROP DATABASE verb_b")
    for check in (True, False):
        with pytest.raises(TargetError, match="exists and differs from backup"):
            run("restore", check=check, target=target)
    predicted = run("restore", check=True, target=target, on_existing="replace")
    done = run("restore", target=target, on_existing="replace")
    assert predicted["changed"] is done["changed"] is True
    assert (done["diff"], done["targets"]) == (predicted["diff"], predicted["targets"])
    assert databases.counts() == [5, 5]
    for check in (True, False):
        again = run("restore", check=check, target=target)
        assert (again["changed"], again["safety_backup"]) == (False, None)
    # the safety backup is of the database that was there
    back = run("restore", target=target, on_existing="replace", backup=done["safety_backup"]["id"])
    assert [change["name"] for change in back["targets"][0]["changes"]] == ["verb_a.public.t"]
    assert databases.counts() == [6, 5]
    # a backup after a restore finds nothing new
    run("restore", target=target, on_existing="replace")
    assert run("backup", source=target)["changed"] is False


def test_single_tables(run: Any, databases: Databases) -> None:
    target = {**databases.server, "database": "verb_a"}
    run("backup", source=target)
    databases.execute("verb_a", "DELETE FROM t WHERE a > 2", "CREATE TABLE other ()")
    arguments = {"target": target, "on_existing": "replace", "only": ["public.t"]}
    predicted = run("restore", check=True, **arguments)
    done = run("restore", **arguments)
    assert predicted["changed"] is done["changed"] is True
    assert done["targets"] == predicted["targets"]
    assert databases.counts() == [5, 5]
    databases.execute("verb_a", "SELECT FROM other")
    assert run("restore", **arguments)["changed"] is False
    beside = {**arguments, "target": {**target, "schema": "beside", "with_schema": True}}
    predicted = run("restore", check=True, **beside)
    done = run("restore", **beside)
    assert (done["targets"], done["changed"]) == (predicted["targets"], True)
    assert [change["name"] for change in done["targets"][0]["changes"]] == ["verb_a.beside.t"]
    for check in (True, False):
        assert run("restore", check=check, **beside)["changed"] is False
