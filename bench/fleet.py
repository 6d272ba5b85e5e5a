# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# peers: zstd=zstd
"""Tasks for a fleet of simulated hosts (local connections on this machine), in units of `ansible.builtin.ping`.

One ansible-playbook runs all tasks in turn, five times; each is compared with the ping just before it on as many hosts,
and the median of these ratios counts. The start of ansible-playbook is not part of it. `--hosts=N`: not 200 of them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from common import ENVIRONMENT, SCALE, Table, fresh

HOSTS = next((int(one.partition("=")[2]) for one in sys.argv if one.startswith("--hosts=")), 200 // SCALE)
ROUNDS = 5
FORKS = 4
JOBS = 10
# When each task began, by the clock and by processor time, which includes modules, as they run on this machine.
CALLBACK = """
from __future__ import annotations
import json, os, time
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "bench_times"
    times = []
    def v2_playbook_on_task_start(self, task, is_conditional):
        self.times.append((task.get_name(), time.perf_counter(), sum(os.times()[:4])))
    def v2_playbook_on_stats(self, stats):
        self.times.append(("", time.perf_counter(), sum(os.times()[:4])))
        failed = sorted(host for host in stats.processed if stats.failures.get(host) or stats.dark.get(host))
        with open(os.environ["BENCH_TIMES"], "w") as file:
            json.dump({"times": self.times, "failed": failed}, file)
"""


PAYLOAD = """
import json, sys
from ansible.executor.module_common import modify_module
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, module_loader
from ansible.template import Templar
init_plugin_loader()
name, arguments = json.loads(sys.argv[1])
found = {"ansible_python_interpreter": "/usr/bin/python3"}
path, templar = module_loader.find_plugin(name), Templar(DataLoader())
made = modify_module(name, path, arguments, templar, task_vars=found, module_compression="ZIP_DEFLATED")
print(len(made.b_module_data if hasattr(made, "b_module_data") else made[0]))
"""


def backup(number: int) -> dict[str, Any]:
    """The arguments of one of the backups of a host."""
    return {
        "name": "{{ inventory_hostname }}-" + str(number),
        "source": {"type": "json", "path": "{{ fleet }}/{{ inventory_hostname }}.json"},
        "repository": "{{ fleet }}/repository/{{ inventory_hostname }}",
    }


def tasks() -> list[dict[str, Any]]:
    jobs = [{"name": str(one), "verb": "backup", "arguments": backup(one)} for one in range(JOBS)]
    return [
        {"name": "ping", "ansible.builtin.ping": {}},
        {"name": "backup", "day2.ops.backup": backup(0)},
        {"name": "ping", "ansible.builtin.ping": {}},
        {"name": "jobs", "day2.ops.jobs": {"jobs": jobs}},
        {"name": "ping", "ansible.builtin.ping": {}},
        {"name": "job_info", "day2.ops.job_info": {"path": "{{ fleet }}/summary.json"}},
    ]


def play(work: Path, rounds: int) -> list[tuple[str, float, float]]:
    """The tasks in turn: name, seconds of the clock, seconds of the processors."""
    playbook = [{"hosts": "all", "gather_facts": False, "tasks": tasks() * rounds}]
    work.joinpath("play.json").write_text(json.dumps(playbook))
    times = work / "times.json"
    environment = dict(
        ENVIRONMENT,
        ANSIBLE_CALLBACK_PLUGINS=str(work),
        ANSIBLE_CALLBACKS_ENABLED="bench_times",
        ANSIBLE_FORKS=str(FORKS),
        ANSIBLE_LOCALHOST_WARNING="0",
        BENCH_TIMES=str(times),
    )
    inventory = work / "hosts"
    command = ["ansible-playbook", "-i", str(inventory), str(work / "play.json")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found = json.loads(times.read_text()) if times.exists() else {"failed": ["?"]}
    if done.returncode or found["failed"]:
        raise SystemExit(f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
    marks = found["times"]
    return [(one[0], after[1] - one[1], after[2] - one[2]) for one, after in zip(marks, marks[1:])]


def payload(work: Path, module: str, arguments: dict[str, Any]) -> int:
    """Bytes that a task sends."""
    command = [sys.executable, "-c", PAYLOAD, json.dumps([module, arguments])]
    environment = dict(ENVIRONMENT, ANSIBLE_LOCAL_TEMP=str(work / "payloads"))
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    (work,) = fresh("fleet")
    work.mkdir()
    work.joinpath("bench_times.py").write_text(CALLBACK)
    names = [f"host{number:03}" for number in range(HOSTS)]
    for name in names:
        work.joinpath(f"{name}.json").write_text(json.dumps({"things": [{"id": str(one)} for one in range(100)]}))
    variables = f"[all:vars]\nansible_connection=local\nansible_python_interpreter={sys.executable}\nfleet={work}\n"
    work.joinpath("hosts").write_text("\n".join(names) + "\n" + variables)
    last = {"verb": "backup", "status": "ok", "began": 1, "seconds": 1, "failures": 0, "msg": "", "last_ok": 1}
    summary = {"schema": 1, "jobs": {f"job{one}": last for one in range(JOBS)}}
    work.joinpath("summary.json").write_text(json.dumps(summary))
    play(work, 1)  # makes the backups, so that all that is measured finds nothing to do

    table = Table()
    table.title(f"{HOSTS} hosts on this machine, {FORKS} forks, load {os.getloadavg()[0]:.0f}; in units of ping")
    times = play(work, ROUNDS)
    ratios: dict[str, list[float]] = {}
    work_ratios: dict[str, list[float]] = {}
    for (_ping, *base), (name, *measured) in zip(times[::2], times[1::2]):
        ratios.setdefault(name, []).append(measured[0] / base[0])
        work_ratios.setdefault(name, []).append(measured[1] / base[1])
    middle = {name: statistics.median(values) for name, values in ratios.items()}
    table.row("ping", statistics.median(one[1] for one in times[::2]))
    table.ratio("backup, unchanged", middle["backup"], 1.3)
    table.ratio(f"jobs, {JOBS} backups", middle["jobs"], 1.5)
    table.ratio(f"jobs, in units of {JOBS} tasks", middle["jobs"] / (JOBS * middle["backup"]), 0.13)
    table.ratio("job_info", middle["job_info"], 1.05)
    for name, values in work_ratios.items():
        print(f"  {name + ', processor time':34}{statistics.median(values):9.2f} x")
    ping = payload(work, "ansible.builtin.ping", {})
    # The action plugin of job_info sends no module of this collection.
    sent = {"backup": "day2.ops.backup", "backup_info": "day2.ops.backup_info", "job_info": "ansible.builtin.slurp"}
    for module, name in sent.items():
        more = (payload(work, name, {}) - ping) / 1000
        if module == "job_info":
            table.ratio(f"{module} beside ping", more, 5.0, "kB")
        else:
            print(f"  {module + ' beside ping':34}{more:9.1f} kB")
    table.end()


if __name__ == "__main__":
    main()
