# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each endpoint of an operations API, as docs/AWX.md maps it to a template or to its artifacts.

Questions of surveys are left empty, or answered.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import HOST, Application
from controller import CONFIGURE, ROOT, Controller, of_kind, recorded

from tests.services.redis import redis

ALICE = {"email": "alice@example.com", "first_name": "Alice", "last_name": "A", "user_type": "customer"}


def test_the_table_has_every_endpoint() -> None:
    table = re.findall(r"^\| `(GET|POST|DELETE) (\S+)` \|(.*)\|$", (ROOT / "docs" / "AWX.md").read_text(), re.MULTILINE)
    assert [f"{method} {path}" for method, path, _how in table] == [
        "POST /network-monitoring/endpoints", "GET /network-monitoring/health",
        "GET /network-monitoring/endpoints/{id}/trends", "POST /network-monitoring/health-check",
        "DELETE /network-monitoring/endpoints/{id}",
        "POST /customer-lifecycle/register", "POST /customer-lifecycle/customers/{id}/verify",
        "POST /customer-lifecycle/customers/{id}/suspend", "POST /customer-lifecycle/customers/{id}/services",
        "GET /customer-lifecycle/provisioning/{id}", "GET /customer-lifecycle/customers/{id}/summary",
        "POST /infrastructure-maintenance/execute", "GET /infrastructure-maintenance/status",
        "POST /infrastructure-maintenance/start", "POST /infrastructure-maintenance/stop",
        "POST /infrastructure-maintenance/database/cleanup", "POST /infrastructure-maintenance/logs/rotate",
        "POST /infrastructure-maintenance/cache/cleanup", "POST /infrastructure-maintenance/performance/optimize",
        "GET /operations/status",
    ]  # fmt: skip


def test_the_table_names_templates_that_exist(calls: list[dict[str, Any]]) -> None:
    text = (ROOT / "docs" / "AWX.md").read_text()
    named = set(re.findall(r"`day2 ([\w ]+?)`", text))
    assert named <= {*of_kind(calls, "job_template"), *of_kind(calls, "workflow_job_template"),
                     *of_kind(calls, "credential_type")}  # fmt: skip
    assert {"health", "trends", "lifecycle", "maintain", "rotate logs"} <= named


def test_network_monitoring(controller: Controller, application: Application) -> None:
    """register, health, trends, check of one service, unregister"""
    checks = controller.inventory["all"]["hosts"][HOST]["health_checks_checks"]
    # POST /endpoints: a check in the variables of the host, which AWX changes through its API.
    checks.append({"name": "api", "type": "tcp", "host": "127.0.0.1", "port": 1, "depends_on": ["database"]})
    controller.core = "newest"
    job = controller.launch("health")
    health = job.of("day2_check_health")
    assert (job.status, health["status"]) == ("failed", "failed")
    assert (health["summary"]["status"], health["summary"]["total"], health["alarms"]) == ("critical", 3, ["api"])
    (result,) = health["results"]
    assert (result["name"], result["status"]) == ("api", "critical")

    job = controller.launch("health", {"health_checks_only": "database, disk"}, limit=HOST)
    assert (job.status, job.of("day2_check_health")["summary"]["ok"]) == ("successful", 2)

    job = controller.launch("trends", {"health_trends_checks": "api", "health_trends_windows": "1h, 7d"})
    (trend,) = job.of("day2_health_trends")["results"]
    assert [one["name"] for one in trend["windows"]] == ["1h", "7d"]
    assert (trend["name"], trend["windows"][0]["availability"]) == ("api", 0)

    # DELETE /endpoints/{id}
    checks.pop()
    job = controller.launch("health", {"health_checks_only": "api"})
    assert job.status == "failed"
    assert "health_checks_only names api, which app1 does not have" in job.of("day2_check_health")["msg"]


def test_customer_lifecycle(controller: Controller, application: Application) -> None:
    """register, verify, services, suspend, provisioning status, summary"""

    def move(state: str, **answers: str) -> dict[str, Any]:
        job = controller.launch("lifecycle", {"lifecycle_subject": "alice", "lifecycle_state": state, **answers}, HOST)
        assert job.status == "successful", job.text
        artifact: dict[str, Any] = job.of("day2_lifecycle")
        assert artifact["status"] == "changed"
        return artifact

    move("registered", lifecycle_record=json.dumps(ALICE))
    move("verified")
    move("active")  # provisions the service
    move("suspended", lifecycle_reason="unpaid")

    job = controller.launch("lifecycle status", {"lifecycle_subject": "alice"})
    summary = job.of("day2_lifecycle_status")
    assert summary["states"]["suspended"] == 1
    assert (summary["state"], summary["services"][0]["status"]) == ("suspended", "active")
    assert [one["to_state"] for one in summary["results"]] == ["suspended", "active", "verified", "registered"]


