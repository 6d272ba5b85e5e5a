# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Django application moves from SQLite to PostgreSQL; what its own ORM answers before and after is the judge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any, Callable

import psycopg
import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import TargetError
from tests.services import django_shop
from tests.unit.module_utils._verbs.migrations import Store, four_steps, run

pytestmark = pytest.mark.once

SHOP = Path(django_shop.__file__).parent
DURATIONS = {"shop_product.warranty": "interval from us"}  # Django keeps them as microseconds in SQLite
Drive = Callable[[str], Any]


@pytest.fixture(params=["UTC", "Europe/Berlin"])
def zone(request: pytest.FixtureRequest) -> str:
    """What the application's times are in: Django keeps UTC, or with USE_TZ=False what the clock said."""
    return str(request.param)


@pytest.fixture
def source(tmp_path: Path) -> Store:
    return {"type": "sqlite", "path": str(tmp_path / "db.sqlite3")}


@pytest.fixture
def target(postgresql: Store) -> Store:
    name = f"django_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(host=postgresql["host"], user="postgres", dbname="postgres", autocommit=True) as server:
        server.execute(f"CREATE ROLE {name} LOGIN")
        server.execute(f"CREATE DATABASE {name} OWNER {name}")
    with psycopg.connect(host=postgresql["host"], user="postgres", dbname=name, autocommit=True) as server:
        server.execute(f"GRANT ALL ON SCHEMA public TO {name}")
    return {**postgresql, "database": name, "username": name}


@pytest.fixture
def drive(source: Store, target: Store, zone: str) -> Drive:
    names = {
        "SQLITE": source["path"],
        "HOST": target["host"],
        "DATABASE": target["database"],
        "USER": target["username"],
    }
    environment = {**os.environ, **{"DAY2_" + name: value for name, value in names.items()}}
    environment["DAY2_USE_TZ"] = "1" if zone == "UTC" else "0"

    def call(what: str) -> Any:
        done = subprocess.run(
            [sys.executable, "drive.py", what], cwd=SHOP, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "null")

    return call


def test_a_django_application_answers_the_same_on_postgresql(
    source: Store, target: Store, drive: Drive, zone: str, tmp_path: Path
) -> None:
    drive("prepare")
    more = {"repository": str(tmp_path / "backups"), "name": "shop", "on_existing": "replace"}
    with pytest.raises(TargetError) as caught:
        run(True, source=source, target=target, **more)
    told = str(caught.value)
    assert "auth_user.date_joined has no time zone (set timezone) in 8 records" in told
    assert "shop_product.warranty is a number without a unit" in told
    result = four_steps(source, target, types=DURATIONS, timezone=zone, **more)
    assert result["application_schema"]["compared"] == ["django_migrations"]
    before, after = drive("answers")
    assert len(before) > 500
    assert after == before
    # the counters were beyond the highest numbers
    assert drive("go-on") == [51, 11, True, "foreign keys hold"]
