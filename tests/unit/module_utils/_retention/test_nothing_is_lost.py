# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways in which content could go without a copy, and refusals that check mode must know of, too."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._core.secure_directory import SecureDirectory
from ansible_collections.day2.ops.plugins.module_utils._retention import actions
from ansible_collections.day2.ops.plugins.module_utils._retention.archive import DirectoryArchive
from ansible_collections.day2.ops.plugins.module_utils._verbs import retention
from ansible_collections.day2.ops.tests.unit.module_utils._retention.conftest import aged, retain, rule


def refused(*rules: dict[str, Any], **more: Any) -> list[dict[str, str]]:
    """The problems of a run, which are those of check mode; nothing was done."""
    problems = []
    for check in (True, False):
        with pytest.raises(Day2Error) as caught:
            retain(*rules, check=check, **more)
        assert not caught.value.details["changed"]
        problems.append(list(caught.value.details["problems"]))
    assert problems[0] == problems[1]
    return problems[1]


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_what_would_be_archived_where_it_is(tmp_path: Path, kind: str) -> None:
    path = aged(tmp_path / "out" / "run" / "x", 40)
    entries = tmp_path / "out" / "*" if kind == "directory" else tmp_path / "out" / "run" / "*"
    refused(rule(entries, {"tier": "cold", "destination": str(entries.parent)}, type=kind))
    (tmp_path / "alias").symlink_to(entries.parent)
    refused(rule(entries, {"tier": "cold", "destination": str(tmp_path / "alias")}, type=kind))
    assert path.exists()


def test_a_file_is_no_copy_of_itself(tmp_path: Path) -> None:
    """Whatever way the same directory is reached, for example through a bind mount."""
    path = aged(tmp_path / "out" / "x", 40)
    (tmp_path / "again").mkdir()
    subprocess.run(["mount", "--bind", str(tmp_path / "out"), str(tmp_path / "again")], check=True)
    try:
        refused(rule(tmp_path / "out" / "*", {"tier": "cold", "destination": str(tmp_path / "again")}))
        with SecureDirectory(str(tmp_path / "out")) as source, pytest.raises(Day2Error, match="same directory"):
            DirectoryArchive(str(tmp_path / "again"), 0).put(source, "x", "x")
    finally:
        subprocess.run(["umount", str(tmp_path / "again")], check=True)
    assert path.exists()


@pytest.mark.parametrize(
    ("paths", "destination", "exclude"),
    [
        ("out/*", "out/archive", "archive"),
        ("out/*", "out/deep/archive", "deep"),
        ("out/*/*", "out/archive", "run"),
        ("out/*/*", "out/run/archive", "archive"),
    ],
)
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_destination_inside_of_the_rules_own_paths(
    tmp_path: Path, kind: str, paths: str, destination: str, exclude: str
) -> None:
    """It would work once: what has been archived would be an entry of the next run."""
    one = rule(
        tmp_path / paths, {"tier": "cold", "destination": str(tmp_path / destination)}, type=kind, keep={"last": 100}
    )
    levels = ["run", "x", "y"][: paths.count("*") + (kind == "directory")]
    path = aged(tmp_path.joinpath("out", *levels), 40)
    assert "inside" in refused(one)[0]["problem"]
    assert path.exists()
    if exclude != "run":
        assert not retain({**one, "exclude": [exclude]})["changed"]


def test_what_is_in_the_archive_is_not_archived_again(tmp_path: Path) -> None:
    path = aged(tmp_path / "d" / "a" / "run" / "x", 40)
    cold = {"tier": "cold", "destination": str(tmp_path / "d" / "archive")}
    one = rule(tmp_path / "d" / "*" / "*", cold, type="directory")
    assert "inside" in refused(one)[0]["problem"]
    assert path.exists()
    # what is archived there is called "a", and excluded
    assert retain({**one, "exclude": ["a"]})["changed"]
    assert not retain({**one, "exclude": ["a"]})["changed"]
    assert not path.exists()


