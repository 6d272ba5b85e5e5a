# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of PostgreSQL as a user sees them: check mode, what a person does without day2.ops, servers that say no."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, RepositoryError, SourceError
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._verbs import backup, backup_copy
from tests.services.local import free_ports
from tests.services.manual import script
from tests.services.postgresql import binaries, cluster
from tests.services.postgresql_databases import Database
from tests.services.postgresql_fixtures import postgresql

pytestmark = pytest.mark.once  # the same driver and the same server for every Python

__all__ = ["postgresql"]

pytest.importorskip("psycopg")
DEFAULTS = {name: option.get("default") for name, option in backup.ARGUMENTS["argument_spec"].items()}


@pytest.fixture
def database(postgresql: dict[str, Any]) -> Iterator[Database]:
    with Database.new(postgresql) as made:
        made.name = "shop"
        made.admin("DROP DATABASE IF EXISTS shop", "CREATE DATABASE shop")
        made.do("CREATE TABLE t AS SELECT g AS a, repeat('x', 100) AS b FROM generate_series(1, 15000) g")
        made.do("CREATE TABLE u (a int); INSERT INTO u VALUES (1)")
        yield made


def run(repository: Path, source: dict[str, Any], check: bool = False, **options: Any) -> dict[str, Any]:
    params = dict(DEFAULTS, name="shop", repository=str(repository), source=source, compression="zstd", **options)
    return backup.run(params, check, Progress())


def test_four_steps(database: Database, tmp_path: Path) -> None:
    source = dict(database.server, database="shop")
    results = [run(tmp_path / "repository", source, check) for check in (True, False, True, False)]
    assert [one["changed"] for one in results] == [True, True, False, False]
    assert results[0]["backup"]["sources"] == results[1]["backup"]["sources"]
    assert "nothing has changed" in results[3]["msg"]
    with database.connect() as connection:
        connection.execute("ANALYZE")
    assert "the data was read and equals the newest backup" in run(tmp_path / "repository", source)["msg"]
    assert results[1]["backup"]["sources"][0]["path"] == f"postgresql://{database.server['host']}/shop"
    assert list((tmp_path / "repository" / "shop").glob(".staging*")) == []


def test_recovery_by_hand_as_it_is_documented(database: Database, tmp_path: Path) -> None:
    made = run(tmp_path / "repository", dict(database.server, database="shop"))
    places = {"/var/backups/day2/shop/20250630T120000Z-5be01c9f": made["backup"]["path"], "/tmp": str(tmp_path)}
    text = script("FORMAT.md", "pg_restore", places)
    where = {"PGHOST": database.server["host"], "PGUSER": "postgres", "PATH": f"{binaries()}:{os.environ['PATH']}"}
    database.admin("DROP DATABASE IF EXISTS shop_restored")
    subprocess.run(["bash", "-euo", "pipefail", "-c", text], check=True, env={**os.environ, **where})
    with database.connect("shop_restored") as connection:
        assert connection.execute("SELECT count(*), sum(a) FROM t").fetchone() == (15000, 15000 * 15001 // 2)
    database.admin("DROP DATABASE shop_restored")


@pytest.fixture(scope="module")
def secured() -> Iterator[dict[str, Any]]:
    """A server that wants TLS and a password."""
    (port,) = free_ports(1)
    with cluster("listen_addresses=127.0.0.1", port=port) as options:
        directory = Path(options["host"])
        certificate, key = directory / "server.crt", directory / "server.key"
        name = ["-subj", "/CN=another", "-addext", "subjectAltName=IP:127.0.0.1"]
        request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate]
        subprocess.run([*request, *name], check=True, capture_output=True)
        os.chown(key, directory.stat().st_uid, directory.stat().st_gid)
        (directory / "data" / "pg_hba.conf").write_text(
            "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
        )
        socket = dict(options, port=port)
        admin = ["psql", "-XqAt", "-h", options["host"], "-p", str(port), "-U", "postgres"]
        for statement in (
            f"ALTER SYSTEM SET ssl_cert_file = '{certificate}'",
            f"ALTER SYSTEM SET ssl_key_file = '{key}'",
            "ALTER SYSTEM SET ssl = on",
            "SELECT pg_reload_conf()",
            "CREATE ROLE saver LOGIN PASSWORD 'it''s: \\secret' IN ROLE pg_read_all_data",
            "CREATE TABLE t AS SELECT 1 AS a",
        ):
            subprocess.run([binaries() / admin[0], *admin[1:], "-c", statement], check=True, capture_output=True)
        yield {
            "socket": socket,
            "tcp": {
                "type": "postgresql",
                "host": "127.0.0.1",
                "port": port,
                "username": "saver",
                "password": "it's: \\secret",
                "sslmode": "verify-full",
                "sslrootcert": str(certificate),
                "database": "postgres",
            },
            "admin": [binaries() / admin[0], *admin[1:], "-c"],
        }


