# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verb on real files: each tier, check mode beside the run, and what is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled, Day2Error
from ansible_collections.day2.ops.plugins.module_utils._core.secure_directory import SecureDirectory
from ansible_collections.day2.ops.plugins.module_utils._verbs import retention
from ansible_collections.day2.ops.tests.unit.module_utils._retention.conftest import aged, retain, rule

Tree = Callable[[], dict[str, str]]


def both(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Check mode, then the run; they must agree. A second run must change nothing."""
    predicted = retain(*rules, check=True, **more)
    done = retain(*rules, **more)
    again = retain(*rules, **more)
    for one in (predicted, done, again):
        one.pop("duration_s")
        one.pop("msg")
    assert predicted == done
    assert not again["changed"]
    assert again["entries"] == []
    return done


def failing(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The result of a run that ends with problems."""
    with pytest.raises(Day2Error) as caught:
        retain(*rules, **more)
    for one in caught.value.details["problems"]:
        assert one["path"] in str(caught.value)
    return dict(caught.value.details)


def test_old_files_go(tmp_path: Path, tree: Tree) -> None:
    taken = aged(tmp_path / "logs" / "old.log", 31).stat().st_blocks * 512
    aged(tmp_path / "logs" / "new.log", 29)
    done = both(rule(tmp_path / "logs" / "*.log", {"tier": "remove", "older_than": "30d"}))
    assert list(tree()) == ["logs/new.log"]
    assert [(one["path"], one["why"]) for one in done["entries"]] == [
        (str(tmp_path / "logs" / "old.log"), "31d old, over 30d")
    ]
    assert done["bytes_freed"] == done["entries"][0]["bytes"] == taken
    assert done["kept"] == 1


def test_the_newest_stay(tmp_path: Path, tree: Tree) -> None:
    for number in range(10):
        aged(tmp_path / "runs" / f"run-{number}" / "out", number)
    both(rule(tmp_path / "runs" / "*", {"tier": "remove"}, type="directory", keep={"last": 3}))
    assert sorted(os.listdir(tmp_path / "runs")) == ["run-0", "run-1", "run-2"]


def test_tiers_of_runs(tmp_path: Path, tree: Tree) -> None:
    for days in (1, 10, 40):
        run = tmp_path / "outputs" / f"run-{days}"
        for name in ("audit.log.json", "profile.json", "metrics.csv", "report.html"):
            aged(run / name, days, f"{name} of {days} " * 50)
    archive = tmp_path / "archive"
    tiers = (
        {"tier": "hot"},
        {"tier": "warm", "older_than": "7d", "exclude": ["audit.log.json"], "remove": ["*.csv", "report.html"]},
        {"tier": "cold", "older_than": "30d", "include": ["audit.log.json"], "destination": str(archive)},
    )
    done = both(rule(tmp_path / "outputs" / "*", *tiers, type="directory"))
    assert sorted(tree()) == [
        "archive/run-40/audit.log.json",
        "outputs/run-1/audit.log.json",
        "outputs/run-1/metrics.csv",
        "outputs/run-1/profile.json",
        "outputs/run-1/report.html",
        "outputs/run-10/audit.log.json",
        "outputs/run-10/profile.json.zst",
    ]
    assert tree()["archive/run-40/audit.log.json"] == "audit.log.json of 40 " * 50
    unpacked = subprocess.run(
        ["zstd", "-dc", str(tmp_path / "outputs/run-10/profile.json.zst")], capture_output=True, check=True, text=True
    )
    assert unpacked.stdout == "profile.json of 10 " * 50
    assert {one["tier"]: one["removed"] for one in done["entries"]} == {"cold": 4, "warm": 2}


def test_a_compressed_file_ages_on(tmp_path: Path, tree: Tree) -> None:
    aged(tmp_path / "logs" / "a.log", 10)
    tiers = ({"tier": "warm", "older_than": "7d", "compression": "gzip"}, {"tier": "remove", "older_than": "30d"})
    both(rule(tmp_path / "logs" / "*.log", *tiers))
    assert list(tree()) == ["logs/a.log.gz"]
    then = os.stat(tmp_path / "logs" / "a.log.gz").st_mtime - 25 * 86400
    os.utime(tmp_path / "logs" / "a.log.gz", (then, then))
    both(rule(tmp_path / "logs" / "*.log", *tiers))
    assert list(tree()) == []


def test_size_and_total(tmp_path: Path, tree: Tree) -> None:
    for days in range(1, 6):
        aged(tmp_path / "cache" / f"{days}", days, "x" * 8192)
    both(rule(tmp_path / "cache" / "*", {"tier": "remove", "when_total_above": "20K"}))
    assert list(tree()) == ["cache/1", "cache/2"]
    aged(tmp_path / "cache" / "large", 0, "x" * 20000)
    both(rule(tmp_path / "cache" / "*", {"tier": "remove", "larger_than": "10K"}))
    assert list(tree()) == ["cache/1", "cache/2"]


def test_a_full_disk_is_emptied_oldest_first_until_there_is_room(tmp_path: Path) -> None:
    image, mount = tmp_path / "image", tmp_path / "mount"
    mount.mkdir()
    image.write_bytes(b"")
    os.truncate(image, 16 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(mount)], check=True)
    try:
        for days in range(1, 15):
            aged(mount / "cache" / f"{days:02d}", days, "x" * (1 << 20))
        one = rule(mount / "cache" / "*", {"tier": "remove", "when_disk_above": "60%"})
        both(one)
        info = os.statvfs(mount)
        used = info.f_blocks - info.f_bfree
        assert 0.5 < used / (used + info.f_bavail) <= 0.6
        left = sorted(os.listdir(mount / "cache"))
        assert left == [f"{days:02d}" for days in range(1, len(left) + 1)]
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_what_is_open_for_writing_stays(tmp_path: Path, tree: Tree) -> None:
    path = aged(tmp_path / "logs" / "a.log", 10)
    hold = "import sys; f = open(sys.argv[1], 'a'); print('ready', flush=True); sys.stdin.read()"
    one = rule(tmp_path / "logs" / "*", {"tier": "remove"})
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        done = both(one)
        assert not done["changed"]
        assert f"process {holder.pid}" in done["skipped_entries"][0]["why"]
        holder.communicate(b"")
    assert retain(one)["changed"]


