# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""retention: keeps, compresses, archives or removes files and directories by age, number, size and free space."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple

from .._core.errors import Cancelled, Day2Error, InvalidRequest, TargetError
from .._core.files import from_os_error
from .._core.progress import Progress
from .._core.s3_options import ARGUMENTS as S3
from .._core.sparse import is_hollow
from .._core.units import parse_duration
from .._retention.actions import Action, action_for, perform, predict, remove_leftovers
from .._retention.archive import Archive, open_archive
from .._retention.choice import Decision, Disk, decide
from .._retention.config_file import ConfigPlan, apply_config
from .._retention.destinations import check_destinations, check_keys, frees_nothing, inside_own_globs
from .._retention.docker import DOCKER_SPEC, plan_docker
from .._retention.entries import Entry, Problem, find
from .._retention.journald import JOURNALD_SPEC, plan_journald
from .._retention.parents import Parents
from .._retention.rules import RULE_SPEC, Rule, destinations, parse_rule
from .._retention.space import Names
from .._retention.users import Users
from .retention_result import Done, Outcome, Skipped, failure, result_of

# Programs that limit their logs themselves, by option.
_CONFIGS: dict[str, Callable[[Mapping[str, Any]], ConfigPlan]] = {"docker": plan_docker, "journald": plan_journald}
ARGUMENTS: dict[str, Any] = {
    "argument_spec": {
        "rules": {"type": "list", "elements": "dict", "options": RULE_SPEC},
        "s3": {"type": "dict", "options": S3},
        "docker": {"type": "dict", "options": DOCKER_SPEC},
        "journald": {"type": "dict", "options": JOURNALD_SPEC},
        "lock_timeout": {"type": "str", "default": "1m"},
    },
    "required_one_of": [("rules", "docker", "journald")],
}


class RetentionRequest(NamedTuple):
    """The arguments. An error in a rule affects only this rule."""

    rules: list[Rule]
    archives: Mapping[str, Archive]
    configs: Mapping[str, Mapping[str, Any]]
    lock_timeout: float
    problems: list[Problem]


class RetentionPlan(NamedTuple):
    """What a run would do. `kept` counts the entries without an action."""

    request: RetentionRequest
    actions: list[Action]
    kept: int
    skipped: list[Skipped]
    problems: list[Problem]
    leftovers: list[str]
    configs: dict[str, ConfigPlan]
    notes: list[str]


def request_from(params: Mapping[str, Any]) -> RetentionRequest:
    """Check the arguments of the module. Raises InvalidRequest when they are not valid, MissingDependency when a
    library is missing.
    """
    rules: list[Rule] = []
    problems: list[Problem] = []
    names = Counter(one["name"] for one in params["rules"] or ())
    for options in params["rules"] or ():
        name = options["name"]
        try:
            if names[name] > 1:
                raise InvalidRequest(f"Two rules have the name {name}.", "Set a unique name for each rule.")
            rules.append(parse_rule(options))
        except InvalidRequest as exc:
            problems.append(Problem(name, "", str(exc)))
    timeout = parse_duration(params["lock_timeout"])
    archives: dict[str, Archive] = {}
    for destination in destinations(rules):
        try:
            archives[destination] = open_archive(destination, params["s3"] or {}, timeout)
        except (InvalidRequest, TargetError) as exc:
            concerned = [rule for rule in rules if destination in destinations([rule])]
            problems += [Problem(rule.name, destination, str(exc)) for rule in concerned]
            rules = [rule for rule in rules if rule not in concerned]
    configs = {name: params[name] for name in _CONFIGS if params[name] is not None}
    return RetentionRequest(rules, archives, configs, timeout, problems)


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb. Check mode runs only the plan.

    Raises TargetError when something could not be done; everything else was.
    """
    began = time.monotonic()
    ready = plan(request_from(params), progress)
    outcome = _preview(ready) if check else apply(ready, progress)
    result = _result(ready, outcome, check)
    result["duration_s"] = round(time.monotonic() - began, 3)
    if outcome.problems:
        details = {name: value for name, value in result.items() if name != "msg"}
        what = "Everything else" if result["changed"] else "Nothing"
        rest = f"{what} {'would be' if check else 'was'} {'done' if result['changed'] else 'changed'}."
        raise TargetError(failure(outcome.problems), rest, details)
    return result


def _result(ready: RetentionPlan, outcome: Outcome, check: bool) -> dict[str, Any]:
    return result_of(outcome, check, ready.kept, {name: ready.configs.get(name) for name in _CONFIGS})


def plan(request: RetentionRequest, progress: Progress) -> RetentionPlan:
    """Find the entries, and decide what becomes of each. Only reads."""
    problems = list(request.problems)
    found: list[tuple[Rule, list[Entry]]] = []
    leftovers: list[str] = []
    notes: list[str] = []
    skipped: list[Skipped] = []
    for rule in request.rules:
        progress.start(f"Finding the entries of {rule.name}")
        matched = find(rule)
        problems += matched.problems
        leftovers += matched.leftovers
        notes += [f"{rule.name}: {one} matches nothing (missing_ok)." for one in matched.unmatched]
        skipped += [Skipped(rule.name, one, "a symbolic link, which is not followed") for one in matched.links]
        found.append((rule, matched.entries))
    for path in _contested([entry for _rule, entries in found for entry in entries]):
        problems.append(
            Problem("", path, "two rules match it, or a directory that contains it: neither rule is applied")
        )
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
    configs = _plan_configs(request, problems)
    return RetentionPlan(
        request=request,
        actions=unused,
        kept=len(decisions) - len(actions),
        skipped=skipped,
        problems=problems,
        leftovers=leftovers + [os.path.join(one.entry.path, name) for one in unused for name in one.entry.leftovers],
        configs=configs,
        notes=notes + [note for one in configs.values() for note in one.warnings],
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
            raise from_os_error(exc, TargetError, "Can't stat the file system of", entry.directory) from exc
        used = (info.f_blocks - info.f_bfree) * info.f_frsize
        # as in df: reserved blocks are neither used nor available
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
    why = _hollow(action) or users.of(action.entry)
    if why:
        skipped.append(Skipped(action.entry.rule, action.entry.path, why))
    else:
        unused.append(action)


def _hollow(action: Action) -> str:
    """Why an entry can't be read in reasonable time, or "". Anybody can create a file of 8 TiB that takes no space."""
    for one in (*action.compressed, *action.archived):
        if is_hollow(one.info):
            path = os.path.join(action.entry.path, one.path).rstrip("/")
            return f"{path} consists almost entirely of holes: neither compressed nor archived"
    return ""


