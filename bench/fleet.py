# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# peers: zstd=zstd
"""Tasks for a fleet of simulated hosts (local connections on this machine), in units of `ansible.builtin.ping`.

One ansible-playbook runs all tasks in turn, five times; each is compared with the ping just before it on as many hosts,
and the median of these ratios counts. The start of ansible-playbook is not part of it. `--hosts=N`: not 200 of them.

What to back up is a value of the inventory, as for the roles: to compile templates of paths that only simulated hosts
have takes ansible-core 2 ms each.
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


# Bytes that tasks send: of [[module, arguments], ...], as their action plugins choose the code.
PAYLOAD = """
import json, sys
from pathlib import Path
from ansible import constants as C
from ansible.executor.module_common import modify_module
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, module_loader
from ansible.template import Templar
init_plugin_loader()
from ansible_collections.day2.ops.plugins.plugin_utils.payload import payload
found, templar = {"ansible_python_interpreter": "/usr/bin/python3"}, Templar(DataLoader())
sizes = []
for name, arguments in json.loads(sys.argv[1]):
    path = Path(module_loader.find_plugin(name))
    if name.startswith("day2.ops."):
        path = payload(path, arguments, Path(C.DEFAULT_LOCAL_TMP)) or path
        module_loader.add_directory(str(path.parent))
    which = {"module_name": path.stem, "module_path": str(path), "module_args": {}, "templar": templar}
    made = modify_module(**which, task_vars=found, module_compression="ZIP_DEFLATED")
    sizes.append(len(made.b_module_data if hasattr(made, "b_module_data") else made[0]))
print(json.dumps(sizes))
"""
SQLITE = {"type": "sqlite", "path": "/srv/app.db"}
# What is sent for a task of each module, beside the action plugin of job_info, which sends none of this collection.
SENT: list[tuple[str, str, dict[str, Any]]] = [
    *((one, f"day2.ops.{one}", {}) for one in ("backup_copy", "backup_info", "cache_clean", "health_info")),
    *((one, f"day2.ops.{one}", {}) for one in ("lifecycle", "lifecycle_info", "log_report", "log_rotate")),
    *((one, f"day2.ops.{one}", {}) for one in ("postgresql_pitr", "records_validate", "retention", "store_info")),
    *((f"{one}, SQLite", f"day2.ops.{one}", {"source": SQLITE}) for one in ("backup", "migrate", "migrate_info")),
    *(
        (f"{one}, SQLite", f"day2.ops.{one}", {"store": SQLITE})
        for one in ("purge", "records_update", "store_optimize")
    ),
    ("restore, SQLite", "day2.ops.restore", {"target": SQLITE}),
    ("backup, all types", "day2.ops.backup", {}),
    ("health_check, disk", "day2.ops.health_check", {"checks": [{"type": "disk"}]}),
    ("jobs, backup of SQLite", "day2.ops.jobs", {"jobs": [{"verb": "backup", "arguments": {"source": SQLITE}}]}),
]


def host(work: Path, name: str) -> dict[str, Any]:
    """The variables of a host: the arguments of its backups."""
    source, repository = {"type": "json", "path": f"{work}/{name}.json"}, f"{work}/repository/{name}"
    backups = [{"name": f"set{one}", "source": source, "repository": repository} for one in range(JOBS)]
    jobs = [{"name": str(one), "verb": "backup", "arguments": arguments} for one, arguments in enumerate(backups)]
    return {"source": source, "repository": repository, "jobs": jobs}


def tasks() -> list[dict[str, Any]]:
    backup = {"name": "set0", "source": "{{ source }}", "repository": "{{ repository }}"}
    return [
        {"name": "ping", "ansible.builtin.ping": {}},
        {"name": "backup", "day2.ops.backup": backup},
        {"name": "ping", "ansible.builtin.ping": {}},
        {"name": "jobs", "day2.ops.jobs": {"jobs": "{{ jobs }}"}},
        {"name": "ping", "ansible.builtin.ping": {}},
        {"name": "job_info", "day2.ops.job_info": {"path": "{{ fleet }}/summary.json"}},
        {"name": "ping", "ansible.builtin.ping": {}},
        {"name": "pushed", "day2.ops.job_info": {"pushed": "{{ fleet }}/summary.json"}},
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
    inventory = work / "hosts.json"
    command = ["ansible-playbook", "-i", str(inventory), str(work / "play.json")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found = json.loads(times.read_text()) if times.exists() else {"failed": ["?"]}
    if done.returncode or found["failed"]:
        raise SystemExit(f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
    marks = found["times"]
    return [(one[0], after[1] - one[1], after[2] - one[2]) for one, after in zip(marks, marks[1:])]


def payloads(work: Path, tasks: list[tuple[str, dict[str, Any]]]) -> list[int]:
    """Bytes that tasks send, each with its module and its arguments."""
    command = [sys.executable, "-c", PAYLOAD, json.dumps(tasks)]
    environment = dict(ENVIRONMENT, ANSIBLE_LOCAL_TEMP=str(work / "payloads"))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    sizes: list[int] = json.loads(done.stdout)
    return sizes


def main() -> None:
    (work,) = fresh("fleet")
    work.mkdir()
    work.joinpath("bench_times.py").write_text(CALLBACK)
    names = [f"host{number:03}" for number in range(HOSTS)]
    for name in names:
        work.joinpath(f"{name}.json").write_text(json.dumps({"things": [{"id": str(one)} for one in range(100)]}))
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "fleet": str(work)}
    inventory = {"all": {"hosts": {name: host(work, name) for name in names}, "vars": variables}}
    work.joinpath("hosts.json").write_text(json.dumps(inventory))
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
    print(f"  {'job_info, pushed':34}{middle['pushed']:9.2f} x")
    seconds = statistics.median(one[2] for one in times[::2]) / HOSTS
    print(f"  {'ping, processor time for a host':34}{seconds:9.3f} s")
    for name, values in work_ratios.items():
        print(f"  {name + ', processor time':34}{statistics.median(values):9.2f} x")
    asked = [
        ("ansible.builtin.ping", {}),
        ("ansible.builtin.slurp", {}),
        *((name, given) for _row, name, given in SENT),
    ]
    ping, slurp, *others = payloads(work, asked)
    table.ratio("job_info beside ping", (slurp - ping) / 1000, 5.0, "kB")
    for (row, _name, _given), size in zip(SENT, others):
        print(f"  {row + ' beside ping':34}{(size - ping) / 1000:9.1f} kB")
    table.end()


if __name__ == "__main__":
    main()
