# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipe through which an object is written that is uploaded by a thread."""

from __future__ import annotations

import io
import os
from typing import BinaryIO, Callable, cast

from .._core.errors import TaskEnded
from .._core.programs import wide_pipe


class _Handle(io.FileIO):
    """The end that is written to."""

    def __init__(self, fd: int, finish: Callable[[], None]) -> None:
        super().__init__(fd, "wb")
        self._finish = finish

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._finish()

    def __exit__(self, *exc: object) -> None:
        try:
            self.close()
        except TaskEnded as cause:
            raise cause from None  # that the writer's pipe broke says nothing more


def upload_pipe(finish: Callable[[], None]) -> tuple[int, BinaryIO]:
    """The descriptor to read from, and the file to write to.

    :param finish: is called once the file was closed; it waits for the upload and raises what went wrong.
    """
    reading, writing = os.pipe()
    handle = cast(BinaryIO, _Handle(writing, finish))
    wide_pipe(handle)
    return reading, handle
