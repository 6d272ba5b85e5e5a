# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups of a set count, and which of them is meant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import DamagedBackup, RepositoryError
from ansible_collections.day2.ops.plugins.module_utils._core.units import format_time
from ansible_collections.day2.ops.plugins.module_utils._repository.directory import DirectoryRepository
from ansible_collections.day2.ops.plugins.module_utils._repository.envelope import Envelope
from ansible_collections.day2.ops.plugins.module_utils._repository.history import (
    CONFIRMED,
    VERIFIED,
    Entry,
    History,
    read_history,
    remember_confirmed,
    remember_verified,
    retained,
    select,
)
from ansible_collections.day2.ops.plugins.module_utils._repository.manifest import SAFETY, Manifest, sums_of
from ansible_collections.day2.ops.plugins.module_utils._repository.retention import Keep
from tests.unit.module_utils._repository.test_manifest import MANIFEST

NOON = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)
BAD = ({"path": "data/a", "problem": "it is missing"},)


def id_of(created: datetime) -> str:
    return created.strftime("%Y%m%dT%H%M%SZ-%f00")


def made(seconds: float, **more: Any) -> Manifest:
    created = NOON + timedelta(seconds=seconds)
    return MANIFEST._replace(id=id_of(created), created=created, **more)


def entry(manifest: Manifest, **more: Any) -> Entry:
    return Entry(**{"id": manifest.id, "manifest": manifest, "problems": (), "verified_at": None, **more})


def history(*entries: Entry, confirmed: Optional[Mapping[str, datetime]] = None) -> History:
    return History(entries, dict(confirmed or {}))


def test_the_age_counts_from_the_last_time_when_it_was_confirmed_and_is_never_negative() -> None:
    first, second = made(0), made(60)
    found = history(entry(first), entry(second), confirmed={first.id: NOON + timedelta(seconds=90)})
    now = NOON + timedelta(seconds=100)
    assert [found.age(one, now) for one in (first, second)] == [10, 40]
    assert found.age(second, NOON) == 0  # the clock was set back


def test_what_does_not_count() -> None:
    good, safety, damaged, late = made(0), made(1, kind=SAFETY), made(2), made(3)
    entries = (entry(good), entry(safety), entry(damaged, problems=BAD), entry(late, future=True))
    assert [one.counts for one in entries] == [True, False, False, False]
    assert not Entry("x", None, BAD, None).counts
    assert (history(*entries).good, history(*entries).newest) == ([good], good)
    assert history(*entries[1:]).newest is None


def test_a_date_in_the_future_is_a_complaint() -> None:
    late = made(0)
    assert entry(late).complaints == []
    assert entry(late, problems=BAD).complaints == [*BAD]
    said = entry(late, problems=BAD, future=True).complaints
    assert said[0] == BAD[0]
    assert (said[1]["path"], f"({format_time(late.created)})" in said[1]["problem"]) == ("manifest.json", True)
    assert Entry("x", None, BAD, None, future=True).complaints == [*BAD]


def test_a_host_s_and_a_tag_s_backups_and_those_that_tell_nothing() -> None:
    mine, theirs = made(0, host="Web1", tags=("a", "b")), made(1, host="web2", tags=("a",))
    unreadable = Entry("20250630T130000Z-00000000", None, BAD, None)
    everything = history(entry(mine), entry(theirs), unreadable)
    assert [one.id for one in everything.of_host("wEB1").entries] == [mine.id, unreadable.id]
    assert [one.id for one in everything.tagged(["b", "a"]).entries] == [mine.id, unreadable.id]
    assert [one.id for one in everything.tagged([]).entries] == [mine.id, theirs.id, unreadable.id]


def test_an_age_counts_from_when_the_data_was_last_the_same() -> None:
    one, now = made(0), NOON + timedelta(seconds=100)
    assert history(entry(one)).age(one, now) == 100
    assert history(entry(one), confirmed={one.id: NOON + timedelta(seconds=60)}).age(one, now) == 40
    assert history(entry(one), confirmed={one.id: NOON - timedelta(seconds=60)}).age(one, now) == 100
    assert history(entry(one)).age(one, NOON - timedelta(seconds=1)) == 0


