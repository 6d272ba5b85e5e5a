#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_pitr
short_description: Archive the WAL of a PostgreSQL server, so that it can be restored to a point in time
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Sets up pgBackRest for a PostgreSQL server on this host. Writes its configuration, creates the stanza, configures
    the server to archive its WAL, checks that a segment arrives in the repository, and makes the first base backup.
  - M(day2.ops.restore) with O(day2.ops.restore#module:repository=pgbackrest) then restores the server to a point in
    time, M(day2.ops.backup_info) returns the range of times that can be restored, and the check C(postgresql_archive)
    of M(day2.ops.health_check) monitors the archive. Further base backups are made by timers, which the role
    P(day2.ops.postgresql_pitr#role) sets up.
  - If C(archive_mode) must be enabled, the server must be restarted. The module never restarts it. It returns
    RV(restart_needed); run it again after the restart.
  - A server that already archives elsewhere (C(archive_command) or C(archive_library)) is refused, and so is a standby.
  - Programs are run as the owner of the data directory. The module requires pgBackRest 2.39 or later and C(psql), and
    works with the versions of Debian 12 (pgBackRest 2.45, PostgreSQL 15).
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
  - day2.ops.s3
options:
  stanza:
    description: Name of the server in the repository, for example V(main). Letters, digits, C(-) and C(_) are valid.
    type: str
    required: true
  data_directory:
    description: Data directory of the server, as C(SHOW data_directory) returns it.
    type: path
    required: true
  port:
    description: Port of the server.
    type: int
    default: 5432
  socket_directory:
    description: Directory of its Unix socket.
    type: path
    default: /var/run/postgresql
  repository:
    description:
      - Where pgBackRest stores backups and WAL, a directory on the host or C(s3://bucket/prefix). It must not be inside a
        repository of M(day2.ops.backup).
      - A missing directory is created. A directory on the same disk as the server does not help if that disk fails.
      - pgBackRest accesses S3 through TLS only. Of O(s3), only C(endpoint_url), C(region), C(access_key_id),
        C(secret_access_key), C(session_token), C(ca_bundle) and C(addressing) are accepted.
    type: path
    required: true
  encryption_key:
    description:
      - Encrypt the repository (AES-256) with this passphrase of at least 16 characters. It can't be changed later.
      - It is written to the configuration of pgBackRest, which only root and the group of the server can read. Keep it in
        a vault as well. Nothing can be restored without it.
    type: str
  keep_full:
    description: Number of full backups to keep. Older ones are removed, together with WAL that is no longer needed.
    type: int
    default: 2
  keep_diff:
    description: Number of differential backups to keep. The default is all that depend on a full backup that is kept.
    type: int
  jobs:
    description: Number of processes that compress and transfer.
    type: int
    default: 2
  archive_timeout:
    description:
      - Maximum time after which written WAL is archived even if its segment is not full. This is the maximum loss of
        data if the server is lost. V(0s) waits until a segment is full.
    type: str
    default: 1m
  check_timeout:
    description:
      - Maximum time for a segment to arrive in the repository. This is checked whenever the module changes something,
        and if the server has not archived anything yet or its last attempt failed.
    type: str
    default: 1m
  first_backup:
    description: Whether to make a full backup if none exists. Without one, nothing can be restored.
    type: bool
    default: true
  settings:
    description: More options of pgBackRest, such as C(repo1-s3-key-type).
    type: dict
  secrets:
    description: More options of pgBackRest whose values are secret, such as C(repo1-azure-key). O(settings) must not
      contain them.
    type: dict
  config:
    description:
      - Configuration file to write. The default is C(/etc/pgbackrest/conf.d/STANZA.conf). A file that was not created by
        this module is not changed.
    type: path
seealso:
  - module: day2.ops.restore
  - module: day2.ops.backup_info
  - module: day2.ops.health_check
"""

EXAMPLES = r"""
- name: Archive a server to a directory on another disk
  day2.ops.postgresql_pitr:
    stanza: main
    data_directory: /var/lib/postgresql/15/main
    repository: /mnt/backups/pgbackrest
  register: pitr

- name: Restart the server if this is required
  ansible.builtin.service:
    name: postgresql@15-main
    state: restarted
  when: pitr.restart_needed | length > 0

- name: Archive a server to S3, encrypted
  day2.ops.postgresql_pitr:
    stanza: main
    data_directory: /var/lib/postgresql/15/main
    repository: s3://database-archive/main
    s3:
      region: eu-central-1
      access_key_id: "{{ vault_archive_key_id }}"
      secret_access_key: "{{ vault_archive_secret }}"
    encryption_key: "{{ vault_archive_passphrase }}"

- name: Restore the server as it was, beside the one in use
  day2.ops.restore:
    name: main
    repository: pgbackrest
    at: "2025-06-30T14:05:00Z"
    target:
      type: postgresql
      data_directory: /var/lib/postgresql/15/at-1405
      port: 5433
"""

RETURN = r"""
stanza:
  description: Name of the stanza.
  type: str
  returned: success
  sample: main
config:
  description: The configuration file.
  type: str
  returned: success
  sample: /etc/pgbackrest/conf.d/main.conf
restart_needed:
  description: Settings that only take effect once the server is restarted. Nothing is archived until then.
  type: list
  elements: str
  returned: success
  sample: [archive_mode]
pitr:
  description: Content of the archive.
  type: dict
  returned: success
  contains:
    earliest:
      description: Earliest time that can be restored. V(none) if there is no good backup.
      type: str
      sample: "2025-06-29T01:00:12Z"
    latest:
      description: Time at which WAL was last archived. V(none) if nothing can be restored or the server can't be queried.
      type: str
      sample: "2025-06-30T14:04:58.123456Z"
    lag_s:
      description: Seconds for which the oldest segment has been waiting to be archived. V(none) if this is unknown.
      type: float
      sample: 0.0
    segments_waiting:
      description: Number of segments that are waiting to be archived.
      type: int
      sample: 0
    failed_count:
      description: Number of failed attempts to archive a segment since the statistics of the server were reset.
      type: int
      sample: 0
    encrypted:
      description: Whether the repository is encrypted.
      type: bool
      sample: true
    backups:
      description: Base backups, newest first, each with C(id), C(type), C(created), C(bytes), C(stored_bytes), C(good).
      type: list
      elements: dict
      sample: []
msg:
  description: The result in words.
  type: str
  returned: success
  sample: Stanza main is set up. It has 3 backups.
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: success
  sample: 0.4
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs import postgresql_pitr


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **postgresql_pitr.ARGUMENTS), postgresql_pitr.run)


if __name__ == "__main__":
    main()
