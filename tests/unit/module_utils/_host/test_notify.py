# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When jobs ping and notify."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._host import journal, notify
from ansible_collections.day2.ops.plugins.module_utils._host.job import load, names, path_of
from ansible_collections.day2.ops.plugins.module_utils._host.places import JOBS_VARIABLE, state
from ansible_collections.day2.ops.plugins.module_utils._notify.together import Outcome, send_all
from tests.services.web_hooks import receiving

from .conftest import Host

HOUR = 3600.0


class Channel:
    """A job "old" that notifies by commands, and what they get."""

    def __init__(self, host: Host) -> None:
        self.host, self._log, self.now = host, host.root / "log", time.time()
        self.set(self.settings())

    def settings(self, name: str = "all", **more: Any) -> dict[str, Any]:
        script = f'echo "{name} $DAY2_EVENT" >>{self._log}; ! test -e {self.host.path("broken")}-{name}'
        return {"name": name, "type": "command", "argv": ["sh", "-c", script], **more}

    def set(self, *channels: dict[str, Any], **more: Any) -> None:
        self.host.old_files(notify=list(channels), **more)

    def run(self, status: str, after: float = 1.0) -> int:
        """A run that ends so, at a time after the one before."""
        self.now += after
        entry = {"job": "old", "verb": "retention", "began": self.now, "ended": self.now, "status": status, "msg": "m"}
        journal.record(entry, names())
        return notify.ended(load("old"), entry)

    def got(self) -> list[str]:
        """The messages since the last call."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        self._log.unlink(missing_ok=True)
        return lines


@pytest.fixture
def channel(host: Host, monkeypatch: pytest.MonkeyPatch) -> Channel:
    monkeypatch.setenv(JOBS_VARIABLE, host.environment[JOBS_VARIABLE])
    monkeypatch.setenv(host_state.VARIABLE, host.environment[host_state.VARIABLE])
    made = Channel(host)
    monkeypatch.setattr(time, "time", lambda: made.now)
    return made


def test_each_state_once_per_cooldown(channel: Channel) -> None:
    channel.run("ok")
    assert channel.got() == []
    for status in ("failed", "failed", "bug", "stopped", "wrong"):
        channel.run(status)
    assert channel.got() == ["all failure"]
    channel.run("failed", 5 * HOUR)
    assert channel.got() == ["all failure"]
    channel.run("ok")
    channel.run("ok")
    assert channel.got() == ["all recovery"]


def test_a_failure_within_the_cooldown_is_sent_once_it_is_over(channel: Channel) -> None:
    for status in ("failed", "ok", "failed"):
        channel.run(status)
    assert channel.got() == ["all failure", "all recovery"]
    channel.now += HOUR
    notify.all_due()
    assert channel.got() == []
    channel.now += 4 * HOUR
    notify.all_due()
    assert channel.got() == ["all failure"]
    channel.now += 5 * HOUR
    notify.all_due()  # no other run has failed
    assert channel.got() == []


def test_what_was_never_reported_does_not_recover(channel: Channel) -> None:
    channel.set(channel.settings(cooldown="0"))
    for status in ("failed", "ok", "failed", "failed", "busy"):
        channel.run(status)
    assert channel.got() == ["all failure", "all recovery", "all failure", "all failure"]


def test_only_some_events(channel: Channel) -> None:
    channel.set(
        channel.settings("a", events=["recovery"]),
        channel.settings("b", events=["failure"]),
        channel.settings("c", events=["silence"]),
    )
    for status in ("failed", "ok", "failed"):
        channel.run(status, 5 * HOUR)
    assert channel.got() == ["b failure", "a recovery", "b failure"]


def test_one_channel_that_fails(channel: Channel, capsys: pytest.CaptureFixture[str]) -> None:
    channel.set(
        channel.settings("a"),
        channel.settings("b", secrets={"WORD": "missing"}),
        channel.settings("c"),
    )
    broken = Path(channel.host.path("broken-c"))
    broken.touch()
    assert channel.run("failed") == 1
    assert sorted(channel.got()) == ["a failure", "c failure"]
    said = capsys.readouterr().err
    assert "old: A message was not sent. b: The credential missing does not exist" in said
    assert "old: A message was not sent. c: sh ended with exit status 1." in said
    broken.unlink()
    assert notify.all_due() == 1
    assert channel.got() == ["c failure"]
    channel.host.secret("missing", "x")
    assert notify.all_due() == 0
    assert channel.got() == ["b failure"]


def test_messages_of_all_jobs_have_one_deadline(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is silent would delay the messages of job after job."""
    calls = []

    def counted(sends: Any, seconds: float) -> list[Outcome]:
        calls.append(len(sends))
        return send_all(sends, seconds)

    monkeypatch.setattr(notify, "send_all", counted)
    jobs = ("a", "b", "old")
    for job in jobs:
        channel.host.old_files(job, notify=[channel.settings(job)], expected_every=HOUR)
        os.utime(path_of(job), (channel.now, channel.now))
    channel.now += 2 * HOUR
    assert notify.all_due() == 0
    assert calls == [3]
    assert sorted(channel.got()) == [f"{job} silence" for job in jobs]


