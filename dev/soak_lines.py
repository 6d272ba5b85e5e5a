# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin of pytest for dev/soak.py: which lines of the collection each test runs, how it ended, and how long it took.

Each process that runs tests writes a line of JSON for each test into a file of its own in $SOAK_LINES. What processes
run that a test starts or forks is not seen.
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
events: Any = sys.monitoring.events  # type: ignore[attr-defined,unused-ignore]
_tool = sys.monitoring.COVERAGE_ID  # type: ignore[attr-defined,unused-ignore]
_lines: dict[str, set[int]] = defaultdict(set)
_reports: list[Any] = []


def _ran(code: CodeType, line: int) -> Any:
    _before, mark, name = code.co_filename.partition(MARK)
    if mark:
        _lines[name].add(line)
    return sys.monitoring.DISABLE  # type: ignore[attr-defined,unused-ignore]  # until the next test


def pytest_configure() -> None:
    sys.monitoring.use_tool_id(_tool, "soak")  # type: ignore[attr-defined,unused-ignore]
    sys.monitoring.register_callback(_tool, events.LINE, _ran)  # type: ignore[attr-defined,unused-ignore]
    sys.monitoring.set_events(_tool, events.LINE)  # type: ignore[attr-defined,unused-ignore]


def pytest_unconfigure() -> None:
    """When the interpreter ends, it takes away what the callback needs before the last lines have run."""
    sys.monitoring.set_events(_tool, 0)  # type: ignore[attr-defined,unused-ignore]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: Any) -> Iterator[None]:
    _lines.clear()
    _reports.clear()
    sys.monitoring.restart_events()  # type: ignore[attr-defined,unused-ignore]
    result = yield
    seconds = {one.when: one.duration for one in _reports}
    told = {
        "test": item.nodeid,
        "passed": all(one.outcome == "passed" for one in _reports),
        "setup": seconds.get("setup", 0.0),
        "call": seconds.get("call", 0.0),
        "lines": {name: sorted(numbers) for name, numbers in _lines.copy().items()},
    }
    with open(Path(os.environ["SOAK_LINES"], f"{os.getpid()}.jsonl"), "a", encoding="utf-8") as file:
        file.write(json.dumps(told) + "\n")
    return result


def pytest_runtest_logreport(report: Any) -> None:
    _reports.append(report)
