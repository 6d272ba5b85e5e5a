# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns what is restored: as in the backup, others in their place, or the one who restores."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ...._core.errors import InvalidRequest, TargetError
from ..client import identifier
from .archive import normalised
from .restore_properties import Properties
from .restore_tools import Tools

KEEP, MAP, NONE = "keep", "map", "none"
_ROLE = r'("(?:[^"]|"")*"|[^\s";,]+)'
# The statements that give or take something, as pg_restore writes them, each in one line.
_STATEMENTS = tuple(
    re.compile(text.replace("ROLE", _ROLE))
    for text in (
        r"(ALTER .* OWNER TO )ROLE(;)",
        r"(ALTER DEFAULT PRIVILEGES FOR R[O]LE )ROLE((?: IN SCHEMA .*)? GRANT .* TO )ROLE((?: WITH GRANT OPTION)?;)",
        r"(ALTER DEFAULT PRIVILEGES FOR R[O]LE )ROLE((?: IN SCHEMA .*)? REVOKE .* FROM )ROLE(;)",
        r"(GRANT .* TO )ROLE((?: WITH GRANT OPTION)?;)",
        r"(REVOKE .* FROM )ROLE(;)",
        r"(SET SESSION AUTHORIZATION )ROLE(;)",
        r"(RESET SESSION AUTHORIZATION;)",
    )
)


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
    def flags(self) -> list[str]:
        """Options for pg_restore and pg_dump."""
        # a subscription would take the replication slot of another one
        flags = ["--no-subscriptions"]
        if self.mode == NONE:
            return [*flags, "--no-owner", "--no-privileges", "--no-tablespaces"]
        return [*flags, "--no-owner", "--no-privileges"] if self.mode == MAP else flags

    def name(self, role: str) -> str:
        """The role that takes the place of another."""
        return self.names.get(role, role)

    def roles(self, needs: Mapping[str, Any]) -> set[str]:
        """The roles that objects in the database refer to."""
        # a policy names its roles whatever pg_restore is told
        found = set(needs["policy_roles"])
        return found if self.mode == NONE else found | {self.name(role) for role in needs["roles"]}

    def of_database(self, properties: Properties, user: str) -> Properties:
        """The properties in the backup that a new database gets.

        :param user: the role that restores.
        """
        if self.mode == NONE:
            public: list[tuple[Optional[str], str, bool]] = [(None, "CONNECT", False), (None, "TEMPORARY", False)]
            own = [(user, privilege, False) for privilege in ("CONNECT", "CREATE", "TEMPORARY")]
            settings = tuple(one for one in properties.settings if one[0] is None)
            return properties._replace(owner=user, acl=(*public, *own), settings=settings, tablespace="")
        return properties._replace(
            owner=self.name(properties.owner),
            acl=tuple((role and self.name(role), what, grantable) for role, what, grantable in properties.acl),
            settings=tuple((role and self.name(role), name, value) for role, name, value in properties.settings),
        )


def statements_for_others(tools: Tools, archive: str, owners: Owners) -> list[str]:
    """The statements that `Owners.flags` leave out, with the names of other roles. Raises TargetError.

    They are told by comparing what pg_restore writes with and without these flags: bodies of functions may well
    contain the same lines.
    """
    if owners.mode != MAP:
        return []
    words = ["-s", "-f", "-", "--no-subscriptions"]
    everything = tools.run("pg_restore", [*words, archive], None, TargetError)
    without = tools.run("pg_restore", [*words, *owners.flags, archive], None, TargetError)
    return [renamed(line, owners) for line in _added(_lines(everything), _lines(without))]


def _lines(text: bytes) -> list[str]:
    return [line for line in normalised(text).decode("utf-8", "surrogateescape").split("\n") if line]


def _added(more: Sequence[str], fewer: Sequence[str]) -> Iterator[str]:
    """The lines of a text that another one, which is the same without them, lacks."""
    rest = iter(fewer)
    expected = next(rest, None)
    for line in more:
        if line == expected:
            expected = next(rest, None)
        else:
            yield line


def renamed(statement: str, owners: Owners) -> str:
    """A statement of pg_restore with other roles. Raises TargetError when it is of an unknown form."""
    for form in _STATEMENTS:
        found = form.fullmatch(statement)
        if found is not None:
            return "".join(_other(part, owners) if number % 2 else part for number, part in enumerate(found.groups()))
    raise TargetError(f"Can't change the roles in: {statement}", "Use owner=keep or owner=none.")


def _other(role: str, owners: Owners) -> str:
    name = role[1:-1].replace('""', '"') if role.startswith('"') else role
    return identifier(owners.name(name)) if name in owners.names else role
