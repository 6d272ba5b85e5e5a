# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""backup_info: the sets and backups of a repository, and whether they are good."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from .._core.errors import Day2Error, RepositoryError, Unreachable
from .._core.pgbackrest import is_pgbackrest
from .._core.progress import Progress
from .._core.units import format_duration, format_time, plural
from .._repository.base import Repository
from .._repository.history import STORED, Entry, History, read_history, remember_verified, retained
from .._repository.location import check_exists, is_offsite, open_repository, places_of
from .._repository.manifest import CONTENT, MANIFEST, SAFETY, Manifest, check_set_name
from .._repository.objective import Copies, Objective, Place, count_copies
from .._repository.owner import Owner, is_of_host, owners_of, this_host
from .._repository.reading import Problem, full_problems
from .._repository.retention import Keep, check_tags
from .arguments import IDENTITY, KEEP, REPOSITORY, TIMEOUT, duration, keep_policy, limited, optional
from .copy_arguments import OBJECTIVE
from .descriptions import describe, describe_owners
from .evidence import EVIDENCE, recorded

ARGUMENTS: dict[str, Any] = {
    "argument_spec": dict(
        name={"type": "str"},
        host={"type": "str"},
        tags={"type": "list", "elements": "str"},
        verify={"type": "str", "choices": ["none", "quick", "full"], "default": "quick"},
        reverify_after={"type": "str"},
        max_age={"type": "str"},
        **REPOSITORY,
        **TIMEOUT,
        **IDENTITY,
        **KEEP,
        **OBJECTIVE,
        **EVIDENCE,
    ),
}


class BackupInfoRequest(NamedTuple):
    """The arguments. `reverify_after`: seconds for which an earlier full verification is valid."""

    name: Optional[str]
    host: Optional[str]
    tags: Sequence[str]
    repository: Repository
    verify: str
    reverify_after: Optional[float]
    max_age: Optional[float]
    keep: Optional[Keep]
    lock_timeout: float
    offsite: bool
    copies: Sequence[Place]
    objective: Optional[Objective]

    @property
    def counts_copies(self) -> bool:
        """Whether anything was said of copies."""
        return bool(self.copies) or self.objective is not None


def request_from(params: Mapping[str, Any]) -> BackupInfoRequest:
    """Check the arguments of the module. Raises InvalidRequest when they are not valid."""
    return BackupInfoRequest(
        name=optional(params["name"], check_set_name),
        host=optional(params["host"], this_host),
        tags=check_tags(params["tags"] or ()),
        repository=open_repository(params),
        verify=params["verify"],
        reverify_after=optional(params["reverify_after"], duration),
        max_age=optional(params["max_age"], duration),
        keep=keep_policy(params["keep"]),
        lock_timeout=duration(params["lock_timeout"]),
        offsite=is_offsite(params),
        copies=places_of(params),
        objective=Objective.from_options(params["copies"]),
    )


@recorded("verification")
@limited
def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """Read the sets; with verify=full, also verify backups and (outside check mode) record the results."""
    if is_pgbackrest(params["repository"]):
        from .pitr_info import backup_info  # only here: see _stores/registry.py

        return backup_info(params, ARGUMENTS["argument_spec"])
    began = time.monotonic()
    request = request_from(params)
    now = datetime.now(timezone.utc)
    trouble = request.repository.trouble()
    if request.name is not None:
        check_exists(request.repository)
    existing = [] if trouble else request.repository.sets()
    if request.name is not None and request.name not in existing:
        raise RepositoryError(
            f"The repository {request.repository.location} has no set {request.name}.",
            f"The sets are: {', '.join(existing) or 'none'}.",
        )
    sets = [_try(request, name, check, progress, now) for name in existing if request.name in (None, name)]
    problems = [dict(problem, set=one["name"]) for one in sets for problem in one["problems"]]
    if not existing:
        problems.append(_nothing_there(request.repository.location, trouble or "has no backup"))
    current = [one.pop("current") for one in sets]
    return {
        "changed": False,
        "sets": sets,
        "problems": problems,
        "ok": not problems and all(current),
        "warnings": [note for one in sets for note in one.pop("notes")],
        "at": format_time(now),
        "duration_s": round(time.monotonic() - began, 3),
    }


def _nothing_there(path: str, problem: str) -> dict[str, Any]:
    return {"set": None, "backup": None, "path": path, "problem": problem}


