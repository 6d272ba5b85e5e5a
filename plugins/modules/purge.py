#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: purge
short_description: Export and delete old records while their application runs
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Deletes records of a table of SQLite, PostgreSQL or DynamoDB, or of a collection of a JSON document, that are older
    than a time, or that meet other conditions. Before the first record is deleted, all of them are exported into a
    repository, and the export is read back, decompressed and compared. This cannot be replaced by checksums
    (O(day2.ops.backup#module:read_back)), as only reading proves that the export is usable.
  - A record is only deleted if it still equals the exported one. Records that the application has written in the
    meantime are kept; the next run exports and deletes them.
  - Records are deleted in batches. In SQLite, the lock is held for short times, with gaps in which waiting writers can
    acquire it (see O(max_wait)). In PostgreSQL, only writers of the same records wait. Each item of DynamoDB is read
    again and then deleted on the condition that it is still equal. Conditions cannot detect new attributes, or compare
    more than 149 attributes (see C(docs/RECORDS.md) of the collection). A JSON document is replaced as a whole, and
    only if no other program has replaced it in the meantime; numbers keep their values, but not trailing zeros.
  - A run that was killed, or stopped by O(time_limit), is continued by the next run with the same O(store),
    O(collection) and conditions, without exporting the records again. The export is read again first; if it is damaged,
    the task warns, and exports the remaining records again.
  - The export is a backup with C(kind=purge), which never counts as a backup of the store. It contains one file of JSON
    lines for each collection. C(docs/RECORDS.md) of the collection describes how to restore records.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
  - day2.ops.migration.records
  - day2.ops.repository
  - day2.ops.s3
  - day2.ops.s3.object_lock
  - day2.ops.encryption.write
  - day2.ops.rclone
  - day2.ops.restic
  - day2.ops.repository.compression
attributes:
  diff_mode:
    details: The diff shows the number of records of each month, if O(time_field) is set.
options:
  time_field:
    description:
      - Field with the time of a record. Text in ISO 8601, times of the database, and seconds, milliseconds or
        microseconds since 1970 are times. Without a time zone, they are UTC.
      - Values are never compared as text, so one column can contain several formats.
    type: str
  older_than:
    description:
      - Delete records whose time is longer ago than this duration, for example V(90d), or before this time. A number
        that could be a year is refused.
      - Either O(older_than) or O(where) is required. With both, records must meet both.
    type: str
  keep_last:
    description: Records that are never deleted, whatever their age. Their times and keys are kept in memory.
    type: dict
    suboptions:
      count:
        description: How many of the newest records to keep, by O(time_field), then by key.
        type: int
        required: true
      per:
        description: Fields that define groups. O(keep_last.count) records of each group are kept. The default is one group.
        type: list
        elements: str
        default: []
  references:
    description:
      - What to do if foreign keys of other tables refer to records to be deleted.
      - V(refuse) deletes nothing, and the message lists the tables, columns and numbers of records.
      - V(cascade) exports and deletes the referring records, too, and those that refer to them.
      - V(detach) exports the referring records, and sets their foreign keys to null.
      - A foreign key without an index is refused, as each deletion would read the whole table.
    type: str
    choices: [refuse, cascade, detach]
    default: refuse
  allow_all:
    description: Allow the deletion of all records of the collection.
    type: bool
    default: false
  ignore_bad_times:
    description: Whether to keep records with invalid times, with a warning. By default, if a value that is compared as
      a time is not valid, nothing is deleted.
    type: bool
    default: false
  max_wait:
    description: For SQLite, the target for the maximum time that other writers wait for the lock, if they use the busy
      handler of SQLite. A shorter time makes the purge slower. The minimum is V(60ms).
    type: str
    default: 200ms
  window:
    description:
      - When records may be deleted. Outside of this time, nothing is done, and the task succeeds.
      - At its end, the run stops at the end of a batch. RV(stopped) says so, and the next run continues.
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
    description: Stop after this time, at the end of a batch. RV(stopped) says so, and the next run continues. A JSON document is one batch.
    type: str
  vacuum:
    description:
      - For SQLite, whether to release the space of deleted records to the file system. By default, it is used for new
        records.
      - With C(auto_vacuum=incremental), free pages are released while other programs write. Otherwise, C(VACUUM) is run
        as by M(day2.ops.store_optimize), which locks other programs out. This requires O(window). If the predicted time
        does not fit, C(VACUUM) is skipped with a warning.
      - If it fails, for example because the disk is full, the task fails and returns all results. The records have been
        deleted by then.
    type: bool
    default: false
  name:
    description: Name of the backup set.
    type: str
    required: true
  keep:
    description:
      - Which exports of this collection to keep, as in M(day2.ops.backup). By default, all are kept.
      - The newest one is never removed, nor are backups, exports of other hosts, and encrypted ones, which this host can't
        read.
    type: dict
    suboptions:
      last:
        description: Number of newest exports to keep. V(-1) means all, here and in the following options.
        type: int
      hourly:
        description: Number of hours for which to keep the newest export of each hour.
        type: int
      daily:
        description: Number of days for which to keep the newest export of each day.
        type: int
      weekly:
        description: Number of ISO weeks for which to keep the newest export of each week.
        type: int
      monthly:
        description: Number of months for which to keep the newest export of each month.
        type: int
      yearly:
        description: Number of years for which to keep the newest export of each year.
        type: int
      within:
        description: Keep exports that are at most this much older than the newest, for example V(7y).
        type: str
      within_hourly:
        description: Span in which the newest export of each hour is kept.
        type: str
      within_daily:
        description: Span in which the newest export of each day is kept.
        type: str
      within_weekly:
        description: Span in which the newest export of each ISO week is kept.
        type: str
      within_monthly:
        description: Span in which the newest export of each month is kept.
        type: str
      within_yearly:
        description: Span in which the newest export of each year is kept.
        type: str
      tags:
        description: Not used, as exports have no tags.
        type: list
        elements: str
seealso:
  - module: day2.ops.records_update
  - module: day2.ops.retention
"""

EXAMPLES = r"""
- name: Delete requests after 90 days, but keep the last 100 of each status
  day2.ops.purge:
    store:
      type: sqlite
      path: /opt/hostfactory/data/request_database.db
    collection: requests
    time_field: updated_at
    older_than: 90d
    keep_last:
      count: 100
      per: [status]
    repository: /var/backups/day2
    name: hostfactory-requests
    time_limit: 1h
"""

RETURN = r"""
matched:
  description: Number of records that meet the conditions.
  type: int
  returned: success
  sample: 1200
exported:
  description: Number of records that were exported by this run.
  type: int
  returned: success
  sample: 1200
deleted:
  description: Number of records that were deleted (in check mode, would be), including those that an earlier run has
    exported.
  type: int
  returned: success
  sample: 1198
dependents:
  description: Number of records of other tables that were deleted or detached, see O(references).
  type: int
  returned: success
  sample: 0
left_changed:
  description: Number of records that were not deleted because they, or records that refer to them, were written after
    the export, or were locked by other programs.
  type: int
  returned: success
  sample: 2
gone:
  description: Number of records that other programs have deleted after the export.
  type: int
  returned: success
  sample: 0
without_time:
  description: Number of values that are compared as times, but are not valid times.
  type: int
  returned: success
  sample: 0
by_month:
  description: Number of records by the month of O(time_field), in UTC.
  type: dict
  returned: success
  sample: {"2025-03": 1200}
stopped:
  description: V(time_limit) or V(window) if the run was stopped by it, otherwise null.
  type: str
  returned: success
  sample: null
resumed:
  description: ID of the export of an earlier run that was continued first, or null.
  type: str
  returned: success
  sample: null
backup:
  description: ID of the export, or null if nothing was exported.
  type: str
  returned: success
  sample: 20250630T120000Z-3f2a9c1b
removed:
  description: IDs of the exports that were removed (in check mode, would be removed) because no rule of O(keep) matches them.
  type: list
  elements: str
  returned: success
  sample: []
bytes_freed:
  description: By how many bytes the file of the database has become smaller, with O(vacuum=true), otherwise null.
  type: int
  returned: success
  sample: null
longest_transaction_ms:
  description: The longest transaction in milliseconds. In SQLite, other writers had to wait for it.
  type: float
  returned: success
  sample: 75.2
msg:
  description: Summary.
  type: str
  returned: always
  sample: 1198 records of requests deleted, 2 left that were changed meanwhile.
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: success
  sample: 1.2
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import purge


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **purge.ARGUMENTS), purge.run)


if __name__ == "__main__":
    main()
