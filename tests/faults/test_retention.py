# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retention killed, and without space, at calls that change a file system: no content is ever lost."""

from __future__ import annotations

import gzip
import os
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import boto3

from ansible_collections.day2.ops.plugins.module_utils._retention.rules import RULE_SPEC, TIER_SPEC
from ansible_collections.day2.ops.tests.faults.support import copy, run, run_with, spread, steps
from ansible_collections.day2.ops.tests.services.s3 import CREDENTIALS, REGION, ministack

DAY = 86400
# What no tier removes for good: whatever happens, it is somewhere, whole.
PRECIOUS = {f"{name} {days}": f"{name} of {days}\n" * 200 for name in ("audit", "profile") for days in (1, 10, 40)}


def make(root: Path) -> None:
    for days in (1, 10, 40):
        folder = root / "outputs" / f"run-{days}"
        folder.mkdir(parents=True)
        for name in ("audit", "profile"):
            (folder / name).write_text(PRECIOUS[f"{name} {days}"])
        (folder / "report").write_text("again and again")
        for one in folder.iterdir():
            os.utime(one, (time.time() - days * DAY,) * 2)


def params(root: Path) -> dict[str, Any]:
    tiers: list[dict[str, Any]] = [
        {"tier": "warm", "older_than": "7d", "exclude": ["audit"], "remove": ["report"], "compression": "gzip"},
        {"tier": "cold", "older_than": "30d", "destination": str(root / "archive"), "include": ["audit", "profile"]},
    ]
    rule = {name: one.get("default") for name, one in RULE_SPEC.items()}
    rule.update(name="runs", paths=[str(root / "outputs" / "*")], type="directory")
    rule["tiers"] = [{**dict.fromkeys(TIER_SPEC), **one} for one in tiers]
    return {"rules": [rule], "lock_timeout": "0"}


def contents(root: Path) -> Counter[str]:
    """What is whole, however it is kept; what is prepared does not count."""
    found: Counter[str] = Counter()
    for one in root.rglob("*"):
        if one.is_file() and not one.name.startswith(".day2-"):
            data = one.read_bytes()
            found[(gzip.decompress(data) if one.suffix == ".gz" else data).decode()] += 1
    return found


def finished(root: Path) -> list[str]:
    return sorted(str(one.relative_to(root)) for one in root.rglob("*") if not one.is_dir())


END = [
    *("archive/run-40/audit", "archive/run-40/profile"),
    *("outputs/run-1/audit", "outputs/run-1/profile", "outputs/run-1/report"),
    *("outputs/run-10/audit", "outputs/run-10/profile.gz"),
]


def suffer(fault: str, tmp_path: Path) -> None:
    root, before = tmp_path / "data", tmp_path / "before"
    make(before)
    copy(before, root)
    met = 0
    for step in spread(steps("retention", params(root))):
        copy(before, root)
        done = run_with(fault, step, "retention", params(root))
        assert done.killed or done.status in (0, 3), (step, done.error)
        met += done.ended_early
        assert set(PRECIOUS.values()) <= set(contents(root)), step
        again = run("retention", params(root))
        assert again.status == 0, (step, again.error)
        assert finished(root) == END, step
        assert set(PRECIOUS.values()) <= set(contents(root)), step
        assert not run("retention", params(root)).result["changed"], step
    assert met > 1


def test_killed_at_a_step(tmp_path: Path) -> None:
    suffer("signal=KILL", tmp_path)


def test_no_space_at_a_step(tmp_path: Path) -> None:
    suffer("error=ENOSPC", tmp_path)


def test_killed_on_the_way_to_s3(tmp_path: Path) -> None:
    root, before = tmp_path / "data", tmp_path / "before"
    make(before)
    with ministack(tmp_path) as url:
        resource = boto3.resource(
            "s3", endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
        )

        def fresh(name: str) -> tuple[Any, dict[str, Any]]:
            copy(before, root)
            bucket = resource.Bucket(name)
            bucket.create(CreateBucketConfiguration={"LocationConstraint": REGION})
            wanted = params(root)
            wanted["rules"][0]["tiers"][1]["destination"] = f"s3://{name}/archive"
            wanted["s3"] = {
                "endpoint_url": url,
                "region": REGION,
                "profile": None,
                "session_token": None,
                **CREDENTIALS,
            }
            return bucket, wanted

        def everything(bucket: Any) -> set[str]:
            return {*contents(root), *(item.get()["Body"].read().decode() for item in bucket.objects.all())}

        _bucket, dry = fresh("dry")
        removing = [one for one in steps("retention", dry) if one.startswith(("unlink", "rmdir"))]
        done = 0
        # before and after each object is there, and then at what removes the local copy
        for step in [f"sendto:{number}" for number in range(1, 8)] + removing[-4:]:
            bucket, wanted = fresh("b" + re.sub("[^a-z0-9]", "", step))
            killed = run_with("signal=KILL", step, "retention", wanted)
            done += killed.killed
            assert killed.killed or killed.status == 0, (step, killed.error)
            assert set(PRECIOUS.values()) <= everything(bucket), step
            again = run("retention", wanted)
            assert again.status == 0, (step, again.error)
            assert sorted(one.key for one in bucket.objects.all()) == ["archive/run-40/audit", "archive/run-40/profile"]
            assert list((root / "outputs" / "run-40").glob("*")) == [], step
            assert set(PRECIOUS.values()) <= everything(bucket), step
        assert done > 5
