# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Protocols of a store of records for `migrate`: a `SourceStore` is only read, a `TargetStore` is written.

A reading shows one state of the source if the store can do this; otherwise, the verb compares the digests of two
readings. A target commits each batch together with the new checkpoint of the migration, so that a killed run is
continued by the next one and no batch is written twice or partially.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional, Protocol

from .kinds import Summary
from .model import NO_RIGHTS, Account, Clashes, Info, Record, Rights, Start


class SourceStore(Protocol):
    """A store that is read. It is a context manager, and never writes, renames or removes anything."""

    type: str
    location: str  # for people, without secrets
    typed: bool  # kinds of fields are known without reading the records
    deterministic_order: bool  # `read` has the same order in each run

    @property
    def notes(self) -> list[str]:
        """Sentences on what is not migrated; complete once `collections` was called."""

    @property
    def identity(self) -> str:
        """The identity of the store, however it is addressed."""

    def __enter__(self) -> SourceStore: ...

    def __exit__(self, *exc: object) -> None: ...

    def end_reading(self) -> bool:
        """End all readings, so that others in this process may open the store's files. Returns whether what is read
        from now on may differ from what was read before.
        """

    def collections(self) -> list[Info]:
        """The existing collections; an empty list if the store itself does not exist.

        :raises SourceError: it cannot be read, or does not have its type.
        """

    def read(self, info: Info) -> Iterator[Record]:
        """All records, in an order that does not change as long as their content does not.

        :raises SourceError: with collection and position.
        """

    def chunks(self, info: Info, ordered: bool = True, copy_lines: bool = False) -> Iterator[Sequence[Record]]:
        """As `read`, many records at a time. If their order does not matter, a faster one may be used.

        :param copy_lines: whether they may be `CopyLines`.
        """

    def summary(self, info: Info) -> Optional[Summary]:
        """What the store itself determines about all records; None if they have to be read."""

    def holding_constraints(self, info: Info) -> Info:
        """The collection, with the constraints that its records respect: without sizes that values exceed (numbers that
        have one are decimals), and with dangling foreign keys marked.
        """

    def bytes_of(self, info: Info) -> int:
        """The approximate size of the records in bytes; 0 if it is unknown."""

    def cautions(self) -> list[str]:
        """Sentences that the user should read before the store is read, as check mode reports them."""

    def check_unchanged(self) -> None:
        """:raises SourceError: the store has no snapshots, and was written to since it was opened."""


class TargetStore(SourceStore, Protocol):
    """A store that is written, and read. Leaving the block rolls back what was not committed."""

    replaces_atomically: bool  # the new content takes the place of the old one at once, in `commit`
    columns: bool  # collections are tables
    takes_copy_lines: bool  # `write` is faster with records that are `CopyLines`
    undoes: bool  # `undo` can tell what this run has written from what others have

    def __enter__(self) -> TargetStore: ...

    def check_state(self) -> None:
        """Check what a migration stores beside the store: whatever `lock` and `recover` would refuse is refused.

        :raises TargetError: someone else has created something with that name.
        """

    def lock(self) -> bool:
        """Keep other migrations from writing here until the block ends. Yields False if one has the lock.

        :raises TargetError: this cannot be determined.
        """

    def recover(self) -> None:
        """Bring leftovers of a killed run into a state from which to continue. Called only by the holder of the lock,
        before it reads.

        :raises TargetError: this is not possible.
        """

    def check_writable(self, infos: Sequence[Info], size: int, rights: Rights = NO_RIGHTS) -> None:
        """Whether these could be written; nothing is.

        :param size: about how many bytes of records will be written.
        :param rights: see `Rights`; of those that exist.
        :raises TargetError, NoSpace: no.
        """

    def refuses(self, info: Info, record: Mapping[str, Any]) -> str:
        """Why the target can't hold the record, "" when it can. `info` is what `begin` is given, for many records."""

    def interference(self, infos: Sequence[Info], removing: Collection[str]) -> list[str]:
        """What of the tables that exist may change or refuse what is written, in words: triggers, rules, and foreign
        keys that `collections` does not tell of.

        :param removing: the names of those from which records are removed.
        """

    def folded(self, info: Info) -> Collection[str]:
        """The fields of an existing collection whose unique values must differ in more than the case of ASCII
        letters."""

    def clashes(self, info: Info, existing: Info, chunks: Iterable[Sequence[Record]], scratch: str) -> Clashes:
        """The records that an existing table does not take beside each other, or beside those that it has. Only what
        `existing` does not tell, as the rules of the store decide: unique indexes on some rows, on expressions or with
        collations of their own, exclusion constraints. Nothing is written to the table.

        :param info: the collection as it will be written.
        :param chunks: the records that will be written.
        :param scratch: a directory for temporary files.
        """

    def doubts(self) -> list[str]:
        """Sentences on what `refuses` cannot determine, as check mode reports them."""

    def checkpoints(self, names: Sequence[str]) -> dict[str, Any]:
        """The checkpoints of an unfinished migration, for those of these names that have one."""

    def begin(self, starts: Sequence[Start], new: Collection[str] = ()) -> None:
        """Make the collections that are missing, and keep all checkpoints: one commit, where the store has commits.

        :param new: the names of those that were missing when the migration was planned.
        :raises TargetError: one exists with another schema, or was created since.
        """

    def write(self, info: Info, records: Sequence[Record], account: Account, upsert: bool) -> None:
        """Commit records together with the checkpoint that `account` makes, once it is told which are refused.

        Without `upsert`, which takes a key, one that is there already is an error. What `account` raises ends it with
        nothing written.

        :raises TargetError: naming collection and key.
        """

    def by_place(self, info: Info) -> Info:
        """A collection without a key, with more fields that say where each record is stored, and these as its key: it
        can be read, and records be deleted by them. Not for a target with `replaces_atomically`.

        :raises TargetError: the store can't tell.
        """

    def delete(self, info: Info, wanted: Sequence[tuple[Any, ...]], checkpoint: Any = None) -> None:
        """Remove records by their keys; committed together with the checkpoint, if there is one."""

    def drop(self, infos: Sequence[Info]) -> None:
        """Remove collections with everything in them."""

    def undo(self, infos: Sequence[Info]) -> None:
        """Remove what `begin` and `write` have created of these, with their checkpoints.

        :raises TargetError: this run has not created all of them, or others may have written to one. All are kept.
        """

    def build_indexes(self, infos: Sequence[Info]) -> None:
        """Create what has to wait for the data (indexes, foreign keys, sequences). Readings then show the result.

        :raises TargetError: the data violates a constraint.
        """

    def commit(self, names: Sequence[str]) -> None:
        """The migration is verified: move it into place if necessary, and remove the checkpoints."""
