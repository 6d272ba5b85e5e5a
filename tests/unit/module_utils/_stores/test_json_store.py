# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The json store with one document: snapshots that hold still, whole and spliced restores."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import stat
import threading
import time
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core import files, fingerprint
from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    DamagedBackup,
    InvalidRequest,
    SourceError,
    TargetError,
)
from ansible_collections.day2.ops.plugins.module_utils._core.fingerprint import attributes
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._stores.documents import file as json_file
from ansible_collections.day2.ops.plugins.module_utils._stores.documents import stream as json_stream
from ansible_collections.day2.ops.plugins.module_utils._stores.documents.store import JsonStore
from tests.services.waiting import wait_for

DATA: dict[str, Any] = {
    "version": 2,
    "templates": {"small": {"cores": 1}, "large": {"cores": 64}},
    "requests": [{"id": "r-1", "machines": []}, {"id": "r-2"}, {"id": "r-3"}],
    "machines": {},
}


class Meddler(Progress):
    """Does something else whenever a phase begins, or something was read."""

    def __init__(self, phase: Callable[[str], Any] = str, advance: Callable[[], Any] = str) -> None:
        super().__init__()
        self.phases: list[str] = []
        self._on_phase, self._on_advance = phase, advance

    def start(self, label: str, total: Optional[int] = None, unit: str = "") -> None:
        super().start(label, total, unit)
        self.phases.append(label.split()[0])
        self._on_phase(self.phases[-1])

    def advance(self, count: int) -> None:
        super().advance(count)
        self._on_advance()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "data"
    place.mkdir()
    return place / "request_database.json"


@pytest.fixture
def store(path: Path) -> JsonStore:
    return JsonStore(str(path), {})


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
        scratch = str(tmp_path)
        before = _everything(Path(store.path).parent)
        with store.prepare(copy, only, scratch, dry=True) as told:
            pass
        assert _everything(Path(store.path).parent) == before
        with store.prepare(copy, only, scratch, dry=False) as ready:
            assert (ready.changed, ready.changes) == (told.changed, told.changes)
            if ready.changed:
                ready.apply()
        _no_leftovers(store)
        return ready

    return run


def _everything(directory: Path) -> dict[str, Any]:
    return {
        str(one.relative_to(directory)): (
            one.lstat().st_ino,
            one.lstat().st_mtime_ns,
            one.is_file() and one.read_bytes(),
        )
        for one in directory.rglob("*")
    }


def _no_leftovers(store: JsonStore) -> None:
    assert [name for name in os.listdir(os.path.dirname(store.path)) if name.startswith(files.PREPARED)] == []


def test_a_snapshot_is_the_document_byte_for_byte(path: Path, store: JsonStore, memory_sink: Any) -> None:
    data = b"\xef\xbb\xbf" + json.dumps(DATA, indent=3).encode() + b"\r\n"
    path.write_bytes(data)
    path.chmod(0o640)
    snapshot = store.snapshot(memory_sink)
    assert memory_sink.files == {"request_database.json": data}
    assert snapshot.content_digest == hashlib.sha256(data).hexdigest()
    assert snapshot.collections == (("templates", 2), ("requests", 3), ("machines", 0))
    assert {**snapshot.details, "user": None, "group": None} == {
        "layout": "single_file",
        "bytes": len(data),
        "values": 1,
        "mode": "0640",
        "uid": os.geteuid(),
        "gid": os.getegid(),
        "user": None,
        "group": None,
    }
    json.dumps(snapshot.details)


@pytest.mark.parametrize("layout", [None, "single_file"])
def test_parameters(path: Path, layout: Any) -> None:
    assert JsonStore(str(path), {"layout": layout}).parameters() == {"layout": "single_file"}


def test_a_link_is_resolved(path: Path, memory_sink: Any) -> None:
    path.write_text("{}")
    link = path.parent / "link.json"
    link.symlink_to(path.name)
    store = JsonStore(str(link), {})
    assert store.path == str(path)
    store.snapshot(memory_sink)
    assert list(memory_sink.files) == ["request_database.json"]


def test_exists(path: Path, store: JsonStore) -> None:
    assert not store.exists()
    path.write_bytes(b"")
    assert not store.exists()
    path.write_bytes(b"{")
    assert store.exists()
    path.unlink()
    path.mkdir()
    assert store.exists()