def test_a_skipped_run_is_not_the_reason_of_a_failure(channel: Channel) -> None:
    said = channel.host.path("said")
    script = f'echo "$DAY2_MSG" >>{said}; test -e {channel.host.path("fixed")}'
    channel.set({"name": "a", "type": "command", "argv": ["sh", "-c", script]})
    assert channel.run("failed") == 1
    skipped = journal.unseen_end("old", "retention", channel.now, "Waits: The load is 3.")
    journal.record({**skipped, "status": journal.SKIPPED}, names())
    Path(channel.host.path("fixed")).touch()
    assert notify.all_due() == 0
    assert Path(said).read_text() == "m\nm\n"


def test_late_jobs(channel: Channel) -> None:
    channel.set(channel.settings(), expected_every=24 * HOUR)
    os.utime(path_of("old"), (channel.now, channel.now))
    notify.all_due()
    assert channel.got() == []
    channel.now += 25 * HOUR
    notify.all_due()
    notify.all_due()
    assert channel.got() == ["all silence"]
    channel.run("ok")
    assert channel.got() == ["all recovery"]
    channel.now += 25 * HOUR
    notify.all_due()
    assert channel.got() == ["all silence"]
    channel.run("failed")
    assert channel.got() == []  # within the cooldown
    channel.now += 5 * HOUR
    notify.all_due()
    assert channel.got() == ["all failure"]


@pytest.mark.parametrize("content", ["{", "[]", '{"all": 3}', '{"all": {"event": "failure", "at": 9e15, "run": 1}}'])
def test_a_damaged_record_hides_nothing(channel: Channel, content: str) -> None:
    Path(state("notified")).mkdir(parents=True)
    Path(state("notified", "old.json")).write_text(content)
    channel.run("failed")
    assert channel.got() == ["all failure"]


def test_state_that_cannot_be_written(channel: Channel, capsys: pytest.CaptureFixture[str]) -> None:
    channel.host.state.parent.mkdir()
    channel.host.state.write_text("not a directory")
    entry = journal.unseen_end("old", "retention", channel.now, "It was killed.")
    assert notify.ended(load("old"), entry) == 0
    assert channel.got() == ["all failure"]
    assert "so they may be repeated" in capsys.readouterr().err


def test_removed_jobs_are_forgotten(channel: Channel) -> None:
    channel.run("failed")
    assert Path(state("notified", "old.json")).exists()
    Path(path_of("old")).unlink()
    journal.forget_others(names())
    assert list(Path(state("notified")).iterdir()) == []


def test_a_run_without_systemd(host: Host) -> None:
    host.environment.pop("INVOCATION_ID", None)
    with receiving() as (url, received):
        host.secret("ping", f"{url}/ping-secret")
        host.secret("hook", f"{url}/hook-secret")
        told = {"ping": {"url": "ping"}, "notify": [{"name": "a", "type": "webhook", "url": "hook"}]}
        host.command("dump", "exit 3", **told)
        code, said = host.run("run", "dump")
        assert code == 1
        assert [one.path for one in received[:1]] == ["/ping-secret/start"]
        assert sorted(one.path for one in received[1:]) == ["/hook-secret", "/ping-secret/fail"]
        (sent,) = [json.loads(one.body) for one in received if one.path == "/hook-secret"]
        assert (sent["event"], sent["job"], sent["status"]) == ("failure", "dump", "failed")
        assert sent["msg"] in said
        del received[:]
        assert host.run("run", "dump", "--check")[0] == 1
        assert received == []
        # By systemd, units of their own do it.
        host.environment["INVOCATION_ID"] = "1234"
        host.command("dump", "echo x", **told)
        assert host.run("run", "dump")[0] == 0
        assert received == []
        host.environment["MONITOR_INVOCATION_ID"] = "1234"
        assert host.run("notify", "dump", "--started")[0] == host.run("notify", "dump")[0] == 0
        assert received[0].path == "/ping-secret/start"
        assert sorted(one.path for one in received[1:]) == ["/hook-secret", "/ping-secret"]
        assert host.run("notify", "dump", "--test") == (0, "dump: sent to ping, a\n")
        assert "/ping-secret/log" in [one.path for one in received[3:]]
    code, unsent = host.run("notify", "dump", "--test")
    assert code == 1
    everything = said + unsent + str(host.runs()) + str(host.summary()) + host.run("explain", "dump")[1]
    assert "-secret" not in everything


