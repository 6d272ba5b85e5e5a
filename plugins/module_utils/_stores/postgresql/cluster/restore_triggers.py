# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disables triggers, event triggers and foreign keys while the rows of tables are replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...._core.errors import TargetError
from ..client import identifier, psycopg
from .restore_keys import ForeignKey

_PATIENCE = "10s"
_TRIGGERS = """
SELECT tgrelid::regclass::text, tgname::text, tgenabled::text FROM pg_trigger
WHERE tgrelid = ANY(%s::regclass[]) AND NOT tgisinternal AND tgenabled = ANY(%s::"char"[]) ORDER BY 1, 2
"""
_EVENT_TRIGGERS = """
SELECT evtname::text, evtenabled::text, pg_has_role(evtowner, 'USAGE') FROM pg_event_trigger
WHERE evtevent <> 'login' AND evtenabled = ANY(%s::"char"[]) ORDER BY 1
"""
_FOREIGN_OWNERS = """
SELECT c.oid::regclass::text, pg_get_userbyid(relowner), c.relhasrules FROM pg_class c
WHERE c.oid = ANY(%s::regclass[]) AND (c.relhasrules OR NOT pg_has_role(current_user, relowner, 'USAGE')) ORDER BY 1
"""
_ENABLE = {"O": "ENABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA"}


class Triggers:
    """With the right to set session_replication_role, only triggers that fire nevertheless have to be disabled.

    Others, if they own the tables, can disable triggers, and drop foreign keys and create them again. Event triggers
    that are not theirs fire: `heard` are their names.
    """

    def __init__(self, session: Any, tables: Sequence[str], keys: Sequence[ForeignKey]) -> None:
        self._session = session
        self._tables = list(tables)
        self._keys = list(keys)
        self._as_replica = _may_be_replica(session)
        self._fire = ["A", "R"] if self._as_replica else ["A", "O"]
        self.heard = [name for name, _state, ours in self._event_triggers() if not ours]
        self._silenced: list[tuple[str, str]] = []
        self._disabled: list[tuple[str, str, str]] = []
        self.notes: tuple[str, ...] = ()

    @property
    def drops_keys(self) -> bool:
        """Whether foreign keys are dropped and created again."""
        return bool(self._keys) and not self._as_replica

    def check(self) -> None:
        """Raise TargetError if this role has no permission to disable them."""
        if not self._as_replica:
            self._check_owner()

    def silence(self) -> None:
        """First of all in the transaction: until its end, event triggers do not fire for what it alters.

        Raises TargetError if another session is altering one of them.
        """
        if self._as_replica:
            self._session.execute("SET LOCAL session_replication_role = replica")
        # others may have altered them since the tables were compared
        self._silenced = [(name, state) for name, state, ours in self._event_triggers() if ours]
        self._session.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
        for name, _state in self._silenced:
            try:
                self._session.execute(f"ALTER EVENT TRIGGER {identifier(name)} DISABLE")  # which fires none of them
            except (psycopg.errors.LockNotAvailable, psycopg.errors.InternalError_) as exc:  # "concurrently updated"
                raise TargetError(
                    f"The event trigger {name} can't be disabled, as another session is altering it.",
                    f"The restore waited up to {_PATIENCE}. Run again once that session has committed.",
                ) from exc
        self._session.execute("SET LOCAL lock_timeout = 0")

    def unsilence(self) -> None:
        """Last of all in the transaction."""
        for name, state in self._silenced:
            self._session.execute(f"ALTER EVENT TRIGGER {identifier(name)} {_ENABLE[state]}")

    def disable(self) -> None:
        """After `check` and `silence`."""
        if not self._as_replica:
            for key in self._keys:
                self._session.execute(key.drop())
        self._disabled = self._session.execute(_TRIGGERS, (self._tables, self._fire)).fetchall()
        for table, name, _state in self._disabled:
            self._session.execute(f"ALTER TABLE {table} DISABLE TRIGGER {identifier(name)}")

    def enable(self) -> None:
        """Restore the state before `disable`."""
        for table, name, state in self._disabled:
            self._session.execute(f"ALTER TABLE {table} {_ENABLE[state]} TRIGGER {identifier(name)}")
        if not self._as_replica:
            for key in self._keys:
                self._session.execute(key.add())
            if self._keys:
                names = ", ".join(key.name for key in self._keys)
                self.notes += (
                    f"Foreign keys were dropped and created again, as this role is not a superuser: {names}.",
                )

    def _event_triggers(self) -> list[tuple[str, str, bool]]:
        """Those that would fire: name, state, and whether this role can disable it."""
        found: list[tuple[str, str, bool]] = self._session.execute(_EVENT_TRIGGERS, (self._fire,)).fetchall()
        return found

    def _check_owner(self) -> None:
        involved = sorted({*self._tables, *(key.child for key in self._keys), *(key.parent for key in self._keys)})
        found = self._session.execute(_FOREIGN_OWNERS, (involved,)).fetchall()
        if found:
            shown = [f"{table} ({'it has rules' if rules else f'owned by {owner}'})" for table, owner, rules in found]
            raise TargetError(
                f"This role can't keep triggers and rules of {', '.join(shown)} from firing.",
                "Restore as the owner of the tables or as a superuser, or (from PostgreSQL 15 on) GRANT SET ON "
                "PARAMETER session_replication_role.",
            )


def _may_be_replica(session: Any) -> bool:
    (superuser,) = session.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    if superuser or session.info.server_version < 150_000:
        return bool(superuser)
    query = "SELECT has_parameter_privilege('session_replication_role', 'SET')"
    return bool(session.execute(query).fetchone()[0])
