# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils import _zip_cache

UTILS = Path(_zip_cache.__file__).parent
HERE = "ansible_collections/day2/ops/"
PACKAGES = (
    "ansible_collections/",
    "ansible_collections/day2/",
    HERE,
    f"{HERE}plugins/",
    f"{HERE}plugins/module_utils/",
)
# What a task does: which files of the zip file it reads or compiles, and what they say.
TASK = """
import sys
import zipimport
compiled = []
sys.path.insert(0, "code.zip")
from ansible_collections.day2.ops.plugins.module_utils import _zip_cache
sys.addaudithook(lambda event, args: compiled.append(args[1]) if event == "compile" else None)
get_data = zipimport._get_data
zipimport._get_data = lambda archive, entry: compiled.append(entry[0]) or get_data(archive, entry)
from ansible_collections.day2.ops import first, second
import other
_zip_cache.keep()
names = ("first.py", "second.py", "other.py")
print(first.VALUE, second.VALUE, *(name for name in names if any(name in str(one) for one in compiled)))
"""


class Host:
    """A host on which tasks run with one state directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.state = path / "state"

    def task(self, first: str = "1", **environment: str) -> list[str]:
        with zipfile.ZipFile(self._path / "code.zip", "w") as archive:
            for name in ("_zip_cache", "_core/state_directory", "_core/files", "_core/errors", "_core/system_calls"):
                archive.write(UTILS / f"{name}.py", f"{HERE}plugins/module_utils/{name}.py")
            archive.writestr(f"{HERE}first.py", f"VALUE = {first}")
            archive.writestr(f"{HERE}second.py", "VALUE = __name__.rpartition('.')[2]")
            archive.writestr("other.py", "")
            for package in (*PACKAGES, f"{HERE}plugins/module_utils/_core/"):
                archive.writestr(f"{package}__init__.py", "")
        done = subprocess.run(
            [sys.executable, "-c", TASK],
            cwd=self._path,
            env={"DAY2_STATE": str(self.state), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        return done.stdout.split()

    @property
    def file(self) -> Path:
        (path,) = self.state.iterdir()
        return path


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_only_what_is_new_is_read_and_compiled(host: Host) -> None:
    assert host.task() == ["1", "second", "first.py", "second.py", "other.py"]
    assert host.file.stat().st_mode & 0o777 == 0o600
    assert host.task() == ["1", "second", "other.py"]
    assert host.task("2") == ["2", "second", "first.py", "other.py"]
    assert host.task("2") == ["2", "second", "other.py"]


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        (lambda data: b"", ["first.py", "second.py"]),
        (lambda data: data[:6], ["first.py", "second.py"]),
        (lambda data: bytes(len(data)), ["first.py", "second.py"]),
        (lambda data: data[:8] + b"x" + data[9:], ["first.py", "second.py"]),
        (lambda data: data[: data.index(b"rpartition")], ["second.py"]),
        (lambda data: data.replace(b"rpartition", b"partition2"), ["second.py"]),
    ],
)
def test_what_is_damaged_is_not_used(host: Host, damage: Any, lost: list[str]) -> None:
    host.task()
    host.file.write_bytes(damage(host.file.read_bytes()))
    assert host.task() == ["1", "second", *lost, "other.py"]
    assert host.task() == ["1", "second", "other.py"]


def test_what_others_can_have_written_is_not_used(host: Host) -> None:
    host.task()
    host.file.chmod(0o620)
    assert "first.py" in host.task()
    if os.geteuid() == 0:
        os.chown(host.file, 1, 1)
        assert "first.py" in host.task()
    path = host.file
    path.symlink_to(path.rename(host.state.parent / "real"))
    assert "first.py" in host.task()


def test_a_directory_that_others_can_write_into_is_not_used(host: Host) -> None:
    host.task()
    host.state.chmod(0o770)
    assert "first.py" in host.task()
    host.state.chmod(0o700)
    host.state.symlink_to(host.state.rename(host.state.parent / "elsewhere"))
    assert "first.py" in host.task()


def test_without_a_place_all_is_compiled(host: Host) -> None:
    host.state.write_text("no directory")
    assert host.task() == host.task() == ["1", "second", "first.py", "second.py", "other.py"]
    assert "first.py" in host.task(DAY2_STATE="relative")
    assert not (host.state.parent / "relative").exists()
