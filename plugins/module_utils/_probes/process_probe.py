# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""process: whether processes run, how many, for how long, and with how much memory."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Optional

from .._core.errors import InvalidRequest
from .._core.processes import Process, others
from .._core.units import format_duration, format_size
from .base import BELOW, UNKNOWN, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed
from .cpu_probe import interval, wait
from .mounts import Mounts


class ProcessProbe(BaseProbe):
    SUMMARY = "Checks processes. Conditions apply to each process, except for memory and descriptors, which are totals."
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "process": Option("text", "Name of the program, as shown by `ps -o comm` (at most 15 characters)."),
        "pattern": Option("regular expression", "Pattern that the command line must match."),
        "user": Option("text", "User that the processes must belong to."),
        "pid_file": Option("path", "File that contains the process ID."),
        "count": Option("ranges", "Number of processes that is ok.", ["1-1000000"]),
        "cpu_duration": Option(
            "duration",
            (
                "Interval over which CPU usage is measured, at most 60s. The default is 1s with `cpu_warn` or "
                "`cpu_crit`. Otherwise, CPU usage is not measured."
            ),
        ),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("bytes", "Total resident memory of all processes."),
        Limit("count", "Total open file descriptors of all processes, if they can be determined.", name="descriptors"),
        Limit("percent", "Open file descriptors of the process that is closest to its limit.", name="descriptors_used"),
        Limit("s", "Time since the most recently started process was started.", BELOW, name="age"),
        Limit(
            "percent",
            "Total CPU usage of all processes, in percent of one CPU (as in `top`).",
            name="cpu",
            open_ended=True,
        ),
    )
    searches = True

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        super().__init__(options, limits)
        if not (options["process"] or options["pattern"] or options["user"] or options["pid_file"]):
            raise InvalidRequest("one of process, pattern, user and pid_file is required.")
        if limits["cpu"].asked or options["cpu_duration"] is not None:
            self.duration = interval(
                1.0 if options["cpu_duration"] is None else options["cpu_duration"], "cpu_duration"
            )

    def run(self, deadline: Deadline) -> Finding:
        what = self._what()
        deadline.doing = f"finding processes of {what}"
        found = list(self._matching(deadline))
        finding = self.finding()
        memory = sum(one.memory for one in found)
        if not any(low <= len(found) <= high for low, high in self.options["count"]):
            finding.problem(f"{_processes(len(found))} of {what}")
        finding.good = f"{_processes(len(found))} of {what}, {format_size(memory)}"
        finding.metric("processes", len(found), "count")
        if found:
            finding.measure(memory, what=f"the memory of {what}")
            descriptors = [one.descriptors for one in found if one.descriptors is not None]
            hidden = sum(1 for one in found if one.descriptors is None and one.state != "Z")
            if hidden:
                self._not_seen(hidden, what, finding)
            elif descriptors:
                finding.measure(sum(descriptors), "descriptors", f"the number of open files of {what}")
                used = max(one.used for one in found if one.used is not None)
                finding.measure(round(used, 2), "descriptors_used", f"the share of open files of {what}")
            age = min(one.age for one in found)
            finding.good += f", for {format_duration(age)}"
            finding.measure(round(age, 2), "age", f"the age of {what}")
        if self.duration:
            began = time.monotonic()
            wait(self.duration, deadline)
            finding.measure(_used(found, time.monotonic() - began), "cpu", f"the CPU usage of {what}")
        if os.geteuid() != 0 and _hides_others():
            finding.problem(
                "processes of other users can't be seen (/proc has hidepid): run as root (become: true)", UNKNOWN
            )
        zombies = sum(1 for one in found if one.state == "Z")
        if zombies:
            finding.problem(
                f"{_processes(zombies)} of {what} in state zombie (ended, but not waited for by the parent)"
            )
        return finding

    def _not_seen(self, hidden: int, what: str, finding: Finding) -> None:
        if self.limits["descriptors"].asked or self.limits["descriptors_used"].asked:
            those = f"{_processes(hidden)} of {what}"
            finding.problem(f"the open files of {those} can't be seen: run as root (become: true)", UNKNOWN)

    def _what(self) -> str:
        options = self.options
        pattern = options["pattern"].pattern if options["pattern"] else None
        return str(options["process"] or pattern or options["pid_file"] or f"user {options['user']}")

    def _matching(self, deadline: Deadline) -> Iterator[_Process]:
        options = self.options
        user = self._user() if options["user"] else None
        pid = self._pid() if options["pid_file"] else None
        with open("/proc/uptime", encoding="ascii") as handle:
            uptime = float(handle.read().split()[0])
        # without this process: its own command line may hold the pattern
        for process in others() if pid is None else [Process(pid)]:
            deadline.left()
            try:
                if user is not None and process.owner() != user:
                    continue
                found = _read(process, uptime)
                if options["process"] and found.name != options["process"][:15]:
                    continue
                if options["pattern"] and not options["pattern"].search(_command_line(process)):
                    continue
                yield _with_descriptors(found)
            except (OSError, ValueError, IndexError):  # it has ended in the meantime
                continue

    def _user(self) -> int:
        user = self.options["user"]
        try:
            return int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
        except KeyError:
            raise ProbeFailed(f"the user {user} does not exist", UNKNOWN) from None

    def _pid(self) -> int:
        path = self.options["pid_file"]
        try:
            with open(path, encoding="ascii", errors="replace") as handle:
                text = handle.read(64).strip()
        except OSError as exc:
            raise ProbeFailed(f"{path}: {exc.strerror}") from None
        if not text.isdigit():
            raise ProbeFailed(f"{path} does not contain a process ID")
        return int(text)


class _Process(NamedTuple):
    process: Process
    started: int  # in ticks since the host started
    ticks: int  # of processor time
    name: str
    state: str
    age: float
    memory: int
    descriptors: Optional[int] = None
    used: Optional[float] = None


def _read(process: Process, uptime: float) -> _Process:
    before, _bracket, after = process.read("stat").decode("utf-8", "replace").rpartition(")")
    fields = after.split()
    age = uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return _Process(
        process,
        int(fields[19]),
        int(fields[11]) + int(fields[12]),
        before.partition("(")[2],
        fields[0],
        max(0.0, age),
        int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
    )


def _used(processes: Sequence[_Process], seconds: float) -> float:
    """Percent of one CPU that they have used since they were read. Processes that have ended are ignored."""
    ticks = 0
    for one in processes:
        with contextlib.suppress(OSError, ValueError, IndexError):
            now = _read(one.process, 0.0)
            if now.started == one.started:
                ticks += now.ticks - one.ticks
    return round(100.0 * ticks / os.sysconf("SC_CLK_TCK") / seconds, 2)


def _command_line(process: Process) -> str:
    return b" ".join(process.arguments())[: 1 << 16].decode("utf-8", "replace").strip()


def _with_descriptors(found: _Process) -> _Process:
    try:
        count = len(found.process.descriptors())
        lines = found.process.read("limits").decode("ascii").splitlines()
        limit = next(line.split()[3] for line in lines if line.startswith("Max open files"))
    except (OSError, StopIteration):  # a process of another user
        return found
    return found._replace(descriptors=count, used=0.0 if limit == "unlimited" else 100.0 * count / int(limit))


def _hides_others() -> bool:
    proc = Mounts().find("/proc")
    return proc is not None and any(
        re.fullmatch("hidepid=(1|2|4|noaccess|invisible|ptraceable)", one) for one in proc.options
    )


def _processes(count: int) -> str:
    return f"{count} {('process' if count == 1 else 'processes')}"
