# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""restore_drill: restores a backup into a scratch place, checks and probes it, times each stage, and removes it."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Optional

from ..._core.compression import usable
from ..._core.errors import Cancelled, DamagedBackup, Day2Error, InvalidRequest, TargetError
from ..._core.files import LEAST, need_space, os_errors
from ..._core.pgbackrest import is_pgbackrest
from ..._core.progress import Progress
from ..._core.scratch import scratch_directory
from ..._core.units import format_size, plural
from ..._repository.base import Repository
from ..._repository.location import open_repository
from ..._repository.manifest import Manifest, check_set_name
from ..._repository.reading import quick_problems
from .. import restore
from ..arguments import IDENTITY, REPOSITORY, TIMEOUT, duration, limited
from ..evidence import EVIDENCE, recorded
from ..restore_choice import Choice, Found, find
from . import canary as canaries
from .checks import check_restored
from .choice import NEWEST, SAMPLE, choice_of
from .damage import Damaging
from .databases import check_database
from .notes import remove_left as remove_left_elsewhere
from .notes import thrown_away
from .outcome import FAIL, FETCH, INCONCLUSIVE, PROBE, VERIFY, Report, Unsound, result_of
from .place import check_apart, checked_base, drill_directory, remove_left
from .prefixes import NATIVE
from .probe import Locations, Probe, check_probe, probe_from, run_probe
from .record import record
from .targets import ARGUMENTS as TARGET
from .targets import Servers, Target, check_types, live_paths, local_size, locations_of, names_of, targets_of
from .waits import Timed

ARGUMENTS: dict[str, Any] = {
    "argument_spec": dict(
        name={"type": "str", "required": True},
        backup={"type": "str", "default": "latest"},
        which={"type": "str", "choices": [NEWEST, SAMPLE], "default": NEWEST},
        host={"type": "str"},
        tags={"type": "list", "elements": "str"},
        scratch={"type": "path"},
        targets={"type": "list", "elements": "dict", "options": TARGET},
        # The words of a command, or checks, whose options differ by type and are read in probe.py.
        probe={"type": "list", "elements": "raw"},
        probe_timeout={"type": "str", "default": "5m"},
        canary={"type": "dict", "options": canaries.ARGUMENTS},
        integrity={"type": "str", "choices": ["fail", "warn"], "default": "fail"},
        negative={"type": "bool", "default": False},
        fail_on={"type": "str", "choices": [FAIL, INCONCLUSIVE], "default": INCONCLUSIVE},
        **REPOSITORY,
        **TIMEOUT,
        **IDENTITY,
        **EVIDENCE,
    ),
    # The log of AnsibleModule would contain passwords of health checks.
    "no_log": True,
}


class DrillRequest(NamedTuple):
    """The arguments of a drill. `base` is the directory in which it makes its own."""

    name: str
    repository: Repository
    choice: Choice
    newest: bool
    base: str
    servers: Servers
    probe: Optional[Probe]
    canary: Optional[canaries.Canary]
    integrity: str
    negative: bool


class DrillPlan(NamedTuple):
    """The backup is chosen and held, and everything that can be known before the restore was checked.

    `timed`: measures how long readers wait for the repository. `damaging`: reads one stored file with one bit changed,
    in a negative drill.
    """

    request: DrillRequest
    found: Found
    timed: Timed
    damaging: Optional[Damaging] = None

    @property
    def manifest(self) -> Manifest:
        return self.found[2]


