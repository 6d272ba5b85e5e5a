# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each input of a role is in its defaults and in its argument specs, with the same value, and nothing else is."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Optional

import pytest
import yaml
from ansible import template
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.manager import VariableManager

from ansible_collections.day2.ops.plugins.module_utils._core.restic_options import ADDRESSES
from ansible_collections.day2.ops.plugins.module_utils._verbs.registry import VERBS as VERB_MODULES
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
    "restore_drill": "drill.drill",
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


# Roles that run one task for a list of entries: the variable with its jobs, the list, and the verb of the jobs.
JOBS = [
    ("log_rotation", "log_rotation__jobs", "log_rotation_logs", "log_rotate"),
    ("restore_drill", "restore_drill__jobs", "restore_drill_drills", "restore_drill"),
    ("store_backup", "store_backup__jobs", "store_backup_stores", "backup"),
    ("store_backup", "store_backup__look_jobs", "store_backup_stores", "backup_info"),
]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_zero_is_a_value(role: Path) -> None:
    """Only what is empty, and null, mean "not set": a size, a number of copies or an age can be 0."""
    omitted = []
    for path in sorted((role / "tasks").glob("*.yml")):
        text = path.read_text(encoding="utf-8")
        assert "default(omit, true)" not in text, path.name
        omitted += re.findall(r"{{ (omit if (\S+)(?: \| default\((\w+)\))? in .*?) }}", text, re.DOTALL)
    assert (omitted != []) == (role.name not in {"schedule", "fleet_report", *{one for one, *_rest in JOBS}})
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


def test_playbooks_tell_why_a_task_has_failed() -> None:
    """A message that is a list is one text, and those of jobs have their names; what is hidden is not told."""
    playbooks = ROLES[0].parents[1] / "playbooks"
    (play,) = read(playbooks / "maintain.yml")
    (task,) = read(playbooks / "tasks" / "failed.yml")
    failed = {"failed": True, "msg": "no space"}
    jobs = {"msg": "1 of 2 jobs failed", "results": [{"name": "a", "verb": "purge", **failed}, {"failed": False}]}
    for text in (task["ansible.builtin.set_fact"]["day2_reason"], play["vars"]["maintain__why"]):
        for result, wanted in (
            (failed, "no space"),
            ({"failed": True, "msg": ["a: old", "b: gone"]}, "a: old; b: gone"),
            ({"msg": "One or more items failed", "results": [failed, {"failed": False, "msg": "x"}]}, "no space"),
            (jobs, "a: no space"),
            ({"failed": True, "msg": 3}, "3"),
            ({"failed": True, "msg": "no package", "results": ["looked"]}, "no package"),
            ({"failed": True}, "It failed without a message."),
        ):
            for hidden in (False, True):
                variables = {"ansible_failed_result": result, "ansible_failed_task": {"no_log": hidden}}
                said = Templar(loader=DataLoader(), variables=variables).template(trusted(text))
                assert said == ("It failed, and no_log hides why." if hidden else wanted)


def test_the_inventory_says_where_stores_in_servers_are_drilled() -> None:
    loader = DataLoader()
    inventory = InventoryManager(loader, sources=[str(ROLES[0].parents[1] / "inventory" / "hosts.yml")])
    variables = VariableManager(loader, inventory)
    checked = set()
    for host in inventory.get_hosts():
        secrets = dict.fromkeys(("hostfactory_database_password", "dotmac_database_password"), "x")
        given = {**variables.get_vars(host=host), **secrets}
        for store in Templar(loader, variables=given).template(given.get("store_backup_stores") or []):
            kind = (store.get("source") or {}).get("type")
            if kind in ("postgresql", "dynamodb", "ssm"):
                assert [one["type"] for one in (store.get("drill") or {}).get("targets", ())] == [kind], store["name"]
                checked.add(kind)
    assert "postgresql" in checked


