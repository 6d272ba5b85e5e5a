# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole module in a process of its own: what AnsibleModule prints for what a verb raises or returns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils import _module_jobs
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress

COLLECTIONS = Path(__file__).resolve().parents[2] / ".cache" / "collections"
NOBODY = 65534
PACKAGE = "ansible_collections.day2.ops.plugins.module_utils"

VERB = """
import contextlib, importlib, os, pkgutil, sys
from ansible.module_utils import basic
# Loaded only when a result is written, which who has become nobody can't where the clone is in root's home.
with contextlib.suppress(ImportError):
    from ansible.module_utils._internal import _json
    for found in pkgutil.walk_packages(_json.__path__, _json.__name__ + "."):
        importlib.import_module(found.name)
try:
    from ansible.module_utils.testing import patch_module_args
except ImportError:
    import json
    @contextlib.contextmanager
    def patch_module_args(arguments):
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
        yield
from ansible_collections.day2.ops.plugins.module_utils import _module
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.files import os_errors

def verb(params, check, progress):
    %s

with patch_module_args({"repository": sys.argv[1]}):
    _module.run(basic.AnsibleModule({"repository": {"type": "path"}}), verb)
"""


MASKED = VERB % 'return {"changed": False, "msg": "1 yes s3cret is 1"}'
MASKED = MASKED.replace(
    '{"repository": sys.argv[1]}', '{"source": {"environment": {"A": "1", "B": "yes", "C": "s3cret"}}}'
)
MASKED = MASKED.replace(
    '{"repository": {"type": "path"}}',
    '{"source": {"type": "dict", "options": {"environment": {"type": "dict", "no_log": True}}}}',
)


def run(body: str, repository: str = "/r", **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", VERB % body, repository],
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS), **environment},
        capture_output=True,
        check=False,
    )
    assert done.stdout.strip().startswith(b"{"), done.stderr.decode()
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_a_password_in_an_address_is_not_shown() -> None:
    address = "rest:https://kim:s3cret@backups.example.com:8000/"
    found = run("raise Day2Error(f\"{params['repository']} can't be a repository.\")", address)
    assert found["failed"]
    assert ("s3cret" in str(found), "backups.example.com" in found["msg"]) == (False, True)


def test_warnings_of_a_failure_are_warnings() -> None:
    result = run('raise Day2Error("No.", details={"warnings": ["look at this"], "removed": []})')
    assert result["failed"]
    assert result["msg"] == "No."
    assert "look at this" in str(result["warnings"])
    assert not [one for one in result.get("deprecations", []) if "warnings" in str(one)]


def test_in_a_role_messages_and_warnings_name_its_variables() -> None:
    hint = "Set strict=true, or increase lock_timeout."
    named = "Set store_backup_strict=true, or increase lock_timeout."
    body = f'return {{"msg": {hint!r}, "warnings": [{hint!r}]}}'
    result = run(body, DAY2_ROLE_VARIABLES="store_backup:keep,strict")
    assert result["msg"] == named
    assert named in str(result["warnings"])
    failed = run(f"raise Day2Error({hint!r})", DAY2_ROLE_VARIABLES="store_backup:keep,strict")
    assert (failed["failed"], failed["msg"]) == (True, named)
    assert run(body)["msg"] == hint


def test_in_a_role_the_message_of_each_job_names_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    source = {"type": "json", "path": "/x"}
    arguments = {"name": "a", "source": source, "repository": "/r", "restic": {"password": "not-a-real-secret"}}
    params = {"jobs": [{"name": "a", "verb": "backup", "arguments": arguments}]}
    for role, option in (("store_backup:engine", "store_backup_engine"), ("", "engine")):
        monkeypatch.setenv("DAY2_ROLE_VARIABLES", role)
        result = _module_jobs._run(SimpleNamespace(no_log_values=set()), params, False, Progress())
        (job,) = result["results"]
        assert f"requires {option}=restic" in job["msg"]
        assert job["result"]["msg"] == job["msg"]


@pytest.mark.parametrize("changed", [True, False])
def test_who_changes_nothing_keeps_no_code(changed: bool, tmp_path: Path) -> None:
    body = f'_module._zip_cache._new["x.py"] = ((0, 0), 0, b""); return {{"changed": {changed}}}'
    run(body, DAY2_STATE=str(tmp_path))
    assert bool(os.listdir(tmp_path)) is changed


def test_a_relative_path_is_refused_before_the_verb_runs() -> None:
    result = run("raise Day2Error('the verb ran')", "backups")
    assert result["msg"].startswith("repository is the relative path backups; set it to an absolute path")


def test_who_lacks_permission_is_told_how_to_get_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir(mode=0o700)
    body = f"os.setuid({NOBODY}) if os.geteuid() == 0 else None\n    "
    body += f'with os_errors(TargetError, "Can\'t read", {str(secret)!r}): os.listdir({str(secret)!r})'
    result = run(body)
    assert result["msg"].endswith("Permission denied. Run as a user with permission (become: true).")


def test_root_is_not_told_to_become_root(tmp_path: Path) -> None:
    result = run("raise TargetError('x') from PermissionError(1, 'Operation not permitted')")
    assert ("become" in result["msg"]) == (os.geteuid() != 0)


def test_an_old_python_is_named() -> None:
    program = "import sys; sys.version_info = (3, 8, 20); import " + PACKAGE + "._node_python"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        stdout=subprocess.PIPE,
        check=False,
    )
    result = json.loads(done.stdout)
    assert done.returncode == 1
    assert result["failed"]
    assert result["msg"].startswith("day2.ops needs Python 3.9 or newer on the managed node, and ")
    assert "is Python 3.8.20" in result["msg"]


def test_the_python_is_looked_at_before_anything_else_of_ours_is_imported() -> None:
    text = (COLLECTIONS / PACKAGE.replace(".", "/") / "_module.py").read_text(encoding="utf-8")
    ours = [line for line in text.splitlines() if line.startswith("from .")]
    assert ours[0].startswith("from . import _node_python")


def test_short_variables_of_programs_are_not_masked() -> None:
    result = json.loads(
        subprocess.run(
            [sys.executable, "-c", MASKED],
            env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
            capture_output=True,
            check=True,
        ).stdout
    )
    assert result["msg"] == "1 yes ******** is 1"
