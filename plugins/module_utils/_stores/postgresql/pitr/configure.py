# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting up the archive of a server: configuration, stanza, settings of the server, first backup.

The stanza is created before the server is told to archive: otherwise its first segments would fail.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ...._core.errors import Day2Error, InvalidRequest, SourceError, TargetError
from ...._core.files import os_errors
from ...._core.progress import Progress
from ...._core.scratch import scratch_directory
from ...._core.units import parse_duration, plural
from .archive import Archive, Archiver, look
from .configuration import ConfigFile, plan_file
from .stanza import Place, Stanza, check_stanza, program, user_of

_SETTINGS = """
SELECT json_object_agg(s.name, json_build_object(
  'now', s.setting, 'source', s.source,
  'configured', (SELECT f.setting FROM pg_catalog.pg_file_settings AS f
                 WHERE f.name = s.name ORDER BY f.seqno DESC LIMIT 1)))
FROM pg_catalog.pg_settings AS s
WHERE s.name IN ('archive_mode', 'archive_command', 'archive_library', 'archive_timeout', 'wal_level')"""


class SetUp(NamedTuple):
    """What has to be done, in this order. `settings` are statements; `restart` names what needs one."""

    stanza: Stanza
    file: ConfigFile
    directory: str  # of the repository, if it has to be created
    create: bool
    settings: Mapping[str, str]
    restart: Sequence[str]
    archive: Archive
    first: bool

    @property
    def changed(self) -> bool:
        return bool(self.file.changed or self.directory or self.create or self.settings or self.first)

    def steps(self, check: bool) -> list[str]:
        """In words."""
        would = "would be " if check else ""
        done = [f"{self.file.path} {would}written"] if self.file.changed else []
        done += [f"the directory {self.directory} {would}created"] if self.directory else []
        done += [f"stanza {self.stanza.name} {would}created"] if self.create else []
        done += [f"{name} {would}set" for name in self.settings]
        return done + ([f"the first backup {would}made"] if self.first else [])


@contextlib.contextmanager
def plan(options: Mapping[str, Any]) -> Iterator[SetUp]:
    """Raises InvalidRequest, TargetError, SourceError, RepositoryError for whatever can't be set up."""
    name = check_stanza(options["stanza"])
    place = Place(options["data_directory"], options["port"], options["socket_directory"])
    _check_server(place)
    program()
    user = user_of(place.data_directory)
    file = plan_file(name, options, place, user)
    location = os.path.normpath(options["repository"]) if options["repository"].startswith("/") else ""
    with scratch_directory() as scratch:
        # what is to be is asked, not what is
        stanza = Stanza(name, _candidate(scratch, file), place)
        settings, restart, running = _settings(Stanza(name, file.path, place), options)
        missing = location if location and not os.path.isdir(location) else ""
        archive = look(stanza)
        if archive.archiver is None:
            raise SourceError(archive.trouble)
        first = bool(options["first_backup"] and running and not archive.good)
        own = Stanza(name, file.path, place)
        yield SetUp(own, file, missing, not archive.exists, settings, restart, archive, first)


def _check_server(place: Place) -> None:
    path = os.path.join(place.data_directory, "PG_VERSION")
    if not os.path.isfile(path):
        raise InvalidRequest(
            f"{place.data_directory} is not a data directory of PostgreSQL.",
            "Set data_directory to the value that SHOW data_directory returns.",
        )


def _candidate(scratch: str, file: ConfigFile) -> str:
    """The file as it is to be, for the time of the plan."""
    path = os.path.join(scratch, "pgbackrest.conf")
    with os_errors(TargetError, "Can't write", path):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as handle:
            if os.geteuid() == 0:
                os.fchown(handle.fileno(), file.user.pw_uid, file.user.pw_gid)
                os.chown(scratch, file.user.pw_uid, file.user.pw_gid)
            handle.write(file.after)
    return path


def archive_command(stanza: Stanza) -> str:
    """What the server runs for each segment of WAL."""
    return f"{program()} --config={stanza.config} --stanza={stanza.name} archive-push %p"


