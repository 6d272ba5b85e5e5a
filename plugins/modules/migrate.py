#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migrate
short_description: Bring the records of one store into another, and verify them
version_added: 0.1.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Copies the collections of a store (tables, top-level keys of a JSON document) into a store of the same or another type.
    The records are read again from the target, and their counts and digests compared with the source's.
  - The position is committed together with each batch. A run that was killed is continued by the next one; one that finds
    everything in place is not changed.
  - Between SQL databases types, keys, defaults, foreign keys, indexes and identity columns are kept, and a number that was given
    is not given again. From documents columns are made by what kinds of values the fields have in all records; nested and mixed
    values become JSON.
  - Every value arrives exactly as it was, or its record is refused with the reason; nothing is rounded in silence. Only what JSON
    lacks is written to a document as applications expect it, see O(target.values).
  - From a database NULL is written to documents as C(null). A table that was made from documents gives back what they had. A comment on
    the table (C(day2 {...})) says in which columns NULL stands for a missing field, whether the records were a list, a mapping or
    values, and which names are not the data's own. Columns that have both null and missing fields get one more column, C(_missing),
    with the names of the fields that a record lacks; it counts only where they are NULL. A tool that builds the table anew (Django and
    Alembic do so in SQLite) loses the comment, and then NULL is null. In a table that an application has made, null and missing
    are the same.
  - Arrays of PostgreSQL are lists elsewhere, and lists go into columns of arrays.
  - Of equal keys in a mapping of a document the last one counts, with a warning; equal keys in a list are an error.
  - Lists keep their order, in the column C(_key) if the key of the records does not have the same. Names that a table or column can't
    have, or that differ in case alone, are replaced by the first free one there.
  - Room is looked at before anything is written, for what is still to be written; a document needs twice as much, as its records are
    gathered beside it first. Of the room of PostgreSQL and DynamoDB nothing is known.
  - A document is written whole and takes the old one's place at once. SQLite and PostgreSQL are read from one snapshot; a
    document that is written meanwhile makes the task fail.
  - With O(schema) instead of O(source) brings the schema of a database up to the newest of a list of versions, each step and its
    record in one transaction.
  - PostgreSQL is read with C(row_security=off). Where policies would hide rows from the role, the task fails with the server's
    message. Tables that inherit from others are migrated as tables of their own, and a warning names what their parents lose.
  - Views, triggers, virtual tables, partitioning, row security, and sequences that no column owns stay behind. CHECK constraints,
    computed columns, defaults that are expressions (but not the time of writing, which every database has), indexes on some rows,
    on an expression or like GIN, enumerations, domains and collations go to a new table in a database of the same type only, where
    the functions and extensions that they need must be there. Whatever of these stays behind is warned of. Comments and privileges
    stay behind, too.
  - From SQLite to SQLite and from PostgreSQL to PostgreSQL, values arrive exactly as they are, whatever the type of their column
    says. From DynamoDB to DynamoDB, new tables get the secondary indexes, the billing mode and capacity, the stream, the time to
    live, the tags and the class of the source's; encryption keys, replicas, autoscaling and backups are not migrated.
  - Sizes like V(VARCHAR(20)) and V(NUMERIC(10,2)) go from SQLite to PostgreSQL where all values have them. Where not, as SQLite
    holds nobody to them, the column has no size. Columns that refer to each other get the same type.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
  - day2.ops.repository.compression
  - day2.ops.migration
