# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each input of a role is in its defaults and in its argument specs, with the same value, and nothing else is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import template
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.day2.ops.plugins.plugin_utils.schedule import KEYS

pytestmark = pytest.mark.once

ROLES = sorted(path for path in (Path(__file__).resolve().parents[2] / "roles").iterdir() if path.is_dir())
NOTHING: dict[str, Any] = {"str": "", "path": "", "list": [], "dict": {}}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def specified(role: Path) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for entry_point in read(role / "meta" / "argument_specs.yml")["argument_specs"].values():
        options.update(entry_point.get("options") or {})
    return options


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_and_argument_specs_have_the_same_inputs(role: Path) -> None:
    assert sorted(read(role / "defaults" / "main.yml")) == sorted(specified(role))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_and_argument_specs_have_the_same_values(role: Path) -> None:
    values = {
        name: NOTHING[option["type"]] if option.get("required") else option["default"]
        for name, option in specified(role).items()
    }
    assert read(role / "defaults" / "main.yml") == values


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_variables_have_the_roles_prefix(role: Path) -> None:
    for name in read(role / "defaults" / "main.yml"):
        assert re.fullmatch(rf"{role.name}_[a-z0-9]+(_[a-z0-9]+)*", name), name
    internal = role / "vars" / "main.yml"
    if internal.is_file():
        for name in read(internal):
            assert re.fullmatch(rf"{role.name}__[a-z0-9]+(_[a-z0-9]+)*", name), name


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_readme_names_every_input(role: Path) -> None:
    text = (role / "README.md").read_text(encoding="utf-8")
    assert [name for name in specified(role) if f"`{name}`" not in text] == []


# Ansible's own types refuse null, so that optional inputs have none (raw). A list with documented elements is written
# in an inventory, and no survey asks for it.
def asked_in_surveys(role: Path) -> list[str]:
    return [
        name for name, option in specified(role).items() if not option.get("required") and not option.get("options")
    ]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
@pytest.mark.parametrize("answer", ["", None], ids=["empty", "null"])
def test_a_survey_may_leave_every_question_unanswered(role: Path, answer: Any) -> None:
    options = {name: specified(role)[name] for name in asked_in_surveys(role)}
    result = ArgumentSpecValidator(options).validate(dict.fromkeys(options, answer))
    assert result.error_messages == []


# The verb of each role's main task, whose options its inputs are named after. (The role schedule runs any of them.)
VERBS = {
    "health_checks": "health.check",
    "log_rotation": "logs.rotate",
    "postgresql_pitr": "postgresql_pitr",
    "lifecycle": "records.lifecycle",
    "retention": "retention",
    "store_backup": "backup",
    "store_migration": "migrate.migrate",
    "store_restore": "restore",
}


def options_of(role: Path) -> dict[str, Any]:
    verb = import_module(f"ansible_collections.day2.ops.plugins.module_utils._verbs.{VERBS[role.name]}")
    spec: dict[str, Any] = verb.ARGUMENTS["argument_spec"]
    return spec


def shared(role: Path) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The inputs, and the keys of entries of lists, that are named like an option of the module, with that option."""
    module = options_of(role)
    for name, option in specified(role).items():
        found = {name[len(role.name) + 1 :]: option, **(option.get("options") or {})}
        for key, one in found.items():
            if key in module:
                yield key, one, module[key]


def test_entries_of_schedule_jobs_are_what_the_filter_takes() -> None:
    jobs = specified(next(role for role in ROLES if role.name == "schedule"))["schedule_jobs"]
    assert set(jobs["options"]) == KEYS


@pytest.mark.parametrize("role", [role for role in ROLES if role.name in VERBS], ids=lambda role: role.name)
def test_inputs_that_are_options_of_the_module_are_like_them(role: Path) -> None:
    """Descriptions differ, as a role's input may be empty; what it takes and what it does by default does not."""
    compared = 0
    for key, option, wanted in shared(role):
        compared += 1
        # "none" where an input of an entry has to say that the default of the role does not hold
        choices = [one for one in option.get("choices", []) if one not in ("", None, "none")]
        if choices:
            assert sorted(choices) == sorted(set(wanted["choices"]) - {"none"}), key
        if option["type"] != "raw" and "default" not in option:
            assert (option["type"], option.get("elements")) == (wanted.get("type", "str"), wanted.get("elements")), key
        if option.get("default") not in (None, "", [], {}) and wanted.get("default") is not None:
            assert option["default"] == wanted["default"], key
    assert compared > 2


def test_there_are_roles() -> None:
    assert {role.name for role in ROLES} >= {"store_backup", "store_restore"}


def test_no_integration_target_has_the_name_of_a_role() -> None:
    """ansible-test would run the role of the collection in its place."""
    targets = {path.name for path in (ROLES[0].parents[1] / "tests" / "integration" / "targets").iterdir()}
    assert targets & {role.name for role in ROLES} == set()


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_zero_is_a_value(role: Path) -> None:
    """Only what is empty, and null, mean "not set": a size, a number of copies or an age can be 0."""
    omitted = []
    for path in sorted((role / "tasks").glob("*.yml")):
        text = path.read_text(encoding="utf-8")
        assert "default(omit, true)" not in text, path.name
        omitted += re.findall(r"{{ (omit if (\S+)(?: \| default\((\w+)\))? in .*?) }}", text, re.DOTALL)
    assert (omitted != []) == (role.name not in {"schedule", "fleet_report"})
    for expression, first, other in omitted:
        name = other or first
        for value, kept in ((0, True), (False, True), ("0", True), ("x", True), ("", False), (None, False)):
            variables = {"omit": "omitted", first.partition(".")[0]: {}, name.partition(".")[0]: value}
            rendered = Templar(loader=DataLoader(), variables=variables).template(trusted("{{ " + expression + " }}"))
            assert str(rendered) == (str(value) if kept else "omitted"), (expression, value)


