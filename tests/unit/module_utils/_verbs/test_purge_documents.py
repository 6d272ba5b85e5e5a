# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Purges of stores that are no SQL databases: JSON documents and DynamoDB."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.aws import Refused
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled, Day2Error, NoSpace, TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.tagged_json import decode, encode
from ansible_collections.day2.ops.plugins.module_utils._stores.documents.purger import JsonPurger
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.purger import DynamodbPurger
from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import open_editor, open_source
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import purge, purge_plan
from tests.services.manual import script
from tests.services.stores import Store
from tests.unit.module_utils._verbs.migrations import Stores
from tests.unit.module_utils._verbs.migrations import run as migrate
from tests.unit.module_utils.verbs import run_verb

OLD, NEW = "2020-03-01T10:00:00Z", "2999-01-01T00:00:00Z"
KINDS = ("mapping", "list", "dynamodb")
Purge = Callable[..., dict[str, Any]]
Events = Callable[..., Store]


def event(number: int) -> dict[str, Any]:
    return {"id": f"e{number:03}", "at": NEW if number % 2 == 0 else OLD, "cost": 1.5, "tags": [number, None]}


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
    def call(store: Store, check: bool = False, **params: Any) -> dict[str, Any]:
        values = {name: one.get("default") for name, one in purge.ARGUMENTS["argument_spec"].items()}
        values.update(store=store, collection="events", repository=str(repository), name="events")
        values.update(key=key_of(store), time_field="at", older_than="90d")
        return run_verb(purge, {**values, **params}, check)

    return call


@pytest.fixture
def events(tmp_path: Path, stores: Stores) -> Events:
    """A store with n old and n new records, by turns."""

    def make(kind: str, count: int = 10) -> Store:
        path = tmp_path / "events.json"
        some = [event(number) for number in range(1, 2 * count + 1)]
        mapping = {one["id"]: {name: value for name, value in one.items() if name != "id"} for one in some}
        path.write_text(
            json.dumps({"events": some if kind == "list" else mapping, "others": {"a": {"x": 1}}}, indent=1)
        )
        source = {"type": "json", "path": str(path)}
        if kind != "dynamodb":
            return source
        store = stores(kind)
        path.write_text(json.dumps({"events": some}))
        keys = [{"collection": "events", "fields": ["id"]}]
        migrate(source=source, target=store, primary_keys=keys, safety_backup=False)
        return store

    return make


def key_of(store: Store) -> Any:
    """The key that has to be told: that of a list."""
    listed = store["type"] == "json" and isinstance(json.loads(Path(store["path"]).read_text())["events"], list)
    return ["id"] if listed else None


def change(store: Store, numbers: list[int], **values: Any) -> None:
    """What an application does: another value of some records, which may be new to them."""
    if store["type"] == "dynamodb":
        with open_editor(store, {}) as target:
            (info,) = [one for one in target.collections() if one.name == "events"]
            found = [one for one in target.read(info) if one["id"] in {f"e{number:03}" for number in numbers}]
            target.write(info, [{**one, **values} for one in found], lambda rejects: None, True)
        return
    document = json.loads(Path(store["path"]).read_text())
    for number in numbers:
        found = document["events"]
        record = (
            found[f"e{number:03}"]
            if isinstance(found, dict)
            else next(one for one in found if one["id"] == f"e{number:03}")
        )
        record.update(values)
    new = Path(store["path"] + ".new")
    new.write_text(json.dumps(document))
    new.rename(store["path"])


def remove(store: Store, number: int) -> None:
    if store["type"] == "dynamodb":
        with open_editor(store, {}) as target:
            (info,) = [one for one in target.collections() if one.name == "events"]
            target.delete(info, [(f"e{number:03}",)])
        return
    document = json.loads(Path(store["path"]).read_text())
    if isinstance(document["events"], dict):
        del document["events"][f"e{number:03}"]
    else:
        document["events"] = [one for one in document["events"] if one["id"] != f"e{number:03}"]
    Path(store["path"]).write_text(json.dumps(document))


def numbers(store: Store) -> list[int]:
    with open_source(store, {"events": ["id"]} if key_of(store) else {}) as source:
        (info,) = [one for one in source.collections() if one.name == "events"]
        return sorted(int(str(one[info.key[0]])[1:]) for one in source.read(info))


