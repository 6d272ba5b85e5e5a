# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many copies there are, and which repositories are elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._repository.location import is_offsite, place_of
from ansible_collections.day2.ops.plugins.module_utils._repository.objective import (
    BEHIND,
    CURRENT,
    MISSING,
    UNKNOWN,
    Copies,
    Copy,
    Objective,
)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({"repository": "/var/backups"}, False),
        ({"repository": "/mnt/nas", "offsite": True}, True),
        ({"repository": "/mnt/nas", "offsite": "False"}, False),
        ({"repository": "s3://bucket"}, True),
        ({"repository": "s3://bucket", "offsite": False}, False),
        ({"repository": "s3://bucket", "s3": {"endpoint_url": "http://127.0.0.1:9000"}}, False),
        ({"repository": "s3://bucket", "s3": {"endpoint_url": "https://localhost"}}, False),
        ({"repository": "s3://bucket", "s3": {"endpoint_url": "http://[::1]:9000"}}, False),
        ({"repository": "s3://bucket", "s3": {"endpoint_url": "https://s3.example.com"}}, True),
        ({"repository": "s3://bucket", "s3": {"endpoint_url": "https://localhost.example.com"}}, True),
        ({"repository": "s3://bucket", "s3": None}, True),
        ({"repository": "rclone:nas:app", "rclone": {"settings": {"type": "local"}}}, False),
        ({"repository": "rclone:nas:app", "rclone": {"settings": {"type": "sftp", "host": "127.0.0.2"}}}, False),
        ({"repository": "rclone:nas:app", "rclone": {"settings": {"type": "sftp", "host": "nas.example.com"}}}, True),
        ({"repository": "rclone:nas:app", "rclone": {"settings": None}}, True),
    ],
)
def test_which_are_on_another_site(place: dict[str, Any], expected: bool) -> None:
    assert is_offsite(place) is expected


@pytest.mark.parametrize(
    ("statuses", "objective", "count", "offsite", "met"),
    [
        ([CURRENT], Objective(2, 0), 2, 0, True),
        ([CURRENT], Objective(3, 0), 2, 0, False),
        ([CURRENT, CURRENT], Objective(3, 1), 3, 1, True),
        ([CURRENT, BEHIND], Objective(2, 1), 2, 0, False),
        ([MISSING, UNKNOWN], Objective(1, 0), 1, 0, True),
        ([CURRENT], None, 2, 0, None),
    ],
)
def test_what_counts(statuses: list[str], objective: Any, count: int, offsite: int, met: Any) -> None:
    copies = Copies([Copy(f"/{number}", number > 0, status) for number, status in enumerate(statuses)], objective)
    assert (copies.total, copies.offsite, copies.met) == (count, offsite, met)
    assert [one.repository for one in copies.unknown] == [f"/{n}" for n, one in enumerate(statuses) if one == UNKNOWN]


def test_words() -> None:
    copies = Copies(
        [Copy("/a", False, CURRENT, "1"), Copy("s3://b", True, UNKNOWN, trouble="Can't list it.")], Objective(3, 1)
    )
    assert str(copies) == "2 copies, 0 offsite (the objective is 3, 1 offsite): s3://b can't be read: Can't list it"


def test_options() -> None:
    assert Objective.from_options(None) is Objective.from_options({}) is None
    assert Objective.from_options({"min": "3", "offsite": None}) == Objective(3, 0)
    for wrong in ({"min": -1}, {"min": "many"}, {"max": 3}, {"offsite": True}):
        with pytest.raises(InvalidRequest, match="copies: "):
            Objective.from_options(wrong)
    assert place_of({"repository": "/nowhere", "lock_for": "30d"}).location == "/nowhere"
