# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What records_update makes of a batch of records: with constants, or by a command that reads and writes JSON lines."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Callable, Optional

from ..._core.errors import Day2Error, InvalidRequest
from ..._core.programs import environment
from ..._core.records import canonical
from ..._core.tagged_json import decode, encode
from ..._core.units import format_duration, parse_time
from ..._stores.records.model import DATE, TIMESTAMP, TIMESTAMPTZ, Field, Info, Record, key_of

Transform = Callable[[Sequence[Record]], list[Record]]

_SHOWN = 80  # bytes of a line in a message
_SAID = 400  # of what a command says


class BadBatch(Exception):
    """Why a batch can't be written, as a sentence without full stop."""


def by_constants(values: Mapping[str, Any]) -> Transform:
    """The records with these fields."""
    return lambda records: [{**record, **values} for record in records]


def fitting(info: Info, columns: Optional[frozenset[str]], values: Mapping[str, Any]) -> dict[str, Any]:
    """Constants as the collection stores them: text for a column of times is a time.

    :param columns: of the table; None if records can have any field.
    :raises InvalidRequest: a field belongs to the key, the table lacks it, or its column cannot hold the value.
    """
    if set(values) & set(info.key):
        raise InvalidRequest(f"set: {', '.join(sorted(set(values) & set(info.key)))} is the key of {info.name}.")
    if columns is None:
        return dict(values)
    fields = {field.name: field for field in info.fields}
    unknown = sorted(set(values) - columns)
    if unknown:
        raise InvalidRequest(
            f"set: {info.name} has no field {', '.join(unknown)}.", f"The fields are {', '.join(sorted(fields))}."
        )
    return {name: _fitted(fields[name], value) for name, value in values.items()}


def _fitted(field: Field, value: Any) -> Any:
    if not isinstance(value, str) or field.kind not in _TIMES:
        return value
    try:
        return _TIMES[field.kind](value)
    except (ValueError, Day2Error):
        raise InvalidRequest(f"set: {value!r} is no value for the column {field.name} ({field.kind}).") from None


_TIMES: dict[str, Callable[[str], Any]] = {
    TIMESTAMP: datetime.fromisoformat,
    TIMESTAMPTZ: parse_time,
    DATE: date.fromisoformat,
}


def by_command(argv: Sequence[str], timeout: float, info: Info, columns: Optional[frozenset[str]]) -> Transform:
    """The records that a command writes when it reads these: each of them once, in any order.

    Values that JSON lacks are written with tags, as in canonical JSON. The function raises BadBatch.
    """

    def transform(records: Sequence[Record]) -> list[Record]:
        given = b"".join(encode(record).encode() + b"\n" for record in records)
        made = _parsed(_output(argv, timeout, given))
        if columns is not None:
            _check_fields(made, columns)
        return _matched(records, made, info)

    return transform


def _output(argv: Sequence[str], timeout: float, given: bytes) -> bytes:
    """What the command prints. It is ended, with its children, when its time is over or this task is."""
    name = argv[0]
    try:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            start_new_session=True,
        )
    except (OSError, ValueError) as exc:
        raise BadBatch(f"{name} can't be run: {getattr(exc, 'strerror', None) or exc}") from None
    try:
        output, messages = process.communicate(given, timeout)
    except subprocess.TimeoutExpired:
        raise BadBatch(f"{name} did not end within {format_duration(timeout)}") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode:
        said = messages[-_SAID:].decode("utf-8", "replace").strip().rstrip(".")
        raise BadBatch(f"{name} failed with exit status {process.returncode}{': ' + said if said else ''}")
    return output


def _parsed(output: bytes) -> list[Record]:
    records = []
    for number, line in enumerate(output.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            record = decode(line)
        except (ValueError, Day2Error):
            shown = line[:_SHOWN].decode("utf-8", "backslashreplace")
            raise BadBatch(f"line {number} of the output of the command is not JSON: {shown}") from None
        if not isinstance(record, dict):
            raise BadBatch(f"line {number} of the output of the command is not a JSON object")
        records.append(record)
    return records


def _matched(records: Sequence[Record], made: Sequence[Record], info: Info) -> list[Record]:
    """What the command made, in the order of the records."""
    by_key: dict[bytes, Record] = {}
    wanted = {canonical(key_of(info, record)): record for record in records}
    for record in made:
        key = canonical(key_of(info, record))
        if key not in wanted:
            raise BadBatch(f"the command returned a record with the key {key.decode()}, which it was not given")
        if key in by_key:
            raise BadBatch(f"the command returned the record {key.decode()} twice")
        by_key[key] = record
    if len(by_key) != len(wanted):
        raise BadBatch(f"the command returned {len(by_key)} of {len(wanted)} records")
    return [by_key[key] for key in wanted]


def _check_fields(records: Sequence[Record], known: frozenset[str]) -> None:
    for record in records:
        unknown = sorted(set(record) - known)
        if unknown:
            raise BadBatch(f"the command returned the field {unknown[0]}, which the table lacks")
