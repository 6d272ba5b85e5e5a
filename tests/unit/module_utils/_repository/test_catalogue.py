# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many backups in S3 are listed in few requests, and nothing is believed that somebody else could have written."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.s3 import S3Client
from ansible_collections.day2.ops.plugins.module_utils._repository import catalogue
from ansible_collections.day2.ops.plugins.module_utils._repository.base import Repository
from ansible_collections.day2.ops.plugins.module_utils._repository.location import open_repository
from ansible_collections.day2.ops.plugins.module_utils._repository.s3 import S3Objects
from tests.services.repositories import KINDS
from tests.services.s3 import damaging_proxy

pytestmark = pytest.mark.once  # the same library and the same server for every Python

WHEN = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)
FULL, SMALL = catalogue._FULL, 4  # backups in one object of the catalogue: really, and in these tests


@pytest.fixture(params=["s3-ministack", "s3-rgw-versions"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    monkeypatch.setattr(catalogue, "_WORTH", 3)
    monkeypatch.setattr(catalogue, "_FULL", SMALL)
    with KINDS[request.param](tmp_path) as params:
        yield params


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that are read."""
    real, keys = S3Objects.read, []

    def noted(self: S3Objects, key: str) -> Any:
        keys.append(key)
        return real(self, key)

    monkeypatch.setattr(S3Objects, "read", noted)
    return keys


def publish(repository: Repository, *numbers: int) -> None:
    with repository.lock("app", "test", 5):
        for number in numbers:
            with repository.stage("app", WHEN + timedelta(seconds=number)) as staging:
                assert staging.publish(staging.id or "", b"manifest %d" % number, b"sums \xff %d" % number)


def listed(place: dict[str, Any], read: list[str]) -> tuple[list[tuple[bytes, bytes]], list[str]]:
    """What a listing tells, and what had to be read of backups and of the catalogue."""
    repository = open_repository(place)
    read.clear()
    told = [(one.read("manifest.json"), one.read("SHA256SUMS")) for one in repository.listing("app")]
    return told, [key for key in read if key != ".day2/repository.json"]


def expected(*numbers: int) -> list[tuple[bytes, bytes]]:
    return [(b"manifest %d" % number, b"sums \xff %d" % number) for number in numbers]


def make(place: dict[str, Any]) -> None:
    """A run that lists what is there."""
    repository = open_repository(place)
    with repository.lock("app", "test", 5):
        for one in repository.listing("app"):
            one.read("manifest.json")


def test_what_is_known_is_not_read_again(place: dict[str, Any], read: list[str]) -> None:
    publish(open_repository(place), *range(6))
    told, requests = listed(place, read)
    assert (told, len(requests)) == (expected(*range(6)), 12)
    make(place)
    told, requests = listed(place, read)
    assert told == expected(*range(6))
    assert requests == ["app/.state/catalogue/000000.json", "app/.state/catalogue/000001.json"]
    publish(open_repository(place), 6)
    told, requests = listed(place, read)
    assert (told, len(requests)) == (expected(*range(7)), 4)
    publish(open_repository(place), 7, 8)
    make(place)
    told, requests = listed(place, read)
    assert (told, len(requests)) == (expected(*range(9)), 3)


@pytest.mark.parametrize("place", ["s3-rgw"], indirect=True)
def test_a_thousand_backups_of_sixteen_objects_take_twenty_requests(
    place: dict[str, Any], read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # all of it is smaller: backups, and what one request tells of
    scale, backups = FULL // SMALL, 24
    raw = S3Objects(place["repository"], place["s3"])
    publish(open_repository(place), *range(backups))
    ids = open_repository(place).ids("app")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: raw.put(key, b"x"), (f"app/{one}/data/{n}" for one in ids for n in range(14))))
    make(place)
    ask = S3Client.ask

    def in_small_pages(self: S3Client, operation: str, *what: Any, **query: str) -> Any:
        more = {"max-keys": str(1000 // scale)} if operation == "ListObjectsV2" else {}
        return ask(self, operation, *what, **query, **more)

    monkeypatch.setattr(S3Client, "ask", in_small_pages)
    asked: list[str] = []

    def note(method: str, path: str) -> bool:
        asked.append(path)
        return False

    with damaging_proxy(place["s3"]["endpoint_url"], lost=note) as url:
        told, _read = listed({**place, "s3": {**place["s3"], "endpoint_url": url}}, read)
    assert told == expected(*range(backups))
    assert sum("list-type=2" in path for path in asked) >= backups * 16 * scale / 1000
    assert len(asked) <= 20 * backups * scale / 1000, asked


def test_nothing_is_believed_that_is_not_the_object(place: dict[str, Any], read: list[str]) -> None:
    publish(open_repository(place), *range(3))
    make(place)
    objects = S3Objects(place["repository"], place["s3"])
    key = "app/.state/catalogue/000000.json"
    entries = json.loads(objects.read(key) or b"")
    forged = [
        {one: catalogue._packed({"manifest.json": b"manifest 7", "SHA256SUMS": b"sums"}) for one in entries},
        dict.fromkeys(entries, "AAAA"),
        dict.fromkeys(entries, 1),
        [entries],
        {},
    ]
    for content in forged:
        objects.put(key, json.dumps(content).encode())
        told, requests = listed(place, read)
        assert (told, len(requests)) == (expected(*range(3)), 7)
    objects.put(key, b"{")
    assert listed(place, read)[0] == expected(*range(3))


def test_what_was_removed_goes_from_it(place: dict[str, Any], read: list[str]) -> None:
    repository = open_repository(place)
    publish(repository, *range(9))
    make(place)
    with repository.lock("app", "test", 5):
        for backup in repository.ids("app")[:7]:
            repository.remove("app", backup)
    publish(repository, 9, 10, 11)
    make(place)
    told, requests = listed(place, read)
    assert (told, len(requests)) == (expected(7, 8, 9, 10, 11), 2)
    assert len(json.loads(S3Objects(place["repository"], place["s3"]).read(requests[1]) or b"")) == 1


def test_one_that_is_too_deep_is_not_used(place: dict[str, Any], read: list[str]) -> None:
    publish(open_repository(place), 1)
    key = "app/.state/catalogue/000000.json"
    objects = open_repository(place)._objects  # type: ignore[attr-defined]
    deep = base64.b64encode(zlib.compress(b"[" * 100_000)).decode()
    for document in (b"[" * 100_000, json.dumps({open_repository(place).ids("app")[0]: deep}).encode()):
        objects.put(key, document)
        assert listed(place, read)[0] == expected(1)
