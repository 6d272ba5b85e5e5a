# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""evidence_info: whether the journal of evidence is unbroken, and what is in it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple, Optional

from .._core import host_state
from .._core.errors import Day2Error, InvalidRequest
from .._core.progress import Progress
from .._core.units import format_time, parse_duration, parse_time, plural
from .._evidence import journal
from .._evidence.chain import BEGUN, CUT, TORN, Chain, Fault, Head
from .._repository.anchors import HOST
from .._repository.base import Repository
from .._repository.location import open_repository
from .arguments import PLACE
from .evidence import EVENTS
from .evidence_export import Export, check_export
from .evidence_lines import FORMAT, host_mark, location

INTACT, BROKEN, UNPROVEN = "intact", "broken", "unproven"
ARGUMENTS: dict[str, Any] = {
    "argument_spec": {
        "repositories": {"type": "list", "elements": "dict", "options": PLACE},
        "ended": {"type": "list", "elements": "str"},
        "since": {"type": "str"},
        "set": {"type": "str"},
        "verb": {"type": "str", "choices": [*EVENTS, BEGUN, CUT, TORN]},
        "limit": {"type": "int", "default": 100},
        "export": {
            "type": "dict",
            "options": {
                "path": {"type": "path", "required": True},
                "format": {"type": "str", "choices": ["csv", "json"], "default": "json"},
            },
        },
        "fail_on": {"type": "list", "elements": "str", "choices": [BROKEN, UNPROVEN], "default": [BROKEN]},
    },
}


class Anchor(NamedTuple):
    """A head that a repository has. `matches`: the journal has the same line; None: that line was cut off."""

    repository: str
    head: Head
    matches: Optional[bool]


class EvidenceInfoRequest(NamedTuple):
    """The arguments. `since`: entries that are older are not listed."""

    repositories: Sequence[Mapping[str, Any]]
    ended: Sequence[str]
    since: Optional[datetime]
    set: Optional[str]
    verb: Optional[str]
    limit: int
    export: Optional[Export]
    fail_on: Sequence[str]


def request_from(params: Mapping[str, Any]) -> EvidenceInfoRequest:
    """Check the arguments of the module. Raises InvalidRequest when they are not valid, TargetError if the export can't
    be written."""
    if params["limit"] < 0:
        raise InvalidRequest(f"limit is {params['limit']}.", "Set it to a number of entries, 0 for none.")
    return EvidenceInfoRequest(
        repositories=params["repositories"] or (),
        ended=params["ended"] or (),
        since=None if params["since"] is None else _moment(params["since"]),
        set=params["set"],
        verb=params["verb"],
        limit=params["limit"],
        export=None if params["export"] is None else check_export(params["export"]),
        fail_on=params["fail_on"],
    )


def _moment(text: str) -> datetime:
    """A time, or a length of time before now."""
    try:
        return parse_time(text)
    except InvalidRequest:
        pass
    try:
        return datetime.now(timezone.utc) - timedelta(seconds=parse_duration(text))
    except InvalidRequest as exc:
        raise InvalidRequest(
            f"since: {text!r} is neither a time nor a duration.", "Write for example 2026-01-31 or 90d."
        ) from exc


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """Verify the journal of this host. Of what it reads, nothing is changed."""
    began = time.monotonic()
    request = request_from(params)
    chain = journal.read()
    progress.start("Comparing the journal with its anchors", len(request.repositories), "repositories")
    anchors, fault, problems = _compared(request, chain, progress)
    fault = chain.fault or fault
    state = BROKEN if fault else INTACT if any(one.matches for one in anchors) and not problems else UNPROVEN
    why = fault.why if fault else "" if state == INTACT else _unproven(request, chain, problems)
    entries = [line.entry for line in chain.lines if _is_wanted(request, line.entry)]
    head = chain.head
    changed = False
    if request.export is not None:
        about = {"chain": state, "problem": why or None, "head": head._asdict() if head else None}
        changed = request.export.write(entries, about, check)
    return {
        "changed": changed,
        "failed": state in request.fail_on,
        "chain": state,
        "problem": {"line": fault.line, "why": fault.why} if fault else None,
        "head": head._asdict() if head else None,
        "path": host_state.evidence(host_state.JOURNAL),
        "anchors": [_described(one) for one in anchors],
        "count": len(entries),
        "entries": entries[::-1][: request.limit],
        "msg": _message(state, chain, anchors, why),
        "warnings": [*chain.notes, *problems],
        "duration_s": round(time.monotonic() - began, 3),
    }


