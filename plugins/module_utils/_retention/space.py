# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Space on disk: the allocated size of files, not their apparent size. Holes take none; a file with several names
counts once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from .._core.open_files import FileId, file_id
from .._core.secure_directory import SecureDirectory

_BLOCK = 512  # the unit of st_blocks on all file systems


def allocated(info: os.stat_result) -> int:
    """Bytes that the file or directory takes."""
    return info.st_blocks * _BLOCK


def allocated_once(files: Iterable[os.stat_result]) -> int:
    """Bytes that files take together."""
    return sum({file_id(one): allocated(one) for one in files}.values())


def allocation(size: int, directory: SecureDirectory) -> int:
    """Bytes that a new file of that size takes there. The same before and after it is written."""
    unit = os.fstatvfs(directory.fd).f_frsize or 1
    return -(-size // unit) * unit


class Names:
    """The remaining names of files: the space of a file is freed with its last name."""

    def __init__(self) -> None:
        self._left: dict[FileId, int] = {}

    def remove(self, files: Iterable[os.stat_result]) -> int:
        """Remove one name of each (a file is listed once per name). Returns the bytes that this frees."""
        freed = 0
        for one in files:
            left = self._left.get(file_id(one), one.st_nlink) - 1
            self._left[file_id(one)] = left
            if left == 0:
                freed += allocated(one)
        return freed

    def __contains__(self, info: os.stat_result) -> bool:
        """Whether a name of the file has been removed."""
        return file_id(info) in self._left


class Total:
    """Bytes that some files take together, while names of them are removed.

    :param files: listed once per name.
    """

    def __init__(self, files: Iterable[os.stat_result]) -> None:
        self._names: dict[FileId, int] = {}
        self.bytes = 0
        for one in files:
            known = self._names.get(file_id(one), 0)
            self._names[file_id(one)] = known + 1
            self.bytes += 0 if known else allocated(one)

    def remove(self, files: Iterable[os.stat_result]) -> None:
        """Remove names."""
        for one in files:
            self._names[file_id(one)] -= 1
            if not self._names[file_id(one)]:
                self.bytes -= allocated(one)
