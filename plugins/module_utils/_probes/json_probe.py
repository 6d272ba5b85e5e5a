# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""json: whether a document is valid, has its collections, and meets conditions."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from .._core.errors import SourceError
from .._core.units import plural
from .._stores.documents.document import Document
from .._stores.documents.read import WAITS, is_quiet
from .._stores.documents.stream import scan
from .base import BELOW, UNKNOWN, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed
from .json_path import ASSERTION_HELP, RATIO_HELP, conditions_from


class JsonProbe(BaseProbe):
    SUMMARY = (
        "Reads a JSON document of any size in a few megabytes of memory. With `json` or `ratio`, the "
        "whole document is loaded into memory."
    )
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "path": Option("path", "Path of the document.", required=True),
        "collections": Option(
            "mapping of ranges",
            "Top-level keys and the number of records that is ok for each, for example `{machines: 1-1000}`.",
        ),
        "json": Option("list of mappings", "Conditions on the document. " + ASSERTION_HELP),
        "ratio": Option("list of mappings", "Ratio of two numbers in the document. " + RATIO_HELP),
        "max_size": Option("size", "With `json` or `ratio`: maximum size of the document.", "64M"),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("count", "Number of records in all collections.", BELOW),
        Limit("percent", "With `ratio`: the largest ratio.", crit=10.0, name="ratio", open_ended=True),
    )
    ON_TIMEOUT = UNKNOWN

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        super().__init__(options, limits)
        self._counts = options["collections"] or {}
        self._conditions = conditions_from(options)

    def patterns(self) -> Sequence[re.Pattern[str]]:
        return self._conditions.patterns()

    def run(self, deadline: Deadline) -> Finding:
        path = self.options["path"]
        deadline.doing = f"reading {path}"
        document = self._scan(path, deadline)
        finding = self.finding()
        found = {one.name: one.records for one in document.collections()}
        total = sum(found.values())
        finding.good = f"{path} has {plural(total, 'record')} in {plural(len(found), 'collection')}"
        for name, ranges in self._counts.items():
            if name not in found:
                finding.problem(f"{path} has no collection {name}")
            elif not any(low <= found[name] <= high for low, high in ranges):
                finding.problem(f"{path} has {plural(found[name], 'record')} in {name}")
        for name in list(found)[:20]:
            finding.metric("records_" + name, found[name], "count")
        finding.measure(total, what=f"the number of records in {path}")
        if self._conditions:
            self._assert(path, finding, deadline)
        return finding

    def _scan(self, path: str, deadline: Deadline) -> Document:
        quiet = True
        for wait in (*WAITS, None):
            try:
                with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0) as handle:

                    def read(size: int, handle: Any = handle) -> bytes:
                        deadline.left()
                        return bytes(handle.read(size))

                    quiet = is_quiet(os.fstat(handle.fileno()))
                    return scan(read, path, os.path.splitext(os.path.basename(path))[0])
            except OSError as exc:
                missing = isinstance(exc, FileNotFoundError)
                text = "does not exist" if missing else f"can't be read: {exc.strerror}"
                raise ProbeFailed(f"{path} {text}", "critical" if missing else UNKNOWN) from None
            except SourceError as exc:
                # It may just be being written.
                if quiet or wait is None:
                    raise ProbeFailed(exc.message) from None
                time.sleep(min(wait, deadline.left()))
        raise ProbeFailed(f"{path} can't be read", UNKNOWN)

    def _assert(self, path: str, finding: Finding, deadline: Deadline) -> None:
        with open(path, "rb") as handle:
            data = handle.read(self.options["max_size"] + 1)
        if len(data) > self.options["max_size"]:
            finding.problem(f"{path} is larger than max_size", UNKNOWN)
            return
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as exc:
            finding.problem(f"{path} does not fit into memory: {exc}", UNKNOWN)
            return
        self._conditions.judge(document, finding, deadline)
