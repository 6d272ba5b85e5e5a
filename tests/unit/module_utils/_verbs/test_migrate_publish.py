# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A JSON document takes the old one's place whole: with kills and readers at every step, and nobody else's files."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._stores.documents import target as json_records
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import info as migrate_info
from tests.unit.module_utils._verbs.migrations import Store, run

OLD = {"c": {"x": {"id": "x", "n": 0}}, "kept": {"y": {"id": "y"}}}
NEW = {"c": {f"r{n}": {"id": f"r{n}", "n": n} for n in range(5)}}
END = {**NEW, "kept": OLD["kept"]}


class Place:
    def __init__(self, directory: Path) -> None:
        self.directory = directory / "target"
        self.directory.mkdir()
        self.source: Store = {"type": "json", "path": str(directory / "source.json")}
        self.target: Store = {"type": "json", "path": str(self.directory / "doc.json")}
        Path(self.source["path"]).write_text(json.dumps(NEW))

    def fresh(self) -> None:
        for one in self.directory.iterdir():
            one.unlink()
        Path(self.target["path"]).write_text(json.dumps(OLD))

    def content(self) -> Any:
        return json.loads(Path(self.target["path"]).read_text())

    def migrate(self, check: bool = False) -> dict[str, Any]:
        return run(
            check,
            source=self.source,
            target=self.target,
            on_existing="replace",
            safety_backup=False,
            batch_size=2,
            workers=1,
        )

    def look(self) -> None:
        """What readers do: they see one whole document, and leave everything as it is."""
        before = sorted(os.listdir(self.directory))
        assert self.content() in (OLD, END)
        asked = {name: one.get("default") for name, one in migrate_info.ARGUMENTS["argument_spec"].items()}
        for compare in (False, True):
            migrate_info.run(
                {**asked, "source": self.source, "target": self.target, "compare": compare}, False, Progress()
            )
        self.migrate(check=True)
        assert sorted(os.listdir(self.directory)) == before


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@contextmanager
def steps(hook: Callable[[str], None]) -> Iterator[None]:
    """Calls the hook before everything that a migration changes."""
    with pytest.MonkeyPatch.context() as patch:

        def watch(where: Any, name: str) -> None:
            original = getattr(where, name)

            def watched(*args: Any, **named: Any) -> Any:
                hook(name)
                return original(*args, **named)

            patch.setattr(where, name, watched)

        for name in ("rename", "unlink", "fsync"):
            watch(os, name)
        for name in ("keep", "begin", "write", "drop", "delete"):
            watch(json_records.SqliteTarget, name)
        watch(json_records.JsonTarget, "_mark")
        watch(json_records, "write_document")
        yield


def killed_at(place: Place, number: int) -> bool:
    """Run in a process of its own, which ends at this step without another word. Was it still under way?"""
    pid = os.fork()
    if pid == 0:
        left = [number]

        def step(_what: str) -> None:
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)

        try:
            with steps(step):
                place.migrate()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


@pytest.mark.once
def test_killed_at_every_step_it_ends_right_and_leaves_nothing(place: Place) -> None:
    count = 0
    while True:
        place.fresh()
        if not killed_at(place, count):
            break
        assert place.content() in (OLD, END)
        place.migrate()
        assert place.content() == END
        assert os.listdir(place.directory) == ["doc.json"], count
        assert not place.migrate()["changed"]
        count += 1
    assert count > 15
    for first, second in random.Random(count).sample([(a, b) for a in range(count) for b in range(count)], 10):
        place.fresh()
        killed_at(place, first)
        killed_at(place, second)
        place.migrate()
        assert place.content() == END
        assert os.listdir(place.directory) == ["doc.json"], (first, second)


def test_readers_at_every_step_leave_everything_as_it_is(place: Place) -> None:
    place.fresh()
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def read() -> None:
        while True:
            try:
                theirs.recv()
                place.look()
                theirs.send("")
            except EOFError:
                return
            except BaseException as exc:
                theirs.send(f"{type(exc).__name__}: {exc}")

    reader = context.Process(target=read, daemon=True)
    reader.start()
    answers = []

    def step(what: str) -> None:
        ours.send(what)
        answers.append((what, ours.recv()))

    with steps(step):
        assert place.migrate()["changed"]
    reader.kill()
    reader.join()
    assert len(answers) > 15
    assert [one for one in answers if one[1]] == []
    assert place.content() == END


@pytest.mark.parametrize("done", ["removed", "replaced"])
def test_a_new_document_that_is_not_ours_any_more_is_not_published(place: Place, done: str) -> None:
    place.fresh()

    def step(what: str) -> None:
        if what in ("_mark", "rename") and new.exists():
            os.remove(new)
            if done == "replaced":
                new.write_text("[]")

    new = Path(place.directory / ".day2-doc.json.migration.new")
    with steps(step), pytest.raises(Day2Error, match="was to be published, but is missing") as failure:
        place.migrate()
    assert "The target was not changed" in failure.value.hint
    assert place.content() == OLD
    assert place.migrate()["changed"]
    assert place.content() == END
    assert os.listdir(place.directory) == ["doc.json"]


@pytest.mark.parametrize("what", ["written", "replaced", "removed"])
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_document_that_changes_during_the_migration_is_noticed(place: Place, side: str, what: str) -> None:
    place.fresh()
    path = Path((place.source if side == "source" else place.target)["path"])
    content = path.read_text()

    def step(now: str) -> None:
        if now != "write_document":
            return
        if what == "written":
            path.write_text(content + " ")
        elif what == "removed":
            path.unlink()
        else:
            other = path.with_suffix(".other")
            other.write_text(content)
            other.rename(path)

    with steps(step), pytest.raises(Day2Error, match="was written or replaced"):
        place.migrate()
    if what == "removed":
        assert not path.exists()
        path.write_text(content)
    assert place.content() == OLD
    place.migrate()
    assert place.content() == END


def test_a_source_that_was_replaced_is_read_as_it_was_opened(place: Place) -> None:
    """Its parts are read by worker processes, which open nothing."""
    path = Path(place.source["path"])
    with json_records.JsonTarget(str(path), {}, 2) as reader:
        infos = reader.collections()
        path.unlink()
        path.write_text("[")
        assert [record for info in infos for record in reader.read(info)] == list(NEW["c"].values())
        with pytest.raises(Day2Error, match="was written or replaced while it was read"):
            reader.check_unchanged()
