# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill where the backups are those of pgBackRest: a server is restored to a moment between two transactions.

The markers are the numbers of two transactions that do nothing: the server in use gets no table and no row. The copy
knows which transactions it has.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from ..._core.acting_as import acting_as
from ..._core.errors import TargetError
from ..._core.files import os_errors
from ..._core.progress import Progress
from ..._core.units import format_time, parse_time, plural
from ..._stores.postgresql.pitr.archive import look
from ..._stores.postgresql.pitr.configure import prove
from ..._stores.postgresql.pitr.copies import Target, pid_in
from ..._stores.postgresql.pitr.restore import Restored, apply, check_host, check_range, plan, stop
from ..._stores.postgresql.pitr.stanza import Place, Stanza
from ..pitr_info import refuse
from .outcome import RESTORE, VERIFY, Report, Unsound
from .place import ENTERED, check_apart, checked_base, drill_directory, example, remove_left

_ACCEPTED = ("name", "repository", "scratch", "fail_on", "evidence", "timeout", "lock_timeout")
_OWN = "server"  # the directory for it
_PORT = 5432  # of a socket in a directory of its own
_LONGEST_SOCKET = 107  # bytes of its path
_PATIENCE_S = 60.0  # until what was written is archived
_END_S = 30.0
_COMMITTED = "committed"
_HINT = "Check the log of pgBackRest and the archive (backup_info)."
_NUMBER = "SELECT to_json(pg_catalog.txid_current()::text)"
_NOW = "SELECT to_json(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC')"


class Markers(NamedTuple):
    """The numbers of a transaction before the moment, and of one after it."""

    before: int
    at: datetime
    after: int


def drill(report: Report, params: Mapping[str, Any], spec: Mapping[str, Any], check: bool, progress: Progress) -> None:
    """What happened is in the report. Raises Day2Error, which is the verdict."""
    refuse(params, spec, _ACCEPTED)
    stanza = Stanza.at(params["repository"], params["name"])
    base = checked_base(params["scratch"], None)
    check_apart(base, [stanza.place.data_directory])
    if not check:
        report.warnings += remove_left(base)
    _check_before(stanza, base)
    if check:
        report.path, report.reason = base, f"restore stanza {stanza.name} to a moment between two transactions"
        return
    with drill_directory(base) as directory:
        report.path = directory
        target = _target(stanza, directory)
        with report.timed(VERIFY):
            progress.start(f"Marking a moment in stanza {stanza.name}")
            markers = _marked(stanza)
        with report.timed(RESTORE):
            copy = plan(stanza, target, markers.at)
            base_backup = copy.archive.suited(markers.at)[-1]
            report.label, report.made = base_backup.label, datetime.fromtimestamp(base_backup.stop, timezone.utc)
        try:
            with report.timed(RESTORE):
                restored = apply(copy, progress, 0.0)
            with report.timed(VERIFY):
                place = Place(target.directory, target.port, target.socket_directory)
                found = Stanza(stanza.name, stanza.config, place).query(_query(markers))
                judge(markers, found, restored)
        finally:
            stop(copy, target.directory, "immediate")
    report.checks += [
        f"the server was restored to {format_time(markers.at)}: it has the transaction before that, not the one after",
        f"it has {plural(len(restored.databases), 'database')} and can be written to",
    ]
    report.passed()


def _check_before(stanza: Stanza, base: str) -> None:
    """Raise a Day2Error for what can be known before the server is asked to archive anything."""
    own = os.path.join(example(base), _OWN)
    if len(os.fsencode(f"{own}/.s.PGSQL.{_PORT}")) > _LONGEST_SOCKET:
        raise TargetError(
            f"The path {own} is too long for a socket.", "Set scratch to a directory with a shorter path."
        )
    archive = look(stanza, server=False)
    check_range(stanza.name, archive, None)
    check_host(archive, base)
    with acting_as(stanza.user):
        entered = os.access(base, os.X_OK, effective_ids=True)
    if not entered:
        raise TargetError(
            f"The scratch directory {base} can't be entered by {stanza.user.pw_name}.",
            "Set scratch to a directory with mode 0711.",
        )
    stanza.query(_NOW)


def _target(stanza: Stanza, directory: str) -> Target:
    """A directory for the server within that of the drill, which its user can only enter."""
    own = os.path.join(directory, _OWN)
    with os_errors(TargetError, "Can't create", own):
        os.mkdir(own, 0o700)
        if os.geteuid() == 0:
            os.chown(own, stanza.user.pw_uid, stanza.user.pw_gid)
            os.chmod(directory, ENTERED)
    return Target(os.path.join(own, "data"), own, _PORT, keep_running=True)


def _marked(stanza: Stanza) -> Markers:
    """Markers in the WAL, once they are archived. Raises RepositoryError when they are not."""
    before = int(stanza.query(_NUMBER))
    at = parse_time(stanza.query(_NOW))
    after = int(stanza.query(_NUMBER))
    prove(stanza, _PATIENCE_S)
    return Markers(before, at, after)


def _query(markers: Markers) -> str:
    # Of a number that was not given out yet, txid_status knows nothing.
    status = "CASE WHEN {0} < pg_catalog.txid_snapshot_xmax(s) THEN pg_catalog.txid_status({0}) END"
    fields = f"'before', {status.format(markers.before)}, 'after', {status.format(markers.after)}"
    snapshot = "(SELECT pg_catalog.txid_current_snapshot() AS s) AS one"
    # The number of this transaction shows that the copy can be written to.
    return f"SELECT json_build_object({fields}, 'own', pg_catalog.txid_current()::text) FROM {snapshot}"  # noqa: S608


def judge(markers: Markers, found: Mapping[str, Optional[str]], restored: Restored) -> None:
    """Raise Unsound unless the copy is as the server was between the markers.

    :param found: the states of both in the copy.
    :raises TargetError: the copy may itself have used the number of the later one since.
    """
    moment = format_time(markers.at)
    if found["before"] != _COMMITTED:
        raise Unsound(
            f"A transaction that was committed before {moment} is not in the copy that was restored to then.", _HINT
        )
    if restored.last is None or parse_time(restored.last) > markers.at:
        raise Unsound(f"The copy that was restored to {moment} has a transaction that was committed after that.", _HINT)
    if found["after"] == _COMMITTED:
        raise TargetError(
            "The copy has reused the number of the later transaction, so the drill is inconclusive.", "Drill again."
        )


def end_servers(path: str) -> None:
    """End the server of a killed drill, if it has one.

    :param path: the directory of the drill.
    """
    own = os.path.join(path, _OWN)
    for name in os.listdir(own) if os.path.isdir(own) else ():
        directory = os.path.join(own, name)
        if os.path.islink(directory):  # the user of the server can make one: to the data of a server in use
            continue
        deadline = time.monotonic() + _END_S
        pid = pid_in(directory)
        if pid is not None:
            os.kill(pid, signal.SIGQUIT)
        while pid_in(directory) is not None and time.monotonic() < deadline:
            time.sleep(0.1)
