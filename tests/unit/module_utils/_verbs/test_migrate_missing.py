# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a store needs and is not installed is named, whatever is asked of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import MissingDependency
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql import client as postgresql_client
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite import file as sqlite_file
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import info as migrate_info
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import migrate
from tests.unit.module_utils._verbs.migrations import Store

DATABASE: Store = {"type": "postgresql", "database": "x", "host": "/nowhere"}


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("verb", [migrate, migrate_info])
@pytest.mark.parametrize("missing", ["psycopg", "sqlite3"])
def test_a_missing_library_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, verb: object, side: str, check: bool
) -> None:
    document = tmp_path / "x.json"
    document.write_text(json.dumps({"c": {"a": {"id": "a"}}}))
    if missing == "psycopg":
        monkeypatch.setattr(postgresql_client, "psycopg", None)
        lacking = DATABASE
    else:
        monkeypatch.setattr(sqlite_file, "sqlite3", None)
        lacking = {"type": "sqlite", "path": str(tmp_path / "x.db")}
    stores: dict[str, Store] = {"source": {"type": "json", "path": str(document)}, "target": lacking}
    if side == "source":
        stores = {"source": lacking, "target": {"type": "json", "path": str(tmp_path / "y.json")}}
    spec = verb.ARGUMENTS["argument_spec"]  # type: ignore[attr-defined]
    params = {**{name: one.get("default") for name, one in spec.items()}, **stores}
    with pytest.raises(MissingDependency, match=f"{missing} is required for stores of type {lacking['type']}"):
        verb.run(params, check, Progress())  # type: ignore[attr-defined]
