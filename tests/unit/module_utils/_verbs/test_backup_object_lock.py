# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups a run locks again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Unreachable
from ansible_collections.day2.ops.plugins.module_utils._repository.history import remember_verified
from ansible_collections.day2.ops.plugins.module_utils._repository.remote import RemoteRepository
from ansible_collections.day2.ops.plugins.module_utils._repository.s3 import S3Objects
from tests.services.repositories import client, object_lock
from tests.unit.module_utils._verbs.conftest import Application

pytestmark = pytest.mark.once  # the same library and the same server for every Python

SOON, LATER = "2d", "30d"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    with object_lock(tmp_path) as params:
        yield params


def made(run: Any, place: dict[str, Any], document: Application, number: int, **params: Any) -> str:
    document.fill(number)
    return str(
        run("backup", source=document.store, lock_for=SOON, lock_mode="governance", **place, **params)["backup"]["id"]
    )


def again(run: Any, place: dict[str, Any], document: Application, **params: Any) -> dict[str, Any]:
    return dict(run("backup", source=document.store, lock_for=LATER, lock_mode="governance", **place, **params))


def extended(place: dict[str, Any], *ids: str) -> list[str]:
    one = S3Objects(place["repository"], place["s3"])
    half = datetime.now(timezone.utc) + timedelta(days=15)
    untils = {backup: one.locked_until(f"app/{backup}/manifest.json") for backup in ids}
    return [backup for backup, until in untils.items() if until is not None and until > half]


def noted() -> dict[str, str]:
    """Until when backups are locked, as this host remembers it."""
    (file,) = Path(host_state.directory()).rglob("locked.json")
    return dict(json.loads(file.read_bytes()))


def test_what_does_not_count_stays_locked(run: Any, place: dict[str, Any], document: Application) -> None:
    first, second, third = (made(run, place, document, number) for number in (1, 2, 3))
    raw = S3Objects(place["repository"], place["s3"])
    raw.put(f"app/{first}/data/foreign", b"x")
    repository = RemoteRepository(raw, 3600)
    with repository.lock("app", "test", 0):
        problems = [{"path": "data", "problem": "forged"}]
        remember_verified(repository, "app", dict.fromkeys((second, third), problems), datetime.now(timezone.utc))
    result = again(run, place, document, host="another", take_over=True, keep={"last": 1})
    assert result["removed"] == []
    assert extended(place, first, second, third) == [first, second, third]
    assert raw.locked_until(f"app/{first}/data/foreign") is None


def test_a_stolen_key_does_not_take_backups(run: Any, place: dict[str, Any], document: Application) -> None:
    backup = made(run, place, document, 1)
    bucket, _slash, prefix = place["repository"][len("s3://") :].partition("/")
    thief, top = client(place["s3"]), f"{prefix}/app/{backup}/"
    keys = [one["Key"] for one in thief.list_objects_v2(Bucket=bucket, Prefix=top)["Contents"]]
    for key in keys:
        thief.put_object(Bucket=bucket, Key=key, Body=b"forged")
        thief.delete_object(Bucket=bucket, Key=key)
    told = "was overwritten or deleted by another program. The original version is used."
    info = run("backup_info", verify="full", **place)
    assert (info["ok"], [told in one for one in info["warnings"]]) == (True, [True])
    document.path.unlink()
    assert run("restore", target=document.store, **place)["changed"]
    assert document.records() == 1
    done = again(run, place, document)
    assert (done["changed"], done["backup"]["id"]) == (False, backup)
    assert any(told in one for one in done["warnings"])


def test_what_the_policy_does_not_keep_is_not_locked_again(
    run: Any, place: dict[str, Any], document: Application
) -> None:
    first, second = (made(run, place, document, number) for number in (1, 2))
    assert noted().keys() == {first, second}
    assert again(run, place, document, keep={"last": 1})["warnings"] == []
    assert extended(place, first, second) == [second]


def test_one_that_can_not_be_locked_again_does_not_keep_the_others(
    run: Any, place: dict[str, Any], document: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (made(run, place, document, number) for number in (1, 2))
    retain = S3Objects.retain

    def refuses(self: S3Objects, keys: Any, *how: Any) -> datetime:
        if any(first in key for key in keys):
            raise Unreachable("Access was denied to PutObjectRetention.")
        return retain(self, keys, *how)

    monkeypatch.setattr(S3Objects, "retain", refuses)
    told = [f"Backup {first} could not be locked for longer: Access was denied to PutObjectRetention."]
    assert again(run, place, document)["warnings"] == told
    assert extended(place, first, second) == [second]
    assert noted().get(first, "") < noted()[second]
