# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of fleets, as hosts would report them: the same every time."""

from __future__ import annotations

import random
from typing import Any

from ansible_collections.day2.ops.plugins.plugin_utils.fleet.words import DAY, iso, seconds

NOW = seconds("2026-11-28T03:00:00Z")
HOUR = 3600.0


def ago(length: float) -> str:
    return iso(NOW - length)


def backup_set(name: str = "shop", age: float = HOUR, **more: Any) -> dict[str, Any]:
    """A set that meets its objectives: an RPO of 4 h, an RTO of 30 min, three copies."""
    return {
        "name": name,
        "store": "sqlite",
        "run_every_s": HOUR,
        "drill_scheduled": True,
        "disk": "/var/backups",
        "objectives": {
            "rpo_s": 4 * HOUR,
            "rto_s": 1800,
            "copies": {"min": 3, "offsite": 1},
            "drill_every_s": 30 * DAY,
            "verify_every_s": 30 * DAY,
        },
        "newest_good": {"id": "20261128T020000Z-3f2a9c1b", "made_at": ago(age), "confirmed_at": ago(age)},
        "verification": {"at": ago(3 * DAY), "backups": 40, "damaged": []},
        "last_drill": {
            "at": ago(5 * DAY),
            "backup": "20261123T020000Z-3f2a9c1b",
            "from": "s3://backups/day2",
            "result": "pass",
            "stages": {"fetch": 90.0, "decrypt": 20.0, "restore": 150.5, "verify": 80, "probe": 12},
            "measured_rpo_s": 1400,
        },
        "copies": [
            {"repository": "/var/backups/day2", "medium": "disk", "offsite": False, "ok": True},
            {"repository": "s3://backups/day2", "medium": "S3", "offsite": True, "ok": True},
        ],
        "size": {"bytes": 7 * 10**8, "sample_every_s": DAY, "samples": [6 * 10**8 + day * 10**6 for day in range(90)]},
        "runs": "o" * 60 + "u" * 30,
        **more,
    }


def a_host(name: str, sets: list[dict[str, Any]], group: str = "shop", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "groups": [group],
        "last_report_at": ago(60),
        "report_every_s": 900,
        "health": {"score": 100, "checked_at": ago(30), "checks": 9, "problems": []},
        "disks": [a_disk()],
        "sets": sets,
        **more,
    }


def a_disk(used: int = 40 * 10**9, growth: int = 10**6) -> dict[str, Any]:
    samples = [max(0, used - growth * day) for day in reversed(range(90))]
    about = {"path": "/var/backups", "capacity_bytes": 10**11, "used_bytes": used}
    return {**about, "sample_every_s": DAY, "used_samples": samples}


def a_fleet(hosts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "fleet": "production",
        "made_at": iso(NOW),
        "next_due_at": iso(NOW + 900),
        "made_by": {
            "tool": "day2.ops 1.0.0",
            "controller": "awx1.example.com",
            "inventory": "inventory",
            "command": "ansible-playbook day2.ops.fleet_report",
        },
        "sources": [{"kind": f"of {len(hosts)} hosts", "count": len(hosts)}],
        "hosts": hosts,
        "events": [{"at": ago(600), "host": "a1", "set": "shop", "kind": "backup", "result": "ok", "text": "0.4 s"}],
        **more,
    }


def large_fleet(hosts: int, sets: int) -> dict[str, Any]:
    """A fleet on a bad night: a gateway that is down, silent hosts, sets that were never drilled, disks that fill."""
    draw = random.Random(hosts)
    fleet = [a_host(f"host{number:03d}.example.com", [], draw.choice("abcde")) for number in range(hosts)]
    for number in range(sets):
        fleet[number % hosts]["sets"].append(backup_set(f"set{number // hosts}", draw.uniform(60, 3 * HOUR)))
    for host in draw.sample(fleet, hosts // 25):
        error = "s3://backups/day2: the connection timed out"
        age = 5 * HOUR + draw.uniform(0, HOUR)
        host["sets"][0] = backup_set(
            "set0", age, last_failure={"at": ago(60), "runs": 5, "error": error, "job": "set0"}
        )
    for host in draw.sample(fleet, hosts // 50):
        host["last_report_at"] = ago(draw.uniform(2, 40) * HOUR)
    for host in draw.sample(fleet, hosts // 30):
        host["sets"][0]["last_drill"] = None
    for host in draw.sample(fleet, hosts // 60):
        host["disks"] = [a_disk(95 * 10**9, 10**9)]
    return a_fleet(fleet)
