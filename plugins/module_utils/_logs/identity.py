# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Works as the user who owns a log directory, so that nothing is possible there that this user could not do."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterator
from typing import Optional

from .._core.acting_as import acting_as
from .._core.compression import load_all
from .._core.errors import InvalidRequest


class Identity:
    """A user to work as; without a name, the current user.

    Raises InvalidRequest when the user does not exist, or we are not root.
    """

    def __init__(self, name: Optional[str]) -> None:
        self._user: Optional[pwd.struct_passwd] = None
        if not name:
            return
        try:
            self._user = pwd.getpwnam(name)
        except KeyError as exc:
            raise InvalidRequest(f"run_as: the user {name} does not exist.") from exc
        if self._user.pw_uid == os.geteuid():
            self._user = None
        elif os.geteuid() != 0:
            raise InvalidRequest(f"run_as: only root can work as {name}.", "Run as root (become: true).")
        else:
            load_all()

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """In the block, all threads of this process have that user for the file system and for programs that they
        start.
        """
        with acting_as(self._user, "Omit run_as."):
            yield
