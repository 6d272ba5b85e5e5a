# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a repository of restic: its snapshots, as their tags tell of them, and what they contain."""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, NamedTuple, Optional, Union, cast

from .._core import host_state
from .._core.compression.base import CorruptStream
from .._core.errors import Day2Error, RepositoryError
from .._core.restic import Gone, Missing, Restic, mapping_of
from .encryption import place_of
from .manifest import ID
from .restic_pieces import SUFFIX
from .restic_series import Dump, Series

OURS = "day2"  # the tag, and the host, of all that is written here
GOOD, PROVISIONAL, REMOVED = "good", "provisional", "removed"  # of the tag `state`
_AT_ONCE = 4  # snapshots that are looked at for the first time
_CACHED = 8 << 20  # bytes of a document that is remembered


class Snapshot(NamedTuple):
    """A snapshot made by this collection. `tree` is the digest of its content."""

    id: str
    tree: str
    time: str
    tags: Mapping[str, str]

    @property
    def backup(self) -> str:
        """The id of the backup that it is, or was to be."""
        return self.tags.get("id", "")

    @property
    def state(self) -> str:
        """Whether it counts: only the tree that was compared when it was written can be good."""
        state = self.tags.get("state", "")
        return PROVISIONAL if state == GOOD and self.tags.get("tree", self.tree) != self.tree else state


def tags_of(**tags: str) -> str:
    """As restic is given them."""
    return ",".join([OURS, *(f"{name}={value}" for name, value in tags.items())])


class Known(NamedTuple):
    """What a tree contains: its files with their sizes, and its small documents."""

    sizes: dict[str, Optional[int]]
    documents: dict[str, bytes]


