#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: store_info
short_description: Report contents, sizes and free space of a store
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Lists the databases and collections of a store with the numbers of records, sizes and free space, and the indexes
    that are unused, invalid or missing.
  - C(sources) contains the source of each figure. A figure that could not be determined is V(none), never 0, and
    C(unknown) contains the reason. C(estimated) lists the figures that are estimates.
  - Figures are read one after the other. Applications can write in between, so they may not be of a single point in
    time.
  - The store is never written to. An SQLite database whose application was killed in a transaction is refused, as its
    journal must be rolled back first.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.migration.store_info
attributes:
  check_mode:
    support: full
    details:
      - No entry is added to O(history) in check mode.
  diff_mode:
    support: N/A
    details:
      - The store is not modified.
  idempotent:
    support: full
    details:
      - Only O(history) is ever written, which is not reported as a change.
options:
  deep:
    description:
      - Whether to read all data for figures that the store does not maintain itself.
      - For SQLite, these are the free space within pages, and the sizes of tables and indexes (C(dbstat)). For PostgreSQL, the
        records are counted, and free space (C(pgstattuple_approx)) and the density of indexes (C(pgstatindex)) are measured
        if the extension C(pgstattuple) is installed. For DynamoDB, the items are counted, which consumes read capacity.
      - An SQLite database that is not in WAL mode can't be written while its pages are read.
    type: bool
    default: false
  history:
    description:
      - File on the host in which the sizes of each run are recorded, for RV(growth). Use a separate file for each
        store.
      - It contains one entry for each hour of the last two days, and one for each earlier day.
    type: path
  growth_over:
    description: RV(growth) is the difference from the newest entry that is at least this old, or else from the oldest.
    type: str
    default: 7d
seealso:
  - module: day2.ops.health_check
"""

EXAMPLES = r"""
- name: See what HawkFish's database contains, and how much of it is free space
  day2.ops.store_info:
    store:
      type: sqlite
      path: /var/lib/hawkfish/hawkfish.db
    deep: true
    history: /var/lib/day2/hawkfish-sizes.json
  register: hawkfish

- name: Stop if deleting a record would read a whole table
  ansible.builtin.assert:
    that: not hawkfish.foreign_keys_without_index

- name: List the databases of a directory
  day2.ops.store_info:
    store:
      type: sqlite
      path: /var/lib/hawkfish
"""

RETURN = r"""
store:
  description: Location of the store.
  type: str
  returned: success
  sample: /var/lib/hawkfish/hawkfish.db
type:
  description: Type of the store.
  type: str
  returned: success
  sample: sqlite
deep:
  description: Value of O(deep).
  type: bool
  returned: success
  sample: true
bytes:
  description: Size of the store.
  type: int
  returned: success
  sample: 1097728
free_bytes:
  description: Bytes that contain no data. They are reused, or released by VACUUM.
  type: int
  returned: success
  sample: 574135
free_percent:
  description: The same as a percentage of RV(bytes); for PostgreSQL, of the bytes of tables.
  type: float
  returned: success
  sample: 52.3
schema_version:
  description: Version of the schema, that of M(day2.ops.migrate) if it has one, or C(user_version) of SQLite.
  type: int
  returned: success
  sample: 7
journal_mode:
  description: The journal mode of SQLite.
  type: str
  returned: success
  sample: wal
free_page_bytes:
  description: Bytes of free pages, which are a part of RV(free_bytes).
  type: int
  returned: for SQLite databases
  sample: 110592
wal_bytes:
  description: Size of the write-ahead log.
  type: int
  returned: for SQLite databases
  sample: 0
auto_vacuum:
  description: V(none), V(full) or V(incremental).
  type: str
  returned: for SQLite databases
  sample: none
page_size:
  description: Size of a page.
  type: int
  returned: for SQLite databases
  sample: 4096
encoding:
  description: Encoding of text.
  type: str
  returned: for SQLite databases
  sample: UTF-8
application_id:
  description: The application ID in the header of the file.
  type: int
  returned: for SQLite databases
  sample: 0
server_version:
  description: Version of the server.
  type: str
  returned: for PostgreSQL
  sample: "15.8"
autovacuum:
  description: Whether autovacuum is enabled (V(on) or V(off)).
  type: str
  returned: for PostgreSQL
  sample: "on"
track_counts:
  description: Whether statistics are collected, without which autovacuum does nothing.
  type: str
  returned: for PostgreSQL
  sample: "on"
statistics_since:
  description: When the statistics of the database were last reset, or null.
  type: str
  returned: for PostgreSQL
  sample: "2025-06-30T12:00:00Z"
