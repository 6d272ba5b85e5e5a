# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# peers: restic=restic zstd=zstd ceph-mon=ceph-mon ceph-osd=ceph-osd radosgw=radosgw ceph=ceph-common
"""Repositories in S3 (Ceph on loopback) beside restic in the same server, in one run; and through a slow line.

Our time is the module's own `duration_s` (reading back and verifying included), theirs the wall time of the command.
"""

from __future__ import annotations

import queue
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from backup import make_database, make_tree
from common import ENVIRONMENT, ROOT, SCALE, WORK, Table, best, fresh, module, shell

sys.path.insert(0, str(ROOT))

import boto3

from tests.services import rgw

BUCKET = "bench"
RATE, DELAY = 5e6, 0.025  # bytes a second each way; seconds each way
BUFFER = 0.1  # seconds of what was sent wait in the line: it stays busy while this process waits for its turn


class _Side:
    """One direction of the line: what is sent waits for what was sent before it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free = 0.0

    def take(self, size: int) -> float:
        with self._lock:
            now = time.monotonic()
            self._free = max(self._free, now) + size / RATE
            return self._free - now


class Line(threading.Thread):
    """A proxy through a line with a rate and a round trip. Counts the bytes."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._target = (str(urlsplit(url).hostname), int(urlsplit(url).port or 80))
        self._sides = (_Side(), _Side())
        self.bytes = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.start()

    def run(self) -> None:
        while True:
            near = self._socket.accept()[0]
            far = socket.create_connection(self._target)
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, target, side in ((near, far, self._sides[0]), (far, near, self._sides[1])):
                threading.Thread(target=self._pump, args=(source, target, side), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, side: _Side) -> None:
        waiting: queue.Queue[tuple[float, bytes]] = queue.Queue(64)
        threading.Thread(target=self._deliver, args=(waiting, target), daemon=True).start()
        data = b"x"
        while data:
            try:
                data = source.recv(16384)
            except OSError:
                data = b""
            self.bytes += len(data)
            wait = side.take(len(data))
            waiting.put((time.monotonic() + wait + DELAY, data))
            time.sleep(max(0.0, wait - BUFFER))

    @staticmethod
    def _deliver(waiting: queue.Queue[tuple[float, bytes]], target: socket.socket) -> None:
        while True:
            when, data = waiting.get()
            time.sleep(max(0.0, when - time.monotonic()))
            try:
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data)
            except OSError:
                return


