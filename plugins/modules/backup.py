#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Back up application data and verify the backup
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Ensures that a backup set contains a verified backup of the current data of one or more stores.
  - The copy is consistent even if other processes write to the store. Before it is published, it is read back from
    disk, decompressed and compared. It is published completely or not at all.
  - If the data equals the newest good backup, nothing is written and the task reports no change. The newest backup is
    confirmed instead, and its age counts from that moment.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
  - day2.ops.repository
  - day2.ops.repository.timeout
  - day2.ops.s3
  - day2.ops.rclone
  - day2.ops.restic
  - day2.ops.s3.object_lock
  - day2.ops.encryption.write
  - day2.ops.repository.compression
  - day2.ops.repository.keep
  - day2.ops.copies.copy_to
  - day2.ops.store.source
  - day2.ops.evidence
options:
  name:
    description:
      - Name of the backup set, by convention the name of the application. Letters, digits, dots, dashes and underscores
        are allowed.
    type: str
    required: true
  host:
    description:
      - Name of the host that owns the data, as recorded in the manifest of the backup. The default is the host name of
        the managed node.
      - Set this option if the host name changes, as in containers, or to continue under the old name after renaming a
        host.
    type: str
  tags:
    description:
      - Tags of the backup, such as V(before-upgrade). They are listed with the backup, can select a backup, and can
        retain it (O(keep.tags)).
      - If the data equals the newest backup, but no backup of this data has all of these tags, another backup is
        written.
    type: list
    elements: str
  take_over:
    description:
      - A set belongs to a host and the paths of its stores. By default, the module refuses to write into a set that
        contains backups of another host or other paths. Set to V(true) to write into it anyway.
      - The host then starts its own history in the set. Backups of other owners are retained, and O(keep), O(max_age)
        and the comparison with the newest backup ignore them. Once the host has backups of its own in the set, this
        option is no longer needed.
      - Paths are compared as given. A store remains the same if a link in its path, such as C(current), points to another
        directory.
      - Adding a store to O(sources) does not require V(true). Moving a store, or omitting it from O(sources), does.
    type: bool
    default: false
  max_age:
    description:
      - Skip the backup if a good one was made or confirmed within this time, for example V(1h). The data is then not
        read.
    type: str
  import:
    description:
      - Path of a copy that was made by hand. It is added to the set as a backup, in place of the current content of the
        store.
      - The file name determines the format, which is C(*.json), C(*.db), C(*.sql) (an SQLite dump) or C(*.tar),
        optionally followed by C(.gz), C(.xz) or C(.zst). The format must match O(source.type). The copy is checked like
        a store and is not modified.
      - For PostgreSQL, a dump of one database (O(source.database)) by C(pg_dump) in any format, which is recognised by
        its content. It is loaded into a database that is created for this purpose, in check mode as well, then backed
        up and dropped; the role needs the privilege C(CREATEDB). Owners and privileges in the dump are not imported.
        Any dump can define functions, and have them called while it is loaded (by a default, an index or a check), with
        the permissions of the role. Import dumps that others could have changed as a role that only has C(CREATEDB).
        Plain SQL can do anything that the role is permitted to do, so it is refused for superusers; dumps made with
        C(-C) or by C(pg_dumpall), and dumps that were cut off, are refused.
      - The modification time of the file is used as the time of the backup. Files dated in the future are refused, and
        so are files older than everything that O(keep) retains.
    type: path
  strict:
    description:
      - If a file in a tree changes during each attempt to read it, as a busy log does, the result of the last attempt
        is stored, and the file is named in a warning and in the manifest. Set to V(true) to fail instead.
    type: bool
    default: false
  read_back:
    description:
      - With V(full), each new backup is read back, decompressed and compared with the data before it counts.
      - With V(checksum), the SHA-256 that the S3 server has computed of each object is compared with that of the sent
        data instead. This saves the download, but does not show whether the backup can be decompressed. The backup then is not
        recorded as verified until M(day2.ops.backup_info) with O(day2.ops.backup_info#module:verify=full) has read it.
      - V(checksum) requires S3. It is refused if the server was seen to store data with a wrong checksum. This is tested
        before the first backup, and then every 30 days.
    type: str
    choices: [full, checksum]
    default: full
seealso:
  - module: day2.ops.restore
  - module: day2.ops.backup_info
  - module: day2.ops.backup_copy
"""

EXAMPLES = r"""
- name: Back up the HawkFish database
  day2.ops.backup:
    name: hawkfish
    source:
      type: sqlite
      path: /var/lib/hawkfish/hawkfish.db
    repository: /var/backups/day2
    keep:
      last: 10
      daily: 30

- name: Back up the HostFactory document unless a backup was made within the last hour
  day2.ops.backup:
    name: hostfactory
    source:
      type: json
      path: /opt/hostfactory/data/request_database.json
    repository: /var/backups/day2
    max_age: 1h

- name: Back up the database and the configuration of an application together
  day2.ops.backup:
    name: hawkfish-all
    sources:
      - name: db
        type: sqlite
        path: /var/lib/hawkfish/hawkfish.db
      - name: config
        type: files
        path: /etc/hawkfish
        exclude: ["*.bak"]
    repository: /var/backups/day2

- name: Back up before an upgrade and retain the backup
  day2.ops.backup:
    name: hawkfish-upgrades
    source:
      type: sqlite
      path: /var/lib/hawkfish/hawkfish.db
    repository: /var/backups/day2
    tags: [before-upgrade]
    keep:
      within: 30d
      tags: [before-upgrade]

- name: Back up to a disk, and copy the backup to S3
  day2.ops.backup:
    name: hawkfish
    source:
      type: sqlite
      path: /var/lib/hawkfish/hawkfish.db
    repository: /var/backups/day2
    keep:
      daily: 7
    copy_to:
      - repository: s3://hawkfish-backups/day2
        keep:
          daily: 30
          monthly: 12

- name: Back up encrypted, readable with either of two identities
  day2.ops.backup:
    name: hawkfish
    source:
      type: sqlite
      path: /var/lib/hawkfish/hawkfish.db
    repository: /mnt/backups/day2
    encrypt_to:
      - age1gnpuvy945zwcem5c9hwugu2p25x6zgy4906qt85nnmc9at4vl98ss8u8kk
      - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMewBgK4qI3Rjs3WgHWCTEnlnjhlhhtPjDXjlxVJfNjL

- name: Import a backup made by a cron job
  day2.ops.backup:
    name: hawkfish
    source:
      type: sqlite
      path: /var/lib/hawkfish/hawkfish.db
    import: /backup/backup_20250630_120000.db.gz
    repository: /var/backups/day2

- name: Back up a database of PostgreSQL
  day2.ops.backup:
    name: shop-database
    repository: /var/backups/day2
    source:
      type: postgresql
      host: db1.example.com
      username: postgres
      database: shop
"""

RETURN = r"""
backup:
  description:
    - The newest good backup after the task. In check mode, if a backup would be made, RV(backup.id), RV(backup.path)
      and RV(backup.created) are V(none).
    - The content of an encrypted backup that this task has not written is unknown. RV(backup.bytes),
      RV(backup.content_digest), RV(backup.host), RV(backup.tags) and RV(backup.sources) are V(none) then.
  type: dict
  returned: success
  contains:
    id:
      description: Time (UTC) of the backup and the first 8 digits of its content digest.
      type: str
      sample: 20250630T120000Z-3f2a9c1b
    path:
      description: Path of the backup.
      type: str
      sample: /var/backups/day2/hawkfish/20250630T120000Z-3f2a9c1b
    kind:
      description: >-
        V(backup); V(reference) if AWS keeps the data (C(method) of a DynamoDB source); or V(safety) for data that a
        restore replaced.
      type: str
      sample: backup
    created:
      description: Time at which the data was read. For an imported copy, the modification time of the file.
      type: str
      sample: "2025-06-30T12:00:00Z"
    bytes:
      description: Size of the content in bytes.
      type: int
      sample: 15938355
    stored_bytes:
      description:
        - Size of the data files in the repository in bytes. Not returned in check mode if a backup would be made.
      type: int
      sample: 2170880
    compression:
      description: Compression of the data files.
      type: str
      sample: zstd
    encrypted:
      description: Whether the backup is encrypted.
      type: bool
      sample: false
    origin:
      description:
        - For an encrypted backup, V(this_host) if its seal proves that this host has written it, otherwise V(unproven).
          Anyone who knows a recipient can encrypt, so encryption does not prove who wrote a backup.
      type: str
      sample: this_host
    content_digest:
      description: SHA-256 of the content of all sources. Equal digests mean equal data.
      type: str
      sample: 3f2a9c1b5be0b7a7a3f9a6d3a1c2c3c4d5e6f708192a3b4c5d6e7f8091a2b3c4
    host:
      description: Host that owns the data.
      type: str
      sample: hawkfish1
    tags:
      description: Tags of the backup.
      type: list
      elements: str
      sample: [before-upgrade]
    imported_from:
      description: Path of the imported copy, if the backup was imported.
      type: str
      sample: /backup/backup_20250630_120000.db.gz
    sources:
      description: Stores in the backup.
      type: list
      elements: dict
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
          description: Path of the store when it was backed up.
          type: str
          sample: /var/lib/hawkfish/hawkfish.db
        bytes:
          description: Size of the content in bytes.
          type: int
          sample: 15938355
        content_digest:
          description: SHA-256 of the native content.
          type: str
          sample: 5be0b7a7a3f9a6d3a1c2c3c4d5e6f708192a3b4c5d6e7f8091a2b3c43f2a9c1b
        collections:
          description: Collections and their numbers of records.
          type: list
          elements: dict
          contains:
            name:
              description: Name of a table or top-level key, or a kind of file.
              type: str
              sample: hf_systems
            records:
              description: Number of records.
              type: int
              sample: 1250
        references:
          description:
            - If AWS keeps the data of the backup, the backup or export in AWS of each table.
            - Incremental exports of a table follow the full one.
          type: list
          elements: dict
          returned: if C(kind) is V(reference)
          contains:
            name:
              description: Name of the table without the prefix.
              type: str
              sample: machines
            table:
              description: Name of the table.
              type: str
              sample: hostfactory_machines
            table_arn:
              description: ARN of the table.
              type: str
              sample: arn:aws:dynamodb:eu-central-1:123456789012:table/hostfactory_machines
            table_id:
              description: Identifier of the table, which distinguishes it from later tables of the same name.
              type: str
              sample: 8a1f0b6e-4c0e-4a53-9a53-0f6b9d1c2e3f
            arn:
              description: ARN of the backup in AWS.
              type: str
              sample: arn:aws:dynamodb:eu-central-1:123456789012:table/hostfactory_machines/backup/01751284800000-3f2a9c1b
            label:
              description: Its name in AWS. For an export, its address in S3.
              type: str
              sample: day2-20250630T120000Z-3f2a9c1b
            created:
              description: Time at which AWS made it. For an incremental export, the time of its data.
              type: str
              sample: "2025-06-30T12:00:00.120000Z"
            bytes:
              description: Its size according to AWS. V(none) if this is unknown.
              type: int
              sample: 52428800
            records:
              description: Number of items in an export. V(none) for others.
              type: int
              sample: 1250
            since:
              description: Start of the time range that an incremental export covers. V(none) for others.
              type: str
              sample: "2025-06-29T12:00:00Z"
reason:
  description:
    - Why a backup was written (V(new), V(changed), V(tags), V(recipients), V(key), V(import)) or not written
      (V(unchanged), V(recent)). V(recipients) means that the recipients in O(encrypt_to) have changed, V(key) that the
      host has lost the key with which it recognizes its encrypted backups (C(docs/FORMAT.md)).
  type: str
  returned: success
  sample: unchanged
msg:
  description: The result in words.
  type: str
  returned: success
  sample: "Nothing to back up: nothing has changed since the newest backup was last compared."
other_owners:
  description: Other owners (hosts and paths) that have backups in the set. Their backups are not counted.
  type: list
  elements: dict
  returned: success
  contains:
    host:
      description: Name of the host.
      type: str
      sample: hawkfish0
    paths:
      description: Paths of the stores.
      type: list
      elements: str
      sample: [/var/lib/hawkfish/hawkfish.db]
    backups:
      description: Number of backups of this owner, good and damaged.
      type: int
      sample: 14
    newest:
      description: ID of the newest backup of this owner.
      type: str
      sample: 20250530T120000Z-90ab12cd
kept:
  description: Backups that are retained, with the reasons. Requires O(keep).
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description: ID of the backup.
      type: str
      sample: 20250630T120000Z-3f2a9c1b
    created:
      description: Time of the backup.
      type: str
      sample: "2025-06-30T12:00:00Z"
    reasons:
      description: Rules that retain the backup.
      type: list
      elements: str
      sample: [newest, last, daily]
removed:
  description:
    - IDs of the backups that were removed (in check mode, would be removed) because no rule of O(keep) matches them.
  type: list
  elements: str
  returned: success
  sample: [20250530T120000Z-90ab12cd]
locked:
  description: Backups that no rule of O(keep) matches, but that are locked (O(lock_for)), with the end of the lock.
  type: list
  elements: dict
  returned: success
  sample: [{id: 20250530T120000Z-90ab12cd, until: '2025-07-30T12:00:00Z'}]
copies:
  description: The copies of RV(backup). Requires O(copy_to).
  type: list
  elements: dict
  returned: success or failure
  contains:
    repository:
      description: Repository of the copy.
      type: str
      sample: s3://hawkfish-backups/day2
    path:
      description: Path of the copy. V(none) in check mode if the backup would be made.
      type: str
      sample: s3://hawkfish-backups/day2/hawkfish/20250630T120000Z-3f2a9c1b
    changed:
      description: Whether it was copied by this task (in check mode, would be copied), or copies were removed.
      type: bool
      sample: true
    failed:
      description: Whether it could not be copied.
      type: bool
      sample: false
    removed:
      description: IDs of the backups that were removed because no rule of O(copy_to[].keep) matches them.
      type: list
      elements: str
      sample: []
    locked:
      description: Backups that no rule matches, but that are locked, with the end of the lock.
      type: list
      elements: dict
      sample: []
    msg:
      description: What was done, or why it failed.
      type: str
      sample: Copied 1 backup (2.1 MiB) to s3://hawkfish-backups/day2.
notes:
  description: Notes that require no immediate action, for example that gzip is used because zstd is not installed.
  type: list
  elements: str
  returned: success
  sample: []
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
  sample: 2.6
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs import backup


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **backup.ARGUMENTS), backup.run)


if __name__ == "__main__":
    main()