class TestFingerprint:
    def test_it_is_trusted_once_settled_and_moves_with_every_write(self, path: Path, store: JsonStore) -> None:
        path.write_text('{"a": [1]}')
        os.utime(path, (time.time() + 3600,) * 2)
        assert store.fingerprint() is None
        os.utime(path)
        first = _settled(store)
        info = path.stat()
        path.write_text('{"a": [2]}')
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (info.st_size, info.st_mtime_ns)
        assert _settled(store) != first

    def test_a_snapshot_has_it_when_nothing_changed_meanwhile(
        self, path: Path, store: JsonStore, new_sink: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path.write_text("{}")
        settled = _settled(store)
        assert store.snapshot(new_sink()).fingerprint == settled
        path.write_text("[]")
        monkeypatch.setattr(fingerprint, "SETTLED_NS", 3600 * 10**9)  # however long this machine takes
        assert store.snapshot(new_sink()).fingerprint is None

    def test_there_is_none_of_what_is_not_a_file(self, path: Path, store: JsonStore) -> None:
        assert store.fingerprint() is None
        path.mkdir()
        assert store.fingerprint() is None


def _settled(store: JsonStore) -> str:
    return wait_for(store.fingerprint) or ""


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        before = os.getcwd()
        os.chdir(path.parent)  # such names are short
        try:
            server.bind(path.name)
        finally:
            os.chdir(before)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "is a directory, not a JSON document. Set layout to file_per_collection"),
        (_fifo, "is a FIFO, not a regular file"),
        (_socket, "is a socket, not a regular file"),
        (lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3)), "is a device, not a regular file"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b" \n "), "contains only white space"),
        (lambda path: path.write_bytes(b"SQLite format 3\0"), "is not valid JSON"),
        (
            lambda path: path.write_bytes(b'{"requests": [{"id": "r-1"'),
            'at line 1, column 27 (byte 26), in key "requests"',
        ),
    ],
)
def test_what_can_not_be_backed_up(
    path: Path, store: JsonStore, memory_sink: Any, make: Callable[[Path], None], message: str
) -> None:
    try:
        make(path)
    except PermissionError:
        assert os.geteuid() != 0
        return
    if path.is_file():
        _age(path)
    with pytest.raises(SourceError) as caught:
        store.snapshot(memory_sink)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert memory_sink.files == {}


def _age(path: Path) -> None:
    """Nobody has written it for a while: what is wrong with it will not pass."""
    os.utime(path, (time.time() - 60,) * 2)


def test_a_wrong_document_that_nobody_writes_is_not_waited_for(path: Path, store: JsonStore, memory_sink: Any) -> None:
    path.write_text('{"a": ')
    _age(path)
    memory_sink.progress = Meddler()
    with pytest.raises(SourceError):
        store.snapshot(memory_sink)
    assert memory_sink.progress.phases == ["Copying", "Checking"]


def test_a_document_that_is_being_written_is_waited_for(path: Path, store: JsonStore, memory_sink: Any) -> None:
    text = json.dumps(DATA)
    path.write_text(text[:20])
    memory_sink.progress = Meddler(phase=lambda name: path.write_text(text) if name == "Checking" else None)
    snapshot = store.snapshot(memory_sink)
    assert memory_sink.progress.phases == ["Copying", "Checking", "Copying", "Checking", "Writing"]
    assert memory_sink.files["request_database.json"] == text.encode()
    assert snapshot.collections == (("templates", 2), ("requests", 3), ("machines", 0))


def test_a_document_that_never_holds_still_is_named(
    path: Path, store: JsonStore, memory_sink: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_file, "WAITS", (0.001,))
    path.write_text("[1]")

    def write() -> None:
        with path.open("r+b") as handle:
            handle.write(b"[2]")

    memory_sink.progress = Meddler(advance=write)
    with pytest.raises(SourceError, match="changed each of 2 times that it was read"):
        store.snapshot(memory_sink)
    assert memory_sink.files == {}


