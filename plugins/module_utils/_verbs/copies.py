# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of a set in another repository, for `backup_copy` and for `copy_to` of `backup`: plan, then apply."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone

from .._core import host_key
from .._core.errors import Cancelled, DamagedBackup, Day2Error, InvalidRequest, LeaseLost, NoSpace, RepositoryError
from .._core.files import LEAST
from .._core.progress import Progress
from .._repository.base import Repository
from .._repository.copying import Copying
from .._repository.encryption import check_plain_allowed, release, require, required_since
from .._repository.history import Entry, History, read_history, remember_confirmed, remember_verified, retained, select
from .._repository.location import check_exists
from .._repository.manifest import ORDINARY, REFERENCE, Manifest, random_id
from .._repository.owner import names_of, owner_of, owners_of
from .._repository.recognition import is_copy_of
from .._repository.retention import Decision
from .copy_plan import ALL, NEWEST, Copied, CopyPlan, CopyRequest, Wanted
from .descriptions import describe_owners
from .references import copyable
from .removals import carry_out
from .snapshots import note, secrets_of


@contextlib.contextmanager
def plan(request: CopyRequest, check: bool) -> Iterator[CopyPlan]:
    """Plan copies. Outside check mode, the set is locked in the target while the block runs."""
    request.target.check_writable(request.name)
    if request.target.encryption.recipients and not check:
        host_key.made()
    chosen, alternatives, notes = _selected(request)
    with contextlib.ExitStack() as stack:
        leftovers: Sequence[str] = ()
        if not check:
            ids = [one.id for one in chosen]
            lock = request.target.lock(request.name, "backup_copy", request.lock_timeout, ids)
            leftovers = stack.enter_context(lock)
        history = read_history(request.target, request.name)
        selected = [_as_copied(request, history, one) for one in chosen]
        # as in `backup`, safety backups do not make a host an owner
        _check_owner(request, history, [one.manifest for one in selected if one.manifest.kind in ORDINARY])
        existing, missing, refused = _compared(request, history, selected)
        _check_encryption(request, history, [one.manifest for one in missing])
        decisions = _decisions(request, history, selected, missing)
        unwanted = {one.id for one in decisions if not one.reasons}
        not_kept = [one.manifest.id for one in missing if one.id in unwanted]
        if not_kept and request.insist:
            raise InvalidRequest(
                f"Backup {not_kept[0]} is not copied: keep would remove it from {request.target.location} at once.",
                "Nothing was copied. Extend keep, or leave it out.",
            )
        wanted = [one for one in missing if one.id not in unwanted]
        if not check:
            unused = {one.id for one in chosen} - {one.id for one in wanted}
            leftovers = [*leftovers, *request.target.drop_copies(request.name, unused)]
        _check_space(request, wanted)
        left_out = {one.id for one in missing} & unwanted
        decisions = [one for one in decisions if one.id not in left_out and not _refers(history, one.id)]
        yield CopyPlan(
            request,
            history,
            alternatives,
            wanted,
            existing,
            not_kept,
            refused,
            decisions,
            _locked(request, decisions),
            leftovers,
            notes,
        )


def _refers(history: History, backup: str) -> bool:
    """Whether removing a backup would take more than a repository: what it refers to."""
    entry = history.get(backup)
    return entry is not None and entry.manifest is not None and entry.manifest.kind == REFERENCE


def _selected(request: CopyRequest) -> tuple[list[Wanted], Sequence[Manifest], list[str]]:
    """The backups that the target is to have, oldest first; all good ones; notes on damaged ones."""
    if request.coming is not None:
        return [Wanted(request.coming, request.coming.id)], (), []
    check_exists(request.source)
    history = read_history(request.source, request.name)
    if not history.entries:
        raise RepositoryError(
            f"The repository {request.source.location} has no set {request.name}.",
            f"The sets are: {', '.join(request.source.sets()) or 'none'}.",
        )
    good = [one.manifest for one in history.entries if one.manifest is not None and not one.problems]
    damaged = [one for one in history.entries if one.problems]
    future = {one.id for one in history.entries if one.future}
    if request.which == ALL:
        if not good:
            raise RepositoryError(f"The set {request.name} in {request.source.location} has no good backup.")
        good, notes = copyable(good, f"the set {request.name} in {request.source.location}")
        wanted = [Wanted(one, one.id, one.id in future) for one in good]
        return wanted, good, [*notes, *(_damage(one, request.source) for one in damaged)]
    if request.which == NEWEST:
        newest = select(history, "latest", None, request.name)
        later = history.entries[[one.id for one in history.entries].index(newest.id) :]
        notes = [f"{_damage(one, request.source)} The newest good one is {newest.id}." for one in later if one.problems]
        return [Wanted(newest, newest.id)], good, notes
    entry = history.get(request.which)
    if entry is not None and entry.problems:
        raise RepositoryError(_damage(entry, request.source), _instead(entry.id, good))
    chosen = select(history, request.which, None, request.name)
    return [Wanted(chosen, chosen.id, chosen.id in future)], good, []


