# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import calendar

import pytest

from ansible_collections.day2.ops.plugins.module_utils._host.days import with_run

NOON = calendar.timegm((2026, 11, 29, 12, 0, 0))
DAY = 86400


def test_the_worst_run_of_a_day_counts() -> None:
    text = with_run("", NOON, good=True, changed=False)
    assert text == "2026-11-29 u"
    text = with_run(text, NOON + 60, good=True, changed=True)
    assert text == "2026-11-29 o"
    text = with_run(text, NOON + 120, good=False, changed=False)
    text = with_run(text, NOON + 180, good=True, changed=True)
    assert text == "2026-11-29 f"


def test_days_without_a_run_are_seen() -> None:
    text = with_run("2026-11-25 o12", NOON, good=True, changed=True)
    assert text == "2026-11-29 o12-3o"


def test_ninety_days_are_kept() -> None:
    text = ""
    for day in range(200):
        text = with_run(text, NOON + day * DAY, good=day % 2 == 0, changed=False)
    assert text.startswith("2027-06-16 ")
    assert text.partition(" ")[2] == "uf" * 45
    assert with_run(text, NOON + 1000 * DAY, good=True, changed=True).partition(" ")[2] == "o"


def test_a_clock_that_was_set_back_changes_the_day_of_the_run_alone() -> None:
    assert with_run("2026-11-30 o3", NOON, good=False, changed=False) == "2026-11-30 ofo"
    assert with_run("2026-11-30 o", NOON, good=False, changed=False) == "2026-11-30 o"


@pytest.mark.parametrize(
    "text", ["2099-01-01 o3", "2026-13-45 o", "x", "2026-11-29 z3", "2026-11-29 ", "2026-11-29 o300"]
)
def test_what_cannot_be_true_is_forgotten(text: str) -> None:
    assert with_run(text, NOON, good=True, changed=True) == "2026-11-29 o"