def test_a_run_that_ends_while_another_is_reported(host: Host) -> None:
    """systemd does not start day2-ended@old again while it runs for the run before."""
    with receiving() as (url, received):
        host.secret("ping", url)
        host.old_files(ping={"url": "ping"})
        for invocation in ("1", "2", "3"):
            host.environment["INVOCATION_ID"] = invocation
            assert host.run("run", "old")[0] == 0
        host.environment["MONITOR_INVOCATION_ID"] = "2"
        assert host.run("notify", "old")[0] == 0
        assert [one.path for one in received] == ["/", "/"]
        # If it was started again nevertheless
        host.environment["MONITOR_INVOCATION_ID"] = "3"
        assert host.run("notify", "old")[0] == 0
        assert len(received) == 2


def test_a_failed_ping_fails_no_job(host: Host) -> None:
    host.environment.pop("INVOCATION_ID", None)
    path = host.old_files(ping={"url": "missing"})
    code, said = host.run("run", "old")
    assert (code, path.exists()) == (0, False)
    assert "The credential missing does not exist" in said
    assert host.run("check")[0] == 78
    assert host.run("notify", "old", "--test")[0] == 1


def test_runs_that_the_program_did_not_see(host: Host) -> None:
    with receiving() as (url, received):
        host.secret("ping", url)
        host.old_files(ping={"url": "ping"})
        host.environment.update(
            MONITOR_SERVICE_RESULT="exit-code", MONITOR_EXIT_STATUS="243", MONITOR_INVOCATION_ID="1"
        )
        assert host.run("record-failure", "old")[0] == 0
        assert b"a credential is missing" in received[0].body
        # The end of a run that could not be recorded
        host.environment.update(MONITOR_EXIT_STATUS="0", MONITOR_INVOCATION_ID="2")
        assert host.run("notify", "old")[0] == 0
        host.environment.update(MONITOR_EXIT_STATUS="75", MONITOR_INVOCATION_ID="3")
        assert host.run("notify", "old")[0] == 0
    assert [one.path for one in received] == ["/fail", "/"]


def test_nobody_to_notify(host: Host) -> None:
    host.old_files()
    code, said = host.run("notify", "old", "--test")
    assert code == 78
    assert "old has no ping and notifies nobody" in said
    assert host.run("notify") == (0, "")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ping": "x"}, "ping is not an object"),
        ({"ping": {"uri": "x"}}, "unknown option: uri"),
        ({"notify": {}}, "notify is not a list of objects"),
        ({"notify": [{"name": "a", "type": "mail"}]}, "type=mail requires from and to"),
    ],
)
def test_wrong_job_files(host: Host, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], problem: str) -> None:
    monkeypatch.setenv(JOBS_VARIABLE, host.environment[JOBS_VARIABLE])
    host.old_files(**change)
    with pytest.raises(Exception, match=problem):
        load("old")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"schema": 1, "notify": [NOTIFY], "verb": "nonsense"}', ["own failure"]),
        ('{"schema": 1, "notify": [{"name": "x"}], "verb": "retention"}', ["all failure"]),
        ('{"schema"', ["all failure"]),
    ],
)
def test_a_job_file_that_is_not_valid(channel: Channel, text: str, expected: list[str]) -> None:
    host = channel.host
    path = host.job("broken", "retention", {})
    path.write_text(text.replace("NOTIFY", json.dumps(channel.settings("own"))))
    host.environment.pop("INVOCATION_ID", None)
    assert host.run("run", "broken")[0] == 78
    assert channel.got() == expected
    host.environment.update(MONITOR_INVOCATION_ID="1", MONITOR_SERVICE_RESULT="x")  # of a unit
    host.run("record-failure", "broken")
    assert channel.got() == []  # within the cooldown
    assert host.run("run", "missing")[0] == 78
    assert channel.got() == []
