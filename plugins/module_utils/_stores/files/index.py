# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a tree, and the index: one line of JSON for each entry, in the order of the archive.

The order is that of the components of the paths, compared as bytes: a directory comes before its content. Paths are
bytes everywhere; in JSON they are UTF-8 with surrogate escapes, which can be converted back.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, BinaryIO, NamedTuple, Optional

from ..._core.collection import Collection
from ..._core.paths import is_safe
from ..base import Writer

# What a tree is kept in, behind its name.
ARCHIVE = ".tar"
INDEX = ".index.jsonl"

FILE = "file"
DIRECTORY = "directory"
SYMLINK = "symlink"
HARDLINK = "hardlink"
FIFO = "fifo"
CHARACTER_DEVICE = "character_device"
BLOCK_DEVICE = "block_device"
KINDS = (FILE, DIRECTORY, SYMLINK, HARDLINK, FIFO, CHARACTER_DEVICE, BLOCK_DEVICE)
SPECIAL = (FIFO, CHARACTER_DEVICE, BLOCK_DEVICE)

_LONGEST_LINE = 1 << 24  # of hostile input; a name has 255 bytes, all attributes of a file rarely more than 64 KiB
_PLAIN, _SPARSE = "sha256", "sparse_sha256"  # keys of digests
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_ID = 0xFFFFFFFE
_MOST_7 = 0o7777777  # what a header holds of a device's numbers


class Entry(NamedTuple):
    """One entry of a tree."""

    path: bytes  # relative to the root, which itself is b""
    kind: str
    mode: int  # permission bits, 0 to 0o7777
    uid: int
    gid: int
    user: str  # "": the system had no name for the number
    group: str
    mtime_ns: int
    size: int = 0  # of a file
    sha256: str = ""  # of a file's content
    target: bytes = b""  # what a symbolic link says; the path of the file that a hard link is another name of
    xattrs: tuple[tuple[bytes, bytes], ...] = ()  # of files and directories, sorted
    device: tuple[int, int] = (0, 0)  # major, minor
    superseded: bool = False  # the file changed while it was archived: another member of that name follows
    sparse: bool = False  # `sha256` is that of `SparseHash` in _core/content_hash.py

    def other_name(self, path: bytes) -> Entry:
        """The entry of a further name of this file."""
        return self._replace(path=path, kind=HARDLINK, target=self.path, size=0, sha256="", sparse=False, xattrs=())


def order(path: bytes) -> bytes:
    """The sort key of a path."""
    return path.replace(b"/", b"\0")


def shown(path: bytes) -> str:
    """A path for messages: one line of valid text."""
    text = (path or b".").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def listed(paths: Iterable[bytes], most: int = 20) -> str:
    """Paths for a message, at most `most` of them."""
    names = [shown(path) for path in paths]
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: Any) -> bytes:
    if not isinstance(text, str):
        raise ValueError("a name is not a string")
    return text.encode("utf-8", "surrogateescape")


def to_line(entry: Entry) -> bytes:
    """The line of the index for an entry."""
    # by hand: the JSON encoder takes five times as long
    line = (
        f'{{"path":{_quoted(_text(entry.path or b"."))},"type":"{entry.kind}","mode":"{entry.mode:04o}",'
        f'{_owner(entry.uid, entry.gid, entry.user, entry.group)},"mtime_ns":{entry.mtime_ns}'
    )
    if entry.kind == FILE:
        line += f',"size":{entry.size},"{_SPARSE if entry.sparse else _PLAIN}":"{entry.sha256}"'
    elif entry.kind in (SYMLINK, HARDLINK):
        line += ',"target":' + _quoted(_text(entry.target))
    elif entry.kind in (CHARACTER_DEVICE, BLOCK_DEVICE):
        major, minor = entry.device
        line += f',"device":[{major},{minor}]'
    if entry.xattrs:
        pairs = (f'{_quoted(_text(name))}:"{base64.b64encode(value).decode()}"' for name, value in entry.xattrs)
        line += ',"xattrs":{{{}}}'.format(",".join(pairs))
    if entry.superseded:
        line += ',"superseded":true'
    return line.encode("ascii") + b"}\n"


@functools.lru_cache(maxsize=256)
def _owner(uid: int, gid: int, user: str, group: str) -> str:
    return f'"uid":{uid},"gid":{gid},"user":{_quoted(user)},"group":{_quoted(group)}'


