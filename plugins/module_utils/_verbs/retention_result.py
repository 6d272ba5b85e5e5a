# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of retention, in check mode and outside of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .._core.units import format_size, plural
from .._retention.actions import Action
from .._retention.config_file import ConfigPlan
from .._retention.entries import Problem
from .._retention.rules import COLD, REMOVE, WARM


class Skipped(NamedTuple):
    """An entry that is due, but was skipped."""

    rule: str
    path: str
    why: str


class Done(NamedTuple):
    """An action, and the bytes that it frees (predicted or counted)."""

    action: Action
    bytes_freed: int


class Outcome(NamedTuple):
    """The outcome of a plan, actual or predicted.

    `cleaned` are leftovers of killed runs that are removed, `written` configuration files.
    """

    done: list[Done]
    written: list[ConfigPlan]
    cleaned: list[str]
    skipped: list[Skipped]
    problems: list[Problem]
    notes: list[str]


def result_of(outcome: Outcome, check: bool, kept: int, configs: Mapping[str, Optional[ConfigPlan]]) -> dict[str, Any]:
    """The result of the module, with its warnings.

    :param kept: the number of entries without an action.
    :param configs: by option, the plans for configuration files; None if not requested.
    """
    done, written, cleaned, skipped, problems, notes = outcome
    freed = sum(one.bytes_freed for one in done)
    return {
        "changed": bool(done or cleaned or written),
        "msg": _message(outcome, check, kept),
        "entries": [_describe(one) for one in done],
        "kept": kept,
        "skipped_entries": [one._asdict() for one in skipped],
        "problems": [one._asdict() for one in problems],
        "bytes_freed": freed,
        **{name: _describe_config(one, written) for name, one in configs.items()},
        "diff": _diff(done, written),
        "warnings": list(notes),
    }


def _describe_config(config: Optional[ConfigPlan], written: Sequence[ConfigPlan]) -> Optional[dict[str, Any]]:
    return config and {"path": config.path, "changed": config in written}


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


def _message(outcome: Outcome, check: bool, kept: int) -> str:
    verb = "would be " if check else ""
    counts = Counter(one.action.tier.tier for one in outcome.done)
    parts = [f"{_entries(counts[tier])} {verb}{word}" for tier, word in _DONE.items() if counts[tier]]
    if parts:
        parts.append(f"{format_size(max(sum(one.bytes_freed for one in outcome.done), 0))} {verb}freed")
    if outcome.cleaned:
        parts.append(f"{plural(len(outcome.cleaned), 'leftover')} of killed runs {verb}removed")
    parts += [f"{one.path} {verb}updated" for one in outcome.written]
    stay = [f"{_entries(kept)} kept"] + ([f"{len(outcome.skipped)} skipped"] if outcome.skipped else [])
    return f"{', '.join(parts) or 'Nothing to do'}; {', '.join(stay)}."


def _entries(number: int) -> str:
    return plural(number, "entry", "entries")


def failure(problems: Sequence[Problem]) -> str:
    """The problems in one sentence."""
    listed = []
    for one in problems:
        path = "" if one.path in one.problem else one.path
        listed.append(": ".join(part for part in (one.rule, path, one.problem.rstrip(".")) if part))
    return f"{plural(len(problems), 'problem')}: {'; '.join(listed)}."


def _diff(done: Sequence[Done], written: Sequence[ConfigPlan]) -> list[dict[str, str]]:
    before, after = [], []
    for one in done:
        action = one.action
        before.append(f"{action.entry.path}\n")
        if not action.whole:
            after.append(f"{action.entry.path} ({action.tier.tier})\n")
        elif action.archived:
            after.append(f"{action.tier.destination}/{action.entry.key}\n")
    diffs = [{"before_header": "now", "after_header": "afterwards", "before": "".join(before), "after": "".join(after)}]
    diffs += [
        {"before_header": one.path, "after_header": one.path, "before": one.before, "after": one.after}
        for one in written
    ]
    return diffs
