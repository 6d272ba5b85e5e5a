# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which client programs this host has: those of the server's own version are best, newer ones will do."""

from __future__ import annotations

import functools
import glob
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Optional

from ...._core.errors import InvalidRequest, MissingDependency
from ...._core.programs import environment

# Where Debian, Red Hat and Alpine put them, with their version. (What is in Debian's PATH is a script that picks one.)
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*")


def find(name: str, version: int, given: Optional[str] = None) -> str:
    """The path of a program that works with servers of a major version.

    :param given: the directory to use instead of all others.
    """
    found = sorted(_found(name, given))
    if given and not found:
        raise InvalidRequest(f"{given} has no program {name}.", "Set bin to the directory of pg_dump, or omit it.")
    for major, path in found:
        if major >= version:
            return path
    hint = f"Install the package postgresql-client-{version} (Debian) or postgresql{version} (Red Hat), or set bin."
    newest = f" (the newest here is {found[-1][0]})" if found else ""
    raise MissingDependency(f"{name} {version} or newer{newest}", f"for a server of version {version}", hint)


def any_psql(given: Optional[str] = None) -> Optional[str]:
    """The newest psql, which works with all servers."""
    found = sorted(_found("psql", given))
    return found[-1][1] if found else None


def _found(name: str, given: Optional[str]) -> Iterator[tuple[int, str]]:
    folders = [given] if given else [folder for place in _PLACES for folder in glob.glob(place)]
    for folder in folders:
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK):
            number = None if given else re.search(r"(\d+)(/bin)?$", folder)
            yield (int(number.group(1)) if number else major_of(path)), path
    if not given and not any(os.access(os.path.join(folder, name), os.X_OK) for folder in folders):
        path = shutil.which(name, path=environment()["PATH"]) or ""
        if path:
            yield major_of(path), path


@functools.cache
def version_of(path: str) -> str:
    """The version that a program reports, such as 15.20."""
    said = subprocess.run(  # pylint: disable=ansible-bad-function
        [path, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, env=environment()
    ).stdout.decode(errors="replace")
    found = re.search(r"\(PostgreSQL\) (\d[\w.]*)", said)
    return found.group(1) if found else "0"


def major_of(path: str) -> int:
    """The major version; 0 if the program does not report it."""
    found = re.match(r"\d+", version_of(path))
    return int(found.group()) if found else 0
