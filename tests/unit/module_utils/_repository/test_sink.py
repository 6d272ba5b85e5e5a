# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes through to a backup: counted, hashed and written, large pieces in a thread."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.compression import choose
from ansible_collections.day2.ops.plugins.module_utils._core.errors import NoSpace, RepositoryError
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._repository.sink import CountingSink, DigestSink, HashingWriter

LARGE = 1 << 18  # bytes from which on a thread writes


class Slow:
    """A target that takes its time."""

    def __init__(self, error: int = 0) -> None:
        self.written = b""
        self._error = error

    def write(self, data: bytes) -> None:
        time.sleep(0.02)
        if self._error:
            raise OSError(self._error, os.strerror(self._error))
        self.written += data


@pytest.mark.parametrize("sizes", [[1, 2, 3], [LARGE] * 5, [LARGE, 1, LARGE, LARGE]])
def test_everything_is_written_when_the_block_has_ended(sizes: list[int]) -> None:
    target = Slow()
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    with HashingWriter(target, "data/x", Progress()) as writer:
        for piece in pieces:
            writer.write(piece)
    assert target.written == b"".join(pieces)
    assert (writer.bytes, writer.sha256()) == (sum(sizes), hashlib.sha256(target.written).hexdigest())


@pytest.mark.parametrize("size", [1, LARGE])
@pytest.mark.parametrize(("error", "kind"), [(errno.ENOSPC, NoSpace), (errno.EIO, RepositoryError)])
def test_a_failure_of_the_last_piece_is_told(size: int, error: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="data/x"):
        with HashingWriter(Slow(error), "data/x", Progress()) as writer:
            writer.write(b"x" * size)


def test_a_block_that_fails_raises_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        with HashingWriter(Slow(errno.EIO), "data/x", Progress()) as writer:
            writer.write(b"x" * LARGE)
            raise KeyError


def test_check_mode_counts_what_a_run_would_store(tmp_path: Path) -> None:
    counted, plain = (CountingSink(str(tmp_path), choose(name)[0], Progress()) for name in ("gzip", "none"))
    for sink in (DigestSink(str(tmp_path), Progress()), counted, plain):
        for name in ("a", "b"):
            with sink.file(name) as writer:
                writer.write(b"x" * 100_000)
            assert writer.sha256() == hashlib.sha256(b"x" * 100_000).hexdigest()
        assert sink.bytes == 200_000
    assert 100 < counted.stored < 2_000
    assert plain.stored == 200_000
    assert list(tmp_path.iterdir()) == []
