# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs in containers/. The step "schemas" checks what they are in; the image was built and run by hand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.day2.ops.plugins.plugin_utils.host_program import build

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = sorted((ROOT / "containers" / "compose").glob("*.yml"))
EXAMPLES = sorted((ROOT / "containers").glob("*/**/*.yml"))
KUBERNETES = sorted((ROOT / "containers" / "kubernetes").glob("*/job.yml"))


def jobs_of(path: Path) -> dict[str, str]:
    """The job files that an example mounts, by name."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path in KUBERNETES:
        return dict(document["data"])
    mounts = [one.split(":") for one in document["services"]["backup"]["volumes"]]
    return {Path(one[1]).name: (path.parent / one[0]).read_text("utf-8") for one in mounts if one[1].endswith(".json")}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "day2"
    path.write_bytes(build(ROOT / "plugins" / "module_utils"))
    return path


@pytest.mark.parametrize("path", [*COMPOSE, *KUBERNETES], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_host_program_accepts_the_jobs(path: Path, program: Path, tmp_path: Path) -> None:
    jobs, secrets = tmp_path / "etc" / "jobs", tmp_path / "secrets"
    jobs.mkdir(parents=True)
    secrets.mkdir()
    for name, text in jobs_of(path).items():
        (jobs / name).write_text(text)
        given: dict[str, Any] = json.loads(text)
        assert given["arguments"]["host"] == Path(name).stem  # else each container would be another host
        for secret in given.get("secrets", {}).values():
            (secrets / secret).write_text("secret")
    variables = {"DAY2_ETC": str(tmp_path / "etc"), "CREDENTIALS_DIRECTORY": str(secrets), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-I", str(program), "check"], env=variables, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert list(jobs.iterdir())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_temporary_files_have_a_place_on_a_read_only_root(path: Path) -> None:
    """In Kubernetes, nothing but the volumes can be written."""
    text = path.read_text(encoding="utf-8")
    if "readOnlyRootFilesystem: true" in text:
        assert "mountPath: /tmp}" in text
    elif "read_only: true" in text:
        assert 'tmpfs: ["/tmp:' in text
    else:
        assert "image:" not in text
    image = (ROOT / "containers" / "Containerfile").read_text(encoding="utf-8")
    assert re.search(r"^ENV .*\bTMPDIR=/tmp\b", image, re.MULTILINE)
