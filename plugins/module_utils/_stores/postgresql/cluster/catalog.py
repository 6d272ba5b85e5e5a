# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of a database other than its data, and what another server needs to restore it."""

from __future__ import annotations

from typing import Any

_PROPERTIES = """
SELECT json_build_object(
  'owner', pg_get_userbyid(d.datdba), 'encoding', pg_encoding_to_char(d.encoding),
  'collate', d.datcollate, 'ctype', d.datctype,
  'provider', coalesce(j ->> 'datlocprovider', 'c'),
  'locale', coalesce(j ->> 'datlocale', j ->> 'daticulocale'), 'icu_rules', j ->> 'daticurules',
  'is_template', d.datistemplate, 'limit', d.datconnlimit,
  'tablespace', (SELECT spcname FROM pg_tablespace t WHERE t.oid = d.dattablespace),
  'comment', shobj_description(d.oid, 'pg_database'),
  'acl', (SELECT coalesce(json_agg(json_build_array(
      CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable)
      ORDER BY a.grantee = 0, pg_get_userbyid(a.grantee), a.privilege_type), '[]')
    -- after a restore, the default is explicit
    FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a),
  'settings', (
    SELECT coalesce(json_agg(json_build_array(CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END,
      split_part(c, '=', 1), substr(c, strpos(c, '=') + 1))
      ORDER BY s.setrole <> 0, pg_get_userbyid(s.setrole), c), '[]')
    FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE s.setdatabase = d.oid))
FROM pg_database d, to_jsonb(d) j WHERE d.datname = current_database()"""

# Of the objects of the user: not of the system, not members of an extension.
_ROLES = """
SELECT DISTINCT rolname::text FROM pg_roles r WHERE r.oid IN (
  SELECT refobjid FROM pg_shdepend s WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype = ANY(%s::"char"[])
    AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  UNION SELECT relowner FROM pg_class WHERE oid >= 16384 AND relkind <> 't'
  UNION SELECT nspowner FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_'
  UNION SELECT proowner FROM pg_proc WHERE oid >= 16384 UNION SELECT typowner FROM pg_type WHERE oid >= 16384)
ORDER BY 1"""
# A policy names its roles even in a dump without owners and privileges.
_POLICY_ROLES = """SELECT DISTINCT rolname::text FROM pg_policy p, unnest(p.polroles) r JOIN pg_roles a ON a.oid = r
ORDER BY 1"""
_EXTENSIONS = "SELECT extname::text, extversion FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1"
_TABLESPACES = """SELECT DISTINCT spcname::text FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace
WHERE c.oid >= 16384 ORDER BY 1"""
_LOCALES = """SELECT DISTINCT l FROM pg_collation c, unnest(ARRAY[c.collcollate, c.collctype]) l
WHERE c.collprovider = 'c' AND l IS NOT NULL AND (c.oid >= 16384 AND c.collnamespace <> 'pg_catalog'::regnamespace
  OR EXISTS (SELECT 1 FROM pg_depend d WHERE d.refclassid = 'pg_collation'::regclass AND d.refobjid = c.oid
    AND d.classid <> 'pg_extension'::regclass)) ORDER BY 1"""
_COLLATIONS = """SELECT DISTINCT c.collprovider::text, c.collname::text FROM pg_collation c
WHERE c.collnamespace = 'pg_catalog'::regnamespace AND EXISTS (
  SELECT 1 FROM pg_depend d WHERE d.refclassid = 'pg_collation'::regclass AND d.refobjid = c.oid) ORDER BY 1, 2"""
_LANGUAGES = """SELECT lanname::text FROM pg_language l WHERE oid >= 16384 AND NOT EXISTS (SELECT 1 FROM pg_depend d
WHERE d.classid = 'pg_language'::regclass AND d.objid = l.oid AND d.deptype = 'e') ORDER BY 1"""
_ACCESS_METHODS = """SELECT DISTINCT amname::text FROM pg_am m JOIN pg_class c ON c.relam = m.oid
WHERE m.oid >= 16384 ORDER BY 1"""
_EVENT_TRIGGERS = """SELECT evtname::text FROM pg_event_trigger e WHERE NOT EXISTS (SELECT 1 FROM pg_depend d
WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = e.oid AND d.deptype = 'e') ORDER BY 1"""
_FOREIGN = """SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'f' ORDER BY 1"""


def properties(connection: Any) -> dict[str, Any]:
    """Properties of the database itself: owner, encoding, locale, limit, comment, privileges, settings."""
    found: dict[str, Any] = connection.execute(_PROPERTIES).fetchone()[0]
    return found


def requirements(connection: Any) -> dict[str, Any]:
    """What the database requires from its server, by kind."""

    def names(query: str, *values: Any) -> list[str]:
        return [name for (name,) in connection.execute(query, values or None).fetchall()]

    return {
        "roles": names(_ROLES, ["o", "a", "r"]),
        "owners": names(_ROLES, ["o"]),
        "policy_roles": names(_POLICY_ROLES),
        "extensions": [list(row) for row in connection.execute(_EXTENSIONS).fetchall()],
        "tablespaces": names(_TABLESPACES),
        "locales": names(_LOCALES),
        "collations": [list(row) for row in connection.execute(_COLLATIONS).fetchall()],
        "languages": names(_LANGUAGES),
        "access_methods": names(_ACCESS_METHODS),
        "event_triggers": names(_EVENT_TRIGGERS),
    }


def foreign_tables(connection: Any) -> list[str]:
    """Tables whose rows are stored on another server."""
    return [name for (name,) in connection.execute(_FOREIGN).fetchall()]


def size(connection: Any) -> int:
    """The size of the database on its server, in bytes."""
    (found,) = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(found)
