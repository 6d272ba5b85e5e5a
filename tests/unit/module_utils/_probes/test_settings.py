# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that drift: owner and mode of files, pragmas of SQLite, versions and keys of TLS."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import ssl
import subprocess
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from tests.services.nginx import Nginx

Check = Callable[..., dict[str, Any]]


def test_owner_and_mode_of_a_file(check: Check, tmp_path: Path) -> None:
    path = tmp_path / "server.key"
    path.touch()
    path.chmod(0o640)
    good = {"mode": "0640", "max_mode": "0750", "owner": str(os.getuid()), "group": str(os.getgid())}
    assert check("file", path=str(path), **good)["status"] == "ok"
    result = check("file", path=str(path), mode="0600", max_mode="0600", owner="nobody", group="no-such-group")
    assert result["status"] == "critical"
    assert f"{path} has the mode 0640, not 0600" in result["message"]
    assert f"{path} has the mode 0640, which allows more than 0600" in result["message"]
    assert f"the owner of {path} is " in result["message"]
    assert "not no-such-group" in result["message"]
    path.chmod(0o607)  # a smaller number, and more for others
    assert "allows more than 0750" in check("file", path=str(path), max_mode="0750")["message"]
    path.chmod(0o4600)  # set-user-ID is more than 0600
    assert "allows more" in check("file", path=str(path), max_mode="0600")["message"]


def test_owner_and_mode_of_a_directory_are_not_those_of_its_files(check: Check, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "hawkfish.db").touch()
    (state / "hawkfish.db").chmod(0o666)
    assert check("file", path=str(state), max_mode="0750")["status"] == "ok"
    state.chmod(0o755)
    assert (
        f"{state} has the mode 0755, which allows more than 0750"
        in check("file", path=str(state), max_mode="0750")["message"]
    )


@pytest.mark.parametrize("mode", [0o640, "640", "0888", "u=rw", 750])
def test_a_mode_that_yaml_may_have_read_as_another_number(mode: Any, check: Check) -> None:
    with pytest.raises(InvalidRequest, match="write four octal digits in quotes"):
        check("file", path="/etc/passwd", mode=mode)