def test_over_tls_with_a_password(secured: dict[str, Any], tmp_path: Path) -> None:
    made = run(tmp_path / "repository", secured["tcp"])
    assert made["changed"]
    assert not run(tmp_path / "repository", secured["tcp"])["changed"]
    found = [one for one in tmp_path.rglob("*") if one.is_file() and b"secret" in one.read_bytes()]
    assert found == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"password": "wrong"}, "password authentication failed.*Check username, password and passfile"),
        ({"password": None}, "no password supplied.*Check username, password and passfile"),
        ({"sslmode": "disable"}, "no encryption.*pg_hba"),
        (
            {"sslrootcert": "/etc/ssl/certs/ca-certificates.crt"},
            "certificate verify failed.*Check sslmode, sslrootcert",
        ),
        ({"host": "localhost"}, "Check sslmode, sslrootcert"),
    ],
)
def test_a_server_that_refuses(secured: dict[str, Any], tmp_path: Path, options: dict[str, Any], said: str) -> None:
    for check in (True, False):
        with pytest.raises(SourceError, match=said) as caught:
            run(tmp_path / "repository", {**secured["tcp"], **options}, check)
        assert "secret" not in str(caught.value)


def test_no_connection_is_left(secured: dict[str, Any], tmp_path: Path) -> None:
    subprocess.run([*secured["admin"], "ALTER ROLE saver CONNECTION LIMIT 1"], check=True)
    with pytest.raises(SourceError, match="too many connections"):
        run(tmp_path / "repository", secured["tcp"])
    subprocess.run([*secured["admin"], "ALTER ROLE saver CONNECTION LIMIT -1"], check=True)


def test_a_service_file(secured: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = secured["socket"]
    (tmp_path / "services").write_text(f"[prod]\nhost={where['host']}\nport={where['port']}\nuser=postgres\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    made = run(tmp_path / "repository", {"type": "postgresql", "service": "prod", "database": "postgres"})
    assert made["changed"]
    assert made["backup"]["sources"][0]["path"] == "postgresql://service=prod/postgres"


def test_passwords_of_roles_are_only_in_encrypted_backups(database: Database, tmp_path: Path) -> None:
    source = dict(database.server, database="shop", role_passwords=True)
    with pytest.raises(InvalidRequest, match="role_passwords requires an encrypted backup.*Set encrypt_to"):
        run(tmp_path / "repository", source)
    recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    assert run(tmp_path / "repository", source, encrypt_to=[recipient])["changed"]
    params = {"engine": "restic", "restic": {"password": "x"}, "repository": str(tmp_path / "restic")}
    assert backup.run(dict(DEFAULTS, name="shop", source=source, **params), False, Progress())["changed"]
    defaults = {name: one.get("default") for name, one in backup_copy.ARGUMENTS["argument_spec"].items()}
    request = {**defaults, "name": "shop", "from": params, "to": {"repository": str(tmp_path / "copies")}}
    for check in (True, False):
        with pytest.raises(RepositoryError, match="contains secrets .role_passwords.*Set encrypt_to"):
            backup_copy.run(request, check, Progress())
    request["to"]["encrypt_to"] = [recipient]
    assert backup_copy.run(request, True, Progress())["changed"]