def test_execute_and_optimize(controller: Controller, application: Application) -> None:
    """execute with all steps, then optimize alone"""
    job = controller.launch("maintain")
    results = job.of("day2_maintain")["results"]
    assert (job.status, [one["step"] for one in results]) == (
        "successful", ["health", "logs", "retention", "events", "database", "backup"],
    )  # fmt: skip
    assert {one["status"] for one in results} <= {"ok", "changed"}
    job = controller.launch("optimize databases", check=True)
    assert [one["step"] for one in job.of("day2_maintain")["results"]] == ["database"]


def test_clean_up_of_databases(controller: Controller, application: Application) -> None:
    job = controller.launch("clean up databases")
    assert job.of("day2_maintain")["status"] == "changed"
    with sqlite3.connect(application.database) as connection:
        assert connection.execute("SELECT text FROM events").fetchall() == [("new",)]
    connection.close()


def test_clean_up_of_caches(controller: Controller, tmp_path: Path) -> None:
    secret = "c4che-s3cret"
    with redis(tmp_path, "--requirepass", secret) as port:
        controller.inventory["all"]["hosts"][HOST]["maintain_jobs"] = [
            {
                "name": "caches",
                "verb": "cache_clean",
                "arguments": {"port": port, "pattern": "cache:*", "password": "{{ day2_redis_password }}"},
            }
        ]
        job = controller.launch("clean caches", credentials=[("database", {"redis_password": secret})])
    assert job.status == "successful", job.text
    assert [one["step"] for one in job.of("day2_maintain")["results"]] == ["caches"]
    assert secret not in job.text + json.dumps(job.artifacts)


def test_rotation_of_logs(controller: Controller, application: Application) -> None:
    job = controller.launch("rotate logs")
    (result,) = job.of("day2_rotate_logs")["results"]
    assert (result["name"], result["status"]) == ("app", "changed")
    assert (application.root / "logs" / "app.log").stat().st_size == 0


