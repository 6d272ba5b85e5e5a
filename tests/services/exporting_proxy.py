# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports of DynamoDB to S3 as AWS documents them, in front of ministack, which follows exports and writes no files.

In a test: `with exporting(url) as one`. As a program, for tasks of Ansible: exporting_proxy.py PORT UPSTREAM-PORT
SECONDS, where each export lets the clock of point-in-time recovery run on by so many seconds.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import boto3

from tests.services.s3 import CREDENTIALS, REGION
from tests.services.throttle_proxy import Proxy, _Handler

_Items = dict[str, dict[str, Any]]


class ExportingProxy(Proxy):
    """`ahead` is how many seconds the clock of point-in-time recovery is ahead of that of this host.

    What AWS knows of any moment, this knows of those of its exports: an incremental one must begin with one of them.
    """

    def __init__(self, port: int, upstream: int, step: float = 0.0) -> None:
        super().__init__(port, upstream)
        self.RequestHandlerClass = _Exporting
        self.ahead, self.step = 0.0, step
        self.moments: dict[tuple[str, float], _Items] = {}
        self.told: dict[str, dict[str, Any]] = {}  # of exports
        keys = {f"aws_{name}": value for name, value in CREDENTIALS.items()}
        url = f"http://127.0.0.1:{upstream}"
        self.boto, self.s3 = (
            boto3.client(name, endpoint_url=url, region_name=REGION, **keys) for name in ("dynamodb", "s3")
        )

    @property
    def now(self) -> float:
        return time.time() + self.ahead

    def export(self, request: dict[str, Any], arn: str) -> None:
        """Write an export."""
        table = request["TableArn"].rpartition("/")[2]
        found = self.items(table)
        folder = f"{request['S3Prefix']}/AWSDynamoDB/" if request.get("S3Prefix") else "AWSDynamoDB/"
        own, span = f"{folder}{arn.rpartition('/')[2]}/", request.get("IncrementalExportSpecification")
        summary = {"version": "2020-06-30", "exportArn": arn, "outputFormat": "DYNAMODB_JSON"}
        if span is None:
            lines, data = [{"Item": one} for one in found.values()], f"{own}data/"
            self.moments[table, float(request.get("ExportTime", 0.0))] = found
        else:
            lines, data = self.changes(table, span, found), f"{folder}data/"
            for one in ("From", "To"):
                moment = datetime.fromtimestamp(span[f"Export{one}Time"], timezone.utc)
                summary[f"export{one}Time"] = f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"
            summary.update(exportType=request["ExportType"], outputView=span["ExportViewType"])
        self.told[arn] = {"ItemCount": len(lines)}
        self.write(request["S3Bucket"], own, data, summary, lines)
        self.ahead += self.step

    def items(self, table: str) -> _Items:
        found = self.boto.scan(TableName=table)["Items"]
        return {json.dumps(one["id"]): one for one in found}

    def changes(self, table: str, span: dict[str, Any], found: _Items) -> list[dict[str, Any]]:
        """The records of an incremental export, each with the item as it is at the end."""
        before = self.moments[table, float(span["ExportFromTime"])]
        self.moments[table, float(span["ExportToTime"])] = found
        written = [one for key, one in found.items() if before.get(key) != one]
        removed = [one for key, one in before.items() if key not in found]
        meta = {"Metadata": {"WriteTimestampMicros": {"N": "1695097218000000"}}}
        return [
            *({**meta, "Keys": {"id": one["id"]}, "NewImage": one} for one in written),
            *({**meta, "Keys": {"id": one["id"]}} for one in removed),
        ]

    def write(self, bucket: str, own: str, data: str, summary: dict[str, Any], lines: list[dict[str, Any]]) -> None:
        files = []
        for number, some in enumerate((lines[:1], lines[1:])):
            body = gzip.compress("".join(json.dumps(one) + "\n" for one in some).encode())
            key = f"{data}{own.split('/')[-2]}-{number}.json.gz"
            etag = self.s3.put_object(Bucket=bucket, Key=key, Body=body)["ETag"].strip('"')
            md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
            files.append({"itemCount": len(some), "md5Checksum": md5, "etag": etag, "dataFileS3Key": key})
        self.put(bucket, f"{own}manifest-files", "\n".join(json.dumps(one) for one in files) + "\n")
        self.put(bucket, f"{own}manifest-summary", json.dumps({**summary, "itemCount": len(lines)}))
        self.s3.put_object(Bucket=bucket, Key=f"{own}_started", Body=b"")

    def put(self, bucket: str, name: str, text: str) -> None:
        md5 = base64.b64encode(hashlib.md5(text.encode()).digest())
        self.s3.put_object(Bucket=bucket, Key=f"{name}.json", Body=text.encode())
        self.s3.put_object(Bucket=bucket, Key=f"{name}.md5", Body=md5)


class _Exporting(_Handler):
    server: ExportingProxy

    def _forward(self, body: bytes) -> tuple[int, bytes]:
        status, answer = super()._forward(body)
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        if status != 200:
            return status, answer
        if operation == "ExportTableToPointInTime":
            self.server.export(json.loads(body), json.loads(answer)["ExportDescription"]["ExportArn"])
        elif operation == "DescribeExport":
            answer = self._described(answer)
        elif operation == "DescribeContinuousBackups":
            answer = self._recoverable(answer)
        return status, answer

    def _described(self, answer: bytes) -> bytes:
        told = json.loads(answer)
        if told["ExportDescription"]["ExportStatus"] == "COMPLETED":
            told["ExportDescription"].update(self.server.told[told["ExportDescription"]["ExportArn"]])
        return json.dumps(told).encode()

    def _recoverable(self, answer: bytes) -> bytes:
        told = json.loads(answer)
        found = told["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription") or {}
        if found.get("PointInTimeRecoveryStatus") == "ENABLED":
            now = self.server.now
            found.update(EarliestRestorableDateTime=now - 35 * 86400, LatestRestorableDateTime=now)
        return json.dumps(told).encode()


@contextlib.contextmanager
def exporting(url: str) -> Iterator[ExportingProxy]:
    """A proxy in front of the server at that URL, while the block runs."""
    with ExportingProxy(0, int(url.rpartition(":")[2])) as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield one
        finally:
            one.shutdown()
            thread.join()


if __name__ == "__main__":
    ExportingProxy(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])).serve_forever()
