# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What awx/configure.yml creates is what AWX accepts.

The fixture `calls` fails for arguments that a module would refuse.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from controller import CONFIGURE, PREFIX, ROOT, configure, of_kind
from jinja2 import Environment, meta

Calls = list[dict[str, Any]]

# What a survey may contain, as AWX checks it (JobTemplateSurveySpec).
TYPES = {"text", "textarea", "password", "integer", "float", "multiplechoice", "multiselect"}
FIELDS = {"type", "question_name", "question_description", "variable", "required", "default", "choices", "min", "max"}
# What AWX accepts in a field of a credential type (CredentialTypeInputField).
FIELD = {"id", "label", "type", "format", "secret", "multiline", "ask_at_runtime", "help_text", "choices", "default"}
# Playbooks that no template runs: fetch writes to the controller, which is a container that AWX removes.
WITHOUT_TEMPLATE = {"fetch"}


def test_references(calls: Calls) -> None:
    """Everything is created before it is used, and the order of the calls is that."""
    created: dict[str, set[str]] = {}
    for call in calls:
        given, known = call["given"], created.setdefault(call["module"], set())
        assert given["name"] not in known
        known.add(given["name"])
        templates = created.get("job_template", set()) | created.get("workflow_job_template", set())
        if call["module"] == "schedule":
            assert given["unified_job_template"] in templates
        if call["module"] == "workflow_job_template":
            nodes = {node["identifier"] for node in given["workflow_nodes"]}
            for node in given["workflow_nodes"]:
                assert node["unified_job_template"]["name"] in templates
                assert {one["identifier"] for one in node["related"]["always_nodes"]} <= nodes
        if call["module"] == "job_template":
            assert given["project"] in created["project"]
            assert given["execution_environment"] in created["execution_environment"]
            assert given["credentials"] == ["ssh", "backups"]
    assert set(created) == {
        "credential_type", "project", "execution_environment", "job_template", "workflow_job_template", "schedule",
    }  # fmt: skip


def test_every_playbook_has_a_template(calls: Calls) -> None:
    used = {Path(one["playbook"]).stem for one in of_kind(calls, "job_template").values()}
    assert used | WITHOUT_TEMPLATE == {path.stem for path in (ROOT / "playbooks").glob("*.yml")}


def surveys(calls: Calls) -> dict[str, list[dict[str, Any]]]:
    templates = of_kind(calls, "job_template")
    assert all(("survey_spec" in one) == one["survey_enabled"] for one in templates.values())
    return {name: one["survey_spec"]["spec"] for name, one in templates.items() if one["survey_enabled"]}


def test_surveys(calls: Calls) -> None:
    assert len(surveys(calls)) > 8
    for name, questions in surveys(calls).items():
        assert len({one["variable"] for one in questions}) == len(questions)
        for one in questions:
            assert set(one) <= FIELDS, name
            assert one["type"] in TYPES
            assert all(one[key] for key in ("question_name", "variable"))
            assert isinstance(one["required"], bool)
            if one["type"] in ("multiplechoice", "multiselect"):
                assert all(isinstance(choice, str) for choice in one["choices"])
                assert one["default"] in ([*one["choices"]] if one["required"] else ["", *one["choices"]])
            else:
                assert 0 <= one["min"] <= one["max"]
                assert one["required"] == (one["min"] > 0)


def test_questions_hide_nothing_of_an_inventory(calls: Calls) -> None:
    """An empty answer takes precedence over the inventory."""
    asked = {one["variable"] for questions in surveys(calls).values() for one in questions}
    files = (ROOT / "inventory" / "group_vars").glob("*.yml")
    assert asked & {name for path in files for name in yaml.safe_load(path.read_text())} == set()


