# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of evidence: what is added fits, and what was changed is found."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._evidence import journal
from ansible_collections.day2.ops.plugins.module_utils._evidence.chain import Chain, Fault, verified
from tests.services.manual import script

MARK = "0" * 16


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))


def add(number: int = 1) -> Any:
    return journal.append([{"event": "backup", "set": f"app{one}"} for one in range(number)], "host1", MARK)


def file() -> Path:
    return Path(host_state.evidence(host_state.JOURNAL))


def lines() -> list[bytes]:
    return file().read_bytes().splitlines(keepends=True)


def fault() -> Fault:
    found = journal.read().fault
    assert found is not None
    return found


def test_each_line_has_the_digest_of_the_line_before() -> None:
    assert not file().exists()
    assert journal.read() == Chain([], None, [], b"")
    first, second = add(), add(2)
    assert file().exists()
    chain = journal.read()
    assert (chain.fault, list(chain.notes)) == (None, [])
    assert [one.entry["event"] for one in chain.lines] == ["begun", "backup", "backup", "backup"]
    assert [one.count for one in chain.lines] == [1, 2, 3, 4]
    assert [one.entry["previous"] for one in chain.lines[1:]] == [one.digest for one in chain.lines[:-1]]
    assert (first.count, second.count, second) == (2, 4, chain.head)
    assert (file().stat().st_mode & 0o777, file().parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_digest_by_hand() -> None:
    """As docs/EVIDENCE.md says."""
    add(17)
    command = script("EVIDENCE.md", "sed -n 17p", {"/var/lib/day2/state/evidence/journal.jsonl": str(file())})
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], check=True, capture_output=True, text=True)
    assert done.stdout.split()[0] == journal.read().lines[17].entry["previous"]


def changed(text: list[bytes]) -> list[bytes]:
    return [*text[:2], text[2].replace(b"app1", b"appX"), *text[3:]]


def removed(text: list[bytes]) -> list[bytes]:
    return [*text[:2], *text[3:]]


def swapped(text: list[bytes]) -> list[bytes]:
    return [*text[:2], text[3], text[2], *text[4:]]


def doubled(text: list[bytes]) -> list[bytes]:
    return [*text[:3], *text[2:]]


def spoiled(text: list[bytes]) -> list[bytes]:
    return [*text[:2], b"nonsense\n", *text[3:]]


def respelled(text: list[bytes]) -> list[bytes]:
    return [*text[:2], text[2].replace(b'":', b'": ', 1), *text[3:]]


def beheaded(text: list[bytes]) -> list[bytes]:
    return text[2:]


def spoiled_at_the_end(text: list[bytes]) -> list[bytes]:
    return [*text[:-1], b"nonsense\n"]


@pytest.mark.parametrize(
    ("change", "line", "why"),
    [
        (changed, 3, "Line 4 does not have the digest of line 3"),
        (removed, 3, "Line 4 follows line 2"),
        (swapped, 3, "Line 4 follows line 2"),
        (doubled, 4, "Line 3 follows line 3"),
        (spoiled, 3, "The text before line 4"),
        (respelled, 3, "The text before line 4"),
        (beheaded, 2, "begins with line 3"),
        (spoiled_at_the_end, 5, "The text after line 4"),
    ],
)
def test_what_was_changed_is_found(change: Callable[[list[bytes]], list[bytes]], line: int, why: str) -> None:
    add(4)
    file().write_bytes(b"".join(change(lines())))
    assert (fault().line, why in fault().why) == (line, True), fault()


def test_a_line_of_another_journal_does_not_fit(tmp_path: Path) -> None:
    add(2)
    text = lines()
    other = json.loads(text[2])
    other["journal"] = "f" * 16
    file().write_bytes(b"".join([*text[:2], json.dumps(other, sort_keys=True, separators=(",", ":")).encode() + b"\n"]))
    assert fault() == Fault(3, "Line 3 belongs to another journal.")


