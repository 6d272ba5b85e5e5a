# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of docs/HEALTH.md, made from what the probes say of themselves.

python3 dev/health_tables.py writes them; a unit test tells when they are old.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "HEALTH.md"
BEGIN, END = "<!-- made by dev/health_tables.py: begin -->", "<!-- made by dev/health_tables.py: end -->"
BASE = "ansible_collections.day2.ops.plugins.module_utils"


def tables() -> str:
    """All of them, in Markdown."""
    from importlib import import_module

    registry = import_module(BASE + "._probes.registry")
    options = import_module(BASE + "._probes.options")
    parts = ["### All types\n\n" + _options(_common(), options)]
    for name in sorted(registry.PROBES):
        probe = registry.find_probe(name)
        text = f"### {name}\n\n{probe.SUMMARY}\n\n" + _options(probe.OPTIONS, options) + _limits(probe.LIMITS, options)
        if probe.ON_TIMEOUT != "critical":
            text += "\nOn timeout, the check is `unknown`.\n"
        parts.append(text)
    return "\n".join(parts)


def _common() -> dict[str, Any]:
    from importlib import import_module

    common: dict[str, Any] = dict(import_module(BASE + "._verbs.health.specification").COMMON)
    common["type"] = common["type"]._replace(choices=())
    return common


def _options(spec: Any, options: Any) -> str:
    if not spec:
        return "No options other than those of all types.\n"
    rows = ["| Option | Kind | Default | Meaning |", "|---|---|---|---|"]
    for name, option in spec.items():
        kind = option.kind + (": " + ", ".join(f"`{one}`" for one in option.choices) if option.choices else "")
        default = options.written(option.default, option.kind)
        shown = "required" if option.required else (f"`{default}`" if default else "")
        rows.append(f"| `{name}` | {kind} | {shown} | {_cell(option.help)} |")
    return "\n".join(rows) + "\n"


def _limits(limits: Any, options: Any) -> str:
    if not limits:
        return ""
    rows = ["", "| Measured | Unit | Thresholds | Default |", "|---|---|---|---|"]
    for limit in limits:
        kind = options.threshold_kind(limit)
        given = [options.written(one, kind) for one in (limit.warn, limit.crit)]
        names = " and ".join(f"`{one}`" for one in limit.options) + (" (least)" if limit.worse == "below" else "")
        default = ", ".join(f"{word} `{one}`" for word, one in zip(("warn", "crit"), given) if one) or "none"
        measured = limit.help if limit.name == "" else f"`{limit.name}`: {limit.help}"
        rows.append(f"| {_cell(measured)} | {limit.unit or 'a number'} | {names} | {default} |")
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def page() -> str:
    """The whole page with tables that are up to date."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    return before + BEGIN + "\n\n" + tables() + "\n" + END + rest.split(END)[1]


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / ".cache" / "collections"))
    PAGE.write_text(page(), encoding="utf-8")