options:
  state:
    description:
      - V(migrated), the target has the source's records.
      - V(reverted), the collections that the last run into the target has written are brought back to what they were before.
        Those that it created are dropped. O(repository) records each run that was given it. After a run with
        O(safety_backup=false) into collections that held records the task fails.
    type: str
    choices: [migrated, reverted]
    default: migrated
  on_existing:
    description:
      - What to do when the target holds records of a collection that differ from the source's.
      - V(fail), nothing; V(merge), add and overwrite by key; V(replace), also remove what the source does not have. Columns that
        only the target has are left to it.
      - In databases records are put over those of the same key, and what is too much is removed in the end. They refuse a unique
        value that moves from one record to another, and PostgreSQL a record that points to one of its own table in a later batch.
        Where that is so, migrate into an empty target, or into the application's tables (O(target_tables=existing)), which has
        neither limit.
    type: str
    choices: [fail, merge, replace]
    default: fail
  unfinished:
    description:
      - What to do when the target holds an unfinished migration of a collection from another source, or with other options
        that decide which records it has, such as O(on_existing) or O(shape).
      - V(fail), nothing, in check mode too. V(restart), discard it and start again; for a database that needs
        O(on_existing=replace), as records of the two migrations cannot be told apart.
      - A migration with the same source and options is always continued, whatever O(only) selects. If the source was
        written since, its collection is migrated again from the beginning. Either keeps the safety backup that was made when
        the migration began.
    type: str
    choices: [fail, restart]
    default: fail
  batch_size:
    description: How many records are committed at a time.
    type: int
    default: 5000
  references:
    description: Fields that name records of another collection. They are checked in the source before, and in the target after.
    type: list
    elements: dict
    suboptions:
      from:
        description: The collection and field that points, for example V(machines.request_id).
        type: str
        required: true
      to:
        description: The collection and field that it points to, for example V(requests.request_id).
        type: str
        required: true
  schema:
    description:
      - Versions that the schema of O(target) has gone through, in place of a O(source); for C(sqlite) and C(postgresql).
      - Those that the database has not seen are applied in ascending order, each in one transaction together with its line in
        the table C(day2_schema_versions). A step that fails, or is killed, is not there at all, and the next run begins with it.
      - A database that is newer than the list, a version that was edited after it was applied, and one below the newest applied
        that was not applied are errors. Versions that are applied everywhere may be left out of the list.
      - A database with tables is backed up before, see O(safety_backup). O(state=reverted) then brings a SQLite database back
        whole; of PostgreSQL it brings back the records, and leaves the columns as the steps have made them.
    type: list
    elements: dict
    suboptions:
      version:
        description: Its number, from 1. There may be gaps.
        type: int
        required: true
      up:
        description:
          - The SQL statement that brings the version before to this one, or a list of statements, each one an element.
          - They can't begin or end a transaction. In SQLite foreign keys are not enforced meanwhile, but what a step leaves
            dangling makes it fail.
        type: raw
        required: true
  schema_baseline:
    description:
      - The version of a database that was made before O(schema) was used with it. Steps up to this one are recorded and not applied
        to a database that has no record of versions.
    type: int
    default: 0
  rejects:
    description:
      - The file that records are added to that the target can't hold, as JSON lines with C(collection), C(key), C(reason) and
        C(record).
    type: path
  max_rejects:
    description: How many records of a collection may go there before the task fails.
    type: int
    default: 0
  repair:
    description: When the verification finds records that differ, write them again and verify once more.
    type: bool
    default: false
  safety_backup:
    description:
      - Back up a target that holds records before anything is written, into O(repository), with C(kind=safety). It is
        never removed automatically.
      - JSON and SQLite are backed up as M(day2.ops.backup) does; PostgreSQL and DynamoDB as JSON lines with their schema.
    type: bool
    default: true
  repository:
    description: The directory that keeps the backups. Required when a target is backed up, and for O(state=reverted).
    type: path
  name:
    description: The backup set. The default is the name of the target's file or database.
    type: str
  lock_timeout:
    description: How long to wait for another run that works on the same backup set.
    type: str
    default: 1m
seealso:
  - module: day2.ops.backup
  - module: day2.ops.restore
"""

EXAMPLES = r"""
- name: Bring HostFactory's document into SQLite
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

- name: Bring SQLite into PostgreSQL, over what is there
  day2.ops.migrate:
    source:
      type: sqlite
      path: /opt/hostfactory/data/request_database.db
    target:
      type: postgresql
      host: db1.example.com
      database: hostfactory
      user: hostfactory
      password: "{{ hostfactory_database_password }}"
    on_existing: replace
    repository: /var/backups/day2
    name: hostfactory

- name: Move a Django application from SQLite to PostgreSQL, into the tables that "manage.py migrate" has made
  day2.ops.migrate:
    source:
      type: sqlite
      path: /srv/shop/db.sqlite3
    target:
      type: postgresql
      host: db1.example.com
      database: shop
      user: shop
    target_tables: existing
    time_zone: UTC
    types:
      shop_product.warranty: interval from us
    # content types and permissions, which the migrations have filled in
    on_existing: replace
    repository: /var/backups/day2
    name: shop

