# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing records to DynamoDB, against what the server can take at all, and against boto3's batch_writer far away.

The server is dynoxide on this machine. What it can take is measured twice, by batches that were made before the clock
started: sent by four threads of boto3, as a user would, and by four processes that neither sign nor look at what they
send, which is its ceiling. "Far away" is a proxy that holds every call for 20 ms.
"""
# peers: npm=npm

from __future__ import annotations

import http.client
import json
import multiprocessing
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

from common import REPEAT, ROOT, SCALE, Table, fresh, settle

sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / ".cache" / "collections"))

from ansible_collections.day2.ops.plugins.module_utils._core.record_batches import digest_sum, layouts
from ansible_collections.day2.ops.plugins.module_utils._core.records import CollectionDigest
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.tables_store import DynamodbTables
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.values import KeyField, encode
from tests.services.dynamodb import CREDENTIALS, REGION, dynoxide, options
from tests.services.local import free_ports, running, wait_for_port

RECORDS = 20_000 // SCALE
FAR_RECORDS = 5_000 // SCALE
DELAY = 0.02
SENDERS = 4
KEY = (KeyField("id", "S"),)


def records(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"machine-{number:07d}",
            "cpus": number % 64,
            "memory_gib": number * 0.5,
            "state": "running",
            "spot": number % 3 == 0,
            "tags": ["a", "b", str(number)],
            "comment": "x" * 200,
        }
        for number in range(count)
    ]


def bodies(table: str, some: list[dict[str, Any]]) -> list[bytes]:
    puts = [b'{"PutRequest":{"Item":%s}}' % encode(one) for one in some]
    return [
        b'{"RequestItems":{"%s":[%s]}}' % (table.encode(), b",".join(puts[at : at + 25]))
        for at in range(0, len(puts), 25)
    ]


def send(port: int, mine: list[bytes], ready: Any) -> None:
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "DynamoDB_20120810.BatchWriteItem",
        "Authorization": f"AWS4-HMAC-SHA256 Credential=day2/20260101/{REGION}/dynamodb/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=00",
        "X-Amz-Date": "20260101T000000Z",
    }
    connection = http.client.HTTPConnection("127.0.0.1", port)
    ready.wait()
    for body in mine:
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200 or json.loads(answer).get("UnprocessedItems"):
            raise SystemExit(f"the server refused a batch: {answer!r}")


def ceiling(store: DynamodbTables, port: int, prepared: list[bytes]) -> float:
    empty(store)
    ready = multiprocessing.Barrier(SENDERS + 1)
    senders = [
        multiprocessing.Process(target=send, args=(port, prepared[number::SENDERS], ready)) for number in range(SENDERS)
    ]
    for one in senders:
        one.start()
    ready.wait()
    began = time.perf_counter()
    for one in senders:
        one.join()
    taken = time.perf_counter() - began
    if any(one.exitcode for one in senders):
        raise SystemExit("a sender failed")
    return taken


def empty(store: DynamodbTables) -> None:
    store.drop("bench")
    store.create_collection("bench", KEY)


def ours(store: DynamodbTables, some: list[dict[str, Any]]) -> tuple[float, float]:
    """Seconds for writing alone, and with the digest recomputed from the table.

    A migration knows the digest of the source before it writes.
    """
    empty(store)
    wanted = CollectionDigest()
    wanted.add_sum(len(some), digest_sum(layouts(some)))
    began = time.perf_counter()
    with store.writer("bench") as writer:
        for at in range(0, len(some), 1000):
            writer.put(some[at : at + 1000])
        writer.flush()
    written = time.perf_counter() - began
    if store.digest("bench").hexdigest() != wanted.hexdigest():
        raise SystemExit("the table differs from what was written")
    return written, time.perf_counter() - began


def connection(url: str) -> dict[str, str]:
    """What boto3 wants to know."""
    return {
        "endpoint_url": url,
        "region_name": REGION,
        "aws_access_key_id": CREDENTIALS["access_key_id"],
        "aws_secret_access_key": CREDENTIALS["secret_access_key"],
    }


def parallel(store: DynamodbTables, url: str, prepared: list[bytes]) -> float:
    """boto3's client in as many threads."""
    import boto3

    empty(store)
    requests = [json.loads(body) for body in prepared]
    client = boto3.client("dynamodb", **connection(url))

    def put(request: dict[str, Any]) -> None:
        if client.batch_write_item(**request)["UnprocessedItems"]:
            raise SystemExit("the server refused a batch")

    began = time.perf_counter()
    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(put, requests))
    return time.perf_counter() - began


