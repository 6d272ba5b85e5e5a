#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: log_report
short_description: Report performance, errors and activity from logs and from records
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Reads logs, including rotated and compressed ones (C(.gz), C(.zst), C(.xz)), in one pass and in bounded memory, and
    returns the number of operations, their durations, and the number of errors.
  - A line is an error if its level is one of O(error_levels), its status is O(error_status) or higher, or it has an
    error code. Codes that mean success, such as V(00000), are not errors.
  - Percentiles are nearest ranks, within 1 % of the exact value. Counts, means and maxima are exact.
  - A warning is issued if most lines have no readable time, have no known level, status or error code, or do not match
    O(format), as the report would otherwise look like that of a quiet log.
  - Of the content of a line, only operation names (without the part after a C(?)) and error codes are returned.
  - With O(source), the same report is made from the records of a table or collection, such as an audit log in the
    database of the application. O(counts) are counts of groups of records, O(fail_when) are thresholds for them. They
    can also be used for logs with O(format=json).
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.migration.logs
attributes:
  check_mode:
    support: full
    details:
      - Check mode reads the same, and does not write O(export).
  diff_mode:
    support: N/A
    details:
      - Nothing is modified, except that O(export) is written.
  idempotent:
    support: full
options:
  paths:
    description:
      - Log files, or globs that match them and their rotated files, for example V(/var/log/app.log*).
      - A file that is matched twice is read once. Links that a glob matches are ignored.
      - With O(since), files last written before that time are skipped. RV(older_files) lists them.
      - Either this or O(source) is required.
    type: list
    elements: path
  format:
    description:
      - V(json) is one JSON object per line.
      - V(combined) is the common or combined access log format of nginx and Apache, optionally with C($request_time) of
        nginx at the end. Requests that are not HTTP are the operation V((invalid request\)).
      - V(regex) parses lines with O(pattern).
    type: str
    choices: [json, combined, regex]
    default: json
  pattern:
    description:
      - For O(format=regex), a Python regular expression that is searched for in each line, with the named groups
        V(time), V(operation), V(duration), V(status), V(level) and V(code). Any of these can be omitted.
      - Patterns with nested repetitions, such as V((a+\\)+), can take years for a single line. A line is unparsable if
        searching it takes longer than 1 s of processor time. After 10 such lines, the search is abandoned, and the task
        fails with the report of the lines before.
    type: str
  multiline:
    description:
      - A Python regular expression that matches the first line of each record, for example V(^[0-9]{4}-). Other lines,
        such as those of a stack trace, belong to the preceding record.
      - With O(format=regex), O(pattern) is searched for in the whole record, whose lines end with C(\\n). With
        O(format=json), a record is one object over several lines, or an object in one line, in which case further lines
        are ignored.
      - The time limit of O(pattern) also applies to this search. The two share the limit of 10 lines.
    type: str
  unwrap:
    description:
      - Whether to extract the lines of the application from the formats of Docker (C(json-file)), containerd (CRI),
        CloudWatch Logs (also the output of C(aws logs) in one line), and C(journalctl -o json), and JSON from lines
        that start with a time and a name.
      - If a line of JSON has no time of its own, the time of the wrapper is used.
    type: bool
    default: true
  since:
    description:
      - Start of the window. Earlier lines are ignored. A time in ISO 8601, in O(timezone) if it has no offset, or a
        duration before now such as V(24h).
    type: str
  until:
    description: End of the window. Only lines before this time are counted. A time, or a duration before now.
    type: str
  fields:
    description:
      - For O(format=json), names of the fields, if they differ from the common names. V(a.b) is the member C(b) of
        C(a).
      - By default, the first of the common names that a line has with a value other than null is used.
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
          - HTTP status. The common names are C(status), C(status_code), C(http_status), C(statusCode),
            C(http.status_code), C(res.statusCode). Of these, the first that contains three digits is used, as C(status)
            is often a word.
          - A field named here can contain any number, for example an exit status together with O(error_status=1).
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
      - Format of times, as for C(strptime) in Python, for example V(%Y/%m/%d %H:%M:%S).
      - By default, ISO 8601 (also without separators), the formats of syslog, Apache, nginx, HTTP and C(asctime), and
        numbers since the epoch are recognized. The magnitude of a number determines whether it is in seconds,
        milliseconds, microseconds or nanoseconds.
      - A time without a year is assigned to the most recent year in which it is not later than the last modification of
        the file.
    type: str
  timezone:
    description:
      - Time zone of times without an offset, in logs and in O(since) and O(until). A name such as V(Europe/Berlin),
        which requires the time zone database on the host, or an offset such as V(+02:00).
      - Times in the hour that is repeated when daylight saving time ends are assigned to its first occurrence.
    type: str
    default: UTC
  duration_unit:
    description:
      - Unit of durations. The default is determined by the suffix of the field name, such as C(_ms). Without a suffix,
        it is seconds.
    type: str
    choices: [s, ms, us, ns]
  error_levels:
    description:
      - Levels that make a line an error, in upper or lower case.
      - Each level includes its other spellings, such as C(err), C(SEVERE) and C(E) for V(error), C(crit), C(emerg),
        C(dpanic), and numbers. Numbers from 0 to 7 are those of syslog and journald, numbers from 10 those of bunyan
        and pino, where 50 is V(error) and 60 is V(fatal).
    type: list
    elements: str
    default: [error, critical, fatal, alert, emergency, panic]
  error_status:
    description: Lowest status that makes a line an error.
    type: int
    default: 500
  slowest:
    description: Number of operations to return, slowest first by their 95th percentile.
    type: int
    default: 10
  counts:
    description:
      - Counts of records. Their names must be unique. At most 500 groups of each are distinguished. The others are
        combined as V((other\)).
      - Like O(where), O(newest) and O(export), this requires O(source) or O(format=json). Records outside the window are
        not counted.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the count.
        type: str
        required: true
      by:
        description: Fields whose values make a group, for example V([resource_type, action]). Their values are returned.
        type: list
        elements: str
        default: []
      where:
        description: Conditions, as in O(where), that records must meet in addition.
        type: list
        elements: dict
        default: []
      since:
        description: Only count records from this time on, as in O(since).
        type: str
  fail_when:
    description: Thresholds that fail the task. The report is still returned.
    type: list
    elements: dict
    default: []
    suboptions:
      count:
        description: Name of one of O(counts), V(total) or V(errors).
        type: str
        required: true
      at_least:
        description: Smallest number that fails the task.
        type: int
        required: true
      per_group:
        description: Compare each group with the number, instead of their sum.
        type: bool
        default: false
  newest:
    description: Number of records to return, the newest first, with the fields in O(show).
    type: int
    default: 0
  show:
    description: Fields of the O(newest) records to return. They may contain secrets.
    type: list
    elements: str
    default: []
  export:
    description:
      - File to which the records in the window that meet O(where) are written, as JSON lines with all of their fields.
        Only its owner can read it. Its directory must exist, and other users must not be able to write to it.
      - A file that already contains the same records is not changed. Nothing is written if a log cannot be read.
    type: path
  show_unparsable:
    description: Return the beginnings of the first unreadable lines. They may contain secrets.
    type: bool
    default: false
