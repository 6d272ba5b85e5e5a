# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""log_report: performance and errors from logs, in one pass and bounded memory."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

from ..._core.errors import SourceError
from ..._core.patterns import HINT
from ..._core.progress import Progress
from ..._core.units import plural
from ..._logs.positions import Lines, Position, Unparsable
from ..._logs.reading import LogFile, blocks, find, opened
from ..._logs.searching import Searching, TooSlow
from ..._logs.tally import Tally
from ..._logs.times import Clock
from ..._logs.unwrap import Unwrapper
from .report_request import ARGUMENTS, FORMATS, LogReportRequest, moment, request_from
from .report_result import add_records, result_of, too_slow

if TYPE_CHECKING:
    from ..._logs.multiline import Records
    from .export import Export
    from .records import RecordTally

__all__ = ["ARGUMENTS", "FORMATS", "moment", "request_from", "run"]

_BYTE_ORDER_MARK = b"\n\xef\xbb\xbf"  # at the beginning of a line; concatenated files have several


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """Read the logs, or the records of a store. Nothing but the `export` is written.

    Raises InvalidRequest when an argument is not valid, and SourceError when a log can't be read, with the report on
    all others in its details.
    """
    began = time.monotonic()
    request = request_from(params)
    tally = Tally(request.rules, Clock(request.time_format, request.timezone))
    with contextlib.ExitStack() as stack:
        export = stack.enter_context(_export(request.records.export, check)) if request.records.export else None
        read = _read_store if request.source else _read_logs
        result = read(request, tally, export, progress)
        problems = result["problems"]
        if export is not None:
            result["exported"] = export.count
            result["changed"] = export.publish() if not problems else False
    result["duration_s"] = round(time.monotonic() - began, 3)
    if problems:
        details = {name: value for name, value in result.items() if name not in ("msg", "warnings", "failed")}
        raise SourceError(" ".join(one["problem"] for one in problems), f"Of the rest: {result['msg']}.", details)
    return result


def _export(path: str, check: bool) -> Export:
    from .export import Export

    return Export(path, check)


def _read_store(
    request: LogReportRequest, tally: Tally, export: Optional[Export], progress: Progress
) -> dict[str, Any]:
    from .records import read_store

    records, warnings = read_store(request, tally, export, progress)
    result = result_of(request, tally, Unparsable(False), 0)
    result["warnings"] += warnings
    result.update(continuation_lines=0, files=[], older_files=[], problems=[])
    return add_records(request, result, records)


def _read_logs(request: LogReportRequest, tally: Tally, export: Optional[Export], progress: Progress) -> dict[str, Any]:
    bad = Unparsable(request.show_unparsable)
    with Searching([one for one in (request.multiline, request.pattern) if one]) as searching:
        report = Report(request, tally, bad, searching, export)
        found = find(request.paths)
        with opened(found.files, request.rules.since) as (files, old, problems):
            problems += [
                {"path": one, "problem": f"{one} can't be searched: Permission denied."} for one in found.hidden
            ]
            report.read(files, problems, progress)
    result = result_of(request, tally, bad, searching.slow)
    result["continuation_lines"] = report.joined
    result["files"] = [{"path": one.path, "bytes": one.size} for one in files]
    result["older_files"] = old
    result["problems"] = problems
    if report.records is not None and tally.total and not problems:
        report.records.check_names(report.records.names, "these logs")
    return add_records(request, result, report.records)


class Report:
    """Reads files into a tally. `joined` counts the lines that were appended to the one before. `records`: what was
    found, if whole records are needed.
    """

    def __init__(
        self,
        request: LogReportRequest,
        tally: Tally,
        bad: Unparsable,
        searching: Searching,
        export: Optional[Export] = None,
    ) -> None:
        self.joined = 0
        self.records: Optional[RecordTally] = None
        self._export = export
        self._request = request
        self._tally = tally
        self._bad = bad
        self._searching = searching
        self._lines = self._reader()

    def read(self, files: Sequence[LogFile], problems: list[dict[str, str]], progress: Progress) -> None:
        """Read the files. Errors are added to `problems`."""
        progress.start(f"Reading {plural(len(files), 'log file')}", sum(one.size for one in files), "bytes")
        for number, file in enumerate(files):
            self._tally.clock.look_from(min(file.mtime, self._request.now))
            try:
                self._read(file, progress)
            except SourceError as exc:
                problems.append({"path": file.path, "problem": str(exc)})
            except TooSlow:
                problem = f"{file.path} was not read to its end: {too_slow(self._searching.slow)}. {HINT}"
                problems.append({"path": file.path, "problem": problem})
                problems += [
                    {"path": one.path, "problem": f"{one.path} was not read, for the same reason."}
                    for one in files[number + 1 :]
                ]
                return

    def _reader(self) -> Lines:
        fields, tally = self._request.fields, self._tally
        if self._request.records.wanted:
            from .records import RecordLines, RecordTally

            self.records = RecordTally(self._request, tally, self._export)
            return RecordLines(self.records, functools.partial(self._bad.add, reason="it is not a JSON object"))
        if self._request.format == "json":
            from ..._logs.json_lines import JsonLines

            return JsonLines(fields, tally, functools.partial(self._bad.add, reason="it is not a JSON object"))
        if self._request.format == "combined":
            from ..._logs.combined_lines import CombinedLines

            return CombinedLines(fields, tally, functools.partial(self._bad.add, reason="it is not in this format"))
        from ..._logs.pattern_lines import PatternLines

        return PatternLines(self._searching, -1, fields, tally, self._bad.add)

    def _records(self, position: Position, for_json: bool) -> Records:
        from ..._logs.multiline import Records

        return Records(self._searching, 0, for_json, position.bad)

    def _read(self, file: LogFile, progress: Progress) -> None:
        position = Position(file.path, self._lines, self._bad)
        for_json = self._request.format == "json"
        unwrapper = Unwrapper(for_json) if self._request.unwrap else None
        records = self._records(position, for_json) if self._request.multiline else None
        try:
            for block in blocks(file, progress):
                if not block.whole:
                    position.take(records.flush() if records else b"")
                    position.skip(block.data)
                    if records:
                        records.skip()
                    continue
                data = block.data.replace(b"\0", b"")  # zeros: the rest of a hole
                if _BYTE_ORDER_MARK[-1:] in data:  # found several times as fast
                    data = data.replace(_BYTE_ORDER_MARK, b"\n")
                if unwrapper:
                    data = unwrapper.block(data)
                position.take(records.block(data) if records else data)
            rest = unwrapper.flush() if unwrapper else b""
            position.take(records.block(rest) + records.flush() if records else rest)
        finally:
            self.joined += records.joined if records else 0
