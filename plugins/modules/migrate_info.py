#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migrate_info
short_description: Report the state of a migration and compare its stores
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Reports whether a run of M(day2.ops.migrate) was interrupted and how far it got, which safety backup a revert would
    restore, and the schema version of a database.
  - With O(compare), reads both stores and reports for each collection how many records a migration would add, change
    and remove. Nothing is written, and no write permission is required.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.info
  - day2.ops.migration
  - day2.ops.migration.info
  - day2.ops.s3
  - day2.ops.encryption
  - day2.ops.rclone
  - day2.ops.restic
options:
  compare:
    description:
      - Whether to read and compare all records of both stores.
      - SQLite databases that are not in WAL mode are first copied to the directory for temporary files (E(TMPDIR)), so
        that their applications can commit during the comparison. A warning is issued if there is no space for the copy.
    type: bool
    default: false
  repository:
    description: Where the safety backups of the target are, a directory, C(s3://bucket/prefix) or C(rclone:REMOTE:path).
    type: path
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
  name:
    description: Name of the backup set. The default is the name of the file or database of the target.
    type: str
seealso:
  - module: day2.ops.migrate
"""

EXAMPLES = r"""
- name: Check that the HostFactory database still equals the document
  day2.ops.migrate_info:
    source:
      type: json
      path: /opt/hostfactory/data/request_database.json
    target:
      type: sqlite
      path: /opt/hostfactory/data/request_database.db
    compare: true
  register: migration
  failed_when: migration.unfinished or not migration.same
"""

RETURN = r"""
source:
  description: Location of the source.
  type: str
  returned: success
  sample: /opt/hostfactory/data/request_database.json
target:
  description: Location of the target.
  type: str
  returned: success
  sample: /opt/hostfactory/data/request_database.db
unfinished:
  description: Whether a migration was interrupted. The next run of M(day2.ops.migrate) continues it.
  type: bool
  returned: success
  sample: false
checkpoints:
  description: Progress of unfinished migrations, one entry for each collection that was started.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the collection.
      type: str
      sample: machines
    source:
      description: Location of the source.
      type: str
      sample: /opt/hostfactory/data/request_database.json
    on_existing:
      description: Value of O(day2.ops.migrate#module:on_existing) that the migration was started with.
      type: str
      sample: replace
    done:
      description: Number of records that are committed in the target, or rejected.
      type: int
      sample: 2500
    total:
      description: Number of records in the source.
      type: int
      sample: 3750
    rejected:
      description: Number of records that the target cannot store.
      type: int
      sample: 0
    removed:
      description: Number of records removed from the target since the migration began.
      type: int
      sample: 0
same:
  description: With O(compare), whether the target has all records of the source, and no others in these collections.
  type: bool
  returned: success
  sample: true
comparison:
  description:
    - With O(compare), the changes that a migration with O(day2.ops.migrate#module:on_existing=replace) would make.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the collection.
      type: str
      sample: machines
    total:
      description: Number of records in the source.
      type: int
      sample: 3750
    added:
      description: Number of records that are missing from the target.
      type: int
      sample: 0
    changed:
      description: Number of records that differ.
      type: int
      sample: 0
    removed:
      description: Number of records that only the target has.
      type: int
      sample: 0
    left:
      description: Number of records that are the same.
      type: int
      sample: 3750
    rejected:
      description: Number of records that the target cannot store.
      type: int
      sample: 0
    digest:
      description: Digest of the records of the source, independent of their order.
      type: str
      sample: 3f2a9c1b5be0b7a7a3f9a6d3a1c2c3c4d5e6f708192a3b4c5d6e7f8091a2b3c4
safety_backup:
  description:
    - ID of the backup that C(state=reverted) would restore. V(none) if no such backup exists or O(repository) is not
      set.
  type: str
  returned: success
  sample: 20250630T120000Z-3f2a9c1b
schema_version:
  description:
    - Newest version of the schema of the target that M(day2.ops.migrate) has applied. V(none) if it has applied none.
  type: int
  returned: success
  sample: 7
msg:
  description: The result in words.
  type: str
  returned: success
  sample: request_database.json and request_database.db hold the same records.
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: success
  sample: 0.4
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import info as migrate_info


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **migrate_info.ARGUMENTS), migrate_info.run)


if __name__ == "__main__":
    main()
