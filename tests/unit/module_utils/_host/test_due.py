# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that cron starts each quarter of an hour, of which the journal says whether they are due."""

from __future__ import annotations

import json

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._host.run import interval_start

from .conftest import Host

DAY, HOUR = 86400, 3600
MIDNIGHT = 20_000 * DAY


def test_intervals_begin_at_the_same_times() -> None:
    for now in (MIDNIGHT, MIDNIGHT + 5, MIDNIGHT + DAY - 1):
        assert interval_start(now, DAY, 0, "host job") == MIDNIGHT
    assert interval_start(MIDNIGHT + HOUR - 1, HOUR, 0, "host job") == MIDNIGHT


def test_hosts_are_spread_over_the_delay() -> None:
    starts = {interval_start(MIDNIGHT + DAY - 1, DAY, HOUR, f"host{number} job") - MIDNIGHT for number in range(200)}
    assert min(starts) >= 0
    assert max(starts) < HOUR
    assert len(starts) > 150
    # and always the same time
    assert interval_start(MIDNIGHT + 1, DAY, HOUR, "a b") == interval_start(MIDNIGHT + DAY - 1, DAY, HOUR, "a b") - DAY


def test_an_interval_is_at_least_a_minute() -> None:
    with pytest.raises(InvalidRequest, match="shorter than a minute"):
        interval_start(MIDNIGHT, 1, 0, "a")


def test_a_job_runs_once_in_an_interval(host: Host) -> None:
    host.old_files()
    assert host.run("run", "old", "--due", "30d")[0] == 0
    assert host.run("run", "old", "--due", "30d") == (0, "")
    assert len(host.runs()) == 1
    summary = host.state / "summary.json"
    made = json.loads(summary.read_text())
    made["jobs"]["old"]["began"] -= 31 * DAY
    summary.write_text(json.dumps(made))
    assert host.run("run", "old", "--due", "30d")[0] == 0
    assert len(host.runs()) == 2
    # A time in the future is unknown, and no reason to wait for it.
    made["jobs"]["old"]["began"] += 300 * DAY
    summary.write_text(json.dumps(made))
    assert host.run("run", "old", "--due", "30d")[0] == 0
    assert len(host.runs()) == 3


def test_a_wrong_interval(host: Host) -> None:
    assert host.run("run", "old", "--due", "soon")[0] == 78
    assert host.run("run", "old", "--due", "1d", "--check")[0] == 64