- name: Bring HawkFish's database to the newest version of its schema
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

- name: Go back
  day2.ops.migrate:
    target:
      type: postgresql
      host: db1.example.com
      database: hostfactory
      user: hostfactory
      password: "{{ hostfactory_database_password }}"
    repository: /var/backups/day2
    name: hostfactory
    state: reverted
"""

RETURN = r"""
migration:
  description: What was read and written.
  type: dict
  returned: with O(source)
  contains:
    source:
      description: The store that was read.
      type: str
      sample: /opt/hostfactory/data/request_database.json
    target:
      description: The store that was written.
      type: str
      sample: /opt/hostfactory/data/request_database.db
    resumed:
      description: Whether an unfinished migration was continued.
      type: bool
      sample: false
    restarted:
      description: Whether a collection of an unfinished migration was begun again, as its source was written since, or as
        O(unfinished=restart) asks for.
      type: bool
      sample: false
    total:
      description: Records of the source.
      type: int
      sample: 5100
    written:
      description: Records that this run has handled.
      type: int
      sample: 5100
    errors:
      description: Records that the target can't hold.
      type: int
      sample: 0
    records_per_second:
      description: Records written per second.
      type: float
      sample: 61250.2
    collections:
      description: The collections.
      type: list
      elements: dict
      contains:
        name:
          description: A table, or a top-level key of a document.
          type: str
          sample: machines
        total:
          description: Records of the source.
          type: int
          sample: 3750
        done:
          description: Those of them that are in the target.
          type: int
          sample: 3750
        added:
          description: Records that the target did not have.
          type: int
          sample: 3750
        changed:
          description: Records that it had otherwise.
          type: int
          sample: 0
        removed:
          description: Records that only the target had and that were removed, in all runs of this migration.
          type: int
          sample: 0
        left:
          description: Records of the target that stay as they are.
          type: int
          sample: 0
        rejected:
          description: Records that the target can't hold.
          type: int
          sample: 0
        rejects:
          description:
            - The first of them, with their keys as JSON and the reasons. Known from comparing, as in check mode; what a run finds out
              as it writes is in the file O(rejects).
          type: list
          elements: dict
          sample: [{"key": "[7]", "reason": "the field qty is of kind integer, and the value is text"}]
        records_per_second:
          description: Records written per second.
          type: float
          sample: 58300.1
        digest:
          description: The digest of the source's records, whatever their order.
          type: str
          sample: 3f2a9c1b5be0b7a7a3f9a6d3a1c2c3c4d5e6f708192a3b4c5d6e7f8091a2b3c4
application_schema:
  description: What was done to the application's own tables.
  type: dict
  returned: with O(target_tables=existing), or where V(auto) means that
  contains:
    compared:
      description: Tables with the version of the schema. They were equal, and were not written.
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
      description: The columns with a sequence, and the highest number that is taken.
      type: dict
      sample: {"shop_order.id": 500}
validation:
  description: What was compared after writing, one entry for each collection and reference.
  type: list
  elements: dict
  returned: O(state=migrated)
  contains:
    name:
      description: The collection or reference.
      type: str
      sample: machines
    ok:
      description: Whether it holds.
      type: bool
      sample: true
    message:
      description: The same in words.
      type: str
      sample: "machines: 3750 records, digests are the same."
schema:
  description: The versions of the target's schema.
  type: dict
  returned: with O(schema)
  contains:
    before:
      description: The version that the run found, V(0) for none.
      type: int
      sample: 6
    version:
      description: The version that the schema has now.
      type: int
      sample: 7
    applied:
      description: What the run applied, or recorded up to O(schema_baseline).
      type: list
      elements: int
      sample: [7]
    pending:
      description: In check mode, what it would.
      type: list
      elements: int
      sample: []
report:
  description: All of it as lines to show.
  type: list
  elements: str
  returned: with O(source)
  sample: ["Migrating machines: 3,750/3,750 (100%)", "Total records: 5,100", "Errors: 0"]
safety_backup:
  description: The id of the backup of what the target held, if one was made (or was gone back to).
  type: str
  returned: success
  sample: 20250630T120000Z-3f2a9c1b
msg:
  description: What was done, in words.
  type: str
  returned: success
  sample: Migrated 5100 records from request_database.json to request_database.db, verified.
duration_s:
  description: Seconds that the task took on the host.
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
