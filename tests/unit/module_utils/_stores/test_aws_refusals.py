# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users read if AWS refuses their credentials, in AWS's own words."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.aws import Connection, Refused
from ansible_collections.day2.ops.plugins.module_utils._core.errors import SourceError
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.client import Client, describe_failure
from ansible_collections.day2.ops.plugins.module_utils._stores.registry import open_store
from tests.services.s3 import CREDENTIALS

_NO_POLICY = (
    "User: arn:aws:iam::123456789012:user/backup is not authorized to perform: ACTION on resource: arn:aws:x "
    "because no identity-based policy allows the ACTION action"
)


@contextlib.contextmanager
def refusing(code: str, message: str) -> Iterator[str]:
    """A server that refuses each call of DynamoDB and SSM."""
    body = json.dumps({"__type": f"com.amazon.coral.service#{code}", "message": message}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


REFUSALS = [
    ("AccessDeniedException", _NO_POLICY, "Allow these credentials the action ACTION on "),
    ("AccessDeniedException", "", "Allow these credentials the action ACTION on "),
    ("AccessDeniedException", _NO_POLICY.replace("ACTION", "kms:Decrypt"), "the action kms:Decrypt on "),
    (
        "InvalidSignatureException",
        "Signature expired: 20261128T120000Z is now earlier than 20261130T115500Z (20261130T120000Z - 5 min.)",
        "The clock of this host is wrong",
    ),
    (
        "InvalidSignatureException",
        "Signature not yet current: 20261202T120000Z is still later than 20261130T120500Z",
        "The clock of this host is wrong",
    ),
    ("InvalidSignatureException", "The request signature we calculated does not match", "Check the credentials"),
    ("UnrecognizedClientException", "The security token included in the request is invalid.", "the region of "),
    ("ExpiredTokenException", "The security token included in the request is expired", "have expired: renew them"),
]


@pytest.mark.parametrize(("code", "message", "hint"), REFUSALS)
@pytest.mark.parametrize(
    ("store", "prefix", "action"),
    [("dynamodb", "shop_", "dynamodb:ListTables"), ("ssm", "/shop/", "ssm:DescribeParameters")],
)
def test_a_refusal_says_what_to_do(
    new_sink: Callable[[], Any], store: str, prefix: str, action: str, code: str, message: str, hint: str
) -> None:
    with refusing(code, message.replace("ACTION", action)) as url, pytest.raises(SourceError) as caught:
        options = {**CREDENTIALS, "region": "eu-central-1", "endpoint_url": url, "prefix": prefix}
        open_store({"type": store, "path": None, "name": None, **options}).snapshot(new_sink())
    assert hint.replace("ACTION", action) in caught.value.hint
    assert CREDENTIALS["secret_access_key"] not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize(("code", "message", "hint"), REFUSALS)
def test_a_refusal_of_a_call_with_data_says_the_same(code: str, message: str, hint: str) -> None:
    action = "dynamodb:BatchWriteItem"
    with refusing(code, message.replace("ACTION", action)) as url:
        client = Client(Connection("eu-central-1", url, None, "key", "secret"), 1, 0.0)
        with contextlib.closing(client), pytest.raises(Refused) as caught:
            client.call("BatchWriteItem", b"{}", threading.Event())
    described = describe_failure(SourceError, "BatchWriteItem of machines", caught.value)
    assert hint.replace("ACTION", action) in described.hint
