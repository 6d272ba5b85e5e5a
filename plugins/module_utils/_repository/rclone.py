# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects behind the program rclone: SFTP, SMB, WebDAV, Azure, Google, B2, Swift and whatever else it knows."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO, Callable, Optional

from .._core.errors import InvalidRequest, RepositoryError
from .._core.rclone import LIMIT, Rclone
from .._core.units import parse_duration
from .manifest import ID, MANIFEST
from .objects import LISTING, Object
from .rclone_streams import SEGMENT, RcloneUpload, open_body
from .remote import RemoteRepository
from .remote_options import grace_of, rate_of

_UNFINISHED = "/.state/new-"  # what has not got its name yet: below a set
_LONGEST_SETTLE = 20.0  # seconds
_LONG = 3600.0  # seconds for a call that may list or remove very many


def open_rclone(address: str, params: Mapping[str, Any]) -> RemoteRepository:
    """The repository at rclone:REMOTE:path."""
    return RemoteRepository(RcloneObjects(address, params.get("rclone") or {}, rate_of(params)), grace_of(params))


class RcloneObjects:
    """A path of a remote. Nothing can be created exclusively there, and its clock is not trusted: ages are 0."""

    ways: Sequence[str] = (LISTING,)

    def __init__(self, address: str, options: Mapping[str, Any], rate: Optional[int] = None) -> None:
        self._rclone = Rclone(address, options, rate)
        self.place = self.location = self._rclone.location
        self.exclusive = LISTING
        self.checksums = False
        self.settle = _settle(options.get("settle"))
        self._sizes: dict[str, int] = {}  # of data, which is never written again
        self._listed: dict[str, int] = {}  # of all, which may have changed since
        self._unfinished: list[str] = []  # what was in the last listing and had not got its name yet

    def trouble(self) -> str:
        answer = self._rclone.call("list", "", "lsf", "--max-depth=1", self._rclone.at(""), limit=_LONG)
        return "does not exist" if answer.missing else ""

    def walk(self, prefix: str) -> Iterator[Object]:
        words = ("lsjson", "--recursive", "--files-only", "--no-mimetype", self._rclone.at(prefix.rstrip("/")))
        answer = self._rclone.call("list", prefix.rstrip("/"), *words, limit=_LONG)
        if answer.missing:
            return
        found = sorted(_objects(prefix, answer.out))
        self._listed.update({one.key: one.size for one in found})
        self._sizes.update({one.key: one.size for one in found if "/data/" in one.key})
        self._unfinished = [one.key for one in found if _UNFINISHED in one.key]
        yield from found

    def folders(self) -> list[str]:
        answer = self._rclone.call("list", "", "lsf", "--dirs-only", self._rclone.at(""), limit=_LONG)
        return sorted(line[:-1] for line in answer.out.decode("utf-8", "replace").splitlines() if line.endswith("/"))

    def read(self, key: str) -> Optional[bytes]:
        limit = LIMIT + self._rclone.seconds_for(self._listed.get(key, 0))
        answer = self._rclone.call("read", key, "cat", self._rclone.at(key), limit=limit)
        # where there are buckets, what is not there is nothing, without an error
        if answer.missing or (not answer.out and self._size(key) is None):
            return None
        return answer.out

    def _size(self, key: str) -> Optional[int]:
        """None: it is not there."""
        if key not in self._sizes:
            folder = key.rpartition("/")[0]
            words = ("lsjson", "--files-only", "--no-mimetype", self._rclone.at(folder))
            answer = self._rclone.call("look at", key, *words)
            found = {one.key: one.size for one in _objects(f"{folder}/" if folder else "", answer.out)}
            return found.get(key)
        return self._sizes[key]

    def open(self, key: str) -> BinaryIO:
        return open_body(self._rclone, key, self._size(key))

    def put(self, key: str, data: bytes) -> None:
        # of what is written in place, others may see half. Nobody reads what is not a document before that is there
        if not key.endswith(".json"):
            self._rclone.call("write", key, "rcat", self._rclone.at(key), data=data)
            return
        top = key.partition("/")[0]
        new = (f"{top}/new-" if top.startswith(".") else top + _UNFINISHED) + secrets.token_hex(8)
        self._rclone.call("write", new, "rcat", self._rclone.at(new), data=data)
        try:
            # without --ignore-times, what has the same size and second would stay as it was
            words = ("moveto", "--ignore-times", self._rclone.at(new), self._rclone.at(key))
            moved = self._rclone.call("write", key, *words)
            if moved.missing and self.read(key) != data:  # the answer to an earlier try may have been lost
                raise RepositoryError(f"{self.location}/{key} could not be moved to its final name.")
        except BaseException:
            with contextlib.suppress(RepositoryError):
                self.remove([new])
            raise

    def create(self, key: str, data: bytes) -> bool:
        # who has an id of its own needs not look before; how it looks afterwards is remote_staging.py's
        if not key.endswith(f"/{MANIFEST}"):
            there = self.read(key)
            if there is not None:
                return there == data
        self.put(key, data)
        return self.read(key) == data

    def upload(self, key: str, size: Optional[int] = None, check: Callable[[], None] = lambda: None) -> RcloneUpload:
        most = SEGMENT if size is None else size + 1
        return RcloneUpload(self._rclone, key, self._sizes, self.remove, most=most, check=check)

    def remove(self, keys: Iterable[str]) -> None:
        gone = list(keys)
        if not gone:
            return
        names = "".join(f"{key}\n" for key in gone).encode("utf-8", "surrogateescape")
        words = ("delete", "--files-from-raw=-", self._rclone.at(""))
        self._rclone.call("remove", gone[0], *words, data=names, limit=_LONG)
        for key in gone:
            self._sizes.pop(key, None)
        self._remove_folders(gone)

    def _remove_folders(self, keys: Iterable[str]) -> None:
        """What was the folder of a backup, once it is empty: nobody else ever writes there."""
        for folder in sorted({"/".join(key.split("/")[:2]) for key in keys if ID.fullmatch((key + "/").split("/")[1])}):
            with contextlib.suppress(RepositoryError):  # it is in nobody's way
                self._rclone.call("remove", folder, "rmdirs", self._rclone.at(folder))

    def abort_uploads(self, prefix: str, is_left: Callable[[str], bool] = lambda key: True) -> int:
        left = [key for key in self._unfinished if key.startswith(prefix + _UNFINISHED[1:])]
        for key in left:
            is_left(key)  # the lock is still held
        self.remove(left)
        return len(left)

    def check_locking(self, wanted: bool) -> None:
        if wanted:
            raise InvalidRequest("lock_for locks backups in S3 only.", "Leave it out.")

    def retain(self, keys: Iterable[str], seconds: float, mode: str) -> datetime:
        raise InvalidRequest("lock_for locks backups in S3 only.", "Leave it out.")

    def locked_until(self, key: str) -> Optional[datetime]:
        return None

    def traits(self) -> str:
        return self.place

    def prove_checksums(self) -> None:
        """Nothing relies on them."""

    def probe(self) -> str:
        return LISTING


def _settle(given: Optional[str]) -> float:
    """Seconds of the option `settle`. Raises InvalidRequest."""
    seconds = 0.0 if given is None else parse_duration(given)
    if seconds > _LONGEST_SETTLE:  # each renewal of a lock takes so long
        raise InvalidRequest(f"settle in rclone is {given}; it can be at most 20s.", "Decrease it.")
    return seconds


def _objects(prefix: str, out: bytes) -> Iterator[Object]:
    """What a listing shows. Raises RepositoryError."""
    try:
        for one in json.loads(out or b"[]") or ():
            if not one["IsDir"]:
                yield Object(prefix + one["Path"], one["Size"], 0.0, str(one["ModTime"]))
    except (ValueError, KeyError, TypeError) as exc:
        raise RepositoryError(f"rclone returned an unexpected listing of {prefix}: {exc}.") from exc
