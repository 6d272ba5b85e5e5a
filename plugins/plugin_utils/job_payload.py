# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module jobs with only some of the verbs. All of them are more than 800 KB; the most frequent ones are half of it.

ansible-core sends what a module imports. It keeps what it sends under the name of the module for all hosts of a run, so
each choice of verbs is a module with its own name: a copy of jobs.py that also imports them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..module_utils._verbs.registry import VERBS

_VERBS = "ansible_collections.day2.ops.plugins.module_utils._verbs"


def named_verbs(jobs: Any) -> list[str]:
    """The verbs that the argument names. Whatever is wrong with it is reported by the module."""
    given = jobs if isinstance(jobs, Sequence) and not isinstance(jobs, str) else [jobs]
    return sorted({one["verb"] for one in given if isinstance(one, Mapping) and one.get("verb") in tuple(VERBS)})


def payload(source: Path, verbs: Sequence[str], directory: Path) -> Path:
    """The path of a copy of `source` that imports the verbs, below `directory`."""
    # ansible-core derives the package of a module from its path.
    path = (
        directory / "ansible_collections" / "day2" / "ops" / "plugins" / "modules" / f"{'_'.join(['jobs', *verbs])}.py"
    )
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        imports = "".join(f"import {_VERBS}.{VERBS[verb]}  # noqa\n" for verb in verbs)
        # Several workers may come here at once. The imports are found, not executed: main() has ended the program.
        new = path.with_name(f".{path.name}.{os.getpid()}")
        new.write_text(source.read_text(encoding="utf-8") + imports, encoding="utf-8")
        new.replace(path)
    return path
