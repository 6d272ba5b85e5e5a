# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What needs attention: the reasons of sets and hosts, those with one cause together, with one command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .commands import Limits
from .judge_set import RANK


def attention(problems: Sequence[dict[str, Any]], limits: Limits) -> list[dict[str, Any]]:
    """One entry a cause or a host, the most urgent first. Problems are reasons with `host` and `set` (None: the host).

    Files of hosts that the commands name are put into `limits`.
    """
    causes: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for one in problems:
        causes.setdefault((one["level"], one["code"], one["cause"]), []).append(one)
    entries = [_entry(members, limits) for members in causes.values()]
    entries.sort(key=lambda entry: (-RANK[entry["level"]], -entry["weight"], entry["members"][0]["host"]))
    return _by_host(entries)


def _entry(members: list[dict[str, Any]], limits: Limits) -> dict[str, Any]:
    members.sort(key=lambda one: (-one["weight"], one["host"], one["set"] or ""))
    first = members[0]
    return {
        "level": first["level"],
        "code": first["code"],
        "cause": first["cause"],
        "weight": first["weight"] + min(90, len(members) - 1),
        "members": [{"host": one["host"], "set": one["set"], "text": one["text"]} for one in members],
        "hosts": len({one["host"] for one in members}),
        "todo": limits.together(members, first["code"]),
        "also": [],
    }


def _by_host(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is wrong with one host alone is one entry, with `also` what is less urgent."""
    merged: list[dict[str, Any]] = []
    of_host: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in entries:
        if len(entry["members"]) > 1:
            merged.append(entry)
            continue
        first = of_host.setdefault((entry["level"], entry["members"][0]["host"]), entry)
        if first is entry:
            merged.append(entry)
        else:
            first["also"].append(entry)
    return merged
