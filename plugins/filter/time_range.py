# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: time_range
short_description: Start and end of a range of time
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Returns the start and the end of a range such as today or the last 24 hours.
  - The end is the first moment that is no longer part of the range.
positional: now, zone
options:
  _input:
    description:
      - V(today), V(yesterday), V(week) (from Monday), V(last_week), V(month), V(last_month), or V(last_24h) with any number
        of minutes (V(m)), hours (V(h)), days (V(d)) or weeks (V(w)).
    type: str
    required: true
  now:
    description: The time of the range in ISO 8601, for one time in a whole play. The default is the present.
    type: str
  zone:
    description: The time zone in which days begin.
    type: str
    default: UTC
"""

EXAMPLES = r"""
- name: The errors of yesterday
  ansible.builtin.debug:
    msg: "{{ 'yesterday' | day2.ops.time_range(zone='Europe/Berlin') }}"
    # {"since": "2025-06-28T22:00:00Z", "until": "2025-06-29T22:00:00Z"}
"""

RETURN = r"""
_value:
  description: A dictionary with V(since) and V(until), in ISO 8601 in UTC.
  type: dict
"""

from datetime import datetime, timezone
from typing import Any, Callable, Optional

from ansible_collections.day2.ops.plugins.module_utils._core.units import parse_time
from ansible_collections.day2.ops.plugins.plugin_utils import time_ranges
from ansible_collections.day2.ops.plugins.plugin_utils.filters import as_filter


def time_range(name: str, now: Optional[str] = None, zone: str = "UTC") -> dict[str, str]:
    when = datetime.now(timezone.utc) if now is None else parse_time(now)
    return time_ranges.time_range(name, when, zone)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"time_range": as_filter(time_range)}
