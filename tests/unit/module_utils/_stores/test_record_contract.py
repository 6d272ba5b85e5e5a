# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every record store promises. A new type gets these tests by its line in the registry; `empty` must make one."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.record_batches import digest_sum, layouts
from ansible_collections.day2.ops.plugins.module_utils._stores.records.model import (
    INTEGER,
    TEXT,
    Field,
    Info,
    Record,
    Reject,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import TYPES, open_source, open_target
from ansible_collections.day2.ops.plugins.module_utils._stores.records.store import SourceStore, TargetStore
from tests.services.stores import Store, empty
from tests.services.waiting import wait_for

HOSTS = Info("hosts", ("id",), (Field("id", TEXT, True), Field("cpus", INTEGER), Field("note", TEXT)))
RECORDS: list[Record] = [
    {"id": f"m{number:03d}", "cpus": number, "note": None if number % 3 else f"n {number} é"} for number in range(50)
]
NO_LOCKS = {"dynamodb"}  # a checkpoint that another run has moved is refused instead
MODULUS = 2**256


class Stop(Exception):
    pass


class Kind:
    """A store of a type, of which there is nothing at first."""

    def __init__(self, store: Store, directory: Path) -> None:
        self.store, self._directory = store, directory

    def source(self) -> SourceStore:
        return open_source(self.store, {}, 2)

    def target(self) -> TargetStore:
        return open_target(self.store, {}, 2)

    @contextlib.contextmanager
    def locked(self) -> Iterator[TargetStore]:
        with self.target() as target:
            target.check_state()
            # A server may still be ending the session before.
            wait_for(target.lock)
            target.recover()
            yield target

    def fill(self) -> None:
        with self.locked() as target:
            begin(target)
            write(target, RECORDS, checkpoint={"done": len(RECORDS)})
            target.build_indexes([HOSTS])
            target.commit(["hosts"])

    def read(self) -> list[Record]:
        with self.source() as source:
            (info,) = source.collections()
            return in_order(source.read(info))

    def files(self) -> dict[str, str]:
        """The files beside the store, by what is in them."""
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self._directory.iterdir())
            if path.is_file() and not path.name.endswith(".lock")
        }


def begin(target: TargetStore, checkpoint: Any = None) -> None:
    target.check_writable([HOSTS], 1000)
    target.begin([(HOSTS, False, checkpoint or {"done": 0})])


def write(target: TargetStore, records: list[Record], checkpoint: Any = None, upsert: bool = False) -> list[Reject]:
    refused: list[Reject] = []

    def account(rejects: list[Reject]) -> Any:
        refused.extend(rejects)
        return checkpoint

    target.write(HOSTS, records, account, upsert)
    return refused


def in_order(records: Any) -> list[Record]:
    return sorted(records, key=lambda record: str(record["id"]))


@pytest.fixture(params=sorted(TYPES))
def kind(request: pytest.FixtureRequest, tmp_path: Path, postgresql: Store, dynoxide_url: str) -> Kind:
    place = tmp_path / "place"
    place.mkdir()
    return Kind(empty(request.param, place, postgresql, dynoxide_url), place)


def test_the_registry_knows_how_to_open_it(kind: Kind) -> None:
    name = kind.store["type"]
    assert kind.source().type == kind.target().type == name
    with pytest.raises(InvalidRequest, match=f"is not an option of stores of type {name}"):
        open_source({**kind.store, "another": "option"}, {})
    if TYPES[name].required:
        without = {key: value for key, value in kind.store.items() if key != TYPES[name].required}
        with pytest.raises(InvalidRequest, match=TYPES[name].required):
            open_target(without, {})


def test_nothing_is_made_by_looking(kind: Kind) -> None:
    for opened in (kind.source(), kind.target()):
        with opened as store:
            assert store.collections() == []
            store.check_unchanged()
    with kind.target() as target:
        assert target.checkpoints(["hosts"]) == {}
        target.check_state()
        target.check_writable([HOSTS], 1000)
    assert kind.files() == {}


def test_what_was_written_is_read(kind: Kind) -> None:
    kind.fill()
    assert kind.read() == RECORDS
    with kind.target() as target:
        assert target.checkpoints(["hosts"]) == {}  # it is complete
        (info,) = target.collections()
        assert (info.name, info.key) == ("hosts", ("id",))
        assert in_order(target.read(info)) == RECORDS


def test_a_source_and_a_target_are_the_same_store(kind: Kind) -> None:
    kind.fill()
    with kind.source() as source, kind.target() as target:
        assert (source.identity, source.location) == (target.identity, target.location)
        for secret in ("access_key", "secret_key", "password"):
            assert kind.store.get(secret, "no secret") not in source.location.split("/")


def test_readings_agree(kind: Kind) -> None:
    kind.fill()
    with kind.source() as source:
        (info,) = source.collections()
        chunks = [record for chunk in source.chunks(info) for record in chunk]
        if source.deterministic_order:
            assert list(source.read(info)) == chunks == list(source.read(info))
        assert in_order(chunks) == RECORDS
        fast = list(source.chunks(info, ordered=False))
        assert in_order(record for chunk in fast for record in chunk) == RECORDS
        summary = source.summary(info)
        if summary is not None:
            total = sum(digest_sum(layouts(chunk)) for chunk in fast)
            assert (summary.records, summary.digest % MODULUS) == (len(RECORDS), total % MODULUS)
        assert source.bytes_of(info) >= 0
        source.check_unchanged()
        source.end_reading()
        assert in_order(source.read(info)) == RECORDS


