# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns what is restored: as in the backup, others in their place, or the one who restores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...._core.errors import InvalidRequest

KEEP, MAP, NONE = "keep", "map", "none"


class Owners(NamedTuple):
    """`names`: the new name of each role that has one."""

    mode: str
    names: Mapping[str, str]

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Owners:
        """Those that the options of a target ask for. Raises InvalidRequest."""
        mode, names = options.get("owner") or KEEP, options.get("owner_map") or {}
        if (mode == MAP) != bool(names):
            raise InvalidRequest("owner=map and owner_map require each other.", "Set both, or neither.")
        return cls(mode, {str(old): str(new) for old, new in names.items()})

    @property
    def keeps_roles(self) -> bool:
        """Are owners and privileges restored at all?"""
        return self.mode != NONE

    @property
    def keeps_tablespaces(self) -> bool:
        return self.mode != NONE

    @property
    def flags(self) -> list[str]:
        """What pg_restore and pg_dump are told."""
        if self.mode == NONE:
            return ["--no-owner", "--no-privileges", "--no-tablespaces"]
        return ["--no-owner", "--no-privileges"] if self.mode == MAP else []

    def name(self, role: str) -> str:
        """The role that takes the place of another."""
        return self.names.get(role, role)

    def roles(self, needs: Mapping[str, Any]) -> set[str]:
        """The roles that objects in the database refer to."""
        # a policy names its roles whatever pg_restore is told
        found = needs.get("policy_roles", ()) if self.mode == NONE else needs.get("roles", ())
        return {self.name(role) for role in found}
