# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options for state machines of records.

Written by "make docs" from dev/options/lifecycle.yml and the argument specs: ansible-test requires literal text.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  store:
    description: The database with the records.
    type: dict
    required: true
    suboptions:
      type:
        description: Type of the database. V(postgresql) requires psycopg 3 on the host.
        type: str
        choices: [postgresql, sqlite]
        required: true
      path:
        description: For V(sqlite), path of the database on the host.
        type: path
      database:
        description: For V(postgresql), name of the database.
        type: str
      host:
        description: For V(postgresql), name of the server, or directory of its socket.
        type: str
      port:
        description: For V(postgresql), port of the server.
        type: int
      username:
        description: For V(postgresql), role to connect as.
        type: str
      password:
        description:
          - For V(postgresql), password of the role. A password file (C(~/.pgpass)) on the host can be used instead.
        type: str
      schema:
        description: For V(postgresql), schema of the tables. The default is V(public).
        type: str
      sslmode:
        description:
          - For V(postgresql), whether the connection is encrypted and the certificate of the server is verified.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
  machine:
    description:
      - 'The state machine: C(name); C(collection), the table of the records; C(key) and C(state_field), its columns;
        C(states); C(initial), the state of new records; C(final), the states that no transition leaves; C(transitions);
        and C(register), the requirements of a new record (C(required), C(patterns), C(values)).'
      - 'A transition has C(name), C(from) (a state, or a list of them) and C(to). Optional are C(requires), columns
        that must have a value; C(requires_reason); C(set), columns and values; C(service) and C(service_status) (by
        default C(active)), the status of a service afterwards; C(before) and C(after), the names of hooks for the role
        C(day2.ops.lifecycle); and C(shortcut: false), if it may only be the last transition of a path.'
      - It is checked as a whole, and all errors in it are reported at once.
    type: dict
    required: true
  history:
    description: Location of the history in the same database. It is written in the same transaction as the state.
    type: dict
    suboptions:
      collection:
        description:
          - Table of the history. Two other tables have names that begin with this name, for transitions in progress and
            for services. The default is V(lifecycle_events).
        type: str
      create:
        description: Whether to create these tables if they do not exist.
        type: bool
        default: false
"""
