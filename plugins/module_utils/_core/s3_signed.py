# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small requests to S3 with the standard library alone, signed with keys that were given.

To import boto3 and to make its client takes a quarter of a second of a processor: more than all else of a run that
finds nothing to do. What is not answered as expected is asked again through boto3.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import os
import re
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

_CONNECT, _READ = 10.0, 30.0  # seconds
_REGION = re.compile(r"(?!us-gov|us-iso|eu-isoe|cn-)[a-z]{2}-[a-z]+-\d")
_LABEL = re.compile(r"[A-Za-z0-9-]{1,63}")
_ENDPOINT = re.compile(r"https?://(?:[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?/?")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
# What else boto3 would take into account
_VARIABLES = re.compile(
    r"AWS_(?!(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|CA_BUNDLE|(?:DEFAULT_)?REGION|EC2_METADATA_\w+)$)|"
    r"(?:https?|all|HTTPS?|ALL)_(?:proxy|PROXY)$"
)
_CONFIGURATION = ("~/.aws/config", "~/.aws/credentials")
_BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Answer(NamedTuple):
    """Of a server. `headers` have names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> ElementTree.Element:
        """The body as XML, without namespaces. Raises ParseError."""
        root = ElementTree.fromstring(self.body)  # noqa: S314
        for one in root.iter():
            one.tag = one.tag.rpartition("}")[2]
        return root

    @property
    def error(self) -> dict[str, str]:
        """What is wrong, with a code."""
        with contextlib.suppress(ElementTree.ParseError):
            return {"Code": "", **{one.tag: one.text or "" for one in self.document}}
        return {"Code": ""}


def signed(bucket: str, options: Mapping[str, Any]) -> Optional[Signed]:
    """A client of a bucket; None: boto3 is needed to know where it is, or how to get there."""
    known = all(options.get(name) for name in ("access_key_id", "secret_access_key", "region"))
    others = any(_VARIABLES.match(name) for name in os.environ) or any(
        os.path.exists(os.path.expanduser(one)) for one in _CONFIGURATION
    )
    region, endpoint = str(options.get("region")), str(options.get("endpoint_url") or "")
    if not known or others or not _BUCKET.fullmatch(bucket):
        return None
    if not endpoint and _REGION.fullmatch(region) and options.get("addressing") != "path":
        return Signed(f"https://{bucket}.s3.{region}.amazonaws.com", options)
    if not _ENDPOINT.fullmatch(endpoint) or not _LABEL.fullmatch(region) or options.get("addressing") == "virtual":
        return None
    try:
        return Signed(f"{endpoint.rstrip('/')}/{bucket}", options)
    except ValueError:  # newer Pythons look at what is in brackets; boto3 tells what is wrong
        return None


class Signed:
    """Requests to one bucket. Each thread has a connection of its own, which is kept.

    :param url: of the bucket.
    """

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        parts = urlsplit(url)
        self._tls = parts.scheme == "https"
        # as boto3 names it: what passes requests on may name the server so, and the name is signed
        self._host, self._top = parts.netloc.lower(), parts.path
        default = f":{_DEFAULT_PORTS[parts.scheme]}"
        if self._host.endswith(default):
            self._host = self._host[: -len(default)]
        self._options = options
        self._own = threading.local()

    def ask(self, method: str, key: str, query: Mapping[str, str], body: bytes, more: Mapping[str, str]) -> Answer:
        """Make a request. Raises OSError or HTTPException when it is not answered.

        :param key: of the object; "" for the bucket.
        """
        path = quote(self._top + (f"/{key}" if key else "") or "/", safe="/-_.~")
        asked = "&".join(f"{quote(name, safe='-_.~')}={quote(query[name], safe='-_.~')}" for name in sorted(query))
        while True:
            connection, kept = self._connection()
            headers = self._signed(method, path, asked, body, more)
            try:
                connection.request(method, f"{path}{'?' * bool(asked)}{asked}", body or None, headers)
                told = connection.getresponse()
                return Answer(told.status, {name.lower(): value for name, value in told.getheaders()}, told.read())
            except (http.client.HTTPException, OSError):
                self._close()
                if not kept:
                    raise
            except BaseException:
                self._close()
                raise

    def _connection(self) -> tuple[Any, bool]:
        """And whether it was used before: then the server may have closed it."""
        made = getattr(self._own, "connection", None)
        if made is not None:
            return made, True
        if self._tls:
            named = (self._options.get("ca_bundle"), *(os.environ.get(one) for one in _BUNDLES))
            bundle = next(filter(None, named), None)
            context = ssl.create_default_context(cafile=bundle)
            made = http.client.HTTPSConnection(self._host, timeout=_CONNECT, context=context)
        else:
            made = http.client.HTTPConnection(self._host, timeout=_CONNECT)
        made.connect()
        made.sock.settimeout(_READ)
        self._own.connection = made
        return made, False

    def _close(self) -> None:
        self._own.connection.close()
        self._own.connection = None

    def _signed(self, method: str, path: str, query: str, body: bytes, more: Mapping[str, str]) -> dict[str, str]:
        """The headers of a request, with its signature (AWS Signature Version 4)."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        digest = hashlib.sha256(body).hexdigest()
        headers = {"host": self._host, "x-amz-content-sha256": digest, "x-amz-date": now, **more}
        if self._options.get("session_token"):
            headers["x-amz-security-token"] = str(self._options["session_token"])
        names = ";".join(sorted(headers))
        lines = [f"{name}:{headers[name].strip()}" for name in sorted(headers)]
        request = "\n".join([method, path, query, *lines, "", names, digest])
        scope = f"{now[:8]}/{self._options['region']}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()])
        key = f"AWS4{self._options['secret_access_key']}".encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        credential = f"{self._options['access_key_id']}/{scope}"
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
        )
        return headers


_MISSING = ("NoSuchKey", "NoSuchBucket")
# What one more try does not change
_DEFINITE = (
    *("AccessDenied", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken"),
    *("ConditionalRequestConflict", "PreconditionFailed"),
    *("QuotaExceeded", "XMinioStorageFull", "InsufficientStorage"),
)
_METHODS = {"GetObject": "GET", "PutObject": "PUT", "DeleteObjects": "POST"}  # others are GET


def asked(client: Signed, operation: str, key: str, body: bytes, **more: Mapping[str, str]) -> Optional[Answer]:
    """Make a request. None: it was not answered, or the server can't do it now. Raises ClientError for what it refuses,
    but for what is missing.

    :param more: `query` and `headers`.
    """
    headers = dict(more["headers"])
    if operation == "DeleteObjects":
        digest = hashlib.md5(body, usedforsecurity=False).digest()
        headers["content-md5"] = base64.b64encode(digest).decode()
    try:
        answer = client.ask(_METHODS.get(operation, "GET"), key, more["query"], body, headers)
    except (http.client.HTTPException, OSError, ValueError, OverflowError):
        return None
    if answer.status < 300:
        return answer
    error = answer.error
    if answer.status == 404 and error["Code"] in _MISSING:
        return answer
    if error["Code"] not in _DEFINITE:
        return None
    from botocore.exceptions import ClientError  # only here: it takes long to import

    told = {"HTTPStatusCode": answer.status, "HTTPHeaders": dict(answer.headers)}
    raise ClientError({"Error": error, "ResponseMetadata": told}, operation)
