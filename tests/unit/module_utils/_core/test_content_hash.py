# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib

from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.content_hash import (
    BLOCK,
    PlainHash,
    SparseHash,
)

PIECES = st.lists(st.tuples(st.integers(0, 3 * BLOCK), st.binary(max_size=2 * BLOCK)), max_size=6)


def by_definition(content: bytes) -> str:
    """What FORMAT.md says."""
    digest = hashlib.sha256()
    for number in range(0, len(content), BLOCK):
        block = content[number : number + BLOCK]
        if block.strip(b"\0"):
            digest.update((number // BLOCK).to_bytes(8, "big") + block)
    digest.update(len(content).to_bytes(8, "big"))
    return digest.hexdigest()


@given(pieces=PIECES, tail=st.integers(0, 2 * BLOCK))
@example(pieces=[(10, b"x" * 2 * BLOCK)], tail=0)
def test_it_is_the_same_wherever_the_holes_are(pieces: list[tuple[int, bytes]], tail: int) -> None:
    content = b"".join(bytes(gap) + data for gap, data in pieces) + bytes(tail)
    told, whole, plain = SparseHash(), SparseHash(), PlainHash()
    position = 0
    for gap, data in pieces:
        position += gap
        for one in (told, plain):
            one.update(position, data)
        position += len(data)
    whole.update(0, content)
    assert told.hexdigest(len(content)) == whole.hexdigest(len(content)) == by_definition(content)
    assert plain.hexdigest(len(content)) == hashlib.sha256(content).hexdigest()


def test_a_petabyte_of_nothing() -> None:
    digest = SparseHash()
    digest.update(1 << 49, b"island")
    assert digest.hexdigest(1 << 50) != SparseHash().hexdigest(1 << 50)
