#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: List and verify the backups in a repository
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Returns the backup sets of a repository and their backups, with ages, sizes, record counts and problems.
  - With O(verify=full), every byte is read, decompressed and compared with the manifest. The results are stored beside
    the backups, so that a nightly run with O(reverify_after) reads only backups that are new or were last read before
    that time.
  - A backup that is dated in the future (because a clock is or was wrong) is reported as a problem. It does not count
    until that time is reached, is not removed by O(keep), and can be restored by ID.
  - With O(repository=pgbackrest), returns the base backups of a PostgreSQL server and the range of moments that it can be
    restored to. O(name) is then required, and is the name of the stanza.
  - Problems do not fail the task. Check RV(ok) instead. A repository that does not exist or contains no backups is also
    reported as a problem.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.info
  - day2.ops.repository
  - day2.ops.repository.timeout
  - day2.ops.s3
  - day2.ops.encryption
  - day2.ops.rclone
  - day2.ops.restic
  - day2.ops.repository.keep
  - day2.ops.copies.objective
  - day2.ops.evidence
options:
  name:
    description: Name of the backup set. The default is all sets in the repository.
    type: str
  host:
    description: Limit the result to backups of this host. The default is all backups in the set.
    type: str
  tags:
    description: Limit the result to backups that have all of these tags.
    type: list
    elements: str
  verify:
    description:
      - How to verify the backups. V(none) reports no problems. V(quick) compares names, sizes and the digest of the
        manifest. V(full) also reads every byte. Without an identity, it compares the stored bytes of encrypted backups,
        but not their content.
    type: str
    choices: [none, quick, full]
    default: quick
  reverify_after:
    description:
      - With O(verify=full), skip backups that were fully verified and found good within this time, for example V(30d).
    type: str
  max_age:
    description: Maximum age of the newest good backup of each set, for example V(26h).
    type: str
seealso:
  - module: day2.ops.backup
  - module: day2.ops.restore
  - module: day2.ops.backup_copy
"""

EXAMPLES = r"""
- name: List all backups, and verify those not verified for a month
  day2.ops.backup_info:
    repository: /var/backups/day2
    verify: full
    reverify_after: 30d
    max_age: 26h
  register: backups

- name: Check that there are three copies, one of them on another site
  day2.ops.backup_info:
    name: hawkfish
    repository: /var/backups/day2
    copy_to:
      - repository: s3://hawkfish-backups/day2
    copies: {min: 3, offsite: 1}
    max_age: 26h

- name: Find out to which moments a PostgreSQL server can be restored
  day2.ops.backup_info:
    name: main
    repository: pgbackrest
    max_age: 26h

- name: Fail if the backups are not reliable
  ansible.builtin.assert:
    that: backups.ok
    fail_msg: "{{ backups.sets | map(attribute='msg') | join('; ') }}"
"""

RETURN = r"""
ok:
  description:
    - Whether there are no problems, every set has a good backup within O(max_age), and there are enough O(copies).
    - Sets that contain only safety backups, made by restores or migrations, are ignored unless selected with O(name).
  type: bool
  returned: success
  sample: true
