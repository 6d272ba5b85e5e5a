# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server is archived by pgBackRest, and restored as it was at a moment."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pwd
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, cast
from urllib.parse import urlsplit

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    Cancelled,
    InvalidRequest,
    RepositoryError,
    TargetError,
)
from ansible_collections.day2.ops.plugins.module_utils._evidence import journal
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.pitr import stanza
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.pitr.copies import Copy, Target
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.pitr.restore import Restored, not_reached
from ansible_collections.day2.ops.plugins.module_utils._verbs import backup_info, postgresql_pitr, restore
from ansible_collections.day2.ops.plugins.module_utils._verbs.drill import drill as restore_drill
from ansible_collections.day2.ops.plugins.module_utils._verbs.drill import pitr
from ansible_collections.day2.ops.plugins.module_utils._verbs.drill.outcome import Unsound
from ansible_collections.day2.ops.plugins.module_utils._verbs.drill.pitr import Markers, judge
from ansible_collections.day2.ops.plugins.module_utils._verbs.health import check as health_check
from tests.conftest import COLLECTIONS, ROOT
from tests.services.pgbackrest import Archived, archived, tls
from tests.services.postgresql import as_postgres
from tests.services.s3 import CREDENTIALS, REGION, ministack
from tests.unit.module_utils.verbs import run_verb

pytestmark = pytest.mark.once  # servers are restarted, and copies started

NOW = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


def run(verb: Any, check: bool = False, **given: Any) -> dict[str, Any]:
    spec = verb.ARGUMENTS["argument_spec"]
    return run_verb(verb, {**{name: one.get("default") for name, one in spec.items()}, **given}, check)


@pytest.fixture(scope="module")
def server() -> Iterator[Archived]:
    with archived() as made:
        yield made


@pytest.fixture(scope="module")
def ready(server: Archived, tmp_path_factory: pytest.TempPathFactory) -> Archived:
    """It is set up, in the steps that users take."""
    (server.directory / "log").mkdir()
    os.chown(server.directory / "log", *(os.stat(server.data).st_uid, -1))
    predicted = run(postgresql_pitr, True, **server.options)
    assert not Path(server.options["config"]).exists()
    assert not Path(server.options["repository"]).exists()
    first = run(postgresql_pitr, **server.options)
    assert predicted["changed"] is first["changed"] is True
    assert predicted["restart_needed"] == first["restart_needed"] == ["archive_mode"]
    assert predicted["diff"] == first["diff"]
    assert first["pitr"]["earliest"] is None
    again = run(postgresql_pitr, **server.options)
    assert (again["changed"], again["restart_needed"]) == (False, ["archive_mode"])
    server.restart()
    assert run(postgresql_pitr, True, **server.options)["changed"] is True  # there is no backup yet
    done = run(postgresql_pitr, **server.options)
    with pytest.MonkeyPatch.context() as patch:  # nothing is recorded on a host without a journal, but later
        patch.setenv(host_state.VARIABLE, str(tmp_path_factory.mktemp("state")))
        journal.append([], "host", "mark")
        for _run in range(2):
            assert run(postgresql_pitr, **server.options)["changed"] is False
        (_begun, entry) = map(json.loads, Path(host_state.evidence(host_state.JOURNAL)).read_bytes().splitlines())
    (backup,) = done["pitr"]["backups"]
    assert (entry["event"], entry["reason"], entry["set"]) == ("backup", "pgbackrest", server.stanza)
    assert (entry["backup"], entry["made"]) == (backup["id"], backup["created"])
    assert (done["changed"], done["restart_needed"]) == (True, [])
    assert [one["type"] for one in done["pitr"]["backups"]] == ["full"]
    for check in (True, False):
        assert run(postgresql_pitr, check, **server.options)["changed"] is False
    wait_until(lambda: server.execute(NOW) > done["pitr"]["earliest"])
    server.execute("CREATE TABLE begun ()")
    server.archived()
    return server


def given_for(server: Archived, **more: Any) -> dict[str, Any]:
    return {"name": server.stanza, "repository": f"pgbackrest:{server.options['config']}", **more}


def target(server: Archived, name: str, port: int, **more: Any) -> dict[str, Any]:
    place = {"host": str(server.directory), "port": port, "data_directory": str(server.directory / name)}
    return {"type": "postgresql", **place, **more}


