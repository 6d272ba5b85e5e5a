# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode: what `apply` would do, by the same decisions, with the sizes that the compressed files would have."""

from __future__ import annotations

from typing import Optional

from .._core.compress_file import SAME, compressed_size
from .._core.compression import COMPRESSIONS
from .._core.compression.base import Compression
from .._core.errors import Day2Error
from .._core.sparse import allocated
from .identity import Identity
from .log_plan import NOBODY, Compressed, LogPlan, RotationPlan, ToCompress
from .removal import note_removed
from .reopen import Notification, check_notify, check_programs
from .total import predict_limit


def predict(plan: RotationPlan, identity: Identity, how: Notification) -> None:
    """Record in the logs what `apply` would do.

    Raises TargetError when a program that would be run is missing.
    """
    check_programs(how.commands(plan.notified, plan.removing))
    _predict_notify(plan, how)
    with identity.taken():
        for log in plan.logs:
            if log.error is None or log.due:
                try:
                    _predict(log, plan)
                except Exception as exc:  # of this log alone
                    if not log.catch(exc):
                        raise
        if plan.options.max_total_size is not None:
            predict_limit(plan)


def _predict_notify(plan: RotationPlan, how: Notification) -> None:
    notified = [log for log in plan.logs if log.error is None and (log.due or log.reopen)]
    if not notified or how.has_commands:  # which may start the process to notify
        return
    try:
        check_notify(how)
    except Day2Error as exc:
        for log in notified:
            log.fail(exc)


def _predict(log: LogPlan, plan: RotationPlan) -> None:
    log.mended = bool(log.new_file)
    if log.reopen:
        log.held = NOBODY
    if log.due:
        log.rotated_to = log.first_place.of(log.new_name)
    for removal in log.removals:
        note_removed(log, removal.file.path, removal.file.info, removal.reason)
    if log.remove_new:
        info = log.info if log.interrupted is None else log.target.stat(log.interrupted.name)
        if info is not None:
            note_removed(log, log.rotated_to, info, log.remove_new)
    for one in log.compress:
        _predict_compression(log, one, COMPRESSIONS["none"] if one.plain else plan.options.compression)


def _predict_compression(log: LogPlan, one: ToCompress, compression: Compression) -> None:
    place, name, size, _plain = one
    renamed = {new: old for _place, old, new in log.shifts}
    source, current, part = place, renamed.get(name, name), None
    if log.due and name == log.new_name:
        source, current = log.directory, log.name
        if log.cut is not None:
            part = (log.cut.skip, log.cut.end)
        if log.interrupted is not None:
            source, current, part = log.target, log.interrupted.name, None
    stored = _existing(log, current + compression.suffix)
    try:
        if stored is None:
            stored = compressed_size(source, current, compression, part)
    except Day2Error as exc:
        log.fail(exc)
        return
    taken = min(size, allocated(source.stat(current)))
    log.freed += taken - (taken if stored == size else stored)
    log.compressed += (Compressed(place.of(name), log.target.of(name + compression.suffix), size, stored),)


def _existing(log: LogPlan, name: str) -> Optional[int]:
    """The size of the copy that a killed run has put in place already."""
    if log.pairs.get(name) != SAME:
        return None
    for place in log.places:
        if place.exists(name):
            return place.stat(name).st_size
    return None
