# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: duration
short_description: Seconds of a duration
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Returns the number of seconds of a duration, in the format that options of this collection accept.
options:
  _input:
    description: A duration such as V(500ms), V(90s), V(1h30m) or V(30d), or a number of seconds.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Wait half as long as the backup may be old
  ansible.builtin.debug:
    msg: "{{ ('26h' | day2.ops.duration) / 2 }}" # 46800.0
"""

RETURN = r"""
_value:
  description: Seconds.
  type: float
"""

from typing import Any, Callable

from ansible_collections.day2.ops.plugins.module_utils._core.units import parse_duration
from ansible_collections.day2.ops.plugins.plugin_utils.filters import as_filter


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"duration": as_filter(parse_duration)}
