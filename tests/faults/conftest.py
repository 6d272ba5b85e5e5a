# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures of all fault tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.day2.ops.tests.faults.support import APPLICATIONS, Application, unmount
from tests.services.postgresql_fixtures import postgresql

__all__ = ["postgresql"]


@pytest.fixture(scope="session", autouse=True)
def _one_core() -> None:
    """A process and who is asked before its calls take turns, which takes longer between two cores."""
    cores = sorted(os.sched_getaffinity(0))
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    os.sched_setaffinity(0, {cores[int(worker[2:]) % len(cores)]})


@pytest.fixture(params=sorted(APPLICATIONS))
def application(request: pytest.FixtureRequest, tmp_path: Path) -> Application:
    return APPLICATIONS[request.param](tmp_path / "application")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    image, mount = tmp_path / "image", tmp_path / "small"
    mount.mkdir()
    with open(image, "wb") as handle:
        handle.truncate(3 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(mount)], check=True)
    yield mount
    unmount(mount)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "backups"