def test_artifacts_have_the_prefix() -> None:
    """AWX passes them to the next jobs of a workflow as variables."""
    found = []
    for path in [*ROLES[0].parent.glob("*/tasks/*.yml"), *(ROLES[0].parents[1] / "playbooks").rglob("*.yml")]:
        for data in re.findall(r"ansible.builtin.set_stats:\n +data:(.*\n.*)", path.read_text(encoding="utf-8")):
            found.append(data.split()[0].strip("\"{'"))
            assert "day2_" in data, (path, data)
    assert found


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
    addresses = ["s3://bucket/day2", *(f"{scheme}place" for scheme in ADDRESSES)]
    stores = [*({"name": one, "repository": one} for one in addresses), {"name": "near"}]
    looks = [{"sets": [{}]} for _one in stores]
    for unreachable, names in ((True, addresses), (False, [*addresses, "near"])):
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


def test_some_of_the_checks_report_nothing_of_all_of_them() -> None:
    """They would say that the others have recovered, and remove them from the reports."""
    told = "{{ [health_checks__report, health_checks__notify] }}"
    variables = {"health_checks_report": [{"path": "/r"}], "health_checks_notify": [{"name": "oncall"}]}
    assert rendered("health_checks", told, **variables) == list(variables.values())
    assert rendered("health_checks", told, health_checks_only="api", **variables) == [[], []]
    (path,) = [one for one in ROLES if one.name == "health_checks"]
    text = (path / "tasks" / "main.yml").read_text(encoding="utf-8")
    assert "else health_checks__report }}" in text
    assert "else health_checks__notify }}" in text


@pytest.mark.parametrize(
    ("unit", "forgotten"),
    [
        ("day2-a.timer", ["day2-a.timer"]),
        ("day2-look@a.timer", ["day2-look@a.timer"]),
        ("day2-push@.service", ["day2-push@*.service"]),
        (
            "day2-a.service",
            ["day2-a.service", *(f"day2-{one}@a.service" for one in ("started", "ended", "failed", "look"))],
        ),
    ],
)
def test_failures_of_removed_units_are_forgotten(unit: str, forgotten: list[str]) -> None:
    assert rendered("schedule", "{{ schedule__forgotten }}", schedule__unit=unit) == forgotten


@pytest.mark.parametrize(
    ("path", "accepted"),
    [
        ("", True),
        (None, True),
        ("/var/lib/prometheus/node-exporter/day2.prom", True),
        ("/srv/day2.txt", False),
        ("day2.prom", False),
        ("/srv/a b.prom", False),
        ("/srv/%h.prom", False),
        ("/home/a/day2.prom", False),
        ("/var/lib/day2/day2.prom", False),
        ("/tmp/day2.prom", False),
        ("/root/day2.prom", False),
        ("/srv/../tmp/day2.prom", False),
        ("/srv/day2.prom\n", False),
    ],
)
def test_the_file_of_metrics(path: Any, accepted: bool) -> None:
    (conditions,) = [
        task["ansible.builtin.assert"]["that"]
        for task in read(ROLES[0].parent / "schedule" / "tasks" / "main.yml")
        if task["name"] == "Check the file of the metrics"
    ]
    that = " and ".join(conditions)
    assert rendered("schedule", f"{{{{ {that} }}}}", schedule_metrics=path, schedule__names=["a"]) == accepted


def test_a_summary_is_pushed_by_a_program_with_arguments() -> None:
    """A text would be one argument for each letter: the role refuses it, and writes no unit."""
    told = "{{ [schedule__push, schedule__starters | map(attribute='unit') | list] }}"
    units = ["day2-push@all.path", "day2-push@all.timer"]
    variables = {"schedule__files": [], "schedule__notified": False, "schedule__names": ["a"]}
    assert rendered("schedule", told, schedule_push_command=["cp", 1], **variables) == [["cp", "1"], units]
    for given in ("", None, [], "cp 1"):
        assert rendered("schedule", told, schedule_push_command=given, **variables) == [[], []]


