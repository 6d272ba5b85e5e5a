# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits of the logs of Docker containers: `log-driver` and `log-opts` in daemon.json. Everything else in it is
retained.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Optional

from .._core.errors import InvalidRequest, TargetError
from .._core.files import check_writable_parent, resolve
from .._core.processes import PROC, others
from .config_file import ConfigPlan, read_config
from .docker_rules import DRIVERS, JSON_FILE, check_log_options, is_size

DOCKER_SPEC: dict[str, Any] = {
    "path": {"type": "path", "default": "/etc/docker/daemon.json"},
    "log_driver": {"type": "str", "choices": list(DRIVERS)},
    "max_size": {"type": "str"},
    "max_file": {"type": "int"},
    "compress": {"type": "bool"},
}
_SIZE = re.compile(r"[1-9][0-9]*[kmg]?")


_EFFECT = "the limits take effect once Docker is restarted and the containers are recreated."


def plan_docker(options: Mapping[str, Any]) -> ConfigPlan:
    """The intended content of daemon.json.

    Raises InvalidRequest when Docker would reject an option, TargetError when the file can't be read, is not what
    Docker expects, or sets another log driver.
    """
    wanted = _log_opts(options)
    path = resolve(options["path"], TargetError)
    before, mode = read_config(path)
    document = _parse(path, before)
    driver = options["log_driver"] or _driver(path, document)
    had = document.get("log-opts", {})
    check_log_options(path, driver, {**had, **wanted})
    if {**had, **wanted} == had and document.get("log-driver") == driver:
        return ConfigPlan(path, before, before, mode, _EFFECT)
    document["log-driver"] = driver
    document["log-opts"] = {**had, **wanted}
    check_writable_parent(path)
    check_arguments(path)
    return ConfigPlan(path, before, _text(path, document, _indent(before)), mode, _EFFECT)


def _parse(path: str, text: str) -> dict[str, Any]:
    """The document. What Go's parser rejects is an error, and so is what would be changed by being written again."""
    try:
        document = (
            json.loads(text, parse_constant=_no_number, parse_float=_number, object_pairs_hook=_object)
            if text.strip()
            else {}
        )
    except (ValueError, RecursionError) as exc:
        reason = "it is nested too deeply" if isinstance(exc, RecursionError) else str(exc)
        raise TargetError(f"{path} is not valid JSON: {reason}.", "Docker can't read it either. Correct it.") from exc
    if not isinstance(document, dict) or not isinstance(document.get("log-opts", {}), dict):
        raise TargetError(f"{path} is not an object with an object log-opts, as Docker expects.", "Correct it.")
    return document


def _text(path: str, document: Mapping[str, Any], indent: int) -> str:
    try:
        text = json.dumps(document, indent=indent, ensure_ascii=False)
        if any("\ud800" <= char <= "\udfff" for char in text):  # escaped lone surrogates remain escaped
            text = json.dumps(document, indent=indent)
    except RecursionError as exc:
        raise TargetError(f"{path} is nested too deeply to be rewritten.", "Set the limits manually.") from exc
    return text + "\n"


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text} is too large")
    return value


def _object(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            raise ValueError(f"{name} is set twice")
        found[name] = value
    return found


def _driver(path: str, document: Mapping[str, Any]) -> str:
    """The log driver that the file sets, if it is one with limits."""
    driver = document.get("log-driver", JSON_FILE)
    if not isinstance(driver, str) or driver not in DRIVERS:
        raise TargetError(
            f"{path} sets the log driver {driver!r}, to which these limits do not apply ({', '.join(DRIVERS)}).",
            "Set log_driver to change it.",
        )
    return driver


def check_arguments(path: str, proc: str = PROC) -> None:
    """Raise TargetError when Docker runs with arguments that conflict with the file."""
    for process in others(proc):
        try:
            if process.owner() not in (0, os.geteuid()):
                continue
            words = [os.fsdecode(one) for one in process.arguments()]
        except OSError:  # it has ended
            continue
        given = [one.partition("=")[0] for one in words if one.startswith(("--log-driver", "--log-opt"))]
        if given and os.path.basename(words[0]) == "dockerd":
            raise TargetError(
                f"Docker was started with {given[0]} (process {process.pid}); it does not start if {path} sets the "
                "same.",
                "Remove that argument first.",
            )


def _log_opts(options: Mapping[str, Any]) -> dict[str, str]:
    size: Optional[str] = options["max_size"]
    if size is not None and not (_SIZE.fullmatch(size.lower()) and is_size(size)):
        raise InvalidRequest(f"max_size is {size!r}.", "Set it to a whole number with k, m or g, for example 10m.")
    count = options["max_file"]
    if count is not None and count < 1:
        raise InvalidRequest("max_file is less than 1.")
    opts = {}
    if size is not None:
        opts["max-size"] = size.lower()
    if count is not None:
        opts["max-file"] = str(count)
    if options["compress"] is not None:
        opts["compress"] = "true" if options["compress"] else "false"
    if not opts and options["log_driver"] is None:
        raise InvalidRequest("docker has no settings.", "Set max_size, max_file, compress or log_driver.")
    return opts


def _indent(text: str) -> int:
    """The indentation of the file, as administrators compare versions."""
    match = re.search(r"\n( +)\S", text)
    return len(match[1]) if match else 2
