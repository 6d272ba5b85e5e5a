# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import secure_directory
from ansible_collections.day2.ops.plugins.module_utils._core.errors import LockTimeout, SourceError, TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.secure_directory import SecureDirectory, copy_attributes


def test_a_link_in_a_private_directory_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_text("1")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "absolute").symlink_to(tmp_path / "link")
    (tmp_path / "-strange").symlink_to("link")
    (tmp_path / "..strange").symlink_to("-strange")
    for name in ("link", "absolute", "-strange", "..strange"):
        with SecureDirectory(str(tmp_path / name)) as directory:
            assert directory.names() == ["a"]
    with SecureDirectory(str(tmp_path / "real" / ".." / "real" / ".")) as directory:
        assert directory.names() == ["a"]


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770])
def test_a_link_that_others_could_place_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "link").symlink_to(tmp_path / "real")
    (tmp_path / "open").chmod(mode)
    with pytest.raises(SourceError, match="link is a symbolic link in a directory that other users can write"):
        SecureDirectory(str(tmp_path / "open" / "link"), SourceError)


def test_a_directory_of_somebody_else_counts_as_writable_by_others(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o755)
    with SecureDirectory(str(tmp_path / "theirs")) as directory:
        assert not directory.others_write
    os.chown(tmp_path / "theirs", 65534, 65534)
    with SecureDirectory(str(tmp_path / "theirs")) as directory:
        assert directory.others_write
        assert not directory.all_write


def test_circles_and_missing_directories_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(TargetError, match="too many symbolic links"):
        SecureDirectory(str(tmp_path / "a"))
    with pytest.raises(TargetError, match=r"Can't open the directory .*/missing: No such file"):
        SecureDirectory(str(tmp_path / "missing"))
    (tmp_path / "file").write_text("")
    with pytest.raises(TargetError, match="Not a directory"):
        SecureDirectory(str(tmp_path / "file"))


def test_it_stays_the_directory_that_was_opened(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "etc").mkdir()
    for place in ("logs", "etc"):
        (tmp_path / place / "passwd").write_text(place)
    with SecureDirectory(str(tmp_path / "logs")) as directory:
        (tmp_path / "logs").rename(tmp_path / "moved")
        (tmp_path / "logs").symlink_to("etc")
        directory.rename("passwd", "passwd.1")
        os.close(directory.create("passwd"))
        directory.unlink("passwd.1")
    assert (tmp_path / "etc" / "passwd").read_text() == "etc"
    assert os.listdir(tmp_path / "etc") == ["passwd"]
    assert os.listdir(tmp_path / "moved") == ["passwd"]


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "file").write_text("x")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "socket"))
    with server, SecureDirectory(str(tmp_path)) as directory:
        os.close(directory.open_file("file"))
        for name, word in (("directory", "a directory"), ("fifo", "a FIFO"), ("link", "a symbolic link")):
            with pytest.raises(TargetError, match=word):
                directory.open_file(name)
        with pytest.raises(TargetError, match="a socket"):
            directory.check_regular("socket", directory.stat("socket"))
        with pytest.raises(OSError, match="No such device"):
            directory.open_file("socket")


def test_a_second_name_counts_only_where_others_write(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    os.link(tmp_path / "a", tmp_path / "b")
    with SecureDirectory(str(tmp_path)) as directory:
        os.close(directory.open_file("a"))
    tmp_path.chmod(0o777)
    with SecureDirectory(str(tmp_path)) as directory, pytest.raises(TargetError, match="has 2 hard links"):
        directory.open_file("a")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    (tmp_path / "other").mkdir()
    with SecureDirectory(str(tmp_path)) as directory, SecureDirectory(str(tmp_path / "other")) as other:
        with pytest.raises(FileExistsError):
            directory.rename("a", "b")
        with pytest.raises(FileExistsError):
            directory.create("b")
        directory.rename("a", "a", other)
        with pytest.raises(FileNotFoundError):
            directory.rename("a", "a", other)
    assert (tmp_path / "other" / "a").read_text() == "a"
    assert (tmp_path / "b").read_text() == "b"


def test_what_was_put_in_its_place_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    with SecureDirectory(str(tmp_path)) as directory:
        info = directory.stat("a")
        (tmp_path / "new").write_text("b")
        (tmp_path / "new").rename(tmp_path / "a")
        with pytest.raises(FileExistsError):
            directory.unlink("a", only=info)
        directory.unlink("a", only=directory.stat("a"))
        directory.unlink("a")
    assert os.listdir(tmp_path) == []


def test_only_one_run_at_a_time(tmp_path: Path) -> None:
    with SecureDirectory(str(tmp_path)) as first:
        first.lock(0)
        with SecureDirectory(str(tmp_path)) as second, pytest.raises(LockTimeout, match="Another run is working in"):
            second.lock(0.1)
    with SecureDirectory(str(tmp_path)) as third:
        third.lock(0)


def test_who_can_read_a_directory_can_not_keep_a_run_out(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with SecureDirectory(str(tmp_path)) as directory:
        directory.lock(0)
    os.close(fd)


def test_attributes_are_carried_over(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for path in (source, target):
        path.write_text("x")
    os.chown(source, 65534, 65533)
    source.chmod(0o4640)
    os.setxattr(source, "user.comment", b"kept")
    os.utime(source, ns=(10**18, 10**18 + 1))
    with open(source) as one, open(target) as other:
        assert copy_attributes(one.fileno(), other.fileno(), os.stat(source)) == []
    info = target.stat()
    assert (info.st_uid, info.st_gid, info.st_mode & 0o7777) == (65534, 65533, 0o640)
    assert info.st_mtime_ns == 10**18 + 1
    assert os.getxattr(target, "user.comment") == b"kept"


def test_without_the_system_call_a_link_is_renamed_and_what_is_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_arguments: Any) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(secure_directory, "renameat2", missing)
    (tmp_path / "content").write_text("content")
    (tmp_path / "link").symlink_to("content")
    with SecureDirectory(str(tmp_path)) as directory:
        directory.rename("link", "moved")
        with pytest.raises(FileExistsError):
            directory.rename("content", "moved")
    assert os.readlink(tmp_path / "moved") == "content"
    assert sorted(os.listdir(tmp_path)) == ["content", "moved"]


def test_where_attributes_are_not_supported_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(_path: Any) -> list[str]:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "listxattr", unsupported)
    with open(tmp_path / "a", "w+") as one, open(tmp_path / "b", "w+") as other:
        assert copy_attributes(one.fileno(), other.fileno(), os.fstat(one.fileno())) == []
