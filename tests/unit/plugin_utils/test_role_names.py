# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.day2.ops.plugins.plugin_utils.role_names import near_misses

ROLES = sorted(path for path in (Path(__file__).resolve().parents[3] / "roles").iterdir() if path.is_dir())


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [
        ("store_backup_encrypt_too", "store_backup_encrypt_to"),
        ("store_backup_repositry", "store_backup_repository"),
        ("store_backup_keeps", "store_backup_keep"),
        ("store_backup_store", "store_backup_stores"),
    ],
)
def test_a_name_that_is_nearly_right_is_found(mistyped: str, meant: str) -> None:
    known = list(yaml.safe_load((ROLES[0].parent / "store_backup" / "defaults" / "main.yml").read_text()))
    assert near_misses("store_backup_", known, [*known, mistyped, "inventory_hostname"]) == [(mistyped, meant)]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_what_roles_publish_and_what_belongs_to_others_is_not(role: Path) -> None:
    """A role's results stand beside its inputs, and short prefixes are somebody else's, too."""
    known = list(yaml.safe_load((role / "defaults" / "main.yml").read_text()))
    published = ["result", "results", "status", "problems", "entry", "entry_result", "_internal", "days", "dir"]
    others = [f"{role.name}_{name}" for name in published]
    assert near_misses(f"{role.name}_", known, [*known, *others, "other_keeps"]) == []