def _is_wanted(request: EvidenceInfoRequest, entry: Mapping[str, Any]) -> bool:
    if request.since is not None and str(entry["time"]) < format_time(request.since):
        return False
    return request.set in (None, entry.get("set")) and request.verb in (None, entry["event"])


def _unproven(request: EvidenceInfoRequest, chain: Chain, problems: Sequence[str]) -> str:
    if not chain.lines:
        return "no journal exists: this user has recorded nothing on this host"
    if problems:
        return "not every repository could be compared"
    if not request.repositories:
        return "no repository with its anchors was given"
    return "no repository contains an anchor of it"


def _message(state: str, chain: Chain, anchors: Sequence[Anchor], why: str) -> str:
    of = plural(len(chain.lines), "line")
    if chain.lines and chain.lines[0].count > 1:
        of += f" from line {chain.lines[0].count} on"
    if state == INTACT:
        newest = max((one for one in anchors if one.matches), key=lambda one: one.head.count)
        behind = len(chain.lines) and chain.lines[-1].count - newest.head.count
        text = f"The journal of evidence is intact: {of}, proven up to line {newest.head.count} by {newest.repository}"
        return text + (f"; {plural(behind, 'line')} after it" if behind else "")
    if state == BROKEN:
        return f"The journal of evidence is broken: {why}"
    words = f"The journal of evidence is unproven, as {why}"
    return f"{words}: {of}, each fits the one before" if chain.lines else words


def _described(one: Anchor) -> dict[str, Any]:
    return {"repository": one.repository, **one.head._asdict(), "matches": one.matches}


def _compared(
    request: EvidenceInfoRequest, chain: Chain, progress: Progress
) -> tuple[list[Anchor], Optional[Fault], list[str]]:
    """The newest anchors of each repository, the first that contradicts the journal, and what could not be compared."""
    found: list[Anchor] = []
    fault: Optional[Fault] = None
    problems: list[str] = []
    hosts = sorted(
        {host_mark(), *(one.entry["mark"] for one in chain.lines if HOST.fullmatch(str(one.entry.get("mark"))))}
    )
    for place in request.repositories:
        where = location(place)
        try:
            repository = open_repository(place)
            trouble = repository.trouble()
            if trouble:
                raise Day2Error(f"The repository {where} {trouble}.")
            heads = [head for host in hosts for head in _heads(repository, host, where, problems)]
        except Day2Error as exc:
            problems.append(f"The anchors in {where} can't be read: {exc}")
            continue
        for head in sorted(heads, key=lambda one: one.count):
            one, why = _judged(chain, head, where, request.ended)
            fault = fault or why
            found.append(one)
        progress.advance(1)
    newest = {(one.repository, one.head.journal, one.matches): one for one in found}
    return list(newest.values()), fault, problems


def _heads(repository: Repository, host: str, where: str, problems: list[str]) -> Iterator[Head]:
    for name, data in repository.anchors(host):
        try:
            told = json.loads(data)
            head = Head(*(told[field] for field in Head._fields))
            right = told["format"] == FORMAT and name == f"{head.journal}-{head.count:012d}"
            right = right and isinstance(head.digest, str) and isinstance(head.time, str)
        except (ValueError, KeyError, TypeError, RecursionError):
            right = False
        if right:
            yield head
        else:
            problems.append(f"{where} has an anchor {name} that is damaged.")


def _judged(chain: Chain, head: Head, where: str, ended: Sequence[str]) -> tuple[Anchor, Optional[Fault]]:
    anchored = f"Line {head.count} was anchored in {where} at {head.time}"
    own = chain.head
    if own is None or head.journal != own.journal:
        if head.journal in ended:
            return Anchor(where, head, None), None
        return Anchor(where, head, False), Fault(
            0,
            f"The journal that was anchored in {where} until {head.time} has the ID {head.journal}, with "
            f"{plural(head.count, 'line')}: it was replaced or removed. If you know why, add {head.journal} to ended.",
        )
    if head.count > own.count:
        why = (
            f"{anchored}, but the journal ends with line {own.count}: it was truncated, or restored to an older state."
        )
        return Anchor(where, head, False), Fault(own.count + 1, why)
    first = chain.lines[0].count
    if head.count < first:
        return Anchor(where, head, None), None
    if chain.lines[head.count - first].digest == head.digest:
        return Anchor(where, head, True), None
    why = f"{anchored} with another digest: it, or a line before it, was changed, and all later lines were rewritten."
    return Anchor(where, head, False), Fault(head.count, why)