def test_what_changed_since_it_was_looked_at_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.day2.ops.plugins.module_utils._verbs import retention

    for name in ("a", "b"):
        aged(tmp_path / "runs" / name / "out", 10)
    perform = retention.perform

    def late(action: Any, *rest: Any) -> Any:
        if action.entry.name == "a":
            (tmp_path / "runs" / "a" / "more").write_text("new")
        return perform(action, *rest)

    monkeypatch.setattr(retention, "perform", late)
    failed = failing(rule(tmp_path / "runs" / "*", {"tier": "remove"}, type="directory"))
    assert sorted(os.listdir(tmp_path / "runs")) == ["a"]
    assert "changed since" in failed["problems"][0]["problem"]
    assert failed["changed"]


def test_what_is_no_file_is_a_problem_and_the_rest_is_done(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    aged(logs / "a.log", 10)
    (logs / "directory").mkdir()
    os.mkfifo(logs / "fifo")
    (logs / "link").symlink_to("/etc/passwd")
    failed = failing(rule(logs / "*", {"tier": "remove"}))
    assert {os.path.basename(one["path"]) for one in failed["problems"]} == {"directory", "fifo"}
    assert [os.path.basename(one["path"]) for one in failed["skipped_entries"]] == ["link"]
    assert sorted(os.listdir(logs)) == ["directory", "fifo", "link"]
    assert os.path.exists("/etc/passwd")


def test_two_rules_for_one_path_are_both_left(tmp_path: Path, tree: Tree) -> None:
    aged(tmp_path / "logs" / "a.log", 10)
    aged(tmp_path / "logs" / "b.txt", 10)
    first = rule(tmp_path / "logs" / "a*", {"tier": "remove"})
    second = rule(tmp_path / "logs" / "*", {"tier": "remove"}, name="other")
    failed = failing(first, second)
    assert [one["path"] for one in failed["problems"]] == [str(tmp_path / "logs" / "a.log")]
    assert list(tree()) == ["logs/a.log"]


def test_a_rule_within_the_directories_of_another(tmp_path: Path, tree: Tree) -> None:
    aged(tmp_path / "runs" / "a" / "x.csv", 10)
    aged(tmp_path / "runs" / "b" / "y.txt", 10)
    first = rule(tmp_path / "runs" / "*", {"tier": "remove"}, type="directory")
    second = rule(tmp_path / "runs" / "*" / "*.csv", {"tier": "remove"}, name="other")
    failing(first, second)
    assert list(tree()) == ["runs/a/x.csv"]


def test_an_archive_is_never_overwritten(tmp_path: Path, tree: Tree) -> None:
    aged(tmp_path / "logs" / "a.log", 10, "mine")
    aged(tmp_path / "archive" / "a.log", 10, "theirs")
    one = rule(tmp_path / "logs" / "*", {"tier": "cold", "destination": str(tmp_path / "archive")})
    failed = failing(one)
    assert "not overwritten" in failed["problems"][0]["problem"]
    assert tree() == {"archive/a.log": "theirs", "logs/a.log": "mine"}
    # what a killed run had put there is taken for done
    (tmp_path / "archive" / "a.log").write_text("mine")
    assert retain(one)["changed"]
    assert tree() == {"archive/a.log": "mine"}


def test_links_are_not_followed_and_not_lost(tmp_path: Path) -> None:
    outside = aged(tmp_path / "outside" / "precious", 10)
    run = tmp_path / "runs" / "a"
    aged(run / "out", 10)
    (run / "link").symlink_to(outside.parent)
    cold = rule(tmp_path / "runs" / "*", {"tier": "cold", "destination": str(tmp_path / "archive")}, type="directory")
    failed = failing(cold)
    assert "link" in failed["problems"][0]["problem"]
    both(rule(tmp_path / "runs" / "*", {"tier": "remove"}, type="directory"))
    assert outside.exists()
    assert not run.exists()


def test_a_directory_of_somebody_else_that_becomes_a_link(tmp_path: Path) -> None:
    """A user who owns the directory above swaps an entry's parent for a link to what only root may remove."""
    precious = aged(tmp_path / "precious" / "a.log", 10)
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    (home / "logs").symlink_to(tmp_path / "precious")
    failed = failing(rule(home / "logs" / "*", {"tier": "remove"}))
    assert "not followed" in failed["problems"][0]["problem"]
    assert precious.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"larger_than": "10 parsecs"}, "is not a size"),
        ({"older_than": "soon"}, "is not a duration"),
        ({"when_disk_above": "180%"}, "is not a percentage"),
        ({"tier": "cold"}, "no destination"),
        ({"tier": "cold", "destination": "archive"}, "neither an absolute path"),
        ({"exclude": ["a"]}, "is not an option of the tier remove"),
        ({"tier": "warm", "exclude": ["a"]}, "files of a directory"),
    ],
)
def test_a_rule_that_is_wrong_does_not_stop_the_others(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    aged(tmp_path / "a" / "x", 10)
    aged(tmp_path / "b" / "x", 10)
    wrong = rule(tmp_path / "a" / "*", {"tier": "remove", **options}, name="wrong")
    failed = failing(wrong, rule(tmp_path / "b" / "*", {"tier": "remove"}))
    assert words in failed["problems"][0]["problem"]
    assert failed["problems"][0]["rule"] == "wrong"
    assert (tmp_path / "a" / "x").exists()
    assert not (tmp_path / "b" / "x").exists()


def test_a_missing_directory(tmp_path: Path) -> None:
    one = rule(tmp_path / "none" / "*", {"tier": "remove"})
    assert "does not exist" in failing(one)["problems"][0]["problem"]
    assert not retain({**one, "missing_ok": True})["changed"]


def test_a_directory_that_can_not_be_looked_at_is_not_missing(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for missing_ok in (False, True):
        one = rule(tmp_path / "loop" / "logs" / "*", {"tier": "remove"}, missing_ok=missing_ok)
        assert "Too many levels of symbolic links" in failing(one)["problems"][0]["problem"]


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_path_that_is_gone_and_a_glob_that_matches_nothing(tmp_path: Path, kind: str) -> None:
    aged(tmp_path / "logs" / "app" / "x.gz", 10)
    for path in ("logs/gone", "logs/app/gone", "logs/app/x" if kind == "directory" else "gone"):
        one = rule(tmp_path / path, {"tier": "remove"}, type=kind)
        assert [problem["path"] for problem in failing(one)["problems"]] == [str(tmp_path / path)]
        assert retain({**one, "missing_ok": True})["warnings"] == []
    for path in ("logs/*/*.txt", "logs/*/none", "l*/none"):
        one = rule(tmp_path / path, {"tier": "remove"}, type=kind)
        assert retain(one)["warnings"] == [f"r: {tmp_path / path} matches nothing (missing_ok)."]
        assert retain({**one, "missing_ok": True})["warnings"] == []
    one = rule(tmp_path / "logs" / "*", {"tier": "remove"}, type="directory", exclude=["app"])
    assert retain(one)["warnings"] == []


def test_a_directory_that_a_glob_reaches_twice(tmp_path: Path, tree: Tree) -> None:
    aged(tmp_path / "apps" / "real" / "x", 10)
    aged(tmp_path / "apps" / "real" / "y", 1)
    (tmp_path / "apps" / "cur").symlink_to("real")
    one = rule(tmp_path / "apps" / "*" / "*", {"tier": "remove", "older_than": "7d"})
    assert [Path(entry["path"]).name for entry in both(one)["entries"]] == ["x"]
    other = rule(tmp_path / "apps" / "real" / "*", {"tier": "remove"}, name="other")
    failed = failing(rule(tmp_path / "apps" / "cur" / "*", {"tier": "remove"}), other)
    assert len(failed["problems"]) == 2
    assert list(tree()) == ["apps/real/y"]


def test_links_that_globs_match_are_passed_over(tmp_path: Path) -> None:
    aged(tmp_path / "runs" / "a" / "x", 10)
    (tmp_path / "runs" / "latest").symlink_to("a")
    os.chmod(tmp_path / "runs", 0o777)
    done = both(rule(tmp_path / "runs" / "*", {"tier": "remove", "older_than": "30d"}, type="directory"))
    assert [one["path"] for one in done["skipped_entries"]] == [str(tmp_path / "runs" / "latest")]
    done = both(rule(tmp_path / "runs" / "*" / "x", {"tier": "remove", "older_than": "30d"}))
    assert [one["path"] for one in done["skipped_entries"]] == [str(tmp_path / "runs" / "latest")]
    assert done["kept"] == 1
    failed = failing(rule(tmp_path / "runs" / "latest", {"tier": "remove"}, type="directory"))
    assert "not a directory" in failed["problems"][0]["problem"]


def test_what_is_said(tmp_path: Path) -> None:
    for days in (1, 10, 20, 40):
        aged(tmp_path / "logs" / f"{days}.log", days)
    tiers = (
        {"tier": "warm", "older_than": "7d", "compression": "gzip"},
        {"tier": "cold", "older_than": "15d", "destination": str(tmp_path / "archive")},
        {"tier": "remove", "older_than": "30d"},
    )
    one = rule(tmp_path / "logs" / "*", *tiers)
    docker = {"path": str(tmp_path / "daemon.json"), "log_driver": "local"}
    docker.update(dict.fromkeys(("max_size", "max_file", "compress")))
    assert retain(one, docker=docker, check=True)["msg"] == (
        "1 entry would be compressed, 1 entry would be archived, 1 entry would be removed, 20.0 KiB would be freed, "
        f"{tmp_path}/daemon.json would be updated; 1 entry kept."
    )
    assert retain(one, docker=docker)["msg"] == (
        f"1 entry compressed, 1 entry archived, 1 entry removed, 20.0 KiB freed, {tmp_path}/daemon.json updated; "
        "1 entry kept."
    )
    assert retain(one, docker=docker)["msg"] == "Nothing to do; 2 entries kept."
    (tmp_path / "daemon.json").unlink()
    assert retain(docker=docker)["msg"] == f"{tmp_path}/daemon.json updated; 0 entries kept."
    os.mkfifo(tmp_path / "logs" / "fifo")
    for check, words in ((True, "Nothing would be changed."), (False, "Nothing was changed.")):
        with pytest.raises(Day2Error, match=words):
            retain(one, check=check)
    aged(tmp_path / "logs" / "50.log", 50)
    for check, words in ((True, "Everything else would be done."), (False, "Everything else was done.")):
        with pytest.raises(Day2Error, match=words):
            retain(one, check=check)


def test_a_destination_inside_of_what_goes_there(tmp_path: Path) -> None:
    aged(tmp_path / "data" / "archive" / "x", 10)
    one = rule(
        tmp_path / "data" / "*", {"tier": "cold", "destination": str(tmp_path / "data" / "archive")}, type="directory"
    )
    assert "inside" in failing(one)["problems"][0]["problem"]


def test_a_clock_set_back(tmp_path: Path, tree: Tree) -> None:
    aged(tmp_path / "logs" / "a.log", -3)
    assert not both(rule(tmp_path / "logs" / "*", {"tier": "remove", "older_than": "1s"}))["changed"]


def test_leftovers_of_a_killed_run_go(tmp_path: Path) -> None:
    for name in ("a.log", ".day2-a.log.zst.0123abcd", ".day2-mine", ".day2-gone.zst.0123abcd", ".day2-a.log.0123abcd"):
        aged(tmp_path / "logs" / name, 1)
    one = rule(tmp_path / "logs" / "*", {"tier": "remove"})
    predicted = retain(one, check=True)
    assert "would be removed" in predicted["warnings"][0]
    done = retain(one)
    # what may be the last copy of something, or another verb's, stays
    assert sorted(os.listdir(tmp_path / "logs")) == [".day2-a.log.0123abcd", ".day2-gone.zst.0123abcd", ".day2-mine"]
    assert "a killed run" in done["warnings"][0]


def test_two_runs_at_once(tmp_path: Path) -> None:
    aged(tmp_path / "logs" / "a.log", 10)
    with SecureDirectory(str(tmp_path / "logs")) as other:
        other.lock(0)
        failed = failing(rule(tmp_path / "logs" / "*", {"tier": "remove"}))
    assert "Another run" in failed["problems"][0]["problem"]
    assert (tmp_path / "logs" / "a.log").exists()


def test_a_locked_directory_is_waited_for_once(tmp_path: Path) -> None:
    for number in range(100):
        aged(tmp_path / "logs" / str(number), 10)
        aged(tmp_path / "other" / str(number), 10)
    began = time.monotonic()
    with SecureDirectory(str(tmp_path / "logs")) as locked:
        locked.lock(0)
        failed = failing(rule(tmp_path / "*" / "*", {"tier": "remove"}), lock_timeout="3s")
    assert time.monotonic() - began < 200  # a hundred times as long as it should otherwise
    assert len(failed["problems"]) == 100
    assert os.listdir(tmp_path / "other") == []


def test_nothing_is_written_in_check_mode(tmp_path: Path) -> None:
    for days in (1, 10, 40):
        aged(tmp_path / "outputs" / f"run-{days}" / "out", days)
    copy = tmp_path.with_name(tmp_path.name + "-copy")
    shutil.copytree(tmp_path, copy)
    tiers = (
        {"tier": "warm", "older_than": "7d"},
        {"tier": "cold", "older_than": "30d", "destination": str(tmp_path / "archive")},
    )
    assert retain(rule(tmp_path / "outputs" / "*", *tiers, type="directory"), check=True)["changed"]
    assert subprocess.run(["diff", "-r", str(tmp_path), str(copy)], check=False).returncode == 0


def test_a_file_system_that_can_not_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aged(tmp_path / "a.log", 9)

    def refused(_path: str) -> os.statvfs_result:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "statvfs", refused)
    with pytest.raises(Day2Error, match=f"Can't stat the file system of {tmp_path}"):
        retain(rule(tmp_path / "*.log", {"tier": "remove", "older_than": "7d"}))
    assert (tmp_path / "a.log").exists()


def test_a_run_that_is_to_stop_goes_on_with_no_other_file(
    tmp_path: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        aged(tmp_path / name, 31)
    calls = []

    def stopped(*more: Any) -> None:
        calls.append(more)
        raise Cancelled("Stopped: it received SIGTERM.")  # which is raised only once

    monkeypatch.setattr(retention, "perform", stopped)
    with pytest.raises(Cancelled):
        retain(rule(tmp_path / "*", {"tier": "remove", "older_than": "30d"}))
    assert len(calls) == 1
    assert list(tree()) == ["a", "b"]


def test_a_run_that_is_stopped_tells_what_it_has_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = aged(tmp_path / "a", 31), aged(tmp_path / "b", 31)
    real = retention.perform

    def stopped(action: Any, *more: Any) -> Any:
        if action.entry.path == str(second):
            raise Cancelled("Stopped: it received SIGTERM.")
        return real(action, *more)

    monkeypatch.setattr(retention, "perform", stopped)
    with pytest.raises(Cancelled) as told:
        retain(rule(tmp_path / "*", {"tier": "remove", "older_than": "30d"}))
    assert not first.exists()
    assert f"It was working on {second}. Before that: 1 entry removed" in str(told.value)
    assert told.value.details["changed"]
    assert [one["path"] for one in told.value.details["entries"]] == [str(first)]
