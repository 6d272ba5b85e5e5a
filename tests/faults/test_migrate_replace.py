# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations from and to DynamoDB, and replacements with their safety backup, killed and continued by the next run."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import time
import uuid
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.records import record_digest
from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import open_target
from ansible_collections.day2.ops.tests.faults.support import (
    Running,
    backups,
    copy,
    run,
    run_with,
    spread,
    steps,
)
from tests.conftest import TIMES
from tests.services.dynamodb_fixtures import dynoxide_url
from tests.services.stores import Store, empty

__all__ = ["dynoxide_url"]

KINDS = ("json", "sqlite", "postgresql", "dynamodb")
KILLS = 2 * TIMES
BATCH = 25
MORE = 100

Make = Callable[[str], Store]


@pytest.fixture
def make(tmp_path: Path, postgresql: Store, dynoxide_url: str) -> Make:
    """An empty store of a type."""

    return lambda kind: empty(kind, tmp_path, postgresql, dynoxide_url)


def fill(store: Store, version: int = 1, more: int = 0) -> None:
    requests = {f"req-{number}": {"request_id": f"req-{number}", "v": version} for number in range(60)}
    machines = {
        f"m-{number:03d}": {
            "machine_id": f"m-{number:03d}",
            "request_id": f"req-{number % 60}",
            "cpus": number,
            "text": "ä" * 50,
            **({"spot": True} if number % 3 else {}),
            "version": version,
        }
        for number in range(300 + more)
    }
    document = {"requests": requests, "machines": machines}
    if store["type"] == "json":
        Path(store["path"]).write_text(json.dumps(document))
        return
    path = f"/tmp/{uuid.uuid4().hex}.json"
    Path(path).write_text(json.dumps(document))
    try:
        done = run("migrate", {"source": {"type": "json", "path": path}, "target": store})
        assert done.status == 0, done.error
    finally:
        os.unlink(path)


def content(store: Store) -> dict[str, tuple[int, int]]:
    """The number of records of each collection, and the sum of their digests, as the store itself has them."""
    with open_target(store, {}) as opened:
        found = {}
        for info in opened.collections():
            records = [
                {name: value for name, value in record.items() if value is not None} for record in opened.read(info)
            ]
            found[info.name] = (len(records), sum(map(record_digest, records)))
        return found


@pytest.mark.parametrize(
    ("source", "target"), [(one, two) for one in KINDS for two in KINDS if "dynamodb" in (one, two)]
)
def test_killed_at_any_moment_it_is_continued_by_the_next_run(make: Make, source: str, target: str) -> None:
    chance = random.Random(f"{source} {target}")
    origin = make(source)
    fill(origin)
    wanted = content(origin)
    began = time.monotonic()
    assert Running("migrate", {"source": origin, "target": make(target), "batch_size": BATCH}).end().status == 0
    whole = time.monotonic() - began
    killed = 0
    while killed < KILLS:
        place = make(target)
        params = {"source": origin, "target": place, "batch_size": BATCH}
        process = Running("migrate", params)
        time.sleep(chance.uniform(0.2, 0.9) * whole)
        process.kill()
        if not process.end().killed:  # before its time had come
            whole *= 0.8
            continue
        killed += 1
        done = run("migrate", params)
        assert done.status == 0, done.error
        assert content(place) == wanted
        assert run("migrate", params).result["changed"] is False
    assert content(origin) == wanted


