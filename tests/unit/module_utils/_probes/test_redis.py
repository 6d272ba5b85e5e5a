# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""redis against a real one."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.services.local import free_ports
from tests.services.nginx import Nginx
from tests.services.redis import redis
from tests.services.waiting import wait_for

Check = Callable[..., dict[str, Any]]
Serve = Callable[[Callable[[socket.socket], None]], int]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("redis")


@pytest.fixture(scope="module")
def port(directory: Path) -> Iterator[int]:
    options = ("--requirepass", "geheim", "--maxmemory", "100mb", "--enable-debug-command", "yes")
    with redis(directory, *options) as number:
        yield number


def cli(port: int, *words: str) -> str:
    command = ["redis-cli", "-p", str(port), "-a", "geheim", "--no-auth-warning", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def metric(result: dict[str, Any], name: str) -> float:
    value: float = next(one["value"] for one in result["metrics"] if one["name"] == name)
    return value


def test_a_primary(check: Check, port: int, directory: Path) -> None:
    result = check("redis", port=port, password="geheim", role="primary", replicas=0)
    assert result["status"] == "ok", result["message"]
    assert result["message"].startswith(f"127.0.0.1:{port} responds (Redis ")
    assert 0 < result["value"] < 5
    assert 0 < metric(result, "memory") < 50
    assert check("redis", socket=str(directory / "redis.sock"), password="geheim")["status"] == "ok"
    assert check("redis", port=port, username="default", password="geheim")["status"] == "ok"


def test_passwords(check: Check, port: int) -> None:
    assert "NOAUTH" in check("redis", port=port)["message"]
    result = check("redis", port=port, password="wrong-password")
    assert result["status"] == "critical"
    assert "responds to AUTH: WRONGPASS" in result["message"]
    assert "wrong-password" not in str(result)


def test_memory(check: Check, port: int) -> None:
    cli(port, "debug", "populate", "20000", "key", "1000")
    used = int(re.search(r"used_memory:(\d+)", cli(port, "info"))[1])
    cli(port, "config", "set", "maxmemory", str(int(used * 1.04)))
    result = check("redis", port=port, password="geheim")
    assert result["status"] == "critical"
    assert "the used memory of" in result["message"]
    cli(port, "config", "set", "maxmemory-policy", "allkeys-lru")
    assert check("redis", port=port, password="geheim")["status"] == "ok"
    cli(port, "config", "set", "maxmemory", "0", "maxmemory-policy", "noeviction")
    cli(port, "flushall")


def test_a_snapshot_that_failed(check: Check, port: int, directory: Path) -> None:
    cli(port, "set", "a", "b")
    cli(port, "config", "set", "dbfilename", "dump.rdb")
    (directory / "dump.rdb").mkdir()  # it can't be replaced by a file
    (directory / "dump.rdb" / "full").touch()
    cli(port, "bgsave")
    wait_for(lambda: "rdb_last_bgsave_status:err" in cli(port, "info"))
    result = check("redis", port=port, password="geheim")
    assert result["status"] == "critical"
    assert "its last snapshot (BGSAVE) failed" in result["message"]
    (directory / "dump.rdb" / "full").unlink()
    (directory / "dump.rdb").rmdir()
    cli(port, "save")
    assert check("redis", port=port, password="geheim")["status"] == "ok"


def test_a_replica(check: Check, port: int, tmp_path: Path) -> None:
    with redis(tmp_path, "--replicaof", "127.0.0.1", str(port), "--masterauth", "geheim") as replica:
        wait_for(lambda: check("redis", port=replica)["status"] == "ok", 0.2)
        result = check("redis", port=replica, role="replica")
        assert result["status"] == "ok", result["message"]
        assert 0 <= metric(result, "lag") <= 60
        assert check("redis", port=replica, role="primary")["message"].endswith("is a replica")
        assert check("redis", port=port, password="geheim", replicas=1)["status"] == "ok"
        assert "has 1 replica" in check("redis", port=port, password="geheim", replicas="2-9")["message"]
        subprocess.run(
            ["redis-cli", "-p", str(replica), "replicaof", "127.0.0.1", "1"], check=True, capture_output=True
        )
        assert "has lost its primary 127.0.0.1" in check("redis", port=replica)["message"]


def test_a_cluster_without_slots_refuses_everything(check: Check, tmp_path: Path) -> None:
    (bus,) = free_ports(1)
    with redis(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(bus)) as port:
        result = check("redis", port=port)
        assert result["status"] == "critical"
        assert "the cluster is down, 0 of 16384 slots are served" in result["message"]
        command = ["redis-cli", "-p", str(port), "cluster", "addslotsrange", "0", "16383"]
        subprocess.run(command, check=True, capture_output=True)
        wait_for(lambda: check("redis", port=port)["status"] == "ok", 0.2)


def test_too_few_replicas_for_writes(check: Check, port: int, tmp_path: Path) -> None:
    cli(port, "config", "set", "min-replicas-to-write", "2")
    result = check("redis", port=port, password="geheim")
    assert result["status"] == "critical"
    assert "rejects writes: it has 0 replicas in good state, but min-replicas-to-write is 2" in result["message"]
    cli(port, "acl", "setuser", "watcher", "on", ">geheim", "+info", "+ping")
    watcher = {"username": "watcher", "password": "geheim"}
    assert "rejects writes" in check("redis", port=port, **watcher)["message"]
    cli(port, "config", "set", "min-replicas-to-write", "0")
    assert check("redis", port=port, **watcher)["status"] == "ok"


def test_near_maxclients(check: Check, port: int) -> None:
    cli(port, "config", "set", "maxclients", "10")
    clients = [socket.create_connection(("127.0.0.1", port)) for dummy in range(8)]
    result = check("redis", port=port, password="geheim")
    for client in clients:
        client.close()
    cli(port, "config", "set", "maxclients", "10000")
    assert result["status"] == "warning"
    assert metric(result, "clients_used") == 90
    assert "the share of used connections of" in result["message"]


def test_tls(check: Check, web: Nginx, tmp_path: Path) -> None:
    files = [f"{web.directory}/{name}" for name in ("server.pem", "server.key", "ca.pem")]
    options = [
        word for pair in zip(("--tls-cert-file", "--tls-key-file", "--tls-ca-cert-file"), files) for word in pair
    ]
    (tls_port,) = free_ports(1)
    with redis(tmp_path, "--tls-port", str(tls_port), "--tls-auth-clients", "no", *options):
        good = {"host": "localhost", "port": tls_port, "tls": True, "ca": web.ca}
        assert check("redis", **good)["status"] == "ok"
        assert "certificate" in check("redis", **dict(good, host="127.0.0.1"))["message"]
        assert check("redis", **dict(good, tls=False, ca=None), timeout="1s")["status"] == "critical"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n", b"$99999999999\r\n", b"$10\r\nabc", b""])
def test_something_else_than_redis(check: Check, serve: Serve, answer: bytes) -> None:
    def handler(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(answer)

    result = check("redis", port=serve(handler))
    assert result["status"] == "critical"
    assert "the response is not that of Redis" in result["message"] or "closed the connection" in result["message"]
