# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: valid_resource_name
short_description: Whether a text is the name of a resource
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Tests whether a string is a valid name of a kind of resource. Other types of values are not.
  - The whole name must match the pattern of its kind, start with its prefix, and have at most 255 bytes.
extends_documentation_fragment:
  - day2.ops.naming
positional: kind
options:
  _input:
    description: The name.
    type: raw
    required: true
  kind:
    description: The kind of resource, such as V(template). An unknown kind is an error.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse a template that cannot be called like this
  ansible.builtin.assert:
    that: template_id is day2.ops.valid_resource_name('template')
  vars:
    template_id: template-web-server

- name: Another pattern for templates
  ansible.builtin.assert:
    that: "'tpl-web' is day2.ops.valid_resource_name('template', naming)"
  vars:
    naming: {patterns: {template_id: "^tpl-[a-z]+$"}, prefixes: {template: tpl-}}
"""

RETURN = r"""
_value:
  description: Whether it is such a name.
  type: bool
"""

from collections.abc import Mapping
from typing import Any, Callable, Optional

from ansible_collections.day2.ops.plugins.plugin_utils.filters import as_filter
from ansible_collections.day2.ops.plugins.plugin_utils.naming import Naming


def valid_resource_name(name: object, kind: str, naming: Optional[Mapping[str, Any]] = None) -> bool:
    return Naming(naming).is_valid(name, kind)


class TestModule:
    def tests(self) -> dict[str, Callable[..., Any]]:
        return {"valid_resource_name": as_filter(valid_resource_name)}
