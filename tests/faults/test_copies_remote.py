# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies to S3, killed at each of their requests, and with each answer lost in turn."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._repository import s3_upload
from ansible_collections.day2.ops.plugins.module_utils._repository.directory import DirectoryRepository
from ansible_collections.day2.ops.plugins.module_utils._repository.location import open_repository
from ansible_collections.day2.ops.tests.faults.test_remote import Cutter, killed_at
from ansible_collections.day2.ops.tests.faults.verb import run_verb
from tests.conftest import TIMES
from tests.services.repositories import KINDS, client

STEP = 1 if TIMES > 1 else 7  # one of so many requests in a row


class Copies:
    """A directory with two backups, and an empty place for their copies each time."""

    def __init__(self, place: dict[str, Any], path: Path) -> None:
        self.place = place
        self.source = str(path)
        self.ids = DirectoryRepository(self.source).ids("app")

    def begin(self) -> None:
        self.place = {**self.place, "repository": f"{self.place['repository'].rpartition('/')[0]}/{uuid4().hex}"}

    def copy(self, **more: Any) -> dict[str, Any]:
        to = {**self.place, **more}
        return run_verb("backup_copy", {"name": "app", "which": "all", "from": {"repository": self.source}, "to": to})

    def check(self) -> list[str]:
        """The copies, all of them whole."""
        repository = open_repository(self.place)
        if not repository.sets():
            return []
        info = run_verb("backup_info", {"name": "app", "verify": "full", **self.place})
        assert info["ok"], info["problems"]
        return sorted(one["id"] for one in info["sets"][0]["backups"])

    def litter(self) -> list[str]:
        bucket, _slash, prefix = self.place["repository"][len("s3://") :].partition("/")
        api = client(self.place["s3"])
        page = api.list_object_versions(Bucket=bucket, Prefix=f"{prefix}/app/2")
        keys = [one["Key"].split("/", 2)[2] for one in page.get("Versions", ()) + page.get("DeleteMarkers", [])]
        uploads = api.list_multipart_uploads(Bucket=bucket, Prefix=f"{prefix}/app/").get("Uploads", [])
        twice = [key for key in keys if keys.count(key) > 1]
        return [key for key in keys if key.split("/")[0] not in self.ids] + twice + [one["Key"] for one in uploads]


@pytest.fixture
def copies(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Copies]:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    monkeypatch.setattr(s3_upload, "PART", 5 << 20)
    for dummy in range(2):
        # so little is not compressed: one file of two parts
        (tmp_path / "a.json").write_text(json.dumps({"a": {"b": secrets.token_hex(3 << 20)}}))
        source = {"type": "json", "path": str(tmp_path / "a.json")}
        run_verb(
            "backup", {"name": "app", "source": source, "compression": "none", "repository": str(tmp_path / "source")}
        )
    with KINDS[getattr(request, "param", "s3-rgw")](tmp_path) as place:
        yield Copies(place, tmp_path / "source")


@pytest.mark.parametrize(("copies", "when"), [("s3-rgw", "after"), ("s3-rgw-versions", "before")], indirect=["copies"])
def test_killed_at_each_request(copies: Copies, when: str) -> None:
    for at in range(1 + (when == "after"), 199, STEP):
        copies.begin()
        status = killed_at(when, at, copies.copy)
        assert set(copies.check()) <= set(copies.ids)
        again = copies.copy()
        assert (copies.check(), copies.litter()) == (copies.ids, []), f"killed {when} request {at}"
        assert not any("Removed" in one for one in again["warnings"])
        assert copies.copy()["changed"] is False
        if status == 0:
            break
    assert status == 0
    assert at > 20


def test_each_answer_lost(copies: Copies) -> None:
    for at in range(1, 199, STEP):
        copies.begin()
        proxy = Cutter(copies.place["s3"]["endpoint_url"], at)
        copies.copy(s3={**copies.place["s3"], "endpoint_url": proxy.url})
        assert (copies.check(), copies.litter()) == (copies.ids, []), f"answer {at} was lost"
        if not proxy.cut:
            break
    assert not proxy.cut
