# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in processes of our own: order, errors, and ends that are not the work's."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled, Day2Error, SourceError
from ansible_collections.day2.ops.plugins.module_utils._core.workers import in_order
from tests.services.waiting import children, has_ended, wait_for

COLLECTIONS = Path(__file__).resolve().parents[4] / ".cache" / "collections"


def numbers(task: int, count: int) -> Iterator[tuple[int, int, bytes]]:
    for number in range(count):
        yield task, number, b"x" * 10_000  # more than a pipe holds, all together


def pid() -> Iterator[int]:
    yield os.getpid()


def failing() -> Iterator[int]:
    yield 1
    raise SourceError("it broke", "mend it", {"key": [1]})


def stopping() -> Iterator[int]:
    yield 1
    raise Cancelled("Stopped: it received SIGTERM.")


def mistaken() -> Iterator[int]:
    yield len(None)  # type: ignore[arg-type]


def dying() -> Iterator[int]:
    yield 1
    os.kill(os.getpid(), signal.SIGKILL)


def quitting() -> Iterator[int]:
    yield 1
    os._exit(0)  # says nothing of its end


@pytest.mark.parametrize("workers", [1, 2, 3, 9])
def test_items_come_in_the_order_of_the_tasks(workers: int) -> None:
    before = children()
    tasks = [functools.partial(numbers, task, 150 if task % 2 else task) for task in range(7)]
    assert list(in_order(tasks, workers)) == [item for task in tasks for item in task()]
    assert children() <= before


def test_the_tasks_run_in_so_many_processes() -> None:
    assert len({*in_order([pid] * 6, 3)} - {os.getpid()}) == 3
    assert {*in_order([pid] * 6, 1)} == {os.getpid()}
    assert list(in_order([pid], 3)) == [os.getpid()]
    assert not [*in_order([], 3)]


def test_an_error_of_a_task_is_raised_here() -> None:
    before = children()
    with pytest.raises(SourceError) as caught:
        list(in_order([pid, failing], 2))
    assert (caught.value.message, caught.value.hint, caught.value.details) == ("it broke", "mend it", {"key": [1]})
    with pytest.raises(RuntimeError, match="has no len"):
        list(in_order([pid, mistaken], 2))
    assert children() <= before


@pytest.mark.parametrize(("end", "words"), [(dying, "was killed by signal 9"), (quitting, "ended unexpectedly")])
def test_a_worker_that_dies_is_an_error(end: Any, words: str) -> None:
    before = children()
    for option, hint in (("workers", "run again, or set workers=1."), ("", "enough memory, and run again.")):
        with pytest.raises(Day2Error, match=words) as caught:
            list(in_order([pid, end, pid], 2, option))
        assert caught.value.hint.endswith(hint)
    assert children() <= before


def test_where_the_system_allows_no_more_processes_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    before, fork, forked = children(), os.fork, 0

    def refusing() -> int:
        nonlocal forked
        forked += 1
        if forked > 2:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return fork()

    monkeypatch.setattr(os, "fork", refusing)
    with pytest.raises(BlockingIOError):
        next(in_order([pid] * 3, 3))
    assert forked == 3
    assert children() <= before


def test_who_does_not_want_the_rest_leaves_no_worker() -> None:
    before = children()
    items = in_order([functools.partial(numbers, task, 1000) for task in range(4)], 2)
    next(items)
    assert len(children() - before) == 2
    items.close()  # type: ignore[attr-defined]
    assert children() <= before


PARENT = """
import functools, sys, time
from ansible_collections.day2.ops.plugins.module_utils._core.workers import in_order
def slow():
    yield "ready"
    time.sleep(600)
for item in in_order([slow, slow], 2):
    print(*open("/proc/self/task/%d/children" % __import__("os").getpid()).read().split(), flush=True)
"""


def test_a_killed_parent_leaves_no_worker() -> None:
    environment = dict(os.environ, PYTHONPATH=str(COLLECTIONS))
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        workers = parent.stdout.readline().split()
        assert len(workers) == 2
        parent.kill()
    wait_for(lambda: all(has_ended(int(worker)) for worker in workers))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_task_that_was_to_stop_is_no_bug(workers: int) -> None:
    with pytest.raises(Cancelled, match="SIGTERM"):
        list(in_order([stopping, stopping], workers))
