# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories over SFTP, through rclone: many runs at once, and runs that are killed."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._repository.rclone import RcloneObjects
from ansible_collections.day2.ops.plugins.module_utils._repository.turns import Turns
from ansible_collections.day2.ops.plugins.module_utils._repository.watch import Watch
from tests.services.repositories import KINDS

LOCK = "app/.state/lock/"


def test_of_many_contenders_one_holds_the_lock_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    inside, most, done = 0, 0, []
    guard, begin = threading.Lock(), threading.Barrier(16)
    with KINDS["rclone-sftp"](tmp_path) as place:

        def contend(number: int) -> None:
            nonlocal inside, most
            objects = RcloneObjects(place["repository"], place["rclone"])
            lease = Turns(objects, LOCK, f"test {number}", watch=Watch("test", str(number), "locks"))
            begin.wait()
            lease.acquire(600)
            with guard:
                inside += 1
                most = max(most, inside)
            time.sleep(0.01)
            with guard:
                inside -= 1
                done.append(lease)
            lease.release()

        threads = [threading.Thread(target=contend, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (most, len(done)) == (1, 16)
        assert list(RcloneObjects(place["repository"], place["rclone"]).walk("")) == []
