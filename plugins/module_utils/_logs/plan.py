# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run would do to each log. Only reads."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Optional

from .._core.compress_file import OTHER
from .._core.errors import TargetError
from .._core.open_files import FileId, Writer, file_id
from .._core.secure_directory import SecureDirectory
from .._core.sparse import is_hollow
from . import in_place, marks
from .find import CUT, NEW, Found, Place, Places, Rotated, Search
from .held import find_writers
from .identity import Identity
from .log_plan import IN_PLACE, RENAME, LogPlan, Options, Removal, RotationPlan, ToCompress
from .names import without_compression
from .numbering import Entry, after_rotation, decide_names, find_pairs, ranks, why
from .rights import Rights
from .rules import check_clock, due

_SPARED = (
    "was written to after {} was last rotated and is therefore kept. If it is another log, exclude it or use a "
    "glob that matches only such logs."
)

Held = Mapping[FileId, list[Writer]]


def make_plan(options: Options, places: Places, identity: Identity, now: float) -> RotationPlan:
    """Find the logs and those that are due. Raises Day2Error only when an error concerns all of them."""
    with identity.taken():
        search = Search(places, options.exclude)
        search.look(options.paths, options.missing_ok)
        logs = [_open(options, places, one) for one in search.logs]
        _check_names(logs)
        for log in logs:
            with _failing(log):
                _look_at_history(log, options, places)
    held = find_writers(_interesting(logs))  # as ourselves, to see all processes
    rights = Rights(options)
    with identity.taken():
        for log in logs:
            if log.error is None:
                with _failing(log):
                    _decide(log, options, held, now, rights)
    plan = RotationPlan(options, logs, search.problems, now)
    plan.notes += search.notes
    return plan


class _failing:
    """Errors in the block are recorded in the log."""

    def __init__(self, log: LogPlan) -> None:
        self._log = log

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, where: object) -> bool:
        if isinstance(error, BaseException) and self._log.catch(error):
            self._log.leave_alone()
            return True
        return False


def _open(options: Options, places: Places, found: Found) -> LogPlan:
    place = places.open(found.place.path)
    log = LogPlan(found, place, place)
    if options.old_dir and log.error is None:
        with _failing(log):
            path = os.path.join(found.place.path, options.old_dir)
            target = places.open_or_plan(path, place.directory) if options.create_old_dir else places.open(path)
            log.target = target.directory
            log.moves = log.target.device != log.directory.device and options.method == RENAME
    return log


def _check_names(logs: Sequence[LogPlan]) -> None:
    """Two logs of the same name can't share an old_dir: each would use the rotated files of the other."""
    by_name: dict[tuple[int, str], LogPlan] = {}
    for log in logs:
        other = by_name.setdefault((log.target.fd, log.name), log)
        if other is not log and log.error is None:
            for one, path in ((log, other.path), (other, log.path)):
                one.fail(
                    TargetError(
                        f"{one.path} and {path} would have the same rotated names in {log.target.path}, and were "
                        "not rotated.",
                        "Give each its own old_dir, for example with a relative path.",
                    )
                )


def _look_at_history(log: LogPlan, options: Options, places: Places) -> None:
    history: list[Rotated] = []
    for place in _places_of(log, places):
        found = place.history(log.name)
        if place.directory is not log.directory:
            _check_ours(log, found)
        history += found
        for kind, name in place.leftovers(log.name):
            _take_leftover(log, place, kind, name)
    if all(one.parsed.number is not None for one in history):
        history.sort(key=lambda one: (one.parsed.number or 0, one.name))
    else:
        history.sort(key=lambda one: (-one.when, one.parsed.number or 0, one.name))
    log.history = tuple(history)
    if len({one.parsed.stem for one in history}) < len(history):
        log.pairs = find_pairs(history)


def _places_of(log: LogPlan, places: Places) -> list[Place]:
    found = [places.open(log.directory.path)]
    if log.target is not log.directory:
        found.append(places.open(log.target.path))
    return found


