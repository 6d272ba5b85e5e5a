# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `files` store: a directory with everything below it, or what `include` and `exclude` leave of it.

A snapshot consists of two files: `NAME.tar` (POSIX tar, see archive.py) and `NAME.index.jsonl` (a line for each entry
with everything that identifies it, see index.py). Symbolic links are kept as links, sockets are left out.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..._core.errors import Day2Error, InvalidRequest, SourceError
from ..._core.files import kind_of as kind_in_words
from ..._core.files import look, resolve
from ..._core.walk import ignore, walk
from ..base import Copy, Reader, Restoration, Sink, Snapshot
from .identity import describe, identify
from .selection import Selection


class FilesStore:
    """A directory tree (`Store` in base.py)."""

    type = "files"

    def __init__(self, path: str, options: Mapping[str, Any]) -> None:
        self.path = os.path.abspath(path)
        self.local_path: Optional[str] = self.path
        self._include = sorted(set(options.get("include") or ()))
        self._exclude = sorted(set(options.get("exclude") or ()))
        self._selection = Selection(self._include, self._exclude)

    def exists(self) -> bool:
        """Whether a backup would contain anything. An empty directory does not count, nor do sockets."""
        from .read import kind_of  # only here: see registry.py

        try:
            found = walk(self.path, self._selection, ignore)
            return any(one.selected and one.path and kind_of(one.info) for one in found)
        except FileNotFoundError:
            return os.path.lexists(self.path)
        except OSError:
            return True

    def parameters(self) -> dict[str, Any]:
        """The options in effect."""
        return {"include": list(self._include), "exclude": list(self._exclude)}

    def fingerprint(self) -> Optional[str]:
        """The attributes of all selected entries; None if they cannot be trusted."""
        try:
            return identify(_existing(self.path), self._selection, describe(self.parameters()))
        except (Day2Error, OSError):
            return None

    def snapshot(self, sink: Sink) -> Snapshot:
        """Write the selected entries as they are, each at one moment."""
        from .snapshot import TreeSnapshot  # only here: see registry.py

        return TreeSnapshot(_existing(self.path), self._selection, self.parameters()).take(sink)

    def convert(self, reader: Reader, filename: str, sink: Sink) -> Snapshot:
        """Take over a tar file made by hand. Names stay as they are: a leading directory is not taken away."""
        from .snapshot import TreeSnapshot  # only here: see registry.py

        return TreeSnapshot(self.path, self._selection, self.parameters()).convert(reader, filename, sink)

    def prepare(self, copy: Copy, only: Sequence[str], scratch: str, dry: bool) -> Restoration:
        """Build and verify the new tree beside the old one, to be exchanged with it."""
        from .restore import TreeRestoration  # only here: see registry.py

        self._refuse_another_selection(copy.details)
        return TreeRestoration(self.path, copy, only=only, scratch=scratch, dry=dry)

    def _refuse_another_selection(self, recorded: Mapping[str, Any]) -> None:
        """A restore replaces what the backup selects: a safety backup of less would lose the rest."""
        wanted = {"include": recorded.get("include") or [], "exclude": recorded.get("exclude") or []}
        if (self._include or self._exclude) and self.parameters() != wanted:
            raise InvalidRequest(
                f"include and exclude of the target differ from those of the backup: {json.dumps(wanted)}.",
                "Omit them, as a restore uses those of the backup, or restore only some paths (only).",
            )


def _existing(path: str) -> str:
    """The real path of the directory.

    :raises SourceError: it does not exist, or is not a directory.
    """
    root = resolve(path, SourceError)
    info = look(root, SourceError)
    if info is None:
        raise SourceError(f"{root} does not exist.", "Check the path.")
    if not stat.S_ISDIR(info.st_mode):
        raise SourceError(f"{root} is {kind_in_words(info)}, not a directory.", "Check the path and the type.")
    return root
