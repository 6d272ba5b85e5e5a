# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins import module_utils
from ansible_collections.day2.ops.plugins.module_utils._probes.registry import PROBES
from ansible_collections.day2.ops.plugins.module_utils._repository.kinds import KINDS
from ansible_collections.day2.ops.plugins.module_utils._stores.registry import STORES
from ansible_collections.day2.ops.plugins.module_utils._verbs.registry import VERBS
from ansible_collections.day2.ops.plugins.plugin_utils import payload as payloads
from ansible_collections.day2.ops.plugins.plugin_utils.payload import WITH_REPOSITORIES, WITH_STORES, payload

MODULES = Path(payloads.__file__).parents[1] / "modules"
JOBS, CHECKS, BACKUP = MODULES / "jobs.py", MODULES / "health_check.py", MODULES / "backup.py"
CODE = Path(module_utils.__path__[0])
REPOSITORIES = [f"_repository.{kind}" for kind in sorted(KINDS)]
PREFIX = "ansible_collections.day2.ops.plugins.module_utils"
IMPORT = re.compile(
    r"^ *from (\.+|ansible_collections\.day2\.ops\.plugins\.module_utils)([\w.]*) import (?:\(([^)]*)\)|(.*))", re.M
)


def copied(module: Path, directory: Path, **arguments: Any) -> Path:
    path = payload(module, arguments, directory)
    assert path is not None
    return path


