# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a JSON document from records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO, Callable, Optional

from .._core.tagged_json import encode as encode_json
from .json_open import OpenDocument
from .json_parts import KEY, VALUE, text_of
from .json_reader import SCALARS
from .record_store import DECIMAL, INTEGER, TEXT, Info, Record

Records = Callable[[Info], Iterable[Record]]


def write_document(
    out: BinaryIO,
    infos: Sequence[Info],
    old: Optional[OpenDocument],
    keys: Mapping[str, Sequence[str]],
    records: Records,
) -> None:
    """Write these collections, then what else the old document has.

    :param keys: the primary keys of collections that are lists.
    """
    document = old.document if old is not None else None
    written = {info.name for info in infos}
    separator = b"{"
    for info in infos:
        if info.name == SCALARS:
            for record in records(info):
                out.write(separator + _member(str(record[KEY]), record.get(VALUE)))
                separator = b",\n"
            continue
        out.write(separator + ("\n%s: " % encode_json(info.name)).encode())
        separator = b","
        _write_collection(out, info, info.name in keys, records)
    for member in (document.members or ()) if document is not None else ():
        scalar = member.kind == "value" and SCALARS in written
        if old is None or document is None or scalar or member.name in written:
            continue
        if document.find(member.name) is member:
            out.write(separator + ("\n%s: " % encode_json(member.name)).encode())
            separator = b","
            out.writelines(old.content(member))
    out.write(b"\n}\n" if separator != b"{" else b"{}\n")


def _write_collection(out: BinaryIO, info: Info, listed: bool, records: Records) -> None:
    as_list = listed or not _is_named(info, records)
    separator = b"[\n" if as_list else b"{\n"
    empty = True
    for record in records(info):
        if as_list:
            data = encode_json(record).encode()
        elif info.key == (KEY,):
            key = record.pop(KEY)
            data = _member(str(key), record[VALUE] if list(record) == [VALUE] else record)
        else:
            key = text_of(record[info.key[0]])
            data = _member(encode_json(record[info.key[0]]) if key is None else key, record)
        out.write(separator + b"  " + data)
        separator, empty = b",\n", False
    opening, closing = (b"[", b"]") if as_list else (b"{", b"}")
    out.write(opening + closing if empty else b"\n" + closing)


def _is_named(info: Info, records: Records) -> bool:
    """Can the key be the name of a member, by which it is found again?"""
    if len(info.key) != 1:
        return False
    kind = {field.name: field.kind for field in info.fields}.get(info.key[0], TEXT)
    if kind == DECIMAL:  # which most integers of others are
        return all(text_of(record[info.key[0]]) is not None for record in records(info))
    return kind in (TEXT, INTEGER)


def _member(key: str, value: Any) -> bytes:
    return ("%s: %s" % (encode_json(key), encode_json(value))).encode()
