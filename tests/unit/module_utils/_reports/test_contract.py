# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every format of reports promises. A new one gets these tests by its line in the registry."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.outcome import STATUSES, Metric, Outcome
from ansible_collections.day2.ops.plugins.module_utils._reports.base import Report
from ansible_collections.day2.ops.plugins.module_utils._reports.registry import FORMATS, write

# Names that check_reports accepts; what is not here may have any name.
SUFFIXES = {"prometheus": "prom"}


def outcome(name: str, status: str, message: str = "said") -> Outcome:
    return Outcome(
        name, "http", status, message, 1_750_000_000.0, 0.012, value=1.5, unit="s", warn=1.0, crit=2.0,
        metrics=(Metric("size", 7.0, "bytes"),),
    )  # fmt: skip


def report(*outcomes: Outcome, made_at: float = 1_750_000_000.25) -> Report:
    checks = [{"name": one.name, "status": one.status, "value": one.value} for one in outcomes]
    result = {"msg": "said", "checks": checks, "alarms": [], "summary": {"status": "ok", "score": 50.0}}
    return Report(outcomes, result, made_at, 0.5, "host.example")


@pytest.fixture(params=sorted(FORMATS))
def name(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


def test_names_and_statuses_come_back(name: str) -> None:
    form = FORMATS[name]()
    outcomes = [outcome(f"check {number}", status) for number, status in enumerate(STATUSES)]
    answers = form.answers(form.render(report(*outcomes), "app").decode("utf-8"))
    assert answers is not None
    assert sorted(answers) == [(one.name, one.status) for one in outcomes]
    assert form.answers(form.render(report(), "app").decode("utf-8")) == []


def test_check_run_check_run(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"app.{SUFFIXES.get(name, 'txt')}"
    wanted = [{"format": name, "path": str(path)}]

    def changed(made: Report, check: bool) -> bool:
        (one,) = write(wanted, made, check)
        assert (one["path"], one["format"]) == (str(path), name)
        return bool(one["changed"])

    first, later = report(outcome("a", "ok")), report(outcome("a", "ok", "other words"), made_at=1_750_000_999.0)
    worse = report(outcome("a", "critical"))
    assert changed(first, check=True)
    assert list(tmp_path.iterdir()) == []
    assert changed(first, check=False)
    written = path.read_bytes()
    assert not changed(later, check=True)
    assert path.read_bytes() == written
    assert not changed(later, check=False)
    assert path.read_bytes() != written  # times and words are brought up to date in silence
    assert changed(worse, check=True)
    assert changed(worse, check=False)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o644


def test_what_another_format_wrote_is_something_else(name: str) -> None:
    form = FORMATS[name]()
    for other in sorted(set(FORMATS) - {name}):
        text = FORMATS[other]().render(report(outcome("a", "ok")), "app").decode("utf-8")
        assert form.answers(text) is None, other


@settings(deadline=None, max_examples=50)
@given(at=st.integers(0, 10**6), junk=st.text(max_size=20))
def test_damage_is_no_error(at: int, junk: str) -> None:
    for form in (make() for make in FORMATS.values()):
        text = form.render(report(outcome("a", "ok"), outcome("b", "warning")), "app").decode("utf-8")
        at %= len(text)
        found = form.answers(text[:at] + junk + text[at + len(junk) :])
        assert found is None or all(len(one) == 2 for one in found)
        form.answers(junk)
