# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.day2.ops.plugins.module_utils._core import fingerprint


def test_after_a_tick_a_change_sets_other_times(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    os.utime(path, (0, 0))  # its mtime says nothing
    info = os.stat(path)
    fingerprint.wait_a_tick(info)
    assert not fingerprint.wait_a_tick(info)
    path.write_text("two")
    assert os.stat(path).st_ctime_ns != info.st_ctime_ns


def test_only_what_is_older_than_several_ticks_is_settled(tmp_path: Path) -> None:
    info = os.stat(tmp_path)
    assert not fingerprint.settled([info], info.st_ctime_ns + fingerprint.SETTLED_NS)
    assert fingerprint.settled([info], info.st_ctime_ns + fingerprint.SETTLED_NS + 1)
    assert fingerprint.SETTLED_NS > 2 * fingerprint.TICK_NS
