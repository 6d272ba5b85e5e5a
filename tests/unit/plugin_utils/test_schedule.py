# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._notify.channel import CHANNEL
from ansible_collections.day2.ops.plugins.module_utils._verbs.registry import VERBS
from ansible_collections.day2.ops.plugins.plugin_utils.sandbox import sandbox
from ansible_collections.day2.ops.plugins.plugin_utils.schedule import scheduled_job

DEFAULTS = {"random_delay": "10m", "timeout": "2h", "program": "/usr/bin/python3 -I /usr/local/bin/day2"}
SOURCE = {"type": "sqlite", "path": "~/app.db"}
BACKUP = {"name": "app", "source": SOURCE, "repository": "/srv/backups/day2"}


def files(arguments: Any = None, verb: str = "backup", **more: Any) -> dict[str, Any]:
    job = {"name": "job", "verb": verb, "on_calendar": "daily", "arguments": arguments or BACKUP, **more}
    return scheduled_job(job, DEFAULTS)


def written(**more: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(files(**more)["job"])
    return made


def timer(made: dict[str, Any]) -> str:
    units = {one["unit"]: one["content"] for one in made["starters"]}
    return str(units["day2-job.timer"])


def directives(text: str, name: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{name}=")]


def test_arguments_are_converted_and_paths_are_left_to_the_host() -> None:
    made = written(arguments={**BACKUP, "keep": {"last": "3", "daily": None}, "strict": "yes"})
    assert made["arguments"] == {
        "name": "app",
        "source": SOURCE,
        "repository": "/srv/backups/day2",
        "keep": {"last": 3},
        "strict": True,
        "lock_timeout": "7200s",
    }
    assert made["schema"] == 1


def test_secrets_are_names_of_credentials() -> None:
    arguments = {**BACKUP, "repository": "s3://bucket/day2", "s3": {"access_key_id": "AK"}}
    secrets = {"s3.secret_access_key": "key", "s3.access_key_id": "id"}
    made = files({**arguments, "s3": {}}, secrets=secrets)
    assert "secret_access_key" not in json.dumps(json.loads(made["job"])["arguments"])
    assert json.loads(made["job"])["secrets"] == secrets
    assert directives(made["service"], "LoadCredential") == [f"{one}:/etc/day2/secrets/{one}" for one in ("id", "key")]


def test_encrypted_credentials() -> None:
    job = {"name": "job", "verb": "backup", "on_calendar": "daily", "arguments": {**BACKUP, "s3": {}}}
    made = scheduled_job({**job, "secrets": {"s3.session_token": "key"}}, {**DEFAULTS, "encrypted": True})
    assert directives(made["service"], "LoadCredentialEncrypted") == ["key:/etc/day2/secrets/key.cred"]
    assert directives(made["service"], "LoadCredential") == []


def test_secrets_of_a_dictionary_of_secrets() -> None:
    source = {"type": "command", "dump": ["true"]}
    made = written(arguments={**BACKUP, "source": source}, secrets={"source.environment.WORD": "word"})
    assert made["arguments"]["source"] == source


def test_a_secret_of_an_entry_of_a_list() -> None:
    copies = [{"repository": "/mnt/a"}, {"repository": "s3://bucket", "s3": {"region": "eu"}}]
    made = written(arguments={**BACKUP, "copy_to": copies}, secrets={"copy_to.1.s3.secret_access_key": "key"})
    assert made["arguments"]["copy_to"][1]["s3"] == {"region": "eu"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": "a b"}, "'a b' cannot be the name of a job"),
        ({"name": "../x"}, "cannot be the name of a job"),
        ({"verb": "reboot"}, "Job job: verb is 'reboot'"),
        ({"on_calendar": ""}, "Job job: on_calendar or on_change (for systemd) or every (for cron) is required"),
        ({"on_calendar": []}, "Job job: on_calendar is not a time or a list of times"),
        ({"on_calendar": ["daily", ""]}, "Job job: on_calendar is not a time or a list of times"),
        ({"on_calendar": {"a": 1}}, "Job job: on_calendar is not a time or a list of times"),
        ({"onn_calendar": "x"}, "Job job: Unknown option onn_calendar"),
        ({"every": "1m"}, "use at least 15m"),
        ({"timeout": 0}, "Job job: timeout is less than a second"),
        ({"timeout": "soon"}, "Job job: 'soon' is not a duration"),
        ({"arguments": {**BACKUP, "keep": {"last": "many"}}}, "Job job: "),
        ({"arguments": {**BACKUP, "nmae": "x"}}, "nmae"),
        ({"arguments": {**BACKUP, "s3": {"secret_access_key": "hunter2"}}}, "s3.secret_access_key is a secret"),
        ({"secrets": {"s3.secret_access_key": "a/b"}}, "'a/b' cannot be the name of a credential"),
        ({"secrets": {"name.x": "a"}}, "secrets names name.x, which is not an option"),
        ({"arguments": {**BACKUP, "repository": "/x"}}, "The job would write to the root directory"),
        ({"writable": ["data"]}, "data must be an absolute path"),
    ],
)
def test_a_wrong_job_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        files(**change)
    assert problem in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_job_may_write_metrics_but_does_not_need_their_directory() -> None:
    job = {"name": "job", "verb": "backup", "on_calendar": "daily", "arguments": BACKUP}
    service = scheduled_job(job, {**DEFAULTS, "metrics": "/srv/metrics/day2.prom"})["service"]
    assert directives(service, "ReadWritePaths") == ["-/srv/backups", "-/srv/metrics"]
    assert directives(service, "RequiresMountsFor") == ["/srv/backups"]


def test_units() -> None:
    made = files(random_delay="90s", description="50% of\nthe rest")
    assert directives(made["service"], "ExecStart") == ["/usr/bin/python3 -I /usr/local/bin/day2 run job"]
    assert directives(made["service"], "TimeoutStartSec") == ["7200s"]
    assert directives(made["service"], "Description") == ["day2: 50%% of the rest"]
    assert "Description=day2: C:\\ \n" in files(description="C:\\")["service"]
    assert directives(made["service"], "OnFailure") == ["day2-failed@job.service"]
    assert directives(made["service"], "After") == ["day2-failed@job.service"]
    assert directives(made["service"], "StartLimitIntervalSec") == ["0"]  # a job that runs often is no failure
    assert directives(timer(made), "Persistent") == directives(timer(made), "FixedRandomDelay") == ["yes"]
    assert directives(timer(made), "OnCalendar") == ["daily"]
    assert directives(timer(made), "RandomizedDelaySec") == ["90s"]
    assert directives(timer(files(on_calendar=["Mon 03:00", "Sun 04:00"], random_delay=0)), "OnCalendar") == [
        "Mon 03:00",
        "Sun 04:00",
    ]
    assert directives(timer(files(random_delay="0")), "RandomizedDelaySec") == []


@pytest.mark.parametrize(
    ("verb", "arguments", "writable"),
    [
        ("backup", {**BACKUP, "copy_to": [{"repository": "/mnt/copies"}]}, ["-/mnt", "-/srv/backups"]),
        ("backup", {**BACKUP, "repository": "s3://bucket/x"}, []),
        ("backup", {**BACKUP, "repository": "/var/lib/day2/backups"}, []),
        (
            "restore",
            {"name": "a", "repository": "/srv/backups", "target": {"type": "files", "path": "/srv/app/data"}},
            ["-/srv"],
        ),
        ("log_rotate", {"paths": ["/var/log/app/*.log", "/var/log/app/sub/x"], "size": "1M"}, ["-/var/log/app"]),
        ("log_rotate", {"paths": ["/var/log/app/*.log"], "old_dir": "/var/log/old", "size": "1M"}, ["-/var/log"]),
        (
            "retention",
            {
                "rules": [
                    {
                        "name": "a",
                        "paths": ["/data/run-*", "/srv/cache"],
                        "tiers": [{"tier": "cold", "destination": "/mnt/archive/a", "older_than": "1d"}],
                    }
                ]
            },
            ["-/data", "-/mnt/archive", "-/srv"],
        ),
        (
            "migrate",
            {
                "name": "a",
                "source": {"type": "json", "path": "/srv/a/x.json"},
                "target": {"type": "sqlite", "path": "/srv/b/x.db"},
                "rejects": "/srv/c/rejects.jsonl",
            },
            ["-/srv/b", "-/srv/c"],
        ),
        (
            "purge",
            {
                "store": {"type": "sqlite", "path": "/srv/a/x.db"},
                "collection": "x",
                "name": "x",
                "repository": "/srv/b/c",
            },
            ["-/srv/a", "-/srv/b"],
        ),
        (
            "store_info",
            {"store": {"type": "sqlite", "path": "/srv/a/x.db"}, "history": "/srv/b/sizes.db"},
            ["-/srv/b"],
        ),
        (
            "log_report",
            {"source": {"type": "sqlite", "path": "/srv/a/x.db"}, "collection": "c", "export": "/srv/b/x.jsonl"},
            ["-/srv/b"],
        ),
        ("retention", {"journald": {"system_max_use": "1G"}}, ["-/etc/systemd"]),
        ("health_check", {"checks": [], "report": [{"format": "json", "path": "/srv/www/h.json"}]}, ["-/srv/www"]),
    ],
)
def test_what_is_written_is_allowed_by_its_parent(verb: str, arguments: dict[str, Any], writable: list[str]) -> None:
    made = files(arguments, verb)["service"]
    assert directives(made, "ReadWritePaths") == writable
    assert directives(made, "ProtectSystem") == ["strict"]


def test_the_network_is_there_only_if_it_is_needed() -> None:
    assert directives(files()["service"], "PrivateNetwork") == ["yes"]
    for repository in ("s3://bucket/x", "sftp:me@nas:/srv/x", "rest:https://nas/x", "b2:bucket:x"):
        needed = {**BACKUP, "repository": repository}
        assert directives(files(needed)["service"], "PrivateNetwork") == []
    parameters = {**BACKUP, "source": {"type": "ssm", "prefix": "/app/"}}
    assert directives(files(parameters)["service"], "PrivateNetwork") == []


def test_a_drill_can_only_write_to_its_scratch_directory() -> None:
    given = {"name": "app", "repository": "/srv/backups/day2", "probe": ["sqlite3", "{path}", "SELECT 1"]}
    made = files(given, verb="restore_drill")["service"]
    assert directives(made, "ReadWritePaths") == []
    assert directives(made, "PrivateTmp") == directives(made, "PrivateNetwork") == ["yes"]
    made = files({**given, "scratch": "/srv/drills"}, verb="restore_drill")["service"]
    assert directives(made, "ReadWritePaths") == ["-/srv/drills"]
    made = files({**given, "repository": "s3://bucket/x"}, verb="restore_drill")["service"]
    assert directives(made, "PrivateNetwork") == []
    checks = [{"name": "a", "type": "http", "url": "http://127.0.0.1/", "username": "u", "password": "x"}]
    with pytest.raises(InvalidRequest, match=r"probe\.0\.password is a secret"):
        files({**given, "probe": checks}, verb="restore_drill")


def test_a_private_tmp_would_hide_data() -> None:
    source = {"type": "files", "path": "/tmp/data"}
    assert directives(files()["service"], "PrivateTmp") == ["yes"]
    made = files({**BACKUP, "source": source})["service"]
    assert directives(made, "PrivateTmp") == []
    assert directives(made, "Environment") == ["TMPDIR=/run/day2-tmp"]


def test_homes_are_hidden_unless_they_are_named() -> None:
    source = {"type": "files", "path": "/srv/data"}
    assert directives(files({**BACKUP, "source": source})["service"], "ProtectHome") == ["yes"]
    assert directives(files()["service"], "ProtectHome") == ["read-only"]
    program = {"type": "command", "dump": ["true"]}
    assert directives(files({**BACKUP, "source": program})["service"], "ProtectHome") == ["read-only"]


def test_without_a_sandbox() -> None:
    made = files(sandbox=False)["service"]
    assert directives(made, "CapabilityBoundingSet") == directives(made, "ReadWritePaths") == []


def test_paths_with_spaces() -> None:
    made = files({**BACKUP, "repository": "/srv/my 100% backups/day2"})["service"]
    assert directives(made, "ReadWritePaths") == ['"-/srv/my 100%% backups"']


def test_cron() -> None:
    made = files(on_calendar="", every="1d")
    assert (made["service"], made["starters"]) == ("", [])
    command = "timeout --kill-after=30 7200 /usr/bin/python3 -I /usr/local/bin/day2 run job --due 86400s --splay 600s"
    assert made["cron"] == f"*/15 * * * * root {command} >/dev/null\n"
    assert files()["cron"] == ""


def test_long_durations_have_no_exponents() -> None:
    made = files(every="30d", timeout="14d", random_delay="12d")
    assert "--due 2592000s --splay 1036800s " in made["cron"]
    assert directives(made["service"], "TimeoutStartSec") == ["1209600s"]
    assert directives(timer(made), "RandomizedDelaySec") == ["1036800s"]
    assert json.loads(made["job"])["arguments"]["lock_timeout"] == "1209600s"


def test_quotes_in_paths() -> None:
    made = files({**BACKUP, "repository": '/srv/o\'brien/"x"/day2'})["service"]
    assert directives(made, "ReadWritePaths") == ['"-/srv/o\'brien/\\"x\\""']


def test_no_path_adds_a_line_to_a_unit() -> None:
    with pytest.raises(InvalidRequest, match="contains a control character"):
        files({**BACKUP, "repository": "/srv/a\nExecStartPre=x/day2"})


def test_a_drill_that_starts_a_server_has_no_sandbox() -> None:
    assert sandbox("restore_drill", {"name": "main", "repository": "/srv/backups"}).directives
    with pytest.raises(InvalidRequest, match="restore_drill cannot run in a sandbox"):
        sandbox("restore_drill", {"name": "main", "repository": "pgbackrest"})


def test_modules_without_a_sandbox_are_documented() -> None:
    without = set()
    for verb in VERBS:
        try:
            sandbox(verb, {"repository": "/srv/a"})
        except InvalidRequest:
            without.add(verb)
    text = Path(__file__).parents[3].joinpath("roles/schedule/meta/argument_specs.yml").read_text()
    named = text.partition("Set to V(false) only if")[2].partition("require V(false)")[0].partition("of the verb")[2]
    assert set(re.findall(r"V\((\w+)\)", named)) == without


def test_a_secret_of_a_health_check() -> None:
    check = {"name": "a", "type": "http", "url": "http://127.0.0.1/", "username": "u"}
    secrets = {"checks.0.password": "key"}
    assert written(verb="health_check", arguments={"checks": [check]}, secrets=secrets)["arguments"]["checks"] == [
        check
    ]
    for more, name in (({"password": "x"}, "password"), ({"s3": {"session_token": "x"}}, "s3.session_token")):
        with pytest.raises(InvalidRequest, match=f"checks.0.{name} is a secret"):
            files(verb="health_check", arguments={"checks": [{**check, **more}]})


WEBHOOK = {"name": "oncall", "type": "webhook", "url": "hook", "cooldown": 0}
MAIL = {"name": "team", "type": "mail", "from": "a@example.com", "to": "b@example.com", "port": "25", "tls": None}


def notified(channels: Any, **more: Any) -> dict[str, Any]:
    job = {"name": "job", "verb": "backup", "on_calendar": "daily", "arguments": BACKUP, **more}
    return scheduled_job(job, {**DEFAULTS, "notify": channels})


def test_a_job_notifies_all_channels_unless_it_names_some() -> None:
    made = json.loads(notified([WEBHOOK, MAIL])["job"])
    assert made["notify"] == [
        {"name": "oncall", "type": "webhook", "url": "hook", "cooldown": "0"},
        {"name": "team", "type": "mail", "from": "a@example.com", "to": ["b@example.com"], "port": 25},
    ]
    assert [one["name"] for one in json.loads(notified([WEBHOOK, MAIL], notify=["team"])["job"])["notify"]] == ["team"]
    assert "notify" not in json.loads(notified([WEBHOOK, MAIL], notify=[])["job"])


def test_units_that_ping_and_notify() -> None:
    made = files()["service"]
    assert directives(made, "OnSuccess") == directives(made, "Wants") == []
    made = notified([WEBHOOK])["service"]
    assert directives(made, "OnSuccess") == ["day2-ended@job.service"]
    assert directives(made, "Wants") == []
    made = files(ping="hc")["service"]
    assert directives(made, "OnSuccess") == ["day2-ended@job.service"]
    assert directives(made, "Wants") == ["day2-started@job.service"]
    assert written(ping="hc")["ping"] == {"url": "hc"}
    assert written(ping={"url": "hc", "type": "uptime_kuma"})["ping"] == {"url": "hc", "type": "uptime_kuma"}


@pytest.mark.parametrize(
    ("channels", "more", "problem"),
    [
        ([WEBHOOK], {"notify": ["nobody"]}, "notify names nobody, which is not in schedule_notify"),
        ([WEBHOOK], {"notify": {"a": "b"}}, "cannot be converted to a list"),
        ([WEBHOOK, WEBHOOK], {}, "have the same name"),
        (["oncall"], {}, "schedule_notify is not a list of dictionaries"),
        ([{**WEBHOOK, "url": "https://example.com/hunter2"}], {}, "must be names of credentials"),
        ([{**WEBHOOK, "secrets": {"a b": "x"}}], {}, "'a b' cannot be the name of a placeholder"),
        ([{**WEBHOOK, "template": {"text": "{nonsense}"}}], {}, "Unknown placeholder {nonsense}"),
        ([{**WEBHOOK, "colour": "x"}], {}, "schedule_notify, oncall: "),
        ([{**MAIL, "to": None}], {}, "schedule_notify, team: "),
        ([{**WEBHOOK, "headers": {"authorization": "Bearer hunter2"}}], {}, "The header authorization is a secret"),
        ([{**WEBHOOK, "headers": {"X-API-Key": "hunter2 {job}"}}], {}, "The header X-API-Key is a secret"),
        ([], {"ping": "https://example.com/hunter2"}, "must be names of credentials"),
        ([], {"ping": {"url": "x", "type": "pigeon"}}, "ping: "),
    ],
)
def test_wrong_pings_and_channels(channels: Any, more: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        notified(channels, **more)
    assert problem in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_entries_of_schedule_notify_are_documented() -> None:
    path = Path(__file__).parents[3] / "roles/schedule/meta/argument_specs.yml"
    options = yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"]["schedule_notify"]["options"]
    for option in options.values():
        del option["description"]
    assert options == CHANNEL["argument_spec"]


def test_conditions() -> None:
    night = {"start": "22:00", "end": "06:00"}
    made = files(window=night, when_load_below="1.5", on_ac_power="yes", timeout="1h", ping="hc")
    job = json.loads(made["job"])
    assert {name: job[name] for name in ("window", "when_load_below", "on_ac_power", "timeout")} == {
        "window": night,
        "when_load_below": 1.5,
        "on_ac_power": True,
        "timeout": 3600,
    }
    # The unit waits until the job may run, and the program limits the time of the run.
    assert directives(made["service"], "TimeoutStartSec") == ["176400s"]
    assert directives(made["service"], "Wants") == []
    assert "timeout" not in written(on_ac_power=False, window=[], when_load_below=None)
    assert written(when_load_below=0)["when_load_below"] == 0


def test_hooks() -> None:
    assert written(hooks={"before": ["/bin/true"]})["hooks"] == {"before": ["/bin/true"]}


def test_one_writable_directory() -> None:
    made = files(writable="/srv/data")["service"]
    assert directives(made, "ReadWritePaths") == ["-/srv/backups", "-/srv/data"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"writable": {"a": 1}}, "writable"),
        ({"secrets": ["a"]}, "secrets"),
        ({"secrets": {"s3.secret_access_key": 3}}, "secrets must have names of credentials as values"),
        ({"arguments": ["a"]}, "arguments"),
        ({"sandbox": "perhaps"}, "sandbox"),
        ({"timeout": ["1h"]}, "is not a duration"),
        ({"verb": ["backup"]}, "verb is ['backup']"),
        ({"window": "night"}, "window is not a dictionary"),
        ({"when_load_below": "low"}, "when_load_below"),
        ({"hooks": {"before": "/bin/true"}}, "The hook before is not a program and its arguments"),
    ],
)
def test_values_of_wrong_types(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        files(**change)
    assert "Job job: " in str(caught.value)
    assert problem in str(caught.value)


def test_a_job_that_is_not_a_dictionary() -> None:
    wrong: Any = "backup"
    with pytest.raises(InvalidRequest, match="A job is 'backup', not a dictionary"):
        scheduled_job(wrong, DEFAULTS)


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"rclone": {"settings": {"type": "s3"}, "secrets": {"secret_access_key": "hunter2"}}}, "rclone.secrets"),
        ({"restic": {"environment": {"B2_ACCOUNT_KEY": "hunter2"}}}, "restic.environment"),
        ({"restic": {"password": "hunter2"}}, "restic.password"),
        ({"copy_to": [{"s3": {"secret_access_key": "hunter2"}}]}, "copy_to.0.s3.secret_access_key"),
    ],
)
def test_nested_secrets_of_health_checks(more: dict[str, Any], place: str) -> None:
    check = {"name": "a", "type": "backup", "repository": "/srv/a", "backup_set": "a", **more}
    with pytest.raises(InvalidRequest, match=f"checks.0.{place} is a secret") as caught:
        files(verb="health_check", arguments={"checks": [check]})
    assert "hunter2" not in str(caught.value)


