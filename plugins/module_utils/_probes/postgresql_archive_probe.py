# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql_archive: whether a server archives its WAL, and how far."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from .._core.errors import Day2Error, Unreachable
from .._core.units import format_duration, plural
from .._stores.postgresql.pitr.archive import Archiver, look
from .._stores.postgresql.pitr.stanza import Stanza, check_stanza
from .._stores.postgresql.pitr.statements import ARCHIVER
from .base import UNKNOWN, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed, TimeUp
from .postgresql_probe import CONNECTION, opened, socket_directory


class PostgresqlArchiveProbe(BaseProbe):
    SUMMARY = (
        "Checks that a PostgreSQL server archives its WAL: the time since WAL was last archived, how long the oldest "
        "segment has been waiting, and failures. With `stanza`, also the age of the newest base backup in pgBackRest's "
        "repository. The user needs the permission to see the archive (pg_monitor); with `stanza`, the "
        "task must run as root or as the user of the server. Requires psycopg 3.1 or later."
    )
    OPTIONS: ClassVar[Mapping[str, Option]] = dict(
        CONNECTION,
        stanza=Option("text", "Name of the server in the repository of pgBackRest."),
        repository=Option("text", "`pgbackrest`, or `pgbackrest:FILE` with its configuration file.", "pgbackrest"),
    )
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit(
            "s",
            "Age of the archive: the time since WAL was last archived. 0 if nothing has been written since.",
            warn=900,
            crit=3600,
        ),
        Limit("s", "Lag: how long the oldest segment has been waiting.", warn=300, crit=1800, name="lag"),
        Limit("count", "Number of segments that are waiting.", name="waiting"),
        Limit("s", "With `stanza`, age of the newest base backup.", warn=93600, crit=180000, name="backup"),
    )

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        super().__init__(options, limits)
        if options["stanza"]:
            check_stanza(options["stanza"])

    def paths(self) -> Sequence[str]:
        return [*super().paths(), *socket_directory(self.options)]

    def run(self, deadline: Deadline) -> Finding:
        finding = self.finding()
        with opened(self.options, deadline) as connection:
            deadline.doing = "querying the archive"
            import psycopg

            try:
                (found,) = connection.execute(ARCHIVER.replace("%", "%%")).fetchone()
            except psycopg.errors.InsufficientPrivilege:
                raise ProbeFailed(
                    f"the archive can't be seen: GRANT pg_monitor TO {connection.info.user}", UNKNOWN
                ) from None
        self._judge(Archiver(**found), finding)
        if self.options["stanza"]:
            self._repository(finding, deadline)
        return finding

    def _judge(self, archiver: Archiver, finding: Finding) -> None:
        if archiver.archive_mode == "off":
            finding.problem("nothing is archived: archive_mode is off")
            return
        if archiver.archived_until is None and not archiver.failing:
            finding.problem("nothing has been archived since the statistics of the server were reset", UNKNOWN)
        if archiver.failing:
            finding.problem(
                f"archiving {archiver.failed_wal} fails ({plural(archiver.failed_count, 'failure')}): see the log of "
                "the server"
            )
        if archiver.archived_until is not None:
            since = max(0.0, archiver.now - archiver.archived_until)
            finding.good = f"WAL was archived {format_duration(since)} ago"
            age = since if archiver.written_since or archiver.waiting else 0.0
            finding.measure(round(age, 3), what="the age of the archive")
        finding.measure(round(archiver.lag_s, 3), "lag", "the lag of the archive")
        finding.measure(archiver.waiting, "waiting", "the number of waiting segments")

    def _repository(self, finding: Finding, deadline: Deadline) -> None:
        deadline.doing = "querying pgBackRest"
        try:
            archive = look(Stanza.at(self.options["repository"], self.options["stanza"]), deadline.left(), False)
        except Unreachable:
            raise TimeUp from None
        except Day2Error as exc:
            finding.problem(exc.message, UNKNOWN)
            return
        if not archive.good:
            finding.problem(f"stanza {self.options['stanza']} has no good backup")
            return
        age = max(0.0, time.time() - archive.good[-1].stop)
        finding.good += f", the newest base backup is {format_duration(age)} old"
        finding.measure(round(age, 3), "backup", "the age of the newest base backup")
