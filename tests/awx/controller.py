# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWX without AWX: what awx/configure.yml creates, and jobs that are run by ansible-runner as AWX runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

import ansible_runner
import yaml
from jinja2.sandbox import SandboxedEnvironment

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".cache" / "collections"
AWX = ROOT / ".cache" / "awx"
PREFIX = "day2 "
CONFIGURE = "ansible-playbook awx/configure.yml -e configure_inventory=fleet"


def recorded(directory: Path, command: str) -> list[dict[str, Any]]:
    """The module and the arguments of each call of awx/configure.yml, which the specs of the module accept."""
    ended = configure(directory, command)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return [json.loads(line) for line in (directory / "recorded").read_text().splitlines()]


def configure(directory: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run awx/configure.yml without AWX, by a command line."""
    _stand_in(AWX / "ansible_collections" / "awx" / "awx", directory / "ansible_collections" / "awx" / "awx")
    log = directory / "recorded"
    log.unlink(missing_ok=True)
    return subprocess.run(
        ["bash", "-euc", command],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": f"{directory}:{COLLECTIONS}", "DAY2_RECORDED": str(log)},
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )


def _stand_in(real: Path, place: Path) -> None:
    """The collection, with an action plugin for each module."""
    actions = place / "plugins" / "action"
    if actions.exists():
        return
    actions.mkdir(parents=True)
    for source, target in ((real, place), (real / "plugins", place / "plugins")):
        for one in source.iterdir():
            if not (target / one.name).exists():
                (target / one.name).symlink_to(one)
    for module in (real / "plugins" / "modules").glob("*.py"):
        (actions / module.name).symlink_to(Path(__file__).with_name("recording.py"))


def of_kind(calls: Sequence[Mapping[str, Any]], module: str) -> dict[str, dict[str, Any]]:
    """What was created by a module, by name without the prefix."""
    return {one["given"]["name"][len(PREFIX) :]: one["given"] for one in calls if one["module"] == module}


class Job(NamedTuple):
    """A job that has ended."""

    status: str
    artifacts: dict[str, Any]
    text: str

    def of(self, name: str) -> Any:
        """The artifact of the only host."""
        (artifact,) = self.artifacts[name].values()
        return artifact


class Controller:
    """Launches job templates."""

    def __init__(
        self, calls: Sequence[Mapping[str, Any]], shared: Path, directory: Path, inventory: dict[str, Any]
    ) -> None:
        self._templates, self._types = of_kind(calls, "job_template"), of_kind(calls, "credential_type")
        self._shared, self._directory, self.inventory = shared, directory, inventory
        self.core = "oldest"  # takes two thirds of the processor time of the newest
        self._number = 0
        self.artifacts: dict[str, Any] = {}  # of the jobs before in a workflow

    def launch(
        self,
        name: str,
        answers: Optional[Mapping[str, Any]] = None,
        limit: str = "",
        credentials: Sequence[tuple[str, Mapping[str, str]]] = (),
        check: bool = False,
    ) -> Job:
        """Launch a template. Optional questions that are not answered arrive as "".

        :param answers: of the survey, by variable.
        :param credentials: each with its type and the values of its fields.
        """
        template, self._number = self._templates[name], self._number + 1
        place = self._directory / f"job-{self._number}"
        variables = {**self.artifacts, **template.get("extra_vars", {}), **self._answered(template, answers or {})}
        environment: dict[str, str] = {}
        for kind, fields in credentials:
            self._inject(kind, fields, variables, environment, place)
        assert not limit or template["ask_limit_on_launch"]
        assert not check or template["ask_job_type_on_launch"]
        (place / "inventory").mkdir(parents=True)
        (place / "inventory" / "hosts.yml").write_text(yaml.safe_dump(self.inventory))
        runner = ansible_runner.run(
            private_data_dir=str(place),
            project_dir=str(ROOT),
            playbook=template["playbook"],
            extravars=variables,
            limit=limit or None,
            cmdline="--check --diff" if check else None,
            envvars={**self._environment(), **environment},
            quiet=True,
        )
        artifacts, lines = {}, []
        for event in runner.events:
            lines.append(event.get("stdout", ""))
            if event["event"] == "playbook_on_stats":
                artifacts = event["event_data"].get("artifact_data", {})
        return Job(runner.status, artifacts, "\n".join(lines))

    def _environment(self) -> dict[str, str]:
        """The ansible-core that runs jobs, which share the archives of modules, and what Python compiles of them."""
        built = self._shared / f"built-{self.core}"
        (built / "archives").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "dev" / "build_once.py", built)
        return {
            "PATH": f"{ROOT / '.venv' / self.core / 'bin'}:{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CALLBACK_PLUGINS": str(built),
            "ANSIBLE_CONFIG": str(ROOT / "tests" / "integration" / "integration.cfg"),
            "COMPILE_ONCE": str(self._shared / f"compiled-{self.core}"),
            "PYTHONPATH": str(ROOT / "dev" / "compile_once"),
            "ANSIBLE_LOCALHOST_WARNING": "0",
        }

    def _answered(self, template: Mapping[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
        """As AWX checks answers, and what it passes on."""
        spec = template["survey_spec"]["spec"] if template["survey_enabled"] else []
        assert set(answers) <= {one["variable"] for one in spec}, "AWX ignores what no question asks for"
        passed = {}
        for one in spec:
            value = answers.get(one["variable"], one["default"])
            if value == "":
                assert not one["required"], f"{one['variable']} is required"
            elif one["type"] == "multiplechoice":
                assert value in one["choices"]
            elif one["type"] == "multiselect":
                assert set(value) <= set(one["choices"])
            else:
                assert isinstance(value, str)
                assert one["min"] <= len(value) <= one["max"]
            passed[one["variable"]] = value
        return passed

    def _inject(
        self, kind: str, fields: Mapping[str, str], variables: dict[str, Any], environment: dict[str, str], place: Path
    ) -> None:
        """A field that is empty arrives as ""."""
        injectors, files = self._types[kind]["injectors"], {}
        render = SandboxedEnvironment().from_string
        for name, template in injectors.get("file", {}).items():
            path = place / "credentials" / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_text(render(template).render(fields))
            files[name.partition(".")[2] or "filename"] = str(path)
        known = {**fields, "tower": {"filename": files.get("filename", files)}}
        for target, given in ((variables, injectors.get("extra_vars", {})), (environment, injectors.get("env", {}))):
            target.update({name: render(template).render(known) for name, template in given.items()})
