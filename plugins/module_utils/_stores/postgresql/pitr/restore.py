# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server as it was at a moment: restored into a new directory, started there, and looked at.

It is built under a hidden name beside the directory, and gets its name once the server in it has reached the moment.
It archives nowhere, and listens on a socket only.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import socket
import stat
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from ...._core.acting_as import acting_as
from ...._core.errors import Day2Error, MissingDependency, NoSpace, RepositoryError, TargetError
from ...._core.files import PREPARED, discard, free_bytes, fsync_directory, os_errors, resolve, write_atomically
from ...._core.progress import Progress
from ...._core.run_lock import RunLock
from ...._core.units import format_size, format_time
from ..cluster.programs import find, major_of
from . import tablespaces
from .archive import Archive, look, shown
from .copies import Copy, Target, lines_of, pid_in
from .stanza import Place, Stanza, complaint_of, run_as

MARKER = "day2-restored.json"
_FOREVER_S = "31536000"
_POLL_S = 0.1
# What a server complains of when WAL is missing or damaged, or does not belong to its base backup.
_UNUSABLE = re.compile(
    'checkpoint record|WAL ends before|invalid data in file "backup_label"|backup_label contains|invalid pages|'
    "wal_level=minimal"
)


def plan(stanza: Stanza, target: Target, at: Optional[datetime]) -> Copy:
    """Raises InvalidRequest, RepositoryError or TargetError for whatever can't be restored."""
    directory = resolve(target.directory, TargetError)
    target = target._replace(directory=directory)
    archive = look(stanza)
    check_range(stanza.name, archive, at)
    existing = _existing(stanza, target, at)
    ready = Copy(stanza, archive, target, at, existing)
    ready.base()
    if not existing:
        _check_target(ready)
    return ready


def check_range(name: str, archive: Archive, at: Optional[datetime]) -> None:
    """Raise RepositoryError for a moment that is not in the archive: it would only fail after the whole restore."""
    if archive.earliest is None:
        raise RepositoryError(f"Stanza {name} has no good backup.", "Create one: pgbackrest --stanza=NAME backup.")
    if at is None:
        return
    when, latest = at.timestamp(), archive.latest
    known = f"from {shown(archive.earliest)} to {shown(latest) or 'a time that is only known to the server'}"
    if when < archive.earliest:
        raise RepositoryError(
            f"{format_time(at)} is before the range of stanza {name}, {known}.", "Choose a later time."
        )
    if when > (latest if latest is not None else time.time()):
        raise RepositoryError(
            f"{format_time(at)} is after the range of stanza {name}, {known}.",
            "Choose an earlier time, wait until more is archived (SELECT pg_switch_wal()), or omit at to restore "
            "everything that is archived.",
        )


def _existing(stanza: Stanza, target: Target, at: Optional[datetime]) -> bool:
    """Whether the directory is already what is asked for. Raises TargetError if it is anything else."""
    if not os.path.lexists(target.directory) or _is_empty(target.directory):
        return False
    try:
        with open(os.path.join(target.directory, MARKER), encoding="utf-8") as handle:
            marker = json.load(handle)
    except (OSError, ValueError):
        marker = None
    if at is not None and marker == _marker(stanza, target, at):
        return True
    what = f"a copy of {marker['stanza']} at {marker['at']}" if _is_marker(marker) else "not empty"
    raise TargetError(
        f"{target.directory} is {what}, and a data directory is never replaced.",
        "Set data_directory to a new one, or remove it.",
    )


def _marker(stanza: Stanza, target: Target, at: Optional[datetime]) -> dict[str, Any]:
    followed = {} if target.timeline is None else {"timeline": target.timeline}
    return {"stanza": stanza.name, "at": format_time(at) if at else "its end", **followed}


def _is_marker(found: Any) -> bool:
    return isinstance(found, dict) and {"stanza", "at"} <= set(found)


def _is_empty(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path) and not os.listdir(path)


