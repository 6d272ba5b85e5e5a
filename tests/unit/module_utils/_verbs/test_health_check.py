# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_check as a whole: what is wrong with specifications, who waits for whom."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled, InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._probes.registry import PROBES, find_probe
from ansible_collections.day2.ops.plugins.module_utils._verbs.health import check as health_check
from ansible_collections.day2.ops.plugins.module_utils._verbs.health.specification import read_checks
from tests.services.waiting import PATIENCE, has_ended, wait_for
from tests.unit.module_utils._verbs.checks import command, run, statuses

# Specifications


def test_every_mistake_is_said_with_the_check_s_name_before_anything_runs(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(InvalidRequest) as caught:
        run(
            [
                command("first", f"touch {mark}"),
                {"name": "typo", "type": "htttp", "url": "http://x/"},
                {"name": "api", "type": "http", "url": "http://x/", "warn": "5s", "crit": "1s"},
                {"name": "days", "type": "tls", "host": "x", "warn": 7, "crit": 21},
                {"name": "foreign", "type": "disk", "path": "/", "url": "http://x/"},
                {"name": "units", "type": "http", "url": "http://x/", "timeout": "5 parsecs", "max_body": "-1"},
                {"name": "missing", "type": "tcp", "host": "x"},
                {"name": "zero", "type": "tcp", "host": "x", "port": 80, "timeout": 0},
                {"name": "both", "type": "command", "argv": ["true"], "command": "true"},
                {"name": "regex", "type": "http", "url": "http://x/", "body_matches": "("},
                {"name": "first", "type": "disk", "path": "/"},
                {"type": "disk", "path": "/"},
                "text",
                {"name": "relative", "type": "file", "path": "motd"},
                {"name": "window", "type": "disk", "path": "/", "maintenance": [{"start": "25:00", "end": "26:00"}]},
                {"name": "range", "type": "http", "url": "http://x/", "status": "5-1"},
                {"name": "negative", "type": "disk", "path": "/", "warn": "-5%"},
                {"name": "never", "type": "disk", "path": "/", "inodes_crit": 180},
                {"name": "cpu", "type": "process", "pattern": "x", "cpu_crit": 180},
                {"name": "count", "type": "redis", "host": "x", "clients_warn": -1},
                {"name": "none", "type": "disk", "path": "/", "failures": 0},
                {"name": "path", "type": "json", "path": "/x", "json": [{"path": "$..", "equal": 1}]},
            ]
        )
    problems = caught.value.details["problems"]
    for start, text in [
        ("typo: type must be one of ", "'htttp'"),
        ("api: warn '5s' and crit '1s' contradict each other", "more is worse"),
        ("days: warn 7 and crit 21 contradict each other", "less is worse"),
        ("foreign: url is not an option of type disk", ""),
        ("units: timeout: '5 parsecs' is not a duration", ""),
        ("units: max_body: '-1' is not a size", ""),
        ("missing: port is required", ""),
        ("zero: timeout must not be 0", ""),
        ("both: exactly one of argv and command is required", ""),
        ("regex: body_matches must be a regular expression", ""),
        ("first: two checks have this name", ""),
        ("check 12: name is required", ""),
        ("check 13: must be a mapping with name and type", ""),
        (
            "relative: path must be an absolute path, as the working directory depends on the connection, not 'motd'",
            "",
        ),
        ("window: maintenance[0].start and end must be two times of day", "'25:00'"),
        ("range: status must be a range from the lower to the higher number, not '5-1'", ""),
        ("negative: warn must be a percentage of at least 0, not '-5%'", ""),
        ("never: inodes_crit must be at most 100, not 180, as larger values never occur", ""),
        ("count: clients_warn must be a whole number of at least 0, not -1", ""),
        ("none: failures must be a whole number of at least 1, not 0", ""),
        ("path: json[0].equal is not an option", ""),
    ]:
        assert any(one.startswith(start) and text in one for one in problems), (start, problems)
    assert not any(one.startswith("cpu: ") for one in problems)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("dependencies", "problem"),
    [
        ({"a": ["a"]}, "a: depends_on contains a cycle: a → a"),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, "a → b → c → a"),
        ({"a": ["none"]}, "a: depends_on contains none, which is not a check of this task"),
    ],
)
def test_dependencies_that_make_no_sense(dependencies: dict[str, list[str]], problem: str) -> None:
    with pytest.raises(InvalidRequest, match=problem.replace("→", ".")):
        run([command(name, "true", depends_on=others) for name, others in dependencies.items()])


