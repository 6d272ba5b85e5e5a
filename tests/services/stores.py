# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Empty stores of each type to migrate from and to, on servers that run."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from .dynamodb import options

Store = dict[str, Any]


def empty(kind: str, directory: Path, postgresql: Store, dynamodb_url: str) -> Store:
    """A store of a type, of which there is nothing yet."""
    if kind == "postgresql":
        return schema(postgresql)
    name = "s" + uuid.uuid4().hex[:10]
    if kind == "dynamodb":
        return {"type": kind, **options(dynamodb_url, name + ".")}
    return {"type": kind, "path": str(directory / (name + {"json": ".json", "sqlite": ".db"}[kind]))}


def schema(postgresql: Store) -> Store:
    """A new schema of a server."""
    import psycopg

    name = "s" + uuid.uuid4().hex[:10]
    with psycopg.connect(host=postgresql["host"], user=postgresql["username"], dbname="postgres") as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return {**postgresql, "schema": name}


def another(server: Store) -> Store:
    """An empty store of a server, of whichever type that is."""
    if server["type"] == "postgresql":
        return schema(server)
    return {**server, "prefix": "s" + uuid.uuid4().hex[:10] + "."}
