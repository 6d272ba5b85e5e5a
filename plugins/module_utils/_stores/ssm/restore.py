# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings parameters to their state in a backup. Only what differs is written, as AWS counts each version."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Optional

from ..._core.aws import Exhausted, Refused
from ..._core.errors import TargetError, TaskEnded
from ..._core.selection import Selection
from ..base import Change, Copy, Restoration
from .client import HISTORY, failure
from .parameters import SECRET, Existing, Parameter, from_line
from .write import Writer

if TYPE_CHECKING:
    from .store import SsmStore

_BLOCK = 1 << 20
_SETTLING = 15.0  # seconds after which reading must return what was written
_NAMED = 5


class Step(NamedTuple):
    """A parameter to write, and what exists."""

    wanted: Parameter
    current: Optional[Existing]

    @property
    def puts(self) -> bool:
        """Whether a new version is written."""
        return self.current is None or self.current.parameter.written != self.wanted.written

    @property
    def labels(self) -> list[str]:
        """The labels to attach: all of them to a new version."""
        has = set() if self.puts or self.current is None else set(self.current.parameter.labels)
        return [one for one in self.wanted.labels if one not in has]

    @property
    def changed(self) -> bool:
        """Whether anything is written."""
        tags = self.current is not None and self.current.parameter.tags != self.wanted.tags
        return self.puts or tags or bool(self.labels)

    @property
    def replaces(self) -> bool:
        """Whether something that exists is changed or removed."""
        if self.current is None:
            return False
        tags = self.current.parameter.tags
        lost = any(self.wanted.tags.get(key) != value for key, value in tags.items())
        return self.puts or lost or not self.current.other_labels.isdisjoint(self.labels)


