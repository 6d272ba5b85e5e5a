# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nine tenths of a million keys of Redis are removed while a client reads; and KEYS with DEL, which people use."""
# peers: redis-server=redis-server

from __future__ import annotations

import multiprocessing
import sys
import time
from typing import Any, Callable

from common import ROOT, SCALE, Table, fresh

sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / ".cache" / "collections"))

from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._core.redis import Address, Redis
from ansible_collections.day2.ops.plugins.module_utils._verbs import cache_clean
from tests.services.redis import redis

KEYS = 1_000_000 // SCALE
FILL = """for i = 1, tonumber(ARGV[1]) do
  redis.call('SET', (i % 10 == 0 and 'session:' or 'cache:') .. i, string.rep('x', 100))
end"""


def connected(port: int) -> Redis:
    return Redis(Address("127.0.0.1", port, None, None), [], 60)


def read(port: int, ready: Any, stop: Any, report: Any) -> None:
    """A client: one GET every half millisecond. Reports how long it waited, in milliseconds."""
    waits = []
    with connected(port) as server:
        ready.set()
        while not stop.is_set():
            began = time.monotonic()
            server.ask("GET", "session:10")
            waits.append(1000 * (time.monotonic() - began))
            time.sleep(0.0005)
    waits.sort()
    report.put((waits[int(0.999 * len(waits))], waits[-1]))


def beside_client(port: int, action: Callable[[], None]) -> tuple[float, float, float]:
    """The seconds that it takes, and what the client waited: the 99.9th percentile, and at most."""
    context = multiprocessing.get_context("fork")
    ready, stop, report = context.Event(), context.Event(), context.Queue()
    client = context.Process(target=read, args=(port, ready, stop, report))
    client.start()
    ready.wait()
    began = time.monotonic()
    action()
    seconds = time.monotonic() - began
    stop.set()
    p999, most = report.get()
    client.join()
    return seconds, p999, most


def main() -> None:
    (directory,) = fresh("redis")
    directory.mkdir()
    spec = cache_clean.ARGUMENTS["argument_spec"]
    defaults = {name: one.get("default") for name, one in spec.items()}
    table = Table()
    with redis(directory) as port, connected(port) as server:

        def fill() -> None:
            server.ask("FLUSHALL")
            server.ask("EVAL", FILL, 0, KEYS)

        def usual() -> None:
            server.ask("DEL", *server.ask("KEYS", "cache:*"))

        def idle() -> None:
            time.sleep(5)

        table.title(f"{KEYS} keys in Redis, 9 of 10 are removed, while a client reads one every half millisecond")
        fill()
        seconds, p999, most = beside_client(port, idle)
        table.row("nothing", seconds, f"the client waited {p999:.1f} ms (99.9 %), up to {most:.0f} ms")
        seconds, p999, most = beside_client(port, usual)
        table.row("KEYS and DEL", seconds, f"the client waited {p999:.1f} ms (99.9 %), up to {most:.0f} ms")
        for name, options in (("by pattern", {}), ("without expiry", {"without_ttl": True})):
            fill()
            found: dict[str, Any] = {}

            def clean(found: dict[str, Any] = found, options: dict[str, Any] = options) -> None:
                values = {**defaults, "pattern": "cache:*", "port": port, **options}
                found.update(cache_clean.run(values, False, Progress("")))

            seconds, p999, most = beside_client(port, clean)
            rate = found["removed"] / seconds
            table.row(f"day2.ops {name}", seconds, f"{rate:.0f} keys/s, the client waited up to {most:.0f} ms")
            table.ratio("wait of the client, 99.9 %", p999, 10, "ms")
    table.end()


if __name__ == "__main__":
    main()
