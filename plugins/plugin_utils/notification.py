# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pings and channels of scheduled jobs, as users write them in an inventory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._core.errors import InvalidRequest
from ..module_utils._host.job import NAME
from ..module_utils._notify.channel import CHANNEL, PING, checked_channel, checked_ping, credentials_of
from ..module_utils._notify.message import placeholders

_SECRET_HEADER = re.compile(r"(proxy-)?authorization|cookie|.*(api-?key|token|secret|password)", re.IGNORECASE)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def ping_of(given: Any) -> dict[str, Any]:
    """The ping of a job, from the name of a credential or a dictionary. Raises InvalidRequest."""
    if not given:
        return {}
    made = _converted(PING, given if isinstance(given, Mapping) else {"url": given}, "ping")
    checked_ping(made)
    _check_credentials(made, "ping")
    return made


def channels_of(wanted: Any, channels: Any) -> list[dict[str, Any]]:
    """The channels of a job. Raises InvalidRequest.

    :param wanted: names of channels; None: all of them.
    :param channels: all channels, as in the role's `schedule_notify`.
    """
    if not isinstance(channels, Sequence) or not all(isinstance(one, Mapping) for one in channels):
        raise InvalidRequest("schedule_notify is not a list of dictionaries.")
    if wanted is not None and (isinstance(wanted, (str, Mapping)) or not isinstance(wanted, Sequence)):
        raise InvalidRequest("notify is not a list of names.", "Name entries of schedule_notify.")
    names = [str(one.get("name", "")) for one in channels]
    if len(set(names)) < len(names):
        raise InvalidRequest(f"Two entries of schedule_notify have the same name ({', '.join(names)}).")
    unknown = sorted(set(map(str, wanted or [])) - set(names))
    if unknown:
        raise InvalidRequest(
            f"notify names {', '.join(unknown)}, which is not in schedule_notify.",
            f"The names in it are {', '.join(names) or 'none'}.",
        )
    return [_channel(one, name) for name, one in zip(names, channels) if wanted is None or name in wanted]


def _channel(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    where = f"schedule_notify, {name}"
    made = _converted(CHANNEL, given, where)
    try:
        checked_channel(made)
    except InvalidRequest as exc:
        raise InvalidRequest(f"{where}: {exc.message}", exc.hint) from exc
    wrong = [one for one in made.get("secrets", {}) if not _VARIABLE.fullmatch(one)]
    if wrong:
        raise InvalidRequest(f"{where}: {wrong[0]!r} cannot be the name of a placeholder.", "Use letters and digits.")
    _check_credentials(made, where)
    for header, value in made.get("headers", {}).items():
        if _SECRET_HEADER.fullmatch(header) and not set(placeholders(value)) & set(made.get("secrets", {})):
            raise InvalidRequest(
                f"{where}: The header {header} is a secret, which a job file must not contain.",
                "Name a credential in secrets, and write its placeholder here.",
            )
    return made


def _converted(arguments: Mapping[str, Any], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The options that are set, as ansible-core converts them."""
    kept = {name: value for name, value in given.items() if value is not None}
    relations = {key: value for key, value in arguments.items() if key != "argument_spec"}
    checked = ArgumentSpecValidator(arguments["argument_spec"], **relations).validate(dict(kept))
    if checked.error_messages:
        raise InvalidRequest(f"{where}: {'; '.join(checked.error_messages).rstrip('.')}.")
    return {name: value for name, value in checked.validated_parameters.items() if name in kept}


def _check_credentials(settings: Mapping[str, Any], where: str) -> None:
    """URLs and passwords are named. A name that is not one may be the secret itself, and is not shown."""
    if not all(isinstance(one, str) and NAME.fullmatch(one) for one in credentials_of(settings)):
        raise InvalidRequest(
            f"{where}: url, password and secrets must be names of credentials (letters, digits, - and _).",
            "Put the URL or the password into schedule_credentials, and its name here.",
        )
