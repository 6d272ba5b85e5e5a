# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations that are killed and go on as something else: the same rules for whatever comes next.

Twelve sequences are tried (four on a server), and twenty times as many by "make soak".
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, LockTimeout, TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._repository.location import open_repository
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.checkpoints import Checkpoints
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.tables_store import DynamodbTables
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.target import PostgresqlTarget
from ansible_collections.day2.ops.plugins.module_utils._stores.records.model import INTEGER, Field, Info
from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import open_target
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.target import SqliteTarget
from ansible_collections.day2.ops.plugins.module_utils._verbs import backup_info, restore
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate.checkpoint import (
    NEW,
    REFUSE,
    RESTART,
    RESUME,
    Identity,
    State,
    identity_of,
    judge,
    states_of,
)
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate.way_back import newest_way_back
from tests.conftest import TIMES
from tests.services.dynamodb import options
from tests.services.stores import another
from tests.unit.module_utils._verbs.migrations import Store, run, sql

MODES = ("fail", "merge", "replace")
NAMES = ("x", "y", "z")
Rows = Optional[dict[int, str]]


def state(identity: Identity, source: tuple[str, int] = ("d", 1)) -> State:
    return State(identity, "somewhere", *source, 0, 0, "0", True, True, 0, (0, 0, 0, 0, 0), "created")


@pytest.mark.parametrize("atomic", [False, True])
@pytest.mark.parametrize("restart", [False, True])
def test_every_verdict(restart: bool, atomic: bool) -> None:
    identities = [Identity(*one) for one in itertools.product(("a", "b"), MODES, ("s", "t"))]
    for found, wanted, source in itertools.product([None, *identities], identities, [("d", 1), ("d", 2), ("e", 1)]):
        verdict = judge(None if found is None else state(found), wanted, source, restart=restart, atomic=atomic)
        if found is None:
            expected = NEW
        elif found == wanted:
            expected = RESUME if source == ("d", 1) else NEW if atomic else RESTART
        elif not restart:
            expected = REFUSE
        elif atomic:
            expected = NEW
        else:
            expected = RESTART if wanted.mode == "replace" else REFUSE
        assert verdict == expected, (found, wanted, source)


@pytest.mark.parametrize(
    "change",
    [
        {"on_existing": "merge"},
        {"source": {"values": "exact"}},
        {"target": {"values": "exact"}},
        {"target": {"bytes": "hex"}},
        {"types": {"t.v": "text"}},
        {"shape": "document"},
    ],
)
def test_what_makes_another_migration(change: dict[str, Any]) -> None:
    params = {"on_existing": "replace", "source": {"values": "plain"}, "target": {"values": "plain"}, "types": None}
    info = Info("t", ("id",))
    first = identity_of(params, "here", info)
    assert identity_of({**params, **change}, "here", info) != first
    assert identity_of(params, "there", info) != first
    assert identity_of(params, "here", info._replace(key=("v",))) != first
    # what says nothing of this collection, or not how it is written
    other = {"types": {"a.v": "text", "u.v": "text"}, "batch_size": 1, "target": {"path": "/x", "values": "plain"}}
    assert identity_of({**params, **other}, "here", info) == first


def test_a_checkpoint_is_read_as_it_was_kept_and_a_newer_one_is_refused() -> None:
    one = state(Identity("a", "fail", "s"))
    kept = json.loads(json.dumps(one.document()))
    assert states_of("here", {"x": kept}) == {"x": one}
    with pytest.raises(TargetError, match="has version 2"):
        states_of("here", {"x": {**kept, "version": 2}})


class Killed(BaseException):
    pass


# What DynamoDB has instead of commits.
DYNAMODB_CHANGES: dict[Any, tuple[str, ...]] = {
    DynamodbTables: ("create_collection", "write_prepared", "delete", "drop"),
    Checkpoints: ("keep", "remove"),
}


@contextlib.contextmanager
def fuse(commits: Optional[int]) -> Any:
    """End the run after so many commits."""
    left = [commits]

    def counting(transaction: Any) -> Any:
        @contextlib.contextmanager
        def counted(self: Any, *args: Any) -> Any:
            with transaction(self, *args) as connection:
                yield connection
            if left[0] is not None:
                left[0] -= 1
                if left[0] < 0:
                    raise Killed

        return counted

    with pytest.MonkeyPatch.context() as patch:
        for store in (SqliteTarget, PostgresqlTarget):
            patch.setattr(store, "_transaction", counting(store._transaction))

        def burning(change: Callable[..., Any]) -> Any:
            @contextlib.contextmanager
            def made(self: Any, *args: Any) -> Any:
                yield change(self, *args)

            def changed(self: Any, *args: Any) -> Any:
                with counting(made)(self, *args) as result:
                    return result

            return changed

        for part, names in DYNAMODB_CHANGES.items():
            for name in names:
                patch.setattr(part, name, burning(getattr(part, name)))
        yield