@pytest.mark.parametrize(
    ("store", "drills"),
    [
        ({}, [{"name": "a"}]),
        ({"drill": None}, [{"name": "a"}]),
        ({"drill": True}, [{"name": "a"}]),
        ({"drill": {"which": "sample"}}, [{"name": "a", "which": "sample"}]),
        ({"drill": False}, []),
        ({"host": "old"}, [{"name": "a", "host": "old"}]),
    ],
)
def test_a_store_is_drilled_unless_that_is_refused(store: dict[str, Any], drills: list[dict[str, Any]]) -> None:
    (play,) = read(ROLES[0].parents[1] / "playbooks" / "drill.yml")
    text = play["vars"]["restore_drill_drills"]
    assert rendered("restore_drill", text, store_backup_stores=[{"name": "a", **store}]) == drills


def test_drills_publish_the_head_of_the_journal() -> None:
    head = {"journal": "j", "count": 7, "digest": "d", "time": "t"}
    results = [{"msg": "m", "result": {"drill": {"verdict": "pass"}, "evidence": head}}, {"msg": "n", "failed": True}]
    known = {"restore_drill_drills": [{"name": "a"}, {"name": "b"}], "restore_drill__drilled": {"results": results}}
    found = rendered("restore_drill", "{{ restore_drill__results }}", **known)
    assert [one.get("evidence") for one in found] == [head, None]
    (play,) = read(ROLES[0].parents[1] / "playbooks" / "drill.yml")
    variables = {**trusted(play["vars"]), "restore_drill_results": found}
    published = Templar(DataLoader(), variables=variables).template(trusted("{{ drill__result }}"))
    assert published == {"msg": "m n", "evidence": head}


def test_maintenance_looks_at_the_clock_once_a_step() -> None:
    """A step that ends after the window has run: what has failed in it is told."""
    (play,) = read(ROLES[0].parents[1] / "playbooks" / "maintain.yml")
    steps = {}
    for step in play["tasks"][0]["block"]:
        tasks = step.get("block", [step])
        steps[step["name"]] = [str(task).count("maintain__open") for task in tasks]
        assert all(set(task) == {"name", "ansible.builtin.set_fact"} for task in tasks if "maintain__open" in str(task))
    assert [name for name, counts in steps.items() if sum(counts) == 1] == [
        *("Rotate logs", "Remove and archive old files", "Clean caches, purge records and optimize databases")
    ]


