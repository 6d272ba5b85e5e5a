# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB that throttles, fails, cuts connections, restarts; and a writer that is killed. No record is lost."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import SourceError, TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.records import CollectionDigest
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.tables_store import DynamodbTables
from ansible_collections.day2.ops.tests.faults import dynamodb_load
from ansible_collections.day2.ops.tests.faults.dynamodb_load import STEP, load, records
from ansible_collections.day2.ops.tests.faults.support import run
from tests.services import throttle_proxy as faults
from tests.services.dynamodb import dynoxide, options
from tests.services.local import free_ports
from tests.services.throttle_proxy import Proxy, killed_at_call, proxy

COUNT = 900
KILLS = 8


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Proxy]:
    """A proxy in front of a fresh server."""
    with dynoxide(tmp_path) as url, proxy(url) as one:
        yield one


def store_at(url: str, timeout: str = "20s") -> DynamodbTables:
    return DynamodbTables({**options(url, "f_"), "throttle_timeout": timeout})


def expected(count: int) -> str:
    digest = CollectionDigest()
    for record in records(0, count):
        digest.add(record)
    return digest.hexdigest()


def every(number: int, fault: str) -> Callable[[str, int], str]:
    return lambda operation, call: fault if call % number == 0 else faults.NOTHING


@pytest.mark.parametrize(
    "fault",
    [
        faults.THROTTLE,
        faults.SERVER_ERROR,
        faults.CUT,
        faults.CUT_AFTER,
        faults.UNPROCESSED,
        faults.ALL_UNPROCESSED,
    ],
)
def test_what_passes_costs_time_and_no_record(server: Proxy, fault: str) -> None:
    store = store_at(server.url)
    server.fault = every(3, fault)
    if fault in (faults.UNPROCESSED, faults.ALL_UNPROCESSED):
        server.fault = lambda operation, call: (
            fault if operation == "BatchWriteItem" and call % 3 == 0 else faults.NOTHING
        )
    assert load(store, COUNT) == COUNT
    digest = store.digest("data")
    assert (digest.count, digest.hexdigest()) == (COUNT, expected(COUNT))
    assert store.checkpoints("load").load("data") == COUNT
    assert server.faults > 10


@pytest.mark.parametrize("fault", [faults.THROTTLE, faults.SERVER_ERROR, faults.CUT, faults.ALL_UNPROCESSED])
def test_what_does_not_pass_ends_with_an_error_and_the_next_run_goes_on(server: Proxy, fault: str) -> None:
    server.fault = lambda operation, call: (
        fault if operation == "BatchWriteItem" and call > 10 and fault else faults.NOTHING
    )
    with pytest.raises(TargetError, match=r"the DynamoDB table f_data \(\d+ records from the key id=r\d+\)") as caught:
        load(store_at(server.url, "1s"), COUNT)
    assert "run again" in caught.value.hint
    assert caught.value.details["table"] == "f_data"

    kept = store_at(server.url).checkpoints("load").load("data")
    assert kept == 10 * 25
    # all that the checkpoint stands for is there
    found = {record["id"] for page in store_at(server.url).read("data") for record in page}
    assert {record["id"] for record in records(0, kept)} <= found
    server.fault = lambda operation, call: faults.NOTHING
    assert load(store_at(server.url), COUNT) == COUNT - kept
    assert store_at(server.url).digest("data").hexdigest() == expected(COUNT)


@pytest.mark.parametrize("fault", [faults.THROTTLE, faults.SERVER_ERROR, faults.CUT, faults.CUT_AFTER])
def test_reading_survives_what_passes(server: Proxy, fault: str) -> None:
    load(store_at(server.url), COUNT)
    server.fault = every(2, fault)
    store = store_at(server.url)
    assert store.digest("data").hexdigest() == expected(COUNT)
    assert store.describe()[0].records == COUNT


def test_reading_that_is_throttled_for_ever_ends_with_an_error(server: Proxy) -> None:
    load(store_at(server.url), 100)
    server.fault = lambda operation, call: faults.THROTTLE if operation == "Scan" else faults.NOTHING
    with pytest.raises(SourceError, match="Reading the DynamoDB table f_data: the calls are throttled"):
        store_at(server.url, "1s").digest("data")
    with pytest.raises(SourceError, match="f_data"):
        store_at(server.url, "1s").describe()
    # The proxy has a thread for each connection, in this process, too.
    assert not [one.name for one in threading.enumerate() if one.name.startswith("day2-dynamodb")]


@pytest.mark.parametrize("fault", [faults.THROTTLE, faults.ALL_UNPROCESSED])
def test_a_migration_that_is_throttled_for_ever_ends_and_is_continued(
    server: Proxy, tmp_path: Path, fault: str
) -> None:
    document = {record["id"]: record for record in records(0, COUNT)}
    (tmp_path / "data.json").write_text(json.dumps({"data": document}))
    source = {"type": "json", "path": str(tmp_path / "data.json")}
    target = {"type": "dynamodb", **options(server.url, "f_"), "throttle_timeout": "1s"}
    migration = {"source": source, "target": target, "batch_size": 100}
    server.fault = lambda operation, call: fault if operation == "BatchWriteItem" and call > 10 else faults.NOTHING
    stopped = run("migrate", migration)
    told = r"the DynamoDB table f_data \(\d+ records from the key id=r\d+\): .*(throttled|unprocessed)"
    assert re.search(told, stopped.error), stopped.error
    done = run("migrate_info", {"source": source, "target": target}).result["checkpoints"][0]["done"]
    assert done == 200
    server.fault = lambda operation, call: faults.NOTHING
    again = run("migrate", migration)
    assert (again.status, again.result["migration"]["written"]) == (0, COUNT - done), again.error
    assert not run("migrate", migration).result["changed"]
    assert store_at(server.url).digest("data").hexdigest() == expected(COUNT)


def test_a_server_that_restarts_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    done: list[Any] = []
    begun, gone = threading.Event(), threading.Event()

    def waiting(first: int, last: int) -> list[dict[str, Any]]:
        if first == 3 * STEP:
            begun.set()
            gone.wait(120)
        return records(first, last)

    def run() -> None:
        done.append(load(store_at(f"http://127.0.0.1:{port}", "300s"), COUNT))

    monkeypatch.setattr(dynamodb_load, "records", waiting)
    thread = threading.Thread(target=run)
    with dynoxide(tmp_path, keep=True, port=port):
        thread.start()
        assert begun.wait(120)
    gone.set()
    time.sleep(0.5)  # so that it meets a server that is gone, if this machine is quick enough
    assert not done
    with dynoxide(tmp_path, keep=True, port=port) as url:
        thread.join(300)
        assert done == [COUNT]
        assert store_at(url).digest("data").hexdigest() == expected(COUNT)


def test_killed_at_random_and_run_again(server: Proxy) -> None:
    randomly = random.Random(5)
    kept = 0
    for dummy in range(KILLS):
        assert killed_at_call(server, randomly.randint(5, 15), lambda: load(store_at(server.url), COUNT))
        store = store_at(server.url)
        now = store.checkpoints("load").load("data") or 0
        assert now >= kept
        kept = now
        found = {record["id"] for page in store.read("data") for record in page}
        assert {record["id"] for record in records(0, kept)} <= found
    assert 0 < kept < COUNT
    assert load(store_at(server.url), COUNT) == COUNT - kept
    assert store_at(server.url).digest("data").hexdigest() == expected(COUNT)
