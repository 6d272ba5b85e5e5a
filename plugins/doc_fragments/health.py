# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options for reports and the history of health checks."""

from __future__ import annotations


class ModuleDocFragment:
    """Reports and history."""

    REPORT = r"""
options:
  report:
    description:
      - Files to write the result to. Each is replaced atomically and has mode V(0644). Its directory must exist.
      - A report is written on each run, as its times show that checks are still running. The task reports a change only
        if a check was added, was removed, or has another status than in the previous file. Measured values are updated
        without reporting a change.
      - Symbolic links are followed only in directories that no other user can write to.
    type: list
    elements: dict
    default: []
    suboptions:
      format:
        description:
          - V(json) is the result as the task returns it.
          - V(junit) is JUnit XML. A critical check is a failure, an unknown one an error, and a quiet or skipped one is
            skipped.
          - V(nagios) has one line per check in the output format of monitoring plugins, with performance data, worst
            first. A skipped check is C(DEPENDENT).
          - V(prometheus) is for the textfile collector of node_exporter. The file name must end with C(.prom). The part
            before it is the label C(report) of all series. Alert rules and a Grafana dashboard are in the files of the
            role P(day2.ops.health_checks#role).
        type: str
        choices: [json, junit, nagios, prometheus]
        required: true
      path:
        description: Path of the file.
        type: path
        required: true
"""

    HISTORY = r"""
options:
  history:
    description:
      - SQLite file that stores the results for M(day2.ops.health_info). It is created if it does not exist.
      - Several runs can write to it at the same time. A file that is damaged or of another kind is never overwritten.
      - Storing results does not count as a change.
    type: dict
    suboptions:
      path:
        description:
          - Path of the file, in a directory that only its owner and root can write to. A missing directory is created
            with mode V(0700).
        type: path
        required: true
      keep:
        description: How long to keep results.
        type: dict
        suboptions:
          within:
            description: Maximum age of results. The default is V(8d).
            type: str
"""
