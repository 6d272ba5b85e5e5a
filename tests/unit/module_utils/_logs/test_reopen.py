# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands, signals and services."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.day2.ops.tests.unit.module_utils._logs.conftest import failing, rotate


def test_words_are_filled_in_once(logs: Path, say: list[str], tmp_path: Path) -> None:
    path = logs / "{rotated}.log"
    path.write_text("x\n")
    rotate(paths=[path], after_each=[[*say, "{path}", "{other}"]])
    assert (tmp_path / "said").read_text() == f"{path} {{other}}\n"


def test_commands_that_fail_are_told_with_their_log(log: Path) -> None:
    error = str(failing(paths=[log], before_each=[["false"]]))
    assert error.endswith(f"{log}: the command false failed with exit status 1.")


@pytest.mark.parametrize("check", [True, False])
def test_a_pid_file_that_is_none(log: Path, logs: Path, tmp_path: Path, check: bool) -> None:
    (tmp_path / "huge").write_text("9" * 30)
    for path, words in (
        (tmp_path, "is not a regular file"),
        (tmp_path / "missing", "Can't read the PID file"),
        (tmp_path / "huge", "does not contain a process ID"),
    ):
        log.write_text("x\n")
        error = failing(check=check, paths=[log], signal={"pid_file": str(path), "name": "HUP"})
        assert words in str(error)
        assert error.details["rotations"][0]["rotated"]
        assert error.details["changed"]


def test_a_service_without_a_program_for_it(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for check in (True, False):
        log.write_text("x\n")
        assert "systemctl or service" in str(failing(check=check, paths=[log], service="app", compression="gzip"))
