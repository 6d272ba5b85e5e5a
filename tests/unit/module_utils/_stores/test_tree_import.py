# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking over tar files that somebody made by hand, or made to do harm."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import SourceError, TargetError
from ansible_collections.day2.ops.plugins.module_utils._stores.files.archive import ArchiveWriter, sparse_map
from ansible_collections.day2.ops.plugins.module_utils._stores.files.index import Entry
from ansible_collections.day2.ops.plugins.module_utils._stores.files.store import FilesStore

Member = tuple[str, bytes, dict[str, Any]]  # name, content, attributes of its TarInfo


def tar_of(*members: Member, form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content, attributes in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mtime = 1_700_000_000
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.fixture
def imported(new_sink: Any, reader_of: Any, copy_of: Any, tmp_path: Path) -> Callable[..., Any]:
    """`imported(data, **options)`: the copy that a tar file became."""

    def run(data: bytes, **options: Any) -> Any:
        sink = new_sink()
        snapshot = FilesStore(str(tmp_path / "app"), options).convert(reader_of(data), "by hand.tar", sink)
        copy = copy_of(sink, snapshot)
        copy.notes = snapshot.notes
        return copy

    return run


def listing(copy: Any) -> dict[str, str]:
    lines = [json.loads(line) for line in copy.files["app.index.jsonl"].splitlines()]
    return {line["path"]: line["type"] for line in lines}


def restored(copy: Any, tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    with FilesStore(str(tmp_path / "app"), {}).prepare(copy, (), str(tmp_path / "scratch"), False) as restoration:
        restoration.apply()
    return tmp_path / "app"


@pytest.mark.parametrize("form", ["gnu", "posix", "ustar", "oldgnu"])
def test_what_gnu_tar_wrote(tmp_path: Path, imported: Any, form: str) -> None:
    source = tmp_path / "config"
    (source / "sub").mkdir(parents=True)
    long = "n" * (90 if form == "ustar" else 200)
    (source / "sub" / long).write_text("long")
    (source / "b").write_text("b" * 100_000)
    os.link(source / "b", source / "a")
    os.symlink("sub/../b", source / "link")
    with open(source / "sparse", "wb") as handle:
        handle.truncate(10_000_000)
        handle.seek(5_000_000)
        handle.write(b"island")
    os.utime(source / "b", ns=(0, 1_700_000_000_123_456_789))
    os.mkfifo(source / "fifo")
    if form == "posix":
        os.setxattr(source / "b", "user.x", b"\xff=\n")
    options = ["--sparse"] if form in ("gnu", "posix", "oldgnu") else []
    command = [
        "tar",
        "--format",
        form,
        "--xattrs" if form == "posix" else "--no-xattrs",
        *options,
        "-cf",
        "-",
        "config",
    ]
    data = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    target = restored(imported(data), tmp_path) / "config"
    assert (target / "sub" / long).read_text() == "long"
    assert (target / "a").samefile(target / "b")
    assert (target / "b").read_text() == "b" * 100_000
    assert os.readlink(target / "link") == "sub/../b"
    assert (target / "sparse").read_bytes() == (source / "sparse").read_bytes()
    assert (target / "fifo").is_fifo()
    exact = form == "posix"
    assert (target / "b").stat().st_mtime_ns == 1_700_000_000_123_456_789 - (0 if exact else 123_456_789)
    if options:
        assert (target / "sparse").stat().st_blocks * 512 < 1_000_000
    if exact:
        assert os.getxattr(target / "b", "user.x") == b"\xff=\n"


def test_names_stay_and_missing_directories_are_made(imported: Any) -> None:
    copy = imported(tar_of(("./config/z", b"z", {}), ("config/a/b/c", b"c", {}), ("b", b"", {})))
    assert listing(copy) == {
        ".": "directory", "b": "file", "config": "directory", "config/a": "directory", "config/a/b": "directory",
        "config/a/b/c": "file", "config/z": "file",
    }  # fmt: skip
    assert [(one.name, one.records) for one in copy.collections][:2] == [("files", 3), ("directories", 3)]


def test_equal_to_a_snapshot_of_what_tar_extracts(tmp_path: Path, imported: Any, new_sink: Any) -> None:
    source = tmp_path / "app"
    (source / "d").mkdir(parents=True)
    (source / "d" / "f").write_text("x")
    data = subprocess.run(
        ["tar", "--format=posix", "-cf", "-", "."], cwd=source, capture_output=True, check=True
    ).stdout
    copy = imported(data)
    sink = new_sink()
    assert FilesStore(str(source), {}).snapshot(sink).content_digest == copy.content_digest
    assert sink.files == copy.files


def test_the_last_of_a_name_counts(tmp_path: Path, imported: Any) -> None:
    data = tar_of(
        ("a", b"first", {}),
        ("hard", b"", {"type": tarfile.LNKTYPE, "linkname": "a"}),
        ("a", b"second", {}),
        ("d", b"", {"type": tarfile.DIRTYPE}),
        ("d", b"now a file", {}),
    )
    target = restored(imported(data), tmp_path)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {
        "a": b"second", "hard": b"first", "d": b"now a file",
    }  # fmt: skip


def test_selection_holds_for_imports_too(imported: Any) -> None:
    data = tar_of(("conf/a.yml", b"", {}), ("conf/x.log", b"", {}), ("logs/y.log", b"", {}), ("other/z", b"", {}))
    copy = imported(data, exclude=["*.log"])
    assert sorted(listing(copy)) == [".", "conf", "conf/a.yml", "logs", "other", "other/z"]
    assert copy.notes == ("Left out by include and exclude: 2 entries.",)
    copy = imported(data, include=["*.yml"])
    assert sorted(listing(copy)) == [".", "conf", "conf/a.yml"]
    assert copy.details["include"] == ["*.yml"]
    with pytest.raises(SourceError, match="contains no entry that include and exclude select"):
        imported(data, include=["nothing"])


LINK = {"type": tarfile.SYMTYPE}
HARD = {"type": tarfile.LNKTYPE}


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("/etc/passwd", b"x", {})], "is outside of the store"),
        ([("../x", b"x", {})], "is outside of the store"),
        ([("a/../../x", b"x", {})], "is outside of the store"),
        ([("a/./b", b"x", {})], "is outside of the store"),
        ([("l", b"", {**LINK, "linkname": "/etc"})], "leads out of the tree to /etc"),
        ([("a/l", b"", {**LINK, "linkname": "../../x"})], "out of the tree"),
        ([("l", b"", {**LINK, "linkname": ".."})], "out of the tree"),
        ([("l", b"", {**LINK, "linkname": "d"}), ("l/x", b"x", {})], "is not in a directory"),
        ([("f", b"", {}), ("f/x", b"x", {})], "is not in a directory"),
        ([("f/x", b"x", {}), ("f", b"", {})], "is not in a directory"),
        ([("h", b"", {**HARD, "linkname": "/etc/passwd"})], "not an earlier file"),
        ([("h", b"", {**HARD, "linkname": "../x"})], "not an earlier file"),
        ([("h", b"", {**HARD, "linkname": "later"}), ("later", b"", {})], "not an earlier file"),
        ([("d", b"", {"type": tarfile.DIRTYPE}), ("h", b"", {**HARD, "linkname": "d"})], "not an earlier file"),
        ([("n", b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3})], "is a device"),
        ([("n", b"", {"type": tarfile.BLKTYPE})], "is a device"),
        ([("n", b"", {"type": b"M"})], "of unknown type"),
        ([("a", b"", {"pax_headers": {"mtime": "never"}})], "can't be imported"),
        ([("a", b"", {"pax_headers": {"mtime": "1e99999"}})], "can't be imported"),
        ([("a", b"", {"pax_headers": {"uid": "-5"}})], "can't be imported"),
        ([("a", b"", {"pax_headers": {"comment": "x" * 2_000_000}})], "a header of"),
        ([("a", b"", {"pax_headers": {"mtime": "1e999999999"}})], "can't be imported"),
        ([("a", b"", {"pax_headers": {"size": "-10240"}})], "backwards|can't be imported|is empty"),
        ([("", b"x", {})], "is outside of the store"),
        ([], "is empty"),
    ],
)
def test_hostile_archives(imported: Any, members: list[Member], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        imported(tar_of(*members))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a tar file" * 1000,
        tar_of(("a", b"x" * 5000, {}), ("b", b"x", {}))[:3000],
        tar_of(("a", b"x" * 512, {}), ("b", b"x", {}))[:1024],
        tar_of(("a", b"x" * 512, {}))[:1024] + b"?" * 512 + tar_of(("b", b"x", {})),
    ],
)
def test_what_is_no_whole_tar_file(imported: Any, data: bytes) -> None:
    with pytest.raises(SourceError, match="by hand.tar"):
        imported(data)