def _check_target(copy: Copy) -> None:
    target, user = copy.target, copy.stanza.user
    parent = os.path.dirname(target.directory)
    with os_errors(TargetError, "Can't read", parent):
        info = os.stat(parent)
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != user.pw_uid or info.st_mode & 0o022:
        raise TargetError(
            f"{parent} must be a directory that belongs to {user.pw_name} and that no other user can write to.",
            "Create it, or choose another.",
        )
    if _is_taken(copy):
        raise TargetError(f"Another server uses port {target.port}: {socket_of(target)}.", "Set another port.")
    if not os.path.isdir(target.socket_directory):
        raise TargetError(f"{target.socket_directory} does not exist.", "Set host to a directory for the socket.")
    left = os.path.lexists(prepared_for(target.directory))
    tablespaces.check(copy.stanza, copy.archive, copy.at, target.directory, left)
    check_host(copy.archive, parent)


def check_host(archive: Archive, parent: str) -> None:
    """Raise MissingDependency or NoSpace when no copy can be started, or made in this directory."""
    _program(archive)
    needed = archive.good[-1].size
    if free_bytes(parent) < needed:
        raise NoSpace(
            f"{parent} has {format_size(free_bytes(parent))} free, and the backup needs {format_size(needed)}.",
            "Free some space, or choose another directory.",
        )


def socket_of(target: Target) -> str:
    """The path of the socket of a server."""
    return os.path.join(target.socket_directory, f".s.PGSQL.{target.port}")


def _is_taken(copy: Copy) -> bool:
    """Whether a server listens there that is not what a killed run of ours has left."""
    left = prepared_for(copy.target.directory)
    if pid_in(left) is not None and lines_of(left)[3:4] == [str(copy.target.port)]:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(socket_of(copy.target))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:  # also one that may not be asked
            return True
    return True


def prepared_for(directory: str) -> str:
    """Where a copy is built."""
    parent, name = os.path.split(directory)
    return os.path.join(parent, f"{PREPARED}{name}")


def _major(archive: Archive) -> int:
    return int(archive.version.partition(".")[0] or 0)


class Restored(NamedTuple):
    """What the server of the copy said. `last`: the last transaction in it."""

    last: Optional[str]
    databases: tuple[str, ...]
    notes: tuple[str, ...]


def apply(copy: Copy, progress: Progress, lock_timeout: float) -> Restored:
    """Build the copy. Raises a Day2Error, with nothing left behind."""
    parent = os.path.dirname(copy.target.directory)
    info = os.stat(parent)
    lock = RunLock(parent, info.st_dev, info.st_ino)
    lock.take(lock_timeout)
    try:
        if _existing(copy.stanza, copy.target, copy.at):
            raise TargetError(f"Another run has created {copy.target.directory} at the same time.", "Run again.")
        _check_target(copy)
        prepared = prepared_for(copy.target.directory)
        notes = _remove_left(copy, prepared)
        try:
            restored = _build(copy, prepared, progress)
        except BaseException:
            stop(copy, prepared, "immediate")
            _discard(copy, prepared)
            raise
        if copy.target.keep_running:
            _start(copy, copy.target.directory)
        return restored._replace(notes=(*notes, *restored.notes))
    finally:
        lock.release()


def _remove_left(copy: Copy, prepared: str) -> list[str]:
    """What a killed run has left: its server may still run."""
    if not os.path.lexists(prepared):
        return []
    stop(copy, prepared, "immediate")
    return _discard(copy, prepared) or [f"Removed {prepared}, which an interrupted run had left."]


def _discard(copy: Copy, prepared: str) -> list[str]:
    with acting_as(copy.stanza.user):
        return [*discard(tablespaces.directory_of(copy.target.directory)), *discard(prepared)]


