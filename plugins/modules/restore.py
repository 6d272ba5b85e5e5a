#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restore
short_description: Restore stores from a backup, completely or not at all
version_added: 0.1.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Brings a JSON, SQLite or files store back to what a backup holds.
  - Every byte that is restored is verified before the target is touched, what is replaced is backed up first, and each target
    is replaced in one atomic step. When anything fails, the target is as it was.
  - SQLite databases are restored while applications have them open; their connections see the restored data.
  - A target that already equals the backup is left alone and the task is not changed.
  - In a restored tree, entries of the backup replace whatever has their name, of any kind. What O(target.include) and
    O(target.exclude) leave out is kept; if it is in the way of an entry of the backup, the task fails, in check mode as well.
    Sockets stay where nothing is in their way and are otherwise removed with a warning.
  - A target that is itself something else (a FIFO, a socket, a device, a file instead of a directory) is never replaced.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
  - day2.ops.repository
  - day2.ops.repository.compression
  - day2.ops.store.target
options:
  name:
    description: The backup set to restore from. The safety backup is written into it, too.
    type: str
    required: true
  backup:
    description:
      - Which backup to restore, V(latest) for the newest good one, an id, or the path of a backup's directory anywhere on the host.
      - Safety backups, and backups that are dated in the future, are restored by their id only.
    type: str
    default: latest
  at:
    description:
      - Restore the newest good backup that was made at this time or earlier, for example V(2025-06-30T10:00:00Z) or, as the ids of
        backups have it, V(20250630T100000Z). Without an offset it is UTC.
    type: str
  host:
    description:
      - The host whose backup to restore.
      - By default, V(latest) and O(at) look at the backups of this host, and of these at those of the target's path if there are
        any. A set that has none of this host, and those of one other host only, is restored with a warning.
    type: str
  tags:
    description: Restore the newest good backup that has all of these tags, with O(at) the newest of that time or earlier.
    type: list
    elements: str
  only:
    description:
      - Restore only these collections (tables, top-level keys), or for files only these paths or globs. All else stays as it is.
    type: list
    elements: str
  on_existing:
    description:
      - What to do when the target exists and differs. V(fail) changes nothing; V(replace) replaces its content.
    type: str
    choices: [fail, replace]
    default: fail
  safety_backup:
    description:
      - Back up what is going to be replaced, into the same set. Such a backup never becomes V(latest), does not count for ages,
        and is not removed by retention rules.
      - What can't be read any more, such as half a JSON document, can't be backed up. The module then fails and touches nothing,
        in check mode as well, until this is V(false).
    type: bool
    default: true
  strict:
    description:
      - Owners, modes, times, access lists and extended attributes that the target's file system or the user's rights do not allow
        are left out and named in a warning. With V(true) they make the task fail before anything is changed.
    type: bool
    default: false
seealso:
  - module: day2.ops.backup
  - module: day2.ops.backup_info
"""

EXAMPLES = r"""
- name: Bring HawkFish's database back to its newest backup
  day2.ops.restore:
    name: hawkfish
    repository: /var/backups/day2
    target:
      type: sqlite
      path: /var/lib/hawkfish/hawkfish.db
    on_existing: replace

- name: Bring back only the templates, as they were at ten o'clock
  day2.ops.restore:
    name: hostfactory
    repository: /var/backups/day2
    target:
      type: json
      path: /opt/hostfactory/data/request_database.json
    at: "2025-06-30T10:00:00Z"
    only: [templates]
    on_existing: replace

- name: Drill, restore somewhere harmless
  day2.ops.restore:
    name: hawkfish
    repository: /var/backups/day2
    target:
      type: sqlite
      path: /var/tmp/drill/hawkfish.db
"""

RETURN = r"""
backup:
  description: The backup that was restored (in check mode, would be), as described for M(day2.ops.backup).
  type: dict
  returned: success
  sample:
    id: 20250630T120000Z-3f2a9c1b
    created: "2025-06-30T12:00:00Z"
foreign:
  description: Whether the backup is of another host than O(host), or without it than this one.
  type: bool
  returned: success
  sample: false
safety_backup:
  description: The backup of what was replaced, described in the same way; V(none) when nothing was, and in check mode.
  type: dict
  returned: success
  sample:
    id: 20250630T130000Z-77aa12bc
    kind: safety
targets:
  description: What became of each target.
  type: list
  elements: dict
  returned: success
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
      description: Where it was restored.
      type: str
      sample: /var/lib/hawkfish/hawkfish.db
    changed:
      description: Whether it differed from the backup.
      type: bool
      sample: true
    changes:
      description: Records of each collection before and after.
      type: list
      elements: dict
      contains:
        name:
          description: A table, a top-level key, or a kind of file.
          type: str
          sample: hf_systems
        before:
          description: How many records the target had; V(none) when it was not there.
          type: int
          sample: 1200
        after:
          description: How many it has.
          type: int
          sample: 1250
msg:
  description: What was done, in words.
  type: str
  returned: success
  sample: Restored /var/lib/hawkfish/hawkfish.db from backup 20250630T120000Z-3f2a9c1b of 2025-06-30T12:00:00Z.
problems:
  description: When a backup is damaged, each problem and the file it is in.
  type: list
  elements: dict
  returned: failure because of a damaged backup
  contains:
    path:
      description: The file within the backup.
      type: str
      sample: data/hawkfish.db.zst
    problem:
      description: What is wrong with it.
      type: str
      sample: it is missing, or no regular file
duration_s:
  description: Seconds that the task took on the host.
  type: float
  returned: success
  sample: 1.9
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs import restore


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **restore.ARGUMENTS), restore.run)


if __name__ == "__main__":
    main()
