# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits of the journal, in a drop-in file that is the module's own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._retention.docker import DOCKER_SPEC
from ansible_collections.day2.ops.plugins.module_utils._retention.journald import JOURNALD_SPEC
from ansible_collections.day2.ops.tests.unit.module_utils._retention.conftest import retain
from ansible_collections.day2.ops.tests.unit.module_utils._retention.test_nothing_is_lost import refused


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The directory is missing, as on a system where nobody has configured journald yet."""
    return tmp_path / "systemd" / "journald.conf.d" / "60-limits.conf"


def asked(drop_in: Path, **options: Any) -> dict[str, Any]:
    drop_in.parent.parent.mkdir(exist_ok=True)
    return {**dict.fromkeys(JOURNALD_SPEC), "path": str(drop_in), **options}


@pytest.mark.parametrize("path", ["/proc/x.conf", "/sys/kernel/x.conf"])
def test_a_file_system_of_the_kernel(path: str) -> None:
    (problem,) = refused(journald={**dict.fromkeys(JOURNALD_SPEC), "path": path, "system_max_use": "1G"})
    assert "can't store files" in problem["problem"]


def test_limits_are_written_and_changed(path: Path) -> None:
    journald = asked(path, system_max_use="1G", system_max_files=10, max_retention_sec="30d", max_file_sec="90m")
    predicted = retain(journald=journald, check=True)
    assert not path.parent.exists()
    assert predicted["msg"] == f"{path} would be updated; 0 entries kept."
    done = retain(journald=journald)
    assert done["journald"] == {"path": str(path), "changed": True}
    assert done["diff"] == predicted["diff"]
    assert "once systemd-journald is restarted" in done["warnings"][0]
    assert path.read_text().splitlines()[1:] == [
        *("[Journal]", "SystemMaxUse=1G", "SystemMaxFiles=10", "MaxRetentionSec=30d", "MaxFileSec=90min")
    ]
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o644, 0o755)
    assert not retain(journald=journald)["changed"]
    assert retain(journald={**journald, "system_max_use": "1.5G"})["changed"]
    assert "SystemMaxUse=1536M\n" in path.read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "has no settings"),
        ({"system_max_use": "lots"}, "is not a size"),
        ({"system_max_use": "0"}, "journald.system_max_use is 0"),
        ({"runtime_max_files": -1}, "journald.runtime_max_files is -1"),
        ({"max_retention_sec": "soon"}, "is not a duration"),
        ({"max_retention_sec": "1ms"}, "journald.max_retention_sec is 1ms"),
        ({"path": "/etc/systemd/limits", "max_file_sec": "1d"}, "that end in .conf"),
    ],
)
def test_limits_that_are_none(path: Path, options: dict[str, Any], words: str) -> None:
    assert words in refused(journald=asked(path, **options))[0]["problem"]


def test_a_file_of_somebody_else_stays(path: Path) -> None:
    journald = asked(path, system_max_use="1G")
    path.parent.mkdir()
    path.write_text("[Journal]\nStorage=persistent\n")
    assert "was not created by this module" in refused(journald=journald)[0]["problem"]
    path.unlink()
    path.parent.rmdir()
    path.parent.parent.rmdir()
    with pytest.raises(Day2Error, match="does not exist"):
        retain(journald=journald, check=True)


def test_what_applies_instead_is_told(path: Path) -> None:
    journald = asked(path, system_max_use="1G", runtime_max_use="1M")
    path.parent.mkdir()
    (path.parent / "50-theirs.conf").write_text("[Journal]\nSystemMaxUse=3G\n")
    (path.parent / "99-theirs.conf").write_text("[Journal]\n#RuntimeMaxUse=3G\nSystemMaxUse=3G\n")
    notes = retain(journald=journald, check=True)["warnings"]
    assert notes == [f"{path.parent}/99-theirs.conf also sets SystemMaxUse, and overrides {path}."]


def test_a_file_that_can_not_be_written_does_not_stop_the_other(path: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(full)], check=True)
    try:
        (full / "all").write_bytes(bytes(4096))
        docker = {**dict.fromkeys(DOCKER_SPEC), "path": str(full / "daemon.json"), "max_size": "10m"}
        with pytest.raises(Day2Error) as caught:
            retain(docker=docker, journald=asked(path, system_max_use="1G"))
        (problem,) = caught.value.details["problems"]
        assert problem["path"] == str(full / "daemon.json")
        assert "No space left" in problem["problem"]
        assert [one.name for one in full.iterdir()] == ["all"]
    finally:
        subprocess.run(["umount", str(full)], check=True)
    assert "SystemMaxUse=1G" in path.read_text()
