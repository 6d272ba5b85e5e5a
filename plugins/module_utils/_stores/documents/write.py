# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a JSON document from records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO, Callable, NamedTuple, Optional

from ..._core.tagged_json import encode as encode_json
from ..records.model import DECIMAL, INTEGER, LIST, MEMBERS, TEXT, VALUE, Info, Record
from .document import Document, Member
from .open import OpenDocument
from .parts import text_of

Records = Callable[[Info], Iterable[Record]]


class Writing(NamedTuple):
    """How a document is written.

    :param keys: the primary keys of collections that are lists, if no note has them.
    :param encode: returns the JSON text of a value.
    """

    out: BinaryIO
    keys: Mapping[str, Sequence[str]]
    records: Records
    encode: Callable[[Any], str]

    def member(self, key: str, value: Any) -> bytes:
        """A member of a mapping."""
        return (f"{encode_json(key)}: {self.encode(value)}").encode()


def write_document(
    writing: Writing, infos: Sequence[Info], old: Optional[OpenDocument], without: Sequence[Info] = ()
) -> None:
    """Write these collections, then everything else that the old document has.

    :param without: collections of the old document that are omitted.
    """
    document = old.document if old is not None else None
    if len(infos) == 1 and infos[0].note.root and (document is None or document.members is None):
        _write_root(writing, infos[0])
        return
    out, separator = writing.out, b"{"
    for info in infos:
        if info.note.shape in (MEMBERS, VALUE):
            for record in writing.records(info):
                name = str(record[info.note.key]) if info.note.shape == MEMBERS else info.name
                out.write(separator + b"\n" + writing.member(name, record[info.note.value]))
                separator = b","
            continue
        out.write(separator + (f"\n{encode_json(info.name)}: ").encode())
        separator = b","
        _write_collection(writing, info)
    for member in _others([*infos, *without], document):
        if old is not None:
            out.write(separator + (f"\n{encode_json(member.name)}: ").encode())
            separator = b","
            out.writelines(old.content(member))
    out.write(b"\n}\n" if separator != b"{" else b"{}\n")


def _others(infos: Sequence[Info], document: Optional[Document]) -> list[Member]:
    """The members of the old document that are kept."""
    if document is None:
        return []
    written = {info.name: info.note.shape for info in infos}
    return [
        member
        for member in document.members or ()
        if member.name not in written
        and not (member.kind == "value" and MEMBERS in written.values())
        and document.find(member.name) is member
    ]


def _write_root(writing: Writing, info: Info) -> None:
    """Write the collection that is the document itself."""
    if info.note.shape == VALUE:
        for record in writing.records(info):
            writing.out.write(writing.encode(record[info.note.value]).encode())
    else:
        _write_collection(writing, info)
    writing.out.write(b"\n")


def _write_collection(writing: Writing, info: Info) -> None:
    note, out = info.note, writing.out
    as_list = note.shape == LIST
    if not note.shape:  # a table of an application
        as_list = info.name in writing.keys or not _is_named(info, writing.records)
    separator = b"[\n" if as_list else b"{\n"
    empty = True
    for record in writing.records(info):
        if note.key:
            key = record.pop(note.key, None)
        else:
            key = None if as_list else record[info.key[0]]
        member = record[note.value] if note.value and list(record) == [note.value] else record
        if as_list:
            data = writing.encode(member).encode()
        else:
            name = text_of(key)
            data = writing.member(writing.encode(key) if name is None else name, member)
        out.write(separator + b"  " + data)
        separator, empty = b",\n", False
    opening, closing = (b"[", b"]") if as_list else (b"{", b"}")
    out.write(opening + closing if empty else b"\n" + closing)


def _is_named(info: Info, records: Records) -> bool:
    """Whether the key can be the name of a member, from which it is read back."""
    if len(info.key) != 1:
        return False
    kind = {field.name: field.kind for field in info.fields}.get(info.key[0], TEXT)
    if kind == DECIMAL:  # which most integers of others are
        return all(text_of(record[info.key[0]]) is not None for record in records(info))
    return kind in (TEXT, INTEGER)