# select


@pytest.mark.parametrize(("at", "found"), [(0, 0), (0.5, 0.5), (0.4, 0), (1.2, 0.5), (1, 1.5), (1.6, 1.5), (9, 1.5)])
def test_a_whole_second_includes_its_fractions(at: float, found: float) -> None:
    backups = [made(-5), made(0), made(0.5), made(1.5)]
    if at == 0:
        backups.remove(made(0.5))
    chosen = select(history(*map(entry, backups)), "latest", NOON + timedelta(seconds=at), "app")
    assert chosen.created == NOON + timedelta(seconds=found)


def test_before_the_first_there_is_none_and_the_oldest_is_named() -> None:
    backups = made(0, kind=SAFETY), made(1), made(2)
    with pytest.raises(RepositoryError, match=rf"no good backup from .* or earlier\. The oldest is {backups[1].id}\."):
        select(history(*map(entry, backups)), "latest", NOON, "app")
    with pytest.raises(RepositoryError, match=r"The oldest is none\."):
        select(history(entry(backups[0])), "latest", NOON, "app")


def test_the_latest_is_the_last_that_counts() -> None:
    first, second, third = made(0), made(1), made(2)
    both = history(entry(first), entry(second), entry(third, problems=BAD))
    assert select(both, "latest", None, "app") == second


def test_where_only_the_future_has_backups_the_last_good_one_is_named() -> None:
    early, late, damaged = made(0), made(1), made(2)
    ahead = [entry(early, future=True), entry(late, future=True), entry(damaged, future=True, problems=BAD)]
    with pytest.raises(RepositoryError, match=f"no good backup. {late.id} is dated in the future"):
        select(history(*ahead), "latest", None, "app")
    for useless in (ahead[2], entry(early, problems=BAD), entry(made(3, kind=SAFETY))):
        with pytest.raises(RepositoryError, match=r"no good backup\. Check the name"):
            select(history(useless), "latest", None, "app")


def test_by_its_id_also_what_does_not_count_is_found_but_nothing_damaged() -> None:
    safety, late, damaged = made(0, kind=SAFETY), made(1), made(2)
    entries = history(
        entry(safety), entry(late, future=True), entry(damaged, problems=BAD), Entry("bare", None, (), None)
    )
    assert select(entries, safety.id, None, "app") == safety
    assert select(entries, late.id, None, "app") == late
    for wanted in (damaged.id, "bare"):
        with pytest.raises(DamagedBackup, match=wanted):
            select(entries, wanted, None, "app")


def test_an_unknown_id_is_answered_with_the_newest_five() -> None:
    backups = [made(number) for number in range(7)]
    listed = ", ".join(one.id for one in backups[2:])
    with pytest.raises(RepositoryError, match=rf"has no backup other\. The newest are: {listed}\.$"):
        select(history(*map(entry, backups)), "other", None, "app")
    with pytest.raises(RepositoryError, match="The newest are: none"):
        select(history(), "other", None, "app")


# What is remembered


@pytest.fixture
def repository(tmp_path: Path) -> DirectoryRepository:
    return DirectoryRepository(str(tmp_path / "backups"))


def publish(repository: DirectoryRepository, manifest: Manifest) -> str:
    with repository.lock("app", "test", 0), repository.stage("app", manifest.created) as staging:
        with staging.create("data/a.db.zst") as handle:
            handle.write(b"0123456789")
        document = manifest.to_json()
        assert staging.publish(manifest.id, document, sums_of(manifest, document))
    return manifest.id


def test_backups_come_in_the_order_of_their_data_whatever_their_ids_are(repository: DirectoryRepository) -> None:
    later, earlier = (
        made(0.7)._replace(id="20250630T120000Z-00000001"),
        made(0.2)._replace(id="20250630T120000Z-00000002"),
    )
    for one in (later, earlier):
        publish(repository, one)
    found = read_history(repository, "app", NOON)
    assert [one.id for one in found.entries] == [earlier.id, later.id]
    assert found.newest == later


