# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What records_update makes of a batch of records: with constants, or by a command that reads and writes JSON lines."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Callable, NoReturn, Optional

from ..._core.errors import Day2Error, InvalidRequest
from ..._core.programs import environment
from ..._core.records import canonical
from ..._core.tagged_json import decode, encode
from ..._core.units import format_duration, format_size, parse_time
from ..._stores.records.model import DATE, TIMESTAMP, TIMESTAMPTZ, Field, Info, Record, key_of
from .collection import Selected

Transform = Callable[[Sequence[Record]], list[Record]]

_SHOWN = 80  # bytes of a line in a message
_SAID = 400  # of what a command says
_OUTPUT = 64 << 20  # bytes that a command may print for a batch, and
_TIMES_INPUT = 16  # this many for each byte that it is given
_PIECE = 1 << 16
_LOOK = 0.25  # seconds until it is looked whether the task is over


class BadBatch(Exception):
    """Why a batch can't be written, as a sentence without full stop."""


def by_constants(values: Mapping[str, Any]) -> Transform:
    """The records with these fields."""
    return lambda records: [{**record, **values} for record in records]


def fitting(selected: Selected, values: Mapping[str, Any]) -> dict[str, Any]:
    """Constants as the collection stores them: text for a column of times is a time.

    :raises InvalidRequest: a field belongs to the key, the table lacks it, or its column cannot hold the value.
    """
    info, columns = selected.info, selected.columns
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
    return {name: selected.spelling.value(name, _fitted(fields[name], value)) for name, value in values.items()}


def _fitted(field: Field, value: Any) -> Any:
    if not isinstance(value, str) or field.kind not in _TIMES:
        return value
    try:
        return _TIMES[field.kind](value)
    except (ValueError, Day2Error):
        raise InvalidRequest(
            f"set: {value!r} is not a valid value of the column {field.name} ({field.kind})."
        ) from None


_TIMES: dict[str, Callable[[str], Any]] = {
    TIMESTAMP: datetime.fromisoformat,
    TIMESTAMPTZ: parse_time,
    DATE: date.fromisoformat,
}


def by_command(
    argv: Sequence[str], timeout: float, selected: Selected, over: Optional[threading.Event] = None
) -> Transform:
    """The records that a command writes when it reads these: each of them once, in any order.

    Values that JSON lacks are written with tags, as in canonical JSON. The function raises BadBatch.

    :param over: set when nobody waits for it any more.
    """

    ended, info = over or threading.Event(), selected.info

    def transform(records: Sequence[Record]) -> list[Record]:
        given = b"".join(encode(record).encode() + b"\n" for record in records)
        made = _parsed(_output(argv, timeout, given, ended))
        if selected.columns is not None:
            _check_fields(made, selected.columns)
        return _matched(records, selected.spelling.records(made, records), info)

    return transform


def _output(argv: Sequence[str], timeout: float, given: bytes, over: threading.Event) -> bytes:
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
        output, messages = _exchanged(process, given, time.monotonic() + timeout, over)
    except BaseException as exc:
        # It was not waited for, so the number is still that of its group, even if only children are left.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(exc, subprocess.TimeoutExpired):
            raise BadBatch(f"{name} did not end within {format_duration(timeout)}") from None
        raise
    finally:
        for stream in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]
    if process.returncode:
        said = messages[-_SAID:].decode("utf-8", "replace").strip().rstrip(".")
        raise BadBatch(f"{name} failed with exit status {process.returncode}{': ' + said if said else ''}")
    return output


def _exchanged(
    process: subprocess.Popen[bytes], given: bytes, until: float, over: threading.Event
) -> tuple[bytes, bytes]:
    """What a command prints, and the end of what it says, while it reads what it is given.

    :param until: of the monotonic clock; later, or when it is over, TimeoutExpired is raised.
    :raises BadBatch: it prints too much.
    """
    found = {process.stdout: bytearray(), process.stderr: bytearray()}
    most, rest = _OUTPUT + _TIMES_INPUT * len(given), memoryview(given)
    with selectors.DefaultSelector() as waiting:
        for stream in (process.stdin, process.stdout, process.stderr):
            os.set_blocking(stream.fileno(), False)  # type: ignore[union-attr]
            waiting.register(stream, selectors.EVENT_WRITE if stream is process.stdin else selectors.EVENT_READ)  # type: ignore[arg-type]
        while waiting.get_map():
            ready = waiting.select(max(0.0, min(_LOOK, until - time.monotonic())))
            if time.monotonic() >= until or over.is_set():
                raise subprocess.TimeoutExpired(process.args, 0)
            for key, _events in ready:
                if key.fileobj is process.stdin:
                    rest = rest[_written(key.fd, rest) :]
                    closed = not rest
                else:
                    piece = os.read(key.fd, _PIECE)
                    found[key.fileobj] += piece  # type: ignore[index]
                    closed = not piece
                if closed:
                    waiting.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]
            del found[process.stderr][:-_SAID]
            if len(found[process.stdout]) > most:
                raise BadBatch(f"the command printed more than {format_size(most)}")
    process.wait(max(0.0, until - time.monotonic()))
    return bytes(found[process.stdout]), bytes(found[process.stderr])


def _written(fd: int, given: memoryview) -> int:
    """How much of it was written; all of it if nobody reads it."""
    try:
        return os.write(fd, given[:_PIECE])
    except BlockingIOError:
        return 0
    except BrokenPipeError:
        return len(given)


def _parsed(output: bytes) -> list[Record]:
    records = []
    for number, line in enumerate(output.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            json.loads(line, parse_constant=_no_constant)
            record = decode(line)
        except (ValueError, RecursionError, Day2Error):
            shown = line[:_SHOWN].decode("utf-8", "backslashreplace")
            raise BadBatch(f"line {number} of the output of the command is not JSON: {shown}") from None
        if not isinstance(record, dict):
            raise BadBatch(f"line {number} of the output of the command is not a JSON object")
        records.append(record)
    return records


def _no_constant(name: str) -> NoReturn:
    """NaN and the infinities, which Python takes for JSON."""
    raise ValueError(name)


def _matched(records: Sequence[Record], made: Sequence[Record], info: Info) -> list[Record]:
    """What the command made, in the order of the records."""
    by_key: dict[bytes, Record] = {}
    wanted = {canonical(key_of(info, record)): record for record in records}
    for record in made:
        key = canonical(key_of(info, record))
        if key not in wanted:
            raise BadBatch(f"the command returned a record with the key {key.decode()}, which is not in its input")
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
