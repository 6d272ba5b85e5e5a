# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores with programs of their own; here a file, `cat` and shell scripts."""

from __future__ import annotations

import hashlib
import os
import resource
import shlex
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    DamagedBackup,
    Day2Error,
    InvalidRequest,
    NoSpace,
    SourceError,
    TargetError,
    Unreachable,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.command import store as command_store
from ansible_collections.day2.ops.plugins.module_utils._stores.registry import open_store
from tests.services.waiting import has_ended, wait_for

NewSink = Callable[[], Any]
CopyOf = Callable[[Any, Any], Any]

SHELL = ["sh", "-c"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_text("-- at 10:00\none\n")
    return path


def store(data: Path, **more: Any) -> Any:
    options = {"dump": ["cat", str(data)], "restore": [*SHELL, f'cat > "{data}"'], **more}
    return open_store({"type": "command", "path": None, "name": None, **options})


def test_the_dump_is_the_backup(data: Path, new_sink: NewSink, copy_of: CopyOf) -> None:
    sink = new_sink()
    snapshot = store(data).snapshot(sink)
    copy = copy_of(sink, snapshot)
    assert copy.names() == ["dump"]
    with copy.open("dump") as reader:
        assert reader.read(100) == data.read_bytes()
    assert (snapshot.collections, snapshot.details, snapshot.fingerprint) == ((), {"bytes": 16}, None)


def test_its_path_says_what_is_dumped_and_not_how(data: Path) -> None:
    assert (
        store(data, dump=["/usr/bin/mariadb-dump", "--opt", "-psecret", "wiki"]).path == "command://mariadb-dump/wiki"
    )
    assert store(data, dump=["redis-cli", "--rdb", "-"]).path == "command://redis-cli"
    assert store(data, dump=["cat", "/a b"]).path == "command://cat/%2Fa%20b"


def test_lines_to_ignore_are_kept_and_make_no_difference(data: Path, new_sink: NewSink) -> None:
    before = store(data, ignore=["-- at *"]).snapshot(new_sink()).content_digest
    for text, same in (("-- at 11:00\none\n", True), ("-- at 11:00\ntwo\n", False), ("-- AT 11:00\none\n", False)):
        data.write_text(text)
        assert (store(data, ignore=["-- at *"]).snapshot(new_sink()).content_digest == before) is same
    data.write_bytes("-- ät 1\n".encode() + b"x" * 3_000_000 + b"\none")
    digest = store(data, ignore=["-- ä*"]).snapshot(new_sink()).content_digest
    data.write_bytes(b"x" * 3_000_000 + b"\none")
    assert store(data).snapshot(new_sink()).content_digest == digest


@pytest.mark.parametrize(
    ("dump", "message"),
    [
        ([*SHELL, "echo part; echo no >&2; exit 3"], r"^sh failed with exit status 3: no\. Run it by hand"),
        ([*SHELL, "echo part; kill -9 $$"], r"^sh was ended by SIGKILL\."),
        (["true"], r"^true printed 0 bytes, less than min_bytes=1\."),
        (["/no/such/program"], r"^/no/such/program can't be run: No such file or directory\."),
        (["a\0b"], "can't be run: embedded null byte"),
        ([*SHELL, "head -c 5000000 /dev/zero | tr '\\0' n >&2; exit 1"], r"exit status 1: n{4096}\."),
    ],
)
def test_a_program_that_fails_makes_no_backup(data: Path, dump: list[str], message: str, new_sink: NewSink) -> None:
    with pytest.raises(SourceError, match=message):
        store(data, dump=dump).snapshot(new_sink())


def test_a_dump_that_is_too_small_or_too_slow_makes_no_backup(data: Path, new_sink: NewSink) -> None:
    with pytest.raises(SourceError, match="cat printed 16 bytes, less than min_bytes=1024"):
        store(data, min_bytes="1K").snapshot(new_sink())
    with pytest.raises(SourceError, match="sh did not end within 200ms, and was ended"):
        store(data, dump=[*SHELL, "echo part; sleep 600"], timeout="200ms").snapshot(new_sink())
    with pytest.raises(SourceError, match="sh did not end within 200ms, and was ended"):
        store(data, dump=[*SHELL, "echo part; exec >&-; sleep 600"], timeout="200ms").snapshot(new_sink())
    with pytest.raises(SourceError, match="sh did not end within 200ms, and was ended"):
        store(data, dump=[*SHELL, "while :; do echo; sleep 0.02; done"], timeout="200ms").snapshot(new_sink())


@pytest.mark.parametrize("end", ["wait", "exit 3"], ids=["too slow", "failed"])
def test_no_child_of_a_program_that_failed_survives(data: Path, new_sink: NewSink, tmp_path: Path, end: str) -> None:
    """Not even one that ignores SIGTERM: it could write to the store while the former content is loaded."""
    child = f"trap '' TERM; echo $$ > {tmp_path}/pid; exec >&- 2>&-; while :; do sleep 0.05; done"
    leader = f"sh -c {shlex.quote(child)} & while [ ! -s {tmp_path}/pid ]; do sleep 0.02; done; {end}"
    with pytest.raises(SourceError, match="did not end within 5s|exit status 3"):
        store(data, dump=[*SHELL, leader], timeout="5s").snapshot(new_sink())
    wait_for(lambda: has_ended(int((tmp_path / "pid").read_text())))  # never by itself


def test_what_a_program_that_ended_well_has_started_goes_on(data: Path, new_sink: NewSink, tmp_path: Path) -> None:
    later = f"(exec >&- 2>&-; sleep 0.3; echo yes > {tmp_path}/started) & cat {data}"
    store(data, dump=[*SHELL, later]).snapshot(new_sink())
    wait_for((tmp_path / "started").exists)


def test_variables_replace_those_of_the_task(data: Path, new_sink: NewSink) -> None:
    asked = store(data, dump=[*SHELL, "echo $LC_ALL"], environment={"LC_ALL": "C.UTF-8"})
    assert asked.snapshot(new_sink()).details == {"bytes": 8}


def test_a_line_that_is_very_long_is_not_kept(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_store, "_LONGEST_LINE", 4)
    for text in (b"abcdefgh\nab\nx", b"ab\nabcdefgh\nx", b"x\nab\nabcdefgh"):
        lines = command_store._Lines(["ab*"])
        for start in range(0, len(text), 3):
            lines.update(text[start : start + 3])
        kept = text.replace(b"ab\n", b"", 1)
        assert lines.hexdigest() == hashlib.sha256(kept).hexdigest(), text


def test_what_verifies_gets_the_dump_and_decides(data: Path, new_sink: NewSink) -> None:
    assert store(data, verify=["grep", "-q", "one"]).snapshot(new_sink()).details == {"bytes": 16}
    with pytest.raises(SourceError, match=r"The dump is not usable: sh failed with exit status 4: cut\."):
        store(data, verify=[*SHELL, "cat > /dev/null; echo cut >&2; exit 4"]).snapshot(new_sink())
    data.write_bytes(b"x" * 5_000_000)
    with pytest.raises(SourceError, match=r"The dump is not usable: false failed with exit status 1\."):
        store(data, verify=["false"]).snapshot(new_sink())


def test_secrets_reach_the_program_by_its_environment_or_its_input(data: Path, new_sink: NewSink) -> None:
    asked = store(data, dump=[*SHELL, "read line; echo $line $SECRET"], stdin="word\n", environment={"SECRET": "s"})
    assert asked.snapshot(new_sink()).details == {"bytes": 7}
    assert "word" not in str(asked.parameters())
    with pytest.raises(SourceError, match="can't be run: stdin is too long"):
        store(data, stdin="x" * 2_000_000).snapshot(new_sink())


def test_the_fingerprint_is_what_its_program_prints(data: Path, new_sink: NewSink, tmp_path: Path) -> None:
    position = tmp_path / "position"
    position.write_text("7")
    asked = store(data, fingerprint=["cat", str(position)])
    first = asked.fingerprint()
    assert asked.snapshot(new_sink()).fingerprint == first is not None
    position.write_text("8")
    assert asked.fingerprint() not in (first, None)
    moving = store(data, fingerprint=[*SHELL, f'echo >> "{position}"; cat "{position}"'])
    assert moving.snapshot(new_sink()).fingerprint is None, "it changed while the dump was made"
    position.write_text("")
    assert store(data, fingerprint=["cat", str(position)]).fingerprint() is None, "nothing is no fingerprint"
    with pytest.raises(SourceError, match="false failed"):
        store(data, fingerprint=["false"]).fingerprint()
    with pytest.raises(SourceError, match="more than 1 MiB as a fingerprint"):
        store(data, fingerprint=["yes"]).fingerprint()


def test_a_restore_loads_what_differs(data: Path, new_sink: NewSink, copy_of: CopyOf) -> None:
    sink = new_sink()
    copy = copy_of(sink, store(data).snapshot(sink))
    with store(data).prepare(copy, (), new_sink().scratch, False) as same:
        assert (same.changed, same.changes) == (False, ())
    data.write_text("other")
    with store(data).prepare(copy, (), new_sink().scratch, True) as dry:
        assert (dry.changed, dry.changes) == (True, (("bytes", 5, 16),))
    assert data.read_text() == "other"
    with store(data).prepare(copy, (), new_sink().scratch, False) as restoration:
        restoration.apply()
        assert data.read_text() == "-- at 10:00\none\n"
        assert [note for note in restoration.notes if "as swap is not set" in note] == list(restoration.notes)
        restoration.undo()
    assert data.read_text() == "other"


def test_a_restore_that_fails_puts_the_old_content_back(data: Path, new_sink: NewSink, copy_of: CopyOf) -> None:
    sink = new_sink()
    copy = copy_of(sink, store(data).snapshot(sink))
    data.write_text("other")
    for script, message in (
        (
            "cat > FILE; grep -q other FILE",
            "sh failed with exit status 1. The former content of the target was put back.",
        ),
        (
            "cat > FILE; exit 2",
            "exit status 2. The target may hold a part of the backup, and its former content could not ",
        ),
    ):
        failing = store(data, restore=[*SHELL, script.replace("FILE", f'"{data}"')])
        with failing.prepare(copy, (), new_sink().scratch, False) as restoration, pytest.raises(TargetError) as caught:
            restoration.apply()
        assert message in caught.value.message
        assert data.read_text() in ("other", "-- at 10:00\none\n")
        data.write_text("other")


def test_a_target_that_can_not_be_dumped_is_not_taken_for_an_empty_one(
    data: Path, new_sink: NewSink, copy_of: CopyOf
) -> None:
    sink = new_sink()
    copy = copy_of(sink, store(data).snapshot(sink))
    broken = store(data, dump=["cat", "/no/such/file"])
    assert broken.exists()
    with broken.prepare(copy, (), new_sink().scratch, False) as restoration:
        assert restoration.changed
        assert "cat failed with exit status 1" in restoration.damage
        restoration.apply()
        assert any("could not be compared" in note for note in restoration.notes)
        with pytest.raises(TargetError, match="can't be put back"):
            restoration.undo()


def test_what_is_prepared_is_swapped_or_discarded(
    data: Path, new_sink: NewSink, copy_of: CopyOf, tmp_path: Path
) -> None:
    sink = new_sink()
    copy = copy_of(sink, store(data).snapshot(sink))
    data.write_text("other")
    new = tmp_path / "new"
    swapping = store(
        data, restore=[*SHELL, f'cat > "{new}"'], swap=["mv", str(new), str(data)], discard=["rm", str(new)]
    )
    with swapping.prepare(copy, (), new_sink().scratch, True):
        assert not new.exists()
    with swapping.prepare(copy, (), new_sink().scratch, False) as restoration:
        assert not new.exists(), "the restore may be refused"
        restoration.build()
        assert (new.exists(), data.read_text()) == (True, "other")
    assert not new.exists()
    with swapping.prepare(copy, (), new_sink().scratch, False) as restoration:
        restoration.build()
        restoration.apply()
        assert (data.read_text(), restoration.notes) == ("-- at 10:00\none\n", ())
        restoration.undo()
    assert (new.exists(), data.read_text()) == (False, "other")


def test_what_was_not_prepared_to_its_end_is_discarded(
    data: Path, new_sink: NewSink, copy_of: CopyOf, tmp_path: Path
) -> None:
    sink = new_sink()
    copy = copy_of(sink, store(data).snapshot(sink))
    data.write_text("other")
    new = tmp_path / "new"
    failing = store(data, restore=[*SHELL, f'cat > "{new}"; exit 3'], swap=["true"], discard=["rm", str(new)])
    with (
        pytest.raises(TargetError, match="exit status 3"),
        failing.prepare(copy, (), new_sink().scratch, False) as restoration,
    ):
        restoration.build()
    assert not new.exists()
    failing = store(data, restore=[*SHELL, "exit 3"], swap=["true"], discard=[*SHELL, "exit 4"])
    with (
        pytest.raises(TargetError, match=r"exit status 3\. sh failed with exit status 4"),
        failing.prepare(copy, (), new_sink().scratch, False) as restoration,
    ):
        restoration.build()


def test_what_is_loaded_is_what_was_verified_and_not_read_again(
    data: Path, new_sink: NewSink, copy_of: CopyOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = new_sink()
    copy = copy_of(sink, store(data).snapshot(sink))
    saved = data.read_text()
    data.write_text("other")

    def unreachable(_name: str) -> Any:
        raise Unreachable("The repository does not answer.")

    with store(data, restore=[*SHELL, f'> "{data}"; cat > "{data}"']).prepare(
        copy, (), new_sink().scratch, False
    ) as restoration:
        monkeypatch.setattr(copy, "open", unreachable)
        restoration.apply()
    assert data.read_text() == saved


def test_the_copy_of_the_target_is_whole_or_nothing_is_loaded(data: Path, new_sink: NewSink, copy_of: CopyOf) -> None:
    sink = new_sink()
    copy = copy_of(sink, store(data).snapshot(sink))
    data.write_bytes(b"x" * 100_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (99_000, before[1]))  # as a full disk: a part of the block is written
    try:
        with pytest.raises(NoSpace, match="Can't keep a copy of the target"):
            store(data).prepare(copy, (), new_sink().scratch, False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_lines_to_ignore_are_those_of_the_target(data: Path, new_sink: NewSink, copy_of: CopyOf) -> None:
    sink = new_sink()
    copy = copy_of(sink, store(data).snapshot(sink))
    data.write_text("-- at 11:00\none\n")
    with store(data, ignore=["-- at *"]).prepare(copy, (), new_sink().scratch, True) as restoration:
        assert not restoration.changed


def test_a_restore_that_prints_something_else_is_said(data: Path, new_sink: NewSink, copy_of: CopyOf) -> None:
    sink = new_sink()
    copy = copy_of(sink, store(data).snapshot(sink))
    data.write_text("other")
    halves = store(data, restore=[*SHELL, f'head -c 3 > "{data}"; cat > /dev/null'])
    with halves.prepare(copy, (), new_sink().scratch, False) as restoration:
        restoration.apply()
        assert any("prints something else than the backup contains" in note for note in restoration.notes)


def test_nothing_of_a_damaged_backup_becomes_the_target(data: Path, new_sink: NewSink, copy_of: CopyOf) -> None:
    data.write_bytes(os.urandom(3_000_000))
    sink = new_sink()
    copy = copy_of(sink, store(data).snapshot(sink))
    data.write_text("other")
    with pytest.raises(TargetError, match="The dump is not usable: false"):
        store(data, verify=["false"]).prepare(copy, (), new_sink().scratch, False)
    copy.damage("dump")
    with pytest.raises(DamagedBackup):
        store(data).prepare(copy, (), new_sink().scratch, False)
    assert data.read_text() == "other"


def test_an_import_is_verified_like_a_dump(data: Path, new_sink: NewSink) -> None:
    with data.open("rb") as reader:
        assert store(data, verify=["grep", "-q", "one"]).convert(reader, "wiki.sql", new_sink()).details == {
            "bytes": 16
        }
    with data.open("rb") as reader, pytest.raises(SourceError, match="wiki.sql has 16 bytes, less than min_bytes"):
        store(data, min_bytes=17).convert(reader, "wiki.sql", new_sink())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dump": None}, "dump is required"),
        ({"dump": []}, "dump is empty"),
        ({"verify": [""]}, "verify is empty"),
        ({"restore": None, "swap": ["true"]}, "swap and discard require restore"),
        ({"discard": ["true"]}, "discard requires swap"),
        ({"timeout": "long"}, "'long' is not a duration"),
        ({"path": "/x"}, "path is not an option of stores of type command"),
    ],
)
def test_options_that_do_not_fit_are_refused(data: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        store(data, **options)


def test_a_target_needs_its_program_and_is_restored_whole(data: Path, new_sink: NewSink, copy_of: CopyOf) -> None:
    sink = new_sink()
    copy = copy_of(sink, store(data).snapshot(sink))
    for options, only in (({"restore": None}, ()), ({}, ("x",))):
        with pytest.raises(Day2Error, match="restore is required|only is not possible"):
            store(data, **options).prepare(copy, only, new_sink().scratch, False)