def test_documents_that_are_replaced_while_they_are_read_are_whole(
    path: Path, store: JsonStore, new_sink: Callable[[], Any]
) -> None:
    contents = [json.dumps({"n": [number] * 50_000}).encode() for number in range(2)]
    path.write_bytes(contents[0])
    stop = threading.Event()

    def replace() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            new = path.with_suffix(".new")
            new.write_bytes(contents[number % 2])
            new.rename(path)

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        for _round in range(3):
            sink = new_sink()
            store.snapshot(sink)
            assert sink.files["request_database.json"] in contents
    finally:
        stop.set()
        thread.join()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    ),
    options=st.sampled_from([{}, {"indent": 1}, {"ensure_ascii": False}]),
)
def test_round_trip(
    path: Path, backup_of: Callable[..., Any], restore: Callable[..., Any], value: Any, options: Any
) -> None:
    store = JsonStore(str(path), {})
    data = json.dumps(value, **options).encode()
    path.write_bytes(data)
    copy = backup_of(store)
    assert not restore(store, copy).changed
    path.unlink()
    assert restore(store, copy).changed
    assert path.read_bytes() == data
    assert backup_of(store).content_digest == copy.content_digest


class TestWholeRestore:
    def test_nothing_to_do(
        self, path: Path, store: JsonStore, backup_of: Callable[..., Any], restore: Callable[..., Any]
    ) -> None:
        path.write_text(json.dumps(DATA))
        before = attributes(path.stat())
        ready = restore(store, backup_of(store))
        assert not ready.changed
        assert ready.changes == (("templates", 2, 2), ("requests", 3, 3), ("machines", 0, 0))
        assert attributes(path.stat()) == before

    def test_counts_before_and_after(
        self, path: Path, store: JsonStore, backup_of: Callable[..., Any], restore: Callable[..., Any]
    ) -> None:
        path.write_text(json.dumps(DATA))
        copy = backup_of(store)
        path.write_text(json.dumps({"requests": [1], "templates": 3, "other": {"x": 1}}))
        ready = restore(store, copy)
        assert ready.changes == (("templates", None, 2), ("requests", 1, 3), ("machines", None, 0), ("other", 1, 0))
        assert json.loads(path.read_text()) == DATA

    def test_mode_and_owner_of_the_target_stay(
        self, path: Path, store: JsonStore, backup_of: Callable[..., Any], restore: Callable[..., Any]
    ) -> None:
        path.write_text(json.dumps(DATA))
        path.chmod(0o600)
        copy = backup_of(store)
        path.write_text("{}")
        path.chmod(0o664)
        if os.geteuid() == 0:
            os.chown(path, 12345, 54321)
        restore(store, copy)
        info = path.stat()
        assert stat.S_IMODE(info.st_mode) == 0o664
        assert os.geteuid() != 0 or (info.st_uid, info.st_gid) == (12345, 54321)

    def test_extended_attributes_of_the_target_stay(
        self, path: Path, store: JsonStore, backup_of: Callable[..., Any], restore: Callable[..., Any]
    ) -> None:
        path.write_text(json.dumps(DATA))
        copy = backup_of(store)
        path.write_text("{}")
        try:
            os.setxattr(path, "user.day2", b"kept")
        except OSError:  # not on this file system
            return
        restore(store, copy)
        assert os.getxattr(path, "user.day2") == b"kept"

    def test_a_new_file_gets_those_of_the_backup(
        self, path: Path, store: JsonStore, backup_of: Callable[..., Any], restore: Callable[..., Any]
    ) -> None:
        path.write_text(json.dumps(DATA))
        path.chmod(0o640)
        if os.geteuid() == 0:
            os.chown(path, 12345, 54321)
        copy = backup_of(store)
        path.unlink()
        ready = restore(store, copy)
        assert ready.changes == (("templates", None, 2), ("requests", None, 3), ("machines", None, 0))
        assert ready.notes == ()
        info = path.stat()
        assert stat.S_IMODE(info.st_mode) == 0o640
        assert os.geteuid() != 0 or (info.st_uid, info.st_gid) == (12345, 54321)

    def test_names_count_more_than_numbers(
        self, path: Path, store: JsonStore, backup_of: Callable[..., Any], restore: Callable[..., Any]
    ) -> None:
        path.write_text("{}")
        copy = backup_of(store)
        copy.details = {**copy.details, "uid": 4242, "gid": 4242}  # as on another host
        path.unlink()
        restore(store, copy)
        assert (path.stat().st_uid, path.stat().st_gid) == (os.geteuid(), os.getegid())

    def test_a_broken_target_is_replaced(
        self, path: Path, store: JsonStore, backup_of: Callable[..., Any], restore: Callable[..., Any]
    ) -> None:
        path.write_text(json.dumps(DATA))
        copy = backup_of(store)
        path.write_text('{"requests": [')
        ready = restore(store, copy)
        assert ready.changes[1] == ("requests", None, 3)
        assert "incomplete" in ready.notes[0]
        assert json.loads(path.read_text()) == DATA

    def test_undo(self, path: Path, store: JsonStore, backup_of: Callable[..., Any], tmp_path: Path) -> None:
        path.write_text("[1]")
        copy = backup_of(store)
        path.write_text("[2]")
        before = path.stat().st_ino
        with store.prepare(copy, (), str(tmp_path), dry=False) as ready:
            ready.apply()
            assert path.read_text() == "[1]"
            ready.undo()
            assert (path.read_text(), path.stat().st_ino) == ("[2]", before)
        _no_leftovers(store)
        path.unlink()
        with store.prepare(copy, (), str(tmp_path), dry=False) as ready:
            ready.apply()
            ready.undo()
            assert not path.exists()
        _no_leftovers(store)

    def test_leaving_without_apply_changes_nothing(
        self, path: Path, store: JsonStore, backup_of: Callable[..., Any], tmp_path: Path
    ) -> None:
        path.write_text("[1]")
        copy = backup_of(store)
        path.write_text("[2]")
        before = attributes(path.stat())
        with store.prepare(copy, (), str(tmp_path), dry=False) as ready:
            ready.undo()
        assert (path.read_text(), attributes(path.stat())) == ("[2]", before)
        _no_leftovers(store)

    def test_a_target_that_changed_meanwhile_is_left_alone(
        self, path: Path, store: JsonStore, backup_of: Callable[..., Any], tmp_path: Path
    ) -> None:
        path.write_text("[1]")
        copy = backup_of(store)
        path.write_text("[2]")
        with store.prepare(copy, (), str(tmp_path), dry=False) as ready:
            path.write_text("[3]")
            with pytest.raises(TargetError, match="was changed while its restore was prepared"):
                ready.apply()
        assert path.read_text() == "[3]"
        _no_leftovers(store)

    def test_where_names_can_not_be_exchanged(
        self,
        path: Path,
        store: JsonStore,
        backup_of: Callable[..., Any],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def refuse(first: str, second: str) -> None:
            raise OSError(errno.EINVAL, "Invalid argument", first)

        monkeypatch.setattr(files, "exchange", refuse)
        path.write_text("[1]")
        copy = backup_of(store)
        path.write_text("[2]")
        with store.prepare(copy, (), str(tmp_path), dry=False) as ready:
            ready.apply()
            assert path.read_text() == "[1]"
            ready.undo()
            assert path.read_text() == "[2]"
        _no_leftovers(store)

    @pytest.mark.parametrize("target", [None, b"[1]", b"[2]"])
    @pytest.mark.parametrize("dry", [True, False])
    @pytest.mark.parametrize("how", ["unreadable", "another digest"])
    def test_a_damaged_backup_touches_nothing(
        self,
        path: Path,
        store: JsonStore,
        backup_of: Callable[..., Any],
        tmp_path: Path,
        target: Any,
        dry: bool,
        how: str,
    ) -> None:
        path.write_text("[1]")
        copy = backup_of(store)
        path.unlink()
        if target is not None:
            path.write_bytes(target)
        if how == "unreadable":
            copy.damage("request_database.json")
        else:
            copy.files["request_database.json"] = b"[7]"
        before = _everything(path.parent)
        with pytest.raises(DamagedBackup):
            store.prepare(copy, (), str(tmp_path), dry)
        assert _everything(path.parent) == before

    def test_leftovers_are_removed_and_named(
        self, path: Path, store: JsonStore, backup_of: Callable[..., Any], tmp_path: Path
    ) -> None:
        path.write_text("[1]")
        copy = backup_of(store)
        leftover = path.parent / files.prepared_name(path.name)
        leftover.write_text("half")
        other = path.parent / files.prepared_name("other.json")
        other.write_text("another store's")
        with store.prepare(copy, (), str(tmp_path), dry=True) as ready:
            assert ready.notes == ()
        assert leftover.exists()
        with store.prepare(copy, (), str(tmp_path), dry=False) as ready:
            assert str(leftover) in ready.notes[0]
        assert not leftover.exists()
        assert other.exists()

    @pytest.mark.parametrize("make", [lambda path: path.mkdir(), _fifo])
    def test_what_is_not_a_file_is_left_alone(
        self, path: Path, store: JsonStore, backup_of: Callable[..., Any], tmp_path: Path, make: Callable[[Path], None]
    ) -> None:
        path.write_text("[1]")
        copy = backup_of(store)
        path.unlink()
        make(path)
        with pytest.raises(TargetError, match="not a JSON document"):
            store.prepare(copy, (), str(tmp_path), dry=False)

    def test_a_missing_directory(self, path: Path, backup_of: Callable[..., Any], tmp_path: Path) -> None:
        path.write_text("[1]")
        copy = backup_of(JsonStore(str(path), {}))
        with pytest.raises(TargetError, match="does not exist"):
            JsonStore(str(tmp_path / "missing" / "x.json"), {}).prepare(copy, (), str(tmp_path), dry=True)

    def test_another_layout_is_refused(self, path: Path, store: JsonStore, backup_of: Callable[..., Any]) -> None:
        path.write_text("[1]")
        copy = backup_of(store)
        other = JsonStore(str(path.parent / "x"), {"layout": "file_per_record"})
        with pytest.raises(InvalidRequest, match="Set layout of the target to single_file"):
            other.prepare(copy, (), str(path.parent), dry=True)


def test_a_copy_made_by_hand(
    path: Path,
    store: JsonStore,
    new_sink: Callable[[], Any],
    reader_of: Callable[[bytes], Any],
    copy_of: Callable[..., Any],
    restore: Callable[..., Any],
) -> None:
    data = json.dumps(DATA).encode()
    sink = new_sink()
    snapshot = store.convert(reader_of(data), "backup_20250630.json", sink)
    assert sink.files == {"request_database.json": data}
    assert snapshot.collections == (("templates", 2), ("requests", 3), ("machines", 0))
    assert snapshot.fingerprint is None
    assert "uid" not in snapshot.details
    restore(store, copy_of(sink, snapshot))
    assert path.read_bytes() == data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(SourceError, match="backup_20250630.json is incomplete"):
        store.convert(reader_of(data[:-1]), "backup_20250630.json", new_sink())


class TestSplice:
    @pytest.mark.parametrize(
        ("target", "only", "expected", "changes"),
        [
            # only the value's bytes are taken, whatever the format
            ('{"b" :[9],\n  "c":0 }', ("b",), '{"b" :[1, 2],\n  "c":0 }', (("b", 1, 2),)),
            # missing: with the white space that stands before the last key
            ('{\n  "z": 1\n}\n', ("a",), '{\n  "z": 1,\n  "a": {"x": null}\n}\n', (("a", None, 1),)),
            ("{}", ("a",), '{"a": {"x": null}}', (("a", None, 1),)),
            ("{\n}", ("b", "a"), '{"a": {"x": null}, "b": [1, 2]\n}', (("b", None, 2), ("a", None, 1))),
            # a last value that is replaced, and two that come behind it
            ('{"c":{}}', ("a", "b", "c"), '{"c":{"é\\n\\"": []},"a": {"x": null},"b": [1, 2]}', None),
            # what was no collection becomes one
            ('{"b": "text"}', ("b",), '{"b": [1, 2]}', (("b", None, 2),)),
            # of equal keys the last counts
            ('{"b": [], "b": [3]}', ("b",), '{"b": [], "b": [1, 2]}', (("b", 1, 2),)),
            ('\ufeff{"b": []}', ("b",), '\ufeff{"b": [1, 2]}', (("b", 0, 2),)),
        ],
    )
    def test_bytes(
        self,
        path: Path,
        store: JsonStore,
        backup_of: Callable[..., Any],
        restore: Callable[..., Any],
        target: str,
        only: tuple[str, ...],
        expected: str,
        changes: Any,
    ) -> None:
        path.write_text('{"v": 1, "a": {"x": null},\n\n"b": [1, 2], "c": {"é\\n\\"": []}}')
        copy = backup_of(store)
        path.write_text(target)
        path.chmod(0o640)
        ready = restore(store, copy, only)
        assert path.read_text() == expected
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert ready.changed
        assert changes is None or ready.changes == changes
        assert not restore(store, copy, only).changed

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_it_means_the_same_as_replacing_keys(
        self, path: Path, backup_of: Callable[..., Any], restore: Callable[..., Any], data: Any
    ) -> None:
        names = st.sampled_from(["a", "é", 'q"', "sp ace", "new\nline", "\0", "items"])
        scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
        values = st.recursive(
            scalars,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=6,
        )
        formats = st.sampled_from(
            [{}, {"indent": 2}, {"ensure_ascii": False}, {"separators": (",", ":"), "indent": "\t"}]
        )
        documents = st.dictionaries(names, values, max_size=5)
        there, here = data.draw(documents), data.draw(documents)
        collections = [name for name, value in there.items() if isinstance(value, (list, dict))]
        only = tuple(data.draw(st.lists(st.sampled_from(collections), unique=True, min_size=1))) if collections else ()
        store = JsonStore(str(path), {})
        path.write_bytes(json.dumps(there, **data.draw(formats)).encode())
        copy = backup_of(store)
        path.write_bytes(json.dumps(here, **data.draw(formats)).encode())
        if not only:
            with pytest.raises(InvalidRequest):
                store.prepare(copy, ("a",), str(path.parent), dry=True)
            return
        restore(store, copy, only)
        expected = {**here, **{name: there[name] for name in only}}
        assert json.loads(path.read_bytes()) == expected
        assert not restore(store, copy, only).changed

    def test_a_list_is_spliced_as_a_whole(
        self, path: Path, tmp_path: Path, store: JsonStore, backup_of: Callable[..., Any], restore: Callable[..., Any]
    ) -> None:
        path.write_text("[1, 2, 3]")
        copy = backup_of(store)
        moved = JsonStore(str(tmp_path / "other.json"), {})
        Path(moved.path).write_text(" [4] \n")
        ready = restore(moved, copy, ("request_database",))
        assert Path(moved.path).read_text() == " [1, 2, 3] \n"
        assert ready.changes == (("request_database", 1, 3),)

    def test_an_unknown_name_is_refused_with_those_there_are(
        self, path: Path, store: JsonStore, backup_of: Callable[..., Any], tmp_path: Path
    ) -> None:
        path.write_text(json.dumps(DATA))
        copy = backup_of(store)
        for name in ("template", "version"):
            with pytest.raises(InvalidRequest) as caught:
                store.prepare(copy, ("requests", name), str(tmp_path), dry=True)
            assert str(caught.value) == (
                f"The backup has no collection {name}. Its collections are: templates, requests, machines."
            )

    @pytest.mark.parametrize(
        ("target", "message"),
        [
            (None, "request_database.json does not exist, so that requests can't be restored into it"),
            ("", "Can't restore only requests: .* is empty"),
            ('{"requests": [1', 'incomplete.* in key "requests"'),
            ("[1, 2]", "structured differently"),
            ("null", "structured differently"),
        ],
    )
    def test_targets_that_nothing_can_be_spliced_into(
        self,
        path: Path,
        store: JsonStore,
        backup_of: Callable[..., Any],
        tmp_path: Path,
        target: Any,
        message: str,
    ) -> None:
        path.write_text(json.dumps(DATA))
        copy = backup_of(store)
        path.unlink()
        if target is not None:
            path.write_text(target)
        before = _everything(path.parent)
        for dry in (True, False):
            with pytest.raises(TargetError, match=message):
                store.prepare(copy, ("requests",), str(tmp_path), dry)
        assert _everything(path.parent) == before

    def test_a_document_with_many_keys_is_spliced_as_a_whole(
        self,
        path: Path,
        store: JsonStore,
        backup_of: Callable[..., Any],
        restore: Callable[..., Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(json_stream, "MOST_NAMES", 2)
        path.write_text('{"a": [], "b": [], "c": []}')
        copy = backup_of(store)
        assert copy.collections == (("request_database", 3),)
        path.write_text('{"a": [], "b": [], "c": [], "d": []}\n')
        ready = restore(store, copy, ("request_database",))
        assert path.read_text() == '{"a": [], "b": [], "c": []}\n'
        assert ready.changes == (("request_database", 4, 3),)

    def test_a_damaged_backup_touches_nothing(
        self, path: Path, store: JsonStore, backup_of: Callable[..., Any], tmp_path: Path
    ) -> None:
        path.write_text('{"a": [1]}')
        copy = backup_of(store)
        copy.damage("request_database.json")
        path.write_text('{"a": [2]}')
        before = _everything(path.parent)
        with pytest.raises(DamagedBackup):
            store.prepare(copy, ("a",), str(tmp_path), dry=False)
        assert _everything(path.parent) == before
