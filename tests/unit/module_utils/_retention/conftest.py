# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of retention against real directories."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._retention.rules import RULE_SPEC, TIER_SPEC
from ansible_collections.day2.ops.plugins.module_utils._verbs import retention
from tests.unit.module_utils.verbs import run_verb

DAY = 86400


def rule(paths: Any, *tiers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Suboptions as the module gets them: every option is there."""
    given = {name: one.get("default") for name, one in RULE_SPEC.items()}
    given.update({"name": "r", "paths": [str(paths)], **more})
    given["tiers"] = [{**dict.fromkeys(TIER_SPEC), **one} for one in tiers]
    return given


def retain(*rules: dict[str, Any], check: bool = False, **more: Any) -> dict[str, Any]:
    params = {"rules": list(rules), "s3": None, "docker": None, "journald": None, "lock_timeout": "0", **more}
    return run_verb(retention, params, check)


def aged(path: Path, days: float, text: str = "x" * 5000) -> Path:
    """A file that was last written so many days ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[], dict[str, str]]:
    """What is there: paths and contents."""

    def look() -> dict[str, str]:
        return {
            str(one.relative_to(tmp_path)): one.read_text(errors="replace")
            for one in sorted(tmp_path.rglob("*"))
            if one.is_file() and not one.is_symlink()
        }

    return look