def test_rows_before_and_after_the_moment(ready: Archived) -> None:
    ready.execute("CREATE TABLE ev (n int)", "INSERT INTO ev VALUES (1), (2)")
    at = ready.execute(NOW)
    ready.execute("INSERT INTO ev VALUES (3)", "DELETE FROM ev WHERE n = 1")
    ready.archived()
    given = given_for(ready, target=target(ready, "copy", 5433), at=at)
    predicted = run(restore, True, **given)
    assert not (ready.directory / "copy").exists()
    done = run(restore, **given)
    assert predicted["changed"] is done["changed"] is True
    assert (predicted["targets"], predicted["diff"]) == (done["targets"], done["diff"])
    assert ready.execute("SELECT string_agg(n::text, ',' ORDER BY n) FROM ev", port=5433) == "1,2"
    assert ready.execute("SELECT string_agg(n::text, ',' ORDER BY n) FROM ev") == "2,3"
    assert ready.execute("SHOW archive_mode", port=5433) == "off"
    for check in (True, False):
        assert run(restore, check, **given)["changed"] is False
    with pytest.raises(TargetError, match=r"is a copy of .* and a data directory is never replaced"):
        run(restore, **{**given, "at": None})
    with pytest.raises(TargetError, match="Another server uses port 5433"):
        run(restore, **{**given, "target": target(ready, "other", 5433)})
    whole = run(restore, **given_for(ready, target=target(ready, "end", 5434, keep_running=False)))
    assert whole["pitr"]["last_transaction"] > at
    assert f", the last transaction in it is of {whole['pitr']['last_transaction']}." in whole["msg"]
    assert not (ready.directory / "end" / "postmaster.pid").exists()
    assert [path.name for path in ready.directory.glob(".day2-*")] == []


@pytest.mark.parametrize(
    ("at", "words"),
    [("2001-01-01", "is before the range"), ("2099-01-01", "is after the range")],
)
@pytest.mark.parametrize("check", [True, False])
def test_moments_out_of_range(ready: Archived, at: str, words: str, check: bool) -> None:
    with pytest.raises(RepositoryError, match=words):
        run(restore, check, **given_for(ready, target=target(ready, "never", 5440), at=at))
    assert not (ready.directory / "never").exists()


def test_the_range_begins_where_a_restore_succeeds(ready: Archived) -> None:
    (one,) = run(backup_info, **given_for(ready))["sets"]
    begin = one["pitr"]["earliest"]
    run(restore, **given_for(ready, target=target(ready, "begin", 5446, keep_running=False), at=begin))
    before = one["backups"][-1]["created"]
    with pytest.raises(RepositoryError, match="is before the range"):
        run(restore, True, **given_for(ready, target=target(ready, "never", 5440), at=before))


def test_the_live_server_is_never_a_target(ready: Archived) -> None:
    with pytest.raises(TargetError, match="is not empty, and a data directory is never replaced"):
        run(restore, **given_for(ready, target=target(ready, "data", 5441)))


@pytest.mark.parametrize("sign", ["PG_VERSION", "postmaster.pid"])
def test_after_a_kill_the_next_run_begins_anew(ready: Archived, sign: str) -> None:
    """Killed while pgBackRest restores, and while the server of the copy replays."""
    prepared = ready.directory / ".day2-after"
    given = given_for(ready, target=target(ready, "after", 5442, keep_running=False))
    with killed_at(prepared / sign, given):
        done = run(restore, **given)
    assert done["warnings"] == [f"Removed {prepared}, which an interrupted run had left."]
    assert not prepared.exists()
    assert not (ready.directory / "after" / "postmaster.pid").exists()
    ready.as_postgres("rm", "-rf", ready.directory / "after")