def from_line(line: bytes) -> Entry:
    """The entry of a line.

    :raises ValueError: `to_line` cannot have written this line.
    """
    try:
        fields = json.loads(line.decode("ascii"))
        xattrs, device = fields.get("xattrs"), fields.get("device")
        entry = Entry(
            b"" if fields["path"] == "." else _bytes(fields["path"]),
            fields["type"],
            _number(int(fields["mode"], 8), 0, 0o7777),
            _number(fields["uid"], 0, _MOST_ID),
            _number(fields["gid"], 0, _MOST_ID),
            fields["user"],
            fields["group"],
            _number(fields["mtime_ns"], -(1 << 80), 1 << 80),
            _number(fields.get("size", 0), 0, 1 << 63),
            fields.get(_SPARSE if _SPARSE in fields else _PLAIN, ""),
            _bytes(fields["target"]) if "target" in fields else b"",
            () if xattrs is None else _xattrs(xattrs),
            (0, 0) if device is None else (_number(device[0], 0, _MOST_7), _number(device[1], 0, _MOST_7)),
            bool(fields.get("superseded", False)),
            _SPARSE in fields,
        )
        good = _is_possible(entry) and not (entry.sparse and (_PLAIN in fields or entry.kind != FILE))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as exc:
        raise ValueError("it contains a line that is not an entry") from exc
    if not good:
        raise ValueError(f"the entry of {shown(entry.path)} is not valid")
    if fields["path"] != "." and not is_safe(entry.path):
        raise ValueError(f"the path {shown(entry.path)} leads out of the tree")
    if entry.kind == HARDLINK and not (is_safe(entry.target) and order(entry.target) < order(entry.path)):
        raise ValueError(f"{shown(entry.path)} is a link to something that is not an earlier entry")
    return entry


def _number(value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(value)
    return value


def _xattrs(fields: dict[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((_bytes(name), base64.b64decode(value, validate=True)) for name, value in fields.items())


def _is_possible(entry: Entry) -> bool:
    if entry.kind == FILE:
        good = entry.superseded or _DIGEST.fullmatch(entry.sha256) is not None
    else:
        good = entry.kind in KINDS and not (entry.superseded or entry.size)
    return (
        good
        and "\0" not in entry.user + entry.group
        and b"\0" not in entry.target
        and (entry.kind != SYMLINK or entry.target != b"")
    )


def identity(entry: Entry, line: bytes) -> bytes:
    """The part of a line that determines whether two trees are equal.

    The times of directories are not part of it, as they also change when unselected files are created or removed.
    """
    if entry.superseded:
        return b""
    return to_line(entry._replace(mtime_ns=0)) if entry.kind == DIRECTORY else line


class Index:
    """Writes an index. It knows the digest of the tree and its counts (without the root)."""

    def __init__(self, handle: Writer) -> None:
        self._handle = handle
        self._digest = hashlib.sha256()
        self.counts: dict[str, int] = dict.fromkeys(KINDS, 0)
        self.bytes = 0

    def add(self, entry: Entry) -> None:
        """Add the next entry."""
        line = to_line(entry)
        self._handle.write(line)
        self._digest.update(identity(entry, line))
        if entry.path and not entry.superseded:
            self.counts[entry.kind] += 1
            self.bytes += entry.size

    @property
    def content_digest(self) -> str:
        """The digest that identifies the tree, hex SHA-256."""
        return self._digest.hexdigest()


def read_index(handle: BinaryIO, content_digest: str) -> Iterator[Entry]:
    """The entries of an index from untrusted input, in order and without duplicates. The parent of each entry is a
    directory that comes before it.

    :raises ValueError: the index is not valid or, at the end, has another digest.
    """
    digest = hashlib.sha256()
    directories: list[bytes] = []  # the paths from the root to where the previous entry lies
    last: Optional[bytes] = None
    while True:
        line = handle.readline(_LONGEST_LINE)
        if not line:
            break
        entry = from_line(line)
        digest.update(identity(entry, line))
        if not entry.superseded:
            key = order(entry.path)
            if last is None:
                if entry.path or entry.kind != DIRECTORY:
                    raise ValueError("it does not begin with the root")
            elif key <= last:
                raise ValueError(f"{shown(entry.path)} is out of order")
            last = key
            _descend(directories, entry)
        yield entry
    if last is None:
        raise ValueError("it is empty")
    if digest.hexdigest() != content_digest:
        raise ValueError(f"its content digest is {digest.hexdigest()} instead of {content_digest}")


def _descend(directories: list[bytes], entry: Entry) -> None:
    """Check that the entry lies in a directory, and enter it if it is one itself."""
    if entry.path:
        parent = entry.path.rpartition(b"/")[0]
        while directories and directories[-1] != parent:
            directories.pop()
        if not directories:
            raise ValueError(f"{shown(entry.path)} is not in a directory of the tree")
    if entry.kind == DIRECTORY:
        directories.append(entry.path)


def collections_of(counts: Mapping[str, int]) -> tuple[Collection, ...]:
    """The counts of kinds as collections."""
    special = sum(counts[kind] for kind in SPECIAL)
    always = [("files", counts[FILE]), ("directories", counts[DIRECTORY]), ("symlinks", counts[SYMLINK])]
    more = [("hardlinks", counts[HARDLINK]), ("special", special)]
    return tuple(Collection(name, count) for name, count in always + [one for one in more if one[1]])