notes:
  - With O(source), a record whose time cannot be read is not in any window, and a warning says how many there are. The
    O(fields) are those of records, and O(pattern), O(multiline) and O(show_unparsable) cannot be used.
  - An SQLite database that is not in WAL mode is copied to C(TMPDIR) first, if there is enough space, as its application could not
    write while it is read.
  - A DynamoDB table is read as a whole, and twice if a condition compares a field with V(true) or V(false).
seealso:
  - module: day2.ops.health_info
  - module: day2.ops.purge
"""

EXAMPLES = r"""
- name: Analyze the last day of the HostFactory log
  day2.ops.log_report:
    paths: [/var/log/hostfactory/app.log*]
    since: 24h
  register: performance

- name: Show the slowest operations
  ansible.builtin.debug:
    msg: "{{ item.name }}: p95 {{ item.p95_s }} s of {{ item.total }}"
  loop: "{{ performance.operations[:5] }}"
  loop_control:
    label: "{{ item.name }}"

- name: Analyze the requests served by nginx
  day2.ops.log_report:
    paths: [/var/log/nginx/access.log*]
    format: combined

- name: Analyze a log in a custom format
  day2.ops.log_report:
    paths: [/var/log/data-profiler/profiler.log]
    format: regex
    pattern: '^(?P<time>\S+ \S+) (?P<level>[A-Z]+) (?P<operation>\w+) took (?P<duration>[0-9.]+)ms'
    duration_unit: ms
    timezone: Europe/Berlin
    multiline: '^[0-9]{4}/'

