# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused and accepted of log options is what a real Docker refuses and accepts when a container starts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._retention.docker_rules import check_log_options
from ansible_collections.day2.ops.tests.services.docker import Docker, docker

pytestmark = pytest.mark.once

# A size goes with each: without one, json-file has no limit, which is refused here and not by Docker. Sizes such as
# 10mi are accepted by old releases only, and refused here.
OPTIONS = [
    ("json-file", {"max-size": "10m"}),
    ("json-file", {"max-size": "1.5 GiB", "max-file": "2", "compress": "T"}),
    ("json-file", {"max-size": "10m", "compress": "true"}),
    ("json-file", {"max-size": "10m", "max-file": "1", "compress": "true"}),
    ("json-file", {"max-size": "10m", "max-file": "0"}),
    ("json-file", {"max-size": "10m", "max-file": "+3"}),
    ("json-file", {"max-size": "10m", "compress": "yes"}),
    ("json-file", {"max-size": "-1"}),
    ("json-file", {"max-size": "10m", "max-fil": "3"}),
    ("json-file", {"max-size": "10m", "mode": "non-blocking", "max-buffer-size": "4m"}),
    ("json-file", {"max-size": "10m", "max-buffer-size": "4m"}),
    ("json-file", {"max-size": "10m", "mode": "fast"}),
    ("local", {"max-size": "10m"}),
    ("local", {"max-size": "10m", "max-file": "1"}),
    ("local", {"max-size": "10m", "max-file": "1", "compress": "false"}),
    ("local", {"max-size": "10m", "labels": "a"}),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    with docker(tmp_path_factory.mktemp("docker")) as one:
        yield one


@pytest.mark.parametrize(("driver", "options"), OPTIONS, ids=str)
def test_log_options(engine: Docker, driver: str, options: dict[str, str]) -> None:
    words = [f"--log-opt={name}={value}" for name, value in options.items()]
    started = engine(
        "run",
        "--rm",
        "--network=none",
        f"--log-driver={driver}",
        *words,
        "busybox",
        "/bin/sh",
        "-c",
        "echo yes",
        check=False,
    )
    try:
        check_log_options("daemon.json", driver, options)
    except Day2Error:
        assert started == ""
    else:
        assert started == "yes"
