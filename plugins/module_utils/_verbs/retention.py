# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""retention: what files and directories become with age, number, size and room: kept, compressed, archived, removed."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .._core.errors import Day2Error, InvalidRequest, TargetError
from .._core.files import from_os_error
from .._core.progress import Progress
from .._core.units import format_size
from .._retention.actions import Action, action_for, perform, predict, remove_leftovers
from .._retention.archive import Archive, open_archive
from .._retention.choice import Decision, Disk, decide
from .._retention.destinations import check_destinations, check_keys, frees_nothing, inside_own_globs
from .._retention.docker import DOCKER_SPEC, DockerPlan, apply_docker, plan_docker
from .._retention.entries import Entry, Problem, find
from .._retention.rules import COLD, REMOVE, RULE_SPEC, WARM, Rule, destinations, parse_rule
from .._retention.space import Names
from .._retention.users import Users
from .arguments import duration

S3_SPEC: dict[str, Any] = {
    "endpoint_url": {"type": "str"},
    "region": {"type": "str"},
    "profile": {"type": "str"},
    "access_key_id": {"type": "str", "no_log": True},
    "secret_access_key": {"type": "str", "no_log": True},
    "session_token": {"type": "str", "no_log": True},
}
ARGUMENTS: dict[str, Any] = {
    "argument_spec": {
        "rules": {"type": "list", "elements": "dict", "options": RULE_SPEC},
        "s3": {"type": "dict", "options": S3_SPEC},
        "docker": {"type": "dict", "options": DOCKER_SPEC},
        "lock_timeout": {"type": "str", "default": "1m"},
    },
    "required_one_of": [("rules", "docker")],
}


class Request(NamedTuple):
    """What is asked for. A rule that can't be understood is a problem of that rule alone."""

    rules: list[Rule]
    archives: Mapping[str, Archive]
    docker: Optional[Mapping[str, Any]]
    lock_timeout: float
    problems: list[Problem]


class Skipped(NamedTuple):
    """An entry whose time has come, and that is left alone."""

    rule: str
    path: str
    why: str


class Plan(NamedTuple):
    """What a run would do. `kept` counts the entries that nothing becomes of."""

    request: Request
    actions: list[Action]
    kept: int
    skipped: list[Skipped]
    problems: list[Problem]
    leftovers: list[str]
    docker: Optional[DockerPlan]
    notes: list[str]


class Done(NamedTuple):
    """An action, and the bytes that it frees (predicted or counted)."""

    action: Action
    bytes_freed: int


class Outcome(NamedTuple):
    """What came of a plan, or would. `cleaned`: leftovers of killed runs, which are removed."""

    done: list[Done]
    cleaned: list[str]
    skipped: list[Skipped]
    problems: list[Problem]
    notes: list[str]


