# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository of the program restic: each backup is a snapshot, whose tags tell what it is.

There is nothing in it that can be changed in place: a backup that is removed gets another tag, and goes a day later, so
that those who are reading it can go on. The lock of a set excludes other runs of this host only. Runs of other hosts
write snapshots of their own, which do no harm.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, BinaryIO, Optional

from .._core import host_key, host_state
from .._core.compression.base import CorruptStream
from .._core.errors import Day2Error, InvalidRequest, RepositoryError, Unreachable
from .._core.files import look, make_private_directory, os_errors
from .._core.restic import Busy, Exists, Missing, Restic
from .._core.scratch import remove_left_scratch
from .._core.units import format_time
from .anchors import NAME, is_time_to_thin, surplus
from .base import Listed, Removal, Staging
from .directory import wait_for_lock
from .encryption import NOT_ENCRYPTED, place_of
from .manifest import SET, random_id
from .remote_options import grace_of, rate_of
from .restic_snapshots import GOOD, OURS, PROVISIONAL, REMOVED, Snapshot, Snapshots, tags_of
from .restic_staging import ResticStaging, quietly
from .watch import Watch

_PRUNE_AFTER = 24 * 3600.0  # seconds
_PATIENCE = 60.0  # seconds to wait for other processes of restic
_ON_HOST = ("fingerprints",)
_ANCHOR = "anchor.json"
_OPTIONS = {
    "lock_for": "Omit it: removing backups requires permission to delete data.",
    "encrypt_to": "Omit it: restic encrypts the repository with its password.",
    "read_back": "Omit it: each backup is read back.",
    "names_key": "Omit it: restic encrypts all names.",
    "compression": "Omit it: restic compresses.",
}


def open_restic(params: Mapping[str, Any]) -> ResticRepository:
    """The repository that a module's parameters tell. Raises InvalidRequest for options that it can't follow."""
    for option, hint in _OPTIONS.items():
        if params.get(option) and params[option] not in ("none", "full"):
            raise InvalidRequest(f"{option} can't be used with engine=restic.", hint)
    return ResticRepository(Restic(params, rate_of(params)), grace_of(params))