def _plan_configs(request: RetentionRequest, problems: list[Problem]) -> dict[str, ConfigPlan]:
    configs = {}
    for name, options in request.configs.items():
        try:
            configs[name] = _CONFIGS[name](options)
        except Day2Error as exc:
            problems.append(Problem(name, str(next(iter(options.values()))), str(exc)))
    return configs


def _preview(ready: RetentionPlan) -> Outcome:
    done, problems, names = [], list(ready.problems), Names()
    for action in ready.actions:
        try:
            done.append(Done(action, predict(action, ready.request.archives.get(action.tier.destination), names)))
        except (Day2Error, OSError) as exc:
            problems.append(_problem_of(action.entry, exc))
    notes = [f"{one}, a leftover of a killed run, would be removed." for one in ready.leftovers]
    written = [one for one in ready.configs.values() if one.changed]
    return Outcome(done, written, ready.leftovers, ready.skipped, problems, ready.notes + notes)


def _problem_of(entry: Entry, exc: Exception) -> Problem:
    if isinstance(exc, OSError):
        exc = from_os_error(exc, TargetError, "Can't work on", entry.path)
    return Problem(entry.rule, entry.path, str(exc))


def apply(ready: RetentionPlan, progress: Progress) -> Outcome:
    """Carry out the plan for all entries that have not changed since.

    :raises Cancelled: with the result so far in `details`.
    """
    outcome = Outcome([], [], [], list(ready.skipped), list(ready.problems), list(ready.notes))
    try:
        _carry_out(ready, outcome, progress)
    except Cancelled as exc:
        details = _result(ready, outcome, check=False)
        told = details.pop("msg")
        words = f"{exc.message} Before that: {told}" if details["changed"] else exc.message
        raise Cancelled(words, exc.hint, details) from exc
    return outcome


def _carry_out(ready: RetentionPlan, outcome: Outcome, progress: Progress) -> None:
    request = ready.request
    done, written, cleaned, skipped, problems, notes = outcome
    users, names = Users([action.entry for action in ready.actions]), Names()
    try:
        cleaned += remove_leftovers(ready.leftovers, request.lock_timeout)
        notes += [f"{one}, a leftover of a killed run, was removed." for one in cleaned]
    except Day2Error as exc:
        problems.append(Problem("", "", str(exc)))
    progress.start("Applying tiers", sum(one.entry.bytes for one in ready.actions), "bytes")
    with Parents(request.lock_timeout) as parents:
        for action in ready.actions:
            entry = action.entry
            user = users.of(entry)
            if user:
                skipped.append(Skipped(entry.rule, entry.path, user))
                progress.advance(entry.bytes)
                continue
            try:
                freed = perform(action, request.archives.get(action.tier.destination), parents, users.of, names)
            except (Day2Error, OSError) as exc:
                problems.append(_problem_of(entry, exc))
                continue
            except Cancelled as exc:  # at any moment: it may be done, too
                raise Cancelled(f"{exc.message} It was working on {entry.path}.", exc.hint) from exc
            finally:
                progress.advance(entry.bytes)
            if freed is None:
                notes.append(f"{entry.path} no longer existed when it was to be processed.")
            else:
                done.append(Done(action, freed))
        try:
            parents.finish()
        except Day2Error as exc:
            problems.append(Problem("", "", str(exc)))
    _write_configs(ready, written, problems)
    notes += [f"{one.path}: {one.effect}" for one in written]


def _write_configs(ready: RetentionPlan, written: list[ConfigPlan], problems: list[Problem]) -> None:
    for name, config in ready.configs.items():
        if not config.changed:
            continue
        try:
            apply_config(config)
            written.append(config)
        except Day2Error as exc:
            problems.append(Problem(name, config.path, str(exc)))
