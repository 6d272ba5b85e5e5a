# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guard: nothing in a process opens a database file while SQLite has it open there.

POSIX locks belong to a process. Whoever opens a file and closes it again drops all locks that SQLite has on it, and
other processes write while it reads. Python tells an audit hook of each `open`; SQLite's own calls tell nobody.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

_PLUGINS = os.sep + os.path.join("plugins", "module_utils") + os.sep
_FIRST_BYTE = 0x40000000  # where SQLite locks a file, and 512 bytes from there

_found: list[str] = []
_watching = False


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _watching or event != "open" or not isinstance(args[0], (str, bytes)):
        return
    with contextlib.suppress(OSError, ValueError):
        info = os.stat(args[0])
        if stat.S_ISREG(info.st_mode) and info.st_size and _locked_here(info):
            stack = traceback.extract_stack()[:-1]
            # tests play other processes, too
            if any(_PLUGINS in frame.filename for frame in stack[-6:]):
                _found.append("{!r}\n{}".format(args[0], "".join(traceback.format_list(stack[-6:]))))


def _locked_here(info: os.stat_result) -> bool:
    """Has this process a lock on SQLite's bytes of the file?"""
    pid, inode = str(os.getpid()), f":{info.st_ino}"
    fd = os.open("/proc/locks", os.O_RDONLY)
    # As bytes: text has a codec, which would be imported by an import that this hook is called from.
    with os.fdopen(fd, "rb") as lines:
        fields = [line.decode().split() for line in lines]
    return any(
        one[1] == "POSIX" and one[4] == pid and one[5].endswith(inode) and 0 <= int(one[6]) - _FIRST_BYTE < 512
        for one in fields
    )


sys.addaudithook(_hook)


@contextlib.contextmanager
def nobody_opens() -> Iterator[None]:
    """Fails after the block when the collection's code opened a database file that SQLite had open."""
    global _watching
    _found.clear()
    _watching = True
    try:
        yield
    finally:
        _watching = False
    assert not _found, "opened beside SQLite:\n{}".format("\n".join(_found))


def found() -> list[str]:
    """What was found so far: who opened which file."""
    return _found


@pytest.fixture(autouse=True)
def locks_are_kept() -> Iterator[None]:
    """For the conftest.py of tests that call verbs."""
    with nobody_opens():
        yield
