# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restored tree keeps of the tree that it replaces: entries that the backup does not select, and sockets.

Entries that are not selected are never removed: if one is in the way of an entry of the backup, the restore is refused.
A socket contains no data and is kept only if no entry of the backup is in its way. A directory that exists only for
entries that are kept does not make a difference between trees.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from typing import Optional

from ..._core.errors import Day2Error, TargetError
from ..._core.files import OPEN_DIRECTORY, PREPARED, os_errors, protection
from ..._core.walk import LEFT_OUT, Found, ignore, names_in, walk
from .attributes import Attributes
from .index import DIRECTORY, Entry, listed, shown
from .read import Describer, kind_of
from .selection import Selection


class Kept:
    """Determines, before anything is changed, what will be kept, and what of it is in the way.

    `sockets` are those that are replaced by entries of the backup.

    :param root: of the target; None if nothing exists there.
    :param replaced: selects what is replaced.
    """

    def __init__(self, root: Optional[str], replaced: Selection) -> None:
        self.sockets: list[bytes] = []
        self._root = root
        self._replaced = replaced
        self._nothing_below: Optional[bytes] = None  # of this directory, everything goes

    def stays(self, found: Found) -> bool:
        """Whether an entry that the backup does not have remains, because it is kept or leads to something that is
        kept.
        """
        if not found.selected or kind_of(found.info) is None:
            return True
        if not stat.S_ISDIR(found.info.st_mode) or self._is_below_nothing(found.path):
            return False
        if self._kept_below(found.directory, found.path, self._replaced.state_of(found.path)) is not None:
            return True
        self._nothing_below = found.path
        return False

    def make_way(self, entry: Entry, found: Found) -> None:
        """An entry of the backup replaces an entry of another kind.

        :raises TargetError: this would remove something that is kept.
        """
        if kind_of(found.info) is None:
            self.sockets.append(found.path)
        if entry.kind == DIRECTORY or not stat.S_ISDIR(found.info.st_mode):
            return
        state = self._replaced.state_of(found.path)
        blocking = self._kept_below(found.directory, found.path, state, self.sockets)
        if blocking is not None:
            raise in_the_way(blocking)

    def check_free(self, entry: Entry) -> None:
        """Check a directory of the backup that the walk through the target has not found.

        :raises TargetError: something that is kept has its name.
        """
        if self._root is None or entry.kind != DIRECTORY or not entry.path:
            return
        info = _look(self._root, entry.path)
        if info is None or stat.S_ISDIR(info.st_mode):
            return
        if not stat.S_ISSOCK(info.st_mode):
            raise in_the_way(entry.path)
        self.sockets.append(entry.path)

    def notes(self) -> list[str]:
        """Sentences for the user."""
        if not self.sockets:
            return []
        return [f"Sockets that conflict with the backup are removed: {listed(self.sockets)}."]

    def _is_below_nothing(self, path: bytes) -> bool:
        return self._nothing_below is not None and path.startswith(self._nothing_below + b"/")

    def _kept_below(self, fd: int, path: bytes, state: int, sockets: Optional[list[bytes]] = None) -> Optional[bytes]:
        """The first entry below a directory that is kept.

        :param sockets: gets the sockets found before it, which do not count then.
        """
        for name in names_in(fd):
            below = path + b"/" + name
            inner = self._replaced.enter(below, state)
            try:
                info = os.stat(name, dir_fd=fd, follow_symlinks=False)
                if stat.S_ISSOCK(info.st_mode) and sockets is not None:
                    sockets.append(below)
                elif stat.S_ISSOCK(info.st_mode) or not self._replaced.selects(inner):
                    return below
                elif stat.S_ISDIR(info.st_mode):
                    kept = self._enter(name, fd, below, inner, sockets)
                    if kept is not None:
                        return kept
            except (FileNotFoundError, NotADirectoryError):
                continue
        return None

    def _enter(self, name: bytes, fd: int, path: bytes, state: int, sockets: Optional[list[bytes]]) -> Optional[bytes]:
        inside = os.open(name, OPEN_DIRECTORY, dir_fd=fd)
        try:
            return self._kept_below(inside, path, state, sockets)
        finally:
            os.close(inside)


