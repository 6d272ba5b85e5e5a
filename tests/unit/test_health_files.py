# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alert rules and the dashboard: promtool takes them, and they ask only for what the Prometheus report has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.day2.ops.plugins.module_utils._core.outcome import Metric, Outcome
from ansible_collections.day2.ops.plugins.module_utils._reports.base import Report
from ansible_collections.day2.ops.plugins.module_utils._reports.prometheus import Prometheus
from tests.services.expressions import expressions
from tests.services.promtool import promtool

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "roles/health_checks/files/alert_rules.yml"
DASHBOARD = ROOT / "roles/health_checks/files/grafana_dashboard.json"
TESTS = ROOT / "tests/unit/prometheus/alert_rules_test.yml"
EXPRESSIONS = expressions(RULES, DASHBOARD)
LABELS = {"check", "type", "report", "unit", "metric", "instance", "status"}


def emitted() -> bytes:
    """A report that has every kind of series."""
    outcome = Outcome("api", "http", "ok", "", 1.0, 0.5, 1.5, "s", 2.0, 3.0, metrics=(Metric("bytes", 10, "bytes"),))
    return Prometheus().render(Report([outcome], {"summary": {"status": "ok", "score": 100}}, 1.0, 0.5), "app")


def test_promtool_takes_a_report() -> None:
    promtool("check", "metrics", stdin=emitted())


def test_promtool_takes_the_rules_and_they_do_what_they_say() -> None:
    promtool("check", "rules", RULES)
    promtool("test", "rules", TESTS)


def test_every_rule_is_tested() -> None:
    tested = {
        one["alertname"]
        for group in yaml.safe_load(TESTS.read_text())["tests"]
        for one in group["alert_rule_test"]
        if one["exp_alerts"]
    }
    assert tested == {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}


def test_promtool_takes_the_dashboards_queries(tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": expression.replace("$instance", ".*").replace("$report", ".*")}
        for number, expression in enumerate(EXPRESSIONS)
    ]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", path)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_asked_for_is_in_a_report(expression: str) -> None:
    names = set(re.findall(rb"^(\w+)\{", emitted(), re.MULTILINE))
    asked = set(re.findall(r"\bday2_\w+", expression))
    assert asked
    assert asked <= {name.decode() for name in names}
    assert set(re.findall(r"(\w+)=~?\"", expression)) <= LABELS


def test_the_dashboard_shows_every_series_that_a_report_has() -> None:
    shown = {name for expression in EXPRESSIONS for name in re.findall(r"\bday2_\w+", expression)}
    names = {name.decode() for name in re.findall(rb"^(\w+)\{", emitted(), re.MULTILINE)}
    assert names - shown == {"day2_health_check_timestamp_seconds"}  # for alerts of a user's own


def test_the_dashboards_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells
