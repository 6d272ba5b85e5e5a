# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who has entries open for writing."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from .._core.open_files import FileId, Writer, writers
from .entries import Entry


class Users:
    """Looks again whenever the last look is old, so that a long run does not trust what it saw at its beginning.

    "Old" is ten times what a look takes: with many processes and many entries it stays a tenth of the time.

    :param entries: that may be asked about.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._wanted = {one for entry in entries for one in entry.ids()}
        self._found: Mapping[FileId, Sequence[Writer]] = {}
        self._until = float("-inf")

    def of(self, entry: Entry) -> str:
        """Who has what of the entry open, in words; "" when nobody has."""
        began = time.monotonic()
        if began > self._until:
            self._found = writers(self._wanted)
            now = time.monotonic()
            self._until = now + 10 * (now - began)
        for member, one in zip(entry.members, entry.ids()):
            for writer in self._found.get(one, ()):
                path = os.path.join(entry.path, member.path).rstrip("/")
                return f"{writer} has {path} open for writing"
        return ""
