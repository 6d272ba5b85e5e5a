# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgBackRest and a server of PostgreSQL, called as the user of the server."""

from __future__ import annotations

import configparser
import functools
import glob
import json
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ...._core.errors import InvalidRequest, MissingDependency, RepositoryError, SourceError, Unreachable
from ...._core.files import os_errors
from ...._core.owners import user_name
from ...._core.programs import environment
from ..cluster.programs import any_psql

CONFIGURATIONS = "/etc/pgbackrest/conf.d"
HEADER = "# Managed by day2.ops.postgresql_pitr: changes are overwritten.\n"
_DEFAULTS = ("/etc/pgbackrest/pgbackrest.conf", "/etc/pgbackrest.conf")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_LIMIT = 120.0
_ON_ITS_OWN = ("unshare", "--mount", "--propagation", "private", "--")
_REPLACE = 'while [ "$1" != -- ]; do mount --bind -- "$1" "$2"; shift 2; done; shift; exec "$@"'


class Place(NamedTuple):
    """Where the server of a stanza is on this host."""

    data_directory: str
    port: int
    socket_directory: str


def check_stanza(name: str) -> str:
    """The name. Raises InvalidRequest when it is none of a stanza."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"{name!r} is not a valid name of a stanza.", "Use letters, digits, - and _.")
    return name


class Stanza:
    """One server as pgBackRest knows it.

    :param config: its configuration; "": that of pgBackRest itself.
    :param place: of the server, if it is not to be taken from the configuration.
    """

    def __init__(self, name: str, config: str, place: Optional[Place] = None) -> None:
        self.name = check_stanza(name)
        self.config = config
        self.place = place or _place_in(name, config)
        self.user = user_of(self.place.data_directory)

    @classmethod
    def at(cls, location: str, name: str) -> Stanza:
        """The one that a repository and a name in it tell. Raises InvalidRequest, RepositoryError."""
        given = location.partition(":")[2]
        own = os.path.join(CONFIGURATIONS, f"{check_stanza(name)}.conf")
        return cls(name, given or (own if _is_ours(own) else ""))

    def command(self, *words: str) -> list[str]:
        """A command line of pgBackRest. Raises MissingDependency."""
        config = [f"--config={self.config}"] if self.config else []
        return [program(), *config, f"--stanza={self.name}", *words]

    def run(self, *words: str, limit: Optional[float] = _LIMIT) -> bytes:
        """What it prints. Raises RepositoryError with its complaint, Unreachable after the limit."""
        argv = self.command("--log-level-console=off", "--log-level-stderr=warn", *words)
        what = f"pgbackrest {words[-1]}"
        status, out, said = run_as(self.user, argv, limit, what)
        if status:
            raise RepositoryError(f"{what} of stanza {self.name} failed: {complaint_of(said)}.", hint_for(said))
        return out

    def query(self, statement: str, limit: float = 30.0) -> Any:
        """The one JSON value that a statement returns. Raises SourceError when the server can't be asked."""
        psql = any_psql()
        if psql is None:
            raise MissingDependency("psql", "to ask the server", "Install the package postgresql-client.")
        place = self.place
        address = ["-h", place.socket_directory, "-p", str(place.port), "-d", "postgres"]
        argv = [psql, "-XAtqw", "-v", "ON_ERROR_STOP=1", *address, "-c", statement]
        status, out, said = run_as(self.user, argv, limit, "psql")
        if status:
            words = complaint_of(said).rstrip(".")
            raise SourceError(
                f"The server at {place.socket_directory}, port {place.port}, can't be asked: {words}.",
                "Check port and socket_directory, and that it runs.",
            )
        return json.loads(out) if out.strip() else None


def program() -> str:
    """The path of pgBackRest. Raises MissingDependency."""
    found = shutil.which("pgbackrest", path=environment()["PATH"])
    if found is None:
        raise MissingDependency("pgbackrest", "for restores to a point in time", "Install the package pgbackrest.")
    return found


@functools.cache
def user_of(directory: str) -> pwd.struct_passwd:
    """The user of the server: the owner of its data, else of the directory above it, else postgres.

    Raises SourceError when programs can't be run as that user.
    """
    uid = -1
    for path in (directory, os.path.dirname(directory)):
        if os.path.isdir(path) and os.stat(path).st_uid != 0:
            uid = os.stat(path).st_uid
            break
    try:
        entry = pwd.getpwnam("postgres") if uid < 0 else pwd.getpwuid(uid)
    except KeyError:
        raise SourceError(f"The owner of {directory} does not exist on this host.", "Create it.") from None
    if os.geteuid() not in (0, entry.pw_uid):
        raise SourceError(
            f"The server at {directory} belongs to {entry.pw_name}, not to {user_name(os.geteuid())}.",
            "Run as root (become: true), or as that user.",
        )
    return entry


