# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work list of a purge: the records of a published export that are still to be removed.

It lies on this host until all of them are, so that a run that was killed can be continued without exporting them again.
It can be deleted at any time: the next run then exports what is still there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional

from ..._core import host_state
from ..._core.errors import Day2Error, TargetError
from ..._core.files import PREPARED, make_private_directory, os_errors, remove_leftovers
from ..._core.progress import Progress
from ..._core.tagged_json import encode, untag
from ..._repository.base import Repository
from ..._repository.history import read_history
from ..._repository.reading import full_problems
from ..._stores.records.purger import Batch, Item

BATCH = 500  # records that are removed together
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_DIGITS = 15


class WorkList:
    """The work list of one collection and one backup set.

    :param identity: of both.
    """

    def __init__(self, identity: str) -> None:
        self._name = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._path = os.path.join(host_state.directory(), "purge", self._name + ".work")
        self.items = 0  # of this list

    def unfinished(self, request: str, published: Iterable[str]) -> Optional[str]:
        """The export whose records are not all removed; None if there is none, or it belongs to another request.

        :param request: a digest of what selects records.
        :param published: the ids of the exports that there are.
        """
        head = host_state.read("purge", self._name)
        backup, size = head.get("backup"), head.get("bytes")
        if head.get("request") != request or backup not in set(published):
            return None
        try:
            whole = os.path.getsize(self._path) == size
        except OSError:
            return None
        self.items = int(head.get("items") or 0)
        return str(backup) if whole else None

    @contextlib.contextmanager
    def written(self) -> Iterator[_Writing]:
        """A new list, complete and on the disk at the end of the block. The previous one is forgotten."""
        self.forget()
        with os_errors(TargetError, "Can't write", self._path):
            make_private_directory(os.path.dirname(self._path))
            with os.fdopen(os.open(self._path, _NEW, 0o600), "wb") as file:
                writing = _Writing(file)
                yield writing
                file.flush()
                os.fsync(file.fileno())
        self.items = writing.items

    def belongs_to(self, backup: str, request: str) -> None:
        """Record which export it is of: before that is published, and again if its id was another one."""
        head = {"backup": backup, "request": request, "bytes": os.path.getsize(self._path), "items": self.items}
        host_state.write(head, "purge", self._name)

    def __iter__(self) -> Iterator[Batch]:
        """The records that are still to be removed."""
        skip = self.done
        with os_errors(Day2Error, "Can't read", self._path), open(self._path, "rb") as file:
            for line in file:
                given = json.loads(line)
                batch = _batch(*(untag(given) if b'"$' in line else given))
                if skip < len(batch.keys):
                    yield batch.split(skip)[1] if skip else batch
                skip = max(0, skip - len(batch.keys))

    @property
    def done(self) -> int:
        """How many records of the list need not be looked at again: a hint."""
        try:
            with open(self._path + ".done", "rb") as file:
                text = file.read(_DIGITS)
        except OSError:
            return 0
        return int(text) if len(text) == _DIGITS and text.isdigit() else 0

    def advance(self, done: int) -> None:
        """Record how many are done, in place: a file that is truncated first could be left empty."""
        with os_errors(TargetError, "Can't write", self._path + ".done"):
            fd = os.open(self._path + ".done", os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(fd, b"%0*d" % (_DIGITS, done), 0)
            finally:
                os.close(fd)

    def forget(self) -> None:
        """Remove it, and what a run left that was killed while it wrote the head."""
        host_state.remove("purge", self._name)
        directory = os.path.dirname(self._path)
        if os.path.isdir(directory):
            left = (one for one in os.listdir(directory) if one.startswith(f"{PREPARED}{self._name}.json."))
            remove_leftovers(os.path.join(directory, one) for one in left)
        for path in (self._path + ".done", self._path):
            with os_errors(TargetError, "Can't remove", path), contextlib.suppress(FileNotFoundError):
                os.unlink(path)


class _Writing:
    """A list that is being written."""

    def __init__(self, file: Any) -> None:
        self.items = 0
        self._file = file

    def add(self, data: bytes, items: int) -> None:
        """Append batches, as `written` has written them.

        :param items: the number of their records.
        """
        self._file.write(data)
        self.items += items


def written(batches: Iterable[Batch]) -> bytes:
    """Batches as the list has them: a line for each, with columns of the keys."""
    return b"".join(
        encode([list(zip(*one.keys)), one.tokens, one.digest, list(map(_plain_kids, one.kids))]).encode() + b"\n"
        for one in batches
    )


def _plain_kids(kids: Mapping[int, Sequence[Item]]) -> dict[str, Any]:
    return {
        str(number): [[list(one.key), one.token, _plain_kids(one.kids)] for one in some]
        for number, some in kids.items()
    }


def _batch(keys: Sequence[Sequence[Any]], tokens: str, digest: str, kids: Sequence[Any]) -> Batch:
    return Batch(list(zip(*keys)), tokens, digest, list(map(_kids, kids)))


def _kids(value: Mapping[str, Any]) -> dict[int, Sequence[Item]]:
    return {
        int(number): tuple(Item(tuple(key), token, _kids(kids)) for key, token, kids in some)
        for number, some in value.items()
    }


def damage(repository: Repository, name: str, backup: str, progress: Progress) -> str:
    """What is wrong with a published export, of which every byte is read; "" if nothing is."""
    entry = read_history(repository, name).get(backup)
    if entry is None or entry.manifest is None or entry.problems:
        problems = list(entry.problems) if entry else []
    else:
        problems = full_problems(repository, name, entry.manifest, progress)
        if not problems:
            return ""
    return "; ".join(f"{one['path']}: {one['problem']}" for one in problems[:1]) or "it is gone"
