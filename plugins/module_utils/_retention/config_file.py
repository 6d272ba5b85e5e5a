# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configuration files of programs that keep logs themselves: reads them, plans their content, and writes them."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from .._core.errors import TargetError
from .._core.files import check_writable_parent, open_regular, os_errors, write_atomically


class ConfigPlan(NamedTuple):
    """The current content of the file ("" if missing) and the intended one. `effect` says when a change takes
    effect."""

    path: str
    before: str
    after: str
    mode: int
    effect: str
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return self.before != self.after


def read_config(path: str) -> tuple[str, int]:
    """Text and permissions; "" and 0644 if the file does not exist. Raises TargetError when it can't be read."""
    if not os.path.lexists(path):
        return "", 0o644
    fd = open_regular(path, TargetError)
    with os.fdopen(fd, encoding="utf-8") as handle, os_errors(TargetError, "Can't read", path):
        try:
            return handle.read(), stat.S_IMODE(os.fstat(fd).st_mode)
        except ValueError as exc:
            raise TargetError(f"{path} is not UTF-8 text.", "Convert the file to UTF-8.") from exc


def apply_config(plan: ConfigPlan) -> None:
    """Write the file: readers see the old or the new content. Raises Day2Error when this fails."""
    directory = os.path.dirname(plan.path)
    if not os.path.lexists(directory) and os.path.isdir(os.path.dirname(directory)):
        with os_errors(TargetError, "Can't create the directory", directory):
            os.mkdir(directory, 0o755)
    check_writable_parent(plan.path)
    if read_config(plan.path)[0] != plan.before:
        raise TargetError(f"{plan.path} has changed since it was read.", "Run again.")
    with os_errors(TargetError, "Can't write", plan.path):
        write_atomically(plan.path, plan.after.encode(), plan.mode)