def _look(root: str, path: bytes) -> Optional[os.stat_result]:
    """The attributes of something below a directory, without following links; None if nothing exists there."""
    *above, last = path.split(b"/")
    fd = os.open(root, OPEN_DIRECTORY)
    try:
        for part in above:
            inner = os.open(part, OPEN_DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = inner
        return os.stat(last, dir_fd=fd, follow_symlinks=False)
    except OSError as exc:
        if exc.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        return None
    finally:
        os.close(fd)


class _Pair:
    """A directory of the old tree, and the directory with its name in the new tree, if it exists."""

    def __init__(self, path: bytes, state: int, old: int, new: Optional[int]) -> None:
        self.path = path
        self.state = state
        self.old = old
        self.new = new
        self.names: Iterator[bytes] = iter(names_in(old))
        self.finally_as: Optional[Entry] = None  # what the new directory's attributes shall be


class CarryOver:
    """Links everything of the old tree that is not replaced into the new tree.

    :param replaced: selects what is replaced. Sockets are kept as well, unless something of the backup is in their way.
    :param old_wins: for directories in both trees that are not replaced, use the attributes of the old one.
    """

    def __init__(self, replaced: Selection, old_wins: bool, attributes: Attributes) -> None:
        self._replaced = replaced
        self._old_wins = old_wins
        self._attributes = attributes
        self._describer = Describer()
        self._pairs: list[_Pair] = []
        self._made = 0

    def run(self, old_root: str, new_root: str) -> int:
        """Carry over; when it is repeated, what has changed since. Returns the number of entries created.

        :raises TargetError: something would be lost.
        """
        with os_errors(
            TargetError, f"Can't retain the content of {old_root} that the backup does not select", old_root
        ):
            old = os.open(old_root, OPEN_DIRECTORY)
            try:
                new = os.open(new_root, OPEN_DIRECTORY)
            except BaseException:
                os.close(old)
                raise
            self._made = 0
            self._pairs = [_Pair(b"", 0, old, None)]
            self._open_new(self._pairs[0], new, self._old_wins)
            try:
                while self._pairs:
                    self._next()
            finally:
                for pair in self._pairs:
                    os.close(pair.old)
                    if pair.new is not None:
                        os.close(pair.new)
        return self._made

    def _next(self) -> None:
        pair = self._pairs[-1]
        name = next(pair.names, None)
        if name is None:
            self._leave(self._pairs.pop())
            return
        path = pair.path + b"/" + name if pair.path else name
        state = self._replaced.enter(path, pair.state)
        kept = not self._replaced.selects(state)
        try:
            info = os.stat(name, dir_fd=pair.old, follow_symlinks=False)
            old = os.open(name, OPEN_DIRECTORY, dir_fd=pair.old) if stat.S_ISDIR(info.st_mode) else -1
        except FileNotFoundError:
            return
        if old >= 0:
            self._pairs.append(_Pair(path, state, old, None))
            if kept:
                self._materialize(len(self._pairs) - 1, self._old_wins)
        elif self._is_free(name) if kind_of(info) is None else kept:
            self._materialize(len(self._pairs) - 1, False)
            self._link(pair, name, path, info)

    def _is_free(self, name: bytes) -> bool:
        """Whether a socket of the last level can keep its name without replacing something of the backup."""
        for above, pair in zip(self._pairs, self._pairs[1:]):
            if pair.new is not None:
                continue
            try:
                new = os.open(pair.path.rpartition(b"/")[2], OPEN_DIRECTORY, dir_fd=above.new)
            except OSError as exc:
                if exc.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                    raise
                return exc.errno == errno.ENOENT
            self._open_new(pair, new, False)
        try:
            # what is a socket there was linked by an earlier run of ours: no backup has any
            return stat.S_ISSOCK(os.stat(name, dir_fd=self._pairs[-1].new, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return True

    def _materialize(self, depth: int, old_wins: bool) -> int:
        """The directory of the new tree at a level; it is created if it is missing."""
        pair = self._pairs[depth]
        if pair.new is not None:
            return pair.new
        above = self._materialize(depth - 1, False)
        name = pair.path.rpartition(b"/")[2]
        try:
            os.mkdir(name, 0o700, dir_fd=above)
            self._made += 1
            old_wins = True
        except FileExistsError:
            pass
        try:
            new = os.open(name, OPEN_DIRECTORY, dir_fd=above)
        except OSError as exc:
            if exc.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            raise in_the_way(pair.path) from exc
        return self._open_new(pair, new, old_wins)

    def _open_new(self, pair: _Pair, new: int, old_wins: bool) -> int:
        pair.new = new
        source = pair.old if old_wins else new
        found = Found(pair.path, os.fstat(source), source, b".", True)
        pair.finally_as = self._describer.entry(found, found.info, source)
        if not self._attributes.privileged:
            os.fchmod(new, 0o700)
        return new

    def _leave(self, pair: _Pair) -> None:
        os.close(pair.old)
        if pair.new is None:
            return
        try:
            if pair.finally_as is not None:
                self._attributes.set(pair.new, pair.finally_as)
        finally:
            os.close(pair.new)

    def _link(self, pair: _Pair, name: bytes, path: bytes, info: os.stat_result) -> None:
        new = pair.new if pair.new is not None else -1
        try:
            os.link(name, name, src_dir_fd=pair.old, dst_dir_fd=new, follow_symlinks=False)
            self._made += 1
            return
        except FileNotFoundError:
            return
        except FileExistsError:
            existing = os.stat(name, dir_fd=new, follow_symlinks=False)
        except OSError as exc:
            raise _kept_out(path, exc) from exc
        if stat.S_ISDIR(existing.st_mode):
            raise in_the_way(path)
        if os.path.samestat(existing, info):
            return
        temporary = os.fsencode(f"{PREPARED}{secrets.token_hex(8)}")
        os.link(name, temporary, src_dir_fd=pair.old, dst_dir_fd=new, follow_symlinks=False)
        os.rename(temporary, name, src_dir_fd=new, dst_dir_fd=new)
        self._made += 1


def check_kept(root: str, replaced: Selection) -> None:
    """Raise TargetError when something that is kept cannot get a second name (chattr +i), as `CarryOver` gives it."""
    for found in walk(root, _Others(replaced), ignore):  # what can't be read is for the run to tell
        word = "" if stat.S_ISDIR(found.info.st_mode) else protection(found.name, found.directory)
        if word:
            raise _protected(found.path, word)


class _Others:
    """A `Choice` of what a selection does not select, also in directories that it excludes."""

    _OUT = 1 << 62  # a state that the selection does not have

    def __init__(self, selection: Selection) -> None:
        self._selection = selection

    def enter(self, path: bytes, above: int) -> int:
        state = self._selection.enter(path, LEFT_OUT if above == self._OUT else above)
        return self._OUT if state == LEFT_OUT else state

    def selects(self, state: int) -> bool:
        return state == self._OUT or not self._selection.selects(state)

    def leads(self, state: int) -> bool:
        return True


def in_the_way(path: bytes) -> Day2Error:
    return TargetError(
        f"{shown(path)} is kept, as the backup does not select it, but is in the way of an entry of the backup.",
        "Nothing was changed. Move it elsewhere and run again.",
    )


def _protected(path: bytes, word: str) -> Day2Error:
    return TargetError(
        f"{shown(path)} is {word}, but must be linked to be retained beside the backup.",
        "Nothing was changed. Remove the attribute (chattr -ia) and run again.",
    )


def _kept_out(path: bytes, exc: OSError) -> Day2Error:
    return TargetError(
        f"{shown(path)} is kept, as the backup does not select it, but can't be linked to: {exc.strerror}.",
        "Nothing was changed. Run as the owner of the tree, or as root (become: true).",
    )
