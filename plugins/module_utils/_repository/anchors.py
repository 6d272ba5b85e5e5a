# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Anchors in a repository: heads of journals of evidence, each an object that is written once (docs/EVIDENCE.md).

A repository keeps them as small documents below a folder of their host, and does not interpret them.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from .._core.errors import Day2Error, RepositoryError
from .._core.files import make_private_directory, open_regular, os_errors, write_atomically
from .objects import Objects
from .remote_header import Header
from .remote_options import Locking

FOLDER = ".day2/evidence/"
HOST = re.compile(r"[0-9a-f]{16}")
NAME = re.compile(r"[0-9a-f]{16}-[0-9]{12}")  # of a journal, and the number of its line
_RECENT = 64  # anchors that stay; of older ones, the last of each so many lines
_SUFFIX = ".json"
_LARGEST = 1 << 16  # bytes


def surplus(names: Sequence[str]) -> list[str]:
    """Anchors that newer ones stand for: of many old ones, a few stay."""
    gone: list[str] = []
    for journal in {name[:16] for name in names}:
        own = sorted(name for name in names if name[:16] == journal)
        gone += [one for one, after in zip(own[:-_RECENT], own[1:]) if _block(one) == _block(after)]
    return sorted(gone)


def _block(name: str) -> int:
    return int(name[17:]) // _RECENT


def is_time_to_thin(name: str) -> bool:
    """Whether old anchors are looked at after this one, where that costs requests."""
    return int(name[17:]) % _RECENT < 2


def put_in_directory(location: str, host: str, name: str, data: bytes) -> bool:
    """As `Repository.put_anchor`."""
    directory = _folder(location, host)
    path = os.path.join(directory, name + _SUFFIX)
    with os_errors(RepositoryError, "Can't write", path):
        make_private_directory(directory)
        if os.path.lexists(path):
            return _read(path) == data
        write_atomically(path, data)
        for one in surplus([each[: -len(_SUFFIX)] for each in os.listdir(directory) if _is_anchor(each)]):
            with contextlib.suppress(FileNotFoundError):  # another run has removed it
                os.unlink(os.path.join(directory, one + _SUFFIX))
    return True


def in_directory(location: str, host: str) -> Iterator[tuple[str, bytes]]:
    """As `Repository.anchors`."""
    directory = _folder(location, host)
    with os_errors(RepositoryError, "Can't list", directory):
        try:
            names = sorted(filter(_is_anchor, os.listdir(directory)))
        except FileNotFoundError:
            return
    for name in names:
        yield name[: -len(_SUFFIX)], _read(os.path.join(directory, name))


def _folder(location: str, host: str) -> str:
    """The directory of the anchors of a host. Others may be able to write to a repository: no link is followed."""
    folder = location
    for step in (*FOLDER.strip("/").split("/"), host):
        folder = os.path.join(folder, step)
        if os.path.islink(folder):
            raise RepositoryError(f"{folder} is a symbolic link, not a directory.", "Find out who created it.")
    return folder


def _is_anchor(file: str) -> bool:
    return file.endswith(_SUFFIX) and bool(NAME.fullmatch(file[: -len(_SUFFIX)]))


def _read(path: str) -> bytes:
    with open(open_regular(path, RepositoryError), "rb") as handle:
        return handle.read(_LARGEST)


class ObjectsPlace(NamedTuple):
    """A repository of objects. `locking`: how anchors are locked, if backups are."""

    objects: Objects
    header: Header
    locking: Optional[Locking]


def put_in_objects(place: ObjectsPlace, host: str, name: str, data: bytes) -> bool:
    """As `Repository.put_anchor`."""
    objects, known = place.objects, place.header.known()
    if known is None:
        raise RepositoryError(f"{objects.location} is not a repository yet.")
    place.header.check_way(known)
    key = f"{FOLDER}{host}/{name}{_SUFFIX}"
    if not objects.create(key, data):
        return False
    if place.locking is not None:
        objects.retain([key], *place.locking)
    if is_time_to_thin(name):
        listed = [one for one, _key in _keys(objects, host)]
        with contextlib.suppress(Day2Error):  # those that are locked stay
            objects.remove([f"{FOLDER}{host}/{one}{_SUFFIX}" for one in surplus(listed)])
    return True


def in_objects(objects: Objects, host: str) -> Iterator[tuple[str, bytes]]:
    """As `Repository.anchors`."""
    for name, key in _keys(objects, host):
        data = objects.read(key)
        if data is not None:
            yield name, data


def _keys(objects: Objects, host: str) -> list[tuple[str, str]]:
    top = f"{FOLDER}{host}/"
    found = [one.key for one in objects.walk(top) if one.size <= _LARGEST]
    return [(key[len(top) : -len(_SUFFIX)], key) for key in found if _is_anchor(key[len(top) :])]
