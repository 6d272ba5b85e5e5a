# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers answer about Object Lock, each as AWS documents it. Real locks are in test_s3.py."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Optional

import pytest
from botocore.exceptions import ClientError

from ansible_collections.day2.ops.plugins.module_utils._core.errors import RepositoryError
from ansible_collections.day2.ops.plugins.module_utils._core.s3 import S3Client
from ansible_collections.day2.ops.plugins.module_utils._repository import s3_locking
from tests.services.answers import Answer, answering

OPTIONS = {"access_key_id": "key", "secret_access_key": "very-secret", "region": "eu-central-1", "addressing": "path"}
NOON = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)
PLACE = {"Bucket": "backups", "Key": "app/manifest.json"}


def client(url: str) -> S3Client:
    return S3Client("s3://backups", {**OPTIONS, "endpoint_url": url}, "tests", 1)


def until_with(answer: Answer) -> Optional[datetime]:
    with answering(answer) as (url, _requests):
        return s3_locking.until_of(client(url), PLACE)


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion", "NotFound"])
def test_what_is_missing_is_not_locked(code: str) -> None:
    assert until_with(Answer(404, code)) is None


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (500, "InternalError"), (400, "BadRequest")])
def test_what_can_not_be_looked_at_is_not_taken_for_unlocked(status: int, code: str) -> None:
    with pytest.raises(ClientError):
        until_with(Answer(status, code))


def check_with(answer: Answer, wanted: bool) -> None:
    with answering(answer) as (url, _requests):
        s3_locking.check(client(url), "s3://backups", wanted)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, "ObjectLockConfigurationNotFoundError"),
        Answer(404, "NoSuchObjectLockConfiguration"),
        Answer(501, "NotImplemented"),
        Answer(405, "MethodNotAllowed"),
    ],
    ids=lambda answer: answer.code,
)
def test_a_bucket_without_object_lock(answer: Answer) -> None:
    check_with(answer, wanted=False)
    with pytest.raises(RepositoryError, match="can't be locked: the bucket was created without Object Lock"):
        check_with(answer, wanted=True)


def test_who_locks_nothing_needs_no_permission_to_look() -> None:
    check_with(Answer(403, "AccessDenied"), wanted=False)
    with pytest.raises(ClientError):
        check_with(Answer(403, "AccessDenied"), wanted=True)


def test_any_other_answer_is_an_error() -> None:
    for wanted in (False, True):
        with pytest.raises(ClientError):
            check_with(Answer(404, "NoSuchBucket"), wanted)


def head(date: Optional[str]) -> dict[str, Any]:
    return {"ResponseMetadata": {"HTTPHeaders": {} if date is None else {"date": date}}}


def test_the_time_of_the_server() -> None:
    assert s3_locking.date_of(head("Mon, 30 Jun 2025 12:00:00 GMT")) == NOON
    assert s3_locking.date_of(head("Mon, 30 Jun 2025 14:00:00 +0200")) == NOON
    assert s3_locking.date_of(head("Mon, 30 Jun 2025 12:00:00 -0000")) == NOON  # it says nothing of its zone


@pytest.mark.parametrize("answer", [{}, head(None), head("yesterday"), {"ResponseMetadata": None}])
def test_without_the_time_of_the_server_ours_counts(answer: dict[str, Any]) -> None:
    before = datetime.now(timezone.utc)
    assert before <= s3_locking.date_of(answer) <= datetime.now(timezone.utc)


def test_dates_are_whole_seconds() -> None:
    assert s3_locking.later(NOON, 90.7) == NOON + timedelta(seconds=90)
    assert s3_locking.later(NOON.replace(microsecond=999_999), 0) == NOON