class Place:
    """Two sources, a target and a repository."""

    def __init__(self, directory: str, kind: str, server: Optional[Store] = None) -> None:
        self.target: Store = {"type": kind, "path": os.path.join(directory, "target")}
        if server is not None:
            self.target = another(server)
        self.repository = os.path.join(directory, "backups")
        self.sources = {name: {"type": "json", "path": os.path.join(directory, name)} for name in "AB"}

    def fill(self, source: str, content: dict[str, dict[int, str]]) -> None:
        document = {name: {str(k): {"id": k, "v": v} for k, v in rows.items()} for name, rows in content.items()}
        Path(self.sources[source]["path"]).write_text(json.dumps(document))

    def own(self, content: dict[str, dict[int, str]]) -> None:
        """What the application has had in the target."""
        if self.target["type"] == "json":
            document = {name: {str(k): {"id": k, "v": v} for k, v in rows.items()} for name, rows in content.items()}
            Path(self.target["path"]).write_text(json.dumps(document))
            return
        if self.target["type"] == "dynamodb":
            with open_target(self.target, {}) as opened:
                for name, rows in content.items():
                    info = Info(name, ("id",), (Field("id", INTEGER),))
                    opened.begin([(info, False, None)])
                    opened.write(info, [{"id": key, "v": value} for key, value in rows.items()], lambda _: None, True)
            return
        if self.target["type"] == "postgresql":
            for name, rows in content.items():
                sql(self.target, f"CREATE TABLE IF NOT EXISTS {name} (id bigint PRIMARY KEY, v text)")
                for key, value in rows.items():
                    change = "ON CONFLICT (id) DO UPDATE SET v = excluded.v"
                    sql(self.target, f"INSERT INTO {name} VALUES ({key}, '{value}') {change}")
            return
        with contextlib.closing(sqlite3.connect(self.target["path"])) as connection, connection:
            for name, rows in content.items():
                connection.execute(f"CREATE TABLE IF NOT EXISTS {name} (id INTEGER PRIMARY KEY, v TEXT)")
                connection.executemany(f"INSERT OR REPLACE INTO {name} VALUES (?, ?)", rows.items())

    def rows(self) -> dict[str, Rows]:
        found: dict[str, Rows] = dict.fromkeys(NAMES)
        with open_target(self.target, {}) as opened:
            for info in opened.collections():
                found[info.name] = {int(one["id"]): one["v"] for one in opened.read(info)}
        return found

    def states(self) -> dict[str, State]:
        with open_target(self.target, {}) as opened:
            return states_of("", opened.checkpoints(NAMES))

    def ways(self) -> tuple[str, dict[str, str]]:
        if not os.path.exists(self.repository):
            return "", {}
        with open_target(self.target, {}) as opened:
            way = newest_way_back(open_repository({"repository": self.repository}), "app", opened)
        return (way.manifest.id, way.ways) if way is not None else ("", {})

    def migrate(self, source: str, mode: str, only: Any, check: bool = False, **params: Any) -> dict[str, Any]:
        return run(
            check,
            name="app",
            source=self.sources[source],
            target=self.target,
            repository=self.repository,
            on_existing=mode,
            only=sorted(only),
            batch_size=2,
            workers=1,
            **params,
        )

    def revert(self, check: bool = False) -> dict[str, Any]:
        return run(check, name="app", target=self.target, repository=self.repository, state="reverted")


class Seen(NamedTuple):
    """All that a run could change: records, checkpoints, and the newest way back."""

    rows: dict[str, Rows]
    states: dict[str, State]
    ways: tuple[str, dict[str, str]]


def outcome(action: Callable[[], dict[str, Any]]) -> tuple[Optional[dict[str, Any]], str]:
    """The result, or why it was refused."""
    try:
        return action(), ""
    except TargetError as exc:
        return None, exc.message


ROWS = st.dictionaries(st.integers(0, 7), st.sampled_from("ab"), min_size=1, max_size=5)
CONTENT = st.fixed_dictionaries(dict.fromkeys(NAMES, ROWS))


