# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_module_defaults_reach_every_module() -> None:
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
    assert read("meta/runtime.yml")["action_groups"]["all"] == modules


def test_an_execution_environment_is_described() -> None:
    files = read("meta/execution-environment.yml")["dependencies"].values()
    assert all((ROOT / path).read_text(encoding="utf-8").strip() for path in files)


def test_no_result_has_a_name_that_means_something_to_ansible() -> None:
    # For example, a task with something in "skipped" is shown as skipped, whatever it changed.
    reserved = {"ansible_facts", "deprecations", "exception", "failed", "invocation", "item", "skipped"}
    for path in (ROOT / "plugins" / "modules").glob("*.py"):
        (returned,) = re.findall(r'RETURN = r"""(.*?)"""', path.read_text(encoding="utf-8"), re.DOTALL)
        assert not reserved & set(yaml.safe_load(returned) or {}), path.name


def test_addresses_of_the_project_are_in_one_place() -> None:
    # galaxy.yml can then be filled in, or a project can move, without looking for others.
    galaxy = read("galaxy.yml")
    for address in {galaxy[name] for name in ("repository", "documentation", "homepage", "issues")}:
        named = subprocess.run(
            ["git", "grep", "--untracked", "-lF", address], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert named.stdout.split() == ["galaxy.yml"], address


def test_the_version_has_a_changelog() -> None:
    assert read("galaxy.yml")["version"] in read("changelogs/changelog.yaml")["releases"]
