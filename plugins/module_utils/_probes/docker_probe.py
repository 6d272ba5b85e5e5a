# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docker: settings of the daemon that are recommended, as it runs with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .._core.errors import InvalidRequest
from .base import UNKNOWN, BaseProbe, Deadline, Finding, Option, ProbeFailed
from .container_engine import ask, find_socket, list_containers, name_of

_SOCKETS = ("/run/docker.sock", "/var/run/docker.sock")
_UNLIMITED = ("json-file", "")  # log drivers that keep all that a container writes, unless they are limited
_NEW_PRIVILEGES, _TOLD_FROM = "no-new-privileges", 24  # the version from which on it is among the security options
_NAMED = 5  # containers in a message


class DockerProbe(BaseProbe):
    SUMMARY = (
        "Compares the settings that the Docker daemon runs with, and the log limits of its containers, with those that "
        "are required. A change of `daemon.json` is only seen once the daemon uses it."
    )
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "socket": Option("path", "Socket of the API. The default is `/run/docker.sock` or `/var/run/docker.sock`."),
        "live_restore": Option(
            "boolean",
            "Whether containers must (or must not) keep running while the daemon is stopped (`live-restore`).",
        ),
        "log_driver": Option("list", "Default log drivers that are ok, for example `[local, journald]`."),
        "log_limits": Option(
            "boolean",
            "Whether the log of each container must be limited in size: with the driver `json-file`, by `max-size`."
            " Other drivers have limits of their own. Containers keep the limits that they were created with.",
            False,
        ),
        "security": Option(
            "list",
            "Security options that the daemon must run with, as `docker info` names them. Versions before 23 do not "
            "report `no-new-privileges`.",
            choices=("apparmor", "cgroupns", "no-new-privileges", "rootless", "seccomp", "selinux", "userns"),
        ),
    }

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Any]) -> None:
        super().__init__(options, limits)
        if options["live_restore"] is None and not any(
            options[one] for one in ("log_driver", "log_limits", "security")
        ):
            raise InvalidRequest("nothing is required: set live_restore, log_driver, log_limits or security.")

    def run(self, deadline: Deadline) -> Finding:
        path = self.options["socket"] or find_socket(_SOCKETS)
        info = ask(path, "/info", deadline)
        if not isinstance(info, dict) or "LoggingDriver" not in info:
            raise ProbeFailed(f"{path}: the response is not that of Docker", UNKNOWN)
        finding = self.finding()
        finding.good = "the Docker daemon has the required settings"
        self._settings(info, finding)
        if self.options["log_limits"]:
            self._limits(path, finding, deadline)
        return finding

    def _settings(self, info: Mapping[str, Any], finding: Finding) -> None:
        wanted, found = self.options["live_restore"], bool(info.get("LiveRestoreEnabled"))
        if wanted is not None and found != wanted:
            finding.problem(f"live-restore of the Docker daemon is {_word(found)}, not {_word(wanted)}")
        drivers = self.options["log_driver"]
        if drivers and info["LoggingDriver"] not in drivers:
            finding.problem(f"the default log driver of Docker is {info['LoggingDriver']}, not {' or '.join(drivers)}")
        # ["name=seccomp,profile=builtin", "name=userns"]
        told = [str(one).split(",") for one in info.get("SecurityOptions") or ()]
        # with the profile unconfined, nothing is filtered, but the option is still there
        has = {one[0].rpartition("=")[2] for one in told if "profile=unconfined" not in one}
        missing = [one for one in self.options["security"] or () if one not in has]
        version = str(info.get("ServerVersion", ""))
        if _NEW_PRIVILEGES in missing and _major(version) < _TOLD_FROM:
            missing.remove(_NEW_PRIVILEGES)
            finding.problem(
                f"whether Docker runs with {_NEW_PRIVILEGES} is unknown: version {version} does not report it", UNKNOWN
            )
        if missing:
            finding.problem(f"the Docker daemon runs without {', '.join(missing)}")

    def _limits(self, path: str, finding: Finding, deadline: Deadline) -> None:
        listed = list_containers(path, "", deadline)
        unlimited = []
        for one in listed:
            found = ask(path, f"/containers/{one.get('Id')}/json", deadline)
            if found is None:  # removed meanwhile
                continue
            log = (found.get("HostConfig") or {}).get("LogConfig") or {}
            if log.get("Type", "") in _UNLIMITED and not (log.get("Config") or {}).get("max-size"):
                unlimited.append(name_of(one))
        if unlimited:
            more = f" and {len(unlimited) - _NAMED} more" if len(unlimited) > _NAMED else ""
            finding.problem(f"the logs of these containers have no max-size: {', '.join(unlimited[:_NAMED])}{more}")


def _major(version: str) -> int:
    first = version.partition(".")[0]
    return int(first) if first.isdecimal() else _TOLD_FROM


def _word(enabled: bool) -> str:
    return "on" if enabled else "off"
