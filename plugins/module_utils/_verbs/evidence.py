# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence of what verbs did: whether, and when, a run is recorded. How is in evidence_lines.py.

Nothing here is a reason to fail a verb.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Callable, Optional

from .._core import host_state
from .._core.errors import Cancelled, InvalidRequest, TaskEnded
from .._core.host_state import JOURNAL
from .._core.pgbackrest import is_pgbackrest
from .._core.progress import Progress
from .arguments import Verb

EVIDENCE: dict[str, Any] = {"evidence": {"type": "bool"}}
EVENTS = ("backup", "copy", "restore", "verification", "drill")
OK, UNCHANGED, FAILED, STOPPED = "ok", "unchanged", "failed", "stopped"  # verdicts
ON_THE_WAY = "on the way"  # no event: a verb of which only that is recorded what `also` tells

_entries: ContextVar[Optional[list[dict[str, Any]]]] = ContextVar("_entries", default=None)


def also(event: str, **entry: Any) -> None:
    """Record what the running verb has done on its way, such as a safety backup, even if the verb fails later.

    With `made` (when, as a time), it was done by another program: it is recorded by the first run that sees it.
    """
    entries = _entries.get()
    if entries is not None:
        entries.append({"event": event, **entry})


def recorded(event: str) -> Callable[[Verb], Verb]:
    """A verb that writes a line of evidence at its end, whatever that is.

    It does so if the option `evidence` says so or, without it, if the host has a journal. A run in check mode has done
    nothing. One that was refused because of its arguments does not begin a journal.

    :param event: one of EVENTS, or ON_THE_WAY.
    """

    def decorate(verb: Verb) -> Verb:
        @functools.wraps(verb)
        def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
            if check or not _is_wanted(event, params):
                return verb(params, check, progress)
            from .evidence_lines import record  # only here: most runs record nothing

            entries: list[dict[str, Any]] = []
            try:
                result = _with_entries(entries, verb, params, progress)
            except TaskEnded as exc:
                if isinstance(exc, InvalidRequest) and not has_journal():
                    raise
                verdict = STOPPED if isinstance(exc, Cancelled) else FAILED
                about = record(event, params, exc.details, verdict, error=type(exc).__name__, also=entries)
                warnings = [*exc.details.get("warnings", ()), *about.pop("warnings")]
                exc.details = {**exc.details, **about, **({"warnings": warnings} if warnings else {})}
                raise
            except Exception as exc:
                record(event, params, {}, FAILED, error=type(exc).__name__, also=entries)
                raise
            verdict = FAILED if result.get("failed") else OK if result.get("changed") else UNCHANGED
            try:
                about = record(event, params, result, verdict, also=entries)
            except Cancelled as exc:  # the work was done before
                details = {key: value for key, value in result.items() if key not in ("msg", "diff")}
                message = f"{exc.message} Before that: {result.get('msg', '')}".rstrip()
                raise Cancelled(message, exc.hint, details) from exc
            warnings = [*result.get("warnings", ()), *about.pop("warnings")]
            return {**result, **about, "warnings": warnings}

        return run

    return decorate


def _with_entries(
    entries: list[dict[str, Any]], verb: Verb, params: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    outer = _entries.set(entries)  # a verb can run another one
    try:
        return verb(params, False, progress)
    finally:
        _entries.reset(outer)


def _is_wanted(event: str, params: Mapping[str, Any]) -> bool:
    # Of a repository of pgBackRest, nothing is read.
    if event == "verification" and (params["verify"] != "full" or is_pgbackrest(params["repository"])):
        return False
    wanted = params.get("evidence")
    return has_journal() if wanted is None else bool(wanted)


def has_journal() -> bool:
    """Whether this host, and this user, has begun one."""
    return os.path.lexists(host_state.evidence(JOURNAL))
