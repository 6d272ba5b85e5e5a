#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restore
short_description: Restore stores from a backup, completely or not at all
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Restores one or more stores (JSON, SQLite, PostgreSQL, files) from a backup.
  - All data is verified before the target is changed, the data to be replaced is backed up first, and each target is
    replaced in one atomic step. If anything fails, the target remains as it was.
  - SQLite databases are restored while applications have them open. Open connections see the restored data.
  - A database of PostgreSQL is restored into a new one beside it, which is compared with the backup and takes its place
    by a rename. The server needs space for both. If a database to be replaced has connections, the restore is refused
    and lists them, unless O(target.disconnect) is set; if it has replication slots, subscriptions or prepared
    transactions, it is always refused. An existing database keeps its owner, privileges, settings and comment. All
    missing prerequisites of the server (roles, extensions, tablespaces, locales, privileges) are reported at once.
    Roles themselves are not restored; the backup contains the statements that create them in C(globals.sql).
    Subscriptions are not restored either, and a warning names them. The databases C(postgres) and C(template1) are not
    replaced.
  - A target that already equals the backup is not changed, and the task reports no change.
  - With O(repository=pgbackrest), a whole PostgreSQL server is restored to a point in time (O(at)) from the archive of
    M(day2.ops.postgresql_pitr). O(name) is then the name of the stanza, and O(repository) can be C(pgbackrest:FILE)
    with a configuration file. The server is restored into a new O(target.data_directory) and started there on
    O(target.port), with its socket in O(target.host) (C(/var/run/postgresql) by default). It archives nothing, and
    accepts connections through its socket only. The moment is compared with the range of the archive first. Without
    O(at), everything that is archived is restored. A server in use is never replaced. To restore a single database,
    back it up from the copy with M(day2.ops.backup) and restore that backup. On another host, this requires pgBackRest,
    PostgreSQL of the same major version, and a copy of the configuration file of the stanza; the end of the range is
    unknown there.
  - In a restored directory tree, entries of the backup replace entries of the same name, whatever their type. Entries
    that O(target.include) and O(target.exclude) do not select are retained. If such an entry is in the way of an entry
    of the backup, the task fails, in check mode as well. Sockets are retained unless they are in the way of an entry of
    the backup, in which case they are removed with a warning.
  - A target that is of an unexpected type (a FIFO, a socket, a device, or a file instead of a directory) is never
    replaced.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
  - day2.ops.repository
  - day2.ops.repository.timeout
  - day2.ops.s3
  - day2.ops.rclone
  - day2.ops.restic
  - day2.ops.s3.object_lock
  - day2.ops.encryption
  - day2.ops.encryption.write
  - day2.ops.repository.compression
  - day2.ops.store.target
  - day2.ops.evidence
options:
  name:
    description: Backup set to restore from. The safety backup is written to the same set.
    type: str
    required: true
  backup:
    description:
      - The backup to restore. V(latest) for the newest good backup, a backup ID, or the path of a backup directory
        anywhere on the host.
      - Safety backups and backups dated in the future can be restored by ID only.
    type: str
    default: latest
  at:
    description:
      - Restore the newest good backup that was made at or before this time, for example V(2025-06-30T10:00:00Z) or, as
        in backup IDs, V(20250630T100000Z). Times without an offset are in UTC.
    type: str
  host:
    description:
      - Host whose backup to restore.
      - By default, V(latest) and O(at) consider the backups of this host, and among these the backups of the path of
        the target if there are any. If a set has no backups of this host but backups of exactly one other host, these
        are restored with a warning.
    type: str
  tags:
    description:
      - Restore the newest good backup that has all of these tags. With O(at), the newest one made at or before that
        time.
    type: list
    elements: str
  only:
    description:
      - Restore only these collections (tables or top-level keys) or, for files, only these paths or globs. Everything
        else remains unchanged.
      - For PostgreSQL, the rows of these tables of one database (C(table), C(schema.table) or C(database.schema.table))
        are replaced in one transaction. The tables must exist with the same columns, unless O(target.with_schema) is
        set. Triggers do not fire, and sequences are advanced but never set back. Dangling references are counted and
        refused. Until the safety backup is made, other sessions can read these tables, but not write to them. A warning
        names event triggers that fire because the role can't disable them. Check mode creates temporary tables, which
        event triggers of other roles may refuse.
    type: list
    elements: str
  on_existing:
    description:
      - What to do if the target exists and differs from the backup. V(fail) fails and changes nothing. V(replace)
        replaces its content.
    type: str
    choices: [fail, replace]
    default: fail
  safety_backup:
    description:
      - Back up the data to be replaced, into the same set. A safety backup is never selected by V(latest), does not
        count towards the age of the set, and is not removed by retention rules.
      - Data that cannot be read, such as a truncated JSON document, cannot be backed up. In this case the module fails
        without changing anything, in check mode as well, unless this option is V(false).
    type: bool
    default: true
  strict:
    description:
      - Owners, modes, times, access control lists and extended attributes that cannot be set because of the file system
        or missing permissions are skipped and named in a warning. Set to V(true) to fail before anything is changed.
    type: bool
    default: false
