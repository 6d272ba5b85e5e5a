# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a day of logs of two applications, as of now, plain and rotated: make_logs.py DIRECTORY."""

from __future__ import annotations

import gzip
import json
import lzma
import subprocess
import sys
import time
from pathlib import Path

directory = Path(sys.argv[1])
now = int(time.time())


def line(ago: int, operation: str, milliseconds: float, status: int = 200, **more: object) -> str:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now - ago)) + ".250Z"
    record = {
        "timestamp": stamp,
        "level": "INFO",
        "operation": operation,
        "status": status,
        "duration_ms": milliseconds,
    }
    return json.dumps({**record, **more}) + "\n"


def lines(hours: int) -> str:
    """A hundred lines in the middle of an hour: two errors, and an operation that is slow."""
    ago = hours * 3600 + 1800
    text = "".join(line(ago - number, "list", number) for number in range(1, 91))
    text += "".join(line(ago - number, "create?token=secret", 500 + number) for number in range(8))
    text += line(ago, "create", 2000, 503, level="ERROR", error_code="E_TIMEOUT")
    return text + line(ago, "list", 1, 500, level="ERROR", error='a "quoted" text')


(directory / "app.log").write_text(lines(0) + 'token=secret {"broken\n')
with gzip.open(directory / "app.log.1.gz", "wt") as handle:
    handle.write(lines(1))
subprocess.run(["zstd", "-q", "-o", str(directory / "app.log.2.zst")], input=lines(2).encode(), check=True)
with lzma.open(directory / "app.log.3.xz", "wt") as handle:
    handle.write(lines(30))
access = '10.0.0.1 - - [{}] "GET /redfish/v1/?k=secret HTTP/1.1" {} 512 "-" "curl" 0.0{}\n'
stamp_iso = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now - 60))
stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now - 60))
(directory / "access.log").write_text("".join(access.format(stamp, 502 if n == 9 else 200, n) for n in range(10)))
# Docker's file of a container whose application writes JSON without a time, and a stack trace.
wrapped = [json.dumps({"level": 50, "op": "save"}), "Traceback (most recent call last):", json.dumps({"level": 30})]
(directory / "container.log").write_text(
    "".join(json.dumps({"log": one + "\n", "stream": "stdout", "time": f"{stamp_iso}.5Z"}) + "\n" for one in wrapped)
)
odd = (
    f'10.0.0.1 - - [{stamp}] "-" 408 0 "-" "-" 60.0\n10.0.0.1 - - [{stamp}] "get /\\"x\\" HTTP/1.1" 500 0 "-" "-" 1.0\n'
)
(directory / "odd.log").write_text(odd)
