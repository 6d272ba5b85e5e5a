# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which entries of a tree are meant, and walking them without ever following a link."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from typing import Callable, NamedTuple, Optional

from ..._core.errors import InvalidRequest
from ..._core.files import OPEN_DIRECTORY
from ..._core.fingerprint import attributes, settled, trusted_file_system

# What `Selection.enter` says of an entry that is left out with everything below it.
LEFT_OUT = -1

_RELISTINGS = 3


class Selection:
    """Globs over paths relative to the root.

    `*` and `?` do not match a `/`, `**` does; `[a-z]` and `[!a-z]` are sets. A pattern without a slash is compared
    with names at any depth, one with a slash with the whole path. What is excluded is not entered. With `include`
    only what matches is selected, with everything below a directory that matches; the directories that lead
    there come along.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._includes = [_compile(include)] if include else []
        self._exclude = _compile(exclude) if exclude else None

    def narrowed(self, only: Sequence[str]) -> Selection:
        """What this selects and `only` matches, too."""
        result = Selection()
        result._includes = [*self._includes, _compile(only)]
        result._exclude = self._exclude
        return result

    @property
    def everything(self) -> bool:
        """Is nothing ever left out?"""
        return not self._includes and self._exclude is None

    def enter(self, path: bytes, above: int) -> int:
        """The state of an entry, given that of its directory: LEFT_OUT, or which includes match so far.

        The root's state is 0.
        """
        if self._exclude is None and not self._includes:
            return 0
        if above == LEFT_OUT:
            return LEFT_OUT
        text = path.decode("utf-8", "surrogateescape")
        if self._exclude is not None and self._exclude.fullmatch(text):
            return LEFT_OUT
        state = above
        for number, pattern in enumerate(self._includes):
            if pattern.fullmatch(text):
                state |= 1 << number
        return state

    def selects(self, state: int) -> bool:
        """Is an entry of this state meant itself, rather than as the way to something?"""
        return state == (1 << len(self._includes)) - 1

    def state_of(self, path: bytes) -> int:
        """As `enter`, for a path out of order."""
        state = 0
        parts = path.split(b"/") if path else []
        for depth in range(1, len(parts) + 1):
            state = self.enter(b"/".join(parts[:depth]), state)
        return state

    def selects_path(self, path: bytes) -> bool:
        """As `selects`, for a path out of order."""
        return self.selects(self.state_of(path))


def matcher(pattern: str) -> re.Pattern[str]:
    """One pattern, to be compared with whole paths by `fullmatch`. Raises InvalidRequest."""
    return _compile([pattern])


def _compile(patterns: Sequence[str]) -> re.Pattern[str]:
    try:
        return re.compile("|".join(_translate(pattern) for pattern in patterns), re.DOTALL)
    except re.error as exc:
        raise InvalidRequest("{} are not globs: {}.".format(", ".join(map(repr, patterns)), exc)) from exc


def _translate(pattern: str) -> str:
    text = pattern[2:] if pattern.startswith("./") else pattern
    text = text.rstrip("/")
    anchored = "/" in text
    parts = text.lstrip("/").split("/")
    if not text or any(part in ("", ".", "..") for part in parts):
        raise InvalidRequest(
            f"{pattern!r} does not match anything in a tree.", "Write a glob relative to the tree's root: etc/*.conf"
        )
    result = "" if anchored else "(?:.*/)?"
    for number, part in enumerate(parts):
        final = number == len(parts) - 1
        if part == "**":
            result += ".+" if final else "(?:[^/]+/)*"
        else:
            result += _translate_name(part) + ("" if final else "/")
    return result


def _translate_name(part: str) -> str:
    result, position = "", 0
    while position < len(part):
        char = part[position]
        position += 1
        if char == "*":
            crossing = part.startswith("*", position)
            position += crossing
            result += ".*" if crossing else "[^/]*"
        elif char == "?":
            result += "[^/]"
        elif char == "[" and "]" in part[position + 1 :]:
            end = part.index("]", position + 1)
            members = part[position:end].replace("\\", "\\\\").replace("[", "\\[").replace("&&", "&\\&")
            negated = members.startswith(("!", "^"))
            result += "(?!/)[{}{}]".format("^" if negated else "", members[negated:].replace("]", "\\]"))
            position = end + 1
        else:
            result += re.escape(char)
    return result


class Found(NamedTuple):
    """An entry that a walk comes upon. The descriptor is open until the walk goes on."""

    path: bytes  # relative to the root, which itself is b""
    info: os.stat_result
    directory: int  # the directory that holds it; of a directory: itself
    name: bytes  # in that directory; of a directory: b"."
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


def walk(root: str, selection: Selection, failed: Callable[[bytes, OSError], None]) -> Iterator[Found]:
    """The selected entries of a tree in order. The root comes first, whatever is selected.

    What vanishes meanwhile is passed over; what appears is seen if it lies behind. Other file systems are entered.

    :param failed: is told of each directory that can't be read, and may raise.
    :raises OSError: the root can't be read.
    """
    levels = [Level(os.open(root, OPEN_DIRECTORY), b"", 0)]
    try:
        yield Found(b"", levels[0].info, levels[0].fd, b".", True)
        while levels:
            level = levels[-1]
            name = level.next_name()
            if name is None:
                os.close(levels.pop().fd)
                continue
            path = level.prefix + name
            state = selection.enter(path, level.state)
            if state == LEFT_OUT:
                continue
            try:
                found = _find(levels, path, state, selection.selects(state))
            except OSError as exc:
                if exc.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):  # gone, or a directory no longer
                    failed(path, exc)
                continue
            if not found.selected:
                if stat.S_ISDIR(found.info.st_mode):
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


def _find(levels: list[Level], path: bytes, state: int, selected: bool) -> Found:
    """The entry of the last level with this path; a directory becomes a level itself."""
    level = levels[-1]
    name = path[len(level.prefix) :]
    info = os.stat(name, dir_fd=level.fd, follow_symlinks=False)
    if not stat.S_ISDIR(info.st_mode):
        return Found(path, info, level.fd, name, selected)
    fd = os.open(name, OPEN_DIRECTORY, dir_fd=level.fd)
    try:
        below = Level(fd, path, state)
    except BaseException:
        os.close(fd)
        raise
    levels.append(below)
    return Found(path, below.info, fd, b".", selected)


class Identity:
    """The cheap identity of what a walk came upon: attributes of every entry."""

    def __init__(self, root: str, selection: str) -> None:
        self._root = root
        self._began_ns = time.time_ns()
        self._digest = hashlib.sha256(selection.encode())
        self._youngest: Optional[os.stat_result] = None
        self._latest: Optional[os.stat_result] = None
        self._devices: dict[int, bytes] = {}
        self._broken = False

    def add(self, path: bytes, info: os.stat_result) -> None:
        """One more entry, as it was when it was read (or before that)."""
        self._digest.update(b"%s\0%s\n" % (path, attributes(info).encode()))
        if self._youngest is None or info.st_ctime_ns > self._youngest.st_ctime_ns:
            self._youngest = info
        if self._latest is None or info.st_mtime_ns > self._latest.st_mtime_ns:
            self._latest = info
        if info.st_dev not in self._devices and not stat.S_ISLNK(info.st_mode):
            self._devices[info.st_dev] = path

    def distrust(self, *_args: object) -> None:
        """Something could not be read."""
        self._broken = True

    def value(self) -> Optional[str]:
        """Hex; None when it can't be trusted."""
        extremes = [info for info in (self._youngest, self._latest) if info is not None]
        if self._broken or not settled(extremes, self._began_ns):
            return None
        for path in self._devices.values():
            with contextlib.suppress(OSError):
                if trusted_file_system(os.path.join(self._root, os.fsdecode(path))):
                    continue
            return None
        return self._digest.hexdigest()


def identify(root: str, selection: Selection, description: str) -> Optional[str]:
    """The cheap identity of a tree as it is now; None when it can't be trusted."""
    identity = Identity(root, description)
    try:
        for found in walk(root, selection, identity.distrust):
            identity.add(found.path, found.info)
    except OSError:
        return None
    return identity.value()