@contextlib.contextmanager
def killed_at(sign: Path, given: dict[str, Any]) -> Iterator[None]:
    """A restore in another process is killed once a file exists."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        words = [sys.executable, ROOT / "tests" / "faults" / "verb.py", "restore", json.dumps(given)]
        process = subprocess.Popen(
            [*words, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": f"{COLLECTIONS}:{ROOT}"},
        )
        while not sign.exists():
            assert process.poll() is None
            time.sleep(0.002)
        process.kill()
        process.wait()
        yield


def test_a_moment_after_the_last_transaction_is_refused(ready: Archived) -> None:
    ready.execute("CREATE TABLE IF NOT EXISTS last (n int)", "INSERT INTO last VALUES (1)")
    ready.execute("CHECKPOINT")
    at = ready.execute(NOW)
    ready.archived()
    given = given_for(ready, target=target(ready, "never", 5440), at=at)
    with pytest.raises(RepositoryError, match="has no transaction after .*; the last transaction .* was at .*Omit at"):
        run(restore, **given)
    assert sorted(path.name for path in ready.directory.glob("*never*")) == []


def checked(server: Archived, **options: Any) -> dict[str, Any]:
    place = {"host": str(server.directory), "username": "postgres", "database": "postgres"}
    check = {"name": "it", "type": "postgresql_archive", **place, **options}
    result = run(health_check, checks=[check], timeout="10s")["checks"][0]
    found: dict[str, Any] = {**result, **{one["name"]: one["value"] for one in result["metrics"]}}
    return found


def test_health(ready: Archived) -> None:
    ready.archived()
    given = {"stanza": ready.stanza, "repository": f"pgbackrest:{ready.options['config']}"}
    good = checked(ready, **given)
    assert (good["status"], good["value"], good["lag"], good["waiting"]) == ("ok", 0, 0, 0)
    assert 0 < good["backup"] < 600
    assert checked(ready, backup_crit="1ms", **given)["status"] == "critical"
    ready.execute("CREATE TABLE wide AS SELECT generate_series(1, 1000) AS a")
    assert checked(ready)["value"] > 0  # written, and not archived yet
    ready.execute("CREATE ROLE watcher LOGIN")
    unseen = checked(ready, username="watcher")
    assert (unseen["status"], unseen["message"]) == (
        "unknown",
        "the archive can't be seen: GRANT pg_monitor TO watcher",
    )


def test_what_backup_info_says(ready: Archived) -> None:
    ready.archived()
    found = run(backup_info, **given_for(ready, max_age="1h"))
    (one,) = found["sets"]
    assert (found["ok"], one["within_max_age"]) == (True, True)
    assert one["pitr"]["earliest"] < one["pitr"]["latest"]
    assert one["newest"] == one["backups"][0]["id"]
    missing = run(backup_info, **{**given_for(ready), "name": "none"})
    assert missing["ok"] is False
    assert "has no stanza none" in missing["problems"][0]["problem"]


def test_an_archive_that_is_gone_is_told(ready: Archived) -> None:
    config = Path(ready.options["config"])
    text = config.read_text()
    place = f"repo1-path={ready.options['repository']}\n"
    config.write_text(text.replace(place, "repo1-path=/dev/null/none\n"))
    try:
        ready.execute("CREATE TABLE lost ()", "SELECT pg_switch_wal()")
        wait_until(lambda: checked(ready)["status"] == "critical")
        bad = checked(ready)
        assert (bad["waiting"], bad["lag"] > 0) == (1, True)
        assert "fails" in bad["message"]
        (one,) = run(backup_info, **given_for(ready, max_age="1h"))["sets"]
        assert one["problems"]
        assert one["within_max_age"] is False
    finally:
        config.write_text(text)
    # what was not archived is not lost, and the next run proves that it arrives
    wait_until(lambda: checked(ready)["status"] == "ok")
    assert run(postgresql_pitr, **ready.options)["changed"] is False


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 90  # a server that fails three times waits for a minute
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.2)


def test_another_archive_is_not_taken_away(ready: Archived) -> None:
    ready.execute("ALTER SYSTEM SET archive_command = 'cp %p /elsewhere/%f'", "SELECT pg_reload_conf()")
    try:
        for check in (True, False):
            with pytest.raises(TargetError, match="archives elsewhere: archive_command is cp"):
                run(postgresql_pitr, check, **ready.options)
    finally:
        command = f"{shutil.which('pgbackrest')} --config={ready.options['config']} --stanza={ready.stanza}"
        ready.execute(f"ALTER SYSTEM SET archive_command = '{command} archive-push %p'", "SELECT pg_reload_conf()")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"repository": "s3://"}, "names no bucket"),
        ({"repository": "s3://b", "s3": {"endpoint_url": "http://127.0.0.1"}}, "only uses TLS"),
        ({"repository": "s3://b", "s3": {"profile": "p"}}, "no option for s3.profile"),
        ({"encryption_key": "short"}, "shorter than 16"),
        ({"keep_full": 0}, "keep_full is 0"),
        ({"data_directory": "/etc"}, "is not a data directory"),
        ({"stanza": "a b"}, "is not a valid name of a stanza"),
        ({"settings": {"repo1-path": "/a\nb"}}, "can't be written"),
        ({"settings": {"repo1-azure-key": "hidden"}}, "Set secrets.repo1-azure-key instead"),
    ],
)
def test_requests_that_are_refused(ready: Archived, given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        run(postgresql_pitr, True, **{**ready.options, **given})


def test_s3_over_tls_and_encrypted(tmp_path: Path) -> None:
    """In the order of a first use: a wrong CA, the archive, a restore from it."""
    with archived() as server, ministack(tmp_path) as url, tls(url, server.directory) as (address, certificate):
        place = urlsplit(url)
        client = http.client.HTTPConnection(str(place.hostname), place.port or 80)
        client.request("PUT", "/wal")
        assert client.getresponse().status == 200
        s3 = {"endpoint_url": address, "region": REGION, "addressing": "path", **CREDENTIALS}
        log = server.directory / "log"
        server.as_postgres("mkdir", log)
        wanted = {**server.options, "repository": "s3://wal/servers", "encryption_key": "a passphrase of tests"}
        with pytest.raises(RepositoryError, match="Check s3, its ca_bundle"):
            run(postgresql_pitr, True, **wanted, s3=s3)
        wanted["s3"] = {**s3, "ca_bundle": str(certificate)}
        first = run(postgresql_pitr, **wanted)
        assert CREDENTIALS["secret_access_key"] not in re.findall("(?m)^repo1-.*key.*=(.*)$", first["diff"]["after"])
        assert wanted["encryption_key"] not in json.dumps(first)
        server.restart()
        done = run(postgresql_pitr, **wanted)
        assert done["pitr"]["encrypted"] is True
        wait_until(lambda: server.execute(NOW) > done["pitr"]["earliest"])
        server.execute("CREATE TABLE ev AS SELECT 1 AS n")
        at = server.execute(NOW)
        server.execute("INSERT INTO ev VALUES (2)")
        server.archived()
        run(restore, **given_for(server, target=target(server, "copy", 5433), at=at))
        assert server.execute("SELECT string_agg(n::text, ',') FROM ev", port=5433) == "1"
        assert stat.S_IMODE(Path(server.options["config"]).stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"only": ["ev"]}, "only does not apply"),
        ({"backup": "20250101-000000F"}, "backup does not apply"),
        ({"target": {"type": "sqlite", "path": "/x"}}, "restores a whole server"),
        ({"target": {"type": "postgresql", "data_directory": "/x"}}, "The port of the copy is missing"),
        ({"target": {"type": "postgresql", "data_directory": "/x", "database": "a"}}, "database does not apply"),
    ],
)
def test_options_that_mean_nothing(ready: Archived, given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        run(restore, **{**given_for(ready, target=target(ready, "never", 5440)), **given})


def test_tablespaces_of_others_are_left_alone(ready: Archived) -> None:
    """One created after the backup would be replayed where the server has it; those beside may be in use."""
    place, beside = ready.directory / "space", ready.directory / "spaced.tablespaces"
    ready.as_postgres("mkdir", place, beside)
    given = given_for(ready, target=target(ready, "spaced", 5443))
    for check in (True, False):
        with pytest.raises(TargetError, match=r"spaced.tablespaces exists"):
            run(restore, check, **given)
    ready.as_postgres("rmdir", beside)
    ready.execute(f"CREATE TABLESPACE late LOCATION '{place}'", "CREATE TABLE spaced TABLESPACE late AS SELECT 1 AS n")
    at = ready.execute(NOW)
    ready.execute("UPDATE spaced SET n = 2", "CHECKPOINT")
    ready.archived()
    try:
        assert f"a tablespace at {place} that was created after the backup" in without_mounts(given)
        assert list(ready.directory.glob("*spaced*")) == []
        files = written(place)
        assert run(restore, **{**given, "at": at})["warnings"] == []
        assert (ready.execute("SELECT n FROM spaced", port=5443), written(place)) == ("1", files)
        (link,) = (ready.directory / "spaced" / "pg_tblspc").iterdir()
        assert link.readlink() == beside / f"pg_{link.name}"
        ready.execute("UPDATE spaced SET n = 3", "CHECKPOINT", port=5443)
        assert (ready.execute("SELECT n FROM spaced"), written(place)) == ("2", files)
        command = ["pgbackrest", f"--config={ready.options['config']}", f"--stanza={ready.stanza}"]
        ready.as_postgres(*command, "--type=incr", "backup")
        run(restore, **given_for(ready, target=target(ready, "known", 5450)))
        (link,) = (ready.directory / "known" / "pg_tblspc").iterdir()
        assert link.readlink() == ready.directory / "known.tablespaces" / "late"
        for name in ("max_logical_replication_workers", "synchronous_standby_names", "external_pid_file"):
            assert ready.execute(f"SHOW {name}", port=5450) in ("", "0")
        for copy in ("spaced", "known"):
            ready.as_postgres(ready.programs / "pg_ctl", "-D", ready.directory / copy, "-w", "-s", "stop")
    finally:
        ready.execute("DROP TABLE IF EXISTS spaced", "DROP TABLESPACE late")


def written(place: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


def without_mounts(given: dict[str, Any]) -> str:
    """What a restore complains of where no mounts can be made."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        words = [sys.executable, ROOT / "tests" / "faults" / "verb.py", "restore", json.dumps({**given, "check": True})]
        subprocess.run(
            ["setpriv", "--bounding-set=-sys_admin", *words, str(theirs.fileno())],
            check=True,
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": f"{COLLECTIONS}:{ROOT}"},
        )
        status, error, _result = json.loads(ours.recv(100_000))
    assert status == 3
    return str(error)