def _build(copy: Copy, prepared: str, progress: Progress) -> Restored:
    target = copy.target
    size = copy.archive.good[-1].size
    progress.start(f"Restoring stanza {copy.stanza.name} to {copy.moment}", size, "bytes")
    with os_errors(TargetError, "Can't create", prepared), acting_as(copy.stanza.user):
        os.mkdir(prepared, 0o700)
    # T and Z in a time would have pgBackRest choose the newest backup
    moment = ["--type=default"] if copy.at is None else ["--type=time", f"--target={_for_postgresql(copy.at)}"]
    base = copy.base()
    copy.stanza.run(
        f"--pg1-path={prepared}",
        *([] if base is None else [f"--set={base.label}", f"--target-timeline={copy.target.timeline}"]),
        *moment,
        *([] if copy.at is None else ["--target-action=promote"]),
        "--archive-mode=off",
        f"--tablespace-map-all={tablespaces.directory_of(target.directory)}",
        "restore",
        limit=None,
    )
    instead = tablespaces.prepare(copy.stanza, prepared, target.directory)
    _configure(copy, prepared)
    progress.start(f"Replaying WAL until {copy.moment}")
    _start(copy, prepared, instead)
    restored = _examine(copy)
    stop(copy, prepared, "fast")
    tablespaces.settle(copy.stanza, prepared, instead)
    notes = tablespaces.outside(prepared, target.directory)
    _settle(copy, prepared)
    return restored._replace(notes=tuple(notes))


def _for_postgresql(at: datetime) -> str:
    return at.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f+00")


def _configure(copy: Copy, prepared: str) -> None:
    """Make the server of the copy one of its own: a socket, a port, no archive, no primary."""
    # Debian has these outside of the data directory
    files = {
        "postgresql.conf": "# The server of a restored copy: see postgresql.auto.conf.\n",
        "pg_hba.conf": "local all all peer\n",
        "pg_ident.conf": "\n",
    }
    path = os.path.join(prepared, "postgresql.auto.conf")
    with os_errors(TargetError, "Can't write", path), acting_as(copy.stanza.user):
        new = {name: text for name, text in files.items() if not os.path.lexists(os.path.join(prepared, name))}
        with open(path, encoding="utf-8", errors="surrogateescape") as handle:
            new["postgresql.auto.conf"] = handle.read() + _settings(copy.target)
        for name, text in new.items():
            write_atomically(os.path.join(prepared, name), text.encode("utf-8", "surrogateescape"))


def _settings(target: Target) -> str:
    """Those of the copy, after all others: it must not act in place of the server in use, and says why it fails."""
    folder = target.socket_directory.replace("'", "''")
    return (
        f"\n# of this copy\nport = {target.port}\nlisten_addresses = ''\nunix_socket_directories = '{folder}'\n"
        "archive_mode = off\narchive_command = ''\narchive_cleanup_command = ''\nrecovery_end_command = ''\n"
        # a subscription would take changes from the publisher that the server in use then never gets
        "max_logical_replication_workers = 0\nprimary_conninfo = ''\nsynchronous_standby_names = ''\n"
        "external_pid_file = ''\nlogging_collector = off\nlog_destination = 'stderr'\nlc_messages = 'C'\nssl = off\n"
    )


def _program(archive: Archive) -> str:
    """pg_ctl of exactly the version of the data. Raises MissingDependency."""
    major = _major(archive)
    path = find("pg_ctl", major)
    if major_of(path) != major:
        raise MissingDependency(f"PostgreSQL {major}", "to start the copy", f"Install the package postgresql-{major}.")
    return path


def _start(copy: Copy, directory: str, instead: Optional[Mapping[str, str]] = None) -> None:
    """Start a server, and wait until it can be written to. Raises an error with what its log says.

    :param instead: see `run_as`.
    """
    log = os.path.join(directory, "day2-restored.log")
    # what a standby would need is not needed, and its settings may be larger than those known here
    # and a data_directory in its configuration is that of the server in use; a shell reads the options
    options = f"-c hot_standby=off -c {shlex.quote(f'data_directory={directory}')}"
    argv = [_program(copy.archive), "start", "-s", "-w", "-t", _FOREVER_S, "-D", directory, "-l", log, "-o", options]
    status, out, said = run_as(copy.stanza.user, argv, None, "pg_ctl start", instead)
    while not status and not _is_ready(directory):  # it still replays
        if pid_in(directory) is None and not _is_ready(directory):
            status = 1
        time.sleep(_POLL_S)
    if status:
        raise not_reached(copy, log, said or out.decode(errors="replace"))


