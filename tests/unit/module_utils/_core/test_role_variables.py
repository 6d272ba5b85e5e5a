# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.role_variables import packed, with_role_variables

VARIABLES = {
    "store_restore_at",
    "store_restore_lock_timeout",
    "store_restore_on_existing",
    "store_restore_repository",
    "store_restore_safety_backup",
}


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("Set on_existing=replace to overwrite it.", "Set store_restore_on_existing=replace to overwrite it."),
        (
            "Set repository, or safety_backup=false if it is not worth keeping.",
            "Set store_restore_repository, or store_restore_safety_backup=false if it is not worth keeping.",
        ),
        (
            "Wait for it to end, or increase lock_timeout (now 0 s).",
            "Wait for it to end, or increase store_restore_lock_timeout (now 0 s).",
        ),
        ("Stop what writes it, or set on_existing.", "Stop what writes it, or set store_restore_on_existing."),
        ("Nothing is set at /srv/at=1/on_existing=x.", "Nothing is set at /srv/at=1/on_existing=x."),
        ("Set type=files; run backup_info with verify=full.", "Set type=files; run backup_info with verify=full."),
        ("", ""),
    ],
)
def test_options_are_named_as_the_variables_of_the_role(message: str, named: str) -> None:
    assert with_role_variables(message, packed("store_restore", VARIABLES)) == named


def test_outside_of_a_role_a_message_stays_as_it_is() -> None:
    assert (
        with_role_variables("Set on_existing=replace to overwrite it.", "")
        == "Set on_existing=replace to overwrite it."
    )