def _check_ours(log: LogPlan, found: Sequence[Rotated]) -> None:
    """Rotated files in an old_dir carry the name of their log: a log of another task may have the same name."""
    for one in found:
        owner = marks.log_of(one.place, one.name)
        if owner and owner != marks.real_path(log.directory, log.name):
            raise TargetError(
                f"{one.path} is a rotated file of {owner}, not of {log.path}, and was not changed.",
                f"Give each log its own old_dir. If the log was moved, remove the mark (setfattr -x {marks.LOG} "
                "FILE) from its rotated files.",
            )


def _take_leftover(log: LogPlan, place: Place, kind: str, name: str) -> None:
    interrupted = in_place.parse_interrupted(name) if kind == CUT else None
    if interrupted is not None:
        log.interrupted = interrupted[1]
    elif kind == NEW and log.info is None and place.directory is log.directory:
        log.new_file = name
    else:
        log.leftovers += ((place.directory, name),)


def _interesting(logs: Sequence[LogPlan]) -> dict[FileId, tuple[SecureDirectory, str]]:
    """The files whose writers matter."""
    wanted = {}
    for log in logs:
        if log.error is not None:
            continue
        for one in log.history:
            if not one.compressed:
                wanted[file_id(one.info)] = (one.place, one.name)
        if log.info is not None:
            wanted[file_id(log.info)] = (log.directory, log.name)
    return wanted


def _decide(log: LogPlan, options: Options, held: Held, now: float, rights: Rights) -> None:
    for one in log.history:
        if not one.compressed and file_id(one.info) in held:
            log.held = {**log.held, file_id(one.info): held[file_id(one.info)]}
    log.reopen = bool(log.held) and options.reopens and options.method == RENAME
    _decide_interrupted(log)
    if not log.due and log.info is not None:
        _decide_due(log, options, held.get(file_id(log.info), []), now)
    elif log.info is None and not log.due:
        log.reason = "it is missing" if not log.new_file else "an interrupted rotation is completed"
    if log.due:
        with _not_due(log):
            decide_names(log, options, now)
            rights.check_rotation(log)
    _decide_rest(log, options, held, now)
    rights.check_rest(log)


class _not_due:
    """After an error in the block, the log is not rotated."""

    def __init__(self, log: LogPlan) -> None:
        self._log = log

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, where: object) -> None:
        if error is not None:
            self._log.due, self._log.shifts = False, ()


def _decide_interrupted(log: LogPlan) -> None:
    """Whether a run was killed between the cut and the end."""
    if log.interrupted is None:
        return
    if not in_place.is_plausible(log.target, log.interrupted):
        log.notes += (
            f"{log.target.of(log.interrupted.name)} is not a leftover of an interrupted run, and was not changed.",
        )
        log.interrupted = None
        return
    fd = -1 if log.info is None else log.directory.open_file(log.name)
    try:
        cut = in_place.was_cut(fd, log.target, log.interrupted)
    finally:
        if fd >= 0:
            os.close(fd)
    if cut:
        log.due, log.reason = True, "an interrupted rotation is completed"
    else:
        log.leftovers += ((log.target, log.interrupted.name),)
        log.interrupted = None


def _decide_due(log: LogPlan, options: Options, live: Sequence[Writer], now: float) -> None:
    if log.info is None:
        return
    size = log.info.st_size
    last = _last_rotation(log)
    log.due, reason = due(options.rules, size, last, now)
    log.reason = sys.intern(reason)  # thousands of logs have few
    with _not_due(log):
        if log.due and options.naming.dated and last is not None:
            check_clock(last, now)
        if log.due and options.method == IN_PLACE:
            _decide_in_place(log, options, live)
    log.rotated_bytes = size if options.method == RENAME else log.rotated_bytes


def _last_rotation(log: LogPlan) -> Optional[float]:
    """When the log was last rotated; None: never, as far as is known."""
    # a file that was written to since has lost the time of its rotation
    history = [one for one in log.history if not one.written_since] or log.history
    if all(one.parsed.number is not None for one in log.history):
        return history[0].rotated_at if history else None
    return max(one.rotated_at for one in history)


