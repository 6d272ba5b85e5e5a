# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# peers: jq=jq taskset=util-linux
"""log_report on 1 GB of JSON lines on one core, beside jq and beside json.loads line by line (on a tenth of it)."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from common import REPEAT, SCALE, Table, best, fresh, module, settle, shell

BYTES = 1_000_000_000 // SCALE
CORE = min(os.sched_getaffinity(0))
JQ = "jq -r '[.operation, .duration_ms, .status] | @tsv'"
AWK = "awk '{n[$1]++; s[$1] += $2; e += $3 >= 500} END {for (o in n) print o, n[o], s[o] / n[o], e}'"
LOADS = """
import json, sys
from collections import defaultdict
durations, errors = defaultdict(list), 0
for line in open(sys.argv[1], encoding="utf-8"):
    record = json.loads(line)
    durations[record["operation"]].append(record["duration_ms"])
    errors += record["status"] >= 500
print({name: sorted(values)[len(values) * 95 // 100] for name, values in durations.items()}, errors)
"""


def write(path: Path, wanted: int) -> None:
    """Lines as the requirements show them: eight fields, 240 bytes, one in twenty an error with a field more."""
    chance = random.Random(1)
    moment, size = 1_750_000_000.0, 0
    operations = [f"operation_{number}" for number in range(24)]
    with path.open("wb") as handle:
        while size < wanted:
            lines = []
            for dummy in range(10000):
                moment += 0.003
                status = chance.choices((200, 201, 404, 500, 503), (80, 10, 5, 3, 2))[0]
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
                record: dict[str, Any] = {
                    "timestamp": f"{stamp}.{moment % 1 * 1000:03.0f}Z",
                    "level": "ERROR" if status >= 500 else "INFO",
                    "logger": "services.ingest",
                    "message": "Processing has finished for the client",
                    "run_id": f"550e8400-e29b-41d4-a716-{chance.getrandbits(48):012x}",
                    "operation": chance.choice(operations),
                    "status": status,
                    "duration_ms": round(chance.lognormvariate(3, 1), 3),
                }
                if status >= 500:
                    record["error_code"] = "E_TIMEOUT" if status == 503 else "E_INTERNAL"
                lines.append(json.dumps(record).encode() + b"\n")
            block = b"".join(lines)
            # The same ten thousand lines ten times: making them takes ten times as long as reading them.
            for dummy in range(10):
                handle.write(block)
            size += 10 * len(block)


def main() -> None:
    table = Table()
    path, small = fresh("app.log", "small.log")
    write(path, BYTES)
    write(small, BYTES // 10)
    size, small_size = path.stat().st_size / 1e6, small.stat().st_size / 1e6
    os.sched_setaffinity(0, {CORE})  # what is started from here on inherits it
    table.title(f"{size:.0f} MB of JSON lines on one core: rate, percentiles, errors, the slowest operations")
    seconds, peak = [], 0.0
    for dummy in range(REPEAT):
        settle()
        result = module("log_report", paths=[str(path)])
        seconds.append(result["duration_s"])
        peak = max(peak, result["peak_mib"])
    rate = size / min(seconds)
    table.row("day2.ops log_report", min(seconds), f"{rate:.0f} MB/s, {result['total']} lines")
    loads = best(lambda: shell(f"{sys.executable} -c '{LOADS}' {small}"))
    table.row("json.loads, all values in memory", loads, f"{small_size / loads:.0f} MB/s")
    table.ratio("of the time of json.loads", small_size / loads / rate, 0.85)
    table.ratio("peak memory", peak, 64, "MiB")
    piped = best(lambda: shell(f"{JQ} {small} | {AWK}"))
    table.row("jq | awk, means only", piped, f"{small_size / piped:.0f} MB/s")
    fresh("app.log", "small.log")
    print(f"\n{'A promise was missed.' if table.failed else 'All promises hold.'}")


if __name__ == "__main__":
    main()