def _try(request: BackupInfoRequest, name: str, check: bool, progress: Progress, now: datetime) -> dict[str, Any]:
    """The result for a set. An error in reading it does not hide the others."""
    try:
        return _look(request, name, check, progress, now)
    except RepositoryError as exc:
        return {
            "name": name,
            "newest": None,
            "age_s": None,
            "within_max_age": None if request.max_age is None else False,
            "foreign": False,
            "owners": [],
            "msg": f"{name} can't be read: {exc.message}",
            "backups": [],
            "bytes": 0,
            "problems": [{"backup": None, "path": name, "problem": exc.message}],
            "copies": None,
            "notes": [],
            "current": False,
        }


def _look(request: BackupInfoRequest, name: str, check: bool, progress: Progress, now: datetime) -> dict[str, Any]:
    repository = request.repository
    history = read_history(repository, name, now)
    if request.host is not None:
        history = history.of_host(request.host)
    notes = [f"Backup {entry.id} of {name}: {note}" for entry in history.entries for note in entry.notes]
    notes += _notes_on_encrypted(request, name, history)
    unread: dict[str, Problem] = {}
    if request.verify == "full":
        found, unread = _read_all(request, name, history, progress, now)
        if found and not check:
            notes += _record(request, name, history, found, now)
        history = _with(history, found, now)
    owners = owners_of(history.good)
    reasons = _reasons(request, history, owners)
    whole, history = history, history.tagged(request.tags)
    newest = history.newest
    age = history.age(newest, now) if newest else None
    foreign = newest is not None and not is_of_host(newest, this_host(request.host))
    backups = [_backup(repository, name, entry, reasons, now) for entry in reversed(history.entries)]
    problems = [
        dict(problem, backup=entry.id)
        for entry in history.entries
        for problem in entry.complaints
        if request.verify != "none"
    ] + [dict(problem, backup=backup) for backup, problem in unread.items()]
    # a set that contains only safety backups need not have a backup of its own
    only_safety = bool(history.entries) and all(
        entry.manifest is not None and entry.manifest.kind == SAFETY for entry in history.entries
    )
    ignored = only_safety and request.name is None
    within = None
    if request.max_age is not None and not ignored:
        within = age is not None and age <= request.max_age
    copies = None if ignored else _copies(request, name, whole, now)
    problems += _copy_problems(name, copies)
    return {
        "name": name,
        "newest": newest.id if newest else None,
        "age_s": None if age is None else round(age, 3),
        "within_max_age": within,
        "foreign": foreign,
        "owners": describe_owners(owners),
        "msg": _message(
            name
            + (f" (of {f'host {newest.host}' if newest.opened else 'another host'})" if newest and foreign else ""),
            age,
            request.max_age,
            len(problems),
            "only safety backups" if only_safety else "no good backup",
        )
        + (f", {copies}" if copies else ""),
        "copies": _describe(copies),
        "backups": backups,
        "bytes": sum(entry.manifest.stored_size for entry in history.entries if entry.manifest),
        "problems": problems,
        "notes": notes,
        "current": within is not False and (newest is not None or ignored),
    }


def _record(
    request: BackupInfoRequest, name: str, history: History, found: dict[str, list[Problem]], now: datetime
) -> list[str]:
    """Record the results of a verification. Returns notes on what earlier runs left, or why it is not possible."""
    notes: list[str] = []
    try:
        with request.repository.lock(name, "backup_info", request.lock_timeout) as left:
            notes += left
            remember_verified(request.repository, name, found, now, stored=_closed(history))
    except Day2Error as exc:
        notes.append(f"The results of the verification of {name} can't be recorded: {exc}")
    return notes


def _reasons(
    request: BackupInfoRequest, history: History, owners: Sequence[tuple[Owner, Sequence[Manifest]]]
) -> dict[str, list[str]]:
    """The rules that retain each backup, by its id."""
    return {
        one.id: list(one.reasons)
        for owner, _backups in owners
        for one in retained(history.of(owner), request.keep)
        if one.reasons
    }


def _copies(request: BackupInfoRequest, name: str, history: History, now: datetime) -> Optional[Copies]:
    if not request.counts_copies:
        return None
    here = Place(request.repository.location, request.offsite, request.repository)
    return count_copies(
        name,
        (here, history),
        request.copies,
        objective=request.objective,
        now=now,
        max_age=request.max_age,
        host=request.host,
    )