def _decide_in_place(log: LogPlan, options: Options, live: Sequence[Writer]) -> None:
    blind = [writer for writer in live if not writer.appends]
    if blind and not blind[0].pid:
        raise TargetError(
            f"{log.path} is written by {blind[0]}, so it is unknown whether it appends.",
            "Run where all processes are visible (as root of the host, with CAP_SYS_PTRACE), or use method=rename.",
        )
    if blind:
        raise TargetError(
            f"{log.path} is written by {', '.join(map(str, blind))} without O_APPEND: cutting the file would "
            "leave a hole at its old position.",
            "Make it append, or use method=rename.",
        )
    in_place.check_name(log.path, log.name)
    log.directory.check_changeable(log.name, "cut")
    fd = log.directory.open_file(log.name, os.O_RDWR)
    try:
        if in_place.can_collapse(fd):
            log.cut = in_place.find_cut(fd)
            if log.cut is None:
                log.due, log.reason = False, "no line ends after its first block"
                return
        elif options.allow_loss:
            log.cut, log.lossy = in_place.whole(fd), True
        else:
            raise TargetError(
                f"The file system of {log.path} can't remove the front of a file, so lines could be lost.",
                "Use method=rename, or set allow_loss=true to copy and truncate the file anyway.",
            )
        log.rotated_bytes = log.cut.end - log.cut.skip
    finally:
        os.close(fd)


def _decide_rest(log: LogPlan, options: Options, held: Held, now: float) -> None:
    """Which files are removed, and which are compressed."""
    entries = after_rotation(log, now)
    rotated = max((one.rotated_at for one in log.history if not one.written_since), default=0.0)
    for index, rank in enumerate(ranks(entries)):
        for entry in entries[index]:
            if entry.file is None:
                _decide_new(log, options, held, rank, now)
                continue
            busy = file_id(entry.file.info) in log.held
            removes = options.keep.removes(rank, now - entry.when) and not busy
            if entry.file.written_since and entry.file.info.st_mtime > rotated:
                log.written += (without_compression(entry.name),)
                if removes:
                    log.notes += (f"{entry.file.path} {_SPARED.format(log.path)}",)
            elif removes:
                log.removals += (Removal(entry.file._replace(name=entry.name), why(options.keep, rank)),)
                continue
            if not entry.file.compressed and (not busy or log.reopen):
                _decide_compression(log, options, entry, newest=index == 0)


def _decide_new(log: LogPlan, options: Options, held: Held, rank: int, now: float) -> None:
    """What becomes of the file that this run makes."""
    if options.method == RENAME and not options.reopens and log.info is not None:
        live = held.get(file_id(log.info), [])
        if live:
            log.held = {**log.held, file_id(log.info): live}
            return
    when = now if log.info is None else log.info.st_mtime
    if options.keep.removes(rank, now - when) and options.keep.last == 0:
        log.remove_new = why(options.keep, rank)
        return
    entry = Entry(log.first_place, log.new_name, when, log.rotated_bytes, None)
    _decide_compression(log, options, entry, newest=True)


def _decide_compression(log: LogPlan, options: Options, entry: Entry, newest: bool) -> None:
    suffix = options.compression.suffix
    if not (suffix and not (options.delay_compress and newest)) and entry.place is log.target:
        return
    final = entry.name + suffix
    if log.pairs.get(final) == OTHER and (log.target.fd, final) not in log.moved_up():
        plain = entry.place.of(entry.name)
        log.notes += (f"{plain} and {log.target.of(final)} have different contents, and both are kept.",)
        return
    info = entry.file.info if entry.file is not None else log.info
    hollow = bool(suffix) and info is not None and is_hollow(info)
    if hollow:
        log.notes += (f"{log.target.of(entry.name)} consists almost entirely of holes and is not compressed.",)
        if entry.place is log.target:
            return
    log.compress += (ToCompress(entry.place, entry.name, entry.bytes, plain=hollow),)