def test_a_tablespace_that_was_dropped_since_is_told(ready: Archived) -> None:
    """It is in no base backup, and WAL has the place where it was."""
    place = ready.directory / "dropped"
    ready.as_postgres("mkdir", place)
    ready.execute(f"CREATE TABLESPACE gone LOCATION '{place}'", "CREATE TABLE gone TABLESPACE gone AS SELECT 1 AS n")
    at = ready.execute(NOW)
    ready.execute("DROP TABLE gone", "DROP TABLESPACE gone")
    ready.archived()
    done = run(restore, **given_for(ready, target=target(ready, "gone", 5448), at=at))
    (warning,) = done["warnings"]
    assert warning.startswith(
        f"The copy has a tablespace at {place}, the location that it had on the server at that moment."
    )
    assert ready.execute("SELECT n FROM gone", port=5448) == "1"


def test_a_copy_that_does_not_run_is_told(ready: Archived) -> None:
    ready.execute("CREATE TABLE IF NOT EXISTS told (n int)")
    at = ready.execute(NOW)
    ready.execute("INSERT INTO told VALUES (1)")
    ready.archived()
    given = given_for(ready, target=target(ready, "told", 5444, keep_running=False), at=at)
    run(restore, **given)
    assert run(restore, **given)["warnings"] == []
    given["target"]["keep_running"] = True
    for check in (True, False):
        (warning,) = run(restore, check, **given)["warnings"]
        assert "told does not run. Start it: pg_ctl -D" in warning


