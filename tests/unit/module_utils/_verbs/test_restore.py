# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    DamagedBackup,
    Day2Error,
    InvalidRequest,
    RepositoryError,
    TargetError,
)


def test_check_run_check_run(run: Any, application: Any) -> None:
    application.fill(5)
    backup = run("backup", source=application.store)["backup"]["id"]
    application.fill(9)
    arguments = {"target": application.store, "on_existing": "replace"}

    predicted = run("restore", check=True, **arguments)
    assert predicted["changed"] is True
    assert application.records() == 9
    done = run("restore", **arguments)
    assert done["changed"] is True
    assert application.records() == 5
    assert done["diff"] == predicted["diff"]
    assert done["targets"] == predicted["targets"]
    assert done["backup"]["id"] == backup
    for check in (True, False):
        again = run("restore", check=check, **arguments)
        assert (again["changed"], again["safety_backup"]) == (False, None)


def test_what_was_replaced_can_be_had_back_and_is_never_the_latest(run: Any, application: Any) -> None:
    application.fill(5)
    run("backup", source=application.store)
    application.fill(9)
    safety = run("restore", target=application.store, on_existing="replace")["safety_backup"]
    assert safety["kind"] == "safety"
    info = run("backup_info", keep={"last": 1})["sets"][0]
    assert info["newest"] != safety["id"]
    assert [one["reasons"] for one in info["backups"] if one["id"] == safety["id"]] == [[]]
    assert run("restore", check=True, target=application.store, on_existing="replace")["changed"] is False
    run("backup", source=application.store, keep={"last": 1})
    assert run("restore", target=application.store, on_existing="replace", backup=safety["id"])["changed"] is True
    assert application.records() == 9


def test_on_existing_fail_is_the_default(run: Any, application: Any) -> None:
    application.fill(5)
    run("backup", source=application.store)
    assert run("restore", target=application.store)["changed"] is False
    application.fill(9)
    for check in (True, False):
        with pytest.raises(TargetError, match=r"exists and differs.*on_existing=replace"):
            run("restore", check=check, target=application.store)
    assert application.records() == 9


def test_a_target_that_is_gone(run: Any, application: Any) -> None:
    application.fill(5)
    run("backup", source=application.store)
    shutil.rmtree(application.path.parent)
    with pytest.raises(Day2Error, match="application"):
        run("restore", target=application.store)
    application.path.parent.mkdir()
    done = run("restore", target=application.store)
    assert (done["changed"], done["safety_backup"]) == (True, None)
    assert application.records() == 5


def test_latest_id_path_and_moment(run: Any, application: Any, tmp_path: Path) -> None:
    made = []
    for number in (1, 2, 3):
        application.fill(number)
        made.append(run("backup", source=application.store)["backup"])
        time.sleep(0.01)
    arguments = {"target": application.store, "on_existing": "replace", "safety_backup": False}
    run("restore", backup=made[0]["id"], **arguments)
    assert application.records() == 1
    run("restore", at=made[1]["created"], **arguments)
    assert application.records() == 2
    run("restore", **arguments)
    assert application.records() == 3
    elsewhere = tmp_path / "usb" / "stick" / made[0]["id"]
    shutil.copytree(made[0]["path"], elsewhere)
    run("restore", backup=str(elsewhere), **arguments)
    assert application.records() == 1
    with pytest.raises(RepositoryError, match="no good backup from 2001"):
        run("restore", at="2001-01-01", **arguments)
    with pytest.raises(RepositoryError, match=f"no backup 20010101T000000Z-00000000.*{made[2]['id']}"):
        run("restore", backup="20010101T000000Z-00000000", **arguments)
    for backup in (made[0]["id"], made[0]["path"], "s3://bucket/app/20010101T000000Z-00000000"):
        for name, value in (("at", "2001-01-01"), ("tags", ["x"])):
            with pytest.raises(InvalidRequest, match=f"{name} and backup are mutually exclusive"):
                run("restore", backup=backup, **{name: value}, **arguments)
    for backup in (str(tmp_path), "s3://bucket/app/latest", "s3://bucket/.app/20010101T000000Z-00000000"):
        with pytest.raises(RepositoryError, match="not a backup"):
            run("restore", backup=backup, **arguments)
    with pytest.raises(RepositoryError, match="no good backup"):
        run("restore", name="other", **arguments)
    assert not (tmp_path / "backups" / "other").exists()


