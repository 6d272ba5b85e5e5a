# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, RepositoryError


def test_a_tagged_backup_is_written_once(run: Any, application: Any) -> None:
    application.fill(5)
    plain = run("backup", source=application.store)["backup"]
    assert plain["tags"] == []
    tagged = {"source": application.store, "tags": ["before-upgrade", "a"]}
    predicted = run("backup", check=True, max_age="1h", **tagged)
    made = run("backup", max_age="1h", **tagged)
    assert (predicted["reason"], made["reason"]) == ("tags", "tags")
    assert predicted["backup"]["tags"] == made["backup"]["tags"] == ["a", "before-upgrade"]
    for arguments in (tagged, {"source": application.store}, dict(tagged, tags=["a"]), dict(tagged, max_age="1h")):
        assert run("backup", check=True, **arguments)["changed"] is False
        assert run("backup", **arguments)["changed"] is False
    # another tag on the same data, and the first is still there
    assert run("backup", source=application.store, tags=["b"])["changed"] is True
    assert run("backup", **tagged)["changed"] is False
    # data that was another in between gets a backup with the tag again
    application.fill(6)
    run("backup", source=application.store)
    application.fill(7)
    assert run("backup", **tagged)["reason"] == "changed"


def test_keep_tags(run: Any, document: Any) -> None:
    document.fill(1)
    tagged = run("backup", source=document.store, tags=["before-upgrade"])["backup"]["id"]
    for records in (2, 3):
        document.fill(records)
        done = run("backup", source=document.store, keep={"last": 1, "tags": ["before-upgrade"]})
    assert [(one["id"], one["reasons"]) for one in done["kept"]] == [
        (done["backup"]["id"], ["newest", "last"]),
        (tagged, ["tag before-upgrade"]),
    ]
    listed = run("backup_info", tags=["before-upgrade"], keep={"tags": ["before-upgrade"]})["sets"][0]
    assert [(one["id"], one["tags"], one["reasons"]) for one in listed["backups"]] == [
        (tagged, ["before-upgrade"], ["tag before-upgrade"])
    ]
    assert listed["newest"] == tagged
    document.fill(4)
    mine = run("backup", source=document.store, tags=["x"], keep={"tags": ["x"]})
    assert mine["kept"][0]["reasons"] == ["newest", "tag x"]
    assert tagged in mine["removed"]


def test_restoring_by_tags(run: Any, document: Any) -> None:
    document.fill(1)
    tagged = run("backup", source=document.store, tags=["a", "b"])["backup"]["id"]
    document.fill(2)
    run("backup", source=document.store)
    arguments = {"target": document.store, "on_existing": "replace"}
    assert run("restore", tags=["a"], **arguments)["backup"]["id"] == tagged
    assert document.records() == 1
    with pytest.raises(RepositoryError, match="with the tags a,c. Tags in this set are: a, b"):
        run("restore", tags=["a", "c"], **arguments)
    with pytest.raises(InvalidRequest, match="tags and backup"):
        run("restore", tags=["a"], backup=tagged, **arguments)


def test_an_import_that_a_tag_keeps(run: Any, document: Any, tmp_path: Path) -> None:
    document.fill(1)
    copy = tmp_path / "old.json.gz"
    copy.write_bytes(gzip.compress(document.path.read_bytes()))
    os.utime(copy, (1_000_000_000, 1_000_000_000))
    document.fill(2)
    run("backup", source=document.store)
    arguments = {"source": document.store, "import": str(copy), "keep": {"last": 1, "tags": ["legacy"]}}
    assert run("backup", tags=["legacy"], **arguments)["reason"] == "import"
    assert run("backup", tags=["legacy"], **arguments)["changed"] is False


@pytest.mark.parametrize("tag", ["", " ", "a b", "a,b", "new\nline", "x" * 129])
def test_what_is_no_tag(run: Any, document: Any, tag: str) -> None:
    document.fill(1)
    with pytest.raises(InvalidRequest, match="is not a valid tag"):
        run("backup", source=document.store, tags=[tag])
