# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which options of S3 go together, and what is sent with each object."""

from __future__ import annotations

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.s3_options import check, sent_with_objects

KEYS = {"access_key_id": "a", "secret_access_key": "b"}
KMS = {"server_side_encryption": "aws:kms", "kms_key_id": "k"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        KEYS,
        {**KEYS, "session_token": "t"},
        {"profile": "p"},
        KMS,
        {**KMS, "server_side_encryption": "aws:kms:dsse"},
        {"server_side_encryption": "AES256"},
        {"access_key_id": "", "secret_access_key": None, "session_token": ""},
    ],
)
def test_what_goes_together(options: dict[str, str]) -> None:
    check(options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"access_key_id": "a"}, "access_key_id without secret_access_key"),
        ({"secret_access_key": "b"}, "secret_access_key without access_key_id"),
        ({"session_token": "t"}, "session_token without access_key_id and secret_access_key"),
        ({**KEYS, "profile": "p"}, "both profile and access_key_id"),
        ({"kms_key_id": "k"}, "kms_key_id without server_side_encryption: aws:kms"),
        ({**KMS, "server_side_encryption": "AES256"}, "kms_key_id without server_side_encryption: aws:kms"),
    ],
)
def test_what_does_not(options: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidRequest, match=f"s3 has {says}"):
        check(options)


@pytest.mark.parametrize(
    ("name", "value"),
    [("access_key_id", "a\n"), ("secret_access_key", "b\n"), ("session_token", "t\n"), ("session_token", "t€")],
)
def test_what_a_request_can_not_have_is_refused_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{name} in s3 has a character") as caught:
        check({**KEYS, name: f"hidden{value}"})
    assert "hidden" not in f"{caught.value} {caught.value.hint}"


def test_what_is_sent_with_objects() -> None:
    assert sent_with_objects({**KEYS, "storage_class": "", "kms_key_id": None}) == {}
    assert sent_with_objects({**KEYS, **KMS, "storage_class": "GLACIER"}) == {
        "StorageClass": "GLACIER",
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": "k",
    }