def echo(params: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as shown in the result: without those of health checks, which may contain passwords."""
    given = params.get("probe")
    hidden = isinstance(given, list) and any(isinstance(one, Mapping) for one in given)
    return dict(params, probe=f"{len(given or ())} health checks") if hidden else dict(params)


def request_from(params: Mapping[str, Any], report: Optional[Report] = None) -> DrillRequest:
    """Check the arguments of the module. Raises InvalidRequest when they are not valid, MissingDependency when a
    program is missing.

    :param report: gets how the backup is chosen.
    """
    report = report or Report()
    choice = choice_of(params, report)
    probe = probe_from(params["probe"], duration(params["probe_timeout"]))
    canary = canaries.canary_from(params["canary"])
    name = check_set_name(params["name"])
    repository = open_repository(params)
    return DrillRequest(
        name=name,
        repository=repository,
        choice=choice,
        newest=report.rule == NEWEST,
        base=checked_base(params["scratch"], repository),
        servers=params["targets"] or (),
        probe=probe,
        canary=canary,
        integrity=params["integrity"],
        negative=params["negative"],
    )


@recorded("drill")
def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb. Check mode runs only the plan. An error that says something about the backup, or that a drill was
    not possible, is a verdict; InvalidRequest is raised. A drill that was stopped is recorded as inconclusive."""
    began, report = time.monotonic(), Report()
    try:
        limited(functools.partial(_drilled, report))(params, check, progress)
    except Cancelled as exc:
        if not check:
            report.stopped(exc)
            result = _recorded(report, params)
            exc.details = {**exc.details, "drill": result["drill"]}
        raise
    result = result_of(report, params, check) if check else _recorded(report, params)
    result["duration_s"] = round(time.monotonic() - began, 3)
    return result


def _drilled(report: Report, params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """What happened is in the report."""
    try:
        if is_pgbackrest(params["repository"]):
            from . import pitr  # only here: see _stores/registry.py

            pitr.drill(report, params, ARGUMENTS["argument_spec"], check, progress)
            return {}
        request = request_from(params, report)
        if not check:
            report.warnings += remove_left(request.base)
        with plan(request, progress, report) as ready:
            if check:
                _foresee(ready, progress)
                report.path = request.base
                report.reason = _intended(ready)
            else:
                apply(ready, progress, report)
    except InvalidRequest:
        raise
    except Day2Error as exc:
        report.ended_by(exc, bool(params["identity"] or params["identity_file"]))
    return {}


def _recorded(report: Report, params: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a drill that was run. If it chose its backup by itself, fleet_report counts it."""
    result = result_of(report, params, check=False)
    if not params["negative"] and params["backup"] == "latest":
        result["warnings"] += record(result, params["which"], params["host"])
    return result


@contextlib.contextmanager
def plan(request: DrillRequest, progress: Progress, report: Report) -> Iterator[DrillPlan]:
    """Choose the backup, hold it, and check what can be known before it is restored."""
    with contextlib.ExitStack() as stack:
        with report.timed(FETCH):
            progress.start(f"Looking for the backup of {request.name} to drill")
            found = find(request.repository, request.name, request.choice, [])
            source, name, manifest = found
            report.manifest = manifest
            stack.enter_context(source.hold(name, manifest.id))
            problems = quick_problems(source.look(name, manifest.id), manifest)
            if problems:
                raise DamagedBackup(manifest.id, problems)
        check_apart(request.base, live_paths(manifest))
        check_types(manifest, request.servers)
        targets_of(manifest, request.base, request.servers)  # for what it refuses
        if request.canary:
            canaries.part_of(request.canary, manifest.sources)
        if request.probe:
            check_probe(request.probe, Locations(dict.fromkeys(names_of(manifest), ""), {}))
        with os_errors(TargetError, "Can't look at", request.base):
            size = local_size(manifest)
            need_space(request.base, size + size // 64 + LEAST, f"A drill of backup {manifest.id}")
        if not os.access(request.base, os.W_OK | os.X_OK):
            raise TargetError(f"The scratch directory {request.base} is not writable.", "Set scratch to another one.")
        timed: Any = Timed(source)
        if not request.negative:
            yield DrillPlan(request, (timed, name, manifest), timed)
            return
        damaging: Any = Damaging(timed, manifest)
        yield DrillPlan(request, (damaging, name, manifest), timed, damaging)


def _foresee(ready: DrillPlan, progress: Progress) -> None:
    """Ask AWS about a backup that it keeps: what is stored here only refers to it. Raises Day2Error."""
    targets = targets_of(ready.manifest, ready.request.base, ready.request.servers)
    if ready.damaging or not any(map(_is_reference, targets)):
        return
    with scratch_directory() as directory:
        request = _request(ready, targets, directory, "restore")
        with restore.plan(request, True, progress, ready.found):
            pass


def _is_reference(target: Target) -> bool:
    return bool(target.part.details.get("references"))


def _intended(ready: DrillPlan) -> str:
    """What a run would do, as the end of a sentence."""
    probe, canary = ready.request.probe, ready.request.canary
    stores = plural(len(ready.manifest.sources), "store")
    steps = [f"restore {format_size(ready.manifest.size)} of {stores}", "compare it"]
    steps += [f"probe it with {probe.describe()}"] if probe else []
    steps += ["read the canary"] if canary else []
    if ready.damaging:
        steps = [f"restore it with one bit of {ready.damaging.victim.path} changed, which must be found"]
    return ", ".join(steps)


def apply(ready: DrillPlan, progress: Progress, report: Report) -> None:
    """Restore, check and probe; the last step is the removal. Raises Day2Error, which is the verdict."""
    with drill_directory(ready.request.base) as directory:
        report.path = directory
        targets = _made(ready, directory)
        things = [one.thing for one in targets if one.thing is not None]
        for thing in {(one.kind, one.server): one for one in things}.values():
            report.warnings += remove_left_elsewhere(thing)
        with thrown_away(things, report):
            if ready.damaging:
                _find_damage(ready, targets, directory, progress, report)
                return
            with report.timed_restore(ready.timed.clock.seconds):
                _restore(ready, targets, directory, progress, report)
            with report.timed(VERIFY):
                _verify(ready, targets, directory, progress, report)
            if ready.request.probe:
                locations = locations_of(targets, os.path.join(directory, "data"))
                with report.timed(PROBE):
                    run_probe(ready.request.probe, locations, report, progress)
    report.passed()


def _made(ready: DrillPlan, directory: str) -> list[Target]:
    data = os.path.join(directory, "data")
    targets = targets_of(ready.manifest, data, ready.request.servers)
    with os_errors(TargetError, "Can't create", data):
        places = [os.path.dirname(one.entry.path) for one in targets if one.thing is None]
        for path in sorted({data, *places}):
            os.mkdir(path, 0o700)
    return targets


def _request(ready: DrillPlan, targets: list[Target], directory: str, step: str) -> restore.RestoreRequest:
    """A restore as the module `restore` would do it, which neither locks the set nor writes to the repository."""
    scratch = os.path.join(directory, step)
    with os_errors(TargetError, "Can't create", scratch):
        os.mkdir(scratch, 0o700)
    return restore.RestoreRequest(
        name=ready.request.name,
        repository=ready.request.repository,
        stores=[one.entry for one in targets],
        choice=ready.request.choice,
        only=(),
        replace=True,
        safety_backup=False,
        strict=False,
        compression=usable(ready.manifest.compression),
        lock_timeout=0.0,
        scratch=scratch,
    )


def _restore(ready: DrillPlan, targets: list[Target], directory: str, progress: Progress, report: Report) -> None:
    existing = [one.entry.store.path for one in targets if one.entry.store.exists()]
    if existing:  # nothing but what this drill makes is ever replaced
        raise TargetError(f"{' and '.join(existing)} exists already.", "Drill again.")
    request = _request(ready, targets, directory, "restore")
    with restore.plan(request, False, progress, ready.found) as prepared:
        restore.apply(prepared)
        report.warnings += [note for step in prepared.steps for note in step.restoration.notes]


def _verify(ready: DrillPlan, targets: list[Target], directory: str, progress: Progress, report: Report) -> None:
    """Compare what was restored with the backup by what a second restore would change, and check what its types
    allow."""
    progress.start("Comparing the restored data with the backup")
    compared = [one for one in targets if one.database is None]  # databases were compared before they got their names
    if compared:
        with restore.plan(_request(ready, compared, directory, "verify"), True, progress, ready.found) as again:
            differing = [step.entry.name for step in again.changes]
            if differing:
                raise Unsound(f"The restored data differs from the backup: {', '.join(differing)}.")
    if not all(map(_is_reference, targets)):
        report.checks.append("the restored data equals the backup")
    imported = [one.part.name for one in targets if _is_reference(one) and one.part.parameters.get("method") != NATIVE]
    report.checks += [
        f"{name}: AWS has imported the number of items that the export contains; their content was not compared"
        for name in imported
    ]
    for one in targets:
        if one.database is not None:
            check_database(one.database, ready.request.integrity, report)
        else:
            check_restored(one.entry, one.part, ready.request.integrity, report)
    canary = ready.request.canary
    if canary:
        part, wanted = canaries.part_of(canary, ready.manifest.sources), canaries.database_of(canary)
        ours = [one for one in targets if one.part.name == part.name]
        named = [one for one in ours if one.database is not None and one.database.source == wanted]
        entry = (named or ours)[0].entry
        canaries.measure(canary, entry, ready.manifest, report, ready.request.newest)


def _find_damage(ready: DrillPlan, targets: list[Target], directory: str, progress: Progress, report: Report) -> None:
    damaging: Any = ready.damaging
    victim = damaging.victim.path
    try:
        with report.timed_restore(ready.timed.clock.seconds):
            _restore(ready, targets, directory, progress, report)
    except DamagedBackup as exc:
        if not damaging.is_found(exc.problems):  # the backup itself is damaged
            raise
        report.passed(f"one bit of {victim} was changed while it was read, and found: {exc.message}")
        return
    raise Unsound(
        f"One bit of {victim} was changed while it was read, and the restore did not find it.",
        "This is a bug of day2.ops: please report it. Drills that pass prove nothing until it is corrected.",
    )
