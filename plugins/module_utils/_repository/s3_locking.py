# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Object Lock: versions that nobody can remove before a date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Optional

from .._core.errors import RepositoryError
from .._core.s3 import MISSING, S3Client, code_of, failures

_NONE = ("ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration", "NotImplemented", "MethodNotAllowed")


def date_of(answer: Mapping[str, Any]) -> datetime:
    """The time of the server."""
    try:
        told = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    except (KeyError, TypeError, ValueError):  # a proxy has taken it away
        return datetime.now(timezone.utc)
    return told if told.tzinfo else told.replace(tzinfo=timezone.utc)


def check(client: S3Client, location: str, wanted: bool) -> None:
    """Raise RepositoryError where the bucket locks everything, or can't lock what is to be locked."""
    try:
        told = client.api.get_object_lock_configuration(Bucket=client.bucket).get("ObjectLockConfiguration", {})
    except failures() as exc:
        if code_of(exc) not in _NONE and (wanted or code_of(exc) != "AccessDenied"):
            raise
        told = {}
    if told.get("Rule", {}).get("DefaultRetention"):
        raise RepositoryError(
            f"{location} can't be a repository: its bucket locks every object by default, including the locks and the "
            "state of the repository.",
            "Remove the default retention of the bucket, and set lock_for instead.",
        )
    if wanted and told.get("ObjectLockEnabled") != "Enabled":
        raise RepositoryError(
            f"Backups in {location} can't be locked: the bucket was created without Object Lock.",
            "Use a bucket with Object Lock, or leave out lock_for.",
        )


def retain(client: S3Client, place: Mapping[str, str], until: datetime, mode: str) -> None:
    """Lock one version."""
    retention = {"Mode": mode.upper(), "RetainUntilDate": until}
    client.api.put_object_retention(**place, Retention=retention)


def until_of(client: S3Client, place: Mapping[str, str]) -> Optional[datetime]:
    """Until when one version is locked; None: it is not, or not any more."""
    try:
        head = client.api.head_object(**place)
    except failures() as exc:
        if code_of(exc) in MISSING:
            return None
        raise
    until: Optional[datetime] = head.get("ObjectLockRetainUntilDate")
    return until if until is not None and until > date_of(head) else None


def later(now: datetime, seconds: float) -> datetime:
    """A date to which something is locked, as whole seconds."""
    return (now + timedelta(seconds=seconds)).replace(microsecond=0)
