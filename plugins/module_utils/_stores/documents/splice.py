# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies collections from one JSON document into another, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, NamedTuple, Optional

from ..._core.errors import TargetError
from .document import Document, Member
from .read import CHUNK

_WIDEST = 1024


class Part(NamedTuple):
    """An open document and its content."""

    handle: BinaryIO
    document: Document


class _Edit(NamedTuple):
    """Replaces the bytes from `start` to `end` with `text`, and then a range of the other document."""

    start: int
    end: int
    text: bytes
    other: tuple[int, int]


def splice(base: Part, source: Part, only: Sequence[str], out: BinaryIO) -> None:
    """Write `base`, with the collections `only` as they are in `source`, which has all of them. All other bytes are
    those of `base`.

    :raises TargetError: the documents do not have the same shape.
    """
    position = 0
    for edit in sorted(_edits(base, source.document, only)):
        _copy_range(base.handle, position, edit.start, out)
        out.write(edit.text)
        _copy_range(source.handle, *edit.other, out)
        position = edit.end
    _copy_range(base.handle, position, None, out)


def _edits(base: Part, there: Document, only: Sequence[str]) -> list[_Edit]:
    here = base.document
    if (here.members is None) != (there.members is None) or here.root.kind != there.root.kind:
        raise TargetError(
            f"The document is structured differently from the backup, so that {', '.join(only)} can't be "
            "restored separately.",
            "Restore the whole document (omit only).",
        )
    if here.members is None:
        return [_Edit(here.root.start, here.root.end, b"", (there.root.start, there.root.end))]
    last = here.members[-1] if here.members else None
    wanted = {member.name: member for member in there.members or () if member.name in only}  # of equal keys the last
    edits: list[_Edit] = []
    for new in wanted.values():
        old = here.find(new.name)
        if old is not None:
            edits.append(_Edit(old.start, old.end, b"", (new.start, new.end)))
        elif last is not None:
            edits.append(_Edit(last.end, last.end, b"," + _indentation(base.handle, last), (new.key, new.end)))
        else:
            inside = here.root.start + 1
            edits.append(_Edit(inside, inside, b", " if edits else b"", (new.key, new.end)))
    return edits


def _indentation(base: BinaryIO, last: Member) -> bytes:
    """The white space before the last key."""
    base.seek(last.lead)
    return base.read(min(last.key - last.lead, _WIDEST))


def _copy_range(source: BinaryIO, start: int, end: Optional[int], out: BinaryIO) -> None:
    source.seek(start)
    while end is None or start < end:
        data = source.read(CHUNK if end is None else min(CHUNK, end - start))
        if not data:
            return
        out.write(data)
        start += len(data)
