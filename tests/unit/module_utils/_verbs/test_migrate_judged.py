# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records that only PostgreSQL can judge, with copies of its tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.module_utils._verbs.migrations import Stores, four_steps, sql

MANY = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001) "
LARGE = "hex(randomblob(6000))"


@pytest.mark.parametrize("bad", [0, 700, 1001])
def test_more_records_than_are_copied_at_once_into_a_table_with_checks(
    stores: Stores, tmp_path: Path, bad: int
) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    sql(source, "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)")
    sql(source, MANY + f"INSERT INTO t SELECT i, CASE i WHEN {bad} THEN -1 ELSE i END FROM n")
    sql(target, "CREATE TABLE t (id bigint PRIMARY KEY, v bigint CHECK (v > 0))")
    done = four_steps(source, target, rejects=str(tmp_path / "rejects"), max_rejects=1)
    assert done["migration"]["errors"] == (1 if bad else 0)
    assert sql(target, "SELECT count(*) FROM t") == [(1000 if bad else 1001,)]


@pytest.mark.parametrize("large", [200, 700])
def test_more_records_than_are_copied_at_once_with_a_large_entry_of_an_index(
    stores: Stores, tmp_path: Path, large: int
) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    sql(source, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE)")
    sql(source, MANY + f"INSERT INTO t SELECT i, CASE i WHEN {large} THEN {LARGE} ELSE 'x' || i END FROM n")
    done = four_steps(source, target, rejects=str(tmp_path / "rejects"), max_rejects=1)
    assert done["migration"]["errors"] == 1
    assert sql(target, "SELECT count(*) FROM t") == [(1000,)]
