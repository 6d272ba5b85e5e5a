# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers whose own programs back them up: MariaDB, Redis and OpenLDAP, as the documentation says."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.tests.services.local import program
from ansible_collections.day2.ops.tests.services.mariadb import mariadb
from ansible_collections.day2.ops.tests.services.redis import redis

from .support import run

SHELL = ["sh", "-euc"]


class Case:
    """A store, with its backups."""

    def __init__(self, directory: Path, **options: Any) -> None:
        self.directory = directory
        self.source = {"type": "command", **options}

    def backup(self, **more: Any) -> dict[str, Any]:
        verb = run("backup", self.parameters(source=self.source, **more))
        assert verb.status == 0, verb.error
        return verb.result

    def restore(self, check: bool = False, **options: Any) -> dict[str, Any]:
        target = {**self.source, **options}
        verb = run("restore", self.parameters(target=target, on_existing="replace", check=check))
        assert verb.status == 0, verb.error
        return verb.result

    def parameters(self, **more: Any) -> dict[str, Any]:
        return {"name": "set", "repository": str(self.directory / "repository"), **more}


def out(*argv: str, given: str = "") -> str:
    return subprocess.run(argv, check=True, input=given, capture_output=True, text=True).stdout


def there_and_back(case: Case, **restore: Any) -> dict[str, Any]:
    """Check, run, check, run of a restore. Returns the result of the first run."""
    assert case.restore(check=True, **restore)["msg"].startswith("Would restore command://")
    done = case.restore(**restore)
    assert (done["changed"], done["safety_backup"]["kind"]) == (True, "safety")
    assert case.restore(check=True, **restore)["changed"] is False
    assert case.restore(**restore)["changed"] is False
    return done


def test_mariadb(tmp_path: Path) -> None:
    with mariadb(tmp_path) as socket:
        client = ["mariadb", "--no-defaults", f"--socket={socket}"]
        out(*client, given="CREATE DATABASE wiki; CREATE TABLE wiki.page (id INT PRIMARY KEY, text TEXT)")
        out(*client, given="INSERT INTO wiki.page VALUES (1, 'Überblick'), (2, NULL)")
        case = Case(
            tmp_path,
            dump=["mariadb-dump", "--no-defaults", f"--socket={socket}", "--single-transaction", "wiki"],
            ignore=["-- Dump completed on *"],
        )
        assert case.backup(check=True)["changed"]
        assert case.backup()["backup"]["sources"][0]["path"] == "command://mariadb-dump/wiki"
        assert case.backup(check=True)["changed"] is False
        assert case.backup()["changed"] is False, "the date in the last line is no change"
        out(*client, "wiki", given="DELETE FROM page WHERE id = 1; CREATE TABLE other (id INT)")
        # a dump does not drop what it does not know: the restore says so
        partly = case.restore(restore=[*client, "wiki"])
        assert any("prints something else than the backup contains" in warning for warning in partly["warnings"])
        whole = [*SHELL, f"({' '.join(client)} -e 'DROP DATABASE wiki; CREATE DATABASE wiki'); {' '.join(client)} wiki"]
        out(*client, "wiki", given="INSERT INTO page VALUES (3, 'new')")
        done = there_and_back(case, restore=whole)
        assert done["warnings"] == [warning for warning in done["warnings"] if "as swap is not set" in warning]
        assert out(*client, "-N", "wiki", given="SELECT * FROM page; SHOW TABLES") == "1\tÜberblick\n2\tNULL\npage\n"

        out(*client, "wiki", given="INSERT INTO page VALUES (3, 'new')")
        target = {**case.source, "restore": [*client, "nothing"]}
        bad = run("restore", case.parameters(target=target, on_existing="replace"))
        assert bad.status == 3
        assert "Unknown database 'nothing'" in bad.error


def test_redis(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with redis(tmp_path / "data", "--enable-debug-command", "local", "--repl-diskless-sync-delay", "0") as port:
        client = ["redis-cli", "-p", str(port)]
        out(*client, "set", "a", "1")
        state = f"{' '.join(client)} info | grep -E '^(run_id|rdb_changes_since_last_save|rdb_last_save_time):'"
        case = Case(
            tmp_path,
            dump=[*client, "--rdb", "-"],
            fingerprint=[*SHELL, state],
            verify=[*SHELL, "head -c 5 | grep -qx REDIS"],
        )
        assert case.backup()["changed"]
        assert case.backup()["changed"] is False, "its dump has the time in it; the fingerprint decides"
        out(*client, "set", "a", "2")
        assert case.backup()["changed"]
        out(*client, "set", "b", "3")
        new = tmp_path / "new.rdb"
        done = case.restore(
            restore=[*SHELL, f"cat > {new}"],
            swap=[*SHELL, f"mv {new} {tmp_path}/data/dump.rdb; {' '.join(client)} debug reload nosave"],
        )
        assert done["changed"]
        assert out(*client, "mget", "a", "b") == "2\n\n"


def test_openldap(tmp_path: Path) -> None:
    for name in ("data", "new"):
        (tmp_path / f"{name}.conf").write_text(
            "include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n"
            f"database mdb\nmaxsize 10485760\nsuffix dc=example,dc=org\ndirectory {tmp_path / name}\n"
        )
    (tmp_path / "data").mkdir()
    load = [program("slapadd", "slapd"), "-f", str(tmp_path / "data.conf")]
    out(
        *load,
        given="dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: example\n",
    )
    case = Case(tmp_path, name="ldap", dump=["slapcat", "-f", str(tmp_path / "data.conf")])
    assert case.backup()["changed"]
    assert case.backup()["changed"] is False
    out(*load, given="dn: ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\nou: people\n")
    swap = f"cd {tmp_path}; mv data old; mv new data; rm -r old"
    done = there_and_back(
        case,
        restore=[*SHELL, f"mkdir {tmp_path}/new; slapadd -q -f {tmp_path}/new.conf"],
        swap=[*SHELL, swap],
        discard=["rm", "-r", str(tmp_path / "new")],
    )
    assert done["warnings"] == []
    assert "ou=people" not in out("slapcat", "-f", str(tmp_path / "data.conf"))


@pytest.mark.parametrize("end", ["exit 1", "kill -9 $$"])
def test_a_dump_that_ends_early_is_no_backup(tmp_path: Path, end: str) -> None:
    case = Case(tmp_path, dump=[*SHELL, f"echo part; {end}"])
    verb = run("backup", case.parameters(source=case.source))
    assert verb.status == 3
    assert not list((tmp_path / "repository").glob("*/2*"))
