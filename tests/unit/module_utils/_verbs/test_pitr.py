# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server is archived by pgBackRest, and restored as it was at a moment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    InvalidRequest,
    RepositoryError,
    TargetError,
)
from ansible_collections.day2.ops.plugins.module_utils._verbs import backup_info, postgresql_pitr, restore
from tests.services.pgbackrest import Archived, archived
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
def ready(server: Archived) -> Archived:
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
    assert (done["changed"], done["restart_needed"]) == (True, [])
    assert [one["type"] for one in done["pitr"]["backups"]] == ["full"]
    for check in (True, False):
        assert run(postgresql_pitr, check, **server.options)["changed"] is False
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
    with pytest.raises(TargetError, match="another server uses port 5433"):
        run(restore, **{**given, "target": target(ready, "other", 5433)})
    whole = run(restore, **given_for(ready, target=target(ready, "end", 5434, keep_running=False)))
    assert whole["pitr"]["last_transaction"] > at
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


def test_the_live_server_is_never_a_target(ready: Archived) -> None:
    with pytest.raises(TargetError, match="is not empty, and a data directory is never replaced"):
        run(restore, **given_for(ready, target=target(ready, "data", 5441)))


def test_a_killed_run_is_cleaned_up(ready: Archived) -> None:
    left = ready.directory / ".day2-after"
    ready.as_postgres("mkdir", "-m", "700", left)
    done = run(restore, **given_for(ready, target=target(ready, "after", 5442, keep_running=False)))
    assert done["warnings"] == [f"Removed {left}, which an interrupted run had left."]
    assert not left.exists()


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
    repository = Path(ready.options["repository"])
    repository.rename(repository.with_name("gone"))
    try:
        ready.execute("INSERT INTO ev VALUES (9)", "SELECT pg_switch_wal()")
        found = run(backup_info, **given_for(ready))
        assert found["ok"] is False
    finally:
        if repository.exists():
            ready.as_postgres("rm", "-rf", repository)
        repository.with_name("gone").rename(repository)


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
