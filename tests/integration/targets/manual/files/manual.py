# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types what the manual says, each page in a home directory of its own, as no page may need another one.

A block of YAML or Python is written to the file that its first line names. Of a block of a console, lines with "$ "
are run. Of the pages of applications, only the tutorial is typed: all else needs their hosts. tests/unit/test_manual.py
says how other blocks are tested.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

COLLECTION = next(one for one in Path(__file__).resolve().parents if (one / "galaxy.yml").exists())
sys.path.insert(0, str(COLLECTION))
PAGES = [
    *("START.md", "guides/THREE-COPIES.md", "guides/ENCRYPTION.md", "guides/COMING-FROM.md", "guides/DJANGO.md"),
    *(f"applications/{name}.md" for name in ("hawkfish", "hostfactory", "profiler", "dotmac")),
]
TUTORIAL = "\n## From nothing to a restored host\n"
# What the machine of this test has already.
INSTALLS = re.compile(r"apt-get install|python3 -m venv|pip install|ansible-galaxy collection install")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@contextlib.contextmanager
def bucket() -> Iterator[dict[str, str]]:
    """Variables with which boto3 finds a server with the bucket of the manual."""
    service: Any = importlib.import_module("tests.services.s3")
    with tempfile.TemporaryDirectory(prefix="manual-") as directory, service.ministack(Path(directory)) as url:
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1"}
        variables = {"AWS_ENDPOINT_URL_S3": url, **keys}
        script = (
            "import boto3; boto3.client('s3', endpoint_url={!r}).create_bucket(Bucket='shop-backups', "
            "ObjectLockEnabledForBucket=True, CreateBucketConfiguration=dict(LocationConstraint='eu-central-1'))"
        )
        subprocess.run([node_python(), "-c", script.format(url)], check=True, env={**os.environ, **variables})
        yield variables


@contextlib.contextmanager
def database_server() -> Iterator[dict[str, str]]:
    """Variables with which the programs of PostgreSQL find a server."""
    script = str(COLLECTION / "tests/integration/targets/setup_applications/files/postgresql.sh")
    place = subprocess.run([script, "start"], check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield {"PGHOST": place, "PGUSER": "postgres"}
    finally:
        subprocess.run([script, "stop", place], check=True, stdout=subprocess.DEVNULL)


def node_python() -> str:
    """That of the unit tests, which has the libraries of all stores."""
    for directory in (COLLECTION, *COLLECTION.parents):
        found = sorted(directory.glob(".venv/node-*/bin/python"), key=lambda one: int(one.parts[-3].rpartition(".")[2]))
        if found:
            return str(found[-1])
    raise SystemExit("The environments of the unit tests are missing. Make them with: dev/run setup")


def typed(page: str) -> list[tuple[str, str]]:
    """The blocks of a page of PAGES that are typed: language and text."""
    text = (COLLECTION / "docs" / page).read_text(encoding="utf-8")
    if TUTORIAL in text:
        text = text.partition(TUTORIAL)[2].partition("\n## ")[0]
    return BLOCK.findall(text)


def steps(page: str) -> Iterator[tuple[str, str]]:
    """What a page has the reader do: ("write", text of a file) or ("run", command line)."""
    for language, text in typed(page):
        if language in ("yaml", "python"):
            yield "write", text
        elif language == "console":
            for line in text.splitlines():
                if line.startswith("$ ") and not INSTALLS.search(line):
                    yield "run", line[2:]


def follow(page: str, home: Path, variables: dict[str, str]) -> None:
    """Do what a page says. A step that fails ends the test."""
    environment = {**os.environ, **variables, "HOME": str(home), "ANSIBLE_PYTHON_INTERPRETER": node_python()}
    environment["PATH"] = f"{Path(node_python()).parent}:{Path(sys.executable).parent}:{environment['PATH']}"
    for kind, text in steps(page):
        if kind == "write":
            (home / text.partition("\n")[0].lstrip("# ")).write_text(text, encoding="utf-8")
            continue
        done = subprocess.run(
            ["bash", "-euc", text], cwd=home, env=environment, capture_output=True, text=True, check=False
        )
        print(f"{page}: $ {text}\n{done.stdout}{done.stderr}", flush=True)
        if done.returncode:
            raise SystemExit(
                f"{page}: this line failed with exit status {done.returncode}: {text}\n{done.stdout}{done.stderr}"
            )


def main() -> None:
    with bucket() as variables, database_server() as database:
        for page in sys.argv[1:] or PAGES:
            with tempfile.TemporaryDirectory(prefix="manual-") as home:
                # Where "ansible-galaxy collection install" puts it.
                installed = Path(home) / ".ansible/collections/ansible_collections/day2/ops"
                installed.parent.mkdir(parents=True)
                installed.symlink_to(COLLECTION)
                follow(page, Path(home), {**variables, **database})


if __name__ == "__main__":
    main()
