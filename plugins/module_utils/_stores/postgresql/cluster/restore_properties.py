# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of a database other than its content: owner, privileges, comment, settings, and how it was created."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from ..client import identifier

# Their values are lists that are stored quoted; another pair of quotes would make one element of them.
_LISTS = {
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
}
_ELEMENT = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^",]+?))\s*(?:,|$)')
_READ = """
SELECT pg_get_userbyid(datdba), datconnlimit, datistemplate, shobj_description(oid, 'pg_database'),
 (SELECT spcname FROM pg_tablespace t WHERE t.oid = dattablespace) FROM pg_database WHERE datname = %s
"""
_ACL = """
SELECT CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable
FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a WHERE d.datname = %s
ORDER BY 1 NULLS FIRST, 2, 3
"""
_SETTINGS = """
SELECT CASE WHEN setrole = 0 THEN NULL ELSE pg_get_userbyid(setrole) END, unnest(setconfig)
FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = %s) ORDER BY 1 NULLS FIRST, 2
"""


class Properties(NamedTuple):
    """`encoding` and what follows it counts only when a database is created."""

    owner: str
    limit: int
    is_template: bool
    comment: Optional[str]
    tablespace: str
    acl: tuple[tuple[Optional[str], str, bool], ...]
    settings: tuple[tuple[Optional[str], str, str], ...]
    encoding: str = ""
    collate: str = ""
    ctype: str = ""
    provider: str = "c"
    locale: Optional[str] = None
    icu_rules: Optional[str] = None

    @classmethod
    def of(cls, details: Mapping[str, Any]) -> Properties:
        """The properties in a backup."""
        known = {name: details[name] for name in cls._fields if name in details}
        known["acl"] = tuple((role, privilege, grantable) for role, privilege, grantable in details["acl"])
        known["settings"] = tuple((role, name, value) for role, name, value in details["settings"])
        return cls(**known)

    def creation(self, tablespace: str) -> str:
        """The options of CREATE DATABASE."""
        words = f" ENCODING {literal(self.encoding)} LC_COLLATE {literal(self.collate)} LC_CTYPE {literal(self.ctype)}"
        if self.provider == "i":
            words += f" LOCALE_PROVIDER icu ICU_LOCALE {literal(self.locale)}"
            words += f" ICU_RULES {literal(self.icu_rules)}" if self.icu_rules else ""
        elif self.provider == "b":
            words += f" LOCALE_PROVIDER builtin BUILTIN_LOCALE {literal(self.locale)}"
        # nobody but a superuser may name the default
        return words + (f" TABLESPACE {identifier(tablespace)}" if tablespace not in ("", "pg_default") else "")


def read_properties(session: Any, name: str) -> Properties:
    """The properties of a database on the server."""
    owner, limit, is_template, comment, tablespace = session.execute(_READ, (name,)).fetchone()
    acl = tuple(session.execute(_ACL, (name,)).fetchall())
    settings = tuple((role, *text.split("=", 1)) for role, text in session.execute(_SETTINGS, (name,)).fetchall())
    return Properties(owner, limit, is_template, comment, tablespace, acl, settings)


def dress(session: Any, name: str, properties: Properties) -> None:
    """Apply these properties to a new database."""
    database, owner = identifier(name), identifier(properties.owner)
    statements = [
        f"ALTER DATABASE {database} OWNER TO {owner}",
        f"ALTER DATABASE {database} CONNECTION LIMIT {int(properties.limit)}",
        f"COMMENT ON DATABASE {database} IS {literal(properties.comment)}",
        *(_setting(database, *setting) for setting in properties.settings),
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC, {owner}",
        *(_grant(database, *grant) for grant in properties.acl),
        # last: the rest is refused for a template to everybody but its owner
        f"ALTER DATABASE {database} IS_TEMPLATE {bool(properties.is_template)}",
    ]
    for statement in statements:
        session.execute(statement)


def _setting(database: str, role: Optional[str], name: str, value: str) -> str:
    whose = f"ROLE {identifier(role)} IN DATABASE {database}" if role else f"DATABASE {database}"
    return f"ALTER {whose} SET {'.'.join(identifier(part) for part in name.split('.'))} = {_value(name, value)}"


def _value(name: str, value: str) -> str:
    if name not in _LISTS:
        return literal(value)
    found = [quoted.replace('""', '"') or bare for quoted, bare in _ELEMENT.findall(value)]
    return ", ".join(literal(element) for element in found) or literal("")


def _grant(database: str, role: Optional[str], privilege: str, grantable: bool) -> str:
    words = {"CREATE": "CREATE", "TEMPORARY": "TEMPORARY", "CONNECT": "CONNECT"}[privilege]
    option = " WITH GRANT OPTION" if grantable else ""
    return f"GRANT {words} ON DATABASE {database} TO {identifier(role) if role else 'PUBLIC'}{option}"


def literal(value: Optional[str]) -> str:
    """A text, quoted for SQL."""
    if value is None:
        return "NULL"
    quoted = value.replace("'", "''")
    return "E'" + quoted.replace("\\", "\\\\") + "'" if "\\" in value else f"'{quoted}'"
