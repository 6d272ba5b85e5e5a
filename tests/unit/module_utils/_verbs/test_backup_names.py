# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a store is called, its backup can be checked with sha256sum and restored."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import RepositoryError
from ansible_collections.day2.ops.plugins.module_utils._verbs import snapshots as writing


@pytest.mark.parametrize("name", [b"a\nb.db", b"lat\xe9in.db", b"back\\slash.db", b"cr\r"], ids=repr)
def test_names(run: Any, application: Any, name: bytes) -> None:
    application.fill(1)
    path = os.path.join(os.path.dirname(application.path), os.fsdecode(name))
    os.rename(application.path, path)
    application.path = Path(path)
    made = run("backup", source=application.store)["backup"]
    subprocess.run(["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"], cwd=made["path"], check=True)
    assert run("backup_info", verify="full")["ok"] is True
    assert run("backup", source=application.store)["changed"] is False
    shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    assert run("restore", target=application.store)["changed"] is True
    assert application.records() == 1


def test_a_manifest_that_does_not_read_back_is_not_published(
    run: Any, document: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document.fill(1)
    monkeypatch.setattr(writing, "sums_of", lambda manifest, document: b"\n")
    with pytest.raises(RepositoryError, match="can't be read back.*SHA256SUMS"):
        run("backup", source=document.store)
    monkeypatch.undo()
    assert not list(tmp_path.glob("backups/app/2*"))