def test_another_type_is_migrates_work(run: Any, application: Any, tmp_path: Path) -> None:
    application.fill(1)
    run("backup", source=application.store)
    other = "json" if application.kind != "json" else "sqlite"
    with pytest.raises(InvalidRequest, match="migrate"):
        run("restore", target={"type": other, "path": str(tmp_path / "new")})


def test_a_missing_data_file(run: Any, application: Any) -> None:
    application.fill(5)
    backup = run("backup", source=application.store)["backup"]
    next(one for one in Path(backup["path"], "data").iterdir()).unlink()
    application.fill(9)
    for wanted in ("latest", backup["id"], backup["path"]):
        with pytest.raises(RepositoryError):
            run("restore", target=application.store, on_existing="replace", backup=wanted)
    assert application.records() == 9


def test_several_targets_are_restored_together_or_not_at_all(run: Any, tmp_path: Path) -> None:
    first, second = tmp_path / "one" / "a.json", tmp_path / "two" / "b.json"
    for path in (first, second):
        path.parent.mkdir()
        path.write_text('{"old": {}}')
    stores = [{"type": "json", "path": str(path), "name": path.stem} for path in (first, second)]
    run("backup", sources=stores)
    for path in (first, second):
        path.write_text('{"new": {"x": 1}}')
    # the second can't be replaced: a directory that root may not write either
    os.system(f"chattr +i {second.parent} 2>/dev/null")
    try:
        with pytest.raises(Day2Error):
            run("restore", targets=stores, on_existing="replace")
    finally:
        os.system(f"chattr -i {second.parent} 2>/dev/null")
    assert first.read_text() == second.read_text() == '{"new": {"x": 1}}'
    assert run("restore", targets=stores, on_existing="replace")["changed"] is True
    assert first.read_text() == second.read_text() == '{"old": {}}'
    # one of them, by its name
    first.write_text("{}")
    done = run("restore", target=stores[0], on_existing="replace")
    assert [one["name"] for one in done["targets"]] == ["a"]
    with pytest.raises(InvalidRequest, match="no part c"):
        run("restore", target={"type": "json", "path": str(first), "name": "c"}, on_existing="replace")


def test_what_can_be_put_back_is_put_back(run: Any, tmp_path: Path) -> None:
    """The last store can't be replaced, and the one before it can't be put back."""
    first, second, last = paths = [tmp_path / name for name in ("first.json", "second.txt", "last.txt")]

    def program(path: Path, times: str) -> dict[str, Any]:
        """A store whose restore works only at these times."""
        load = f"echo >> {path}.times; case $(wc -l < {path}.times) in {times}) cat > {path};; *) exit 9;; esac"
        return {"type": "command", "name": path.stem, "dump": ["cat", str(path)], "restore": ["sh", "-c", load]}

    stores = [{"type": "json", "path": str(first), "name": "first"}, program(second, "1"), program(last, "2|4")]
    for path in paths:
        path.write_text('{"old": {}}')
    run("backup", sources=stores)
    for path in paths:
        path.write_text('{"new": {}}')
    with pytest.raises(TargetError) as caught:
        run("restore", targets=stores, on_existing="replace")
    assert [path.read_text()[2:5] for path in paths] == ["new", "old", "new"]
    told = str(caught.value)
    assert re.search(r"exit status 9.* former content of the target was put back\. ", told), told
    assert re.search(r"sh .*could not be put back: .*exit status 9.* The former data is in the safety backup \d+", told)
    first.write_text('{"new": {}}')
    with pytest.raises(TargetError, match="exit status 9") as caught:
        run("restore", targets=[stores[0], stores[2]], on_existing="replace")
    assert [path.read_text()[2:5] for path in paths] == ["new", "old", "new"]
    assert "former data" not in str(caught.value)


