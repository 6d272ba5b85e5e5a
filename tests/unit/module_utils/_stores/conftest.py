# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a store is handed, kept in memory: a `Sink` to write its snapshot to, and a `Copy` to restore from."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Callable, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import DamagedBackup
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._stores.base import Snapshot
from tests.services.dynamodb_fixtures import dynamodb_local_url, dynoxide_url
from tests.services.postgresql_fixtures import postgresql
from tests.services.s3 import ministack

__all__ = ["dynamodb_local_url", "dynoxide_url", "postgresql"]


class Hashed(io.BytesIO):
    """Bytes in memory that tell their digest."""

    def sha256(self) -> str:
        return hashlib.sha256(self.getvalue()).hexdigest()


class MemorySink:
    """Keeps the files of a snapshot as bytes; a file counts once its block ended without an exception."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700)
        self.scratch = str(directory)
        self.progress = Progress()
        self.strict = False
        self.dry = False
        self.files: dict[str, bytes] = {}

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[Hashed]:
        assert name not in self.files
        buffer = Hashed()
        yield buffer
        self.files[name] = buffer.getvalue()

    def discard(self, name: str) -> None:
        self.files.pop(name, None)


class MemoryReader:
    """Serves bytes; with a `damage` it raises where a real backup would notice: instead of the end."""

    def __init__(self, data: bytes, damage: Optional[DamagedBackup]) -> None:
        self._buffer = io.BytesIO(data)
        self._damage = damage

    def sha256(self) -> str:
        return hashlib.sha256(self._buffer.getbuffer()[: self._buffer.tell()]).hexdigest()

    def read(self, size: int) -> bytes:
        assert size > 0
        data = self._buffer.read(size)
        if not data and self._damage is not None:
            raise self._damage
        return data


class MemoryCopy:
    """One store's part of a backup, made from what a sink received."""

    def __init__(self, files: dict[str, bytes], snapshot: Snapshot) -> None:
        self.files = dict(files)
        self.content_digest = snapshot.content_digest
        self.collections = snapshot.collections
        self.details = snapshot.details
        self.fingerprint, self.notes = snapshot.fingerprint, snapshot.notes
        self.progress = Progress()
        self.strict = False
        self._damaged: set[str] = set()

    def names(self) -> Sequence[str]:
        return sorted(self.files)

    def damage(self, name: str) -> None:
        """From now on, reading `name` ends with DamagedBackup instead of b""."""
        self._damaged.add(name)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[MemoryReader]:
        damage = None
        if name in self._damaged:
            damage = DamagedBackup("20250630T120000Z-3f2a9c1b", [{"path": name, "problem": "digest differs"}])
        yield MemoryReader(self.files[name], damage)


def as_nobody(work: Callable[[], list[str]]) -> list[str]:
    """What the function returns in a process without rights."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            said = work()
        except BaseException as exc:
            said = [repr(exc)]
        # nothing that is imported on demand: nobody may not be able to read where Python is installed
        os.write(writing, json.dumps(said).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as handle:
        said = json.load(handle)
    os.waitpid(child, 0)
    return list(said)


@pytest.fixture(scope="session")
def ssm_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with SSM and KMS."""
    with ministack(tmp_path_factory.mktemp("ssm"), "ssm,kms") as url:
        yield url


@pytest.fixture
def new_sink(tmp_path: Path) -> Callable[[], MemorySink]:
    """Call it for one sink after another, each with a scratch directory of its own."""
    made: list[MemorySink] = []

    def make() -> MemorySink:
        made.append(MemorySink(tmp_path / (f"scratch-{len(made)}")))
        return made[-1]

    return make


@pytest.fixture
def memory_sink(new_sink: Callable[[], MemorySink]) -> MemorySink:
    """A sink: `.files` is name → bytes, `.scratch` an empty directory, `.progress` a real Progress."""
    return new_sink()


@pytest.fixture
def copy_of() -> Callable[[MemorySink, Snapshot], MemoryCopy]:
    """`copy_of(sink, snapshot)`: the backup made of it; `.damage(name)` makes reading that file fail at its end."""

    def make(sink: MemorySink, snapshot: Snapshot) -> MemoryCopy:
        return MemoryCopy(sink.files, snapshot)

    return make


@pytest.fixture
def reader_of() -> Callable[[bytes], MemoryReader]:
    """`reader_of(data)`: a `Reader` of these bytes, as `Store.convert` is given."""
    return lambda data: MemoryReader(data, None)