def test_the_configuration_of_the_server_does_not_lead_back_to_it(ready: Archived) -> None:
    """What it says of places is of the server in use; a log elsewhere would hide why the copy fails."""
    settings = ready.data / "postgresql.conf"
    text = settings.read_text()
    settings.write_text(f"{text}\ndata_directory = '{ready.data}'\nlogging_collector = on\nlc_messages = 'C'\n")
    command = ["pgbackrest", f"--config={ready.options['config']}", f"--stanza={ready.stanza}"]
    try:
        ready.as_postgres(*command, "--type=incr", "backup")
        ready.execute("CHECKPOINT")
        at = ready.execute(NOW)
        ready.archived()
        with pytest.raises(RepositoryError, match="has no transaction after"):
            run(restore, **given_for(ready, target=target(ready, "back", 5445), at=at))
        run(restore, **given_for(ready, target=target(ready, "back", 5445)))
        assert ready.execute("SHOW data_directory", port=5445) == str(ready.directory / "back")
    finally:
        settings.write_text(text)


def test_secrets_are_written_and_not_shown(ready: Archived) -> None:
    predicted = run(postgresql_pitr, True, **ready.options, secrets={"repo1-azure-key": "hidden"})
    assert "repo1-azure-key=\u2026\n" in predicted["diff"]["after"]
    assert "hidden" not in json.dumps(predicted)


