# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_check as a whole: what is wrong with specifications, who waits for whom, what is an alarm."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled, InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.outcome import Outcome
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._history.database import append
from ansible_collections.day2.ops.plugins.module_utils._probes.registry import PROBES
from ansible_collections.day2.ops.plugins.module_utils._verbs import health_check
from ansible_collections.day2.ops.plugins.module_utils._verbs.check_specification import read_checks

Result = dict[str, Any]


def run(checks: list[Any], **params: Any) -> Result:
    spec = health_check.ARGUMENTS["argument_spec"]
    values = {name: one.get("default") for name, one in spec.items()}
    values.update(checks=checks, **params)
    return health_check.run(values, False, Progress())


def command(name: str, script: str, **options: Any) -> dict[str, Any]:
    return dict(options, name=name, type="command", argv=["sh", "-c", script])


def statuses(result: Result) -> dict[str, str]:
    return {one["name"]: one["status"] for one in result["checks"]}


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=500)
    taken: list[socket.socket] = []

    def loop() -> None:
        with contextlib.suppress(OSError):
            while True:
                taken.append(listener.accept()[0])

    threading.Thread(target=loop, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for one in taken:
        one.close()


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
                {"name": "path", "type": "json", "path": "/x", "json": [{"path": "$..", "equal": 1}]},
            ]
        )
    problems = caught.value.details["problems"]
    for start, text in [
        ("typo: type is one of ", "'htttp'"),
        ("api: warn '5s' and crit '1s' are the wrong way round", "more is worse"),
        ("days: warn 7 and crit 21 are the wrong way round", "less is worse"),
        ("foreign: url is not an option of type disk", ""),
        ("units: timeout: '5 parsecs' is not a duration", ""),
        ("units: max_body: '-1' is not a size", ""),
        ("missing: port is required", ""),
        ("zero: timeout must not be 0", ""),
        ("both: exactly one of argv and command is required", ""),
        ("regex: body_matches is a regular expression", ""),
        ("first: there are two checks of this name", ""),
        ("check 12: name is required", ""),
        ("check 13: is a mapping with name and type", ""),
        (
            "relative: path is an absolute path (a relative one would start in the connection's directory), not 'motd'",
            "",
        ),
        ("window: maintenance[0].start and end are two times", ""),
        ("path: json[0].equal is not an option", ""),
    ]:
        assert any(one.startswith(start) and text in one for one in problems), (start, problems)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("dependencies", "problem"),
    [
        ({"a": ["a"]}, "a: depends_on leads in a circle: a → a"),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, "a → b → c → a"),
        ({"a": ["none"]}, "a: depends_on names none, which is no check of this task"),
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
    assert 0.2 < time.monotonic() - began < 2
    assert statuses(result) == {"flaps": "ok"}
    assert (tmp_path / "tries").read_text() == "x\n" * 3
    result = run([command("fails", "exit 2", retries=2, interval=0)])
    assert result["checks"][0]["message"] == "sh ended with 2 (tried 3 times)"


def test_many_that_never_answer_take_no_longer_than_one(black_hole: int) -> None:
    url = f"http://127.0.0.1:{black_hole}/"
    checks = [{"name": f"h{n}", "type": "http", "url": url, "timeout": "500ms"} for n in range(200)]
    checks += [command(f"c{n}", "true") for n in range(20)]
    began = time.monotonic()
    result = run(checks, fail_on="never")
    assert time.monotonic() - began < 2.5
    assert (result["summary"]["critical"], result["summary"]["ok"]) == (200, 20)


def test_as_many_run_as_have_to() -> None:
    def serve(connection: socket.socket) -> None:
        with connection:
            connection.recv(1000)
            everybody.wait(30)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    everybody = threading.Barrier(60)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        url = "http://127.0.0.1:%d/" % listener.getsockname()[1]

        def loop() -> None:
            for _dummy in range(60):
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=loop, daemon=True).start()
        result = run([{"name": f"h{n}", "type": "http", "url": url, "timeout": "30s"} for n in range(60)])
    assert result["summary"]["ok"] == 60


def test_concurrency_is_a_limit(black_hole: int) -> None:
    url = f"http://127.0.0.1:{black_hole}/"
    checks = [{"name": f"h{n}", "type": "http", "url": url, "timeout": "200ms"} for n in range(8)]
    began = time.monotonic()
    run(checks, concurrency=2, fail_on="never")
    assert 0.8 <= time.monotonic() - began < 2


