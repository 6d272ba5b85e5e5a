# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run would do to each log. Reads only."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

from .._core.compression.base import Compression
from .._core.errors import Day2Error, TargetError
from .._core.open_files import FileId, Writer, file_id, writers
from .._core.secure_directory import SecureDirectory
from . import in_place
from .find import Found, Place, Places, Problem, Rotated, find_logs
from .identity import Identity
from .names import Naming
from .rules import Keep, Rules, check_clock, due

RENAME = "rename"
IN_PLACE = "in_place"


class Options(NamedTuple):
    """What is asked, without what tells other processes."""

    paths: tuple[str, ...]
    rules: Rules
    method: str
    allow_loss: bool
    naming: Naming
    old_dir: Optional[str]
    keep: Keep
    max_total_size: Optional[int]
    compression: Compression
    delay_compress: bool
    missing_ok: bool
    reopens: bool  # something is told to open its log again


class Removal(NamedTuple):
    """A rotated file that goes, and why."""

    file: Rotated
    reason: str


class Compressed(NamedTuple):
    """A rotated file and the compressed (or moved) one that took its place, as results show them."""

    name: str
    to: str
    bytes: int
    stored_bytes: int


class Removed(NamedTuple):
    """A rotated file that was removed, as results show it."""

    name: str
    bytes: int
    reason: str


NOBODY: Mapping[FileId, list[Writer]] = {}


class LogPlan:
    """One log: what is there, and what happens to it; apply notes here what has happened."""

    # A run may have ten thousand of them. (Empty tuples are one object, empty lists are not.)
    __slots__ = (
        *("found", "directory", "target", "name", "path", "info", "error", "history", "leftovers", "new_file"),
        *("interrupted", "due", "reason", "new_name", "shifts", "cut", "lossy", "moves", "held", "reopen", "removals"),
        *("compress", "rotated_to", "rotated_bytes", "window_bytes", "compressed", "removed", "mended"),
    )

    def __init__(self, found: Found, place: Place, target: Place) -> None:
        self.found = found
        self.directory = place.directory
        self.target = target.directory
        self.name = found.name
        self.path = found.path
        self.info = found.info
        self.error: Optional[Day2Error] = found.error
        self.history: tuple[Rotated, ...] = ()  # newest first, as it is before the run
        self.leftovers: tuple[tuple[SecureDirectory, str], ...] = ()
        self.new_file = ""  # a killed run's, not in place yet
        self.interrupted: Optional[in_place.Interrupted] = None
        self.due = False
        self.reason = ""
        self.new_name = ""
        self.shifts: tuple[tuple[SecureDirectory, str, str], ...] = ()
        self.cut: Optional[in_place.Cut] = None
        self.lossy = False
        self.moves = False  # the rotated file first stays in the log's directory: old_dir is on another file system
        self.held: Mapping[FileId, list[Writer]] = NOBODY  # rotated files that processes still write to
        self.reopen = False
        self.removals: tuple[Removal, ...] = ()
        self.compress: tuple[tuple[SecureDirectory, str, int], ...] = ()
        # results
        self.rotated_to = ""
        self.rotated_bytes = 0
        self.window_bytes: Optional[int] = None
        self.compressed: tuple[Compressed, ...] = ()
        self.removed: tuple[Removed, ...] = ()
        self.mended = False

    @property
    def first_place(self) -> SecureDirectory:
        """Where a rotated file is first."""
        return self.directory if self.moves else self.target

    def fail(self, error: Day2Error) -> None:
        """The first error is the one that is told."""
        self.error = self.error or error


class Plan:
    """A run."""

    def __init__(self, options: Options, logs: list[LogPlan], problems: list[Problem], now: float) -> None:
        self.options = options
        self.logs = logs
        self.problems = problems
        self.now = now
        self.notes: list[str] = []

    @property
    def rotating(self) -> list[LogPlan]:
        return [log for log in self.logs if log.due and log.error is None]

    @property
    def telling(self) -> bool:
        """Will processes be told to open their logs again?"""
        return any(log.due or log.reopen for log in self.logs if log.error is None)


