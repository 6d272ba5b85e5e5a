#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: records_validate
short_description: Compare the records of a collection with a JSON schema
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Validates each record of a table or of a top-level key of a document. Nothing is ever written.
  - Times are ISO 8601 text and bytes are base64 text for the schema.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.info
  - day2.ops.migration.records
options:
  schema:
    description:
      - The JSON schema of one record.
      - The V(builtin) validator knows C(type), C(enum), C(const), C(required), C(properties), C(additionalProperties),
        C(items), C(pattern), C(multipleOf), the minimum and maximum of numbers, lengths, items and properties,
        C(uniqueItems), C(allOf), C(anyOf), C(oneOf), C(not), C(if), C(then), C(else), C($defs) and C($ref) within the
        schema. Any other keyword that constrains records is an error. C(format) is ignored.
    type: dict
    required: true
  validator:
    description: V(jsonschema) uses the Python package of that name on the host, which knows all keywords and checks formats.
    type: str
    choices: [builtin, jsonschema]
    default: builtin
  max_invalid:
    description: Number of invalid records up to which the task succeeds.
    type: int
    default: 0
seealso:
  - module: day2.ops.records_update
"""

EXAMPLES = r"""
- name: Check the templates of HostFactory
  day2.ops.records_validate:
    store:
      type: json
      path: /opt/hostfactory/data/request_database.json
    collection: templates
    schema:
      required: [template_id, cpus]
      properties:
        template_id:
          type: string
          pattern: ^[A-Za-z0-9_-]+$
        cpus:
          type: integer
          minimum: 1
"""

RETURN = r"""
valid:
  description: Number of valid records.
  type: int
  returned: always, unless the store can't be read
  sample: 12
invalid:
  description: Number of invalid records.
  type: int
  returned: always, unless the store can't be read
  sample: 0
errors:
  description: The first 100 errors.
  type: list
  elements: dict
  returned: always, unless the store can't be read
  contains:
    key:
      description: Key of the record, or a list of values if the key has several fields.
      type: raw
      sample: template-web
    path:
      description: Location of the error in the record, as a JSON pointer. It is empty for the record itself.
      type: str
      sample: /cpus
    keyword:
      description: Keyword of the schema that the record violates.
      type: str
      sample: minimum
    message:
      description: Description of the error.
      type: str
      sample: 0 is less than 1
msg:
  description: Summary.
  type: str
  returned: always
  sample: 12 of 12 records of templates are valid.
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: always, unless the store can't be read
  sample: 0.1
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import validate


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **validate.ARGUMENTS), validate.run)


if __name__ == "__main__":
    main()
