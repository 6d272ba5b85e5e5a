#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Back up stores of an application, read back and verified
version_added: 0.1.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Makes sure that a backup set has a good backup of the current data of a JSON, SQLite or files store.
  - The copy is consistent while others write. It is decompressed from the disk and compared before it is published, and it
    is published completely or not at all.
  - When the data equals the newest good backup, nothing is written and the task is not changed; the newest backup is
    confirmed instead, and its age counts from then on.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
  - day2.ops.repository
  - day2.ops.repository.compression
  - day2.ops.repository.keep
  - day2.ops.store.source
options:
  name:
    description: The backup set, by convention the application's name. Letters, digits, dots, dashes and underscores.
    type: str
    required: true
  host:
    description:
      - The host whose data this is, in the backup's manifest. The default is the host's own name.
      - Set it where that name changes, as in containers, or to go on under the old name after a host was renamed.
    type: str
  tags:
    description:
      - Tags of the backup, such as V(before-upgrade). They are shown, chosen by and kept by (O(keep.tags)).
      - When the data equals the newest backup, and no backup of it has all of these tags, a further one is written.
    type: list
    elements: str
  take_over:
    description:
      - A set belongs to a host and the paths of its stores. The module refuses to write into a set that has backups of others,
        unless this is V(true).
      - The host's own history then begins in the set. The backups of others stay; O(keep), O(max_age) and the comparison with the
        newest backup leave them out. Once a host has backups of its own in the set, this is not needed any more.
      - A store that is added to O(sources) needs no V(true); a store that was moved, or is left out of them, does.
    type: bool
    default: false
  max_age:
    description:
      - A good backup that was made or confirmed within this time is enough, for example V(1h). The data is then not looked at.
    type: str
  import:
    description:
      - Take a copy that was made by hand instead of the store's current content, and make it a backup of the set.
      - The name tells what it is, C(*.json), C(*.db), C(*.sql) (a dump of SQLite) or C(*.tar), with C(.gz), C(.xz), C(.zst) or
        nothing behind it. It must fit O(source.type), is checked as a store would be, and is left as it is.
      - The backup's time is the file's modification time. A file that is dated in the future is refused, and so is one that is
        older than all that O(keep) retains.
    type: path
  strict:
    description:
      - A file of a tree that changes each time it is read, such as a log that is written all the time, is kept as it was read
        last, named in a warning and in the manifest. With V(true) such files make the task fail.
    type: bool
    default: false
seealso:
  - module: day2.ops.restore
  - module: day2.ops.backup_info
"""

EXAMPLES = r"""
- name: Back up HawkFish's database
  day2.ops.backup:
    name: hawkfish
    source:
      type: sqlite
      path: /var/lib/hawkfish/hawkfish.db
    repository: /var/backups/day2
    keep:
      last: 10
      daily: 30

- name: Back up HostFactory's document, unless that was done within the hour
  day2.ops.backup:
    name: hostfactory
    source:
      type: json
      path: /opt/hostfactory/data/request_database.json
    repository: /var/backups/day2
    max_age: 1h

- name: Back up database and configuration of one application as one backup
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

- name: Back up before an upgrade, in a backup that stays
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

- name: Bring in the backup that a cron job made
  day2.ops.backup:
    name: hawkfish
    source:
      type: sqlite
      path: /var/lib/hawkfish/hawkfish.db
    import: /backup/backup_20250630_120000.db.gz
    repository: /var/backups/day2
"""

RETURN = r"""
backup:
  description:
    - The newest good backup after the task. In check mode, for a backup that would be made, RV(backup.id), RV(backup.path) and
      RV(backup.created) are V(none).
  type: dict
  returned: success
  contains:
    id:
      description: Time (UTC) and the first 8 digits of the content's digest.
      type: str
      sample: 20250630T120000Z-3f2a9c1b
    path:
      description: Where it lies.
      type: str
      sample: /var/backups/day2/hawkfish/20250630T120000Z-3f2a9c1b
    kind:
      description: V(backup), or V(safety) for what a restore replaced.
      type: str
      sample: backup
    created:
      description: The moment its data was read; of an imported copy the file's modification time.
      type: str
      sample: "2025-06-30T12:00:00Z"
    bytes:
      description: Size of the content.
      type: int
      sample: 15938355
    stored_bytes:
      description: Size of the data files as they are stored. Not in check mode for a backup that would be made.
      type: int
      sample: 2170880
    compression:
      description: How it is compressed.
      type: str
      sample: zstd
    content_digest:
      description: SHA-256 over the content of all sources. Equal digests mean equal data.
      type: str
      sample: 3f2a9c1b5be0b7a7a3f9a6d3a1c2c3c4d5e6f708192a3b4c5d6e7f8091a2b3c4
    host:
      description: The host whose data it is.
      type: str
      sample: hawkfish1
    tags:
      description: Its tags.
      type: list
      elements: str
      sample: [before-upgrade]
    imported_from:
      description: The copy made by hand that it was made from, if any.
      type: str
      sample: /backup/backup_20250630_120000.db.gz
    sources:
      description: The stores in it.
      type: list
      elements: dict
      contains:
        name:
          description: Name within the backup.
          type: str
          sample: hawkfish.db
        type:
          description: Type of the store.
          type: str
          sample: sqlite
        path:
          description: Where the store was.
          type: str
          sample: /var/lib/hawkfish/hawkfish.db
        bytes:
          description: Size of its content.
          type: int
          sample: 15938355
        content_digest:
          description: SHA-256 of its native content.
          type: str
          sample: 5be0b7a7a3f9a6d3a1c2c3c4d5e6f708192a3b4c5d6e7f8091a2b3c43f2a9c1b
        collections:
          description: The collections and how many records each has.
          type: list
          elements: dict
          contains:
            name:
              description: A table, a top-level key, or a kind of file.
              type: str
              sample: hf_systems
            records:
              description: Number of records.
              type: int
              sample: 1250
reason:
  description:
    - Why a backup was written (V(new), V(changed), V(tags), V(import)) or not (V(unchanged), V(recent)).
  type: str
  returned: success
  sample: unchanged
msg:
  description: The same in words.
  type: str
  returned: success
  sample: "Nothing to back up: no file has changed since it was last compared with the newest backup."
other_owners:
  description: The hosts and paths that have backups in the set, too. They are not counted.
  type: list
  elements: dict
  returned: success
  contains:
    host:
      description: The host.
      type: str
      sample: hawkfish0
    paths:
      description: Where its stores were.
      type: list
      elements: str
      sample: [/var/lib/hawkfish/hawkfish.db]
    backups:
      description: Number of its good backups and of those that are damaged.
      type: int
      sample: 14
    newest:
      description: The id of the newest of them.
      type: str
      sample: 20250530T120000Z-90ab12cd
kept:
  description: With O(keep), the backups that stay and every reason for it.
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description: The backup.
      type: str
      sample: 20250630T120000Z-3f2a9c1b
    created:
      description: Its time.
      type: str
      sample: "2025-06-30T12:00:00Z"
    reasons:
      description: The rules that want it.
      type: list
      elements: str
      sample: [newest, last, daily]
removed:
  description: The ids of the backups that were removed (in check mode, would be) because no rule of O(keep) wants them.
  type: list
  elements: str
  returned: success
  sample: [20250530T120000Z-90ab12cd]
notes:
  description: Remarks that ask for nothing to be done at once, such as gzip being used because there is no zstd.
  type: list
  elements: str
  returned: success
  sample: []
duration_s:
  description: Seconds that the task took on the host.
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
