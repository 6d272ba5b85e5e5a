# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""redis: whether a server responds, has free memory, replicates and saves.

The protocol is that of _core/redis.py.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from typing import Any, ClassVar, Union

from .._core.errors import InvalidRequest
from .._core.redis import Failed, NotRedis, encode, lines_of, read_answer
from .._core.units import plural
from .base import CRITICAL, UNKNOWN, WARNING, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed
from .sockets import Stream, address, connect, connect_unix, failure, tls_context, wrap_tls

_MOST = 1 << 20  # maximum bytes of a response
_MOST_ELEMENTS = 100  # of a list


class RedisProbe(BaseProbe):
    SUMMARY = "Pings a Redis (or Valkey) server, and checks its memory, clients, cluster, replication and persistence."
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "host": Option("text", "Name or address.", "127.0.0.1"),
        "port": Option("port", "Port.", 6379),
        "socket": Option("path", "Unix socket to connect to instead of host and port."),
        "username": Option("text", "User (Redis 6 and later)."),
        "password": Option("text", "Password.", secret=True),
        "tls": Option("boolean", "Whether to use TLS.", False),
        "validate_certs": Option(
            "boolean", ("With `tls`: whether the certificate of the server must be trusted."), True
        ),
        "ca": Option(
            "path", ("With `tls`: file with the certificates of trusted CAs. The default is that of the system.")
        ),
        "client_certificate": Option("path", "With `tls`: file with the client certificate (PEM)."),
        "client_key": Option(
            "path", ("With `tls`: file with the private key of the client certificate, if it is not in the same file.")
        ),
        "role": Option("text", "Required role of the server.", choices=("primary", "replica")),
        "replicas": Option("ranges", "For a primary: number of connected replicas that is ok."),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("s", "Time of a PING, not including the connection."),
        Limit(
            "percent",
            "Used memory, as a percentage of `maxmemory`, if that is set and nothing is evicted.",
            warn=80,
            crit=90,
            name="memory",
        ),
        Limit("s", "For a replica: time since it last received data from its primary.", warn=10, crit=60, name="lag"),
        Limit("count", "Connected clients.", name="clients"),
        Limit(
            "percent",
            "Connections, including those of replicas, as a percentage of `maxclients`.",
            warn=80,
            crit=95,
            name="clients_used",
        ),
    )

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        super().__init__(options, limits)
        if options["username"] and not options["password"]:
            raise InvalidRequest("username requires password.")
        if options["socket"] and options["tls"]:
            raise InvalidRequest("tls and socket are mutually exclusive.")

    def run(self, deadline: Deadline) -> Finding:
        where = self.options["socket"] or address(self.options["host"], self.options["port"])
        try:
            with contextlib.closing(self._connect(deadline)) as connection:
                deadline.doing = f"waiting for {where}"
                redis = _Redis(Stream(connection, deadline), where)
                if self.options["password"]:
                    user = [self.options["username"]] if self.options["username"] else []
                    redis.ask("AUTH", *user, self.options["password"])
                began = deadline.elapsed()
                redis.ask("PING")
                taken = deadline.elapsed() - began
                info = lines_of(redis.ask("INFO").encode())
                if info.get("cluster_enabled") == "1":
                    info.update(lines_of(redis.ask("CLUSTER", "INFO").encode()))
                if "min_slaves_good_slaves" in info:
                    info["least_replicas"] = redis.setting("min-replicas-to-write")
                if "maxclients" not in info:  # before Redis 7
                    info["maxclients"] = redis.setting("maxclients")
        except OSError as exc:
            raise failure(where, exc) from None
        finding = self.finding()
        finding.good = f"{where} responds (Redis {info.get('redis_version', '?')}, {_role(info)})"
        finding.measure(round(taken, 6), what=f"the time of a PING to {where}")
        self._memory(info, where, finding)
        self._replication(info, where, finding)
        _persistence(info, where, finding)
        _writes(info, where, finding)
        _clients(info, where, finding)
        return finding

    def _connect(self, deadline: Deadline) -> socket.socket:
        options = self.options
        if options["socket"]:
            return connect_unix(options["socket"], deadline)
        connection = connect(options["host"], options["port"], deadline)
        if not options["tls"]:
            return connection
        try:
            context = tls_context(
                options["validate_certs"], options["ca"], options["client_certificate"], options["client_key"]
            )
            return wrap_tls(connection, context, options["host"], deadline)
        except BaseException:
            connection.close()
            raise

    def _memory(self, info: Mapping[str, str], where: str, finding: Finding) -> None:
        used, most = _number(info, "used_memory"), _number(info, "maxmemory")
        finding.metric("used_memory", used, "bytes")
        # A cache that evicts is full by design.
        if most and info.get("maxmemory_policy", "noeviction") == "noeviction":
            finding.measure(round(100.0 * used / most, 2), "memory", f"the used memory of {where}")

    def _replication(self, info: Mapping[str, str], where: str, finding: Finding) -> None:
        role, wanted = _role(info), self.options["role"]
        if wanted and role != wanted:
            finding.problem(f"{where} is a {role}")
        if role == "replica":
            if info.get("master_link_status") != "up":
                down = info.get("master_link_down_since_seconds", "-1")
                since = "" if down.startswith("-") else f" for {down}s"
                finding.problem(f"{where} has lost its primary {info.get('master_host', '')}{since}")
            elif "master_last_io_seconds_ago" in info:
                seconds = max(0.0, _number(info, "master_last_io_seconds_ago"))
                finding.measure(seconds, "lag", f"the time since {where} last received data from its primary")
        replicas = int(_number(info, "connected_slaves"))
        finding.metric("replicas", replicas, "count")
        ranges = self.options["replicas"]
        if ranges is not None and not any(low <= replicas <= high for low, high in ranges):
            finding.problem(f"{where} has {plural(replicas, 'replica')}")