def test_a_long_chain_and_a_diamond_are_no_cycles() -> None:
    chain = [command(f"c{n}", "true", depends_on=[f"c{n - 1}"] if n else []) for n in range(30)]
    diamond = [
        {"name": "top", "type": "disk", "path": "/", "crit": 100, "warn": 100, "depends_on": ["left", "right", "c29"]},
        command("left", "true", depends_on=["c0"]),
        command("right", "true", depends_on=["c0", "left"]),
    ]
    assert set(statuses(run(diamond + chain)).values()) == {"ok"}


def test_no_checks_at_all() -> None:
    with pytest.raises(InvalidRequest, match="there are no checks"):
        run([])


def test_a_written_threshold_beats_the_other_s_default() -> None:
    defaults: dict[str, Any] = {"timeout": 5, "retries": 0, "interval": 1}
    (check,) = read_checks([{"name": "d", "type": "disk", "path": "/", "crit": "50%"}], defaults)
    assert (check.probe.limits[""].warn, check.probe.limits[""].crit) == (None, 50)


def test_every_type_says_what_its_required_options_are() -> None:
    for kind in PROBES:
        with contextlib.suppress(InvalidRequest):
            read_checks([{"name": "x", "type": kind}], {"timeout": 5, "retries": 0, "interval": 1})


# Running


def test_what_depends_on_a_failed_check_is_skipped_and_says_why() -> None:
    result = run(
        [
            command("db", "exit 2"),
            command("api", "true", depends_on=["db"]),
            command("page", "true", depends_on=["api"]),
            command("slow", "exit 1"),
            command("on_slow", "true", depends_on=["slow"]),
        ],
        fail_on="never",
    )
    assert statuses(result) == {
        "db": "critical", "api": "skipped", "page": "skipped", "slow": "warning", "on_slow": "ok",
    }  # fmt: skip
    assert result["checks"][1]["message"] == "it depends on db, which is critical"
    assert result["checks"][2]["message"] == "it depends on api, which is skipped"
    assert result["alarms"] == ["db", "slow"]


def test_a_check_waits_for_what_it_depends_on(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    checks = [command("second", f"test -e {mark}", depends_on=["first"]), command("first", f"sleep 0.3; touch {mark}")]
    assert set(statuses(run(checks)).values()) == {"ok"}


def test_retries(tmp_path: Path) -> None:
    script = f"echo x >> {tmp_path}/tries; test $(wc -l < {tmp_path}/tries) -ge 3 || exit 2"
    began = time.monotonic()
    result = run([command("flaps", script, retries=5, interval="100ms")])
    assert time.monotonic() - began > 0.2
    assert statuses(result) == {"flaps": "ok"}
    assert (tmp_path / "tries").read_text() == "x\n" * 3
    result = run([command("fails", "exit 2", retries=3, interval=0)])
    assert result["checks"][0]["message"] == "sh exited with status 2 (after 4 attempts)"


def test_an_outcome_has_the_limits_of_its_check() -> None:
    checks = [{"name": "d", "type": "disk", "path": "/", "warn": 100, "crit": 100}, command("c", "true")]
    disk, other = run(checks)["checks"]
    assert [disk[name] for name in ("unit", "warn", "crit")] == ["percent", 100, 100]
    assert [other[name] for name in ("unit", "warn", "crit")] == ["", None, None]


def test_the_pause_before_another_attempt_is_no_part_of_the_timeout(tmp_path: Path) -> None:
    script = f"test -e {tmp_path}/second || {{ touch {tmp_path}/second; exit 2; }}"
    result = run([command("flaps", script, retries=1, interval="2500ms", timeout="2s")])
    assert statuses(result) == {"flaps": "ok"}


def test_many_that_never_answer_take_no_longer_than_one(black_hole: int) -> None:
    url = f"http://127.0.0.1:{black_hole}/"
    checks = [{"name": f"h{n}", "type": "http", "url": url, "timeout": "2s"} for n in range(200)]
    checks += [command(f"c{n}", "true") for n in range(20)]
    began = time.monotonic()
    result = run(checks, fail_on="never")
    assert time.monotonic() - began < 300  # 400 s one after the other
    assert (result["summary"]["critical"], result["summary"]["ok"]) == (200, 20)


def test_as_many_run_as_have_to() -> None:
    def serve(connection: socket.socket) -> None:
        with connection:
            connection.recv(1000)
            everybody.wait(PATIENCE)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    everybody = threading.Barrier(60)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"

        def loop() -> None:
            for _dummy in range(60):
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=loop, daemon=True).start()
        result = run([{"name": f"h{n}", "type": "http", "url": url, "timeout": "120s"} for n in range(60)])
    assert result["summary"]["ok"] == 60


