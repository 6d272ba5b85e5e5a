# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The templates for webhooks in the README of role schedule, sent to a server: each says what a person must know."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.day2.ops.plugins.module_utils._notify.channel import checked_channel
from ansible_collections.day2.ops.plugins.module_utils._notify.message import FAILURE, Message, placeholders
from ansible_collections.day2.ops.plugins.module_utils._notify.sending import sender
from tests.services.web_hooks import receiving

pytestmark = pytest.mark.once

README = Path(__file__).resolve().parents[2] / "roles/schedule/README.md"
TEMPLATES = {
    found[1]: yaml.safe_load(found[2])
    for found in re.finditer(
        r"^```yaml\n# ([A-Z]?[a-z]+(?: [A-Z][a-z]+)?)\b[^\n]*\n(.*?)^```$", README.read_text(), re.M | re.S
    )
    if "template:" in found[2]
}
HOSTILE = 'No "space" left in\n/srv/{app}/{msg}: \\u0022 <@channel> ' + "x" * 5000
MESSAGE = Message(FAILURE, "db1", "app", "backup", "failed", HOSTILE, 2, "", "", "", "", "day2 status app")


def sent(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The body and the headers that a server gets from a channel."""
    secrets = {"ntfy_topic": "backups", "ntfy_token": "tk_1"}
    channel = checked_channel({"name": "a", "type": "webhook", "url": "u", **settings})
    with receiving() as (url, received):
        sender(channel, lambda name: url if name == "u" else secrets[name], MESSAGE, 30)()
    return json.loads(received[0].body), dict(received[0].headers)


def texts(body: Any) -> Iterator[str]:
    if isinstance(body, str):
        yield body
    elif isinstance(body, (dict, list)):
        for one in body.values() if isinstance(body, dict) else body:
            yield from texts(one)


def test_there_are_templates_for_all_that_the_readme_promises() -> None:
    assert sorted(TEMPLATES) == ["Mattermost", "Microsoft Teams", "Slack", "ntfy"]


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_template_tells_what_happened_and_what_to_do(name: str) -> None:
    body, _headers = sent(TEMPLATES[name])
    told = "\n".join(texts(body))
    assert "db1: app failed" in told
    assert 'No "space" left in\n/srv/{app}/{msg}' in told
    assert "day2 status app" in told
    assert set(placeholders(TEMPLATES[name]["template"])) >= {"title", "msg", "next_step"}


def test_slack_takes_the_block_and_mentions_nobody() -> None:
    body, _headers = sent(TEMPLATES["Slack"])
    (block,) = body["blocks"]
    assert (block["type"], block["text"]["type"]) == ("section", "plain_text")
    assert len(block["text"]["text"]) <= 3000
    assert "@channel" not in body["text"]


def test_teams_gets_one_adaptive_card() -> None:
    body, _headers = sent(TEMPLATES["Microsoft Teams"])
    (card,) = body["attachments"]
    assert (body["type"], card["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert (card["content"]["type"], card["content"]["version"]) == ("AdaptiveCard", "1.4")
    assert {one["type"] for one in card["content"]["body"]} == {"TextBlock"}


def test_ntfy_gets_topic_and_token_from_credentials() -> None:
    body, headers = sent(TEMPLATES["ntfy"])
    assert (body["topic"], body["priority"], body["tags"]) == ("backups", 4, ["warning"])
    assert headers["Authorization"] == "Bearer tk_1"
