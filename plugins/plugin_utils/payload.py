# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules with only some of their code: jobs with the verbs of its jobs, others with the types of their checks, and
what backs up or restores with the types of its stores. A backup is sent with the kinds of its repositories.

ansible-core sends what a module imports. It keeps what it sends under the name of the module for all hosts of a run, so
each choice is a module with its own name: a copy of the module that also imports what the task needs.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from ansible.module_utils.common.validation import check_type_dict

from ..module_utils._probes.registry import PROBES
from ..module_utils._repository.kinds import KINDS, kind_of
from ..module_utils._stores.registry import STORES
from ..module_utils._verbs.registry import VERBS

_CODE = "ansible_collections.day2.ops.plugins.module_utils"
_LONGEST = 100  # characters of a name
_DOCUMENTATION = re.compile(r'^[A-Z]+ = r?""".*?"""\n', re.DOTALL | re.MULTILINE)  # no host reads it
_CHECKS = {"health_check": "checks", "restore_drill": "probe"}  # the arguments of verbs that are lists of checks
# Verbs that open a store by its type, to back it up or to restore it.
WITH_STORES = (
    "backup",
    "migrate",
    "migrate_info",
    "purge",
    "records_update",
    "restore",
    "restore_drill",
    "store_optimize",
)
_STORES = ("source", "sources", "target", "targets", "store")  # their arguments
# Verbs that open a repository by its address.
WITH_REPOSITORIES = (
    "backup",
    "backup_copy",
    "backup_info",
    "evidence_info",
    "migrate",
    "migrate_info",
    "postgresql_pitr",
    "purge",
    "records_update",
    "restore",
    "restore_drill",
    "store_optimize",
)

# What a choice adds: the name of each part, and its module.
Parts = dict[str, str]


def payload(source: Path, arguments: Mapping[str, Any], directory: Path) -> Optional[Path]:
    """The path of a copy of a module for a task with these arguments, below `directory`; None if all tasks need the
    same code."""
    parts = _of_jobs(arguments.get("jobs")) if source.stem == "jobs" else _parts(source.stem, arguments)
    return _copy(source, directory, parts) if parts else None


def _of_jobs(given: Any) -> Parts:
    jobs = _entries(given)
    parts = {name: f"_verbs.{VERBS[name]}" for name in _named(jobs, "verb", VERBS)}
    for job in jobs:
        parts.update(_parts(job.get("verb"), _mapping(job.get("arguments"))))
    return parts


def _parts(verb: Any, arguments: Mapping[str, Any]) -> Parts:
    parts = {}
    if verb in tuple(_CHECKS):
        parts = {kind: f"_probes.{PROBES[kind][0]}" for kind in _named(arguments.get(_CHECKS[verb]), "type", PROBES)}
    if verb == "health_check" and arguments.get("notify"):
        parts["notify"] = "_verbs.health.notify"
    if verb in WITH_STORES:
        stores = [one for name in _STORES for one in _entries(arguments.get(name))]
        # Without any, the stores are those of a backup or of an earlier run.
        kinds = _named(stores, "type", STORES) or list(STORES)
        parts.update({f"{kind}_store": f"_stores.{STORES[kind].module}" for kind in kinds})
    if verb in WITH_REPOSITORIES or "backup" in parts:  # the check of that type
        kinds = _repositories(arguments) if verb == "backup" else list(KINDS)
        parts.update({f"{kind}_repository": f"_repository.{kind}" for kind in kinds})
    return parts


def _repositories(arguments: Mapping[str, Any]) -> list[str]:
    """The kinds of the repositories of a backup, which opens no others than these."""
    places = [arguments, *_entries(arguments.get("copy_to"))]
    if any("$" in str(one.get("repository")) for one in places):  # a variable of the host is expanded there
        return list(KINDS)
    kinds = {kind_of(str(one.get("repository")), one.get("engine")) for one in places}
    return sorted(kinds - {""})


def _entries(given: Any) -> list[Mapping[str, Any]]:
    """Those of an argument that are mappings. Whatever is wrong with it is reported by the module."""
    entries = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    return [one for one in map(_mapping, entries) if one]


def _mapping(given: Any) -> Mapping[str, Any]:
    """An argument that Ansible takes for a mapping: a string with JSON or key=value, too. {} for any other."""
    if isinstance(given, str):
        try:
            given = check_type_dict(given)
        except TypeError:
            return {}
    return given if isinstance(given, Mapping) else {}


def _named(given: Any, key: str, known: Mapping[str, Any]) -> list[str]:
    return sorted({one[key] for one in _entries(given) if one.get(key) in tuple(known)})


def _copy(source: Path, directory: Path, parts: Parts) -> Path:
    """A copy of a module that imports others of module_utils. Its name is that of the choice."""
    name = "_".join([source.stem, *sorted(parts)])
    if len(name) > _LONGEST:
        name = f"{source.stem}_{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    # ansible-core derives the package of a module from its path. Each copy has a directory of its own: the process of a
    # loop, which may need several, does not search a directory twice.
    path = directory / name / "ansible_collections" / "day2" / "ops" / "plugins" / "modules" / f"{name}.py"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        imports = "".join(f"import {_CODE}.{module}  # noqa\n" for module in sorted(set(parts.values())))
        # Several workers may come here at once. The imports are found, not executed: main() has ended the program.
        new = path.with_name(f".{path.name}.{os.getpid()}")
        new.write_text(_DOCUMENTATION.sub("", source.read_text(encoding="utf-8")) + imports, encoding="utf-8")
        new.replace(path)
    return path
