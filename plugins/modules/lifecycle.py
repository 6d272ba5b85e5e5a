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
  - Ensures that the record of a subject, such as a customer, is in a state. The way there consists of the transitions that
    the machine allows. If there is no way, the message says which states can be reached.
  - State, history and the status of services are written in one transaction, if the state is still what it was when the way
    was determined.
  - If a transition has hooks, use the role C(day2.ops.lifecycle), which runs the steps of this module and the hooks between
    them.
  - No safety backup is made. The history has the former states, but not the former values of columns that a transition
    sets.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
  - day2.ops.lifecycle
options:
  subject:
    description: The value of the key of one record.
    type: str
  subjects:
    description: The values of the keys of several records. Those that are refused do not stop the others.
    type: list
    elements: str
  state:
    description: The state in which the subjects are to be.
    type: str
  record:
    description: With O(subject), the columns of a record that does not exist yet. It is registered, if this is set.
    type: dict
  reason:
    description: Reason, for the history. Some transitions require it.
    type: str
  via:
    description: V(shortest) takes the shortest way, of equally long ones that which is listed first. V(direct) refuses
      more than one transition.
    type: str
    choices: [shortest, direct]
    default: shortest
  step:
    description:
      - V(ensure) does everything at once, if no transition on the way has hooks.
      - V(plan) only reads, and returns the way.
      - 'V(begin), V(commit), V(fail), V(repeat) and V(finish) are the steps of one O(transition) with hooks, as the role
        takes them.'
    type: str
    choices: [ensure, plan, begin, commit, fail, repeat, finish]
    default: ensure
  transition:
    description: With such a O(step), the name of the transition.
    type: str
  token:
    description: With such a O(step), text that only this run has. It tells this run from others.
    type: str
  take_over_after:
    description: After this time, a transition that another run has begun and not ended is taken over.
    type: str
    default: 1h
  actor:
    description: Who does it, for the history.
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
  description: The state before, or null for a new subject.
  type: str
  returned: with O(subject)
  sample: active
path:
  description: The transitions on the way.
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
