# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""lifecycle_info: the states of the records of a state machine, and what happened to one of them. Only reads."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..._core.errors import TargetError
from ..._core.progress import Progress
from ..._core.units import plural
from ..._stores.records.registry import open_lifecycle
from .lifecycle import DATABASE, history_of
from .machine import Machine, machine_from

ARGUMENTS: dict[str, Any] = {"argument_spec": dict(DATABASE, subject={"type": "str"})}


def request_from(params: Mapping[str, Any]) -> Machine:
    """Check the arguments of the module.

    :raises InvalidRequest: they are not valid.
    """
    return machine_from(params["machine"])


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb.

    :raises TargetError: the subject does not exist.
    """
    began = time.monotonic()
    machine, subject = request_from(params), params["subject"]
    with open_lifecycle(params["store"], machine.name, history_of(params), write=False) as tables:
        tables.check_columns(machine.collection, {machine.key, machine.state_field, *machine.fields})
        known = tables.is_ready()
        counts = tables.counts(machine.collection, machine.state_field)
        attempts = tables.attempts().values() if known else ()
        result: dict[str, Any] = {
            "changed": False,
            "states": {state: counts.get(state, 0) for state in machine.states},
            "unknown_states": {str(state): count for state, count in counts.items() if state not in machine.states},
            "attempts": [one._asdict() for one in attempts],
        }
        if subject is not None:
            subject = tables.spelled(machine.collection, machine.key, subject)
            fields = sorted({machine.state_field, *machine.fields})
            record = tables.records(machine.collection, machine.key, fields, [subject]).get(subject)
            if record is None:
                raise TargetError(f"There is no {machine.key} {subject} in {machine.collection}.")
            result["state"] = record[machine.state_field]
            result["history"] = [one._asdict() for one in tables.history(subject)] if known else []
            result["services"] = [one._asdict() for one in tables.services(subject)] if known else []
    result["msg"] = f"{plural(sum(counts.values()), 'record')} of {machine.collection}."
    for one in result["attempts"]:
        one.pop("token")
    result["duration_s"] = round(time.monotonic() - began, 3)
    return result
