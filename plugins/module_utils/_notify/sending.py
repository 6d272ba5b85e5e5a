# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sends messages to channels, with the secrets that they name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Callable, Optional

from .._core.errors import InvalidRequest
from .channel import credentials_of
from .command import run_command
from .mail import send_mail
from .message import FIELDS, Message, filled
from .web import Server, check_url, ping, post

# The body of a webhook without a template.
_EVERYTHING = {name: f"{{{name}}}" for name in FIELDS}
_HEADER = 1000  # characters of a placeholder in a header: servers refuse long ones
# Characters of a message or of warnings: Slack takes 3,000 in a block, Linux 131,072 bytes in an environment variable.
_TEXT = 2000

Credential = Callable[[str], str]  # the secret with a name


def check_secrets(settings: Mapping[str, Any], credential: Credential) -> None:
    """Raises InvalidRequest if a credential or a file is missing or cannot be used."""
    for name in credentials_of(settings):
        credential(name)
    if settings.get("url"):
        check_url(credential(settings["url"]), settings["url"])
    if settings.get("ca") and not os.path.isfile(settings["ca"]):
        raise InvalidRequest(f"ca: {settings['ca']} does not exist, or is not a file.")


def ping_sender(
    settings: Mapping[str, Any], credential: Credential, state: str, text: str, limit: float
) -> Callable[[], None]:
    """What sends a ping. Raises InvalidRequest."""
    check_secrets(settings, credential)
    server = Server(credential(settings["url"]), limit, settings["ca"])
    return lambda: ping(server, settings["type"], state, text)


def sender(channel: Mapping[str, Any], credential: Credential, message: Message, limit: float) -> Callable[[], None]:
    """What sends a message. Raises InvalidRequest."""
    check_secrets(channel, credential)
    if channel["type"] != "mail":
        message = message._replace(msg=_cut(message.msg), warnings=_cut(message.warnings))
    secrets = {name: credential(one) for name, one in channel["secrets"].items()}
    hidden = set(secrets.values())
    if channel["type"] == "webhook":
        values = {**message.fields(), **secrets}
        template = _EVERYTHING if channel["template"] is None else channel["template"]
        # A header is one line.
        line = {name: " ".join(one.split())[:_HEADER] for name, one in message.fields().items()}
        content, headers = filled(template, values), filled(channel["headers"], {**line, **secrets})
        server = Server(credential(channel["url"]), limit, channel["ca"])
        return lambda: post(server, content, headers, hidden)
    if channel["type"] == "mail":
        password: Optional[str] = credential(channel["password"]) if channel["password"] else None
        return lambda: send_mail(channel, message.title, message.text, password, limit)
    variables = {f"DAY2_{name.upper()}": one for name, one in message.fields().items() if name != "text"}
    return lambda: run_command(channel["argv"], message.text, {**variables, **secrets}, hidden)


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…"