@pytest.mark.parametrize("left", [b'{"count":4,"ev', b"\0\0\0", b'{"a":1}'])
def test_a_torn_line_is_recorded_and_told(left: bytes) -> None:
    add(2)
    with file().open("ab") as handle:
        handle.write(left)
    chain = journal.read()
    assert (chain.fault, chain.unended, len(chain.notes)) == (None, left, 1)
    assert add().count == 5
    chain = journal.read()
    assert (chain.fault, chain.unended) == (None, b"")
    assert [one.entry["event"] for one in chain.lines] == ["begun", "backup", "backup", "torn", "backup"]
    assert chain.lines[3].entry["bytes"] == len(left)
    (note,) = chain.notes
    assert "A run was interrupted while it wrote line 4." in note
    assert left in file().read_bytes()
    file().write_bytes(file().read_bytes().replace(left, left + b"x"))
    assert "The text before line 4" in fault().why


def test_a_run_that_was_to_record_a_torn_line_can_be_torn_too() -> None:
    add()
    with file().open("ab") as handle:
        handle.write(b'{"count":3\n{"bytes":1')
    add()
    assert journal.read().fault is None
    assert [one.entry["event"] for one in journal.read().lines] == ["begun", "backup", "torn", "backup"]


def test_the_first_line_can_be_torn() -> None:
    add()
    file().write_bytes(lines()[0][:20])
    add()
    chain = journal.read()
    assert chain.fault is None
    assert [one.entry["event"] for one in chain.lines] == ["begun", "backup"]


def test_only_the_line_break_may_be_missing() -> None:
    add()
    file().write_bytes(file().read_bytes()[:-1])
    assert journal.read().fault is None
    assert len(journal.read().lines) == 2
    add()
    assert [one.entry["event"] for one in journal.read().lines] == ["begun", "backup", "backup"]


def test_a_file_that_is_no_journal() -> None:
    add()
    file().write_bytes(b"text\n")
    assert fault().why == "The beginning of the file is not a line of a journal."


def test_nothing_is_added_to_a_journal_whose_end_was_changed() -> None:
    add()
    file().write_bytes(b"".join(spoiled_at_the_end(lines())))
    before = file().read_bytes()
    with pytest.raises(Day2Error, match="its last line is not a line of a journal"):
        add()
    assert file().read_bytes() == before


def test_what_is_not_a_file_of_ours_is_not_written_to(tmp_path: Path) -> None:
    file().parent.mkdir(parents=True)
    (tmp_path / "elsewhere").touch()
    file().symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Day2Error, match="is a symbolic link"):
        add()
    assert (tmp_path / "elsewhere").read_bytes() == b""


def test_a_full_disk_leaves_no_part_of_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    add()
    before, write = file().read_bytes(), os.write

    def full(fd: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", none)
        return write(fd, data[:10])

    def none(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(Day2Error, match="No space left"):
        add()
    assert file().read_bytes() == before


def test_runs_at_once_add_one_line_after_the_other() -> None:
    threads = [threading.Thread(target=add) for _one in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    chain = journal.read()
    assert (chain.fault, len(chain.lines)) == (None, 9)


def test_an_old_half_is_cut_off_with_a_line_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_LARGEST", 4000)
    heads = [add() for _one in range(60)]
    older = sorted(file().parent.glob("journal-*.jsonl"))
    assert len(older) > 1
    chain = journal.read()
    assert (chain.fault, chain.lines[0].count) == (None, 1)
    assert chain.head == heads[-1]
    assert [one.count for one in chain.lines] == list(range(1, heads[-1].count + 1))
    older[0].unlink()
    chain = journal.read()
    assert (chain.fault, chain.notes) == (None, [])
    assert chain.lines[0].count > 1
    # without the lines that say so
    kept = [one for one in lines() if b'"event":"cut"' not in one]
    assert verified(b"".join(kept)).fault is not None
    content = older[1].read_bytes()
    older[1].write_bytes(content.replace(b"app0", b"appX", 1))
    assert "does not have the digest" in fault().why
    older[2].unlink()
    (note,) = journal.read().notes
    assert note.startswith(f"{older[1]} was not read, as lines ")
