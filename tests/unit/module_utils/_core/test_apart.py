# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers that answer questions, and can be left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.apart import Nursery, Tell, Worker
from tests.services.waiting import PATIENCE, children, has_ended, wait_for

PATIENT = PATIENCE


def answer(question: Any, tell: Tell) -> Any:
    kind, value = question
    if kind == "tell":
        for one in value:
            tell(one)
    elif kind == "sleep":
        time.sleep(value)
    elif kind == "mark":
        wait_for((value / "go").exists)
        (value / f"by {os.getpid()}").touch()
    elif kind == "spin":
        end = time.process_time() + value
        while time.process_time() < end:
            pass
    elif kind == "open":
        return sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")[:-1])
    elif kind == "signals":
        return [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM)]
    elif kind == "session":
        return os.getsid(0)
    return value


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    one = Nursery(answer)
    yield one
    one.close()


def asked(worker: Worker, kind: str, value: Any = None) -> list[Any]:
    """What it tells, and what it answers."""
    worker.ask((kind, value), PATIENT)
    said, done = [], False
    while not done:
        done, one = worker.receive(lambda: PATIENT)
        said.append(one)
    return said


def ends(pid: int) -> bool:
    """Is the process gone, soon?"""
    return wait_for(lambda: has_ended(pid))


def test_questions_and_answers(nursery: Nursery) -> None:
    worker = nursery.take()
    assert asked(worker, "tell", [1, "two", None]) == [1, "two", None, [1, "two", None]]
    large = b"x" * (3 << 20)  # more than a socket holds
    assert asked(worker, "say", large) == [large]
    assert asked(worker, "say", {}) == [{}]
    worker.close()


def test_a_worker_is_used_again_and_nobody_asks_it_meanwhile(nursery: Nursery) -> None:
    first, second = nursery.take(), nursery.take()
    assert first.pid != second.pid
    nursery.give_back(first)
    assert nursery.take() is first
    assert nursery.take().pid not in (first.pid, second.pid)
    assert asked(first, "say", 1) == asked(second, "say", 1) == [1]


def test_an_answer_is_ready_when_it_is(nursery: Nursery, tmp_path: Path) -> None:
    worker = nursery.take()
    assert not worker.ready(0)
    worker.ask(("mark", tmp_path), PATIENT)
    assert not worker.ready(0)
    (tmp_path / "go").touch()
    assert worker.ready(PATIENT)
    assert worker.receive(lambda: PATIENT) == (True, tmp_path)


def test_who_waits_too_long_is_told(nursery: Nursery) -> None:
    worker = nursery.take()
    worker.ask(("sleep", PATIENT), PATIENT)
    with pytest.raises(socket.timeout):
        worker.receive(lambda: 0.01)
    with pytest.raises(socket.timeout):  # nobody reads it
        worker.ask(("say", b"x" * (3 << 20)), 0.01)
    worker.close(kill=True)
    assert ends(worker.pid)


def test_what_it_has_had_of_a_processor(nursery: Nursery) -> None:
    busy, lazy = nursery.take(), nursery.take()
    asked(busy, "spin", 0.2)
    asked(lazy, "sleep", 0.2)
    assert 0.1 < busy.cpu_seconds() < PATIENT
    assert lazy.cpu_seconds() < busy.cpu_seconds() / 2
    busy.close()
    assert ends(busy.pid)
    assert busy.cpu_seconds() == 0


def test_only_who_is_killed_ends_in_the_middle_of_an_answer(nursery: Nursery, tmp_path: Path) -> None:
    left, killed = nursery.take(), nursery.take()
    left.ask(("mark", tmp_path), PATIENT)
    killed.ask(("mark", tmp_path), PATIENT)
    left.close()
    killed.close(kill=True)
    assert ends(killed.pid)
    (tmp_path / "go").touch()
    assert ends(left.pid)
    assert {one.name for one in tmp_path.iterdir()} == {"go", f"by {left.pid}"}


@pytest.mark.parametrize("unread", [False, True])
def test_a_worker_that_died_is_an_error_and_its_number_is_not_killed(nursery: Nursery, unread: bool) -> None:
    worker = nursery.take()
    if unread:  # a question that it leaves resets the connection
        os.kill(worker.pid, signal.SIGSTOP)
        worker.ask(("say", None), PATIENT)
    os.kill(worker.pid, signal.SIGKILL)
    assert ends(worker.pid)
    if not unread:
        with pytest.raises(ConnectionError):
            asked(worker, "say")
    with subprocess.Popen(["sleep", "60"]) as other:  # has the number now
        worker.pid = other.pid
        worker.close(kill=True)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(0.1)
        other.kill()


def test_workers_have_nothing_of_the_task_s(nursery: Nursery, tmp_path: Path) -> None:
    with open(tmp_path / "ours", "w"), socket.create_server(("127.0.0.1", 0)):
        own = Nursery(answer)
        worker = own.take()
        (links,) = asked(worker, "open")
        own.close()
    assert [one for one in links if not one.startswith("socket:")] == ["/dev/null"] * 3
    assert len(links) == 4
    assert asked(nursery.take(), "signals") == [[signal.SIG_DFL] * 4]
    assert asked(nursery.take(), "session")[0] not in (os.getsid(0), worker.pid)


def test_nothing_is_left_of_it_but_who_is_busy() -> None:
    before = children()
    one = Nursery(answer)
    idle, late = one.take(), one.take()
    one.give_back(idle)
    one.close()
    assert children() <= before
    assert ends(idle.pid)
    assert asked(late, "say", 1) == [1]
    one.give_back(late)
    assert ends(late.pid)
    with pytest.raises(OSError, match="allow no more"):
        one.take()
