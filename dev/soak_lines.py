# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin of pytest for dev/soak.py: which lines of the collection each test runs, how it ended, and what it took.

Each process that runs tests writes a line of JSON for each test into a file of its own in $SOAK_LINES. What processes
run that a test starts or forks is not seen. "setup" and "call" are seconds of processor time.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

ROOT = Path.cwd()
MARK = "/plugins/module_utils/"
monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
_lines: dict[str, set[int]] = defaultdict(set)
_reports: list[Any] = []
_seconds: dict[str, float] = {}


def _ran(code: CodeType, line: int) -> Any:
    _before, mark, name = code.co_filename.partition(MARK)
    if mark:
        _lines[name].add(line)
    return monitoring.DISABLE  # until the next test


def pytest_configure() -> None:
    monitoring.use_tool_id(monitoring.COVERAGE_ID, "soak")
    monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.LINE, _ran)
    monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.LINE)


def pytest_unconfigure() -> None:
    """When the interpreter ends, it takes away what the callback needs before the last lines have run."""
    monitoring.set_events(monitoring.COVERAGE_ID, 0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: Any) -> Iterator[None]:
    _lines.clear()
    _reports.clear()
    _seconds.clear()
    monitoring.restart_events()
    result = yield
    told = {
        "test": item.nodeid,
        "passed": all(one.outcome == "passed" for one in _reports),
        "setup": _seconds.get("setup", 0.0),
        "call": _seconds.get("call", 0.0),
        "lines": {name: sorted(numbers) for name, numbers in _lines.copy().items()},
    }
    with open(Path(os.environ["SOAK_LINES"], f"{os.getpid()}.jsonl"), "a", encoding="utf-8") as file:
        file.write(json.dumps(told) + "\n")
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    return (yield from _measured("setup"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    return (yield from _measured("call"))


def _measured(phase: str) -> Iterator[None]:
    began = sum(os.times()[:4])
    try:
        return (yield)
    finally:
        _seconds[phase] = sum(os.times()[:4]) - began


def pytest_runtest_logreport(report: Any) -> None:
    _reports.append(report)
