# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules with only some of their code: jobs with the verbs of its jobs, health_check with the types of its checks.

ansible-core sends what a module imports. It keeps what it sends under the name of the module for all hosts of a run, so
each choice is a module with its own name: a copy of the module that also imports what the task needs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..module_utils._probes.registry import PROBES
from ..module_utils._verbs.registry import VERBS

_CODE = "ansible_collections.day2.ops.plugins.module_utils"
_LONGEST = 100  # characters of a name


def jobs_payload(source: Path, jobs: Any, directory: Path) -> Path:
    """The path of a copy of jobs.py for these jobs, below `directory`."""
    verbs = _named(jobs, "verb", VERBS)
    checks = [_argument(one, "checks") for one in _entries(jobs) if one.get("verb") == "health_check"]
    kinds = sorted({kind for each in checks for kind in _named(each, "type", PROBES)})
    return _copy(source, directory, [*verbs, *kinds], [*map(_verb, verbs), *map(_probe, kinds)])


def checks_payload(source: Path, checks: Any, directory: Path) -> Path:
    """The path of a copy of health_check.py for these checks, below `directory`."""
    kinds = _named(checks, "type", PROBES)
    return _copy(source, directory, kinds, [_probe(kind) for kind in kinds])


def _entries(given: Any) -> list[Mapping[str, Any]]:
    """Those of an argument that are mappings. Whatever is wrong with it is reported by the module."""
    entries = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    return [one for one in entries if isinstance(one, Mapping)]


def _argument(job: Mapping[str, Any], name: str) -> Any:
    arguments = job.get("arguments")
    return arguments.get(name) if isinstance(arguments, Mapping) else None


def _named(given: Any, key: str, known: Mapping[str, Any]) -> list[str]:
    return sorted({one[key] for one in _entries(given) if one.get(key) in tuple(known)})


def _verb(name: str) -> str:
    return f"_verbs.{VERBS[name]}"


def _probe(kind: str) -> str:
    return f"_probes.{PROBES[kind][0]}"


def _copy(source: Path, directory: Path, names: Sequence[str], modules: Sequence[str]) -> Path:
    """A copy of a module that imports others of module_utils. Its name is that of the choice."""
    name = "_".join([source.stem, *names])
    if len(name) > _LONGEST:
        name = f"{source.stem}_{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    # ansible-core derives the package of a module from its path.
    path = directory / "ansible_collections" / "day2" / "ops" / "plugins" / "modules" / f"{name}.py"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        imports = "".join(f"import {_CODE}.{module}  # noqa\n" for module in sorted(set(modules)))
        # Several workers may come here at once. The imports are found, not executed: main() has ended the program.
        new = path.with_name(f".{path.name}.{os.getpid()}")
        new.write_text(source.read_text(encoding="utf-8") + imports, encoding="utf-8")
        new.replace(path)
    return path
