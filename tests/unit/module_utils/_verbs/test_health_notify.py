# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages that health_check sends."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._notify.channel import CHANNEL, NOTIFY
from ansible_collections.day2.ops.plugins.module_utils._verbs.health import check as health_check
from tests.services.web_hooks import receiving
from tests.unit.module_utils._verbs.checks import Result, command, run
from tests.unit.module_utils.verbs import run_verb

HOUR = 3600.0


class Channel:
    """A program that gets the messages, and a clock."""

    def __init__(self, root: Path) -> None:
        self._log, self.broken, self.now = root / "log", root / "broken", time.time()
        script = f'echo "$DAY2_EVENT $DAY2_FAILURES $TOKEN" >>{self._log}; ! test -e {self.broken}'
        self.settings: dict[str, Any] = {"name": "oncall", "type": "command", "argv": ["sh", "-c", script]}
        self.settings["secrets"] = {"TOKEN": "s3cret"}

    def run(self, *checks: dict[str, Any], after: float = 1.0, **params: Any) -> Result:
        """A run at a time after the one before."""
        self.now += after
        return run(list(checks), notify=[self.settings], fail_on=params.pop("fail_on", "critical"), **params)

    def got(self) -> list[str]:
        """The messages since the last call."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        self._log.unlink(missing_ok=True)
        return lines


@pytest.fixture(autouse=True)
def channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Channel:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    made = Channel(tmp_path)
    monkeypatch.setattr(time, "time", lambda: made.now)
    return made


GOOD, BAD, WARNING = command("c", "exit 0"), command("c", "exit 2"), command("c", "exit 1")


def test_each_state_once_per_cooldown(channel: Channel) -> None:
    assert channel.run(GOOD)["notified"] == []
    assert channel.run(BAD)["notified"] == ["oncall"]
    assert [channel.run(BAD)["notified"] for _number in range(2)] == [[], []]
    assert channel.got() == ["failure 1 s3cret"]
    channel.run(BAD, after=5 * HOUR)
    assert channel.got() == ["failure 4 s3cret"]
    assert channel.run(GOOD)["notified"] == ["oncall"]
    channel.run(GOOD)
    assert channel.got() == ["recovery 0 s3cret"]


@pytest.mark.parametrize(
    ("fail_on", "check", "sent"), [("critical", WARNING, 0), ("warning", WARNING, 1), ("never", BAD, 1)]
)
def test_a_failure_is_what_fails_the_task(channel: Channel, fail_on: str, check: dict[str, Any], sent: int) -> None:
    channel.run(check, fail_on=fail_on)
    assert len(channel.got()) == sent


def test_quiet_checks_send_nothing(channel: Channel) -> None:
    channel.run(BAD)
    assert channel.got() == ["failure 1 s3cret"]
    later = (datetime.now(timezone.utc) + timedelta(days=1)).isoformat()
    channel.run(BAD, after=9 * HOUR, quiet_until=later)
    channel.run(BAD, command("d", "exit 0"), quiet_until=later)
    assert channel.got() == []


def test_one_that_was_not_sent_is_a_warning_and_is_sent_again(channel: Channel) -> None:
    channel.broken.touch()
    result = channel.run(BAD)
    assert (result["notified"], len(result["warnings"])) == ([], 1)
    assert "oncall: sh ended with exit status 1" in result["warnings"][0]
    channel.broken.unlink()
    assert channel.run(BAD)["notified"] == ["oncall"]
    assert channel.got() == ["failure 1 s3cret", "failure 2 s3cret"]


def test_checks_with_another_name_are_others(channel: Channel) -> None:
    channel.run(BAD, notify_as="health checks of web1")
    channel.run(GOOD, notify_as="health checks of web2")
    assert channel.got() == ["failure 1 s3cret"]
    channel.run(GOOD, notify_as="health checks of web1")
    assert channel.got() == ["recovery 0 s3cret"]


def test_check_mode_sends_nothing(channel: Channel, tmp_path: Path) -> None:
    values = {name: one.get("default") for name, one in health_check.ARGUMENTS["argument_spec"].items()}
    result = run_verb(health_check, {**values, "checks": [BAD], "notify": [channel.settings]}, check=True)
    assert "notified" not in result
    assert channel.got() == []
    assert not (tmp_path / "state").exists()


def test_a_webhook_and_events() -> None:
    with receiving() as (url, received):
        hook = {"name": "hook", "type": "webhook", "url": f"{url}/T0KEN", "events": ["recovery"]}
        hook["template"] = {"text": "{title}: {status}"}
        assert run([BAD], notify=[hook])["notified"] == []
        assert run([GOOD], notify=[hook], notify_as="health checks")["notified"] == ["hook"]
    assert [one.path for one in received] == ["/T0KEN"]
    assert json.loads(received[0].body)["text"].endswith(": health checks succeeded again: ok")


def test_state_that_cannot_be_kept_is_a_warning(channel: Channel, tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    result = channel.run(BAD)
    assert result["notified"] == ["oncall"]
    assert "can't be recorded" in result["warnings"][0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"type": "webhook"}, "requires url"),
        ({"type": "webhook", "url": "s3cret"}, "url is not a URL"),
        (
            {"type": "mail", "from": "a@b", "to": ["c@d"], "password": "s3cret"},
            "user and password must be set together",
        ),
        ({"type": "command", "argv": ["true"], "cooldown": "soon"}, "soon"),
        ({"type": "webhook", "url": "http://a/", "template": "{nothing}"}, "Unknown placeholder"),
    ],
)
def test_what_is_wrong_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        run([GOOD], notify=[{"name": "one", **settings}])
    assert message in str(caught.value)
    assert "notify, one: " in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_two_channels_have_two_names(channel: Channel) -> None:
    with pytest.raises(InvalidRequest, match="the same name"):
        run([GOOD], notify=[channel.settings, channel.settings])


def test_channels_are_those_of_scheduled_jobs_and_secrets_are_not_shown() -> None:
    options = NOTIFY["notify"]["options"]
    assert set(options) == set(CHANNEL["argument_spec"])
    assert {name for name, one in options.items() if one.get("no_log")} == {"url", "password", "secrets"}
    shown = health_check.echo({"checks": [], "notify": [{"name": "a", "headers": {"X-Token": "s3cret"}}]})
    assert shown["notify"] == ["a"]
