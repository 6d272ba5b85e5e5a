#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence_info
short_description: Verify, list and export the journal of evidence of a host
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - With O(day2.ops.backup#module:evidence), each backup, copy, full verification, restore and drill adds a line to the journal
    of the host (C(/var/lib/day2/state/evidence/journal.jsonl)). Each line has the digest of the line before it, and the last line is anchored
    in the repositories. This module verifies that no line was changed, removed or inserted.
  - The journal belongs to the user of the task. Run as root (C(become)) to verify the journal of scheduled jobs.
  - C(docs/EVIDENCE.md) of the collection describes which changes are detected and which are not.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.evidence.repositories
attributes:
  check_mode:
    support: full
    details:
      - Check mode reads the same, and does not write O(export).
  diff_mode:
    support: N/A
    details:
      - Nothing is modified, except that O(export) is written.
  idempotent:
    support: full
options:
  ended:
    description:
      - IDs of earlier journals of this host that are known to have ended, for example because the host was reinstalled.
        An anchor of another journal that is not listed here means that the journal was replaced.
    type: list
    elements: str
  since:
    description:
      - List and export only entries since this time, for example V(2026-01-31), or within this time before now, for example V(90d).
        All lines are verified in any case.
    type: str
  set:
    description: List and export only entries of this backup set.
    type: str
  verb:
    description:
      - List and export only entries of this kind. V(begun), V(cut) and V(torn) are entries about the journal itself.
    type: str
    choices: [backup, copy, restore, verification, drill, begun, cut, torn]
  limit:
    description: Largest number of RV(entries), the newest. O(export) has all of them.
    type: int
    default: 100
  export:
    description: Write the entries into a file of the host that only its owner can read.
    type: dict
    suboptions:
      path:
        description: Path of the file. Its directory must exist, and other users must not be able to write to it.
        type: path
        required: true
      format:
        description:
          - V(json) contains everything, including the state of the chain. V(csv) is a table of the most important
            columns, in which text that a spreadsheet would interpret as a formula begins with an apostrophe.
        type: str
        choices: [csv, json]
        default: json
  fail_on:
    description: States of the chain with which the task fails. An empty list never fails.
    type: list
    elements: str
    choices: [broken, unproven]
    default: [broken]
seealso:
  - module: day2.ops.backup
  - module: day2.ops.fleet_report
"""

EXAMPLES = r"""
- name: Verify the journal of evidence against the repository
  day2.ops.evidence_info:
    repositories:
      - repository: s3://backups/hawkfish
        s3:
          region: eu-central-1
  become: true

- name: Export the last quarter for an auditor
  day2.ops.evidence_info:
    repositories:
      - repository: /var/backups/day2
    since: 90d
    export:
      path: /root/evidence.csv
      format: csv
  become: true
"""

RETURN = r"""
chain:
  description:
    - V(intact) if each line matches the line before it, and a repository contains an anchor that matches the journal.
    - V(broken) if a line or an anchor contradicts it.
    - V(unproven) if no anchor was found, not all could be read, or there is no journal.
  type: str
  returned: always
  sample: intact
problem:
  description: The first contradiction. V(none) if there is none.
  type: dict
  returned: always
  contains:
    line:
      description: Number of the first line that is wrong or missing; V(0) if it is the whole journal.
      type: int
      sample: 17
    why:
      description: Description of the contradiction, as a sentence.
      type: str
      sample: "Line 18 does not have the digest of line 17: one of them was changed or inserted."
head:
  description: The last line. V(none) if there is no journal.
  type: dict
  returned: always
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
path:
  description: The journal.
  type: str
  returned: always
  sample: /var/lib/day2/state/evidence/journal.jsonl
anchors:
  description: For each repository and journal, the newest anchor that matches, and the newest one that does not.
  type: list
  elements: dict
  returned: always
  contains:
    repository:
      description: Address of the repository.
      type: str
      sample: s3://backups/hawkfish
    journal:
      description: ID of the journal.
      type: str
      sample: 5be01c9f3f2a9c1b
    count:
      description: Number of the anchored line.
      type: int
      sample: 1234
    digest:
      description: SHA-256 of that line when it was anchored.
      type: str
      sample: 8e0f4c0d9a3b5f1e2d7c6b8a9f0e1d2c3b4a5f6e7d8c9b0a1f2e3d4c5b6a7f80
    time:
      description: Time of that line.
      type: str
      sample: "2025-06-30T12:00:00Z"
    matches:
      description: Whether the journal contains that line. V(none) if it was cut off according to a later line, or if
        the journal is in O(ended).
      type: bool
      sample: true
count:
  description: Number of entries that O(since), O(set) and O(verb) select.
  type: int
  returned: always
  sample: 96
entries:
  description: The newest of these entries, newest first. C(docs/EVIDENCE.md) documents all keys.
  type: list
  elements: dict
  returned: always
  contains:
    count:
      description: Number of the line.
      type: int
      sample: 1234
    time:
      description: Time of the entry.
      type: str
      sample: "2025-06-30T12:00:00Z"
    host:
      description: Host name.
      type: str
      sample: hawkfish1
    event:
      description: Kind of the entry, one of the choices of O(verb).
      type: str
      sample: backup
    set:
      description: Backup set.
      type: str
      sample: hawkfish
    verdict:
      description: V(ok), V(unchanged), V(failed) or V(stopped); for a drill, V(pass), V(fail) or V(inconclusive).
      type: str
      sample: ok
    backup:
      description: ID of the backup.
      type: str
      sample: 20250630T120000Z-3f2a9c1b
msg:
  description: The state in words.
  type: str
  returned: always
  sample: "The journal of evidence is intact: 1234 lines, proven up to line 1234 by s3://backups/hawkfish"
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: always
  sample: 0.2
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs import evidence_info


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **evidence_info.ARGUMENTS), evidence_info.run)


if __name__ == "__main__":
    main()
