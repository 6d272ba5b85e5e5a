# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What drills make on servers: names that nobody can guess, noted on this host before anything is created there.

A name counts as left by a drill if it is noted in the private state of this user and no process holds the note. It was
checked when it was noted that nothing had that name. Whatever else has such a name is left alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Callable, NamedTuple

from ..._core import host_state
from ..._core.errors import Day2Error, TargetError
from ..._core.files import os_errors
from .outcome import Report

_FOLDER = "drill-places"
_NAME = re.compile(r"day2_drill_[0-9a-f]{16}")


class Thing(NamedTuple):
    """What a drill makes on a server under one name.

    `server` is the address, for people. `what` precedes the name in messages. `remove` returns whether there was
    anything to remove, and raises Day2Error.
    """

    kind: str
    server: str
    name: str
    what: str
    exists: Callable[[str], bool]
    remove: Callable[[str], bool]


def new_name() -> str:
    """A name that does not exist anywhere, nor will by accident."""
    return f"day2_drill_{secrets.token_hex(8)}"


@contextlib.contextmanager
def thrown_away(things: Sequence[Thing], report: Report) -> Iterator[None]:
    """Note the names, which must be free, and remove what has them at the end. Raises Day2Error."""
    with contextlib.ExitStack() as stack:
        for one in things:
            if one.exists(one.name):
                raise TargetError(f"{one.what} {one.name} exists already, and is not this drill's.", "Drill again.")
            stack.enter_context(noted(one.kind, one.server, one.name))
            stack.callback(_remove_at_last, one, report)
        yield


def _remove_at_last(one: Thing, report: Report) -> None:
    try:
        one.remove(one.name)
        forget(one.name)
    except Day2Error as exc:  # it does not change what was found
        report.warnings.append(f"{exc.message} The next drill on this server removes the remains.")


def remove_left(thing: Thing) -> list[str]:
    """Remove what killed drills have left of this kind on this server. Returns a sentence for each."""
    done = []
    with left(thing.kind, thing.server) as names:
        for name in names:
            try:
                if thing.remove(name):
                    done.append(f"{thing.what} {name}, which a killed drill had left, was removed.")
                forget(name)
            except Day2Error as exc:
                done.append(f"{thing.what} {name}, which a killed drill had left, could not be removed: {exc}")
    return done


@contextlib.contextmanager
def noted(kind: str, server: str, name: str) -> Iterator[None]:
    """While the block runs, the name is in use. The note stays until `forget`. Raises Day2Error."""
    held = _held(kind, server, name)
    try:
        yield
    finally:
        os.close(held)


def _held(kind: str, server: str, name: str) -> int:
    """A descriptor of the note, locked. Until it is, another drill may take it for left and remove it: then it is made
    again."""
    while True:
        host_state.write({"type": kind, "server": server, "name": name}, _FOLDER, name)
        with os_errors(Day2Error, "Can't hold", _path(name)):
            try:
                held = os.open(_path(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(held, fcntl.LOCK_EX)
            except BaseException:
                os.close(held)
                raise
        if _is_note(held, name):
            return held
        os.close(held)


def _is_note(held: int, name: str) -> bool:
    """Whether what is held still is the note, and was neither removed nor made again."""
    try:
        return os.path.samestat(os.fstat(held), os.stat(_path(name), follow_symlinks=False))
    except FileNotFoundError:
        return False


def forget(name: str) -> None:
    """Nothing has the name any more. Raises Day2Error."""
    host_state.remove(_FOLDER, name)


@contextlib.contextmanager
def left(kind: str, server: str) -> Iterator[list[str]]:
    """The names on a server that killed drills have left. They are held while the block runs."""
    with contextlib.ExitStack() as stack:
        yield [name for name in _names() if _is_left(stack, kind, server, name)]


def _names() -> list[str]:
    try:
        files = os.listdir(os.path.join(host_state.directory(), _FOLDER))
    except OSError:
        return []
    return sorted(one[:-5] for one in files if one.endswith(".json") and _NAME.fullmatch(one[:-5]))


def _is_left(stack: contextlib.ExitStack, kind: str, server: str, name: str) -> bool:
    if host_state.read(_FOLDER, name) != {"type": kind, "server": server, "name": name}:
        return False
    try:
        held = os.open(_path(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return False
    stack.callback(os.close, held)
    return _is_note(held, name)


def _path(name: str) -> str:
    return os.path.join(host_state.directory(), _FOLDER, name + ".json")
