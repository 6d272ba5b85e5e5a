# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source is read as, for a table that can't tell null and missing apart, is what the table gives back."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._stores.documents.source import JsonSource
from ansible_collections.day2.ops.plugins.module_utils._stores.records.as_held import HeldSource
from ansible_collections.day2.ops.plugins.module_utils._stores.records.model import TEXT, Field, Info, Note, Record
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.target import SqliteTarget

SOME: list[Record] = [{}, {"v": None}, {"v": "x"}]
RECORDS: list[Record] = [
    {"id": f"r{number:02d}", **{name: value for name, one in zip("abc", row) for value in one.values()}}
    for number, row in enumerate(itertools.product(SOME, repeat=3))
]


@pytest.mark.parametrize("absent", [(), ("a",), ("a", "b")])
@pytest.mark.parametrize("marker", ["", "marked"])
def test_as_the_table_gives_it_back(tmp_path: Path, absent: tuple[str, ...], marker: str) -> None:
    # the source's c is not in the table, the table's own is not in the source
    table = Info("t", ("id",), (Field("id", TEXT, True), *(Field(name, TEXT) for name in ("a", "b", "own"))))
    table = table._replace(note=Note(absent=absent, marker=marker))
    records = [{name: value for name, value in one.items() if name != "c" or value is None} for one in RECORDS]
    (tmp_path / "source.json").write_text(json.dumps({"t": {str(one["id"]): one for one in records}}))
    with SqliteTarget(str(tmp_path / "some.db")) as target, JsonSource(str(tmp_path / "source.json"), {}) as inner:
        (info,) = inner.collections()
        source = HeldSource(inner)
        assert list(source.read(info)) == records
        assert source.summary(info) is not None
        source.hold(info, table, ["id", "a", "b", "c"])
        assert source.summary(info) is None
        told = list(source.read(info))
        of_both = table._replace(fields=table.fields[:3])
        target.check_writable([of_both], 0)
        target.begin([(of_both, False, None)])
        written = [{name: value for name, value in one.items() if name != "c"} for one in records]
        target.write(of_both, written, lambda rejects: None, False)
        assert told == list(target.read(target.collections()[0]))
        source.hold(info, None)
        assert list(source.read(info)) == records