def test_concurrency_is_a_limit(black_hole: int) -> None:
    url = f"http://127.0.0.1:{black_hole}/"
    checks = [{"name": f"h{n}", "type": "http", "url": url, "timeout": "200ms"} for n in range(8)]
    began = time.monotonic()
    run(checks, concurrency=2, fail_on="never")
    assert time.monotonic() - began >= 0.8


def test_a_probe_that_hangs_in_the_system_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    # A resolver that does not answer can't be had without the network's help.
    real = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host == "hangs.test":
            time.sleep(600)
        if host == "late.test":
            time.sleep(2)
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    checks = [{"name": f"h{n}", "type": "tcp", "host": "hangs.test", "port": 1, "timeout": "1s"} for n in range(4)]
    checks.append({"name": "late", "type": "tcp", "host": "late.test", "port": 1, "timeout": "1s", "retries": 9})
    result = run([*checks, command("c", "sleep 3", timeout=60)], concurrency=2, fail_on="never")
    assert result["checks"][0]["message"] == "no answer within 1s while resolving hangs.test"
    # what comes after that changes nothing
    assert result["checks"][4]["message"] == "no answer within 1s while resolving late.test"
    assert result["checks"][5]["status"] == "ok"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied", "/x"), "Permission denied (/x)"),
        (OSError("the last word"), "the last word"),
        (BrokenPipeError(), "BrokenPipeError"),
    ],
)
def test_what_the_system_said_is_the_message(monkeypatch: pytest.MonkeyPatch, error: OSError, message: str) -> None:
    def refused(*_args: Any) -> Any:
        raise error

    monkeypatch.setattr(find_probe("disk"), "run", refused)
    (check,) = run([{"name": "d", "type": "disk", "path": "/"}], fail_on="never")["checks"]
    assert (check["status"], check["message"]) == ("unknown", message)


def test_a_bug_in_a_probe_is_that_check_s_answer_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any) -> Any:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(find_probe("disk"), "run", broken)
    result = run([{"name": "d", "type": "disk", "path": "/"}, command("c", "true")], fail_on="never")
    assert statuses(result) == {"d": "unknown", "c": "ok"}
    assert result["checks"][0]["message"] == "the probe failed: ZeroDivisionError: oops"


def test_when_it_is_cancelled_its_programs_end(tmp_path: Path) -> None:
    class Impatient(Progress):
        def update(self, done: int) -> None:
            if pid.exists() and pid.read_text():
                raise Cancelled("Stopped: the controller went away.")

    pid = tmp_path / "pid"
    values = {name: one.get("default") for name, one in health_check.ARGUMENTS["argument_spec"].items()}
    values["checks"] = [command("c", f"echo $$ > {pid}; exec sleep 600", timeout=600)]
    with pytest.raises(Cancelled):
        health_check.run(values, False, Impatient())
    wait_for(lambda: has_ended(int(pid.read_text())))
