# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Job files: one JSON file for each job, without secrets."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
import stat
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .._core.errors import InvalidRequest, SourceError
from .._core.files import open_regular
from .._core.paths import check_paths
from .._core.programs import environment
from .._core.specs import check
from .._notify.channel import checked_channel, checked_ping
from .._verbs.registry import VERBS, find_verb
from .conditions import Conditions, conditions_of
from .hooks import checked_hooks
from .places import configuration

SCHEMA = 1
ENCRYPTED = ".cred"  # the end of the file names of credentials that systemd-creds has encrypted
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_KEYS = {
    "schema",
    "verb",
    "arguments",
    "secrets",
    "wait",
    "expected_every",
    "description",
    "ping",
    "notify",
    "window",
    "when_load_below",
    "on_ac_power",
    "timeout",
    "hooks",
    "on_change",
}


class WrongJob(InvalidRequest):
    """The job file, or a secret that it names, is missing or not valid."""


class Job(NamedTuple):
    """A job as its file describes it.

    `secrets` are names of credentials by the option that they are for ("copy_to.0.s3.secret_access_key"). `wait` and
    `expected_every` are in seconds; 0: another run is not waited for, and no run is ever late. `ping` is {} if nobody
    expects pings. `timeout` is 0 if what runs the program limits its time. `on_change` is in seconds; 0: changes of the
    data start no run.
    """

    name: str
    verb: str
    arguments: Mapping[str, Any]
    secrets: Mapping[str, str]
    wait: float
    expected_every: float
    description: str
    ping: Mapping[str, Any]
    notify: Sequence[Mapping[str, Any]]
    conditions: Conditions
    hooks: Mapping[str, list[str]]
    timeout: float
    on_change: float


def names() -> list[str]:
    """The names of all jobs of this host. Raises WrongJob if they cannot be determined."""
    directory = configuration("jobs")
    try:
        files = os.listdir(directory)
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise WrongJob(f"{directory} cannot be read: {exc.strerror}.", "Run as root.") from exc
    return sorted(one[:-5] for one in files if one.endswith(".json") and NAME.fullmatch(one[:-5]))


def path_of(name: str) -> str:
    """The job file. Raises WrongJob if no job can have that name."""
    if not NAME.fullmatch(name):
        raise WrongJob(f"{name!r} is not the name of a job.", "Names consist of letters, digits, - and _.")
    return configuration("jobs", name + ".json")


def load(name: str) -> Job:
    """Read a job. Raises WrongJob."""
    path = path_of(name)
    given = read_object(path)
    extra = sorted(set(given) - _KEYS)
    secrets = given.get("secrets", {})
    problem = (
        f"its schema is {given.get('schema')!r}, not {SCHEMA}"
        if given.get("schema") != SCHEMA
        else f"unknown key {', '.join(extra)}"
        if extra
        else f"verb is {given.get('verb')!r}; the verbs are {', '.join(sorted(VERBS))}"
        if given.get("verb") not in tuple(VERBS)
        else "arguments is not an object"
        if not isinstance(given.get("arguments"), dict)
        else "secrets is not an object of strings"
        if not isinstance(secrets, dict) or not all(isinstance(one, str) for one in secrets.values())
        else ""
    )
    if problem:
        raise WrongJob(f"{path} is not valid: {problem}.", "Run the role schedule again.")
    return Job(
        name,
        given["verb"],
        given["arguments"],
        secrets,
        _seconds(path, given, "wait"),
        _seconds(path, given, "expected_every"),
        str(given.get("description", "")),
        *_told(path, given),
        _seconds(path, given, "timeout"),
        _seconds(path, given, "on_change"),
    )


def exists(name: str) -> bool:
    """Whether there is a file of the job, valid or not."""
    return bool(NAME.fullmatch(name)) and os.path.lexists(path_of(name))


def reachable(name: str) -> Job:
    """The job. If its file is not valid: one with the channels that are to be notified of that, which are those in the
    file, if that much of it is valid, else those of the other jobs of this host."""
    try:
        return load(name)
    except WrongJob:
        pass
    ping, channels = _salvaged(name)
    for other in [] if ping or channels else _other_names(name):
        with contextlib.suppress(WrongJob):
            for channel in load(other).notify:
                if channel["name"] not in [one["name"] for one in channels]:
                    channels.append(dict(channel))
    return Job(name, "?", {}, {}, 0.0, 0.0, "", ping, channels, conditions_of(None, None, None), {}, 0.0, 0.0)


