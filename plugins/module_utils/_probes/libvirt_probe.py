# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""libvirt: whether it responds, domains run, and storage pools are active and not full.

It uses `virsh`, which each such host has; the Python binding of libvirt would have to match the library of the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from .._core.units import plural
from .base import BELOW, UNKNOWN, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed
from .programs import execute

_STATES = ("running", "idle", "paused", "in shutdown", "shut off", "crashed", "pmsuspended")


class LibvirtProbe(BaseProbe):
    SUMMARY = "Connects to libvirt and checks domains, storage pools and networks. Requires `virsh`."
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "uri": Option("text", "Connection URI, for example `qemu+ssh://HOST/system`.", "qemu:///system"),
        "domains": Option("list", "Domains that must exist and be in one of the states of `state`."),
        "state": Option("list", "States of `domains` that are ok.", ["running"], choices=_STATES),
        "pools": Option("list", "Storage pools that must be active."),
        "networks": Option("list", "Networks that must be active."),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("count", "Running domains.", BELOW),
        Limit("percent", "Used space of the fullest of `pools`.", warn=80, crit=90, name="pool"),
        Limit("s", "Time to connect and list.", name="time"),
    )

    def run(self, deadline: Deadline) -> Finding:
        options = self.options
        deadline.doing = f"querying {options['uri']}"
        domains = _table(self._virsh(deadline, "list", "--all"))
        taken = deadline.elapsed()
        finding = self.finding()
        running = [name for name, state in domains.items() if state in ("running", "idle")]
        finding.good = f"{options['uri']} responds, {plural(len(running), 'running domain')}"
        for name in options["domains"] or ():
            if name not in domains:
                finding.problem(f"the domain {name} does not exist")
            elif domains[name] not in options["state"]:
                finding.problem(f"the domain {name} is {domains[name]}")
        for name, state in domains.items():
            if state == "crashed" and name not in (options["domains"] or ()):
                finding.problem(f"the domain {name} has crashed")
        if options["pools"]:
            self._pools(deadline, finding)
        if options["networks"]:
            networks = _table(self._virsh(deadline, "net-list", "--all"), numbered=False)
            for name in options["networks"]:
                if networks.get(name) != "active":
                    finding.problem(f"the network {name} is {networks.get(name, 'missing')}")
        finding.measure(len(running), what="the number of running domains")
        finding.metric("domains", len(domains), "count")
        finding.measure(taken, "time", f"the response time of {options['uri']}")
        return finding

    def _pools(self, deadline: Deadline, finding: Finding) -> None:
        states = _table(self._virsh(deadline, "pool-list", "--all"), numbered=False)
        fullest = None
        for name in self.options["pools"]:
            if states.get(name) != "active":
                finding.problem(f"the pool {name} is {states.get(name, 'missing')}")
                continue
            lines = self._virsh(deadline, "pool-info", "--bytes", "--pool", name).splitlines()
            info = {key.strip(): value.strip() for key, _colon, value in (line.partition(":") for line in lines)}
            try:
                percent = 100.0 * int(info["Allocation"]) / int(info["Capacity"])
            except (KeyError, ValueError, ZeroDivisionError):
                continue  # some types of pools have no size
            fullest = max(fullest or (percent, name), (percent, name))
        if fullest:
            finding.measure(round(fullest[0], 2), "pool", f"the used space of the pool {fullest[1]}")

    def _virsh(self, deadline: Deadline, *words: str) -> str:
        uri = self.options["uri"]
        status, output, errors = execute(["virsh", "--quiet", "--connect", uri, *words], deadline)
        if status != 0:
            lines = [line for line in errors.strip().splitlines() if line.startswith("error: ")] or [errors.strip()]
            text = lines[-1].replace("error: ", "")
            raise ProbeFailed(
                f"{uri}: {text}", UNKNOWN if "uthentication" in text or "ermission" in text else "critical"
            )
        return output


def _table(text: str, numbered: bool = True) -> dict[str, str]:
    """The columns of virsh: (id,) name, state, …; they are separated by two or more spaces."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("  ") if cell.strip()]
        if numbered:
            cells = cells[1:]
        if len(cells) >= 2:
            found[cells[0]] = cells[1]
    return found