@pytest.mark.root
def test_a_number_is_the_owner_if_it_has_no_name(check: Check, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    os.chown(path, 54321, 54321)
    assert check("file", path=str(path), owner="54321", group=54321)["status"] == "ok"
    assert f"the owner of {path} is 54321, not root" in check("file", path=str(path), owner="root")["message"]


def test_pragmas_that_a_file_stores(check: Check, tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    connection = sqlite3.connect(path)
    for statement in ("PRAGMA page_size=8192", "PRAGMA auto_vacuum=INCREMENTAL", "PRAGMA journal_mode=WAL"):
        connection.execute(statement)
    connection.executescript(
        "PRAGMA user_version=7; PRAGMA application_id=42; CREATE TABLE t (x); PRAGMA synchronous=OFF"
    )
    good = {"journal_mode": "WAL", "auto_vacuum": "incremental", "page_size": 8192, "encoding": "UTF-8"}
    result = check("sqlite", path=str(path), pragmas={**good, "application_id": 42, "user_version": 7})
    assert result["status"] == "ok", result["message"]
    connection.execute("PRAGMA journal_mode=PERSIST")  # which only this connection knows
    bad = {"auto_vacuum": "none", "page_size": 4096, "encoding": "UTF-16le"}
    result = check("sqlite", path=str(path), pragmas={"journal_mode": "wal", **bad})
    connection.close()
    assert result["status"] == "critical"
    assert f"journal_mode of {path} is delete, not wal" in result["message"]
    assert f"auto_vacuum of {path} is incremental, not none" in result["message"]
    assert f"page_size of {path} is 8192, not 4096" in result["message"]
    assert f"encoding of {path} is utf-8, not UTF-16le" in result["message"]
    assert check("sqlite", path=str(path), pragmas={"journal_mode": "delete"})["status"] == "ok"


@pytest.mark.parametrize(
    ("pragmas", "words"),
    [
        ({"foreign_keys": 1}, "the file does not store foreign_keys, so it can't be checked"),
        ({"synchronous": "normal"}, "the file does not store synchronous"),
        ({"journal_mode": "truncate"}, "journal_mode is truncate, not delete, wal"),
        ({"page_size": "4k"}, "page_size is 4k, not a whole number"),
        ({"page_size; DROP TABLE t": 1}, "the file does not store"),
    ],
)
def test_pragmas_that_no_other_process_can_see(pragmas: dict[str, Any], words: str, check: Check) -> None:
    with pytest.raises(InvalidRequest, match=words):
        check("sqlite", path="/x", pragmas=pragmas)


@contextlib.contextmanager
def tls_server(directory: Path, oldest: ssl.TLSVersion, newest: ssl.TLSVersion, clients: bool = False) -> Iterator[int]:
    """The port of a server with an RSA key that accepts these versions.

    :param clients: it requires a client certificate, and takes its own for one.
    """
    make = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=localhost -days 50"
    subprocess.run(["openssl", *make.split()], check=True, capture_output=True, cwd=directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version, context.maximum_version = oldest, newest
    context.set_ciphers("ALL:@SECLEVEL=0")
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(directory / "cert.pem")
    import socket

    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _peer = listening.accept()
                    connection.settimeout(60)
                    with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                        secured.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(60)


def test_a_server_that_accepts_what_is_too_old(check: Check, tmp_path: Path) -> None:
    where: dict[str, Any] = {"host": "localhost", "family": "ipv4", "validate_certs": False}
    with tls_server(tmp_path, ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_2) as port:
        result = check("tls", port=port, min_protocol="TLSv1.2", **where)
        assert result["status"] == "critical"
        assert result["message"] == f"localhost:{port} accepts TLSv1.1, which is older than TLSv1.2"
        message = check("tls", port=port, min_protocol="TLSv1.3", **where)["message"]
        assert message == f"localhost:{port} accepts TLSv1.2, which is older than TLSv1.3"
    with tls_server(tmp_path, ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3) as port:
        assert check("tls", port=port, min_protocol="TLSv1.3", **where)["status"] == "ok"
        assert check("tls", port=port, min_protocol="TLSv1.2", **where)["status"] == "ok"


def test_a_server_that_requires_a_client_certificate(check: Check, tmp_path: Path) -> None:
    files = {"client_certificate": str(tmp_path / "cert.pem"), "client_key": str(tmp_path / "key.pem")}
    with tls_server(tmp_path, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3, clients=True) as port:
        where: dict[str, Any] = {"host": "localhost", "family": "ipv4", "validate_certs": False}
        results = [check("tls", port=port, min_protocol="TLSv1.3", **where, **more) for more in (files, {})]
    for result in results:
        assert result["message"] == f"localhost:{port} accepts TLSv1.2, which is older than TLSv1.3"
    with tls_server(tmp_path, ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3, clients=True) as port:
        assert check("tls", port=port, min_protocol="TLSv1.3", **where)["status"] == "ok"


def test_the_key_of_a_certificate(check: Check, web: Nginx, tmp_path: Path) -> None:
    where: dict[str, Any] = {"host": "localhost", "family": "ipv4", "validate_certs": False}
    with tls_server(tmp_path, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3) as port:
        result = check("tls", port=port, key_type=["rsa"], key_bits_crit=2048, **where)
        assert result["status"] == "ok", result["message"]
        assert [one["value"] for one in result["metrics"] if one["name"] == "key_bits"] == [2048]
        message = check("tls", port=port, key_bits_crit=4096, **where)["message"]
        assert f"the length of the key of localhost:{port} in bits is 2048, critical below 4096" in message
        message = check("tls", port=port, key_type=["ec", "ed25519"], **where)["message"]
        assert message == f"localhost:{port} has a key of type rsa, not ec or ed25519"
    result = check("tls", host="localhost", port=web.tls, ca=web.ca, key_type=["ec"], key_bits_crit=4096)
    assert result["status"] == "ok", result["message"]
