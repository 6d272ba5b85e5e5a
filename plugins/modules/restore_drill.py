#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_drill
short_description: Prove that a backup can be restored, and measure how long that takes
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Restores a backup as M(day2.ops.restore) does, but to a new scratch location that is removed afterwards. The store
    in use is never changed, and neither it nor the repository is locked. Documents, SQLite databases and files are
    restored into a directory, PostgreSQL into a database of the drill, tables of DynamoDB and parameters of AWS under a
    prefix of the drill (O(targets)). For a dump of a program, only its content is verified; a probe can load it.
  - With O(repository=pgbackrest), a server of M(day2.ops.postgresql_pitr) is restored to a moment between two transactions. The
    copy must have the first one, and not the second one.
  - The restored data is compared with the backup. SQLite databases are checked in full, with their foreign keys, and
    opened by a writer. PostgreSQL databases must have the same digests, valid indexes, and no sequence that is behind
    its column. Owners and modes of trees are compared as far as the user can set them. For tables that AWS has restored
    from its own backups, keys and settings are compared and all items are read, but their content cannot be compared.
    Then O(probe) is run.
  - The verdict is V(pass), V(fail) (the backup cannot be restored, or the restored data is wrong), or V(inconclusive)
    (the drill was not possible, for example because of missing space or a missing program, which says nothing about the
    backup). The task fails with V(fail), and unless O(fail_on=fail) with V(inconclusive).
  - Each stage is timed. Their sum is a lower bound of the recovery time, as a real recovery also needs a host, and people.
  - A drill that was killed leaves its scratch directory. The next one with the same O(scratch) removes it. It recognizes
    the directory by a mark that only this host and user could have made for it.
  - C(docs/DRILLS.md) of the collection describes drills, canaries and their schedule.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.repository
  - day2.ops.repository.timeout
  - day2.ops.s3
  - day2.ops.rclone
  - day2.ops.restic
  - day2.ops.encryption
  - day2.ops.evidence
attributes:
  check_mode:
    support: full
    details:
      - Check mode chooses the backup and reports what would be drilled. It refuses whatever can be known before the restore.
  diff_mode:
    support: N/A
    details:
      - Nothing that exists is changed.
  idempotent:
    support: full
    details:
      - Nothing remains that was changed.
