# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bit flipped anywhere in a backup is noticed before the target is touched."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.day2.ops.tests.faults.support import Application, backups, files_below, run


def test_every_file_of_a_backup(application: Application, repository: Path) -> None:
    application.make(1)
    assert run("backup", {"name": "app", "source": application.store, "repository": str(repository)}).status == 0
    application.make(2)
    before = application.state()
    (backup,) = backups(repository)
    restore = {
        "name": "app",
        "target": application.store,
        "repository": str(repository),
        "on_existing": "replace",
        "backup": backup.name,
    }
    for path in files_below(backup):
        whole = path.read_bytes()
        for offset in sorted({0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 2, len(whole) - 1}):
            path.write_bytes(whole[:offset] + bytes([whole[offset] ^ (1 << offset % 8)]) + whole[offset + 1 :])
            done = run("restore", restore)
            assert done.status == 3, (path, offset, done.result)
            assert path.name in done.error or "manifest.json" in done.error, done.error
            assert application.state() == before
            info = run("backup_info", {"repository": str(repository), "verify": "full"}).result
            assert info["ok"] is False
            assert info["problems"], (path, offset)
            path.write_bytes(whole)
            assert run("backup_info", {"repository": str(repository), "verify": "full"}).result["ok"] is True
    assert run("restore", restore).result["changed"] is True