def make_plan(options: Options, places: Places, identity: Identity, now: float) -> Plan:
    """Find the logs and what is due. Raises Day2Error only for what concerns all of them."""
    with identity.taken():
        found, problems = find_logs(places, options.paths, options.missing_ok)
        logs = [_open(options, places, one) for one in found]
        _check_names(logs)
        for log in logs:
            with _failing(log):
                _look_at_history(log, options, places)
    held = writers(_interesting(logs, options))  # as ourselves, to see all processes
    with identity.taken():
        for log in logs:
            if log.error is None:
                with _failing(log):
                    _decide(log, options, held, now)
    return Plan(options, logs, problems, now)


class _failing:
    """An error of the block is the log's."""

    def __init__(self, log: LogPlan) -> None:
        self._log = log

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: Optional[BaseException], where: object) -> bool:
        if isinstance(error, OSError):
            error = TargetError(f"Can't look at {self._log.path}: {error.strerror or error}.")
        if isinstance(error, Day2Error):
            self._log.fail(error)
            return True
        return False


def _open(options: Options, places: Places, found: Found) -> LogPlan:
    place = places.open(found.place.path)
    log = LogPlan(found, place, place)
    if options.old_dir and log.error is None:
        with _failing(log):
            log.target = places.open(os.path.join(found.place.path, options.old_dir)).directory
            log.moves = log.target.device != log.directory.device and options.method == RENAME
    return log


def _check_names(logs: Sequence[LogPlan]) -> None:
    """Two logs of one name can't share an old_dir: each would take the other's rotated files for its own."""
    by_name: dict[tuple[int, str], LogPlan] = {}
    for log in logs:
        other = by_name.setdefault((log.target.fd, log.name), log)
        if other is not log and log.error is None:
            for one, path in ((log, other.path), (other, log.path)):
                one.fail(
                    TargetError(
                        f"{one.path} and {path} would have the same rotated names in {log.target.path}: not touched.",
                        "Choose a relative old_dir, or two tasks.",
                    )
                )


def _look_at_history(log: LogPlan, options: Options, places: Places) -> None:
    history: list[Rotated] = []
    kept = [places.open(log.directory.path)]
    if log.target is not log.directory:
        kept.append(places.open(log.target.path))
    for place in kept:
        history += place.history(log.name)
        for purpose, name in place.prepared:
            _take_leftover(log, place, purpose, name, options.naming)
    if all(one.parsed.number is not None for one in history):
        history.sort(key=lambda one: (one.parsed.number or 0, one.name))
    else:
        history.sort(key=lambda one: (-one.when, one.parsed.number or 0, one.name))
    log.history = tuple(history)


def _take_leftover(log: LogPlan, place: Place, purpose: str, name: str, naming: Naming) -> None:
    interrupted = in_place.parse_interrupted(name)
    if interrupted is not None:
        if interrupted[0] == log.name:
            log.interrupted = interrupted[1]
        return
    parsed = naming.parse(purpose)
    ours = purpose in (log.name + ".new", log.name + ".copy") or (parsed is not None and parsed.base == log.name)
    if not ours:
        return
    if purpose == log.name + ".new" and log.info is None and place.directory is log.directory:
        log.new_file = name
    else:
        log.leftovers += ((place.directory, name),)


def _interesting(logs: Sequence[LogPlan], options: Options) -> set[FileId]:
    """The files whose writers matter."""
    wanted = {file_id(one.info) for log in logs for one in log.history if not one.compressed}
    wanted |= {file_id(log.info) for log in logs if log.info is not None and log.error is None}
    return wanted


def _decide(log: LogPlan, options: Options, held: dict[FileId, list[Writer]], now: float) -> None:
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
        _decide_names(log, options, now)
    _decide_rest(log, options, held, now)


def _decide_interrupted(log: LogPlan) -> None:
    """Was a run killed between the cut and the end?"""
    if log.interrupted is None:
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
    last = max((one.rotated_at for one in log.history), default=None)
    if log.history and all(one.parsed.number is not None for one in log.history):
        last = log.history[0].rotated_at
    log.due, reason = due(options.rules, size, last, now)
    log.reason = sys.intern(reason)  # thousands of logs have few
    if log.due and options.naming.dated and last is not None:
        check_clock(last, now)
    if log.due and options.method == IN_PLACE:
        _decide_in_place(log, options, live)
    log.rotated_bytes = size if options.method == RENAME else log.rotated_bytes


