#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_check
short_description: Check the health of endpoints, hosts, data and containers
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Runs all checks of a host, or of a thousand endpoints from one host, in parallel, and reports for each check the
    result, the measured values, and what to do.
  - The status of a check is V(ok), V(warning), V(critical), V(unknown) (the state could not be determined) or
    V(skipped) (a check that it depends on failed). A failing check does not affect others, and none exceeds its
    timeout.
  - If the specification of any check is invalid, the task fails before any check is run, and lists all errors by check.
  - Passwords and query values in URLs, headers, tokens and other secrets are not shown in results, messages or the
    invocation.
  - Most types require only the standard library of Python. C(docs/HEALTH.md) of the collection documents each type,
    with its requirements, options, units and default thresholds.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.checks
  - day2.ops.health.report
  - day2.ops.health.history
options:
  checks:
    description:
      - The checks, as a list of mappings. Each requires C(name) and C(type), and accepts the options of its type.
        Options of other types are errors. All types and options are documented in C(docs/HEALTH.md).
      - Each accepts C(warn) and C(crit), thresholds in the unit of its value. A value beyond a threshold is V(warning)
        or V(critical). A value equal to the threshold is still good.
      - Each accepts its own C(timeout), C(retries), C(interval), C(quiet_until), C(maintenance), C(cooldown) and
        C(failures), and C(depends_on), a list of names of checks. If one of these is V(critical), V(unknown) or
        V(skipped), the check is V(skipped).
      - Each accepts a C(weight) in the score. The default is V(1).
    type: list
    elements: raw
    required: true
  timeout:
    description: Timeout for each attempt of a check.
    type: str
    default: 10s
  retries:
    description: Number of additional attempts while a check is not V(ok). The result of the last attempt is used.
    type: int
    default: 0
  interval:
    description: Delay before each additional attempt.
    type: str
    default: 1s
  concurrency:
    description:
      - Maximum number of checks to run at the same time. Fewer are run if more would not help, or if the process cannot
        open enough files (C(ulimit -n)). The soft limit is raised first.
    type: int
    default: 256
  quiet_until:
    description:
      - Time (ISO 8601) until which no check raises an alarm. Statuses are still reported, but do not fail the task.
    type: str
  maintenance:
    description:
      - Windows in which no check raises an alarm. Each requires C(start) and C(end), which are two points in time (ISO
        8601) or two times of day such as V("22:00") and V("02:00"). C(days) (V(mon) to V(sun)) and C(timezone)
        (V(Europe/Berlin), V(+02:00)) are optional.
      - A whole day is V("00:00") to V("24:00"). Without C(timezone), times are in UTC.
    type: list
    elements: dict
    default: []
  cooldown:
    description:
      - Time during which the alarm of a check is not repeated, for example V(300s). Requires O(history).
      - An alarm that is more severe than the last one is raised immediately (in ascending order V(warning), V(unknown),
        V(critical)), and so is the first alarm after the check was V(ok) again.
    type: str
  failures:
    description:
      - Number of consecutive runs that must find a check V(warning), V(unknown) or V(critical) before it raises an
        alarm. Until then, the check is quiet. Values above V(1) require O(history).
      - Runs in which the check is V(skipped) are neither counted nor reset the count. For additional attempts within
        one run, see O(retries).
    type: int
    default: 1
  fail_on:
    description:
      - Status that fails the task. V(critical) also fails for V(unknown), because a state that could not be determined
        is not known to be healthy. V(warning) fails for every status except V(ok) and V(skipped).
      - A failed task returns the same values as a successful one.
    type: str
    choices: [critical, warning, never]
    default: critical
  notify:
    description:
      - Channels for messages when checks fail, and when they have recovered. Without it, no messages are sent.
      - A failure is a status that O(fail_on) names (with V(never), V(critical) and V(unknown)) of a check that is not quiet. While
        all such checks are quiet, no message is sent.
      - All messages are sent in parallel, with a timeout of 20 seconds. If a message was not sent, the task warns, and
        the next run tries again. Nothing is sent in check mode.
      - Sent messages are recorded on the host, in the state directory of the user.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the channel. Names must be unique.
        type: str
        required: true
      type:
        description: How messages are sent. V(webhook) requires C(url), V(mail) C(from) and C(to), V(command) C(argv).
        type: str
        choices: [webhook, mail, command]
        required: true
      events:
        description: Which messages are sent. V(silence) is for the role P(day2.ops.schedule#role) only.
        type: list
        elements: str
        choices: [failure, recovery, silence]
        default: [failure, recovery, silence]
      cooldown:
        description: Time after a failure in which no other failure is sent. A recovery is sent at once.
        type: str
        default: 4h
      secrets:
        description: Secret values for placeholders in C(template) and C(headers), by name. A program gets them as variables.
        type: dict
        default: {}
      ca:
        description: File on the host with the certificates of trusted CAs. The default is that of the system.
        type: path
      url:
        description: For V(webhook), the URL.
        type: str
      template:
        description:
          - For V(webhook), the JSON body, with placeholders such as C({title}), C({msg}), C({text}), C({host}), C({status}),
            C({event}) and C({failures}). The default has all of them.
        type: raw
      headers:
        description: For V(webhook), headers of the request, with the same placeholders. Secrets in them belong in C(secrets).
        type: dict
        default: {}
      host:
        description: For V(mail), the SMTP server.
        type: str
        default: localhost
      port:
        description: For V(mail), its port. The default is 587, with C(tls=implicit) 465, with C(tls=none) 25.
        type: int
      tls:
        description: For V(mail), the encryption. It never falls back to an unencrypted connection.
        type: str
        choices: [starttls, implicit, none]
        default: starttls
      user:
        description: For V(mail), the user to log in as.
        type: str
      password:
        description: For V(mail), the password.
        type: str
      from:
        description: For V(mail), the address of the sender.
        type: str
      to:
        description: For V(mail), addresses.
        type: list
        elements: str
      argv:
        description:
          - For V(command), a program and its arguments. It reads the text from its standard input; variables such as
            E(DAY2_EVENT) and E(DAY2_MSG) contain the parts of the message.
        type: list
        elements: str
  notify_as:
    description: Name of these checks in messages. Runs on a host with the same name share the record of sent messages.
    type: str
    default: health checks
seealso:
  - module: day2.ops.health_info
  - module: day2.ops.backup_info
"""

EXAMPLES = r"""
- name: Check the health of HawkFish
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

- name: Check the host and its services, and continue regardless of the result
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

- name: Check certificates and domains for expiry once a day, and report without failing
  day2.ops.health_check:
    fail_on: never
    checks:
      - {name: certificate, type: tls, host: hawkfish1.example.com, warn: 21d, crit: 7d}
      - {name: domain, type: domain, domain: example.com, warn: 30d, crit: 7d}
  delegate_to: localhost
  run_once: true

- name: Check the host, and send one message when it fails and one when it has recovered
  day2.ops.health_check:
    checks:
      - {name: disk, type: disk, path: /}
      - {name: memory, type: memory}
    notify:
      - name: oncall
        type: webhook
        url: "{{ oncall_webhook }}"
        template: {text: "{title}: {msg}"}
        cooldown: 1h

- name: Check that every machine refers to an existing request
  day2.ops.health_check:
    checks:
      - name: references
        type: references
        store: json
        path: /opt/hostfactory/data/request_database.json
        references:
          - {from: machines.request_id, to: requests.request_id}

- name: Run a load test against the API in a quiet hour
  day2.ops.health_check:
    checks:
      - name: root
        type: load_test
        url: http://localhost:8080/redfish/v1/
        rate: 200
        duration: 10s
        crit: 1s

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
  description: Results of the checks, in the order of O(checks).
  type: list
  elements: dict
  returned: when the specification is right
  contains:
    name:
      description: Name of the check.
      type: str
      sample: api
    type:
      description: Type of the check.
      type: str
      sample: http
    status:
      description: V(ok), V(warning), V(critical), V(unknown) or V(skipped).
      type: str
      sample: ok
    message:
      description: Result in words.
      type: str
      sample: http://localhost:8080/redfish/v1/ answered 200
    value:
      description: Measured value. V(none) if nothing was measured.
      type: float
      sample: 0.012
    unit:
      description: Unit of the value. V(s), V(bytes), V(percent), V(count), V(days) or empty.
      type: str
      sample: s
    warn:
      description: Threshold in the same unit, beyond which the status is V(warning).
      type: float
      sample: 1.0
    crit:
      description: Threshold in the same unit, beyond which the status is V(critical).
      type: float
      sample: 5.0
    quiet:
      description: Whether the alarm is suppressed by maintenance, O(cooldown) or O(failures).
      type: bool
      sample: false
    weight:
      description: Weight of the check in the score.
      type: float
      sample: 1.0
    checked_at:
      description: Time of the check (UTC).
      type: str
      sample: "2025-06-30T12:00:00Z"
    duration_s:
      description: Duration of the last attempt in seconds.
      type: float
      sample: 0.012
    metrics:
      description: Additional measured values.
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
    - Names of the checks that are V(ok) again after an alarm. Requires O(history). Empty without it.
  type: list
  elements: str
  returned: when the specification is right
  sample: [api]
summary:
  description: Summary of all checks.
  type: dict
  returned: when the specification is right
  contains:
    status:
      description: The worst status. From best to worst, V(ok), V(skipped), V(warning), V(unknown), V(critical).
      type: str
      sample: ok
    score:
      description:
        - Score from 0 to 100. The weighted mean of 100 for V(ok), 50 for V(warning), and 0 for V(critical) and
          V(unknown). V(skipped) checks are not counted. If all weights are V(0), all checks have the same weight.
      type: float
      sample: 100.0
    total:
      description: Number of checks.
      type: int
      sample: 5
    quiet:
      description: Number of checks that are quiet.
      type: int
      sample: 0
    ok:
      description: Number of checks that are V(ok).
      type: int
      sample: 5
    warning:
      description: Number of checks that are V(warning).
      type: int
      sample: 0
    critical:
      description: Number of checks that are V(critical).
      type: int
      sample: 0
    unknown:
      description: Number of checks that are V(unknown).
      type: int
      sample: 0
    skipped:
      description: Number of checks that are V(skipped).
      type: int
      sample: 0
reports:
  description: Files written for O(report).
  type: list
  elements: dict
  returned: when the specification is right
  contains:
    path:
      description: Path of the file.
      type: str
      sample: /var/lib/node_exporter/hawkfish.prom
    format:
      description: Format of the file.
      type: str
      sample: prometheus
    changed:
      description: Whether a check was added, was removed, or has another status than in the previous file.
      type: bool
      sample: false
notified:
  description: Names of the channels that got a message.
  type: list
  elements: str
  returned: with O(notify), except in check mode
  sample: [oncall]
problems:
  description: Errors in the specification, one line each, with the name of the check.
  type: list
  elements: str
  returned: when the specification is wrong
  sample: ["api: timeout: '5 parsecs' is not a duration. Write a number of seconds, or for example 500ms, 90s, 1h30m or 30d"]
msg:
  description: The result in words, with the names of failing checks.
  type: str
  returned: always
  sample: 5 of 5 checks ok, score 100
duration_s:
  description: Duration of the task on the host in seconds.
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
