# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository in which the names of sets are hidden: outside, each is called by a keyed digest of its name.

What the digest stands for is beside it, encrypted to the recipients of the backups, so that an identity can list them.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, BinaryIO, Optional

from .._core.errors import Day2Error, InvalidRequest
from .._core.host_key import mac
from .base import Listed, Removal, Repository, Staging
from .encryption import Encryption
from .manifest import SET

_HIDDEN = re.compile(r"x[0-9a-f]{40}")
_LEAST = 16  # characters of a key: names are easily guessed, so that the key must not be
_DOCUMENT = "name"  # of the state


def hidden(repository: Repository, key: str) -> HiddenNames:
    """The repository with its names hidden. Raises InvalidRequest for a key that could be guessed."""
    if len(key) < _LEAST:
        raise InvalidRequest(
            f"names_key must have at least {_LEAST} characters.", "Use a random one, the same on all hosts."
        )
    return HiddenNames(repository, key.encode("utf-8", "surrogateescape"))


class HiddenNames:
    """Passes everything on, with hidden names. A name that is already hidden, as in an address, is kept."""

    hides_names = True

    def __init__(self, repository: Repository, key: bytes) -> None:
        self._of = repository
        self._key = key
        self.location = repository.location
        self.place = repository.place
        self.local_path = repository.local_path
        self.compression = repository.compression
        self.encrypts = repository.encrypts

    @property
    def encryption(self) -> Encryption:
        """As that of the repository itself."""
        return self._of.encryption

    @encryption.setter
    def encryption(self, value: Encryption) -> None:
        self._of.encryption = value

    def hide(self, name: str) -> str:
        """What a set is called outside."""
        return name if _HIDDEN.fullmatch(name) else "x" + mac(self._key, "set", name)[:40]

    def sets(self) -> list[str]:
        """Of a set whose name can't be decrypted here, what it is called outside."""
        return sorted(self._name_of(one) for one in self._of.sets() if _HIDDEN.fullmatch(one))

    def _name_of(self, called: str) -> str:
        from .._core import age  # only here: see _stores/registry.py

        identity = self._of.encryption.identity
        if identity is not None:
            with contextlib.suppress(Day2Error, KeyError, TypeError, ValueError):
                data = base64.b64decode(self._of.read_state(called, _DOCUMENT)["age"])
                name = age.decrypted(identity, data).decode("utf-8")
                if SET.fullmatch(name) and self.hide(name) == called:  # anybody can encrypt another one
                    return name
        return called

    def _note_name(self, name: str) -> None:
        """Put the name beside the set, for those who can decrypt it."""
        called, recipients = self.hide(name), self._of.encryption.recipients
        mark = mac(self._key, "recipients", name, *sorted(recipients))
        if called == name or not recipients or self._of.read_state(called, _DOCUMENT).get("mark") == mark:
            return
        if self._of.ids(called):
            from .._core import age  # only here: see _stores/registry.py

            told = {"age": base64.b64encode(age.encrypted(recipients, name.encode())).decode(), "mark": mark}
            self._of.write_state(called, _DOCUMENT, told)

    @contextlib.contextmanager
    def lock(self, name: str, verb: str, timeout: float, continued: Collection[str] = ()) -> Iterator[list[str]]:
        with self._of.lock(self.hide(name), verb, timeout, continued) as left:
            yield left
            with contextlib.suppress(Day2Error):  # the next run tries again
                self._note_name(name)

    def check_writable(self, name: str) -> None:
        self._of.check_writable(self.hide(name))

    def trouble(self) -> str:
        return self._of.trouble()

    def free_bytes(self) -> Optional[int]:
        return self._of.free_bytes()

    def ids(self, name: str) -> list[str]:
        return self._of.ids(self.hide(name))

    def listing(self, name: str) -> Iterator[Listed]:
        return self._of.listing(self.hide(name))

    def look(self, name: str, backup_id: str) -> Listed:
        return self._of.look(self.hide(name), backup_id)

    def path(self, name: str, backup_id: str) -> str:
        return self._of.path(self.hide(name), backup_id)

    def open(self, name: str, backup_id: str, path: str) -> BinaryIO:
        return self._of.open(self.hide(name), backup_id, path)

    def hold(self, name: str, backup_id: str) -> AbstractContextManager[None]:
        return self._of.hold(self.hide(name), backup_id)

    def stage(self, name: str, created: datetime) -> Staging:
        return self._of.stage(self.hide(name), created)

    def stage_copy(self, name: str, backup_id: str, sizes: Mapping[str, int]) -> Staging:
        return self._of.stage_copy(self.hide(name), backup_id, sizes)

    def drop_copies(self, name: str, backup_ids: Collection[str]) -> list[str]:
        return self._of.drop_copies(self.hide(name), backup_ids)

    def bytes_of_copy(self, name: str, backup_id: str) -> int:
        return self._of.bytes_of_copy(self.hide(name), backup_id)

    def remove(self, name: str, backup_id: str) -> Removal:
        return self._of.remove(self.hide(name), backup_id)

    def locked_until(self, name: str, backup_id: str) -> Optional[datetime]:
        return self._of.locked_until(self.hide(name), backup_id)

    def extend_locks(self, name: str, kept: Sequence[str]) -> list[str]:
        return self._of.extend_locks(self.hide(name), kept)

    def read_state(self, name: str, document: str) -> dict[str, Any]:
        return self._of.read_state(self.hide(name), document)

    def write_state(self, name: str, document: str, value: dict[str, Any]) -> None:
        self._of.write_state(self.hide(name), document, value)

    def put_anchor(self, host: str, name: str, data: bytes) -> bool:
        return self._of.put_anchor(host, name, data)

    def anchors(self, host: str) -> Iterator[tuple[str, bytes]]:
        return self._of.anchors(host)
