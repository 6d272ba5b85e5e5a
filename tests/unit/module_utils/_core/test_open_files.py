# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.open_files import (
    file_id,
    has_writer,
    sees_all,
    writers,
)
from tests.services.waiting import named


def test_writers_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.touch()
    one = file_id(path.stat())
    with path.open("a") as log, path.open() as reading:
        for handle, number in ((log, 1), (reading, 0)):
            process = named(subprocess.Popen(["sleep", "600"], stdout=handle))
            found = writers([one]).get(one, [])
            process.kill()
            process.wait()
            assert len(found) == number
            if number:
                assert str(found[0]) == f"sleep (process {process.pid})"
                assert found[0].appends


@pytest.mark.parametrize("owner", [0, 65534])
def test_the_kernel_tells_whether_anybody_writes(tmp_path: Path, owner: int) -> None:
    path = tmp_path / "a.log"
    path.write_text("x")
    os.chown(path, owner, owner)
    fd = os.open(path, os.O_RDONLY)
    assert has_writer(fd) is False
    with path.open("a"):
        assert has_writer(fd) is True
        assert has_writer(fd) is True
    with path.open("a"):  # the lease was given back: nobody waits for it
        pass
    assert has_writer(fd) is False
    os.close(fd)


@pytest.mark.parametrize(
    ("pid", "user", "capabilities", "expected"),
    [
        ("4026531836", "4026531837", 0x1FFFFFFFFFF, True),
        ("4026531836", "4026531837", 1 << 19 | 1 << 2, True),
        ("4026531836", "4026531837", 0x1FFFFFFFFFF & ~(1 << 19), False),  # no CAP_SYS_PTRACE
        ("4026531836", "4026531837", 1 << 19 | 1 << 1, True),
        ("4026531836", "4026531837", 1 << 19, False),
        ("4026532000", "4026531837", 0x1FFFFFFFFFF, False),  # a container
        ("4026531836", "4026532001", 0x1FFFFFFFFFF, False),
    ],
)
def test_who_sees_all(tmp_path: Path, pid: str, user: str, capabilities: int, expected: bool) -> None:
    own = tmp_path / "self"
    (own / "ns").mkdir(parents=True)
    (own / "ns" / "pid").symlink_to(f"pid:[{pid}]")
    (own / "ns" / "user").symlink_to(f"user:[{user}]")
    (own / "status").write_text(f"Name:\tpython3\nCapPrm:\t0\nCapEff:\t{capabilities:016x}\n")
    assert sees_all(str(tmp_path)) is expected
    assert sees_all(str(tmp_path / "missing")) is False


def test_a_process_namespace_of_its_own_is_noticed(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path[:0] = {sys.path!r}
from ansible_collections.day2.ops.plugins.module_utils._core.open_files import sees_all
print(sees_all())
"""
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "False\n"
    command = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-all", sys.executable, "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "False\n"
