# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts that the report of a fleet is made from, as a JSON schema, and the values of what is left out.

Times are UTC, lengths of time are in seconds, sizes in bytes. What is not known is null or left out, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils._core.errors import InvalidRequest
from ...module_utils._core.json_schema import Schema
from .words import visible

_Schema = dict[str, Any]
NOTHING_KNOWN = "-" * 90  # of runs

_TEXT: _Schema = {"type": "string"}
_NAME: _Schema = {"type": "string", "minLength": 1}
_TIME: _Schema = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"}
_COUNT: _Schema = {"type": "integer", "minimum": 0}
_SPAN: _Schema = {"type": "number", "minimum": 0}
_POSITIVE: _Schema = {"type": "number", "exclusiveMinimum": 0}
_SAMPLES: _Schema = {"type": "array", "maxItems": 90, "items": _COUNT}


def _object(required: Sequence[str] = (), **properties: _Schema) -> _Schema:
    names = {name.rstrip("_"): schema for name, schema in properties.items()}
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": names}


def _list(items: _Schema) -> _Schema:
    return {"type": "array", "items": items}


def _or_null(schema: _Schema) -> _Schema:
    return {"anyOf": [{"type": "null"}, schema]}


_HEALTH = _object(
    ["score", "checked_at", "checks", "problems"],
    score={"type": "number", "minimum": 0, "maximum": 100},
    checked_at=_TIME,
    checks=_COUNT,
    # Worst first
    problems=_list(
        _object(
            ["name", "status", "message"],
            name=_TEXT,
            status={"enum": ["warning", "critical", "unknown"]},
            message=_TEXT,
        )
    ),
)
_DISK = _object(
    ["path", "capacity_bytes", "used_bytes", "sample_every_s", "used_samples"],
    path=_NAME,  # where it is mounted
    capacity_bytes={"type": "integer", "minimum": 1},
    used_bytes=_COUNT,
    sample_every_s=_POSITIVE,
    used_samples=_SAMPLES,  # oldest first, the last is now; a new disk has few
)
_OBJECTIVES = _object(
    rpo_s=_or_null(_POSITIVE),
    rto_s=_or_null(_POSITIVE),
    copies=_or_null(_object(min=_COUNT, offsite=_COUNT)),  # the data itself is one
    drill_every_s=_or_null(_POSITIVE),
    verify_every_s=_or_null(_POSITIVE),
)
_DRILL = _object(
    ["at", "result", "stages"],
    at=_TIME,
    backup=_or_null(_TEXT),
    from_=_or_null(_TEXT),  # the repository
    result={"enum": ["pass", "fail", "inconclusive"]},
    reason=_or_null(_TEXT),
    # Those that were reached
    stages=_object(fetch=_SPAN, decrypt=_SPAN, restore=_SPAN, verify=_SPAN, probe=_SPAN),
    measured_rpo_s=_or_null(_SPAN),  # age of the canary when the backup was made
)
_VERIFICATION = _object(
    ["at", "backups", "damaged"],
    at=_or_null(_TIME),  # the oldest of the last full readings of its good backups; null: one was never read
    backups=_COUNT,
    content={"type": "boolean"},  # false: only the stored, encrypted bytes were compared
    damaged=_list(_object(["backup", "problem"], backup=_TEXT, problem=_TEXT)),
)
_COPY = _object(
    ["repository", "medium", "offsite", "ok"],
    repository=_TEXT,  # without secrets
    medium=_TEXT,  # disk, S3, SFTP …: equal words are one kind
    offsite={"type": "boolean"},
    ok={"type": "boolean"},  # it has the newest good backup, within the RPO
    problem=_or_null(_TEXT),
    newest_at=_or_null(_TIME),
    locked_until=_or_null(_TIME),
)
_SET = _object(
    ["name", "store", "newest_good"],
    name=_NAME,
    store=_TEXT,
    run_every_s=_or_null(_POSITIVE),  # of its schedule; null if it is started by hand or by a change
    drill_scheduled={"type": ["boolean", "null"]},
    disk=_or_null(_TEXT),  # path of the host's disk that has its repository; null if that is elsewhere
    problem=_or_null(_TEXT),  # why its backups could not be read, or what is wrong with it in the inventory
    read_at=_or_null(_TIME),  # when its repository was read last, if that does not need the host
    objectives=_OBJECTIVES,
    # Ages count from when the data was last found equal to it (confirmed)
    newest_good=_or_null(_object(["id", "made_at"], id=_TEXT, made_at=_TIME, confirmed_at=_or_null(_TIME))),
    last_failure=_or_null(
        _object(
            ["at", "runs", "error"],
            at=_TIME,
            runs={"type": "integer", "minimum": 1},  # in a row
            error=_TEXT,  # sets with the same text are one entry: without host, times and numbers of processes
            job=_or_null(_TEXT),  # null if it was run by hand
        )
    ),
    verification=_or_null(_VERIFICATION),
    last_drill=_or_null(_DRILL),
    copies=_list(_COPY),
    # Of all its backups, as stored
    size=_or_null(
        _object(["bytes", "sample_every_s", "samples"], bytes=_COUNT, sample_every_s=_POSITIVE, samples=_SAMPLES)
    ),
    # Days (UTC), the last is today: the worst run of each. o ok, u all unchanged, f failed, m one that was due is
    # missing, - none was due, or it is not known.
    runs={"type": "string", "pattern": "^[-oufm]{90}$"},
)
# The chained journal of a host. Unproven: nothing outside of the host confirms it.
_EVIDENCE = _object(
    ["chain", "entries"],
    chain={"enum": ["intact", "broken", "unproven"]},
    entries=_COUNT,
    head=_or_null(_TEXT),
    why=_or_null(_TEXT),  # it is not intact
    anchored_at=_or_null(_TIME),
    anchor=_or_null(_TEXT),  # where
)
_HOST = _object(
    ["name", "groups", "last_report_at", "report_every_s", "sets"],
    name=_NAME,
    groups=_list(_NAME),  # the first one folds the host's sets on the page: the application
    last_report_at=_or_null(_TIME),  # by the clock of the controller; null: never
    report_every_s=_POSITIVE,
    problem=_or_null(_TEXT),  # why the host did not answer
    fault=_or_null(
        _TEXT
    ),  # why it cannot be judged, though it may answer: what it or the inventory says makes no sense
    health=_or_null(_HEALTH),
    disks=_list(_DISK),
    evidence=_or_null(_EVIDENCE),
    sets=_list(_SET),  # every set that the inventory expects, also those without a backup
)
FACTS = _object(
    ["format", "fleet", "made_at", "made_by", "hosts"],
    format={"const": 1},
    fleet=_NAME,
    made_at=_TIME,
    next_due_at=_or_null(_TIME),  # after it, the page is out of date
    # Inventories as they follow -i, quoted for a shell
    made_by=_object(
        ["tool", "controller", "inventory", "command"], tool=_TEXT, controller=_TEXT, inventory=_TEXT, command=_TEXT
    ),
    sources=_list(_object(["kind", "count"], kind=_TEXT, count=_COUNT)),
    # Of the chained journals of all hosts. Not verified: one is broken.
    # The head is that of the only journal, or a digest of all heads.
    evidence=_or_null(
        _object(
            ["entries", "verified", "head"],
            entries=_COUNT,
            verified={"type": "boolean"},
            head=_TEXT,
            anchored_at=_or_null(_TIME),
            anchor=_or_null(_TEXT),
        )
    ),
    hosts=_list(_HOST),  # every host that the inventory expects, also those that have never reported
    # Of the last day or so
    events=_list(
        _object(
            ["at", "kind", "result", "text"],
            at=_TIME,
            host=_or_null(_TEXT),
            set=_or_null(_TEXT),
            kind=_NAME,
            result={"enum": ["ok", "failed", "inconclusive", "info"]},
            text=_TEXT,
        )
    ),
)

