# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gc
import signal
import threading
import time

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.behind import Behind
from tests.services.waiting import PATIENCE, wait_for

LARGE = bytes(1 << 18)


def test_calls_keep_their_order_and_are_done_in_the_end() -> None:
    done: list[int] = []
    behind = Behind()

    def slow(data: bytes) -> None:
        time.sleep(0.002)
        done.append(len(data))

    sizes = [len(LARGE) + 1, len(LARGE) + 2, 3, len(LARGE) + 4, 5]
    for size in sizes:
        behind.call(slow, bytes(size))
    behind.wait()
    assert done == sizes
    behind.close()


def test_large_pieces_are_worked_on_elsewhere_and_only_so_many_wait() -> None:
    behind, may, waiting = Behind(), threading.Event(), 0
    threads = set()

    def held(_data: bytes) -> None:
        threads.add(threading.get_ident())
        may.wait(PATIENCE)

    caller = threading.Thread(target=lambda: [behind.call(held, LARGE) for dummy in range(10)])
    caller.start()
    time.sleep(0.05)
    waiting = len(behind._pending)
    may.set()
    caller.join()
    behind.wait()
    assert waiting <= 3
    assert threads.isdisjoint({threading.get_ident(), caller.ident})


@pytest.mark.parametrize("later", [lambda behind: behind.wait(), lambda behind: behind.call(len, b"")])
def test_what_was_raised_is_raised_later(later: object) -> None:
    def fail(_data: bytes) -> None:
        raise OSError(28, "No space left on device")

    behind = Behind()
    behind.call(fail, LARGE)
    for _again in range(2):
        with pytest.raises(OSError, match="No space left"):
            later(behind)  # type: ignore[operator]
    behind.close()


def test_nothing_is_done_after_a_failure() -> None:
    behind, may, done = Behind(), threading.Event(), []

    def fail(_data: bytes) -> None:
        may.wait(PATIENCE)
        raise OSError(28, "No space left on device")

    behind.call(fail, LARGE)
    behind.call(done.append, LARGE)
    behind.call(done.append, LARGE)
    may.set()
    with pytest.raises(OSError, match="No space left"):
        behind.wait()
    behind.close()
    assert done == []


def test_what_waits_is_not_done_after_the_end() -> None:
    behind, may, done = Behind(), threading.Event(), []

    def held(data: bytes) -> None:
        may.wait(PATIENCE)
        done.append(len(data))

    for more in range(3):
        behind.call(held, LARGE + bytes(more))
    _first, *others = behind._pending

    def release() -> None:
        wait_for(lambda: all(one.cancelled() for one in others))
        may.set()

    threading.Thread(target=release, daemon=True).start()
    behind.close()
    assert done == [len(LARGE)]


def test_a_signal_does_not_end_the_wait_for_the_thread() -> None:
    """What comes after `close` frees what the thread works with."""
    behind, told, done = Behind(), threading.Event(), []

    def work(data: bytes) -> None:
        wait_for(lambda: any(one.cancelled() for one in list(behind._pending)))  # it is being closed
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
        told.wait(PATIENCE)
        time.sleep(0.05)
        done.append(len(data))

    def stop(*_args: object) -> None:
        told.set()
        raise InterruptedError("Stopped")

    before = signal.signal(signal.SIGALRM, stop)
    try:
        for _again in range(2):
            behind.call(work, LARGE)
        with pytest.raises(InterruptedError, match="Stopped"):
            behind.close()
        assert done == [len(LARGE)]
    finally:
        signal.signal(signal.SIGALRM, before)


def test_the_thread_ends_with_the_object() -> None:
    before = set(threading.enumerate())  # those of other tests may end meanwhile
    behind = Behind()
    behind.call(len, LARGE)  # type: ignore[arg-type]
    behind.wait()
    (thread,) = set(threading.enumerate()) - before
    del behind
    gc.collect()
    thread.join(60)
    assert not thread.is_alive()