def request_from(params: Mapping[str, Any]) -> Request:
    """Check the module's arguments. Raises InvalidRequest, MissingDependency."""
    rules: list[Rule] = []
    problems: list[Problem] = []
    names = Counter(one["name"] for one in params["rules"] or ())
    for options in params["rules"] or ():
        name = options["name"]
        try:
            if names[name] > 1:
                raise InvalidRequest(f"Two rules are called {name}.", "Give each a name of its own.")
            rules.append(parse_rule(options))
        except InvalidRequest as exc:
            problems.append(Problem(name, "", str(exc)))
    timeout = duration(params["lock_timeout"])
    archives: dict[str, Archive] = {}
    for destination in destinations(rules):
        try:
            archives[destination] = open_archive(destination, params["s3"] or {}, timeout)
        except (InvalidRequest, TargetError) as exc:
            concerned = [rule for rule in rules if destination in destinations([rule])]
            problems += [Problem(rule.name, destination, str(exc)) for rule in concerned]
            rules = [rule for rule in rules if rule not in concerned]
    return Request(rules, archives, params["docker"], timeout, problems)


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb: check mode is the plan alone.

    :raises TargetError: something could not be done; all else was.
    """
    began = time.monotonic()
    ready = plan(request_from(params), progress)
    outcome = _preview(ready) if check else apply(ready, progress)
    result = _result(ready, check, outcome)
    result["duration_s"] = round(time.monotonic() - began, 3)
    if outcome.problems:
        details = {name: value for name, value in result.items() if name != "msg"}
        rest = "Everything else would be done." if check else "Everything else was done."
        raise TargetError(_failure(outcome.problems), rest, details)
    return result


def plan(request: Request, progress: Progress) -> Plan:
    """Find the entries, and decide what becomes of each. Read only."""
    problems = list(request.problems)
    found: list[tuple[Rule, list[Entry]]] = []
    leftovers: list[str] = []
    notes: list[str] = []
    skipped: list[Skipped] = []
    for rule in request.rules:
        progress.start(f"Looking for the entries of {rule.name}")
        matched = find(rule)
        problems += matched.problems
        leftovers += matched.leftovers
        notes += [f"{rule.name}: {one} matches nothing (missing_ok)." for one in matched.unmatched]
        skipped += [Skipped(rule.name, one, "a symbolic link is not followed") for one in matched.links]
        found.append((rule, matched.entries))
    for path in _contested([entry for _rule, entries in found for entry in entries]):
        problems.append(Problem("", path, "two rules match it, or a directory that holds it: neither is applied"))
        found = [(rule, [one for one in entries if one.path != path]) for rule, entries in found]
    disks: dict[int, Disk] = {}
    decisions: list[Decision] = []
    for rule, matched_entries in found:
        entries, nearby = check_destinations(rule, matched_entries)
        pointless = inside_own_globs(rule) + frees_nothing(rule, entries)
        problems += pointless or nearby
        if pointless:
            continue
        _look_at_disks(entries, disks)
        decisions += decide(rule, entries, time.time(), disks)
    actions, colliding = check_keys(_actions(decisions, problems))
    problems += colliding
    users = Users([action.entry for action in actions])
    unused: list[Action] = []
    for action in actions:
        _sort_out(action, users, unused, skipped)
    return Plan(
        request=request,
        actions=unused,
        kept=len(decisions) - len(actions),
        skipped=skipped,
        problems=problems,
        leftovers=leftovers + [os.path.join(one.entry.path, name) for one in unused for name in one.entry.leftovers],
        docker=_docker(request.docker, problems),
        notes=notes,
    )


def _contested(entries: Sequence[Entry]) -> list[str]:
    """Paths of entries that two rules match, whatever links lead there."""
    real = {folder: os.path.realpath(folder) for folder in {one.directory for one in entries}}
    by_path: dict[str, list[Entry]] = {}
    for entry in entries:
        by_path.setdefault(os.path.join(real[entry.directory], entry.name), []).append(entry)
    contested = {path for path, some in by_path.items() if len(some) > 1}
    directories = {path for path, some in by_path.items() if some[0].is_directory}
    for path in by_path:
        above = os.path.dirname(path)
        while above != "/":
            if above in directories:
                contested |= {path, above}
            above = os.path.dirname(above)
    return sorted({entry.path for path in contested for entry in by_path[path]})


def _look_at_disks(entries: Sequence[Entry], disks: dict[int, Disk]) -> None:
    for entry in entries:
        if entry.device in disks:
            continue
        try:
            info = os.statvfs(entry.directory)
        except OSError as exc:
            raise from_os_error(exc, TargetError, "Can't look at the file system of", entry.directory) from exc
        used = (info.f_blocks - info.f_bfree) * info.f_frsize
        # as df counts: what is reserved for root is neither used nor to be had
        disks[entry.device] = Disk(used, used + info.f_bavail * info.f_frsize)


def _actions(decisions: Sequence[Decision], problems: list[Problem]) -> list[Action]:
    actions = []
    for decision in decisions:
        try:
            action = action_for(decision)
        except Day2Error as exc:
            problems.append(Problem(decision.entry.rule, decision.entry.path, str(exc)))
            continue
        if action is not None:
            actions.append(action)
    return actions


def _sort_out(action: Action, users: Users, unused: list[Action], skipped: list[Skipped]) -> None:
    user = users.of(action.entry)
    if user:
        skipped.append(Skipped(action.entry.rule, action.entry.path, user))
    else:
        unused.append(action)


def _docker(options: Optional[Mapping[str, Any]], problems: list[Problem]) -> Optional[DockerPlan]:
    if options is None:
        return None
    try:
        return plan_docker(options)
    except Day2Error as exc:
        problems.append(Problem("docker", options["daemon_json"], str(exc)))
        return None


def _preview(ready: Plan) -> Outcome:
    done, problems, names = [], list(ready.problems), Names()
    for action in ready.actions:
        try:
            done.append(Done(action, predict(action, ready.request.archives.get(action.tier.destination), names)))
        except (Day2Error, OSError) as exc:
            problems.append(_problem_of(action.entry, exc))
    notes = [f"{one}, a leftover of a killed run, would be removed." for one in ready.leftovers]
    return Outcome(done, ready.leftovers, ready.skipped, problems, ready.notes + notes)


def _problem_of(entry: Entry, exc: Exception) -> Problem:
    if isinstance(exc, OSError):
        exc = from_os_error(exc, TargetError, "Can't work on", entry.path)
    return Problem(entry.rule, entry.path, str(exc))


def apply(ready: Plan, progress: Progress) -> Outcome:
    """Do what was planned, as far as it still is as it was."""
    request = ready.request
    done: list[Done] = []
    skipped, problems, notes = list(ready.skipped), list(ready.problems), list(ready.notes)
    cleaned: list[str] = []
    users, names = Users([action.entry for action in ready.actions]), Names()
    try:
        cleaned = remove_leftovers(ready.leftovers, request.lock_timeout)
        notes += [f"{one}, a leftover of a killed run, was removed." for one in cleaned]
    except Day2Error as exc:
        problems.append(Problem("", "", str(exc)))
    progress.start("Applying tiers", sum(one.entry.bytes for one in ready.actions), "bytes")
    for action in ready.actions:
        entry = action.entry
        user = users.of(entry)
        if user:
            skipped.append(Skipped(entry.rule, entry.path, user))
            progress.advance(entry.bytes)
            continue
        try:
            archive = request.archives.get(action.tier.destination)
            freed = perform(action, archive, request.lock_timeout, users.of, names)
        except (Day2Error, OSError) as exc:
            problems.append(_problem_of(entry, exc))
            continue
        finally:
            progress.advance(entry.bytes)
        if freed is None:
            notes.append(f"{entry.path} was gone before its turn came.")
        else:
            done.append(Done(action, freed))
    if ready.docker is not None and ready.docker.changed:
        try:
            apply_docker(ready.docker)
        except Day2Error as exc:
            problems.append(Problem("docker", ready.docker.path, str(exc)))
            return Outcome(done, cleaned, skipped, problems, notes)
        notes.append(
            f"{ready.docker.path}: the limits take effect once Docker is restarted and the containers are recreated."
        )
    return Outcome(done, cleaned, skipped, problems, notes)


def _result(ready: Plan, check: bool, outcome: Outcome) -> dict[str, Any]:
    done, cleaned, skipped, problems, notes = outcome
    docker_failed = any(one.rule == "docker" for one in problems)
    docker = ready.docker if ready.docker and ready.docker.changed and not docker_failed else None
    freed = sum(one.bytes_freed for one in done)
    return {
        "changed": bool(done or cleaned or docker),
        "msg": _message(ready, check, outcome, docker),
        "entries": [_describe(one) for one in done],
        "kept": ready.kept,
        "skipped_entries": [one._asdict() for one in skipped],
        "problems": [one._asdict() for one in problems],
        "bytes_freed": freed,
        "docker": None if ready.docker is None else {"path": ready.docker.path, "changed": docker is not None},
        "diff": _diff(done, docker),
        "warnings": list(notes),
    }


def _describe(one: Done) -> dict[str, Any]:
    action = one.action
    return {
        "rule": action.entry.rule,
        "path": action.entry.path,
        "tier": action.tier.tier,
        "why": action.why,
        "bytes": action.entry.blocks,
        "bytes_freed": one.bytes_freed,
        "destination": action.tier.destination or None,
        "archived": len(action.archived),
        "compressed": len(action.compressed),
        "removed": len(action.entry.members) if action.whole else len(action.removed),
    }


_DONE = {WARM: "compressed", COLD: "archived", REMOVE: "removed"}


def _message(ready: Plan, check: bool, outcome: Outcome, docker: Optional[DockerPlan]) -> str:
    verb = "would be " if check else ""
    counts = Counter(one.action.tier.tier for one in outcome.done)
    parts = [f"{_entries(counts[tier])} {verb}{word}" for tier, word in _DONE.items() if counts[tier]]
    if parts:
        parts.append(f"{format_size(max(sum(one.bytes_freed for one in outcome.done), 0))} {verb}freed")
    if outcome.cleaned:
        parts.append(f"{len(outcome.cleaned)} leftovers of killed runs {verb}removed")
    if docker is not None:
        parts.append(f"{docker.path} {verb}updated")
    stay = [f"{_entries(ready.kept)} kept"] + ([f"{len(outcome.skipped)} skipped"] if outcome.skipped else [])
    return f"{', '.join(parts) or 'Nothing to do'}; {', '.join(stay)}."


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def _failure(problems: Sequence[Problem]) -> str:
    listed = []
    for one in problems:
        path = "" if one.path in one.problem else one.path
        listed.append(": ".join(part for part in (one.rule, path, one.problem.rstrip(".")) if part))
    return f"{len(problems)} problem{'s' if len(problems) > 1 else ''}: {'; '.join(listed)}."


def _diff(done: Sequence[Done], docker: Optional[DockerPlan]) -> list[dict[str, str]]:
    before, after = [], []
    for one in done:
        action = one.action
        before.append(f"{action.entry.path}\n")
        if not action.whole:
            after.append(f"{action.entry.path} ({action.tier.tier})\n")
        elif action.archived:
            after.append(f"{action.tier.destination}/{action.entry.key}\n")
    diffs = [{"before_header": "now", "after_header": "afterwards", "before": "".join(before), "after": "".join(after)}]
    if docker is not None:
        diffs.append(
            {"before_header": docker.path, "after_header": docker.path, "before": docker.before, "after": docker.after}
        )
    return diffs
