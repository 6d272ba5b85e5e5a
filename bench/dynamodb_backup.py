# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backing up and restoring a table of DynamoDB, against what the server can take at all, and against one thread of
boto3 far away.

The server's ceiling is that of four processes that neither sign nor parse: for a backup, they scan a segment each; for
a restore, they write batches that were made before, and then scan, as a restore reads everything back. A backup is
measured with its compression, and with its own reading back from the disk. "Far away" is a proxy that holds every call.
"""
# peers: npm=npm

from __future__ import annotations

import http.client
import json
import multiprocessing
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from common import REPEAT, ROOT, SCALE, WORK, Table, fresh, module, settle
from dynamodb import DELAY, FAR_RECORDS, KEY, SENDERS, bodies, ceiling, connection, records

from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.tables_store import DynamodbTables
from tests.services.dynamodb import REGION, dynoxide, options
from tests.services.local import free_ports, running, wait_for_port

RECORDS = 100_000 // SCALE
HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "DynamoDB_20120810.Scan",
    "Authorization": f"AWS4-HMAC-SHA256 Credential=day2/20260101/{REGION}/dynamodb/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=00",
    "X-Amz-Date": "20260101T000000Z",
}


def scan_segment(port: int, number: int, ready: Any) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port)
    request: dict[str, Any] = {"TableName": "b_bench", "Segment": number, "TotalSegments": SENDERS}
    request.update(ConsistentRead=True, Limit=2500)
    ready.wait()
    while True:
        client.request("POST", "/", json.dumps(request).encode(), HEADERS)
        response = client.getresponse()
        answer = response.read()
        if response.status != 200:
            raise SystemExit(f"the server refused a scan: {answer!r}")
        at = answer.rfind(b'"LastEvaluatedKey"')
        if at < 0:
            return
        request["ExclusiveStartKey"] = json.JSONDecoder().raw_decode(answer[at + 19 :].lstrip().decode())[0]


def scan_ceiling(port: int) -> float:
    ready = multiprocessing.Barrier(SENDERS + 1)
    readers = [multiprocessing.Process(target=scan_segment, args=(port, one, ready)) for one in range(SENDERS)]
    for one in readers:
        one.start()
    ready.wait()
    began = time.perf_counter()
    for one in readers:
        one.join()
    if any(one.exitcode for one in readers):
        raise SystemExit("a reader failed")
    return time.perf_counter() - began


def back_up(url: str, prefix: str = "b_", watched: bool = False) -> dict[str, Any]:
    fresh("dynamodb-backups")
    source = {"type": "dynamodb", "read_twice": False, **options(url, prefix)}
    return module("backup", watched=watched, name="bench", repository=str(WORK / "dynamodb-backups"), source=source)


def restore(url: str, store: DynamodbTables, prefix: str = "n_", watched: bool = False) -> dict[str, Any]:
    DynamodbTables(options(url, prefix)).drop("bench")
    target = {"type": "dynamodb", **options(url, prefix)}
    return module("restore", watched=watched, name="bench", repository=str(WORK / "dynamodb-backups"), target=target)


def near(table: Table, url: str, store: DynamodbTables, prepared: list[bytes]) -> None:
    port = int(url.rpartition(":")[2])
    table.title(f"{RECORDS} items of about 300 bytes on a DynamoDB server on this machine")
    writes, scans, backups, restores = [], [], [], []
    for dummy in range(max(1, REPEAT - 1)):  # in turns: a busy moment of the machine is everybody's
        settle()
        writes.append(ceiling(store, port, prepared))
        scans.append(scan_ceiling(port))
        backups.append(float(back_up(url)["duration_s"]))
        restores.append(float(restore(url, store)["duration_s"]))
    write, scan, backup, again = map(min, (writes, scans, backups, restores))
    reading = statistics.median(one / two for one, two in zip(scans, backups))
    writing = statistics.median((one + two) / three for one, two, three in zip(writes, scans, restores))
    table.row("the server's ceiling, reading", scan, f"{RECORDS / scan:.0f} items/s")
    table.row("backup", backup, f"{RECORDS / backup:.0f} items/s")
    table.at_least("of the ceiling, median of turns", reading, 0.9)
    table.row("the server's ceiling, writing", write, f"{RECORDS / write:.0f} items/s")
    table.row("and reading back", write + scan)
    table.row("restore", again, f"{RECORDS / again:.0f} items/s")
    table.at_least("of the ceiling, median of turns", writing, 0.9)
    # looking at all processes takes time of the cores that the others were measured on
    table.ratio("memory, backup", back_up(url, watched=True)["peak_mib"], 128, "MiB")
    table.ratio("memory, restore", restore(url, store, watched=True)["peak_mib"], 128, "MiB")


def one_thread(url: str) -> tuple[float, float]:
    """Seconds of boto3's scan into a file, and of its batch_writer out of it."""
    import boto3

    client = boto3.client("dynamodb", **connection(url))
    began = time.perf_counter()
    items = [one for page in client.get_paginator("scan").paginate(TableName="b_bench") for one in page["Items"]]
    (WORK / "dynamodb-peer.jsonl").write_text("".join(json.dumps(one) + "\n" for one in items))
    read = time.perf_counter() - began
    requests = [{"PutRequest": {"Item": one}} for one in items]
    began = time.perf_counter()
    for at in range(0, len(requests), 25):
        client.batch_write_item(RequestItems={"b_bench": requests[at : at + 25]})
    return read, time.perf_counter() - began


def far(table: Table, url: str, store: DynamodbTables, directory: Path) -> None:
    store.drop("bench")
    store.create_collection("bench", KEY)
    store.write("bench", records(FAR_RECORDS))
    (port,) = free_ports(1)
    script = ROOT / "tests" / "services" / "throttle_proxy.py"
    command = [sys.executable, str(script), str(port), url.rpartition(":")[2], str(DELAY)]
    with running(command, directory) as process:
        wait_for_port(port, process)
        far_url = f"http://127.0.0.1:{port}"
        table.title(f"{FAR_RECORDS} of them, when each call takes {DELAY * 1000:.0f} ms more")
        peer_reads, peer_writes = one_thread(far_url)
        backup, again = back_up(far_url)["duration_s"], restore(far_url, store)["duration_s"]
    table.row("boto3, scan in one thread", peer_reads, f"{FAR_RECORDS / peer_reads:.0f} items/s")
    table.row("backup", backup, f"{FAR_RECORDS / backup:.0f} items/s, {peer_reads / backup:.2f} x; two pages of 1 MB")
    table.row("boto3, batches in one thread", peer_writes, f"{FAR_RECORDS / peer_writes:.0f} items/s")
    table.row("restore, read back and compared", again, f"{FAR_RECORDS / again:.0f} items/s")
    table.at_least("of one thread", peer_writes / again, 3)


def main() -> None:
    table = Table()
    (directory,) = fresh("dynamodb")
    directory.mkdir()
    with dynoxide(directory) as url:
        store = DynamodbTables(options(url, "b_"))
        near(table, url, store, bodies("b_bench", records(RECORDS)))
        far(table, url, store, directory)
    table.end()


if __name__ == "__main__":
    main()