class Model(RuleBasedStateMachine):
    """Whatever comes after whatever."""

    kind = "sqlite"
    server: Optional[Store] = None

    @initialize(
        own=st.dictionaries(
            st.sampled_from(NAMES),
            st.dictionaries(st.integers(3, 12), st.just("own"), min_size=1, max_size=4),
        ),
        a=CONTENT,
        b=CONTENT,
    )
    def begin(self, own: dict[str, dict[int, str]], a: dict[str, Any], b: dict[str, Any]) -> None:
        self.directory = tempfile.mkdtemp()
        self.place = Place(self.directory, self.kind, self.server)
        if own:
            self.place.own(own)
        self.content = {"A": a, "B": b}
        for name, content in self.content.items():
            self.place.fill(name, content)
        self.origin: dict[str, Rows] = {}  # before the first write of a migration that may be unfinished
        self.mixed: set[str] = set()  # restarted: may hold rows of two sources
        self.written: set[str] = set()  # sources, since the beginning
        self.revertible = False

    def teardown(self) -> None:
        shutil.rmtree(getattr(self, "directory", ""), ignore_errors=True)

    @rule(
        source=st.sampled_from("AB"),
        mode=st.sampled_from(MODES),
        only=st.sets(st.sampled_from(NAMES), min_size=1),
        unfinished=st.sampled_from(["fail", "restart"]),
        commits=st.none() | st.integers(0, 9),
    )
    def migrate(self, source: str, mode: str, only: set[str], unfinished: str, commits: Optional[int]) -> None:
        place = self.place
        was = Seen(place.rows(), place.states(), place.ways())
        foreseen, refused = self.foreseen(source, mode, only, unfinished)
        assert Seen(place.rows(), place.states(), place.ways()) == was, "check mode changed something"
        got = None
        with fuse(commits), contextlib.suppress(Killed):
            got, said = outcome(lambda: place.migrate(source, mode, only, unfinished=unfinished))
            assert said == refused, "check mode said something else"
        now = Seen(place.rows(), place.states(), place.ways())
        if refused:
            assert now == was, "a refusal changed something"
            return
        self.take_note(was, now, source, only)
        self.check_bystanders(was, now, only)
        if got is None:
            for name in only:
                # a table of DynamoDB is created before its checkpoint: an empty one is as none
                if (now.rows[name] or None) != (was.rows[name] or None) and name not in now.states:
                    written = (now.rows[name] or {}).items() >= self.content[source][name].items()
                    assert written, "half written without a checkpoint"
            return
        assert got["changed"] == foreseen, "check mode foresaw something else"
        assert not only & now.states.keys()
        self.check_result(was, now, got, self.content[source], mode, only)
        self.mixed -= only

    def foreseen(self, source: str, mode: str, only: set[str], unfinished: str) -> tuple[bool, str]:
        got, refused = outcome(lambda: self.place.migrate(source, mode, only, check=True, unfinished=unfinished))
        return bool(got and got["changed"]), refused

    def take_note(self, was: Seen, now: Seen, source: str, only: set[str]) -> None:
        """Of what a way back must lead to, and which collections hold records of two migrations."""
        if now.ways[0] != was.ways[0]:
            self.revertible = True
            for name, way in now.ways[1].items():
                if name not in was.states or (self.kind == "json" and way != was.states[name].way):
                    self.origin[name] = was.rows[name]
        for name in only & was.states.keys():
            begun_from = was.states[name]
            path = self.place.sources[source]["path"]
            if begun_from.identity.source != "json:" + path or begun_from.origin in self.written:
                self.mixed.add(name)

    def check_bystanders(self, was: Seen, now: Seen, only: set[str]) -> None:
        for name in NAMES:
            published = now.ways[0] != was.ways[0] and name in now.ways[1]
            assert now.rows[name] == was.rows[name] or published, "written without a way back"
            if name not in only:
                assert now.rows[name] == was.rows[name], "touched what was not asked for"
                assert now.states.get(name) == was.states.get(name), "touched the checkpoint of another migration"

    def check_result(
        self, was: Seen, now: Seen, got: dict[str, Any], content: dict[str, dict[int, str]], mode: str, only: set[str]
    ) -> None:
        removed = 0
        for name in only:
            concerned = name in was.states or now.rows[name] != was.rows[name]
            start = self.origin[name] if concerned else was.rows[name]
            extra = {key: value for key, value in (start or {}).items() if key not in content[name]}
            removed += len(extra) if concerned else 0
            rows = now.rows[name] or {}
            if mode != "merge":
                assert rows == content[name]
            elif name in self.mixed and self.kind != "json":
                assert rows.items() >= {**extra, **content[name]}.items(), "own rows lost"
            else:
                assert rows == {**extra, **content[name]}, "own rows lost, or foreign ones left"
        if mode != "merge" and not self.mixed & only:
            assert sum(one["removed"] for one in got["migration"]["collections"]) == removed

    @precondition(lambda self: self.revertible)
    @rule()
    def revert(self) -> None:
        was, ways = self.place.rows(), self.place.ways()[1]
        self.place.revert(check=True)
        assert self.place.rows() == was, "check mode changed something"
        self.place.revert()
        now = self.place.rows()
        for name in NAMES:
            wanted = self.origin[name] if name in ways else was[name]
            assert (now[name] or None) == (wanted or None), "not as it was"
        assert not ways.keys() & self.place.states().keys()
        assert not self.place.revert()["changed"]

    @rule(source=st.sampled_from("AB"), content=CONTENT)
    def the_source_is_written(self, source: str, content: dict[str, Any]) -> None:
        self.content[source] = content
        self.place.fill(source, content)
        self.written.add(self.place.sources[source]["path"])

    @rule(name=st.sampled_from(NAMES), key=st.integers(8, 12))
    def the_application_writes(self, name: str, key: int) -> None:
        rows = self.place.rows()
        if rows[name] is None or self.place.states():
            return
        if self.kind == "json":
            rows[name] = {**(rows[name] or {}), key: "own"}
            self.place.own({one: found for one, found in rows.items() if found is not None})
        else:
            self.place.own({name: {key: "own"}})
        if name in self.place.ways()[1]:
            self.revertible = False


