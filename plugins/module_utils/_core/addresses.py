# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords in addresses, which are shown and recorded without them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_USER = re.compile(r"//[^/]*@")
_SECRET = re.compile(r"//([^/\s@:]*:[^/\s]+)@")


def without_password(address: str) -> str:
    """The address without its user and password."""
    return _USER.sub("//", address)


def secrets_in_addresses(value: Any) -> set[str]:
    """USER:PASSWORD of all addresses in a value of JSON types."""
    if isinstance(value, str):
        return set(_SECRET.findall(value))
    if isinstance(value, Mapping):
        value = list(value.values())
    return set().union(*map(secrets_in_addresses, value)) if isinstance(value, (list, tuple)) else set()
