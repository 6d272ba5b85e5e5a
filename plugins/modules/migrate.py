#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migrate
short_description: Migrate records between data stores and verify them
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Copies the collections of a store (tables, or top-level keys of a JSON document) to a store of the same or another
    type. The records are then read back from the target, and their counts and digests are compared with those of the
    source.
  - A checkpoint is committed together with each batch. If a run is killed, the next one continues it. If all records
    are already in place, the task reports no change.
  - Between SQL databases, types, keys, defaults, foreign keys, indexes and identity columns are preserved, and assigned
    identity values are not reused. For documents, column types are inferred from the values of the fields in all
    records. Nested and mixed values become JSON.
  - Every value is stored exactly, or its record is rejected with the reason. Nothing is rounded silently. Only values
    that JSON lacks are written to a document in the form that applications expect, see O(target.values).
  - A NULL in a database is written to documents as C(null). A table that was created from a document yields the
    original records. A comment on the table (C(day2 {...})) records the columns in which NULL stands for a missing
    field, whether the records were a list, a mapping or values, and the names that are not part of the data. Tables
    with columns that have both null and missing fields get another column, C(_missing), with the names of the fields
    that a record lacks. It is honored only where those columns are NULL. A tool that rebuilds the table (as Django and
    Alembic do in SQLite) drops the comment, and NULL then means null. In a table that was created by an application,
    null and missing are the same.
  - Arrays of PostgreSQL become lists in other stores, and lists can be stored in array columns.
  - If a mapping in a document has duplicate keys, the last one is used, with a warning. Duplicate keys in a list are an
    error.
  - Lists keep their order, in the column C(_key) if the keys of the records are not in the same order. Names that a
    table or column cannot have, or that differ only in case, are replaced by the first unused name.
  - Free space for the data still to be written is checked first. A document needs twice as much, because its records
    are first collected in a file beside it. Free space on PostgreSQL and DynamoDB cannot be checked.
  - A document is written completely and replaces the old one in one step. SQLite and PostgreSQL are read from one
    snapshot. If a source document is modified during the run, the task fails. While a SQLite database that is not in
    WAL mode is read, its application cannot commit, and check mode warns of that.
  - With O(schema) instead of O(source), upgrades the schema of a database to the newest of a list of versions. Each
    step is applied and recorded in one transaction.
  - PostgreSQL is read with C(row_security=off). If policies would hide rows from the role, the task fails with the
    message of the server. Tables that inherit from other tables are migrated as independent tables, and a warning names
    what their parents lose.
  - Views, triggers, virtual tables, partitioning, row security, and sequences that no column owns are not migrated.
    CHECK constraints, computed columns, defaults that are expressions (except the current time, which every database
    supports), indexes that are partial, on an expression or of a type such as GIN, enumerations, domains and collations
    are migrated only to a new table in a database of the same type, which must have the functions and extensions that
    they need. A warning lists what is not migrated. Comments and privileges are not migrated either.
  - From SQLite to SQLite and from PostgreSQL to PostgreSQL, values are copied exactly, whatever the declared type of
    their column. From DynamoDB to DynamoDB, new tables get the secondary indexes, billing mode and capacity, stream,
    time to live, tags and table class of the source. Encryption keys, replicas, autoscaling and backups are not
    migrated.
  - Sizes such as V(VARCHAR(20\)) and V(NUMERIC(10,2\)) are migrated from SQLite to PostgreSQL if all values comply with
    them. SQLite does not enforce sizes. If a value does not comply, the column has no size. Columns that refer to each
    other get the same type.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
  - day2.ops.repository.compression
  - day2.ops.s3
  - day2.ops.rclone
  - day2.ops.restic
  - day2.ops.s3.object_lock
  - day2.ops.encryption
  - day2.ops.encryption.write
  - day2.ops.migration
  - day2.ops.migration.source