@pytest.mark.parametrize("port", ["abc", "-1", ""])
def test_a_port_that_is_none(tmp_path: Path, port: str) -> None:
    config = tmp_path / "pgbackrest.conf"
    config.write_text(f"[main]\npg1-path=/nowhere\npg1-port={port}\n")
    with pytest.raises(RepositoryError, match="has the port"):
        run(restore, name="main", repository=f"pgbackrest:{config}", target={"type": "postgresql"})


def test_a_short_timeout_is_not_none(ready: Archived) -> None:
    predicted = run(postgresql_pitr, True, **ready.options, archive_timeout="400ms")
    assert "archive_timeout = 1\n" in predicted["diff"]["after"]


def test_a_standby_is_refused_before_anything_is_written() -> None:
    with archived() as server:
        server.stop()
        server.as_postgres("touch", server.data / "standby.signal")
        server.start()
        for check in (True, False):
            with pytest.raises(TargetError, match="is a standby"):
                run(postgresql_pitr, check, **server.options)
        assert not Path(server.options["config"]).exists()


def test_a_timeline_that_was_abandoned() -> None:
    """The server itself was put back: what it had written after that moment is only on its old timeline."""
    with archived() as server:
        server.as_postgres("mkdir", server.directory / "log")
        run(postgresql_pitr, **server.options)
        server.restart()
        begin = run(postgresql_pitr, **server.options)["pitr"]["earliest"]
        wait_until(lambda: server.execute(NOW) > begin)
        given = given_for(server, target=target(server, "copy", 5433, keep_running=False))
        at = server.execute("CREATE TABLE ev (n int)", NOW)
        server.execute("INSERT INTO ev VALUES (1)")
        server.archived()
        assert run(restore, True, **given)["warnings"] == []
        server.stop()
        command = ["pgbackrest", f"--config={server.options['config']}", f"--stanza={server.stanza}", "--type=time"]
        moment = f"--target={at.replace('T', ' ').replace('Z', '+00')}"
        server.as_postgres(*command, moment, "--target-action=promote", "--delta", "restore")
        server.start()  # it can be read before it has left recovery
        wait_until(lambda: server.execute("SELECT pg_is_in_recovery()") == "f")
        server.execute("INSERT INTO ev VALUES (2)")
        server.archived()
        server.as_postgres(*command[:3], "--type=full", "backup")
        old = given_for(server, target=target(server, "old", 5434, timeline=1))
        (warning,) = run(restore, True, **given, at=at)["warnings"]
        assert "continues on timeline 2, which the restore follows: later writes to timeline 1" in warning
        with pytest.raises(RepositoryError, match=r"has no timeline 3\."):
            run(restore, True, **given_for(server, target=target(server, "never", 5440, timeline=3)))
        for check in (True, False):
            done = run(restore, check, **old)
            assert (done["changed"], done["warnings"]) == (True, [])
        assert " at the end of the archive on timeline 1 to " in done["msg"]
        assert [server.execute("SELECT n FROM ev", port=port) for port in (5432, 5434)] == ["2", "1"]
        with pytest.raises(TargetError, match=r"is a copy of .* and a data directory is never replaced"):
            run(restore, **{**old, "at": at})