def _as_copied(request: CopyRequest, history: History, one: Wanted) -> Wanted:
    """With the id of its copy. If it is encrypted on the way, that is another one, as its bytes are like no other's."""
    if not request.encrypts(one.manifest):
        return one
    copies = [
        entry
        for entry in history.entries
        if entry.manifest is not None
        and entry.manifest.created == one.manifest.created
        and is_copy_of(entry.manifest, one.manifest)
        and request.target.encryption.fits(entry.manifest)
    ]
    copies.sort(key=lambda entry: bool(entry.problems))
    return one._replace(id=copies[0].id if copies else random_id(one.manifest.created), encrypted=True)


def _check_encryption(request: CopyRequest, history: History, missing: Sequence[Manifest]) -> None:
    """Raise InvalidRequest when a copy would not be encrypted, although others are since its time, or are newer; or
    would tell a name that is hidden.
    """
    newest = history.newest
    encrypted = [one.manifest.created for one in history.entries if one.manifest and one.manifest.envelope]
    noted = required_since(request.target, request.name)
    since = min([*encrypted, *([noted] if noted else [])], default=None)
    plain = [one.created for one in missing if one.envelope is None]
    hides = bool(plain) and request.target.hides_names
    if hides or any(newest is None or one > newest.created or (since and one >= since) for one in plain):
        check_plain_allowed(request.target, request.name, newest)


def _damage(entry: Entry, repository: Repository) -> str:
    problem = entry.problems[0]
    told = f"{problem['path']}: {problem['problem'].rstrip('.')}"
    return f"Backup {entry.id} in {repository.location} is damaged and is not copied: {told}."


def _instead(backup_id: str, good: Iterable[Manifest]) -> str:
    """A hint that names the good backup that is next to a damaged one."""
    ids = [one.id for one in good if one.id != backup_id]
    older = [one for one in ids if one < backup_id]
    nearest = older[-1] if older else next(iter(ids), None)
    return (
        "There is no other good backup." if nearest is None else f"The next good backup is {nearest}: set which to it."
    )


def _check_owner(request: CopyRequest, history: History, selected: Sequence[Manifest]) -> None:
    """A set belongs to a host and its stores: refuse to mix it with that of another owner."""
    there = [one.manifest for one in history.entries if one.manifest is not None and one.manifest.kind in ORDINARY]
    if request.take_over or not there:
        return
    for one in selected:
        owner = request.owner or owner_of(one)
        if any(owner.owns(other) or owner_of(other).owns(one) for other in there):
            continue
        owners = owners_of(there)
        raise InvalidRequest(
            f"The set {request.name} in {request.target.location} belongs to "
            f"{names_of([other for other, _backups in owners])}, not to {owner}.",
            "Copy to another repository, or set take_over=true once, to have backups of both in this set.",
            {"other_owners": describe_owners(owners)},
        )


def _compared(
    request: CopyRequest, history: History, selected: Sequence[Wanted]
) -> tuple[list[str], list[Wanted], dict[str, str]]:
    """Of the selected backups: those that the target has, those that it lacks, and why others can't be copied."""
    existing: list[str] = []
    missing: list[Wanted] = []
    refused: dict[str, str] = {}
    for one in selected:
        entry = history.get(one.id)
        path = request.target.path(request.name, one.id)
        if one.manifest.kind == REFERENCE:
            refused[one.id] = f"Backup {one.id} only refers to data in AWS, which is not copied."
        elif one.manifest.envelope is not None and not request.fits(one.manifest):
            refused[one.id] = (
                f"Backup {one.id} is encrypted to other recipients, or by another host. Without encrypt_to, it is "
                "copied as it is."
            )
        elif entry is None and _secrets(request, one.manifest):
            refused[one.id] = (
                f"Backup {one.id} contains secrets ({', '.join(_secrets(request, one.manifest))}), which would not be "
                f"encrypted in {request.target.location}. Set encrypt_to for it."
            )
        elif entry is None:
            missing.append(one)
        elif not one.encrypted and entry.manifest and entry.manifest.to_json() != one.manifest.to_json():
            refused[one.id] = f"{path} is another backup with the same ID."
        elif entry.problems:
            problem = entry.problems[0]
            told = f"{problem['path']}: {problem['problem'].rstrip('.')}"
            refused[one.id] = f"{path} is damaged: {told}. Remove it to have it copied again."
        else:
            existing.append(one.id)
    return existing, missing, refused


def _secrets(request: CopyRequest, manifest: Manifest) -> list[str]:
    """The options because of which a copy would show secrets."""
    parameters = [part.parameters for part in manifest.sources]
    return [] if manifest.envelope is not None else secrets_of(parameters, request.target)