@pytest.mark.once
@pytest.mark.parametrize(("kind", "examples"), [("sqlite", 12), ("json", 12), ("postgresql", 4), ("dynamodb", 4)])
def test_whatever_is_run_after_a_kill(kind: str, examples: int, postgresql: Store, dynoxide_url: str) -> None:
    servers = {"postgresql": postgresql, "dynamodb": {"type": "dynamodb", **options(dynoxide_url, "")}}
    model = type("Model", (Model,), {"kind": kind, "server": servers.get(kind)})
    run_state_machine_as_test(
        model,
        settings=settings(
            max_examples=examples * TIMES,
            stateful_step_count=10,
            deadline=None,
            database=None,
            phases=(Phase.generate,),  # shrinking takes minutes
        ),
    )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    one = Place(str(tmp_path), "sqlite")
    one.own({"x": {1: "own", 9: "own"}, "y": {9: "own"}})
    content = {name: dict.fromkeys(range(5), "new") for name in NAMES}
    one.fill("A", content)
    one.fill("B", {**content, "x": {1: "of B"}})
    return one


def kill(place: Place, commits: int, *args: Any, **params: Any) -> None:
    with fuse(commits), pytest.raises(Killed):
        place.migrate(*args, **params)


def test_a_merge_that_was_killed_is_not_continued_by_a_plain_run(place: Place) -> None:
    kill(place, 2, "A", "merge", ["x"])
    before = place.rows()
    for check in (True, False):
        with pytest.raises(
            TargetError, match="unfinished migration with other options: x from .*on_existing=merge"
        ) as found:
            place.migrate("A", "fail", ["x"], check=check)
        assert "state=reverted" in found.value.hint
        assert place.rows() == before
    place.migrate("A", "merge", ["x"])
    assert place.rows()["x"] == {**dict.fromkeys(range(5), "new"), 9: "own"}


def test_another_source_takes_over_with_the_safety_backup_of_the_first(place: Place) -> None:
    origin = place.rows()
    kill(place, 2, "A", "replace", ["x", "y"])
    with pytest.raises(TargetError, match="unfinished migration with other options"):
        place.migrate("B", "replace", ["x"])
    with pytest.raises(TargetError, match="unfinished migration with other options"):
        place.migrate("B", "merge", ["x"], unfinished="restart")
    kept = place.states()["y"]
    done = place.migrate("B", "replace", ["x"], unfinished="restart")
    assert done["migration"]["restarted"] is True
    assert place.rows()["x"] == {1: "of B"}
    assert place.states() == {"y": kept}  # still to be continued, by the first
    place.revert()
    assert place.rows()["x"] == origin["x"]
    place.migrate("A", "replace", ["y"])
    place.revert()
    assert place.rows() == origin


