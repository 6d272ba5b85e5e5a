# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What restic says of a repository that is not there, and of one that can not be reached, in several versions."""

from __future__ import annotations

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Unreachable
from ansible_collections.day2.ops.plugins.module_utils._core.restic import Missing, Restic

_OPENING = "Fatal: unable to open config file: "


@pytest.fixture
def restic() -> Restic:
    return Restic({"repository": "rest:http://host/not found/", "restic": {"password": "x"}})


@pytest.mark.parametrize(
    "reason",
    [
        "stat /x/config: no such file or directory",
        "<config/> does not exist",
        "client.GetObject: The specified key does not exist.",
        "Lstat: file does not exist",
        "storage: object doesn't exist",
        "Stat: HEAD https://a/b\n-----\nRESPONSE 404: 404 The specified blob does not exist.\nERROR CODE: BlobNotFound",
        "unexpected HTTP response (404): 404 Not Found",
    ],
)
def test_not_there(restic: Restic, reason: str) -> None:
    with pytest.raises(Missing):
        restic.fail(
            "read", f"{_OPENING}{reason}\nIs there a repository at the following location?\n{restic.location}\n"
        )


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ('client.Head: Head "http://h/404/config": dial tcp 127.0.0.1:1: connect: connection refused', "network"),
        ('Head "https://h:404/config": x509: certificate signed by unknown authority', "ca_bundle"),
        ("client.GetObject: The Access Key Id you provided does not exist in our records.", "credentials"),
        ("client.GetObject: Access Denied.", "access"),
        ("dial tcp: lookup nope: no such host", "network"),
        ("unexpected HTTP response (401): 401 Unauthorized", "credentials"),
        ("Stat: 503 Service Unavailable", ""),
    ],
)
def test_not_reached(restic: Restic, reason: str, hint: str) -> None:
    with pytest.raises(Unreachable) as told:
        restic.fail(
            "read", f"{_OPENING}{reason}\nIs there a repository at the following location?\n{restic.location}\n"
        )
    assert not isinstance(told.value, Missing)
    assert hint in told.value.hint
