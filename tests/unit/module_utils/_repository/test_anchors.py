# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads of a journal in a directory."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.day2.ops.plugins.module_utils._repository.anchors import in_directory, put_in_directory

HOST = "0123456789abcdef"


def test_of_many_old_ones_a_few_stay(tmp_path: Path) -> None:
    names = [f"fedcba9876543210-{number:012d}" for number in range(200)]
    for name in names:
        assert put_in_directory(str(tmp_path), HOST, name, name.encode())
    kept = dict(in_directory(str(tmp_path), HOST))
    assert list(kept) == [names[63], names[127], *names[136:]]
    assert all(data == name.encode() for name, data in kept.items())
