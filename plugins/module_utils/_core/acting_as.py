# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Works as another user for a while, in directories of theirs: nothing is then possible that they could not do."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterator
from typing import Optional

from .errors import TargetError


@contextlib.contextmanager
def acting_as(user: Optional[pwd.struct_passwd], hint: str = "") -> Iterator[None]:
    """In the block, all threads of this process have that user for the file system and for programs that they start.

    Code must have been imported before: its file can only be read by the user of the task. None: no other user.
    Raises TargetError when this is not permitted.
    """
    if user is None or os.geteuid() != 0 or user.pw_uid == 0:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    try:
        try:
            os.initgroups(user.pw_name, user.pw_gid)
            os.setegid(user.pw_gid)
            os.seteuid(user.pw_uid)
        except OSError as exc:  # root of a container may lack the capability
            raise TargetError(f"Can't work as {user.pw_name}: {exc.strerror}.", hint) from exc
        yield
    finally:
        os.seteuid(0)
        with contextlib.suppress(PermissionError):
            os.setegid(group)
            os.setgroups(groups)
