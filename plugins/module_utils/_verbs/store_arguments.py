# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments for the stores of backups and restores."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .._core.errors import InvalidRequest
from .._core.paths import expand
from .._repository.manifest import check_set_name
from .._stores.registry import argument_spec as store_spec
from .._stores.registry import open_store
from .snapshots import NamedStore


def store_argument(*, restore: bool = False, **more: Any) -> dict[str, Any]:
    """The spec of `source` or `target`, or, with additional arguments, of a list of them.

    :param restore: of the target of a restore, which has more options.
    """
    return dict({"type": "dict", "options": store_spec(restore)}, **more)


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
