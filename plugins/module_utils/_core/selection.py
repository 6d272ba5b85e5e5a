# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which named things belong to a store: globs over their names."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Optional

from .errors import InvalidRequest


class Selection:
    """`include` (everything without it) and `exclude`."""

    def __init__(self, globs: Mapping[str, Optional[Sequence[str]]]) -> None:
        self._include = sorted(set(globs.get("include") or ()))
        self._exclude = sorted(set(globs.get("exclude") or ()))

    def to_json(self) -> dict[str, list[str]]:
        """For the manifest."""
        return {"include": self._include, "exclude": self._exclude}

    def of(self, names: Iterable[str]) -> list[str]:
        """Those that are selected, in order."""
        return sorted(
            name
            for name in names
            if (not self._include or _fits(name, self._include)) and not _fits(name, self._exclude)
        )

    def check(self, names: Sequence[str], option: str, thing: str) -> None:
        """Raise InvalidRequest when a glob to include is of none of the selected names."""
        for glob in self._include:
            if not any(fnmatch.fnmatchcase(name, glob) for name in names):
                raise InvalidRequest(f"{option} has {glob}, which matches no {thing}.", "Correct or remove it.")


def _fits(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)
