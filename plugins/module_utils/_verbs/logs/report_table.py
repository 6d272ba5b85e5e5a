# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..._core.units import format_duration, plural

_MOST = 20  # rows of a part
_OPERATIONS = ("operation", "total", "errors", "p50", "p95", "max")


def table_of(result: Mapping[str, Any]) -> str:
    """The report, one part below the other."""
    return "\n\n".join(part for part in _parts(result) if part)


def _parts(result: Mapping[str, Any]) -> Iterator[str]:
    yield result["msg"]
    for one in result["counts"]:
        rows = [[*map(_cell, group["group"].values()), str(group["count"])] for group in one["groups"]]
        yield _part(f"{one['name']}: {one['count']}", [*one["by"], "count"], rows)
    if result["newest"]:
        rows = [list(map(_cell, one.values())) for one in result["newest"]]
        yield _part("newest", list(result["newest"][0]), rows)
    if result["errors_by_code"]:
        rows = [[one["name"], str(one["count"])] for one in result["errors_by_code"]]
        yield _part("errors", ["code", "count"], rows)
    if result["operations"]:
        rows = [
            [one["name"], str(one["total"]), str(one["errors"])]
            + [format_duration(one[name]) for name in ("p50_s", "p95_s", "max_s")]
            for one in result["operations"]
        ]
        yield _part("slowest", _OPERATIONS, rows)


def _part(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return title
    shown = [list(heads), *rows[:_MOST]]
    widths = [max(map(len, column)) for column in zip(*shown)]
    lines = ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in shown]
    if len(rows) > _MOST:
        lines.append(f"  and {plural(len(rows) - _MOST, 'more row')}".replace("more rows", "more"))
    return "\n".join([title, *lines])


def _cell(value: Any) -> str:
    """A value in one line, without characters that a terminal would obey."""
    text = "" if value is None else str(value)
    return "".join(char if char.isprintable() else "?" for char in text)