- name: Report who did what in HawkFish in the last week, and fail if somebody tries passwords
  day2.ops.log_report:
    source:
      type: sqlite
      path: /var/lib/hawkfish/hawkfish.db
    collection: audit_log
    since: 7d
    error_status: 400
    counts:
      - name: users
        by: [user_id]
      - name: actions
        by: [resource_type, action]
      - name: failures
        where: [{field: success, is: false}]
      - name: failed_logins
        by: [user_id]
        where: [{field: action, is: login}, {field: status_code, is: 401}]
      - name: forbidden
        by: [user_id]
        where: [{field: status_code, is: 403}]
    fail_when:
      - count: failed_logins
        at_least: 20
        per_group: true
  register: audit

- name: Show it
  ansible.builtin.debug:
    msg: "{{ audit.table.splitlines() }}"

- name: Show the last 100 entries about systems, and keep all of them as JSON lines
  day2.ops.log_report:
    source:
      type: sqlite
      path: /var/lib/hawkfish/hawkfish.db
    collection: audit_log
    where: [{field: resource_type, is: system}]
    newest: 100
    show: [timestamp, user_id, action, success]
    export: /var/lib/day2/systems.jsonl
"""

RETURN = r"""
total:
  description: Number of lines in the window.
  type: int
  returned: success
  sample: 12500
errors:
  description: Number of lines that are errors.
  type: int
  returned: success
  sample: 125
error_rate:
  description: Percentage of lines that are errors.
  type: float
  returned: success
  sample: 1.0
rate_per_s:
  description:
    - Lines per second over the window. If the window has no start or no end, the first or last line is used instead.
    - V(none) if this period has no length.
  type: float
  returned: success
  sample: 0.145
first:
  description: Time of the first line in the window, to the second. V(none) if no line has a time.
  type: str
  returned: success
  sample: "2025-06-30T10:00:00Z"
last:
  description: Time of the last line in the window.
  type: str
  returned: success
  sample: "2025-07-01T10:00:00Z"
latency:
  description: Durations of all lines that have one.
  type: dict
  returned: success
  contains:
    count:
      description: Number of lines that have a duration.
      type: int
      sample: 12000
    mean_s:
      description: Mean duration in seconds. Like the values below, V(none) if no line has a duration.
      type: float
      sample: 0.0330
    p50_s:
      description: 50th percentile of the durations in seconds.
      type: float
      sample: 0.0202
    p95_s:
      description: 95th percentile of the durations in seconds.
      type: float
      sample: 0.1046
    p99_s:
      description: 99th percentile of the durations in seconds.
      type: float
      sample: 0.2051
    max_s:
      description: Longest duration in seconds.
      type: float
      sample: 0.9920
operations:
  description:
    - The slowest operations, each also with the values of RV(latency).
    - At most 500 operations are distinguished. The others are combined under the name V((other\)).
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the operation.
      type: str
      sample: create_request
    total:
      description: Number of lines.
      type: int
      sample: 1200
    errors:
      description: Number of lines that are errors.
      type: int
      sample: 12
    error_rate:
      description: Percentage of lines that are errors.
      type: float
      sample: 1.0
    count:
      description: Number of lines with a duration.
      type: int
      sample: 1200
    mean_s:
      description: Mean duration in seconds.
      type: float
      sample: 0.0330
    p50_s:
      description: 50th percentile of the durations in seconds.
      type: float
      sample: 0.0202
    p95_s:
      description: 95th percentile of the durations in seconds.
      type: float
      sample: 0.1046
    p99_s:
      description: 99th percentile of the durations in seconds.
      type: float
      sample: 0.2051
    max_s:
      description: Longest duration in seconds.
      type: float
      sample: 0.9920
operations_total:
  description: Number of operations found.
  type: int
  returned: success
  sample: 24
errors_by_code:
  description:
    - Errors by code. An error without a code is counted by its status or, without a status, by its level. Most frequent
      first.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The code, status or level.
      type: str
      sample: E_NUMERIC_FORMAT
    count:
      description: Number of errors.
      type: int
      sample: 42
