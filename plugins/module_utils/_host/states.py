# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last states of the jobs of a host as one small file: {"schema": 1, "jobs": {name: state}}, or, if that is too
large, {"schema": 1, "compressed": text}, where the text is the jobs as JSON, compressed by zlib, in Base64.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

_LARGEST = 4096  # bytes of the file
_LENGTHS = (400, 120, 40, 0)  # of messages: the first with which the file is small enough
_UNPACKED = 1 << 20  # bytes: a file from a host does not take the memory of the controller


def write_states(jobs: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The file. With many jobs, messages are shortened; with more than that, the days are left out."""
    data = _json({"schema": 1, "jobs": _shortened(jobs, _LENGTHS[0])})
    if len(data) <= _LARGEST:
        return data
    for length in _LENGTHS:
        data = _compressed(_shortened(jobs, length))
        if len(data) <= _LARGEST:
            return data
    return _compressed({name: {**one, "days": ""} for name, one in _shortened(jobs, 0).items()})


def read_states(content: bytes) -> dict[str, dict[str, Any]]:
    """The jobs. Raises ValueError if the content is no such file."""
    try:
        found = json.loads(content)
        jobs = found["jobs"] if "jobs" in found else json.loads(_unpacked(found["compressed"]))
        if isinstance(jobs, dict) and all(map(_is_state, jobs.values())):
            return jobs
    except (KeyError, TypeError, RecursionError, zlib.error) as exc:
        raise ValueError("no states of jobs") from exc
    raise ValueError("no states of jobs")


def _is_state(one: Any) -> bool:
    """Whether it can be the last state of a job. (Its times are judged by journal.known_time.)"""
    texts, numbers = ("verb", "status", "msg", "days"), ("failures", "warnings")
    return (
        isinstance(one, dict)
        and all(isinstance(one.get(key, ""), str) for key in texts)
        and all(isinstance(one.get(key, 0), int) for key in numbers)
    )


def _shortened(jobs: Mapping[str, Mapping[str, Any]], length: int) -> dict[str, dict[str, Any]]:
    return {name: {**one, "msg": one.get("msg", "")[:length]} for name, one in jobs.items()}


def _compressed(jobs: Mapping[str, Mapping[str, Any]]) -> bytes:
    return _json({"schema": 1, "compressed": base64.b64encode(zlib.compress(_json(jobs), 9)).decode()})


def _unpacked(text: str) -> bytes:
    stream = zlib.decompressobj()
    data = stream.decompress(base64.b64decode(text), _UNPACKED)
    if not stream.eof:
        raise ValueError("cut off, or too large")
    return data


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
