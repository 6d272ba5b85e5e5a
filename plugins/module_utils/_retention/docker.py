# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Docker limits the logs of its containers: `log-driver` and `log-opts` in daemon.json. All else in it stays."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from .._core.errors import InvalidRequest, TargetError
from .._core.files import check_writable_parent, open_regular, os_errors, resolve, write_atomically

DOCKER_SPEC: dict[str, Any] = {
    "daemon_json": {"type": "path", "default": "/etc/docker/daemon.json"},
    "max_size": {"type": "str"},
    "max_file": {"type": "int"},
    "compress": {"type": "bool"},
}
_SIZE = re.compile(r"[1-9][0-9]*[kmg]?")
_DRIVER = "json-file"


class DockerPlan(NamedTuple):
    """The file as it is ("" when missing) and as it should be."""

    path: str
    before: str
    after: str
    mode: int

    @property
    def changed(self) -> bool:
        return self.before != self.after


def plan_docker(options: Mapping[str, Any]) -> DockerPlan:
    """What daemon.json should say.

    :raises InvalidRequest: an option that Docker would not take.
    :raises TargetError: the file can't be read, is no JSON object, or uses another log driver.
    """
    wanted = _log_opts(options)
    path = resolve(options["daemon_json"], TargetError)
    before, mode = _read(path)
    try:
        document = json.loads(before) if before.strip() else {}
    except ValueError as exc:
        raise TargetError(
            f"{path} is not JSON: {exc}.", "Nothing was changed. Docker can't read it either: mend it."
        ) from exc
    if not isinstance(document, dict) or not isinstance(document.get("log-opts", {}), dict):
        raise TargetError(
            f"{path} is not what Docker expects: an object with an object log-opts.", "Nothing was changed."
        )
    driver = document.get("log-driver", _DRIVER)
    if driver != _DRIVER:
        raise TargetError(
            f"{path} sets the log driver {driver}: these limits are those of {_DRIVER}.", "Nothing was changed."
        )
    had = document.get("log-opts", {})
    if "max-size" not in {**had, **wanted}:
        raise InvalidRequest("Docker rotates no log without max_size.", "Set max_size, for example to 10m.")
    if {**had, **wanted} == had and "log-driver" in document:
        return DockerPlan(path, before, before, mode)
    document["log-driver"] = _DRIVER
    document["log-opts"] = {**had, **wanted}
    check_writable_parent(path)
    after = json.dumps(document, indent=_indent(before), ensure_ascii=False)
    if any("\ud800" <= char <= "\udfff" for char in after):  # escaped halves of characters stay escaped
        after = json.dumps(document, indent=_indent(before))
    return DockerPlan(path, before, after + "\n", mode)


def apply_docker(plan: DockerPlan) -> None:
    """Write it: readers see the old or the new file. Raises Day2Error."""
    check_writable_parent(plan.path)
    if _read(plan.path)[0] != plan.before:
        raise TargetError(f"{plan.path} changed since it was read.", "Nothing was changed; run again.")
    with os_errors(TargetError, "Can't write", plan.path):
        write_atomically(plan.path, plan.after.encode(), plan.mode)


def _log_opts(options: Mapping[str, Any]) -> dict[str, str]:
    size: Optional[str] = options["max_size"]
    if size is not None and not _SIZE.fullmatch(size.lower()):
        raise InvalidRequest(f"Docker does not take the size {size!r}.", "Write a whole number with k, m or g: 10m.")
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
    if not opts:
        raise InvalidRequest("docker sets nothing.", "Set max_size, max_file or compress.")
    return opts


def _read(path: str) -> tuple[str, int]:
    if not os.path.lexists(path):
        return "", 0o644
    fd = open_regular(path, TargetError)
    with os.fdopen(fd, encoding="utf-8") as handle, os_errors(TargetError, "Can't read", path):
        try:
            return handle.read(), stat.S_IMODE(os.fstat(fd).st_mode)
        except ValueError as exc:
            raise TargetError(f"{path} is not UTF-8 text.", "Nothing was changed.") from exc


def _indent(text: str) -> int:
    """As the file has it: administrators compare versions."""
    match = re.search(r"\n( +)\S", text)
    return len(match[1]) if match else 2
