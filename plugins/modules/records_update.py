#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: records_update
short_description: Update records in batches while their application runs
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Sets fields of the selected records, or passes the records through a command, batch by batch.
  - First all selected records are read and their new values are determined, outside of any transaction. Then a safety
    backup is made, and each batch is written in one transaction (of DynamoDB, each item by itself; a document as a
    whole).
  - A record that its application has written in the meantime is never overwritten. It is read again, and updated if it
    still meets O(where), up to O(retries) times.
  - A batch that fails does not stop the others. The task fails at the end, and lists the failed batches.
  - A run that was interrupted can be repeated. Records that already have their new values are unchanged.
  - To restore the records from the safety backup, use M(day2.ops.migrate) with O(day2.ops.migrate#module:state=reverted) and
    the same O(store) as its target, O(repository) and O(name).
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
  - day2.ops.migration.records
  - day2.ops.s3
  - day2.ops.s3.object_lock
  - day2.ops.encryption
  - day2.ops.encryption.write
  - day2.ops.rclone
  - day2.ops.restic
  - day2.ops.repository.compression
attributes:
  diff_mode:
    details: The diff shows the changed fields of the first 20 records.
options:
  set:
    description:
      - Fields and their new values. Tables must have these columns, and documents get fields that they lack. The key
        can't be set. A name with a dot is the name of a field, not the path of a member.
      - The result and its diff show the values. Set C(no_log) on the task if they are secret.
      - Values are constants. For columns of times, text in ISO 8601 is a time. A time such as the current one
        differs in each run, so set it in a play only once.
    type: dict
  command:
    description:
      - Program and its arguments that reads records as JSON lines from its standard input, and writes each of them once,
        in any order, as JSON lines to its standard output. No shell is involved.
      - 'Values that JSON lacks are mappings with one key, such as C({"$time": "2025-06-30T10:00:00Z"}) and
        C({"$bytes": "AAE="}).'
      - It also runs in check mode, and more than once for a record that was written in the meantime. It must therefore
        be idempotent and have no side effects.
    type: list
    elements: str
  batch_size:
    description: Number of records in a batch.
    type: int
    default: 100
  workers:
    description: Number of commands that run at the same time. The store still has one writer.
    type: int
    default: 1
  timeout:
    description: How long O(command) may take for a batch.
    type: str
    default: 1m
  retries:
    description: How often a record (or a document) that was written in the meantime is read and updated again.
    type: int
    default: 3
  max_errors:
    description:
      - Stop as soon as more batches than this have failed. The default is to try all of them.
      - Commands, O(schema) and the types of columns are checked for all batches first, so that nothing is written
        if too many fail there.
    type: int
  schema:
    description: JSON schema that the new records must meet, as in M(day2.ops.records_validate). A batch with a record
      that does not is not written.
    type: dict
  validator:
    description: The validator of O(schema), as in M(day2.ops.records_validate).
    type: str
    choices: [builtin, jsonschema]
    default: builtin
  safety_backup:
    description: Back up the store to O(repository), with C(kind=safety), before the first batch is written.
    type: bool
    default: true
  repository:
    description:
      - Where the backups are, a directory, C(s3://bucket/prefix) or C(rclone:REMOTE:path).
      - Required, unless O(safety_backup=false).
    type: path
  name:
    description: Name of the backup set. The default is the name of the file or database of the store.
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
    description: How long to wait for another run that has locked the backup set or the store.
    type: str
    default: 1m
seealso:
  - module: day2.ops.records_validate
  - module: day2.ops.migrate
"""

EXAMPLES = r"""
- name: Return requests that nobody works on
  day2.ops.records_update:
    store:
      type: sqlite
      path: /opt/hostfactory/data/request_database.db
    collection: requests
    where:
      - field: status
        is: RUNNING
      - field: updated_at
        older_than: 2d
    set:
      status: FAILED
    repository: /var/backups/day2
    name: hostfactory
"""

RETURN = r"""
total:
  description: Number of selected records.
  type: int
  returned: always, unless nothing could be read
  sample: 120
updated:
  description: Number of records that were updated, or in check mode would be.
  type: int
  returned: always, unless nothing could be read
  sample: 100
unchanged:
  description: Number of records that already had their new values.
  type: int
  returned: always, unless nothing could be read
  sample: 20
not_tried:
  description: Number of records that were not updated because more batches than O(max_errors) had failed.
  type: int
  returned: always, unless nothing could be read
  sample: 0
gone:
  description: Number of records that were removed in the meantime, or no longer meet O(where).
  type: int
  returned: always, unless nothing could be read
  sample: 0
conflicts:
  description: Number of records that were not updated because other programs kept writing to them.
  type: int
  returned: always, unless nothing could be read
  sample: 0
retried:
  description: Number of records that were updated again because they had been written in the meantime.
  type: int
  returned: always, unless nothing could be read
  sample: 1
batches:
  description: Number of batches.
  type: int
  returned: always, unless nothing could be read
  sample: 2
errors:
  description: The batches that failed.
  type: list
  elements: dict
  returned: always, unless nothing could be read
  contains:
    first_key:
      description: Key of the first record of the batch, or a list of values if the key has several fields.
      type: raw
      sample: req-100
    last_key:
      description: Key of the last record of the batch.
      type: raw
      sample: req-199
    records:
      description: Number of records that were not written.
      type: int
      sample: 100
    error:
      description: Description of the error.
      type: str
      sample: the command returned 99 of 100 records
success_rate:
  description: Share of the selected records that neither failed nor were left (RV(not_tried)), or null if there are
    none.
  type: float
  returned: always, unless nothing could be read
  sample: 1.0
safety_backup:
  description: ID of the safety backup, or null if none was made.
  type: str
  returned: always, unless nothing could be read
  sample: 20250630T120000Z-3f2a9c1b
msg:
  description: Summary.
  type: str
  returned: always
  sample: 100 of 120 records updated, 20 unchanged.
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: always, unless nothing could be read
  sample: 1.2
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import update


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **update.ARGUMENTS), update.run)


if __name__ == "__main__":
    main()
