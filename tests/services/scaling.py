# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Application Auto Scaling, as far as backups ask it: no server of the tests has that service. botocore checks the form
of requests and answers.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3

from tests.services.s3 import CREDENTIALS, REGION


class Scaling(ThreadingHTTPServer):
    """`targets` are (least, most) by resource and dimension, `policies` configurations by these and the name."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.targets: dict[tuple[str, str], tuple[int, int]] = {}
        self.policies: dict[tuple[str, str, str], Any] = {}
        self.refused = ""
        keys = {f"aws_{name}": value for name, value in CREDENTIALS.items()}
        self.boto = boto3.client("application-autoscaling", endpoint_url=self.url, region_name=REGION, **keys)

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        place = (given.get("ResourceId", ""), given.get("ScalableDimension", ""))
        if operation == "RegisterScalableTarget":
            self.targets[place] = (given["MinCapacity"], given["MaxCapacity"])
        elif operation == "PutScalingPolicy":
            self.policies[(*place, given["PolicyName"])] = given["TargetTrackingScalingPolicyConfiguration"]
            return {"PolicyARN": "arn:policy"}
        elif operation == "DescribeScalableTargets":
            found = [one for one in self.targets if one[0] in given["ResourceIds"]]
            return {"ScalableTargets": [_target(*one, *self.targets[one]) for one in found]}
        elif operation == "DescribeScalingPolicies":
            known = [one for one in self.policies if one[0] == given["ResourceId"]]
            return {"ScalingPolicies": [_policy(*one, self.policies[one]) for one in known]}
        return {}


def _target(resource: str, dimension: str, least: int, most: int) -> dict[str, Any]:
    place = {"ServiceNamespace": "dynamodb", "ResourceId": resource, "ScalableDimension": dimension}
    return {**place, "MinCapacity": least, "MaxCapacity": most, "RoleARN": "arn:role", "CreationTime": 1751284800.0}


def _policy(resource: str, dimension: str, name: str, configuration: Any) -> dict[str, Any]:
    place = {"ServiceNamespace": "dynamodb", "ResourceId": resource, "ScalableDimension": dimension}
    kind = {"PolicyARN": "arn:policy", "PolicyType": "TargetTrackingScaling", "CreationTime": 1751284800.0}
    return {**place, **kind, "PolicyName": name, "TargetTrackingScalingPolicyConfiguration": configuration}


class _Handler(BaseHTTPRequestHandler):
    server: Scaling

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        told = {"__type": self.server.refused, "message": "not allowed"} if self.server.refused else None
        body = json.dumps(told or self.server.answer(operation, given)).encode()
        self.send_response(400 if told else 200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def scaling() -> Iterator[Scaling]:
    """That service, while the block runs."""
    with Scaling() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
