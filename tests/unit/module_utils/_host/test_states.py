# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file with the last states of all jobs."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._host.states import read_states, write_states


def jobs(count: int) -> dict[str, dict[str, Any]]:
    """States of jobs of four verbs, with other times and days, of which each tenth has failed."""
    chance = random.Random(1)
    made = {}
    for number in range(count):
        verb = ("backup", "retention", "log_rotate", "health_check")[number % 4]
        began = 1_796_000_000 + chance.randrange(86_400)
        one = {"verb": verb, "status": "ok", "began": began, "seconds": chance.randrange(600), "failures": 0, "msg": ""}
        one["last_ok"] = began + one["seconds"]
        if number % 10 == 0:
            one.update(status="failed", failures=chance.randrange(1, 9), msg=f"/srv/app-{number}/data cannot be read.")
        one["days"] = "2026-11-30 " + "".join(chance.choice("ou") + str(chance.randrange(2, 9)) for _ in range(6))
        made[f"{verb}-of-app-{number}"] = one
    return made


@pytest.mark.parametrize("count", [0, 1, 10, 50, 80])
def test_up_to_80_jobs_are_4_kb_with_all_that_is_known(count: int) -> None:
    data = write_states(jobs(count))
    assert len(data) <= 4096
    assert read_states(data) == jobs(count)


def test_few_jobs_can_be_read_by_people() -> None:
    assert json.loads(write_states(jobs(10)))["jobs"] == jobs(10)


def test_more_jobs_lose_messages_and_days_but_no_state() -> None:
    data = write_states(jobs(130))
    assert len(data) <= 4096
    expected = {name: {**one, "msg": "", "days": ""} for name, one in jobs(130).items()}
    assert read_states(data) == expected
