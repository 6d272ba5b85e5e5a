# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tablespaces of a copy: beside it. Those of the server in use must not be touched.

pgBackRest puts those of its backup elsewhere. A tablespace that was created later is in the WAL, with the path that the
server in use has it at: replaying would have both servers write to the same files. So the copy is given directories of
its own in place of those of the server in use while it replays.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Optional

from ...._core.acting_as import acting_as
from ...._core.errors import SourceError, TargetError
from ...._core.files import PREPARED, fsync_directory, os_errors
from .archive import Archive
from .stanza import Stanza, can_replace


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
    if live and suited and not can_replace():
        found = json.loads(stanza.run("--output=json", f"--set={suited[-1].label}", "info"))
        spaces = [space for backup in found[0]["backup"] for space in backup.get("tablespace") or ()]
        _refuse_others(live, [str(space["oid"]) for space in spaces])


def prepare(stanza: Stanza, built: str, directory: str) -> dict[str, str]:
    """What the server of the copy has in place of each tablespace of the server in use while it replays.

    Raises TargetError if it would write to one of those.

    :param built: where the copy is now; `directory`: where it is to be.
    """
    live, restored = _links(stanza.place.data_directory), _links(built)
    if not live:
        return {}
    if not can_replace():
        _refuse_others(live, restored)
        return {}
    beside, instead = directory_of(directory), {}
    with os_errors(TargetError, "Can't create", beside), acting_as(stanza.user):
        for number, place in live.items():
            # no tablespace has a name that starts with pg_
            own = restored.get(number, os.path.join(beside, f"pg_{number}"))
            if not os.path.isdir(place) or not own.startswith(beside + os.sep):
                continue
            os.makedirs(own, 0o700, exist_ok=True)
            instead[place] = own
    return instead


def settle(stanza: Stanza, built: str, instead: Mapping[str, str]) -> None:
    """Have the copy, whose server is stopped, find its tablespaces where they are. Raises TargetError."""
    folder = os.path.join(built, "pg_tblspc")
    with os_errors(TargetError, "Can't write", folder), acting_as(stanza.user):
        for number, place in _links(built).items():
            if place in instead:
                link = os.path.join(folder, number)
                os.symlink(instead[place], f"{link}{PREPARED}")
                os.replace(f"{link}{PREPARED}", link)
        used = set(_links(built).values())
        for own in set(instead.values()) - used:
            with contextlib.suppress(OSError):  # it is not empty
                os.rmdir(own)
        fsync_directory(folder)


def outside(built: str, directory: str) -> list[str]:
    """Notes on tablespaces that are not beside the copy: WAL has created them where the server once had them.

    :param built: where the copy is now; `directory`: where it is to be.
    """
    beside = directory_of(directory) + os.sep
    found = sorted(place for place in _links(built).values() if not place.startswith(beside))
    hint = "Keep that directory as long as the copy is needed."
    words = "the location that it had on the server at that moment"
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
            "Run as root where mounts can be made (unshare --mount), restore on another host, or make a base backup "
            "for later moments.",
        )