databases:
  description: The database of the store, those of the server, or those of the directory.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the database or file.
      type: str
      sample: hawkfish.db
    path:
      description: Path of the file.
      type: str
      sample: /var/lib/hawkfish/hawkfish.db
    bytes:
      description: Its size, with the write-ahead log.
      type: int
      sample: 1097728
    modified:
      description: When the file was last written.
      type: str
      sample: "2025-06-30T12:00:00Z"
    owner:
      description: For PostgreSQL, owner of the database.
      type: str
      sample: hawkfish
    encoding:
      description: For PostgreSQL, encoding of the database.
      type: str
      sample: UTF8
collections:
  description: The tables, or the top-level keys of a document. Partitions of PostgreSQL are listed one by one.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the collection.
      type: str
      sample: audit_log
    records:
      description: Number of records.
      type: int
      sample: 2474
    bytes:
      description: Size without indexes.
      type: int
      sample: 974848
    index_bytes:
      description: Size of its indexes.
      type: int
      sample: 4096
    free_bytes:
      description: Bytes that contain no data, without those of indexes.
      type: int
      sample: 451581
    free_percent:
      description: The same as a percentage of the table.
      type: float
      sample: 46.32
    dead_rows:
      description: For PostgreSQL, rows that were deleted or updated since the last VACUUM.
      type: int
      sample: 1200
    dead_percent:
      description: The same as a percentage of all rows.
      type: float
      sample: 32.66
    dead_bytes:
      description: Bytes of dead rows, if they were measured.
      type: int
      sample: 240000
    last_vacuum:
      description: When the table was last vacuumed.
      type: str
      sample: "2025-06-30T12:00:00Z"
    last_analyze:
      description: When the table was last analyzed.
      type: str
      sample: "2025-06-30T12:00:00Z"
    analyzed:
      description: For SQLite, whether there are statistics of the table.
      type: bool
      sample: false
    partition_of:
      description: For a partition, its table.
      type: str
      sample: events
    table:
      description: For DynamoDB, name of the table.
      type: str
      sample: hawkfish.audit_log
    status:
      description: For DynamoDB, status of the table.
      type: str
      sample: ACTIVE
    growth:
      description: As RV(growth), with C(records) and C(bytes).
      type: dict
      sample: {"records": 120, "bytes": 40960}
indexes:
  description: The indexes.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the index.
      type: str
      sample: audit_log_by_time
    collection:
      description: Name of its collection.
      type: str
      sample: audit_log
    bytes:
      description: Its size.
      type: int
      sample: 4096
    scans:
      description: For PostgreSQL, how often it was used on this server since RV(statistics_since).
      type: int
      sample: 12
    leaf_density:
      description: For B-trees of PostgreSQL, density of the leaf pages in percent. New indexes have 90.
      type: float
      sample: 89.5
    method:
      description: For PostgreSQL, its access method.
      type: str
      sample: btree
    valid:
      description: For PostgreSQL, whether queries use it.
      type: bool
      sample: true
    ready:
      description: For PostgreSQL, whether writers maintain it. An index that is ready, but not valid, only slows down
        writes.
      type: bool
      sample: true
unused_indexes:
  description:
    - Names of the indexes that no query has used on this server since RV(statistics_since), without those that ensure uniqueness.
    - Each standby counts its own uses.
  type: list
  elements: str
  returned: success
  sample: []
invalid_indexes:
  description: Names of indexes left by an interrupted C(CREATE INDEX CONCURRENTLY) or C(REINDEX CONCURRENTLY).
  type: list
  elements: str
  returned: success
  sample: []
foreign_keys_without_index:
  description: Foreign keys whose columns have no index. Each deletion of a referenced record reads the whole table.
  type: list
  elements: dict
  returned: success
  contains:
    collection:
      description: Name of the table.
      type: str
      sample: sessions
    fields:
      description: Its columns.
      type: list
      elements: str
      sample: [user_id]
    references:
      description: The referenced table.
      type: str
      sample: users
growth:
  description: With O(history), the growth of the store.
  type: dict
  returned: success
  contains:
    since:
      description: Time of the entry with which the store is compared.
      type: str
      sample: "2025-06-23T12:00:00Z"
    seconds:
      description: Seconds since that time.
      type: int
      sample: 604800
    bytes:
      description: Difference in bytes.
      type: int
      sample: 81920
sources:
  description: Source of each figure. Databases, collections and indexes have the same three members.
  type: dict
  returned: success
  sample: {"bytes": "page_count times page_size"}
unknown:
  description: The figures that could not be determined, and why.
  type: dict
  returned: success
  sample: {"unused_indexes": "SQLite does not count the uses of an index"}
estimated:
  description: Names of the figures that are estimates.
  type: list
  elements: str
  returned: success
  sample: []
msg:
  description: Summary.
  type: str
  returned: success
  sample: "/var/lib/hawkfish/hawkfish.db: 2 collections, 1.0 MiB, 52.3 % of it free."
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: success
  sample: 0.1
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import store_info


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **store_info.ARGUMENTS), store_info.run)


if __name__ == "__main__":
    main()
