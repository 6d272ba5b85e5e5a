# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive: its headers, and that reading it back notices everything."""

from __future__ import annotations

import hashlib
import io
import tarfile
from typing import Any, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._stores.files.archive import (
    ArchiveReader,
    ArchiveWriter,
    header,
    sparse_map,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.files.index import (
    CHARACTER_DEVICE,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SYMLINK,
    Entry,
)

PLAIN = Entry(b"a/file", FILE, 0o644, 1000, 100, "user", "group", 1_700_000_000_123_456_789, 5)


def archive_of(*members: tuple[Entry, bytes]) -> bytes:
    out = io.BytesIO()
    writer = ArchiveWriter(out)
    for entry, content in members:
        writer.begin(entry)
        writer.put(content)
        writer.pad(len(content))
    writer.finish()
    return out.getvalue()


def sparse_archive(entry: Entry, segments: list[tuple[int, int]], content: bytes) -> bytes:
    out = io.BytesIO()
    writer = ArchiveWriter(out)
    chart = sparse_map(segments, entry.size)
    writer.begin(entry, len(chart) + len(content))
    writer.put(chart)
    writer.put(content)
    writer.pad(len(chart) + len(content))
    writer.finish()
    return out.getvalue()


def read_back(data: bytes, *entries: Entry) -> list[list[tuple[int, bytes]]]:
    reader = ArchiveReader(io.BytesIO(data))
    contents = [list(reader.begin(entry)) for entry in entries]
    reader.finish()
    return contents


NAMES = st.binary(min_size=1, max_size=300).filter(lambda name: b"\0" not in name).map(lambda n: n.replace(b"/", b"+"))


@settings(max_examples=100)
@given(
    entry=st.builds(
        Entry,
        path=st.lists(NAMES, min_size=1, max_size=3).map(b"/".join),
        kind=st.sampled_from([FILE, SYMLINK, HARDLINK, FIFO, CHARACTER_DEVICE]),
        mode=st.integers(0, 0o7777),
        uid=st.integers(0, 2**32 - 2),
        gid=st.integers(0, 2**32 - 2),
        user=st.text(st.characters(min_codepoint=33, exclude_categories=["Cs"]), max_size=40),
        group=st.sampled_from(["", "g" * 31, "g" * 32, "ü" * 20]),
        mtime_ns=st.integers(-(2**60), 2**60),
        size=st.just(0),
        sha256=st.just(""),
        superseded=st.just(False),
        target=NAMES,
        device=st.tuples(st.integers(0, 4095), st.integers(0, 2**20)),
        xattrs=st.dictionaries(st.sampled_from([b"user.a", b"user.=%", b"user.\xff"]), st.binary(max_size=600)).map(
            lambda found: tuple(sorted(found.items()))
        ),
    )
)
def test_another_program_reads_the_headers(entry: Entry) -> None:
    data = archive_of((entry, b""))
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as archive:
        (member,) = archive.getmembers()
    assert member.name.encode("utf-8", "surrogateescape") == entry.path.rstrip(b"/")
    assert (member.mode, member.uid, member.gid) == (entry.mode, entry.uid, entry.gid)
    assert (member.uname, member.gname) == (entry.user, entry.group)
    seconds, dummy, fraction = member.pax_headers["mtime"].partition(".")
    sign = -1 if seconds.startswith("-") else 1
    assert sign * (abs(int(seconds)) * 10**9 + int(fraction)) == entry.mtime_ns
    if entry.kind in (SYMLINK, HARDLINK):
        assert member.linkname.encode("utf-8", "surrogateescape") == entry.target
    if entry.kind == CHARACTER_DEVICE:
        assert (member.devmajor, member.devminor) == entry.device
    found = {key: value for key, value in member.pax_headers.items() if key.startswith("SCHILY.xattr.")}
    assert len(found) == len(entry.xattrs)
    assert [value.encode("utf-8", "surrogateescape") for value in found.values()] == [v for _name, v in entry.xattrs]
    assert read_back(data, entry) == [[]]


def test_records_tell_their_length() -> None:
    for length in [*range(60, 110), *range(940, 1010)]:
        data = archive_of((PLAIN._replace(size=0, xattrs=((b"user.a", b"x" * length),)), b""))
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            assert archive.getmembers()[0].pax_headers["SCHILY.xattr.user.a"] == "x" * length


def test_the_bytes_of_version_1_never_change() -> None:
    members = [
        PLAIN._replace(path=b"", kind=DIRECTORY, size=0),
        PLAIN,
        PLAIN._replace(path=b"x" * 120 + b"/\xff", uid=2**31, user="u" * 40, mtime_ns=-1, xattrs=((b"user.a", b"b"),)),
        PLAIN._replace(path=b"l", kind=SYMLINK, size=0, target=b"t" * 101),
        PLAIN._replace(path=b"h", kind=HARDLINK, size=0, target=b"a/file"),
        PLAIN._replace(path=b"n", kind=CHARACTER_DEVICE, size=0, device=(1, 3)),
    ]
    data = archive_of(*((one, b"hello"[: one.size]) for one in members))
    data += header(PLAIN._replace(size=2**40)) + header(PLAIN._replace(size=2**40), 2**34)
    data += sparse_archive(PLAIN._replace(size=100_000), [(4096, 3), (8192, 2)], b"abcde")
    assert hashlib.sha256(data).hexdigest() == "552d8abbeba55d5c33e8dd35f3eb0494bcc6021678e8fc94f252236ee4aba597"


def test_content_and_holes_come_back() -> None:
    sparse = PLAIN._replace(path=b"s", size=1_000_000)
    assert read_back(archive_of((PLAIN, b"hello"), (PLAIN, b"world")), PLAIN, PLAIN) == [
        [(0, b"hello")],
        [(0, b"world")],
    ]
    assert read_back(sparse_archive(sparse, [(0, 3), (4096, 2)], b"abcde"), sparse) == [[(0, b"abc"), (4096, b"de")]]
    assert read_back(sparse_archive(sparse, [(999_998, 2)], b"xy"), sparse) == [[(999_998, b"xy")]]
    assert read_back(sparse_archive(sparse, [], b""), sparse) == [[]]
    many = [(offset, 1) for offset in range(0, 100_000, 10)]
    assert read_back(sparse_archive(sparse, many, bytes(10_000)), sparse) == [
        [(offset, b"\0") for offset, _one in many]
    ]


def test_every_bit_counts() -> None:
    sparse = PLAIN._replace(path=b"s", size=100_000)
    data = archive_of((PLAIN, b"hello"))[:-1024] + sparse_archive(sparse, [(4096, 3)], b"abc")
    good = [[(0, b"hello")], [(4096, b"abc")]]
    assert read_back(data, PLAIN, sparse) == good
    for offset in range(len(data)):
        flipped = bytearray(data)
        flipped[offset] ^= 1 << offset % 8
        contents: Optional[Any] = None
        try:
            contents = read_back(bytes(flipped), PLAIN, sparse)
        except ValueError:
            continue
        assert contents != good, offset  # in the content itself, which has a digest


@pytest.mark.parametrize(
    ("chart", "content"),
    [
        (b"1\n0\n200000\n", bytes(200_000)),  # beyond the end
        (b"2\n10\n5\n0\n5\n", bytes(10)),  # backwards
        (b"2\n0\n5\n3\n5\n", bytes(10)),  # overlapping
        (b"1\n0\n5\n", bytes(4)),  # less than told
        (b"1\n0\n5\n", bytes(600)),  # more than told
        (b"1\n0\n-5\n", b""),
        (b"1\n0\n5x\n", bytes(5)),
        (b"999999999\n0\n5\n", bytes(5)),
        (b"9" * 600, b""),
        (b"", b""),
    ],
)
def test_hostile_maps(chart: bytes, content: bytes) -> None:
    entry = PLAIN._replace(size=100_000)
    chart += bytes(-len(chart) % 512)
    data = header(entry, len(chart) + len(content)) + chart + content
    data += bytes(-len(data) % 512 + 1024)
    with pytest.raises(ValueError, match="map|longer|invalid number|ends before|between"):
        read_back(data, entry)


def test_ends() -> None:
    data = archive_of((PLAIN, b"hello"))
    for wrong in (data[:-1], data[:-1024], data[:512], data + b"\0", data + bytes(512), b""):
        with pytest.raises(ValueError, match="does not end where|ends before"):
            read_back(wrong, PLAIN)
    with pytest.raises(ValueError, match="differs from the index"):
        read_back(data, PLAIN._replace(size=6))
    with pytest.raises(ValueError, match="does not end"):
        read_back(archive_of((PLAIN, b"hello"), (PLAIN, b"extra")), PLAIN)
