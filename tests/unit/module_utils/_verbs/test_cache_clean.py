# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Caches in a real Redis, alone and as a cluster."""

from __future__ import annotations

import io
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, InvalidRequest, TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._core.redis import Address, NotRedis, Redis, read_answer
from ansible_collections.day2.ops.plugins.module_utils._verbs.cache_clean import ARGUMENTS, run
from ansible_collections.day2.ops.tests.services.local import free_ports
from ansible_collections.day2.ops.tests.services.redis import redis
from tests.services.waiting import wait_for


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with redis(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture
def client(server: int) -> Iterator[Redis]:
    with Redis(Address("127.0.0.1", server), (), 60) as connection:
        connection.ask("FLUSHALL")
        connection.ask("CONFIG", "SET", "maxmemory", 0)
        yield connection


def clean(port: int, pattern: str, check: bool = False, **more: Any) -> dict[str, Any]:
    params = {name: spec.get("default") for name, spec in ARGUMENTS["argument_spec"].items()}
    return run({**params, "port": port, "pattern": pattern, **more}, check, Progress())


def fill(client: Redis, prefix: str, count: int, *more: Any) -> None:
    client.ask_all(("SET", f"{prefix}:{number}", "x" * 50, *more) for number in range(count))


def keys(client: Redis) -> set[bytes]:
    found = client.ask("KEYS", "*")
    assert isinstance(found, list)
    return {key for key in found if isinstance(key, bytes)}


def test_keys_are_removed_by_pattern_and_check_mode_counts_them(server: int, client: Redis) -> None:
    fill(client, "cache", 1200)
    fill(client, "session", 3)
    client.ask("SET", b"cache:\xff\r\n", "1")
    would = clean(server, "cache:*", check=True)
    assert (would["changed"], would["removed"], would["msg"]) == (True, 1201, "Would remove about 1201 keys.")
    assert len(keys(client)) == 1204
    done = clean(server, "cache:*")
    assert (done["changed"], done["matched"], done["removed"], done["stopped"]) == (True, 1201, 1201, None)
    assert done["memory_before"] > done["memory_after"] > 0
    assert (would["bytes_freed"], done["bytes_freed"]) == (0, done["memory_before"] - done["memory_after"])
    assert keys(client) == {b"session:0", b"session:1", b"session:2"}
    for check in (True, False):
        again = clean(server, "cache:*", check=check)
        assert (again["changed"], again["msg"]) == (False, "No key matches cache:*.")


def test_only_keys_without_an_expiry(server: int, client: Redis) -> None:
    fill(client, "a", 3)
    fill(client, "b", 3, "EX", 1000)
    assert clean(server, "*", allow_all=True, without_ttl=True, check=True)["removed"] == 3
    assert clean(server, "*", allow_all=True, without_ttl=True)["removed"] == 3
    assert keys(client) == {b"b:0", b"b:1", b"b:2"}
    assert clean(server, "b:*", without_ttl=True)["msg"] == "No key matches b:* and the conditions."


def test_idle_time_counts_only_where_it_is_recorded(server: int, client: Redis) -> None:
    fill(client, "a", 3)
    for settings in ({"maxmemory": 0}, {"maxmemory": "100mb", "maxmemory-policy": "allkeys-lfu"}):
        for name, value in settings.items():
            client.ask("CONFIG", "SET", name, value)
        for check in (True, False):
            with pytest.raises(TargetError, match="does not record how long keys have been idle"):
                clean(server, "a:*", check=check, idle="0s")
    client.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    assert clean(server, "a:*", idle="1h")["removed"] == 0
    fill(client, "a", 3)
    for key in ("a:0", "a:2"):
        client.ask("RESTORE", key, 0, client.ask("DUMP", key), "REPLACE", "IDLETIME", 7200)
    assert clean(server, "a:*", idle="1h", check=True)["removed"] == 2
    assert clean(server, "a:*", idle="1h")["removed"] == 2
    assert keys(client) == {b"a:1"}


def test_a_time_limit_stops_at_a_page_and_the_next_run_continues(server: int, client: Redis) -> None:
    fill(client, "a", 3000)
    first = clean(server, "a:*", time_limit="0s")
    assert first["stopped"] == "time_limit"
    assert 0 < first["removed"] < 3000
    assert first["msg"].endswith("Stopped at the time limit, before all keys were examined.")
    none = clean(server, "b:*", time_limit="0s")["msg"]
    assert none == "No examined key matches b:*. Stopped at the time limit, before all keys were examined."
    assert clean(server, "a:*")["removed"] == 3000 - first["removed"]


def test_the_database_is_chosen(server: int, client: Redis) -> None:
    fill(client, "a", 2)
    client.ask("SELECT", 3)
    fill(client, "a", 3)
    assert clean(server, "a:*", database=3)["removed"] == 3
    client.ask("SELECT", 0)
    assert len(keys(client)) == 2


CONDITIONS = [{}, {"without_ttl": True}]


@pytest.mark.parametrize("conditions", CONDITIONS, ids=["pattern", "conditions"])
@pytest.mark.parametrize(
    ("rights", "message"),
    [
        ("~* +@all -unlink", "(NOPERM .*unlink|can't run this command).* Permit the command"),
        ("~a:* ~b:* %R~* +@all", "NOPERM .*key"),
        ("~* +@all -ping -unlink", None),
        ("~* +@all -multi -unlink", None),
    ],
    ids=["command", "key", "no ping", "no transactions"],
)
def test_a_missing_right_is_foreseen(
    server: int, client: Redis, rights: str, message: Optional[str], conditions: dict[str, Any]
) -> None:
    """Where transactions can't tell, check mode counts."""
    fill(client, "other", 2)
    client.ask("ACL", "SETUSER", "cleaner", "reset", "on", ">pw", *rights.split())
    arguments = {"username": "cleaner", "password": "pw", **conditions}
    try:
        if message is None:
            assert clean(server, "other:*", check=True, **arguments)["removed"] == 2
        for check in (True, False) if message else (False,):
            with pytest.raises(TargetError, match=message or "NOPERM|can't run this command"):
                clean(server, "other:*", check=check, **arguments)
    finally:
        client.ask("ACL", "DELUSER", "cleaner")
    assert len(keys(client)) == 2


@pytest.mark.parametrize("conditions", CONDITIONS, ids=["pattern", "conditions"])
def test_a_server_that_accepts_no_writes_is_foreseen(server: int, client: Redis, conditions: dict[str, Any]) -> None:
    fill(client, "a", 2)
    client.ask("CONFIG", "SET", "min-replicas-to-write", 1)
    try:
        for check in (True, False):
            with pytest.raises(TargetError, match="NOREPLICAS .*min-replicas-to-write"):
                clean(server, "a:*", check=check, **conditions)
    finally:
        client.ask("CONFIG", "SET", "min-replicas-to-write", 0)
    assert len(keys(client)) == 2


def test_an_error_midway_says_how_many_keys_are_gone(server: int, client: Redis) -> None:
    fill(client, "a", 3)
    fill(client, "b", 1)
    client.ask("ACL", "SETUSER", "cleaner", "reset", "on", ">pw", "~a:*", "%R~*", "+@all")
    arguments = {"username": "cleaner", "password": "pw", "allow_all": True}
    try:
        with pytest.raises(TargetError, match="NOPERM") as caught:
            clean(server, "*", check=True, **arguments)
        assert "removed" not in str(caught.value)
        assert len(keys(client)) == 4
        with pytest.raises(TargetError, match="NOPERM .* Before that, 3 keys had been removed") as caught:
            clean(server, "*", **arguments)
    finally:
        client.ask("ACL", "DELUSER", "cleaner")
    assert caught.value.details == {"changed": True, "matched": 4, "removed": 3}
    assert keys(client) == {b"b:0"}


@pytest.mark.parametrize("answer", [b":--5\r\n", b":" + b"9" * 5000 + b"\r\n", b"*1\r\n" * 3000, b"$5\r\nab"])
def test_what_is_no_answer_of_redis_is_no_traceback(answer: bytes) -> None:
    with pytest.raises(NotRedis):
        read_answer(io.BytesIO(answer))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pattern": ""}, "pattern is empty"),
        ({"pattern": "**"}, r"The pattern \*\* matches all keys"),
        ({"pattern": "?*"}, r"The pattern \?\* matches all keys"),
        ({"pattern": "a", "port": 65536 + 6379}, "port=71915 is not between 1 and 65535"),
        ({"pattern": "a", "tls": True, "client_key": "/x"}, "client_key requires client_certificate"),
        ({"pattern": "a", "username": "u"}, "username requires password"),
        ({"pattern": "a", "socket": "/x", "tls": True}, "tls and socket are mutually exclusive"),
        ({"pattern": "a", "tls": True, "ca": "/no/such/file"}, "The certificates can't be used"),
        ({"pattern": "a", "idle": "long"}, "'long' is not a duration"),
    ],
)
def test_requests_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        clean(**{"port": 1, **options})