def imported(path: Path) -> list[str]:
    """What a module imports of module_utils by name."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import)]
    return [node.names[0].name.partition(".module_utils.")[2] for node in nodes]


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """The files of module_utils that a file imports, wherever in it: ansible-core sends them all."""
    package = "" if path.parent == MODULES else ".".join(path.relative_to(CODE).parts[:-1])
    found = set()
    for dots, base, several, one in IMPORT.findall(path.read_text(encoding="utf-8")):
        steps = package.split(".") if package and dots.startswith(".") else []
        start = ".".join(steps[: len(steps) - len(dots) + 1]) if dots.startswith(".") else ""
        module = ".".join(filter(None, (start, base.strip("."))))
        for name in re.findall(r"(\w+)(?: as \w+)?", several or one.partition("#")[0]):
            found |= {module, f"{module}.{name}".strip(".")}
    return frozenset(found)


def sent(start: Iterable[str]) -> set[str]:
    """All files of module_utils that travel with these."""
    seen: set[str] = set()
    left = list(start)
    while left:
        name = left.pop()
        path = CODE.joinpath(*name.split(".")).with_suffix(".py")
        if name not in seen and path.is_file():
            seen.add(name)
            left += imports(path)
    return seen


def packages(names: Iterable[str]) -> set[str]:
    """_core, _stores.sqlite, _verbs and so on."""
    parts = [name.split(".") for name in names]
    return {".".join(one[:2]) if one[0] == "_stores" and len(one) > 2 else one[0] for one in parts}


def test_only_named_verbs_are_sent(tmp_path: Path) -> None:
    jobs = [{"verb": "retention"}, {"verb": "log_rotate"}, {"verb": "retention"}]
    path = copied(JOBS, tmp_path, jobs=jobs)
    assert path.stem == "jobs_log_rotate_retention"
    assert imported(path) == ["_verbs.logs.rotate", "_verbs.retention"]
    assert imported(JOBS) == []
    assert copied(JOBS, tmp_path, jobs=jobs) == path
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_copy_is_sent_without_documentation(tmp_path: Path) -> None:
    for module, arguments in ((JOBS, {"jobs": [{"verb": "retention"}]}), (CHECKS, {"checks": [{"type": "disk"}]})):
        text = copied(module, tmp_path, **arguments).read_text()
        assert [word for word in ("DOCUMENTATION", "EXAMPLES", "RETURN", "description:") if word in text] == []
        assert text.startswith("#!/usr/bin/python\n")
        assert text.partition("from ansible.")[2].startswith(module.read_text().partition("from ansible.")[2])


@pytest.mark.parametrize("verb", [*VERBS, "jobs"])
def test_before_anything_else_of_ours_a_module_imports_what_finds_its_compiled_code(verb: str) -> None:
    """What is imported before that is compiled twice in each task."""
    lines = (MODULES / f"{verb}.py").read_text().splitlines()
    ours = [line for line in lines if line.startswith(f"from {module_utils.__name__}")]
    assert ours[0] == f"from {module_utils.__name__}._module import run"


def test_only_types_of_checks_are_sent(tmp_path: Path) -> None:
    checks = [{"type": "https"}, {"type": "http"}, {"type": "disk"}]
    path = copied(CHECKS, tmp_path, checks=checks)
    assert path.stem == "health_check_disk_http_https"
    assert imported(path) == ["_probes.disk_probe", "_probes.http_probe"]
    path = copied(JOBS, tmp_path, jobs=[{"verb": "health_check", "arguments": {"checks": checks}}])
    assert imported(path) == ["_probes.disk_probe", "_probes.http_probe", "_verbs.health.check"]
    for probe, sent_with_it in ((checks[2:], ["_probes.disk_probe"]), (None, []), (["sqlite3", "{path}"], [])):
        path = copied(JOBS, tmp_path, jobs=[{"verb": "restore_drill", "arguments": {"probe": probe}}])
        # The stores are those of the backup.
        stores = sorted(f"_stores.{one.module}" for one in STORES.values())
        assert imported(path) == [*sent_with_it, *REPOSITORIES, *stores, "_verbs.drill.drill"]


def test_what_notifies_is_sent_only_where_it_is_needed(tmp_path: Path) -> None:
    arguments = {"checks": [{"type": "disk"}], "notify": [{"name": "oncall"}]}
    path = copied(CHECKS, tmp_path, **arguments)
    assert (path.stem, imported(path)) == ("health_check_disk_notify", ["_probes.disk_probe", "_verbs.health.notify"])
    path = copied(JOBS, tmp_path, jobs=[{"verb": "health_check", "arguments": arguments}])
    assert "_verbs.health.notify" in imported(path)
    assert "_notify.sending" not in sent(imports(CHECKS))


def test_only_types_of_stores_are_sent(tmp_path: Path) -> None:
    path = copied(BACKUP, tmp_path, source={"type": "json"})
    assert (path.stem, imported(path)) == ("backup_json_store", ["_stores.documents.store"])
    path = copied(BACKUP, tmp_path, sources=[{"type": "json"}, {"type": "files"}, {"type": "json"}])
    assert imported(path) == ["_stores.documents.store", "_stores.files.store"]
    jobs = [{"verb": "restore", "arguments": {"targets": [{"type": "sqlite"}]}}]
    assert imported(copied(JOBS, tmp_path, jobs=jobs)) == [*REPOSITORIES, "_stores.sqlite.store", "_verbs.restore"]
    assert payload(MODULES / "retention.py", {"rules": []}, tmp_path) is None


@pytest.mark.parametrize(
    ("places", "kinds"),
    [
        ([{"repository": "/srv/backups"}], []),
        ([{"repository": "s3://bucket/day2"}], ["s3"]),
        ([{"repository": "rclone:store:day2"}], ["rclone"]),
        ([{"repository": "s3:server/bucket", "engine": "restic"}], ["restic"]),
        ([{"repository": "/srv/backups", "engine": "restic"}], ["restic"]),
        (
            [{"repository": "/srv/backups"}, {"repository": "s3://bucket"}, {"repository": "rclone:x:y"}],
            ["rclone", "s3"],
        ),
        ([{"repository": "/srv/backups"}, "repository=s3://bucket"], ["s3"]),
        ([{"repository": "$REPOSITORY"}], sorted(KINDS)),  # expanded on the host
        ([{"repository": None}], []),
    ],
)
def test_a_backup_is_sent_with_the_kinds_of_its_repositories(
    tmp_path: Path, places: list[Any], kinds: list[str]
) -> None:
    arguments = {"source": {"type": "json"}, **places[0], "copy_to": places[1:]}
    sent_with_it = [*(f"_repository.{kind}" for kind in kinds), "_stores.documents.store"]
    assert imported(copied(BACKUP, tmp_path, **arguments)) == sent_with_it
    jobs = [{"verb": "backup", "arguments": arguments}]
    assert imported(copied(JOBS, tmp_path, jobs=jobs)) == [*sent_with_it, "_verbs.backup"]


def test_a_check_of_backups_is_sent_with_all_kinds_of_repositories(tmp_path: Path) -> None:
    assert imported(copied(CHECKS, tmp_path, checks=[{"type": "backup"}])) == ["_probes.backup_probe", *REPOSITORIES]


def test_what_opens_repositories_by_kind_is_sent_with_them() -> None:
    """An import by name fails on the host if nobody has sent the module."""

    def opens(path: Path) -> bool:
        return "_repository.location" in sent(imports(path))

    assert {one.stem for one in MODULES.glob("*.py") if opens(one)} == set(WITH_REPOSITORIES)
    assert [kind for kind, (module, _name) in PROBES.items() if opens(CODE / f"_probes/{module}.py")] == ["backup"]
    assert not any(
        opens(CODE.joinpath(*f"_stores.{one.module}".split(".")).with_suffix(".py")) for one in STORES.values()
    )


def test_all_types_are_sent_if_the_arguments_name_none(tmp_path: Path) -> None:
    """What migrate takes back is said by its checkpoint."""
    for arguments in ({"source": "json"}, {}, {"source": {"type": "?"}}):
        assert len(imported(copied(BACKUP, tmp_path, repository="/srv", **arguments))) == len(STORES)


def test_a_string_is_a_mapping_for_ansible_too(tmp_path: Path) -> None:
    path = copied(BACKUP, tmp_path, sources=[{"type": "json"}, "type=files path=/x"])
    assert path.stem == "backup_files_store_json_store"
    checks = '{"checks": [{"name": "root", "type": "disk"}]}'
    path = copied(JOBS, tmp_path, jobs=["name=a verb=retention", {"verb": "health_check", "arguments": checks}])
    assert imported(path) == ["_probes.disk_probe", "_verbs.health.check", "_verbs.retention"]
    assert copied(JOBS, tmp_path, jobs="name=a verb=retention").stem == "jobs_retention"


def test_a_long_choice_has_a_short_name(tmp_path: Path) -> None:
    path = copied(CHECKS, tmp_path, checks=[{"type": kind} for kind in PROBES])
    assert len(path.name) < 50
    assert len(imported(path)) == len({module for module, _name in PROBES.values()}) + len(KINDS)
    assert copied(CHECKS, tmp_path, checks=[{"type": kind} for kind in list(PROBES)[1:]]) != path


def test_what_is_wrong_is_left_to_the_module(tmp_path: Path) -> None:
    for wrong in (None, "retention", [{"verb": "os"}, 3, {"verb": ["backup"]}, {"verb": "jobs", "arguments": 3}]):
        assert payload(JOBS, {"jobs": wrong}, tmp_path) is None
    for wrong in (None, "http", {"a": 1}, [{"type": ["http"]}, 3]):
        assert payload(CHECKS, {"checks": wrong}, tmp_path) is None
    assert copied(JOBS, tmp_path, jobs={"verb": "retention"}).stem == "jobs_retention"
    assert copied(JOBS, tmp_path, jobs=[{"verb": "health_check", "arguments": "x"}]).stem == "jobs_health_check"


# What each module sends beside its own directories of _verbs, for all of its tasks.
BACKUPS = {"_core", "_evidence", "_repository", "_stores"}
OPTIONS = {"_stores.command", "_stores.dynamodb", "_stores.postgresql", "_stores.ssm"}  # their option specs
RECORDS = {"_core", *(f"_stores.{one}" for one in ("documents", "dynamodb", "postgresql", "records", "sql", "sqlite"))}
SENT = {
    "backup": BACKUPS | OPTIONS,
    "backup_copy": BACKUPS,
    "backup_info": {"_core", "_evidence", "_repository", "_stores.postgresql"},  # pgBackRest
    "cache_clean": {"_core", "_probes"},  # the protocol of Redis
    "evidence_info": {"_core", "_evidence", "_repository"},
    "health_check": {"_core", "_history", "_notify", "_probes", "_reports"},  # what channels are
    "health_info": {"_core", "_history"},
    "lifecycle": RECORDS | {"_stores"},
    "lifecycle_info": RECORDS | {"_stores"},
    "log_report": RECORDS | {"_stores", "_logs"},
    "log_rotate": {"_core", "_logs"},
    "postgresql_pitr": {"_core", "_evidence", "_repository", "_stores.postgresql"},  # for its first backup
    "records_validate": RECORDS | {"_stores"},
    "restore": BACKUPS | OPTIONS,
    "retention": {"_core", "_retention"},
    "store_info": RECORDS | {"_stores"},
}


@pytest.mark.parametrize("verb", [one for one in VERBS if one in SENT])
def test_what_a_module_does_not_need_does_not_travel(verb: str) -> None:
    found = packages(sent(imports(MODULES / f"{verb}.py")))
    shared = {"_verbs", "_module", "_module_run", "_node_python", "_zip_cache", "_zip_import"}
    assert sorted(found - shared - SENT[verb]) == []


def test_what_opens_stores_by_type_is_sent_with_them() -> None:
    """An import by name fails on the host if nobody has sent the module."""
    opening = {verb for verb in VERBS if "_stores.registry" in sent(imports(MODULES / f"{verb}.py"))}
    assert opening == set(WITH_STORES)


def test_a_store_is_sent_without_the_others() -> None:
    kinds = {kind: packages(sent([f"_stores.{store.module}"])) for kind, store in STORES.items()}
    assert "_stores.sqlite" in kinds["sqlite"]
    shared = {"_core", "_stores", "_stores.records", "_stores.sql"}
    alone = {
        "command": {"_stores.command"},
        "dynamodb": {"_stores.dynamodb"},
        "files": {"_stores.files"},
        "json": {"_stores.documents", "_stores.sqlite"},  # duplicates are found in a database
        "postgresql": {"_stores.postgresql"},
        "sqlite": {"_stores.sqlite"},
        "ssm": {"_stores.ssm"},
    }
    assert {kind: sorted(found - shared - alone[kind]) for kind, found in kinds.items()} == {
        kind: [] for kind in STORES
    }
