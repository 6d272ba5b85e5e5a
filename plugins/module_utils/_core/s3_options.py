# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of access to S3. The client is elsewhere: it needs boto3, which takes long to import."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from .errors import InvalidRequest

ADDRESS = "s3://"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_SENT = re.compile(r"[^\x21-\x7e]")  # as it is in a header of each request
ARGUMENTS: dict[str, Any] = {
    "endpoint_url": {"type": "str"},
    "region": {"type": "str"},
    "profile": {"type": "str"},
    "access_key_id": {"type": "str", "no_log": True},
    "secret_access_key": {"type": "str", "no_log": True},
    "session_token": {"type": "str", "no_log": True},
    "ca_bundle": {"type": "path"},
    "addressing": {"type": "str", "choices": ["auto", "path", "virtual"]},
    "storage_class": {"type": "str"},
    "server_side_encryption": {"type": "str", "choices": ["AES256", "aws:kms", "aws:kms:dsse"]},
    "kms_key_id": {"type": "str", "no_log": False},
    "throttle_timeout": {"type": "str"},
}


def check(options: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for half of the credentials, as the rest would come from elsewhere."""
    bundle = options.get("ca_bundle")
    if bundle and not os.path.exists(bundle):
        raise InvalidRequest(f"The file {bundle} in s3.ca_bundle does not exist.", "Correct it, or omit ca_bundle.")
    key, secret = options.get("access_key_id"), options.get("secret_access_key")
    if bool(key) != bool(secret):
        given, missing = ("access_key_id", "secret_access_key") if key else ("secret_access_key", "access_key_id")
        raise InvalidRequest(f"s3 has {given} without {missing}.", "Set both, or neither.")
    if options.get("session_token") and not key:
        raise InvalidRequest(
            "s3 has session_token without access_key_id and secret_access_key.", "Set all three, or none of them."
        )
    check_characters(options, " in s3")
    if key and options.get("profile"):
        raise InvalidRequest("s3 has both profile and access_key_id.", "Set one of them.")
    if options.get("kms_key_id") and not str(options.get("server_side_encryption")).startswith("aws:kms"):
        raise InvalidRequest(
            "s3 has kms_key_id without server_side_encryption: aws:kms.", "Set both, or leave out kms_key_id."
        )


def check_characters(options: Mapping[str, Any], where: str = "") -> None:
    """Raise InvalidRequest for credentials that no request can have. What refused them otherwise would show them."""
    for name in ("access_key_id", "secret_access_key", "session_token"):
        odd = _CONTROL if name == "secret_access_key" else _NOT_SENT
        if odd.search(options.get(name) or ""):
            raise InvalidRequest(
                f"{name}{where} has a character that none can have, such as a line break at the end.", "Correct it."
            )


def sent_with_objects(options: Mapping[str, Any]) -> dict[str, Any]:
    """What goes with each object, as boto3 names it."""
    named = {
        "StorageClass": options.get("storage_class"),
        "ServerSideEncryption": options.get("server_side_encryption"),
        "SSEKMSKeyId": options.get("kms_key_id"),
    }
    return {name: value for name, value in named.items() if value}
