# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what jobs with on_change back up: in bursts, then nothing, then without a pause.

Fails if a write is in no backup."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

JOBS = ("document", "database", "directory")
JOURNAL = Path("/var/lib/day2/state/jobs/journal.jsonl")
LIMIT = 90.0  # seconds


def write(number: int) -> None:
    """Write all three, with the connection to the database open, so that there is a WAL."""
    Path("/srv/document/doc.json").write_text(json.dumps({"things": [{"id": "1", "number": number}]}), encoding="utf-8")
    database.execute("INSERT INTO things VALUES (?)", (number,))
    database.commit()
    deep = Path("/srv/directory/a/b") / f"file{number % 3}"
    deep.parent.mkdir(parents=True, exist_ok=True)
    deep.write_text(str(number), encoding="utf-8")


def runs(name: str) -> int:
    """How often the job has made a backup, or found that it has one."""
    if not JOURNAL.exists():
        return 0
    lines = [json.loads(line) for line in JOURNAL.read_text(encoding="utf-8").splitlines()]
    return sum(one["job"] == name and one["status"] == "ok" for one in lines)


def until(what: str, done: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not done():
        if time.monotonic() > end:
            sys.exit(f"not within {LIMIT:.0f} seconds: {what}")
        time.sleep(0.5)


def saved() -> bool:
    return all(subprocess.run(["/usr/local/bin/day2", "changed", one], check=False).returncode == 75 for one in JOBS)


database = sqlite3.connect("/srv/database/app.db")
database.execute("PRAGMA journal_mode=wal")
database.execute("CREATE TABLE IF NOT EXISTS things (number INTEGER)")
for burst in range(3):
    for step in range(5):
        write(10 * burst + step)
        time.sleep(0.1)
    until(f"the backups of burst {burst}", saved)

before = [runs(one) for one in JOBS]
time.sleep(15)  # longer than ten times `after`: the timer of all three has looked
if [runs(one) for one in JOBS] != before:
    sys.exit("a job ran although nothing was written: its own files start it")

end = time.monotonic() + LIMIT
number = 1000
while any(runs(one) == count for one, count in zip(JOBS, before)):
    if time.monotonic() > end:
        sys.exit("a writer that never pauses got no backup")
    number += 1
    write(number)
    time.sleep(0.1)
until("the backups of the last writes", saved)