def _settings(stanza: Stanza, options: Mapping[str, Any]) -> tuple[dict[str, str], list[str], bool]:
    """The values to set, the settings that need a restart, and whether the server archives already.

    Raises TargetError if it archives elsewhere, or a setting can't be changed.
    """
    if stanza.query("SELECT to_json(pg_catalog.pg_is_in_recovery())"):
        raise TargetError("The server is a standby, and pgBackRest needs the primary.", "Run it on the primary.")
    found = stanza.query(_SETTINGS)
    command = archive_command(stanza)
    _check_other_archive(found, command)
    seconds = math.ceil(parse_duration(options["archive_timeout"]))  # 0 would be for ever
    wanted = {"archive_mode": "on", "archive_command": command, "archive_timeout": str(seconds)}
    if found["archive_mode"]["now"] == "always" or found["archive_mode"]["configured"] == "always":
        wanted["archive_mode"] = "always"
    if found["wal_level"]["now"] == "minimal":
        wanted["wal_level"] = "replica"
    changes, restart = {}, []
    for name, value in wanted.items():
        one = found[name]
        configured = one["configured"] if one["configured"] is not None else one["now"]
        if one["source"] == "command line" and one["now"] != value:
            raise TargetError(f"{name} was set on the command line of the server.", f"Set {name} to {value} there.")
        if not _equal(name, configured, value):
            changes[name] = value
        if name in ("archive_mode", "wal_level") and one["now"] != value:
            restart.append(name)
    return changes, restart, found["archive_mode"]["now"] != "off"


def _equal(name: str, configured: str, value: str) -> bool:
    if name != "archive_timeout":
        return configured == value
    try:
        return parse_duration(configured + ("s" if configured.isdigit() else "")) == float(value)
    except Day2Error:
        return False


def _check_other_archive(found: Mapping[str, Any], command: str) -> None:
    library = found.get("archive_library", {}).get("now")
    current = found["archive_command"]["configured"] or found["archive_command"]["now"] or ""
    # a program that does nothing archives nowhere
    if current.strip() in ("", "(disabled)", "/bin/true", "true", "/bin/false", command):
        current = ""
    if library or current:
        raise TargetError(
            f"The server archives elsewhere: {'archive_library' if library else 'archive_command'} is "
            f"{library or current}.",
            "Reset it (ALTER SYSTEM RESET, or in postgresql.conf) once that archive is no longer needed.",
        )


def apply(setup: SetUp, options: Mapping[str, Any], progress: Progress) -> None:
    """Do it. Raises the error of the step that fails; the next run continues there."""
    stanza, user = setup.stanza, setup.file.user
    if setup.file.changed:
        setup.file.write()
    if setup.directory:
        with os_errors(TargetError, "Can't create", setup.directory):
            os.makedirs(setup.directory, 0o750)
            if os.geteuid() == 0:
                os.chown(setup.directory, user.pw_uid, user.pw_gid)
    if setup.create:
        stanza.run("stanza-create")
    for name, value in setup.settings.items():
        stanza.query(f"ALTER SYSTEM SET {name} = '{quoted(value)}'")
    if setup.settings:
        stanza.query("SELECT to_json(pg_catalog.pg_reload_conf())")
    archiver = setup.archive.archiver
    if "archive_mode" not in setup.restart and (setup.changed or not healthy(archiver)):
        progress.start(f"Checking that stanza {stanza.name} receives WAL")
        prove(stanza, parse_duration(options["check_timeout"]))
    if setup.first:
        progress.start(f"Making the first backup of stanza {stanza.name}")
        stanza.run("--type=full", "backup", limit=None)


def healthy(archiver: Optional[Archiver]) -> bool:
    """Whether the server has archived something, and its last attempt did not fail."""
    return archiver is not None and archiver.archived_until is not None and not archiver.failing


def prove(stanza: Stanza, limit: float) -> None:
    """Have a segment archived and found again. pgBackRest alone would wait for a minute and more.

    Raises RepositoryError.
    """
    seconds = max(1, round(limit * 0.8))
    stanza.run(f"--archive-timeout={seconds}", "check", limit=limit)


def quoted(value: str) -> str:
    """A value within single quotes of SQL."""
    return value.replace("'", "''")


def message(setup: SetUp, check: bool) -> str:
    """The result in words."""
    steps = setup.steps(check)
    name = setup.stanza.name
    text = f"Stanza {name}: {', '.join(steps)}." if steps else f"Stanza {name} is set up."
    if setup.restart:
        text += f" The server must be restarted for {' and '.join(setup.restart)}; nothing is archived until then."
    elif setup.archive.good:
        text += f" It has {plural(len(setup.archive.good), 'backup')}."
    return text
