# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the unit of a job may do: as little as its verb and its arguments need."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..module_utils._core.errors import InvalidRequest
from ..module_utils._core.pgbackrest import is_pgbackrest
from ..module_utils._core.restic_options import ADDRESSES

STATE = "/var/lib/day2"  # of all jobs; systemd makes it writable
_GLOB = re.compile(r"[*?\[]")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108


class Sandbox(NamedTuple):
    """Directives of the section [Service], and the directories that must be writable."""

    directives: list[str]
    writable: list[str]


class _Needs(NamedTuple):
    """What a verb needs. `processes`: it looks at those of others. `set_id`: it sets set-user-ID bits."""

    capabilities: str
    processes: bool = False
    network: bool = False
    chown: bool = True
    set_id: bool = False


_READ = "CAP_DAC_READ_SEARCH"
_WRITE = "CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_CHOWN CAP_FOWNER"
# Without CAP_SYS_PTRACE, the writers of a file are not seen.
_NEEDS = {
    "backup": _Needs(_READ),
    "backup_copy": _Needs(_READ),
    "backup_info": _Needs(_READ),
    "cache_clean": _Needs(_READ, network=True),
    "evidence_info": _Needs(_READ),
    "health_check": _Needs(
        "CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_NET_RAW CAP_SYS_PTRACE CAP_SETUID CAP_SETGID CAP_AUDIT_WRITE",
        processes=True,
        network=True,
    ),
    "health_info": _Needs(_READ),
    "lifecycle": _Needs(_WRITE),
    "lifecycle_info": _Needs(_READ),
    "log_report": _Needs(_READ),
    "log_rotate": _Needs(f"{_WRITE} CAP_FSETID CAP_KILL CAP_SYS_PTRACE CAP_SETUID CAP_SETGID", processes=True),
    "migrate": _Needs(_WRITE, network=True),
    "migrate_info": _Needs(_READ, network=True),
    "purge": _Needs(_WRITE),
    "records_update": _Needs(_WRITE),
    "records_validate": _Needs(_READ),
    "restore": _Needs(f"{_WRITE} CAP_FSETID CAP_SETFCAP", set_id=True),
    "restore_drill": _Needs(f"{_WRITE} CAP_FSETID CAP_SETFCAP", set_id=True),
    "retention": _Needs(f"{_WRITE} CAP_SYS_PTRACE", processes=True),
    "store_info": _Needs(_READ),
    "store_optimize": _Needs(_WRITE),
}
# Of stores with servers or programs: they connect, and change the user.
_PROGRAMS = re.compile(r'"type": "(postgresql|command|dynamodb)"')
_WRITES_STORE = {"lifecycle", "purge", "records_update", "store_optimize"}
_REMOTE = re.compile(r'"(s3|rclone)": |"type": "ssm"')

_ALWAYS = """\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
PrivateMounts=yes
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
"""


def sandbox(verb: str, arguments: Mapping[str, Any], more: Sequence[str] = (), optional: Sequence[str] = ()) -> Sandbox:
    """The sandbox of a job. Raises InvalidRequest.

    :param more: directories that the job may also write to.
    :param optional: the same, but it also runs if their file systems are not mounted.
    """
    text = json.dumps(arguments)
    server = verb == "restore_drill" and is_pgbackrest(str(arguments.get("repository", "")))
    if verb not in _NEEDS or server:
        # It writes the configuration of a server, or starts one.
        raise InvalidRequest(f"{verb} cannot run in a sandbox.", "Set sandbox=false.")
    needs, programs = _NEEDS[verb], bool(_PROGRAMS.search(text) or arguments.get("command"))
    addresses = any("://" in one or one.startswith(ADDRESSES) for one in _texts(arguments))
    network = needs.network or programs or addresses or bool(_REMOTE.search(text))
    needed = [*_written(verb, arguments), *more]
    writable, allowed = _outermost(needed), _outermost([*needed, *optional])
    return Sandbox(
        [
            *_ALWAYS.splitlines(),
            *(f"ReadWritePaths={_quoted(f'-{path}')}" for path in allowed),
            *_home(verb, arguments, programs),
            *_temporary(verb, arguments),
            *_view(verb, needs, programs),
            *_network(verb, network),
            *([] if needs.set_id else ["RestrictSUIDSGID=yes"]),
            *_calls(verb, needs, programs),
            f"CapabilityBoundingSet={needs.capabilities}" + (" CAP_SETUID CAP_SETGID" if programs else ""),
        ],
        [_quoted(path) for path in writable],
    )


def _home(verb: str, arguments: Mapping[str, Any], programs: bool) -> list[str]:
    """Home directories are hidden unless an argument names one, or programs may read their configuration there."""
    named = any(path.startswith(("/home/", "/root/", "/run/user/", "~")) for path in _texts(arguments))
    return ["ProtectHome=read-only" if named or programs or verb == "health_check" else "ProtectHome=yes"]


