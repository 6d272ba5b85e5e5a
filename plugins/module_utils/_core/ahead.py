# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the next item in a thread while the caller works on the one before."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")

_END: Any = object()
_TURN = 0.0005  # seconds


def ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """The items in their order. Only of use if they are made outside the interpreter (by a library in C).

    Close this generator before anything else is done with the items: the thread has ended then.
    """
    from concurrent.futures import ThreadPoolExecutor  # only here: few tasks have much to read

    thread = ThreadPoolExecutor(1, "day2-ahead")
    following = thread.submit(next, items, _END)
    try:
        while True:
            item = following.result()
            if item is _END:
                return
            following = thread.submit(next, items, _END)
            yield item
    finally:
        try:
            following.exception()
        finally:  # even if a signal has interrupted that wait: the caller frees what the thread works with
            following.exception()
            thread.shutdown()


@contextlib.contextmanager
def short_turns() -> Iterator[None]:
    """Let threads wait for the interpreter for half a millisecond instead of five while another one works.

    For a library that asks for it again whenever a part of an item arrives: the server waits for that, too.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
