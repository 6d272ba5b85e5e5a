# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._repository.manifest import Manifest, SourcePart
from ansible_collections.day2.ops.plugins.module_utils._repository.owner import (
    make_owner,
    names_of,
    owners_of,
    this_host,
)


def backup_of(host: str, *paths: str) -> Manifest:
    parts = tuple(SourcePart(path, "json", path, {}, "0" * 64, (), {}, ()) for path in paths)
    return Manifest("id", "app", "backup", datetime.now(timezone.utc), host, {}, "none", 0.0, parts)


@pytest.mark.parametrize(
    ("host", "paths", "owned"),
    [
        ("a", ["/x"], False),  # it lacks what the backup has of /y
        ("a", ["/y", "/x"], True),
        ("A", ["/x", "/y/"], True),
        ("a", ["/x", "/y", "/z"], True),  # a store was added
        ("a", ["/z"], False),
        ("b", ["/x", "/y"], False),
        ("a.example", ["/x", "/y"], False),
    ],
)
def test_who_owns_a_backup_of_two_stores(host: str, paths: list[str], owned: bool) -> None:
    assert make_owner(host, paths).owns(backup_of("a", "/x", "/y")) is owned


def test_each_backup_has_one_owner() -> None:
    found = [backup_of("a", "/x"), backup_of("b", "/x"), backup_of("a", "/x", "/y"), backup_of("a", "/z")]
    grouped: Any = [(owner.host, owner.paths, len(own)) for owner, own in owners_of(found)]
    assert grouped == [("a", ("/x", "/y"), 2), ("a", ("/z",), 1), ("b", ("/x",), 1)]


def test_owners_in_words() -> None:
    owners = [make_owner(f"h{number}", ["/y", "/x"][:number]) for number in range(1, 6)]
    assert names_of(owners[:2]) == "/y on host h1; /x and /y on host h2"
    first = "; ".join(str(one) for one in owners[:3])
    assert names_of(owners[:3]) == first
    assert names_of(owners) == f"{first}; and 2 more"


def test_the_name_of_this_host() -> None:
    for name in ("hawk1", "hawk 1"):
        assert this_host(name) == name
    assert this_host()
    for name in ("", " ", "hawk\n1", "hawk\x1f1"):
        with pytest.raises(InvalidRequest):
            this_host(name)
