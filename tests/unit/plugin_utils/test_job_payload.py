# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ast
from pathlib import Path

from ansible_collections.day2.ops.plugins.plugin_utils import job_payload
from ansible_collections.day2.ops.plugins.plugin_utils.job_payload import named_verbs, payload

SOURCE = Path(job_payload.__file__).parents[1] / "modules" / "jobs.py"


def imported(path: Path) -> list[str]:
    """The verbs that a module imports."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import)]
    return [node.names[0].name.partition("._verbs.")[2] for node in nodes]


def test_only_named_verbs_are_sent(tmp_path: Path) -> None:
    jobs = [{"verb": "retention"}, {"verb": "log_rotate"}, {"verb": "retention"}]
    path = payload(SOURCE, named_verbs(jobs), tmp_path)
    assert path.stem == "jobs_log_rotate_retention"
    assert imported(path) == ["logs.rotate", "retention"]
    assert imported(SOURCE) == []
    assert payload(SOURCE, named_verbs(jobs), tmp_path) == path
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_what_is_wrong_is_left_to_the_module() -> None:
    assert named_verbs(None) == named_verbs("backup") == named_verbs([{"verb": "os"}, 3, {"verb": ["backup"]}]) == []
    assert named_verbs({"verb": "backup"}) == ["backup"]