def watching(*stores: dict[str, Any], **more: Any) -> dict[str, Any]:
    arguments = {"name": "app", "sources": [*stores], "repository": "/srv/backups/day2"}
    return files(arguments, on_calendar="", on_change={"after": "30s"}, **more)


@pytest.mark.parametrize(
    ("store", "paths", "interval"),
    [
        ({"type": "json", "path": "/srv/app/50%.json"}, ["/srv/app/50%%.json"], "300s"),
        ({"type": "sqlite", "path": "/srv/app/app.db"}, ["/srv/app"], "300s"),
        ({"type": "json", "path": "/srv/app/docs", "layout": "file_per_record"}, [], "30s"),
        ({"type": "files", "path": "/srv/app/data"}, [], "30s"),
    ],
)
def test_units_that_watch_data(store: dict[str, Any], paths: list[str], interval: str) -> None:
    made = watching(store)
    units = {one["unit"]: one["content"] for one in made["starters"]}
    assert set(units) == {"day2-look@job.timer", *(["day2-job.path"] if paths else [])}
    assert directives(units.get("day2-job.path", ""), "PathModified") == paths
    assert directives(units["day2-look@job.timer"], "OnUnitInactiveSec") == [interval]
    assert directives(made["service"], "ExecStart")[0].endswith(" run job --settle")
    # Three runs of two hours, for each of which it waits up to ten times 30 seconds, and one more for the others.
    assert directives(made["service"], "TimeoutStartSec") == [f"{3 * (7200 + 300) + 7200}s"]
    assert (json.loads(made["job"])["on_change"], json.loads(made["job"])["timeout"]) == (30, 7200)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"verb": "retention", "arguments": {"rules": []}}, "on_change is for the verb backup"),
        ({"arguments": {**BACKUP, "source": {"type": "command", "dump": ["true"]}}}, "stores of type command"),
        ({"arguments": {**BACKUP, "max_age": "1d"}}, "on_change cannot be used with max_age"),
        ({"on_change": {"after": "0.5s"}}, "Use at least 1s"),
        ({"on_change": {"before": "1m"}}, "before"),
        ({"on_change": "1m"}, "on_change"),
        ({}, "~/app.db must be an absolute path"),
    ],
)
def test_jobs_that_cannot_watch_their_data(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        files(**{"on_change": {}, **change})
    assert problem in str(caught.value)