def exported(repository: Path) -> list[dict[str, Any]]:
    """The records in all exports, oldest first."""
    found = []
    for path in sorted(repository.glob("events/2*/data/0.jsonl*")):
        command = ["zstd", "-dcq", str(path)] if path.suffix == ".zst" else ["cat", str(path)]
        data = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        found += [dict(decode(line)) for line in data.splitlines()]
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


@pytest.mark.parametrize("kind", KINDS)
def test_four_steps(kind: str, run: Purge, events: Events, repository: Path, state: Path) -> None:
    store = events(kind)
    first = run(store, True)
    assert not repository.exists()
    assert len(numbers(store)) == 20
    done = run(store)
    assert numbers(store) == list(range(2, 21, 2))
    again = [run(store, check) for check in (True, False)]
    assert [one["changed"] for one in (first, done, *again)] == [True, True, False, False]
    for name in ("matched", "deleted", "by_month", "diff"):
        assert first[name] == done[name]
    assert (done["deleted"], done["exported"], done["by_month"]) == (10, 10, {"2020-03": 10})
    records = sorted(exported(repository), key=lambda one: str(one.get("id") or one["_key"]))
    key = "_key" if kind == "mapping" else "id"
    assert records == [
        {key: one["id"], **{n: v for n, v in one.items() if n != "id"}} for one in map(event, range(1, 21, 2))
    ]
    assert not list(state.glob("purge/*"))


@pytest.mark.parametrize("kind", ["mapping", "list"])
def test_nothing_else_of_a_document_changes(kind: str, run: Purge, events: Events) -> None:
    store = events(kind)
    path = Path(store["path"])
    path.chmod(0o640)
    before = json.loads(path.read_text())
    run(store)
    after = json.loads(path.read_text())
    kept = [event(number) for number in range(2, 21, 2)]
    names = {one["id"] for one in kept}
    expected = kept if kind == "list" else {name: one for name, one in before["events"].items() if name in names}
    assert after == {"events": expected, "others": before["others"]}
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(path.parent).count(path.name) == 1
    assert [one for one in os.listdir(path.parent) if one.startswith(".day2")] == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_meanwhile_stays_for_the_next_run(
    kind: str, run: Purge, events: Events, repository: Path, meanwhile: Any
) -> None:
    store = events(kind)

    def write() -> None:
        change(store, [1, 9], cost=2)
        change(store, [19], late=True)  # a field that the record lacked
        remove(store, 3)

    meanwhile(write)
    done = run(store)
    assert (done["matched"], done["deleted"], done["left_changed"], done["gone"]) == (10, 6, 3, 1)
    assert [one for one in numbers(store) if one % 2] == [1, 9, 19]
    assert run(store)["deleted"] == 3
    written = [one for one in exported(repository) if one["cost"] == 2 or "late" in one]
    assert len(written) == 3


def test_a_document_that_is_replaced_while_a_new_one_is_made(
    run: Purge, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = events("mapping")
    build, left = JsonPurger.build_indexes, [1, 5]

    def built(self: JsonPurger, infos: Any) -> None:
        build(self, infos)
        if left:
            change(store, [left.pop()], cost=7)

    monkeypatch.setattr(JsonPurger, "build_indexes", built)
    done = run(store)
    assert (done["deleted"], done["left_changed"]) == (8, 2)
    assert [one for one in numbers(store) if one % 2] == [1, 5]


def test_a_document_that_is_replaced_all_the_time(run: Purge, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    store = events("mapping")
    build = JsonPurger.build_indexes

    def built(self: JsonPurger, infos: Any) -> None:
        build(self, infos)
        change(store, [2], cost=7)

    with monkeypatch.context() as patch:
        patch.setattr(JsonPurger, "build_indexes", built)
        with pytest.raises(TargetError, match="was written or replaced during this run"):
            run(store)
    assert len(numbers(store)) == 20
    done = run(store)
    assert (bool(done["resumed"]), done["deleted"], done["exported"]) == (True, 10, 0)
    assert [one for one in os.listdir(Path(store["path"]).parent) if one.startswith(".day2")] == []


@pytest.mark.once
def test_a_document_for_which_there_is_no_space_twice(run: Purge, events: Events, tmp_path: Path) -> None:
    """Its other collections count, too."""
    small = tmp_path / "small"
    small.mkdir()
    store = {**events("mapping"), "path": str(small / "events.json")}
    document = {**json.loads((tmp_path / "events.json").read_text()), "others": {"a": {"x": "y" * (2 << 20)}}}
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(small)], check=True)
    try:
        Path(store["path"]).write_text(json.dumps(document))
        for check in (True, False):
            with pytest.raises(NoSpace, match=r"Writing to .* needs 2[0-9]{6} bytes .*Nothing was changed"):
                run(store, check)
        assert os.listdir(small) == ["events.json"]
        subprocess.run(["mount", "-o", "remount,size=6m", str(small)], check=True)
        assert run(store)["deleted"] == 10
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_list_whose_places_have_moved(run: Purge, events: Events, meanwhile: Any) -> None:
    store = events("list")
    meanwhile(lambda: remove(store, 2))
    assert run(store)["deleted"] == 10
    assert numbers(store) == list(range(4, 21, 2))


