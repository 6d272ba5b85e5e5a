# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that the report of a fleet proposes, quoted for a shell."""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote
from typing import Any

MANY = 3  # more hosts than this are named by a file (-l @FILE)


class Commands:
    """Commands for one host. Those that differ in the host alone can be made one (`together`).

    :param inventory: what follows `-i`, quoted.
    """

    def __init__(self, inventory: str, host: str) -> None:
        self._inventory, self._host = inventory, quote(host)

    def backup(self) -> str:
        return self._playbook("backup")

    def status(self) -> str:
        return self._playbook("backup_status")

    def verify(self) -> str:
        return self.status() + " -e store_backup_verify=full"

    def drill(self, name: str) -> str:
        return self._playbook("drill") + f" -e day2_drill_set={quote(name)}"

    def health(self) -> str:
        return self._playbook("check_health")

    def jobs(self) -> str:
        return self._on_host("-b -a 'day2 status'")

    def disk_usage(self, path: str) -> str:
        return self._on_host(f"-b -a {quote('du -xh -d 2 ' + quote(path))}")

    def keep_evidence(self) -> str:
        return self._on_host("-b -a 'cp -a /var/lib/day2/state/evidence /root/'")

    def ping(self) -> str:
        return self._on_host("-m ansible.builtin.ping")

    def _playbook(self, name: str) -> str:
        return f"ansible-playbook day2.ops.{name} -i {self._inventory} -l {self._host}"

    def _on_host(self, rest: str) -> str:
        return f"ansible all -i {self._inventory} -l {self._host} {rest}"


class Limits:
    """Files with the names of hosts, which commands for many hosts name. They are written beside the page."""

    def __init__(self) -> None:
        self.files: dict[str, list[str]] = {}

    def together(self, members: Iterable[dict[str, Any]], code: str) -> list[dict[str, str]]:
        """What to do for all members ({host, do, command}): commands that differ in the host alone are one."""
        steps: dict[tuple[str, str], tuple[dict[str, Any], list[str]]] = {}
        for one in members:
            before, named, after = one["command"].partition(f" -l {quote(one['host'])}")
            key = (before, after) if named else (one["command"], "\0")
            hosts = steps.setdefault(key, (one, []))[1]
            if one["host"] not in hosts:
                hosts.append(one["host"])
        return [
            {"do": one["do"], "command": self._command(before, after, hosts, code)}
            for (before, after), (one, hosts) in steps.items()
        ]

    def _command(self, before: str, after: str, hosts: list[str], code: str) -> str:
        if after == "\0":
            return before
        if len(hosts) <= MANY:
            return f"{before} -l {quote(','.join(hosts))}{after}"
        name = f"limits/{code.replace('_', '-')}-{len(self.files) + 1}.txt"
        self.files[name] = hosts
        return f"{before} -l {quote('@' + name)}{after}"
