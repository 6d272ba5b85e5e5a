#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: log_report
short_description: Report performance and errors from an application's logs
version_added: 0.1.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Reads logs in one pass and in bounded memory, including rotated and compressed ones (C(.gz), C(.zst), C(.xz)), and returns how
    many operations there were, how long they took, and how many failed.
  - A line is an error if its level is one of O(error_levels), its status is O(error_status) or more, or it has an error code. Codes
    that stand for success, such as V(00000), are not errors.
  - Percentiles are nearest ranks, within 1 % of the exact value. Counts, means and maxima are exact.
  - A warning is shown if most lines have no readable time, or no known level, status or error code, or are not in the O(format),
    as the report would otherwise look like that of a quiet log.
  - Nothing of a line is returned but names of operations (without what follows a C(?)) and codes of errors.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.info
options:
  paths:
    description:
      - The log files, or patterns that find them and what became of them by rotation, for example V(/var/log/app.log*).
      - A file that is found twice is read once. Links that a pattern finds are left out.
      - With O(since), files last written before it are left out; RV(older_files) names them.
    type: list
    elements: path
    required: true
  format:
    description:
      - V(json) is one JSON object a line.
      - V(combined) is the access log of nginx and Apache, common or combined, with nginx's C($request_time) at the end if it has one.
        Requests that are not HTTP are the operation V((invalid request\)).
      - V(regex) takes lines apart by O(pattern).
    type: str
    choices: [json, combined, regex]
    default: json
  pattern:
    description:
      - For O(format=regex), a Python regular expression that is searched for in each line, with named groups V(time),
        V(operation), V(duration), V(status), V(level) and V(code), any of which can be left out.
    type: str
  multiline:
    description:
      - A Python regular expression that the first line of each record matches, for example V(^[0-9]{4}-). Other lines, such as those
        of a stack trace, belong to the record before them.
      - With O(format=regex), O(pattern) is searched for in the whole record, whose lines end in C(\\n). With O(format=json), a record
        is one object over several lines, or an object in one line, in which case further lines are left out.
    type: str
  unwrap:
    description:
      - Whether to read the application's own lines out of those of Docker (C(json-file)), containerd (CRI), CloudWatch Logs, and
        C(journalctl -o json), and JSON out of what follows a time and a name.
      - If a line of JSON has no time of its own, that of the wrapper is used.
    type: bool
    default: true
  since:
    description:
      - Only lines from this time on. A time in ISO 8601, in O(timezone) if it has no offset, or a duration before now such as V(24h).
    type: str
  until:
    description: Only lines before this time. A time, or a duration before now.
    type: str
  fields:
    description:
      - For O(format=json), the names of the fields, if they are not the common ones. V(a.b) is the member C(b) of C(a).
      - By default the first one that a line has and that is not null is used.
    type: dict
    default: {}
    suboptions:
      time:
        description: >-
          Time of the line. The common names are C(timestamp), C(@timestamp), C(time), C(ts), C(datetime), C(asctime),
          C(__REALTIME_TIMESTAMP).
        type: str
      operation:
        description: Name of the operation. The common names are C(operation), C(op), C(action), C(event), C(route), C(endpoint), C(path).
        type: str
      duration:
        description:
          - Duration of the operation. The common names are C(duration_s), C(duration_ms), C(duration_us), C(duration_ns), C(duration),
            C(processing_time_seconds), C(response_time_ms), C(response_time), C(elapsed_ms), C(elapsed), C(latency_ms), C(latency),
            C(request_time).
          - A number in O(duration_unit), or text such as V(12ms), V(340µs), V(1m2.5s), V(00:00:01.25) or V(PT0.5S).
        type: str
      status:
        description:
          - HTTP status. The common names are C(status), C(status_code), C(http_status), C(statusCode), C(http.status_code),
            C(res.statusCode). Of these, the first that holds three digits is used, as C(status) is often a word.
          - A field that is named here can hold any number, for example an exit status together with O(error_status=1).
        type: str
      level:
        description: >-
          Level of the line. The common names are C(level), C(levelname), C(severity), C(log.level), C(log_level), C(loglevel), C(lvl),
          C(error_severity), C(severity_text), C(@l), C(PRIORITY).
        type: str
      code:
        description: Error code. The common names are C(error_code), C(error.code), C(err_code).
        type: str
  time_format:
    description:
      - Format of times, as for Python's C(strptime), for example V(%Y/%m/%d %H:%M:%S).
      - By default ISO 8601 (also without separators), the forms of syslog, Apache, nginx, HTTP and C(asctime), and numbers since the
        epoch, whose size tells seconds, milliseconds, microseconds or nanoseconds, are recognized.
      - A time without a year is in the last year in which it is not later than the file's last change.
    type: str
  timezone:
    description:
      - Time zone of times without an offset, in logs and in O(since) and O(until). A name such as V(Europe/Berlin), which requires
        the time zone database on the host, or an offset such as V(+02:00).
      - Times in the hour that is repeated when summer time ends are taken for those of its first occurrence.
    type: str
    default: UTC
  duration_unit:
    description: The unit of durations. The default is what the name of the field ends in, such as C(_ms), else seconds.
    type: str
    choices: [s, ms, us, ns]
  error_levels:
    description:
      - Levels that make a line an error, in upper or lower case.
      - Each includes its other spellings, such as C(err), C(SEVERE) and C(E) for V(error), C(crit), C(emerg), C(dpanic), and numbers.
        Numbers from 0 to 7 are those of syslog and journald, numbers from 10 those of bunyan and pino, where 50 is V(error) and 60
        V(fatal).
    type: list
    elements: str
    default: [error, critical, fatal, alert, emergency, panic]
  error_status:
    description: The lowest status that makes a line an error.
    type: int
    default: 500
  slowest:
    description: How many operations to return, the slowest (by their 95th percentile) first.
    type: int
    default: 10
  show_unparsable:
    description: Return the beginnings of the first unreadable lines. They may contain secrets.
    type: bool
    default: false