def test_start_and_stop(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    """Schedules are switched on and off."""
    assert {one["enabled"] for one in of_kind(calls, "schedule").values()} == {True}
    stopped = recorded(tmp_path, f"{CONFIGURE} -e configure_schedules=disabled")
    assert {one["enabled"] for one in of_kind(stopped, "schedule").values()} == {False}
    assert set(of_kind(stopped, "schedule")) == set(of_kind(calls, "schedule"))


def test_status(controller: Controller, application: Application) -> None:
    """of the jobs of all hosts, one of which does not answer"""
    controller.inventory["all"]["hosts"]["gone1"] = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    job = controller.launch("scheduled jobs")
    (finding,) = job.artifacts["day2_fleet_status"]
    assert (job.status, finding["host"]) == ("failed", "gone1")

    # and of the objectives, as the last report has judged them
    assert controller.launch("report").status == "failed"
    report = application.root / "report" / "fleet.json"
    report.write_text(json.dumps({**json.loads(report.read_text()), "next_due_at": "2026-01-01T00:00:00Z"}))
    controller.inventory["all"]["hosts"][HOST]["fleet_status_report"] = str(report)
    job = controller.launch("scheduled jobs")
    silent, overdue, *found = job.artifacts["day2_fleet_status"]
    assert silent == finding
    assert (overdue["host"], "was due at 2026-01-01" in overdue["problem"]) == (str(report), True)
    assert {one["host"] for one in found} == {"gone1", HOST}
    assert all(re.match("failing: |unknown: ", one["problem"]) for one in found)


def test_backup_verify_and_report(
    controller: Controller, calls: list[dict[str, Any]], application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """the workflow, with the artifacts of the nodes before each"""
    nodes = {
        one["identifier"]: one for one in of_kind(calls, "workflow_job_template")["backup and verify"]["workflow_nodes"]
    }
    monkeypatch.setenv("DAY2_STATE", str(application.root / "state"))  # where its journal of evidence is
    controller.inventory["all"]["hosts"][HOST]["store_backup_evidence"] = True
    name, ended = "backup", {}
    while True:
        template = nodes[name]["unified_job_template"]["name"][len("day2 ") :]
        job = ended[name] = controller.launch(template)
        assert job.status == "successful", job.text
        controller.artifacts.update(job.artifacts)
        if not nodes[name]["related"]["always_nodes"]:
            break
        name = nodes[name]["related"]["always_nodes"][0]["identifier"]
    assert list(ended) == ["backup", "verify", "report"]
    backups = ended["backup"].of("day2_backup")["results"]
    assert [(one["name"], one["status"]) for one in backups] == [("app", "changed"), ("files", "changed")]
    sets = ended["verify"].of("day2_backup_status")["results"]
    assert [one["newest"] for one in sets] == [one["backup_id"] for one in backups]
    assert ended["report"].artifacts["day2_fleet_report"]["verdict"] == "meeting"
    assert (application.root / "report" / "fleet.json").exists()
    job = controller.launch("drill", {"day2_drill_set": "app"})
    assert [(one["name"], one["status"]) for one in job.of("day2_drill")["results"]] == [("app", "pass")]
    # and the head of the journal of evidence, where the host cannot write
    head = ended["backup"].of("day2_backup")["evidence"]
    assert head == {key: ended["backup"].artifacts["day2_evidence"][HOST][key] for key in head}
    assert 3 == head["count"] < job.of("day2_drill")["evidence"]["count"]


def test_restore_of_an_encrypted_set(controller: Controller, application: Application) -> None:
    """with an identity that a credential injects; another set of the same backup fails, and says why"""
    identity = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout
    host = controller.inventory["all"]["hosts"][HOST]
    host["store_backup_encrypt_to"] = re.findall("age1\\w+", identity)
    host["store_backup_stores"][0]["source"] = {"type": "sqlite", "path": "/none/app.db"}
    job = controller.launch("backup", {"store_backup_only": "files, app"})
    backup = job.of("day2_backup")
    assert (job.status, backup["status"]) == ("failed", "failed")
    assert "/none/app.db: No such file" in backup["msg"]
    assert [one["status"] for one in backup["results"]] == ["failed", "changed"]

    (application.root / "files" / "kept.txt").write_text("changed")
    answers = {"store_restore_name": "files", "store_restore_on_existing": "replace"}
    job = controller.launch("restore", answers, HOST, [("identity", {"identity": identity})])
    assert job.of("day2_restore")["status"] == "changed"
    assert (application.root / "files" / "kept.txt").read_text() == "text"
    (secret,) = re.findall("AGE-SECRET-KEY\\S+", identity)
    assert secret not in job.text + json.dumps(job.artifacts)


@pytest.mark.parametrize(
    ("template", "playbook", "status"),
    [
        ("retain", "retain", "changed"),
        ("audit", "audit", "ok"),
        ("archive PostgreSQL", "archive_postgresql", "skipped"),
    ],
)
def test_other_templates(controller: Controller, template: str, playbook: str, status: str) -> None:
    job = controller.launch(template)
    assert (job.status, job.of(f"day2_{playbook}")["status"]) == ("successful", status)


def test_a_recovery_of_a_host_that_has_its_data(controller: Controller, application: Application) -> None:
    """As a check, with unanswered questions; the scenario recovery has the rest."""
    assert controller.launch("backup").status == "successful"
    job = controller.launch("recover", {}, HOST, check=True)
    assert (job.status, job.of("day2_recover")["status"]) == ("successful", "ok"), job.text
    tasks = application.root / "ending.yml"
    tasks.write_text(yaml.safe_dump([{"name": "End the play", "ansible.builtin.meta": "end_host"}]))
    controller.inventory["all"]["hosts"][HOST]["recover_application_tasks"] = str(tasks)
    job = controller.launch("recover", {}, HOST, check=True)
    assert (job.status, job.of("day2_recover")["status"]) == ("failed", "failed"), job.text
    assert f"before the recovery of {HOST} was complete, in the stage application" in job.of("day2_recover")["msg"]


def test_an_upgrade_with_a_task_file_of_the_project(controller: Controller, application: Application) -> None:
    """As a check; the target playbook_upgrade has the rest."""
    tasks = application.root / "upgrade.yml"
    tasks.write_text(yaml.safe_dump([{"name": "Install {{ upgrade_version }}", "ansible.builtin.debug": {}}]))
    controller.inventory["all"]["hosts"][HOST]["upgrade_tasks"] = (
        f"{{{{ playbook_dir }}}}/{os.path.relpath(tasks, ROOT / 'playbooks')}"
    )
    job = controller.launch("upgrade", {"upgrade_version": "2.0"}, HOST, check=True)
    assert (job.status, job.of("day2_upgrade")["status"]) == ("successful", "changed"), job.text
    assert "Install 2.0" in job.text


def test_migration(controller: Controller, application: Application) -> None:
    job = controller.launch("migrate", {}, HOST)
    assert (job.status, job.of("day2_migrate")["status"]) == ("successful", "changed")
    assert "old" in (application.root / "app.json").read_text()