def playbook_tasks(path: str, *names: str) -> Any:
    """Tasks of a file of playbooks, by their names, also from inside of blocks. Their variables are rendered."""

    def all_of(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for task in tasks:
            yield task
            for part in ("tasks", "block", "rescue", "always"):
                yield from all_of(task.get(part) or [])

    found = {task.get("name"): task for task in all_of(read(ROLES[0].parents[1] / "playbooks" / path))}
    return [found[name] for name in names]


def said_by(task: dict[str, Any], **variables: Any) -> tuple[bool, str]:
    """Whether the condition of an assert is true, and its message."""
    known = Templar(loader=DataLoader(), variables={**trusted(task.get("vars") or {}), **variables})
    asked = task["ansible.builtin.assert"]
    return known.template(trusted("{{ " + asked["that"] + " }}")), known.template(trusted(asked["fail_msg"]))


def kept_state(run: str, in_use: Optional[str] = None) -> dict[str, str]:
    return {"content": base64.b64encode(json.dumps({"run": run, "in_use": in_use}).encode()).decode()}


@pytest.mark.parametrize(
    ("claimed", "answer", "refused"),
    [
        (False, {"conflict": False, **kept_state("09:00")}, None),
        # The other run has restored the data meanwhile, and users write.
        (False, {"conflict": True, **kept_state("08:00", "08:30")}, "/r.json has changed since this run read it"),
        (False, {"conflict": True, **kept_state("08:59")}, "another recovery of app1 is in progress"),
        (False, {"conflict": True, "content": ""}, "Once the other one has ended, run it again"),
        (True, {"conflict": False, **kept_state("09:00")}, None),
        (True, {"conflict": True, **kept_state("09:01")}, "Another recovery of app1 began at 09:01 and goes on"),
        (True, {"conflict": True, "content": ""}, "/r.json was removed, so this one stops"),
    ],
)
def test_a_recovery_does_not_overwrite_the_state_of_another(
    claimed: bool, answer: dict[str, Any], refused: Optional[str]
) -> None:
    """What was read since is compared by the module. An upgrade does the same."""
    for path, known in (("recover/write.yml", "recover__known"), ("upgrade_record.yml", "upgrade__known")):
        write, check, keep = playbook_tasks(
            f"tasks/{path}",
            "Write how far the recovery is" if "recover" in path else "Record the step",
            "Check that no other run is at work",
            "Keep that the state is of this run" if "recover" in path else "Keep what was written",
        )
        assert write["when"] == check["when"] == keep["when"] == "not ansible_check_mode"
        assert write["day2.ops.state_write"]["replaces"] == f"{{{{ {known} }}}}"
        written = write["register"]
        more = {"recover__claimed": claimed, "recover__state_path": "/r.json", "inventory_hostname": "app1"}
        accepted, message = said_by(check, **{written: answer}, **more, upgrade__record="/u.json")
        assert accepted is (refused is None)
        of_upgrade = "Another run has begun" if answer["content"] else "/u.json is gone"
        assert refused is None or (refused if "recover" in path else of_upgrade) in message
        failed = Templar(DataLoader(), variables={written: {"failed": True}, **more})
        assert failed.template(trusted("{{ " + write["failed_when"] + " }}")) is True
        failed = Templar(DataLoader(), variables={written: {**answer, "failed": answer["conflict"]}, **more})
        assert failed.template(trusted("{{ " + write["failed_when"] + " }}")) is False


@pytest.mark.parametrize(
    ("claimed", "status", "kept", "writes"),
    [
        (False, "failed", kept_state("08:00"), False),  # it would stop the other run
        (False, "failed", {"skipped": True}, True),  # the recovery began with this run
        (False, "ok", kept_state("08:00"), True),
        (True, "failed", kept_state("08:00"), True),
    ],
)
def test_a_refused_recovery_stops_no_other(claimed: bool, status: str, kept: dict[str, Any], writes: bool) -> None:
    (write,) = playbook_tasks("tasks/recover/note.yml", "Write the state")
    variables = {"recover__claimed": claimed, "recover__event": {"status": status}, "recover__kept": kept}
    assert Templar(DataLoader(), variables=variables).template(trusted("{{ " + write["when"] + " }}")) is writes


@pytest.mark.parametrize(
    ("server", "missing"),
    [
        ({}, None),
        ({"host": "db1"}, None),
        ({"host": "db1", "port": 5432}, None),
        ({"host": "db2"}, "changes shop (host db2), which"),
        ({"host": "db1", "port": 5433}, "changes shop (host db1, port 5433), which"),
    ],
)
def test_an_upgrade_migrates_on_the_server_that_it_backs_up(server: dict[str, Any], missing: Optional[str]) -> None:
    (check,) = playbook_tasks("upgrade.yml", "Check that a return would restore what the migrations change")
    source = {"type": "postgresql", "database": "shop", "host": "db1", "port": "5432", "region": ""}
    variables = {
        "upgrade__sets": ["app"],
        "store_backup_stores": [{"name": "app", "source": source}],
        "upgrade_migrations": [{"target": {"type": "postgresql", "database": "shop", **server}}],
    }
    accepted, message = said_by(check, **variables)
    assert accepted is (missing is None)
    assert missing is None or missing in message


@pytest.mark.parametrize(
    ("failure", "wish", "check_mode", "message"),
    [
        (
            "",
            "",
            False,
            "A task has ended {}the upgrade that began at 09:00 was complete. Remove that task. Data may not",
        ),
        (
            "",
            "",
            True,
            "A task has ended {}the upgrade that began at 09:00 was complete. Remove that task. This was check",
        ),
        ("It broke.", "", False, "It broke. A task has ended {}the return from the upgrade that began at 09:00 was"),
        ("", "return", False, "A task has ended {}the return from the upgrade that began at 09:00 was complete."),
    ],
)
def test_an_upgrade_that_was_ended_denies_nothing(failure: str, wish: str, check_mode: bool, message: str) -> None:
    """A return may have restored the data, and check mode has stopped no service."""
    publish, fail = playbook_tasks("upgrade.yml", "Publish that a task has ended the play", "Fail with what to do")
    known = {"upgrade__failure": failure, "upgrade_interrupted": wish, "ansible_check_mode": check_mode}
    known.update(upgrade__ended=False, upgrade__began="09:00", inventory_hostname="app1")
    templar = Templar(DataLoader(), variables={**trusted(fail["vars"]), **known})
    assert templar.template(trusted("{{ " + publish["when"] + " }}")) is True
    said = templar.template(trusted(fail["ansible.builtin.fail"]["msg"]))
    assert said.startswith(message.format("the play (meta: end_host, end_play or end_batch) before "))
    assert ("upgrade_interrupted=return" in said) is not check_mode


def job_of(role: str, jobs: str, entries: str, entry: dict[str, Any], **variables: Any) -> dict[str, Any]:
    """The arguments of the job that a role makes of an entry."""
    (job,) = rendered(role, "{{ " + jobs + " }}", **{entries: [{"name": "a", **entry}], **variables})
    arguments: dict[str, Any] = job["arguments"]
    assert job["name"] == "a"
    return arguments


@pytest.mark.parametrize(("role", "jobs", "entries", "verb"), JOBS)
def test_zero_is_a_value_of_jobs(role: str, jobs: str, entries: str, verb: str) -> None:
    """As in test_zero_is_a_value. Each option is set by the variable of the role, and by an entry that has it."""
    (path,) = [one for one in ROLES if one.name == role]
    spec = import_module(f"ansible_collections.day2.ops.plugins.module_utils._verbs.{VERB_MODULES[verb]}").ARGUMENTS
    inputs = specified(path)
    # Spelled out by the role, where the module has another default or another name.
    spelled = {"frequency", "repository", "take_over", "verify", "max_age"}
    # backup_info would choose by them what it shows.
    spelled |= {"keep", "tags"} if verb == "backup_info" else set()
    options = sorted(set(spec["argument_spec"]) - spelled)
    shared = {one: f"{role}_{one}" for one in options if f"{role}_{one}" in inputs}
    own = {one for one in options if one in inputs[entries]["options"]}
    assert len(shared) > 3
    assert len(own) > 3
    for value in (0, False, "0", "x", "", None, [], {}):
        wanted = {} if value in ("", None, [], {}) else dict.fromkeys(shared, value)
        found = job_of(role, jobs, entries, {}, **dict.fromkeys(shared.values(), value))
        assert {one: found[one] for one in shared if one in found} == wanted, value
        wanted = {} if value in ("", None, [], {}) else dict.fromkeys(own - {"name"}, value)
        entry = dict.fromkeys(own - {"name"}, value)
        found = job_of(role, jobs, entries, entry, **dict.fromkeys(shared.values(), "other"))
        assert {one: found[one] for one in entry if one in found} == wanted, value
        assert set(found) <= set(spec["argument_spec"])


def test_an_entry_without_a_frequency_is_rotated_daily() -> None:
    for of_role, of_entry, wanted in (
        ("", {}, "daily"),
        ("weekly", {}, "weekly"),
        ("weekly", {"frequency": ""}, "daily"),
        ("weekly", {"frequency": "hourly"}, "hourly"),
        ("none", {}, None),
        ("weekly", {"frequency": "none"}, None),
    ):
        found = job_of(*JOBS[0][:3], of_entry, log_rotation_frequency=of_role)
        assert found.get("frequency") == wanted


def test_each_store_is_looked_at_with_its_objective() -> None:
    (job,) = [one for one in JOBS if one[3] == "backup_info"]
    found = job_of(*job[:3], {"rpo": "4h", "rto": "1h", "keep": {"last": 1}}, store_backup_rpo="1d")
    assert found == {
        "name": "a",
        "repository": "/var/backups/day2",
        "max_age": "4h",
        "verify": "quick",
        "lock_timeout": "1m",
    }


def test_stores_with_hooks_are_not_among_the_others() -> None:
    stores = [{"name": "a"}, {"name": "b", "pre": "x.yml"}, {"name": "c", "on_error": ""}]
    for variables, wanted in (
        ({}, ["a", "c"]),
        ({"store_backup_on_error": "y.yml"}, ["c"]),
        ({"store_backup_pre": None}, ["a", "c"]),
    ):
        assert rendered("store_backup", "{{ store_backup__plain }}", store_backup_stores=stores, **variables) == wanted


@pytest.mark.parametrize(
    ("role", "found", "run", "names"),
    [
        (
            "log_rotation",
            "log_rotation__found",
            "log_rotation__run",
            {"log_rotation_logs": [{"name": "a"}, {"name": "b"}]},
        ),
        (
            "store_backup",
            "store_backup__found",
            "store_backup__run",
            {"store_backup_stores": [{"name": "a"}, {"name": "b"}]},
        ),
    ],
)
def test_a_task_that_was_killed_has_failed_for_each_entry(
    role: str, found: str, run: str, names: dict[str, Any]
) -> None:
    killed = rendered(role, "{{ " + found + " }}", **names, **{run: {"failed": False, "msg": "MODULE FAILURE"}})
    assert killed == [{"failed": True, "changed": False, "msg": "MODULE FAILURE"}] * 2
    results = [{"name": "a", "result": {"msg": "done"}}, {"name": "b", "result": {"msg": "done, too"}}]
    said = rendered(role, "{{ " + found + " }}", **names, **{run: {"results": results}})
    assert said == [{"msg": "done"}, {"msg": "done, too"}]


def test_services_of_the_schedule_that_nobody_needs_are_removed() -> None:
    """Those that systemd makes instances of, too."""
    names = ["day2-push@.service", "day2-push@all.path", "day2-look@.service", "day2-failed@.service"]
    found = {"files": [{"path": f"/etc/systemd/system/{one}"} for one in names]}

    def removed(**variables: Any) -> Any:
        return rendered("schedule", "{{ schedule__removed_units }}", schedule__found_files=found, **variables)

    jobs = {"schedule__files": [{"name": "a", "job": "{}", "starters": []}], "schedule__names": ["a"]}
    push = {"schedule_push_command": ["cp", "a", "b"]}
    assert removed(**jobs) == ["day2-push@all.path", "day2-look@.service", "day2-push@.service"]
    assert removed(**jobs, **push) == ["day2-look@.service"]
    for nothing in ({}, {**jobs, "schedule_with": "cron"}):
        assert sorted(removed(**nothing, **push)) == sorted(names)


def test_cron_pushes_a_summary_once_there_is_one(tmp_path: Path) -> None:
    target, summary = tmp_path / "100% of $HOME", tmp_path / "summary.json"
    text = (ROLES[0].parent / "schedule" / "templates" / "crontab.j2").read_text(encoding="utf-8")
    text = text.replace("\\\\", "\\")  # in values, unlike in files of templates, backslashes are doubled
    crontab = rendered("schedule", text, schedule_push_command=["cp", str(summary), str(target)])
    (line,) = [one for one in crontab.splitlines() if str(target).replace("%", "\\%") in one]
    command = line.partition(" root ")[2].replace("\\%", "%")
    command = command.replace("/var/lib/day2/state/jobs/summary.json", str(summary))
    for content in (None, "{}"):
        if content:
            summary.write_text(content)
        subprocess.run(["sh", "-c", command], check=True)
        assert (target.read_text() if target.exists() else None) == content
