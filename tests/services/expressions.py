# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What alert rules and dashboards ask Prometheus for. (With PyYAML, which managed nodes lack.)"""

from __future__ import annotations

import json
from pathlib import Path

import yaml


def expressions(rules: Path, dashboard: Path) -> list[str]:
    """All expressions of a file of alert rules and of a dashboard of Grafana."""
    groups = yaml.safe_load(rules.read_text())["groups"]
    panels = json.loads(dashboard.read_text())["panels"]
    return [
        *(rule["expr"] for group in groups for rule in group["rules"]),
        *(target["expr"] for panel in panels for target in panel["targets"]),
    ]
