# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: size
short_description: Bytes of a size
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Returns the number of bytes of a size, in the format that options of this collection accept.
options:
  _input:
    description: A size such as V(100M) or V(1.5 GiB), or a number of bytes. V(K) means 1024 bytes.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Twice the size of the largest log
  ansible.builtin.debug:
    msg: "{{ ('100M' | day2.ops.size) * 2 }}" # 209715200
"""

RETURN = r"""
_value:
  description: Bytes.
  type: int
"""

from typing import Any, Callable

from ansible_collections.day2.ops.plugins.module_utils._core.units import parse_size
from ansible_collections.day2.ops.plugins.plugin_utils.filters import as_filter


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"size": as_filter(parse_size)}
