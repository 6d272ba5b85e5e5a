# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: scheduled_job
short_description: Files of a scheduled job
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Checks a job of the role P(day2.ops.schedule#role), and returns the job file and the units that run it on a host.
  - The arguments of the job are checked and converted like those of the module.
options:
  _input:
    description: A job, as in O(day2.ops.schedule#role:main:schedule_jobs).
    type: dict
    required: true
  random_delay:
    description: Default of the option of this name of a job.
    type: str
    required: true
  timeout:
    description: Default of the option of this name of a job.
    type: str
    required: true
  program:
    description: Command line of the host program.
    type: str
    required: true
  notify:
    description: Channels, as in O(day2.ops.schedule#role:main:schedule_notify).
    type: list
    elements: dict
    default: []
  encrypted:
    description: Whether credentials are encrypted, as with O(day2.ops.schedule#role:main:schedule_encrypt_credentials).
    type: bool
    default: false
  metrics:
    description: File of metrics, as in O(day2.ops.schedule#role:main:schedule_metrics).
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show the unit of a job
  ansible.builtin.debug:
    msg: "{{ (job | day2.ops.scheduled_job(random_delay='10m', timeout='1h', program='/usr/local/bin/day2')).service }}"
  vars:
    job:
      name: hawkfish
      verb: backup
      on_calendar: daily
      arguments:
        name: hawkfish
        source: {type: sqlite, path: /var/lib/hawkfish/hawkfish.db}
        repository: /var/backups/day2
"""

RETURN = r"""
_value:
  description: The texts of the files.
  type: dict
  contains:
    name:
      description: Name of the job.
      type: str
    job:
      description: The job file, JSON.
      type: str
    service:
      description: The service of systemd.
      type: str
    starters:
      description: The timers and the path unit of systemd that start the service, as dictionaries of C(unit) and C(content).
      type: list
      elements: dict
    cron:
      description: The line of a crontab.
      type: str
"""

from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.day2.ops.plugins.plugin_utils.filters import as_filter
from ansible_collections.day2.ops.plugins.plugin_utils.schedule import scheduled_job


def _scheduled_job(
    job: Mapping[str, Any],
    *,
    random_delay: str,
    timeout: str,
    program: str,
    notify: Any = (),
    encrypted: bool = False,
    metrics: str = "",
) -> dict[str, Any]:
    defaults = {
        "random_delay": random_delay,
        "timeout": timeout,
        "program": program,
        "notify": notify,
        "encrypted": encrypted,
        "metrics": metrics,
    }
    return scheduled_job(job, defaults)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"scheduled_job": as_filter(_scheduled_job)}
