#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: retention
short_description: Keep, compress, archive and remove files and directories by age, number, size and free space
version_added: 0.1.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Applies tiers to the files or directories that a rule's globs match, its entries. An entry (a directory is one entry with
    everything below it) is B(hot) and left alone, B(warm) and compressed in place, B(cold) and moved to an archive, or
    B(removed). The last of the rule's tiers whose conditions hold applies.
  - Nothing is removed until its copy has been verified by SHA-256, whether that is a compressed file, a copy in an archive
    directory, or an object in S3. Existing files in an archive are never overwritten. (Uploads to S3 are conditional. On a server
    without conditional writes, somebody else can write the same key between the check and the upload.)
  - Entries that a process has open for writing are skipped and listed in RV(skipped_entries); this is checked again before each
    entry.
  - Symbolic links that a glob matches are not followed; they are listed in RV(skipped_entries), too.
  - Entries that changed after they were examined, paths that two rules match, and anything else that is not what O(rules[].type)
    says are problems. All other entries are processed, then the task fails and lists the problems.
  - A directory can also contain links, FIFOs, sockets and device files. They are removed with it, but cannot be archived. A socket
    that a process uses keeps its directory.
  - The age of a directory is that of its newest file.
  - All sizes are space on disk, as C(du) counts it. A sparse file counts only what it occupies, and a file with several names (hard
    links) frees its space with the last one.
  - It can also limit the logs that Docker keeps of containers, and the journal of systemd.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