def test_on_another_host(ready: Archived) -> None:
    """There is no server, only the configuration."""
    at = ready.execute("CREATE TABLE moved AS SELECT 1 AS n", NOW)
    ready.execute("DELETE FROM moved")
    ready.archived()
    ready.as_postgres("mkdir", ready.directory / "other")
    config = ready.directory / "other" / "pgbackrest.conf"
    text = Path(ready.options["config"]).read_text()
    text = text.replace(f"pg1-path={ready.data}", f"pg1-path={ready.directory}/other/data")
    config.write_text(text.replace(f"pg1-socket-path={ready.directory}", f"pg1-socket-path={ready.directory}/other"))
    config.chmod(0o644)
    given = given_for(ready, target=target(ready, "other/copy", 5447), at=at, repository=f"pgbackrest:{config}")
    for check in (True, False):
        done = run(restore, check, **given)
        assert (done["changed"], done["pitr"]["latest"]) == (True, None)
    for check in (True, False):
        assert run(restore, check, **given)["changed"] is False
    assert ready.execute("SELECT n FROM moved", port=5447) == "1"
    (found,) = run(backup_info, name=ready.stanza, repository=given["repository"])["sets"]
    assert [one["problem"].partition(":")[0] for one in found["problems"]] == ["the end of its range is unknown"]
    with pytest.raises(RepositoryError, match="to a time that is only known to the server"):
        run(restore, **{**given, "at": "2001-01-01"})