sets:
  description: Backup sets.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the set.
      type: str
      sample: hawkfish
    newest:
      description: ID of the newest good backup. V(none) if the set has none.
      type: str
      sample: 20250630T120000Z-3f2a9c1b
    age_s:
      description: Seconds since that backup was made or last confirmed to equal the data.
      type: float
      sample: 3600.5
    within_max_age:
      description: Whether this age is within O(max_age). V(none) if O(max_age) is not set.
      type: bool
      sample: true
    foreign:
      description:
        - Whether that backup belongs to a host other than O(host) or, if O(host) is not set, other than this host.
      type: bool
      sample: false
    owners:
      description: Owners (hosts and paths) of the good backups. O(keep) is applied to each owner separately.
      type: list
      elements: dict
      contains:
        host:
          description: Name of the host.
          type: str
          sample: hawkfish1
        paths:
          description: Paths of the stores.
          type: list
          elements: str
          sample: [/var/lib/hawkfish/hawkfish.db]
        backups:
          description: Number of good backups.
          type: int
          sample: 30
        newest:
          description: ID of the newest good backup.
          type: str
          sample: 20250630T120000Z-3f2a9c1b
    bytes:
      description: Size of all backups in the repository, as stored, in bytes.
      type: int
      sample: 21708800
    msg:
      description: State of the set in words.
      type: str
      sample: the newest good backup of hawkfish is 1h old, within max_age 1d2h
    pitr:
      description:
        - With O(repository=pgbackrest), the range of moments that can be restored and the state of the archive, as
          documented for M(day2.ops.postgresql_pitr). The range ends when WAL was last archived, not now.
      type: dict
      sample:
        earliest: "2025-06-29T01:00:12Z"
        latest: "2025-06-30T14:08:58Z"
        lag_s: 0.0
    copies:
      description: Copies of the newest data. V(none) if neither O(copies) nor O(copy_to) is set.
      type: dict
      contains:
        count:
          description: Number of copies, the data itself included.
          type: int
          sample: 3
        offsite:
          description: Number of copies on another site.
          type: int
          sample: 1
        met:
          description:
            - Whether O(copies) is met, V(false) if a repository cannot be read. V(none) if O(copies) is not set.
          type: bool
          sample: true
        repositories:
          description: Copies by repository.
          type: list
          elements: dict
          contains:
            repository:
              description: Address of the repository.
              type: str
              sample: s3://hawkfish-backups/day2
            offsite:
              description: Whether it is on another site.
              type: bool
              sample: true
            status:
              description:
                - V(current) if it has the newest backup, V(old) if that is older than O(max_age), V(behind) if another
                  repository has a newer one, V(missing) if it has no good backup, V(unknown) if it cannot be read. Only
                  the first counts.
              type: str
              sample: current
            newest:
              description: ID of its newest good backup.
              type: str
              sample: 20250630T120000Z-3f2a9c1b
            age_s:
              description: Seconds since that backup was made or last confirmed to equal the data.
              type: float
              sample: 3600.5
            verified:
              description: Time at which that backup was last read in full in this repository. V(none) if never.
              type: str
              sample: "2025-06-30T12:00:03Z"
    problems:
      description: Problems of the set.
      type: list
      elements: dict
      sample: []
    backups:
      description:
        - Backups of the set, newest first, as documented for M(day2.ops.backup). Each also has
          RV(sets[].backups[].age_s), RV(sets[].backups[].good), RV(sets[].backups[].problems),
          RV(sets[].backups[].verified), RV(sets[].backups[].verified_read) and RV(sets[].backups[].reasons).
        - For an encrypted backup, C(bytes), C(content_digest), C(host), C(tags) and C(sources) are V(none) unless an
          identity is given that can decrypt it.
      type: list
      elements: dict
      contains:
        id:
          description: ID of the backup.
          type: str
          sample: 20250630T120000Z-3f2a9c1b
        age_s:
          description: Seconds since the data was read.
          type: float
          sample: 7200.25
        good:
          description: Whether the backup has no known problems.
          type: bool
          sample: true
        problems:
          description: Problems of the backup.
          type: list
          elements: dict
          sample: []
        verified:
          description: Time at which the backup was last read in full.
          type: str
          sample: "2025-06-30T12:00:03Z"
        verified_read:
          description:
            - V(content) if this verification compared the content, V(stored) if it only compared the stored bytes,
              because the backup is encrypted and no identity was given.
          type: str
          sample: content
        reasons:
          description: Rules of O(keep) that retain the backup.
          type: list
          elements: str
          sample: [newest, last]
problems:
  description: Problems of all sets.
  type: list
  elements: dict
  returned: success
  contains:
    set:
      description: Backup set. V(none) if the problem concerns the whole repository.
      type: str
      sample: hawkfish
    backup:
      description: ID of the backup. V(none) if the problem concerns the whole set or repository.
      type: str
      sample: 20250630T120000Z-3f2a9c1b
    path:
      description: File within the backup. For a set its name, for a repository its path.
      type: str
      sample: data/hawkfish.db.zst
    problem:
      description: Description of the problem.
      type: str
      sample: it has 4096 bytes instead of 2170880
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
at:
  description: Time at which this run began, in UTC. It is also the value of RV(sets[].backups[].verified) of backups
    that this run has verified.
  type: str
  returned: success
  sample: "2025-06-30T14:05:09.123456Z"
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: success
  sample: 0.02
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs import backup_info


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **backup_info.ARGUMENTS), backup_info.run)


if __name__ == "__main__":
    main()
