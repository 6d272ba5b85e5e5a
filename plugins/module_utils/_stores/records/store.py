# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a store answers as a holder of records, for `migrate`: as a `SourceStore`, which is only read, and as a
`TargetStore`, which is a target.

A reading shows one state of the source where the store can , else the verb compares the digests of two
readings. What a target writes is committed batch by batch, each together with the migration's new checkpoint, so that
a killed run is continued by the next one and no batch is written twice or half.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Optional, Protocol

from .kinds import Summary
from .model import NO_RIGHTS, Account, Info, Record, Rights, Start


class SourceStore(Protocol):
    """What is read. Opened by `with`; it never writes, renames or removes anything."""

    type: str
    location: str  # for people, without secrets
    typed: bool  # kinds of fields are known without reading the records
    deterministic_order: bool  # `read` has the same order in each run

    @property
    def notes(self) -> list[str]:
        """What a report says of what is not migrated; complete once `collections` was called."""

    @property
    def identity(self) -> str:
        """The same for the same store, however it is reached."""

    def __enter__(self) -> SourceStore: ...

    def __exit__(self, *exc: object) -> None: ...

    def end_reading(self) -> bool:
        """End all readings, so that others in this process may open the store's files. Returns whether what is read
        from now on may differ from what was read before.
        """

    def collections(self) -> list[Info]:
        """What is there; an empty list also when the store itself is not.

        :raises SourceError: it can't be read, or is not what its type says.
        """

    def read(self, info: Info) -> Iterator[Record]:
        """All records in an order that is the same while their content is the same.

        :raises SourceError: naming collection and place.
        """

    def chunks(self, info: Info, ordered: bool = True, copy_lines: bool = False) -> Iterator[Sequence[Record]]:
        """As `read`, many records at a time; where their order does not matter there may be a faster one.

        :param copy_lines: they may be `CopyLines`.
        """

    def summary(self, info: Info) -> Optional[Summary]:
        """What the store knows of all records by a reading of its own; None: read them."""

    def holding_constraints(self, info: Info) -> Info:
        """The collection as its records keep to it: without sizes that not all values have (numbers that have one are
        decimals), and with foreign keys marked that point to nothing."""

    def bytes_of(self, info: Info) -> int:
        """About how many bytes the records take; 0 where that is not known."""

    def cautions(self) -> list[str]:
        """What to know before it is read, as check mode says it."""

    def check_unchanged(self) -> None:
        """:raises SourceError: the store was written since it was opened, and has no snapshots."""


class TargetStore(SourceStore, Protocol):
    """What is written, and read. Leaving the block rolls back what is not committed."""

    replaces_atomically: bool  # the new content takes the place of the old one at once, in `commit`
    columns: bool  # collections are tables
    takes_copy_lines: bool  # `write` is faster with records that are `CopyLines`
    undoes: bool  # `undo` can tell what this run has written from what others have

    def __enter__(self) -> TargetStore: ...

    def check_state(self) -> None:
        """Look at whatever a migration keeps beside the store: what `lock` and `recover` would refuse is refused.

        :raises TargetError: somebody else has made something of that name.
        """

    def lock(self) -> bool:
        """Keep other migrations from writing here until the block of `with` ends. False: one of them has done so.

        :raises TargetError: it can't be told.
        """

    def recover(self) -> None:
        """Bring what a killed run left into a state to go on from. Only by the holder of the lock, before it reads.

        :raises TargetError: it can't be done.
        """

    def check_writable(self, infos: Sequence[Info], size: int, rights: Rights = NO_RIGHTS) -> None:
        """Whether these could be written; nothing is.

        :param size: about how many bytes there will be more.
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

    def doubts(self) -> list[str]:
        """What `refuses` could not find out, as check mode says it."""

    def checkpoints(self, names: Sequence[str]) -> dict[str, Any]:
        """The checkpoints of an unfinished migration, of those of these names that have one."""

    def begin(self, starts: Sequence[Start], new: Collection[str] = ()) -> None:
        """Make the collections that are missing, and keep all checkpoints: one commit, where the store has commits.

        :param new: the names of those that were missing when the migration was planned.
        :raises TargetError: one is there with another schema, or appeared since.
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
        """Remove what `begin` and `write` have made of these, with their checkpoints.

        :raises TargetError: this run has not made all of them, or others may have written into one. All are kept.
        """

    def build_indexes(self, infos: Sequence[Info]) -> None:
        """Add what waits for the data (indexes, foreign keys, sequences). Readings show the result from here on.

        :raises TargetError: naming what is violated.
        """

    def commit(self, names: Sequence[str]) -> None:
        """The migration is verified: put it in place where that was not done yet, and remove the checkpoints."""
