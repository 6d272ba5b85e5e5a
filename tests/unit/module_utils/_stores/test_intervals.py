# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lengths of time are what PostgreSQL makes of the same text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ansible_collections.day2.ops.plugins.module_utils._stores.records.intervals import parsed
from ansible_collections.day2.ops.plugins.module_utils._stores.records.model import Refused
from tests.services.postgresql import cluster


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with cluster() as options, psycopg.connect(host=options["host"], user="postgres", dbname="postgres") as connection:
        yield connection


TEXTS = [
    *("1 day", "2 days 03:04:05", "-1 day +02:00", "1 mon 2 days", "1 year 2 mons -3 days", "-1 years +2 mons"),
    *("36:00:00", "00:00:00", "0 days", "-00:00:01.5", "1.5 days", "2 weeks", "3 h 4 m 5.25 s", "1 day ago"),
    *("P1Y2M3DT4H5M6.5S", "PT36H", "P2W", "1-2", "1-2 3 4:05:06", "1-2 4:05", "@ 1 hour 30 mins", "500 ms", "7 us"),
    *("1 century 2 decades", "+1 day -02:00:00", "-1 mons -2 days -03:00:00", "1 day 00:00:00.000001", "12:30"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_what_postgresql_writes(server: Any, text: str) -> None:
    (wanted,) = server.execute("SELECT %s::interval::text", (text,)).fetchone()
    assert str(parsed(text)) == wanted
    (equal,) = server.execute("SELECT %s::interval = %s::interval", (text, str(parsed(text)))).fetchone()
    assert equal


@pytest.mark.parametrize(
    "text", ["", "soon", "1", "1 fortnight", "1:2:3:4", "P", "day", "1 day soon", "1.5 mons", "1 day x"]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(Refused):
        parsed(text)