def batch_writer(store: DynamodbTables, url: str, some: list[dict[str, Any]]) -> float:
    import boto3
    from boto3.dynamodb.types import DYNAMODB_CONTEXT

    empty(store)
    resource = boto3.resource("dynamodb", **connection(url))
    # it takes no floats
    taken = [dict(one, memory_gib=DYNAMODB_CONTEXT.create_decimal(str(one["memory_gib"]))) for one in some]
    began = time.perf_counter()
    with resource.Table(store.table_name("bench")).batch_writer() as writer:
        for record in taken:
            writer.put_item(Item=record)
    return time.perf_counter() - began


def in_turn(*measures: Callable[[], tuple[float, ...]]) -> list[tuple[float, ...]]:
    """The best times of each, taken in turns: a busy moment of the machine is everybody's."""
    times: list[list[tuple[float, ...]]] = [[] for dummy in measures]
    for dummy in range(REPEAT):
        for measure, seen in zip(measures, times):
            settle()
            seen.append(measure())
    return [tuple(map(min, zip(*seen))) for seen in times]


def near(table: Table, url: str) -> None:
    store = DynamodbTables(options(url, "b_"))
    some = records(RECORDS)
    prepared = bodies("b_bench", some)
    port = int(url.rpartition(":")[2])
    table.title(f"{RECORDS} records of about 300 bytes to a DynamoDB server on this machine")
    (limit,), (peer,), (written, verified) = in_turn(
        lambda: (ceiling(store, port, prepared),),
        lambda: (parallel(store, url, prepared),),
        lambda: ours(store, some),
    )
    table.row("the server's ceiling", limit, f"{RECORDS / limit:.0f} records/s")
    table.row(f"boto3, {SENDERS} threads", peer, f"{RECORDS / peer:.0f} records/s")
    table.row("day2.ops", written, f"{RECORDS / written:.0f} records/s")
    # The server's own time for reading back is in none of the others: this is told, not promised.
    told = f"{RECORDS / verified:.0f} records/s, {limit / verified:.2f} x the ceiling"
    table.row("day2.ops, read back and compared", verified, told)
    table.at_least("of the ceiling", limit / written, 0.9)


def far(table: Table, url: str, directory: Path) -> None:
    (port,) = free_ports(1)
    script = ROOT / "tests" / "services" / "throttle_proxy.py"
    command = [sys.executable, str(script), str(port), url.rpartition(":")[2], str(DELAY)]
    with running(command, directory) as process:
        wait_for_port(port, process)
        far_url = f"http://127.0.0.1:{port}"
        store = DynamodbTables(options(far_url, "b_"))
        some = records(FAR_RECORDS)
        table.title(f"{FAR_RECORDS} of them, when each call takes {DELAY * 1000:.0f} ms more")
        (peer,), (written, verified) = in_turn(lambda: (batch_writer(store, far_url, some),), lambda: ours(store, some))
        table.row("boto3's batch_writer", peer, f"{FAR_RECORDS / peer:.0f} records/s")
        table.row("day2.ops", written, f"{FAR_RECORDS / written:.0f} records/s")
        table.row("day2.ops, read back and compared", verified, f"{FAR_RECORDS / verified:.0f} records/s")
        table.at_least("of batch_writer, with verification", peer / verified, 3)


def main() -> None:
    table = Table()
    (directory,) = fresh("dynamodb")
    directory.mkdir()
    with dynoxide(directory) as url:
        near(table, url)
        far(table, url, directory)
    table.end()


if __name__ == "__main__":
    main()
