# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of rotated files: dates of all kinds, and the ending of the log at their end."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._logs.names import Naming
from ansible_collections.day2.ops.tests.unit.module_utils._logs.conftest import both, names, rotate

JULY = 1751328000.0  # 2025-07-01, a Tuesday


def test_the_number_before_the_extension(log: Path, logs: Path) -> None:
    (logs / "other.txt").write_text("x\n")
    (logs / "app.log.1").write_text("older\n")
    os.utime(logs / "app.log.1", (0, 0))
    both(paths=[logs / "app.*", logs / "other*"], extension=".log")
    assert names(logs) == ["app.1.log.gz", "app.2.log.gz", "app.log", "other.txt", "other.txt.1.gz"]
    log.write_text("two\n")
    both(paths=[logs / "*"], extension=".log", keep={"last": 2})
    assert names(logs) == ["app.1.log.gz", "app.2.log.gz", "app.log", "other.txt", "other.txt.1.gz"]


def test_the_date_before_the_extension(log: Path, logs: Path) -> None:
    options: dict[str, Any] = {"extension": ".log", "names": "dated"}
    both_names = rotate(paths=[log], **options)["rotations"][0]["rotated_to"]
    assert re.fullmatch(r"app-\d{8}-\d{6}\.log", os.path.basename(both_names))
    assert not both(paths=[logs / "*"], **options)["changed"]


def test_lumberjacks_dates_by_an_explicit_format(log: Path, logs: Path) -> None:
    for number in range(3):
        name = logs / f"app-2025-06-2{number}T10-00-00.{number}37.log"
        name.write_text("lumberjack\n")
        os.utime(name, (0, 0))
    options: dict[str, Any] = {"extension": ".log", "names": "dated", "keep": {"last": 2}}
    assert len(rotate(paths=[logs / "*.log"], size="1G")["rotations"]) == 4  # without it they are logs
    rotate(paths=[logs / "*.log"], date_format="-%Y-%m-%dT%H-%M-%S.%f", size="1G", **options)
    assert names(logs) == [*(f"app-2025-06-2{n}T10-00-00.{n}37.log.gz" for n in (1, 2)), "app.log"]


@pytest.mark.parametrize(
    ("date_format", "name", "start", "length"),
    [
        ("-%Y%m", "app.log-202507", JULY, 31 * 86400),
        (".%Y-%m", "app.log.2025-07", JULY, 31 * 86400),
        ("-%G-W%V", "app.log-2025-W27", JULY - 86400, 7 * 86400),
        ("-%Y%m%d", "app.log-20250701", JULY, 86400),
        ("-%Y%m%d%H", "app.log-2025070100", JULY, 3600),
        ("-%s", "app.log-1751328000", JULY, 1),
    ],
)
def test_dates(date_format: str, name: str, start: float, length: float) -> None:
    naming = Naming(True, date_format)
    assert naming.new_name("app.log", JULY) == name
    parsed = naming.parse(name + ".zst")
    assert parsed is not None
    assert (parsed.base, parsed.when, parsed.length) == ("app.log", start, length)
    assert [parsed.within(when) for when in (start - 5, start + 0.5 * length, start + 2 * length)] == [
        start,
        min(start + 0.5 * length, start + length - 1),
        start + length - 1,
    ]


@pytest.mark.parametrize("bad", ["-%Y", "-%m%d", "-%G", "-%V", "-%G%V%d", "-%Y%m%s", "-%Y%m\0"])
def test_dates_that_name_no_period(bad: str) -> None:
    with pytest.raises(InvalidRequest, match="is not valid"):
        Naming(True, bad)
    assert Naming(True, "-%G-W%V").parse("app.log-2025-W54") is None
    assert Naming(True, "-%Y%m").parse("app.log-202513") is None


def test_one_rotation_a_month(log: Path, logs: Path) -> None:
    options: dict[str, Any] = {"names": "dated", "date_format": "-%Y%m", "size": None, "frequency": "monthly"}
    assert rotate(paths=[log], **options)["changed"]
    log.write_text("two\n")
    assert not both(paths=[log], keep={"within": "1h"}, **options)["changed"]
