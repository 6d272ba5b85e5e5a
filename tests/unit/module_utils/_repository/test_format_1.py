# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup that was written in format version 1 stays readable, whatever is written today."""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._repository.directory import DirectoryRepository
from ansible_collections.day2.ops.plugins.module_utils._repository.manifest import sums_of
from ansible_collections.day2.ops.plugins.module_utils._repository.reading import BackupCopy, full_problems, load

KEPT = Path(__file__).parent / "files" / "version_1"
ID = "20261128T190925Z-c79176f6"


def test_it_is_read(tmp_path: Path) -> None:
    shutil.copytree(KEPT, tmp_path / "backups")
    repository = DirectoryRepository(str(tmp_path / "backups"))
    listed = repository.look("hawkfish", ID)
    manifest = load(listed)
    assert (manifest.version, manifest.host, manifest.tags) == (1, "hawkfish1", ("release",))
    assert full_problems(repository, "hawkfish", manifest, Progress()) == []
    state, etc = (BackupCopy(repository, "hawkfish", manifest, part, Progress()) for part in manifest.sources)
    assert list(etc.names()) == ["etc.tar", "etc.index.jsonl"]
    with state.open("hawkfish.json") as reader:
        assert reader.read(100) == b'{"requests": {"req-1": {"id": 1, "state": "done"}}}'


def test_it_is_written_as_it_was() -> None:
    listed = DirectoryRepository(str(KEPT)).look("hawkfish", ID)
    manifest = load(listed)
    assert manifest.to_json() == listed.read("manifest.json")
    assert sums_of(manifest, manifest.to_json()) == listed.read("SHA256SUMS")