class Snapshots:
    """The snapshots of a repository. A listing is cached until it is refreshed."""

    def __init__(self, restic: Restic) -> None:
        self.restic = restic
        self._where = ("restic", place_of(restic.place))
        self._listed: Optional[list[Snapshot]] = None
        self.steady = False  # only this run changes what matters to it
        self._known: dict[str, Known] = {}
        self._series = Series(restic)
        self._last = (("", ""), "")  # the last file of the directory that was read last

    def refresh(self) -> None:
        """Refresh the listing. Raises Missing when the repository does not exist."""
        out = self.restic.call("list", "snapshots", "--json", "--no-lock", f"--tag={OURS}", "--quiet")
        self._listed = sorted(_parsed(out), key=lambda one: (one.time, one.id))

    def forget_listing(self) -> None:
        """What was listed has changed."""
        self._listed = None

    def look_again(self) -> None:
        """Others may have changed what was listed."""
        if not self.steady:
            self._listed = None

    def all(self) -> list[Snapshot]:
        """All snapshots made by this collection, oldest first; empty if the repository does not exist."""
        if self._listed is None:
            try:
                self.refresh()
            except Missing:
                return []
        return list(self._listed or ())

    def of(self, name: str) -> list[Snapshot]:
        """Those of a set."""
        return [one for one in self.all() if one.tags.get("set") == name]

    def good(self, name: str) -> dict[str, Snapshot]:
        """The backups of a set by their ids, oldest first."""
        found = [one for one in self.of(name) if one.state == GOOD and ID.fullmatch(one.backup)]
        return {one.backup: one for one in sorted(found, key=lambda one: one.backup)}

    def learn(self, snapshots: Iterable[Snapshot]) -> None:
        """Look at several that were not seen before, at the same time."""
        new = [one for one in snapshots if one.tree not in self._known and self._remembered(one) is None]
        if len(new) > 1:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(self.known, new))

    def known(self, snapshot: Snapshot) -> Known:
        """What it contains. Raises RepositoryError, also for what is damaged."""
        if snapshot.tree not in self._known:
            self._known[snapshot.tree] = self._remembered(snapshot) or self._look(snapshot)
        return self._known[snapshot.tree]

    def single(self, snapshot: Snapshot, path: str) -> bytes:
        """The only file of a snapshot."""
        if snapshot.tree not in self._known:
            found = self._remembered(snapshot)
            if found is None:
                data = self._read(snapshot, path)
                found = Known({path: len(data)}, {path: data})
                self._remember(snapshot, found)
            self._known[snapshot.tree] = found
        return self._known[snapshot.tree].documents[path]

    def document(self, snapshot: Snapshot, path: str) -> bytes:
        """A small file of it."""
        known = self.known(snapshot)
        if path not in known.sizes:
            raise RepositoryError(f"{path} is missing in {self.restic.location}.")
        if path not in known.documents:
            known.documents[path] = self._read(snapshot, path)
        return known.documents[path]

    def _look(self, snapshot: Snapshot) -> Known:
        out = self._of("ls", "--json", snapshot)
        entries = [mapping_of(line) for line in out.decode("utf-8", "surrogateescape").splitlines()]
        sizes: dict[str, Optional[int]] = {
            str(one["path"]).lstrip("/"): one.get("size", 0) if one["type"] == "file" else None
            for one in entries
            if one.get("struct_type") == "node" and one["type"] != "dir"
        }
        small = [path for path, size in sizes.items() if "/" not in path and size is not None and size <= _CACHED]
        known = Known(sizes, {})
        with contextlib.suppress(RepositoryError):  # told when it is asked for
            known = Known(sizes, {path: self._read(snapshot, path) for path in small})
            self._remember(snapshot, known)
        return known

    def _read(self, snapshot: Snapshot, path: str) -> bytes:
        return self._of("dump", snapshot, f"/{path}")

    def _of(self, *words: Union[str, Snapshot]) -> bytes:
        """What a call prints that reads a snapshot."""
        given = [one if isinstance(one, str) else one.id for one in words]
        try:
            try:
                return self.restic.call("read", *given, "--no-lock", "--quiet")
            except Gone:
                again = [one if isinstance(one, str) else self.renamed(one) for one in words]
                return self.restic.call("read", *again, "--no-lock", "--quiet")
        except CorruptStream as exc:
            raise RepositoryError(exc.message) from exc

    def renamed(self, snapshot: Snapshot) -> str:
        """The id that a snapshot has got with other tags."""
        self.forget_listing()
        same = [one for one in self.all() if one.tree == snapshot.tree]
        lasting = [one for one in same if one.state != PROVISIONAL]
        return (lasting or same or [snapshot])[0].id

    def _remembered(self, snapshot: Snapshot) -> Optional[Known]:
        """From an earlier run: a tree is named by the digest of its content, so that it can't have changed."""
        try:
            value = host_state.read(*self._where, "trees", snapshot.tree)
            documents = {path: base64.b64decode(data) for path, data in value["documents"].items()}
            return Known(dict(value["sizes"]), documents)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def _remember(self, snapshot: Snapshot, known: Known) -> None:
        documents = {path: base64.b64encode(data).decode() for path, data in known.documents.items()}
        with contextlib.suppress(Day2Error):  # the next run looks again
            host_state.write({"sizes": known.sizes, "documents": documents}, *self._where, "trees", snapshot.tree)

    def forget_trees(self) -> None:
        """Remove what is remembered of snapshots that are not there any more."""
        folder = os.path.join(host_state.directory(), *self._where, "trees")
        there = {one.tree for one in self.all()}
        with contextlib.suppress(OSError, Day2Error):
            for name in os.listdir(folder):
                if name.endswith(".json") and name[:-5] not in there:
                    host_state.remove(*self._where, "trees", name[:-5])

    def open(self, snapshot: Snapshot, path: str) -> BinaryIO:
        """A file of it as a stream."""
        known = self.known(snapshot)
        size = known.sizes.get(path)
        if size is None:
            raise RepositoryError(f"{path} is missing in {self.restic.location}, or not a regular file.")
        directory = path.rpartition("/")[0]
        if not directory.endswith(SUFFIX):
            return cast(BinaryIO, Dump(self.restic, snapshot.id, path, lambda: self.renamed(snapshot)))
        if (snapshot.tree, directory) != self._last[0]:
            last = max(one for one in known.sizes if one.startswith(f"{directory}/"))
            self._last = ((snapshot.tree, directory), last)
        return self._series.open(snapshot.id, path, self._last[1], lambda: self.renamed(snapshot))


def _parsed(out: bytes) -> Iterable[Snapshot]:
    try:
        for one in json.loads(out or b"[]") or ():
            tags = dict(tag.partition("=")[::2] for tag in one.get("tags") or () if "=" in tag)
            yield Snapshot(one["id"], one["tree"], _sortable(one["time"]), tags)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise RepositoryError(f"restic returned an unexpected list of snapshots: {exc}.") from exc


def _sortable(moment: str) -> str:
    """A time in UTC with nine digits of its second: restic leaves out zeros at its end."""
    whole, _dot, fraction = moment.rstrip("Z").partition(".")
    return f"{whole}.{fraction:0<9}"
