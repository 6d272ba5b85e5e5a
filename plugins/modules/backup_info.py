#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: List and verify the backups of a repository
version_added: 0.1.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Returns the backup sets of a repository and their backups, with ages, sizes and counts, and what is wrong with them.
  - With O(verify=full) every byte is read, decompressed and compared with the manifest. What was verified and when is remembered
    beside the backups, so that a nightly run with O(reverify_after) reads only what is new or was last read too long ago.
  - A backup that is dated in the future (a clock was wrong, or is) is a problem. It does not count until then, is not removed by
    O(keep), and can be restored by its id.
  - Problems do not fail the task; look at RV(ok). A repository that does not exist or has no backup is a problem, too.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.info
  - day2.ops.repository
  - day2.ops.repository.keep
options:
  name:
    description: The backup set to look at. The default is all sets of the repository.
    type: str
  host:
    description: Look only at the backups of this host. The default is all backups in the set.
    type: str
  tags:
    description: Look only at the backups that have all of these tags.
    type: list
    elements: str
  verify:
    description:
      - How closely to look. V(none) reports no problems; V(quick) compares names, sizes and the manifest's own digest;
        V(full) also reads every byte.
    type: str
    choices: [none, quick, full]
    default: quick
  reverify_after:
    description: With O(verify=full), do not read again what was fully verified within this time and was good, for example V(30d).
    type: str
  max_age:
    description: The objective; how old the newest good backup of each set may be, for example V(26h).
    type: str
seealso:
  - module: day2.ops.backup
  - module: day2.ops.restore
"""

EXAMPLES = r"""
- name: Look at all backups, reading what was not read for a month
  day2.ops.backup_info:
    repository: /var/backups/day2
    verify: full
    reverify_after: 30d
    max_age: 26h
  register: backups

- name: Fail when they can't be relied on
  ansible.builtin.assert:
    that: backups.ok
    fail_msg: "{{ backups.sets | map(attribute='msg') | join('; ') }}"
"""

RETURN = r"""
ok:
  description:
    - Whether there are no problems, and every set has a good backup that is within O(max_age).
    - Sets that have only safety backups, of restores or migrations, count only when one is named with O(name).
  type: bool
  returned: success
  sample: true
sets:
  description: The backup sets.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the set.
      type: str
      sample: hawkfish
    newest:
      description: Id of its newest good backup; V(none) if there is none.
      type: str
      sample: 20250630T120000Z-3f2a9c1b
    age_s:
      description: Seconds since that backup was made, or last found to equal the data.
      type: float
      sample: 3600.5
    within_max_age:
      description: Whether that is within O(max_age); V(none) without it.
      type: bool
      sample: true
    foreign:
      description: Whether that backup is of another host than O(host), or without it than this one.
      type: bool
      sample: false
    owners:
      description: The hosts and paths that the good backups are of; O(keep) counts those of each separately.
      type: list
      elements: dict
      contains:
        host:
          description: The host.
          type: str
          sample: hawkfish1
        paths:
          description: Where its stores were.
          type: list
          elements: str
          sample: [/var/lib/hawkfish/hawkfish.db]
        backups:
          description: Number of its good backups.
          type: int
          sample: 30
        newest:
          description: The id of the newest of them.
          type: str
          sample: 20250630T120000Z-3f2a9c1b
    bytes:
      description: Size of all its backups as they are stored.
      type: int
      sample: 21708800
    msg:
      description: The set's state in words.
      type: str
      sample: the newest good backup of hawkfish is 1h old, within max_age 1d2h
    problems:
      description: What is wrong, one by one.
      type: list
      elements: dict
      sample: []
    backups:
      description:
        - Its backups, newest first, as described for M(day2.ops.backup), each also with RV(sets[].backups[].age_s),
          RV(sets[].backups[].good), RV(sets[].backups[].problems), RV(sets[].backups[].verified) and RV(sets[].backups[].reasons).
      type: list
      elements: dict
      contains:
        id:
          description: The backup.
          type: str
          sample: 20250630T120000Z-3f2a9c1b
        age_s:
          description: Seconds since its data was read.
          type: float
          sample: 7200.25
        good:
          description: Whether nothing is known to be wrong with it.
          type: bool
          sample: true
        problems:
          description: What is wrong with it.
          type: list
          elements: dict
          sample: []
        verified:
          description: When every byte of it was last read.
          type: str
          sample: "2025-06-30T12:00:03Z"
        reasons:
          description: The rules of O(keep) that want it.
          type: list
          elements: str
          sample: [newest, last]
problems:
  description: The problems of all sets.
  type: list
  elements: dict
  returned: success
  contains:
    set:
      description: The backup set; V(none) if the whole repository is meant.
      type: str
      sample: hawkfish
    backup:
      description: The backup; V(none) if the whole set or repository is meant.
      type: str
      sample: 20250630T120000Z-3f2a9c1b
    path:
      description: The file within the backup; of a set its name, of a repository its path.
      type: str
      sample: data/hawkfish.db.zst
    problem:
      description: What is wrong with it.
      type: str
      sample: it has 4096 bytes instead of 2170880
duration_s:
  description: Seconds that the task took on the host.
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
