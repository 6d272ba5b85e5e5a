#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_copy
short_description: Copy backups to another repository
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Ensures that a repository contains verified copies of the backups in another one. Each copy has the same ID and the
    same bytes, so it can be listed, verified and restored like the original. With O(to.encrypt_to), backups that are
    not encrypted are encrypted while they are copied. These copies have other IDs.
  - Each file is compared with C(SHA256SUMS) when it is read, and again when the copy is read back. A copy is published
    completely or not at all. Files that an interrupted run has copied are not copied again.
  - If the copies exist, nothing is written and the task reports no change. A backup that was removed from O(from) is
    kept in O(to).
  - To copy each backup as soon as it has been made, use O(day2.ops.backup#module:copy_to).
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
  - day2.ops.copies
  - day2.ops.repository.timeout
  - day2.ops.evidence
options:
  name:
    description: Name of the backup set.
    type: str
    required: true
  which:
    description:
      - Which backups to copy. V(newest) is the newest good backup, V(all) are all good backups, and an ID is that
        backup.
      - A damaged backup is not copied. The task names it and the next good backup.
      - A backup that only refers to data in AWS cannot be copied. With V(all), it is left out with a warning.
    type: str
    default: newest
  take_over:
    description:
      - A set belongs to a host and the paths of its stores. By default, the module refuses to copy into a set that
        contains only backups of other hosts or paths. Set to V(true) to copy into it anyway.
    type: bool
    default: false
  lock_timeout:
    description:
      - How long to wait for another run that has locked the backup set in O(to). If the lock is not released in this
        time, the task fails and names the holder of the lock.
    type: str
    default: 1m
seealso:
  - module: day2.ops.backup
  - module: day2.ops.backup_info
"""

EXAMPLES = r"""
- name: Copy the newest backup to S3
  day2.ops.backup_copy:
    name: hawkfish
    from:
      repository: /var/backups/day2
    to:
      repository: s3://hawkfish-backups/day2
      keep:
        daily: 30
        monthly: 12

- name: Copy all backups to another disk
  day2.ops.backup_copy:
    name: hawkfish
    which: all
    from:
      repository: /var/backups/day2
    to:
      repository: /mnt/backups/day2

- name: Bring the newest backup back from S3
  day2.ops.backup_copy:
    name: hawkfish
    which: newest
    from:
      repository: s3://hawkfish-backups/day2
    to:
      repository: /var/backups/day2
"""

RETURN = r"""
copied:
  description:
    - Backups that were copied (in check mode, would be copied), oldest first, as documented for
      M(day2.ops.backup). The path is that of the copy.
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description: ID of the copy. It is null in check mode if the copy would be encrypted.
      type: str
      sample: 20250630T120000Z-3f2a9c1b
    path:
      description: Path of the copy, or null if its ID is.
      type: str
      sample: s3://hawkfish-backups/day2/hawkfish/20250630T120000Z-3f2a9c1b
    created:
      description: Time at which the data was read.
      type: str
      sample: "2025-06-30T12:00:00Z"
    stored_bytes:
      description: Size of the data files in bytes.
      type: int
      sample: 2170880
existing:
  description: IDs of the selected backups that O(to) already had.
  type: list
  elements: str
  returned: success
  sample: [20250629T120000Z-90ab12cd]
not_kept:
  description: IDs of the selected backups that were not copied because O(to.keep) would remove them at once.
  type: list
  elements: str
  returned: success
  sample: []
failures:
  description: Reasons why backups were not copied, by ID.
  type: dict
  returned: failure
  sample: {}
removed:
  description: IDs of the backups that were removed from O(to) because no rule of O(to.keep) matches them.
  type: list
  elements: str
  returned: success
  sample: [20250530T120000Z-90ab12cd]
locked:
  description: Backups that no rule of O(to.keep) matches, but that are locked (O(to.lock_for)), with the end of the lock.
  type: list
  elements: dict
  returned: success
  sample: []
kept:
  description: Backups that O(to) retains, with the reasons. Requires O(to.keep).
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
msg:
  description: The result in words.
  type: str
  returned: success
  sample: Copied 1 backup (2.1 MiB) to s3://hawkfish-backups/day2.
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
from ansible_collections.day2.ops.plugins.module_utils._verbs import backup_copy


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **backup_copy.ARGUMENTS), backup_copy.run)


if __name__ == "__main__":
    main()