def test_a_server_that_is_not_there_or_something_else_is_said(server: int, client: Redis) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        threading.Thread(target=lambda: other.accept()[0].sendall(b"220 mail\r\n"), daemon=True).start()
        with pytest.raises(TargetError, match=f"127.0.0.1:{port} closed the connection, or is not a Redis server"):
            clean(port, "a")
    with pytest.raises(TargetError, match=r"Redis at a\.\.b:1 can't be reached: the name is not valid"):
        clean(1, "a", host="a..b")
    with pytest.raises(TargetError, match="can't be reached: Connection refused"):
        clean(port, "a")
    with pytest.raises(TargetError, match="answers to AUTH: ERR AUTH.*Check username and password"):
        clean(server, "a", password="wrong")
    client.ask("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+info", "+scan", "+dbsize")
    fill(client, "a", 1)
    with pytest.raises(TargetError, match="answers to UNLINK: NOPERM.*Permit the command"):
        clean(server, "a:*", username="reader", password="secret")
    assert clean(server, "a:*", username="reader", password="secret", check=True)["removed"] == 1


def test_a_replica_is_refused(server: int, client: Redis, tmp_path: Path) -> None:
    with redis(tmp_path, "--replicaof", f"127.0.0.1 {server}") as replica:
        for check in (True, False):
            with pytest.raises(TargetError, match="is a replica. Connect to its primary"):
                clean(replica, "a", check=check)


