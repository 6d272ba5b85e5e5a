# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes generated records to DynamoDB, as a migration does.

Each 50 records are written, flushed, and then the checkpoint is kept.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.tables_store import DynamodbTables
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.values import KeyField

STEP = 50


def records(first: int, last: int) -> list[dict[str, Any]]:
    return [{"id": f"r{number:05d}", "n": number, "text": "x" * 100} for number in range(first, last)]


def load(store: DynamodbTables, count: int) -> int:
    """Write what is missing; how many records that was."""
    store.create_collection("data", [KeyField("id", "S")])
    checkpoints = store.checkpoints("load")
    start = checkpoints.load("data") or 0
    with store.writer("data") as writer:
        for first in range(start, count, STEP):
            writer.put(records(first, min(first + STEP, count)))
            writer.flush()
            checkpoints.keep("data", min(first + STEP, count))
        assert writer.rejects == []
        return writer.written
