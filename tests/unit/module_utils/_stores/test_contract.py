# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every store promises. A new type gets these tests by its line in the registry; it needs an entry in `MAKERS`."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import DamagedBackup, Day2Error, InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._stores.base import Store
from ansible_collections.day2.ops.plugins.module_utils._stores.registry import STORES, argument_spec, open_store

NewSink = Callable[[], Any]
CopyOf = Callable[[Any, Any], Any]


def _files(path: Path, version: int) -> None:
    path.mkdir(exist_ok=True)
    (path / "kept").write_text("the same")
    (path / "report").write_text("version %d" % version)
    (path / f"only-{version}").mkdir()


def _json(path: Path, version: int) -> None:
    path.write_text(json.dumps({"kept": {"a": {"n": 1}}, "reports": {"r": {"version": version}}}))


def _sqlite(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (id INTEGER PRIMARY KEY, n)")
        connection.execute("CREATE TABLE IF NOT EXISTS reports (id INTEGER PRIMARY KEY, version)")
        connection.execute("INSERT OR REPLACE INTO kept VALUES (1, 1)")
        connection.execute("INSERT OR REPLACE INTO reports VALUES (1, ?)", [version])


# Makes, or changes, a small store of the type at a path: version 1 has other content than version 2.
MAKERS: dict[str, Callable[[Path, int], None]] = {"files": _files, "json": _json, "sqlite": _sqlite}


class Made:
    """A store of a type, with what it holds."""

    def __init__(self, kind: str, path: Path, new_sink: NewSink, copy_of: CopyOf) -> None:
        self.kind, self.path = kind, path
        self._new_sink, self._copy_of = new_sink, copy_of

    def make(self, version: int) -> None:
        MAKERS[self.kind](self.path, version)

    def open(self) -> Store:
        return open_store({"type": self.kind, "path": str(self.path), "name": None})

    def backup(self) -> Any:
        sink = self._new_sink()
        return self._copy_of(sink, self.open().snapshot(sink))

    def prepare(self, copy: Any, only: tuple[str, ...] = (), dry: bool = False) -> Any:
        return self.open().prepare(copy, only, self._new_sink().scratch, dry)

    def content(self) -> str:
        digest: str = self.backup().content_digest
        return digest


# A store that is no path has its own tests of the same promises: test_postgresql_cluster.py.
@pytest.fixture(params=sorted(name for name in STORES if STORES[name].is_path))
def made(request: pytest.FixtureRequest, tmp_path: Path, new_sink: NewSink, copy_of: CopyOf) -> Made:
    assert request.param in MAKERS, "say in MAKERS how a store of this type is made"
    (tmp_path / "place").mkdir()
    return Made(request.param, tmp_path / "place" / "store", new_sink, copy_of)


def everything(directory: Path) -> dict[str, Any]:
    """What lies in a directory, with what tells a change of it. (SQLite's side files come and go with readers.)"""
    return {
        str(one.relative_to(directory)): hashlib.sha256(one.read_bytes()).hexdigest() if one.is_file() else "directory"
        for one in sorted(directory.rglob("*"))
        if not one.name.endswith(("-wal", "-shm"))
    }


def test_what_is_not_there(made: Made) -> None:
    assert not made.open().exists()
    with pytest.raises(Day2Error, match=str(made.path)):
        made.backup()
    made.make(1)
    assert made.open().exists()
    assert made.open().type == made.kind
    assert made.open().path == str(made.path)


def test_options(made: Made) -> None:
    made.make(1)
    parameters = made.open().parameters()
    assert json.loads(json.dumps(parameters)) == parameters
    assert set(STORES[made.kind].options) <= set(argument_spec())
    for foreign in sorted(set(argument_spec()) - set(STORES[made.kind].options) - {"type", "path", "name"}):
        with pytest.raises(InvalidRequest, match=f"{foreign} is not an option"):
            open_store({"type": made.kind, "path": str(made.path), foreign: ["x"]})


def test_a_snapshot_says_what_it_holds(made: Made) -> None:
    made.make(1)
    copy, again = made.backup(), made.backup()
    assert (copy.content_digest, copy.files.keys()) == (again.content_digest, again.files.keys())
    assert json.loads(json.dumps(copy.details)) == copy.details
    assert len({one.name for one in copy.collections}) == len(copy.collections) > 0
    assert all(not name.startswith("/") and ".." not in name.split("/") for name in copy.names())
    made.make(2)
    assert made.backup().content_digest != copy.content_digest


def test_equal_fingerprints_mean_equal_content(made: Made) -> None:
    made.make(1)
    long_ago = 1_600_000_000
    for one in [made.path, *made.path.rglob("*")]:
        os.utime(one, (long_ago, long_ago))
    first = made.open().fingerprint()
    assert made.open().fingerprint() == first
    made.make(2)
    assert first is None or made.open().fingerprint() != first


def test_reading_changes_nothing(made: Made) -> None:
    made.make(1)
    before = everything(made.path.parent)
    copy = made.backup()
    made.make(2)
    changed = everything(made.path.parent)
    assert changed != before
    with made.prepare(copy, dry=True) as ready:
        assert ready.changed
    made.open().fingerprint()
    assert everything(made.path.parent) == changed


def test_a_restore_and_its_way_back(made: Made) -> None:
    made.make(1)
    copy, old = made.backup(), made.content()
    with made.prepare(copy) as ready:
        assert not ready.changed
    made.make(2)
    new = made.content()
    with made.prepare(copy, dry=True) as predicted, made.prepare(copy) as ready:
        assert (predicted.changed, ready.changed) == (True, True)
        assert predicted.changes == ready.changes
        assert predicted.damage == ready.damage == ""
        assert made.content() == new
        ready.apply()
        assert made.content() == old
        ready.undo()
        assert made.content() == new
    with made.prepare(copy) as ready:
        ready.apply()
    assert made.content() == old
    with made.prepare(copy) as ready:
        assert not ready.changed
    assert [one.name for one in made.path.parent.iterdir() if one.name.startswith(".day2-")] == []


def test_a_restore_to_where_nothing_is(made: Made, tmp_path: Path) -> None:
    made.make(1)
    copy, old = made.backup(), made.content()
    made.path = tmp_path / "place" / "new"
    with made.prepare(copy, dry=True) as ready:
        assert ready.changed
    assert not made.path.exists()
    with made.prepare(copy) as ready:
        ready.apply()
        assert made.content() == old
        ready.undo()
        assert not made.path.exists()
    with made.prepare(copy) as ready:
        ready.apply()
    assert made.content() == old


def test_a_damaged_backup_touches_nothing(made: Made) -> None:
    made.make(1)
    copies = [made.backup() for dummy in made.backup().names()]
    for copy, name in zip(copies, copies[0].names()):
        copy.damage(name)
    made.make(2)
    before = everything(made.path.parent)
    for copy in copies:
        for dry in (True, False):
            with pytest.raises(DamagedBackup), made.prepare(copy, dry=dry):
                pytest.fail("what is damaged was ready to be restored")
    assert everything(made.path.parent) == before


def test_what_the_backup_does_not_have_can_not_be_asked_for(made: Made) -> None:
    made.make(1)
    copy = made.backup()
    made.make(2)
    before = everything(made.path.parent)
    for dry in (True, False):
        with pytest.raises(InvalidRequest, match="no-such-part"), made.prepare(copy, ("no-such-part",), dry=dry):
            pass
    assert everything(made.path.parent) == before


def test_an_option_means_the_same_to_all_types_that_have_it() -> None:
    meanings: dict[str, dict[str, Any]] = {}
    for store in STORES.values():
        for name, spec in {**store.options, **store.restore_options}.items():
            assert meanings.setdefault(name, spec) == spec, name
