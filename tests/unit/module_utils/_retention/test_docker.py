# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""daemon.json is written only when Docker would take it, and containers would start with it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, TargetError
from ansible_collections.day2.ops.plugins.module_utils._retention.docker import DOCKER_SPEC, check_arguments
from ansible_collections.day2.ops.plugins.module_utils._retention.docker_rules import is_size
from ansible_collections.day2.ops.tests.unit.module_utils._retention.conftest import retain


def limits(path: Path, text: Optional[str], **options: Any) -> dict[str, Any]:
    """Run in check mode and for real on a file with that text. Returns what the file holds afterwards."""
    if text is not None:
        path.write_text(text)
    docker = {**dict.fromkeys(DOCKER_SPEC), "path": str(path), **options}
    assert retain(docker=docker, check=True)["changed"]
    done = retain(docker=docker)
    assert done["changed"]
    assert not retain(docker=docker)["changed"]
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def refused(path: Path, text: str, **options: Any) -> str:
    """Why check mode and the run refuse; they agree, and the file stays."""
    path.write_text(text)
    docker = {**dict.fromkeys(DOCKER_SPEC), "path": str(path), **options}
    words = []
    for check in (True, False):
        with pytest.raises(Day2Error) as caught:
            retain(docker=docker, check=check)
        words.append(caught.value.details["problems"][0]["problem"])
    assert words[0] == words[1]
    assert "Nothing was changed" not in words[0]  # rules may have done much, and check mode does nothing
    assert path.read_text() == text
    return str(words[0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "daemon.json"


def test_limits_are_added_and_all_else_stays(path: Path) -> None:
    text = '{\n    "data-root": "/srv/docker",\n    "log-opts": {\n        "labels": "a"\n    }\n}\n'
    path.write_text(text)
    path.chmod(0o640)
    assert limits(path, None, max_size="10m", max_file=3, compress=True) == {
        "data-root": "/srv/docker",
        "log-opts": {"labels": "a", "max-size": "10m", "max-file": "3", "compress": "true"},
        "log-driver": "json-file",
    }
    assert path.read_text().startswith('{\n    "data-root"')
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_does_not_exist_is_made(path: Path) -> None:
    assert limits(path, None, max_size="10M") == {"log-driver": "json-file", "log-opts": {"max-size": "10m"}}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {"max_size": "10m", "compress": True}),
        ("", {"max_size": "10m", "max_file": 1, "compress": True}),
        ('{"log-opts": {"max-file": "1"}}', {"max_size": "10m", "compress": True}),
        ('{"log-opts": {"compress": "T"}}', {"max_size": "10m", "max_file": 1}),
        ('{"log-driver": "local"}', {"max_file": 1}),
        ("", {"log_driver": "local", "max_file": 1}),
    ],
)
def test_compression_without_rotated_files(path: Path, text: str, options: dict[str, Any]) -> None:
    """Containers made after the next restart of Docker would not start."""
    assert "containers would not start" in refused(path, text, **options)


def test_compression_with_what_the_file_has(path: Path) -> None:
    document = limits(path, '{"log-opts": {"max-size": "1.5 GiB", "max-file": "2"}}', compress=True)
    assert document["log-opts"] == {"max-size": "1.5 GiB", "max-file": "2", "compress": "true"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ('{"max-file": 3}', "max-file as a number"),
        ('{"max-file": true}', "max-file as true or false"),
        ('{"labels": null}', "labels as null"),
        ('{"env": ["A"]}', "env as a list"),
        ('{"max-fil": "3"}', "does not support"),
        ('{"max-file": "three"}', "a whole number"),
        ('{"max-file": "0"}', "a whole number"),
        ('{"compress": "yes"}', "true or false"),
        ('{"mode": "fast"}', "non-blocking"),
        ('{"max-buffer-size": "4m"}', "non-blocking"),
    ],
)
def test_options_that_docker_rejects(path: Path, options: str, words: str) -> None:
    assert words in refused(path, f'{{"log-opts": {options}}}', max_size="10m")