TOLD = {  # what a role says of a task that failed, and how it says it
    "lifecycle": "{{ lifecycle__why }}",
    "store_backup": "{{ store_backup__failed.msg }}",
    "store_migration": "{{ store_migration__failed_text }}",
    "store_restore": "{{ store_restore__failed_text }}",
}


def trusted(value: Any) -> Any:
    """The value with templates that are rendered: from 2.19 on, that has to be said of each."""
    if isinstance(value, dict):
        return {name: trusted(member) for name, member in value.items()}
    trust = getattr(template, "trust_as_template", None)
    return trust(value) if trust is not None and isinstance(value, str) else value


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("role", sorted(TOLD))
def test_what_a_task_hides_is_not_told(role: str, *, hidden: bool) -> None:
    (path,) = [one for one in ROLES if one.name == role]
    failed = {"failed": True, "msg": "the token is secret", "stderr": "also secret"}
    variables = {
        **trusted(read(path / "vars" / "main.yml")),
        "ansible_failed_task": {"name": "Ask", "action": "uri", "no_log": hidden},
        "ansible_failed_result": failed,
    }
    told = Templar(loader=DataLoader(), variables=variables).template(trusted(TOLD[role]))
    assert ("secret" in told, "no_log hides why" in told) == (not hidden, hidden)


def rendered(role: str, template_text: str, **variables: Any) -> Any:
    (path,) = [one for one in ROLES if one.name == role]
    own = {
        name: trusted(value) for file in ("defaults", "vars") for name, value in read(path / file / "main.yml").items()
    }
    return Templar(loader=DataLoader(), variables={**own, **variables}).template(trusted(template_text))


def test_a_report_has_all_hosts_of_the_play() -> None:
    """Of one that Ansible has dropped, nobody has said anything; the report must not be silent about it."""
    hostvars = {
        "a": {"group_names": ["shop"], "fleet_report__host": {"name": "a"}},
        "b": {"group_names": ["ungrouped"]},
    }
    first, second = rendered(
        "fleet_report", "{{ fleet_report__hosts }}", hostvars=hostvars, ansible_play_hosts_all=["a", "b"]
    )
    assert first == {"name": "a"}
    assert (second["name"], second["groups"], "sets" in second, bool(second["problem"])) == ("b", [], False, True)


def test_directories_are_not_read_elsewhere() -> None:
    stores = [{"name": "far", "repository": "s3:b/p"}, {"name": "near"}]
    looks = {"results": [{"store_backup__store": one, "sets": [{}]} for one in stores]}
    for unreachable, names in ((True, ["far"]), (False, ["far", "near"])):
        found = rendered(
            "fleet_report",
            "{{ fleet_report__looks }}",
            store_backup_stores=stores,
            store_backup__looks=looks,
            fleet_report__jobs={"unreachable": unreachable},
        )
        assert [one["name"] for one in found] == names


def test_stores_that_cannot_be_told_are_not_no_stores() -> None:
    assert rendered("fleet_report", "{{ fleet_report__sets }}") == []
    assert rendered("fleet_report", "{{ fleet_report__sets }}", store_backup_stores=None) == []
    with pytest.raises(AnsibleError, match="nosuch"):
        str(rendered("fleet_report", "{{ fleet_report__sets }}", store_backup_stores=trusted("{{ nosuch }}")))


def test_credentials_that_look_like_data_are_written_as_they_are() -> None:
    secret = '{"type":"service_account","valid": true}'
    tasks = {
        task["name"]: task
        for file in ("install.yml", "encrypted.yml")
        for task in read(ROLES[0].parent / "schedule" / "tasks" / file)
    }
    for text, item in (
        (tasks["Write the credentials"]["ansible.builtin.copy"]["content"], {"key": "k", "value": secret}),
        (tasks["Encrypt the credentials"]["ansible.builtin.command"]["stdin"], {"item": "k"}),
    ):
        assert rendered("schedule", text, item=item, schedule_credentials={"k": secret}) == secret


def test_maintenance_looks_at_the_clock_once_a_step() -> None:
    """A step that ends after the window has run: what has failed in it is told."""
    (play,) = read(ROLES[0].parents[1] / "playbooks" / "maintain.yml")
    steps = {}
    for step in play["tasks"]:
        tasks = step.get("block", [step])
        steps[step["name"]] = [str(task).count("maintain__open") for task in tasks]
        assert all(set(task) == {"name", "ansible.builtin.set_fact"} for task in tasks if "maintain__open" in str(task))
    assert [name for name, counts in steps.items() if sum(counts) == 1] == [
        *("Rotate logs", "Remove and archive old files", "Clean caches, purge records and optimize databases")
    ]
