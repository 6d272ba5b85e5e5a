# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No repository goes without the tests of what all of them promise."""

from __future__ import annotations

import ast
from pathlib import Path

from ansible_collections.day2.ops.plugins.module_utils._repository import location
from tests.services.repositories import KINDS


def test_every_repository_has_its_fixture() -> None:
    """What location.py imports to open one is a kind. Each server that it is tested on has a name: "s3-ministack"."""
    tree = ast.parse(Path(str(location.__file__)).read_text(encoding="utf-8"))
    imported = {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 1}
    # hidden_names passes everything on to one of the others
    kinds = imported - {"base", "encryption", "manifest", "objective", "hidden_names"}
    assert "directory" in kinds
    missing = kinds - {name.partition("-")[0] for name in KINDS}
    assert not missing, f"tests/services/repositories.py has no fixture for {missing}"
