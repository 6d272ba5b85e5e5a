# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where messages are sent: channels as users describe them, with names of credentials instead of secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.errors import InvalidRequest
from .._core.specs import check
from .._core.units import parse_duration
from .message import FAILURE, FIELDS, RECOVERY, SILENCE, placeholders

EVENTS = [FAILURE, RECOVERY, SILENCE]
CHANNEL: dict[str, Any] = {
    "argument_spec": {
        "name": {"type": "str", "required": True},
        "type": {"type": "str", "choices": ["webhook", "mail", "command"], "required": True},
        "events": {"type": "list", "elements": "str", "choices": EVENTS, "default": EVENTS},
        "cooldown": {"type": "str", "default": "4h"},
        "secrets": {"type": "dict", "default": {}},
        "ca": {"type": "path"},
        # webhook
        "url": {"type": "str"},
        "template": {"type": "raw"},
        "headers": {"type": "dict", "default": {}},
        # mail
        "host": {"type": "str", "default": "localhost"},
        "port": {"type": "int"},
        "tls": {"type": "str", "choices": ["starttls", "implicit", "none"], "default": "starttls"},
        "user": {"type": "str"},
        "password": {"type": "str"},
        "from": {"type": "str"},
        "to": {"type": "list", "elements": "str"},
        # command
        "argv": {"type": "list", "elements": "str"},
    },
    "required_if": [
        ("type", "webhook", ["url"]),
        ("type", "mail", ["from", "to"]),
        ("type", "command", ["argv"]),
    ],
}
# Options that are secrets where they are values, not names of credentials.
_SECRETS = ("url", "password", "secrets")
NOTIFY: dict[str, Any] = {
    "notify": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            name: {**option, "no_log": True} if name in _SECRETS else option
            for name, option in CHANNEL["argument_spec"].items()
        },
    },
    "notify_as": {"type": "str", "default": "health checks"},
}
PING: dict[str, Any] = {
    "argument_spec": {
        "url": {"type": "str", "required": True},
        "type": {"type": "str", "choices": ["healthchecks", "uptime_kuma"], "default": "healthchecks"},
        "ca": {"type": "path"},
    }
}


def checked_channel(given: Mapping[str, Any]) -> dict[str, Any]:
    """A channel with its defaults. Raises InvalidRequest."""
    values = check(CHANNEL, given)
    parse_duration(values["cooldown"])
    if values["tls"] == "none" and values["password"]:
        raise InvalidRequest("tls=none would send the password unencrypted.", "Use starttls or implicit.")
    if (values["user"] is None) != (values["password"] is None):
        raise InvalidRequest("user and password must be set together.")
    for name in ("to", "argv"):
        if values[name] == []:
            raise InvalidRequest(f"{name} is empty.")
    texts = {key: one for name in ("headers", "secrets") for key, one in values[name].items()}
    if not all(isinstance(one, str) for one in texts.values()):
        raise InvalidRequest("The values of headers and secrets must be strings.")
    unknown = sorted(
        {*placeholders(values["template"]), *placeholders(values["headers"])} - {*FIELDS, *values["secrets"]}
    )
    if unknown:
        raise InvalidRequest(
            f"Unknown placeholder {', '.join(f'{{{one}}}' for one in unknown)}.",
            f"The placeholders are {', '.join(FIELDS)}, and the names in secrets.",
        )
    return values


def checked_ping(given: Mapping[str, Any]) -> dict[str, Any]:
    """A ping with its defaults. Raises InvalidRequest."""
    return check(PING, given)


def credentials_of(settings: Mapping[str, Any]) -> list[str]:
    """The names of the credentials of a channel or a ping."""
    own = [settings[name] for name in ("url", "password") if settings.get(name)]
    return sorted({*own, *settings.get("secrets", {}).values()})