options:
  state:
    description:
      - V(migrated) ensures that the target has the records of the source.
      - V(reverted) restores the collections that the last run into the target has written to their previous state.
        Collections that it created are dropped, if they have as many records as it wrote; otherwise the task fails and
        nothing is changed. O(repository) records each run for which it was set. After a run with
        O(safety_backup=false) into collections that held records, the task fails.
    type: str
    choices: [migrated, reverted]
    default: migrated
  on_existing:
    description:
      - What to do if the target has records of a collection that differ from those of the source.
      - V(fail) changes nothing. V(merge) adds and overwrites records by key. V(replace) also removes records that the
        source does not have. Columns that only the target has are not changed.
      - Tables without a key are compared by whole rows, and duplicate rows are kept as many times as they occur in the
        source. V(replace) adds missing rows and removes surplus rows. V(merge) fails if rows are missing and the target
        holds other rows, because it is not known which of them belong together. The same is true of lists in JSON documents whose
        records have no key. If a run was killed, the next run
        compares such a table from the beginning.
      - In databases, records are overwritten by key, and surplus records are removed at the end. If a unique value
        moves from one record to another, the former is deleted first. The task fails before it writes anything if two
        records would have the same unique value in the end, if such a record cannot be deleted first because other
        tables of PostgreSQL refer to it or because it has other columns, if records of tables that are not migrated
        would lose a record that they refer to, if records would refer to records that do not exist (or, in PostgreSQL,
        to records of a later batch), or if the target has triggers that may change or refuse the records. Unique
        indexes on some rows, on expressions or computed columns, or with collations, and exclusion constraints, are
        tried on a temporary copy of the table. Check mode warns of conditions that cannot be checked beforehand, such
        as unique indexes that need functions or collations of the application (SQLite) or a temporary table that the
        role may not create (PostgreSQL), and triggers that run dynamic SQL, other functions, or code in a language
        other than SQL and PL/pgSQL. Their effects are only known when the records are written. In the tables of an
        application (O(target_tables=existing)), unique values can always move, the order of the records does not
        matter, and triggers do not fire.
    type: str
    choices: [fail, merge, replace]
    default: fail
  unfinished:
    description:
      - What to do if the target holds an unfinished migration of a collection from another source, or with other
        options that affect its records, such as O(on_existing) or O(shape).
      - V(fail) changes nothing, and also fails in check mode. V(restart) discards the unfinished migration and starts
        again. For a database, this requires O(on_existing=replace), as records of the two migrations cannot be told
        apart.
      - A migration with the same source and options is always continued, regardless of O(only). If the source has been
        modified since, its collection is migrated again from the beginning. In both cases, the safety backup that was
        made when the migration began is kept.
    type: str
    choices: [fail, restart]
    default: fail
  batch_size:
    description: Number of records to commit at a time.
    type: int
    default: 5000
  references:
    description:
      - Fields that refer to records of another collection. They are checked in the source before the migration, and in
        the target afterwards.
    type: list
    elements: dict
    suboptions:
      from:
        description: The referring collection and field, for example V(machines.request_id).
        type: str
        required: true
      to:
        description: The collection and field referred to, for example V(requests.request_id).
        type: str
        required: true
  schema:
    description:
      - Versions of the schema of O(target), instead of a O(source). Supported for C(sqlite) and C(postgresql).
      - Versions not yet applied to the database are applied in ascending order, each in one transaction together with
        its row in the table C(day2_schema_versions). If a step fails or is killed, none of it remains, and the next run
        starts with it.
      - A database that is newer than the list, a version that was edited after it was applied, and an unapplied version
        below the newest applied one are errors. Versions that have been applied everywhere can be removed from the
        list.
      - A database that has tables is backed up first, see O(safety_backup), and O(state=reverted) then restores it
        completely. For PostgreSQL, this requires the same privileges as replacing a database with M(day2.ops.restore)
        (to read all of it, C(CREATEDB), and those of its owner), the programs C(pg_dump) and C(pg_restore), and that no
        other schema of the database is in use. Otherwise, a warning lists the missing requirements, and
        O(state=reverted) restores only the records of O(target.schema), as long as their columns exist.
      - To replace a PostgreSQL database, O(state=reverted) requires that it has no connections.
    type: list
    elements: dict
    suboptions:
      version:
        description: Version number, from 1. Numbers can have gaps.
        type: int
        required: true
      up:
        description:
          - SQL statement that upgrades the previous version to this one, or a list of statements, one per element.
          - Statements cannot begin or end a transaction. In SQLite, foreign keys are not enforced during a step, but a
            step fails if it leaves dangling references.
        type: raw
        required: true
  schema_baseline:
    description:
      - Version of a database that existed before O(schema) was used with it. If a database has no record of versions,
        steps up to this version are recorded but not applied.
    type: int
    default: 0
  rejects:
    description:
      - File to which records that the target cannot store are appended, as JSON lines with C(collection), C(key),
        C(reason) and C(record).
    type: path
  max_rejects:
    description: Maximum number of rejected records per collection before the task fails.
    type: int
    default: 0
  repair:
    description: If the verification finds records that differ, write them again and repeat the verification once.
    type: bool
    default: false
  safety_backup:
    description:
      - If the target has records, back it up to O(repository), with C(kind=safety), before anything is written. Safety
        backups are never removed automatically.
      - JSON and SQLite are backed up as with M(day2.ops.backup). PostgreSQL and DynamoDB are backed up as JSON lines
        with their schema, which only requires permission to read it; but see O(schema).
    type: bool
    default: true
  repository:
    description:
      - Where the backups are, a directory, C(s3://bucket/prefix) or C(rclone:REMOTE:path).
      - Required if a target is backed up, and for O(state=reverted).
    type: path
  name:
    description: Name of the backup set. The default is the name of the file or database of the target.
    type: str
  engine:
    description: The format of the repository, as in M(day2.ops.backup).
    type: str
    choices: [day2, restic]
    default: day2
  names_key:
    description: Key that hides the names of backup sets, as in M(day2.ops.backup).
    type: str
  limit:
    description: Maximum rate of transfers to and from S3 or through rclone in bytes per second, for example V(20M).
    type: str
  grace:
    description:
      - How long to keep the data of removed backups in S3 and through rclone, for reads that have begun. The default is
        V(24h).
    type: str
  lock_timeout:
    description: How long to wait for another run that has locked the backup set.
    type: str
    default: 1m
seealso:
  - module: day2.ops.backup
  - module: day2.ops.restore
"""

EXAMPLES = r"""
- name: Migrate the HostFactory document to SQLite
  day2.ops.migrate:
    source:
      type: json
      path: /opt/hostfactory/data/request_database.json
    target:
      type: sqlite
      path: /opt/hostfactory/data/request_database.db
    references:
      - from: machines.request_id
        to: requests.request_id

- name: Migrate from SQLite to PostgreSQL, replacing existing records
  day2.ops.migrate:
    source:
      type: sqlite
      path: /opt/hostfactory/data/request_database.db
    target:
      type: postgresql
      host: db1.example.com
      database: hostfactory
      username: hostfactory
      password: "{{ hostfactory_database_password }}"
    on_existing: replace
    repository: /var/backups/day2
    name: hostfactory

- name: Move a Django application from SQLite to PostgreSQL, into the tables created by "manage.py migrate"
  day2.ops.migrate:
    source:
      type: sqlite
      path: /srv/shop/db.sqlite3
    target:
      type: postgresql
      host: db1.example.com
      database: shop
      username: shop
    target_tables: existing
    timezone: UTC
    types:
      shop_product.warranty: interval from us
    # content types and permissions, which the migrations have filled in
    on_existing: replace
    repository: /var/backups/day2
    name: shop

- name: Upgrade the schema of the HawkFish database to the newest version
  day2.ops.migrate:
    target:
      type: sqlite
      path: /var/lib/hawkfish/hawkfish.db
    schema:
      - version: 7
        up:
          - ALTER TABLE hf_systems ADD COLUMN host_id TEXT
          - UPDATE hf_systems SET host_id = 'default' WHERE host_id IS NULL
    schema_baseline: 6
    repository: /var/backups/day2
    name: hawkfish

- name: Revert the migration
  day2.ops.migrate:
    target:
      type: postgresql
      host: db1.example.com
      database: hostfactory
      username: hostfactory
      password: "{{ hostfactory_database_password }}"
    repository: /var/backups/day2
    name: hostfactory
    state: reverted
"""

RETURN = r"""
migration:
  description: Summary of the migration.
  type: dict
  returned: with O(source)
  contains:
    source:
      description: Location of the source.
      type: str
      sample: /opt/hostfactory/data/request_database.json
    target:
      description: Location of the target.
      type: str
      sample: /opt/hostfactory/data/request_database.db
    resumed:
      description: Whether an unfinished migration was continued.
      type: bool
      sample: false
    restarted:
      description:
        - Whether a collection of an unfinished migration was migrated again from the beginning, because its source was
          modified or because of O(unfinished=restart).
      type: bool
      sample: false
    total:
      description: Number of records in the source.
      type: int
      sample: 5100
    written:
      description: Number of records that this run processed.
      type: int
      sample: 5100
    errors:
      description: Number of records that the target cannot store.
      type: int
      sample: 0
    records_per_second:
      description: Records written per second.
      type: float
      sample: 61250.2
    collections:
      description: Results for each collection.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the table, or of the top-level key of a document.
          type: str
          sample: machines
        total:
          description: Number of records in the source.
          type: int
          sample: 3750
        done:
          description: Number of these records that are in the target.
          type: int
          sample: 3750
        added:
          description: Number of records that the target did not have.
          type: int
          sample: 3750
        changed:
          description: Number of records that differed in the target.
          type: int
          sample: 0
        removed:
          description: Number of records that only the target had and that were removed, in all runs of this migration.
          type: int
          sample: 0
        left:
          description: Number of records in the target that are not changed.
          type: int
          sample: 0
        rejected:
          description: Number of records that the target cannot store.
          type: int
          sample: 0
        rejects:
          description:
            - The first rejected records, with their keys as JSON (the beginning of the record if the collection has no
              key) and the reasons. Available from the comparison, as in check mode. Records rejected during writing are in the file O(rejects).
          type: list
          elements: dict
          sample: [{"key": "[7]", "reason": "the field qty is of kind integer, and the value is text"}]
        records_per_second:
          description: Records written per second.
          type: float
          sample: 58300.1
        digest:
          description: Digest of the records of the source, independent of their order.
          type: str
          sample: 3f2a9c1b5be0b7a7a3f9a6d3a1c2c3c4d5e6f708192a3b4c5d6e7f8091a2b3c4
application_schema:
  description: Changes to the tables of the application.
  type: dict
  returned: with O(target_tables=existing), or where V(auto) means that
  contains:
    compared:
      description: Tables that record the version of the schema. They were equal, and were not written.
      type: list
      elements: str
      sample: [django_migrations]
    foreign_keys:
      description: Foreign keys that were dropped and added again.
      type: list
      elements: str
      sample: [shop_order.shop_order_user_id_00b3a5d4_fk_auth_user_id]
    triggers_disabled:
      description: Triggers that did not fire.
      type: list
      elements: str
      sample: [shop_order.touch]
    counters:
      description: Columns with a sequence, and the highest number in use.
      type: dict
      sample: {"shop_order.id": 500}
validation:
  description: Checks made after writing, one entry for each collection and reference.
  type: list
  elements: dict
  returned: O(state=migrated)
  contains:
    name:
      description: Name of the collection or reference.
      type: str
      sample: machines
    ok:
      description: Whether the check passed.
      type: bool
      sample: true
    message:
      description: Result of the check in words.
      type: str
      sample: "machines: 3750 records, equal digests."
schema:
  description: Versions of the schema of the target.
  type: dict
  returned: with O(schema)
  contains:
    before:
      description: Version before the run. V(0) if the database had none.
      type: int
      sample: 6
    version:
      description: Current version of the schema.
      type: int
      sample: 7
    applied:
      description: Versions that the run applied, or recorded up to O(schema_baseline).
      type: list
      elements: int
      sample: [7]
    pending:
      description: In check mode, versions that would be applied or recorded.
      type: list
      elements: int
      sample: []
    safety_backup:
      description:
        - Content of the safety backup, V(database) if it is the whole database, V(tables) if it is the records of the
          schema.
        - V(null) if none is made.
      type: str
      sample: database
report:
  description: The result as lines to display.
  type: list
  elements: str
  returned: with O(source)
  sample: ["Migrating machines: 3,750/3,750 (100%)", "Total records: 5,100", "Errors: 0"]
safety_backup:
  description: ID of the backup of the previous content of the target, if one was made or restored.
  type: str
  returned: success
  sample: 20250630T120000Z-3f2a9c1b
msg:
  description: The result in words.
  type: str
  returned: success
  sample: Migrated 5100 records from request_database.json to request_database.db, verified.
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: success
  sample: 2.6
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import migrate


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **migrate.ARGUMENTS), migrate.run)


if __name__ == "__main__":
    main()
