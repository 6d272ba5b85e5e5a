# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled, Day2Error
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._core.tagged_json import decode
from ansible_collections.day2.ops.plugins.module_utils._repository import directory_staging
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql import purger as postgresql_purger
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite import purger, second_reader
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.read import extremes
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.second_reader import SecondReader
from ansible_collections.day2.ops.plugins.module_utils._verbs import backup, restore
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import purge, purge_outcome, purge_plan
from tests.services.age_keys import new_key
from tests.services.manual import script
from tests.services.stores import Store
from tests.unit.module_utils._verbs.migrations import Stores, connected, sql
from tests.unit.module_utils._verbs.migrations import run as migrate
from tests.unit.module_utils.verbs import run_verb

KINDS = ("sqlite", "postgresql")
OLD, NEW = "2020-03-01T10:00:00Z", "2999-01-01T00:00:00Z"

Purge = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state of the host."""
    monkeypatch.setenv("DAY2_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def run(repository: Path) -> Purge:
    def call(store: Store, check: bool = False, progress: Any = None, **params: Any) -> dict[str, Any]:
        values = {name: one.get("default") for name, one in purge.ARGUMENTS["argument_spec"].items()}
        values.update(store=store, collection="events", repository=str(repository), name="events")
        if "where" not in params:
            values.update(time_field="at", older_than="90d")
        values.update(params)
        return purge.run(values, check, progress) if progress else run_verb(purge, values, check)

    return call


@pytest.fixture
def refused(run: Purge, repository: Path) -> Callable[..., str]:
    """The words with which check mode and the run refuse, after which nothing is deleted or published."""

    def call(store: Store, **params: Any) -> str:
        before = sql(store, "SELECT count(*) FROM events"), set(repository.glob("*/2*"))
        words = []
        for check in (True, False):
            with pytest.raises(Day2Error) as caught:
                run(store, check, **params)
            words.append(str(caught.value))
        assert words[0] == words[1]
        assert (sql(store, "SELECT count(*) FROM events"), set(repository.glob("*/2*"))) == before
        return words[0]

    return call


@pytest.fixture
def events(stores: Stores) -> Callable[..., Store]:
    """A table with n old and n new records, by turns."""

    def make(kind: str, count: int = 1200, more: str = "") -> Store:
        store = stores(kind)
        sql(store, f"CREATE TABLE events (id INTEGER PRIMARY KEY, at TEXT, note TEXT{more})")
        fill(store, count)
        return store

    return make


def fill(store: Store, count: int, first: int = 1) -> None:
    numbers = f"WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {first + 2 * count - 1})"
    values = f"SELECT i, CASE WHEN i % 2 = 0 THEN '{NEW}' ELSE '{OLD}' END, 'note ' || i FROM n"
    sql(store, f"{numbers.replace('WITH', 'INSERT INTO events (id, at, note) WITH', 1)} {values}")


def ids(store: Store) -> list[int]:
    return [row[0] for row in sql(store, "SELECT id FROM events ORDER BY id")]


def exported(repository: Path, number: int = 0) -> list[dict[str, Any]]:
    """The records in all exports, oldest first."""
    found = []
    manifests = sorted(
        (json.loads(one.read_text())["created"], one) for one in repository.glob("events/2*/manifest.json")
    )
    for path in (path for _created, one in manifests for path in one.parent.glob(f"data/{number}.jsonl*")):
        command = ["zstd", "-dcq", str(path)] if path.suffix == ".zst" else ["cat", str(path)]
        found += [
            json.loads(line) for line in subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines()
        ]
    return found


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Do something between the export and the removal."""

    def do(action: Callable[[], object]) -> None:
        publish = purge.publish

        def published(*args: Any, **named: Any) -> Any:
            manifest = publish(*args, **named)
            monkeypatch.setattr(purge, "publish", publish)
            action()
            return manifest

        monkeypatch.setattr(purge, "publish", published)

    return do


def _end() -> None:
    raise Cancelled("Stopped: it was requested.")


class Ending(Progress):
    """Ends a run after the first transaction of the removal, or does something else after each."""

    def __init__(self, action: Callable[[], object] = _end) -> None:
        super().__init__()
        self._begun, self._action = False, action

    def start(self, label: str, total: Any = None, unit: str = "") -> None:
        super().start(label, total, unit)
        self._begun = label.startswith("Deleting")

    def update(self, done: int) -> None:
        super().update(done)
        if self._begun and done:
            self._action()


@pytest.mark.parametrize("kind", KINDS)
def test_four_steps(kind: str, run: Purge, events: Callable[..., Store], repository: Path, state: Path) -> None:
    store = events(kind)
    first = run(store, True)
    assert not repository.exists()
    assert not state.exists()
    assert len(ids(store)) == 2400
    done = run(store)
    assert ids(store) == list(range(2, 2401, 2))
    again = [run(store, check) for check in (True, False)]
    assert [one["changed"] for one in (first, done, *again)] == [True, True, False, False]
    for name in ("matched", "deleted", "by_month", "diff"):
        assert first[name] == done[name]
    assert (done["deleted"], done["exported"], done["by_month"]) == (1200, 1200, {"2020-03": 1200})
    assert exported(repository) == [{"id": n, "at": OLD, "note": f"note {n}"} for n in range(1, 2401, 2)]
    assert [one.name for one in repository.glob("events/2*")] == [done["backup"]]
    assert not list(state.glob("purge/*"))


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_sqlite_is_left_as_it_was(mode: str, run: Purge, events: Callable[..., Store]) -> None:
    store = events("sqlite", 50)
    sql(store, f"PRAGMA journal_mode={mode}")
    assert run(store)["deleted"] == 50
    assert sql(store, "PRAGMA journal_mode") == [(mode,)]
    assert sql(store, "PRAGMA integrity_check") == [("ok",)]
    assert [one for one in os.listdir(Path(store["path"]).parent) if one.startswith(".day2")] == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_meanwhile_stays_for_the_next_run(
    kind: str, run: Purge, events: Callable[..., Store], repository: Path, meanwhile: Any
) -> None:
    store = events(kind)

    def write() -> None:
        sql(store, "UPDATE events SET note = 'late' WHERE id IN (1, 999, 2399)")
        sql(store, "DELETE FROM events WHERE id IN (3, 1001)")
        fill(store, 1, 5001)

    meanwhile(write)
    done = run(store)
    assert (done["matched"], done["deleted"], done["left_changed"], done["gone"]) == (1200, 1195, 3, 2)
    assert [one for one in ids(store) if one % 2] == [1, 999, 2399, 5001]
    assert run(store)["deleted"] == 4
    assert [one["note"] for one in exported(repository) if one["id"] in (1, 999, 2399)][-3:] == ["late"] * 3


