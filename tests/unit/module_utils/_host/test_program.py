# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import signal
import zipfile
import zipimport
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._host.places import JOBS_VARIABLE
from ansible_collections.day2.ops.plugins.module_utils._host.program import main
from ansible_collections.day2.ops.plugins.module_utils._verbs.registry import VERBS
from ansible_collections.day2.ops.plugins.plugin_utils import host_program
from tests.services.waiting import PATIENCE, wait_for

from .conftest import MODULE_UTILS, Host

OK, FAILED, USAGE, BUSY, WRONG = 0, 1, 64, 75, 78


def test_the_same_sources_make_the_same_program() -> None:
    made = host_program.build(MODULE_UTILS)
    assert made == host_program.build(MODULE_UTILS)
    assert len(made) < 1_500_000


def test_a_run_is_recorded(host: Host) -> None:
    path = host.old_files()
    code, said = host.run("run", "old")
    assert (code, path.exists()) == (OK, False), said
    (entry,) = host.runs()
    assert (entry["job"], entry["verb"], entry["status"], entry["changed"]) == ("old", "retention", "ok", True)
    assert entry["msg"] in said
    assert host.summary()["old"]["status"] == "ok"
    assert host.run("run", "old")[0] == OK
    assert [one["changed"] for one in host.runs()] == [True, False]


def test_check_mode_changes_and_records_nothing(host: Host) -> None:
    path = host.old_files()
    assert host.run("run", "old", "--check")[0] == OK
    assert path.exists()
    assert not host.state.exists()
    assert host.run("status")[0] == FAILED  # it has never run


