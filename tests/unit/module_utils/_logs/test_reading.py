# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import glob
import os
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import SourceError
from ansible_collections.day2.ops.plugins.module_utils._logs.reading import find
from tests.unit.module_utils._stores.conftest import as_nobody


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    for name in (
        "a/app.log",
        "a/app.log.1",
        "a/.hidden.log",
        "a-b/app.log",
        "b/[x].log",
        "b/sub/app.log",
        ".c/app.log",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "a" / "current.log").symlink_to("app.log")
    (tmp_path / "b" / "dir.log").mkdir()
    os.mkfifo(tmp_path / "b" / "fifo.log")
    return tmp_path


@pytest.mark.parametrize(
    "pattern",
    [
        "*/*.log",
        "a/app.log*",
        "?/*",
        "a*/app.log",
        "[ab]/*",
        "[!a]*/*",
        "*/sub/app.log",
        ".c/*",
        "a/.h*",
        "b/[[]x].log",
    ],
)
def test_patterns_match_what_glob_does_without_links_and_what_is_no_file(logs: Path, pattern: str) -> None:
    wanted = [one for one in sorted(glob.glob(f"{logs}/{pattern}")) if os.path.isfile(one) and not os.path.islink(one)]
    assert wanted
    assert find([f"{logs}/{pattern}"]) == (wanted, [])


def test_each_file_comes_once_and_a_path_is_taken_as_it_is(logs: Path) -> None:
    app, missing, odd = f"{logs}/a/app.log", f"{logs}/missing", f"{logs}/b/[x].log"
    assert find([app, f"{logs}/a/app.log*", missing, odd]).files == [app, app + ".1", missing, odd]


def test_directories_that_cannot_be_searched_are_named_once(logs: Path) -> None:
    for above in [logs, *logs.parents][:-2]:
        above.chmod(0o755)
    (logs / "a").chmod(0o700)  # cannot be listed, nor entered
    (logs / "b").chmod(0o711)  # can be entered

    def work() -> list[str]:
        found = find([f"{logs}/*/*.log"])
        said = [*found.files, "hidden:", *found.hidden, "entered:", *find([f"{logs}/[b]/sub/app.log"]).files]
        with pytest.raises(SourceError) as caught:
            find([f"{logs}/a/*"])
        return [*said, caught.value.message]

    if os.geteuid() == 0:
        assert as_nobody(work) == [
            f"{logs}/a-b/app.log",
            "hidden:",
            f"{logs}/a",
            f"{logs}/b",
            "entered:",
            f"{logs}/b/sub/app.log",
            f"No log file matches {logs}/a/*, and {logs}/a can't be searched: Permission denied.",
        ]
