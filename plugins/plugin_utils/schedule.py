# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a scheduled job: what a host is told of it, as JSON, and the units of systemd that run it."""

from __future__ import annotations

import copy
import json
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._core.errors import InvalidRequest
from ..module_utils._core.specs import secret_options
from ..module_utils._core.units import parse_duration
from ..module_utils._host.conditions import LONGEST, conditions_of
from ..module_utils._host.hooks import checked_hooks
from ..module_utils._host.job import ENCRYPTED, NAME, SCHEMA, put
from ..module_utils._host.on_change import PATIENCE, ROUNDS, watched
from ..module_utils._verbs.registry import VERBS, find_verb
from .notification import channels_of, ping_of
from .sandbox import sandbox
from .units import escaped, line, seconds
from .watching import watching_units

# Every one of these is documented in roles/schedule/meta/argument_specs.yml.
KEYS = {
    "name",
    "verb",
    "arguments",
    "secrets",
    "on_calendar",
    "every",
    "random_delay",
    "timeout",
    "expected_every",
    "writable",
    "sandbox",
    "description",
    "ping",
    "notify",
    "window",
    "when_load_below",
    "on_ac_power",
    "hooks",
    "on_change",
}
# Of these, ansible-core converts the values.
_CONVERTED: dict[str, dict[str, Any]] = {
    "arguments": {"type": "dict"},
    "secrets": {"type": "dict"},
    "writable": {"type": "list", "elements": "str"},
    "sandbox": {"type": "bool"},
    "notify": {"type": "list", "elements": "str"},
    "when_load_below": {"type": "float"},
    "on_ac_power": {"type": "bool"},
    "on_change": {"type": "dict", "options": {"after": {"type": "str", "default": "1m"}}},
}
_LONGEST_WAIT = 2 * LONGEST  # seconds: for a window to open and to end
_PLACEHOLDER = "credential"
_CREDENTIALS = {"access_key_id", "identity", "names_key", "password", "secret_access_key", "session_token", "token"}
_SECRET_MAPPINGS = {("rclone", "secrets"), ("restic", "environment")}


def scheduled_job(job: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The files of a job: `{name, job, service, starters, cron}`, texts but for `starters`, the units that start the
    service, which is a list of `{unit, content}`. Raises InvalidRequest.

    Without `on_calendar` and `on_change`, `starters` and `service` are empty, and without `every`, `cron` is.

    :param defaults: of `random_delay` and `timeout`; `program`, the command line of the host program; `notify`, all
        channels; `encrypted`, whether credentials are; `metrics`, the file that all jobs write them to, or "".
    """
    if not isinstance(job, Mapping):
        raise InvalidRequest(f"A job is {job!r}, not a dictionary.", "Each entry of schedule_jobs has options.")
    given: dict[str, Any] = {name: value for name, value in _plain(job).items() if value not in (None, "")}
    name = str(given.get("name", ""))
    if not NAME.fullmatch(name):
        raise InvalidRequest(f"{name!r} cannot be the name of a job.", "Use up to 100 letters, digits, - and _.")
    try:
        return _files(name, given, _plain(defaults))
    except InvalidRequest as exc:
        raise InvalidRequest(f"Job {name}: {exc.message}", exc.hint) from exc


def _files(name: str, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    extra = sorted(set(given) - KEYS)
    if extra:
        raise InvalidRequest(f"Unknown option {', '.join(extra)}.", f"The options are {', '.join(sorted(KEYS))}.")
    if not {"on_calendar", "every", "on_change"} & set(given):
        raise InvalidRequest("on_calendar or on_change (for systemd) or every (for cron) is required.")
    if given.get("verb") not in tuple(VERBS):
        raise InvalidRequest(f"verb is {given.get('verb')!r}.", f"The verbs are {', '.join(sorted(VERBS))}.")
    given = {**given, **_converted(given)}
    timeout = parse_duration(given.get("timeout", defaults["timeout"]))
    if timeout < 1:
        raise InvalidRequest("timeout is less than a second.", "A job always has a time limit; set a long one (7d).")
    secrets = dict(given.get("secrets", {}))
    if not all(isinstance(one, str) for one in secrets.values()):
        raise InvalidRequest("secrets must have names of credentials as values.")
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "verb": given["verb"],
        "arguments": _arguments(given["verb"], given.get("arguments", {}), secrets, timeout),
        "secrets": secrets,
        "expected_every": parse_duration(given.get("expected_every", 0)),
        "description": line(given.get("description", f"{given['verb']} {name}")),
    }
    ping, channels = ping_of(given.get("ping")), channels_of(given.get("notify"), defaults.get("notify") or [])
    content.update({key: value for key, value in (("ping", ping), ("notify", channels)) if value})
    if "on_change" in given:
        content["on_change"] = _after(given, content["arguments"])
    content.update(_conditions(given, timeout))
    if given.get("hooks"):
        content["hooks"] = checked_hooks(given["hooks"])
    delay = parse_duration(given.get("random_delay", defaults["random_delay"]))
    starters = [*_timers(name, content, given, delay), *watching_units(name, content)]
    return {
        "name": name,
        "job": json.dumps(content, indent=2, sort_keys=True) + "\n",
        "service": _service(name, content, given, defaults, timeout) if starters else "",
        "starters": starters,
        "cron": _cron(name, given, defaults["program"], timeout, delay) if "every" in given else "",
    }


def _converted(given: Mapping[str, Any]) -> dict[str, Any]:
    spec = {name: option for name, option in _CONVERTED.items() if name in given}
    checked = ArgumentSpecValidator(spec).validate({name: copy.deepcopy(given[name]) for name in spec})
    if checked.error_messages:
        raise InvalidRequest("; ".join(checked.error_messages).rstrip(".") + ".")
    return dict(checked.validated_parameters)


def _conditions(given: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """When the job may run. The unit waits until then, so that the program itself limits the time of the run."""
    names = ("window", "when_load_below", "on_ac_power")
    wanted = {name: given[name] for name in names if name in given and given[name] is not False and given[name] != []}
    conditions_of(*map(wanted.get, names))
    return {**wanted, "timeout": timeout} if wanted or "on_change" in given else {}


def _after(given: Mapping[str, Any], arguments: Mapping[str, Any]) -> float:
    """The time for which the data must be quiet, in seconds."""
    after = parse_duration(given["on_change"]["after"])
    if after < 1:
        raise InvalidRequest(f"after of on_change is {given['on_change']['after']}.", "Use at least 1s.")
    watched(given["verb"], arguments)
    return after


def _longest(job: Mapping[str, Any], timeout: float) -> float:
    """The time limit of the unit in seconds, as the program waits before it limits the time of the job itself."""
    waits = [_LONGEST_WAIT] if {"window", "when_load_below", "on_ac_power"} & set(job) else []
    if "on_change" in job:
        waits += [ROUNDS * (timeout + PATIENCE * job["on_change"])]
    return timeout + sum(waits)


def _arguments(verb: str, given: Mapping[str, Any], secrets: Mapping[str, str], timeout: float) -> dict[str, Any]:
    """The arguments as ansible-core converts them, without nulls and secrets. Paths are expanded on the host."""
    arguments = find_verb(verb).ARGUMENTS
    spec = arguments["argument_spec"]
    if "lock_timeout" in spec:  # not the minute that a person would wait
        given = {"lock_timeout": seconds(timeout), **given}
    filled = copy.deepcopy(dict(given))
    for place, credential in secrets.items():
        if not NAME.fullmatch(credential):
            raise InvalidRequest(f"{credential!r} cannot be the name of a credential.", "Use letters, digits, - and _.")
        put(filled, place, _PLACEHOLDER)
    relations = {key: value for key, value in arguments.items() if key not in ("argument_spec", "no_log")}
    checked = ArgumentSpecValidator(spec, **relations).validate(copy.deepcopy(filled))
    if checked.error_messages:
        raise InvalidRequest("; ".join(checked.error_messages).rstrip(".") + ".")
    values = _as_given(spec, filled, checked.validated_parameters)
    for place in secrets:
        _remove(values, place)
    literal = [place for place, _value in secret_options(spec, values)]
    literal += [one for name in ("checks", "probe") for one in _in_checks(values.get(name), name)]
    if literal:
        raise InvalidRequest(
            f"{', '.join(sorted(literal))} is a secret, which a job file must not contain.",
            "Name a credential in secrets instead.",
        )
    return values


def _in_checks(value: Any, place: str) -> Iterator[str]:
    """Credentials among the options of health checks, which are not in the argument spec."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from _in_checks(one, f"{place}.{number}")
    elif isinstance(value, Mapping):
        within = place.rpartition(".")[2]
        for name, one in sorted(value.items()):
            if one and (name in _CREDENTIALS or (within, name) in _SECRET_MAPPINGS):
                yield f"{place}.{name}"
            elif name in ("s3", "rclone", "restic", "copy_to"):
                yield from _in_checks(one, f"{place}.{name}")


def _as_given(spec: Mapping[str, Any], given: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The converted values that are not null and not defaults; paths as they were given."""
    return {
        name: _value_as_given(spec.get(name, {}), given.get(name), value)
        for name, value in values.items()
        if value is not None and (name in given or value != spec.get(name, {}).get("default"))
    }


def _value_as_given(option: Mapping[str, Any], given: Any, value: Any) -> Any:
    options = option.get("options")
    if option.get("type") == "path" and given is not None:
        return given
    if options and isinstance(value, Mapping):
        return _as_given(options, given if isinstance(given, Mapping) else {}, value)
    if options and isinstance(value, list):
        originals = given if isinstance(given, list) else [{}] * len(value)
        return [_value_as_given({"options": options}, *pair) for pair in zip(originals, value)]
    return value


def _remove(values: Any, place: str) -> None:
    """Remove an option, and the dictionaries that contain nothing else: the host makes them again."""
    first, _dot, rest = place.partition(".")
    key: Any = int(first) if isinstance(values, list) else first
    if rest:
        _remove(values[key], rest)
    if not rest or (isinstance(values, dict) and values[key] == {}):
        del values[key]


def _plain(value: Any) -> Any:
    """The value without the types that ansible-core uses for templates and tags."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


_COMMON = """\
Type=oneshot
SyslogIdentifier=day2
# Another run of the job is in progress.
SuccessExitStatus=75
TimeoutStopSec=30s
KillMode=mixed
Nice=10
CPUWeight=20
IOWeight=20
IOSchedulingClass=best-effort
IOSchedulingPriority=7
StateDirectory=day2
StateDirectoryMode=0700
RuntimeDirectory=day2-ops
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
UMask=0077
"""


def _credentials(job: Mapping[str, Any], encrypted: bool) -> list[str]:
    kind, end = ("LoadCredentialEncrypted", ENCRYPTED) if encrypted else ("LoadCredential", "")
    return [f"{kind}={one}:/etc/day2/secrets/{one}{end}" for one in sorted(set(job["secrets"].values()))]


def _service(
    name: str, job: Mapping[str, Any], given: Mapping[str, Any], defaults: Mapping[str, Any], timeout: float
) -> str:
    metrics = [os.path.dirname(defaults["metrics"])] if defaults.get("metrics") else []
    own = given.get("writable", [])
    box = sandbox(job["verb"], job["arguments"], own, metrics) if given.get("sandbox", True) else None
    mounts = " ".join(box.writable) if box else ""
    lines = [
        "# Written by the role day2.ops.schedule.",
        "[Unit]",
        f"Description=day2: {escaped(job['description'])}",
        "StartLimitIntervalSec=0",
        f"OnFailure=day2-failed@{name}.service",
        *([f"OnSuccess=day2-ended@{name}.service"] if "ping" in job or "notify" in job else []),
        # A job with conditions may wait for hours, and would seem to hang.
        *([f"Wants=day2-started@{name}.service"] if "ping" in job and "timeout" not in job else []),
        # A failure while the one before is still being reported would start nothing.
        f"After=day2-failed@{name}.service",
        *([f"RequiresMountsFor={mounts}"] if mounts else []),
        "",
        "[Service]",
        f"ExecStart={defaults['program']} run {name}{' --settle' if 'on_change' in job else ''}",
        f"TimeoutStartSec={seconds(_longest(job, timeout))}",
        *_credentials(job, bool(defaults.get("encrypted"))),
        _COMMON + ("\n".join(box.directives) if box else "# Not in a sandbox."),
    ]
    return "\n".join(lines) + "\n"


def _cron(name: str, given: Mapping[str, Any], program: str, timeout: float, delay: float) -> str:
    every = parse_duration(given["every"])
    if every < 15 * 60:
        raise InvalidRequest(
            f"every is {given['every']}.", "cron starts jobs every quarter of an hour; use at least 15m."
        )
    limit = f"timeout --kill-after=30 {math.ceil(timeout)}"
    return (
        f"*/15 * * * * root {limit} {program} run {name} --due {seconds(every)} --splay {seconds(delay)} >/dev/null\n"
    )


def _timers(name: str, job: Mapping[str, Any], given: Mapping[str, Any], delay: float) -> list[dict[str, str]]:
    if "on_calendar" not in given:
        return []
    calendars = given["on_calendar"] if isinstance(given["on_calendar"], list) else [given["on_calendar"]]
    if not calendars or not all(isinstance(one, str) and one.strip() for one in calendars):
        raise InvalidRequest("on_calendar is not a time or a list of times.", "Write for example *-*-* 02:30:00.")
    lines = [
        "# Written by the role day2.ops.schedule.",
        "[Unit]",
        f"Description=day2: timer of {escaped(job['description'])}",
        "",
        "[Timer]",
        *(f"OnCalendar={escaped(one)}" for one in calendars),
        *([f"RandomizedDelaySec={seconds(delay)}", "FixedRandomDelay=yes"] if delay else []),
        "Persistent=yes",
        "AccuracySec=1s",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return [{"unit": f"day2-{name}.timer", "content": "\n".join(lines) + "\n"}]
