# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room for a migration is looked at before anything is written, as far as it is needed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import files
from ansible_collections.day2.ops.plugins.module_utils._core.errors import NoSpace, RepositoryError
from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import open_target
from tests.services.dynamodb import options
from tests.unit.module_utils._verbs.migrations import Store, Stores, four_steps, run

pytestmark = pytest.mark.once

MEGABYTES = 4


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system with little room."""
    directory = tmp_path / "small"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


@pytest.fixture
def source(request: pytest.FixtureRequest, stores: Stores) -> Store:
    """A large collection and a small one."""
    records = {
        "runs": {f"run-{n}": {"id": f"run-{n}", "log": f"{n:064d}" * 20} for n in range(MEGABYTES * 1000)},
        "hosts": {f"host-{n}": {"id": f"host-{n}"} for n in range(20)},
    }
    document = stores("json")
    Path(document["path"]).write_text(json.dumps(records))
    if request.param == "json":
        return document
    # dynoxide does not tell the size of a table
    url = request.getfixturevalue("dynamodb_local_url") if request.param == "dynamodb" else ""
    store = {"type": "dynamodb", **options(url, "space.")} if url else stores(request.param)
    run(source=document, target=store)
    return store


@pytest.mark.parametrize(
    ("source", "target"),
    [("json", "json"), ("sqlite", "json"), ("sqlite", "sqlite"), ("postgresql", "sqlite"), ("dynamodb", "sqlite")],
    indirect=["source"],
)
def test_what_does_not_fit_is_told_before_anything_is_written(source: Store, small: Path, target: str) -> None:
    wanted = {"type": target, "path": str(small / "target")}
    for check in (True, False):
        with pytest.raises(NoSpace, match="Writing to .* needs [0-9]+ bytes in .*Nothing was changed"):
            run(check, source=source, target=wanted)
    assert list(small.iterdir()) == []
    four_steps(source, wanted, only=["hosts"])


@pytest.mark.parametrize("target", ["json", "sqlite"])
def test_who_has_all_records_needs_no_room(stores: Stores, small: Path, target: str) -> None:
    source = stores("json")
    Path(source["path"]).write_text(json.dumps({"hosts": {"host-1": {"id": "host-1"}}}))
    wanted = {"type": target, "path": str(small / "target")}
    run(source=source, target=wanted)
    with pytest.raises(OSError, match="No space left"), open(small / "rest", "wb", buffering=0) as rest:
        while True:
            rest.write(bytes(4096))
    assert not run(source=source, target=wanted)["changed"]
    Path(source["path"]).write_text(json.dumps({"hosts": {"host-2": {"id": "host-2"}}}))
    with pytest.raises(NoSpace):
        run(source=source, target=wanted, on_existing="replace", safety_backup=False)


@pytest.mark.parametrize("source", ["json"], indirect=True)
@pytest.mark.parametrize("target", ["json", "sqlite"])
def test_a_disk_that_fills_up_is_told_with_what_is_committed(
    source: Store, small: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {"type": target, "path": str(small / "target")}
    with monkeypatch.context() as patch:  # somebody else fills it after we have looked
        patch.setattr(files, "need_space", lambda *dummy: None)
        with pytest.raises(NoSpace) as failure:
            run(source=source, target=wanted, batch_size=100)
    assert "Nothing was changed" not in str(failure.value)
    assert "Committed records remain" in failure.value.hint
    with open_target(wanted, {}) as opened:
        assert opened.checkpoints(["runs"])["runs"]["done"] > 0
    subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
    done = run(source=source, target=wanted)
    assert done["migration"]["resumed"] is True


@pytest.mark.parametrize("source", ["json"], indirect=True)
@pytest.mark.parametrize("target", ["json", "sqlite"])
def test_a_safety_backup_that_does_not_fit_is_told_in_check_mode(
    source: Store, stores: Stores, small: Path, target: str
) -> None:
    wanted = stores(target)
    document = json.loads(Path(source["path"]).read_text())
    for run_of in document["runs"].values():
        run_of["log"] = os.urandom(640).hex()
    Path(source["path"]).write_text(json.dumps(document))
    run(source=source, target=wanted)
    before = Path(wanted["path"]).read_bytes()
    del document["runs"]["run-0"]
    Path(source["path"]).write_text(json.dumps(document))
    replace = {"on_existing": "replace", "repository": str(small / "repository")}
    for check in (True, False):
        with pytest.raises(NoSpace):
            run(check, source=source, target=wanted, **replace)
    assert Path(wanted["path"]).read_bytes() == before
    assert run(True, source=source, target=wanted, **replace, safety_backup=False)["changed"] is True


def test_a_repository_that_can_not_be_written_is_refused_in_check_mode(stores: Stores, tmp_path: Path) -> None:
    source = stores("json")
    Path(source["path"]).write_text(json.dumps({"hosts": [{"id": 1}]}))
    (tmp_path / "file").write_text("x")
    for check in (True, False):
        with pytest.raises(RepositoryError, match="is not a directory"):
            run(check, source=source, target=stores("sqlite"), repository=str(tmp_path / "file" / "repository"))


def test_room_is_asked_for_those_records_that_are_written(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = stores("json"), stores("sqlite")
    records = {str(n): {"id": n, "v": "x" * 100} for n in range(100)}
    Path(source["path"]).write_text(json.dumps({"t": dict(list(records.items())[:90])}))
    run(source=source, target=target)
    Path(source["path"]).write_text(json.dumps({"t": records}))
    size = os.path.getsize(source["path"])
    asked: list[int] = []
    monkeypatch.setattr(files, "need_space", lambda path, needed, what: asked.append(needed))
    monkeypatch.setattr(files, "LEAST", 0)
    run(True, source=source, target=target, on_existing="merge", safety_backup=False)
    assert size * 0.05 < asked[0] < size * 0.2  # ten of a hundred