def _temporary(verb: str, arguments: Mapping[str, Any]) -> list[str]:
    """A private /tmp, unless that would hide data or the sockets of applications."""
    used = any(path.startswith(tuple(f"{one}/" for one in _TEMPORARY)) for path in _texts(arguments))
    if not used and verb != "health_check":
        return ["PrivateTmp=yes"]
    return ["RuntimeDirectory=day2-tmp", "Environment=TMPDIR=/run/day2-tmp"]


def _view(verb: str, needs: _Needs, programs: bool) -> list[str]:
    devices = [] if verb == "health_check" else ["PrivateDevices=yes"]
    if needs.processes:
        return [*devices, "ProtectProc=default", *([] if verb == "health_check" else ["PrivateIPC=yes"])]
    if programs:
        return [*devices, "ProtectProc=default"]
    return [*devices, "ProtectProc=invisible", "ProcSubset=pid", "PrivateIPC=yes"]


def _network(verb: str, network: bool) -> list[str]:
    if not network:
        return ["PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX"]
    more = " AF_NETLINK" if verb == "health_check" else ""
    return [f"RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6{more}"]


def _calls(verb: str, needs: _Needs, programs: bool) -> list[str]:
    if verb == "health_check":
        return ["SystemCallFilter=@system-service"]
    # @privileged contains @chown and @setuid.
    refused = "~@resources" if needs.capabilities.startswith(_WRITE) or programs else "~@privileged @resources"
    return [
        "SystemCallFilter=@system-service @chown",
        f"SystemCallFilter={refused}",
        "SystemCallFilter=@chown",
    ]


def _written(verb: str, arguments: Mapping[str, Any]) -> Iterator[str]:
    """The directories that a verb writes to. What is replaced is allowed by its parent, as a mount point cannot be
    renamed."""
    if verb == "restore_drill":  # it can't change the store in use, whatever happens
        yield from (one for one in [arguments.get("scratch", "")] if one.startswith("/"))
        return
    own = (arguments.get("store") or {}).get("path", "") if verb in _WRITES_STORE else ""
    for one in [own, *_places(arguments)]:
        if one.startswith("/"):
            yield os.path.dirname(os.path.normpath(one))
    if verb == "log_rotate":
        directories = [_above(path) for path in arguments.get("paths", [])]
        old = arguments.get("old_dir", "")
        # A rename from one mount to another is not possible.
        yield from [os.path.commonpath([*directories, old])] if old.startswith("/") else directories
    for rule in arguments.get("rules", []) if verb == "retention" else []:
        yield from (_above(path) for path in rule["paths"])
        yield from (
            os.path.dirname(os.path.normpath(one["destination"]))
            for one in rule["tiers"]
            if one.get("destination", "").startswith("/")
        )
    if verb == "retention" and "docker" in arguments:
        yield os.path.dirname(arguments["docker"].get("path", "/etc/docker/daemon.json"))
    if verb == "retention" and "journald" in arguments:
        yield "/etc/systemd"


def _places(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Repositories, targets, reports and histories."""
    nested = [arguments.get(name) for name in ("export", "from", "to", "history")]
    for name in ("copy_to", "report", "repositories", "targets"):
        nested += arguments.get(name) or []
    nested.append(arguments.get("target"))
    yield arguments.get("repository", "")
    for name in ("rejects", "history", "export"):  # files of migrate, of store_info and of log_report
        if isinstance(arguments.get(name), str):
            yield arguments[name]
    for one in nested:
        if isinstance(one, Mapping):
            yield from (one[key] for key in ("repository", "path") if isinstance(one.get(key), str))


def _above(pattern: str) -> str:
    """The directory that contains everything that a glob matches."""
    found = _GLOB.search(pattern)
    return os.path.dirname(pattern[: found.start()] if found else pattern)


def _outermost(paths: Sequence[str]) -> list[str]:
    """Without those that lie in others, as each is a mount of its own."""
    kept: list[str] = []
    for path in sorted({os.path.normpath(one) for one in paths}):
        if re.search(r"[\x00-\x1f\x7f]", path):
            raise InvalidRequest(f"{path!r} contains a control character.", "Rename it, or set sandbox=false.")
        if not path.startswith("/"):
            raise InvalidRequest(f"{path} must be an absolute path.", "A unit has no home directory.")
        if path == "/":
            raise InvalidRequest(
                "The job would write to the root directory.", "Move it to a directory, or set sandbox=false."
            )
        if not any(path == one or path.startswith(one + "/") for one in [*kept, STATE]):
            kept.append(path)
    return kept


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace("%", "%%").replace('"', '\\"')
    return f'"{escaped}"' if re.search(r"[\s'\"]", path) else escaped