def test_what_is_set_here_replaces_what_docker_rejects(path: Path) -> None:
    assert limits(path, '{"log-opts": {"max-file": 3}}', max_size="10m", max_file=3)["log-opts"]["max-file"] == "3"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"log-opts": 1}',
        '{"log-opts": []}',
        '{"x": NaN}',
        '{"x": -Infinity}',
        '{"x": 1e400}',
        '{"x": 1, "x": 2}',
        '{{"x": {}1{}}}'.format("[" * 100_000, "]" * 100_000),
        "\ufeff{}",
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_json_for_docker_stays(path: Path, text: str) -> None:
    assert str(path) in refused(path, text, max_size="10m")


def test_what_can_be_read_but_not_written_again(path: Path) -> None:
    """How deep Python's parser and writer go differs by version: what is written holds all that was there."""
    for depth in (100, 500, 800):
        text = '{{"x": {}1{}}}'.format("[" * depth, "]" * depth)
        path.write_text(text)
        docker = {**dict.fromkeys(DOCKER_SPEC), "path": str(path), "max_size": "10m"}
        with contextlib.suppress(TargetError):  # nested too deeply
            retain(docker=docker)
        assert json.loads(path.read_text())["x"] == json.loads(text)["x"]


@pytest.mark.parametrize("driver", ['"journald"', '""', "1", "[]", "null"])
def test_other_drivers_stay_unless_asked(path: Path, driver: str) -> None:
    text = f'{{"log-driver": {driver}}}'
    assert "log driver" in refused(path, text, max_size="10m")
    assert limits(path, text, max_size="10m", log_driver="json-file")["log-driver"] == "json-file"


def test_the_driver_local(path: Path) -> None:
    assert limits(path, "", log_driver="local") == {"log-driver": "local", "log-opts": {}}
    assert limits(path, None, max_size="50m")["log-driver"] == "local"
    assert limits(path, None, max_file=1, compress=False)["log-opts"]["compress"] == "false"
    words = refused(path, '{"log-opts": {"labels": "a"}}', log_driver="local", max_size="10m")
    assert "labels, which the log driver local does not support" in words


def test_options_that_are_wrong(path: Path) -> None:
    assert "max_size" in refused(path, "", max_size="ten")
    assert "max_size" in refused(path, "", max_size="0m")
    assert "less than 1" in refused(path, "", max_size="1m", max_file=0)
    assert "has no settings" in refused(path, "{}")
    assert "does not limit" in refused(path, "{}", max_file=2)


@pytest.mark.parametrize("argument", ["--log-driver=json-file", "--log-opt"])
def test_arguments_that_docker_runs_with(tmp_path: Path, argument: str) -> None:
    """Docker does not start with both; here /proc is made up, as a dockerd by that name would disturb other tests."""
    words = ["/usr/bin/dockerd", "-H", "fd://", argument, "max-size=1m"]
    for number, command in (("17", words), ("18", ["vim", argument]), ("19", words[:3])):
        (tmp_path / number).mkdir()
        (tmp_path / number / "cmdline").write_bytes("\0".join(command).encode())
    with pytest.raises(TargetError, match="process 17"):
        check_arguments("/etc/docker/daemon.json", str(tmp_path))
    (tmp_path / "17" / "cmdline").unlink()
    check_arguments("/etc/docker/daemon.json", str(tmp_path))


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("10m", True),
        ("10MB", True),
        ("1.5 GiB", True),
        ("1048576", True),
        ("10b", True),
        ("0", False),
        ("-1", False),
        ("10bb", False),
        ("10mi", False),
        ("10  m", False),
        ("m", False),
        ("10e", False),
    ],
)
def test_sizes(text: str, good: bool) -> None:
    assert is_size(text) == good