def _copy_problems(name: str, copies: Optional[Copies]) -> list[dict[str, Any]]:
    if copies is None:
        return []
    found = [] if copies.met is not False else [{"backup": None, "path": name, "problem": f"it has {copies}"}]
    return found + [
        {"backup": None, "path": one.repository, "problem": f"its copies are unknown: {one.trouble}"}
        for one in copies.unknown
    ]


def _describe(copies: Optional[Copies]) -> Optional[dict[str, Any]]:
    if copies is None:
        return None
    return {
        "count": copies.total,
        "offsite": copies.offsite,
        "met": copies.met and not copies.unknown,
        "repositories": [
            {
                "repository": one.repository,
                "offsite": one.offsite,
                "status": one.status,
                "newest": one.newest,
                "age_s": None if one.age_s is None else round(one.age_s, 3),
                "verified": format_time(one.verified) if one.verified else None,
            }
            for one in copies.places
        ],
    }


def _read_all(
    request: BackupInfoRequest, name: str, history: History, progress: Progress, now: datetime
) -> tuple[dict[str, list[Problem]], dict[str, Problem]]:
    """Verify backups that are new, were damaged, or were last verified too long ago.

    Returns what was found, and why others could not be read, which says nothing about them.
    """
    found, unread = {}, {}
    for entry in history.entries:
        if entry.manifest is None:
            continue
        if (
            request.reverify_after is not None
            and entry.verified_at is not None
            and (entry.verified == CONTENT or not entry.manifest.opened)
            and not entry.problems
            and (now - entry.verified_at).total_seconds() < request.reverify_after
        ):
            continue
        try:
            with request.repository.hold(name, entry.id):
                found[entry.id] = full_problems(request.repository, name, entry.manifest, progress)
        except Unreachable as exc:
            unread[entry.id] = {"path": MANIFEST, "problem": f"it could not be verified: {exc.message}"}
        except RepositoryError as exc:
            if entry.id in request.repository.ids(name):  # otherwise removed meanwhile by the policy of another run
                found[entry.id] = [{"path": MANIFEST, "problem": exc.message}]
    return found, unread


def _notes_on_encrypted(request: BackupInfoRequest, name: str, history: History) -> list[str]:
    closed = len(_closed(history))
    if not closed or (request.verify != "full" and request.repository.encryption.identity is None):
        return []
    identity = "none was given" if request.repository.encryption.identity is None else "the given one is not theirs"
    compared = "of these, only the stored bytes were compared" if request.verify == "full" else "these were not opened"
    return [
        f"{plural(closed, 'encrypted backup')} of {name} can't be read without an identity, and {identity}: {compared}."
    ]


def _closed(history: History) -> set[str]:
    """Encrypted backups of which the content can't be read here."""
    return {entry.id for entry in history.entries if entry.manifest is not None and not entry.manifest.opened}


def _with(history: History, found: dict[str, list[Problem]], now: datetime) -> History:
    closed = _closed(history)
    entries = tuple(
        entry._replace(
            problems=tuple(found[entry.id]), verified_at=now, verified=STORED if entry.id in closed else CONTENT
        )
        if entry.id in found
        else entry
        for entry in history.entries
    )
    return history._replace(entries=entries)


def _backup(
    repository: Repository, name: str, entry: Entry, reasons: Mapping[str, list[str]], now: datetime
) -> dict[str, Any]:
    common = {
        "good": not entry.complaints,
        "problems": entry.complaints,
        "verified": format_time(entry.verified_at) if entry.verified_at else None,
        "verified_read": entry.verified if entry.verified_at else None,
        "reasons": reasons.get(entry.id, []),
    }
    path = repository.path(name, entry.id)
    if entry.manifest is None:
        return dict(common, id=entry.id, path=path)
    age = max(0.0, (now - entry.manifest.created).total_seconds())
    return dict(describe(entry.manifest, path), age_s=round(age, 3), **common)


def _message(name: str, age: Optional[float], limit: Optional[float], problems: int, nothing: str) -> str:
    if age is None:
        text = f"{name} has {nothing}"
    else:
        text = f"the newest good backup of {name} is {format_duration(age)} old"
        if limit is not None:
            text += f", {('within' if age <= limit else 'beyond')} max_age {format_duration(limit)}"
    return text + (f", {problems} problem{'s' * (problems > 1)}" if problems else "")
