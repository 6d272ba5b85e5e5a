# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs that several modules share, and the conversion of their values."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple, Optional, TypeVar

from .._core.compression import COMPRESSIONS
from .._core.errors import InvalidRequest
from .._core.paths import expand
from .._core.progress import Progress
from .._core.rclone_options import ARGUMENTS as RCLONE
from .._core.restic_options import ARGUMENTS as RESTIC
from .._core.restic_options import ENGINES
from .._core.s3_options import ARGUMENTS as S3
from .._core.units import parse_duration
from .._repository.manifest import check_set_name
from .._repository.retention import Keep
from .._stores.base import Store
from .._stores.registry import argument_spec as store_spec
from .._stores.registry import open_store

T = TypeVar("T")
Verb = Callable[[Mapping[str, Any], bool, Progress], dict[str, Any]]

REPOSITORY: dict[str, Any] = {
    "repository": {"type": "path", "required": True},
    "s3": {"type": "dict", "options": S3},
    "rclone": {"type": "dict", "options": RCLONE},
    "engine": {"type": "str", "choices": list(ENGINES), "default": ENGINES[0]},
    "restic": {"type": "dict", "options": RESTIC},
    "names_key": {"type": "str", "no_log": True},
    "limit": {"type": "str"},
    "grace": {"type": "str"},
    "lock_timeout": {"type": "str", "default": "1m"},
}
# Of verbs that write backups.
OBJECT_LOCK: dict[str, Any] = {
    "lock_for": {"type": "str"},
    "lock_mode": {"type": "str", "choices": ["governance", "compliance"], "default": "governance"},
    "lock_for_confirmed": {"type": "bool", "default": False},
}
# Of verbs that read backups.
IDENTITY: dict[str, Any] = {
    "identity": {"type": "str", "no_log": True},
    "identity_file": {"type": "path", "no_log": False},
    "allow_unencrypted": {"type": "bool", "default": False},
}
ENCRYPTION: dict[str, Any] = {
    "encrypt_to": {"type": "list", "elements": "str", "no_log": False},
    "encryption": {"type": "str", "choices": ["required", "optional"], "default": "required"},
}
# The options of a place that are not those of a run: suboptions of `from`, `to` and `copy_to`.
TIMEOUT: dict[str, Any] = {"timeout": {"type": "str"}}
PLACE: dict[str, Any] = {name: one for name, one in REPOSITORY.items() if name != "lock_timeout"}
COMPRESSION: dict[str, Any] = {"compression": {"type": "str", "choices": sorted(COMPRESSIONS)}}
KEEP: dict[str, Any] = {
    "keep": {
        "type": "dict",
        "options": {
            "last": {"type": "int"},
            "hourly": {"type": "int"},
            "daily": {"type": "int"},
            "weekly": {"type": "int"},
            "monthly": {"type": "int"},
            "yearly": {"type": "int"},
            "within": {"type": "str"},
            "within_hourly": {"type": "str"},
            "within_daily": {"type": "str"},
            "within_weekly": {"type": "str"},
            "within_monthly": {"type": "str"},
            "within_yearly": {"type": "str"},
            "tags": {"type": "list", "elements": "str"},
        },
    },
}


def store_argument(*, restore: bool = False, **more: Any) -> dict[str, Any]:
    """The spec of `source` or `target`, or, with additional arguments, of a list of them.

    :param restore: of the target of a restore, which has more options.
    """
    return dict({"type": "dict", "options": store_spec(restore)}, **more)


class NamedStore(NamedTuple):
    """A store and its name within a backup.

    `path` is the path as given: the owner of a backup does not depend on the target of a link in it. For a store that
    is no file, it is its address.
    """

    name: str
    store: Store
    path: str


def named_stores(one: Optional[Mapping[str, Any]], several: Optional[Sequence[Mapping[str, Any]]]) -> list[NamedStore]:
    """The stores of `source` or `sources`, with unique names that are valid directory names.

    A single store needs no name, as its files need no directory of their own.
    """
    given = [one] if one else list(several or [])
    if not given:
        raise InvalidRequest("No store was given.", "Set source (or target), or a non-empty list of them.")
    stores = []
    for parameters in given:
        store = open_store(parameters)
        path = store.path if store.local_path is None else os.path.normpath(expand(parameters["path"]))
        name = parameters.get("name") or os.path.basename(path) or store.type
        stores.append(NamedStore(check_set_name(name) if len(given) > 1 else name, store, path))
    names = [entry.name for entry in stores]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRequest(f"Two stores have the name {twice[0]}.", "Set a unique name for each of them.")
    return stores


def optional(value: Any, convert: Callable[[Any], T]) -> Optional[T]:
    """Convert a value unless it is None."""
    return None if value is None else convert(value)


def limited(verb: Verb) -> Verb:
    """A verb that stops when it takes longer than the argument `timeout`."""

    @functools.wraps(verb)
    def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
        seconds = optional(params.get("timeout"), duration)
        if seconds is not None and seconds <= 0:
            raise InvalidRequest(
                f"timeout is {params['timeout']}.", "Set it to a duration, for example 2h, or omit it."
            )
        with progress.limited(seconds):
            return verb(params, check, progress)

    return run


def keep_policy(value: Optional[Mapping[str, Any]]) -> Optional[Keep]:
    """The retention policy, or None."""
    return optional(value, Keep.from_options)


def duration(value: Any) -> float:
    """Seconds. Raises InvalidRequest when it is not a duration."""
    return parse_duration(value)
