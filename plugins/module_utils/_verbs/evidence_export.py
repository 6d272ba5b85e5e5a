# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence for auditors, as a file: JSON with all that is known of each entry, or a table (CSV)."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .._core import files, host_state
from .._core.errors import InvalidRequest, TargetError

_MODE = 0o600
COLUMNS = (
    *("count", "time", "host", "event", "set", "verdict", "error", "backup", "content_digest", "bytes", "repository"),
    *("reason", "made", "counts", "rto_s", "rpo_s", "tool", "journal", "previous"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class Export(NamedTuple):
    """A file to be written."""

    path: str
    format: str

    def write(self, entries: Sequence[Mapping[str, Any]], about: Mapping[str, Any], check: bool) -> bool:
        """Replace the file if its content is another one. Returns whether it is. Raises TargetError.

        :param about: the state of the chain, for JSON.
        """
        data = _table(entries) if self.format == "csv" else _document(entries, about)
        if self._current() == data:
            return False
        if not check:
            with files.os_errors(TargetError, "Can't write", self.path):
                files.write_atomically(self.path, data, _MODE)
        return True

    def _current(self) -> Any:
        """None: there is no file, or others may read it."""
        info = files.check_regular(self.path, TargetError)
        if info is None or info.st_mode & 0o777 != _MODE:
            return None
        fd = files.open_regular(self.path, TargetError)
        with files.os_errors(TargetError, "Can't read", self.path), open(fd, "rb") as handle:
            return handle.read()


def check_export(option: Mapping[str, Any]) -> Export:
    """Raises InvalidRequest or TargetError if the file can't be written."""
    path = files.resolve(option["path"], InvalidRequest)
    directory = os.path.dirname(path)
    if files.is_within(path, os.path.realpath(host_state.evidence())):
        raise InvalidRequest(f"export: {directory} has the journal itself.", "Choose another directory.")
    files.check_writable_parent(path)
    if files.others_can_write(directory):
        raise InvalidRequest(f"export: other users can write to {directory}.", "Choose another directory.")
    files.check_regular(path, TargetError)
    return Export(path, option["format"])


def _document(entries: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> bytes:
    return json.dumps({**about, "entries": list(entries)}, indent=1, sort_keys=True).encode() + b"\n"


def _table(entries: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for one in entries:
        rows.writerow([_cell(one.get(column)) for column in COLUMNS])
    return text.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: Any) -> str:
    """Text that a spreadsheet would take for a formula begins with an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return str(value)
    text = " ".join(f"{name}={value[name]}" for name in sorted(value)) if isinstance(value, Mapping) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
