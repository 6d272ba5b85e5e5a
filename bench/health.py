# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# peers: nginx=nginx-light openssl=openssl prometheus-blackbox-exporter=prometheus-blackbox-exporter
# peers: /usr/lib/nagios/plugins/check_http=monitoring-plugins-basic
"""Health checks of many endpoints on loopback, beside check_http and blackbox_exporter, in one run.

The endpoints are those of one nginx. What never answers is a listener of our own that takes connections and says
nothing. What is compared takes turns, and the fastest of each counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from common import ENVIRONMENT, REPEAT, ROOT, SCALE, Memory, Table, best

sys.path.insert(0, str(ROOT))
from tests.services.local import free_ports, running, wait_for_port
from tests.services.nginx import Nginx, nginx

COUNT = 1000 // SCALE
CHECK_HTTP = "/usr/lib/nagios/plugins/check_http"
MODULES = {"modules": {"ok": {"prober": "http", "timeout": "5s"}}}


def play(directory: Path, task: dict[str, Any]) -> float:
    """Seconds that ansible-playbook takes for a play of one task."""
    path = directory / "play.json"
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    began = time.perf_counter()
    command = ["ansible-playbook", "-i", "localhost,", "-c", "local", str(path)]
    done = subprocess.run(command, check=False, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - began


def measured(directory: Path, checks: list[dict[str, Any]], timeout: str) -> dict[str, Any]:
    """The result of a task with these checks, and the peak of its memory."""
    path, out = directory / "play.json", directory / "result.json"
    tasks = [
        {"day2.ops.health_check": {"checks": checks, "timeout": timeout, "fail_on": "never"}, "register": "found"},
        {"ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": str(out), "mode": "0600"}},
    ]
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    memory = Memory("AnsiballZ_health_check")
    memory.start()
    command = ["ansible-playbook", "-i", "localhost,", "-c", "local", str(path)]
    done = subprocess.run(command, check=False, env=ENVIRONMENT, capture_output=True, text=True)
    peak = memory.stop()
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    result: dict[str, Any] = json.loads(out.read_text())
    return dict(result, peak_mib=peak)


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit[1], 65536), limit[1]))
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    taken: list[socket.socket] = []

    def loop() -> None:
        with contextlib.suppress(OSError):
            while True:
                taken.append(listener.accept()[0])

    threading.Thread(target=loop, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for one in taken:
        one.close()


def check_http(web: Nginx) -> float:
    """Once for each endpoint, sixteen at a time."""
    command = ["xargs", "-P", "16", "-I{}", CHECK_HTTP, "-H", "127.0.0.1", "-p", str(web.http), "-u", "/n/{}"]
    numbers = "\n".join(map(str, range(COUNT)))
    began = time.perf_counter()
    subprocess.run(command, check=True, input=numbers, text=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def blackbox(directory: Path, web: Nginx) -> float:
    """One probe for each endpoint, sixteen at a time, as Prometheus would ask for them."""
    (port,) = free_ports(1)
    (directory / "blackbox.yml").write_text(json.dumps(MODULES))
    command = [
        *("prometheus-blackbox-exporter", f"--config.file={directory}/blackbox.yml"),
        *(f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"),
    ]

    def ask(number: int) -> None:
        connection = HTTPConnection("127.0.0.1", port)
        connection.request("GET", f"/probe?module=ok&target=http://127.0.0.1:{web.http}/n/{number}")
        if b"probe_success 1" not in connection.getresponse().read():
            raise SystemExit("blackbox_exporter: a probe failed")
        connection.close()

    with running(command, directory) as process, ThreadPoolExecutor(16) as pool:
        wait_for_port(port, process)

        def once() -> float:
            began = time.perf_counter()
            list(pool.map(ask, range(COUNT)))
            return time.perf_counter() - began

        return best(once)


def bare(web: Nginx) -> float:
    """Seconds of one request over http.client, without anything else: the median of them."""
    times = []
    for number in range(COUNT):
        began = time.perf_counter()
        connection = HTTPConnection("127.0.0.1", web.http)
        connection.request("GET", f"/n/{number}", headers={"Connection": "close"})
        connection.getresponse().read()
        connection.close()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def probe_alone(web: Nginx) -> float:
    """Seconds of one check, specification and outcome included: the median of them."""
    from ansible_collections.day2.ops.plugins.module_utils._verbs.health.pool import Job, look_once
    from ansible_collections.day2.ops.plugins.module_utils._verbs.health.specification import read_checks

    times = []
    for number in range(COUNT):
        given = [{"name": "it", "type": "http", "url": f"{web.url}/n/{number}"}]
        began = time.perf_counter()
        (check,) = read_checks(given, {"timeout": "5s", "retries": 0, "interval": 0})
        if look_once(Job(check)).status != "ok":
            raise SystemExit("a check failed")
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    table = Table()
    sys.path.insert(0, os.environ["ANSIBLE_COLLECTIONS_PATH"])
    with tempfile.TemporaryDirectory() as name, nginx(Path(name)) as web:
        directory = Path(name)
        checks = [{"name": f"e{n}", "type": "http", "url": f"{web.url}/n/{n}"} for n in range(COUNT)]

        table.title(f"{COUNT:,} endpoints: a whole play")
        pings, plays = [], []
        for dummy in range(REPEAT):
            pings.append(play(directory, {"ansible.builtin.ping": {}}))
            plays.append(play(directory, {"day2.ops.health_check": {"checks": checks}}))
        table.row("day2.ops", min(plays))
        table.row("ansible.builtin.ping", min(pings))
        table.ratio("more than ping", min(plays) - min(pings), 0.9, "s")

        table.title(f"{COUNT:,} endpoints: the checks")
        results, peers = [], []
        for dummy in range(REPEAT):
            results.append(measured(directory, checks, "5s"))
            peers.append(check_http(web))
        ours, peer = min(one["duration_s"] for one in results), min(peers)
        table.row("day2.ops", ours, f"peak {max(one['peak_mib'] for one in results):.0f} MiB")
        table.row("check_http, xargs -P 16", peer)
        table.row("blackbox_exporter, 16 at a time", blackbox(directory, web))
        table.ratio("to check_http", ours / peer, 0.4)
        table.ratio("peak memory", max(one["peak_mib"] for one in results), 128, "MiB")

        table.title("One check, the median")
        alone, request = probe_alone(web), bare(web)
        table.row("day2.ops", alone)
        table.row("http.client", request)
        table.ratio("overhead", 1000 * (alone - request), 2, "ms")

        table.title(f"{2 * COUNT:,} endpoints, of which a tenth never answers, time-out 3 s")
        with black_hole() as port:
            mixed = [
                {"name": f"e{n}", "type": "http", "url": f"http://127.0.0.1:{port if n % 10 == 0 else web.http}/n/{n}"}
                for n in range(2 * COUNT)
            ]
            result = measured(directory, mixed, "3s")
        wrong = result["summary"]["critical"] != COUNT // 5 or result["summary"]["ok"] != COUNT // 5 * 9
        table.row("day2.ops", result["duration_s"], "WRONG ANSWERS" if wrong else f"peak {result['peak_mib']:.0f} MiB")
        table.ratio("all of it", result["duration_s"], 4, "s")
        table.ratio("peak memory", result["peak_mib"], 128, "MiB")
    table.end()


if __name__ == "__main__":
    main()