def test_a_damaged_backup_lies_between_those_before_and_after_it(repository: DirectoryRepository) -> None:
    ids = [publish(repository, made(seconds)._replace(id=f"{id_of(NOON)[:17]}{seconds:08x}")) for seconds in (0, 60)]
    for day, damaged in (("20250629", 0), ("20250701", 0), ("20251399", 0)):  # the last is no date
        ids.append(publish(repository, made(seconds=9)._replace(id=f"{day}T120000Z-0000000{damaged}")))
        Path(repository.path("app", ids[-1]), "manifest.json").write_text("no manifest")
    found = read_history(repository, "app", NOON + timedelta(days=9))
    assert [one.id for one in found.entries] == [ids[4], ids[2], ids[0], ids[1], ids[3]]


def test_a_whole_second_comes_before_its_fractions(repository: DirectoryRepository) -> None:
    ids = [publish(repository, made(seconds)) for seconds in (0.5, 0, 0.25)]
    found = read_history(repository, "app", NOON)
    assert [one.id for one in found.entries] == [ids[1], ids[2], ids[0]]


def test_a_minute_is_tolerated_between_clocks(repository: DirectoryRepository) -> None:
    one = publish(repository, made(0))
    repository.write_state("app", CONFIRMED, {one: format_time(NOON)})
    repository.write_state("app", VERIFIED, {one: {"at": format_time(NOON), "problems": []}})
    for seconds, trusted in ((60, True), (61, False)):
        found = read_history(repository, "app", NOON - timedelta(seconds=seconds))
        assert (found.entries[0].future, found.entries[0].verified_at) == (not trusted, NOON if trusted else None)
        assert found.confirmed == ({one: NOON} if trusted else {})


@pytest.mark.parametrize(
    "noted", [None, [], "text", {"at": "never"}, {"at": 5, "problems": "x"}, {"problems": [None, "x"]}, {"at": ""}]
)
def test_state_that_is_not_ours_says_nothing(repository: DirectoryRepository, noted: Any) -> None:
    one = publish(repository, made(0))
    repository.write_state("app", VERIFIED, {one: noted})
    repository.write_state("app", CONFIRMED, {one: "never", "other": ""})
    found = read_history(repository, "app", NOON)
    assert (found.entries[0].verified_at, found.entries[0].counts, found.confirmed) == (None, True, {})


def test_what_is_remembered_is_read_and_goes_with_its_backup(repository: DirectoryRepository) -> None:
    first, second = publish(repository, made(0)), publish(repository, made(1))
    with repository.lock("app", "test", 0):
        for one in (first, second):
            remember_confirmed(repository, "app", one, NOON)
        remember_verified(repository, "app", {first: [], second: [*BAD]}, NOON)
    found = read_history(repository, "app", NOON)
    assert found.confirmed == {first: NOON, second: NOON}
    assert [(one.verified_at, one.problems) for one in found.entries] == [(NOON, ()), (NOON, BAD)]
    with repository.lock("app", "test", 0):
        repository.remove("app", first)
        remember_confirmed(repository, "app", second, NOON)
        remember_verified(repository, "app", {}, NOON)
    assert list(repository.read_state("app", CONFIRMED)) == list(repository.read_state("app", VERIFIED)) == [second]


def test_what_may_have_a_tag_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    envelope = Envelope("another host's", "", (), ("a mark",), "", "", None, ())
    closed = [made(second, sources=(), tags=(), envelope=envelope) for second in (0, 1)]
    plain, newest = made(2, tags=("nightly",)), made(3)
    decided = retained(history(*map(entry, (*closed, plain, newest))), Keep(last=1, tags=(frozenset({"release"}),)))
    kept = {one.id for one in decided if one.reasons}
    assert kept == {newest.id, *(one.id for one in closed)}
