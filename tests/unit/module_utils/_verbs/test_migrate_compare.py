# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core import scratch
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._core.record_batches import batch
from ansible_collections.day2.ops.plugins.module_utils._core.records import canonical
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import compare as migrate_compare
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate.compare import Comparison

Record = dict[str, Any]
KEY = ("region", "id")


def reading(records: Sequence[Record]) -> migrate_compare.Reading:
    return lambda ordered: [batch(records[at : at + 100]) for at in range(0, len(records), 100)]


class Found:
    """What a comparison says, and whom it told."""

    def __init__(self, source: Sequence[Record], target: Sequence[Record], directory: Path) -> None:
        self.differing: list[Record] = []
        self.extra: list[tuple[Any, ...]] = []
        self.comparison = migrate_compare.compare(
            reading(source),
            reading(target),
            KEY,
            refuses=lambda record: "too large" if record.get("n") == "refused" else "",
            scratch=str(directory),
            progress=Progress(),
            differing=self.differing.append,
            extra=self.extra.append,
        )


def records(count: int) -> list[Record]:
    return [{"region": "eu" if n % 3 else "us", "id": n, "n": Decimal(n) / 4} for n in range(count)]


def test_few_differences_among_many_records_are_found_by_key(tmp_path: Path) -> None:
    source, target = records(10_000), records(10_000)
    target[17] = {**target[17], "n": Decimal("0.1")}
    del target[4_000]
    del source[9_001]
    found = Found(source, target, tmp_path)
    assert found.comparison == Comparison(
        added=1,
        changed=1,
        removed=1,
        left=9_997,
        keys=(('["eu",17]', "changed"), ('["eu",4000]', "added"), ('["eu",9001]', "removed")),
    )
    assert found.differing == [records(18)[17], records(4_001)[4_000]]
    assert found.extra == [("eu", 9_001)]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.once
def test_only_ranges_that_differ_are_put_into_the_scratch_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = []

    @contextlib.contextmanager
    def counted(directory: str) -> Iterator[sqlite3.Connection]:
        with scratch.scratch_database(directory) as connection:
            yield connection
            rows.append(connection.total_changes)

    monkeypatch.setattr(migrate_compare, "scratch_database", counted)
    source = records(200_000)
    assert Found(source, source[:-2], tmp_path).comparison.added == 2
    assert Found(source, source, tmp_path).comparison == Comparison(left=200_000)
    # a range has three of these records; each is put in, and taken out again
    assert len(rows) == 1
    assert rows[0] < 50


def test_the_first_of_many_are_listed(tmp_path: Path) -> None:
    source = [{"region": "eu", "id": n, "n": "refused" if n < 25 else n} for n in range(50)]
    found = Found(source, [], tmp_path).comparison
    assert (found.rejected, found.added) == (25, 25)
    assert found.reasons == tuple((f'["eu",{n}]', "too large") for n in range(20))
    assert found.keys == tuple((f'["eu",{n}]', "added") for n in range(25, 45))


def test_null_is_a_field(tmp_path: Path) -> None:
    source, target = [{"region": "eu", "id": 1, "n": None}], [{"region": "eu", "id": 1}]
    assert Found(source, target, tmp_path).comparison.changed == 1


def test_a_key_that_the_source_has_twice_is_told(tmp_path: Path) -> None:
    source = records(2)
    assert Found([*source, source[1]], source, tmp_path).comparison.added == 1


VALUES = st.one_of(
    st.none(), st.integers(), st.text(max_size=3), st.just("refused"), st.lists(st.booleans(), max_size=2)
)
KEYS = st.tuples(st.sampled_from(["eu", "us", "Übersee", "\ud800"]), st.integers(0, 40))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(source=st.dictionaries(KEYS, VALUES), target=st.dictionaries(KEYS, VALUES))
def test_the_result_is_that_of_looking_at_each_key(tmp_path: Path, source: Any, target: Any) -> None:
    ours, theirs = (
        [{"region": region, "id": number, "n": value} for (region, number), value in side.items()]
        for side in (source, target)
    )
    found = Found(ours, theirs, tmp_path)
    same = {key for key in source.keys() & target.keys() if canonical(source[key]) == canonical(target[key])}
    refused = {key for key in source.keys() - same if source[key] == "refused"}
    changed = source.keys() & target.keys() - same - refused
    added = source.keys() - target.keys() - refused
    counts = found.comparison
    assert (counts.added, counts.changed, counts.left, counts.rejected, counts.removed) == (
        len(added),
        len(changed),
        len(same),
        len(refused),
        len(target.keys() - source.keys()),
    )
    assert {(one["region"], one["id"]) for one in found.differing} == added | changed
    assert set(found.extra) == target.keys() - source.keys()
