# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores of PostgreSQL that are killed at each step, and run again; sessions that end; a server with a full disk."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, NoSpace, TargetError
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster import (
    restore_databases,
    restore_load,
    restore_plan,
)
from tests.faults.support import spread, unmount
from tests.services.postgresql_databases import killed
from tests.unit.module_utils._stores.postgresql_bench import END_OTHERS, Bench, clean

SHOP = """CREATE TABLE public.t (a int PRIMARY KEY, b text);
INSERT INTO public.t SELECT g, md5(g::text) FROM generate_series(1, 1000) g; CREATE SEQUENCE public.s"""
COUNT = "SELECT count(*) FROM public.t"


@pytest.fixture
def bench(postgresql: dict[str, Any], tmp_path: Path) -> Iterator[Bench]:
    made = Bench(postgresql, tmp_path)
    made.make("shop", SHOP)
    yield made
    clean(made)


# Where the process dies: after the function, or after its n-th call.
STEPS: dict[str, tuple[Any, str, int]] = {
    "created": (restore_plan, "create", 1),
    "schema": (restore_load.Load, "schema", 1),
    "rows": (restore_load.Load, "rows", 1),
    "indexes": (restore_load.Load, "rest", 1),
    "verified": (restore_plan._Work, "_verify", 1),
    "half of the swap": (restore_databases.Swap, "_rename", 1),
    "swap before its commit": (restore_databases, "dress", 1),
    "swapped": (restore_databases.Swap, "apply", 1),
    "dropped": (restore_plan, "drop", 1),
}
SWAPPED = ("swapped", "dropped")


def die_after(where: Any, name: str, calls: int) -> None:
    """From now on this process dies by SIGKILL when the function has returned as often."""
    original: Callable[..., Any] = getattr(where, name)
    count = iter(range(1, calls + 1))

    def dying(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if next(count) == calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(where, name, dying)


@pytest.mark.parametrize("step", STEPS)
def test_killed_and_run_again(bench: Bench, step: str) -> None:
    copy = bench.backup("shop")
    bench.execute("shop", "DELETE FROM public.t WHERE a > 500")
    child = os.fork()
    if child == 0:
        try:
            die_after(*STEPS[step])
            bench.restore(copy)
        finally:
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert bench.query("shop", COUNT) == (1000 if step in SWAPPED else 500)
    assert bench.query("postgres", "SELECT count(*) FROM pg_database WHERE datname LIKE 'day2%'") == (step != "dropped")

    ready = bench.restore(copy)
    assert ready.changed is (step not in SWAPPED)
    assert any("a leftover of an interrupted restore" in note for note in ready.notes) is (step != "dropped")
    assert bench.query("shop", COUNT) == 1000
    assert bench.databases() == ["shop"]
    assert not bench.restore(copy).changed


def test_each_program_is_killed(bench: Bench) -> None:
    copy = bench.backup("shop")
    bench.execute("shop", "DELETE FROM public.t WHERE a > 500")
    with killed(0) as every:
        assert bench.restore(copy).changed
    for step in spread([f"{name}:{number}" for number, name in enumerate(every, 1)], 4):
        bench.execute("shop", "DELETE FROM public.t WHERE a > 500")
        problem, at = "", int(step.partition(":")[2])
        with killed(at):
            try:
                bench.restore(copy)
            except Day2Error as exc:
                problem = exc.message
        if every.index("pg_dump") == at - 1:  # it tells what is there
            assert (problem, bench.query("shop", COUNT)) == ("", 1000)
        else:
            assert "was ended by signal 9" in problem
            assert bench.query("shop", COUNT) == 500
        assert bench.databases() == ["shop"]


def test_the_session_of_the_swap_ends(bench: Bench) -> None:
    copy = bench.backup("shop")
    bench.execute("shop", "DELETE FROM public.t WHERE a > 500")
    with bench.prepare(copy) as ready:
        assert bench.query("postgres", END_OTHERS)
        with pytest.raises(TargetError, match="Can't replace shop"):
            ready.apply()
    assert bench.query("shop", COUNT) == 500
    assert ready.notes == ()
    assert bench.databases() == ["shop"]
    assert bench.restore(copy).changed
    assert bench.databases() == ["shop"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Room for one empty database, but not for two."""
    place = Path(tempfile.mkdtemp(prefix="day2-pg-small-", dir="/tmp"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", place], check=True)
    subprocess.run(["chown", "postgres", place], check=True)
    yield place
    unmount(place)
    place.rmdir()


@pytest.mark.root
def test_the_disk_of_this_host_is_full(bench: Bench, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=32k", small_disk], check=True)
    copy = bench.backup("shop")
    bench.execute("shop", "DELETE FROM public.t WHERE a > 500")
    for dry in (True, False):
        scratch = small_disk / "scratch"
        scratch.mkdir()
        with pytest.raises(NoSpace, match="No space left on device"):
            bench.store().prepare(copy, [], str(scratch), dry)
        shutil.rmtree(scratch)
    assert bench.query("shop", COUNT) == 500
    assert bench.databases() == ["shop"]


@pytest.mark.root
def test_the_disk_of_the_server_is_full(bench: Bench, small_disk: Path) -> None:
    bench.execute("postgres", f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    try:
        bench.make(
            "tight",
            "CREATE TABLE public.t AS SELECT repeat(md5(g::text), 30) b FROM generate_series(1, 6000) g",
            "TABLESPACE small",
        )
        copy = bench.backup("tight")
        bench.execute("tight", "DELETE FROM public.t WHERE ctid = '(0,1)'")
        with pytest.raises(NoSpace, match="Restoring the database tight needs"):
            bench.prepare(copy)
        copy.details["databases"]["tight"]["bytes"] = 0  # others may fill the disk after that was checked
        with pytest.raises((NoSpace, TargetError), match="No space left on device"):
            bench.prepare(copy)
        assert bench.query("tight", COUNT) == 5999
        # the server needs space to drop a database, too
        subprocess.run(["mount", "-o", "remount,size=60m", small_disk], check=True)
        assert bench.restore(copy).changed
        assert bench.query("tight", COUNT) == 6000
        assert bench.databases() == ["shop", "tight"]
    finally:
        bench.execute("postgres", "DROP DATABASE tight WITH (FORCE)", "DROP TABLESPACE small")