def _salvaged(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The ping and the channels of a job file of which the rest may be wrong."""
    path = path_of(name)
    with contextlib.suppress(WrongJob):
        given = read_object(path)
        return _told(path, {key: given[key] for key in ("ping", "notify") if key in given})[:2]
    return {}, []


def _other_names(name: str) -> list[str]:
    try:
        return [one for one in names() if one != name]
    except WrongJob:
        return []


def _told(
    path: str, given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[dict[str, Any]], Conditions, dict[str, list[str]]]:
    """The ping, the channels, the conditions and the hooks of a job."""
    ping, channels = given.get("ping", {}), given.get("notify", [])
    if not isinstance(ping, dict):
        raise WrongJob(f"{path} is not valid: ping is not an object.", "Run the role schedule again.")
    if not isinstance(channels, list) or not all(isinstance(one, dict) for one in channels):
        raise WrongJob(f"{path} is not valid: notify is not a list of objects.", "Run the role schedule again.")
    try:
        return (
            checked_ping(ping) if ping else {},
            [checked_channel(one) for one in channels],
            conditions_of(given.get("window"), given.get("when_load_below"), given.get("on_ac_power")),
            checked_hooks(given.get("hooks", {})),
        )
    except InvalidRequest as exc:
        raise WrongJob(f"{path} is not valid: {exc.message}", exc.hint) from exc


def read_object(path: str) -> dict[str, Any]:
    """The JSON object in a file that nobody else can write. Raises WrongJob."""
    try:
        fd = open_regular(path, SourceError)
    except SourceError as exc:
        missing = not os.path.lexists(path)
        raise WrongJob(
            f"{path} does not exist." if missing else str(exc), "`day2 list` shows the jobs of this host." * missing
        ) from exc
    with os.fdopen(fd, "rb") as handle:
        _check_own(path, os.fstat(handle.fileno()))
        try:
            given = json.load(handle)
        except ValueError as exc:
            raise WrongJob(f"{path} is not JSON: {exc}.", "Run the role schedule again.") from exc
    if not isinstance(given, dict):
        raise WrongJob(f"{path} is not a JSON object.", "Run the role schedule again.")
    return given


def _check_own(path: str, info: os.stat_result) -> None:
    """What says what runs as this user is written by nobody else. (All may read it: that of a ConfigMap is so.)"""
    if info.st_uid not in (0, os.geteuid()):
        raise WrongJob(f"{path} belongs to another user (uid {info.st_uid}).", f"chown {os.geteuid()} {path}")
    if stat.S_IMODE(info.st_mode) & 0o022:
        raise WrongJob(f"Other users can write to {path}.", f"chmod 0600 {path}")


def _check_private(path: str, info: os.stat_result) -> None:
    """A secret is read by nobody else either."""
    _check_own(path, info)
    if stat.S_IMODE(info.st_mode) & 0o077:
        raise WrongJob(f"Other users have access to {path}.", f"chmod 0600 {path}")


def _seconds(path: str, given: Mapping[str, Any], key: str) -> float:
    value = given.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise WrongJob(f"{path} is not valid: {key} is not a number of seconds.")
    return float(value)


def credential(name: str) -> tuple[str, str]:
    """A secret, and the path that it was read from: what systemd has loaded for this unit, else a private file.

    Raises WrongJob.
    """
    if not NAME.fullmatch(name):
        raise WrongJob(f"{name!r} is not the name of a credential.", "Names consist of letters, digits, - and _.")
    own = configuration("secrets", name)
    loaded = os.environ.get("CREDENTIALS_DIRECTORY")
    candidates = [*([os.path.join(loaded, name)] if loaded else []), own]
    for path in candidates:
        try:
            with open(path, "rb") as handle:
                if path == own:  # systemd protects the others, with other owners and modes
                    _check_private(path, os.fstat(handle.fileno()))
                text = handle.read().decode()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as exc:
            raise WrongJob(f"The credential {path} can't be read: {exc}.") from exc
        return text[:-1] if text.endswith("\n") else text, path
    encrypted = own + ENCRYPTED
    if os.path.lexists(encrypted):  # systemd has decrypted it for the unit of the job, but not for others
        text = _decrypted(name, encrypted)
        return text[:-1] if text.endswith("\n") else text, encrypted
    raise WrongJob(f"The credential {name} does not exist: neither {' nor '.join(candidates)}.")


def _decrypted(name: str, path: str) -> str:
    argv = ["systemd-creds", "decrypt", f"--name={name}", path, "-"]
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            argv, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if not done.returncode:
            return done.stdout.decode()
        problem = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    except (OSError, UnicodeDecodeError) as exc:
        problem = str(exc)
    raise WrongJob(f"The credential {path} can't be decrypted: {problem.rstrip('.')}.", "Run the role schedule again.")


def with_secrets(job: Job) -> tuple[dict[str, Any], dict[str, str]]:
    """The arguments with the secrets, and where each was read. Raises WrongJob."""
    arguments: dict[str, Any] = copy.deepcopy(dict(job.arguments))
    origins = {}
    for place, name in sorted(job.secrets.items()):
        value, origins[place] = credential(name)
        put(arguments, place, value)
    return arguments, origins


def put(arguments: dict[str, Any], place: str, value: Any) -> None:
    """Set the option at a place such as "copy_to.0.s3.secret_access_key". Raises WrongJob if it can't exist."""
    *parents, last = place.split(".")
    node: Any = arguments
    try:
        for one in parents:
            node = node[int(one)] if isinstance(node, list) else node.setdefault(one, {})
        node[int(last) if isinstance(node, list) else last] = value
    except (ValueError, IndexError, TypeError, AttributeError) as exc:
        raise WrongJob(f"secrets names {place}, which is not an option in arguments.") from exc


def checked(job: Job, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the verb expects them. Raises InvalidRequest."""
    spec = find_verb(job.verb).ARGUMENTS
    values = check(spec, arguments)
    check_paths(spec["argument_spec"], values)
    return values
