# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cache_clean: remove keys from Redis by pattern, by missing expiry or by idle time, while clients continue."""

from __future__ import annotations

import contextlib
import math
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .._core.errors import Cancelled, InvalidRequest, TargetError
from .._core.progress import Progress
from .._core.redis import Address, Failed, Redis, Value, Word
from .._core.units import format_size, parse_duration, plural
from .._probes.base import ProbeFailed
from .._probes.sockets import tls_context

ARGUMENTS: dict[str, Any] = {
    "argument_spec": {
        "pattern": {"type": "str", "required": True},
        "without_ttl": {"type": "bool", "default": False},
        "idle": {"type": "str"},
        "allow_all": {"type": "bool", "default": False},
        "time_limit": {"type": "str"},
        "host": {"type": "str", "default": "127.0.0.1"},
        "port": {"type": "int", "default": 6379},
        "socket": {"type": "path"},
        "database": {"type": "int", "default": 0},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "tls": {"type": "bool", "default": False},
        "validate_certs": {"type": "bool", "default": True},
        "ca": {"type": "path"},
        "client_certificate": {"type": "path"},
        "client_key": {"type": "path"},
    },
}

_COUNT = 500  # keys that the server looks at for one page
_PAUSE = 0.001  # seconds after each page, in which the server serves others
_PASSES = 5  # over a cluster whose slots move meanwhile
_TIMEOUT = 60.0  # seconds for one answer
# Whether a key meets the conditions and its removal are one step, so that what a client writes meanwhile stays.
_SCRIPT = """
if ARGV[1] == '1' and redis.call('TTL', KEYS[1]) ~= -1 then return 0 end
if ARGV[2] ~= '' then
  local idle = redis.call('OBJECT', 'IDLETIME', KEYS[1])
  if not idle or idle < tonumber(ARGV[2]) then return 0 end
end
if ARGV[3] == '1' then return redis.call('EXISTS', KEYS[1]) end
return redis.call('UNLINK', KEYS[1])
"""


class CleanRequest(NamedTuple):
    """The arguments. `idle` is in seconds."""

    pattern: str
    without_ttl: bool
    idle: Optional[float]
    time_limit: Optional[float]
    where: Address
    user: Sequence[str]
    database: int


class Cleaned(NamedTuple):
    """What was done. A key that the server returned twice was matched twice."""

    matched: int
    removed: int
    stopped: bool  # by the time limit
    used_before: int
    used_after: int


def request_from(params: Mapping[str, Any]) -> CleanRequest:
    """Check the arguments of the module. Raises InvalidRequest when they are not valid."""
    if not params["pattern"]:
        raise InvalidRequest("pattern is empty.", "Write for example cache:*.")
    if not params["pattern"].strip("*?") and "*" in params["pattern"] and not params["allow_all"]:
        raise InvalidRequest(
            f"The pattern {params['pattern']} matches all keys, or nearly all.",
            "Set allow_all=true if that is what you want.",
        )
    if not 0 < params["port"] < 1 << 16:  # the system would take the rest of a division
        raise InvalidRequest(f"port={params['port']} is not between 1 and 65535.")
    if params["client_key"] and not params["client_certificate"]:
        raise InvalidRequest("client_key requires client_certificate.")
    if params["username"] and not params["password"]:
        raise InvalidRequest("username requires password.")
    if params["socket"] and params["tls"]:
        raise InvalidRequest("tls and socket are mutually exclusive.")
    return CleanRequest(
        params["pattern"],
        params["without_ttl"],
        parse_duration(params["idle"]) if params["idle"] else None,
        parse_duration(params["time_limit"]) if params["time_limit"] else None,
        Address(params["host"], params["port"], params["socket"], _tls(params)),
        [word for word in (params["username"], params["password"]) if word],
        params["database"],
    )


