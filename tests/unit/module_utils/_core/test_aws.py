# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What botocore is asked for."""

from __future__ import annotations

from typing import Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.aws import Connection, Service
from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest

RETRIES = {"mode": "standard", "max_attempts": 1}


def service(key: Optional[str], secret: Optional[str]) -> Service:
    connection = Connection(region="eu-central-1", access_key_id=key, secret_access_key=secret)
    return Service("dynamodb", "DynamoDB", connection, RETRIES)


@pytest.mark.parametrize(("key", "secret"), [("AKIA", None), ("AKIA", ""), (None, "secret"), ("", "secret")])
def test_half_a_pair_of_keys_is_refused(key: Optional[str], secret: Optional[str]) -> None:
    with pytest.raises(InvalidRequest, match="must be set together"):
        service(key, secret)


def test_a_token_that_no_request_can_have_is_refused_and_not_shown() -> None:
    connection = Connection("eu-central-1", access_key_id="a", secret_access_key="b", session_token="hidden\n")
    with pytest.raises(InvalidRequest, match="^session_token has a character") as caught:
        Service("dynamodb", "DynamoDB", connection, RETRIES).ask("list_tables")
    assert "hidden" not in str(caught.value)


def test_a_pair_of_keys_is_used_before_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of the environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another secret")
    ours, others = service("AKIA", "secret").credentials, service(None, "").credentials
    assert (ours.access_key, ours.secret_key) == ("AKIA", "secret")
    assert (others.access_key, others.secret_key) == ("of the environment", "another secret")
