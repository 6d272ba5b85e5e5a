# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No repository goes without the tests of what all of them promise."""

from __future__ import annotations

from ansible_collections.day2.ops.plugins.module_utils._repository import kinds
from tests.services.repositories import KINDS


def test_every_repository_has_its_fixture() -> None:
    """Each server that a kind is tested on has a name: "s3-ministack"."""
    missing = {"directory", *kinds.KINDS} - {name.partition("-")[0] for name in KINDS}
    assert not missing, f"tests/services/repositories.py has no fixture for {missing}"
