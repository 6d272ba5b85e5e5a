# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.processes import mapped_for_writing, others
from tests.services.waiting import named


def test_a_process_is_described_and_this_one_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with path.open("a") as handle:
        child = subprocess.Popen([sys.executable, "-c", "input()", "", "é"], stdin=subprocess.PIPE, stdout=handle)
    try:
        named(child)
        (process,) = [one for one in others() if one.pid == child.pid]
        assert process.owner() == os.geteuid()
        assert process.arguments()[2:] == [b"input()", b"", "é".encode()]
        (descriptor,) = [one for one in process.descriptors() if os.readlink(one) == str(path)]
        assert process.flags(descriptor) & (os.O_ACCMODE | os.O_APPEND) == os.O_WRONLY | os.O_APPEND
        assert process.read("stat").startswith(b"%d (" % child.pid)
        assert os.getpid() not in [one.pid for one in others()]
    finally:
        child.kill()
        child.communicate()
    with pytest.raises(OSError, match="No such file"):
        process.owner()


def test_names_are_printable_and_processes_in_order(tmp_path: Path) -> None:
    for number in ("12", "9", "self", "100"):
        (tmp_path / number).mkdir()
    (tmp_path / "9" / "comm").write_bytes(b"evil\x1b[2J\xff\n")
    (tmp_path / "9" / "cmdline").write_bytes(b"")
    found = list(others(str(tmp_path)))
    assert [one.pid for one in found] == [9, 12, 100]
    assert found[0].name() == "evil?[2J�"
    assert found[0].arguments() == []


def test_files_that_can_be_written_to_through_memory(tmp_path: Path) -> None:
    kinds = {"written": "MAP_SHARED, 3", "read": "MAP_SHARED, 1", "private": "MAP_PRIVATE, 3"}
    program = "import mmap; held = []\n"
    for name, kind in kinds.items():
        (tmp_path / name).write_bytes(bytes(4096))
        program += f"file = open({str(tmp_path / name)!r}, 'r+b')\n"
        program += f"held.append(mmap.mmap(file.fileno(), 4096, mmap.{kind}))\n"
    inodes = {(tmp_path / name).stat().st_ino: name for name in kinds}
    with subprocess.Popen(
        [sys.executable, "-c", program + "print(flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert [name for inode, name in inodes.items() if inode in mapped_for_writing()] == ["written"]
        child.kill()
    assert not inodes.keys() & mapped_for_writing()


def test_only_one_file_scans_the_processes() -> None:
    """What a name in /proc means, and that processes end while they are looked at, is decided once."""
    root = Path(__file__).parents[4] / "plugins"
    scan = re.compile(r"(?:listdir|scandir)\((?:f?[\"']/proc[\"']|proc)\)")
    assert [path.name for path in root.rglob("*.py") if scan.search(path.read_text())] == ["processes.py"]
