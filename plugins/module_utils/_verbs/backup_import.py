# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The import of a copy that was made by hand: its date, and how it is read instead of the store."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Callable

from .._core.compression import by_suffix
from .._core.compression.base import BLOCK, CorruptStream
from .._core.errors import SourceError
from .._core.files import open_regular, os_errors
from .._core.units import format_time
from .._repository.history import CLOCK_SKEW
from .._stores.base import Sink, Snapshot
from .snapshots import NamedStore, Read


def time_of(path: str, now: datetime) -> datetime:
    """The date of a backup of the copy. Raises SourceError when it lies in the future."""
    with os_errors(SourceError, "Can't read", path):
        modified = os.stat(path).st_mtime
    hint = "The backup would have this date. Correct it (touch), or correct the clock."
    try:
        moment = datetime.fromtimestamp(modified, timezone.utc)
    except (ValueError, OverflowError, OSError) as exc:
        raise SourceError(f"The modification time of {path}, {modified:.0f}, is not a date.", hint) from exc
    if moment > now + CLOCK_SKEW:
        raise SourceError(f"{path} is dated in the future ({format_time(moment)}).", hint)
    return moment


def convert(path: str) -> Read:
    """The function that reads the copy instead of a store."""

    def read(entry: NamedStore, sink: Sink) -> Snapshot:
        convert_directory = getattr(entry.store, "convert_directory", None)
        if convert_directory is not None and os.path.isdir(path):
            return read_directory(convert_directory, sink)
        compression, filename = by_suffix(os.path.basename(path))
        with os.fdopen(open_regular(path, SourceError), "rb", buffering=0) as handle:
            if os.fstat(handle.fileno()).st_size == 0:
                raise SourceError(f"{path} is empty.")
            try:
                with compression.reader(handle) as reader:
                    snapshot = entry.store.convert(reader, filename, sink)
                    while reader.read(BLOCK):  # to the end, which has the checksums
                        pass
                    return snapshot
            except (CorruptStream, SourceError) as exc:
                raise SourceError(f"{path} can't be imported: {exc.message}", exc.hint) from exc

    def read_directory(convert_directory: Callable[[str, Sink], Snapshot], sink: Sink) -> Snapshot:
        try:
            return convert_directory(path, sink)
        except SourceError as exc:
            raise SourceError(f"{path} can't be imported: {exc.message}", exc.hint) from exc

    return read
