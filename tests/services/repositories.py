# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories of every kind, for the tests of what all of them promise. A new kind is an entry of KINDS."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Callable
from unittest.mock import patch
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import botocore.session

from ansible_collections.day2.ops.plugins.module_utils._core.restic import Restic

from . import rgw as ceph
from . import s3, sshd
from .local import free_ports, running, wait_for_port
from .restic_key import make_cheap, renumber
from .shared import url_of

# What opens one that is empty and lies nowhere else: parameters as a module has them.
Place = Callable[[Path], AbstractContextManager[dict[str, Any]]]
# Each session reads the descriptions of all services anew, which takes longer than most requests: tests make hundreds.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
BUCKET, VERSIONED, LOCKED = "backups", "backups-versions", "backups-locked"


def rgw_options() -> dict[str, Any]:
    """The option `s3` for the gateway of these tests, which is started when it is first asked for."""
    return {"endpoint_url": url_of("rgw"), "region": ceph.REGION, **ceph.CREDENTIALS}


def ministack_options() -> dict[str, Any]:
    """The same for ministack."""
    return {"endpoint_url": url_of("ministack"), "region": s3.REGION, **s3.CREDENTIALS}


def client(options: Mapping[str, Any]) -> Any:
    """A boto3 client of a server."""
    return boto3.client(
        "s3",
        endpoint_url=options["endpoint_url"],
        region_name=options["region"],
        aws_access_key_id=options["access_key_id"],
        aws_secret_access_key=options["secret_access_key"],
    )


@functools.cache
def bucket(start: Callable[[], dict[str, Any]], name: str = BUCKET) -> None:
    """Create a bucket, unless another worker has."""
    options = start()
    where = {} if options["region"] == "us-east-1" else {"LocationConstraint": options["region"]}
    made = client(options)
    with contextlib.suppress(made.exceptions.BucketAlreadyOwnedByYou, made.exceptions.BucketAlreadyExists):
        more = {"CreateBucketConfiguration": where} if where else {}
        made.create_bucket(Bucket=name, ObjectLockEnabledForBucket=name == LOCKED, **more)


@contextlib.contextmanager
def _directory(scratch: Path) -> Iterator[dict[str, Any]]:
    yield {"repository": str(scratch / "backups")}


@contextlib.contextmanager
def _ministack(scratch: Path) -> Iterator[dict[str, Any]]:
    bucket(ministack_options)
    yield {"repository": f"s3://{BUCKET}/{uuid4().hex}", "s3": ministack_options()}


@contextlib.contextmanager
def _rgw(scratch: Path) -> Iterator[dict[str, Any]]:
    bucket(rgw_options)
    yield {"repository": f"s3://{BUCKET}/{uuid4().hex}", "s3": rgw_options()}


@contextlib.contextmanager
def _rgw_versions(scratch: Path) -> Iterator[dict[str, Any]]:
    bucket(rgw_options, VERSIONED)
    client(rgw_options()).put_bucket_versioning(Bucket=VERSIONED, VersioningConfiguration={"Status": "Enabled"})
    yield {"repository": f"s3://{VERSIONED}/{uuid4().hex}", "s3": rgw_options()}


@contextlib.contextmanager
def object_lock(scratch: Path) -> Iterator[dict[str, Any]]:
    """A bucket with Object Lock, and a key that may do everything but pass by it."""
    bucket(rgw_options, LOCKED)
    yield {"repository": f"s3://{LOCKED}/{uuid4().hex}", "s3": rgw_options()}


@contextlib.contextmanager
def sftp(scratch: Path) -> Iterator[dict[str, Any]]:
    """A directory of an SSH server, through one rclone for all small calls, as each of its own is another session."""
    url = url_of("sshd")
    place = f"{urlsplit(url).path}/data/{uuid4().hex}"
    Path(place).mkdir()
    yield {"repository": f"rclone:sftp:{place}", "rclone": {"settings": sshd.settings_of(url), "server": True}}


