# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores of parameters, killed at their calls, and run again; and secrets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from ansible_collections.day2.ops.tests.faults.support import run
from ansible_collections.day2.ops.tests.faults.verb import run_verb
from tests.services.age_keys import new_key
from tests.services.s3 import CREDENTIALS, REGION, ministack
from tests.services.throttle_proxy import Proxy, killed_at_call, proxy

STEP = 3  # odd, so that the server gets every other call


class Case:
    """Some parameters, and their backups in a directory."""

    def __init__(self, url: str, server: Proxy, directory: Path) -> None:
        self.server, self.directory = server, directory
        self.boto: Any = boto3.client(
            "ssm",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["access_key_id"],
            aws_secret_access_key=CREDENTIALS["secret_access_key"],
        )

    def put(self, name: str, value: str, **more: Any) -> None:
        self.boto.put_parameter(Name=name, Value=value, Overwrite=True, **{"Type": "String", **more})

    def values(self, path: str) -> dict[str, str]:
        found = self.boto.get_parameters_by_path(Path=path, Recursive=True, WithDecryption=True)["Parameters"]
        return {one["Name"][len(path) :]: one["Value"] for one in found}

    def params(self, kind: str, prefix: str, secrets: bool = False, **more: Any) -> dict[str, Any]:
        place = {"region": REGION, "endpoint_url": self.server.url, "prefix": prefix, "jobs": 1}
        store = {"type": "ssm", **CREDENTIALS, **place, "with_secrets": secrets}
        return {"name": "set", "repository": str(self.directory / "repository"), kind: store, **more}

    def done(self, verb: str, params: dict[str, Any]) -> dict[str, Any]:
        finished = run(verb, params)
        assert finished.status == 0, finished.error
        return finished.result

    def killed(self, verb: str, params: dict[str, Any], at: int) -> bool:
        """Run a verb that is killed at its at-th call, which the server gets or not. False: it made fewer calls."""
        return killed_at_call(self.server, at, lambda: run_verb(verb, params))


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    with ministack(tmp_path, "ssm,kms") as url, proxy(url) as server:
        yield Case(url, server, tmp_path)


@pytest.mark.once
def test_a_killed_restore_is_completed_by_the_next_run(case: Case) -> None:
    for number in range(4):
        case.put(f"/a/p{number}", "1")
    case.boto.label_parameter_version(Name="/a/p1", Labels=["prod"])
    case.done("backup", case.params("source", "/a/"))
    assert case.done("backup", case.params("source", "/a/"))["reason"] == "unchanged"
    wanted = case.values("/a/")
    over = case.params("target", "/a/", on_existing="replace")
    for at in itertools.count(1, STEP):
        new = case.params("target", f"/b{at}/")
        fresh = case.killed("restore", new, at)
        case.done("restore", new)  # on_existing=fail: what was written is in the backup
        assert case.values(f"/b{at}/") == wanted
        assert case.done("restore", new)["changed"] is False
        for number in range(2):
            case.put(f"/a/p{number}", f"at {at}")
        if not case.killed("restore", over, at) and not fresh:
            break
        case.done("restore", over)
        assert case.values("/a/") == wanted
    assert at > 10


def test_secrets_are_only_written_encrypted(case: Case) -> None:
    case.put("/a/secret", "hunter2", Type="SecureString")
    refused = run("backup", case.params("source", "/a/", True))
    assert "with_secrets requires an encrypted backup" in refused.error
    key = new_key(case.directory)
    case.done("backup", case.params("source", "/a/", True, encrypt_to=[key.recipient]))
    stored = [one for one in (case.directory / "repository").rglob("*") if one.is_file()]
    assert all(b"hunter2" not in one.read_bytes() for one in stored)
    given = {"encrypt_to": [key.recipient], "identity_file": key.file}
    restored = case.done("restore", case.params("target", "/b/", True, **given))
    assert case.values("/b/") == {"secret": "hunter2"}
    assert "hunter2" not in str(restored)
