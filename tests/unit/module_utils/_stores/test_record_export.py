# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Details of an export that somebody else wrote."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import SourceError
from ansible_collections.day2.ops.plugins.module_utils._stores.records.export import exported

WHOLE: dict[str, Any] = {
    "name": "t",
    "key": ["id"],
    "fields": [{"name": "id", "kind": "text"}],
    "indexes": [],
    "foreign_keys": [],
    "statements": [],
}


def test_what_is_one() -> None:
    assert [info.name for info in exported({"schema": [WHOLE]})] == ["t"]


@pytest.mark.parametrize(
    "details",
    [
        {},
        {"schema": None},
        {"schema": [None]},
        *({"schema": [{**WHOLE, name: value}]} for name in WHOLE for value in (None, 5, [5], [None], [{}])),
        *({"schema": [{key: value for key, value in WHOLE.items() if key != name}]} for name in WHOLE),
        {"schema": [{**WHOLE, "surprise": 1}]},
    ],
    ids=str,
)
def test_what_is_none(details: dict[str, Any]) -> None:
    with pytest.raises(SourceError):
        exported(details)
