# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each test finds signals as usual, and temporary files on a file system that is trusted, whatever it is."""

from __future__ import annotations

import functools
import signal
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import fingerprint


@pytest.fixture(autouse=True)
def usual_signals() -> None:
    """A task has its way only with signals that are as usual. A test before may have left handlers, such as those of a
    task that nobody had collected yet when it looked at what to put back."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
