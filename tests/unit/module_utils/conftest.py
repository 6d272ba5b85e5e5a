# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporary files are on a file system that is trusted, whatever it is."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import fingerprint


@functools.cache
def _on_tmpfs(directory: Path) -> bool:
    """On many systems, /tmp is."""
    above = [one for one in fingerprint.mounts() if fingerprint.is_within(str(directory.resolve()), one.point)]
    return bool(above) and max(above, key=lambda one: len(one.point)).type == "tmpfs"


@pytest.fixture(autouse=True)
def trust_temporary_files(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """tmpfs is not trusted otherwise, as it does not tell of writing through mappings: no test of these does that."""
    if _on_tmpfs(tmp_path_factory.getbasetemp()):
        monkeypatch.setattr(fingerprint, "_TRUSTED", fingerprint._TRUSTED | {"tmpfs"})
