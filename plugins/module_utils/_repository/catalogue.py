# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifests of many backups in few objects, so that a set can be listed without a request for each of them.

It is a cache that anybody who can write to the repository can change: of what it has, only that counts whose MD5 is the
one that the store lists for the object itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Optional

from .objects import Object, Objects

FOLDER = ".state/catalogue/"
_FULL = 500  # backups in one object
_WORTH = 50  # backups that are missing in it before it is written again
_MOST = 2000  # that one run adds
_LARGEST = 4 << 20  # bytes of one backup's, decompressed


class Catalogue:
    """That of one set.

    :param prefix: SET/.state/catalogue/
    :param keys: the objects that it lies in.
    """

    def __init__(self, objects: Objects, prefix: str, keys: Iterable[str]) -> None:
        self._objects = objects
        self._prefix = prefix
        self._keys = sorted(keys)
        self._known: Optional[dict[str, str]] = None  # by id, compressed
        self._last: dict[str, str] = {}  # what the last object has
        self._missing: dict[str, dict[str, bytes]] = {}
        self._existing: set[str] = set()

    def _load(self) -> dict[str, str]:
        if self._known is None:
            self._known = {}
            for key in self._keys:
                self._last = _decoded(self._objects.read(key))
                self._known.update(self._last)
        return self._known

    def get(self, backup_id: str, listed: Mapping[str, Object]) -> dict[str, bytes]:
        """The files of a backup, by path, as far as they are here and are what the store lists."""
        self._existing.add(backup_id)
        packed = self._load().get(backup_id)
        files = {} if packed is None else _unpacked(packed)
        return {path: data for path, data in files.items() if path in listed and is_content(data, listed[path])}

    def note(self, backup_id: str, path: str, data: bytes, listed: Object) -> None:
        """Remember what had to be read."""
        if (backup_id in self._missing or len(self._missing) < _MOST) and is_content(data, listed):
            self._missing.setdefault(backup_id, {})[path] = data

    def write(self) -> None:
        """Add what had to be read, if that is enough to be worth it. The caller holds the lock."""
        new = {one: _packed(files) for one, files in self._missing.items()}
        if len(new) < _WORTH:
            return
        known = self._load()
        alive = {one: packed for one, packed in known.items() if one in self._existing}
        number = len(self._keys)
        if 2 * len(alive) < len(known):  # most of it is of backups that were removed
            number, new = 0, {**alive, **new}
        elif self._keys and len(self._last) < _FULL:
            number, new = number - 1, {**self._last, **new}
        entries = sorted(new.items())
        for start in range(0, len(entries), _FULL):
            part = dict(entries[start : start + _FULL])
            self._objects.put(f"{self._prefix}{number:06d}.json", json.dumps(part).encode())
            number += 1
        self._objects.remove(self._keys[number:])
        self._missing.clear()


def is_content(data: bytes, listed: Object) -> bool:
    """Whether these bytes are an object's, as the store lists it: not every store tells the MD5."""
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return len(data) == listed.size and digest == listed.tag.strip('"')


def _decoded(data: Optional[bytes]) -> dict[str, str]:
    try:
        entries = json.loads(data or b"{}")
        return {str(one): str(packed) for one, packed in entries.items()}
    except (ValueError, AttributeError, RecursionError):
        return {}


def _packed(files: Mapping[str, bytes]) -> str:
    document = json.dumps({path: data.decode("latin-1") for path, data in files.items()})
    return base64.b64encode(zlib.compress(document.encode())).decode()


def _unpacked(packed: str) -> dict[str, bytes]:
    try:
        document = zlib.decompressobj().decompress(base64.b64decode(packed), _LARGEST)
        return {str(path): data.encode("latin-1") for path, data in json.loads(document).items()}
    except (ValueError, AttributeError, RecursionError, zlib.error):
        return {}