@contextlib.contextmanager
def rclone_s3(scratch: Path) -> Iterator[dict[str, Any]]:
    """A bucket behind rclone: it has no directories, and what is missing is listed and read without an error."""
    bucket(rgw_options)
    options = rgw_options()
    settings = {"type": "s3", "provider": "Ceph", "endpoint": options["endpoint_url"], "region": options["region"]}
    settings["access_key_id"] = options["access_key_id"]
    secret = {"secret_access_key": options["secret_access_key"]}
    yield {"repository": f"rclone:rgw:{BUCKET}/{uuid4().hex}", "rclone": {"settings": settings, "secrets": secret}}


@contextlib.contextmanager
def rclone_webdav(scratch: Path) -> Iterator[dict[str, Any]]:
    """A directory that rclone serves by WebDAV, through one rclone for all small calls."""
    (port,) = free_ports(1)
    (scratch / "served").mkdir()
    command = ["rclone", "serve", "webdav", f"--addr=127.0.0.1:{port}", str(scratch / "served")]
    with running(command, scratch) as process:
        wait_for_port(port, process)
        settings = {"type": "webdav", "vendor": "other", "url": f"http://127.0.0.1:{port}"}
        yield {"repository": "rclone:dav:", "rclone": {"settings": settings, "server": True}}


# In memory, if there is such a place: restic syncs each of its many small files.
_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
_PASSWORD = "pass word"
_call = Restic.call


@functools.cache
def _made_once(*words: str) -> tempfile.TemporaryDirectory[str]:
    """What restic makes of an empty directory, quick to open."""
    made = tempfile.TemporaryDirectory(prefix="day2-restic-", dir=_MEMORY)
    _call(Restic({"repository": f"{made.name}/restic", "restic": {"password": _PASSWORD}}), "create", *words)
    make_cheap(Path(made.name, "restic"), _PASSWORD.encode())
    return made


@contextlib.contextmanager
def restic(scratch: Path) -> Iterator[dict[str, Any]]:
    """A repository of restic in a directory, quick to make and to open."""
    call = Restic.call

    def calling(self: Restic, doing: str, *words: str, **more: Any) -> Any:
        if words[0] != "init" or self.local_path != where or os.path.exists(f"{where}/config"):
            return call(self, doing, *words, **more)
        shutil.copytree(f"{_made_once(*words).name}/restic", where, dirs_exist_ok=True)
        renumber(Path(where), _PASSWORD.encode())
        return b""

    with tempfile.TemporaryDirectory(dir=_MEMORY or scratch) as place:
        where = f"{place}/restic"
        with patch.object(Restic, "call", calling):
            yield {"repository": where, "engine": "restic", "restic": {"password": _PASSWORD}}


@contextlib.contextmanager
def restic_s3(scratch: Path) -> Iterator[dict[str, Any]]:
    """The same in a bucket."""
    bucket(rgw_options)
    options = {"engine": "restic", "restic": {"password": _PASSWORD}, "s3": rgw_options()}
    yield {"repository": f"s3://{BUCKET}/{uuid4().hex}", **options}


@contextlib.contextmanager
def restic_rclone(scratch: Path) -> Iterator[dict[str, Any]]:
    """The same through rclone."""
    with sftp(scratch) as params:
        # a name that no variable of a shell can have
        params["repository"] = params["repository"].replace(":sftp:", ":sftp-1.x:")
        yield {**params, "engine": "restic", "restic": {"password": _PASSWORD}}


KINDS: Mapping[str, Place] = {
    "directory": _directory,
    "s3-ministack": _ministack,
    "s3-rgw": _rgw,
    "s3-rgw-versions": _rgw_versions,
    "rclone-sftp": sftp,
    "rclone-s3": rclone_s3,
    "rclone-webdav": rclone_webdav,
    "restic": restic,
}
