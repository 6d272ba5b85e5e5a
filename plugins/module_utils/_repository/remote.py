# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository in a store of objects, below a prefix: SET/ID/{manifest.json,SHA256SUMS,data/…}, SET/.state/ and .day2/.

Every object of a backup lies under an id that no other run uses. The manifest is written last and exclusively; an empty
one is a fence, which keeps a run that lost its lock from publishing. Where nothing can be created exclusively, there is
no fence: what a run may still publish stays for a day.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from itertools import groupby
from types import MappingProxyType
from typing import Any, BinaryIO, Optional

from .._core import host_state
from .._core.errors import Day2Error, RepositoryError
from .._core.units import format_time
from . import anchors
from .base import Listed, Removal, Staging
from .catalogue import FOLDER, Catalogue
from .directory import ON_HOST, unwrapped, wrapped
from .encryption import NOT_ENCRYPTED
from .generations import Generations
from .lease import Lease
from .manifest import ID, MANIFEST, SET, SUMS, random_id
from .objects import LISTING, Object, Objects
from .reading import load
from .remote_cleaning import MARKS, REMOVED, Cleaning, is_published
from .remote_header import Header
from .remote_options import Locking
from .remote_staging import RemoteCopyStaging, RemoteStaging
from .turns import Turns
from .watch import Watch

_STATE = ".state"
_READERS = 8  # requests at once for manifests
_AHEAD = 32  # backups that are read ahead
_SMALL = 1 << 20  # bytes of what is read ahead
_LOCKED = "locked"
_PROVED_FOR = 30 * 24 * 3600.0  # seconds
_ON_HOST = (*ON_HOST, _LOCKED)


