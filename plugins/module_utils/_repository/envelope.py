# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of an encrypted backup without decrypting it, and what the host that wrote it recognizes in that.

All that could confirm a guess (host, paths, tags, equal contents) is outside of the encryption only as an HMAC under a
key that never leaves the host, and includes the id, so that the same in two backups does not look the same. `series` is
the exception: that two backups have the same owner can be seen.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Optional

from .._core import host_key
from .._core.compression import COMPRESSIONS
from .._core.host_key import canonical, mac
from .pieces import Piece

SUFFIX = ".age"
AGE = "age"  # encryption, in the manifest
_CONTENT = "data/content.json"


class Envelope(NamedTuple):
    """The keys of an encrypted backup's manifest that others do not have. All but `number` and `objects` are HMACs."""

    key: str  # tells which host's key the others were made with
    owner: str
    paths: tuple[str, ...]
    tags: tuple[str, ...]
    same: str  # of the identity of the sources
    recipients: str
    number: Optional[int]  # of a migration's safety backup
    objects: tuple[Piece, ...]
    series: tuple[str, ...] = ()  # the same in all backups of a set that are of the same host and stores
    copy_of: Optional[str] = None  # of a copy that was encrypted on the way: its original
    seal: str = ""  # of the manifest without it

    def to_document(self) -> dict[str, Any]:
        """As the manifest has it."""
        return dict(self._asdict(), objects=[one._asdict() for one in self.objects])


def from_document(document: Any) -> Envelope:
    """The envelope in a document that follows the schema."""
    values: dict[str, Any] = {name: document[name] for name in Envelope._fields}
    values["objects"] = tuple(Piece(one["path"], one["bytes"], one["sha256"]) for one in document["objects"])
    return Envelope(**{**values, **{name: tuple(values[name]) for name in ("paths", "tags", "series")}})


def content_path(compression: str) -> str:
    """The object that has the rest of the manifest."""
    return f"{_CONTENT}{COMPRESSIONS[compression].suffix}{SUFFIX}"


class Marks:
    """The marks of one backup, made with the key of this host.

    :param key: None: it has none, and recognizes nothing.
    """

    def __init__(self, backup_id: str, key: Optional[bytes]) -> None:
        self._id = backup_id
        self._key = key

    def _mark(self, purpose: str, *fields: str) -> str:
        return "" if self._key is None else mac(self._key, purpose, self._id, *fields)

    def key(self) -> str:
        return self._mark("key")

    def same(self, identity: Sequence[Sequence[str]]) -> str:
        return self._mark("same", canonical(list(map(list, identity))))

    def recipients(self, recipients: Iterable[str]) -> str:
        return self._mark("recipients", *sorted(recipients))

    def tag(self, tag: str) -> str:
        return self._mark("tag", tag)

    def seal(self, document: dict[str, Any]) -> str:
        return self._mark("seal", canonical({**document, "seal": ""}))

    def owner(self, host: str) -> str:
        return self._owned("owner", host.casefold())

    def path(self, path: str) -> str:
        return self._owned("path", path)

    def copy_of(self, original: str) -> str:
        return self._mark("copy", original)

    def _owned(self, purpose: str, field: str) -> str:
        """A host whose key was lost is to recognize its backups as its own all the same."""
        key = host_key.machine() or self._key
        return "" if key is None else mac(key, purpose, self._id, field)

    def series(self, name: str, host: str, path: str) -> str:
        """Of a store on a host, in a set. Without the id, so that other hosts can tell its backups from those of
        others."""
        key = host_key.machine() or self._key
        return "" if key is None else mac(key, "series", name, host.casefold(), path)


def marks_of(backup_id: str) -> Marks:
    """Those that this host would make, with the key that it has."""
    return Marks(backup_id, host_key.known())


def equal(one: str, other: str) -> bool:
    """Whether two marks are the same one."""
    return bool(one) and hmac.compare_digest(one, other)
