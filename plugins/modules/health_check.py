#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_check
short_description: Check endpoints, hosts, data and containers, all of a host in one task
version_added: 0.1.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Runs all checks of a host, or of a thousand endpoints from one host, side by side, and says of each what was found, what was
    measured, and what to do.
  - Each check is V(ok), V(warning), V(critical), V(unknown) (it could not be found out) or V(skipped) (what it depends on failed).
    A check that goes wrong takes no other with it, and none takes longer than its time.
  - When the specification of any check is wrong, the task fails before anything is run, and says what is wrong with which check.
  - Passwords in URLs, the values of their queries, headers, tokens and whatever else is secret show neither in results nor in
    messages nor in the invocation.
  - Most types need the standard library alone. What a type needs beside it is in the collection's C(docs/HEALTH.md), with its
    options, units and default thresholds.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.checks
  - day2.ops.health.report
  - day2.ops.health.history
options:
  checks:
    description:
      - The checks, as a list of mappings. Each has C(name) and C(type), and the options of its type; an option that does not
        belong to the type is an error. The tables in C(docs/HEALTH.md) have all of them.
      - Each may have C(warn) and C(crit), thresholds in the unit of its value. A value that is beyond a threshold is a
        V(warning), or V(critical); the threshold itself is still good.
      - Each may have C(timeout), C(retries), C(interval), C(quiet_until), C(maintenance), C(cooldown) and C(failures) of its
        own, and
        C(depends_on), a list of names of checks. When one of those is V(critical), V(unknown) or V(skipped), it is V(skipped).
      - Each may have a C(weight) in the score, by default V(1).
    type: list
    elements: raw
    required: true
  timeout:
    description: How long one try of a check may take.
    type: str
    default: 10s
  retries:
    description: How many more tries a check has while it is not V(ok). The last one counts.
    type: int
    default: 0
  interval:
    description: How long to wait before each further try.
    type: str
    default: 1s
  concurrency:
    description:
      - How many checks may run at the same time. Fewer do where no more are of use, or where the process may not open as many
        files (C(ulimit -n)); its soft limit is raised first.
    type: int
    default: 256
  quiet_until:
    description:
      - Until this moment (ISO 8601) no check raises an alarm. Its status is told all the same, but does not fail the task.
    type: str
  maintenance:
    description:
      - Windows in which no check raises an alarm. Each has C(start) and C(end), two moments (ISO 8601) or two times of day such as
        V("22:00") and V("02:00"), with C(days) (V(mon) to V(sun)) and C(timezone) (V(Europe/Berlin), V(+02:00)) if you like.
      - All of a day is V("00:00") to V("24:00"). Without C(timezone) times are in UTC.
    type: list
    elements: dict
    default: []
  cooldown:
    description:
      - For how long the alarm of a check is not repeated, for example V(300s). It requires O(history).
      - An alarm that is worse than the last one is raised at once (V(warning), V(unknown), V(critical), from harmless to worst),
        and so is the first alarm after the check was V(ok) again.
    type: str
  failures:
    description:
      - How many runs in a row must find a check V(warning), V(unknown) or V(critical) before it raises an alarm. Until then it is
        quiet. It requires O(history) if it is more than V(1).
      - A run in which the check is V(skipped) neither counts nor interrupts the row. For more tries within one run see O(retries).
    type: int
    default: 1
  fail_on:
    description:
      - The status that fails the task. V(critical) fails for V(unknown), too, as what could not be looked at was not found healthy.
        V(warning) fails for everything but V(ok) and V(skipped).
      - A failed task returns everything that a good one does.
    type: str
    choices: [critical, warning, never]
    default: critical
seealso:
  - module: day2.ops.health_info
  - module: day2.ops.backup_info
"""

EXAMPLES = r"""
- name: Check HawkFish
  day2.ops.health_check:
    checks:
      - name: api
        type: http
        url: http://localhost:8080/redfish/v1/
        warn: 1s
        crit: 5s
      - name: pool
        type: http
        url: http://localhost:8080/redfish/v1/libvirt-pool-metrics
        ratio:
          part: "*.failure_count"
          whole: "*.checkout_count"
        ratio_crit: 10%
        depends_on: [api]
      - name: database
        type: sqlite
        path: /var/lib/hawkfish/hawkfish.db
      - name: backup
        type: backup
        repository: /var/backups/day2
        backup_set: hawkfish
        max_age: 26h
      - name: disk
        type: disk
        path: /var/lib/hawkfish
        warn: 80%
        crit: 90%
    history:
      path: /var/lib/day2/health.db

- name: Check the host and what runs on it, and go on whatever is found
  day2.ops.health_check:
    fail_on: never
    checks:
      - {name: memory, type: memory}
      - {name: load, type: load}
      - {name: cpu, type: cpu, duration: 5s, warn: 90%}
      - {name: service, type: service, service: hawkfish, enabled: true}
      - {name: process, type: process, process: hawkfish, descriptors_used_warn: 80%}
      - {name: clock, type: time, server: ntp.example.com, warn: 500ms}
      - {name: log, type: file, path: /var/log/hawkfish, pattern: "*.log", size_warn: 1G}
      - {name: queue, type: file, path: /var/spool/hawkfish, count: 0-1000, oldest_crit: 1h}
      - {name: data, type: disk, path: /srv/hawkfish, mounted: true, writable: true}
      - {name: raid, type: command, argv: [/usr/lib/nagios/plugins/check_raid]}
      - {name: container, type: container, container: data-profiler_api_1, health: required}
      - {name: libvirt, type: libvirt, domains: [web1], pools: [default]}
      - {name: redis, type: redis, password: "{{ redis_password }}", role: primary}
      - {name: postgresql, type: postgresql, database: dotmac, lag_crit: 5m}
      - {name: table, type: dynamodb, table: hostfactory-machines, pitr: true}

