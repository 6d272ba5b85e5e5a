# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.ahead import ahead, short_turns
from tests.services.waiting import PATIENCE


def running() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("day2-ahead")]


def test_one_item_is_made_while_another_is_worked_on() -> None:
    made: list[int] = []
    second = threading.Event()

    def items() -> Iterator[int]:
        for number in range(3):
            made.append(number)
            if number:
                second.set()
            yield number

    given = ahead(items())
    assert next(given) == 0
    assert second.wait(PATIENCE)
    assert made == [0, 1]
    assert list(given) == [1, 2]
    assert not running()


def test_errors_come_where_the_item_would() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError(5, "Input/output error")

    given = ahead(items())
    assert next(given) == 1
    with pytest.raises(OSError, match="Input/output"):
        next(given)
    assert not running()


def test_once_it_is_closed_nothing_works_on_the_items() -> None:
    ended = []

    def items() -> Iterator[int]:
        try:
            yield 1
            time.sleep(0.05)
            yield 2
        finally:
            ended.append(threading.current_thread())

    source = items()
    given = ahead(source)
    next(given)
    given.close()
    assert not running()
    source.close()  # raises ValueError if it is still executing
    assert ended == [threading.current_thread()]


def test_a_signal_does_not_leave_the_thread_behind() -> None:
    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    def items() -> Iterator[int]:
        yield 1
        signal.raise_signal(signal.SIGALRM)
        time.sleep(0.05)
        yield 2

    before = signal.signal(signal.SIGALRM, stop)
    source = items()
    given = ahead(source)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(given)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not running()
    source.close()


def test_turns_are_short_for_a_block() -> None:
    before = sys.getswitchinterval()
    with pytest.raises(ZeroDivisionError), short_turns():
        assert sys.getswitchinterval() < before
        raise ZeroDivisionError
    assert sys.getswitchinterval() == before