def _persistence(info: Mapping[str, str], where: str, finding: Finding) -> None:
    if info.get("loading", "0") != "0":
        finding.problem(f"{where} is still loading its data")
    for name, text in (
        ("rdb_last_bgsave_status", "its last snapshot (BGSAVE) failed: check its log and its disk"),
        ("aof_last_write_status", "it can't write its append-only file: check its disk"),
    ):
        if info.get(name, "ok") != "ok":
            finding.problem(f"{where}: {text}")
    if info.get("aof_last_bgrewrite_status", "ok") != "ok":
        finding.problem(f"{where}: the last rewrite of its append-only file failed", WARNING)
    finding.metric("unsaved_changes", _number(info, "rdb_changes_since_last_save"), "count")


def _writes(info: Mapping[str, str], where: str, finding: Finding) -> None:
    """Add a problem if it rejects all writes."""
    if info.get("cluster_state", "ok") != "ok":
        finding.problem(
            f"{where}: the cluster is down, {info.get('cluster_slots_ok', '?')} of 16384 slots are served: run "
            "CLUSTER INFO"
        )
    if "least_replicas" in info and _role(info) == "primary":
        good, least = int(_number(info, "min_slaves_good_slaves")), info["least_replicas"]
        if not good or (least.isdigit() and good < int(least)):
            wanted = least or "at least 1"
            finding.problem(
                f"{where} rejects writes: it has {plural(good, 'replica')} in good state, but "
                f"min-replicas-to-write is {wanted}"
            )
        elif not least:
            finding.problem(f"{where}: min-replicas-to-write can't be read: permit CONFIG GET", UNKNOWN)


def _clients(info: Mapping[str, str], where: str, finding: Finding) -> None:
    clients = _number(info, "connected_clients")
    finding.measure(clients, "clients", f"the number of clients of {where}")
    most = _number(info, "maxclients")
    if most:
        used = clients + _number(info, "connected_slaves") + _number(info, "cluster_connections")
        finding.measure(round(100.0 * used / most, 2), "clients_used", f"the share of used connections of {where}")


class _Redis:
    """One connection."""

    def __init__(self, stream: Stream, where: str) -> None:
        self._stream, self._where = stream, where
        self._reader = stream.makefile()

    def ask(self, *words: str) -> str:
        """The response to a command; for a list, one line per element. Raises ProbeFailed when it is an error."""
        self._stream.sendall(encode(*words))
        try:
            answer = read_answer(self._reader, _MOST, _MOST_ELEMENTS)
        except NotRedis:
            raise ProbeFailed(f"{self._where} closed the connection, or its response is not that of Redis") from None
        lines = []
        for one in answer if isinstance(answer, list) else [answer]:
            if isinstance(one, Failed):
                status = UNKNOWN if one.startswith("NOPERM") else CRITICAL
                raise ProbeFailed(f"{self._where} responds to {words[0]}: {one}", status)
            if not isinstance(one, bytes):
                raise ProbeFailed(f"{self._where}: the response is not that of Redis")
            lines.append(one.decode("utf-8", "replace"))
        return "\n".join(lines)

    def setting(self, name: str) -> str:
        """The value of a setting, or "" if this user has no permission to read it."""
        try:
            answer = self.ask("CONFIG", "GET", name).splitlines()
        except ProbeFailed:
            return ""
        return answer[1] if len(answer) == 2 else ""


def _number(info: Mapping[str, str], name: str) -> Union[int, float]:
    try:
        return float(info.get(name, "0"))
    except ValueError:
        return 0


def _role(info: Mapping[str, str]) -> str:
    return "replica" if info.get("role") == "slave" else "primary"
