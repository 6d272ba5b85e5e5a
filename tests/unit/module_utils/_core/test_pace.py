# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rates of transfers. Time is the test's."""

from __future__ import annotations

import time

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.pace import Pace, PacedBody


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each sleep was asked to be, and no time passes otherwise."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: 100.0 + sum(pauses))
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


def test_what_passes_keeps_to_the_rate(slept: list[float]) -> None:
    pace = Pace(1000)
    for dummy in range(5):
        pace.take(500)
    assert sum(slept) == pytest.approx(2.5)


def test_a_pause_is_no_credit(slept: list[float]) -> None:
    pace = Pace(1000)
    slept.append(1000.0)
    pace.take(500)
    assert slept[-1] == pytest.approx(0.5)


def test_a_body_is_slow_only_while_it_is_sent(slept: list[float]) -> None:
    body = PacedBody(b"x" * 100_000, Pace(10_000))
    assert len(body.read()) == 100_000
    assert slept == []
    assert body.seek(0) == 0
    body.sending = True
    pieces = [len(piece) for piece in iter(lambda: body.read(1 << 20), b"")]
    assert (sum(pieces), max(pieces)) == (100_000, 65536)
    assert sum(slept) == pytest.approx(10)
    assert (body.seek(0, 2), body.tell()) == (100_000, 100_000)
