# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup says in words, and its difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def said(run: Any, document: Any, words: str, **params: Any) -> dict[str, Any]:
    """Check mode, then the run: the same words but for the mood, and the same difference."""
    predicted = run("backup", check=True, source=document.store, **params)
    done: dict[str, Any] = run("backup", source=document.store, **params)
    assert done["msg"] == words
    assert predicted["msg"] == words.replace("Backed up", "Would back up").replace("Removed", "Would remove")
    assert {name: predicted[name] for name in SAME} == {name: done[name] for name in SAME}
    return done


SAME = ("changed", "reason", "removed", "diff", "notes", "warnings", "other_owners")


def counts(made: dict[str, Any], records: int) -> str:
    digest = made["backup"]["sources"][0]["content_digest"][:16]
    return f"requests.json requests: {records}\nrequests.json content {digest}\n"


def test_each_reason_and_its_difference(run: Any, document: Any) -> None:
    document.fill(1)
    first = said(run, document, "Backed up 34 B: the set has no good backup.")
    header = {"before_header": "newest backup of app", "after_header": "newest backup of app"}
    assert first["diff"] == {**header, "before": "", "after": counts(first, 1)}
    same = said(run, document, "Nothing to back up: nothing has changed since the newest backup was last compared.")
    assert same["diff"] == {**header, "before": counts(first, 1), "after": counts(first, 1)}
    document.fill(1)
    said(run, document, "Nothing to back up: the data was read and equals the newest backup.")
    document.fill(2)
    second = said(run, document, "Backed up 54 B: the data differs from the newest backup.", keep={"last": 2})
    assert second["diff"] == {**header, "before": counts(first, 1), "after": counts(second, 2)}
    document.fill(3)
    third = said(
        run,
        document,
        "Backed up 74 B: the data differs from the newest backup. Removed 1 that the policy does not keep.",
        keep={"last": 2},
    )
    assert third["removed"] == [first["backup"]["id"]]
    removed = f"backup {first['backup']['id']}\n"
    assert third["diff"] == {**header, "before": counts(second, 2) + removed, "after": counts(third, 3)}
    tagged = said(run, document, "Backed up 74 B: no backup of the current data is tagged a,b.", tags=["b", "a"])
    assert tagged["backup"]["tags"] == ["a", "b"]
    said(
        run, document, "Nothing to back up: nothing has changed since the newest backup was last compared.", tags=["b"]
    )


def test_what_is_only_removed_is_a_change(run: Any, document: Any) -> None:
    made = []
    for records in (1, 2, 3):
        document.fill(records)
        made.append(run("backup", source=document.store)["backup"]["id"])
    nothing = "Nothing to back up: nothing has changed since the newest backup was last compared."
    done = said(run, document, f"{nothing} Removed 2 that the policy does not keep.", keep={"last": 1})
    assert (done["changed"], sorted(done["removed"])) == (True, sorted(made[:2]))
    assert [one["id"] for one in done["kept"]] == [made[2]]
    assert done["kept"][0]["reasons"] == ["newest", "last"]
    assert not said(run, document, nothing, keep={"last": 1})["changed"]


def test_how_old_the_newest_is(run: Any, document: Any) -> None:
    document.fill(1)
    run("backup", source=document.store)
    document.fill(2)
    recent = run("backup", source=document.store, max_age="1h")["msg"]
    assert recent.startswith("Nothing to back up: the newest backup is ")
    assert recent.endswith(" old, and max_age is 1h.")


def test_imports(run: Any, document: Any, tmp_path: Path) -> None:
    document.fill(1)
    copy = tmp_path / "copy.json"
    copy.write_bytes(document.path.read_bytes())
    params = {"import": str(copy)}
    made = said(run, document, "Backed up 34 B: no backup has this content.", **params)
    assert made["backup"]["imported_from"] == str(copy)
    said(run, document, f"Nothing to back up: backup {made['backup']['id']} has the same content.", **params)
    said(run, document, "Backed up 34 B: no backup has this content and these tags.", tags=["x"], **params)


@pytest.mark.parametrize("number", [1, 2])
def test_backups_of_others_are_told(run: Any, document: Any, number: int) -> None:
    for records in range(number):
        document.fill(records)
        run("backup", source=document.store, host="other")
    done = run("backup", source=document.store, host="this", take_over=True)
    backups = ["1 backup", "2 backups"][number - 1]
    assert done["notes"] == [
        f"The set also has {backups} of {document.path} on host other, to which keep does not apply."
    ]
    assert [(one["host"], one["backups"]) for one in done["other_owners"]] == [("other", number)]


def test_damage_is_a_warning_with_its_first_problem(run: Any, document: Any) -> None:
    document.fill(1)
    made = run("backup", source=document.store)["backup"]
    next(Path(made["path"], "data").iterdir()).unlink()
    (warning,) = run("backup", source=document.store)["warnings"]
    assert warning.startswith(f"Backup {made['id']} is damaged and does not count: data/")
    assert warning.endswith(": it is missing, or not a regular file.")
