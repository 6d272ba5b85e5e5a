# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some pieces of data are worked on in a thread while the next ones are read."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from concurrent.futures import Future

_LARGE = 1 << 18  # minimum size in bytes for which a thread pays off
_MOST = 3  # pieces that wait


class Behind:
    """Calls functions with pieces of data, one after another; with large ones in a thread.

    The thread ends with this object, or by `close`.
    """

    def __init__(self) -> None:
        from concurrent.futures import ThreadPoolExecutor  # only here: many tasks read a manifest and hash nothing

        self._thread = ThreadPoolExecutor(1, "day2-behind")
        self._pending: deque[Future[None]] = deque()
        self._failed = False

    def call(self, function: Callable[[bytes], None], data: bytes) -> None:
        """Raises what a call before has raised. The data must not change from now on."""
        large = len(data) >= _LARGE
        self._wait(_MOST - 1 if large else 0)
        if large:
            self._pending.append(self._thread.submit(self._work, function, data))
        else:
            function(data)

    def wait(self) -> None:
        """Until everything is done. Raises what a call has raised."""
        self._wait(0)

    def _work(self, function: Callable[[bytes], None], data: bytes) -> None:
        """Nothing is done after a failure, which `_wait` raises before it comes to the pieces after that."""
        if self._failed:
            return
        try:
            function(data)
        except BaseException:
            self._failed = True
            raise

    def _wait(self, left: int) -> None:
        while len(self._pending) > left:
            self._pending[0].result()  # what has failed stays the first: it is raised each time
            self._pending.popleft()

    def close(self) -> None:
        """End the thread, whatever its work has come to. What waits is not done any more."""
        try:
            self._end()
        except BaseException:  # of a signal: the caller goes on to free what the thread still works with
            self._end()
            raise

    def _end(self) -> None:
        running = [one for one in self._pending if not one.cancel()]
        for one in running:  # once a signal has interrupted a wait for a thread, Python before 3.13 takes it for ended
            one.exception()
        self._thread.shutdown()
