#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lifecycle_info
short_description: Report the states of the records of a state machine
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Counts the records in each state, and lists the transitions in progress. With O(subject), also returns its history
    and its services.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.info
  - day2.ops.lifecycle
options:
  subject:
    description: The value of the key of one record.
    type: str
seealso:
  - module: day2.ops.lifecycle
"""

EXAMPLES = r"""
- name: Look at a customer
  day2.ops.lifecycle_info:
    store:
      type: sqlite
      path: /opt/dotmac/dotmac.db
    machine: "{{ dotmac_customers }}"
    subject: alice
"""

RETURN = r"""
states:
  description: Number of records in each state of the machine.
  type: dict
  returned: success
  sample: {"registered": 3, "active": 120, "closed": 7}
unknown_states:
  description: Number of records in states that the machine does not have.
  type: dict
  returned: success
  sample: {}
attempts:
  description: Transitions that are in progress or were interrupted, or whose hook after the commit failed.
  type: list
  elements: dict
  returned: success
  contains:
    subject:
      description: The subject.
      type: str
      sample: alice
    transition:
      description: Name of the transition.
      type: str
      sample: suspend
    from_state:
      description: The state that it leaves.
      type: str
      sample: active
    to_state:
      description: The state that it leads to.
      type: str
      sample: suspended
    phase:
      description: V(before) or V(after) the commit, or V(failed) if the hook after the commit failed.
      type: str
      sample: failed
    began:
      description: When it began, in seconds since 1970.
      type: float
      sample: 1751284800.0
state:
  description: The state of the subject.
  type: str
  returned: with O(subject)
  sample: suspended
history:
  description: Events of the subject, oldest first.
  type: list
  elements: dict
  returned: with O(subject)
  contains:
    subject:
      description: The subject.
      type: str
      sample: alice
    at:
      description: Time in UTC.
      type: str
      sample: "2025-06-30T12:00:00Z"
    transition:
      description: Name of the transition. C(register) is the first of a new subject.
      type: str
      sample: suspend
    from_state:
      description: The previous state, or null for a new subject.
      type: str
      sample: active
    to_state:
      description: The state that the transition leads to.
      type: str
      sample: suspended
    outcome:
      description: V(done), V(failed) if the state was kept, or V(after_failed) if the hook after the commit failed.
      type: str
      sample: done
    reason:
      description: The reason that was given, or the error.
      type: str
      sample: unpaid
    actor:
      description: User or program that made the change.
      type: str
      sample: ansible
services:
  description: The services of the subject.
  type: list
  elements: dict
  returned: with O(subject)
  contains:
    subject:
      description: The subject.
      type: str
      sample: alice
    service:
      description: Name of the service.
      type: str
      sample: internet
    status:
      description: Its status, such as V(provisioning), V(active) or V(failed).
      type: str
      sample: active
    at:
      description: When it got this status.
      type: str
      sample: "2025-06-30T12:00:00Z"
msg:
  description: Summary.
  type: str
  returned: success
  sample: 130 records of customers.
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: success
  sample: 0.1
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import lifecycle_info


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **lifecycle_info.ARGUMENTS), lifecycle_info.run)


if __name__ == "__main__":
    main()
