#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: store_optimize
short_description: Release free space and update statistics of a database
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Releases free space, updates statistics and rebuilds half-empty indexes where this is worthwhile, and reports sizes
    before and after.
  - For SQLite, runs C(VACUUM) if enough of the database is free space, C(ANALYZE) on tables without statistics, whose
    number of records has doubled or halved since, or that have a new index, and changes settings that are stored in the
    file. Free space is measured in all pages (C(dbstat)), as the free list of SQLite does not contain the space within pages.
  - C(VACUUM) of SQLite locks out writers until it ends, and unless the database is in WAL mode, readers as well. It is
    therefore refused while another process has the database open, unless O(window) is set. It is also refused if the
    predicted time does not fit into the window or O(time_limit), or if its temporary file and journal do not fit on the
    disk.
  - In an SQLite database with O(auto_vacuum=incremental), free pages are released a thousand at a time, between which
    others can write. This is not refused.
  - Space that C(VACUUM) of SQLite cannot free, for example because a page holds only one large row, is measured
    afterwards and recorded in the state of the host, so that the next run does not try again. The same applies to indexes of
    PostgreSQL.
  - For PostgreSQL, runs C(VACUUM) and C(ANALYZE) on the tables of the schema that need it, and C(REINDEX CONCURRENTLY)
    on B-trees whose leaf pages are filled to less than two thirds of those of a new index. Readers and writers are not
    locked out. Indexes are measured with the extension C(pgstattuple), which must be installed. Tables do not become
    smaller, as this requires C(VACUUM FULL), which locks them.
  - Invalid indexes left by an interrupted C(REINDEX CONCURRENTLY) (C(_ccnew), C(_ccold)) are dropped if a valid index
    of the same definition exists. Other invalid indexes are reported.
  - If a step is refused, the others are still run. The task then fails and returns all results. A step whose table is
    locked by other sessions for 10 seconds is skipped.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
  - day2.ops.migration.optimize
  - day2.ops.s3
  - day2.ops.s3.object_lock
  - day2.ops.encryption
  - day2.ops.encryption.write
  - day2.ops.rclone
  - day2.ops.restic
  - day2.ops.repository.compression
attributes:
  diff_mode:
    support: none
