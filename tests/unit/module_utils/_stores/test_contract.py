# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every store promises. A new type gets these tests by its line in the registry; it needs an entry in `MAKERS`."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Callable

import boto3
import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import DamagedBackup, Day2Error, InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._stores.base import Store
from ansible_collections.day2.ops.plugins.module_utils._stores.registry import STORES, argument_spec, open_store
from tests.services import dynamodb, s3

NewSink = Callable[[], Any]
CopyOf = Callable[[Any, Any], Any]


def _files(path: Path, version: int) -> None:
    path.mkdir(exist_ok=True)
    (path / "kept").write_text("the same")
    (path / "report").write_text(f"version {version}")
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

    @property
    def options(self) -> dict[str, Any]:
        return {"path": str(self.path)}

    @property
    def shown(self) -> str:
        return str(self.path)

    def make(self, version: int) -> None:
        MAKERS[self.kind](self.path, version)

    def move(self) -> None:
        """From now on, it is another store, where nothing is."""
        self.path = self.path.parent / "new"

    def everything(self) -> dict[str, Any]:
        """What exists, with what tells a change of it. (SQLite's side files come and go with readers.)"""
        return {
            str(one.relative_to(self.path.parent)): (
                hashlib.sha256(one.read_bytes()).hexdigest() if one.is_file() else "directory"
            )
            for one in sorted(self.path.parent.rglob("*"))
            if not one.name.endswith(("-wal", "-shm"))
        }

    def open(self) -> Store:
        return open_store({"type": self.kind, "path": None, "name": None, **self.options})

    def backup(self) -> Any:
        sink = self._new_sink()
        return self._copy_of(sink, self.open().snapshot(sink))

    def prepare(self, copy: Any, only: tuple[str, ...] = (), dry: bool = False) -> Any:
        return self.open().prepare(copy, only, self._new_sink().scratch, dry)

    def content(self) -> str:
        digest: str = self.backup().content_digest
        return digest


class MadeOfTables(Made):
    """Under a prefix; nothing else is on the server."""

    prefix = "store_"

    def __init__(self, url: str, new_sink: NewSink, copy_of: CopyOf) -> None:
        super().__init__("dynamodb", Path(), new_sink, copy_of)
        self.url = url
        self.boto: Any = boto3.client(
            "dynamodb",
            endpoint_url=url,
            region_name=dynamodb.REGION,
            aws_access_key_id=dynamodb.CREDENTIALS["access_key_id"],
            aws_secret_access_key=dynamodb.CREDENTIALS["secret_access_key"],
        )

    @property
    def options(self) -> dict[str, Any]:
        return dict(dynamodb.options(self.url, self.prefix))

    @property
    def shown(self) -> str:
        return f"dynamodb://{self.url.rpartition('/')[2]}/{self.prefix}"

    def make(self, version: int) -> None:
        items: dict[str, dict[str, Any]] = {"kept": {}, "reports": {"version": {"N": str(version)}}}
        for name, item in items.items():
            if self.prefix + name not in self.boto.list_tables()["TableNames"]:
                self.boto.create_table(
                    TableName=self.prefix + name,
                    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                    BillingMode="PAY_PER_REQUEST",
                )
            self.boto.put_item(TableName=self.prefix + name, Item={"id": {"S": "a"}, **item})

    def move(self) -> None:
        self.prefix = "new_"

    def everything(self) -> dict[str, Any]:
        return {name: self.boto.scan(TableName=name)["Items"] for name in self.boto.list_tables()["TableNames"]}


class MadeOfParameters(Made):
    """Under a prefix below a path of their own."""

    numbers = itertools.count()

    def __init__(self, url: str, new_sink: NewSink, copy_of: CopyOf) -> None:
        super().__init__("ssm", Path(), new_sink, copy_of)
        self.own = f"/contract{next(self.numbers)}/"
        self.prefix = f"{self.own}store/"
        self.url = url
        self.boto: Any = boto3.client(
            "ssm",
            endpoint_url=url,
            region_name=s3.REGION,
            aws_access_key_id=s3.CREDENTIALS["access_key_id"],
            aws_secret_access_key=s3.CREDENTIALS["secret_access_key"],
        )

    @property
    def options(self) -> dict[str, Any]:
        return {**s3.CREDENTIALS, "region": s3.REGION, "endpoint_url": self.url, "prefix": self.prefix}

    @property
    def shown(self) -> str:
        return f"ssm://{self.url.rpartition('/')[2]}/{self.prefix.strip('/')}"

    def make(self, version: int) -> None:
        for name, value in (("kept", "the same"), ("report", f"version {version}")):
            self.boto.put_parameter(Name=self.prefix + name, Value=value, Type="String", Overwrite=True)

    def move(self) -> None:
        self.prefix = f"{self.own}new/"

    def everything(self) -> dict[str, Any]:
        found = self.boto.get_parameters_by_path(Path=self.own, Recursive=True)["Parameters"]
        return {one["Name"]: (one["Value"], one["Version"]) for one in found}


