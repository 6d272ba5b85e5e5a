# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts 50 jobs at once, copies of the job "tree" with sets of their own, and half of them with one set. Replaces the
program meanwhile, as an upgrade does.

Fails unless all succeed, no more run at once than the host has cores, and memory is bounded.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

COUNT = 50
PER_JOB = 25 << 10  # KiB of memory that a job may take, waiting or running
PROGRAM = Path("/usr/local/bin/day2")
JOBS, UNITS = Path("/etc/day2/jobs"), Path("/etc/systemd/system")
JOURNAL = Path("/var/lib/day2/state/jobs/journal.jsonl")
NAMES = [f"many{number}" for number in range(COUNT)]


def memory(pid: str) -> int:
    """KiB, of what it shares its part."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc", pid, "smaps_rollup").read_text(encoding="ascii").splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("Pss:")))
    return 0


def output(*command: str) -> str:
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


def look() -> tuple[int, int, int]:
    """How many of the jobs have a process, how many of these run rather than wait, and their memory in KiB."""
    processes, total, running = 0, 0, 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            words = entry.joinpath("cmdline").read_bytes().split(b"\0")
            if b"/usr/local/bin/day2" in words and any(one.startswith(b"many") for one in words):
                processes += 1
                total += memory(entry.name)
    for name in NAMES:
        with contextlib.suppress(OSError, ValueError):
            noted = json.loads(Path("/var/lib/day2/state/jobs/locks", name).read_text(encoding="ascii"))
            running += noted["activity"] == "running"
    return processes, running, total


def replace_program(content: bytes) -> None:
    """By a rename."""
    new = PROGRAM.with_name(".day2.new")
    new.write_bytes(content)
    new.chmod(0o755)
    new.replace(PROGRAM)


def upgraded(content: bytes) -> bytes:
    """Another version: all files but the first lie elsewhere, so who mixes the two up reads nonsense."""
    shebang = content[: content.index(b"\n") + 1]
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        first, *others = old.infolist()
        new.writestr(first, old.read(first))
        new.writestr("more", os.urandom(9999))
        for one in others:
            new.writestr(one, old.read(one))
    return shebang + made.getvalue()


job = json.loads(JOBS.joinpath("tree.json").read_text(encoding="utf-8"))
unit = UNITS.joinpath("day2-tree.service").read_text(encoding="utf-8")
for number, name in enumerate(NAMES):
    arguments = {**job["arguments"], "name": name if number % 2 else "shared"}
    path = JOBS / f"{name}.json"
    path.write_text(json.dumps({**job, "arguments": arguments}), encoding="utf-8")
    path.chmod(0o600)
    UNITS.joinpath(f"day2-{name}.service").write_text(unit.replace("run tree", f"run {name}"), encoding="utf-8")
subprocess.run(["systemctl", "daemon-reload"], check=True)
began = time.monotonic()
subprocess.run(["systemctl", "start", "--no-block", *(f"day2-{name}" for name in NAMES)], check=True)
original = PROGRAM.read_bytes()
upgrade = upgraded(original)
replaced = False
most_processes = most_running = most_memory = 0
waits = ""
while True:
    processes, running, total = look()
    most_processes, most_running = max(most_processes, processes), max(most_running, running)
    most_memory = max(most_memory, total)
    if running and not replaced:
        replace_program(upgrade)
        replaced = True
    if processes and not waits:
        said = output("/usr/local/bin/day2", "status", *NAMES)
        waits = "waiting for other jobs to end" if "(waiting for other jobs to end)" in said else ""
    states = output("systemctl", "is-active", *(f"day2-{name}.service" for name in NAMES)).split()
    if not {"activating", "active", "deactivating"} & set(states):
        break
    if time.monotonic() - began > 500:
        sys.exit("not within 500 seconds")
    time.sleep(0.2)
seconds = time.monotonic() - began
replace_program(original)
ends = [json.loads(line) for line in JOURNAL.read_text(encoding="utf-8").splitlines() if '"job": "many' in line]
ok = {one["job"] for one in ends if one["status"] == "ok"}
for name in NAMES:
    JOBS.joinpath(f"{name}.json").unlink()
    UNITS.joinpath(f"day2-{name}.service").unlink()
subprocess.run(["systemctl", "daemon-reload"], check=True)
subprocess.run(["/usr/local/bin/day2", "forget-removed"], check=True)
longest = max((one["waited_s"] for one in ends), default=0)
print(
    f"{len(ok)} of {COUNT} ok in {seconds:.0f} s, the longest wait {longest:.0f} s; "
    f"at most {most_processes} processes, {most_running} running, {most_memory >> 10} MiB"
)
if len(ok) < COUNT or any(one["status"] != "ok" for one in ends):
    sys.exit(f"not all succeeded: {[one['msg'] for one in ends if one['status'] != 'ok'][:3]}")
if most_running > len(os.sched_getaffinity(0)) or not waits:
    sys.exit("more jobs ran at once than the host has cores, or the status did not say that others wait")
if not replaced:
    sys.exit("the program was not replaced while jobs ran")
if most_memory > COUNT * PER_JOB:
    sys.exit("too much memory")