@pytest.mark.parametrize(("mode", "dies"), [("wal", False), ("wal", True), ("delete", False)])
def test_a_second_process_reads_again_what_is_deleted(
    mode: str, dies: bool, run: Purge, events: Callable[..., Store], meanwhile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = events("sqlite", 2500)
    sql(store, f"PRAGMA journal_mode={mode}")
    meanwhile(lambda: sql(store, "UPDATE events SET note = 'late' WHERE id IN (1, 2001, 4999)"))
    digest, answers = SecondReader.digest, []

    def asked(self: SecondReader, number: int) -> Any:
        if dies and number == 2:
            os.kill(self._pid, signal.SIGKILL)
        answers.append(digest(self, number))
        return answers[-1]

    monkeypatch.setattr(SecondReader, "digest", asked)
    monkeypatch.setattr(second_reader, "_PATIENCE", 60.0)
    monkeypatch.setattr(purger, "usual_number", lambda: 2)
    done = run(store)
    assert (done["deleted"], done["left_changed"], done["gone"]) == (2497, 3, 0)
    assert [one for one in ids(store) if one % 2] == [1, 2001, 4999]
    assert len(answers) == 5
    assert (None in answers, len(set(answers[:2])), "" in answers) == (dies, 2, False)


@pytest.mark.parametrize(("mode", "then"), [("wal", "wal"), ("delete", "delete"), ("delete", "wal")])
def test_what_is_written_between_two_bursts_stays(
    mode: str, then: str, run: Purge, events: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = events("sqlite", 2500)
    sql(store, f"PRAGMA journal_mode={mode}")
    monkeypatch.setattr(purger, "_BURST", 0.0)
    monkeypatch.setattr(purger, "usual_number", lambda: 2)
    monkeypatch.setattr(second_reader, "_PATIENCE", 60.0)

    with contextlib.closing(sqlite3.connect(store["path"], isolation_level=None)) as connection:

        def write() -> None:
            connection.execute(f"PRAGMA journal_mode={then}")
            connection.execute("UPDATE events SET note = note || '!' WHERE id IN (999, 1001, 4999)")

        done = run(store, progress=Ending(write))
    assert (done["deleted"], done["left_changed"]) == (2498, 2)  # the first batch had been deleted
    assert [one for one in ids(store) if one % 2] == [1001, 4999]


@pytest.mark.parametrize("kind", KINDS)
def test_an_ended_run_is_continued(
    kind: str, run: Purge, events: Callable[..., Store], repository: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = events(kind, 3000)
    monkeypatch.setattr("ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.purger._BURST", 0.0)
    with pytest.raises(Cancelled):
        run(store, progress=Ending())
    left = len([one for one in ids(store) if one % 2])
    assert 0 < left < 3000
    (backup,) = [one.name for one in repository.glob("events/2*")]
    assert run(store, True)["resumed"] == backup
    done = run(store)
    assert (done["resumed"], done["deleted"], done["exported"], done["gone"]) == (backup, left, 0, 0)
    assert ids(store) == list(range(2, 6001, 2))
    assert len(exported(repository)) == 3000
    assert not list(state.glob("purge/*"))


def test_only_a_run_with_the_same_conditions_continues(
    run: Purge, events: Callable[..., Store], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = events("sqlite", 2000)
    monkeypatch.setattr("ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.purger._BURST", 0.0)
    with pytest.raises(Cancelled):
        run(store, progress=Ending())
    left = [one for one in ids(store) if one % 2]
    corrected = [{"field": "id", "less": left[3]}]
    done = run(store, where=corrected, time_field="at", older_than="90d")
    assert (done["resumed"], done["deleted"]) == (None, 3)
    assert [one for one in ids(store) if one % 2] == left[3:]


def test_a_lost_or_damaged_work_list_loses_nothing(
    run: Purge, events: Callable[..., Store], repository: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = events("sqlite", 2000)
    monkeypatch.setattr("ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.purger._BURST", 0.0)
    for damage in (lambda one: one.unlink(), lambda one: os.truncate(one, 1000)):
        with pytest.raises(Cancelled):
            run(store, progress=Ending())
        work = next(state.glob("purge/*.work"))
        work.with_name(f".day2-{work.stem}.json.0123abcd").touch()  # of a run that was killed while it wrote
        damage(work)
    assert run(store)["resumed"] is None
    assert not list(state.glob("purge/*"))
    assert ids(store) == list(range(2, 4001, 2))
    assert {one["id"] for one in exported(repository)} == set(range(1, 4001, 2))


def test_rows_that_stay_locked_are_left(
    run: Purge, events: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = events("postgresql", 300)
    monkeypatch.setattr("ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.purger._PATIENCE", "50ms")
    with connected(store) as client, client.transaction():
        client.execute("SELECT FROM events WHERE id IN (1, 401) FOR UPDATE")
        done = run(store)
    assert (done["deleted"], done["left_changed"], done["gone"]) == (298, 2, 0)
    assert [one for one in ids(store) if one % 2] == [1, 401]
    assert run(store)["deleted"] == 2


def test_a_damaged_export_is_not_continued(
    run: Purge, events: Callable[..., Store], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = events("sqlite", 2000)
    monkeypatch.setattr("ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.purger._BURST", 0.0)
    with pytest.raises(Cancelled):
        run(store, progress=Ending())
    left = [one for one in ids(store) if one % 2]
    (damaged,) = repository.glob("events/2*/data/0.jsonl*")
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.chmod(0o600)
    damaged.write_bytes(content)
    first, done = run(store, True), run(store)
    for one in (first, done):
        assert (one["resumed"], one["matched"]) == (None, len(left))
        assert "is damaged" in one["warnings"][0]
    assert (done["exported"], ids(store)) == (len(left), list(range(2, 4001, 2)))


def test_another_key_continues_nothing(run: Purge, stores: Stores) -> None:
    store = stores("postgresql")
    sql(store, "CREATE TABLE events (a INTEGER, b INTEGER, at TEXT)")
    values = f"i, 3000 - i, CASE WHEN i < 1000 THEN '{OLD}' ELSE '{NEW}' END"
    sql(store, f"INSERT INTO events SELECT {values} FROM generate_series(1, 2999) AS i")  # one xmin
    with pytest.raises(Cancelled):
        run(store, progress=Ending(), key=["a"])
    assert run(store, key=["b"])["resumed"] is None
    assert sql(store, "SELECT a FROM events ORDER BY a") == [(n,) for n in range(1000, 3000)]


def test_a_time_limit(run: Purge, events: Callable[..., Store], repository: Path) -> None:
    store = events("sqlite", 5)
    done = run(store, time_limit="0")
    assert (done["stopped"], done["changed"], done["deleted"]) == ("time_limit", False, 0)
    assert "the next run starts it anew" in done["msg"]
    assert not list(repository.glob("*/2*"))
    assert len(ids(store)) == 10


CLOSED = {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}
OPEN = {"start": "2020-01-01T00:00:00Z", "end": "2999-01-02T00:00:00Z"}


def test_a_window_that_is_closed_or_closes(
    run: Purge, events: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = events("sqlite", 5)
    for check in (True, False):
        done = run(store, check, window=CLOSED)
        assert (done["stopped"], done["changed"], done["deleted"]) == ("window", False, 0)
        assert "outside of the window" in done["msg"]
    sql(store, f"UPDATE events SET at = '{OLD}' WHERE id < 10")
    monkeypatch.setattr(purge_plan, "BATCH", 2)
    monkeypatch.setattr(purger, "_BURST", 0)
    transactions = iter([False, True])
    with monkeypatch.context() as patch:
        patch.setattr(purge_plan.Selection, "_check_deadline", lambda self: None)
        patch.setattr(purge_outcome.Deadline, "over", lambda self: next(transactions))
        done = run(store, window=OPEN)
    assert (done["stopped"], done["exported"]) == ("window", 9)
    assert (done["deleted"], len(ids(store))) == (4, 6)
    assert "Stopped by window: the next run continues" in done["msg"]
    again = run(store, window=OPEN)
    assert (again["resumed"], again["deleted"], again["exported"]) == (done["backup"], 5, 0)


@pytest.mark.parametrize("automatic", ["incremental", "none"])
def test_space_is_given_back(automatic: str, run: Purge, stores: Stores, refused: Callable[..., str]) -> None:
    store = stores("sqlite")
    with contextlib.closing(sqlite3.connect(store["path"])) as connection:
        connection.execute(f"PRAGMA auto_vacuum={automatic}")
    sql(store, "CREATE TABLE events (id INTEGER PRIMARY KEY, at TEXT, note TEXT)")
    fill(store, 500)
    sql(store, f"UPDATE events SET note = hex(zeroblob(1000)), at = CASE WHEN id <= 500 THEN '{OLD}' ELSE '{NEW}' END")
    window = OPEN if automatic == "none" else None
    if window:
        assert "no window is set" in refused(store, vacuum=True)
    before = os.path.getsize(store["path"])
    done = run(store, vacuum=True, window=window)
    assert done["deleted"] == 500
    assert done["bytes_freed"] == before - os.path.getsize(store["path"]) > 500_000
    assert "were freed" in done["msg"]
    assert run(store, vacuum=True, window=window)["bytes_freed"] is None


def test_space_of_others_is_not_given_back(refused: Callable[..., str], events: Callable[..., Store]) -> None:
    assert "vacuum is for stores of type sqlite" in refused(events("postgresql", 5), vacuum=True)


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_refused(
    kind: str, run: Purge, refused: Callable[..., str], events: Callable[..., Store]
) -> None:
    store = events(kind, 3)
    assert "All 6 records of events would be deleted" in refused(store, where=[{"field": "id", "at_least": 0}])
    assert run(store, where=[{"field": "id", "at_least": 0}], allow_all=True)["deleted"] == 6
    assert ids(store) == []
    assert run(store)["changed"] is False


def test_times_are_instants_and_not_text(run: Purge, refused: Callable[..., str], stores: Stores) -> None:
    store = stores("sqlite")
    sql(store, "CREATE TABLE events (id INTEGER PRIMARY KEY, at)")
    limit = "2026-08-30T00:00:00"
    times = {
        1: "'2026-08-30 00:00:00'",
        2: "'2026-08-29T23:30:00-01:00'",
        3: "1788048000",
        4: "'1788048000'",
        5: "1788048000000",
        6: "'2026-08-29T23:59:59'",
        7: "1788047999",
        8: "'2026-08-30T00:30:00+01:00'",
        9: "NULL",
    }
    for number, value in times.items():
        sql(store, f"INSERT INTO events VALUES ({number}, {value})")
    done = run(store, older_than=limit)
    assert (done["deleted"], done["without_time"]) == (3, 0)
    assert ids(store) == [1, 2, 3, 4, 5, 9]
    sql(store, "INSERT INTO events VALUES (10, ''), (11, '30/08/2026'), (12, '2020-01-01')")
    assert "2 values of events" in refused(store, older_than=limit)
    done = run(store, older_than=limit, ignore_bad_times=True)
    assert (done["deleted"], done["without_time"]) == (1, 2)
    assert ids(store) == [1, 2, 3, 4, 5, 9, 10, 11]


@pytest.mark.parametrize("kind", KINDS)
def test_keep_last(kind: str, run: Purge, stores: Stores) -> None:
    store = stores(kind)
    sql(store, "CREATE TABLE events (id INTEGER PRIMARY KEY, at TEXT, who TEXT)")
    for number in range(1, 13):  # equal times: the greater key is the newer record
        who = f"'{'ab'[number % 2]}'" if number < 11 else "NULL"
        sql(store, f"INSERT INTO events VALUES ({number}, '2020-01-0{1 + number // 4}', {who})")
    done = run(store, keep_last={"count": 2, "per": ["who"]})
    assert done["deleted"] == 6
    assert ids(store) == [7, 8, 9, 10, 11, 12]
    assert run(store, keep_last={"count": 3, "per": []})["deleted"] == 3
    assert ids(store) == [10, 11, 12]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"older_than": None, "time_field": None}, "Neither older_than nor where is set"),
        ({"time_field": None}, "require time_field"),
        ({"time_field": "when"}, "time_field: no record of events has a field when. The fields are at, id, note."),
        ({"where": [{"field": "x", "is": 1}]}, "where: no record of events has a field x"),
        ({"keep_last": {"count": 1, "per": ["x"]}}, "keep_last.per: no record of events has a field x"),
        ({"keep_last": {"count": 0, "per": []}}, "must be at least 1"),
        ({"collection": "nothing"}, "has no collection nothing. The collections are events"),
        ({"max_wait": "50ms"}, "Set it to 60ms or more"),
        ({"older_than": "soon"}, "is not a duration"),
    ],
    ids=str,
)
def test_refusals(
    params: dict[str, Any], words: str, refused: Callable[..., str], events: Callable[..., Store]
) -> None:
    assert words in refused(events("sqlite", 3), **params)


def test_other_refusals(refused: Callable[..., str], stores: Stores, run: Purge) -> None:
    store = stores("sqlite")
    sql(store, "CREATE TABLE events (a INTEGER, at TEXT)")
    sql(store, f"INSERT INTO events VALUES (1, '{OLD}'), (2, '{NEW}')")
    assert "has no key" in refused(store)
    assert run(store, key=["a"])["deleted"] == 1
    with pytest.raises(Day2Error, match="does not exist, or has no collections"):
        run({"type": "json", "path": "/nowhere.json"})


@pytest.mark.parametrize("kind", KINDS)
def test_references(
    kind: str, run: Purge, refused: Callable[..., str], events: Callable[..., Store], repository: Path, meanwhile: Any
) -> None:
    store = events(kind, 5)
    child = "CREATE TABLE {0} (id INTEGER PRIMARY KEY, {1} INTEGER REFERENCES {2} (id) ON DELETE CASCADE)"
    sql(store, child.format("lines", "event", "events"))
    sql(store, child.format("words", "line", "lines"))
    sql(store, "INSERT INTO lines VALUES (1, 1), (2, 1), (3, 3), (4, 2)")
    sql(store, "INSERT INTO words VALUES (1, 1), (2, 3), (3, 4)")
    assert "CREATE INDEX lines_event ON lines (event)" in refused(store)
    sql(store, "CREATE INDEX lines_event ON lines (event)")
    assert "lines.event (3)" in refused(store)
    assert "CREATE INDEX words_line ON words (line)" in refused(store, references="cascade")
    sql(store, "CREATE INDEX words_line ON words (line)")

    def write() -> None:  # what refers to a record counts as a part of it
        sql(store, "INSERT INTO lines VALUES (5, 5)")
        sql(store, "UPDATE words SET line = 3 WHERE id = 1")

    meanwhile(write)
    done = run(store, references="cascade")
    assert (done["matched"], done["deleted"], done["left_changed"], done["dependents"]) == (5, 2, 3, 0)
    assert ids(store) == [1, 2, 3, 4, 5, 6, 8, 10]
    done = run(store, references="cascade")
    assert (done["deleted"], done["dependents"]) == (3, 6)
    assert ids(store) == [2, 4, 6, 8, 10]
    assert (sql(store, "SELECT id FROM lines"), sql(store, "SELECT id FROM words")) == ([(4,)], [(3,)])
    assert {one["id"]: one["event"] for one in exported(repository, 1)} == {1: 1, 2: 1, 3: 3, 5: 5}
    assert {one["id"]: one["line"] for one in exported(repository, 2)} == {1: 3, 2: 3}


ADDED = ("ALTER TABLE events ADD COLUMN more TEXT DEFAULT 'in no export'",)
REFERRED = (
    "CREATE TABLE lines (id INTEGER PRIMARY KEY, event INTEGER REFERENCES EVENTS (id) ON DELETE CASCADE)",
    "INSERT INTO lines VALUES (1, 1)",
)
TRIGGERED = ("CREATE TRIGGER gone AFTER DELETE ON events BEGIN DELETE FROM events WHERE id = old.id + 1; END",)


@pytest.mark.parametrize(
    ("kind", "change"),
    [("sqlite", ADDED), ("sqlite", REFERRED), ("sqlite", TRIGGERED), ("postgresql", REFERRED)],
    ids=["added", "referred", "triggered", "postgresql"],
)
def test_a_schema_that_changes_meanwhile(kind: str, change: Any, run: Purge, events: Any, meanwhile: Any) -> None:
    store = events(kind, 600)
    meanwhile(lambda: [sql(store, one) for one in change])
    with pytest.raises(Day2Error, match="schema of events, or of tables that refer to it, has changed"):
        run(store)
    assert len(ids(store)) == 1200
    if change is ADDED:
        assert run(store)["deleted"] == 600


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_of_others_that_appears_meanwhile(kind: str, run: Purge, events: Any, meanwhile: Any) -> None:
    store = events(kind, 600)
    meanwhile(lambda: sql(store, "CREATE TABLE other (id INTEGER PRIMARY KEY)"))
    assert run(store)["deleted"] == 600


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_integer_keys_that_are_no_integers(mode: str, run: Purge, stores: Stores, repository: Path) -> None:
    """Which SQLite allows without row ids."""
    store = stores("sqlite")
    sql(store, f"PRAGMA journal_mode={mode}")
    sql(store, "CREATE TABLE events (id INTEGER PRIMARY KEY, at TEXT) WITHOUT ROWID")
    sql(
        store,
        f"INSERT INTO events VALUES (1, '{OLD}'), (1.5, '{NEW}'), (2, '{OLD}'), (30000, '{OLD}'), ('a', '{OLD}'), "
        f"(x'61', '{NEW}'), (x'62', '{OLD}')",
    )
    assert run(store)["deleted"] == 5
    assert ids(store) == [1.5, b"a"]
    assert len(exported(repository)) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_detach(
    kind: str, run: Purge, refused: Callable[..., str], events: Callable[..., Store], repository: Path
) -> None:
    store = events(kind, 3)
    sql(store, "CREATE TABLE lines (id INTEGER PRIMARY KEY, event INTEGER REFERENCES events (id))")
    sql(store, "CREATE INDEX lines_event ON lines (event)")
    sql(store, "INSERT INTO lines VALUES (1, 1), (2, 2)")
    done = run(store, references="detach")
    assert (done["deleted"], done["dependents"]) == (3, 1)
    assert sql(store, "SELECT id, event FROM lines ORDER BY id") == [(1, None), (2, 2)]
    assert exported(repository, 1) == [{"id": 1, "event": 1}]
    sql(store, "CREATE TABLE more (id INTEGER PRIMARY KEY, event INTEGER NOT NULL REFERENCES events (id))")
    assert "more.event can't be set to null" in refused(store, references="detach")


@pytest.mark.parametrize("kind", KINDS)
def test_odd_names_and_keys(kind: str, run: Purge, stores: Stores, repository: Path) -> None:
    store = stores(kind)
    sql(
        store,
        """CREATE TABLE "my ""events" ("a%s b" TEXT, "select" TEXT, "wh?en" TEXT, PRIMARY KEY ("a%s b", "select"))""",
    )
    sql(store, f"""INSERT INTO "my ""events" VALUES ('é', '%s', '{OLD}'), ('é', '?', '{NEW}'), ('', '''', '{OLD}')""")
    done = run(store, collection='my "events', time_field="wh?en")
    assert done["deleted"] == 2
    assert sql(store, 'SELECT "select" FROM "my ""events"') == [("?",)]
    assert sorted(one["select"] for one in exported(repository)) == ["%s", "'"]


def test_keys_of_all_kinds_in_one_column(run: Purge, stores: Stores) -> None:
    store = stores("sqlite")
    connection = sqlite3.connect(store["path"])
    with connection:
        connection.execute("CREATE TABLE events (k PRIMARY KEY, at TEXT, v)")
        for key in ("1", "2.5", "2", "9e999", "-9e999", "x'31'", "'1'", "CAST(x'ff41' AS TEXT)", "'b'"):
            connection.execute(f"INSERT INTO events VALUES ({key}, '{OLD}', 9223372036854775807)")
        connection.execute(f"INSERT INTO events VALUES (1.5, '{NEW}', 0)")
    connection.close()
    assert run(store)["deleted"] == 9
    assert sql(store, "SELECT k FROM events") == [(1.5,)]


def test_values_that_sqlite_does_not_write(
    run: Purge, stores: Stores, repository: Path, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    store = stores("sqlite")
    rows: list[tuple[Any, ...]] = [
        ('plain \u2028 \x7f " \\', 1, 0.1, 1, 1.5),
        ("", -(2**63), 5e-324, 0, 2**60),
        (b"bytes", 2**63 - 1, float("inf"), "t", 1e300),
        ("a\0b", 0.1 + 0.2, 1 / 3, 2, "text"),
        (None, "1e", None, None, None),
        ('{"$bytes": ""}', b"", 1e16, b"", float("-inf")),
        (b"odd \xff", 7, 0.1 + 0.2, 1, 0.25),
    ]
    connection = sqlite3.connect(store["path"])
    connection.execute("PRAGMA journal_mode=wal")
    with connection:
        connection.execute(
            "CREATE TABLE events (id INTEGER PRIMARY KEY, at TEXT, t TEXT, i INTEGER, r REAL, b BOOLEAN, n NUMERIC)"
        )
        for number, row in enumerate(rows):
            text = "CAST(? AS TEXT)" if row[0] == b"odd \xff" else "?"
            # keys so far from each other that more than one process reads them
            connection.execute(f"INSERT INTO events VALUES (?, ?, {text}, ?, ?, ?, ?)", (9000 * number, OLD, *row))
        connection.execute("INSERT INTO events (id, at) VALUES (-5, ?), (99000, ?)", (NEW, NEW))
    connection.close()
    changes = "UPDATE events SET t = x'00' WHERE id IN (0, 18000)", "UPDATE events SET r = r + 1 WHERE id = 27000"
    meanwhile(lambda: [sql(store, one) for one in changes])
    assert run(store, max_wait="1s")["left_changed"] == 3
    assert [one for one in ids(store) if one not in (-5, 99000)] == [0, 18000, 27000]
    lines = [decode(json.dumps(one)) for one in exported(repository)]
    found = [tuple(one[name] for name in "tirbn") for one in lines]
    expected = [tuple("odd \udcff" if value == b"odd \xff" else value for value in row) for row in rows]
    infinite = {float("inf"): Decimal("Infinity"), float("-inf"): Decimal("-Infinity")}
    expected = [tuple(infinite.get(value, value) for value in row) for row in expected]
    assert [[(type(one), one) for one in row] for row in found] == [
        [(type(one), one) for one in row] for row in expected
    ]
    assert run(store)["deleted"] == 3
    assert ids(store) == [-5, 99000]


def test_values_of_postgresql(run: Purge, stores: Stores, repository: Path) -> None:
    store = stores("postgresql")
    rows: list[tuple[Any, ...]] = [
        ("plain \u2028 \x7f é", 1, 0.1, True, '{"a":  1}', Decimal("1.5")),
        ('" \\ \n \x01', -(2**63), 5e-324, False, "null", Decimal(0)),
        ("", 2**63 - 1, float("inf"), None, '"\\u00e9"', None),
        ("\t", None, None, True, None, Decimal(3)),
        ('", "at": "', 0, 1e16, False, "[]", Decimal("NaN")),
        ('{"$bytes": ""}', 7, float("-inf"), True, "1.50", Decimal(-1)),
    ]
    columns = "t TEXT, i BIGINT, r FLOAT8, b BOOLEAN, j JSON, n NUMERIC, at TEXT"
    sql(store, f"CREATE TABLE events (k INT PRIMARY KEY, {columns})")
    with contextlib.closing(connected(store)) as connection:
        for number, row in enumerate(rows):
            connection.execute(f"INSERT INTO events VALUES ({number}, %s, %s, %s, %s, %s, %s, '{OLD}')", row)
    assert run(store, where=[{"field": "i", "more": 6}])["deleted"] == 2
    assert run(store, allow_all=True)["deleted"] == 4
    found = sorted((decode(json.dumps(one)) for one in exported(repository)), key=lambda one: one["k"])
    infinite = {float("inf"): Decimal("Infinity"), float("-inf"): Decimal("-Infinity")}
    expected = [[str(infinite.get(value, value)) for value in row] for row in rows]
    assert [[str(one[name]) for name in "tirbjn"] for one in found] == expected


@pytest.mark.parametrize("key", ["id INTEGER PRIMARY KEY", "id INTEGER", "id UUID PRIMARY KEY"])
def test_processes_that_read_a_table_of_postgresql_see_the_same_state(
    key: str, run: Purge, stores: Stores, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, number = stores("postgresql"), "lpad(n::text, 32, '0')::uuid" if "UUID" in key else "n"
    sql(store, f"CREATE TABLE events ({key}, at TEXT, note TEXT)")
    values = f"{number}, CASE WHEN n % 2 = 0 THEN '{NEW}' ELSE '{OLD}' END, 'note ' || n"
    sql(store, f"INSERT INTO events SELECT {values} FROM generate_series(1, 5000) n")
    parts = postgresql_purger.PostgresqlPurger.parts

    def parted(self: postgresql_purger.PostgresqlPurger, info: Any) -> Any:
        """Afterwards, half of the rows lie behind those that are read, and have another content."""
        found = parts(self, info)
        assert len(found) > 4
        sql(store, "UPDATE events SET note = 'late' WHERE note LIKE '%1'")
        return found

    monkeypatch.setattr(postgresql_purger.PostgresqlPurger, "parts", parted)
    monkeypatch.setattr(postgresql_purger, "_BLOCKS", 3)
    monkeypatch.setattr(postgresql_purger, "usual_number", lambda: 2)
    done = run(store, key=["id"])
    assert (done["matched"], done["deleted"], done["left_changed"]) == (2500, 2000, 500)
    assert sorted(one["note"] for one in exported(repository)) == sorted(f"note {n}" for n in range(1, 5001, 2))
    monkeypatch.setattr(postgresql_purger, "usual_number", lambda: 1)
    monkeypatch.setattr(postgresql_purger.PostgresqlPurger, "parts", parts)
    assert run(store, key=["id"])["deleted"] == 500
    assert sql(store, "SELECT count(*), max(at), min(at) FROM events") == [(2500, NEW, NEW)]


def test_keys_that_the_database_takes_for_equal(run: Purge, stores: Stores) -> None:
    store = stores("sqlite")
    sql(store, "CREATE TABLE events (name TEXT COLLATE NOCASE, at TEXT, PRIMARY KEY (name COLLATE BINARY))")
    sql(store, f"INSERT INTO events VALUES ('A', '{OLD}'), ('a', '{NEW}')")
    with pytest.raises(Day2Error, match="considers different keys equal"):
        run(store)
    assert len(sql(store, "SELECT * FROM events")) == 2


def test_the_range_of_keys_is_found_without_reading_all(events: Callable[..., Store]) -> None:
    """Without a write-ahead log, writers wait for readers."""
    with contextlib.closing(sqlite3.connect(events("sqlite", 5000)["path"])) as connection:
        steps: list[None] = []
        connection.set_progress_handler(lambda: steps.append(None), 100)
        assert extremes(connection, "events", "id") == (1, 10_000)
        assert len(steps) < 10


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", ["(1, '{}')", "(NULL, '{}')"], ids=["twice", "missing"])
def test_a_key_that_does_not_tell_records_apart(
    kind: str, row: str, run: Purge, refused: Callable[..., str], stores: Stores
) -> None:
    store = stores(kind)
    sql(store, "CREATE TABLE events (id INTEGER, at TEXT)")
    sql(store, f"INSERT INTO events VALUES (1, '{OLD}'), (2, '{NEW}'), {row.format(NEW)}")
    assert "several records of events have the same id" in refused(store, key=["id"])
    sql(store, "DELETE FROM events WHERE at > '2999' AND (id = 1 OR id IS NULL)")
    assert run(store, key=["id"])["deleted"] == 1


def test_conditions_are_compared_in_the_spelling_of_the_database(run: Purge, stores: Stores) -> None:
    store, kept = stores("postgresql"), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    sql(store, "CREATE TABLE events (id UUID PRIMARY KEY, at TEXT)")
    sql(store, f"INSERT INTO events VALUES ('{kept}', '{OLD}'), ('{kept[::-1].replace('-', '')}', '{OLD}')")
    assert run(store, where=[{"field": "id", "is_not": kept.upper()}])["deleted"] == 1
    assert [str(one) for (one,) in sql(store, "SELECT id FROM events")] == [kept]


def test_references_that_only_the_collation_of_the_parent_finds(
    run: Purge, refused: Callable[..., str], stores: Stores
) -> None:
    store = stores("sqlite")
    sql(store, "CREATE TABLE events (name TEXT COLLATE NOCASE PRIMARY KEY, at TEXT)")
    sql(store, "CREATE TABLE lines (id INTEGER PRIMARY KEY, event TEXT REFERENCES events ON DELETE CASCADE)")
    sql(store, "CREATE INDEX lines_event ON lines (event)")
    sql(store, f"INSERT INTO events VALUES ('a', '{OLD}'), ('b', '{NEW}')")
    sql(store, "INSERT INTO lines VALUES (1, 'A')")
    assert "lines.event (1)" in refused(store)
    assert run(store, references="cascade")["dependents"] == 1


def test_foreign_keys_that_refer_to_no_key(refused: Callable[..., str], events: Callable[..., Store]) -> None:
    store = events("sqlite", 3)
    sql(store, "CREATE TABLE lines (id INTEGER PRIMARY KEY, note TEXT REFERENCES events (note))")
    sql(store, "CREATE INDEX lines_note ON lines (note)")
    assert 'foreign key mismatch - "lines" referencing "events"' in refused(store)


def test_more_references_than_a_statement_takes(run: Purge, events: Callable[..., Store]) -> None:
    store, count = events("sqlite", 2), 40_000
    sql(store, "CREATE TABLE lines (id INTEGER PRIMARY KEY, event INTEGER REFERENCES events)")
    sql(store, "CREATE INDEX lines_event ON lines (event)")
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
    sql(store, f"{numbers.replace('WITH', 'INSERT INTO lines WITH', 1)} SELECT 2 * i, 1 FROM n")
    first, done = (run(store, check, references="cascade") for check in (True, False))
    assert first["dependents"] == done["dependents"] == count
    assert sql(store, "SELECT count(*) FROM lines") == [(0,)]


def test_conditions_on_booleans(run: Purge, events: Callable[..., Store]) -> None:
    store = events("sqlite", 2, ", success")
    sql(store, "UPDATE events SET success = id < 3")
    assert run(store, where=[{"field": "success", "is": False}])["deleted"] == 2
    sql(store, "UPDATE events SET success = 2 WHERE id = 1")
    assert run(store, where=[{"field": "success", "is": True}])["deleted"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_trigger_that_keeps_a_record(kind: str, run: Purge, events: Callable[..., Store]) -> None:
    store = events(kind, 3)
    if kind == "sqlite":
        sql(store, "CREATE TRIGGER t BEFORE DELETE ON events WHEN old.id = 1 BEGIN SELECT RAISE(IGNORE); END")
    else:
        sql(store, "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
        sql(store, "CREATE TRIGGER t BEFORE DELETE ON events FOR EACH ROW WHEN (old.id = 1) EXECUTE FUNCTION keep()")
    done = run(store)
    assert (done["deleted"], done["left_changed"]) == (2, 1)
    done = run(store)
    assert (done["deleted"], done["exported"], done["changed"]) == (0, 1, True)  # an export was published


@pytest.mark.parametrize("other", [3, 3001])
def test_what_a_trigger_has_changed_stays(
    other: int, run: Purge, events: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = events("sqlite", 2000)
    sql(store, "PRAGMA journal_mode=wal")
    sql(
        store,
        "CREATE TRIGGER t AFTER DELETE ON events WHEN old.id = 1 "
        f"BEGIN UPDATE events SET note = 'hold' WHERE id = {other}; END",
    )
    monkeypatch.setattr(purger, "_BURST", 60.0)
    monkeypatch.setattr(second_reader, "_PATIENCE", 60.0)
    monkeypatch.setattr(purger, "usual_number", lambda: 2)
    done = run(store, max_wait="10m")
    assert (done["deleted"], done["left_changed"]) == (1999, 1)
    assert sql(store, f"SELECT note FROM events WHERE id = {other}") == [("hold",)]


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_trigger_of_a_dependent_record_has_changed_stays(
    kind: str, run: Purge, events: Callable[..., Store]
) -> None:
    store = events(kind, 3)
    sql(store, "CREATE TABLE parts (id INTEGER PRIMARY KEY, event INTEGER REFERENCES events)")
    sql(store, "CREATE INDEX parts_event ON parts (event)")
    sql(store, "INSERT INTO parts VALUES (1, 1)")
    change = "UPDATE events SET note = 'hold' WHERE id = 3;"
    if kind == "sqlite":
        sql(store, f"CREATE TRIGGER t AFTER DELETE ON parts BEGIN {change} END")
    else:
        body = f"BEGIN {change.replace(chr(39), chr(39) * 2)} RETURN NULL; END"
        sql(store, f"CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS '{body}'")
        sql(store, "CREATE TRIGGER t AFTER DELETE ON parts FOR EACH ROW EXECUTE FUNCTION hold()")
    done = run(store, references="cascade")
    assert (done["deleted"], done["left_changed"]) == (2, 1)
    assert sql(store, "SELECT note FROM events WHERE id = 3") == [("hold",)]


@pytest.mark.parametrize("kind", KINDS)
def test_records_are_brought_back(
    kind: str, run: Purge, events: Callable[..., Store], repository: Path, tmp_path: Path
) -> None:
    store = events(kind, 20, ", data BYTEA" if kind == "postgresql" else ", data BLOB")
    sql(store, "UPDATE events SET data = '\\x00ff'" if kind == "postgresql" else "UPDATE events SET data = x'00ff'")
    before = sql(store, "SELECT id, at, note FROM events ORDER BY id")
    run(store)
    document = tmp_path / "back.json"
    (export,) = repository.glob("events/2*/data/0.jsonl.zst")
    places = {"/var/backups/day2/audit/20250630T120000Z-3f2a9c1b/data/0.jsonl.zst": str(export)}
    places.update({"audit_log": "events", "/root/audit.json": str(document)})
    command = script("RECORDS.md", "jq -s", places)
    subprocess.run(["bash", "-euo", "pipefail", "-c", command], check=True)
    source = {"type": "json", "path": str(document), "values": "exact"}
    keys = [{"collection": "events", "fields": ["id"]}]
    migrate(source=source, target=store, on_existing="merge", primary_keys=keys, safety_backup=False)
    assert sql(store, "SELECT id, at, note FROM events ORDER BY id") == before
    assert {bytes(row[0]) for row in sql(store, "SELECT data FROM events")} == {b"\0\xff"}


def test_an_export_that_can_not_be_read_back_deletes_nothing(
    run: Purge, events: Callable[..., Store], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checksum of the server would not show it, so that there is no such option."""
    assert "read_back" not in purge.ARGUMENTS["argument_spec"]
    store = events("sqlite", 3)
    seal = directory_staging.DirectoryStaging.seal

    def damaging(self: Any, path: str) -> Any:
        names = seal(self, path)
        (staged,) = repository.rglob("0.jsonl*")
        staged.chmod(0o600)
        staged.write_bytes(staged.read_bytes()[:-9] + b"123456789")
        return names

    monkeypatch.setattr(directory_staging.DirectoryStaging, "seal", damaging)
    with pytest.raises(Day2Error, match="read back after writing"):
        run(store)
    assert len(ids(store)) == 6
    assert not list(repository.glob("events/2*"))


def test_an_export_is_no_backup(run: Purge, events: Callable[..., Store], repository: Path) -> None:
    store = events("sqlite", 3)
    done = run(store)
    values = {name: one.get("default") for name, one in restore.ARGUMENTS["argument_spec"].items()}
    values.update(name="events", repository=str(repository), target=store)
    with pytest.raises(Day2Error, match="has no good backup"):
        run_verb(restore, values)
    with pytest.raises(Day2Error, match="is not a backup of a store"):
        run_verb(restore, {**values, "backup": done["backup"]})


def test_an_encrypted_export(
    run: Purge, events: Callable[..., Store], repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipient = new_key(tmp_path).recipient
    store = events("sqlite", 2000)
    monkeypatch.setattr("ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.purger._BURST", 0.0)
    with pytest.raises(Cancelled):
        run(store, progress=Ending(), encrypt_to=[recipient])
    done = run(store, encrypt_to=[recipient])
    assert (done["resumed"] is not None, done["exported"]) == (True, 0)
    assert ids(store) == list(range(2, 4001, 2))
    assert b"note" not in b"".join(one.read_bytes() for one in repository.rglob("*") if one.is_file())


def test_exports_have_a_policy_of_their_own(run: Purge, events: Callable[..., Store], repository: Path) -> None:
    store = events("sqlite", 2)
    first = run(store)["backup"]
    values = {name: one.get("default") for name, one in backup.ARGUMENTS["argument_spec"].items()}
    sql(store, "CREATE TABLE others (id INTEGER PRIMARY KEY, at TEXT)")
    sql(store, f"INSERT INTO others VALUES (1, '{OLD}'), (2, '{NEW}')")
    other = run(store, collection="others")["backup"]
    kept = run_verb(backup, {**values, "name": "events", "repository": str(repository), "source": store})["backup"][
        "id"
    ]
    fill(store, 2, 101)
    second = run(store, keep={"last": 2})
    assert second["removed"] == []
    fill(store, 2, 201)
    checked = run(store, True, keep={"last": 1})
    done = run(store, keep={"last": 1})
    assert checked["removed"] == done["removed"] == sorted([first, second["backup"]])
    assert {one.name for one in repository.glob("events/2*")} == {kept, other, done["backup"]}
    assert run(store, keep={"last": 1})["changed"] is False


def test_the_policy_keeps_the_export_that_a_run_has_continued(
    run: Purge, events: Callable[..., Store], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = events("sqlite", 2000)
    monkeypatch.setattr("ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.purger._BURST", 0.0)
    with pytest.raises(Cancelled):
        run(store, progress=Ending())
    fill(store, 2, 5001)
    checked, done = run(store, True, keep={"last": 1}), run(store, keep={"last": 1})
    assert checked["removed"] == done["removed"] == []
    assert {one.name for one in repository.glob("events/2*")} == {done["resumed"], done["backup"]}