def _tls(params: Mapping[str, Any]) -> Optional[ssl.SSLContext]:
    if not params["tls"]:
        return None
    try:
        return tls_context(params["validate_certs"], params["ca"], params["client_certificate"], params["client_key"])
    except ProbeFailed as exc:
        raise InvalidRequest(f"The certificates can't be used: {exc}.", "Check ca and client_certificate.") from exc


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb. Check mode counts what a run would remove."""
    began = time.monotonic()
    request = request_from(params)
    end = None if request.time_limit is None else began + request.time_limit
    cleaned = _clean(request, check, end, progress)
    freed = cleaned.used_before - cleaned.used_after
    return {
        "changed": cleaned.removed > 0,
        "msg": _message(request, cleaned, check),
        "matched": cleaned.matched,
        "removed": cleaned.removed,
        "stopped": "time_limit" if cleaned.stopped else None,
        "memory_before": cleaned.used_before,
        "memory_after": cleaned.used_after,
        "bytes_freed": 0 if check else max(0, freed),
        "duration_s": round(time.monotonic() - began, 3),
    }


def _message(request: CleanRequest, cleaned: Cleaned, check: bool) -> str:
    if not cleaned.removed:
        some = "No examined key" if cleaned.stopped else "No key"
        text = f"{some} matches {request.pattern}" + (" and the conditions" if cleaned.matched else "") + "."
    elif check:
        text = f"Would remove about {plural(cleaned.removed, 'key')}."
    else:
        memory = f"{format_size(cleaned.used_before)} before, {format_size(cleaned.used_after)} now"
        text = f"Removed {plural(cleaned.removed, 'key')}. Used memory: {memory}."
    return text + (" Stopped at the time limit, before all keys were examined." if cleaned.stopped else "")


def _clean(request: CleanRequest, check: bool, end: Optional[float], progress: Progress) -> Cleaned:
    counts = _Counts()
    try:
        return _cleaned(request, check, end, progress, counts)
    except (TargetError, Cancelled) as exc:
        if check or not counts.removed:
            raise
        message = f"{exc.message} Before that, {plural(counts.removed, 'key')} had been removed."
        details = {"changed": True, "matched": counts.matched, "removed": counts.removed}
        raise type(exc)(message, exc.hint, details) from exc


class _Counts:
    """What was done so far."""

    def __init__(self) -> None:
        self.matched = self.removed = 0


def _cleaned(request: CleanRequest, check: bool, end: Optional[float], progress: Progress, counts: _Counts) -> Cleaned:
    used_before = 0
    stopped = moved = False
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(Redis(request.where, request.user, _TIMEOUT))
        for number in range(_PASSES):
            servers = [stack.enter_context(one) for one in _primaries(first, request)]
            for server in servers:
                _check(server, request)
            if not number:
                used_before = sum(_used(server) for server in servers)
                progress.start("Looking for keys", sum(_size(server) for server in servers), "keys")
            for server in servers:
                pages = _Pages(server, request, counts, check)
                for _page in pages.clean(end):
                    progress.advance(_COUNT)
                stopped, moved = stopped or pages.stopped, moved or pages.moved
            if stopped or not moved:
                used_after = sum(_used(server) for server in servers)
                return Cleaned(counts.matched, counts.removed, stopped, used_before, used_after)
            moved = False
    raise TargetError(
        f"The slots of the cluster at {request.where} keep moving between its servers.",
        "Run again when it has been rebalanced.",
    )


def _primaries(first: Redis, request: CleanRequest) -> Iterator[Redis]:
    """Connections to all servers that hold keys."""
    if first.info().get("cluster_enabled") != "1":
        yield first
        return
    if request.database:
        raise InvalidRequest("A cluster has only database 0.", "Omit database.")
    nodes = first.ask("CLUSTER", "NODES")
    for line in (nodes if isinstance(nodes, bytes) else b"").decode("utf-8", "replace").splitlines():
        _id, address, flags, *rest = line.split(" ")
        if "master" in flags.split(",") and rest[5:]:
            host, _colon, port = address.partition("@")[0].rpartition(":")
            where = request.where._replace(host=host or request.where.host, port=int(port), unix_socket=None)
            yield Redis(where, request.user, _TIMEOUT)


def _check(server: Redis, request: CleanRequest) -> None:
    """Raise what a run would fail with, in check mode too."""
    if request.database:
        server.ask("SELECT", request.database)
    info = server.info()
    if info.get("role") == "slave":
        raise TargetError(f"Redis at {server.where} is a replica.", "Connect to its primary.")
    policy = info.get("maxmemory_policy", "noeviction")
    if request.idle is not None and (info.get("maxmemory", "0") == "0" or not policy.endswith("-lru")):
        raise TargetError(
            f"Redis at {server.where} does not record how long keys have been idle: its maxmemory is "
            f"{info.get('maxmemory', '0')} and its maxmemory-policy {policy}.",
            "Omit idle, or set maxmemory and a policy that ends in -lru.",
        )


def _used(server: Redis) -> int:
    return int(server.info().get("used_memory", "0"))


def _size(server: Redis) -> int:
    size = server.ask("DBSIZE")
    return size if isinstance(size, int) else 0


class _Pages:
    """The keys of one server, page by page."""

    def __init__(self, server: Redis, request: CleanRequest, counts: _Counts, check: bool) -> None:
        self.stopped = False
        self.moved = False  # a key was on another server by the time it was to be removed
        self._server = server
        self._request = request
        self._counts = counts
        self._check = check
        self._script = b""
        if request.without_ttl or request.idle is not None:
            self._script = _text(server, server.ask("SCRIPT", "LOAD", _SCRIPT))

    def clean(self, end: Optional[float]) -> Iterator[None]:
        """Remove and count the keys of one page after another. Raises TargetError."""
        cursor = b"0"
        while True:
            page = self._server.ask("SCAN", cursor, "MATCH", self._request.pattern, "COUNT", _COUNT)
            if not isinstance(page, list) or len(page) != 2 or not isinstance(page[1], list):
                raise _strange(self._server)
            cursor = _text(self._server, page[0])
            keys = list(dict.fromkeys(_text(self._server, key) for key in page[1]))
            self._counts.matched += len(keys)
            self._remove(self._wanted(keys))
            yield
            if cursor == b"0":
                return
            if end is not None and time.monotonic() > end:
                self.stopped = True
                return
            time.sleep(_PAUSE)

    def _wanted(self, keys: Sequence[bytes]) -> Sequence[bytes]:
        """In check mode, the keys that meet the conditions; in a run, the script that removes them decides."""
        if not (self._script and self._check):
            return keys
        answers = self._server.ask_all(self._scripted(keys))
        return [key for key, answer in zip(keys, answers) if answer == 1 or isinstance(answer, Failed)]

    def _remove(self, keys: Sequence[bytes]) -> None:
        if self._script and not self._check:
            commands = self._scripted(keys)
        else:
            commands = [("UNLINK", key) for key in keys]  # in a cluster, each command has one key
        refused = None
        for answer in self._queued(commands) if self._check else self._server.ask_all(commands):
            if isinstance(answer, int):
                self._counts.removed += answer
            elif isinstance(answer, Failed) and answer.startswith(("MOVED", "ASK", "TRYAGAIN")):
                self.moved = True
            elif isinstance(answer, Failed):
                refused = refused or answer  # the others were answered, too
            else:
                raise _strange(self._server)
        if refused is not None:
            raise self._server.refusal("UNLINK", refused)

    def _queued(self, commands: Sequence[Sequence[Word]]) -> list[Value]:
        """What a run would be answered: a server checks the rights to a command and its keys, and whether it accepts
        writes, when a transaction queues it. The transaction is discarded.
        """
        # one after the other: nothing may be sent before it is known that it will only be queued
        if self._server.ask_all([("MULTI",)]) != [b"OK"]:  # this user may not use transactions
            return [1 for _command in commands]
        certain = self._server.ask_all([("PING",)]) == [b"QUEUED"]
        answers = self._server.ask_all(commands) if certain else [b"QUEUED" for _command in commands]
        self._server.ask_all([("DISCARD",)])
        return [1 if answer == b"QUEUED" else answer for answer in answers]

    def _scripted(self, keys: Sequence[bytes]) -> list[Sequence[Word]]:
        conditions = (
            "1" if self._request.without_ttl else "0",
            "" if self._request.idle is None else str(math.ceil(self._request.idle)),
            "1" if self._check else "0",
        )
        return [("EVALSHA", self._script, 1, key, *conditions) for key in keys]


def _text(server: Redis, value: Value) -> bytes:
    if isinstance(value, bytes):
        return value
    raise _strange(server)


def _strange(server: Redis) -> TargetError:
    return TargetError(f"{server.where} does not answer as Redis does.", "Check host and port.")
