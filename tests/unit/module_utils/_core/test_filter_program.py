# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that filter what they are given, and end in every way that a program can end."""

from __future__ import annotations

import io
import subprocess
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.compression.base import BLOCK
from ansible_collections.day2.ops.plugins.module_utils._core.filter_program import closed, ended, reading, start

PIPES: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}


def shell(script: str) -> subprocess.Popen[bytes]:
    return start(["sh", "-c", script], **PIPES)


def failed(status: int, said: str) -> Exception:
    return ArithmeticError(status, said)


def read_all(process: subprocess.Popen[bytes], source: Any) -> bytes:
    with reading(process, source, failed) as reader:
        return b"".join(iter(lambda: reader.read(1 << 16), b""))


class Torn(io.BytesIO):
    """Ends with an error instead of its end."""

    def read(self, size: Any = -1) -> bytes:
        data = super().read(size)
        if not data:
            raise KeyError("torn")
        return data


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 1])
def test_everything_goes_through(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    assert read_all(shell("cat"), io.BytesIO(data[:size])) == data[:size]


def test_a_program_that_fails_at_its_end() -> None:
    with pytest.raises(ArithmeticError) as caught:
        read_all(shell("cat; echo ' why ' >&2; exit 7"), io.BytesIO(b"data"))
    assert caught.value.args == (7, "why")


def test_a_program_that_does_not_read_on_says_why_itself() -> None:
    with pytest.raises(ArithmeticError) as caught:
        read_all(shell("echo enough >&2; exit 1"), io.BytesIO(b"x" * (4 << 20)))
    assert caught.value.args == (1, "enough")


def test_a_program_that_needs_no_more_has_ended_well() -> None:
    assert read_all(shell("head -c 3"), io.BytesIO(b"x" * (4 << 20))) == b"xxx"


def test_an_error_of_the_source_is_what_the_reader_raises() -> None:
    with pytest.raises(KeyError, match="torn"):
        read_all(shell("cat"), Torn(b"data"))
    with pytest.raises(KeyError, match="torn"):
        read_all(shell("cat >/dev/null; exit 5"), Torn(b"data"))


def test_no_program_outlives_its_block() -> None:
    process = shell("exec sleep 600")
    with pytest.raises(IndexError), ended(process):
        raise IndexError
    assert process.returncode == -9
    assert all(one.closed for one in (process.stdin, process.stdout, process.stderr) if one)
    process = shell("exec sleep 600")
    with reading(process, io.BytesIO(b"data"), failed):
        pass
    assert process.returncode == -9


def test_one_that_has_ended_keeps_its_status() -> None:
    process = shell("exit 4")
    process.wait()
    with ended(process):
        pass
    assert process.returncode == 4


def test_what_it_says_when_its_input_is_closed() -> None:
    process = start(["sh", "-c", "cat >/dev/null; echo ' all of it' >&2; exit 3"], stdin=subprocess.PIPE)
    with ended(process):
        assert closed(process) == (3, "all of it")


def test_a_missing_program() -> None:
    with pytest.raises(FileNotFoundError):
        start(["/nonexistent/program"], **PIPES)