def test_an_entry_without_what_is_to_be_archived_stays(tmp_path: Path) -> None:
    path = aged(tmp_path / "out" / "run" / "audit.log.json", 40)
    archive = str(tmp_path / "archive")
    one = rule(tmp_path / "out" / "*", {"tier": "cold", "destination": archive, "include": ["typo"]}, type="directory")
    assert "include: typo" in refused(one)[0]["problem"]
    assert path.exists()


def test_what_is_opened_after_the_plan_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = aged(tmp_path / "out" / "x", 40)
    aged(tmp_path / "out" / "y", 40)
    apply = retention.apply
    hold = "import sys; f = open(sys.argv[1], 'a'); print('ready', flush=True); sys.stdin.read()"

    def late(*given: Any) -> Any:
        with subprocess.Popen(
            [sys.executable, "-c", hold, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdout is not None
            holder.stdout.readline()
            done = apply(*given)
            holder.communicate(b"")
        return done

    monkeypatch.setattr(retention, "apply", late)
    done = retain(rule(tmp_path / "out" / "*", {"tier": "remove"}))
    assert [one["path"] for one in done["skipped_entries"]] == [str(path)]
    assert os.listdir(tmp_path / "out") == ["x"]


def test_what_is_made_during_the_removal_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aged(tmp_path / "out" / "run" / "x", 40)
    look_again = actions.look_again

    def late(*given: Any) -> Any:
        entry = look_again(*given)
        (tmp_path / "out" / "run" / "new").write_text("new")
        return entry

    monkeypatch.setattr(actions, "look_again", late)
    with pytest.raises(Day2Error, match="not empty"):
        retain(rule(tmp_path / "out" / "*", {"tier": "remove"}, type="directory"))
    assert (tmp_path / "out" / "run" / "new").read_text() == "new"


def test_what_is_written_with_its_time_set_back_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = aged(tmp_path / "out" / "x", 40, "old")
    perform = retention.perform

    def late(*given: Any) -> Any:
        info = path.stat()
        path.write_text("new")
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
        return perform(*given)

    monkeypatch.setattr(retention, "perform", late)
    with pytest.raises(Day2Error, match="changed since"):
        retain(rule(tmp_path / "out" / "*", {"tier": "remove"}))
    assert path.read_text() == "new"


def test_a_whole_tree_with_links_and_empty_directories_goes(tmp_path: Path) -> None:
    run = tmp_path / "out" / "run"
    aged(run / "a" / "b" / "x", 40)
    aged(run / "a" / ".day2-y", 40)
    (run / "c" / "d").mkdir(parents=True)
    (run / "c" / "link").symlink_to("/etc")
    for one in (run / "a", run / "c", run / "c" / "d"):
        os.utime(one, (0, 0))
    assert retain(rule(tmp_path / "out" / "*", {"tier": "remove", "older_than": "1d"}, type="directory"))["changed"]
    assert os.listdir(tmp_path / "out") == []


def test_a_run_with_a_fifo_and_a_socket_goes(tmp_path: Path) -> None:
    run = tmp_path / "out" / "run"
    aged(run / "audit", 40)
    os.mkfifo(run / "fifo")
    os.utime(run / "fifo", (0, 0))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(run / "socket"))
        os.utime(run / "socket", (0, 0))
        remove = rule(tmp_path / "out" / "*", {"tier": "remove", "older_than": "1d"}, type="directory")
        for check in (True, False):
            assert "uses the socket" in retain(remove, check=check)["skipped_entries"][0]["why"]
    cold = {"tier": "cold", "older_than": "1d", "destination": str(tmp_path / "archive")}
    one = rule(tmp_path / "out" / "*", cold, type="directory")
    assert "not a regular file" in refused(one)[0]["problem"]
    assert retain({**one, "tiers": [{**one["tiers"][0], "include": ["audit"]}]})["changed"]
    assert os.listdir(tmp_path / "out") == []
    assert os.listdir(tmp_path / "archive" / "run") == ["audit"]


def test_a_fifo_that_somebody_writes_to_stays(tmp_path: Path) -> None:
    (tmp_path / "out" / "run").mkdir(parents=True)
    os.mkfifo(tmp_path / "out" / "run" / "fifo")
    hold = "import os, sys; os.open(sys.argv[1], os.O_RDWR); print('ready', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(tmp_path / "out" / "run" / "fifo")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        done = retain(rule(tmp_path / "out" / "*", {"tier": "remove"}, type="directory"))
        holder.communicate(b"")
    assert "open for writing" in done["skipped_entries"][0]["why"]
    assert not done["changed"]


def test_hidden_files_of_others_are_archived(tmp_path: Path) -> None:
    aged(tmp_path / "out" / "run" / ".day2-mine", 40, "mine")
    archive = tmp_path / "archive"
    assert retain(rule(tmp_path / "out" / "*", {"tier": "cold", "destination": str(archive)}, type="directory"))
    assert (archive / "run" / ".day2-mine").read_text() == "mine"


def test_a_mount_point_is_left(tmp_path: Path) -> None:
    mount = tmp_path / "out" / "mount"
    mount.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", str(mount)], check=True)
    try:
        path = aged(mount / "x", 40)
        assert "mount point" in refused(rule(mount.parent / "*", {"tier": "remove"}, type="directory"))[0]["problem"]
        assert path.exists()
    finally:
        subprocess.run(["umount", str(mount)], check=True)


@pytest.mark.parametrize("path", ["/*", "//*", "/./*", "/*/"])
def test_the_directories_of_the_system_are_refused(path: str) -> None:
    one = rule(path, {"tier": "remove", "older_than": "9000d"}, type="directory")
    assert "system directories directly below" in refused(one)[0]["problem"]


def test_two_entries_for_one_place_in_an_archive(tmp_path: Path) -> None:
    for name in ("a", "b"):
        aged(tmp_path / name / "x", 40, "same")
    cold = {"tier": "cold", "destination": str(tmp_path / "archive")}
    one = {**rule("", cold), "paths": [str(tmp_path / "a" / "*"), str(tmp_path / "b" / "*")]}
    assert len(refused(one)) == 2
    rules = rule(tmp_path / "a" / "*", cold), rule(tmp_path / "b" / "*", cold, name="other")
    assert len(refused(*rules)) == 2


def test_check_mode_knows_what_lies_in_the_way(tmp_path: Path) -> None:
    aged(tmp_path / "out" / "x.log", 40, "mine" * 1000)
    aged(tmp_path / "archive" / "x.log", 40, "theirs")
    refused(rule(tmp_path / "out" / "*.log", {"tier": "cold", "destination": str(tmp_path / "archive")}))
    aged(tmp_path / "out" / "x.log.gz", 40, "theirs")
    refused(rule(tmp_path / "out" / "*.log", {"tier": "warm", "compression": "gzip"}))


def test_relief_of_a_full_disk_by_the_same_disk(tmp_path: Path) -> None:
    aged(tmp_path / "out" / "x", 40)
    cold = {"tier": "cold", "when_disk_above": "0%", "destination": str(tmp_path / "archive" / "deep")}
    assert "frees nothing" in refused(rule(tmp_path / "out" / "*", cold))[0]["problem"]


def test_an_address_that_is_none_stops_only_its_rule(tmp_path: Path) -> None:
    aged(tmp_path / "out" / "x", 40)
    aged(tmp_path / "cache" / "x", 40)
    s3 = {"endpoint_url": "localhost:9000", "region": "us-east-1"}
    with pytest.raises(Day2Error, match="Invalid endpoint"):
        retain(
            rule(tmp_path / "out" / "*", {"tier": "cold", "destination": "s3://b/p"}),
            rule(tmp_path / "cache" / "*", {"tier": "remove"}, name="cache"),
            s3=s3,
        )
    assert (tmp_path / "out" / "x").exists()
    assert not (tmp_path / "cache" / "x").exists()


def test_docker_refusals_and_odd_characters(tmp_path: Path) -> None:
    docker = {
        "path": str(tmp_path / "none" / "daemon.json"),
        "max_size": "10m",
        "max_file": 3,
        "compress": True,
        "log_driver": None,
    }
    assert "does not exist" in refused(docker=docker)[0]["problem"]
    path = tmp_path / "daemon.json"
    path.write_text('{"labels": ["\\ud800", "ä"]}')
    assert retain(docker={**docker, "path": str(path)})["changed"]
    assert "\\ud800" in path.read_text()