def run_as(
    user: pwd.struct_passwd,
    argv: Sequence[str],
    limit: Optional[float],
    what: str,
    instead: Optional[Mapping[str, str]] = None,
) -> tuple[int, bytes, str]:
    """Exit status, output and complaints of a program. Raises Unreachable when it takes longer than the limit.

    :param instead: directories that it, and what it starts, have in place of others (see `can_replace`).
    """
    who: dict[str, Any] = {}
    # of a killed run, nothing may go on writing
    leash = [shutil.which("setpriv") or "", "--pdeathsig", "TERM"]
    start = [*(leash if leash[0] else []), *argv]
    if instead:
        pairs = [word for place, seen in instead.items() for word in (seen, place)]
        # the privileges are dropped once the directories are in place
        user_is = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]
        start = [*_ON_ITS_OWN, "sh", "-euc", _REPLACE, "sh", *pairs, "--", *leash, *user_is, *argv]
    elif os.geteuid() == 0:
        groups = os.getgrouplist(user.pw_name, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": groups}
    env = environment(HOME=user.pw_dir)
    with os_errors(SourceError, "Can't start", argv[0]):
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            start,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=env,
            **who,
        )
    try:
        out, said = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        said = _end(process)
        why = f": {complaint_of(said.decode(errors='replace'))}" if said.strip() else ""
        raise Unreachable(
            f"{what} took longer than {limit:.0f} s and was ended{why}.",
            "Check that its repository and the server respond.",
        ) from None
    except BaseException:
        _end(process)
        raise
    return process.returncode, out, said.decode(errors="replace")


def can_replace() -> bool:
    """Whether programs can be given other directories in place of some: by mounts that only they see."""
    if os.geteuid() != 0 or not all(shutil.which(name) for name in ("unshare", "mount", "setpriv")):
        return False
    done = subprocess.run(  # pylint: disable=ansible-bad-function
        [*_ON_ITS_OWN, "true"], check=False, stdin=subprocess.DEVNULL, capture_output=True
    )
    return done.returncode == 0


def _end(process: subprocess.Popen[bytes]) -> bytes:
    """End it. Returns what it complained of."""
    process.terminate()
    try:
        return process.communicate(timeout=5)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[1]


_PREFIX = re.compile(r"^(?:\d{4}-\S+ \S+ P\d+ +)?(?:ERROR|WARN|psql: error|HINT)[: ]+(?:\[\d+\]: )?")


def complaint_of(said: str) -> str:
    """What a program complains of, in one line."""
    lines = [_PREFIX.sub("", line.strip()).strip() for line in said.splitlines()]
    return "; ".join([line for line in lines if line][:6]).rstrip(".") or "it said nothing"


def hint_for(said: str) -> str:
    """What to do about a complaint of pgBackRest."""
    if "archive_mode must be enabled" in said:
        return "Restart the server, so that archive_mode takes effect."
    if re.search(r"certificate|TLS|crypt|cipher|Access ?Denied|Signature", said):
        return "Check s3, its ca_bundle and the encryption key."
    return "See the log in /var/log/pgbackrest."


def _is_ours(path: str) -> bool:
    """Whether it is a whole configuration, as ours are. One made by hand needs that of pgBackRest beside it."""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read(len(HEADER)) == HEADER
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise RepositoryError(f"Can't read {path}: {exc.strerror}.") from exc


def _default_files() -> list[str]:
    """What pgBackRest reads without --config."""
    return [one for one in _DEFAULTS if os.path.exists(one)][:1] + sorted(glob.glob(f"{CONFIGURATIONS}/*.conf"))


def _place_in(name: str, config: str) -> Place:
    values = read_values(name, config)
    if "pg1-path" not in values:
        raise RepositoryError(
            f"The configuration of pgBackRest has no stanza {name} with pg1-path.",
            "Set it up with postgresql_pitr, or set repository to pgbackrest:FILE.",
        )
    port = values.get("pg1-port", "5432")
    if not re.fullmatch("[0-9]{1,5}", port):
        raise RepositoryError(f"The configuration of stanza {name} has the port {port}.", "Correct pg1-port.")
    return Place(values["pg1-path"], int(port), values.get("pg1-socket-path", "/var/run/postgresql"))


def read_values(name: str, config: str) -> Mapping[str, str]:
    """The options of a stanza in the files of configuration. Raises RepositoryError when they can't be read."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    path = config
    try:
        for path in [config] if config else _default_files():
            with open(path, encoding="utf-8") as handle:
                parser.read_file(handle)
    except (OSError, UnicodeDecodeError, configparser.Error) as exc:
        raise RepositoryError(f"Can't read {path}: {getattr(exc, 'strerror', None) or exc}.") from exc
    sections = [parser[one] for one in ("global", name) if parser.has_section(one)]
    return {key: value for section in sections for key, value in section.items()}
