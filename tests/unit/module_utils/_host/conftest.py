# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host program as it is installed: an archive, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.plugin_utils import host_program

MODULE_UTILS = Path(host_program.__file__).parents[1] / "module_utils"


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "day2"
    path.write_bytes(host_program.build(MODULE_UTILS))
    return path


class Host:
    """A host with jobs."""

    def __init__(self, root: Path, program: Path) -> None:
        self.root, self.program = root, program
        self.state = root / "state" / "jobs"
        (root / "etc" / "jobs").mkdir(parents=True)
        (root / "etc" / "secrets").mkdir()
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in ("JOURNAL_STREAM",)},
            "DAY2_ETC": str(root / "etc"),
            "DAY2_STATE": str(root / "state"),
        }

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-I", str(self.program), *words]

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv(*words), env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *words: str) -> tuple[int, str]:
        """The exit status, and all output."""
        done = subprocess.run(self.argv(*words), env=self.environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def job(self, name: str, verb: str, arguments: dict[str, Any], **more: Any) -> Path:
        path = self.root / "etc" / "jobs" / f"{name}.json"
        path.write_text(json.dumps({"schema": 1, "verb": verb, "arguments": arguments, **more}))
        path.chmod(0o600)
        return path

    def command(self, name: str, dump: str, **more: Any) -> Path:
        """A job that backs up the output of a shell command."""
        source = {"type": "command", "dump": ["sh", "-euc", dump]}
        return self.job(name, "backup", {"name": name, "source": source, "repository": self.path("repository")}, **more)

    def old_files(self, name: str = "old", **more: Any) -> Path:
        """A retention job, and a file that it removes."""
        path = self.root / name / "file"
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
        os.utime(path, (1_000_000_000, 1_000_000_000))
        rule = {"name": name, "paths": [f"{path.parent}/*"], "tiers": [{"tier": "remove", "older_than": "1h"}]}
        self.job(name, "retention", {"rules": [{**rule, "missing_ok": True}]}, **more)
        return path

    def secret(self, name: str, value: str) -> Path:
        path = self.root / "etc" / "secrets" / name
        path.write_text(value)
        path.chmod(0o600)
        return path

    def path(self, name: str) -> str:
        return str(self.root / name)

    def runs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.state / "journal.jsonl").read_text().splitlines()]

    def summary(self) -> dict[str, Any]:
        jobs: dict[str, Any] = json.loads((self.state / "summary.json").read_text())["jobs"]
        return jobs


@pytest.fixture
def host(tmp_path: Path, archive: Path) -> Host:
    return Host(tmp_path, archive)