- name: Check once a day what expires, and report it without failing
  day2.ops.health_check:
    fail_on: never
    checks:
      - {name: certificate, type: tls, host: hawkfish1.example.com, warn: 21d, crit: 7d}
      - {name: domain, type: domain, domain: example.com, warn: 30d, crit: 7d}
  delegate_to: localhost
  run_once: true

- name: Check that no machine names a request that is not there
  day2.ops.health_check:
    checks:
      - name: references
        type: references
        store: json
        path: /opt/hostfactory/data/request_database.json
        references:
          - {from: machines.request_id, to: requests.request_id}

- name: Hold the API to its benchmark, in a quiet hour
  day2.ops.health_check:
    checks:
      - name: root
        type: load_test
        url: http://localhost:8080/redfish/v1/
        rate: 200
        duration: 10s
        crit: 100ms

- name: Check a thousand endpoints from the controller
  day2.ops.health_check:
    checks: "{{ endpoints | map('combine', {'type': 'http'}) }}"
    timeout: 5s
    retries: 2
    failures: 3
    cooldown: 300s
    fail_on: never
    history:
      path: /var/lib/day2/endpoints.db
    report:
      - format: prometheus
        path: /var/lib/node_exporter/endpoints.prom
  delegate_to: localhost
  register: endpoints_health
"""

RETURN = r"""
checks:
  description: What was found, in the order of O(checks).
  type: list
  elements: dict
  returned: when the specification is right
  contains:
    name:
      description: Name of the check.
      type: str
      sample: api
    type:
      description: Its type.
      type: str
      sample: http
    status:
      description: V(ok), V(warning), V(critical), V(unknown) or V(skipped).
      type: str
      sample: ok
    message:
      description: What was found, for a person.
      type: str
      sample: http://localhost:8080/redfish/v1/ answered 200
    value:
      description: What was measured; V(none) if nothing was.
      type: float
      sample: 0.012
    unit:
      description: Its unit, V(s), V(bytes), V(percent), V(count), V(days) or nothing.
      type: str
      sample: s
    warn:
      description: The threshold in the same unit beyond which it is a warning.
      type: float
      sample: 1.0
    crit:
      description: The threshold in the same unit beyond which it is critical.
      type: float
      sample: 5.0
    quiet:
      description: Whether the alarm is held back, by maintenance, O(cooldown) or O(failures).
      type: bool
      sample: false
    weight:
      description: Its weight in the score.
      type: float
      sample: 1.0
    checked_at:
      description: When it was looked at (UTC).
      type: str
      sample: "2025-06-30T12:00:00Z"
    duration_s:
      description: Seconds that the last try took.
      type: float
      sample: 0.012
    metrics:
      description: What else was measured.
      type: list
      elements: dict
      sample: [{name: status, value: 200, unit: "", warn: null, crit: null}]
alarms:
  description: Names of the checks that are V(warning), V(critical) or V(unknown), and not quiet.
  type: list
  elements: str
  returned: when the specification is right
  sample: []
recovered:
  description:
    - Names of the checks that are V(ok) again after an alarm. Known from O(history); empty without one.
  type: list
  elements: str
  returned: when the specification is right
  sample: [api]
summary:
  description: All checks together.
  type: dict
  returned: when the specification is right
  contains:
    status:
      description: The worst status, from V(ok) over V(skipped), V(warning) and V(unknown) to V(critical).
      type: str
      sample: ok
    score:
      description:
        - From 0 to 100. The mean of 100 for V(ok), 50 for V(warning), 0 for V(critical) and V(unknown), by weight. What is
          V(skipped) does not count. If all weights are V(0), all checks count alike.
      type: float
      sample: 100.0
    total:
      description: How many checks there are.
      type: int
      sample: 5
    quiet:
      description: How many of them are quiet.
      type: int
      sample: 0
    ok:
      description: How many are V(ok).
      type: int
      sample: 5
    warning:
      description: How many are V(warning).
      type: int
      sample: 0
    critical:
      description: How many are V(critical).
      type: int
      sample: 0
    unknown:
      description: How many are V(unknown).
      type: int
      sample: 0
    skipped:
      description: How many are V(skipped).
      type: int
      sample: 0
reports:
  description: The files of O(report).
  type: list
  elements: dict
  returned: when the specification is right
  contains:
    path:
      description: The file.
      type: str
      sample: /var/lib/node_exporter/hawkfish.prom
    format:
      description: Its format.
      type: str
      sample: prometheus
    changed:
      description: Whether a check came, went, or has another status than in the file that was there.
      type: bool
      sample: false
problems:
  description: What is wrong with the specification, a line each, with the check's name.
  type: list
  elements: str
  returned: when the specification is wrong
  sample: ["api: timeout: '5 parsecs' is not a duration. Write a number of seconds, or for example 500ms, 90s, 1h30m or 30d"]
msg:
  description: The result in words, what is wrong by name.
  type: str
  returned: always
  sample: 5 of 5 checks ok, score 100
duration_s:
  description: Seconds that the task took on the host.
  type: float
  returned: when the specification is right
  sample: 0.03
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs.health import check as health_check


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **health_check.ARGUMENTS), health_check.run, health_check.echo)


if __name__ == "__main__":
    main()
