#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migrate_info
short_description: Where a migration stands, and how its two stores differ
version_added: 0.1.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Tells whether a run of M(day2.ops.migrate) was interrupted and how far it has come, which safety backup it would go back to, and
    which version the schema of a database has.
  - With O(compare) reads both stores and tells for each collection what a migration would add, change and remove. Nothing is
    written, and no permission to write is needed.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.info
  - day2.ops.migration
options:
  source:
    description: The store that is read.
    type: dict
    required: true
    suboptions:
      type:
        description:
          - What kind of store it is.
          - V(json), a document whose top-level keys are collections.
          - V(sqlite), a database of SQLite 3; its tables are collections.
          - V(postgresql), a schema of a PostgreSQL database (13 or newer); needs psycopg 3 on the host.
          - V(dynamodb), tables of DynamoDB; needs boto3 on the host.
        type: str
        choices: [dynamodb, json, postgresql, sqlite]
        required: true
      path:
        description: For V(json) and V(sqlite), the file on the host.
        type: path
      values:
        description:
          - For V(json), how the document has what JSON lacks.
          - V(plain), as applications read and write it. A time is ISO 8601 text, bytes are base64, NaN and infinities are text. No
            mapping has a meaning of its own. This is the default.
          - >-
            V(exact), as mappings with one key, so that they come back as what they were, like C({"$time": "2025-06-30T10:00:00Z"}),
            C({"$bytes": "AAE="}) and C({"$number": "NaN"}). If a mapping of the data looks like one of these, its key gets one more C($).
          - Where a field of the source has text in some records and such values in others, a document that is written with V(plain)
            has these mappings in that field, and a warning names it.
        type: str
        choices: [plain, exact]
      database:
        description: For V(postgresql), the database.
        type: str
      host:
        description: For V(postgresql), the server, or the directory of its socket. libpq's own defaults hold for what is not given.
        type: str
      port:
        description: For V(postgresql), the server's port.
        type: int
      user:
        description: For V(postgresql), the role.
        type: str
      password:
        description: For V(postgresql), its password. A password file (C(~/.pgpass)) on the host does as well.
        type: str
      schema:
        description: For V(postgresql), the schema whose tables are the collections; the default is V(public).
        type: str
      sslmode:
        description: For V(postgresql), whether the connection is encrypted and the server's certificate checked.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      prefix:
        description: For V(dynamodb), what the names of the tables start with. The rest is the collection's name.
        type: str
      tables:
        description: For V(dynamodb), the table of each collection, instead of O(source.prefix).
        type: dict
      region:
        description: For V(dynamodb), the region.
        type: str
      endpoint_url:
        description: For V(dynamodb), another endpoint than Amazon's.
        type: str
      profile:
        description: For V(dynamodb), a profile of the host's AWS configuration.
        type: str
      access_key:
        description: For V(dynamodb), the access key. Without it, boto3 finds credentials as usual.
        type: str
      secret_key:
        description: For V(dynamodb), the secret key.
        type: str
      session_token:
        description: For V(dynamodb), the session token of temporary credentials.
        type: str
      throttle_timeout:
        description: For V(dynamodb), how long to go on when it takes nothing more; the default is V(5m).
        type: str
  compare:
    description: Whether to read all records of both stores and compare them.
    type: bool
    default: false
  repository:
    description: The directory that keeps the safety backups of the target.
    type: path
  name:
    description: The backup set. The default is the name of the target's file or database.
    type: str
seealso:
  - module: day2.ops.migrate
"""

EXAMPLES = r"""
- name: See whether HostFactory's database still has what the document has
  day2.ops.migrate_info:
    source:
      type: json
      path: /opt/hostfactory/data/request_database.json
    target:
      type: sqlite
      path: /opt/hostfactory/data/request_database.db
    compare: true
  register: migration
  failed_when: migration.unfinished or not migration.same
"""

RETURN = r"""
source:
  description: The store that is read.
  type: str
  returned: success
  sample: /opt/hostfactory/data/request_database.json
target:
  description: The store that is written.
  type: str
  returned: success
  sample: /opt/hostfactory/data/request_database.db
unfinished:
  description: Whether a migration was interrupted. The next run of M(day2.ops.migrate) continues it.
  type: bool
  returned: success
  sample: false
checkpoints:
  description: How far unfinished migrations have come, one entry for each collection that was begun.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The collection.
      type: str
      sample: machines
    source:
      description: The store that is read.
      type: str
      sample: /opt/hostfactory/data/request_database.json
    on_existing:
      description: The value of O(day2.ops.migrate#module:on_existing) that it was begun with.
      type: str
      sample: replace
    done:
      description: Records that are committed in the target, or rejected.
      type: int
      sample: 2500
    total:
      description: Records of the source.
      type: int
      sample: 3750
    rejected:
      description: Records that the target can't hold.
      type: int
      sample: 0
    removed:
      description: Records of the target that were removed since the migration began.
      type: int
      sample: 0
same:
  description: With O(compare), whether the target has all records of the source, and no others in these collections.
  type: bool
  returned: success
  sample: true
comparison:
  description: With O(compare), what a migration would do with O(day2.ops.migrate#module:on_existing=replace).
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The collection.
      type: str
      sample: machines
    total:
      description: Records of the source.
      type: int
      sample: 3750
    added:
      description: Records that the target does not have.
      type: int
      sample: 0
    changed:
      description: Records that differ.
      type: int
      sample: 0
    removed:
      description: Records that only the target has.
      type: int
      sample: 0
    left:
      description: Records that are the same.
      type: int
      sample: 3750
    rejected:
      description: Records that the target can't hold.
      type: int
      sample: 0
    digest:
      description: The digest of the source's records, in whatever order.
      type: str
      sample: 3f2a9c1b5be0b7a7a3f9a6d3a1c2c3c4d5e6f708192a3b4c5d6e7f8091a2b3c4
safety_backup:
  description: The id of the backup that C(state=reverted) would go back to; V(none) where there is none, or O(repository) is not given.
  type: str
  returned: success
  sample: 20250630T120000Z-3f2a9c1b
schema_version:
  description: The newest version of the target's schema that M(day2.ops.migrate) has applied; V(none) without any.
  type: int
  returned: success
  sample: 7
msg:
  description: The same in words.
  type: str
  returned: success
  sample: request_database.json and request_database.db hold the same records.
duration_s:
  description: Seconds that the task took on the host.
  type: float
  returned: success
  sample: 0.4
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import info as migrate_info


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **migrate_info.ARGUMENTS), migrate_info.run)


if __name__ == "__main__":
    main()
