# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""container: the state of a container, or of all, from the API of Docker or Podman."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, ClassVar, Optional
from urllib.parse import quote

from .._core.errors import InvalidRequest
from .._core.units import format_duration, parse_time, plural
from .base import BELOW, WARNING, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed
from .container_engine import ask, find_socket, list_containers, name_of
from .searching import search

_SOCKETS = ("/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class ContainerProbe(BaseProbe):
    SUMMARY = (
        "Queries the API of Docker or Podman for the state, health and restarts of a container. Without "
        "`container`, checks that the engine responds and no container is unhealthy."
    )
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "container": Option("text", "Name or ID of the container."),
        "socket": Option(
            "path",
            "Socket of the API. The default is the first existing one of the sockets of Docker and (rootful) Podman.",
        ),
        "state": Option(
            "list", "States that are ok.", ["running"],
            choices=("created", "running", "paused", "restarting", "removing", "exited", "dead"),
        ),
        "health": Option(
            "text",
            "`required`: the container must have a health check and be healthy. `optional`: if it has a health check,"
            " it must be healthy. `ignored`: the health check is ignored.",
            "optional",
            choices=("required", "optional", "ignored"),
        ),
        "image": Option("regular expression", "Pattern that the image name must match."),
    }  # fmt: skip
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("count", "Restarts by the engine since the container was created.", warn=3, crit=10),
        Limit("s", "Time since the container was started.", BELOW, name="age"),
    )

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        super().__init__(options, limits)
        if not options["container"] and options["image"]:
            raise InvalidRequest("image requires container.")
        if options["container"] and not _NAME.fullmatch(options["container"]):
            raise InvalidRequest(f"{options['container']!r} is not a valid container name.")

    def run(self, deadline: Deadline) -> Finding:
        path = self.options["socket"] or find_socket(_SOCKETS)
        finding = self.finding()
        name = self.options["container"]
        if name is None:
            self._all(list_containers(path, "", deadline), finding)
            # Podman's list does not include the health, Docker's does.
            for one in list_containers(path, "&filters=" + quote('{"health":["unhealthy"]}'), deadline):
                finding.problem(f"{name_of(one)} is unhealthy")
            return finding
        found = ask(path, f"/containers/{name}/json", deadline)
        if found is None:
            raise ProbeFailed(f"the container {name} does not exist")
        self._judge(name, found, finding, deadline)
        return finding

    def _judge(self, name: str, found: Mapping[str, Any], finding: Finding, deadline: Deadline) -> None:
        state = found.get("State") or {}
        status = state.get("Status", "unknown")
        image = str((found.get("Config") or {}).get("Image", ""))
        finding.good = f"{name} is {status}"
        if status not in self.options["state"]:
            text = f"{name} is {status}"
            if status in ("exited", "dead"):
                text += f" with {state.get('ExitCode')}{(', out of memory' if state.get('OOMKilled') else '')}"
            finding.problem(text + ": check its logs")
        self._health(name, state.get("Health") or state.get("Healthcheck") or {}, finding)
        pattern = self.options["image"]
        if pattern and not search(pattern, image, deadline):
            finding.problem(f"{name} runs {image}, which does not match {pattern.pattern}")
        finding.measure(int(found.get("RestartCount") or 0), what=f"the number of restarts of {name}")
        started = _started(state)
        if status == "running" and started is not None:
            age = max(0.0, (datetime.now(timezone.utc) - started).total_seconds())
            finding.good += f" for {format_duration(age)}"
            finding.measure(round(age, 1), "age", f"the age of {name}")

    def _health(self, name: str, health: Mapping[str, Any], finding: Finding) -> None:
        status = health.get("Status") or "none"
        wanted = self.options["health"]
        if wanted == "ignored" or status == "healthy":
            return
        if status == "none":
            if wanted == "required":
                finding.problem(f"{name} has no health check")
            return
        log = health.get("Log") or [{}]
        said = str((log[-1] or {}).get("Output", "")).strip()[:200]
        text = f"{name} is {status}" + (f": {said}" if said else "")
        finding.problem(text, WARNING if status == "starting" else "critical")

    def _all(self, found: Sequence[Mapping[str, Any]], finding: Finding) -> None:
        running = [one for one in found if one.get("State") == "running"]
        finding.good = f"the engine responds, {plural(len(running), 'running container')}"
        for one in found:
            if one.get("State") == "restarting":
                finding.problem(f"{name_of(one)} is {one.get('Status')}")
        finding.metric("containers", len(found), "count")
        finding.metric("running", len(running), "count")


def _started(state: Mapping[str, Any]) -> Optional[datetime]:
    try:
        return parse_time(str(state.get("StartedAt", "")))
    except InvalidRequest:
        return None
