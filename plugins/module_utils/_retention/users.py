# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which processes have entries open for writing."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Mapping, Sequence

from .._core.errors import Day2Error
from .._core.open_files import PERHAPS, UNSEEN, FileId, Writer, has_writer, sees_all, writers
from .._core.secure_directory import SecureDirectory
from .entries import Entry


class Users:
    """Scans processes again if the last scan is old, so that a long run does not rely on its first scan.

    "Old" is ten times the duration of a scan: with many processes and many entries, scans take a tenth of the time.

    :param entries: that will be queried.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._wanted = {one for entry in entries for one in entry.ids()}
        self._found: Mapping[FileId, Sequence[Writer]] = {}
        self._until = float("-inf")
        self._sees_all = sees_all()

    def of(self, entry: Entry) -> str:
        """Which process has which file of the entry open, in words; "" if none has."""
        began = time.monotonic()
        if began > self._until:
            self._found = writers(self._wanted)
            now = time.monotonic()
            self._until = now + 10 * (now - began)
        for member, one in zip(entry.files(), entry.ids()):
            for writer in self._found.get(one, ()):
                path = os.path.join(entry.path, member.path).rstrip("/")
                return f"{writer} has {path} open for writing"
        return _bound(entry) or ("" if self._sees_all else _unseen_writer(entry))


def _unseen_writer(entry: Entry) -> str:
    """The file of the entry that a process that is not visible writes to, or may write to; "" if none."""
    for member in entry.members:
        path = os.path.join(entry.path, member.path).rstrip("/")
        try:
            with SecureDirectory(os.path.dirname(path)) as directory:
                fd = directory.open_file(os.path.basename(path))
            try:
                answer = has_writer(fd)
            finally:
                os.close(fd)
        except FileNotFoundError:  # this run has removed it already
            continue
        except (OSError, Day2Error):
            answer = None
        if answer is not False:
            return f"{UNSEEN if answer else PERHAPS} has {path} open for writing"
    return ""


def _bound(entry: Entry) -> str:
    """Which socket of the entry a process still uses, in words; "" if none."""
    sockets = {os.path.join(entry.path, one.path) for one in entry.specials if stat.S_ISSOCK(one.info.st_mode)}
    if not sockets:
        return ""
    try:
        with open("/proc/net/unix", "rb") as handle:
            in_use = {os.fsdecode(line.rstrip(b"\n").split(maxsplit=7)[-1]) for line in handle}
    except OSError:
        in_use = sockets  # unknown
    return next((f"a process uses the socket {one}" for one in sorted(sockets & in_use)), "")
