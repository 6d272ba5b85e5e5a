# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a remote store of objects answers, under one address. A repository is built of these in remote.py.

Keys are below the address. Names that are written once (all but locks and state) are never written again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import BinaryIO, Callable, NamedTuple, Optional, Protocol

from .pieces import Piece

# How something is created exclusively.
CONDITIONAL = "conditional"  # the store refuses to create what exists
VERSIONS = "versions"  # the store keeps all versions, and the oldest one counts
LISTING = "listing"  # nothing can be: whoever wants to be alone writes something and looks who else has


class Object(NamedTuple):
    """One object of a listing."""

    key: str
    size: int
    age: float  # seconds since it was written; both times are told by the store
    tag: str  # differs for another content
    strange: bool = False  # somebody wrote over it, or hid it; what is listed is the original


class Upload(Protocol):
    """An object that is written as a stream, through a pipe."""

    handle: BinaryIO  # closing it waits until all is on the other side, and raises what went wrong there

    def seal(self) -> Sequence[str]:
        """Complete it. Returns the keys that it lies in, in order."""

    def confirm(self, key: str) -> Optional[Piece]:
        """One of the keys that it lies in, if the server's checksum is that of what was sent. None: it must be read
        back. Raises RepositoryError for another checksum."""

    def discard(self, remove: bool = True) -> None:
        """End it, and remove what there is of it. Raises nothing: the next run finds what is left.

        :param remove: False: others may have written the same object meanwhile, so that it stays.
        """


class Objects(Protocol):
    """A bucket and a prefix, or what is like it."""

    location: str
    place: str  # as that of a repository
    ways: Sequence[str]  # in which a repository can be written to from here
    checksums: bool  # the server's checksums take the place of reading back
    exclusive: str  # how something is created exclusively, once it is known
    settle: float  # seconds until a listing shows what others have written

    def trouble(self) -> str:
        """Why there is nothing to look at, as the end of a sentence that begins with the location; "" if there is.

        Raises Unreachable.
        """

    def walk(self, prefix: str) -> Iterator[Object]:
        """All objects below a prefix, in the order of their keys."""

    def folders(self) -> list[str]:
        """The first steps of all keys that have several."""

    def read(self, key: str) -> Optional[bytes]:
        """A small object; None: it is not there."""

    def open(self, key: str) -> BinaryIO:
        """An object as a stream. Raises RepositoryError if it is not there."""

    def put(self, key: str, data: bytes) -> None:
        """Write a small object, or write over it."""

    def create(self, key: str, data: bytes) -> bool:
        """Write a small object exclusively, as far as that can be. False: it is there already, with another
        content."""

    def upload(self, key: str, size: Optional[int] = None, check: Callable[[], None] = lambda: None) -> Upload:
        """Begin to write a new object.

        :param size: of all that will be written, which is to lie in this one object; None: it may need several.
        :param check: is called before each step. If it raises an error, nothing more is written.
        """

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are not there are no error."""

    def abort_uploads(self, prefix: str, is_left: Callable[[str], bool] = lambda key: True) -> int:
        """Remove what killed runs have uploaded in part below a prefix. Returns how many uploads.

        :param is_left: is asked about each key, right before.
        """

    def check_locking(self, wanted: bool) -> None:
        """Raise RepositoryError where objects would be locked that must not be, or can't be locked that are to be."""

    def retain(self, keys: Iterable[str], seconds: float, mode: str) -> datetime:
        """Lock objects for so long from now, by the time of the store. Returns until when."""

    def locked_until(self, key: str) -> Optional[datetime]:
        """Until when an object is locked; None: it is not, or not any more."""

    def traits(self) -> str:
        """What differs once it may have to be probed again."""

    def prove_checksums(self) -> None:
        """Find out, by writing, that what does not have its checksum is refused. Raises RepositoryError."""

    def probe(self) -> str:
        """Find out, by writing, in which way something can be created exclusively here."""
