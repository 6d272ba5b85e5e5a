# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema of a manifest of format version 1. Nothing of a manifest is used before it has been validated.

A manifest may have been written by anybody: its digest only proves that it is complete.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Optional

from .._core.errors import InvalidRequest
from .._core.units import parse_time

_Rule = Callable[[Any, str], None]  # raises ValueError, which names the place

_DEEPEST = 64
_MOST = 2**63 - 1
_DIGITS = len(str(_MOST)) + 1


def decode(data: bytes) -> Any:
    """The JSON document in a manifest. Raises ValueError when it could exhaust memory or the stack."""
    try:
        document = json.loads(data, parse_int=_whole_number, parse_constant=_no_number)
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    if _is_deeper(document, _DEEPEST):
        raise ValueError("it is nested too deeply")
    return document


def _whole_number(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError("a number in it is too large")
    return int(text)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


def _is_deeper(document: Any, limit: int) -> bool:
    level = [document]
    for _depth in range(limit):
        level = [
            inner
            for value in level
            if isinstance(value, (dict, list))
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True


def text(value: Any, where: str) -> None:
    """Any string."""
    if not isinstance(value, str):
        raise ValueError(f"{where} is {_short(value)}, not a string")


def truth(value: Any, where: str) -> None:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{where} is {_short(value)}, not true or false")


def matching(pattern: str, what: str) -> _Rule:
    """A string that matches a pattern as a whole."""
    compiled = re.compile(pattern)

    def rule(value: Any, where: str) -> None:
        text(value, where)
        if not compiled.fullmatch(value):
            raise ValueError(f"{where} is {_short(value)}, not {what}")

    return rule


def whole(low: int = 0, high: int = _MOST) -> _Rule:
    """A whole number within bounds."""

    def rule(value: Any, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{where} is {_short(value)}, not a whole number from {low} to {high}")

    return rule


def flag(value: Any, where: str) -> None:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{where} is {_short(value)}, neither true nor false")


def seconds(value: Any, where: str) -> None:
    """A duration, which is negative if the clock was set back."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{where} is {_short(value)}, not a number")


def moment(value: Any, where: str) -> None:
    """A time that parse_time accepts."""
    text(value, where)
    try:
        parse_time(value)
    except InvalidRequest as exc:
        raise ValueError(f"{where} is {_short(value)}, not a time") from exc


def one_of(*values: Optional[str]) -> _Rule:
    """One of several strings, or None."""

    def rule(value: Any, where: str) -> None:
        if not isinstance(value, (str, type(None))) or value not in values:
            raise ValueError(f"{where} is {_short(value)}, which is unknown")

    return rule


def maybe(inner: _Rule) -> _Rule:
    """None, or a value that follows another rule."""

    def rule(value: Any, where: str) -> None:
        if value is not None:
            inner(value, where)

    return rule


def listed(inner: _Rule, least: int = 0) -> _Rule:
    """A list whose elements follow a rule."""

    def rule(value: Any, where: str) -> None:
        if not isinstance(value, list) or len(value) < least:
            raise ValueError(f"{where} is {_short(value)}, not a list{' of one or more' * bool(least)}")
        for number, element in enumerate(value):
            inner(element, f"{where}[{number}]")

    return rule


def mapping(required: Mapping[str, _Rule], optional: Optional[Mapping[str, _Rule]] = None) -> _Rule:
    """A mapping with some keys; others are ignored."""

    def rule(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise ValueError(f"{where or 'it'} is {_short(value)}, not a mapping")
        prefix = f"{where}." if where else ""
        for key, inner in required.items():
            if key not in value:
                raise ValueError(f"{prefix}{key} is missing")
            inner(value[key], prefix + key)
        for key, inner in (optional or {}).items():
            if key in value:
                inner(value[key], prefix + key)

    return rule


def texts(value: Any, where: str) -> None:
    """A mapping of strings to strings."""
    mapping({})(value, where)
    for key, one in value.items():
        text(one, f"{where}.{key}")


def data_path(value: Any, where: str) -> None:
    """A path within the data directory of the backup, so that a restore, also by hand, reads and writes nothing outside
    of it.
    """
    text(value, where)
    steps = value.split("/")
    if steps[0] != "data" or len(steps) < 2 or any(step in ("", ".", "..") for step in steps) or "\0" in value:
        raise ValueError(f"{where}, {_short(value)}, is outside of the backup")
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as exc:
        raise ValueError(f"{where}, {_short(value)}, is not a valid file name") from exc


def _short(value: Any) -> str:
    try:
        shown = ascii(value)
    except (ValueError, RecursionError):
        shown = type(value).__name__
    return shown if len(shown) <= 60 else shown[:57] + "..."


DIGEST = matching("[0-9a-f]{64}", "a SHA-256")
_MODE = matching("[0-7]{1,5}", "an octal mode")
_ACCOUNT = whole(0, 2**32 - 1)
_SIZE = whole()

_OWNERSHIP: Mapping[str, _Rule] = {
    "mode": _MODE,
    "uid": _ACCOUNT,
    "gid": _ACCOUNT,
    "user": maybe(text),
    "group": maybe(text),
}
_SELECTION: Mapping[str, _Rule] = {"include": maybe(listed(text)), "exclude": maybe(listed(text))}
_REFERENCE = mapping(
    {**dict.fromkeys(("name", "table", "table_arn", "table_id", "arn", "label"), text), "created": moment},
    {"bytes": maybe(_SIZE), "records": maybe(_SIZE), "since": maybe(moment)},
)
_KEY = listed(mapping({"AttributeName": text, "KeyType": text}), least=1)
_INDEXES = listed(mapping({"IndexName": text, "KeySchema": _KEY}))
_DEFINED = mapping({"AttributeName": text, "AttributeType": one_of("S", "N", "B")})
_TABLE_ARGUMENTS = mapping(
    {"AttributeDefinitions": listed(_DEFINED), "KeySchema": _KEY},
    {
        "GlobalSecondaryIndexes": _INDEXES,
        "LocalSecondaryIndexes": _INDEXES,
        "Tags": listed(mapping({"Key": text, "Value": text})),
    },
)


def _table_arguments(value: Any, where: str) -> None:
    _TABLE_ARGUMENTS(value, where)
    defined = {one["AttributeName"] for one in value["AttributeDefinitions"]}
    for one in value["KeySchema"]:
        if one["AttributeName"] not in defined:
            raise ValueError(f"{where}.AttributeDefinitions lacks the key {_short(one['AttributeName'])}")


_SCALED = mapping({"index": text, "ScalableDimension": text})
_TABLE_SETTINGS = mapping(
    {
        "arguments": _table_arguments,
        "ttl": text,
        "recovery_period": maybe(whole(1)),
        "deletion_protection": truth,
        "unseen": listed(text),
        "elsewhere": listed(text),
    },
    {"scaling": maybe(mapping({"targets": listed(_SCALED), "policies": listed(_SCALED)}))},
)
_DETAILS = mapping(
    {},
    {
        "method": maybe(text),
        "references": maybe(listed(_REFERENCE)),
        **_OWNERSHIP,
        **_SELECTION,
        "layout": maybe(text),
        "journal_mode": maybe(text),
        "check": maybe(text),
        "page_size": maybe(whole(0, 65536)),
        "page_count": maybe(whole(0, 2**32)),
        "bytes": maybe(_SIZE),
        "archive_bytes": maybe(_SIZE),
        "files": maybe(_SIZE),
        "migration": mapping({"target": text, "number": whole(1), "collections": texts}, {"whole": text}),
    },
)


def _details(value: Any, where: str) -> None:
    _DETAILS(value, where)
    if any(key in value for key in _OWNERSHIP):  # an owner is valid as a whole or not at all
        mapping(_OWNERSHIP)(value, where)
    if value.get("references"):  # each has the settings of its table
        tables = {one["name"]: mapping({"settings": _TABLE_SETTINGS}) for one in value["references"]}
        mapping({"method": one_of("native", "s3_export"), "tables": mapping(tables)})(value, where)


_EXPORTED_TABLE = mapping({"table": text, "items": _SIZE, "sum": DIGEST, "settings": _TABLE_SETTINGS})


def _tables(source: Any, where: str) -> None:
    """Of DynamoDB, each collection whose items are in the backup has the settings of its table.

    What a migration or an update saves are records (`format`), which are put back without settings.
    """
    if source["type"] == "dynamodb" and not {"references", "format"} & {
        key for key, one in source["details"].items() if one
    }:
        tables = {one["name"]: _EXPORTED_TABLE for one in source["collections"]}
        if tables:
            mapping({"tables": mapping(tables)}, {"moved": maybe(listed(text))})(
                source["details"], f"{where}.details".lstrip(".")
            )


_PIECE: Mapping[str, _Rule] = {"path": data_path, "bytes": _SIZE, "sha256": DIGEST}
_FILE: Mapping[str, _Rule] = {**_PIECE, "content_bytes": _SIZE, "content_sha256": DIGEST}
_PART = mapping(_PIECE)
_FILES = {1: mapping(_FILE), 2: mapping(_FILE, {"parts": listed(_PART, least=2)})}
_ENCRYPTED_FILE = mapping({**_FILE, "parts": listed(_PART, least=1)}, {"packed": truth})


def _source(file: _Rule) -> _Rule:
    plain = mapping(
        {
            "name": text,
            "type": text,
            "path": text,
            "parameters": mapping(
                {},
                {
                    **_SELECTION,
                    "layout": maybe(text),
                    "databases": maybe(listed(text)),
                    "tables": maybe(mapping({}, _SELECTION)),
                    "globals": flag,
                    "role_passwords": flag,
                },
            ),
            "content_digest": DIGEST,
            "collections": listed(mapping({"name": text, "records": _SIZE})),
            "details": _details,
            "files": listed(file),  # no data, if the target of a migration was empty
        }
    )

    def rule(value: Any, where: str) -> None:
        plain(value, where)
        _tables(value, where)

    return rule


def manifest_rule(version: int, kinds: Collection[str], compressions: Collection[str]) -> _Rule:
    """The rule for a whole manifest of that version."""
    more: Mapping[str, _Rule] = {"read_back": one_of("content", "checksum")} if version > 1 else {}
    return _whole_rule(kinds, compressions, _FILES[version], {"encryption": one_of(None), **more})


def content_rule(kinds: Collection[str], compressions: Collection[str]) -> _Rule:
    """The rule for what an encrypted backup has in content.json: all that the manifest of another has."""
    return _whole_rule(
        kinds, compressions, _ENCRYPTED_FILE, {"encryption": one_of("age"), "read_back": one_of("content", "checksum")}
    )


def _whole_rule(kinds: Collection[str], compressions: Collection[str], file: _Rule, more: Mapping[str, _Rule]) -> _Rule:
    return mapping(
        {
            "id": text,
            "set": text,
            "kind": one_of(*kinds),
            "created": moment,
            "host": text,
            "tools": texts,
            "compression": one_of(*compressions),
            "duration_s": seconds,
            "content_digest": DIGEST,
            "sources": listed(_source(file), least=1),
            "imported_from": maybe(text),
            **more,
        },
        {"tags": listed(text), "copy_of": maybe(text)},
    )


def envelope_rule(kinds: Collection[str], compressions: Collection[str]) -> _Rule:
    """The rule for the manifest of an encrypted backup."""
    return mapping(
        {
            "id": text,
            "kind": one_of(*kinds),
            "created": moment,
            "compression": one_of(*compressions),
            "encryption": one_of("age"),
            "read_back": one_of("content", "checksum"),
            "key": DIGEST,
            "owner": DIGEST,
            "paths": listed(DIGEST),
            "tags": listed(DIGEST),
            "same": DIGEST,
            "recipients": DIGEST,
            "number": maybe(whole(1)),
            "objects": listed(_PART, least=1),
            "series": listed(DIGEST),
            "copy_of": maybe(DIGEST),
            "seal": DIGEST,
        }
    )
