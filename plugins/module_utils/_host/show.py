# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of day2 that only read: list, status, check, explain, schema."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from typing import Any, Optional

from .._core.errors import Day2Error, InvalidRequest
from .._core.programs import PATH, environment
from .._core.specs import MASK, masked, secrets_in
from .._verbs.registry import VERBS, find_verb
from . import journal
from .job import Job, WrongJob, checked, credential, load, names, put, with_secrets
from .locks import activity
from .on_change import watched
from .output import complain, say
from .run import STATUSES
from .schema import job_schema


def list_jobs() -> int:
    """Prints each job with its verb, the status of its last run and when that began."""
    known = journal.summary()
    for name in names():
        one = known.get(name, {})
        running = activity(name)
        status = running["activity"] if running else one.get("status", "never run")
        say(f"{name:<24} {_verb(name):<12} {status:<10} {_when(one.get('began'))}".rstrip())
    return 0


def _verb(name: str) -> str:
    try:
        return load(name).verb
    except InvalidRequest:
        return "not valid"


def _when(seconds: Any) -> str:
    known = journal.known_time(seconds)
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(known)) if known else ""


def status(wanted: Sequence[str]) -> int:
    """Prints one line for each job. 1 if one has failed, is late or has never run."""
    known = journal.summary()
    bad = False
    for name in wanted or names():
        problem = problem_of(name, known.get(name))
        running = activity(name)
        note = f" ({running['activity']})" if running else ""
        say(f"{'bad ' if problem else 'ok  '} {name}{': ' + problem if problem else ''}{note}")
        bad = bad or bool(problem)
    return int(bad)


def problem_of(name: str, last: Optional[dict[str, Any]]) -> str:
    """The reason why a job needs attention, or ""."""
    try:
        job = load(name)
    except InvalidRequest as exc:
        return str(exc)
    if not last:
        return "has never run"
    if last.get("status") != journal.OK:
        return f"{last.get('status')}: {last.get('msg')}"
    return journal.late(last, job.expected_every)


def check_jobs(wanted: Sequence[str]) -> int:
    """Checks job files, and the secrets and programs that they need. Prints every problem."""
    code = 0
    for name in wanted or names():
        try:
            job = load(name)
            values = checked(job, with_secrets(job)[0])
            request_from = getattr(find_verb(job.verb), "request_from", None)
            if request_from:
                request_from(values)
            if job.on_change:
                watched(job.verb, job.arguments)
            _check_programs(job)
            if job.ping or job.notify:
                _check_told(job)
        except Day2Error as exc:
            complain(f"{name}: {exc}")
            code = STATUSES[journal.WRONG]
    return code


def _check_programs(job: Job) -> None:
    """Of hooks and channels. The PATH may be shorter than that of units."""
    argvs = [*job.hooks.values(), *(one["argv"] for one in job.notify if one["type"] == "command")]
    for program in sorted({argv[0] for argv in argvs}):
        if not shutil.which(program, path=f"{environment()['PATH']}:{PATH}"):
            raise WrongJob(f"The program {program} does not exist or is not executable.")


def _check_told(job: Job) -> None:
    from .._notify.sending import check_secrets

    for settings in [*([job.ping] if job.ping else []), *job.notify]:
        check_secrets(settings, lambda one: credential(one)[0])


def explain(name: str) -> int:
    """Prints what a job does, with all defaults, and where its secrets come from."""
    job = load(name)
    hidden: Sequence[str] = ()
    try:
        arguments, origins = with_secrets(job)
        hidden = list(origins)
    except WrongJob as exc:
        arguments, origins = dict(job.arguments), dict.fromkeys(job.secrets, f"missing. {exc}")
    values = checked(job, arguments)
    for place in hidden:  # also in options that the argument spec does not know, such as those of health checks
        put(values, place, MASK)
    secrets = secrets_in(find_verb(job.verb).ARGUMENTS["argument_spec"], values) - {MASK}
    conditions = {**job.conditions._asdict(), "windows": job.conditions.given}
    del conditions["given"]
    shown = {"secrets": origins, "arguments": masked(values, secrets), "conditions": conditions}
    made = {**job._asdict(), **shown}
    say(json.dumps(made, indent=2))
    return 0


def print_schema(verbs: Sequence[str]) -> int:
    """Prints a JSON Schema of the job files of each verb."""
    say(json.dumps({verb: job_schema(verb) for verb in verbs or sorted(VERBS)}, indent=1, sort_keys=True))
    return 0