def _decisions(
    request: CopyRequest, history: History, selected: Sequence[Wanted], missing: Sequence[Wanted]
) -> list[Decision]:
    """What the policy says of the backups in the target, and of those that it lacks, of the owners that are copied."""
    reasons: dict[str, list[str]] = {}
    whole = history._replace(entries=(*history.entries, *(one.entry for one in missing)))
    ordinary = [one.entry.manifest for one in selected if one.manifest.kind in ORDINARY]
    owners = [owner for owner, _backups in owners_of(one for one in ordinary if one is not None)]
    for owner in [request.owner] if request.owner is not None else owners:
        for decision in retained(whole.of(owner), request.keep):
            reasons.setdefault(decision.id, []).extend(decision.reasons)
    return [Decision(one, tuple(why)) for one, why in reasons.items()]


def _check_space(request: CopyRequest, wanted: Sequence[Wanted]) -> None:
    """Raise NoSpace when the copies do not fit."""
    free = request.target.free_bytes()
    if free is None or not wanted:
        return
    need = LEAST + sum(one.manifest.stored_size - request.target.bytes_of_copy(request.name, one.id) for one in wanted)
    if request.coming is not None:
        need += request.coming_bytes(request.target, free - need)
    if need > free:
        raise NoSpace(
            f"The copies require {need} bytes in {request.target.location}, where {free} are free.",
            "Nothing was copied. Free some space on that file system and run again.",
        )


def _locked(request: CopyRequest, decisions: Sequence[Decision]) -> dict[str, datetime]:
    found = {one.id: request.target.locked_until(request.name, one.id) for one in decisions if not one.reasons}
    return {backup: until for backup, until in found.items() if until is not None}


def apply(ready: CopyPlan, progress: Progress) -> Copied:
    """Copy what the target lacks, oldest first, then remove what its policy does not keep. One that can't be copied
    does not stop the others, but nothing is removed then.
    """
    request = ready.request
    copying = Copying(request.source, request.target, request.name, progress)
    copied: list[Manifest] = []
    failed: dict[str, str] = {}
    ids: dict[str, str] = {}
    for one in ready.wanted:
        try:
            copied.append(_copy(copying, one))
            ids[one.id] = copied[-1].id
        except Cancelled as exc:
            raise _stopped(exc, request, copied) from exc
        except LeaseLost as exc:  # what was copied until then is there, and is told
            failed[one.manifest.id] = str(exc)
            break
        except DamagedBackup as exc:
            told = "; ".join(f"{problem['path']}: {problem['problem']}" for problem in exc.problems)
            failed[one.manifest.id] = (
                f"Backup {one.manifest.id} in {request.source.location} is damaged and was not copied: {told}. "
                + _instead(one.manifest.id, [good for good in ready.alternatives if good.id not in failed])
            )
        except Day2Error as exc:
            failed[one.manifest.id] = str(exc)
    warnings = note(lambda: _remember(ready, copied))
    removals = [] if failed or ready.refused else ready.removals
    unwanted = {one.id for one in ready.decisions if not one.reasons}
    kept = [one.id for one in ready.history.entries if one.id not in unwanted]
    removed, more = carry_out(request.target, request.name, [*kept, *(one.id for one in copied)], removals)
    return Copied(copied, failed, removed, [*warnings, *more], ids)


def _stopped(exc: Cancelled, request: CopyRequest, copied: Sequence[Manifest]) -> Cancelled:
    """A cancellation, with what was copied before it."""
    if not copied:
        return Cancelled(exc.message, exc.hint, exc.details)
    ids = ", ".join(one.id for one in copied)
    return Cancelled(
        f"{exc.message} Before that: copied {ids} to {request.target.location}.", exc.hint, {"changed": True}
    )


def _copy(copying: Copying, wanted: Wanted) -> Manifest:
    if not wanted.encrypted:
        if wanted.manifest.envelope is not None:  # from now on, what is not encrypted is refused there
            require(copying.target, copying.name, wanted.manifest.created)
        elif copying.target.encryption.optional:
            release(copying.target, copying.name)
        return copying.copy(wanted.id)
    from .._repository.copy_encrypted import copy_encrypted  # only here: see _stores/registry.py

    return copy_encrypted(copying, wanted.manifest.id)


def _remember(ready: CopyPlan, copied: Sequence[Manifest]) -> None:
    request, now = ready.request, datetime.now(timezone.utc)
    if copied:  # each byte was read where it is
        stored = [one.id for one in ready.wanted if one.manifest.envelope is not None]
        remember_verified(request.target, request.name, {one.id: [] for one in copied}, now, stored=stored)
    if request.confirmed is not None:
        for backup in [*ready.existing, *(one.id for one in copied)]:
            remember_confirmed(request.target, request.name, backup, request.confirmed)
