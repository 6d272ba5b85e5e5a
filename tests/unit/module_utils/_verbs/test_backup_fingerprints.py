# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When backup need not read a store, and what all makes it read: each part of that condition decides alone."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._repository.directory import DirectoryRepository
from ansible_collections.day2.ops.plugins.module_utils._stores.documents.store import JsonStore
from tests.unit.module_utils._verbs.conftest import Application, Run

State = dict[str, Any]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many documents were read since it was last called."""
    seen: list[str] = []
    snapshot = JsonStore.snapshot

    def counted(self: JsonStore, sink: Any) -> Any:
        seen.append(self.path)
        return snapshot(self, sink)

    def count() -> int:
        number = len(seen)
        seen.clear()
        return number

    monkeypatch.setattr(JsonStore, "snapshot", counted)
    return count


def edit(directory: Path, change: Callable[[State], None]) -> None:
    """Change what the last run has noted of the host's stores."""
    repository = DirectoryRepository(str(directory))
    with repository.lock("app", "test", 5):
        state = repository.read_state("app", "fingerprints")
        (host,) = state
        change(state[host])
        repository.write_state("app", "fingerprints", state)


def test_what_has_not_changed_is_not_read(run: Run, document: Application, reads: Callable[[], int]) -> None:
    document.fill(1)
    run("backup", source=document.store)
    assert reads() == 1
    for check in (True, False):
        assert run("backup", check, source=document.store)["reason"] == "unchanged"
        assert reads() == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda saved: saved.update(content_digest="0" * 64),
        lambda saved: saved.update(key=["json", "/elsewhere", {}]),
        lambda saved: saved.update(fingerprint="another"),
        lambda saved: saved.update(fingerprint=None),
        lambda saved: saved.pop("fingerprint"),
        lambda saved: saved.pop("content_digest"),
        lambda saved: saved.pop("key"),
    ],
)
def test_any_difference_makes_it_read(
    run: Run, document: Application, reads: Callable[[], int], tmp_path: Path, change: Callable[[State], None]
) -> None:
    document.fill(1)
    run("backup", source=document.store)
    edit(tmp_path / "backups", lambda state: change(*state.values()))
    reads()
    assert not run("backup", source=document.store)["changed"]
    assert reads() == 1
    assert not run("backup", source=document.store)["changed"]
    assert reads() == 0  # and it is noted anew


def test_without_a_fingerprint_it_is_read(
    run: Run, document: Application, reads: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document.fill(1)
    run("backup", source=document.store)
    edit(tmp_path / "backups", lambda state: [saved.pop("fingerprint") for saved in state.values()] and None)
    document.path.write_text(json.dumps({"requests": {}}))
    monkeypatch.setattr(JsonStore, "fingerprint", lambda self: None)  # changed just now, so that it can't be trusted
    reads()
    done = run("backup", source=document.store)
    assert (done["changed"], reads()) == (True, 1)


def test_a_store_with_another_name_is_read(
    run: Run, document: Application, reads: Callable[[], int], tmp_path: Path
) -> None:
    document.fill(1)
    run("backup", source={**document.store, "name": "one"})
    assert reads() == 1
    edit(tmp_path / "backups", lambda state: state.update(two=state["one"]))
    assert run("backup", source={**document.store, "name": "two"})["changed"]
    assert reads() == 1


def test_the_state_is_of_a_newest_backup_that_is_there(run: Run, document: Application, tmp_path: Path) -> None:
    document.fill(1)
    run("backup", source=document.store)
    repository = DirectoryRepository(str(tmp_path / "backups"))
    state = copy.deepcopy(repository.read_state("app", "fingerprints"))
    document.fill(2)
    newest = run("backup", source=document.store)["backup"]["id"]
    document.fill(1)
    with repository.lock("app", "test", 5):
        repository.write_state("app", "fingerprints", state)  # what a restored repository may hold
    done = run("backup", source=document.store)
    assert done["changed"]
    assert done["backup"]["id"] != newest