def test_a_configuration_made_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of conf.d are parts of one configuration; only ours is complete in itself."""
    (tmp_path / "pgbackrest.conf").write_text("[global]\nrepo1-path=/r\n")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "main.conf").write_text("[main]\npg1-path=/nowhere\npg1-port=5499\n")
    monkeypatch.setattr(stanza, "CONFIGURATIONS", str(tmp_path / "conf.d"))
    monkeypatch.setattr(stanza, "_DEFAULTS", (str(tmp_path / "pgbackrest.conf"),))
    found = stanza.Stanza.at("pgbackrest", "main")
    assert (found.config, found.place.port) == ("", 5499)
    (tmp_path / "conf.d" / "own.conf").write_text(f"{stanza.HEADER}[own]\npg1-path=/nowhere\n")
    assert stanza.Stanza.at("pgbackrest", "own").config == str(tmp_path / "conf.d" / "own.conf")


@pytest.fixture
def base(ready: Archived) -> Iterator[Path]:
    """A scratch directory with a path that is short enough for a socket."""
    made = Path(tempfile.mkdtemp(prefix="day2-", dir=ready.directory.parent))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def test_a_drill_restores_between_two_transactions(ready: Archived, base: Path) -> None:
    given = given_for(ready, scratch=str(base))
    assert run(restore_drill, True, **given)["drill"]["verdict"] is None
    drill = run(restore_drill, **given)["drill"]
    assert (drill["verdict"], drill["reason"]) == ("pass", None)
    assert drill["backup"] == run(backup_info, **given_for(ready))["sets"][0]["newest"]
    assert drill["rto_s"] > 0
    assert list(base.iterdir()) == []


@pytest.mark.parametrize("missing", ["of the base backup", "after it"])
def test_a_drill_fails_if_wal_is_missing(ready: Archived, base: Path, missing: str) -> None:
    for _segment in range(2):
        ready.execute("SELECT txid_current()")
        ready.archived()
    words = (f"--config={ready.options['config']}", f"--stanza={ready.stanza}", "--output=json", "info")
    (found,) = json.loads(ready.as_postgres("pgbackrest", *words))
    last = found["backup"][-1]["archive"]["stop"]
    segments = sorted(Path(ready.options["repository"]).glob(f"archive/{ready.stanza}/*/*/0*-*"))
    wanted = [one for one in segments if one.name[:24] == last or (missing == "after it" and one.name[:24] > last)]
    segment = wanted[1] if missing == "after it" else wanted[0]
    hidden = segment.rename(ready.directory / segment.name)
    try:
        drill = run(restore_drill, **given_for(ready, scratch=str(base)))["drill"]
    finally:
        hidden.rename(segment)
    assert drill["verdict"] == "fail"
    # Which of the two the server meets first depends on what was written before.
    assert re.search("or WAL is missing|checkpoint record", drill["reason"])
    assert list(base.iterdir()) == []


# As of a server: pg_ctl stop sends the signal, and waits until the file is gone.
SERVER = "trap 'kill $!; rm postmaster.pid; exit' QUIT; echo $$ > postmaster.pid; sleep 60 & wait"


def test_a_drill_that_is_stopped_while_the_copy_starts_leaves_no_server(
    ready: Archived, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers: list[subprocess.Popen[bytes]] = []

    def interrupted(copy: Any, *_more: Any) -> None:
        data = Path(copy.target.directory)
        ready.as_postgres("mkdir", data)
        ready.as_postgres("touch", data / "PG_VERSION")
        servers.append(subprocess.Popen(["sh", "-c", SERVER], cwd=data, **as_postgres()))
        wait_until((data / "postmaster.pid").exists)
        raise Cancelled("It took too long.")

    monkeypatch.setattr(pitr, "apply", interrupted)
    with pytest.raises(Cancelled):
        run(restore_drill, **given_for(ready, scratch=str(base)))
    servers[0].wait(timeout=30)
    assert list(base.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "verdict", "reason"),
    [
        ("repo1-path=/nowhere/at/all", "fail", "has no good backup"),
        ("repo1-path=/dev/null/none", "fail", "can't be read"),
        ("pg1-socket-path=/nowhere", "inconclusive", "can't be asked"),
        ("", "inconclusive", "is too long for a socket"),
        ("private", "inconclusive", "can't be entered by"),
    ],
)
def test_what_check_mode_knows_of_a_drill(ready: Archived, base: Path, place: str, verdict: str, reason: str) -> None:
    config = ready.directory / "changed.conf"
    option, assigned, _value = place.partition("=")
    text = Path(ready.options["config"]).read_text()
    config.write_text(re.sub(f"(?m)^{option}=.*$", place, text) if assigned else text)
    config.chmod(0o644)
    scratch = base / ("a" * 80) if not place else base
    scratch.mkdir(exist_ok=True)
    if place == "private":
        scratch.chmod(0o700)
    given = given_for(ready, scratch=str(scratch), repository=f"pgbackrest:{config}")
    for check in (True, False):
        drill = run(restore_drill, check, **given)["drill"]
        assert drill["verdict"] == verdict
        assert reason in drill["reason"]
    assert [path for path in base.rglob("*") if path != scratch] == []


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("FATAL:  could not locate required checkpoint record", RepositoryError),
        ("PANIC:  could not locate a valid checkpoint record", RepositoryError),
        ("FATAL:  WAL ends before end of online backup\nFATAL:  the database system is starting up", RepositoryError),
        ("FATAL:  WAL ends before consistent recovery point", RepositoryError),
        ('FATAL:  invalid data in file "backup_label"', RepositoryError),
        ("FATAL:  requested recovery stop point is before consistent recovery point", TargetError),
        ("FATAL:  could not map anonymous shared memory: Cannot allocate memory", TargetError),
        ('FATAL:  could not create lock file "/s/.s.PGSQL.5432.lock": Permission denied', TargetError),
    ],
)
def test_whether_the_archive_is_why_a_copy_does_not_start(tmp_path: Path, said: str, error: Any) -> None:
    log = tmp_path / "log"
    log.write_text(f"LOG:  starting archive recovery\n{said}\nLOG:  database system is shut down\n")
    me: Any = types.SimpleNamespace(name="main", user=pwd.getpwuid(os.geteuid()))
    copy = Copy(me, cast(Any, None), Target("/copy", "/s", 5432, True), None, False)
    found = not_reached(copy, str(log), "")
    assert type(found) is error
    assert said.splitlines()[0].partition(":  ")[2] in found.message


@pytest.mark.parametrize(
    ("before", "after", "last", "error"),
    [
        ("committed", None, "2025-06-30T12:00:00Z", None),
        ("committed", "aborted", "2025-06-30T12:00:00Z", None),
        ("aborted", None, "2025-06-30T12:00:00Z", Unsound),
        (None, None, "2025-06-30T12:00:00Z", Unsound),
        ("committed", "committed", "2025-06-30T12:00:02Z", Unsound),
        ("committed", None, None, Unsound),
        ("committed", "committed", "2025-06-30T12:00:00Z", TargetError),
    ],
)
def test_what_a_copy_must_have(before: Any, after: Any, last: Any, error: Any) -> None:
    markers = Markers(7, datetime(2025, 6, 30, 12, 0, 1, tzinfo=timezone.utc), 8)
    with pytest.raises(error) if error else contextlib.nullcontext():
        judge(markers, {"before": before, "after": after}, Restored(last, (), ()))


def test_options_of_other_drills_are_refused(ready: Archived) -> None:
    with pytest.raises(InvalidRequest, match="negative does not apply"):
        run(restore_drill, **given_for(ready, negative=True))
