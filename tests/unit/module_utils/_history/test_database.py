# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, NoSpace, SourceError, TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.outcome import Outcome
from ansible_collections.day2.ops.plugins.module_utils._history import database
from ansible_collections.day2.ops.plugins.module_utils._history.database import History, Kept, append, check_history
from ansible_collections.day2.ops.plugins.module_utils._history.windows import summarise

COLLECTIONS = Path(__file__).resolve().parents[4] / ".cache" / "collections"
DAY = 86400.0
WRITER = """
import sys
from ansible_collections.day2.ops.plugins.module_utils._core.outcome import Outcome
from ansible_collections.day2.ops.plugins.module_utils._history.database import append
path, name, start, count = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
for number in range(count):
    at = start + number
    rows = [Outcome(check, "http", "ok", "", at, 0.1, float(number)) for check in ("shared", name)]
    rows[0] = rows[0]._replace(checked_at=at + (0.5 if name == "b" else 0))
    append(path, rows, 1e9, at)
    print(number, flush=True)
"""


def outcome(at: float, status: str = "ok", name: str = "api", **more: Any) -> Outcome:
    return Outcome(name, "http", status, more.pop("message", status), at, more.pop("duration_s", 0.1), **more)


def contents(path: Path) -> dict[str, list[Kept]]:
    with History(str(path)) as history:
        return {check.name: history.kept(check, 0) for check in history.checks()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "health.db"


def writer(path: Path, name: str, count: int) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-c", WRITER, str(path), name, "1000", str(count)]
    environment = dict(os.environ, PYTHONPATH=str(COLLECTIONS))
    return subprocess.Popen(program, env=environment, stdout=subprocess.PIPE)


def test_what_is_kept_is_read_back(path: Path) -> None:
    append(str(path), [outcome(10.5, value=3.0, unit="s"), outcome(10.5, "critical", "db", quiet=True)], DAY, 11)
    append(str(path), [outcome(20, value=math.nan)], DAY, 21)
    assert contents(path) == {
        "api": [Kept(10.5, "ok", False, 0.1, 3.0), Kept(20, "ok", False, 0.1, None)],
        "db": [Kept(10.5, "critical", True, 0.1, None)],
    }
    assert os.stat(path.parent).st_mode & 0o777 == 0o700
    assert sorted(os.listdir(path.parent)) == ["health.db"]


def test_a_status_is_known_since_it_began(path: Path) -> None:
    for at, status in ((10, "ok"), (20, "critical"), (30, "critical"), (40, "ok"), (50, "ok")):
        append(str(path), [outcome(at, status, message=f"at {at}")], DAY, at)
    append(str(path), [outcome(25, "unknown")], DAY, 50)  # told late
    with History(str(path)) as history:
        (check,) = history.checks()
        assert len(history.kept(check, 0)) == 6
    assert (check.status, check.since, check.checked_at, check.message) == ("ok", 40, 50, "at 50")


def test_the_newest_run_is_the_last_one_although_the_clock_was_ahead(path: Path) -> None:
    for at, status in ((10, "ok"), (5000, "critical"), (5010, "critical"), (5020, "warning")):
        assert append(str(path), [outcome(at, status)], 9000, at) == 0
    assert append(str(path), [outcome(20, "ok"), outcome(20.5, "ok", "db")], 9000, 21) == 3
    with History(str(path), 30) as history:
        api = history.checks()[0]
        assert (api.status, api.since, api.checked_at) == ("ok", 20, 20)
        kept = history.kept(api, 0)
        assert [one.status for one in kept] == ["ok", "critical", "critical", "warning", "ok"]
        assert all(19 < one.checked_at <= 20 for one in kept[1:])
        assert history.ahead() == 0
    append(str(path), [outcome(9500)], 9000, 9500)
    assert [one.checked_at for one in contents(path)["api"]] == [9500]  # they are pruned as others are


def test_nothing_that_is_read_is_later_than_now(path: Path) -> None:
    append(str(path), [outcome(5000, "critical")], DAY, 5000)
    with History(str(path), 30) as history:
        (check,) = history.checks()
        assert (check.since, check.checked_at, history.ahead()) == (30, 30, 1)
        assert history.kept(check, 0)[0].checked_at == 30


def test_a_beginning_outlives_pruning(path: Path) -> None:
    for at in range(0, 1000, 100):
        append(str(path), [outcome(at, "critical")], 250, at)
    with History(str(path)) as history:
        (check,) = history.checks()
        assert [one.checked_at for one in history.kept(check, 0)] == [700, 800, 900]
    assert check.since == 0


def test_a_check_that_is_no_longer_run_is_forgotten(path: Path) -> None:
    append(str(path), [outcome(0, name="old"), outcome(0, name="new")], 100, 0)
    append(str(path), [outcome(200, name="new")], 100, 200)
    assert list(contents(path)) == ["new"]


def test_two_writers(path: Path) -> None:
    """Real processes, that create the file at the same moment, too."""
    writers = [writer(path, name, 60) for name in ("a", "b")]
    for one in writers:
        one.communicate()
        assert one.returncode == 0
    kept = contents(path)
    assert {name: len(outcomes) for name, outcomes in kept.items()} == {"a": 60, "b": 60, "shared": 120}
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_killed_writer_loses_nothing_that_was_kept(path: Path) -> None:
    for attempt in range(8):
        one = writer(path, "a", 100000)
        assert one.stdout is not None
        said = [one.stdout.readline() for dummy in range(3)]
        time.sleep(0.003 * attempt)
        one.send_signal(signal.SIGKILL)
        said += one.stdout.readlines()
        one.wait()
        one.stdout.close()
        kept = contents(path)  # reading takes back what was not finished
        assert len(kept["a"]) == len(kept["shared"]) >= len([line for line in said if line.endswith(b"\n")])
    append(str(path), [outcome(5000, name="a")], 1e9, 5000)
    assert len(contents(path)["a"]) > 3


def test_a_journal_that_was_left_is_rolled_back_by_a_reader(path: Path, tmp_path: Path) -> None:
    append(str(path), [outcome(10)], DAY, 10)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA cache_spill = 1")
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN IMMEDIATE")
    for number in range(2000):  # more than the cache holds: the file itself is changed
        connection.execute("INSERT INTO outcomes VALUES (1, ?, 'critical', 0, 0.1, NULL)", (1000 + number,))
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("health.db", "health.db-journal"):
        (copy / name).write_bytes((path.parent / name).read_bytes())
    connection.close()
    assert (copy / "health.db").stat().st_size > 8192
    assert contents(copy / "health.db") == {"api": [Kept(10, "ok", False, 0.1, None)]}


FOREIGN = {
    "text": b"this is not a database, but long enough to be one" * 100,
    "short": b"x",
    "cut": None,
    "other": None,
    "newer": None,
    "damaged": None,
}


@pytest.mark.parametrize("kind", sorted(FOREIGN))
def test_what_is_damaged_or_something_else_is_never_overwritten(kind: str, path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    content = FOREIGN[kind]
    if content is not None:
        path.write_bytes(content)
    elif kind == "other":
        sqlite3.connect(path).executescript("CREATE TABLE mine (x); PRAGMA user_version = 3")
    else:
        append(str(path), [outcome(at, name=f"check {at}") for at in range(300)], DAY, 300)
        if kind == "newer":
            sqlite3.connect(path).execute("PRAGMA user_version = 2")
        elif kind == "cut":
            os.truncate(path, 3 * 4096)
        else:
            with path.open("r+b") as handle:
                handle.seek(4096)
                handle.write(b"\xaa" * 8192)
    before = path.read_bytes()
    with pytest.raises(TargetError) as caught:
        append(str(path), [outcome(1)], DAY, 1)
    assert str(path) in str(caught.value)
    with pytest.raises(SourceError):
        contents(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["health.db"]
    if kind in ("text", "short", "other", "newer"):
        with pytest.raises(Day2Error):
            check_history(str(path))


def test_a_history_lies_where_nobody_else_can_write(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o1777)
    for one in (lambda: append(str(path), [outcome(1)], DAY, 1), lambda: check_history(str(path))):
        with pytest.raises(TargetError, match="other users can write"):
            one()
    path.parent.chmod(0o755)
    path.mkdir()
    with pytest.raises(TargetError, match="not a regular file"):
        append(str(path), [outcome(1)], DAY, 1)


def test_checking_creates_nothing(path: Path) -> None:
    check_history(str(path))
    assert not path.parent.exists()
    append(str(path), [outcome(1)], DAY, 1)
    check_history(str(path))


def test_an_empty_file_becomes_a_history(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.touch()
    check_history(str(path))
    append(str(path), [outcome(1)], DAY, 1)
    assert len(contents(path)["api"]) == 1


def test_a_lock_that_is_held_too_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(str(path), [outcome(1)], DAY, 1)
    monkeypatch.setattr(database, "TIMEOUT", 0.05)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(TargetError, match="locked by another run"):
        append(str(path), [outcome(2)], DAY, 2)
    holder.close()


def test_no_space(path: Path) -> None:
    """A limit on the size of files stands for a full disk: SQLite says the same of both."""
    append(str(path), [outcome(1)], DAY, 1)
    before = path.read_bytes()
    program = f"""
import resource, signal, sys
sys.path.insert(0, {str(COLLECTIONS)!r})
from ansible_collections.day2.ops.plugins.module_utils._core.errors import NoSpace, Day2Error
from ansible_collections.day2.ops.plugins.module_utils._core.outcome import Outcome
from ansible_collections.day2.ops.plugins.module_utils._history.database import append
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))
rows = [Outcome("c" * 100 + str(n), "http", "ok", "m" * 100, 2.0, 0.1) for n in range(1000)]
try:
    append({str(path)!r}, rows, 1e9, 2.0)
except Day2Error as exc:
    print(type(exc).__name__, exc)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.startswith((NoSpace.__name__, TargetError.__name__)), said
    assert path.read_bytes() == before
    assert contents(path)["api"]


def test_a_window() -> None:
    kept = [
        Kept(at, status, quiet, float(number), value)
        for number, (at, status, quiet, value) in enumerate(
            [
                (-1.0, "critical", False, 99.0),  # outside
                (0.0, "ok", False, 1.0),
                (10.0, "warning", False, 2.0),
                (20.0, "critical", False, 3.0),
                (60.0, "unknown", False, None),
                (70.0, "critical", True, 10.0),
                (80.0, "skipped", False, None),
                (100.0, "ok", False, 11.0),
            ]
        )
    ]
    found = summarise(kept, 0, 100)
    assert (found["checks"], found["ok"], found["critical"], found["quiet"]) == (7, 2, 2, 1)
    assert found["availability"] == 60.0  # ok, warning, ok of those and critical, unknown
    assert (found["value_p50"], found["value_p95"]) == (3.0, 11.0)
    assert (found["duration_p50"], found["duration_p95"]) == (3.0, 7.0)
    assert found["trend"] == {"availability": pytest.approx(50 - 66.667), "duration_p50": 3.0, "value_p50": 8.0}


def test_a_window_without_anything() -> None:
    found = summarise([], 0, 100)
    assert found["checks"] == 0
    assert found["availability"] is found["duration_p50"] is found["value_p95"] is None
    assert set(found["trend"].values()) == {None}
