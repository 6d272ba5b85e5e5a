# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cpu, of the host and of processes."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest

Check = Callable[..., dict[str, Any]]


@contextlib.contextmanager
def program(code: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "print(flush=True)\n" + code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def metric(result: dict[str, Any], name: str) -> float:
    value: float = next(one["value"] for one in result["metrics"] if one["name"] == name)
    return value


def test_the_use_of_all_processors(check: Check) -> None:
    with program("while True: pass"):
        result = check("cpu", duration="300ms", warn=100)
        assert 0 < result["value"] <= 100
        assert result["unit"] == "percent"
        assert {one["name"] for one in result["metrics"]} == {"user", "system", "iowait", "steal"}
        assert metric(result, "user") > 0
        busy = check("cpu", duration="300ms", warn=0)
    assert busy["status"] == "warning"
    assert "the CPU usage is" in busy["message"]


def test_an_interval_is_not_part_of_the_time_out(check: Check) -> None:
    assert check("cpu", duration="3s", timeout="2900ms", warn=100)["status"] == "ok"


def test_the_use_by_a_process(check: Check, tmp_path: Any) -> None:
    pid_file = tmp_path / "pid"
    with program("while True: pass") as process:
        pid_file.write_text(str(process.pid))
        result = check("process", pid_file=str(pid_file), cpu_warn="1%", cpu_duration="1s")
        assert result["status"] == "warning"
        assert "the CPU usage of" in result["message"]
        assert 1 < metric(result, "cpu") < 130
    with program("import time; time.sleep(600)") as process:
        pid_file.write_text(str(process.pid))
        result = check("process", pid_file=str(pid_file), cpu_crit="5%", cpu_duration="1s")
        assert result["status"] == "ok", result["message"]
        assert "cpu" not in {one["name"] for one in check("process", pid_file=str(pid_file))["metrics"]}


@pytest.mark.parametrize("duration", ["0", "61s"])
def test_intervals_that_are_none(check: Check, duration: str) -> None:
    with pytest.raises(InvalidRequest, match="duration must be from 50ms to 60s"):
        check("cpu", duration=duration)
    with pytest.raises(InvalidRequest, match="cpu_duration must be from 50ms to 60s"):
        check("process", process="x", cpu_duration=duration)
