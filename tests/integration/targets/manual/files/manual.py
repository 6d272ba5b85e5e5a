# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types what the manual says, each page in a home directory of its own, as no page may need another one.

manual.py [PAGE...]                           those that need no hosts, by default all
manual.py --home DIRECTORY [--instead EXAMPLE=VALUE] [--from-nothing] PAGE...
                                              others, in a directory with what the reader has, such as an inventory;
                                              or from their first line on, which installs programs

PAGE is a path from docs/. PAGE#HEADING is one section of it, and PAGE# what is before the first one. A block of YAML or
Python is written to the file that its first line names, if it does. Of a block of a console, lines with "$ " are run;
lines below one of them are what it must print. The scenario `manual` of molecule types what needs hosts;
tests/unit/test_manual.py says how other blocks are tested.
"""

from __future__ import annotations

import argparse
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
    *(
        f"applications/{name}.md#From nothing to a restored host"
        for name in ("hawkfish", "hostfactory", "profiler", "dotmac")
    ),
]
# What the machine of this test has already.
INSTALLS = re.compile(r"apt-get install|createuser|python3 -m venv|pip install|ansible-galaxy collection install")
COMMAND = re.compile(r"^\$ (.*)\n((?:(?![$#] ).*\n)*)", re.MULTILINE)
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
    """The blocks of PAGE, PAGE# or PAGE#HEADING that are typed: language and text."""
    name, part, heading = page.partition("#")
    text = (COLLECTION / "docs" / name).read_text(encoding="utf-8")
    if part and not heading:
        text = text.partition("\n## ")[0]
    elif heading:
        text = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return BLOCK.findall(text)


def steps(page: str, installs: bool = False) -> Iterator[tuple[str, str, str]]:
    """What a page has the reader do: ("write", text of a file, "") or ("run", command line, output that is shown)."""
    for language, text in typed(page):
        if language in ("yaml", "python") and text.startswith("# "):
            yield "write", text, ""
        elif language == "console":
            for command, output in COMMAND.findall(text):
                if installs or not INSTALLS.search(command):
                    yield "run", command, output


def follow(
    page: str, home: Path, variables: dict[str, str], instead: dict[str, str], from_nothing: bool = False
) -> None:
    """Do what a page says, with other values than its examples. A step that fails ends the test."""
    environment = {**os.environ, **variables, "HOME": str(home)}
    if from_nothing:  # The terminal, which is the same for all lines, has activated it.
        environment["PATH"] = f"{home}/ansible/bin:{environment['PATH']}"
    for kind, text, output in steps(page, from_nothing):
        for example, value in instead.items():
            text, output = text.replace(example, value), output.replace(example, value)
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
        if output and done.stdout != output:
            raise SystemExit(f"{page}: this line printed {done.stdout!r}, and not {output!r}: {text}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path)
    parser.add_argument("--instead", action="append", default=[])
    parser.add_argument("--from-nothing", action="store_true")
    parser.add_argument("page", nargs="*", default=PAGES)
    given = parser.parse_args()
    if given.home:
        for page in given.page:
            instead = dict(one.split("=", 1) for one in given.instead)
            follow(page, given.home, {}, instead, given.from_nothing)
        return
    python = Path(node_python())
    path = f"{python.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    with bucket() as keys, database_server() as database:
        variables = {**keys, **database, "ANSIBLE_PYTHON_INTERPRETER": str(python), "PATH": path}
        for page in given.page:
            with tempfile.TemporaryDirectory(prefix="manual-") as home:
                # Where "ansible-galaxy collection install" puts it.
                installed = Path(home) / ".ansible/collections/ansible_collections/day2/ops"
                installed.parent.mkdir(parents=True)
                installed.symlink_to(COLLECTION)
                follow(page, Path(home), variables, {})


if __name__ == "__main__":
    main()