# These need other servers or programs, and have their own tests of the same promises.
ELSEWHERE = {"command", "postgresql"}


@pytest.fixture(params=sorted(set(STORES) - ELSEWHERE))
def made(request: pytest.FixtureRequest, tmp_path: Path, new_sink: NewSink, copy_of: CopyOf) -> Iterator[Made]:
    if request.param == "dynamodb":
        with dynamodb.dynoxide(tmp_path) as url:
            yield MadeOfTables(url, new_sink, copy_of)
    elif request.param == "ssm":
        yield MadeOfParameters(request.getfixturevalue("ssm_url"), new_sink, copy_of)
    else:
        assert request.param in MAKERS, "say in MAKERS how a store of this type is made"
        (tmp_path / "place").mkdir()
        yield Made(request.param, tmp_path / "place" / "store", new_sink, copy_of)


def test_what_is_not_there(made: Made) -> None:
    assert not made.open().exists()
    with pytest.raises(Day2Error, match=re.escape(made.shown)):
        made.backup()
    made.make(1)
    assert made.open().exists()
    assert made.open().type == made.kind
    assert made.open().path == made.shown


def test_options(made: Made) -> None:
    made.make(1)
    parameters = made.open().parameters()
    assert json.loads(json.dumps(parameters)) == parameters
    assert set(STORES[made.kind].options) <= set(argument_spec())
    for foreign in sorted(set(argument_spec()) - set(STORES[made.kind].options) - {"type", "path", "name"}):
        with pytest.raises(InvalidRequest, match=f"{foreign} is not an option"):
            open_store({"type": made.kind, **made.options, foreign: ["x"]})


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
    for one in [made.path, *made.path.rglob("*")] if made.path.is_absolute() else []:
        os.utime(one, (long_ago, long_ago))
    first = made.open().fingerprint()
    assert made.open().fingerprint() == first
    made.make(2)
    assert first is None or made.open().fingerprint() != first


def test_reading_changes_nothing(made: Made) -> None:
    made.make(1)
    before = made.everything()
    copy = made.backup()
    made.make(2)
    changed = made.everything()
    assert changed != before
    with made.prepare(copy, dry=True) as ready:
        assert ready.changed
    made.open().fingerprint()
    assert made.everything() == changed


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
    assert [name for name in made.everything() if ".day2-" in name] == []


def test_a_restore_to_where_nothing_is(made: Made) -> None:
    made.make(1)
    copy, old = made.backup(), made.content()
    made.move()
    with made.prepare(copy, dry=True) as ready:
        assert ready.changed
    assert not made.open().exists()
    with made.prepare(copy) as ready:
        ready.apply()
        assert made.content() == old
        ready.undo()
        assert not made.open().exists()
    with made.prepare(copy) as ready:
        ready.apply()
    assert made.content() == old


def test_a_damaged_backup_touches_nothing(made: Made) -> None:
    made.make(1)
    copies = [made.backup() for dummy in made.backup().names()]
    for copy, name in zip(copies, copies[0].names()):
        copy.damage(name)
    made.make(2)
    before = made.everything()
    for copy in copies:
        for dry in (True, False):
            with pytest.raises(DamagedBackup), made.prepare(copy, dry=dry):
                pytest.fail("what is damaged was ready to be restored")
    assert made.everything() == before


def test_what_the_backup_does_not_have_can_not_be_asked_for(made: Made) -> None:
    made.make(1)
    copy = made.backup()
    made.make(2)
    before = made.everything()
    for dry in (True, False):
        with pytest.raises(InvalidRequest, match="no-such-part"), made.prepare(copy, ("no-such-part",), dry=dry):
            pass
    assert made.everything() == before


def test_an_option_means_the_same_to_all_types_that_have_it() -> None:
    meanings: dict[str, dict[str, Any]] = {}
    for store in STORES.values():
        for name, spec in {**store.options, **store.restore_options}.items():
            assert meanings.setdefault(name, spec) == spec, name
