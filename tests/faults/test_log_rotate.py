# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""log_rotate, killed or without space at calls that change a file system: then every line is in one place."""

from __future__ import annotations

import lzma
import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.tests.faults.support import run, run_with, spread, steps, unmount

LOGS = ("a.log", "b.log")
CASES: dict[str, dict[str, Any]] = {
    "rename": {"compression": "zstd"},
    "old-dir": {"compression": "none", "old_dir": "old"},
    "in-place": {"method": "in_place", "compression": "gzip"},
    "elsewhere": {"compression": "gzip"},  # old_dir on another file system
    "truncate": {"method": "in_place", "allow_loss": True, "compression": "none"},
}
KILL, FULL = "signal=KILL", "error=ENOSPC"
FAULTS = [("rename", KILL), ("rename", FULL), ("in-place", KILL), ("in-place", FULL), ("elsewhere", KILL)]
FAULTS += [("elsewhere", FULL), ("old-dir", KILL), ("truncate", KILL)]


class Logs:
    """Two logs of numbered lines, each with older rotated files."""

    def __init__(self, folder: Path, old: Path) -> None:
        self.folder = folder
        self.old = old

    def places(self) -> list[Path]:
        return list(dict.fromkeys([self.folder, self.old]))

    def make(self) -> None:
        for place in self.places():
            for one in place.iterdir():
                if one.is_file():
                    one.unlink()
        (self.folder / "old").mkdir(exist_ok=True)
        for name in LOGS:
            self._write(self.old / f"{name}.1", range(1000))
            self._write(self.folder / name, range(1000, 2000))

    @staticmethod
    def _write(path: Path, numbers: range) -> None:
        path.write_text("".join(f"{number} of the lines of a log\n" for number in numbers))

    def files(self) -> list[Path]:
        return [one for place in self.places() for one in place.iterdir() if one.is_file()]

    def leftovers(self) -> list[str]:
        return [one.name for one in self.files() if one.name.startswith(".day2-")]

    def numbers(self, name: str) -> list[int]:
        """Of all lines in all files of a log, sorted: none may be missing, none there twice."""
        found = []
        for path in self.files():
            if path.name == name or path.name.startswith(name + "."):
                found += [int(line.split()[0]) for line in _content(path).splitlines() if line.strip()]
        return sorted(found)

    def everything(self, name: str) -> set[int]:
        """Of all lines anywhere, also under prepared names, also half compressed."""
        found = set()
        for path in self.files():
            if path.name.startswith((name, f".day2-{name}")):
                try:
                    content = _content(path)
                except (EOFError, zlib.error, lzma.LZMAError, subprocess.CalledProcessError, OSError):
                    continue
                found |= {int(one) for one in re.findall(rb"^(\d+) of the lines of a log$", content, re.MULTILINE)}
        return found


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        return zlib.decompress(data, 31)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return subprocess.run(["zstd", "-qdc", str(path)], check=True, capture_output=True).stdout
    return data


@pytest.fixture
def logs(case: str, tmp_path: Path) -> Iterator[Logs]:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "old").mkdir()
    if case == "truncate":  # what can't collapse
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], check=True)
        (folder / "old").mkdir()
        yield Logs(folder, folder)
        unmount(folder)
    elif case == "elsewhere":
        other = tmp_path / "other"
        other.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(other)], check=True)
        yield Logs(folder, other)
        unmount(other)
    else:
        yield Logs(folder, folder / "old" if case == "old-dir" else folder)


def parameters(case: str, logs: Logs) -> dict[str, Any]:
    params = dict(CASES[case], paths=[str(logs.folder / "*.log")], size="20K", lock_timeout="0")
    if case == "elsewhere":
        params["old_dir"] = str(logs.old)
    return params


@pytest.mark.parametrize(("case", "fault"), FAULTS)
def test_every_line_is_in_one_place(case: str, logs: Logs, fault: str, tmp_path: Path) -> None:
    params = parameters(case, logs)
    logs.make()
    done = 0
    for step in spread(steps("log_rotate", params)):
        logs.make()
        first = run_with(fault, step, "log_rotate", params)
        assert first.killed or first.status in (0, 3), (step, first.error)
        done += first.status != 0
        for name in LOGS:
            assert logs.everything(name) >= set(range(2000)), (step, name)
        if fault.startswith("error") and first.status == 3:
            assert first.error, step
        again = run("log_rotate", params)
        assert again.status == 0, (step, again.error)
        for name in LOGS:
            assert logs.numbers(name) == list(range(2000)), (step, name)
            assert (logs.folder / name).exists(), step
        assert logs.leftovers() == [], step
        assert run("log_rotate", params).result["changed"] is False, step
    assert done > 1


def test_a_kill_in_a_first_rotation(tmp_path: Path) -> None:
    """Without older files there is nothing but the log itself to go by."""
    folder = tmp_path / "logs"
    params = {"paths": [str(folder / "app.log")], "size": "1", "compression": "none", "missing_ok": True}
    (tmp_path / "template").mkdir()
    (tmp_path / "template" / "app.log").write_text("a line\n")
    shutil.copytree(tmp_path / "template", folder)
    killed = 0
    for step in spread(steps("log_rotate", params)):
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "template", folder)
        killed += run_with("signal=KILL", step, "log_rotate", params).killed
        assert run("log_rotate", params).status == 0
        assert sorted(os.listdir(folder)) == ["app.log", "app.log.1"], step
        assert (folder / "app.log.1").read_text() == "a line\n"
    assert killed > 1