class ResticRepository:
    """Backups as snapshots of restic.

    :param grace: seconds for which a removed backup, and what another host has not completed, stays.
    """

    hides_names = False
    encrypts = True

    def __init__(self, restic: Restic, grace: float) -> None:
        self._grace = grace
        self._restic = restic
        self._snapshots = Snapshots(restic)
        self.location = restic.location
        self.place = restic.place
        self.local_path = restic.local_path
        self.encryption = NOT_ENCRYPTED
        self.compression: Optional[str] = "none"
        self._where = ("restic", place_of(restic.place))
        self._states: dict[tuple[str, str], dict[str, Any]] = {}  # what was written under the lock
        told = host_key.machine().decode(errors="replace") or os.uname().nodename
        self._by = hashlib.sha256(f"{told}\0{host_state.directory()}".encode(errors="replace")).hexdigest()[:16]

    def check_writable(self, name: str) -> None:
        """Whether it can be written is only known by writing. At least it can be read, or created."""
        try:
            self._snapshots.refresh()
        except Missing:
            self._check_creatable()

    def _check_creatable(self) -> None:
        if self.local_path is None:
            return
        existing = self.local_path
        while look(existing, RepositoryError) is None:
            existing = os.path.dirname(existing)
        if not os.path.isdir(existing):
            raise RepositoryError(f"{self.location} can't be a repository: {existing} is not a directory.")
        if existing == self.local_path and os.listdir(existing):
            raise RepositoryError(
                f"{self.location} contains other files, but is not a repository of restic.", "Choose another directory."
            )
        if not os.access(existing, os.W_OK | os.X_OK):
            raise RepositoryError(
                f"The repository {self.location} is not writable: access to {existing} is denied.",
                "Run as a user with permission (become: true).",
            )

    def trouble(self) -> str:
        try:
            self._snapshots.refresh()
        except Missing:
            return "does not exist"
        return ""

    def free_bytes(self) -> Optional[int]:
        return None  # nobody knows how much of a backup is there already

    def sets(self) -> list[str]:
        self._snapshots.look_again()
        names = {one.tags.get("set", "") for one in self._snapshots.all() if one.state == GOOD}
        return sorted(name for name in names if SET.fullmatch(name))

    def ids(self, name: str) -> list[str]:
        self._snapshots.look_again()
        return list(self._snapshots.good(name))

    def path(self, name: str, backup_id: str) -> str:
        return f"{self.location}/{name}/{backup_id}"

    def listing(self, name: str) -> Iterator[Listed]:
        self._snapshots.look_again()
        found = self._snapshots.good(name)
        self._snapshots.learn(found.values())
        for backup_id, snapshot in found.items():
            yield self._listed(backup_id, snapshot)

    def look(self, name: str, backup_id: str) -> Listed:
        snapshot = self._find(name, backup_id)
        if snapshot is None:
            return Listed(backup_id, {}, self._missing(name, backup_id))
        return self._listed(backup_id, snapshot)

    def _listed(self, backup_id: str, snapshot: Snapshot) -> Listed:
        def read(path: str) -> bytes:
            return self._snapshots.document(snapshot, path)

        try:
            sizes: Mapping[str, Optional[int]] = self._snapshots.known(snapshot).sizes
        except Unreachable:
            raise
        except RepositoryError:  # told by what reads the manifest
            sizes = {}
        return Listed(backup_id, sizes, read)

    def _missing(self, name: str, backup_id: str) -> Any:
        def read(path: str) -> bytes:
            raise self._gone(name, backup_id)

        return read

    def _gone(self, name: str, backup_id: str) -> RepositoryError:
        return RepositoryError(f"Backup {backup_id} of {name} is not in {self.location}.", "Choose another backup.")

    def _find(self, name: str, backup_id: str) -> Optional[Snapshot]:
        """The snapshot of a backup, also of one that was removed less than a day ago."""
        for again in (False, True):
            if again:
                self._snapshots.look_again()
            found = self._snapshots.good(name).get(backup_id) or next(
                (one for one in self._snapshots.of(name) if one.backup == backup_id and one.state == REMOVED), None
            )
            if found is not None:
                return found
        return None

    def open(self, name: str, backup_id: str, path: str) -> BinaryIO:
        snapshot = self._find(name, backup_id)
        if snapshot is None:
            raise self._gone(name, backup_id)
        return self._snapshots.open(snapshot, path)

    @contextlib.contextmanager
    def hold(self, name: str, backup_id: str) -> Iterator[None]:
        if backup_id not in self.ids(name):
            raise self._gone(name, backup_id)
        yield

    def stage(self, name: str, created: datetime) -> Staging:
        where = (name, self._by, random_id(created))
        return ResticStaging(self._snapshots, where, created, self._drop)

    def _drop(self, ids: Sequence[str], frees: bool) -> None:
        """Forget snapshots if nobody else uses the repository now; the next run tries again."""
        quietly(lambda: self._forget(ids, frees=frees))

    def stage_copy(self, name: str, backup_id: str, sizes: Mapping[str, int]) -> Staging:
        from .restic_copy import ResticCopyStaging  # only here: see _stores/registry.py

        return ResticCopyStaging(self._snapshots, (name, self._by, backup_id), self._drop, sizes)

    def drop_copies(self, name: str, backup_ids: Collection[str]) -> list[str]:
        left = [one for one in self._snapshots.of(name) if one.backup in backup_ids]
        own = [one.id for one in left if one.state == PROVISIONAL and one.tags.get("by") == self._by]
        if own:
            self._drop(own, True)
        return []

    def bytes_of_copy(self, name: str, backup_id: str) -> int:
        return 0  # free space is not known

    def remove(self, name: str, backup_id: str) -> Removal:
        snapshot = self._snapshots.good(name).get(backup_id)
        if snapshot is None:
            return Removal()
        tags = tags_of(set=name, id=backup_id, state=REMOVED, by=self._by)
        try:
            self._restic.when_free("write to", "tag", "--quiet", f"--set={tags}", snapshot.id, patience=_PATIENCE)
        except Busy:
            return Removal("can't be removed while another process uses the repository: it stays until the next run")
        self._snapshots.forget_listing()
        return Removal()

    def locked_until(self, name: str, backup_id: str) -> Optional[datetime]:
        return None

    def extend_locks(self, name: str, kept: Sequence[str]) -> list[str]:
        """Nothing is locked here."""
        return []

    @contextlib.contextmanager
    def lock(self, name: str, verb: str, timeout: float, continued: Collection[str] = ()) -> Iterator[list[str]]:
        with self._alone(name, verb, timeout):
            remove_left_scratch()
            self._create_if_missing()
            self._snapshots.steady = True
            try:
                yield self._clean(name, continued)
                self._prune()
            finally:
                self._snapshots.steady = False
                self._states.clear()
                self._snapshots.forget_listing()

    @contextlib.contextmanager
    def _alone(self, name: str, verb: str, timeout: float) -> Iterator[None]:
        path = os.path.join(host_state.directory(), *self._where, "locks", name)
        with os_errors(RepositoryError, "Can't lock", path):
            make_private_directory(os.path.dirname(path))
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            wait_for_lock(fd, path, time.monotonic() + timeout, timeout)
            since = format_time(datetime.now(timezone.utc))
            holder = {"verb": verb, "pid": os.getpid(), "host": os.uname().nodename, "since": since}
            with contextlib.suppress(OSError):  # it is only information
                os.ftruncate(fd, 0)
                os.pwrite(fd, json.dumps(holder).encode(), 0)
            yield
        finally:
            os.close(fd)

    def _create_if_missing(self) -> None:
        try:
            self._snapshots.refresh()
        except Missing:
            self._check_creatable()
            if self.local_path is not None:
                with os_errors(RepositoryError, "Can't create", self.local_path):
                    make_private_directory(self.local_path)
            with contextlib.suppress(Exists):  # another host was faster
                self._restic.call("create", "init", "--quiet")
            self._snapshots.refresh()

    def _clean(self, name: str, continued: Collection[str]) -> list[str]:
        """Remove what nobody needs any more. Returns a sentence for each thing that an interrupted run had left.

        :param continued: ids of backups whose copies may go on with what interrupted ones left.
        """
        notes: list[str] = []
        found = self._snapshots.of(name)
        published = {one.backup for one in found if one.state in (GOOD, REMOVED)}
        left = [one for one in found if one.state == PROVISIONAL and one.backup not in continued]
        gone = [one for one in found if one.state == REMOVED]
        ages = self._ages(name, [*left, *gone])
        own = [one for one in left if one.tags.get("by") == self._by or ages[one.id] >= self._grace]
        old = [one for one in gone if ages[one.id] >= self._grace]
        unwanted = [*own, *old, *_superseded(found)]
        if unwanted:
            try:
                self._forget([one.id for one in unwanted], frees=bool(old or own))
                ids = dict.fromkeys(one.backup for one in own if one.backup not in published)
                notes += [f"Removed {self.path(name, one)}, which an interrupted run had left." for one in ids]
            except Day2Error as exc:
                notes += [f"Snapshots that are not needed any more stay until the next run: {exc.message}"] * bool(own)
        return notes + self._not_freed()

    def _ages(self, name: str, snapshots: Sequence[Snapshot]) -> dict[str, float]:
        watch = Watch(*self._where, "seen", name)
        ages = watch.ages({one.id: one.tree for one in snapshots})
        quietly(watch.save)
        return ages

    def _forget(self, ids: Sequence[str], *, frees: bool) -> None:
        self._restic.when_free("remove snapshots from", "forget", "--quiet", *ids, patience=0)
        self._snapshots.forget_listing()
        if frees:
            quietly(lambda: host_state.write({**self._pruned(), "wanted": True}, *self._where, "prune"))

    def _pruned(self) -> dict[str, Any]:
        return host_state.read(*self._where, "prune")

    def _not_freed(self) -> list[str]:
        """Why the last run could not free space, as a sentence."""
        why = self._pruned().get("failed")
        return [f"The space of removed backups could not be freed: {why}"] if isinstance(why, str) else []

    def _prune(self) -> None:
        """Free the space of snapshots that were removed, at most once a day, if it is more than a tenth.

        It can take hours, so it comes when all else is done. If it fails, the next run says so.
        """
        state, clock = self._pruned(), time.time()
        at = state.get("at")
        if not state.get("wanted") or (isinstance(at, (int, float)) and 0 <= clock - at < _PRUNE_AFTER):
            return
        done: dict[str, Any] = {"at": clock}
        try:
            self._restic.when_free("free space in", "prune", "--quiet", "--max-unused=10%", patience=0, limit=None)
            self._snapshots.forget_trees()
        except Busy:
            return
        except (Day2Error, CorruptStream) as exc:
            done = {**state, "failed": exc.message}
        quietly(lambda: host_state.write(done, *self._where, "prune"))

    def read_state(self, name: str, document: str) -> dict[str, Any]:
        if document in _ON_HOST:
            return host_state.read(*self._where, "sets", name, document)
        if (name, document) in self._states:
            return dict(self._states[name, document])
        found = [one for one in self._snapshots.of(name) if one.tags.get("document") == document]
        try:
            value = json.loads(self._snapshots.single(found[-1], f"{document}.json"))
        except (IndexError, KeyError, RepositoryError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def write_state(self, name: str, document: str, value: dict[str, Any]) -> None:
        if document in _ON_HOST:
            host_state.write(value, *self._where, "sets", name, document)
            return
        if self.read_state(name, document) == value:
            return
        tags = tags_of(set=name, document=document, by=self._by)
        words = ["backup", "--json", "--quiet", f"--host={OURS}", f"--tag={tags}", "--force"]
        words += [*self._after(name, document), "--stdin", f"--stdin-filename={document}.json"]
        self._restic.call("write to", *words, data=json.dumps(value).encode())
        self._states[name, document] = value

    def put_anchor(self, host: str, name: str, data: bytes) -> bool:
        there = [one for one in self._anchored(host) if one.tags["anchor"] == name]
        if there:
            return self._snapshots.single(there[0], _ANCHOR) == data
        words = ["backup", "--json", "--quiet", f"--host={OURS}", f"--tag={tags_of(evidence=host, anchor=name)}"]
        try:
            self._restic.call("write to", *words, "--force", "--stdin", f"--stdin-filename={_ANCHOR}", data=data)
        except CorruptStream as exc:
            raise RepositoryError(exc.message) from exc
        self._snapshots.forget_listing()
        if is_time_to_thin(name):
            found = self._anchored(host)
            gone = set(surplus([one.tags["anchor"] for one in found]))
            self._drop([one.id for one in found if one.tags["anchor"] in gone], False)
        return True

    def anchors(self, host: str) -> Iterator[tuple[str, bytes]]:
        for one in self._anchored(host):
            yield one.tags["anchor"], self._snapshots.single(one, _ANCHOR)

    def _anchored(self, host: str) -> list[Snapshot]:
        self._snapshots.look_again()
        found = [one for one in self._snapshots.all() if one.tags.get("evidence") == host]
        return [one for one in found if NAME.fullmatch(one.tags.get("anchor", ""))]

    def _after(self, name: str, document: str) -> list[str]:
        """The time of a document, if a clock that was wrong has given a later one to the document before it."""
        last = max((one.time for one in self._snapshots.of(name) if one.tags.get("document") == document), default="")
        if last < datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f"):
            return []
        later = datetime.strptime(last[:19], "%Y-%m-%dT%H:%M:%S") + timedelta(seconds=1)
        return [f"--time={later:%Y-%m-%d %H:%M:%S}"]


def _superseded(found: Sequence[Snapshot]) -> list[Snapshot]:
    """Documents of the state of a set that others have replaced; all, if it has no backups."""
    documents = [one for one in found if "document" in one.tags]
    if not any(one.state == GOOD for one in found):
        return documents
    newest = {one.tags["document"]: one.id for one in documents}
    return [one for one in documents if newest[one.tags["document"]] != one.id]