def test_a_probe_that_hangs_in_the_system_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    # A resolver that does not answer can't be had without the network's help.
    real = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host == "hangs.test":
            time.sleep(5)
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    began = time.monotonic()
    checks = [{"name": f"h{n}", "type": "tcp", "host": "hangs.test", "port": 1, "timeout": "300ms"} for n in range(4)]
    result = run([*checks, command("c", "sleep 0.7", timeout=5)], concurrency=2, fail_on="never")
    assert time.monotonic() - began < 3
    assert result["checks"][0]["message"] == "no answer within 300ms while resolving hangs.test"
    assert result["checks"][4]["status"] == "ok"


def test_a_bug_in_a_probe_is_that_check_s_answer_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any) -> Any:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(PROBES["disk"](), "run", broken)
    result = run([{"name": "d", "type": "disk", "path": "/"}, command("c", "true")], fail_on="never")
    assert statuses(result) == {"d": "unknown", "c": "ok"}
    assert result["checks"][0]["message"] == "the probe failed: ZeroDivisionError: oops"


EVIL, ENDLESS = "^(a+)+$", "a" * 40 + "!"


def test_a_search_that_does_not_end_holds_up_nobody(tmp_path: Path) -> None:
    (tmp_path / "evil.json").write_text('{"text": "%s"}' % ENDLESS)
    (tmp_path / "evil.txt").write_text(ENDLESS)
    (tmp_path / "good.txt").write_text("aaa")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = listener.accept()
                head = b"" if connection.recv(65536) == b"x" else b"HTTP/1.0 200 OK\r\nX-Said: aaa\r\n\r\n"
                connection.sendall(head + ENDLESS.encode())
                connection.close()

    threading.Thread(target=serve, daemon=True).start()
    port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    result = run(
        [
            {"name": "body", "type": "http", "url": url, "body_matches": EVIL},
            {"name": "header", "type": "http", "url": url, "response_headers": {"X-Said": EVIL}},
            {"name": "tcp", "type": "tcp", "host": "127.0.0.1", "port": port, "send": "x", "expect": EVIL},
            {
                "name": "json",
                "type": "json",
                "path": f"{tmp_path}/evil.json",
                "json": [{"path": "text", "matches": EVIL}],
            },
            {"name": "file", "type": "file", "path": f"{tmp_path}/evil.txt", "contains": EVIL},
            {"name": "good", "type": "file", "path": f"{tmp_path}/good.txt", "contains": EVIL},
            {"name": "process", "type": "process", "pattern": ".+", "count": "0-100000"},
            *({"name": f"disk {n}", "type": "disk", "path": "/", "crit": 100, "warn": 100} for n in range(40)),
        ],
        timeout="2s",
        fail_on="never",
    )
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    found = statuses(result)
    assert [found.pop(name) for name in ("body", "tcp", "json", "file")] == ["unknown"] * 4
    assert set(found.values()) == {"ok"}, [one for one in result["checks"] if one["status"] != "ok"]
    said = {one["name"]: one["message"] for one in result["checks"]}
    assert said["body"] == f"the search for {EVIL} does not end in time: write it without nested repetitions"
    assert said["file"] == f"no answer within 2s while reading {tmp_path}/evil.txt"