options:
  free:
    description: Percentage of an SQLite database that must be free for C(VACUUM).
    type: str
    default: 20%
  dead_rows:
    description: Percentage of the rows of a PostgreSQL table that must be dead for C(VACUUM). At least 50 rows must be
      dead in any case.
    type: str
    default: 10%
  min_bytes_freed:
    description:
      - Minimum amount of space that C(VACUUM) of SQLite or a C(REINDEX) must free. Smaller databases and indexes are
        left alone. V(0) is no minimum.
    type: str
    default: 64M
  vacuum:
    description:
      - Whether to release free space.
      - V(full) rewrites a whole SQLite database, even if it has O(auto_vacuum=incremental). The limits apply to it, too.
    type: str
    choices: [auto, full, never]
    default: auto
  analyze:
    description:
      - Whether to update statistics. For SQLite tables with more than a million records, a sample is read. PostgreSQL
        tables are analyzed if they never were, or if a tenth of their rows have changed since.
    type: bool
    default: true
  reindex:
    description: Whether to rebuild indexes of PostgreSQL, and to drop leftovers of an interrupted C(REINDEX).
    type: bool
    default: true
  journal_mode:
    description:
      - Journal mode of an SQLite database. By default, it is not changed. Other modes are not stored in the file; each
        connection of an application sets them itself.
      - It is skipped while another process has the database open.
    type: str
    choices: [delete, wal]
  auto_vacuum:
    description:
      - How an SQLite database releases free pages. To change it from or to V(none), C(VACUUM) is run regardless of the
        free space.
    type: str
    choices: [none, full, incremental]
  window:
    description:
      - When the database may be locked. With it, C(VACUUM) of PostgreSQL also truncates tables, which locks them briefly.
        Outside of this time, nothing is done, and the task succeeds.
      - A step only starts if its predicted time fits. At the end of the window, it is stopped and has changed nothing.
        Only the last part of C(VACUUM) can't be interrupted.
    type: dict
    suboptions:
      start:
        description: Time of day such as V(02:00), or a time in ISO 8601.
        type: raw
        required: true
      end:
        description: Time of day such as V(05:00), which can be that of the next day, or a time in ISO 8601.
        type: raw
        required: true
      days:
        description: Days on which the window begins (V(mon), V(tue), V(wed), V(thu), V(fri), V(sat), V(sun)). The default is all.
        type: list
        elements: str
      timezone:
        description: Time zone such as V(Europe/Berlin) or V(+02:00). The default is UTC.
        type: str
  time_limit:
    description: Maximum time for all steps. It is enforced like O(window).
    type: str
  safety_backup:
    description:
      - With O(repository), back up an SQLite database, with C(kind=safety), before C(VACUUM).
      - C(VACUUM) does not change data, except the row IDs of tables that have neither an C(INTEGER PRIMARY KEY) nor an index.
        If there are such tables, it is refused without O(repository), unless this is V(false).
    type: bool
    default: true
  repository:
    description: Where the safety backup is written, a directory, C(s3://bucket/prefix) or C(rclone:REMOTE:path).
    type: path
  name:
    description: Name of the backup set. The default is the name of the file.
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
  - module: day2.ops.store_info
"""

EXAMPLES = r"""
- name: Optimize HawkFish's database at night, if a fifth of it and 64 MiB can be freed
  day2.ops.store_optimize:
    store:
      type: sqlite
      path: /var/lib/hawkfish/hawkfish.db
    window:
      start: "02:00"
      end: "05:00"
      timezone: "+02:00"
    repository: /var/backups/day2
    name: hawkfish-database
"""

RETURN = r"""
store:
  description: Location of the store.
  type: str
  returned: always, unless nothing could be read
  sample: /var/lib/hawkfish/hawkfish.db
steps:
  description: Steps that were run, or in check mode would be.
  type: list
  elements: dict
  returned: always, unless nothing could be read
  contains:
    action:
      description: V(vacuum), V(incremental_vacuum), V(analyze), V(reindex), V(drop_index), V(journal_mode) or V(auto_vacuum).
      type: str
      sample: vacuum
    name:
      description: Name of the database, table or index, or the new setting.
      type: str
      sample: hawkfish.db
    reason:
      description: Reason for the step.
      type: str
      sample: 40.7 % can be freed (104.2 MiB)
    predicted_s:
      description: Predicted maximum duration in seconds.
      type: float
      sample: 7.4
    duration_s:
      description: Duration in seconds. V(none) in check mode.
      type: float
      sample: 4.1
left_out:
  description: Steps that were considered but left out, with C(action), C(name) and C(reason).
  type: list
  elements: dict
  returned: always, unless nothing could be read
  sample: [{"action": "vacuum", "name": "hawkfish.db", "reason": "1.2 % can be freed, which is below free (20 %)"}]
before:
  description: C(bytes), C(free_bytes) and C(free_percent) before, as M(day2.ops.store_info) reports them. V(none) outside the window.
  type: dict
  returned: always, unless nothing could be read
  sample: {"bytes": 268435456, "free_bytes": 109253230, "free_percent": 40.7}
after:
  description: The same afterwards. V(none) in check mode.
  type: dict
  returned: always, unless nothing could be read
  sample: {"bytes": 160432128, "free_bytes": 1283456, "free_percent": 0.8}
bytes_freed:
  description: By how many bytes the store has become smaller. Writes of the application influence this value. V(none)
    if it is unknown.
  type: int
  returned: always, unless nothing could be read
  sample: 108003328
stopped:
  description: V(window) if the current time was outside the window, V(time_limit) if a step was stopped at the end of
    its time, otherwise null.
  type: str
  returned: always, unless nothing could be read
  sample: null
safety_backup:
  description: ID of the safety backup, or null if none was made.
  type: str
  returned: always, unless nothing could be read
  sample: 20250630T120000Z-3f2a9c1b
msg:
  description: Summary.
  type: str
  returned: always
  sample: "/var/lib/hawkfish/hawkfish.db: vacuum of hawkfish.db, analyze of 3. 103.0 MiB were freed."
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: always, unless nothing could be read
  sample: 4.6
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import store_optimize


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **store_optimize.ARGUMENTS), store_optimize.run)


if __name__ == "__main__":
    main()
