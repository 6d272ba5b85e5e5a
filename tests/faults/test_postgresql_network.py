# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups and restores of PostgreSQL over a network that is slow, or cut at any moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.tests.faults.support import backups, run
from tests.conftest import TIMES
from tests.services.tcp_proxy import TcpProxy, tcp_proxy
from tests.unit.module_utils._stores.postgresql_bench import Bench, clean

pytest.importorskip("psycopg")
SHOP = """
CREATE TABLE public.a (id serial PRIMARY KEY, v text);
INSERT INTO public.a (v) SELECT repeat(md5(g::text), 20) FROM generate_series(1, 1500) g;
CREATE TABLE public.b AS SELECT g AS a FROM generate_series(1, 100) g; SELECT lo_from_bytea(0, 'abc')
"""
COUNT = "SELECT count(*) FROM public.a"
MOMENTS = 3 * TIMES
RATE = 4_000_000


@pytest.fixture
def bench(postgresql: dict[str, Any], tmp_path: Path) -> Iterator[Bench]:
    made = Bench(postgresql, tmp_path)
    made.make("shop", SHOP)
    yield made
    clean(made)


@pytest.fixture
def network(postgresql: dict[str, Any]) -> Iterator[TcpProxy]:
    with tcp_proxy(f"{postgresql['host']}/.s.PGSQL.5432") as made:
        yield made


@pytest.fixture
def store(network: TcpProxy) -> dict[str, Any]:
    """The database behind the network."""
    return {
        "type": "postgresql",
        "host": "127.0.0.1",
        "port": network.port,
        "username": "postgres",
        "database": "shop",
        "sslmode": "disable",
    }


@pytest.fixture
def backup(store: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    return {"name": "app", "source": store, "repository": str(tmp_path / "repository")}


@pytest.fixture
def restore(store: dict[str, Any], backup: dict[str, Any]) -> dict[str, Any]:
    return {"name": "app", "target": store, "repository": backup["repository"], "on_existing": "replace"}


def moments(whole: int) -> list[int]:
    """Of so many bytes."""
    return [whole * (2 * number + 1) // (2 * MOMENTS) for number in range(MOMENTS)]


def done(verb: str, params: dict[str, Any]) -> dict[str, Any]:
    """The result of a run that succeeds."""
    ended = run(verb, params)
    assert (ended.status, ended.error) == (0, "")
    return ended.result


@pytest.mark.usefixtures("bench")
def test_a_backup_that_is_cut_or_throttled(network: TcpProxy, backup: dict[str, Any], tmp_path: Path) -> None:
    network.rate = RATE
    assert done("backup", {**backup, "repository": str(tmp_path / "throttled")})["changed"]
    network.rate = 0
    repository = Path(backup["repository"])
    for moment in moments(network.passed):
        network.heal(cut_at=moment)
        ended = run("backup", backup)
        assert network.is_cut
        assert (ended.status, "onnect" in ended.error) == (3, True), ended.error
        assert backups(repository) == []
    network.heal()
    assert done("backup", backup)["changed"]
    assert done("backup", backup)["changed"] is False
    assert [one.name for one in (repository / "app").iterdir() if one.name.startswith(".staging")] == []


@pytest.mark.parametrize("only", [None, ["public.a"]], ids=["whole", "a table"])
def test_a_restore_that_is_cut_or_throttled(
    bench: Bench, network: TcpProxy, backup: dict[str, Any], restore: dict[str, Any], only: Any
) -> None:
    restore = {**restore, "only": only}
    assert done("backup", backup)["changed"]
    network.heal()
    network.rate = RATE
    bench.execute("shop", "DELETE FROM public.a WHERE id > 1000")
    assert done("restore", restore)["changed"]
    assert bench.query("shop", COUNT) == 1500
    network.rate = 0
    bench.execute("shop", "DELETE FROM public.a WHERE id > 1000")
    for moment in moments(network.passed):
        network.heal(cut_at=moment)
        ended = run("restore", restore)
        assert network.is_cut
        assert bench.query("shop", COUNT) == (1500 if ended.status == 0 else 1000)
        if ended.status == 0:  # only what comes after the commit was cut
            bench.execute("shop", "DELETE FROM public.a WHERE id > 1000")
        else:
            assert "onnect" in ended.error, ended.error
    network.heal()
    assert done("restore", restore)["changed"]
    assert bench.query("shop", COUNT) == 1500
    assert bench.databases() == ["shop"]
    assert done("restore", restore)["changed"] is False


@pytest.mark.parametrize(
    ("only", "work", "refused"),
    [(None, b"RENAME TO", 1), (["public.a"], b"DELETE FROM ONLY", 0)],
    ids=["whole, by a server that restarts", "a table"],
)
def test_the_answer_to_the_commit_is_lost(
    bench: Bench,
    network: TcpProxy,
    backup: dict[str, Any],
    restore: dict[str, Any],
    only: Any,
    work: bytes,
    refused: int,
) -> None:
    assert done("backup", backup)["changed"]
    bench.execute("shop", "DELETE FROM public.a WHERE id > 1000")
    network.heal(lose=(work, b"COMMIT\0"), refused=refused)
    assert done("restore", {**restore, "only": only, "safety_backup": False})["changed"]
    assert network.lost
    assert bench.query("shop", COUNT) == 1500
    assert bench.databases() == ["shop"]
