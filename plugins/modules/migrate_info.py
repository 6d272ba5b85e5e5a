#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migrate_info
short_description: Report the state of a migration and compare its stores
version_added: 0.1.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Reports whether a run of M(day2.ops.migrate) was interrupted and how far it got, which safety backup a revert would
    restore, and the schema version of a database.
  - With O(compare), reads both stores and reports for each collection how many records a migration would add, change
    and remove. Nothing is written, and no write permission is required.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.info
  - day2.ops.migration
options:
  source:
    description: The store to read.
    type: dict
    required: true
    suboptions:
      type:
        description:
          - Type of the store.
          - V(json) is a document whose top-level keys are collections.
          - V(sqlite) is an SQLite 3 database whose tables are collections.
          - V(postgresql) is a schema of a PostgreSQL database (13 or newer). It requires psycopg 3 on the host.
          - V(dynamodb) is a set of DynamoDB tables. It requires boto3 on the host.
        type: str
        choices: [dynamodb, json, postgresql, sqlite]
        required: true
      path:
        description: For V(json) and V(sqlite), path of the file on the host.
        type: path
      values:
        description:
          - For V(json), how the document represents values that JSON lacks.
          - V(plain) represents them as applications read and write them. Times are ISO 8601 strings, bytes are base64,
            and NaN and infinities are strings. No mapping has a special meaning. This is the default.
          - 'V(exact) represents them as mappings with one key, from which the original values can be restored, such as
            C({"$time": "2025-06-30T10:00:00Z"}), C({"$bytes": "AAE="}) and C({"$number": "NaN"}). If a mapping in the
            data looks like one of these, another C($) is added to its key.'
          - If a field of the source contains text in some records and such values in others, a document written with
            V(plain) contains these mappings in that field, and a warning names the field.
        type: str
        choices: [plain, exact]
      database:
        description: For V(postgresql), name of the database.
        type: str
      host:
        description:
          - For V(postgresql), name of the server, or directory of its socket. Parameters that are not set use the
            defaults of libpq.
        type: str
      port:
        description: For V(postgresql), port of the server.
        type: int
      user:
        description: For V(postgresql), role to connect as.
        type: str
      password:
        description:
          - For V(postgresql), password of the role. A password file (C(~/.pgpass)) on the host can be used instead.
        type: str
      schema:
        description: For V(postgresql), schema whose tables are the collections. The default is V(public).
        type: str
      sslmode:
        description:
          - For V(postgresql), whether the connection is encrypted and the certificate of the server is verified.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      prefix:
        description: For V(dynamodb), prefix of the table names. The rest of a table name is the name of the collection.
        type: str
      tables:
        description: For V(dynamodb), mapping of collections to table names. Use either this or O(source.prefix).
        type: dict
      region:
        description: For V(dynamodb), AWS region.
        type: str
      endpoint_url:
        description: For V(dynamodb), URL of the endpoint, if it is not one of Amazon's.
        type: str
      profile:
        description: For V(dynamodb), profile in the AWS configuration of the host.
        type: str
      access_key:
        description: For V(dynamodb), access key. If not set, boto3 looks up credentials as usual.
        type: str
      secret_key:
        description: For V(dynamodb), secret key.
        type: str
      session_token:
        description: For V(dynamodb), session token of temporary credentials.
        type: str
      throttle_timeout:
        description: For V(dynamodb), how long to retry while throttled. The default is V(5m).
        type: str
  compare:
    description: Whether to read and compare all records of both stores.
    type: bool
    default: false
  repository:
    description: Directory that contains the safety backups of the target.
    type: path
  name:
    description: Name of the backup set. The default is the name of the file or database of the target.
    type: str
seealso:
  - module: day2.ops.migrate
"""

EXAMPLES = r"""
- name: Check that the HostFactory database still equals the document
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
  description: Location of the source.
  type: str
  returned: success
  sample: /opt/hostfactory/data/request_database.json
target:
  description: Location of the target.
  type: str
  returned: success
  sample: /opt/hostfactory/data/request_database.db
unfinished:
  description: Whether a migration was interrupted. The next run of M(day2.ops.migrate) continues it.
  type: bool
  returned: success
  sample: false
checkpoints:
  description: Progress of unfinished migrations, one entry for each collection that was started.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the collection.
      type: str
      sample: machines
    source:
      description: Location of the source.
      type: str
      sample: /opt/hostfactory/data/request_database.json
    on_existing:
      description: Value of O(day2.ops.migrate#module:on_existing) that the migration was started with.
      type: str
      sample: replace
    done:
      description: Number of records that are committed in the target, or rejected.
      type: int
      sample: 2500
    total:
      description: Number of records in the source.
      type: int
      sample: 3750
    rejected:
      description: Number of records that the target cannot store.
      type: int
      sample: 0
    removed:
      description: Number of records removed from the target since the migration began.
      type: int
      sample: 0
same:
  description: With O(compare), whether the target has all records of the source, and no others in these collections.
  type: bool
  returned: success
  sample: true
comparison:
  description:
    - With O(compare), the changes that a migration with O(day2.ops.migrate#module:on_existing=replace) would make.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the collection.
      type: str
      sample: machines
    total:
      description: Number of records in the source.
      type: int
      sample: 3750
    added:
      description: Number of records that are missing from the target.
      type: int
      sample: 0
    changed:
      description: Number of records that differ.
      type: int
      sample: 0
    removed:
      description: Number of records that only the target has.
      type: int
      sample: 0
    left:
      description: Number of records that are the same.
      type: int
      sample: 3750
    rejected:
      description: Number of records that the target cannot store.
      type: int
      sample: 0
    digest:
      description: Digest of the records of the source, independent of their order.
      type: str
      sample: 3f2a9c1b5be0b7a7a3f9a6d3a1c2c3c4d5e6f708192a3b4c5d6e7f8091a2b3c4
safety_backup:
  description:
    - ID of the backup that C(state=reverted) would restore. V(none) if no such backup exists or O(repository) is not
      set.
  type: str
  returned: success
  sample: 20250630T120000Z-3f2a9c1b
schema_version:
  description:
    - Newest version of the schema of the target that M(day2.ops.migrate) has applied. V(none) if it has applied none.
  type: int
  returned: success
  sample: 7
msg:
  description: The result in words.
  type: str
  returned: success
  sample: request_database.json and request_database.db hold the same records.
duration_s:
  description: Duration of the task on the host in seconds.
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
