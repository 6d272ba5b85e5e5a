# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task that finds nothing to do imports. Ansible compiles each module again for each task: with all of the
modules listed here, such a task takes twice as long."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from tests.services.repositories import KINDS

OURS = "ansible_collections.day2.ops.plugins.module_utils."
# Of the standard library, what takes milliseconds and AnsibleModule does not import anyway, and what is optional.
HEAVY = [
    *(
        "asyncio",
        "concurrent",
        "csv",
        "dataclasses",
        "email",
        "http",
        "inspect",
        "multiprocessing",
        "pathlib",
        "socket",
    ),
    *("sqlite3", "ssl", "tarfile", "unittest", "urllib.request", "xml", "zipfile", "boto3", "botocore", "psycopg"),
]
COMPRESSIONS = [f"_core.compression.{name}" for name in ("gzip_zlib", "plain", "xz", "zstd_library", "zstd_program")]
REMOTE = ["generations", "objects", "rclone", "remote", "s3"]
WRITING = ["copying", "directory_staging", "encrypted_files", "objective", "opening", "sink"]
REPOSITORY = [f"_repository.{name}" for name in [*REMOTE, *WRITING]]
VERBS = [f"_verbs.{name}" for name in ("backup_import", "copies", "evidence_lines", "migrate", "restore", "space")]
OTHERS = ["_core.age", "_core.scratch"]
# What a store of each type imports of its own to find out whether it has changed.
STORES = {
    "files": ("files", ["identity", "selection", "store"]),
    "json": ("documents", ["identity", "store"]),
    "sqlite": ("sqlite", ["file", "file_copy", "store"]),
}
RUN = """
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from ansible_collections.day2.ops.plugins.module_utils._core import fingerprint
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._verbs import backup
fingerprint._TRUSTED |= {"tmpfs"}  # on many systems, /tmp is one
params = {option: one.get("default") for option, one in backup.ARGUMENTS["argument_spec"].items()}
result = backup.run({**params, **json.loads(sys.argv[1])}, False, Progress())
print(json.dumps([result["reason"], list(sys.modules)]))
"""


def back_up(params: dict[str, Any]) -> tuple[str, list[str]]:
    """The reason of the result, and the modules that were imported."""
    argv = [sys.executable, "-I", "-S", "-c", RUN, json.dumps(params), json.dumps(sys.path)]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    reason, modules = json.loads(said)
    return reason, modules


@pytest.mark.once
@pytest.mark.parametrize("kind", STORES)
def test_a_task_with_nothing_to_do_imports_only_what_tells_it_so(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "data"
    if kind == "files":
        path.mkdir()
        (path / "file").write_text("content")
    elif kind == "json":
        path.write_text('{"templates": {"a": {"id": 1}}}')
    else:
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE t (a)")
        database.close()
    time.sleep(0.1)  # so that its times are trusted
    params = {
        "name": "set",
        "source": {"type": kind, "path": str(path)},
        "repository": str(tmp_path / "backups"),
        "keep": {"last": 3, "daily": 7},
    }
    assert back_up(params)[0] == "new"
    reason, modules = back_up(params)
    assert reason == "unchanged"
    ours = {name[len(OURS) :] for name in modules if name.startswith(OURS)}
    package, own = STORES[kind]
    prefix = f"_stores.{package}."
    assert sorted(name[len(prefix) :] for name in ours if name.startswith(prefix)) == own
    assert [name for name in ours if name.startswith("_stores.") and name.endswith(".store")] == [f"{prefix}store"]
    assert sorted(ours & {*COMPRESSIONS, *REPOSITORY, *VERBS, *OTHERS}) == []
    assert [one for one in HEAVY if one in modules and (one, kind) != ("sqlite3", "sqlite")] == []


@pytest.mark.once
def test_a_task_with_nothing_to_do_in_s3_does_without_boto3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To import it takes longer than all else."""
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "data").write_text('{"templates": {"a": {"id": 1}}}')
    time.sleep(0.1)  # so that its times are trusted
    with KINDS["s3-rgw"](tmp_path) as place:
        params = {"name": "set", "source": {"type": "json", "path": str(tmp_path / "data")}, **place}
        assert back_up(params)[0] == "new"
        reason, modules = back_up(params)
        assert reason == "unchanged"
        assert {"boto3", "botocore"}.isdisjoint(modules)
        refused = {**params, "s3": {**place["s3"], "secret_access_key": "wrong"}}
        with pytest.raises(subprocess.CalledProcessError) as caught:
            back_up(refused)
    assert "the secret access key is wrong" in caught.value.stderr