def test_questions_are_variables_of_the_playbook(calls: Calls) -> None:
    for name, template in of_kind(calls, "job_template").items():
        playbook = (ROOT / template["playbook"]).read_text()
        roles = re.findall(r"name: day2\.ops\.(\w+)", playbook)
        known = [
            one for role in roles for one in yaml.safe_load((ROOT / f"roles/{role}/defaults/main.yml").read_text())
        ]
        asked = [one["variable"] for one in surveys(calls).get(name, [])] + list(template["extra_vars"])
        assert [one for one in asked if one not in known and one not in playbook] == [], name


def test_artifacts_are_no_variables() -> None:
    """AWX passes them to the next jobs of a workflow as extra variables."""
    texts = {
        path: path.read_text()
        for pattern in ("playbooks/**/*.yml", "roles/*/[!f]*/*.yml")
        for path in ROOT.glob(pattern)
    }
    names = {f"day2_{path.stem}" for path in (ROOT / "playbooks").glob("*.yml")}
    for path, text in texts.items():
        used = re.findall(r"\b(day2_\w+)\b(?!:)", text)
        assert names & set(used) == set(), path


def test_schedules(calls: Calls) -> None:
    schedules = of_kind(calls, "schedule")
    assert len({one["rrule"] for one in schedules.values()}) == len(schedules)
    for one in schedules.values():
        assert re.fullmatch(
            r"DTSTART:\d{8}T\d{6}Z RRULE:FREQ=(MINUTELY|HOURLY|DAILY|WEEKLY);INTERVAL=\d+(;BYDAY=(MO|SA|SU))?",
            one["rrule"],
        )
        template = of_kind(calls, "job_template").get(
            one["unified_job_template"][len(PREFIX) :], {"survey_enabled": False}
        )
        # Nobody answers a question.
        spec = template["survey_spec"]["spec"] if template["survey_enabled"] else []
        assert all(question["default"] for question in spec if question["required"])


def test_credential_types(calls: Calls) -> None:
    types = of_kind(calls, "credential_type")
    assert set(types) == {"repository", "identity", "database", "notification"}
    injected: list[str] = []
    for one in types.values():
        fields = {field["id"]: field for field in one["inputs"]["fields"]}
        assert set(one["inputs"]) <= {"fields", "required"}
        assert set(one["inputs"].get("required", [])) <= set(fields)
        for name, field in fields.items():
            assert set(field) <= FIELD
            assert re.fullmatch(r"[a-z_]+", name)
            assert name != "tower"
            assert field.get("secret", False) == (name != "username")
        assert set(one["injectors"]) <= {"extra_vars", "env", "file"}
        used = set()
        for variable, template in one["injectors"]["extra_vars"].items():
            injected.append(variable)
            used |= meta.find_undeclared_variables(Environment().parse(template))
        assert used == set(fields)
    assert len(set(injected)) == len(injected)


@pytest.mark.parametrize("variable", ["day2_s3_secret_access_key", "day2_database_password", "day2_notify_webhook"])
def test_injected_variables_are_documented(variable: str) -> None:
    assert f"{{{{ {variable}" in (ROOT / "docs" / "AWX.md").read_text()


def test_settings_are_checked(tmp_path: Path) -> None:
    ended = configure(tmp_path, f"{CONFIGURE} -e configure_schedules=off")
    assert ended.returncode == 2
    assert "Set configure_inventory to the name" in ended.stdout + ended.stderr


def test_the_execution_environment(tmp_path: Path) -> None:
    """ansible-builder accepts its definition, and finds what the collection needs."""
    command = [
        "ansible-builder",
        "create",
        "-f",
        ROOT / "awx" / "execution-environment.yml",
        "-c",
        tmp_path / "context",
    ]
    subprocess.run(command, check=True, capture_output=True)
    assert "day2.ops" in (tmp_path / "context" / "_build" / "requirements.yml").read_text()
    command = ["ansible-builder", "introspect", ROOT / ".cache" / "collections"]
    found = yaml.safe_load(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert {re.split(r"[^\w-]", line)[0] for line in found["python"]} == {"boto3", "psycopg"}
    assert {line.split()[0] for line in found["system"]} >= {"zstd", "age", "rclone", "restic"}
