# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures of all fault tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.day2.ops.tests.faults.support import APPLICATIONS, Application


@pytest.fixture(scope="session", autouse=True)
def _one_core() -> None:
    """strace and what it stops take turns: on one core, half of the time that is lost between cores."""
    cores = sorted(os.sched_getaffinity(0))
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    os.sched_setaffinity(0, {cores[int(worker[2:]) % len(cores)]})


@pytest.fixture(params=sorted(APPLICATIONS))
def application(request: pytest.FixtureRequest, tmp_path: Path) -> Application:
    return APPLICATIONS[request.param](tmp_path / "application")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "backups"
