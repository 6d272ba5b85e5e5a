# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/HEALTH.md says what the probes say."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._probes.base import Limit
from ansible_collections.day2.ops.plugins.module_utils._probes.options import KINDS, parse
from ansible_collections.day2.ops.plugins.module_utils._probes.registry import PROBES, find_probe

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[4]


def test_the_tables_are_up_to_date() -> None:
    made = runpy.run_path(str(ROOT / "dev" / "health_tables.py"))
    assert (ROOT / "docs" / "HEALTH.md").read_text(encoding="utf-8") == made["page"](), "run dev/health_tables.py"


@pytest.mark.parametrize("name", sorted(PROBES))
def test_every_type_documents_itself(name: str) -> None:
    probe = find_probe(name)
    assert probe.SUMMARY.endswith(".")
    for option in probe.OPTIONS.values():
        assert option.kind in KINDS
        assert option.help[-1] in ".`)"
    problems: list[str] = []
    required = {name for name, option in probe.OPTIONS.items() if option.required}
    parse(probe.OPTIONS, {}, problems)  # the defaults are what a user might write
    assert len(problems) == len(required)
    names = [option for limit in probe.LIMITS for option in limit.options]
    assert len(set(names) | set(probe.OPTIONS)) == len(names) + len(probe.OPTIONS)
    for limit in probe.LIMITS:
        assert limit.help.endswith(".")
        if limit.warn is not None and limit.crit is not None:
            assert limit.status(limit.crit) != "critical"
            assert isinstance(limit, Limit)
