# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""service: the state of a systemd unit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import ClassVar

from .._core.units import format_duration
from .base import UNKNOWN, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed
from .programs import execute

_PROPERTIES = (
    "LoadState", "ActiveState", "SubState", "UnitFileState", "NRestarts", "Result", "ActiveEnterTimestampMonotonic",
    "MemoryCurrent",
)  # fmt: skip


class ServiceProbe(BaseProbe):
    SUMMARY = "Queries systemd for the state of a unit and the number of its restarts."
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "service": Option("text", "Name of the unit. Without a suffix, `.service` is appended.", required=True),
        "state": Option("list", "States that are ok, as reported by `systemctl is-active`.", ["active"]),
        "enabled": Option("boolean", "Whether the unit must (or must not) be enabled to start at boot."),
        "scope": Option(
            "text", "Whether it is a unit of the system or of the user.", "system", choices=("system", "user")
        ),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("count", "Restarts by systemd since the unit was started.", warn=3, crit=10),
        Limit("bytes", "Memory of all processes of the unit, if systemd accounts for it.", name="memory"),
    )

    def run(self, deadline: Deadline) -> Finding:
        options = self.options
        unit = options["service"] if "." in options["service"] else options["service"] + ".service"
        found = self._show(unit, deadline)
        finding = self.finding()
        state = found.get("ActiveState", "unknown")
        if found.get("LoadState") == "not-found":
            finding.problem(f"the unit {unit} does not exist")
            return finding
        if state not in options["state"]:
            text = f"{unit} is {state} ({found.get('SubState', '')})"
            if found.get("Result", "success") != "success":
                text += f", its result is {found['Result']}"
            finding.problem(text + f": check journalctl -u {unit}")
        enabled = found.get("UnitFileState", "") in ("enabled", "enabled-runtime", "static", "alias", "generated")
        if options["enabled"] is not None and enabled != options["enabled"]:
            finding.problem(f"{unit} is {found.get('UnitFileState') or 'not enabled'}")
        finding.good = f"{unit} is {state} ({found.get('SubState', '')}){_since(found)}"
        restarts = found.get("NRestarts", "")
        if restarts.isdigit():
            finding.measure(int(restarts), what=f"the number of restarts of {unit}")
        memory = found.get("MemoryCurrent", "")
        if memory.isdigit() and int(memory) < 2**63:
            finding.measure(int(memory), "memory", f"the memory of {unit}")
        elif state == "active" and self.limits["memory"].asked:
            finding.problem(f"systemd does not account for the memory of {unit}: set MemoryAccounting=yes", UNKNOWN)
        return finding

    def _show(self, unit: str, deadline: Deadline) -> dict[str, str]:
        deadline.doing = "querying systemd"
        argv = ["systemctl", "--" + self.options["scope"], "show", "--property=" + ",".join(_PROPERTIES), "--", unit]
        status, output, errors = execute(argv, deadline)
        if status != 0:
            lines = errors.strip().splitlines() or [f"it exited with status {status}"]
            raise ProbeFailed(f"systemctl: {lines[0]}", UNKNOWN)
        return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)


def _since(found: dict[str, str]) -> str:
    entered = found.get("ActiveEnterTimestampMonotonic", "")
    if not entered.isdigit() or entered == "0":
        return ""
    return f" for {format_duration(max(0.0, time.monotonic() - int(entered) / 1e6))}"