class RemoteRepository:
    """Backups in a store of objects.

    :param grace: seconds for which the data of a removed backup stays, for those who are reading it.
    """

    local_path: Optional[str] = None
    hides_names = False
    encrypts = False

    def __init__(self, objects: Objects, grace: float, locking: Optional[Locking] = None) -> None:
        self._objects = objects
        self._locking = locking
        self._grace = grace
        self._header = Header(objects)
        # while a lock is held: what was found in its set, and the state that was read
        self._seen: dict[str, dict[str, dict[str, Object]]] = {}
        self._states: dict[str, dict[str, Any]] = {}
        self._leases: dict[str, Lease] = {}
        self._catalogues: dict[str, Catalogue] = {}
        self.location = objects.location
        self.place = objects.place
        self.compression: Optional[str] = None
        self.encryption = NOT_ENCRYPTED

    def check_writable(self, name: str) -> None:
        header = self._header.known()
        trouble = "" if header is not None else self._objects.trouble()
        if trouble:
            raise RepositoryError(f"The repository {self.location} {trouble}.", "Create it, or correct its name.")
        if header is not None:
            self._header.check_way(header)
        self._objects.check_locking(self._locking is not None)

    def trouble(self) -> str:
        # one request where there is a repository
        return "" if self._header.known() is not None else self._objects.trouble()

    def free_bytes(self) -> Optional[int]:
        return None

    def sets(self) -> list[str]:
        return [name for name in self._objects.folders() if SET.fullmatch(name) and self._has_backups(name)]

    def _has_backups(self, name: str) -> bool:
        return any(True for _backup in self._backups(name))

    def ids(self, name: str) -> list[str]:
        return [backup for backup, _objects in self._backups(name)]

    def _folders(self, name: str) -> Iterator[tuple[str, dict[str, Object]]]:
        """All that has an id, published or not: its objects by path."""
        if name in self._seen:
            yield from self._seen[name].items()
            return
        top = len(name) + 1
        catalogue: list[str] = []
        if name not in self._leases:
            self._catalogues.pop(name, None)
        for folder, objects in groupby(self._objects.walk(f"{name}/"), lambda one: one.key[top:].partition("/")[0]):
            if folder == _STATE:  # it comes before all ids
                catalogue = [one.key for one in objects if one.key.startswith(f"{name}/{FOLDER}")]
            if name not in self._catalogues:
                self._catalogues[name] = Catalogue(self._objects, f"{name}/{FOLDER}", catalogue)
            if ID.fullmatch(folder):
                yield folder, {one.key[top + len(folder) + 1 :]: one for one in objects}

    def _backups(self, name: str) -> Iterator[tuple[str, dict[str, Object]]]:
        for backup, objects in self._folders(name):
            if is_published(objects):
                yield backup, objects

    def listing(self, name: str) -> Iterator[Listed]:
        waiting: deque[Listed] = deque()
        with ThreadPoolExecutor(_READERS, "day2-read") as pool:
            for backup, objects in self._backups(name):
                # what is larger waits until its size was checked
                known = self._catalogues[name].get(backup, objects)
                small = [path for path in (MANIFEST, SUMS) if path in objects and objects[path].size <= _SMALL]
                wanted = [path for path in small if path not in known]
                ahead = {path: pool.submit(self._read_ahead, name, backup, objects[path]) for path in wanted}
                waiting.append(self._listed(name, backup, objects, ahead, known))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft()
            yield from waiting

    def _read_ahead(self, name: str, backup: str, one: Object) -> Optional[bytes]:
        data = self._objects.read(one.key)
        if data and name in self._leases:
            self._catalogues[name].note(backup, one.key.rpartition("/")[2], data, one)
        return data

    def look(self, name: str, backup_id: str) -> Listed:
        top = f"{name}/{backup_id}/"
        return self._listed(name, backup_id, {one.key[len(top) :]: one for one in self._objects.walk(top)})

    def _listed(
        self,
        name: str,
        backup_id: str,
        objects: dict[str, Object],
        ahead: Mapping[str, Future[Optional[bytes]]] = MappingProxyType({}),
        known: Mapping[str, bytes] = MappingProxyType({}),
    ) -> Listed:
        """
        :param ahead: what is being read already.
        :param known: what need not be read.
        """

        def read(path: str) -> bytes:
            data = known.get(path) or (ahead[path].result() if path in ahead else None)
            if data is None:
                data = self._objects.read(f"{name}/{backup_id}/{path}")
            if not data:
                raise RepositoryError(f"{self.location}/{name}/{backup_id}/{path} is missing.")
            return data

        sizes: dict[str, Optional[int]] = {path: one.size for path, one in objects.items() if path not in MARKS}
        changed = sorted(path for path, one in objects.items() if one.strange)
        note = f"{', '.join(changed[:3])} was overwritten or deleted by another program. The original version is used."
        return Listed(backup_id, sizes, read, [note] if changed else [])

    def path(self, name: str, backup_id: str) -> str:
        return f"{self.location}/{name}/{backup_id}"

    def open(self, name: str, backup_id: str, path: str) -> BinaryIO:
        return self._objects.open(f"{name}/{backup_id}/{path}")

    @contextlib.contextmanager
    def hold(self, name: str, backup_id: str) -> Iterator[None]:
        # that the data stays is what the grace period is for
        if not self.look(name, backup_id).sizes.get(MANIFEST):
            raise RepositoryError(f"Backup {backup_id} of {name} was removed just now.", "Choose another one.")
        yield

    def stage(self, name: str, created: datetime) -> Staging:
        self._seen.pop(name, None)
        self._prove_checksums()
        return RemoteStaging(self._objects, self._leases[name], name, random_id(created), self._locking)

    def _prove_checksums(self) -> None:
        """Where checksums are relied on, the server was seen to refuse a wrong one within the last days."""
        if not self._objects.checksums:
            return
        where = (self._header.begun()["id"], "checksums")
        noted, clock = host_state.read(*where), time.time()
        at = noted.get("at")
        if noted.get("place") != self.place or not isinstance(at, (int, float)) or not 0 <= clock - at < _PROVED_FOR:
            self._objects.prove_checksums()
            host_state.write({"place": self.place, "at": clock}, *where)

    def stage_copy(self, name: str, backup_id: str, sizes: Mapping[str, int]) -> Staging:
        self._seen.pop(name, None)
        return RemoteCopyStaging(self._objects, self._leases[name], name, backup_id, sizes=sizes, locking=self._locking)

    def drop_copies(self, name: str, backup_ids: Collection[str]) -> list[str]:
        return []  # after a while, every run removes it

    def bytes_of_copy(self, name: str, backup_id: str) -> int:
        return 0  # nobody asks for free space here

    def remove(self, name: str, backup_id: str) -> Removal:
        self._seen.pop(name, None)
        until = self.locked_until(name, backup_id)
        if until is not None:
            return Removal(f"is locked until {format_time(until)}")
        self._leases[name].check()
        self._objects.put(f"{name}/{backup_id}/{REMOVED}", b"")  # its time is that of the removal
        self._leases[name].check()
        self._objects.remove([f"{name}/{backup_id}/{MANIFEST}"])
        return Removal()

    def locked_until(self, name: str, backup_id: str) -> Optional[datetime]:
        return self._objects.locked_until(f"{name}/{backup_id}/{MANIFEST}")

    def extend_locks(self, name: str, kept: Sequence[str]) -> list[str]:
        if self._locking is None:
            return []
        # on the host, where who has stolen the key can't change it
        known = {one: at for one, at in self.read_state(name, _LOCKED).items() if one in kept}
        half = datetime.now(timezone.utc) + timedelta(seconds=self._locking.seconds / 2)
        failed = []
        for backup in kept:
            if str(known.get(backup, "")) >= format_time(half):
                continue
            try:
                known[backup] = format_time(self._extended(name, backup, self._locking))
            except Day2Error as exc:  # it must not keep the others
                failed.append(f"Backup {backup} could not be locked for longer: {exc.message}")
        try:
            self.write_state(name, _LOCKED, known)
        except Day2Error as exc:
            failed.append(f"The end of the locks of backups could not be recorded: {exc.message}")
        return failed

    def _extended(self, name: str, backup: str, locking: Locking) -> datetime:
        self._leases[name].check()
        until = self.locked_until(name, backup)
        if until is None or until < datetime.now(timezone.utc) + timedelta(seconds=locking.seconds / 2):
            listed = self.look(name, backup)
            # what others have put beside it is not paid for
            own = [path for path in (*load(listed).pieces, SUMS) if path in listed.sizes]
            # the manifest's tells of all: it comes last
            until = self._objects.retain([f"{name}/{backup}/{path}" for path in [*own, MANIFEST]], *locking)
        return until

    @contextlib.contextmanager
    def lock(self, name: str, verb: str, timeout: float, continued: Collection[str] = ()) -> Iterator[list[str]]:
        self._objects.check_locking(self._locking is not None)
        self._header.check_server()
        lease = self._lease(name, verb)
        lease.acquire(timeout)
        self._leases[name] = lease
        try:
            yield self._clean(name)
            with contextlib.suppress(Day2Error):  # it saves requests, and nothing else
                lease.check()
                if name in self._catalogues:
                    self._catalogues[name].write()
        finally:
            del self._leases[name]
            self._catalogues.pop(name, None)
            self._seen.pop(name, None)
            self._states.clear()
            lease.release()

    def _lease(self, name: str, verb: str) -> Lease:
        prefix = f"{name}/{_STATE}/lock/"
        watch = self._watch(name, "locks")
        if watch is not None:
            return Turns(self._objects, prefix, verb, watch=watch)
        return Generations(self._objects, prefix, verb)

    def _watch(self, name: str, document: str) -> Optional[Watch]:
        """For how long this host has seen things, where nothing else tells whether a run is over."""
        header = self._header.begun()
        return Watch(header["id"], name, document) if header["lock"] == LISTING else None

    def _clean(self, name: str) -> list[str]:
        """Remove what earlier runs left. The caller holds the lock."""
        found = dict(self._folders(name))
        cleaning = Cleaning(self._objects, self._leases[name], name, self._grace, self._watch(name, "left"))
        notes = cleaning.run(found)
        # nobody else changes the set now; what was fenced may have been published at the last moment
        if all(MANIFEST in objects or not objects.keys().isdisjoint(MARKS) for objects in found.values()):
            self._seen[name] = {backup: objects for backup, objects in found.items() if is_published(objects)}
        return notes

    def read_state(self, name: str, document: str) -> dict[str, Any]:
        if document in _ON_HOST:
            header = self._header.known()
            return {} if header is None else host_state.read(header["id"], name, document)
        key = f"{name}/{_STATE}/{document}.json"
        if key in self._states:
            return dict(self._states[key])
        value = unwrapped(self._objects.read(key) or b"")
        if name in self._leases:
            self._states[key] = value
        return dict(value)

    def write_state(self, name: str, document: str, value: dict[str, Any]) -> None:
        if document in _ON_HOST:
            host_state.write(value, self._header.begun()["id"], name, document)
            return
        self._leases[name].check()
        self._objects.put(f"{name}/{_STATE}/{document}.json", wrapped(value))
        self._states.pop(f"{name}/{_STATE}/{document}.json", None)

    def put_anchor(self, host: str, name: str, data: bytes) -> bool:
        place = anchors.ObjectsPlace(self._objects, self._header, self._locking)
        return anchors.put_in_objects(place, host, name, data)

    def anchors(self, host: str) -> Iterator[tuple[str, bytes]]:
        return anchors.in_objects(self._objects, host)