def _is_ready(directory: str) -> bool:
    """Whether its server has said that it can be used, which is in the eighth line of its file."""
    return [line.strip() for line in lines_of(directory)[7:8]] == ["ready"]


def not_reached(copy: Copy, log: str, complaint: str) -> Day2Error:
    """Why the server of the copy does not start, by its log: a RepositoryError if the archive is the reason, else a
    TargetError.
    """
    try:
        with acting_as(copy.stanza.user), open(log, encoding="utf-8", errors="replace") as handle:
            said = handle.read()
    except OSError:
        said = ""
    if "recovery ended before configured recovery target was reached" in said:
        last = re.findall(r"last completed transaction was at log time (.+)", said)
        return RepositoryError(
            f"The archive of stanza {copy.stanza.name} has no transaction after {copy.moment}, or WAL is missing"
            + (f"; the last transaction that can be restored was at {last[-1]}." if last else "."),
            "Omit at to restore up to there. If WAL is missing, make a new backup: pgbackrest --stanza=NAME backup.",
        )
    fatal = re.findall(r"(?:FATAL|PANIC):\s+(.+)", said)
    unusable = [one for one in fatal if _UNUSABLE.search(one)]
    if unusable:
        return RepositoryError(
            f"The archive of stanza {copy.stanza.name} can't be restored to {copy.moment}: {unusable[-1]}.",
            "WAL is missing from it, or damaged. Make a new backup: pgbackrest --stanza=NAME backup.",
        )
    return TargetError(f"The server of the copy does not start: {fatal[-1] if fatal else complaint_of(complaint)}.")


def _examine(copy: Copy) -> Restored:
    """Ask the server of the copy what it has. Raises TargetError."""
    place = Place(copy.target.directory, copy.target.port, copy.target.socket_directory)
    found = Stanza(copy.stanza.name, copy.stanza.config, place).query(
        "SELECT json_build_object('recovering', pg_is_in_recovery(), 'last', extract(epoch FROM "
        "pg_last_xact_replay_timestamp())::float, 'databases', (SELECT json_agg(datname ORDER BY datname) "
        "FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate))"
    )
    if found["recovering"]:
        raise TargetError(
            "The server of the copy is still replaying WAL.", "The data directory was not created. Run again."
        )
    return Restored(shown(found["last"]), tuple(found["databases"] or ()), ())


def _settle(copy: Copy, prepared: str) -> None:
    """Give the finished copy its name."""
    directory = copy.target.directory
    with os_errors(TargetError, "Can't put in place", directory), acting_as(copy.stanza.user):
        marker = os.path.join(prepared, MARKER)
        write_atomically(marker, json.dumps(_marker(copy.stanza, copy.target, copy.at)).encode(), 0o644)
        if os.path.isdir(directory):
            os.rmdir(directory)  # it is empty, or this fails
        os.rename(prepared, directory)
        fsync_directory(os.path.dirname(directory))


def stop(copy: Copy, directory: str, mode: str) -> None:
    """Stop the server in a directory, if one runs."""
    if pid_in(directory) is None:
        return
    argv = [_program(copy.archive), "stop", "-s", "-w", "-t", "300", "-m", mode, "-D", directory]
    with contextlib.suppress(Day2Error):
        run_as(copy.stanza.user, argv, 310, "pg_ctl stop")
    if pid_in(directory) is not None:
        raise TargetError(f"The server in {directory} does not stop.", "Stop it, and remove the directory.")
