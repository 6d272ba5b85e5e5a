# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: resource_name
short_description: Make a name for a resource
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Makes a name for a resource of a kind, by the naming rules of the application.
  - Only a random UUID differs from run to run. Set O(unique) for tasks that have to be idempotent.
extends_documentation_fragment:
  - day2.ops.naming
positional: name
options:
  _input:
    description: The kind of resource, such as V(template), V(request) or V(machine).
    type: str
    required: true
  name:
    description:
      - Text from which the name is made, if the generator of the kind uses one. Accents are removed, and characters
        other than letters and digits become V(-).
      - In a sequential name, it precedes the number.
    type: str
    default: ""
  prefix:
    description: Text to put before the prefix of the kind. The result is not compared with the pattern of the kind.
    type: str
    default: ""
  existing:
    description:
      - The names that exist. A sequential name has the number after the largest one, so that no counter is stored anywhere.
      - Two hosts that ask at the same time can get the same number. The unique key of the store decides; run again.
    type: list
    elements: str
    default: []
  unique:
    description: A text, for a UUID (version 5) that is always the same for the same text.
    type: str
"""

EXAMPLES = r"""
- name: Names of a template, a machine and a request
  ansible.builtin.debug:
    msg:
      - "{{ 'template' | day2.ops.resource_name('web-server') }}" # template-web-server
      - "{{ 'machine' | day2.ops.resource_name(existing=['machine-0007']) }}" # machine-0008
      - "{{ 'request' | day2.ops.resource_name(unique=inventory_hostname) }}" # the same in each run
      - "{{ 'request' | day2.ops.resource_name(prefix='prod') }}" # prod-req-… with a random UUID
"""

RETURN = r"""
_value:
  description: The name, of at most 255 bytes.
  type: str
"""

from collections.abc import Iterable, Mapping
from typing import Any, Callable, Optional

from ansible_collections.day2.ops.plugins.plugin_utils.filters import as_filter
from ansible_collections.day2.ops.plugins.plugin_utils.naming import Naming


def resource_name(
    kind: str,
    name: str = "",
    *,
    prefix: str = "",
    existing: Iterable[str] = (),
    unique: Optional[str] = None,
    naming: Optional[Mapping[str, Any]] = None,
) -> str:
    return Naming(naming).make(kind, name, prefix, existing, unique)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"resource_name": as_filter(resource_name)}