def test_processes_for_checks_are_used_again_and_go(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    before = children()
    checks = [{"name": f"f{n}", "type": "file", "path": f"{tmp_path}/f", "contains": "x+"} for n in range(100)]
    assert set(statuses(run(checks)).values()) == {"critical"}
    until = time.monotonic() + 10
    while children() != before and time.monotonic() < until:
        time.sleep(0.01)
    assert children() == before


def children() -> set[str]:
    """The processes that come from this one, by session or parent."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] == str(os.getpid()):
                found.add(pid)
    return found


def test_a_host_that_allows_no_more_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError("fork")

    monkeypatch.setattr(os, "fork", refuse)
    check = {"name": "f", "type": "file", "path": "/etc/passwd", "contains": "^root:.+"}
    assert statuses(run([check])) == {"f": "ok"}


def test_when_it_is_cancelled_its_programs_end(tmp_path: Path) -> None:
    class Impatient(Progress):
        def update(self, done: int) -> None:
            if time.monotonic() - began > 0.3:
                raise Cancelled("Stopped: the controller went away.")

    began = time.monotonic()
    values = {name: one.get("default") for name, one in health_check.ARGUMENTS["argument_spec"].items()}
    values["checks"] = [command("c", f"sleep 1; touch {tmp_path}/mark")]
    with pytest.raises(Cancelled):
        health_check.run(values, False, Impatient())
    time.sleep(1)
    assert not (tmp_path / "mark").exists()


# Alarms


@pytest.mark.parametrize(
    ("fail_on", "script", "failed"),
    [
        ("critical", "exit 0", False),
        ("critical", "exit 1", False),
        ("critical", "exit 2", True),
        ("critical", "exit 3", True),
        ("warning", "exit 1", True),
        ("never", "exit 2", False),
    ],
)
def test_fail_on(fail_on: str, script: str, failed: bool) -> None:
    result = run([command("c", script)], fail_on=fail_on)
    assert result["failed"] is failed
    assert result["changed"] is False


def test_score_and_summary() -> None:
    result = run(
        [
            command("ok", "exit 0", weight=5),
            command("warning", "exit 1", weight=2),
            command("critical", "exit 2", weight=3),
            command("skipped", "exit 0", weight=100, depends_on=["critical"]),
        ],
        fail_on="never",
    )
    assert result["summary"] == {
        "status": "critical", "score": 60.0, "total": 4, "quiet": 0,
        "ok": 1, "warning": 1, "critical": 1, "skipped": 1, "unknown": 0,
    }  # fmt: skip
    assert result["msg"].startswith("1 of 4 checks ok, score 60 (1 critical, 1 warning, 1 skipped, 1 ok); critical is ")


def test_a_score_without_weights() -> None:
    result = run([command("c", "exit 2", weight=0), command("d", "true", weight=0)], fail_on="never")
    assert result["summary"]["score"] == 50


def around(now: datetime, before: int, after: int) -> dict[str, str]:
    return {
        "start": (now - timedelta(minutes=before)).strftime("%H:%M"),
        "end": (now + timedelta(minutes=after)).strftime("%H:%M"),
    }


def test_maintenance_holds_back_the_alarm_and_not_the_status() -> None:
    now = datetime.now(timezone.utc)
    later, earlier = (now + timedelta(hours=1)).isoformat(), (now - timedelta(hours=1)).isoformat()
    quiet: list[dict[str, Any]] = [
        {"quiet_until": later},
        {"maintenance": [{"start": earlier, "end": later}]},
        {"maintenance": [around(now, 1410, 29)]},  # almost the whole day: it passes midnight unless it is half past
    ]
    loud: list[dict[str, Any]] = [
        {},
        {"quiet_until": earlier},
        {"maintenance": [{"start": "2020-01-01", "end": earlier}]},
        {"maintenance": [around(now, 120, -60)]},
    ]
    for number, options in enumerate(quiet):
        result = run([command("c", "exit 2", **options)])
        assert (number, result["failed"], result["alarms"], result["checks"][0]["quiet"]) == (number, False, [], True)
        assert result["summary"]["status"] == "critical"
    for number, options in enumerate(loud):
        assert (number, run([command("c", "exit 2", **options)])["alarms"]) == (number, ["c"])
    assert run([command("c", "exit 2")], quiet_until=later)["failed"] is False
    assert run([command("c", "exit 2")], maintenance=[{"start": earlier, "end": later}])["failed"] is False


@pytest.mark.parametrize(
    ("now", "quiet"),
    [
        ("2025-06-28T21:59:59", False),  # a Saturday
        ("2025-06-28T22:00:00", True),
        ("2025-06-29T01:59:00", True),
        ("2025-06-29T02:00:00", False),
        ("2025-06-29T22:30:00", False),
        ("2025-06-28T01:00:00", False),
    ],
)
def test_a_window_that_passes_midnight_belongs_to_the_day_on_which_it_starts(now: str, quiet: bool) -> None:
    window = {"start": "22:00", "end": "02:00", "days": ["sat"]}
    check = {"name": "d", "type": "disk", "path": "/", "maintenance": [window]}
    (parsed,) = read_checks([check], {"timeout": 5, "retries": 0, "interval": 1})
    assert parsed.maintenance[0].holds(datetime.fromisoformat(now + "+00:00")) is quiet


def test_the_invocation_does_not_hold_the_checks() -> None:
    shown = health_check.echo({"checks": [{"url": "http://bob:S3cr3t@x/"}], "timeout": "1s"})
    assert shown == {"checks": "1 checks", "timeout": "1s"}


# What is written


def test_cooldown_holds_back_an_alarm_that_was_raised_a_moment_ago(tmp_path: Path) -> None:
    history = {"path": str(tmp_path / "history.db"), "keep_within": "8d"}

    def alarms(script: str, cooldown: str = "1h") -> list[str]:
        result = run([command("c", script)], history=history, cooldown=cooldown)
        assert result["checks"][0]["status"] != "ok"
        assert result["failed"] == ("exit 2" in script and bool(result["alarms"]))
        found: list[str] = result["alarms"]
        return found

    assert alarms("exit 1") == ["c"]
    assert alarms("exit 1") == []
    assert alarms("exit 2") == ["c"]  # it has become worse
    assert alarms("exit 2") == []
    assert alarms("exit 1") == []
    time.sleep(0.3)
    assert alarms("exit 1", "200ms") == ["c"]


@pytest.fixture
def past(tmp_path: Path) -> Any:
    """`past(status, …)`: the result of runs with these statuses, one after another, the last of them."""
    codes = {"ok": 0, "warning": 1, "critical": 2, "unknown": 3}

    def call(*statuses: str, **params: Any) -> Result:
        params.setdefault("history", {"path": str(tmp_path / "history.db"), "keep_within": "8d"})
        for status in statuses:
            result = run([command("c", f"exit {codes[status]}")], **params)
        return result

    return call


@pytest.mark.parametrize(
    ("statuses", "alarms"),
    [
        (["warning", "unknown"], ["c"]),  # worse
        (["unknown", "warning"], []),
        (["critical", "unknown"], []),
        (["critical", "ok", "critical"], ["c"]),  # another outage
        (["critical", "ok", "critical", "critical"], []),
        (["critical", "warning", "critical"], []),
    ],
)
def test_cooldown_holds_back_neither_what_is_worse_nor_another_outage(
    past: Any, statuses: list[str], alarms: list[str]
) -> None:
    assert past(*statuses, cooldown="1h")["alarms"] == alarms


def test_a_clock_that_was_ahead_silences_nothing(past: Any, tmp_path: Path) -> None:
    ahead = time.time() + 86400
    append(str(tmp_path / "history.db"), [Outcome("c", "command", "critical", "", ahead, 0.1)], 1e6, ahead)
    first = past("critical", cooldown="1h")
    assert first["alarms"] == ["c"]
    assert "1 outcome is dated later than now" in first["warnings"][0]
    second = past("critical", cooldown="1h")
    assert (second["alarms"], "warnings" in second) == ([], False)
    assert past("critical", cooldown="0s")["alarms"] == ["c"]


def test_so_many_bad_runs_in_a_row_raise_an_alarm(past: Any) -> None:
    assert past("critical", "warning", failures=3)["alarms"] == []
    last = past("critical", failures=3)
    assert (last["alarms"], last["failed"]) == (["c"], True)
    assert past("critical", failures=3)["alarms"] == ["c"]
    assert past("ok", "critical", "critical", failures=3)["checks"][0]["quiet"] is True
    with pytest.raises(InvalidRequest, match="failures needs a history"):
        run([command("c", "true", failures=2)])


def test_recovered_is_who_is_ok_after_an_alarm(past: Any) -> None:
    assert past("critical")["recovered"] == []
    assert past("warning")["recovered"] == []
    back = past("ok")
    assert back["recovered"] == ["c"]
    assert back["msg"].endswith("; recovered: c")
    assert past("ok")["recovered"] == []
    assert past("critical", "ok", failures=2)["recovered"] == []  # no alarm was raised


def test_cooldown_needs_a_history() -> None:
    with pytest.raises(InvalidRequest, match="cooldown needs a history"):
        run([command("c", "true")], cooldown="5m")
    with pytest.raises(InvalidRequest, match="cooldown needs a history"):
        run([command("c", "true", cooldown="5m")])


def test_reports_and_history_are_written_unless_in_check_mode(tmp_path: Path) -> None:
    values = {name: one.get("default") for name, one in health_check.ARGUMENTS["argument_spec"].items()}
    values.update(
        checks=[command("c", "exit 1"), command("d", "true")],
        report=[{"format": "json", "path": str(tmp_path / "r.json")}],
        history={"path": str(tmp_path / "history.db"), "keep_within": "8d"},
    )
    dry = health_check.run(values, True, Progress())
    assert dry["changed"] is True
    assert list(tmp_path.iterdir()) == []
    first = health_check.run(values, False, Progress())
    assert (first["changed"], first["reports"][0]["changed"]) == (True, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.db", "r.json"]
    assert health_check.run(values, True, Progress())["changed"] is False
    assert health_check.run(values, False, Progress())["changed"] is False


def test_a_report_that_can_t_be_written_fails_before_anything_runs(tmp_path: Path) -> None:
    report = [{"format": "prometheus", "path": str(tmp_path / "r.txt")}]
    with pytest.raises(InvalidRequest, match=r"ends in \.prom"):
        run([command("c", f"touch {tmp_path}/mark")], report=report)
    assert not (tmp_path / "mark").exists()