class SsmRestoration:
    """The backup was read and verified, and compared with what exists; AWS changes parameters one by one."""

    damage = ""

    def __init__(self, store: SsmStore, copy: Copy, only: Sequence[str]) -> None:
        self._store = store
        self.notes: tuple[str, ...] = ()
        chosen = self._chosen(_read(copy), only)
        names = {store.prefix + one.name for one in chosen}
        existing = [one for one in store.described() if one["Name"] in names]
        current = {one.parameter.name: one for one in store.read(existing)}
        steps = [Step(one, current.get(one.name)) for one in chosen]
        self._steps = [one for one in steps if one.changed]
        self._check_possible()
        self.changed = bool(self._steps)
        self.replaces = any(one.replaces for one in self._steps)
        store.replaced = frozenset(one.wanted.name for one in self._steps if one.replaces)
        before = Counter(one.wanted.type for one in steps if one.current is not None)
        after = Counter(one.wanted.type for one in steps)
        self.changes: tuple[Change, ...] = tuple(
            Change(kind, before[kind] or None, after[kind]) for kind in sorted({one.wanted.type for one in self._steps})
        )
        self.differences: tuple[tuple[str, str], ...] = tuple(
            (one.wanted.name, "added" if one.current is None else "changed") for one in self._steps
        )
        self._writer = Writer(store.client, store.prefix)

    def __enter__(self) -> Restoration:
        return self

    def __exit__(self, *_exc: object) -> None:
        """Nothing was prepared."""

    def apply(self) -> None:
        began: list[Step] = []
        try:
            self._store.client  # noqa: B018 - connected before anything is written
            for step in self._steps:
                began.append(step)
                self._write(step)
            self._check()
        except TaskEnded as exc:
            problem = self._undo(began)
            raise TargetError(f"{exc.message} {problem or _UNDONE}", exc.hint, exc.details) from exc
        except BaseException:
            self._undo(began)
            raise
        self.notes += tuple(self._writer.notes)

    def undo(self) -> None:
        problem = self._undo(self._steps)
        if problem:
            raise TargetError(problem)

    def _chosen(self, parameters: Sequence[Parameter], only: Sequence[str]) -> list[Parameter]:
        """Those to restore."""
        names = [one.name for one in parameters]
        asked = Selection({"include": only})
        asked.check(names, "only", "parameter of the backup")
        selected = set(self._store.selection.of(asked.of(names)))
        chosen = [one for one in parameters if one.name in selected]
        without = [one for one in chosen if one.value is None]
        hidden = [one for one in chosen if one.value is not None and one.type == SECRET and not self._store.secrets]
        if without:
            self.notes += (f"{_listed(without)}: not restored, as the backup contains no values of secrets.",)
        if hidden:
            self.notes += (f"{_listed(hidden)}: not restored, as with_secrets is not set.",)
        return [one for one in chosen if one not in without and one not in hidden]

    def _check_possible(self) -> None:
        refused = [f"{one.wanted.name}: {why}" for one in self._steps for why in _refusals(one)]
        if refused:
            more = f" (and {len(refused) - _NAMED} more)" if len(refused) > _NAMED else ""
            raise TargetError(
                f"AWS refuses to restore {'; '.join(refused[:_NAMED])}{more}.",
                "Remove these parameters, or exclude them with only.",
                {"refused": refused},
            )

    def _write(self, step: Step) -> None:
        try:
            self._writer.write(step.wanted, step.current, step.puts, step.labels)
        except (Refused, Exhausted) as exc:
            what = f"Writing the parameter {self._store.prefix}{step.wanted.name}"
            raise failure(TargetError, what, _without_value(exc, step.wanted)) from None

    def _check(self) -> None:
        """Read back what was written. Raises TargetError with the names of what differs."""
        until = time.monotonic() + _SETTLING
        while True:
            names = {self._store.prefix + one.wanted.name for one in self._steps}
            self._store.replaced = frozenset(one.wanted.name for one in self._steps)
            found = self._store.read([one for one in self._store.described() if one["Name"] in names])
            now = {one.parameter.name: one for one in found}
            wrong = [one for one in self._steps if _differs(one.wanted, now.get(one.wanted.name), self._writer.refused)]
            if not wrong:
                return
            if time.monotonic() > until:
                raise TargetError(
                    "After the restore, these parameters differ from the backup: "
                    f"{_listed([one.wanted for one in wrong])}.",
                    "Another program may be writing to them. Run again.",
                )
            time.sleep(0.5)

    def _undo(self, steps: Sequence[Step]) -> str:
        """Take back what was written. Returns what could not be, as a sentence."""
        problems = []
        for step in reversed(steps):
            try:
                self._writer.take_back(step.wanted, step.current)
            except (Refused, Exhausted) as exc:
                told = exc if step.current is None else _without_value(exc, step.current.parameter)
                problems.append(f"{self._store.prefix}{step.wanted.name} could not be put back: {told}.")
        return " ".join(problems)


_UNDONE = "The changes of this run were undone (as new versions)."


def _read(copy: Copy) -> list[Parameter]:
    """All parameters of the backup. Raises DamagedBackup."""
    (name,) = copy.names()
    data = bytearray()
    with copy.open(name) as reader:
        for block in iter(lambda: reader.read(_BLOCK), b""):
            data += block
    return [from_line(line) for line in bytes(data).splitlines()]


def _refusals(step: Step) -> Iterator[str]:
    if step.current is None or not step.puts:
        return
    wanted, current = step.wanted, step.current.parameter
    if current.type != wanted.type:
        yield f"its type is {current.type} and can't be changed to {wanted.type}"
    if (current.tier, wanted.tier) == ("Advanced", "Standard"):
        yield "its tier is Advanced and can't be changed to Standard"
    if step.current.full:
        yield f"it has {HISTORY} versions, and the oldest one has a label, so it can't be replaced with a new one"


def _without_value(exc: Exception, parameter: Parameter) -> Exception:
    """Some messages have the value, which may be a secret."""
    if parameter.value and parameter.value in str(exc):
        hidden = "the message of AWS contains the value"
        return Refused(getattr(exc, "code", "Error"), hidden, getattr(exc, "action", ""))
    return exc


def _differs(wanted: Parameter, now: Optional[Existing], refused: set[str]) -> bool:
    if now is None or now.parameter.written != wanted.written or now.parameter.tags != wanted.tags:
        return True
    return not set(wanted.labels) - refused <= set(now.parameter.labels)


def _listed(parameters: Sequence[Parameter]) -> str:
    names = [one.name for one in parameters]
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