def test_a_source_writes_nothing(kind: Kind) -> None:
    kind.fill()
    before = kind.files()
    writing = {name for name in dir(TargetStore) if not name.startswith("_")} - set(dir(SourceStore))
    with kind.source() as source:
        assert not writing & set(dir(source))
        (info,) = source.collections()
        list(source.read(info))
    assert kind.files() == before


def test_a_batch_and_its_checkpoint_are_one(kind: Kind) -> None:
    with kind.locked() as target:
        begin(target)
        write(target, RECORDS[:20], checkpoint={"done": 20})

        def stop(rejects: list[Reject]) -> Any:
            raise Stop

        with pytest.raises(Stop):
            target.write(HOSTS, RECORDS[20:], stop, False)
    # as after a kill: another run goes on
    with kind.locked() as target:
        assert target.checkpoints(["hosts", "other"]) == {"hosts": {"done": 20}}
        target.check_writable([HOSTS], 1000)
        write(target, RECORDS[20:], checkpoint={"done": 50})
        target.build_indexes([HOSTS])
        target.commit(["hosts"])
    assert kind.read() == RECORDS


def test_what_replaces_atomically_shows_nothing_before_the_end(kind: Kind) -> None:
    kind.fill()
    new = [{"id": "new", "cpus": 1, "note": "x"}]
    with kind.locked() as target:
        if not target.replaces_atomically:
            return  # it writes in place
        target.begin([(HOSTS, True, {"done": 0})])
        write(target, new, checkpoint={"done": 1})
        assert kind.read() == RECORDS
        target.build_indexes([HOSTS])
        assert in_order(target.read(target.collections()[0])) == new
        assert kind.read() == RECORDS
        target.commit(["hosts"])
    assert kind.read() == new


def test_records_are_put_over_others_by_their_keys(kind: Kind) -> None:
    kind.fill()
    changed = [dict(record, cpus=1000) for record in RECORDS[10:20]]
    with kind.locked() as target:
        begin(target)
        write(target, changed, checkpoint={"done": 10}, upsert=True)
        target.delete(HOSTS, [(record["id"],) for record in RECORDS[20:]], {"done": 10, "removed": 30})
        assert target.checkpoints(["hosts"]) == {"hosts": {"done": 10, "removed": 30}}
        target.build_indexes([HOSTS])
        target.commit(["hosts"])
    assert kind.read() == RECORDS[:10] + changed


def test_what_it_refuses_is_a_reject_with_the_same_reason(kind: Kind) -> None:
    odd: list[Record] = [
        {"id": "a", "cpus": 2**70, "note": "x"},
        {"id": "b", "cpus": 1, "note": "\ud800"},
        {"id": "c", "cpus": 1, "note": "\0"},
        {"id": "d", "cpus": "many", "note": "x"},
        {"id": "e", "cpus": 1, "note": "x", "more": 1},
        {"id": "", "cpus": 1, "note": "x"},
        {"id": "f", "cpus": 1, "note": "x"},
    ]
    with kind.locked() as target:
        begin(target)
        foreseen = {record["id"]: target.refuses(HOSTS, record) for record in odd}
        refused = write(target, odd, checkpoint={"done": len(odd)})
        assert {one.key[0]: one.reason for one in refused} == {key: why for key, why in foreseen.items() if why}
        assert all(one.collection == "hosts" and one.record in odd for one in refused)
        target.build_indexes([HOSTS])
        target.commit(["hosts"])
    taken = [record for record in odd if not foreseen[record["id"]]]
    assert [record["id"] for record in kind.read()] == sorted(str(record["id"]) for record in taken)
    assert "f" not in {one.key[0] for one in refused}


def test_one_migration_at_a_time(kind: Kind) -> None:
    with kind.locked(), kind.target() as other:
        assert other.lock() is (kind.store["type"] in NO_LOCKS)
    with kind.locked():
        pass


def test_what_is_undone_or_dropped_is_gone(kind: Kind) -> None:
    with kind.locked() as target:
        begin(target)
        write(target, RECORDS, checkpoint={"done": 50})
        if target.undoes:
            target.undo([HOSTS])
        else:
            with pytest.raises(TargetError, match="are kept"):
                target.undo([HOSTS])
    with kind.target() as target:
        if target.undoes:
            assert (target.collections(), target.checkpoints(["hosts"])) == ([], {})
        else:
            target.drop([HOSTS])
            target.commit(["hosts"])
    kind.fill()
    with kind.locked() as target:
        target.drop(target.collections())
    with kind.source() as source:
        assert source.collections() == []


def test_what_this_run_has_not_made_is_not_undone(kind: Kind) -> None:
    kind.fill()
    with kind.locked() as target:
        if target.replaces_atomically:
            return  # what is there is not touched before the end
        with pytest.raises(TargetError, match="hosts was created in"):
            target.begin([(HOSTS, False, {"done": 0})], ["hosts"])
        begin(target)
        with pytest.raises(TargetError):
            target.undo([HOSTS])
    assert kind.read() == RECORDS


def test_leaving_closes_everything(kind: Kind) -> None:
    kind.fill()
    for opened in (kind.source, kind.target):
        with opened() as store:  # whatever the process keeps from its first use
            list(store.read(store.collections()[0]))
        before = sorted(os.listdir("/proc/self/fd"))
        with opened() as store:
            list(store.read(store.collections()[0]))
        assert len(os.listdir("/proc/self/fd")) <= len(before)
