# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an archive of pgBackRest contains, and how far the server has archived."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from ...._core.errors import RepositoryError, SourceError
from ...._core.units import format_time
from .stanza import Stanza, hint_for
from .statements import ARCHIVER

_PATIENCE = ("--io-timeout=10",)  # with a repository that does not respond; pgBackRest's own is a minute
_NOTHING = (1, 2, 3)  # no stanza, no good backup, no data of the stanza


class BaseBackup(NamedTuple):
    """One backup of the whole server; times are seconds since 1970."""

    label: str
    type: str
    start: float
    stop: float
    size: int
    stored: int
    good: bool
    timeline: int  # 0: not known

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> BaseBackup:
        """As `pgbackrest info` has it."""
        info, when = found["info"], found["timestamp"]
        stored = info.get("repository", {})
        return cls(
            found["label"],
            found["type"],
            when["start"],
            when["stop"],
            info["size"],
            stored.get("delta", stored.get("size", 0)),
            not found.get("error"),
            timeline_of((found.get("archive") or {}).get("stop")),
        )


def timeline_of(segment: Optional[str]) -> int:
    """The timeline of a segment of WAL, from its name. 0: not known."""
    return int(segment[:8], 16) if segment else 0


class Archiver(NamedTuple):
    """What the server says. Times are seconds since 1970 by its clock; None: never, or not known."""

    archive_mode: str
    archive_command: str
    archive_timeout: int
    archived_until: Optional[float]
    archived_wal: Optional[str]
    failed_count: int
    failed: Optional[float]
    failed_wal: Optional[str]
    waiting: int  # segments that wait to be archived
    oldest: Optional[float]  # since when the oldest of them waits
    written_since: bool  # more than an idle server writes
    now: float

    @property
    def lag_s(self) -> float:
        """Seconds for which the oldest segment waits; 0 if none does."""
        return 0.0 if self.oldest is None else max(0.0, self.now - self.oldest)

    @property
    def failing(self) -> bool:
        """Whether the last attempt failed."""
        return self.failed is not None and (self.archived_until is None or self.failed > self.archived_until)


class Archive(NamedTuple):
    """The backups and the range of moments that can be restored."""

    status: int
    message: str
    version: str  # of the server of the newest backup, such as 15
    encrypted: bool
    backups: Sequence[BaseBackup]  # oldest first
    archiver: Optional[Archiver]
    timeline: int  # of its newest WAL
    trouble: str  # why the server can't say how far it has archived

    @property
    def exists(self) -> bool:
        """Whether the stanza exists."""
        return self.status not in (1, 3)

    @property
    def good(self) -> list[BaseBackup]:
        """Those without errors."""
        return [one for one in self.backups if one.good]

    @property
    def earliest(self) -> Optional[float]:
        """The first moment that can be restored. The end of a backup is known to the second, and must be before it."""
        return self.good[0].stop + 1 if self.good else None

    def suited(self, at: Optional[datetime]) -> Sequence[BaseBackup]:
        """The backups that were complete at a moment; pgBackRest takes the last one. None: at the end."""
        return [one for one in self.backups if at is None or one.stop + 1 <= at.timestamp()]

    @property
    def latest(self) -> Optional[float]:
        """The end of the archive. None: not known."""
        return self.archiver.archived_until if self.archiver and self.good else None


def look(stanza: Stanza, limit: Optional[float] = 60.0, server: bool = True) -> Archive:
    """Raises RepositoryError when the repository can't be read.

    :param server: whether to ask the server, too.
    """
    found = json.loads(stanza.run("--output=json", *_PATIENCE, "info", limit=limit) or b"[]")
    one = next((entry for entry in found if entry["name"] == stanza.name), None)
    code = one["status"]["code"] if one else 1
    if one is not None and code not in (0, *_NOTHING):
        why = "; ".join(str(repo["status"]["message"]) for repo in one["repo"])
        words = " ".join(why.split()).rstrip(".")
        raise RepositoryError(f"The repository of stanza {stanza.name} can't be read: {words}.", hint_for(words))
    archiver, trouble = None, ""
    try:
        archiver = Archiver(**stanza.query(ARCHIVER)) if server else None
    except SourceError as exc:
        trouble = exc.message
    return Archive(
        code,
        one["status"]["message"] if one else "missing stanza",
        str(one["db"][-1]["version"]) if one and one.get("db") else "",
        one is not None and one.get("cipher") not in (None, "none"),
        [BaseBackup.of(backup) for backup in one["backup"]] if one else [],
        archiver,
        timeline_of(one["archive"][-1].get("max")) if one and one.get("archive") else 0,
        trouble,
    )


def shown(seconds: Optional[float]) -> Optional[str]:
    """A time for results; None stays None."""
    return None if seconds is None else format_time(datetime.fromtimestamp(seconds, timezone.utc))


def describe(archive: Archive) -> dict[str, Any]:
    """For results."""
    archiver = archive.archiver
    return {
        "earliest": shown(archive.earliest),
        "latest": shown(archive.latest),
        "lag_s": None if archiver is None else round(archiver.lag_s, 3),
        "segments_waiting": None if archiver is None else archiver.waiting,
        "failed_count": None if archiver is None else archiver.failed_count,
        "encrypted": archive.encrypted,
        "backups": [
            {
                "id": one.label,
                "type": one.type,
                "created": shown(one.stop),
                "bytes": one.size,
                "stored_bytes": one.stored,
                "good": one.good,
            }
            for one in reversed(archive.backups)
        ],
    }
