# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks what a server must have before a database can be restored to it. All that is missing is reported together."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ...._core.errors import TargetError
from ..client import errors, identifier, psycopg
from .restore_owners import NONE, Owners
from .restore_properties import Properties, literal

_ME = "SELECT current_user::text, rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user"
# superusers only; on Amazon RDS, members of this role, too
_CREATES_EVENT_TRIGGERS = """
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_superuser' AND pg_has_role(oid, 'MEMBER'))
"""
_KNOWN_LOCALE = """
SELECT FROM pg_database WHERE %s IN (datcollate, datctype) UNION ALL
SELECT FROM pg_collation WHERE collprovider = 'c' AND %s IN (collcollate, collctype) LIMIT 1
"""
_EXTENSION = """
SELECT e.default_version, coalesce((
  SELECT to_jsonb(v) ->> 'trusted' = 'true' OR NOT superuser FROM pg_available_extension_versions v
  WHERE v.name = e.name AND v.version = e.default_version), false)
FROM pg_available_extensions e WHERE e.name = %s
"""


class Lack(NamedTuple):
    """What is missing, and what only needs a note."""

    missing: list[str]
    notes: list[str]


def check_requirements(session: Any, database: str, details: Mapping[str, Any], owners: Owners) -> Lack:
    """What the server lacks of all that a database needs.

    :param database: its name on the server.
    :param details: of the database, with the version of its server.
    """
    lack = Lack([], [])
    needs: Mapping[str, Any] = details["requires"]
    with errors(TargetError, "Can't query the server"):
        user, superuser, may_create = session.execute(_ME).fetchone()
        # a new one gets the owner and privileges that it has in the backup
        is_new = session.execute("SELECT FROM pg_database WHERE datname = %s", (database,)).fetchone() is None
        properties = owners.of_database(Properties.of(details["properties"]), user)
        _version(session, details, lack)
        if session.execute("SELECT pg_is_in_recovery()").fetchone()[0]:
            lack.missing.append("the permission to write (it is a standby)")
        if not (superuser or may_create):
            lack.missing.append(f"the privilege CREATEDB (ALTER ROLE {user} CREATEDB)")
        _roles(session, owners.roles(needs) | (_roles_of(properties) if is_new else set()), lack)
        if not superuser:
            own = {owners.name(name) for name in needs["owners"]} if owners.mode != NONE else set()
            _memberships(session, user, own | ({properties.owner} if is_new else set()), lack)
            _is_ours(session, database, lack)
            triggers = needs.get("event_triggers")  # not in older backups
            if triggers and not session.execute(_CREATES_EVENT_TRIGGERS).fetchone()[0]:
                lack.missing.append(f"the privilege to create event triggers (superuser): {', '.join(triggers)}")
        spaces = set(needs["tablespaces"]) if owners.mode != NONE else set()
        spaces |= {properties.tablespace} - {""} if is_new else set()
        _names(session, "tablespace", "SELECT spcname FROM pg_tablespace", spaces, lack)
        for name, version in needs["extensions"]:
            _extension(session, name, version, superuser, lack)
        for name in sorted({*needs["locales"], *_locales(properties)}):
            _locale(session, name, lack)
        collations = {name for _provider, name in needs["collations"]}
        _names(session, "collation", "SELECT collname FROM pg_collation", collations, lack)
        methods = set(needs["access_methods"])
        if not needs["extensions"]:  # otherwise one of them may create it
            _names(session, "access method", "SELECT amname FROM pg_am", methods, lack)
    return lack


def refuse(server: str, missing: Iterable[str]) -> None:
    """Raise TargetError, listing everything that is missing."""
    found = list(dict.fromkeys(missing))
    if found:
        raise TargetError(
            f"{server} lacks what the backup requires: {'; '.join(found)}.",
            "Nothing was changed. The file globals.sql of the backup has the statements for roles and tablespaces. "
            "With owner=none, owners, privileges and tablespaces are not restored; with owner=map, others take their "
            "place. Event triggers are created by superusers only.",
            {"missing": found},
        )


def _roles_of(properties: Properties) -> set[str]:
    """The roles that a new database itself refers to."""
    return {
        properties.owner,
        *(role for role, _privilege, _grantable in properties.acl if role),
        *(role for role, _name, _value in properties.settings if role),
    }


def _version(session: Any, details: Mapping[str, Any], lack: Lack) -> None:
    have, need = session.info.server_version // 10_000, int(details["server_version"]) // 10_000
    if have < need:
        lack.missing.append(f"server version {need} or newer (it has {have})")


def _names(session: Any, kind: str, query: str, wanted: set[str], lack: Lack) -> None:
    if wanted:
        have = {name for (name,) in session.execute(query).fetchall()}
        lack.missing.extend(f"{kind} {name}" for name in sorted(wanted - have))


def _roles(session: Any, wanted: set[str], lack: Lack) -> None:
    have = {name for (name,) in session.execute("SELECT rolname FROM pg_roles").fetchall()}
    lack.missing.extend(f"role {name}" for name in sorted(wanted - have))


def _memberships(session: Any, user: str, owners: set[str], lack: Lack) -> None:
    """Only members of a role can give something to it."""
    query = "SELECT rolname::text FROM pg_roles WHERE rolname = ANY(%s) AND NOT pg_has_role(oid, 'MEMBER') ORDER BY 1"
    for (name,) in session.execute(query, (sorted(owners),)).fetchall():
        to = f"GRANT {identifier(name)} TO {identifier(user)}" if not name.isidentifier() else f"GRANT {name} TO {user}"
        lack.missing.append(f"membership in the role {name} ({to})")


def _is_ours(session: Any, database: str, lack: Lack) -> None:
    """Only its owner can rename a database."""
    query = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s AND NOT pg_has_role(datdba, 'USAGE')"
    found = session.execute(query, (database,)).fetchone()
    if found is not None:
        lack.missing.append(f"the privileges of the owner of the database, {found[0]}")


def _extension(session: Any, name: str, version: str, superuser: bool, lack: Lack) -> None:
    found = session.execute(_EXTENSION, (name,)).fetchone()
    if found is None:
        lack.missing.append(f"extension {name} {version}")
        return
    default, trusted = found
    if not (superuser or trusted):
        lack.missing.append(f"the privilege to create the extension {name} (superuser)")
    if default != version:
        lack.notes.append(f"The extension {name} had version {version} in the backup, and gets version {default}.")


def _locales(properties: Properties) -> set[str]:
    return {properties.collate, properties.ctype} - {""}


def _locale(session: Any, name: str, lack: Lack) -> None:
    if name in ("C", "POSIX") or session.execute(_KNOWN_LOCALE, (name, name)).fetchone() is not None:
        return
    try:  # nothing else proves that the operating system has it
        with contextlib.suppress(psycopg.Rollback), session.transaction():
            session.execute(f"CREATE COLLATION pg_temp.day2_probe (provider = libc, locale = {literal(name)})")
            raise psycopg.Rollback
    except psycopg.Error:
        lack.missing.append(f"locale {name}")
