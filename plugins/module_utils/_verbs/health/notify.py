# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages about health checks: that they fail, and that they no longer do. A message that was not sent is a warning.

It is imported, and sent to a host, only if there are channels (plugin_utils/payload.py).
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple

from ..._core import host_state
from ..._core.errors import InvalidRequest
from ..._core.outcome import Outcome
from ..._core.units import parse_duration
from ..._notify.channel import checked_channel
from ..._notify.due import LIMIT, recorded, sent, wanted
from ..._notify.message import FAILURE, Message
from ..._notify.sending import check_secrets, sender
from ..._notify.together import send_all
from .quiet import ALARMING


class Channel(NamedTuple):
    """Its settings with names of secrets, and the secrets by name."""

    settings: Mapping[str, Any]
    secrets: Mapping[str, str]


def read_channels(given: Sequence[Mapping[str, Any]]) -> list[Channel]:
    """Check the channels. Raises InvalidRequest."""
    names = [one["name"] for one in given]
    if len(set(names)) < len(names):
        raise InvalidRequest(f"Two entries of notify have the same name ({', '.join(names)}).")
    return [_channel(one) for one in given]


def _channel(given: Mapping[str, Any]) -> Channel:
    """The same checks as for scheduled jobs, which name credentials instead."""
    own = {name: given[name] for name in ("url", "password") if given.get(name)}
    others = given.get("secrets") or {}
    named = {**given, **{name: name for name in own}, "secrets": {name: f"secrets.{name}" for name in others}}
    secrets = {**own, **{f"secrets.{name}": str(value) for name, value in others.items()}}
    try:
        channel = Channel(checked_channel(named), secrets)
        check_secrets(channel.settings, secrets.__getitem__)
    except InvalidRequest as exc:
        raise InvalidRequest(f"notify, {given['name']}: {exc.message}", exc.hint) from exc
    return channel


def notify(
    channels: Sequence[Channel],
    name: str,
    outcomes: Sequence[Outcome],
    *,
    failing: Sequence[str],
    result: Mapping[str, Any],
    now: float,
) -> tuple[list[str], list[str]]:
    """Send what is due: the names of the channels that got a message, and warnings.

    Checks that are quiet send nothing, neither that they fail nor that others have recovered.

    :param name: what the messages call these checks. Checks with the same name share a record of what was sent.
    :param failing: the statuses that are a failure.
    """
    bad = [one for one in outcomes if one.status in failing and one.status in ALARMING]
    if bad and all(one.quiet for one in bad):
        return [], []
    notified: list[str] = []
    warnings: list[str] = []
    with recorded(_path(name), warnings.append) as record:
        record["failures"] = _number(record.get("failures")) + 1 if bad else 0
        told = record.get("channels")
        told = record["channels"] = dict(told) if isinstance(told, Mapping) else {}
        due: list[tuple[str, dict[str, Any]]] = []
        sends: list[Callable[[], None]] = []
        for one in channels:
            key, before = one.settings["name"], told.get(one.settings["name"])
            event = wanted(FAILURE if bad else "", before, now, now, parse_duration(one.settings["cooldown"]))
            if event and event not in one.settings["events"]:
                told[key] = sent(event, before, now, now)
            elif event:
                due.append((key, sent(event, before, now, now)))
                message = _message(event, name, result, record, now)
                sends.append(sender(one.settings, one.secrets.__getitem__, message, LIMIT))
        for (key, state), outcome in zip(due, send_all(sends, LIMIT)):
            if outcome.problem:
                to_all = " to all" if outcome.delivered else ""
                warnings.append(f"A message was not sent{to_all}. {key}: {outcome.problem}")
            if outcome.delivered:
                told[key] = state
                notified.append(key)
        if not bad:
            record["ok"] = round(now)
    return notified, warnings


def _path(name: str) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return os.path.join(host_state.directory(), "notified-health", f"{digest}.json")


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _message(event: str, name: str, result: Mapping[str, Any], record: Mapping[str, Any], now: float) -> Message:
    ok = _number(record.get("ok"))
    return Message(
        event=event,
        host=socket.gethostname(),
        job=name,
        verb="health_check",
        status=result["summary"]["status"],
        msg=result["msg"],
        failures=record["failures"],
        warnings="",
        began="",
        ended=_time(now),
        last_success=_time(ok) if 0 < ok <= now else "",
        next_step="",
    )


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
