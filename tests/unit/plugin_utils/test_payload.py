# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ast
from pathlib import Path

from ansible_collections.day2.ops.plugins.module_utils._probes.registry import PROBES
from ansible_collections.day2.ops.plugins.plugin_utils import payload
from ansible_collections.day2.ops.plugins.plugin_utils.payload import checks_payload, jobs_payload

MODULES = Path(payload.__file__).parents[1] / "modules"
JOBS, CHECKS = MODULES / "jobs.py", MODULES / "health_check.py"


def imported(path: Path) -> list[str]:
    """What a module imports of module_utils."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import)]
    return [node.names[0].name.partition(".module_utils.")[2] for node in nodes]


def test_only_named_verbs_are_sent(tmp_path: Path) -> None:
    jobs = [{"verb": "retention"}, {"verb": "log_rotate"}, {"verb": "retention"}]
    path = jobs_payload(JOBS, jobs, tmp_path)
    assert path.stem == "jobs_log_rotate_retention"
    assert imported(path) == ["_verbs.logs.rotate", "_verbs.retention"]
    assert imported(JOBS) == []
    assert jobs_payload(JOBS, jobs, tmp_path) == path
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_only_types_of_checks_are_sent(tmp_path: Path) -> None:
    checks = [{"type": "https"}, {"type": "http"}, {"type": "disk"}]
    path = checks_payload(CHECKS, checks, tmp_path)
    assert path.stem == "health_check_disk_http_https"
    assert imported(path) == ["_probes.disk_probe", "_probes.http_probe"]
    path = jobs_payload(JOBS, [{"verb": "health_check", "arguments": {"checks": checks}}], tmp_path)
    assert imported(path) == ["_probes.disk_probe", "_probes.http_probe", "_verbs.health.check"]


def test_a_long_choice_has_a_short_name(tmp_path: Path) -> None:
    path = checks_payload(CHECKS, [{"type": kind} for kind in PROBES], tmp_path)
    assert len(path.name) < 50
    assert len(imported(path)) == len({module for module, _name in PROBES.values()})
    assert checks_payload(CHECKS, [{"type": kind} for kind in list(PROBES)[1:]], tmp_path) != path


def test_what_is_wrong_is_left_to_the_module(tmp_path: Path) -> None:
    for wrong in (None, "backup", [{"verb": "os"}, 3, {"verb": ["backup"]}, {"verb": "jobs", "arguments": 3}]):
        assert jobs_payload(JOBS, wrong, tmp_path).stem == "jobs"
    for wrong in (None, "http", {"a": 1}, [{"type": ["http"]}, 3]):
        assert checks_payload(CHECKS, wrong, tmp_path).stem == "health_check"
    assert jobs_payload(JOBS, {"verb": "backup"}, tmp_path).stem == "jobs_backup"
    assert jobs_payload(JOBS, [{"verb": "health_check", "arguments": "x"}], tmp_path).stem == "jobs_health_check"
