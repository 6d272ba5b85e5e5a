# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tablespaces of a copy: beside it. Those of the server in use must not be touched.

pgBackRest puts those of its backup elsewhere. A tablespace that was created later is in the WAL, with the path that the
server in use has it at: replaying would have both servers write to the same files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import datetime
from typing import Optional

from ...._core.errors import SourceError, TargetError
from ...._core.files import os_errors
from .archive import Archive
from .stanza import Stanza


def directory_of(copy: str) -> str:
    """Where the tablespaces of a copy are."""
    return f"{copy}.tablespaces"


def check(stanza: Stanza, archive: Archive, at: Optional[datetime], directory: str, left: bool) -> None:
    """Raise TargetError if tablespaces of another server would be written to, or removed.

    :param directory: where the copy is to be; `left`: a killed run has begun it.
    """
    beside = directory_of(directory)
    if os.path.lexists(beside) and not left:
        raise TargetError(
            f"{beside} exists, and may have the tablespaces of another copy.",
            "Choose another data_directory, or remove it if no server uses it.",
        )
    live, suited = _links(stanza.place.data_directory), archive.suited(at)
    if live and suited:
        found = json.loads(stanza.run("--output=json", f"--set={suited[-1].label}", "info"))
        spaces = [space for backup in found[0]["backup"] for space in backup.get("tablespace") or ()]
        _refuse_others(live, [str(space["oid"]) for space in spaces])


def check_restored(stanza: Stanza, directory: str) -> None:
    """The same, of what was restored. Raises TargetError."""
    _refuse_others(_links(stanza.place.data_directory), _links(directory))


def outside(built: str, directory: str) -> list[str]:
    """Notes on tablespaces that are not beside the copy: WAL has created them where the server once had them.

    :param built: where the copy is now; `directory`: where it is to be.
    """
    beside = directory_of(directory) + os.sep
    found = sorted(place for place in _links(built).values() if not place.startswith(beside))
    hint = "Leave it to the copy until that is no longer needed."
    words = "as the server had it there at that moment"
    return [f"The copy has a tablespace at {place}, {words}. {hint}" for place in found]


def _links(data_directory: str) -> dict[str, str]:
    """The tablespaces of a server and where they are."""
    path = os.path.join(data_directory, "pg_tblspc")
    if not os.path.isdir(path):
        return {}
    with os_errors(SourceError, "Can't read", path):
        entries = [(name, os.path.join(path, name)) for name in sorted(os.listdir(path))]
        return {name: os.readlink(link) for name, link in entries if os.path.islink(link)}


def _refuse_others(live: dict[str, str], known: Iterable[str]) -> None:
    later = sorted(place for number, place in live.items() if number not in set(known))
    if later:
        raise TargetError(
            f"The server in use has a tablespace at {later[0]} that was created after the backup: "
            "replaying its WAL would write to it.",
            "Restore on another host, or make a base backup for later moments.",
        )