seealso:
  - module: day2.ops.health_info
"""

EXAMPLES = r"""
- name: Look at the last day of HostFactory's log
  day2.ops.log_report:
    paths: [/var/log/hostfactory/app.log*]
    since: 24h
  register: performance

- name: Tell the slowest operations
  ansible.builtin.debug:
    msg: "{{ item.name }}: p95 {{ item.p95_s }} s of {{ item.total }}"
  loop: "{{ performance.operations[:5] }}"
  loop_control:
    label: "{{ item.name }}"

- name: Look at what nginx served
  day2.ops.log_report:
    paths: [/var/log/nginx/access.log*]
    format: combined

- name: Look at a log of the profiler's own format
  day2.ops.log_report:
    paths: [/var/log/data-profiler/profiler.log]
    format: regex
    pattern: '^(?P<time>\S+ \S+) (?P<level>[A-Z]+) (?P<operation>\w+) took (?P<duration>[0-9.]+)ms'
    duration_unit: ms
    timezone: Europe/Berlin
    multiline: '^[0-9]{4}/'
"""

RETURN = r"""
total:
  description: Lines in the window.
  type: int
  returned: success
  sample: 12500
errors:
  description: How many of them are errors.
  type: int
  returned: success
  sample: 125
error_rate:
  description: The same in percent.
  type: float
  returned: success
  sample: 1.0
rate_per_s:
  description:
    - Lines a second over the window; where it is open, from the first line or to the last one.
    - V(none) when that is no time at all.
  type: float
  returned: success
  sample: 0.145
first:
  description: When the first line in the window was written, to the second; V(none) without times.
  type: str
  returned: success
  sample: "2025-06-30T10:00:00Z"
last:
  description: When the last one was.
  type: str
  returned: success
  sample: "2025-07-01T10:00:00Z"