_HOST_SCHEMA = Schema(_object(hosts=FACTS["properties"]["hosts"], events=FACTS["properties"]["events"]), "facts")


def fault_of(host: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> str:
    """What is wrong with the facts of a host, and with its events; "": nothing."""
    fault = next(_HOST_SCHEMA.faults({"hosts": [host], "events": list(events)}), None)
    return f"{fault.path} {fault.message}" if fault else ""


def checked(facts: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the facts, with every optional key, and with characters written out that cannot be seen.

    What hosts have told has been checked already (fault_of).

    :raises InvalidRequest: the facts do not fit the schema.
    """
    about = {name: value for name, value in facts.items() if name not in {"hosts", "events"}}
    fault = next(Schema(FACTS, "facts").faults({**about, "hosts": []}), None)
    if fault:
        raise InvalidRequest(f"The facts of the fleet are not valid: {fault.path or 'all of it'}: {fault.message}.")
    completed: dict[str, Any] = _completed(FACTS, visible(dict(facts)))
    return completed


_DEFAULTS: dict[str, Any] = {"runs": NOTHING_KNOWN, "content": True}


def _completed(schema: Mapping[str, Any], value: Any) -> Any:
    """The value, with what was left out: null where that is allowed, else empty."""
    if value is None:
        return None
    if "anyOf" in schema:
        return _completed(schema["anyOf"][1], value)
    if schema.get("type") == "array":
        return [_completed(schema["items"], one) for one in value]
    if schema.get("type") != "object":
        return value
    filled = {}
    for name, inner in schema["properties"].items():
        if name in value:
            filled[name] = _completed(inner, value[name])
        elif name == "objectives":
            filled[name] = _completed(inner, {})
        elif inner is not _SPAN:  # a stage that was not reached
            filled[name] = _DEFAULTS.get(name, [] if inner.get("type") == "array" else None)
    return filled