@pytest.mark.parametrize("commits", range(7))
def test_a_document_whose_gathering_was_begun_anew_and_killed_is_not_continued_in_the_middle(
    tmp_path: Path, commits: int
) -> None:
    place = Place(str(tmp_path), "json")
    place.own({"x": {1: "own", 9: "own"}})
    content = {"x": dict.fromkeys(range(5), "new")}
    place.fill("A", content)
    place.fill("B", {"x": {1: "of B"}})
    kill(place, 3, "A", "merge", ["x"])
    assert place.states()["x"].done == 2
    with fuse(commits), contextlib.suppress(Killed):
        place.migrate("B", "replace", ["x"], unfinished="restart")
    place.migrate("A", "merge", ["x"], unfinished="restart")
    rows = place.rows()["x"]
    assert rows in ({**content["x"], 9: "own"}, content["x"]), "neither after the first run of B nor without it"


def test_what_another_run_had_planned_for_a_new_document_does_not_count(tmp_path: Path) -> None:
    place = Place(str(tmp_path), "json")
    place.fill("A", {"x": dict.fromkeys(range(5), "new")})
    place.fill("B", {"x": {1: "of B"}})
    kill(place, 3, "A", "fail", ["x"])
    for check in (True, False):
        done = place.migrate("B", "replace", ["x"], check=check, unfinished="restart")
        assert done["migration"]["collections"][0]["added"] == 1
    assert place.rows()["x"] == {1: "of B"}


def test_removed_counts_all_runs(place: Place) -> None:
    place.own({"x": dict.fromkeys(range(10, 20), "own")})
    kill(place, 4, "A", "replace", ["x"])  # the tables, three batches, two removed
    assert place.states()["x"].removed == 2
    done = place.migrate("A", "replace", ["x"])
    assert done["migration"]["collections"][0]["removed"] == 11
    assert done["migration"]["collections"][0]["changed"] == 1


@pytest.mark.parametrize("commits", [8, 10])  # after a batch was counted, and after it was removed
def test_removed_counts_all_runs_also_where_there_are_no_commits(
    tmp_path: Path, dynoxide_url: str, commits: int
) -> None:
    place = Place(str(tmp_path), "dynamodb", {"type": "dynamodb", **options(dynoxide_url, "")})
    place.own({"x": dict.fromkeys(range(10), "own")})
    place.fill("A", {"x": dict.fromkeys(range(5), "new")})
    kill(place, commits, "A", "replace", ["x"])
    assert place.migrate("A", "replace", ["x"])["migration"]["collections"][0]["removed"] == 5


def test_without_a_safety_backup_there_is_no_way_back(place: Place) -> None:
    place.migrate("A", "replace", ["x", "z"], safety_backup=False)
    for check in (True, False):
        with pytest.raises(TargetError, match="with safety_backup=false, so that x can't be restored") as found:
            place.revert(check)
        assert "Nothing was changed" in found.value.hint


def test_a_reversal_waits_for_another_migration(tmp_path: Path) -> None:
    place = Place(str(tmp_path), "sqlite")
    place.fill("A", {"x": {1: "new"}})
    place.migrate("A", "fail", ["x"])
    params = {"name": "app", "state": "reverted", "target": place.target, "repository": place.repository}
    with open_target(place.target, {}) as other:
        assert other.lock()
        with pytest.raises(LockTimeout, match="Another migration is writing"):
            run(lock_timeout="0s", **params)
        assert run(True, lock_timeout="0s", **params)["changed"]
    assert place.rows()["x"] == {1: "new"}
    assert run(**params)["changed"]


def test_what_a_migration_created_is_dropped(place: Place) -> None:
    origin = place.rows()
    place.migrate("A", "fail", ["z"])
    assert place.revert(check=True)["changed"]
    assert place.revert()["changed"]
    assert place.rows() == origin
    assert not place.revert()["changed"]
    place.migrate("A", "fail", ["z"])


def test_the_record_of_a_migration_without_data_is_a_good_backup_that_is_never_restored(place: Place) -> None:
    place.migrate("A", "fail", ["z"])
    backup = place.ways()[0]
    assert place.ways()[1] == {"z": "created"}
    params = {name: one.get("default") for name, one in restore.ARGUMENTS["argument_spec"].items()}
    params.update(name="app", repository=place.repository, target=place.target, on_existing="replace", backup=backup)
    with pytest.raises(InvalidRequest, match="has no data: it only records how to revert a migration"):
        restore.run(params, False, Progress())
    shown = {name: one.get("default") for name, one in backup_info.ARGUMENTS["argument_spec"].items()}
    found = backup_info.run(
        {**shown, "name": "app", "repository": place.repository, "verify": "full"}, False, Progress()
    )
    assert found["problems"] == []
    # what the state of a repository holds can go at any time
    shutil.rmtree(os.path.join(place.repository, "app", ".state"), ignore_errors=True)
    assert place.revert()["changed"]
