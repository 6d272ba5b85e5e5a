# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of equal names in a JSON document the last counts, wherever they are, and check mode tells of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.module_utils._verbs.migrations import Stores, run, sql


def of(document: str, stores: Stores) -> tuple[list[str], list[str]]:
    source = stores("json")
    Path(source["path"]).write_text(document)
    told = [run(check, source=source, target=stores("json"))["warnings"] for check in (True, False)]
    assert told[0] == told[1]
    target = stores("json")
    run(source=source, target=target)
    assert json.loads(Path(target["path"]).read_text()) == json.loads(document)
    return told[0], told[1]


@pytest.mark.parametrize("many", [1, 3000])
@pytest.mark.parametrize(
    ("record", "name"),
    [
        ('{"id": "%d", "x": 1, "x": 2}', '"x"'),
        ('{"id": "%d", "n": {"a": [{"é": 1, "é": 2}]}}', '"é"'),
        ('{"id": "%d", "n": {"a": [{"\\u0061": 1, "a": 2}]}}', '"a"'),
    ],
)
def test_within_records(stores: Stores, record: str, name: str, many: int) -> None:
    values = [(record if n % 3 == 0 else '{"id": "%d", "x": 3}').replace("%d", str(n)) for n in range(many)]
    members = [f'"{n}": {value}' for n, value in enumerate(values)]
    expected = (
        f"t: {'1 mapping' if many == 1 else f'{(many + 2) // 3} mappings'} within the records with a duplicate name, "
        f"for example {name}: the last value counts."
    )
    assert expected in of('{{"a": {{"k": {{"v": 1}}}}, "t": {{{}}}}}'.format(", ".join(members)), stores)[0]
    assert expected in of('{{"t": [{}]}}'.format(", ".join(values)), stores)[0]


def test_the_keys_of_a_collection_are_told_by_themselves(stores: Stores) -> None:
    members = [f'"{n % 2000}": {{"v": {n}}}' for n in range(3000)]
    told, _again = of('{{"t": {{{}}}}}'.format(", ".join(members)), stores)
    assert ["2 times" in one for one in told] == [True]
    assert of('{"t": {"1": {"x": 1}, "2": {"x": 1}}}', stores) == ([], [])


def test_what_arrives_in_a_database_is_the_last(stores: Stores) -> None:
    source, target = stores("json"), stores("sqlite")
    Path(source["path"]).write_text('{"t": {"1": {"id": "1", "x": 1, "x": 2}}}')
    run(source=source, target=target)
    assert sql(target, "SELECT x FROM t") == [(2,)]