def _decide_in_place(log: LogPlan, options: Options, live: Sequence[Writer]) -> None:
    blind = [writer for writer in live if not writer.appends]
    if blind:
        log.due = False
        raise TargetError(
            "%s is written by %s without O_APPEND: cutting the file would leave a hole at its old position."
            % (log.path, ", ".join(map(str, blind))),
            "Let it append, or use method=rename.",
        )
    fd = log.directory.open_file(log.name, os.O_RDWR)
    try:
        if in_place.can_collapse(fd):
            log.cut = in_place.find_cut(fd)
            if log.cut is None:
                log.due, log.reason = False, "it has no line that ends behind its first block"
                return
        elif options.allow_loss:
            log.cut, log.lossy = in_place.whole(fd), True
        else:
            log.due = False
            raise TargetError(
                f"The file system of {log.path} can't cut out the front of a file, so lines could be lost.",
                "Use method=rename, or set allow_loss to copy and truncate the file all the same.",
            )
        log.rotated_bytes = log.cut.end - log.cut.skip
    finally:
        os.close(fd)


def _decide_names(log: LogPlan, options: Options, now: float) -> None:
    log.new_name = options.naming.new_name(log.name, now)
    if not options.naming.dated:
        _decide_shifts(log)
    leaving = {(place.fd, old) for place, old, _new in log.shifts}
    for place in {log.directory.fd: log.directory, log.target.fd: log.target}.values():
        for name in (log.new_name, log.new_name + options.compression.suffix):
            if place.exists(name) and (place.fd, name) not in leaving:
                log.due = False
                raise TargetError(
                    f"{place.of(name)} exists already: not overwritten, and {log.path} not rotated.",
                    "Move it away, or choose a date_format that tells the seconds."
                    if options.naming.dated
                    else "Move it away.",
                )


def _decide_shifts(log: LogPlan) -> None:
    """Every number up to the first free one moves up by one, the highest first."""
    numbered: dict[int, list[Rotated]] = {}
    for one in log.history:
        if one.parsed.number is not None:
            numbered.setdefault(one.parsed.number, []).append(one)
    highest = 0
    while highest + 1 in numbered:
        highest += 1
    for number in range(highest, 0, -1):
        for one in numbered[number]:
            new = "%s.%d%s" % (log.name, number + 1, one.name[len(one.parsed.stem) :])
            log.shifts += ((one.place, one.name, new),)


class _Entry(NamedTuple):
    """A rotated file as it will be called after the rotation."""

    place: SecureDirectory
    name: str
    stem: str
    when: float
    bytes: int
    file: Optional[Rotated]  # None: the one that is made by this run


def _after_rotation(log: LogPlan, now: float) -> list[_Entry]:
    renamed = {(place.fd, old): new for place, old, new in log.shifts}
    entries = []
    if log.due:
        when = now if log.info is None else log.info.st_mtime
        entries.append(_Entry(log.first_place, log.new_name, log.new_name, when, log.rotated_bytes, None))
    for one in log.history:
        name = renamed.get((one.place.fd, one.name), one.name)
        stem = name[: len(name) - (len(one.name) - len(one.parsed.stem))]
        entries.append(_Entry(one.place, name, stem, one.when, one.info.st_size, one))
    return entries


def _decide_rest(log: LogPlan, options: Options, held: dict[FileId, list[Writer]], now: float) -> None:
    """What is removed, and what is compressed."""
    index, previous = -1, ""
    newest = ""
    for entry in _after_rotation(log, now):
        if entry.stem != previous:  # app.log.1 and app.log.1.zst are one, of a run that was killed
            index, previous = index + 1, entry.stem
        newest = newest or entry.stem
        busy = entry.file is not None and file_id(entry.file.info) in log.held
        if options.keep.removes(index, now - entry.when) and entry.file is not None and not busy:
            file = entry.file._replace(name=entry.name)
            log.removals += (Removal(file, _why(options.keep, index)),)
            continue
        if entry.file is not None and entry.file.compressed:
            continue
        if busy and not log.reopen:
            continue
        if entry.file is None and options.method == RENAME and not options.reopens:
            live = [] if log.info is None else held.get(file_id(log.info), [])
            if live and log.info is not None:
                log.held = {**log.held, file_id(log.info): live}
                continue
        wanted = bool(options.compression.suffix) and not (options.delay_compress and entry.stem == newest)
        if wanted or entry.place is not log.target:
            log.compress += ((entry.place, entry.name, entry.bytes),)


def _why(keep: Keep, index: int) -> str:
    if keep.last is not None and index >= keep.last:
        return "keep.last is %d" % keep.last
    return "it is older than keep.within"
