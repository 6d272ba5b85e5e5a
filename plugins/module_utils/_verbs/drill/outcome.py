# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict of a drill: what happened at which stage, how long each took, and what to do."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, Callable, Optional

from ..._core.addresses import without_password
from ..._core.errors import (
    Cancelled,
    DamagedBackup,
    Day2Error,
    Differs,
    LockTimeout,
    RepositoryError,
    TaskEnded,
    Unreachable,
    Violation,
    WrongIdentity,
    explained,
)
from ..._core.units import format_duration, format_time
from ..._repository.manifest import Manifest
from ..._repository.opening import NotOpened

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
FETCH, DECRYPT, RESTORE, VERIFY, PROBE = "fetch", "decrypt", "restore", "verify", "probe"
_LONGEST = 800  # characters of a reason
_HINTS = {
    FAIL: "Restore an older backup by hand (restore with backup=ID), and find out why this one cannot be restored.",
    INCONCLUSIVE: "Remove the cause and drill again: the backup itself was not judged.",
}


class Unsound(Day2Error):
    """What was restored is not what it should be."""


class Report:
    """What is known of a drill so far.

    `stages` has the seconds of each stage that was reached. `verdict` is None until something decides it. `checks` are
    sentences about what was compared. `canary` is described in canary.py. `rule`: how the backup was chosen.
    `label` and `made` are of a backup without a manifest.
    """

    def __init__(self) -> None:
        self.began = datetime.now(timezone.utc)
        self.stages: dict[str, float] = {}
        self.verdict: Optional[str] = None
        self.reason = ""
        self.next = ""
        self.manifest: Optional[Manifest] = None
        self.label: Optional[str] = None
        self.made: Optional[datetime] = None
        self.path = ""
        self.rule = ""
        self.checks: list[str] = []
        self.canary: Optional[dict[str, Any]] = None
        self.rpo: Optional[float] = None
        self.warnings: list[str] = []

    @contextlib.contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """The seconds of the block count for the stage, however it ends."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.stages[stage] = round(self.stages.get(stage, 0.0) + time.monotonic() - began, 3)

    @contextlib.contextmanager
    def timed_restore(self, waits: Callable[[], tuple[float, float]]) -> Iterator[None]:
        """The block is a restore. The time that it waits for the repository counts as fetch, for age as decrypt.

        :param waits: tells the seconds of both after the block.
        """
        try:
            with self.timed(RESTORE):
                yield
        finally:
            fetch, decrypt = waits()
            rest = self.stages.pop(RESTORE) - fetch - decrypt  # as these stages come first
            self.stages[FETCH] = round(self.stages.get(FETCH, 0.0) + fetch, 3)
            if self.manifest and self.manifest.envelope:
                self.stages[DECRYPT] = round(decrypt, 3)
            self.stages[RESTORE] = round(max(rest, 0.0), 3)

    def passed(self, reason: str = "") -> None:
        self.verdict, self.reason = PASS, reason

    def ended_by(self, exc: Day2Error, identity: bool) -> None:
        """An error is the verdict.

        :param identity: whether one was given to decrypt backups with.
        """
        self.verdict = FAIL if is_about_backup(exc, identity) else INCONCLUSIVE
        reason = exc.message if exc.hint else explained(exc)
        reason = reason[:_LONGEST].rstrip(". ")
        self.reason = reason if reason.endswith("?") else f"{reason}."
        self.next = (exc.hint if not isinstance(exc, DamagedBackup) else "") or _HINTS[self.verdict]

    def stopped(self, exc: Cancelled) -> None:
        """It was to stop, or took longer than it may."""
        self.verdict, self.reason, self.next = INCONCLUSIVE, exc.message, exc.hint or _HINTS[INCONCLUSIVE]


def is_about_backup(exc: TaskEnded, identity: bool) -> bool:
    """Whether an error says that the backup cannot be restored, and not only that it could not be tried here."""
    if isinstance(exc, (DamagedBackup, Differs, Unsound, Violation, WrongIdentity)):
        return True
    if isinstance(exc, NotOpened):  # without an identity, nobody has tried
        return identity
    if isinstance(exc, (Unreachable, LockTimeout)) or isinstance(exc.__cause__, OSError):
        return False
    return isinstance(exc, RepositoryError)


def result_of(report: Report, params: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """The result of the module; with `failed` if the verdict is one that the task fails with."""
    verdict, manifest = report.verdict, report.manifest
    made = manifest.created if manifest else report.made
    failed = verdict == FAIL or (verdict == INCONCLUSIVE and params["fail_on"] == INCONCLUSIVE)
    return {
        "changed": False,
        **({"failed": True} if failed else {}),
        "msg": _message(report, params, check),
        "drill": {
            "verdict": verdict,
            "set": params["name"],
            "repository": without_password(params["repository"]),
            "backup": manifest.id if manifest else report.label,
            "made": format_time(made) if made else None,
            "path": report.path or None,
            "which": report.rule or None,
            "at": format_time(report.began.replace(microsecond=0)),
            "negative": params["negative"],
            "stages": report.stages,
            "rto_s": _total(report) if verdict == PASS and not params["negative"] and not check else None,
            "rpo_s": report.rpo,
            "canary": report.canary,
            "checks": report.checks,
            "reason": report.reason or None,
            "next": report.next or None,
        },
        "warnings": report.warnings,
    }


def _total(report: Report) -> float:
    return round(sum(report.stages.values()), 3)


def _message(report: Report, params: Mapping[str, Any], check: bool) -> str:
    label = report.manifest.id if report.manifest else report.label
    where = f"{params['name']}/{label}" if label else f"the set {params['name']}"
    if report.verdict is None:
        made = f", made {format_time(report.manifest.created)}" if report.manifest else ""
        return f"Would drill {where}{made}, in {report.path}: {report.reason}."
    what = f"The {'negative ' * params['negative']}drill of {where}"
    if report.verdict == PASS:
        took = f" A restore takes at least {format_duration(_total(report))}." if not params["negative"] else ""
        return f"{what} passed: {(report.reason or '; '.join(report.checks)).rstrip('.')}.{took}"
    how = "failed" if report.verdict == FAIL else "was inconclusive"
    if check:
        how = "would fail" if report.verdict == FAIL else "would be inconclusive"
    return f"{what} {how}: {report.reason} {report.next}".strip()