class Server:
    """The gateway, and repositories in it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.options = {"endpoint_url": url, "region": rgw.REGION, **rgw.CREDENTIALS}
        ENVIRONMENT.update(AWS_ACCESS_KEY_ID=rgw.KEY, AWS_SECRET_ACCESS_KEY=rgw.SECRET)
        self.api = boto3.client(
            "s3", endpoint_url=url, region_name=rgw.REGION, aws_access_key_id=rgw.KEY, aws_secret_access_key=rgw.SECRET
        )
        self.api.create_bucket(Bucket=BUCKET)
        self._warm_up()

    def _warm_up(self) -> None:
        """Ceph makes its pools, which takes 3 s, when something is first read and uploaded."""
        key = {"Bucket": BUCKET, "Key": "first"}
        self.api.put_object(**key, Body=b"x")
        made = self.api.create_multipart_upload(**key)
        self.api.abort_multipart_upload(**key, UploadId=made["UploadId"])
        self.api.delete_object(**key)

    def ours(self) -> dict[str, Any]:
        return {"repository": f"s3://{BUCKET}/ours-{uuid4().hex}", "s3": self.options, "name": "bench"}

    def restic(self) -> str:
        return f"restic -q -r s3:{self.url}/{BUCKET}/restic-{uuid4().hex}"

    def empty(self) -> None:
        """What was measured takes memory of the server."""
        for page in self.api.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            keys = [{"Key": one["Key"]} for one in page.get("Contents", ())]
            if keys:
                self.api.delete_objects(Bucket=BUCKET, Delete={"Objects": keys})


@contextmanager
def server() -> Iterator[Server]:
    directory = Path(tempfile.mkdtemp(dir=WORK))
    try:
        with rgw.rgw(directory) as url:
            yield Server(url)
    finally:
        shutil.rmtree(directory)


def bench_sqlite(table: Table, s3: Server) -> None:
    (database,) = fresh("s3.db")
    make_database(database, 10**9 // SCALE)
    source = {"type": "sqlite", "path": str(database)}
    table.title(f"SQLite, {database.stat().st_size / 1e6:.0f} MB, to S3: first backup, read back and checked")
    last: dict[str, Any] = {"peak": 0.0}

    def first() -> float:
        s3.empty()
        last["place"] = s3.ours()
        result = module("backup", source=source, **last["place"])
        last["peak"] = max(last["peak"], result["peak_mib"])
        return float(result["duration_s"])

    def restic() -> float:
        last["restic"] = s3.restic()
        shell(f"{last['restic']} init")
        return shell(f"{last['restic']} backup {database}")

    theirs = best(restic)
    ours = best(first)
    table.row("day2.ops", ours, f"peak with its programs {last['peak']:.0f} MiB")
    table.row("restic, not read back", theirs)
    table.ratio("to restic", ours / theirs, 0.6)

    table.title("SQLite, to S3: nothing changed")
    again = best(lambda: float(module("backup", source=source, **last["place"])["duration_s"]))
    last["restic"] = s3.restic()
    shell(f"{last['restic']} init; {last['restic']} backup {database}")
    theirs_again = best(lambda: shell(f"{last['restic']} backup {database}"))
    table.row("day2.ops", again)
    table.row("restic", theirs_again)
    table.ratio("to restic", again / theirs_again, 0.3)

    table.title("SQLite, from S3: restore with verification")

    def restore() -> float:
        (target,) = fresh("s3-restored")
        target.mkdir()
        store = {"type": "sqlite", "path": str(target / "hawkfish.db")}
        result = module("restore", target=store, **last["place"])
        last["peak"] = max(last["peak"], result["peak_mib"])
        return float(result["duration_s"])

    back = best(restore)
    theirs_back = best(lambda: shell(f"{last['restic']} restore latest --target {fresh('s3-restic')[0]}"))
    table.row("day2.ops", back)
    table.row("restic", theirs_back)
    table.ratio("to restic", back / theirs_back, 1.2)
    fresh("s3-restored", "s3-restic", "s3.db")


def bench_tree(table: Table, s3: Server) -> None:
    (tree,) = fresh("s3-tree")
    files = 20_000 // SCALE
    make_tree(tree, files, 10**9 // 4 // SCALE)
    table.title(f"tree of {files:,} files, to S3: first backup, read back")

    def first() -> float:
        s3.empty()
        return float(module("backup", source={"type": "files", "path": str(tree)}, **s3.ours())["duration_s"])

    def restic() -> float:
        command = s3.restic()
        shell(f"{command} init")
        return shell(f"{command} backup {tree}")

    theirs, ours = best(restic), best(first)
    table.row("day2.ops", ours)
    table.row("restic, not read back", theirs)
    table.ratio("to restic", ours / theirs, 0.8)
    fresh("s3-tree")


def bench_line(table: Table, s3: Server) -> None:
    (database,) = fresh("s3-line.db")
    make_database(database, 4 * 10**8)  # less would measure the round trips of its requests: 2.5 s, whatever the size
    table.title(f"SQLite, {database.stat().st_size / 1e6:.0f} MB, through a line of 5 MB/s and 50 ms")
    s3.empty()
    line = Line(s3.url)
    place = s3.ours()
    place["s3"] = {**place["s3"], "endpoint_url": line.url}
    result = module("backup", source={"type": "sqlite", "path": str(database)}, **place)
    took, need = float(result["duration_s"]), line.bytes / RATE
    table.row("day2.ops", took, f"peak with its programs {result['peak_mib']:.0f} MiB")
    table.row("bytes up and down / rate", need)
    table.ratio("to that", took / need, 1.1)
    fresh("s3-line.db")


def main() -> None:
    table = Table()
    with server() as s3:
        bench_sqlite(table, s3)
        bench_tree(table, s3)
        bench_line(table, s3)
    table.end()


if __name__ == "__main__":
    main()
