# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, SourceError
from ansible_collections.day2.ops.plugins.module_utils._core.outcome import Outcome
from ansible_collections.day2.ops.plugins.module_utils._history.database import append
from ansible_collections.day2.ops.plugins.module_utils._verbs.health import info as health_info
from tests.unit.module_utils.verbs import run_verb


def info(path: Path, **params: Any) -> dict[str, Any]:
    values = {name: one.get("default") for name, one in health_info.ARGUMENTS["argument_spec"].items()}
    result = run_verb(health_info, {**values, "path": str(path), **params})
    json.dumps(result)
    return result


def test_what_a_history_tells(tmp_path: Path) -> None:
    now = time.time()
    path = tmp_path / "health.db"
    for ago in (90000, 7000, 3000, 100):
        status = "critical" if ago == 100 else "ok"
        rows = [
            Outcome("api", "http", status, f"{ago} s ago", now - ago, ago / 1000, float(ago), "s"),
            Outcome("skip", "tcp", "skipped", "api failed", now - ago, 0.0),
        ]
        append(str(path), rows, 8 * 86400, now)
    before = path.read_bytes()
    found = info(path)
    assert found["changed"] is False
    api, skip = found["checks"]
    assert (api["name"], api["status"], api["message"], api["unit"]) == ("api", "critical", "100 s ago", "s")
    assert api["since_s"] == pytest.approx(100, abs=5)
    assert [(one["name"], one["checks"], one["availability"]) for one in api["windows"]] == [
        ("1h", 2, 50.0),
        ("24h", 3, 66.667),
        ("7d", 4, 75.0),
    ]
    assert api["windows"][2]["duration_p95"] == 90
    assert api["windows"][0]["trend"] == {"availability": -100.0, "duration_p50": -2.9, "value_p50": -2900.0}
    assert skip["windows"][0]["availability"] is None
    assert found["msg"].startswith("1 of 2 checks ok or skipped; api has been critical for 1m4")
    assert [one["name"] for one in info(path, checks=["skip"], windows=["5m"])["checks"]] == ["skip"]
    assert path.read_bytes() == before


def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        info(tmp_path / "health.db")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SourceError, match="Can't stat .*: Too many levels of symbolic links"):
        info(tmp_path / "loop" / "health.db")


def test_outcomes_of_a_clock_that_was_ahead_count_as_of_now(tmp_path: Path) -> None:
    now = time.time()
    path = tmp_path / "health.db"
    for at, status in ((now - 60, "ok"), (now + 86400, "critical")):
        append(str(path), [Outcome("api", "http", status, "", at, 0.1)], 8 * 86400, at)
    found = info(path, windows=["1h"])
    (api,) = found["checks"]
    assert (api["status"], api["windows"][0]["checks"]) == ("critical", 2)
    assert api["since_s"] == api["age_s"] == 0
    assert "critical for 0s" in found["msg"]
    assert "1 outcome is dated later than now" in found["warnings"][0]


def test_errors(tmp_path: Path) -> None:
    path = tmp_path / "health.db"
    append(str(path), [Outcome("api", "http", "ok", "", time.time(), 0.1)], 3600, time.time())
    with pytest.raises(InvalidRequest, match="no check app, web"):
        info(path, checks=["web", "api", "app"])
    with pytest.raises(InvalidRequest, match="no length"):
        info(path, windows=["0"])
    with pytest.raises(InvalidRequest, match="not a duration"):
        info(path, windows=["long"])
    path.write_text("something else " * 100)
    with pytest.raises(SourceError, match="damaged, or not a history"):
        info(path)