options:
  rules:
    description: What to look at, and what becomes of it.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the rule in results and errors.
        type: str
        required: true
      paths:
        description:
          - Absolute paths of the entries, with globs (V(*), V(?), V([...])). Hidden entries are matched only by a glob that starts
            with a dot.
          - A file is matched with and without a compression suffix, so that V(*.log) also matches C(app.log.zst).
          - An entry that is reached by several paths is one entry.
        type: list
        elements: str
        required: true
      type:
        description: Type of the entries. Anything else that O(rules[].paths) matches is a problem.
        type: str
        choices: [file, directory]
        default: file
      exclude:
        description: Globs of names to leave out.
        type: list
        elements: str
      missing_ok:
        description:
          - Whether O(rules[].paths) may match nothing.
          - If V(false), a missing path without globs, or a missing directory above the first glob, is a problem. A glob that matches
            nothing is only a warning, as retention itself may have removed everything.
        type: bool
        default: false
      keep_last:
        description: This many of the newest entries stay as they are, per O(rules[].group_by).
        type: int
      group_by:
        description:
          - Which entries share O(rules[].keep_last) and O(rules[].tiers[].when_total_above).
          - With V(directory), each directory that contains entries has the limits for itself, so that an application that fills its
            own directory does not cause the files of another to be removed.
          - With V(rule), all entries of the rule share them, for example for a cache that is spread over many directories.
        type: str
        choices: [directory, rule]
        default: directory
      tiers:
        description: From young to old. The last one whose conditions all hold applies; without any condition it always holds.
        type: list
        elements: dict
        required: true
        suboptions:
          tier:
            description:
              - V(hot) leaves the entry alone.
              - V(warm) compresses a file; of a directory the files that neither O(rules[].tiers[].keep) nor
                O(rules[].tiers[].remove) name. A name that somebody else gives to another file later, like C(app.log.1), does not
                suit it.
              - V(cold) puts it into O(rules[].tiers[].destination), then removes it.
              - V(remove) removes it.
            type: str
            choices: [hot, warm, cold, remove]
            required: true
          older_than:
            description: Holds for entries of at least this age, for example V(7d).
            type: str
          larger_than:
            description: Holds for entries that take more space on disk, for example V(100M).
            type: str
          when_disk_above:
            description:
              - Holds for the oldest entries first, while their file system is fuller than this, for example V(80%). Space freed by
                earlier entries is taken into account, except that of compression, which is not known beforehand.
              - The oldest entries of the rule are removed whoever filled the file system. Give applications that must not affect each
                other file systems or quotas of their own.
            type: str
          when_total_above:
            description:
              - Holds for the oldest entries first, while the entries of their O(rules[].group_by) together take more space on disk than
                this, for example V(10G).
            type: str
          keep:
            description: With tier V(warm) of directories, globs of the files that stay as they are.
            type: list
            elements: str
          remove:
            description: With tier V(warm) of directories, globs of the files that are removed.
            type: list
            elements: str
          compression:
            description: With tier V(warm). The default is V(zstd) where that program is found, else V(gzip).
            type: str
            choices: [gzip, xz, zstd]
          only:
            description:
              - With tier V(cold) of directories, globs of the files that are archived. The others are removed with the directory.
              - A directory that has files, and none of these, is a problem, and stays.
              - The default is all.
            type: list
            elements: str
          destination:
            description:
              - With tier V(cold), a directory of the host (another disk, a mounted share), or C(s3://bucket/prefix).
              - An entry keeps its path below the first glob.
              - The destination can neither be inside an entry nor contain one, and what is archived there must not match
                O(rules[].paths) unless O(rules[].exclude) names it. With O(rules[].tiers[].when_disk_above) it must be on another file
                system.
            type: str
  s3:
    description:
      - How to reach S3, for destinations there. What is not set is looked up as the AWS tools do, from the environment, C(~/.aws) and
        the instance's role.
    type: dict
    suboptions:
      endpoint_url:
        description: URL of a server that is not Amazon's.
        type: str
      region:
        description: AWS region.
        type: str
      profile:
        description: Profile in C(~/.aws/config). It cannot be combined with O(s3.access_key_id).
        type: str
      access_key_id:
        description: Access key. It requires O(s3.secret_access_key).
        type: str
      secret_access_key:
        description: Secret of the access key.
        type: str
      session_token:
        description: Session token of temporary credentials. It requires O(s3.access_key_id) and O(s3.secret_access_key).
        type: str
  docker:
    description:
      - Limits the logs that Docker keeps of containers, in its configuration file. Everything else in that file stays as it is.
      - Docker checks some log options only when it creates a container. All are checked before the file is written, including those
        that it already has; a file with which Docker or new containers would not start is refused.
      - The limits apply to containers created after Docker is restarted. The restart is left to you.
    type: dict
    suboptions:
      daemon_json:
        description: Docker's configuration file.
        type: path
        default: /etc/docker/daemon.json
      log_driver:
        description:
          - The log driver to set. The default is the one that the file sets, or C(json-file) if it sets none.
          - A file that sets any other driver is left as it is unless this option is set.
        type: str
        choices: [json-file, local]
      max_size:
        description:
          - Maximum size of a log file, for example V(10m).
          - C(json-file) does not limit logs without it; C(local) uses 20 MB.
        type: str
      max_file:
        description:
          - Maximum number of log files per container. Docker's default is 1 for C(json-file) and 5 for C(local).
        type: int
      compress:
        description:
          - Whether rotated files are compressed. This requires at least two files (O(docker.max_file)).
          - Docker's default is V(false) for C(json-file) and V(true) for C(local).
        type: bool
  journald:
    description:
      - Limits the journal of systemd, in a drop-in file of its own (C(journald.conf(5\))). Suboptions have the names of journald's
        settings; what is not set keeps journald's default.
      - C(system_*) is about the persistent journal in C(/var/log/journal), C(runtime_*) about the one in C(/run/log/journal).
      - Limits take effect once C(systemd-journald) is restarted, which is safe at any time. The role C(day2.ops.retention) does it.
      - Drop-ins that journald reads later and that set the same are named in a warning.
    type: dict
    suboptions:
      conf:
        description: The drop-in file. A file that this module has not made is not overwritten.
        type: path
        default: /etc/systemd/journald.conf.d/60-day2-retention.conf
      system_max_use:
        description: Maximum space that the persistent journal takes on disk, for example V(1G).
        type: str
      system_keep_free:
        description: Space that the persistent journal leaves free on its file system.
        type: str
      system_max_file_size:
        description: Maximum size of one file of the persistent journal.
        type: str
      system_max_files:
        description: Maximum number of archived files of the persistent journal.
        type: int
      runtime_max_use:
        description: Maximum space that the volatile journal takes on disk, for example V(1G).
        type: str
      runtime_keep_free:
        description: Space that the volatile journal leaves free on its file system.
        type: str
      runtime_max_file_size:
        description: Maximum size of one file of the volatile journal.
        type: str
      runtime_max_files:
        description: Maximum number of archived files of the volatile journal.
        type: int
      max_retention_sec:
        description: Maximum age of entries, for example V(30d).
        type: str
      max_file_sec:
        description: Maximum time span of one journal file, for example V(1w). It sets how exactly O(journald.max_retention_sec) holds.
        type: str
  lock_timeout:
    description: How long to wait for another run of the same user in the same directory, for example V(5m).
    type: str
    default: 1m
requirements:
  - boto3, for a destination in S3
notes:
  - Only root sees the open files of all users, and in a container or a sandboxed unit not even root sees those of all processes.
    There, the kernel is asked whether a file is open for writing. If it does not tell, the entry is skipped.
seealso:
  - module: day2.ops.log_rotate
  - module: day2.ops.backup
"""

EXAMPLES = r"""
- name: Runs stay for a week, then shrink, and go to S3 after a month; the newest 100 stay whatever their age
  day2.ops.retention:
    rules:
      - name: runs
        paths: [/data/outputs/*]
        type: directory
        keep_last: 100
        tiers:
          - tier: warm
            older_than: 7d
            keep: [audit.log.json]
            remove: [metrics.csv, report.html]
          - tier: cold
            older_than: 30d
            only: [audit.log.json]
            destination: s3://data-profiler-archive/runs

- name: Empty a cache, oldest first, while the file system is fuller than 80 %
  day2.ops.retention:
    rules:
      - name: cache
        paths: [/var/cache/dotmac/*]
        tiers:
          - tier: remove
            older_than: 1h
            when_disk_above: 80%

- name: Limit the logs of new containers (Docker compresses what it rotates), and remove old ones of those that are there
  day2.ops.retention:
    docker:
      max_size: 10m
      max_file: 3
      compress: true
    rules:
      - name: container logs
        paths: [/var/lib/docker/containers/*/*-json.log.*]
        missing_ok: true
        tiers:
          - tier: remove
            older_than: 30d

- name: Limit the journal of systemd
  day2.ops.retention:
    journald:
      system_max_use: 1G
      max_retention_sec: 30d
  register: journal

- name: Let the new limits take effect
  ansible.builtin.systemd_service:
    name: systemd-journald
    state: restarted
  when: journal.journald.changed
"""

RETURN = r"""
entries:
  description: What was done (in check mode, would be done), oldest first within a rule.
  type: list
  elements: dict
  returned: success
  contains:
    rule:
      description: Name of the rule.
      type: str
      sample: runs
    path:
      description: The entry.
      type: str
      sample: /data/outputs/run-17
    tier:
      description: What it became.
      type: str
      sample: cold
    why:
      description: The conditions that held.
      type: str
      sample: 31d old, over 30d
    bytes:
      description: Space that it took on disk.
      type: int
      sample: 1052672
    bytes_freed:
      description:
        - Space on disk that was freed. What a compressed file takes is rounded up to whole blocks.
        - A file that has other names (hard links) frees nothing.
      type: int
      sample: 1052672
    destination:
      description: Where it was archived; V(none) if it was not.
      type: str
      sample: s3://data-profiler-archive/runs
    archived:
      description: How many of its files were archived.
      type: int
      sample: 1
    compressed:
      description: How many of its files were compressed.
      type: int
      sample: 0
    removed:
      description: How many of its files were removed.
      type: int
      sample: 4
kept:
  description: How many entries stay as they are.
  type: int
  returned: success
  sample: 100
skipped_entries:
  description: Entries that were due but are open for writing, and symbolic links that globs matched.
  type: list
  elements: dict
  returned: success
  contains:
    rule:
      description: Name of the rule.
      type: str
      sample: runs
    path:
      description: The entry.
      type: str
      sample: /data/outputs/run-18
    why:
      description: Why it was skipped.
      type: str
      sample: python3 (process 4711) has /data/outputs/run-18/audit.log.json open for writing
problems:
  description: What could not be done; the task fails when there are any, after all else was done.
  type: list
  elements: dict
  returned: always
  contains:
    rule:
      description: Name of the rule; empty when two are concerned.
      type: str
      sample: runs
    path:
      description: The entry.
      type: str
      sample: /data/outputs/latest
    problem:
      description: What is wrong, and what to do.
      type: str
      sample: /data/outputs/latest is no directory.
bytes_freed:
  description: Space on disk that all entries freed.
  type: int
  returned: success
  sample: 1052672
msg:
  description: The result in one line.
  type: str
  returned: always
  sample: 2 entries archived, 1 entry removed, 3.0 MiB freed; 100 entries kept.
docker:
  description: Docker's configuration; V(none) without O(docker).
  type: dict
  returned: success
  contains:
    path:
      description: The file.
      type: str
      sample: /etc/docker/daemon.json
    changed:
      description: Whether it was changed.
      type: bool
      sample: true
journald:
  description: The drop-in file of journald; V(none) without O(journald).
  type: dict
  returned: success
  contains:
    path:
      description: The file.
      type: str
      sample: /etc/systemd/journald.conf.d/60-day2-retention.conf
    changed:
      description: Whether it was changed.
      type: bool
      sample: true
duration_s:
  description: Seconds that the task took on the host.
  type: float
  returned: success
  sample: 0.4
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs import retention


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **retention.ARGUMENTS), retention.run)


if __name__ == "__main__":
    main()
