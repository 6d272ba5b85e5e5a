# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What restic lists."""

from __future__ import annotations

import json

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import RepositoryError
from ansible_collections.day2.ops.plugins.module_utils._repository.restic_snapshots import _parsed

SNAPSHOT = {"id": "a", "tree": "b", "time": "2026-01-02T03:04:05.6Z", "tags": ["set=app", "mine"]}


def test_snapshots() -> None:
    (one,) = _parsed(json.dumps([SNAPSHOT]).encode())
    assert (one.id, one.tree, one.time, one.tags) == ("a", "b", "2026-01-02T03:04:05.600000000", {"set": "app"})
    assert list(_parsed(b"null")) == list(_parsed(b"")) == []


@pytest.mark.parametrize("out", ["snapshots", "[1]", '[{"id": "a"}]', "7", json.dumps([{**SNAPSHOT, "tags": [1]}])])
def test_an_unexpected_list_is_an_error(out: str) -> None:
    with pytest.raises(RepositoryError, match="restic returned an unexpected list of snapshots"):
        list(_parsed(out.encode()))
