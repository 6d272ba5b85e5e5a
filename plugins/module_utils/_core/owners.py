# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owners of files by name: names survive a move to another host, numbers do not."""

from __future__ import annotations

import functools
import grp
import pwd


@functools.lru_cache(maxsize=1024)
def user_name(uid: int) -> str:
    """The name of a user, or "" if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


@functools.lru_cache(maxsize=1024)
def group_name(gid: int) -> str:
    """The name of a group, or "" if it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""


@functools.lru_cache(maxsize=1024)
def user_id(name: str, otherwise: int) -> int:
    """The number of a user on this host; `otherwise` if there is no user of that name."""
    try:
        return pwd.getpwnam(name).pw_uid if name else otherwise
    except KeyError:
        return otherwise


@functools.lru_cache(maxsize=1024)
def group_id(name: str, otherwise: int) -> int:
    """The number of a group on this host; `otherwise` if there is no group of that name."""
    try:
        return grp.getgrnam(name).gr_gid if name else otherwise
    except KeyError:
        return otherwise