seealso:
  - module: day2.ops.backup
  - module: day2.ops.backup_info
"""

EXAMPLES = r"""
- name: Restore the newest backup of the HawkFish database
  day2.ops.restore:
    name: hawkfish
    repository: /var/backups/day2
    target:
      type: sqlite
      path: /var/lib/hawkfish/hawkfish.db
    on_existing: replace

- name: Restore only the templates, as of ten o'clock
  day2.ops.restore:
    name: hostfactory
    repository: /var/backups/day2
    target:
      type: json
      path: /opt/hostfactory/data/request_database.json
    at: "2025-06-30T10:00:00Z"
    only: [templates]
    on_existing: replace

- name: Restore a database of PostgreSQL beside the one that is in use
  day2.ops.restore:
    name: shop-database
    repository: /var/backups/day2
    target:
      type: postgresql
      host: db1.example.com
      username: postgres
      database: shop_yesterday
      from_database: shop

- name: Restore the rows of two tables
  day2.ops.restore:
    name: shop-database
    repository: /var/backups/day2
    target:
      type: postgresql
      host: db1.example.com
      username: postgres
      database: shop
    only: [django_migrations, shop_product]
    on_existing: replace

- name: Test a restore without touching the live database
  day2.ops.restore:
    name: hawkfish
    repository: /var/backups/day2
    target:
      type: sqlite
      path: /var/tmp/drill/hawkfish.db

- name: Restore an encrypted backup with an identity from a vault
  day2.ops.restore:
    name: hawkfish
    target:
      type: sqlite
      path: /var/lib/hawkfish/restored.db
    repository: /mnt/backups/day2
    identity: "{{ vault_age_identity }}"
"""

RETURN = r"""
backup:
  description:
    - The backup that was restored (in check mode, would be restored), as documented for M(day2.ops.backup). V(none) with
      pgBackRest.
  type: dict
  returned: success
  sample:
    id: 20250630T120000Z-3f2a9c1b
    created: "2025-06-30T12:00:00Z"
foreign:
  description: Whether the backup belongs to a host other than O(host) or, if O(host) is not set, other than this host.
  type: bool
  returned: success
  sample: false
safety_backup:
  description:
    - The backup of the replaced data, documented in the same way. V(none) if nothing was replaced, and in check mode.
  type: dict
  returned: success
  sample:
    id: 20250630T130000Z-77aa12bc
    kind: safety
pitr:
  description:
    - What the archive contains, as documented for M(day2.ops.postgresql_pitr), and C(last_transaction), the time of the
      last transaction in the restored server.
  type: dict
  returned: with O(repository=pgbackrest)
  sample:
    earliest: "2025-06-29T01:00:12Z"
    latest: "2025-06-30T14:08:58Z"
    last_transaction: "2025-06-30T14:04:57Z"
targets:
  description: Result for each target.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the store within the backup.
      type: str
      sample: hawkfish.db
    type:
      description: Type of the store.
      type: str
      sample: sqlite
    path:
      description: Path of the target.
      type: str
      sample: /var/lib/hawkfish/hawkfish.db
    changed:
      description: Whether the target differed from the backup.
      type: bool
      sample: true
    changes:
      description: Number of records in each collection before and after the restore.
      type: list
      elements: dict
      contains:
        name:
          description: Name of a table or top-level key, or a kind of file.
          type: str
          sample: hf_systems
        before:
          description: Number of records before the restore. V(none) if the collection did not exist.
          type: int
          sample: 1200
        after:
          description: Number of records after the restore.
          type: int
          sample: 1250
msg:
  description: The result in words.
  type: str
  returned: success
  sample: Restored /var/lib/hawkfish/hawkfish.db from backup 20250630T120000Z-3f2a9c1b of 2025-06-30T12:00:00Z.
problems:
  description: Problems of a damaged backup, each with the affected file.
  type: list
  elements: dict
  returned: failure because of a damaged backup
  contains:
    path:
      description: File within the backup.
      type: str
      sample: data/hawkfish.db.zst
    problem:
      description: Description of the problem.
      type: str
      sample: it is missing, or no regular file
evidence:
  description:
    - Head of the journal of evidence after the line of this run. Kept elsewhere (the artifacts of AWX, for example), it proves
      later that this line and those before it were not changed.
  type: dict
  returned: when the run was recorded (O(evidence))
  contains:
    journal:
      description: ID of the journal.
      type: str
      sample: 5be01c9f3f2a9c1b
    count:
      description: Number of the line.
      type: int
      sample: 1234
    digest:
      description: SHA-256 of the line.
      type: str
      sample: 8e0f4c0d9a3b5f1e2d7c6b8a9f0e1d2c3b4a5f6e7d8c9b0a1f2e3d4c5b6a7f80
    time:
      description: Time of the line.
      type: str
      sample: "2025-06-30T12:00:00Z"
    anchored_in:
      description: Repositories in which the head was anchored.
      type: list
      elements: str
      sample: [/var/backups/day2]
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: success
  sample: 1.9
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs import restore


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **restore.ARGUMENTS), restore.run)


if __name__ == "__main__":
    main()
