# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""read_back=checksum: the server's checksums take the place of a download, where they prove something."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, RepositoryError
from ansible_collections.day2.ops.plugins.module_utils._repository import s3_upload
from ansible_collections.day2.ops.plugins.module_utils._repository.s3_checksums import Checksum
from tests.services.age_keys import new_key
from tests.services.repositories import KINDS
from tests.services.s3 import damaging_proxy


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("part", [s3_upload.PART, 5 << 20])
def test_nothing_is_downloaded_and_the_backup_is_whole(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encrypted: bool, part: int
) -> None:
    monkeypatch.setattr(s3_upload, "PART", part)
    path = tmp_path / "large.json"
    content = b'{"a": "%s"}' % os.urandom(3 << 20).hex().encode()
    path.write_bytes(content)
    key = new_key(tmp_path)
    reading = {"identity": key.identity} if encrypted else {}
    read: list[str] = []

    def note(method: str, headers: Any) -> None:
        if method == "GET":
            read.append(method)

    store = {"type": "json", "path": str(path)}
    with KINDS["s3-ministack"](tmp_path) as place:
        with damaging_proxy(place["s3"]["endpoint_url"], first=note) as url:
            through = {**place, "s3": {**place["s3"], "endpoint_url": url}, "compression": "none"}
            options = {"encrypt_to": [key.recipient]} if encrypted else {}
            made = run("backup", source=store, read_back="checksum", **through, **options)
        assert made["changed"]
        again = run("backup", source=store, read_back="checksum", **place, **options)
        assert not again["changed"]
        listed = run("backup_info", **place, **reading)["sets"][0]["backups"]
        assert [(one["good"], one["verified"]) for one in listed] == [(True, None)]
        info = run("backup_info", verify="full", **place, **reading)
        assert info["ok"], info["problems"]
        path.unlink()
        run("restore", target=store, **place, **reading)
        assert path.read_bytes() == content


def test_a_server_that_stores_anything_is_refused(run: Any, document: Any, tmp_path: Path) -> None:
    """RGW 16 ignores the checksum that is sent with an object."""
    document.fill(1)
    with KINDS["s3-rgw"](tmp_path) as place:
        with pytest.raises(RepositoryError, match="stores data with a wrong checksum.*read_back=full"):
            run("backup", source=document.store, read_back="checksum", **place)
        assert run("backup_info", name=None, **place)["sets"] == []
        assert run("backup", source=document.store, **place)["changed"]


def test_elsewhere_it_is_refused(run: Any, document: Any) -> None:
    document.fill(1)
    for check in (True, False):
        with pytest.raises(InvalidRequest, match="S3 only"):
            run("backup", check, source=document.store, read_back="checksum")


class _Api:
    """A server that tells a checksum."""

    def __init__(self, told: str, size: int) -> None:
        self.head = {"ChecksumSHA256": told, "ContentLength": size}

    def head_object(self, **asked: Any) -> dict[str, Any]:
        return self.head


@pytest.mark.parametrize("whole", [True, False])
def test_another_checksum_is_an_error(whole: bool) -> None:
    sent = Checksum(used=True)
    sent.add(bytearray(b"data"))
    right = hashlib.sha256(b"data").digest()
    text = base64.b64encode(right if whole else hashlib.sha256(right).digest()).decode()

    def confirmed(told: str, size: int = 4) -> Any:
        return sent.confirmed(type("Client", (), {"api": _Api(told, size), "bucket": "b"})(), {}, "key", whole)

    assert confirmed(text if whole else f"{text}-1") == ("key", 4, right.hex())
    for told, size in ((text, 5), (base64.b64encode(bytes(32)).decode(), 4), (f"{text}-2", 4)):
        with pytest.raises(RepositoryError, match="differs from that of the uploaded data"):
            confirmed(told, size)
    with pytest.raises(RepositoryError, match="returned no checksum.*read_back=full"):
        confirmed("")