options:
  name:
    description: Backup set to drill.
    type: str
    required: true
  backup:
    description:
      - The backup to drill. V(latest) for the newest good backup (or O(which)), a backup ID, or the path or address of a backup.
    type: str
    default: latest
  which:
    description:
      - V(newest) drills the newest good backup, V(sample) another one each day, so that each is drilled in turn.
      - The backup of a day is determined by the date (UTC), the host and the set. The result contains its position
        (C(drill.which)).
    type: str
    choices: [newest, sample]
    default: newest
  host:
    description: Host whose backups to drill, as in M(day2.ops.restore). The default is this host.
    type: str
  tags:
    description: Only consider backups that have all of these tags.
    type: list
    elements: str
  scratch:
    description:
      - An existing directory, in which the drill creates a private one (mode V(0700)). It needs space for the whole
        backup, and twice that of SQLite databases. The default is C(TMPDIR) or C(/var/tmp).
      - With O(repository=pgbackrest), the user of the server must be able to enter it (mode V(0711), for example). If the task
        runs as root, the directory of the drill has this mode as well, and contains a private one of that user.
      - It must not be inside the repository or the source of the backup (through links and mounts either), and other
        users must not be able to replace it or its content.
    type: path
  targets:
    description:
      - For PostgreSQL, DynamoDB and parameters of AWS, how to reach the servers in which backups are restored. The
        drill only uses names that consist of C(day2_drill_) and 16 hexadecimal digits there, one for each PostgreSQL
        database in the backup, and as the prefix of tables and parameters. All of these are removed at the end. Other
        databases, tables and parameters are never changed.
      - This requires the rights to create and remove them, puts load on the server, and costs money in AWS. If this
        matters, use a different server or account than the application.
    type: list
    elements: dict
    suboptions:
      type:
        description: Type of the store.
        type: str
        choices: [dynamodb, postgresql, ssm]
        required: true
      name:
        description: Name of the store within the backup, if it has several of this type.
        type: str
      host:
        description: Host, or directory of the socket. The default is that of libpq.
        type: str
      port:
        description: Port.
        type: int
      username:
        description: User.
        type: str
      password:
        description: Password. It is passed to a probe in C(PGPASSWORD).
        type: str
      passfile:
        description: File with passwords, as libpq reads it.
        type: path
      service:
        description: Name of a service in the service file of libpq.
        type: str
      sslmode:
        description: Whether and how the connection is encrypted.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      sslrootcert:
        description: File with the certificates of trusted CAs.
        type: path
      sslcert:
        description: File with the certificate of the client.
        type: path
      sslkey:
        description: File with the key of the client.
        type: path
      maintenance_database:
        description: Database to connect to in order to create and drop databases. The default is V(postgres).
        type: str
      bin:
        description: Directory of the client programs of PostgreSQL.
        type: path
      jobs:
        description: Number of connections that load data.
        type: int
      region:
        description: For AWS, the region.
        type: str
      endpoint_url:
        description: For AWS, the URL of the service, if it is not one of Amazon's.
        type: str
      s3_endpoint_url:
        description: For DynamoDB, the URL of the S3 endpoint of exports (C(method=s3_export)), if it is not one of
          Amazon's.
        type: str
      profile:
        description: For AWS, a profile in the configuration of the user.
        type: str
      access_key_id:
        description: For AWS, the ID of an access key.
        type: str
      secret_access_key:
        description: For AWS, the secret of the access key.
        type: str
      session_token:
        description: For AWS, the token of temporary credentials.
        type: str
      overrides:
        description: For DynamoDB and a backup that was made with C(method=native), as in O(day2.ops.restore#module:target.overrides).
        type: dict
      throttle_timeout:
        description: For AWS, how long to retry while throttled.
        type: str
      max_read_units:
        description: For DynamoDB, how many units of read capacity the comparison may consume per second.
        type: int
      owner:
        description: Owner of restored objects, as in O(day2.ops.restore#module:target.owner).
        type: str
        choices: [keep, map, none]
      owner_map:
        description: Names of roles in the backup, and those on the server.
        type: dict
      compare:
        description: How the rows are compared with the backup, as in O(day2.ops.restore#module:target.compare).
        type: str
        choices: [counts, digests]
  probe:
    description:
      - A command (a list of its words), or a list of health checks as M(day2.ops.health_check) takes them, that must
        succeed with the restored data.
      - In the words, and in the options of checks, C({path}) is the path of the restored data. For a backup of several
        stores, this is a directory, and C({path.NAME}) is the path of the store C(NAME).
      - For PostgreSQL, C({dsn}) is the address of the database without its password, and C({database}) its name. For
        several databases, these are C({dsn.NAME}) and C({database.NAME}), with their names in the backup. For DynamoDB
        and parameters of AWS, C({prefix}) is the prefix.
      - A backup of type C(command) is unpacked to the file C(dump) in the directory C({path}). The probe can load it.
      - Commands get the same values in C(DAY2_DRILL_PATH), C(DAY2_DRILL_PATH_NAME), C(DAY2_DRILL_DSN) and so on.
      - If a command cannot be found or a check is V(unknown), the drill is inconclusive.
    type: list
    elements: raw
  probe_timeout:
    description: Time after which a command is killed, and the drill has failed. For checks, the timeout of each attempt.
    type: str
    default: 5m
  canary:
    description:
      - Location of a time in the data that is written before each backup. Its age shows how much a recovery would lose.
    type: dict
    suboptions:
      store:
        description: Name of the store within the backup, if it has several.
        type: str
      table:
        description: For SQLite and PostgreSQL, the table, which can be V(schema.table). The newest time in its O(canary.column) counts.
          If a backup of PostgreSQL has several databases, V(database.schema.table).
        type: str
      column:
        description: For SQLite and PostgreSQL, the column with times in ISO 8601, or in seconds since 1970.
        type: str
      file:
        description: For files, the path of a file that contains the time, relative to the store. For JSON in several files, the document.
        type: str
      field:
        description: For JSON, the path of the time in the document, for example C($.meta.canary).
        type: str
      max_age:
        description: How old the canary may have been when the backup was made. If it was older, the drill has failed.
        type: str
  integrity:
    description:
      - Whether foreign keys in SQLite that dangle or cannot be checked, and sequences of PostgreSQL that are behind their
        column, are a failure or a warning.
    type: str
    choices: [fail, warn]
    default: fail
  negative:
    description:
      - Test the drill itself. The backup is read with one bit of its largest file changed. The verdict is V(pass) only
        if the restore detects this. Nothing in the repository is changed.
    type: bool
    default: false
  fail_on:
    description: V(inconclusive) fails unless the verdict is V(pass), V(fail) only if it is V(fail).
    type: str
    choices: [fail, inconclusive]
    default: inconclusive
seealso:
  - module: day2.ops.restore
  - module: day2.ops.backup_info
  - module: day2.ops.fleet_report
"""

EXAMPLES = r"""
- name: Prove that the newest backup of the HawkFish database can be restored
  day2.ops.restore_drill:
    name: hawkfish
    repository: /var/backups/day2
    probe: [sqlite3, "{path}", "SELECT count(*) FROM hf_systems"]

- name: Drill a sample, with health checks
  day2.ops.restore_drill:
    name: hawkfish
    repository: /var/backups/day2
    which: sample
    probe:
      - name: size
        type: file
        path: "{path}"
        min_size: 1k
  register: drilled

- name: Prove that a damaged backup would be noticed
  day2.ops.restore_drill:
    name: hawkfish
    repository: /var/backups/day2
    negative: true
"""

RETURN = r"""
drill:
  description: The drill.
  type: dict
  returned: always, unless the arguments are wrong
  contains:
    verdict:
      description: V(pass), V(fail) or V(inconclusive). V(none) in check mode, if the drill would be possible.
      type: str
      sample: pass
    set:
      description: Backup set.
      type: str
      sample: hawkfish
    repository:
      description: Repository that the backup was read from.
      type: str
      sample: /var/backups/day2
    backup:
      description: ID of the backup, or V(none) if none was found.
      type: str
      sample: 20250630T120000Z-3f2a9c1b
    made:
      description: Time of its data.
      type: str
      sample: "2025-06-30T12:00:00Z"
    path:
      description: The scratch directory, which no longer exists. In check mode, the path that it would have.
      type: str
      sample: /var/tmp/day2-drill-jczg8nbe
    which:
      description: How the backup was chosen.
      type: str
      sample: "sample: 17 of 40, oldest first, has its turn today"
    at:
      description: Time at which the drill began.
      type: str
      sample: "2025-06-30T13:00:00Z"
    negative:
      description: Whether the backup was read with a bit changed.
      type: bool
      sample: false
    stages:
      description:
        - Seconds of the stages that were reached, C(fetch), C(decrypt), C(restore), C(verify) and C(probe).
        - Data is read, decrypted and written in one stream. C(fetch) is the time to find the backup and to wait for
          data of the repository, C(decrypt) the time to wait for C(age) while it has data, C(restore) all other time
          until everything is written.
        - What C(restic) and C(pgbackrest) decrypt themselves has no stage of its own.
      type: dict
      sample: {"fetch": 16.1, "decrypt": 2.3, "restore": 22.8, "verify": 12.9, "probe": 0.4}
    rto_s:
      description: Lower bound of the recovery time in seconds, the sum of the stages. V(none) unless the drill has passed.
      type: float
      sample: 54.5
    rpo_s:
      description: Age of the canary in seconds at the end of the drill, if the newest backup was drilled. A recovery
        would lose later writes.
      type: float
      sample: 1804.2
    canary:
      description: The time in the canary, and C(behind_s), the number of seconds from it to the backup. V(none) without
        O(canary).
      type: dict
      sample: {"written": "2025-06-30T11:59:58Z", "behind_s": 2.0}
    checks:
      description: Checks that have succeeded.
      type: list
      elements: str
      sample: ["what was restored equals the backup", "hawkfish.db: no foreign key is dangling"]
    reason:
      description: Reason why the drill has not passed.
      type: str
      sample: "Backup 20250630T120000Z-3f2a9c1b is damaged: data/hawkfish.db.zst: it is missing, or not a regular file."
    next:
      description: What to do next.
      type: str
      sample: Restore an older backup by hand (restore with backup=ID), and find out why this one cannot be restored.
msg:
  description: The result in words.
  type: str
  returned: always
  sample: "The drill of hawkfish/20250630T120000Z-3f2a9c1b passed: what was restored equals the backup. A restore takes at least 54.5s."
evidence:
  description:
    - Head of the journal of evidence after the line of this run. Kept elsewhere (the artifacts of AWX, for example), it proves
      later that this line and those before it were not changed.
  type: dict
  returned: when the run was recorded (O(evidence))
  contains:
    journal:
      description: ID of the journal.
      type: str
      sample: 5be01c9f3f2a9c1b
    count:
      description: Number of the line.
      type: int
      sample: 1234
    digest:
      description: SHA-256 of the line.
      type: str
      sample: 8e0f4c0d9a3b5f1e2d7c6b8a9f0e1d2c3b4a5f6e7d8c9b0a1f2e3d4c5b6a7f80
    time:
      description: Time of the line.
      type: str
      sample: "2025-06-30T12:00:00Z"
    anchored_in:
      description: Repositories in which the head was anchored.
      type: list
      elements: str
      sample: [/var/backups/day2]
duration_s:
  description: Duration of the task on the host in seconds, including the removal of the restored data.
  type: float
  returned: always, unless the arguments are wrong
  sample: 55.1
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs.drill import drill


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **drill.ARGUMENTS), drill.run, drill.echo)


if __name__ == "__main__":
    main()