def test_only_some_collections(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "app.json"
    path.write_text('{"templates": {"a": 1}, "requests": {"r": 1}}')
    store = {"type": "json", "path": str(path)}
    run("backup", source=store)
    path.write_text('{"templates": {},  "requests": {"r": 2}}')
    arguments = {"target": store, "only": ["templates"], "on_existing": "replace"}
    assert run("restore", check=True, **arguments)["changed"] is True
    run("restore", **arguments)
    assert path.read_text() == '{"templates": {"a": 1},  "requests": {"r": 2}}'
    assert run("restore", **arguments)["changed"] is False
    with pytest.raises(InvalidRequest, match="machines"):
        run("restore", **dict(arguments, only=["machines"]))


@pytest.mark.parametrize("application", ["json", "sqlite"], indirect=True)
@pytest.mark.parametrize("check", [True, False])
def test_what_is_too_damaged_to_be_backed_up_stops_the_restore_also_in_check_mode(
    run: Any, application: Any, check: bool
) -> None:
    wrecked = b'{"requests": '
    application.fill(5)
    run("backup", source=application.store)
    for side in ("-wal", "-shm"):
        application.path.with_name(application.path.name + side).unlink(missing_ok=True)
    application.path.write_bytes(wrecked)
    with pytest.raises(TargetError, match="safety_backup=false"):
        run("restore", target=application.store, on_existing="replace", check=check)
    assert application.path.read_bytes() == wrecked
    run("restore", target=application.store, on_existing="replace", safety_backup=False)
    assert application.records() == 5


def test_a_directory_too_damaged_to_be_backed_up(run: Any, tmp_path: Path) -> None:
    store = {"type": "json", "path": str(tmp_path / "db"), "layout": "file_per_collection"}
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "requests.json").write_text('{"a": {"x": 1}}')
    run("backup", source=store)
    (tmp_path / "db" / "requests.json").write_text('{"a": ')
    with pytest.raises(TargetError, match="requests.*safety_backup=false"):
        run("restore", target=store, on_existing="replace", check=True)
    run("restore", target=store, on_existing="replace", safety_backup=False)
    assert (tmp_path / "db" / "requests.json").read_text() == '{"a": {"x": 1}}'


def test_a_repository_inside_the_target(run: Any, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_text("x")
    run("backup", source={"type": "files", "path": str(tmp_path / "tree")})
    with pytest.raises(InvalidRequest, match="is inside"):
        run("restore", target={"type": "files", "path": str(tmp_path)}, on_existing="replace")


def test_damage_is_listed_file_by_file(run: Any, application: Any) -> None:
    application.fill(5)
    backup = run("backup", source=application.store)["backup"]
    damaged = []
    for path in sorted(Path(backup["path"], "data").iterdir()):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        damaged.append(f"data/{path.name}")
    application.fill(9)
    with pytest.raises(DamagedBackup):
        run("restore", target=application.store, on_existing="replace", backup=backup["id"])
    assert application.records() == 9
    info = run("backup_info", verify="full")
    assert sorted(one["path"] for one in info["problems"]) == damaged
    # what full verification found is remembered by everybody
    with pytest.raises(RepositoryError, match="no good backup"):
        run("restore", target=application.store, on_existing="replace")


def test_the_difference_of_collections(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "app.json"
    path.write_text('{"fewer": {"x": 1}, "gone": {"y": 1}}')
    store = {"type": "json", "path": str(path)}
    made = run("backup", source=store)["backup"]["id"]
    path.write_text('{"fewer": {"x": 1, "z": 2}}')
    assert run("restore", check=True, target=store, on_existing="replace")["diff"] == {
        "before_header": "now",
        "after_header": f"backup {made}",
        "before": "app.json fewer: 2\n",
        "after": "app.json fewer: 1\napp.json gone: 1\n",
    }
    path.unlink()
    diff = run("restore", target=store)["diff"]
    assert (diff["before"], diff["after"]) == ("", "app.json fewer: 1\napp.json gone: 1\n")


def test_the_difference_of_files(run: Any, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("same", "changed", "lost"):
        (tree / name).write_text(name)
    store = {"type": "files", "path": str(tree)}
    run("backup", source=store)
    (tree / "changed").write_text("other")
    (tree / "lost").rename(tree / "new")
    diff = run("restore", check=True, target=store, on_existing="replace")["diff"]
    assert diff["before"].splitlines()[-2:] == ["tree changed", "tree new"]
    assert diff["after"].splitlines()[-2:] == ["tree changed (from the backup)", "tree lost"]