def test_nothing_is_left_in_the_sink_after_an_error(new_sink: Any, reader_of: Any, tmp_path: Path) -> None:
    sink: Optional[Any] = new_sink()
    assert sink is not None
    with pytest.raises(SourceError):
        FilesStore(str(tmp_path / "app"), {}).convert(reader_of(tar_of(("../x", b"", {}))), "x.tar", sink)
    assert sink.files == {}


@pytest.mark.parametrize("size", [1 << 40, 1 << 50])
def test_a_file_that_claims_to_be_huge(tmp_path: Path, imported: Any, size: int) -> None:
    """Its holes are neither read nor hashed, and a disk that can't hold it says so."""
    made = Entry(b"huge", "file", 0o644, 0, 0, "root", "root", 0, size=size)
    chart = sparse_map([(size - 512, 512)], size)
    out = io.BytesIO()
    archive = ArchiveWriter(out)
    archive.begin(made, len(chart) + 512)
    archive.put(chart + b"x" * 512)
    archive.finish()
    copy = imported(out.getvalue())
    assert listing(copy)["huge"] == "file"
    if size == 1 << 40:
        assert (restored(copy, tmp_path) / "huge").stat().st_size == size
    else:
        with pytest.raises(TargetError, match=r"Can't restore huge: File too large"):
            restored(copy, tmp_path)


def test_a_file_that_has_less_than_it_claims(imported: Any) -> None:
    data = bytearray(tar_of(("a", b"text", {})))
    out = io.BytesIO()
    archive = ArchiveWriter(out)
    archive.begin(Entry(b"huge", "file", 0o644, 0, 0, "root", "root", 0, size=1 << 50))
    archive.put(b"x" * 1024)
    archive.finish()
    for wrong in (out.getvalue(), out.getvalue() + bytes(data)):
        with pytest.raises(SourceError, match="by hand.tar can't be imported"):
            imported(wrong)
