# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: parse_resource_name
short_description: The kind and the ID of the name of a resource
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Returns the kind of a name and the text after its prefix.
  - If several kinds match, the longest prefix decides. A name that matches no kind is an error.
extends_documentation_fragment:
  - day2.ops.naming
options:
  _input:
    description: The name.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: What a name stands for
  ansible.builtin.debug:
    msg: "{{ 'req-12345678-1234-1234-1234-123456789012' | day2.ops.parse_resource_name }}"
    # {"type": "request", "id": "12345678-1234-1234-1234-123456789012"}
"""

RETURN = r"""
_value:
  description: A dictionary with V(type), the kind, and V(id), the text after the prefix.
  type: dict
"""

from collections.abc import Mapping
from typing import Any, Callable, Optional

from ansible_collections.day2.ops.plugins.plugin_utils.filters import as_filter
from ansible_collections.day2.ops.plugins.plugin_utils.naming import Naming


def parse_resource_name(name: str, naming: Optional[Mapping[str, Any]] = None) -> dict[str, str]:
    return Naming(naming).parse(name)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"parse_resource_name": as_filter(parse_resource_name)}
