#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lifecycle
short_description: Bring records into a state of a declared state machine
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Ensures that the record of a subject, such as a customer, is in a state. The path to it consists of transitions that
    the machine allows. If no path exists, the message lists the states that can be reached.
  - State, history and the status of services are written in one transaction, if the state has not changed since the
    path was determined.
  - If a transition has hooks, use the role C(day2.ops.lifecycle), which runs the steps of this module and the hooks between
    them.
  - No safety backup is made. The history contains the former states, but not the former values of columns that a
    transition sets.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
  - day2.ops.lifecycle
options:
  subject:
    description: The value of the key of one record.
    type: str
  subjects:
    description: The values of the keys of several records. If some are refused, the others are still moved.
    type: list
    elements: str
  state:
    description: The desired state of the subjects.
    type: str
  record:
    description: With O(subject), the columns of a new record. If the record does not exist, it is registered.
    type: dict
  reason:
    description: Reason, for the history. Some transitions require it.
    type: str
  via:
    description: V(shortest) takes the shortest path; if several are equally short, the one that is listed first.
      V(direct) allows one transition only.
    type: str
    choices: [shortest, direct]
    default: shortest
  step:
    description:
      - V(ensure) runs all transitions, if none on the path has hooks.
      - V(plan) only reads, and returns the path.
      - 'V(begin), V(commit), V(fail), V(repeat) and V(finish) are the steps of one O(transition) with hooks, which the
        role runs.'
    type: str
    choices: [ensure, plan, begin, commit, fail, repeat, finish]
    default: ensure
  transition:
    description: Name of the transition, for these values of O(step).
    type: str
  token:
    description: Text that identifies this run, for these values of O(step).
    type: str
  take_over_after:
    description: After this time, a transition that another run has begun and not ended is taken over.
    type: str
    default: 1h
  actor:
    description: User or program that makes the change, for the history.
    type: str
    default: ansible
  batch_size:
    description: Number of O(subjects) in a transaction.
    type: int
    default: 2000
seealso:
  - module: day2.ops.lifecycle_info
"""

EXAMPLES = r"""
- name: Suspend customers who have not paid
  day2.ops.lifecycle:
    store:
      type: sqlite
      path: /opt/dotmac/dotmac.db
    machine: "{{ dotmac_customers }}"
    history:
      create: true
    subjects: [alice, bob]
    state: suspended
    reason: unpaid
"""

RETURN = r"""
moved:
  description: Number of subjects that were moved, or in check mode would be.
  type: int
  returned: with O(step=ensure) or O(step=plan)
  sample: 2
events:
  description: Number of transitions.
  type: int
  returned: with O(step=ensure) or O(step=plan)
  sample: 2
refused:
  description: The first 100 subjects that were refused.
  type: list
  elements: dict
  returned: with O(step=ensure) or O(step=plan)
  contains:
    subject:
      description: The subject.
      type: str
      sample: alice
    error:
      description: The reason.
      type: str
      sample: closed can't become active. closed is final.
state:
  description: The previous state, or null for a new subject.
  type: str
  returned: with O(subject)
  sample: active
path:
  description: The transitions on the path.
  type: list
  elements: dict
  returned: with O(subject)
  contains:
    name:
      description: Name of the transition.
      type: str
      sample: suspend
    from:
      description: The state that it leaves, or null for a new subject.
      type: str
      sample: active
    to:
      description: The state that it leads to.
      type: str
      sample: suspended
    before:
      description: The hook before the commit, or null.
      type: str
      sample: null
    after:
      description: The hook after the commit, or null.
      type: str
      sample: notify.yml
pending:
  description: A transition whose hook after the commit has failed or was interrupted, as in RV(path), or null.
  type: dict
  returned: with O(subject)
  sample: null
msg:
  description: Summary.
  type: str
  returned: always
  sample: 2 of 2 subjects moved to suspended.
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: success
  sample: 0.1
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import lifecycle


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **lifecycle.ARGUMENTS), lifecycle.run)


if __name__ == "__main__":
    main()
