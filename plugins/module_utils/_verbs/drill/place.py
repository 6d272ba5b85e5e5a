# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scratch directory of a drill: private, removed with the drill, and by the next one if a drill was killed.

A directory counts as left by a drill if only this host and user could have named it: its name ends with an HMAC of its
inode under the key of the host. It gets that name before anything is in it, in one step. A copy of it, or another
directory with such a name, has another inode.
"""

from __future__ import annotations

import contextlib
import fcntl
import hmac
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from typing import Optional

from ..._core import host_key
from ..._core.errors import Day2Error, InvalidRequest, TargetError
from ..._core.files import OPEN_DIRECTORY, discard, is_within, os_errors, resolve, writable_by_others
from ..._core.scratch import base_directory
from ..._repository.base import Repository

_PREFIX = "day2-drill-"
_NEW = f"{_PREFIX}new-"  # until it has its name, it is empty
_MODE = "mode 0700 (0711 for pgBackRest)"
_DIGITS = 32  # of the HMAC
ENTERED = 0o711  # the mode while the user of a server has a directory in it


def checked_base(given: Optional[str], repository: Optional[Repository]) -> str:
    """The directory, without links, in which drills make theirs. Raises InvalidRequest when it is not safe.

    :param given: an existing directory; None: the one for all temporary files.
    """
    path = resolve(os.path.expanduser(given) if given else base_directory(), InvalidRequest)
    try:
        info = os.stat(path)
    except FileNotFoundError:
        raise InvalidRequest(f"The scratch directory {path} does not exist.", f"Create it, with {_MODE}.") from None
    except OSError as exc:
        raise InvalidRequest(f"The scratch directory {path} can't be used: {exc.strerror}.") from exc
    if not stat.S_ISDIR(info.st_mode):
        raise InvalidRequest(f"The scratch directory {path} is not a directory.", "Set scratch to a directory.")
    others = info.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not info.st_mode & stat.S_ISVTX
    if others or info.st_uid not in (0, os.geteuid()):
        raise InvalidRequest(
            f"Other users could replace the content of the scratch directory {path}.",
            f"Use a directory that belongs to this user with {_MODE}, or one like /var/tmp (owner root, sticky).",
        )
    _check_above(path)
    if repository is not None and repository.local_path and is_within(path, os.path.realpath(repository.local_path)):
        raise InvalidRequest(
            f"The scratch directory {path} is inside the repository {repository.location}.",
            "Set scratch to a directory elsewhere.",
        )
    return path


def _check_above(path: str) -> None:
    """Raise InvalidRequest when others could put another directory in the place of this one."""
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        info = os.stat(path)
        if info.st_uid not in (0, os.geteuid()) or (writable_by_others(info) and not info.st_mode & stat.S_ISVTX):
            raise InvalidRequest(
                f"Other users could replace the scratch directory, as they can write to {path}.",
                "Use one in a directory that only root or this user can write to, or one like /var/tmp (owner root, "
                "sticky).",
            )


def check_apart(base: str, live: Sequence[str]) -> None:
    """Raise InvalidRequest when the directory lies in one of these stores, whatever links and mounts lead there."""
    above, path = [], base
    while True:
        above.append(os.stat(path))
        if path == os.path.dirname(path):
            break
        path = os.path.dirname(path)
    for store in live:
        inside = is_within(base, os.path.normpath(store))
        with contextlib.suppress(OSError):  # it does not exist on this host
            info = os.stat(store)
            inside = inside or any(os.path.samestat(info, one) for one in above)
        if inside:
            raise InvalidRequest(
                f"The scratch directory {base} is inside {store}, the source of the backup.",
                "Set scratch to a directory outside of the data: a drill never writes to the store in use.",
            )


def example(base: str) -> str:
    """A path as long as that of the directory of a drill."""
    return os.path.join(base, _PREFIX + "0" * _DIGITS)


@contextlib.contextmanager
def drill_directory(base: str) -> Iterator[str]:
    """A new private directory. It is removed with the block.

    Raises TargetError when it can't be created, Day2Error when something of it can't be removed.
    """
    with os_errors(TargetError, "Can't make a scratch directory in", base):
        path, held = _made(base)
    try:
        yield path
    except BaseException:
        discard(path)  # the earlier error is the one to report
        raise
    else:
        left = discard(path)
        if left:
            raise Day2Error(" ".join(left), "Remove it, as it holds a copy of the data.")
    finally:
        os.close(held)


def _made(base: str) -> tuple[str, int]:
    """A new directory, and a descriptor that is locked while it is used. Until then, another drill may take it for left
    and remove it: then the next one is made."""
    key = host_key.made()
    while True:
        new = tempfile.mkdtemp(prefix=_NEW, dir=base)
        try:
            held = os.open(new, OPEN_DIRECTORY)
        except FileNotFoundError:
            continue
        try:
            with contextlib.suppress(OSError):  # without locks, no other drill can tell that this one is at work
                fcntl.flock(held, fcntl.LOCK_EX)
            path = os.path.join(base, _PREFIX + _proof(key, held))
            os.rename(new, path)
            return path, held
        except FileNotFoundError:
            os.close(held)
        except BaseException:
            os.close(held)
            os.rmdir(new)
            raise


def _proof(key: bytes, held: int) -> str:
    return host_key.mac(key, "drill", str(os.fstat(held).st_ino), str(os.geteuid()))[:_DIGITS]


def remove_left(base: str) -> list[str]:
    """Remove what killed drills have left. Returns a sentence for each; raises nothing, as they may be gone already."""
    try:
        names = sorted(name for name in os.listdir(base) if name.startswith(_PREFIX))
    except OSError:
        return []
    notes = []
    for name in names:
        with contextlib.suppress(OSError):
            notes += _remove_if_left(os.path.join(base, name))
    return notes


def _remove_if_left(path: str) -> list[str]:
    held = os.open(path, OPEN_DIRECTORY)
    try:
        info = os.fstat(held)
        if info.st_uid != os.geteuid() or stat.S_IMODE(info.st_mode) not in (0o700, ENTERED):
            return []
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        name, key = os.path.basename(path), host_key.known()
        if name.startswith(_NEW):
            os.rmdir(path)  # only if it is empty
            return []
        if key is None or not hmac.compare_digest(os.fsencode(name), os.fsencode(_PREFIX + _proof(key, held))):
            return []
        from .pitr import end_servers  # only here: hardly any drill is killed

        end_servers(path)
        return discard(path) or [f"Removed {path}, which a killed drill had left."]
    finally:
        os.close(held)
