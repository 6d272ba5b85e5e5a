# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user of a repository in S3 sees when something is wrong, and what is really sent."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core import s3 as access
from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    Day2Error,
    InvalidRequest,
    NoSpace,
    RepositoryError,
    Unreachable,
)
from ansible_collections.day2.ops.plugins.module_utils._core.s3_signed import Answer as Answered
from ansible_collections.day2.ops.plugins.module_utils._core.s3_signed import signed
from ansible_collections.day2.ops.plugins.module_utils._repository import s3
from ansible_collections.day2.ops.plugins.module_utils._repository.location import open_repository
from ansible_collections.day2.ops.plugins.module_utils._repository.s3 import S3Objects
from tests.services.answers import Answer, answering
from tests.services.repositories import BUCKET, bucket, client, ministack_options, rgw_options
from tests.services.s3 import damaging_proxy

CREDENTIALS = {"access_key_id": "key", "secret_access_key": "very-secret", "region": "eu-central-1"}


@pytest.fixture(autouse=True)
def tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is not repeated, with pauses that become longer."""
    monkeypatch.setattr(s3, "_TRIES", 1)


def objects(url: str, **more: Any) -> S3Objects:
    options = {**CREDENTIALS, "endpoint_url": url, "addressing": "path", "throttle_timeout": "0s", **more}
    return S3Objects("s3://backups/day2", options)


@pytest.mark.parametrize(
    ("answer", "says", "hint"),
    [
        (
            Answer(400, "AuthorizationHeaderMalformed", more="<Region>eu-west-1</Region>"),
            "the bucket is in another region",
            "Set region in s3 to eu-west-1",
        ),
        (
            Answer(301, "PermanentRedirect", headers={"x-amz-bucket-region": "us-west-2"}),
            "the bucket is in another region",
            "us-west-2",
        ),
        (
            Answer(400, "ExpiredToken", "The provided token has expired."),
            "session token has expired",
            "new credentials",
        ),
        (Answer(400, "InvalidToken"), "session token is not valid", "new credentials"),
        (
            Answer(403, "RequestTimeTooSkewed", "The difference is too large."),
            r"clock of this host.*\d\d:\d\d:\d\d GMT",
            "Correct the clock",
        ),
        (Answer(403, "InvalidAccessKeyId"), "does not know the access key", "access_key_id"),
        (Answer(403, "SignatureDoesNotMatch"), "secret access key is wrong", "secret_access_key"),
        (Answer(404, "NoSuchBucket"), "bucket does not exist", "not created"),
        (Answer(503, "SlowDown"), "throttling requests", "later"),
        (Answer(429, "TooManyRequests"), "throttling requests", "later"),
        (Answer(403, "AccessDenied"), "access was denied to PutObject", r"s3:PutObject on backups/day2/\*"),
        (Answer(403, "AllAccessDisabled"), "access was denied to PutObject", "s3:PutObject"),
        (Answer(400, "InvalidStorageClass", "No such class"), "InvalidStorageClass: No such class", ""),
    ],
    ids=lambda value: value.code if isinstance(value, Answer) else "",
)
def test_what_a_server_refuses_is_explained(answer: Answer, says: str, hint: str) -> None:
    with answering(answer) as (url, _requests), pytest.raises(Unreachable, match=says) as caught:
        objects(url).put("x", b"x")
    assert "s3://backups/day2/x" in caught.value.message
    assert "very-secret" not in str(caught.value)
    assert caught.match(hint)


@pytest.mark.parametrize("code", ["QuotaExceeded", "XMinioStorageFull", "InsufficientStorage"])
def test_a_full_store_is_not_taken_for_missing_permissions(code: str) -> None:
    with answering(Answer(403, code)) as (url, _requests), pytest.raises(NoSpace, match="no space left"):
        objects(url).put("x", b"x")


def test_an_expired_token_is_not_tried_again() -> None:
    with answering(Answer(400, "ExpiredToken")) as (url, requests), pytest.raises(Unreachable):
        objects(url).put("x", b"x")
    assert len(requests) == 1


def test_a_token_that_expires_in_the_middle_says_how_long_it_was_valid() -> None:
    bucket(rgw_options)
    with answering(Answer(400, "ExpiredToken")) as (url, requests):
        one = S3Objects(f"s3://{BUCKET}/{uuid4().hex}", rgw_options())
        one.put("x", b"x")
        one._client.api.meta.events.register_first(
            "before-sign.s3", lambda request, **more: setattr(request, "url", f"{url}/backups/x")
        )
        with pytest.raises(
            Unreachable, match="session token expired .* after this run began to use it.*valid for longer"
        ):
            one.put("x", b"x")
    assert len(requests) == 1


@pytest.mark.parametrize("status", [503, 429])
def test_a_busy_server_is_waited_for_until_throttle_timeout(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    clock = [time.monotonic()]
    monkeypatch.setattr(access.time, "monotonic", lambda: clock[0] + sum(slept))
    said: list[str] = []
    monkeypatch.setattr(access, "waiting", said.append)
    with answering(Answer(status, "SlowDown")) as (url, requests):
        with pytest.raises(Unreachable, match=r"for longer than throttle_timeout \(2m\).*increase throttle_timeout"):
            objects(url, throttle_timeout="2m").put("x", b"x")
    assert 100 < sum(slept) <= 120
    assert max(slept) <= 20
    assert len(requests) == len(slept) + 2  # the first without boto3
    assert set(said) == {"the server is throttling requests"}


def test_a_denied_listing_names_its_own_permission() -> None:
    with answering(Answer(403, "AccessDenied")) as (url, _requests), pytest.raises(Unreachable, match="s3:ListBucket "):
        objects(url).trouble()


def test_a_certificate_that_signs_itself(tmp_path: Path) -> None:
    with answering(Answer(404, "NoSuchKey"), tls=tmp_path) as (url, _requests):
        with pytest.raises(Unreachable, match="certificate verify failed.*ca_bundle"):
            objects(url).read("x")
        assert objects(url, ca_bundle=str(tmp_path / "certificate.pem")).read(".day2/x") is None
    with pytest.raises(InvalidRequest, match="ca_bundle"):
        objects(url, ca_bundle=str(tmp_path / "none.pem"))


def test_a_store_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "READ_TIMEOUT", 0.3)
    with (
        answering(None, pause=2) as (url, _requests),
        pytest.raises(Unreachable, match=r"did not answer within 0\.3 s"),
    ):
        objects(url).put("x", b"x")


def test_a_connection_that_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(None) as (url, requests), pytest.raises(Unreachable, match="connection to .* was cut"):
        objects(url).put("x", b"x")
    assert len(requests) == 2  # the first without boto3


def test_requests_are_repeated_while_the_server_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket(rgw_options)
    monkeypatch.setattr(s3, "_TRIES", 5)
    left = [503, 503]
    with damaging_proxy(
        rgw_options()["endpoint_url"], first=lambda method, headers: left.pop() if method == "PUT" and left else None
    ) as url:
        one = S3Objects(f"s3://{BUCKET}/{uuid4().hex}", {**rgw_options(), "endpoint_url": url})
        one.put("x", b"content")
        assert one.read("x") == b"content"
    assert left == []


@pytest.mark.parametrize(
    ("options", "headers", "request_line"),
    [
        ({"storage_class": "STANDARD_IA"}, {"x-amz-storage-class": "STANDARD_IA"}, "PUT /backups/day2/x"),
        (
            {"server_side_encryption": "aws:kms", "kms_key_id": "k"},
            {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "k"},
            "PUT /backups/day2/x",
        ),
        ({"session_token": "t"}, {"X-Amz-Security-Token": "t"}, "PUT /backups/day2/x"),
    ],
)
def test_options_are_really_sent(options: dict[str, str], headers: dict[str, str], request_line: str) -> None:
    for write in (lambda one: one.put("x", b"x"), lambda one: one.create("x", b"x")):
        with answering(Answer(403, "AccessDenied")) as (url, requests), pytest.raises(Day2Error):
            write(objects(url, **options))
        (line, sent), *_more = requests
        assert line == request_line
        assert {name.lower(): value for name, value in headers.items()}.items() <= {
            name.lower(): value for name, value in sent.items()
        }.items()


@pytest.mark.parametrize("tls", [True, False])
def test_bodies_are_signed_where_nothing_else_protects_them(tls: bool, tmp_path: Path) -> None:
    with answering(Answer(403, "AccessDenied"), tls=tmp_path if tls else None) as (url, requests):
        one = objects(url, **({"ca_bundle": str(tmp_path / "certificate.pem")} if tls else {}))
        assert one._client.api  # what is asked without it is small, and always signed
        with pytest.raises(Unreachable):
            one.put("x", b"x")
    ((_line, headers),) = requests
    assert (headers["X-Amz-Content-SHA256"] == "UNSIGNED-PAYLOAD") is tls


@pytest.mark.parametrize(
    "write",
    [
        lambda one: one.put("x", b"x"),
        lambda one: one.create("x", b"x"),
        lambda one: one._create_version("x", b"x"),
        lambda one: one.upload("x").handle.close(),
    ],
    ids=["put", "create", "create-version", "upload"],
)
def test_a_small_object_is_sent_without_asking_first(write: Any) -> None:
    with answering(Answer(403, "AccessDenied")) as (url, requests):
        one = objects(url)
        assert one._client.api  # which would ask
        one._versioning = "Enabled"
        with pytest.raises(Day2Error):
            write(one)
    ((_line, headers),) = requests
    assert "Expect" not in headers


def test_an_error_with_the_status_of_success_is_no_empty_listing() -> None:
    with answering(Answer(200, "InternalError", "We encountered an internal error.")) as (url, _requests):
        for ask in (lambda one: one.folders(), lambda one: one.walk("").__next__(), lambda one: one.abort_uploads("")):
            with pytest.raises(Unreachable, match="InternalError"):
                ask(objects(url))


def test_a_connection_that_is_cut_is_no_answer_without_a_code() -> None:
    with answering(None) as (url, _requests):
        one = objects(url)
        for ask in (lambda: one.read(".day2/x"), lambda: one.create("x", b"x"), lambda: one.get("x", 0), one.trouble):
            with pytest.raises((Unreachable, *access.failures())):
                ask()


def test_a_listing_that_can_not_be_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    one = objects("http://127.0.0.1:9")
    monkeypatch.setattr(one, "_versioning", "")
    pages = iter([{"IsTruncated": True, "NextContinuationToken": None}])
    monkeypatch.setattr(s3.small, "page", lambda *_asked, **_more: next(pages))
    with pytest.raises(Unreachable, match="returned no token"):
        one.folders()


@pytest.mark.parametrize("host", ["[::1", "a..b", "127.0.0.1:99999", "[1.2.3.4]:80"])
def test_an_endpoint_that_is_none(host: str) -> None:
    with pytest.raises(Day2Error, match="can't be used|Can't read"):
        objects(f"http://{host}").read(".day2/x")


def test_the_server_is_named_as_boto3_names_it_and_boto3_has_the_last_word() -> None:
    with answering(Answer(403, "SignatureDoesNotMatch")) as (url, requests):
        with pytest.raises(Unreachable, match="secret access key is wrong"):
            objects(url.replace("127.0.0.1", "LocalHost")).read(".day2/x")
        first, last = (headers["host"] if "host" in headers else headers["Host"] for _line, headers in requests)
        assert first == last == url.replace("http://127.0.0.1", "localhost")
    for url in ("https://One:443", "http://one:80/"):
        client = signed("backups", {**CREDENTIALS, "endpoint_url": url})
        assert client is not None
        assert client._host == "one"


def test_the_bucket_is_in_the_host_name_if_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more: resolve("127.0.0.1", *more))
    with answering(Answer(404, "NoSuchKey")) as (url, requests):
        port = url.rpartition(":")[2]
        objects(f"http://localhost:{port}", addressing="virtual").read(".day2/x")
    ((line, headers),) = requests
    assert (line, headers["Host"]) == ("GET /day2/.day2/x", f"backups.localhost:{port}")


def test_a_bucket_in_another_place_than_its_server_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    bucket(ministack_options)
    place = {"repository": f"s3://not-{uuid4().hex}/x", "s3": ministack_options()}
    one = open_repository(place)
    with pytest.raises(RepositoryError, match="no such bucket|does not exist"):
        one.check_writable("app")


@pytest.mark.parametrize("rate", [None, 1_000_000])
def test_transfers_keep_to_a_rate(rate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket(rgw_options)
    slept: list[float] = []
    pause = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: (slept.append(seconds), pause(min(seconds, 0.001)))[1])
    one = S3Objects(f"s3://{BUCKET}/{uuid4().hex}", rgw_options(), rate)
    upload = one.upload("app/x", 300_000)
    upload.handle.write(b"x" * 300_000)
    upload.handle.close()
    upload.seal()
    up = sum(slept)
    with one.open("app/x") as handle:
        assert len(b"".join(iter(lambda: handle.read(1 << 16), b""))) == 300_000
    if rate is None:
        assert slept == []
    else:
        assert up > 0.2
        assert sum(slept) - up > 0.2
    assert client(rgw_options()).head_object(Bucket=BUCKET, Key=f"{one.location[len(BUCKET) + 6 :]}/app/x")


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ({"repository": "s3://b/p", "limit": "10"}, "at least 1K"),
        ({"repository": "s3://b/p", "limit": "fast"}, "fast"),
        ({"repository": "/var/backups", "limit": "20M"}, "limit applies to"),
    ],
)
def test_rates_that_can_not_be_kept(place: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        open_repository(place)


@pytest.mark.parametrize("space", ["", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'])
def test_an_error_is_read_with_and_without_a_namespace(space: str) -> None:
    body = f"<Error{space}><Code>AccessDenied</Code><Message>No.</Message></Error>".encode()
    assert Answered(403, {}, body).error == {"Code": "AccessDenied", "Message": "No."}
    assert Answered(403, {}, body[:-1]).error == {"Code": ""}
