# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alert rules and the dashboard of fleets say what the page says, and ask only for what the report writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.day2.ops.plugins.plugin_utils.fleet.judge import judge
from ansible_collections.day2.ops.plugins.plugin_utils.fleet.schema import checked
from ansible_collections.day2.ops.plugins.plugin_utils.fleet.tables import metrics
from tests.services.expressions import expressions
from tests.services.promtool import promtool
from tests.unit.plugin_utils.fleet_sample import HOUR, a_disk, a_fleet, a_host, ago, backup_set

pytestmark = pytest.mark.once

FILES = Path(__file__).resolve().parents[2] / "roles/fleet_report/files"
RULES, DASHBOARD = FILES / "alert_rules.yml", FILES / "grafana_dashboard.json"
EXPRESSIONS = expressions(RULES, DASHBOARD)
GOOD = {"entries": 3, "verified": True, "head": "ab" * 32}
SICK = {"score": 50, "checked_at": ago(60), "checks": 2}
SICK["problems"] = [{"name": "api", "status": "critical", "message": "it is down"}]
LATE = backup_set("late", 9 * HOUR)
UNDRILLED = backup_set("undrilled", last_drill=None)
SILENT = {"last_report_at": ago(30 * HOUR)}
# A fleet, its verdict on the page, and what the rules say of it.
FLEETS: list[tuple[str, dict[str, Any], str, set[str]]] = [
    ("good", a_fleet([a_host("a1", [backup_set()])], evidence=GOOD), "meeting", set()),
    ("late", a_fleet([a_host("a1", [backup_set(), LATE])]), "failing", {"Day2FleetSetFailing"}),
    (
        "undrilled",
        a_fleet([a_host("a1", [backup_set(), UNDRILLED])]),
        "unknown",
        {"Day2FleetSetUnknown", "Day2FleetUnknown"},
    ),
    (
        "silent",
        a_fleet([a_host("a1", [backup_set()], **SILENT), a_host("a2", [backup_set()])]),
        "unknown",
        {"Day2FleetSetUnknown", "Day2FleetUnknown", "Day2FleetHostsSilent"},
    ),
    ("empty", a_fleet([a_host("a1", [])]), "failing", {"Day2FleetNothingBackedUp"}),
    (
        "changed",
        a_fleet([a_host("a1", [backup_set()])], evidence={**GOOD, "verified": False}),
        "failing",
        {"Day2FleetEvidenceBroken"},
    ),
    ("sick", a_fleet([a_host("a1", [backup_set()], health=SICK)]), "soon", {"Day2FleetSoon"}),
    ("full", a_fleet([a_host("a1", [backup_set()], disks=[a_disk(10**11)])]), "soon", {"Day2FleetSoon"}),
]


def series(fleet: str, facts: dict[str, Any]) -> Iterator[dict[str, str]]:
    """What the report writes of a fleet, as it is for two hours. Its times are far away."""
    for line in metrics(judge(checked({**facts, "fleet": fleet}))).decode().splitlines():
        if not line.startswith("#"):
            name, _space, value = line.rpartition(" ")
            value = "1e12" if name.startswith("day2_fleet_report_due") else value
            yield {"series": name, "values": f"{value}x120"}


def judged(facts: dict[str, Any]) -> str:
    return str(judge(checked(facts))["judged"]["verdict"])


def test_the_rules_say_what_the_page_says(tmp_path: Path) -> None:
    tests = []
    for name, facts, verdict, alerts in FLEETS:
        assert judged(facts) == verdict, name
        fires = [
            {
                "expr": f'count(ALERTS{{alertname="{rule}",alertstate="firing"}}) > bool 0 or vector(0)',
                "eval_time": "90m",
                "exp_samples": [{"labels": "{}", "value": int(rule in alerts)}],
            }
            for rule in sorted(named())
        ]
        tests.append(
            {"name": name, "interval": "1m", "input_series": [*series(name, facts)], "promql_expr_test": fires}
        )
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    promtool("test", "rules", path)


def named() -> set[str]:
    return {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}


def test_a_report_that_is_not_made_is_out_of_date(tmp_path: Path) -> None:
    labels = '{fleet="production"}'
    annotations = {
        "summary": "The report of the fleet production is out of date",
        "description": "The next one was due 16m 0s ago. What these alerts say may have changed since.",
    }
    expected = [{"exp_labels": {"severity": "warning", "fleet": "production"}, "exp_annotations": annotations}]
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": f"day2_fleet_report_due_timestamp_seconds{labels}", "values": "600x60"}],
                "alert_rule_test": [
                    {"eval_time": "25m", "alertname": "Day2FleetReportOutdated", "exp_alerts": []},
                    {"eval_time": "26m", "alertname": "Day2FleetReportOutdated", "exp_alerts": expected},
                ],
            }
        ],
    }
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump(test))
    promtool("check", "rules", RULES)
    promtool("test", "rules", path)


def test_every_rule_fires_for_a_fleet_above() -> None:
    assert named() == set().union(*(alerts for _name, _facts, _verdict, alerts in FLEETS)) | {"Day2FleetReportOutdated"}


def written() -> bytes:
    return metrics(judge(checked(a_fleet([a_host("a1", [backup_set()])], evidence=GOOD))))


def test_what_is_asked_for_is_written_and_what_is_written_is_shown() -> None:
    names = {name.decode() for name in re.findall(rb"^(\w+)\{", written(), re.MULTILINE)}
    assert {name for expression in EXPRESSIONS for name in re.findall(r"\bday2_\w+", expression)} == names
    labels = {name for expression in EXPRESSIONS for name in re.findall(r"(\w+)=~?\"", expression)}
    assert labels <= {"fleet", "host", "set", "state"}
    promtool("check", "metrics", stdin=written())


def test_promtool_takes_the_dashboards_queries(tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": re.sub(r"\$\w+", ".*", expression)}
        for number, expression in enumerate(EXPRESSIONS)
    ]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", path)


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