outside_window:
  description: Number of lines outside the window.
  type: int
  returned: success
  sample: 0
without_time:
  description: Number of lines without a readable time. They are ignored if O(since) or O(until) is set.
  type: int
  returned: success
  sample: 0
without_level:
  description: Number of lines without a known level, status or error code. Errors among them are not counted.
  type: int
  returned: success
  sample: 0
continuation_lines:
  description: Number of lines that belong to the preceding record, according to O(multiline).
  type: int
  returned: success
  sample: 0
bad_durations:
  description: Number of invalid durations. Their lines are counted in everything else.
  type: int
  returned: success
  sample: 0
unparsable:
  description: Lines that cannot be read as O(format). They are not counted anywhere else.
  type: dict
  returned: success
  contains:
    count:
      description: Number of lines.
      type: int
      sample: 1
    too_slow:
      description: Number of these lines for which the search with O(pattern) or O(multiline) was aborted after 1 s.
      type: int
      sample: 0
    first:
      description: Locations of the first of these lines.
      type: list
      elements: dict
      contains:
        path:
          description: Path of the file.
          type: str
          sample: /var/log/hostfactory/app.log
        line:
          description: Line number, from 1.
          type: int
          sample: 17
        reason:
          description: Why the line is unparsable.
          type: str
          sample: it is not a JSON object
        text:
          description: Beginning of the line.
          type: str
          returned: O(show_unparsable=true)
          sample: "Traceback (most recent call last):"
problems:
  description:
    - Files that could not be read, or not completely. The task fails if there are any. The report covers all other
      files.
  type: list
  elements: dict
  returned: success or unreadable files
  contains:
    path:
      description: Path of the file.
      type: str
      sample: /var/log/hostfactory/app.log.2.gz
    problem:
      description: Description of the problem, and what to do.
      type: str
      sample: "/var/log/hostfactory/app.log.2.gz can't be read: the data ends in the middle. Leave it out, or repair it."
files:
  description: Files that were read.
  type: list
  elements: dict
  returned: success
  contains:
    path:
      description: Path of the file.
      type: str
      sample: /var/log/hostfactory/app.log.1.gz
    bytes:
      description: Size of the file as stored, in bytes.
      type: int
      sample: 1048576
older_files:
  description: Files that were last written before O(since).
  type: list
  elements: str
  returned: success
  sample: [/var/log/hostfactory/app.log.9.gz]
counts:
  description: The results of O(counts), in the same order.
  type: list
  elements: dict
  returned: success or thresholds
  contains:
    name:
      description: Name of the count.
      type: str
      sample: failed_logins
    by:
      description: Fields whose values make a group.
      type: list
      elements: str
      sample: [user_id]
    count:
      description: Number of records.
      type: int
      sample: 25
    groups:
      description: The groups, the largest first. It is empty without O(counts[].by).
      type: list
      elements: dict
      contains:
        group:
          description: Values of the fields. Text is limited to 200 characters.
          type: dict
          sample: {"user_id": "mallory"}
        count:
          description: Number of records.
          type: int
          sample: 22
exceeded:
  description: The thresholds of O(fail_when) that were reached.
  type: list
  elements: dict
  returned: success or thresholds
  contains:
    count:
      description: Name of the count.
      type: str
      sample: failed_logins
    at_least:
      description: The threshold.
      type: int
      sample: 20
    found:
      description: The number.
      type: int
      sample: 22
    group:
      description: The group, with O(fail_when[].per_group).
      type: dict
      sample: {"user_id": "mallory"}
newest:
  description: The newest records, the newest first.
  type: list
  elements: dict
  returned: success or thresholds
  sample: [{"timestamp": "2025-07-01T10:00:00.250Z", "user_id": "admin", "action": "login"}]
exported:
  description: Number of records in O(export). In check mode, the number of those that would be written.
  type: int
  returned: success or thresholds
  sample: 168
table:
  description: The report as text in several lines.
  type: str
  returned: success or thresholds
  sample: "25 records, 3 errors (12 %)\n\nusers: 25\n  user_id  count\n  admin    25"
msg:
  description: The report in one line.
  type: str
  returned: success
  sample: 12500 lines, 125 errors (1 %), p50 20ms, p95 105ms, p99 205ms, slowest create_request (p95 312ms)
duration_s:
  description: Duration of the task on the host in seconds.
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
