# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of health checks that write what they found, and of what reads it."""

from __future__ import annotations


class ModuleDocFragment:
    """Reports and history."""

    REPORT = r"""
options:
  report:
    description:
      - Files to write the result to. Each is replaced in one step, has mode V(0644), and its directory must exist.
      - A report is written each time, as the times in it show that checks still run. It counts as changed when a check came,
        went or has another status than in the file that was there; what was measured is brought up to date in silence.
      - A symbolic link is followed only in a directory that nobody else can write.
    type: list
    elements: dict
    default: []
    suboptions:
      format:
        description:
          - V(json) is the result as the task returns it.
          - V(junit) is JUnit XML; a critical check is a failure, an unknown one an error, a quiet or skipped one is skipped.
          - V(nagios) has one line a check as monitoring plugins print it, with performance data, the worst first. A skipped
            check is C(DEPENDENT).
          - V(prometheus) is for the textfile collector of node_exporter. The file's name must end in C(.prom); what stands
            before it is the label C(report) of all series. Alert rules and a Grafana dashboard for it are in the files of the
            role P(day2.ops.health_checks#role).
        type: str
        choices: [json, junit, nagios, prometheus]
        required: true
      path:
        description: The file.
        type: path
        required: true
"""

    HISTORY = r"""
options:
  history:
    description:
      - A SQLite file that keeps what was found, for M(day2.ops.health_info). It is created when it is missing.
      - Several runs may write to it at once. A file that is damaged, or something else, is never overwritten.
      - Keeping what was found does not count as a change.
    type: dict
    suboptions:
      path:
        description:
          - The file, in a directory that only its owner and root can write. A directory that is missing is created with mode
            V(0700).
        type: path
        required: true
      keep_within:
        description: How long to keep what was found.
        type: str
        default: 8d
"""