def test_a_collection_that_is_another_one_meanwhile(run: Purge, events: Events, meanwhile: Any) -> None:
    store = events("mapping")
    meanwhile(lambda: Path(store["path"]).write_text('{"events": []}'))
    with pytest.raises(TargetError, match="has changed its key since it was exported"):
        run(store)


@pytest.mark.parametrize("width", [0, 400])
def test_an_item_that_is_written_unseen_while_it_is_deleted_is_put_back(
    width: int, run: Purge, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attribute is new, or one of so many that no condition compares it."""
    store = events("dynamodb")
    delete = DynamodbPurger._delete
    change(store, [3, 5], **{f"a{number}": number for number in range(width)})

    def deleted(self: DynamodbPurger, info: Any, old: Any) -> bool:
        if old["id"] == "e005":
            change(store, [5], **{[name for name in old if name != "id"][-1] if width else "late": True})
        return delete(self, info, old)

    with monkeypatch.context() as patch:
        patch.setattr(DynamodbPurger, "_delete", deleted)
        done = run(store)
    assert (done["deleted"], done["left_changed"]) == (9, 1)
    assert [one for one in numbers(store) if one % 2] == [5]
    assert run(store)["deleted"] == 1


def refusing(monkeypatch: pytest.MonkeyPatch, store: dict[str, Any], code: str, times: int) -> None:
    """Of one item, which gets twelve attributes while it is deleted, the first attempts to put it back are refused."""
    call, left = DynamodbPurger._call, [times]

    def refused(self: DynamodbPurger, operation: str, info: Any, body: Any) -> Any:
        if operation == "DeleteItem" and b"e005" in body["Key"]:
            change(store, [5], **{f"late{number:02}": True for number in range(12)})
        if operation == "PutItem" and left[0]:
            left[0] -= 1
            raise Refused(code, "it said why")
        return call(self, operation, info, body)

    monkeypatch.setattr(DynamodbPurger, "_call", refused)


def test_an_item_is_put_back_once_transactions_of_others_have_ended(
    run: Purge, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = events("dynamodb")
    refusing(monkeypatch, store, "TransactionConflictException", 2)
    assert run(store)["left_changed"] == 1
    assert [one for one in numbers(store) if one % 2] == [5]


def test_an_item_that_cannot_be_put_back_is_named(run: Purge, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    store = events("dynamodb")
    refusing(monkeypatch, store, "AccessDeniedException", 1)
    with pytest.raises(
        TargetError,
        match=r'item \["e005"\] of the table .* was written to while it was being deleted '
        r"\(late00, .*, late09 and 2 more\).*said why.*PutItem",
    ):
        run(store)


def test_an_item_whose_deletion_was_not_answered_is_gone(
    run: Purge, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, call = events("dynamodb"), DynamodbPurger._call

    def twice(self: DynamodbPurger, operation: str, info: Any, body: Any) -> Any:
        if operation == "DeleteItem" and b"e005" in body["Key"]:
            call(self, operation, info, body)
        return call(self, operation, info, body)

    monkeypatch.setattr(DynamodbPurger, "_call", twice)
    done = run(store)
    assert (done["deleted"], done["gone"], done["left_changed"]) == (9, 1, 0)


def test_an_item_that_is_written_while_it_is_deleted_stays(
    run: Purge, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = events("dynamodb")
    delete = DynamodbPurger._delete

    def deleted(self: DynamodbPurger, info: Any, old: Any) -> bool:
        if old["id"] == "e005":
            change(store, [5], cost=2)
        return delete(self, info, old)

    monkeypatch.setattr(DynamodbPurger, "_delete", deleted)
    done = run(store)
    assert (done["deleted"], done["left_changed"]) == (9, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_ended_is_continued(
    kind: str, run: Purge, events: Events, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = events(kind)
    monkeypatch.setattr(purge_plan, "BATCH", 3)

    def ended(*args: Any) -> Any:
        raise Cancelled("Stopped: it was requested.")

    with monkeypatch.context() as patch:
        patch.setattr(purge._Purge, "_remove", ended)
        with pytest.raises(Cancelled):
            run(store)
    assert len(numbers(store)) == 20
    done = run(store)
    assert (bool(done["resumed"]), done["deleted"], done["exported"]) == (True, 10, 0)
    assert numbers(store) == list(range(2, 21, 2))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"time_field": "when"}, "time_field: no record of events has a field when. The fields are"),
        ({"where": [{"field": "x", "is": 1}]}, "where: no record of events has a field x"),
        ({"older_than": "3000-01-01"}, "All 20 records of events would be deleted"),
        ({"vacuum": True}, "vacuum is for stores of type sqlite"),
        ({"collection": "nothing"}, "has no collection nothing"),
    ],
    ids=str,
)
def test_refusals(kind: str, params: dict[str, Any], words: str, run: Purge, events: Events, repository: Path) -> None:
    store = events(kind)
    for check in (True, False):
        with pytest.raises(Day2Error) as caught:
            run(store, check, **params)
        assert words in str(caught.value)
    assert len(numbers(store)) == 20
    assert not list(repository.glob("*/2*"))


def test_keys_that_are_equal_are_refused(run: Purge, events: Events) -> None:
    store = events("list")
    document = json.loads(Path(store["path"]).read_text())
    document["events"].append(document["events"][0])
    Path(store["path"]).write_text(json.dumps(document))
    with pytest.raises(Day2Error, match="have the same key"):
        run(store)


@pytest.mark.parametrize("kind", KINDS)
def test_keep_last_and_all(kind: str, run: Purge, events: Events) -> None:
    store = events(kind)
    assert run(store, keep_last={"count": 12, "per": []})["deleted"] == 8
    assert [one for one in numbers(store) if one % 2] == [17, 19]
    assert run(store, older_than="3000-01-01", allow_all=True)["deleted"] == 12
    assert numbers(store) == []


@pytest.mark.parametrize("kind", ["mapping", "list"])
def test_records_of_a_document_are_brought_back(
    kind: str, run: Purge, events: Events, repository: Path, tmp_path: Path
) -> None:
    store = events(kind)
    path = Path(store["path"])
    before = json.loads(path.read_text())
    run(store)
    (export,) = repository.glob("events/2*/data/0.jsonl.zst")
    places = {
        "/opt/hostfactory/data": str(path.parent),
        "/var/backups/day2/requests/20250630T120000Z-3f2a9c1b/data/0.jsonl.zst": str(export),
        "/root": str(tmp_path),
        "database.json": path.name,
        ".requests": ".events",
    }
    if kind == "list":
        places["($back | map({(._key): del(._key)}) | add)"] = "$back"
    command = script("RECORDS.md", "jq --slurpfile", places)
    subprocess.run(["bash", "-euo", "pipefail", "-c", command], check=True)
    after = json.loads(path.read_text())
    if kind == "list":
        after["events"].sort(key=lambda one: str(one["id"]))
    assert after == before


def test_records_of_dynamodb_are_brought_back(run: Purge, events: Events, repository: Path, tmp_path: Path) -> None:
    """As docs/RECORDS.md says."""
    store = events("dynamodb")
    run(store)
    back = tmp_path / "back.json"
    back.write_text('{"events": [' + ", ".join(map(encode, exported(repository))) + "]}")
    source = {"type": "json", "path": str(back), "values": "exact"}
    keys = [{"collection": "events", "fields": ["id"]}]
    migrate(source=source, target=store, primary_keys=keys, on_existing="merge", safety_backup=False)
    assert numbers(store) == list(range(1, 21))
    assert run(store)["deleted"] == 10
