#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: retention
short_description: Keep, compress, archive and remove files and directories by age, number, size and free space
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Applies tiers to the entries of each rule, which are the files or directories that its globs match. A directory is
    one entry, including everything below it. The tier of an entry is B(hot) (not changed), B(warm) (compressed in
    place), B(cold) (moved to an archive) or B(removed). The last tier of the rule whose conditions are met applies.
  - Nothing is removed until its copy has been verified by SHA-256, whether the copy is a compressed file, a file in an
    archive directory, or an object in S3. Existing files in an archive are never overwritten. (Uploads to S3 are
    conditional. On a server without conditional writes, another client can write the same key between the check and the
    upload.)
  - Entries that a process has open for writing are skipped and listed in RV(skipped_entries). This is checked again
    before each entry is processed.
  - Symbolic links that a glob matches are not followed. They are also listed in RV(skipped_entries).
  - Entries that changed after they were examined, paths that two rules match, and entries that are not of
    O(rules[].type) are problems. All other entries are processed, then the task fails and lists the problems.
  - A directory can also contain links, FIFOs, sockets and device files. They are removed with it, but cannot be
    archived. A directory that contains a socket in use is retained.
  - The age of a directory is the age of its newest file.
  - All sizes are space on disk, as reported by C(du). A sparse file counts only as the space it occupies, and a file
    with several names (hard links) frees its space when the last one is removed.
  - The module can also limit the container logs kept by Docker, and the systemd journal.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
  - day2.ops.s3
