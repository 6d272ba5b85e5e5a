# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The json store with a directory of documents: file_per_collection and file_per_record."""

from __future__ import annotations

import io
import json
import os
import stat
import tarfile
import threading
import time
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import files
from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    DamagedBackup,
    InvalidRequest,
    SourceError,
    TargetError,
)
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._stores.documents import directory as json_directory
from ansible_collections.day2.ops.plugins.module_utils._stores.documents import index as json_index
from ansible_collections.day2.ops.plugins.module_utils._stores.documents.store import JsonStore
from tests.services.waiting import wait_for

COLLECTIONS = {"requests": '[{"id": "r-1"}, {"id": "r-2"}]', "templates": '{"a": {}, "b": {}, "c": {}}', "none": "[]"}
AWKWARD = ["plain", "sp ace", "new\nline", "qu'ote\"", "é😀", "-rf", "items", "a.b", "*", "[x]"]
BUSY = {"log.txt": "kept", ".hidden.json": "{", "deeper/more.json": "not JSON", "notes/a/b.txt": "x"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "srv" / "data"
    place.mkdir(parents=True)
    return place


@pytest.fixture
def by_collection(path: Path) -> JsonStore:
    return JsonStore(str(path), {"layout": "file_per_collection"})


@pytest.fixture
def by_record(path: Path) -> JsonStore:
    return JsonStore(str(path), {"layout": "file_per_record"})


@pytest.fixture
def backup_of(new_sink: Callable[[], Any], copy_of: Callable[..., Any]) -> Callable[[JsonStore], Any]:
    def make(store: JsonStore) -> Any:
        sink = new_sink()
        return copy_of(sink, store.snapshot(sink))

    return make


@pytest.fixture
def restore(tmp_path: Path) -> Callable[..., Any]:
    """Restore, first dry: both must say the same. Returns what `prepare` said."""

    def run(store: JsonStore, copy: Any, only: tuple[str, ...] = ()) -> Any:
        before = tree(Path(store.path).parent)
        with store.prepare(copy, only, str(tmp_path), dry=True) as told:
            pass
        assert tree(Path(store.path).parent) == before
        with store.prepare(copy, only, str(tmp_path), dry=False) as ready:
            assert (ready.changed, ready.changes) == (told.changed, told.changes)
            if ready.changed:
                ready.apply()
            else:
                assert tree(Path(store.path).parent) == before
        assert os.listdir(Path(store.path).parent) == [Path(store.path).name]
        assert not list(tmp_path.glob(files.PREPARED + "*"))
        return ready

    return run


def put(directory: Path, contents: dict[str, str]) -> None:
    for name, text in contents.items():
        place = directory / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def tree(directory: Path) -> dict[str, Optional[bytes]]:
    """The content of files, None for directories."""
    return {
        str(one.relative_to(directory)): one.read_bytes() if one.is_file() else None for one in directory.rglob("*")
    }


def put_collections(path: Path) -> None:
    put(path, {name + ".json": text for name, text in COLLECTIONS.items()})


def put_records(path: Path) -> None:
    put(path, {f"{name}/{key}.json": json.dumps({"n": key}) for name in ("machines", "é 1") for key in AWKWARD})
    (path / "empty").mkdir()


class TestSnapshot:
    def test_file_per_collection(self, path: Path, by_collection: JsonStore, memory_sink: Any) -> None:
        put_collections(path)
        put(path, BUSY)
        (path / "none.json").chmod(0o640)
        snapshot = by_collection.snapshot(memory_sink)
        assert snapshot.collections == (("none", 0), ("requests", 2), ("templates", 3))
        details = snapshot.details
        assert (details["layout"], details["files"], details["bytes"]) == ("file_per_collection", 3, 59)
        with tarfile.open(fileobj=io.BytesIO(memory_sink.files["data.tar"])) as tar:
            members = tar.getmembers()
            assert [one.name for one in members] == ["none.json", "requests.json", "templates.json"]
            assert members[0].mode == 0o640
            assert {one.name[:-5]: tar.extractfile(one).read().decode() for one in members} == COLLECTIONS  # type: ignore[union-attr]

    def test_file_per_record(self, path: Path, by_record: JsonStore, memory_sink: Any) -> None:
        put_records(path)
        put(path, {".git/config.json": "{", "machines/.tmp.json": "{", "machines/x.txt": "", "top.json": "{"})
        snapshot = by_record.snapshot(memory_sink)
        assert snapshot.collections == (("empty", 0), ("machines", 10), ("é 1", 10))
        with tarfile.open(fileobj=io.BytesIO(memory_sink.files["data.tar"])) as tar:
            names = [one.name for one in tar.getmembers()]
        assert [name for name in names if name.startswith("machines/")] == sorted(
            f"machines/{key}.json" for key in AWKWARD
        )

    def test_the_same_content_gives_the_same_bytes(
        self, path: Path, by_record: JsonStore, backup_of: Callable[..., Any]
    ) -> None:
        put_records(path)
        for one in sorted(path.rglob("*"), reverse=True):
            os.utime(one, (1000, 1000))
        first = backup_of(by_record)
        moved = path.rename(path.with_name("old"))
        path.mkdir()
        for one in sorted(moved.rglob("*.json"), reverse=True):
            (path / one.parent.name).mkdir(exist_ok=True)
            (path / one.parent.name / one.name).write_bytes(one.read_bytes())
        (path / "empty").mkdir()
        for one in path.rglob("*"):
            os.utime(one, (1000, 1000))
        second = backup_of(by_record)
        assert (second.content_digest, second.files) == (first.content_digest, first.files)

    @pytest.mark.parametrize(
        "change",
        [
            lambda path: (path / "machines" / "plain.json").write_text('{"n": "PLAIN"}'),
            lambda path: (path / "machines" / "plain.json").unlink(),
            lambda path: (path / "machines" / "plain.json").rename(path / "machines" / "other.json"),
            lambda path: (path / "machines" / "plain.json").rename(path / "empty" / "plain.json"),
            lambda path: (path / "more").mkdir(),
        ],
    )
    def test_every_change_of_content_changes_the_digest(
        self, path: Path, by_record: JsonStore, backup_of: Callable[..., Any], change: Callable[[Path], Any]
    ) -> None:
        put_records(path)
        before = backup_of(by_record).content_digest
        change(path)
        assert backup_of(by_record).content_digest != before

    def test_a_change_of_attributes_does_not(
        self, path: Path, by_record: JsonStore, backup_of: Callable[..., Any]
    ) -> None:
        put_records(path)
        before = backup_of(by_record).content_digest
        (path / "machines" / "plain.json").touch()
        (path / "machines" / "plain.json").chmod(0o400)
        put(path, {"machines/log.txt": "x", "x.json": "{}"})
        assert backup_of(by_record).content_digest == before

    def test_files_that_belong_together_are_of_one_moment(
        self, path: Path, by_collection: JsonStore, new_sink: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A writer that always changes both files: a snapshot never has one of them only."""
        put(path, {"a.json": "[0]", "b.json": "[0]", **{f"c{number}.json": "[]" for number in range(50)}})
        stop = threading.Event()

        def write() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                for name in ("a.json", "b.json"):
                    new = path / ".new"
                    new.write_text(f"[{number}]")
                    new.rename(path / name)
                time.sleep(0.2 + number / 20)  # long enough some time, however busy this machine is

        monkeypatch.setattr(json_directory, "WAITS", (0.05,) * 100)
        thread = threading.Thread(target=write)
        thread.start()
        try:
            for _round in range(5):
                sink = new_sink()
                by_collection.snapshot(sink)
                with tarfile.open(fileobj=io.BytesIO(sink.files["data.tar"])) as tar:
                    first, second = (tar.extractfile(name).read() for name in ("a.json", "b.json"))  # type: ignore[union-attr]
                # between the two renames lies a moment, too
                assert 0 <= json.loads(first)[0] - json.loads(second)[0] <= 1
        finally:
            stop.set()
            thread.join()

    def test_what_never_holds_still_is_named(
        self, path: Path, by_collection: JsonStore, memory_sink: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(json_directory, "WAITS", (0.001,))
        put(path, {"quiet.json": "[]", "busy.json": "[]"})

        class Meddler(Progress):
            def advance(self, count: int) -> None:
                (path / "busy.json").write_text("[]")

        memory_sink.progress = Meddler()
        with pytest.raises(SourceError, match=r"changed each of 2 times that it was read: busy\.json"):
            by_collection.snapshot(memory_sink)
        assert memory_sink.files == {}

    @pytest.mark.parametrize(
        ("layout", "contents", "message"),
        [
            ("file_per_collection", {"a.json": "[]", "b.json": '{"x": '}, "b.json is incomplete"),
            ("file_per_collection", {"a.json": "[]", "b.json": "17"}, "b.json is a single value, not a list"),
            ("file_per_collection", {"a.json": ""}, "a.json is empty"),
            ("file_per_collection", {"m/a.json": "[]"}, "contains no file named NAME.json"),
            ("file_per_collection", {"m.txt": "[]"}, "contains no file named NAME.json"),
            ("file_per_record", {"m/a.json": "{}", "m/b.json": "{x"}, "m/b.json is not valid JSON"),
            ("file_per_record", {"a.json": "[]"}, "contains no file named COLLECTION/KEY.json"),
            ("file_per_record", {"a.json": "[]", "logs/x.txt": ""}, "contains no file named COLLECTION/KEY.json"),
            ("file_per_record", {}, "contains no file named COLLECTION/KEY.json"),
        ],
    )
    def test_what_can_not_be_backed_up(
        self, path: Path, memory_sink: Any, layout: str, contents: dict[str, str], message: str
    ) -> None:
        put(path, contents)
        for one in path.rglob("*.json"):
            os.utime(one, (1000, 1000))
        with pytest.raises(SourceError) as caught:
            JsonStore(str(path), {"layout": layout}).snapshot(memory_sink)
        assert message in caught.value.message
        assert caught.value.hint
        assert memory_sink.files == {}

    def test_what_is_no_directory(self, path: Path, memory_sink: Any) -> None:
        put(path, {"a.json": "[]"})
        for name, message in (("a.json", "Set layout to single_file"), ("missing", "does not exist")):
            with pytest.raises(SourceError, match=message):
                JsonStore(str(path / name), {"layout": "file_per_record"}).snapshot(memory_sink)

    @pytest.mark.parametrize("layout", ["file_per_collection", "file_per_record"])
    def test_links_are_refused_not_followed(self, path: Path, memory_sink: Any, layout: str) -> None:
        put(path, {"a.json": "[]", "m/a.json": "{}"})
        outside = path.parent.parent / "outside"
        put(outside, {"secret.json": "[]"})
        if layout == "file_per_collection":
            (path / "b.json").symlink_to(outside / "secret.json")
        else:
            (path / "b").symlink_to(outside)
        with pytest.raises(SourceError, match="is a symbolic link"):
            JsonStore(str(path), {"layout": layout}).snapshot(memory_sink)

    def test_a_name_that_is_not_utf_8(self, path: Path, by_collection: JsonStore, memory_sink: Any) -> None:
        (path / "a\udcff.json").write_text("[]")
        with pytest.raises(SourceError, match="is not valid UTF-8"):
            by_collection.snapshot(memory_sink)

    def test_too_many_collections(
        self, path: Path, by_collection: JsonStore, memory_sink: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(json_index, "MOST_COLLECTIONS", 2)
        put_collections(path)
        with pytest.raises(SourceError, match="set layout to file_per_record"):
            by_collection.snapshot(memory_sink)


def test_a_listing_that_misses_something_is_not_the_last(tmp_path: Path) -> None:
    # what is renamed while it is listed may be seen under neither name
    told = []
    with json_index.Index(str(tmp_path)) as index:
        for names in ("ab", "ab", "a", "a"):
            index.start_listing()
            for name in names:
                index.see(json_index.Row(name, name, "", 0o600, 0, 0, 0))
            told.append(index.end_listing())
            for row in index.stale(10):
                index.put(row._replace(stale=0))
    assert told == [False, True, False, True]


def test_exists(path: Path, by_collection: JsonStore, by_record: JsonStore) -> None:
    assert (by_collection.exists(), by_record.exists()) == (False, False)
    put(path, {"notes.txt": "", ".a.json": ""})
    assert (by_collection.exists(), by_record.exists()) == (False, False)
    put(path, {"a.json": "[]"})
    assert (by_collection.exists(), by_record.exists()) == (True, False)
    (path / "m").mkdir()
    assert by_record.exists()
    assert not JsonStore(str(path / "missing"), {"layout": "file_per_record"}).exists()
    assert JsonStore(str(path / "a.json"), {"layout": "file_per_record"}).exists()


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda path: (path / "m" / "a.json").write_text("[2]"), False),
        (lambda path: (path / "m" / "b.json").write_text("[1]"), False),
        (lambda path: (path / "m" / "a.json").unlink(), False),
        (lambda path: (path / "n").mkdir(), False),
        (lambda path: (path / "m" / "notes.txt").write_text("x"), True),
        (lambda path: (path / "b.json").write_text("x"), True),
    ],
)
def test_fingerprint(path: Path, by_record: JsonStore, change: Callable[[Path], Any], same: bool) -> None:
    put(path, {"m/a.json": "[1]"})
    os.utime(path / "m" / "a.json", (time.time() + 3600,) * 2)
    assert by_record.fingerprint() is None
    os.utime(path / "m" / "a.json")
    first = _settled(by_record)
    change(path)
    assert (_settled(by_record) == first) is same


def _settled(store: JsonStore) -> str:
    return wait_for(store.fingerprint) or ""


class TestRestore:
    @pytest.mark.parametrize(
        ("layout", "fill"), [("file_per_collection", put_collections), ("file_per_record", put_records)]
    )
    def test_round_trip(
        self, path: Path, backup_of: Callable[..., Any], restore: Callable[..., Any], layout: str, fill: Any
    ) -> None:
        store = JsonStore(str(path), {"layout": layout})
        fill(path)
        path.chmod(0o751)
        content = tree(path)
        copy = backup_of(store)
        assert not restore(store, copy).changed
        for number, one in enumerate(sorted(path.rglob("*.json"))):
            if number % 3 == 0:
                one.unlink()
            elif number % 3 == 1:
                one.write_text("{ broken")
        put(path, {"new.json": "[1]", "new/x.json": "{}"})
        before = {str(one.relative_to(path)) for one in path.rglob("*")}
        assert restore(store, copy).changed
        # what is not the store's has stayed
        foreign = {"new", "new/x.json"} if layout == "file_per_collection" else {"new.json"}
        assert foreign < before
        assert set(tree(path)) == set(content) | foreign
        assert {name: text for name, text in tree(path).items() if name in content} == content
        assert not restore(store, copy).changed
        # and into nothing
        files.remove(str(path))
        ready = restore(store, copy)
        assert tree(path) == content
        assert {one.before for one in ready.changes} == {None}
        assert stat.S_IMODE(path.stat().st_mode) == 0o751
        assert backup_of(store).content_digest == copy.content_digest

    def test_into_an_empty_directory(
        self, path: Path, by_record: JsonStore, backup_of: Callable[..., Any], restore: Callable[..., Any]
    ) -> None:
        put_records(path)
        content, copy = tree(path), backup_of(by_record)
        files.remove(str(path))
        path.mkdir(mode=0o711)
        restore(by_record, copy)
        assert tree(path) == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o711

    def test_changes_are_counted(
        self, path: Path, by_collection: JsonStore, backup_of: Callable[..., Any], restore: Callable[..., Any]
    ) -> None:
        put_collections(path)
        copy = backup_of(by_collection)
        put(path, {"requests.json": "[1]", "none.json": "{", "other.json": "[1, 2]"})
        (path / "templates.json").unlink()
        ready = restore(by_collection, copy)
        assert set(ready.changes) == {
            ("none", None, 0),
            ("requests", 1, 2),
            ("templates", None, 3),
            ("other", 2, 0),
        }
        assert ready.notes == ("The data to be replaced is not valid JSON in: none",)

    def test_what_is_not_the_stores_stays_itself(
        self, path: Path, by_record: JsonStore, backup_of: Callable[..., Any], restore: Callable[..., Any]
    ) -> None:
        put_records(path)
        copy = backup_of(by_record)
        put(path, {**BUSY, "machines/notes.txt": "n", "machines/sub/x.json": "x", "gone/a.json": "{}"})
        (path / "link").symlink_to("log.txt")
        (path / "notes").chmod(0o750)
        os.mkfifo(path / "pipe")
        kept = ["log.txt", ".hidden.json", "notes/a/b.txt", "machines/notes.txt", "machines/sub/x.json", "link", "pipe"]
        inodes = {name: (path / name).lstat().st_ino for name in kept}
        with (path / "log.txt").open("a") as log:  # held open by the application
            restore(by_record, copy)
            log.write(" and written")
        assert {name: (path / name).lstat().st_ino for name in kept} == inodes
        assert (path / "log.txt").read_text() == "kept and written"
        assert stat.S_IMODE((path / "notes").stat().st_mode) == 0o750
        assert not (path / "gone").exists()
        # "deeper" and "notes" count as collections, in which nothing of the store is
        assert {one.name: one.after for one in restore(by_record, copy).changes}["machines"] == len(AWKWARD)

    def test_modes_and_owners_of_the_target_stay(
        self, path: Path, by_record: JsonStore, backup_of: Callable[..., Any], restore: Callable[..., Any]
    ) -> None:
        put(path, {"m/a.json": "{}", "m/b.json": "{}"})
        (path / "m" / "b.json").chmod(0o604)
        copy = backup_of(by_record)
        (path / "m" / "b.json").unlink()
        (path / "m" / "a.json").write_text("[]")
        (path / "m" / "a.json").chmod(0o640)
        (path / "m").chmod(0o2755)
        path.chmod(0o710)
        if os.geteuid() == 0:
            for one in (path / "m" / "a.json", path / "m", path):
                os.chown(one, 12345, 54321)
            (path / "m").chmod(0o2755)
        restore(by_record, copy)
        expected = {"m/a.json": 0o640, "m/b.json": 0o604, "m": 0o2755, ".": 0o710}
        assert {name: stat.S_IMODE((path / name).stat().st_mode) for name in expected} == expected
        if os.geteuid() == 0:
            assert {(path / name).stat().st_uid for name in ("m/a.json", "m", ".")} == {12345}
            assert (path / "m" / "b.json").stat().st_uid == 0

    @pytest.mark.parametrize("layout", ["file_per_collection", "file_per_record"])
    def test_only_some_collections(
        self, path: Path, backup_of: Callable[..., Any], restore: Callable[..., Any], layout: str
    ) -> None:
        store = JsonStore(str(path), {"layout": layout})
        name = "%s.json" if layout == "file_per_collection" else "%s/k.json"
        put(path, {name % one: '{"v": "old"}' for one in ("a", "b", "c")})
        copy = backup_of(store)
        put(path, {name % one: '{"v": "new"}' for one in ("a", "b", "d")})
        (path / (name % "c")).unlink()
        inode = (path / (name % "b")).stat().st_ino
        ready = restore(store, copy, ("a", "c"))
        assert ready.changes == (("a", 1, 1), ("c", None if layout == "file_per_collection" else 0, 1))
        texts = {one: (path / (name % one)).read_text()[7:10] for one in ("a", "b", "c", "d")}
        assert texts == {"a": "old", "b": "new", "c": "old", "d": "new"}
        assert (path / (name % "b")).stat().st_ino == inode
        assert not restore(store, copy, ("a", "c")).changed
        with pytest.raises(InvalidRequest, match=r"has no collection x\. Its collections are: a, b, c\."):
            store.prepare(copy, ("x",), str(path.parent.parent), dry=True)
        files.remove(str(path))
        with pytest.raises(TargetError, match="so that a can't be restored into"):
            store.prepare(copy, ("a",), str(path.parent.parent), dry=True)

    def test_only_replaces_all_of_a_collection(
        self, path: Path, by_record: JsonStore, backup_of: Callable[..., Any], restore: Callable[..., Any]
    ) -> None:
        put(path, {"m/a.json": "{}", "n/a.json": "{}"})
        copy = backup_of(by_record)
        put(path, {"m/b.json": "{}", "n/b.json": "{}", "m/notes.txt": "kept"})
        restore(by_record, copy, ("m",))
        assert set(tree(path)) == {"m", "n", "m/a.json", "m/notes.txt", "n/a.json", "n/b.json"}

    def test_undo(self, path: Path, by_record: JsonStore, backup_of: Callable[..., Any], tmp_path: Path) -> None:
        put_records(path)
        copy = backup_of(by_record)
        put(path, {"machines/plain.json": "[]"})
        before, inode = tree(path), path.stat().st_ino
        with by_record.prepare(copy, (), str(tmp_path), dry=False) as ready:
            ready.apply()
            assert tree(path) != before
            ready.undo()
        assert (tree(path), path.stat().st_ino) == (before, inode)
        assert os.listdir(path.parent) == ["data"]

    @pytest.mark.parametrize(
        "change",
        [
            lambda path: (path / "m" / "a.json").write_text("[1]"),
            lambda path: (path / "m" / "new.json").write_text("[1]"),
            lambda path: (path / "m" / "a.json").unlink(),
            lambda path: (path / "new.txt").write_text("it would be lost"),
            lambda path: path.rename(path.with_name("moved")),
        ],
    )
    def test_a_target_that_changed_meanwhile_is_left_alone(
        self,
        path: Path,
        by_record: JsonStore,
        backup_of: Callable[..., Any],
        tmp_path: Path,
        change: Callable[[Path], Any],
    ) -> None:
        put(path, {"m/a.json": "{}", "log.txt": ""})
        copy = backup_of(by_record)
        put(path, {"m/a.json": "[]"})
        with by_record.prepare(copy, (), str(tmp_path), dry=False) as ready:
            change(path)
            before = tree(path.parent)
            with pytest.raises(TargetError, match="was changed while its restore was prepared"):
                ready.apply()
            assert tree(path.parent) == before
        assert not list(path.parent.glob(files.PREPARED + "*"))

    def test_a_log_that_grows_meanwhile_is_no_hindrance(
        self, path: Path, by_record: JsonStore, backup_of: Callable[..., Any], tmp_path: Path
    ) -> None:
        put(path, {"m/a.json": "{}", "log.txt": ""})
        copy = backup_of(by_record)
        put(path, {"m/a.json": "[]"})
        with by_record.prepare(copy, (), str(tmp_path), dry=False) as ready:
            (path / "log.txt").write_text("more")
            ready.apply()
        assert tree(path) == {"m": None, "m/a.json": b"{}", "log.txt": b"more"}

    @pytest.mark.parametrize("target", ["missing", "equal", "other"])
    @pytest.mark.parametrize("dry", [True, False])
    @pytest.mark.parametrize("how", ["unreadable", "cut", "flipped", "foreign", "a link", "no tar"])
    def test_a_damaged_backup_touches_nothing(
        self,
        path: Path,
        by_collection: JsonStore,
        backup_of: Callable[..., Any],
        tmp_path: Path,
        target: str,
        dry: bool,
        how: str,
    ) -> None:
        put_collections(path)
        copy = backup_of(by_collection)
        data = copy.files["data.tar"]
        if how == "unreadable":
            copy.damage("data.tar")
        elif how == "cut":
            copy.files["data.tar"] = data[:1030]
        elif how == "flipped":
            copy.files["data.tar"] = data.replace(b"r-1", b"r-7")
        elif how == "foreign":
            copy.files["data.tar"] = make_tar([("../../evil.json", b"[]")])
        elif how == "a link":
            copy.files["data.tar"] = make_tar([("a.json", "/etc/passwd")])
        else:
            copy.files["data.tar"] = b"x" * 2000
        if target == "missing":
            files.remove(str(path))
        elif target == "other":
            put(path, {"requests.json": "[]"})
        before = tree(path.parent)
        with pytest.raises(DamagedBackup):
            by_collection.prepare(copy, (), str(tmp_path), dry)
        assert tree(path.parent) == before

    def test_leftovers_are_removed_and_named(
        self, path: Path, by_record: JsonStore, backup_of: Callable[..., Any], tmp_path: Path
    ) -> None:
        put_records(path)
        copy = backup_of(by_record)
        leftover = path.parent / files.prepared_name(path.name)
        put(leftover, {"m/a.json": "half"})
        with by_record.prepare(copy, (), str(tmp_path), dry=False) as ready:
            assert str(leftover) in ready.notes[0]
        assert os.listdir(path.parent) == ["data"]

    def test_a_file_in_the_place_of_the_directory(
        self, path: Path, by_record: JsonStore, backup_of: Callable[..., Any], tmp_path: Path
    ) -> None:
        put_records(path)
        copy = backup_of(by_record)
        files.remove(str(path))
        path.write_text("{}")
        with pytest.raises(TargetError, match="is a regular file, not a directory"):
            by_record.prepare(copy, (), str(tmp_path), dry=True)


def make_tar(members: list[tuple[str, Any]], **about: Any) -> bytes:
    """Bytes are a file's content, text is a link's target, None makes a directory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **about) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.mode = 0o640
            if isinstance(content, bytes):
                info.size = len(content)
            elif content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o750
            else:
                info.type, info.linkname = tarfile.SYMTYPE, content
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return buffer.getvalue()


class TestConvert:
    @pytest.mark.parametrize("prefix", ["", "./", "data/", "./backup/2025/data/"])
    @pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
    def test_a_tar_file_made_by_hand(
        self,
        path: Path,
        by_record: JsonStore,
        new_sink: Callable[[], Any],
        reader_of: Callable[[bytes], Any],
        copy_of: Callable[..., Any],
        restore: Callable[..., Any],
        prefix: str,
        form: int,
    ) -> None:
        contents = {f"{name}/{key}.json": b'{"n": 1}' for name in ("machines", "x" * 120) for key in AWKWARD}
        members = [(prefix + name, text) for name, text in contents.items()]
        members += [(prefix + "empty", None), (prefix + "notes.txt", b"x"), (prefix + "m/.h.json", b"{")]
        sink = new_sink()
        snapshot = by_record.convert(reader_of(make_tar(members, format=form)), "data.tar", sink)
        assert dict(snapshot.collections) == {"empty": 0, "machines": 10, "x" * 120: 10}
        assert snapshot.notes == ("2 files not named COLLECTION/KEY.json left out.",)
        files.remove(str(path))
        restore(by_record, copy_of(sink, snapshot))
        assert {name: text for name, text in tree(path).items() if text is not None} == contents
        assert stat.S_IMODE((path / "empty").stat().st_mode) == 0o750
        assert stat.S_IMODE((path / "machines" / "plain.json").stat().st_mode) == 0o640
        assert stat.S_IMODE(path.stat().st_mode) == 0o700

    def test_it_is_the_same_backup_as_of_the_directory(
        self,
        path: Path,
        by_collection: JsonStore,
        backup_of: Callable[..., Any],
        new_sink: Callable[[], Any],
        reader_of: Callable[[bytes], Any],
    ) -> None:
        put_collections(path)
        copy = backup_of(by_collection)
        snapshot = by_collection.convert(reader_of(copy.files["data.tar"]), "x.tar", new_sink())
        assert (snapshot.content_digest, snapshot.collections) == (copy.content_digest, copy.collections)

    @pytest.mark.parametrize(
        ("members", "message"),
        [
            ([("../evil.json", b"[]")], "is outside of the store"),
            ([("a/../../evil.json", b"[]")], "is outside of the store"),
            ([("/etc/evil.json", b"[]")], "is outside of the store"),
            ([("a.json", b"[]"), ("b.json", "/etc/passwd")], "which is a link"),
            ([("a.json", b"[]"), ("b.json", b"[1")], "b.json in x.tar is incomplete"),
            ([("a.json", b"3")], "is a single value"),
            ([("a/b.txt", b"")], "contains no file named NAME.json"),
            ([], "it is empty"),
            ([("a/b.json", b"[]"), ("c/d.json", b"[]")], "more than one store"),
        ],
    )
    def test_what_can_not_be_taken_over(
        self,
        by_collection: JsonStore,
        memory_sink: Any,
        reader_of: Callable[[bytes], Any],
        members: list[tuple[str, Any]],
        message: str,
    ) -> None:
        with pytest.raises(SourceError) as caught:
            by_collection.convert(reader_of(make_tar(members)), "x.tar", memory_sink)
        assert message in caught.value.message
        assert memory_sink.files == {}

    @pytest.mark.parametrize(
        "damage",
        [
            lambda data: b"",
            lambda data: b"not a tar file" * 100,
            lambda data: data[:1030],
            lambda data: data[:1024],
            lambda data: data[:1024] + b"x" * 512 + data[1536:],
            lambda data: data[:2048] + b"garbage",
        ],
    )
    def test_damaged_tar_files(
        self,
        by_collection: JsonStore,
        memory_sink: Any,
        reader_of: Callable[[bytes], Any],
        damage: Callable[[bytes], bytes],
    ) -> None:
        data = make_tar([("a.json", b"[]"), ("b.json", b"[]"), ("c.json", b"[]")])
        with pytest.raises(SourceError, match=r"^x\.tar: "):
            by_collection.convert(reader_of(damage(data)), "x.tar", memory_sink)
        assert memory_sink.files == {}

    def test_headers_that_lie_about_their_size(
        self, by_collection: JsonStore, memory_sink: Any, reader_of: Callable[[bytes], Any]
    ) -> None:
        long_name = tarfile.TarInfo("././@LongLink")
        long_name.type, long_name.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
        lying = tarfile.TarInfo("a.json")
        lying.pax_headers = {"size": "-2048"}
        for header in (long_name.tobuf(tarfile.GNU_FORMAT), lying.tobuf(tarfile.PAX_FORMAT)):
            with pytest.raises(SourceError, match=r"^x\.tar: "):
                by_collection.convert(reader_of(header + bytes(10240)), "x.tar", memory_sink)

    def test_another_kind_of_file(
        self, by_collection: JsonStore, memory_sink: Any, reader_of: Callable[[bytes], Any]
    ) -> None:
        with pytest.raises(SourceError, match="Pack the directory with tar"):
            by_collection.convert(reader_of(b"{}"), "x.json", memory_sink)
