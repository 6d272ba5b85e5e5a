# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a fleet: HTML without scripts, from facts that were judged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .words import plural

INDEX = "index.html"
LARGEST = 750  # backup sets on one page; more of them get a page a group


def pages(fleet: Mapping[str, Any], autoescape: bool = True) -> dict[str, str]:
    """The files of the page, by name. More than `LARGEST` backup sets are on pages of their own, one a group.

    The templates escape by themselves; `autoescape` is a second line of defence, and changes nothing.
    """
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, autoescape=autoescape)  # noqa: S701
    environment.filters["plural"] = plural
    template = environment.get_template("page.html.j2")
    if fleet["judged"]["count"]["sets"] <= LARGEST:
        return {INDEX: template.render(fleet=fleet, part=None, parts={}, whole=INDEX)}
    parts = _parts(fleet)
    return {
        INDEX: template.render(fleet=fleet, part=None, parts=parts, whole=INDEX),
        **{file: template.render(fleet=fleet, part=group, parts=parts, whole=INDEX) for group, file in parts.items()},
    }


def group_of(host: Mapping[str, Any]) -> str:
    """The group under which the page shows the sets of a host."""
    return str(host["groups"][0]) if host["groups"] else "other"


def _parts(fleet: Mapping[str, Any]) -> dict[str, str]:
    groups = sorted({group_of(host) for host in fleet["hosts"] if host["sets"]})
    return {group: f"group-{number}.html" for number, group in enumerate(groups, 1)}