options:
  rules:
    description: Rules that select entries and define their tiers.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the rule in results and errors.
        type: str
        required: true
      paths:
        description:
          - Absolute paths of the entries, with globs (V(*), V(?), V([...])). Hidden entries are matched only by globs
            that start with a dot.
          - A file is matched with and without a compression suffix, so that V(*.log) also matches C(app.log.zst).
          - An entry that several paths match is one entry.
        type: list
        elements: str
        required: true
      type:
        description: Type of the entries. Entries of another type that O(rules[].paths) matches are problems.
        type: str
        choices: [file, directory]
        default: file
      exclude:
        description: Globs of names to exclude.
        type: list
        elements: str
      missing_ok:
        description:
          - Whether O(rules[].paths) may match nothing.
          - If V(false), a missing path without globs, or a missing directory above the first glob, is a problem. A glob
            that matches nothing only causes a warning, as retention itself may have removed everything.
        type: bool
        default: false
      keep:
        description: Entries that are not changed, whatever their tier.
        type: dict
        suboptions:
          last:
            description: Number of newest entries, per O(rules[].group_by).
            type: int
      group_by:
        description:
          - Scope of O(rules[].keep.last) and O(rules[].tiers[].when_total_above).
          - With V(directory), the limits apply separately to each directory that contains entries, so that an
            application that fills its own directory does not cause files of another application to be removed.
          - With V(rule), the limits apply to all entries of the rule together, for example for a cache that is spread
            over many directories.
        type: str
        choices: [directory, rule]
        default: directory
      tiers:
        description:
          - Tiers, from young to old. The last tier whose conditions are all met applies. A tier without conditions
            always applies.
        type: list
        elements: dict
        required: true
        suboptions:
          tier:
            description:
              - V(hot) does not change the entry.
              - V(warm) compresses a file. In a directory, it compresses the files that match neither
                O(rules[].tiers[].exclude) nor O(rules[].tiers[].remove). It is not suitable for names that another program
                later gives to a different file, such as C(app.log.1).
              - V(cold) archives the entry to O(rules[].tiers[].destination), then removes it.
              - V(remove) removes the entry.
            type: str
            choices: [hot, warm, cold, remove]
            required: true
          older_than:
            description: Minimum age of the entry, for example V(7d).
            type: str
          larger_than:
            description: Applies to entries that occupy more space on disk than this, for example V(100M).
            type: str
          when_disk_above:
            description:
              - Applies to the oldest entries first, as long as the usage of their file system is above this value, for
                example V(80%). Space freed by earlier entries is taken into account, except for compression, whose
                result is not known in advance.
              - The oldest entries of the rule are removed regardless of what filled the file system. Applications that
                must not affect each other need separate file systems or quotas.
            type: str
          when_total_above:
            description:
              - Applies to the oldest entries first, as long as the entries in the same O(rules[].group_by) scope
                together occupy more space on disk than this, for example V(10G).
            type: str
          exclude:
            description: With tier V(warm) of directories, globs of files that are not changed.
            type: list
            elements: str
          remove:
            description: With tier V(warm) of directories, globs of files to remove.
            type: list
            elements: str
          compression:
            description:
              - Compression for tier V(warm). The default is V(zstd) if the zstd program is found, V(gzip) otherwise.
            type: str
            choices: [gzip, xz, zstd]
          include:
            description:
              - With tier V(cold) of directories, globs of files to archive. The other files are removed with the
                directory. The default is all files.
              - A directory that contains files, but none that match, is a problem and is not removed.
            type: list
            elements: str
          destination:
            description:
              - For tier V(cold), a directory on the host (another disk, a mounted share), or C(s3://bucket/prefix).
              - An entry keeps its path below the first glob.
              - The destination must neither be inside an entry nor contain one, and archived entries in it must not
                match O(rules[].paths) unless O(rules[].exclude) excludes them. With O(rules[].tiers[].when_disk_above),
                it must be on another file system.
            type: str
  docker:
    description:
      - Limits the container logs kept by Docker, in its configuration file. All other settings in that file are
        preserved.
      - Docker checks some log options only when it creates a container. All log options are checked before the file is
        written, including existing ones. A configuration with which Docker or new containers would not start is
        refused.
      - The limits apply to containers created after Docker has been restarted. The module does not restart Docker.
    type: dict
    suboptions:
      path:
        description: Path of the Docker configuration file.
        type: path
        default: /etc/docker/daemon.json
      log_driver:
        description:
          - Log driver to set. The default is the driver set in the file, or C(json-file) if it sets none.
          - If the file sets any other driver, it is not changed unless this option is set.
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
      - Limits the systemd journal, in a separate drop-in file (C(journald.conf(5\))). Suboptions have the names of the
        settings of journald. For settings that are not set, the defaults of journald apply.
      - C(system_*) applies to the persistent journal in C(/var/log/journal), C(runtime_*) to the journal in
        C(/run/log/journal).
      - Limits take effect once C(systemd-journald) is restarted, which is safe at any time. The role
        C(day2.ops.retention) restarts it.
      - Drop-in files that journald reads later and that set the same settings are named in a warning.
    type: dict
    suboptions:
      path:
        description: Path of the drop-in file. A file that was not created by this module is not overwritten.
        type: path
        default: /etc/systemd/journald.conf.d/60-day2-retention.conf
      system_max_use:
        description: Maximum space that the persistent journal uses on disk, for example V(1G).
        type: str
      system_keep_free:
        description: Minimum free space that the persistent journal leaves on its file system.
        type: str
      system_max_file_size:
        description: Maximum size of one file of the persistent journal.
        type: str
      system_max_files:
        description: Maximum number of archived files of the persistent journal.
        type: int
      runtime_max_use:
        description: Maximum space that the volatile journal uses on disk, for example V(1G).
        type: str
      runtime_keep_free:
        description: Minimum free space that the volatile journal leaves on its file system.
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
        description:
          - Maximum time span of one journal file, for example V(1w). It determines the precision of
            O(journald.max_retention_sec).
        type: str
  lock_timeout:
    description: How long to wait for another run of the same user in the same directory, for example V(5m).
    type: str
    default: 1m
requirements:
  - boto3, for a destination in S3
notes:
  - Only root can see the open files of all users, and in a container or a sandboxed unit not even root can see those of
    all processes. In these cases, the kernel is asked whether a file is open for writing. If it cannot be determined,
    the entry is skipped.
seealso:
  - module: day2.ops.log_rotate
  - module: day2.ops.backup
"""

EXAMPLES = r"""
- name: Compress runs after a week and archive them to S3 after a month, except the newest 100
  day2.ops.retention:
    rules:
      - name: runs
        paths: [/data/outputs/*]
        type: directory
        keep: {last: 100}
        tiers:
          - tier: warm
            older_than: 7d
            exclude: [audit.log.json]
            remove: [metrics.csv, report.html]
          - tier: cold
            older_than: 30d
            include: [audit.log.json]
            destination: s3://data-profiler-archive/runs

- name: Remove the oldest files of a cache while its file system is more than 80 % full
  day2.ops.retention:
    rules:
      - name: cache
        paths: [/var/cache/dotmac/*]
        tiers:
          - tier: remove
            older_than: 1h
            when_disk_above: 80%

- name: Limit the logs of new containers (compressed by Docker), and remove old logs of existing containers
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

- name: Limit the systemd journal
  day2.ops.retention:
    journald:
      system_max_use: 1G
      max_retention_sec: 30d
  register: journal

- name: Apply the new journal limits
  ansible.builtin.systemd_service:
    name: systemd-journald
    state: restarted
  when: journal.journald.changed
"""

RETURN = r"""
entries:
  description: Actions taken (in check mode, actions that would be taken), oldest entries first within a rule.
  type: list
  elements: dict
  returned: success
  contains:
    rule:
      description: Name of the rule.
      type: str
      sample: runs
    path:
      description: Path of the entry.
      type: str
      sample: /data/outputs/run-17
    tier:
      description: Tier that was applied.
      type: str
      sample: cold
    why:
      description: Conditions that were met.
      type: str
      sample: 31d old, over 30d
    bytes:
      description: Space on disk that the entry occupied, in bytes.
      type: int
      sample: 1052672
    bytes_freed:
      description:
        - Space on disk that was freed, in bytes. The size of a compressed file is rounded up to whole blocks.
        - A file that has other names (hard links) frees no space.
      type: int
      sample: 1052672
    destination:
      description: Where the entry was archived. V(none) if it was not archived.
      type: str
      sample: s3://data-profiler-archive/runs
    archived:
      description: Number of files that were archived.
      type: int
      sample: 1
    compressed:
      description: Number of files that were compressed.
      type: int
      sample: 0
    removed:
      description: Number of files that were removed.
      type: int
      sample: 4
kept:
  description: Number of entries that were not changed.
  type: int
  returned: success
  sample: 100
skipped_entries:
  description:
    - Entries that were due but are open for writing, and symbolic links that globs matched.
    - Also entries to compress or archive with a file that consists almost entirely of holes (more than 1 GiB of them), as reading
      it would take hours.
  type: list
  elements: dict
  returned: success
  contains:
    rule:
      description: Name of the rule.
      type: str
      sample: runs
    path:
      description: Path of the entry.
      type: str
      sample: /data/outputs/run-18
    why:
      description: Why the entry was skipped.
      type: str
      sample: python3 (process 4711) has /data/outputs/run-18/audit.log.json open for writing
problems:
  description:
    - Entries that could not be processed. If there are any, the task fails after all other entries have been processed.
  type: list
  elements: dict
  returned: always
  contains:
    rule:
      description: Name of the rule. Empty if two rules are affected.
      type: str
      sample: runs
    path:
      description: Path of the entry.
      type: str
      sample: /data/outputs/latest
    problem:
      description: Description of the problem, and what to do.
      type: str
      sample: /data/outputs/latest is not a directory.
bytes_freed:
  description: Space on disk freed by all entries, in bytes.
  type: int
  returned: success
  sample: 1052672
msg:
  description: The result in one line.
  type: str
  returned: always
  sample: 2 entries archived, 1 entry removed, 3.0 MiB freed; 100 entries kept.
docker:
  description: Result for the Docker configuration. V(none) if O(docker) is not set.
  type: dict
  returned: success
  contains:
    path:
      description: Path of the file.
      type: str
      sample: /etc/docker/daemon.json
    changed:
      description: Whether it was changed.
      type: bool
      sample: true
journald:
  description: Result for the drop-in file of journald. V(none) if O(journald) is not set.
  type: dict
  returned: success
  contains:
    path:
      description: Path of the file.
      type: str
      sample: /etc/systemd/journald.conf.d/60-day2-retention.conf
    changed:
      description: Whether it was changed.
      type: bool
      sample: true
duration_s:
  description: Duration of the task on the host in seconds.
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
