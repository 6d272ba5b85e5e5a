# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes that a target can't take: a warning, an error with strict, and no difference ever after."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import TargetError
from ansible_collections.day2.ops.plugins.module_utils._stores.files import attributes as tree_attributes
from ansible_collections.day2.ops.plugins.module_utils._stores.files.attributes import Attributes, Target
from ansible_collections.day2.ops.plugins.module_utils._stores.files.index import Entry
from ansible_collections.day2.ops.plugins.module_utils._stores.files.store import FilesStore

CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)  # cap_net_bind_service+ep


def tar_with(xattrs: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(mode="w", fileobj=out, format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("file")
        info.size, info.mtime = 4, 1_700_000_000
        info.pax_headers = {f"SCHILY.xattr.{name}": value for name, value in xattrs.items()}
        archive.addfile(info, io.BytesIO(b"text"))
    return out.getvalue()


@pytest.fixture
def imported(tmp_path: Path, new_sink: Any, copy_of: Any, reader_of: Any) -> Callable[[dict[str, str]], Any]:
    def make(xattrs: dict[str, str]) -> Any:
        sink = new_sink()
        return copy_of(sink, FilesStore("/app", {}).convert(reader_of(tar_with(xattrs)), "app.tar", sink))

    return make


@pytest.fixture
def restore(tmp_path: Path) -> Callable[..., Any]:
    count = [0]

    def run(copy: Any, path: Path, dry: bool = False) -> Any:
        count[0] += 1
        (tmp_path / f"restore-{count[0]}").mkdir()
        scratch = str(tmp_path / f"restore-{count[0]}")
        with FilesStore(str(path), {}).prepare(copy, (), scratch, dry) as restoration:
            if restoration.changed and not dry:
                restoration.apply()
        assert not [name for name in os.listdir(path.parent) if name.startswith(".day2-")]
        return restoration

    return run


@pytest.fixture
def ext4(tmp_path: Path) -> Iterator[Path]:
    """A file system that keeps attributes within one block of 4 KiB."""
    image, mount = tmp_path / "image", tmp_path / "ext4"
    mount.mkdir()
    with open(image, "wb") as handle:
        handle.truncate(8 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-b", "4096", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(mount)], check=True)
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def test_an_attribute_that_is_too_large(ext4: Path, imported: Any, restore: Any) -> None:
    copy = imported({"user.large": "x" * 6000, "user.small": "y"})
    target = ext4 / "target"
    predicted = restore(copy, target, dry=True)
    assert predicted.changed
    done = restore(copy, target)
    assert done.changed
    assert predicted.notes == done.notes == ("Not restored: user.large of file (No space left on device).",)
    assert os.listxattr(target / "file") == ["user.small"]
    # what it has is all that it can have
    again = restore(copy, target)
    assert (again.changed, again.notes) == (False, ())
    os.setxattr(target / "file", "user.small", b"z")
    assert restore(copy, target).changed
    copy.strict = True
    for dry in (True, False):
        with pytest.raises(TargetError, match=r"Can't restore user.large of file: No space left"):
            restore(copy, ext4 / "strict", dry=dry)
    assert not (ext4 / "strict").exists()


def test_other_errors_are_errors(tmp_path: Path) -> None:
    attributes = Attributes(True)
    with open(tmp_path / "file", "wb") as handle:
        fd = handle.fileno()
    with pytest.raises(OSError, match="Bad file descriptor"):
        attributes.set(fd, Entry(b"file", "file", 0o600, 0, 0, "", "", 0))
    assert attributes.refused == []


def test_owners_that_do_not_exist_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without privileges to give files away, as root in a container has none."""
    calls = []

    def fchown(fd: int, uid: int, gid: int) -> None:
        calls.append(fd)
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "fchown", fchown)
    target = Target(str(tmp_path), privileged=True, strict=False)
    entries = [Entry(b"file%d" % number, "file", 0o640, 7_000_000, 0, "", "", 0) for number in range(12)]
    seen = [target.look(entry) for entry in entries]
    assert {(one.uid, one.gid, one.mode) for one in seen} == {(os.geteuid(), os.getegid(), 0o640)}
    assert len(calls) == 1  # one trial for all that are alike
    (note,) = target.notes()
    assert "owner of file0, owner of file1" in note
    assert "and 2 more (Invalid argument)" in note
    with pytest.raises(TargetError, match="owner of file0"):
        Target(str(tmp_path), privileged=True, strict=True).look(entries[0])


def test_where_no_trial_is_possible_everything_is_expected_to_work(tmp_path: Path) -> None:
    entry = Entry(b"file", "file", 0o640, 0, 0, "", "", 0, xattrs=((b"user.a", b"1"),))
    assert Target(str(tmp_path / "missing"), privileged=True, strict=True).look(entry) == entry


def test_capabilities_come_back(tmp_path: Path, new_sink: Any, copy_of: Any, restore: Any) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "server").write_text("#!")
    os.setxattr(tmp_path / "source" / "server", "security.capability", CAPABILITY)
    sink = new_sink()
    copy = copy_of(sink, FilesStore(str(tmp_path / "source"), {}).snapshot(sink))
    restored = restore(copy, tmp_path / "target")
    assert (os.getxattr(tmp_path / "target" / "server", "security.capability"), restored.notes) == (CAPABILITY, ())
    unprivileged = Target(str(tmp_path), privileged=False, strict=False)
    entry = Entry(b"server", "file", 0o755, os.geteuid(), 0, "", "", 0, xattrs=((b"security.capability", CAPABILITY),))
    assert unprivileged.look(entry).xattrs == ()
    assert unprivileged.notes() == ["Not restored: capabilities of server (only root is permitted to)."]
    with pytest.raises(TargetError, match="capabilities of server"):
        Target(str(tmp_path), privileged=False, strict=True).look(entry)


def test_what_only_some_can_see_is_not_kept(tmp_path: Path, new_sink: Any) -> None:
    """A sandboxed run and one of root's would each write a new backup in turn."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("x")
    sink = new_sink()
    before = FilesStore(str(source), {}).snapshot(sink)
    for path in (source, source / "file"):
        os.setxattr(path, "trusted.note", b"1")
    after = FilesStore(str(source), {}).snapshot(new_sink())
    assert after.content_digest == before.content_digest
    recorded = Entry(b"file", "file", 0o644, 0, 0, "root", "root", 0, xattrs=((b"trusted.note", b"1"),))
    assert tree_attributes.as_here(recorded, True).xattrs == ()  # of backups that have it
