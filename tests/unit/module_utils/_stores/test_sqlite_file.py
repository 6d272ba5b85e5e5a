# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows whose texts are no UTF-8 are read like all others."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.file import connect, rows_of


@pytest.mark.parametrize("bad", [(), (0,), (1,), (1, 3), (9,), (10,), (11, 24)])
def test_each_row_once(tmp_path: Path, bad: tuple[int, ...]) -> None:
    with contextlib.closing(connect(str(tmp_path / "some.db"), "rwc")) as connection:
        connection.execute("CREATE TABLE it (id INTEGER PRIMARY KEY, t TEXT)")
        texts = [b"bad \xff" if number in bad else b"good" for number in range(25)]
        connection.executemany("INSERT INTO it VALUES (?, CAST(? AS TEXT))", enumerate(texts))
        wanted = [(number, text.decode("utf-8", "surrogateescape")) for number, text in enumerate(texts)]
        for _time in range(2):
            found = rows_of(connection, "SELECT * FROM it ORDER BY id", 10)
            assert [row for rows in found for row in rows] == wanted
