# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""records_validate: compares the records of a collection with a JSON schema. Nothing is ever written."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..._core.errors import InvalidRequest, TargetError
from ..._core.plain_json import plain
from ..._core.progress import Progress
from ..._core.units import plural
from .collection import SELECTION, Selected, keys_of, opened_to_read, shown_key
from .schemas import VALIDATORS, Validator, open_validator

_MOST = 100  # errors in the result

ARGUMENTS: dict[str, Any] = {
    "argument_spec": dict(
        SELECTION,
        schema={"type": "dict", "required": True},
        validator={"type": "str", "choices": list(VALIDATORS), "default": "builtin"},
        max_invalid={"type": "int", "default": 0},
    )
}


class Validated(NamedTuple):
    valid: int
    invalid: int
    errors: list[dict[str, Any]]  # the first ones


def request_from(params: Mapping[str, Any]) -> Validator:
    """Check the arguments of the module.

    :raises InvalidRequest: they are not valid.
    :raises MissingDependency: the package jsonschema is not installed.
    """
    if params["max_invalid"] < 0:
        raise InvalidRequest(f"max_invalid is {params['max_invalid']}; it must be at least 0.")
    return open_validator(params["validator"], params["schema"])


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb.

    :raises TargetError: more than `max_invalid` records are invalid; with the result in `details`.
    """
    began = time.monotonic()
    validator = request_from(params)
    warnings: list[str] = []
    with opened_to_read(params["store"], keys_of(params), progress, warnings) as source:
        progress.start(f"Validating {params['collection']}", unit="records")
        selected = Selected(source, params, progress)
        found = _validated(selected, validator)
    result = {
        "changed": False,
        "valid": found.valid,
        "invalid": found.invalid,
        "errors": found.errors,
        "warnings": warnings + selected.warnings(),
        "duration_s": round(time.monotonic() - began, 3),
    }
    total = found.valid + found.invalid
    if found.invalid > params["max_invalid"]:
        raise TargetError(
            f"{found.invalid} of {plural(total, 'record')} of {selected.info.name} are invalid: {_first(found.errors)}",
            details=result,
        )
    result["msg"] = f"{found.valid} of {plural(total, 'record')} of {selected.info.name} are valid."
    return result


def _validated(selected: Selected, validator: Validator) -> Validated:
    valid = invalid = 0
    errors: list[dict[str, Any]] = []
    for record in selected:
        faults = list(validator.faults(plain(record)))
        if not faults:
            valid += 1
            continue
        invalid += 1
        for fault in faults[: _MOST - len(errors)]:
            errors.append({"key": shown_key(selected.info, record), **fault._asdict()})
    return Validated(valid, invalid, errors)


def _first(errors: Iterable[Mapping[str, Any]]) -> str:
    one = next(iter(errors))
    place = f"{one['path']}: " if one["path"] else ""
    return f"{one['key']}: {place}{one['message']}."