latency:
  description: The durations of all lines that have one.
  type: dict
  returned: success
  contains:
    count:
      description: How many have one.
      type: int
      sample: 12000
    mean_s:
      description: Their mean in seconds; V(none) when there are none, as below.
      type: float
      sample: 0.0330
    p50_s:
      description: Half of them took at most so many seconds.
      type: float
      sample: 0.0202
    p95_s:
      description: 95 % of them took at most so many seconds.
      type: float
      sample: 0.1046
    p99_s:
      description: 99 % of them took at most so many seconds.
      type: float
      sample: 0.2051
    max_s:
      description: The longest.
      type: float
      sample: 0.9920
operations:
  description:
    - The slowest operations, each with what RV(latency) has.
    - At most 500 are told apart; the others are one, called V((other\)).
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The operation.
      type: str
      sample: create_request
    total:
      description: Its lines.
      type: int
      sample: 1200
    errors:
      description: How many of them are errors.
      type: int
      sample: 12
    error_rate:
      description: The same in percent.
      type: float
      sample: 1.0
    count:
      description: Its lines with a duration.
      type: int
      sample: 1200
    mean_s:
      description: Their mean in seconds.
      type: float
      sample: 0.0330
    p50_s:
      description: The 50th percentile in seconds.
      type: float
      sample: 0.0202
    p95_s:
      description: The 95th percentile in seconds.
      type: float
      sample: 0.1046
    p99_s:
      description: The 99th percentile in seconds.
      type: float
      sample: 0.2051
    max_s:
      description: The longest in seconds.
      type: float
      sample: 0.9920
operations_total:
  description: How many operations there are.
  type: int
  returned: success
  sample: 24
errors_by_code:
  description: The errors by what they are known by, their code, else their status, else their level; the most frequent first.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The code.
      type: str
      sample: E_NUMERIC_FORMAT
    count:
      description: How often.
      type: int
      sample: 42
outside_window:
  description: Lines outside of the window.
  type: int
  returned: success
  sample: 0
without_time:
  description: Lines without a readable time. They are left out if O(since) or O(until) is set.
  type: int
  returned: success
  sample: 0
without_level:
  description: Lines without a known level, status or error code. Errors among them are not counted.
  type: int
  returned: success
  sample: 0
continuation_lines:
  description: Lines that belong to the one before them, according to O(multiline).
  type: int
  returned: success
  sample: 0
bad_durations:
  description: Durations that are none. Their lines count in everything else.
  type: int
  returned: success
  sample: 0
unparsable:
  description: Lines that are not what O(format) says. They count in nothing else.
  type: dict
  returned: success
  contains:
    count:
      description: How many.
      type: int
      sample: 1
    first:
      description: Where the first of them are.
      type: list
      elements: dict
      contains:
        path:
          description: The file.
          type: str
          sample: /var/log/hostfactory/app.log
        line:
          description: The number of the line, from 1.
          type: int
          sample: 17
        text:
          description: Its beginning.
          type: str
          returned: O(show_unparsable=true)
          sample: "Traceback (most recent call last):"
problems:
  description: Files that could not be read, or not to their end. The task fails if there are any; the report is about all others.
  type: list
  elements: dict
  returned: success or unreadable files
  contains:
    path:
      description: The file.
      type: str
      sample: /var/log/hostfactory/app.log.2.gz
    problem:
      description: What is wrong, and what to do.
      type: str
      sample: "/var/log/hostfactory/app.log.2.gz can't be read: the data ends in the middle. Leave it out, or repair it."
files:
  description: The files that were read.
  type: list
  elements: dict
  returned: success
  contains:
    path:
      description: The file.
      type: str
      sample: /var/log/hostfactory/app.log.1.gz
    bytes:
      description: Its size as it is stored.
      type: int
      sample: 1048576
older_files:
  description: Files that were last written before O(since).
  type: list
  elements: str
  returned: success
  sample: [/var/log/hostfactory/app.log.9.gz]
msg:
  description: The report in one line.
  type: str
  returned: success
  sample: 12500 lines, 125 errors (1 %), p50 20ms, p95 105ms, p99 205ms, slowest create_request (p95 312ms)
duration_s:
  description: Seconds that the task took on the host.
  type: float
  returned: success
  sample: 0.42
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs.logs import report as log_report


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **log_report.ARGUMENTS), log_report.run)


if __name__ == "__main__":
    main()