def test_all_primaries_of_a_cluster_are_cleaned(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    options = ("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-port")
    bus, other = map(str, free_ports(2))  # by default 10000 above the port, where somebody else may listen
    with redis(tmp_path / "a", *options, other) as one, redis(tmp_path / "b", *options, bus) as two:
        with Redis(Address("127.0.0.1", one), (), 60) as first, Redis(Address("127.0.0.1", two), (), 60) as second:
            first.ask("CLUSTER", "ADDSLOTSRANGE", 0, 8000)
            second.ask("CLUSTER", "ADDSLOTSRANGE", 8001, 16383)
            first.ask("CLUSTER", "MEET", "127.0.0.1", two, bus)

            def joined() -> bool:
                infos = [server.ask("CLUSTER", "INFO") for server in (first, second)]
                return all(b"cluster_state:ok" in one and b"cluster_slots_assigned:16384" in one for one in infos)

            wait_for(joined)
            for number in range(100):
                command = ("SET", f"a:{number}", "1")
                if not isinstance(first.ask_all([command])[0], bytes):
                    second.ask(*command)
            assert clean(one, "a:*", check=True)["removed"] == 100
            with pytest.raises(Day2Error, match="A cluster has only database 0"):
                clean(one, "a:*", database=1)
            assert clean(two, "a:*")["removed"] == 100
            assert keys(first) | keys(second) == set()


def test_a_cluster_over_tls(tmp_path: Path) -> None:
    """A server that requires a client certificate, for which it takes its own."""
    make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 9"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(["openssl", *make.split(), *names], check=True, capture_output=True, cwd=tmp_path)
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    files = ("--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate)
    port, bus = free_ports(2)
    ours = {"client_certificate": certificate, "client_key": key}
    cluster = ("--tls-cluster", "yes", "--cluster-enabled", "yes", "--cluster-port", str(bus))
    options = (*files, "--tls-port", str(port), *cluster)
    with redis(tmp_path, *options) as plain, Redis(Address("127.0.0.1", plain), (), 60) as client:
        client.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_for(lambda: client.ask_all([("SET", "a:1", "1")]) == [b"OK"])
        where = {"host": "localhost", "tls": True, "ca": certificate}
        for words, more in (
            ("can't be reached|closed the connection", {}),
            ("doesn't match|not valid for|IP address mismatch", {**ours, "host": "127.0.0.1"}),
            ("certificate verify failed|self.signed", {**ours, "ca": None}),
        ):
            with pytest.raises(TargetError, match=words):
                clean(port, "a:*", **{**where, **more})
        with pytest.raises(TargetError, match="Check host, port and tls"):
            clean(port, "a:*")
        assert clean(port, "a:*", **where, **ours, check=True)["removed"] == 1
        assert clean(port, "a:*", host="127.0.0.1", tls=True, validate_certs=False, **ours)["removed"] == 1
        assert keys(client) == set()
