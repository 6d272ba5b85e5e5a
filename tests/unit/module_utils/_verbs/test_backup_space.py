# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a backup does not fit into the repository, to the byte, and when that is known without reading anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.compression import usable
from ansible_collections.day2.ops.plugins.module_utils._core.errors import NoSpace
from ansible_collections.day2.ops.plugins.module_utils._core.files import LEAST
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._repository.directory import DirectoryRepository
from ansible_collections.day2.ops.plugins.module_utils._verbs.snapshots import NamedStore
from ansible_collections.day2.ops.plugins.module_utils._verbs.space import check_space, size_of
from ansible_collections.day2.ops.plugins.module_utils._verbs.store_arguments import named_stores
from tests.unit.module_utils._verbs.conftest import Application


class Filled(DirectoryRepository):
    """One on a disk of which so much is free."""

    free: Optional[int] = None

    def free_bytes(self) -> Optional[int]:  # type: ignore[override]
        return self.free


class Space:
    def __init__(self, application: Application, tmp_path: Path) -> None:
        self.repository = Filled(str(tmp_path / "backups"))
        (self.store,) = named_stores(application.store, None)
        self.scratch = tmp_path / "scratch"
        self.reads: list[Any] = []

    def check(self, free: Optional[int], size: int) -> bool:
        """Does it fit? `reads` has the sinks into which stores were read to find out."""
        self.repository.free, self.reads = free, []
        self.scratch.mkdir(exist_ok=True)

        def read(entry: NamedStore, sink: Any) -> Any:
            self.reads.append(sink)
            return entry.store.snapshot(sink)

        try:
            check_space(
                self.repository,
                [self.store],
                size=size,
                scratch=str(self.scratch),
                compression=usable("gzip"),
                progress=Progress(),
                read=read,
            )
        except NoSpace:
            return False
        finally:
            for one in self.scratch.iterdir():
                for other in one.iterdir():
                    other.unlink()
                one.rmdir()
        return True


@pytest.fixture
def space(application: Application, tmp_path: Path) -> Space:
    application.fill(200, settle=False)
    return Space(application, tmp_path)


def test_nothing_is_read_where_there_is_room_for_twice_the_size_and_more(space: Space) -> None:
    size = 1 << 20
    enough = 2 * size + size // 64 + LEAST
    assert space.check(enough, size)
    assert space.reads == []
    assert space.check(enough - 1, size)  # it is smaller than it was said to be
    assert len(space.reads) == 1
    assert space.check(None, size)
    assert space.reads == []


def test_it_fits_or_not_to_the_byte(space: Space) -> None:
    assert not space.check(0, 1)
    (sink,) = space.reads
    assert sink.stored > 0
    assert sink.bytes > sink.stored
    need = sink.stored + (0 if space.store.store.type == "files" else sink.bytes)
    assert space.check(need, 1)
    assert not space.check(need - 1, 1)


def test_the_size_of_a_store_is_what_it_takes_on_disk(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"x" * 5000)
    assert size_of(str(tmp_path / "one")) == 5000
    (tmp_path / "one-wal").write_bytes(b"x")
    assert size_of(str(tmp_path / "one")) == 5001
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    empty = size_of(str(tmp_path / "tree"))
    (tmp_path / "tree" / "deep" / "file").write_bytes(b"x" * 4096)
    with open(tmp_path / "tree" / "sparse", "wb") as handle:
        handle.truncate(1 << 20)
    assert size_of(str(tmp_path / "tree")) == empty + 4096
    assert size_of(str(tmp_path / "none")) == 0


def test_check_mode_measures_what_would_be_backed_up(
    run: Any, document: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.json"
    document.fill(2000)
    copy.write_bytes(document.path.read_bytes())
    monkeypatch.setattr(DirectoryRepository, "free_bytes", lambda self: 20_000)
    with pytest.raises(NoSpace, match=r"requires [0-9]+ bytes in .*, where 20000 are free"):
        run("backup", check=True, source=document.store)
    document.fill(1)
    assert run("backup", check=True, source=document.store)["reason"] == "new"
    with pytest.raises(NoSpace):
        run("backup", check=True, source=document.store, **{"import": str(copy)})
