# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import fingerprint
from ansible_collections.day2.ops.plugins.module_utils._core.mounts import Mount


@pytest.fixture
def trust_temporary_files() -> None:
    """Here, nothing more than usual is trusted."""


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


@pytest.mark.parametrize(
    ("lines", "trusted"),
    [
        (["{device} ext4"], True),
        (["{device} fuse.sshfs"], False),
        (["0:9999 overlay"], True),  # another number than in stat: by the mount point
        (["0:9999 ext4", "0:9998 nfs4"], False),  # the later one is on top
        (["0:9999 nfs4", "{device} xfs"], True),
        (["{device} tmpfs"], False),  # writing through a mapping sets no time there
        ([], False),
    ],
)
def test_file_systems_whose_times_miss_changes_are_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str], trusted: bool
) -> None:
    info = os.stat(tmp_path)
    device = f"{os.major(info.st_dev)}:{os.minor(info.st_dev)}"
    known = [one.format(device=device).split() for one in lines]
    monkeypatch.setattr(fingerprint, "mounts", lambda: [Mount(str(tmp_path), kind, (), (), dev) for dev, kind in known])
    assert fingerprint.trusted_file_system(str(tmp_path)) is trusted