def test_a_failure_and_what_follows(host: Host) -> None:
    host.command("dump", "exit 3")
    assert host.run("run", "dump")[0] == FAILED
    assert host.run("run", "dump")[0] == FAILED
    assert host.summary()["dump"]["failures"] == 2
    code, said = host.run("status")
    assert code == FAILED
    assert said.startswith("bad  dump: failed: ")
    host.command("dump", "echo content")
    assert host.run("run", "dump")[0] == OK
    assert host.summary()["dump"]["failures"] == 0
    assert host.run("status") == (OK, "ok   dump\n")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"schema": 2}, "its schema is 2, not 1"),
        ({"verb": "reboot"}, "verb is 'reboot'; the verbs are backup, "),
        ({"arguments": []}, "arguments is not an object"),
        ({"secrets": {"a": 1}}, "secrets is not an object of strings"),
        ({"wait": "1m"}, "wait is not a number of seconds"),
        ({"password": "x"}, "unknown key password"),
        ({"arguments": {"ruls": []}}, "unknown option: ruls"),
        ({"arguments": {"rules": [{"name": 3, "paths": [], "tiers": []}]}}, "rules[0].name is not a string"),
        ({"secrets": {"s3.secret_access_key": "nothing"}}, "The credential nothing does not exist: neither "),
        ({"secrets": {"rules.7.x": "key"}}, "secrets names rules.7.x, which is not an option in arguments"),
    ],
)
def test_a_wrong_job_file(
    host: Host,
    change: dict[str, Any],
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    host.secret("key", "hunter2")
    path = host.root / "etc" / "jobs" / "old.json"
    host.old_files()
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    monkeypatch.setenv(JOBS_VARIABLE, host.environment[JOBS_VARIABLE])
    assert main(["check"]) == WRONG
    assert problem in capsys.readouterr().err


def test_a_job_that_others_could_have_written(host: Host) -> None:
    host.old_files()
    assert host.run("check") == (OK, "")
    path = host.root / "etc" / "jobs" / "old.json"
    path.chmod(0o660)
    assert "Other users can write" in host.run("run", "old")[1]
    path.chmod(0o644)  # of a ConfigMap
    assert host.run("check") == (OK, "")
    path.rename(host.root / "elsewhere")
    path.symlink_to(host.root / "elsewhere")
    assert host.run("run", "old")[0] == WRONG


def test_a_job_that_is_not_valid_is_recorded(host: Host) -> None:
    host.job("a", "retention", {"ruls": []})
    assert host.run("run", "a")[0] == WRONG
    assert host.runs()[0]["status"] == "wrong"


def test_names_are_not_paths(host: Host) -> None:
    assert host.run("run", "../old")[0] == WRONG
    assert host.run("run", "nothing")[0] == WRONG
    assert "does not exist" in host.run("explain", "nothing")[1]


def test_wrong_use(host: Host) -> None:
    assert host.run()[0] == USAGE
    assert host.run("run")[0] == USAGE
    assert host.run("jump", "old")[0] == USAGE
    assert host.run("schema", "reboot")[0] == USAGE


def test_secrets_come_from_credentials(host: Host, tmp_path: Path) -> None:
    host.secret("word", "hunter2\n")
    secrets = {"source.environment.WORD": "word", "source.environment.OTHER": "other"}
    body = f'echo "$WORD$OTHER" | wc -c; if test -e {host.path("fail")}; then echo "$WORD" >&2; exit 1; fi'
    host.command("dump", body, secrets=secrets)
    loaded = tmp_path / "loaded"
    loaded.mkdir()
    (loaded / "other").write_text("hunter22")  # as systemd loads it: with whatever mode
    host.environment["CREDENTIALS_DIRECTORY"] = str(loaded)
    code, said = host.run("run", "dump")
    assert code == OK, said
    assert (next((host.root / "repository").rglob("data/*"))).stat().st_size
    code, explained = host.run("explain", "dump")
    assert json.loads(explained)["secrets"]["source.environment.OTHER"] == str(loaded / "other")
    assert host.run("run", "dump")[1].startswith("dump: ok: ")
    (host.root / "fail").touch()
    code, failed = host.run("run", "dump")
    assert code == FAILED
    everything = said + explained + failed + str(host.runs()) + str(host.summary())
    assert "hunter2" not in everything
    assert "********" in failed


@pytest.mark.parametrize("secret", ["dump", "msg", "backup", "o", ""])
def test_a_secret_like_a_word_of_the_journal(host: Host, secret: str) -> None:
    host.secret("word", secret)
    host.command("dump", "exit 3", secrets={"source.environment.WORD": "word"})
    code, said = host.run("run", "dump")
    assert code == FAILED, said
    assert said.startswith("dump: failed: ")
    assert host.runs()[0]["verb"] == "backup"
    assert host.summary()["dump"]["status"] == "failed"


def test_one_run_of_a_job_at_a_time(host: Host) -> None:
    host.command(
        "slow", f"touch {host.path('started')}; while test ! -e {host.path('go')}; do sleep 0.05; done; echo x"
    )
    first = host.start("run", "slow")
    wait_for((host.root / "started").exists)
    code, said = host.run("run", "slow")
    assert code == BUSY
    assert f"(process {first.pid}, running)" in said
    assert "(running)" in host.run("status")[1]
    assert "running" in host.run("list")[1]
    (host.root / "go").touch()
    assert first.wait() == OK
    first.communicate()
    # That another run was in progress says nothing about the job.
    assert host.summary()["slow"]["failures"] == 0


def test_as_many_jobs_at_once_as_cores(host: Host) -> None:
    cores = len(os.sched_getaffinity(0))
    body = f"touch {host.path('started')}-$$; while test ! -e {host.path('go')}; do sleep 0.05; done; echo x"
    runs = []
    for number in range(cores + 1):
        host.command(f"job{number}", body)
        runs.append(host.start("run", f"job{number}"))
    wait_for(lambda: "waiting" in host.run("status")[1] and len(list(host.root.glob("started-*"))) == cores)
    (host.root / "go").touch()
    assert [one.wait() for one in runs] == [OK] * len(runs)
    for one in runs:
        one.communicate()
    assert len(host.runs()) == cores + 1


def test_sigterm_is_handled_and_recorded(host: Host) -> None:
    host.command("slow", f"touch {host.path('started')}; sleep 600")
    running = host.start("run", "slow")
    wait_for((host.root / "started").exists)
    running.send_signal(signal.SIGTERM)
    _said, errors = running.communicate(timeout=PATIENCE)
    assert running.returncode == FAILED
    assert "stopped: Stopped: it received SIGTERM." in errors
    assert host.runs()[0]["status"] == "stopped"
    staged = [path for path in (host.root / "repository").rglob("*") if path.is_file() and path.name != "lock"]
    assert staged == []


@pytest.mark.parametrize("how", ["", "by systemd", "recorded by systemd"])
def test_a_killed_run_is_recorded_by_the_next(host: Host, how: str) -> None:
    started, go = host.path("started"), host.path("go")
    host.command("dump", f"touch {started}; while test ! -e {go}; do sleep 0.05; done; echo x")
    if how:
        host.environment["INVOCATION_ID"] = "1234"
    running = host.start("run", "dump")
    wait_for(Path(started).exists)
    running.kill()
    running.communicate()
    Path(go).touch()
    if how == "recorded by systemd":  # not if the host has stopped
        host.environment.update(MONITOR_INVOCATION_ID="1234", MONITOR_SERVICE_RESULT="signal")
        assert host.run("record-failure", "dump")[0] == OK
    if how:
        host.environment["INVOCATION_ID"] = "5678"
    assert [host.run("run", "dump")[0] for _run in range(2)] == [OK, OK]
    assert [one["status"] for one in host.runs()] == ["failed", "ok", "ok"]


def test_an_upgrade_does_not_disturb_a_run_that_begins(tmp_path: Path) -> None:
    """Python opens the archive once for the list of its files, and once more for the first one."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.py").write_text("a = 1")
    path, new = tmp_path / "day2", tmp_path / "new"
    path.write_bytes(host_program.build(MODULE_UTILS))
    importer = zipimport.zipimporter(str(path))
    new.write_bytes(host_program.build(other))
    new.replace(path)
    assert importer.get_code("__main__").co_names[:2] == ("os", "sys")
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED


def test_an_upgrade_does_not_disturb_a_run(host: Host) -> None:
    host.program = host.root / "day2"
    host.program.write_bytes(host_program.build(MODULE_UTILS))
    host.command(
        "slow", f"touch {host.path('started')}; while test ! -e {host.path('go')}; do sleep 0.05; done; echo x"
    )
    running = host.start("run", "slow")
    wait_for((host.root / "started").exists)
    new = host.root / "new"
    new.write_bytes(b"something else")
    new.replace(host.program)
    (host.root / "go").touch()
    said, errors = running.communicate(timeout=PATIENCE)
    assert (running.returncode, errors) == (OK, ""), said


def test_state_that_cannot_be_written_fails_no_job(host: Host) -> None:
    path = host.old_files()
    host.state.parent.mkdir()
    host.state.write_text("not a directory")
    code, said = host.run("run", "old")
    assert (code, path.exists()) == (OK, False), said
    assert "could not be recorded" in said


def test_jobs_that_cannot_be_listed_are_not_ok(host: Host) -> None:
    (host.root / "etc" / "jobs").rmdir()
    assert host.run("status")[0] == OK
    (host.root / "etc" / "jobs").write_text("not a directory")
    for command in ("status", "check", "list"):
        code, said = host.run(command)
        assert code == WRONG
        assert "etc/jobs cannot be read" in said


def test_warnings_are_recorded(host: Host) -> None:
    rule = {"name": "a", "paths": [host.path("nothing") + "/*.log"], "tiers": [{"tier": "remove"}]}
    (host.root / "nothing").mkdir()
    host.job("old", "retention", {"rules": [rule]})
    code, said = host.run("run", "old")
    assert code == OK
    assert host.runs()[0]["warnings"]
    assert "warning: " in said


def test_priorities_under_systemd(host: Host) -> None:
    host.command("dump", "exit 3")
    host.environment["JOURNAL_STREAM"] = "1:2"
    assert host.run("run", "dump")[1].startswith("<3>dump: failed: ")


def test_health_checks_run_in_workers(host: Host) -> None:
    (host.root / "text").write_text("all is well")
    checks = [
        {"name": "file", "type": "file", "path": host.path("text"), "contains": "is (well|fine)"},
        {"name": "command", "type": "command", "command": "echo fine"},
        {"name": "disk", "type": "disk", "path": "/", "warn": 100, "crit": 100},
    ]
    host.job("health", "health_check", {"checks": checks, "timeout": "10m"})
    code, said = host.run("run", "health")
    assert code == OK, said
    assert "3 of 3 checks ok" in said


def test_schemas(host: Host) -> None:
    code, said = host.run("schema")
    made = json.loads(said)
    assert (code, sorted(made)) == (OK, sorted(VERBS))
    backup = made["backup"]["properties"]["arguments"]
    assert backup["required"] == ["name", "repository"]
    assert backup["properties"]["identity" if "identity" in backup["properties"] else "s3"]
    assert {"not": {"required": ["source", "sources"]}} in backup["allOf"]
    key = backup["properties"]["s3"]["properties"]["secret_access_key"]
    assert key["writeOnly"]
    assert json.loads(host.run("schema", "backup")[1]) == {"backup": made["backup"]}


def test_a_credential_that_cannot_be_decrypted(host: Host) -> None:
    host.secret("word.cred", "nonsense")
    host.command("dump", 'printf %s "$WORD"', secrets={"source.environment.WORD": "word"})
    code, said = host.run("run", "dump")
    assert code == WRONG
    assert f"The credential {host.path('etc')}/secrets/word.cred can't be decrypted: " in said
    assert "Traceback" not in said


def test_the_verdict_of_a_drill_is_recorded(host: Host) -> None:
    (host.root / "document.json").write_text('{"a": {"1": {}}}')
    (host.root / "scratch").mkdir(mode=0o700)
    place = {"name": "app", "repository": host.path("backups")}
    host.job("backup", "backup", {**place, "source": {"type": "json", "path": host.path("document.json")}})
    assert host.run("run", "backup")[0] == OK
    probe = [{"name": "document", "type": "json", "path": "{path}"}]
    host.job("drill", "restore_drill", {**place, "scratch": host.path("scratch"), "probe": probe})
    code, said = host.run("run", "drill")
    assert code == OK, said
    host.job(
        "drill", "restore_drill", {**place, "scratch": host.path("scratch"), "backup": "20250630T120000Z-3f2a9c1b"}
    )
    assert host.run("run", "drill")[0] == FAILED
    assert [run["facts"]["drill"]["verdict"] for run in host.runs()[1:]] == ["pass", "fail"]
    assert list((host.root / "scratch").iterdir()) == []
