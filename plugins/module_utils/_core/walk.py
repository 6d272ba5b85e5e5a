# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walking a tree without ever following a link, also while others change it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import Callable, NamedTuple, Optional, Protocol, Union

from .files import OPEN_DIRECTORY

# What `Choice.enter` returns for an entry that is left out with everything below it.
LEFT_OUT = -1

_RELISTINGS = 3
_TRIES = 5  # to see a directory that becomes something else, such as a link to the current release, as what it is


class Choice(Protocol):
    """Which entries are wanted. A state is a number: what is known of an entry and the directories above it."""

    def enter(self, path: bytes, above: int) -> int:
        """The state of an entry, given that of its directory; LEFT_OUT if it is not even entered. The root has 0."""

    def selects(self, state: int) -> bool:
        """Whether an entry of this state is wanted itself, rather than as the way to something."""

    def leads(self, state: int) -> bool:
        """Whether anything below a directory of this state can be wanted; otherwise it is not opened."""


class Everything:
    """A `Choice`."""

    def enter(self, path: bytes, above: int) -> int:
        return 0

    def selects(self, state: int) -> bool:
        return True

    def leads(self, state: int) -> bool:
        return True


def ignore(_path: bytes, _exc: OSError) -> None:
    """For callers of `walk` that need not know what can't be read."""


def refuse(_path: bytes, exc: OSError) -> None:
    """For callers of `walk` that need to see all of it."""
    raise exc


class Found(NamedTuple):
    """An entry of a walk. The descriptor is open until the walk continues."""

    path: bytes  # relative to the root, which itself is b""
    info: os.stat_result
    directory: int  # the directory that holds it; of a directory that is entered: itself
    name: bytes  # in that directory; of a directory that is entered: b"."
    selected: bool  # False: a directory that only leads to something selected


class Level:
    """A directory on the way from the root."""

    def __init__(self, fd: int, path: bytes, state: int) -> None:
        self.fd = fd
        self.prefix = path + b"/" if path else b""
        self.state = state
        self.info = os.fstat(fd)
        self.names = names_in(fd)
        self.position = 0
        self.listings = 1
        self.pending: Optional[Found] = None

    def next_name(self) -> Optional[bytes]:
        """The next name to visit."""
        if self.position == len(self.names) and not self._more():
            return None
        self.position += 1
        return self.names[self.position - 1]

    def _more(self) -> bool:
        """Did names appear meanwhile, behind those already visited? (Such as what was renamed.)"""
        now = os.fstat(self.fd)
        if self.listings > _RELISTINGS or now.st_mtime_ns == self.info.st_mtime_ns:
            return False
        self.listings += 1
        self.info = now
        last = self.names[-1] if self.names else b""
        self.names.extend(name for name in names_in(self.fd) if name > last)
        return self.position < len(self.names)


def names_in(fd: int) -> list[bytes]:
    """The names in a directory, sorted."""
    return sorted(map(os.fsencode, os.listdir(fd)))


def walk(root: Union[str, int], choice: Choice, failed: Callable[[bytes, OSError], None]) -> Iterator[Found]:
    """The wanted entries of a tree, a directory before what it holds, names in order. The root comes first in any case.

    What vanishes meanwhile is passed over; what appears is seen if it lies behind; a directory that becomes something
    else comes as what it is then. Other file systems are entered.

    :param root: its path, or an open directory, which stays open. Only its last part is not followed.
    :param failed: is told of each entry that can't be read, and may raise: `ignore`, `refuse`.
    :raises OSError: the root can't be read.
    """
    fd = os.open(root, OPEN_DIRECTORY) if isinstance(root, str) else os.open(".", OPEN_DIRECTORY, dir_fd=root)
    levels = [Level(fd, b"", 0)]
    try:
        yield Found(b"", levels[0].info, levels[0].fd, b".", True)
        while levels:
            level = levels[-1]
            name = level.next_name()
            if name is None:
                os.close(levels.pop().fd)
                continue
            path = level.prefix + name
            state = choice.enter(path, level.state)
            if state == LEFT_OUT:
                continue
            try:
                found = _find(levels, path, name, state, choice)
            except FileNotFoundError:
                continue
            except OSError as exc:
                failed(path, exc)
                continue
            if not found.selected:
                if levels[-1] is not level:
                    levels[-1].pending = found
                continue
            for above in levels:
                if above.pending is not None:
                    yield above.pending
                    above.pending = None
            yield found
    finally:
        for level in levels:
            os.close(level.fd)


def _find(levels: list[Level], path: bytes, name: bytes, state: int, choice: Choice) -> Found:
    """The entry of the last level with this name; a directory becomes a level itself.

    :raises OSError: it is gone, can't be read, or was another directory at each look and none when it was opened.
    """
    for _further in range(_TRIES - 1):
        try:
            return _look(levels, path, name, state, choice)
        except OSError as exc:
            if exc.errno not in (errno.ENOTDIR, errno.ELOOP):  # a directory no longer
                raise
    return _look(levels, path, name, state, choice)


def _look(levels: list[Level], path: bytes, name: bytes, state: int, choice: Choice) -> Found:
    level = levels[-1]
    info = os.stat(name, dir_fd=level.fd, follow_symlinks=False)
    selected = choice.selects(state)
    if not (stat.S_ISDIR(info.st_mode) and choice.leads(state)):
        return Found(path, info, level.fd, name, selected)
    fd = os.open(name, OPEN_DIRECTORY, dir_fd=level.fd)
    try:
        below = Level(fd, path, state)
    except BaseException:
        os.close(fd)
        raise
    levels.append(below)
    return Found(path, below.info, fd, b".", selected)
