# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a playbook publishes of a result, so that AWX can store it and pass it on: small, and without invocations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..module_utils._core.errors import InvalidRequest

OK, CHANGED, SKIPPED, FAILED = "ok", "changed", "skipped", "failed"
_SEVERITY = (SKIPPED, OK, CHANGED, FAILED)
_TEXT = 500  # characters
_DEPTH = 4  # of values that are kept
_SIZE = 8192  # bytes of the JSON of an artifact
_HEAD = ("journal", "count", "digest", "time")  # of the journal of evidence
_AROUND = 40  # of them for the names "results" and "omitted"


def artifact(
    result: Any,
    reason: Any = "",
    keep: Sequence[str] = (),
    results: Optional[Sequence[Mapping[str, Any]]] = None,
) -> dict[str, Any]:
    """`status` (ok, changed, skipped or failed), `msg`, the values in `keep`, `evidence` (the newest head of the
    journal in the results), and `results`: one mapping for each store, log or step. Texts are cut; results that would
    make the artifact larger than 8 KiB are left out, and counted in `omitted`. Raises InvalidRequest for what is not a
    result.

    :param result: the result of a module, or a list of `name` and `result` (or of mappings that have a `status`).
    :param reason: why the play failed; "" if it did not.
    :param keep: paths of values in the result, such as "backup.id", which becomes `backup_id`.
    :param results: entries that replace those made of `result`.
    """
    if isinstance(result, Mapping):
        made = {**_summary(result, keep), **_evidence([result])}
        entries = results or ()
    elif isinstance(result, Sequence) and not isinstance(result, str) and all(isinstance(r, Mapping) for r in result):
        entries = [_entry(one, keep) for one in result]
        made = {"status": _worst(entries), "msg": _text("; ".join(_line(one) for one in entries))}
        made.update(_evidence([one.get("result") for one in result]))
        entries = entries if results is None else results
    else:
        raise InvalidRequest(
            "The input must be the result of a module, or a list of dictionaries with name and result."
        )
    if reason:
        made.update(status=FAILED, msg=_text(str(reason)))
    return _fitted(made, [_small(one) for one in entries])


def _entry(one: Mapping[str, Any], keep: Sequence[str]) -> dict[str, Any]:
    if isinstance(one.get("result"), Mapping):
        return {"name": str(one.get("name", "")), **_summary(one["result"], keep)}
    return {str(key): _small(value) for key, value in one.items()}


def _summary(result: Mapping[str, Any], keep: Sequence[str]) -> dict[str, Any]:
    made = {"status": _status(result), "msg": _text(str(result.get("msg", "")))}
    for path in keep:
        value: Any = result
        for step in path.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        if value is not None:
            made[path.replace(".", "_")] = _small(value)
    return made


def _evidence(results: Sequence[Any]) -> dict[str, Any]:
    """The newest head of the journal of evidence, so that it is kept where the host can't write."""
    found = [
        one["evidence"] for one in results if isinstance(one, Mapping) and isinstance(one.get("evidence"), Mapping)
    ]
    if not found:
        return {}
    newest = max(found, key=lambda head: int(head.get("count") or 0))
    return {"evidence": {name: _small(newest.get(name)) for name in _HEAD}}


def _status(result: Mapping[str, Any]) -> str:
    for status in (FAILED, SKIPPED, CHANGED):
        if result.get(status) is True:
            return status
    return OK if result else SKIPPED


def _worst(entries: Sequence[Mapping[str, Any]]) -> str:
    known = [one["status"] for one in entries if one.get("status") in _SEVERITY]
    return max(known, key=_SEVERITY.index, default=SKIPPED)


def _line(entry: Mapping[str, Any]) -> str:
    return f"{entry.get('name') or entry.get('step', '')}: {entry.get('msg', '')}"


def _text(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…"


def _small(value: Any, depth: int = _DEPTH) -> Any:
    """A value of JSON types with short texts. Deeper values are text."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if depth and isinstance(value, Mapping):
        return {str(key): _small(one, depth - 1) for key, one in value.items()}
    if depth and isinstance(value, Sequence) and not isinstance(value, str):
        return [_small(one, depth - 1) for one in value]
    return _text(str(value))


def _fitted(made: dict[str, Any], entries: Sequence[Any]) -> dict[str, Any]:
    """The artifact with as many entries as fit. Values that are too large by themselves are left out."""
    for name in [one for one in made if one not in ("status", "msg")]:
        if _size(made) > _SIZE:
            del made[name]
            made["omitted"] = made.get("omitted", 0) + 1
    left, kept = _SIZE - _size(made) - _AROUND, []
    for entry in entries:
        left -= _size(entry) + len(", ")
        if left < 0:
            break
        kept.append(entry)
    if entries:
        made["results"] = kept
    if len(kept) < len(entries):
        made["omitted"] = made.get("omitted", 0) + len(entries) - len(kept)
    return made


def _size(value: Any) -> int:
    return len(json.dumps(value))