@pytest.mark.parametrize(("source", "target"), [("json", "sqlite"), ("sqlite", "json")])
def test_a_replacement_killed_at_many_steps(
    make: Make, repository: Path, tmp_path: Path, source: str, target: str
) -> None:
    origin, place = make(source), make(target)
    fill(origin, 2)
    fill(place, 1)
    wanted, old = content(origin), content(place)
    directory = tmp_path / "target"
    directory.mkdir()
    os.rename(place["path"], directory / "store")
    place["path"] = str(directory / "store")
    copy(directory, tmp_path / "old")
    params = {
        "name": "app",
        "source": origin,
        "target": place,
        "batch_size": 100,
        "on_existing": "replace",
        "repository": str(repository),
        "lock_timeout": "0",
    }
    met = 0
    for step in spread(steps("migrate", params)):
        copy(tmp_path / "old", directory)
        shutil.rmtree(repository)
        done = run_with("signal=KILL", step, "migrate", params)
        assert done.killed or done.status in (0, 3), (step, done.error)
        met += done.ended_early
        again = run("migrate", params)
        assert again.status == 0, (step, again.error)
        assert content(place) == wanted, step
        assert [one for one in os.listdir(directory) if one != "store"] == [], step
        assert run("migrate", params).result["changed"] is False, step
        # whatever was killed when: what was there before is in the safety backup
        assert len(backups(repository)) >= 1, step
        reverted = run("migrate", {**params, "state": "reverted"})
        assert reverted.status == 0, (step, reverted.error)
        assert content(place) == old, step
    assert met > 1


@pytest.mark.parametrize("target", ["postgresql", "dynamodb"])
def test_a_replacement_on_a_server_killed_at_any_moment(make: Make, repository: Path, target: str) -> None:
    chance = random.Random(target)
    origin = make("json")
    fill(origin, 2)
    params = {
        "name": "app",
        "source": origin,
        "batch_size": BATCH,
        "on_existing": "replace",
        "repository": str(repository),
        "lock_timeout": "10s",
    }
    whole, killed = 0.0, 0
    for number in itertools.count():
        place = make(target)
        fill(place, 1, more=MORE)
        old = content(place)
        began = time.monotonic()
        process = Running("migrate", {**params, "target": place})
        if number:
            time.sleep(chance.uniform(0.3, 0.95) * whole)
            process.kill()
        ended = not process.end().killed
        whole = whole or time.monotonic() - began
        if ended and number:
            whole *= 0.8
            continue
        if not ended:
            again = run("migrate", {**params, "target": place})
            assert again.status == 0, again.error
            if again.result["changed"]:
                assert sum(one["removed"] for one in again.result["migration"]["collections"]) == MORE
        assert content(place) == content(origin)
        assert run("migrate", {**params, "target": place}).result["changed"] is False
        reverted = run("migrate", {**params, "target": place, "state": "reverted"})
        assert reverted.status == 0, reverted.error
        assert content(place) == old
        killed += bool(number)
        if killed == KILLS:
            break


@pytest.mark.parametrize("victim", ["worker", "parent"])
@pytest.mark.parametrize("phase", [0.2, 0.8])
def test_with_workers_nothing_is_short_and_nobody_is_left(make: Make, victim: str, phase: float) -> None:
    origin, place = make("json"), make("sqlite")
    machines = {f"m-{number:06d}": {"id": f"m-{number:06d}", "text": "ä" * 100} for number in range(10_000)}
    Path(origin["path"]).write_text(json.dumps({"machines": machines}))
    params = {"source": origin, "target": place, "workers": 2}
    began = time.monotonic()
    assert run("migrate", params).status == 0
    whole = time.monotonic() - began
    os.unlink(place["path"])
    while True:
        process = Running("migrate", params)
        time.sleep(phase * whole)
        workers = children(process.pid)
        while not workers and not process.has_ended():
            workers = children(process.pid)
        try:
            if process.has_ended():
                raise ProcessLookupError
            os.kill(workers[0] if victim == "worker" else process.pid, signal.SIGKILL)
            break
        except (IndexError, ProcessLookupError):  # it was faster
            phase *= 0.8
            process.end()
            Path(place["path"]).unlink(missing_ok=True)
    ended = process.end()
    if victim == "worker":
        # one that had just sent all that it had was not missed
        assert ended.status == 0 or (ended.status == 3 and "was killed by signal 9" in ended.error), ended.error
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{one}/exe").exists() for one in workers):
        assert time.monotonic() < deadline, workers
        time.sleep(0.01)
    done = run("migrate", params)
    assert done.status == 0, done.error
    assert content(place) == content(origin)


def children(process: int) -> list[int]:
    """Of a process; an ended one has none."""
    try:
        return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []
