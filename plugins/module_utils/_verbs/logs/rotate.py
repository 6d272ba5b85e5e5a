# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""log_rotate: rotates logs without losing a line, and verifies it."""

from __future__ import annotations

import os
import re
import signal as signals
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from ..._core.compression import COMPRESSIONS, choose
from ..._core.errors import InvalidRequest, TargetError, TaskEnded
from ..._core.owners import group_id, user_id
from ..._core.paths import expand
from ..._core.periods import PERIODS
from ..._core.progress import Progress
from ..._core.spans import parse_span
from ..._core.units import format_size, parse_duration, parse_size, plural
from ..._logs.apply import apply
from ..._logs.find import Places
from ..._logs.identity import Identity
from ..._logs.log_plan import IN_PLACE, RENAME, LogPlan, NewFile, Options, RotationPlan
from ..._logs.names import DATE_FORMAT, Naming
from ..._logs.plan import make_plan
from ..._logs.predict import predict
from ..._logs.reopen import Command, Notification, signal_number
from ..._logs.rules import Keep, Rules

_COMMANDS: dict[str, Any] = {"type": "list", "elements": "list", "default": []}

ARGUMENTS: dict[str, Any] = {
    "argument_spec": {
        "paths": {"type": "list", "elements": "path", "required": True},
        "exclude": {"type": "list", "elements": "str", "default": []},
        "size": {"type": "str"},
        "min_size": {"type": "str"},
        "rotate_after": {"type": "str"},
        "frequency": {"type": "str", "choices": list(PERIODS)},
        "min_age": {"type": "str"},
        "force": {"type": "bool", "default": False},
        "if_empty": {"type": "bool", "default": False},
        "missing_ok": {"type": "bool", "default": False},
        "method": {"type": "str", "choices": [RENAME, IN_PLACE], "default": RENAME},
        "allow_loss": {"type": "bool", "default": False},
        "names": {"type": "str", "choices": ["numbered", "dated"], "default": "numbered"},
        "date_format": {"type": "str"},
        "extension": {"type": "str"},
        "old_dir": {"type": "str"},  # may be relative to the directory of each log
        "create_old_dir": {"type": "bool", "default": False},
        "keep": {"type": "dict", "options": {"last": {"type": "int"}, "within": {"type": "str"}}},
        "max_total_size": {"type": "str"},
        "compression": {"type": "str", "choices": sorted(COMPRESSIONS)},
        "delay_compress": {"type": "bool", "default": False},
        "create": {"type": "bool", "default": True},
        "mode": {"type": "str"},
        "owner": {"type": "str"},
        "group": {"type": "str"},
        "before": _COMMANDS,
        "before_each": _COMMANDS,
        "after_each": _COMMANDS,
        "before_remove": _COMMANDS,
        "after": _COMMANDS,
        "signal": {
            "type": "dict",
            "options": {"pid_file": {"type": "path", "required": True}, "name": {"type": "str", "default": "HUP"}},
        },
        "service": {"type": "str"},
        "reopen_timeout": {"type": "str", "default": "10s"},
        "run_as": {"type": "str"},
        "lock_timeout": {"type": "str", "default": "1m"},
    },
}


class LogRotateRequest(NamedTuple):
    """The arguments."""

    options: Options
    how: Notification
    identity: Identity
    lock_timeout: float
    notes: tuple[str, ...]


def request_from(params: Mapping[str, Any]) -> LogRotateRequest:
    """Check the arguments of the module. Raises InvalidRequest when they are not valid, MissingDependency when a
    program is missing.
    """
    _check_together(params)
    for name, value in (*params.items(), ("pid_file", (params["signal"] or {}).get("pid_file"))):
        if "\0" in "".join(map(str, value) if isinstance(value, list) else [str(value)]):
            raise InvalidRequest(f"{name} contains a NUL character.")
    compression, note = choose(params["compression"] or "")
    how = Notification(
        before=_commands(params, "before"),
        before_each=_commands(params, "before_each"),
        after_each=_commands(params, "after_each"),
        before_remove=_commands(params, "before_remove"),
        after=_commands(params, "after"),
        signal=_signal(params["signal"]),
        service=params["service"],
        timeout=_duration(params, "reopen_timeout"),
    )
    options = Options(
        paths=tuple(_absolute(path) for path in params["paths"]),
        rules=_rules(params),
        method=params["method"],
        allow_loss=params["allow_loss"],
        naming=Naming(params["names"] == "dated", params["date_format"] or DATE_FORMAT, params["extension"] or ""),
        old_dir=expand(params["old_dir"]) if params["old_dir"] else None,
        keep=_keep(params["keep"]),
        max_total_size=_size(params, "max_total_size"),
        compression=compression,
        delay_compress=params["delay_compress"],
        missing_ok=params["missing_ok"],
        reopens=how.reopens,
        new_file=_new_file(params),
        exclude=tuple(params["exclude"] or ()),
        create_old_dir=params["create_old_dir"],
    )
    return LogRotateRequest(
        options=options,
        how=how,
        identity=Identity(params["run_as"]),
        lock_timeout=_duration(params, "lock_timeout"),
        notes=(note,) if note else (),
    )


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """Plan and, outside check mode, apply. An error of one log does not keep the others from being rotated.

    Raises Day2Error, with the error of each log and the whole result in `details`, when any log has one.
    """
    began = time.monotonic()
    request = request_from(params)
    places = Places(request.options.naming, None if check else request.lock_timeout)
    try:
        plan = make_plan(request.options, places, request.identity, time.time())
        try:
            if check:
                predict(plan, request.identity, request.how)
            else:
                apply(plan, request.identity, request.how, progress)
        except TaskEnded as exc:  # a command before all rotations, or a cancellation: report what was done until then
            result = _result(plan, request, check)
            exc.details = {**{name: value for name, value in result.items() if name != "msg"}, **exc.details}
            raise
    finally:
        places.close()
    result = _result(plan, request, check)
    result["duration_s"] = round(time.monotonic() - began, 3)
    errors = [one["problem"] for one in result["problems"]]
    if errors:
        raise TargetError(
            f"{result['msg']} {len(errors)} in error: {' | '.join(dict.fromkeys(errors))}",
            details={name: value for name, value in result.items() if name != "msg"},
        )
    return result


def _result(plan: RotationPlan, request: LogRotateRequest, check: bool) -> dict[str, Any]:
    """The plan can't be used afterwards: ten thousand logs need not be in memory twice."""
    compressed = [one for log in plan.logs for one in log.compressed]
    removed = [one for log in plan.logs for one in log.removed]
    rotated = [log for log in plan.logs if log.rotated_to]
    freed = sum(log.freed for log in plan.logs)
    notes = list(request.notes) + plan.notes + _notes(plan)
    rotations: list[dict[str, Any]] = []
    result = {
        "changed": bool(rotated or compressed or removed) or any(log.mended or _reopened(log) for log in plan.logs),
        "msg": f"{len(rotated)} of {plural(len(plan.logs), 'log')} {'would be ' if check else ''}rotated, "
        f"{plural(len(compressed), 'file')} compressed, {len(removed)} removed, {format_size(max(0, freed))} freed.",
        "rotations": rotations,
        "bytes_freed": freed,
        "problems": [{"name": one.path, "problem": str(one.error)} for one in plan.problems]
        + [{"name": log.path, "problem": str(log.error)} for log in plan.logs if log.error is not None],
        "diff": _diff(plan),
        "warnings": notes,
    }
    del compressed, removed, rotated
    plan.logs.reverse()
    while plan.logs:
        rotations.append(_rotation(plan.logs.pop()))
    return result


def _reopened(log: LogPlan) -> bool:
    return log.reopen and log.error is None


# One object for all: ten thousand logs have thirty thousand of these.
_EMPTY: list[Any] = []


def _rotation(log: LogPlan) -> dict[str, Any]:
    return {
        "name": log.path,
        "rotated": bool(log.rotated_to),
        "rotated_to": log.rotated_to or None,
        "reason": log.reason,
        "bytes": log.rotated_bytes if log.rotated_to else 0,
        "window_bytes": log.window_bytes,
        "compressed": [one._asdict() for one in log.compressed] or _EMPTY,
        "removed": [one._asdict() for one in log.removed] or _EMPTY,
        "held_by": [{"name": writer.command, "pid": writer.pid} for some in log.held.values() for writer in some]
        or _EMPTY,
        "error": None if log.error is None else str(log.error),
    }


def _notes(plan: RotationPlan) -> list[str]:
    notes: list[str] = []
    for log in plan.logs:
        notes += log.notes
        if log.window_bytes is not None:
            notes.append(
                f"{log.path} was copied and truncated. Writers may have lost about "
                f"{plural(log.window_bytes, 'byte')} in between."
            )
        if log.held and log.error is None and not log.reopen:
            names = sorted({str(writer) for some in log.held.values() for writer in some})
            notes.append(
                f"{', '.join(names)} still writes to a rotated file of {log.path}, and is not notified to reopen "
                "its log (signal, service, after). That file will be compressed once no process writes to it."
            )
    return notes


def _diff(plan: RotationPlan) -> dict[str, str]:
    before, after = [], []
    for log in plan.logs:
        for one in log.removed:
            before.append(one.name)
        for done in log.compressed:
            if done.name != log.rotated_to:
                before.append(done.name)
            after.append(done.to)
        if log.rotated_to and log.rotated_to not in [done.name for done in log.compressed]:
            after.append(log.rotated_to)
    return {"before": "".join(f"{one}\n" for one in before), "after": "".join(f"{one}\n" for one in after)}


def _check_together(params: Mapping[str, Any]) -> None:
    if not any(params[name] for name in ("size", "rotate_after", "frequency", "force")):
        raise InvalidRequest(
            "One of size, rotate_after, frequency and force is required.",
            "Set one of them, for example frequency=daily.",
        )
    if params["date_format"] and params["names"] != "dated":
        raise InvalidRequest("date_format requires names=dated.", "Set names=dated, or omit date_format.")
    if params["allow_loss"] and params["method"] != IN_PLACE:
        raise InvalidRequest("allow_loss requires method=in_place.", "Omit it: method=rename loses nothing.")
    if params["method"] == IN_PLACE:
        for name in ("mode", "owner", "group", "signal", "service"):
            if params[name]:
                raise InvalidRequest(
                    f"{name} requires method=rename.", "With method=in_place, the log remains the same file."
                )
    if params["create_old_dir"] and not params["old_dir"]:
        raise InvalidRequest("create_old_dir requires old_dir.", "Set old_dir to the directory for rotated files.")
    if not params["create"] and any(params[name] for name in ("mode", "owner", "group")):
        raise InvalidRequest("mode, owner and group apply to the new log.", "Set create=true, or omit them.")
    if params["delay_compress"] and params["compression"] == "none":
        raise InvalidRequest("delay_compress requires a compression other than none.")


def _rules(params: Mapping[str, Any]) -> Rules:
    return Rules(
        size=_size(params, "size"),
        rotate_after=None if params["rotate_after"] is None else _duration(params, "rotate_after"),
        frequency=params["frequency"],
        min_size=_size(params, "min_size") or 0,
        if_empty=params["if_empty"],
        min_age=0.0 if params["min_age"] is None else _duration(params, "min_age"),
        force=params["force"],
    )


def _duration(params: Mapping[str, Any], name: str) -> float:
    try:
        return parse_duration(params[name])
    except InvalidRequest as exc:
        raise InvalidRequest(f"{name}: {exc.message}", exc.hint) from exc


def _size(params: Mapping[str, Any], name: str) -> Optional[int]:
    if params[name] is None:
        return None
    try:
        return parse_size(params[name])
    except InvalidRequest as exc:
        raise InvalidRequest(f"{name}: {exc.message}", exc.hint) from exc


def _seconds_back(within: Any) -> float:
    """A calendar span, as in `keep` of backup, counted back from now."""
    now = datetime.now(timezone.utc)
    try:
        return (now - parse_span(within).before(now)).total_seconds()
    except InvalidRequest as exc:
        raise InvalidRequest(f"keep: within: {exc.message}", exc.hint) from exc


def _keep(options: Optional[Mapping[str, Any]]) -> Keep:
    if not options:
        return Keep()
    last, within = options.get("last"), options.get("within")
    keep = Keep(last, None if within is None else _seconds_back(within))
    if last is not None and last < 0:
        raise InvalidRequest(f"keep: last is {last}.", "Set it to the number of rotated files to keep, or to 0.")
    return keep


def _commands(params: Mapping[str, Any], name: str) -> tuple[Command, ...]:
    commands = []
    for words in params[name] or []:
        if isinstance(words, str) or not words:
            raise InvalidRequest(
                f"{name}: {words!r} is not a command.",
                f"Set it to a list of commands, each a list of words: {name}: [[program, word]].",
            )
        commands.append(tuple(str(word) for word in words))
    return tuple(commands)


def _signal(options: Optional[Mapping[str, Any]]) -> Optional[tuple[str, signals.Signals]]:
    return None if not options else (options["pid_file"], signal_number(options.get("name") or "HUP"))


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise InvalidRequest(
            f"paths: {path!r} is not absolute.", "Give the absolute path, for example /var/log/app/*.log."
        )
    return os.path.normpath(path)


def _new_file(params: Mapping[str, Any]) -> NewFile:
    return NewFile(
        create=params["create"],
        mode=_mode(params["mode"]),
        owner=_id(params["owner"], "owner", user_id),
        group=_id(params["group"], "group", group_id),
    )


def _mode(text: Optional[str]) -> Optional[int]:
    if text is None:
        return None
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise InvalidRequest(
            f"mode: {text!r} is not valid.", 'Write three or four octal digits in quotes, for example "0640".'
        )
    return int(text, 8)


def _id(text: Optional[str], option: str, look_up: Any) -> Optional[int]:
    if text is None:
        return None
    number: int = int(text) if re.fullmatch("[0-9]{1,10}", text) else look_up(text, -1)
    if not 0 <= number < 2**32 - 1:
        raise InvalidRequest(f"{option}: the {option} {text} does not exist.", "Set an existing name, or a number.")
    return number
